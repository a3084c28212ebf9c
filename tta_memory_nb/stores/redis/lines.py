"""The connections of one event loop: few, and each carries many commands at a time (pipelining).

Commands that tasks send in one turn of the loop go out together, and replies come in the order of the
commands. What has no room on a connection waits in a queue here, where time does not count as silence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Any

import redis
from redis.exceptions import ResponseError

from .connections import Limits
from .dialing import Dialer
from .faults import ERRORS, Busy, Slow, is_hopeless
from .pool import Work
from .silence import PATIENCE, PROBE, unacknowledged
from .wire import Command, Replies, is_in_order, packed

MOST = 4
"""So many connections one event loop has."""

# So many commands and bytes a connection carries at a time: enough to keep a server busy that is 0.2 s away.
_ROOM, _ROOM_BYTES = 1000, 1 << 20

# With more commands on each connection than this, another connection is worth its price.
_MANY = 64

# Silence is counted in ticks. The tick of a loop that was blocked comes late, and still counts once.
_TICKS = 4


class Exchange:
    """A command and its reply.

    Attributes:
        command: what is sent.
        reply: is done when the reply has come.
        in_order: whether it has to go where other commands of this kind go.
        asked: when it was asked, in seconds of the monotonic clock.
        losses: how many connections were lost with it.
        size: how many bytes it has, once it was sent.
    """

    __slots__ = ("asked", "command", "in_order", "losses", "reply", "size")

    def __init__(self, command: Command, reply: asyncio.Future[Any]) -> None:
        self.command = command
        self.reply = reply
        self.in_order = is_in_order(command)
        self.asked = monotonic()
        self.losses = 0
        self.size = 0

    def fail(self, error: BaseException) -> None:
        """Has whoever waits for the reply raise an error."""
        if not self.reply.done():
            # An exception that several tasks raise would collect the tracebacks of all.
            self.reply.set_exception(_copy_of(error))


class Line(asyncio.Protocol):
    """One connection of an event loop.

    redis-py opens it; then this protocol takes the place of its stream.

    Args:
        opened: the connection of redis-py.
        lines: whose connection it is.
        silence: seconds without a byte after which it counts as silent.

    Attributes:
        waiting: the commands without a reply, in the order in which they were sent.
        patience: so many times the limit of silence may pass, if the server answers on another connection.
        unused_since: since when nothing is waiting, in seconds of the monotonic clock.
    """

    def __init__(self, opened: Any, lines: Lines, silence: float) -> None:
        self._loop = asyncio.get_running_loop()
        # A stream that is collected closes its connection.
        self._stream, opened._writer, opened._reader = opened._writer, None, None
        self._transport: Any = self._stream.transport
        self._socket = self._transport.get_extra_info("socket")
        self._lines = lines
        self._replies = Replies()
        self._unsent: list[bytes] = []
        self._room: asyncio.Future[None] | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._tick_seconds = silence / _TICKS
        self._silent_ticks = 0
        self._on_its_way = 0
        self._bytes = 0
        self.waiting: deque[Exchange] = deque()
        self.patience = 1
        self._silences = 0
        self.unused_since = monotonic()
        self._transport.set_protocol(self)

    # ---- commands

    @property
    def has_room(self) -> bool:
        """Whether another command may be sent."""
        return not self.waiting or (len(self.waiting) < _ROOM and self._bytes < _ROOM_BYTES)

    @property
    def is_open(self) -> bool:
        """Whether commands may be sent at all."""
        return not self._transport.is_closing()

    def send(self, exchange: Exchange) -> None:
        """Sends a command, with others of the same turn of the loop."""
        data = packed(exchange.command)
        exchange.size = len(data)
        is_first = not self.waiting
        self.waiting.append(exchange)
        self._bytes += len(data)
        if is_first:
            # Most often the only one for now, so it goes out at once.
            self._transport.write(data)
            self._silent_ticks = 0
            if self._ticker is None:
                self._ticker = self._loop.call_later(self._tick_seconds, self._tick)
        else:
            if not self._unsent:
                self._loop.call_soon(self._flush)
            self._unsent.append(data)

    def _flush(self) -> None:
        if self._unsent and self.is_open:
            self._transport.write(b"".join(self._unsent))
            self._silent_ticks = 0
        self._unsent.clear()

    async def sent(self) -> None:
        """Waits until all commands have left this process."""
        self._flush()
        if self._room is not None:
            with suppress(*ERRORS):
                await asyncio.shield(self._room)

    async def probe(self) -> None:
        """Asks the server whether it is there.

        Raises:
            RedisError, OSError: it is not.
        """
        exchange = Exchange(PROBE, self._loop.create_future())
        self.send(exchange)
        exchange.losses = 1  # it is about this connection, and not sent on another one
        with suppress(ResponseError):
            await exchange.reply

    # ---- what the loop calls

    def data_received(self, data: bytes) -> None:
        """Takes in replies."""
        self._silent_ticks = self._silences = 0
        try:
            replies = self._replies.feed(data)
        except redis.InvalidResponse as error:
            self.lose(error)
            return
        for reply in replies:
            if not self.waiting:  # what nobody has asked for
                continue
            exchange = self.waiting.popleft()
            self._bytes -= exchange.size
            if exchange.reply.done():  # its task was cancelled
                continue
            if isinstance(reply, ResponseError):
                exchange.reply.set_exception(reply)
            else:
                exchange.reply.set_result(reply)
        if not self.waiting:
            self.unused_since = monotonic()
        if replies:
            self._lines.go_on()

    def pause_writing(self) -> None:
        """Notes that bytes wait to be sent."""
        self._room = self._room or self._loop.create_future()

    def resume_writing(self) -> None:
        """Notes that few bytes wait to be sent."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def eof_received(self) -> None:
        """Closes the connection, as the server has."""

    def connection_lost(self, error: Exception | None) -> None:
        """Notes that the connection is closed."""
        self.lose(error or redis.ConnectionError("the server has closed the connection"))

    # ---- silence

    def _tick(self) -> None:
        self._ticker = None
        if not self.waiting or not self.is_open:
            return
        on_its_way = self._transport.get_write_buffer_size() + unacknowledged(self._socket)
        moves, self._on_its_way = on_its_way != self._on_its_way, on_its_way
        self._silent_ticks = 0 if moves else self._silent_ticks + 1
        self._ticker = self._loop.call_later(self._tick_seconds, self._tick)
        if self._silent_ticks > _TICKS:  # the first one may have come at once
            self._lines.silent(self)
        self._lines.look_at_the_queue()

    @property
    def is_silent(self) -> bool:
        """Whether no byte has come or gone for too long."""
        return bool(self.waiting) and self._silent_ticks > _TICKS

    @property
    def is_stuck(self) -> bool:
        """Whether replies are slow to come, so that other commands had better go elsewhere."""
        return self._silent_ticks > 1 and bool(self.waiting)

    def wait_on(self) -> bool:
        """Counts silence anew, unless it has lasted as long as it may."""
        self._silences += 1
        if self._silences >= self.patience:
            return False
        self._silent_ticks = 0
        return True

    # ---- its end

    def take(self) -> list[Exchange]:
        """Returns the commands without a reply, and closes the connection."""
        taken, self.waiting = [each for each in self.waiting if not each.reply.done()], deque()
        self.close()
        return taken

    def lose(self, error: BaseException) -> None:
        """Gives up the connection; its commands may be sent on another one."""
        self._lines.lost(self, self.take(), error)

    def close(self) -> None:
        """Closes the connection at once."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        self.resume_writing()
        self._transport.abort()


class Lines:
    """The connections of one event loop.

    Args:
        dialer: opens connections.
        limits: what the address says of them.
    """

    def __init__(self, dialer: Dialer, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._dialer = dialer
        self._limits = limits
        self._most = min(MOST, limits.connections or MOST)
        self._lines: list[Line] = []
        # What waits for room: the first commands of verbs, and those of verbs that have begun.
        self._queue: deque[Exchange] = deque()
        self._going_on: deque[Exchange] = deque()
        self._moved = monotonic()
        self._opening: asyncio.Task[None] | None = None
        self._examining: asyncio.Task[None] | None = None

    async def ask(self, command: Command, work: Work | None, *, goes_on: bool = False) -> Any:
        """Sends a command and returns the reply.

        Args:
            command: what is sent.
            work: what to do after that and before the reply is there.
            goes_on: whether it goes on with what has begun, so that it takes precedence over others.

        Raises:
            RedisError, OSError: there is none.
            Busy, Slow: it takes too long.
        """
        if self._limits.idle:
            await self._check_unused()
        exchange = Exchange(command, self._loop.create_future())
        try:
            self._submit(exchange, self._going_on if goes_on else self._queue)
            if work:
                for line in self._lines:
                    await line.sent()
                work()
            return await exchange.reply
        except BaseException:
            exchange.reply.cancel()
            raise

    async def _check_unused(self) -> None:
        """Checks connections that were unused for long, before a command goes out on them."""
        for line in list(self._lines):
            if not line.waiting and monotonic() - line.unused_since > self._limits.idle:
                with suppress(*ERRORS):
                    await line.probe()

    def _submit(self, exchange: Exchange, queue: deque[Exchange]) -> None:
        line = None if self._going_on or queue else self._line_for(exchange)
        if line is None:
            queue.append(exchange)
            self._open_another()
        else:
            line.send(exchange)

    def _line_for(self, exchange: Exchange) -> Line | None:
        """Returns the connection for a command; None if it has to wait."""
        lines = self._lines
        if not lines:
            return None
        line = lines[0]
        if len(lines) > 1:
            if not exchange.in_order:
                line = min(lines, key=lambda each: len(each.waiting))
            if line.is_stuck:
                line = next((each for each in lines if not each.is_stuck), line)
        if len(line.waiting) > _MANY or line.is_stuck:
            self._open_another()
        return line if line.has_room and line.is_open else None

    def go_on(self) -> None:
        """Sends what was waiting for room."""
        self._moved = monotonic()
        while queue := self._going_on or self._queue:
            exchange = queue[0]
            if not exchange.reply.done():
                line = self._line_for(exchange)
                if line is None:
                    if not self._lines:
                        self._open_another()
                    return
                line.send(exchange)
            queue.popleft()

    def look_at_the_queue(self) -> None:
        """Gives up what waits for its turn if nothing has moved for too long."""
        longest = PATIENCE * self._limits.silence
        while (queue := self._going_on or self._queue) and (
            monotonic() - max(self._moved, queue[0].asked) > longest
        ):
            queue.popleft().fail(Busy(len(self._lines), longest))

    # ---- opening

    def _open_another(self) -> None:
        if self._opening is None and len(self._lines) < self._most:
            self._opening = self._loop.create_task(self._open())

    async def _open(self) -> None:
        try:
            line = await self._dial()
        except ERRORS as error:
            self._opening = None
            if not self._lines:
                self._fail_all(error)
        except BaseException as error:  # the loop is shutting down
            self._opening = None
            self._fail_all(redis.ConnectionError(f"the event loop is closing ({error!r})"))
            raise
        else:
            self._opening = None
            self._lines.append(line)
            self.go_on()

    async def _dial(self) -> Line:
        return Line(await self._dialer.adial(), self, self._limits.silence)

    def _fail_all(self, error: BaseException) -> None:
        waiting = [*self._going_on, *self._queue]
        self._going_on.clear()
        self._queue.clear()
        for exchange in waiting:
            exchange.fail(error)

    # ---- lost and silent connections

    def lost(self, line: Line, exchanges: Iterable[Exchange], error: BaseException) -> None:
        """Notes that a connection is gone, and sends its commands on another one, each at most twice.

        The server knows which writes it has applied.
        """
        if line in self._lines:
            self._lines.remove(line)
        again = []
        for exchange in exchanges:
            exchange.losses += 1
            if exchange.losses > 1 or is_hopeless(error):
                exchange.fail(error)
            else:
                again.append(exchange)
        if again:
            # The server has closed this connection while it was idle, and so probably the others.
            self._close_idle()
        self._going_on.extendleft(reversed(again))
        if self._going_on or self._queue:
            self._open_another()
            self.go_on()

    def _close_idle(self) -> None:
        for line in [line for line in self._lines if not line.waiting]:
            self._lines.remove(line)
            line.close()

    def silent(self, line: Line) -> None:
        """Finds out whether the server is away, or only a connection is silent."""
        if line not in self._lines:  # its first command shows whether the server is there
            for exchange in line.take():
                exchange.fail(redis.TimeoutError("no answer"))
        elif self._examining is None:
            self._examining = self._loop.create_task(self._examine())

    async def _examine(self) -> None:
        try:
            self._close_idle()
            fresh = await self._another()
            self._lines.append(fresh)
            self._relieve(fresh)
        except ERRORS as error:
            for line in [line for line in self._lines if line.is_silent]:
                self._give_up(line, error)
        finally:
            self._examining = None
            self.go_on()

    async def _another(self) -> Line:
        """Returns a connection on which the server has just answered."""
        if self._limits.connections is not None and len(self._lines) >= self._most:
            # The address allows no other one, so a silent one makes room.
            old = next(line for line in self._lines if line.is_silent)
            if old.patience > 1:
                raise redis.TimeoutError("no answer")
            self._lines.remove(old)
            self._going_on.extendleft(reversed(old.take()))
        fresh = await self._dial()
        try:
            await fresh.probe()
        except BaseException:
            fresh.close()
            raise
        fresh.patience = 2
        return fresh

    def _relieve(self, fresh: Line) -> None:
        """Sends the commands of silent connections on a new one, if they have waited long enough."""
        for line in [line for line in self._lines if line.is_silent and not line.wait_on()]:
            self._lines.remove(line)
            commands = line.take()
            if line.patience > PATIENCE:
                for exchange in commands:
                    exchange.fail(Slow(PATIENCE * self._limits.silence))
            else:
                fresh.patience = max(fresh.patience, 2 * line.patience)
                # The first one may be what takes so long, so the others go before it.
                for exchange in (*commands[1:], *commands[:1]):
                    fresh.send(exchange)

    def _give_up(self, line: Line, error: BaseException) -> None:
        if line in self._lines:
            self._lines.remove(line)
        for exchange in line.take():
            exchange.fail(error)

    # ---- its end

    async def aclose(self) -> None:
        """Closes all connections."""
        for task in (self._opening, self._examining):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, *ERRORS):
                    await task
        lines, self._lines = self._lines, []
        for line in lines:
            for exchange in line.take():
                exchange.fail(redis.ConnectionError("the memory was closed"))
        self._fail_all(redis.ConnectionError("the memory was closed"))
        if lines:
            await asyncio.sleep(0)  # the loop closes sockets in its next turn


def _copy_of(error: BaseException) -> BaseException:
    return type(error)(*error.args)
