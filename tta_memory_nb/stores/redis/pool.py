"""The connections that threads take turns with."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, TypeAlias
from weakref import finalize

import redis
from redis.exceptions import ResponseError

from ..locks import Slot, Slots
from .connections import Limits
from .dialing import Dialer
from .faults import Busy, Slow, is_hopeless
from .silence import PATIENCE, PROBE, Silence, unacknowledged
from .wire import Message, Pipelined, Replies, packed

Work: TypeAlias = Callable[[], None]
"""What to do after a command was sent and before its reply is read."""

MOST = 64
"""So many commands of threads are sent at the same time; more would only wait on the server instead of here."""

_PIECE = 1 << 16


class Connection:
    """One connection, for one command at a time.

    redis-py opens it. Its own reading and writing take more time than the server needs for a command, and
    take the time of a whole command for silence.

    Args:
        opened: the connection of redis-py.
        silence: seconds without a byte after which the connection counts as silent.
        moves: how many times the server was another one, before this connection was opened.

    Attributes:
        moves: as given.
    """

    def __init__(self, opened: Any, silence: float, moves: int) -> None:
        self.moves = moves
        self._opened = opened
        self._socket = opened._sock
        # If a memory is dropped without being closed, perhaps as part of a cycle: the garbage collector may free
        # the socket before what would close it.
        finalize(self, opened.disconnect).atexit = False
        self._socket.settimeout(silence)
        self._replies = Replies()
        # How many replies are expected to commands that were sent together, and those that have come.
        self._expected: int | None = None
        self._received: list[Any] = []
        self._unused_since = monotonic()

    def exchange(self, message: Message, work: Work | None = None) -> Any:
        """Sends a command and returns the reply, which may be an error; a list for several commands.

        Raises:
            Silence: no byte came or went for too long; `receive` waits on.
            OSError: the connection is lost.
        """
        self._expected = len(message.commands) if type(message) is Pipelined else None
        self._send(packed(message))
        if work:
            work()
        return self.receive()

    def _send(self, data: bytes | memoryview) -> None:
        before = 0
        while True:
            try:
                sent = self._socket.send(data[:_PIECE])
            except TimeoutError:
                before = self._progress(before)
                continue
            if sent == len(data):  # most commands go out in one piece
                return
            data, before = memoryview(data)[sent:], 0

    def receive(self) -> Any:
        """Returns the reply to the command that was sent; raises as `exchange` does."""
        before = 0
        while True:
            try:
                data = self._socket.recv(_PIECE)
            except TimeoutError:
                before = self._progress(before)
                continue
            if not data:
                raise redis.ConnectionError("the server has closed the connection")
            if replies := self._replies.feed(data):
                if self._expected is None:
                    return replies[0]
                self._received += replies
                if len(self._received) >= self._expected:
                    replies, self._received = self._received, []
                    return replies

    def _progress(self, before: int) -> int:
        """Returns how many bytes are on their way.

        Args:
            before: the number when this was asked last.

        Raises:
            Silence: it is the same number.
        """
        now = unacknowledged(self._socket)
        if now == before:
            raise Silence
        return now

    def is_older_than(self, seconds: float) -> bool:
        """Returns whether the connection has been unused for so many seconds."""
        return monotonic() - self._unused_since > seconds

    def rest(self) -> None:
        """Notes that the connection is unused from now on."""
        self._unused_since = monotonic()

    def close(self) -> None:
        """Closes the connection."""
        self._opened.disconnect()


class Pool:
    """Connections to one server, which threads take turns with.

    Args:
        dialer: opens connections.
        limits: what the address says of them.

    Attributes:
        has_resent: whether a command was sent twice, so that the first one may arrive late.
    """

    def __init__(self, dialer: Dialer, limits: Limits) -> None:
        self._dialer = dialer
        self._limits = limits
        self.has_resent = False
        self._bounded = limits.connections is not None
        self._most = min(MOST, limits.connections or MOST)
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._idle: list[Connection] = []
        self._slots = Slots(self._most)
        # How many turns there were; a lost update does no harm, since others follow.
        self._turns = 0
        # How many times the server was found to be away, and how.
        self._failures = 0
        self._failure: BaseException | None = None

    def ask(self, command: Message, work: Work | None) -> Any:
        """Sends a command and returns the reply.

        Raises:
            RedisError, OSError: there is none.
        """
        if self._pid != os.getpid():  # after a fork, the connections belong to the parent process
            self._reset()
        slot = Slot()
        try:
            if not self._slots.try_take(slot):
                self._wait_for_turn(slot)
            reply = self._ask(command, work)
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            self._failure, self._failures = error, self._failures + 1
            raise
        finally:
            self._slots.taken.discard(slot)  # one step, that no interrupt can divide
            self._turns += 1
            self._slots.wake()
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    def _wait_for_turn(self, slot: Slot) -> None:
        before, longest = self._failures, PATIENCE * self._limits.silence
        turns = -1
        while not self._slots.take(slot, longest):
            if turns == self._turns:  # nobody else has had a turn either
                raise Busy(self._most, longest)
            turns = self._turns
        if self._failures != before and self._failure is not None:
            # The server went away while this thread waited for its turn. To find that out once more
            # would take as long again for each.
            raise type(self._failure)(*self._failure.args)

    def _ask(self, command: Message, work: Work | None) -> Any:
        connection = self._idle_one()
        losses, patience = 0, 1
        while True:
            is_new = connection is None
            try:
                if connection is None:
                    # After silence: or is it the server that is silent?
                    connection = self._dial() if patience == 1 else self._dial_and_probe()
                elif self._limits.idle and connection.is_older_than(self._limits.idle):
                    connection.exchange(PROBE)
                reply = self._wait(connection, command, work, patience)
            except Silence:
                if connection is not None:
                    connection.close()
                if patience > PATIENCE:
                    raise Slow(PATIENCE * self._limits.silence) from None
                patience *= 2
            except (redis.ConnectionError, OSError) as error:
                if connection is not None:
                    connection.close()
                losses += 1
                if losses > 1 or (is_new and connection is None) or is_hopeless(error):
                    raise
            except BaseException:  # Ctrl-C as well: the rest of the reply may still arrive
                if connection is not None:
                    connection.close()
                raise
            else:
                if self._limits.idle:
                    connection.rest()
                self._idle.append(connection)
                return reply
            self.has_resent = True
            # What was idle is as dead as this one. A command may be sent twice: the server knows which
            # writes it has applied.
            self.close()
            connection, work = None, None

    def _idle_one(self) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.moves == self._dialer.moves:
                return connection
            connection.close()

    def _dial(self) -> Connection:
        moves = self._dialer.moves
        return Connection(self._dialer.dial(), self._limits.silence, moves)

    def _wait(
        self, connection: Connection, command: Message, work: Work | None, patience: int
    ) -> Any:
        """Returns the reply to a command.

        Args:
            connection: to send it on.
            command: what is sent.
            work: what to do meanwhile.
            patience: so many times the limit of silence may pass, if the server answers others.

        Raises:
            Silence: that time is over.
            RedisError, OSError: the connection is lost, or the server does not answer others.
        """
        try:
            return connection.exchange(command, work)
        except Silence:
            pass
        for _ in range(patience - 1):
            self._probe()
            with suppress(Silence):
                return connection.receive()
        raise Silence

    def _probe(self) -> None:
        """Asks the server by another connection whether it is there.

        Raises:
            RedisError, OSError: it is not.
        """
        slot = Slot()
        try:
            if self._bounded and not self._slots.take(slot, 0):
                raise redis.TimeoutError("no answer")
            if self._bounded and (idle := self._idle_one()) is not None:
                idle.close()
            self._dial_and_probe().close()
        finally:
            self._slots.taken.discard(slot)
            self._slots.wake()

    def _dial_and_probe(self) -> Connection:
        connection = self._dial()
        try:
            connection.exchange(PROBE)
        except BaseException as error:
            connection.close()
            if isinstance(error, Silence):
                raise redis.TimeoutError("no answer") from None
            raise
        return connection

    def close(self) -> None:
        """Closes the connections that are not in use."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
