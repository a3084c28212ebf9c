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

from .connections import Limits
from .dialing import Dialer
from .faults import ERRORS, AnotherServer, Busy, Slow, is_hopeless
from .line import Exchange, Line
from .pool import Work
from .silence import PATIENCE
from .wire import Message

MOST = 4
"""So many connections one event loop has."""

# With more commands on each connection than this, another connection is worth its price.
_MANY = 64


class Lines:
    """The connections of one event loop.

    Args:
        dialer: opens connections.
        limits: what the address says of them.
        most: so many there are.

    Attributes:
        has_resent: whether a command was sent twice, so that the first one may arrive late.
    """

    def __init__(self, dialer: Dialer, limits: Limits, most: int = MOST) -> None:
        self._loop = asyncio.get_running_loop()
        self.has_resent = False
        self._dialer = dialer
        self._limits = limits
        self._most = min(most, limits.connections or most)
        self._lines: list[Line] = []
        # What waits for room: the first commands of verbs, and those of verbs that have begun.
        self._queue: deque[Exchange] = deque()
        self._going_on: deque[Exchange] = deque()
        self._moved = monotonic()
        self._opening: asyncio.Task[None] | None = None
        self._examining: asyncio.Task[None] | None = None

    async def ask(self, command: Message, work: Work | None, *, goes_on: bool = False) -> Any:
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
            exchange.abandon()
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
        if lines and lines[0].moves != self._dialer.moves:
            self.close_outdated()
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
        moves = self._dialer.moves
        return Line(await self._dialer.adial(), self, self._limits.silence, moves)

    def close_outdated(self) -> None:
        """Closes connections to a server that does not count any more."""
        for line in [line for line in self._lines if line.moves != self._dialer.moves]:
            self._give_up(line, AnotherServer())

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
            self.has_resent = True
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
            if fresh is not None:
                self._lines.append(fresh)
                self._relieve(fresh)
        except ERRORS as error:
            for line in [line for line in self._lines if line.is_silent]:
                self._give_up(line, error)
        finally:
            self._examining = None
            self.go_on()

    async def _another(self) -> Line | None:
        """Returns a connection on which the server has just answered; None if none is silent any more."""
        if self._limits.connections is not None and len(self._lines) >= self._most:
            # The address allows no other one, so a silent one makes room.
            old = next((line for line in self._lines if line.is_silent), None)
            if old is None:
                return None
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
                self.has_resent = True
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
