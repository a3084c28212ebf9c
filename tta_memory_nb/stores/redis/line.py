"""One connection of an event loop, which carries many commands at a time (pipelining)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Any, Protocol

import redis
from redis.exceptions import ResponseError

from .faults import ERRORS
from .silence import PROBE, unacknowledged
from .wire import Message, Pipelined, Replies, is_in_order, packed

# So many commands and bytes a connection carries at a time: enough to keep a server busy that is 0.2 s away.
_ROOM, _ROOM_BYTES = 1000, 1 << 20

# Silence is counted in ticks. The tick of a loop that was blocked comes late, and still counts once.
_TICKS = 4


class Owner(Protocol):
    """Owns connections, which report what happens to them."""

    def go_on(self) -> None:
        """Notes that there is room for more commands."""

    def look_at_the_queue(self) -> None:
        """Notes that time has passed."""

    def silent(self, line: Line) -> None:
        """Notes that no byte has come or gone for too long."""

    def lost(self, line: Line, exchanges: Iterable[Exchange], error: BaseException) -> None:
        """Notes that a connection is gone, with the commands that were under way."""


class Exchange:
    """A command and its reply, or several that are sent together.

    Attributes:
        command: what is sent.
        reply: is done when the reply has come.
        received: the replies that have come so far to commands that are sent together; None for one command.
        in_order: whether it has to go where other commands of this kind go.
        asked: when it was asked, in seconds of the monotonic clock.
        losses: how many connections were lost with it.
        size: how many bytes it has, once it was sent.
    """

    __slots__ = ("asked", "command", "in_order", "losses", "received", "reply", "size")

    def __init__(self, command: Message, reply: asyncio.Future[Any]) -> None:
        self.command = command
        self.reply = reply
        self.received: list[Any] | None = [] if type(command) is Pipelined else None
        self.in_order = is_in_order(command)
        self.asked = monotonic()
        self.losses = 0
        self.size = 0

    def fail(self, error: BaseException) -> None:
        """Has whoever waits for the reply raise an error."""
        if not self.reply.done():
            # An exception that several tasks raise would collect the tracebacks of all.
            self.reply.set_exception(_copy_of(error))

    def abandon(self) -> None:
        """Notes that nobody waits for the reply any more; asyncio would complain of an error that nobody has seen."""
        if not self.reply.cancel() and not self.reply.cancelled():
            self.reply.exception()


class Line(asyncio.Protocol):
    """A connection of an event loop.

    redis-py opens it; then this protocol takes the place of its stream.

    Args:
        opened: the connection of redis-py.
        owner: whose connection it is.
        silence: seconds without a byte after which it counts as silent.
        moves: how many times the server was another one, before this connection was opened.

    Attributes:
        moves: as given.
        waiting: the commands without a reply, in the order in which they were sent.
        patience: so many times the limit of silence may pass, if the server answers on another connection.
        unused_since: since when nothing is waiting, in seconds of the monotonic clock.
    """

    def __init__(self, opened: Any, owner: Owner, silence: float, moves: int) -> None:
        self._loop = asyncio.get_running_loop()
        # A stream that is collected closes its connection.
        self._stream, opened._writer, opened._reader = opened._writer, None, None
        self._transport: Any = self._stream.transport
        self._socket = self._transport.get_extra_info("socket")
        self._owner = owner
        self._replies = Replies()
        self._unsent: list[bytes] = []
        self._room: asyncio.Future[None] | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._tick_seconds = silence / _TICKS
        self._silent_ticks = 0
        self._on_its_way = 0
        self._bytes = 0
        self.waiting: deque[Exchange] = deque()
        self.moves = moves
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
        if exchange.received:  # on a connection that was lost
            exchange.received = []
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
            exchange = self.waiting[0]
            if exchange.received is not None and type(exchange.command) is Pipelined:
                exchange.received.append(reply)
                if len(exchange.received) < len(exchange.command.commands):
                    continue
                reply = exchange.received
            self.waiting.popleft()
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
            self._owner.go_on()

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
            self._owner.silent(self)
        self._owner.look_at_the_queue()

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
        self._owner.lost(self, self.take(), error)

    def close(self) -> None:
        """Closes the connection at once."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        self.resume_writing()
        self._transport.abort()


def _copy_of(error: BaseException) -> BaseException:
    return type(error)(*error.args)
