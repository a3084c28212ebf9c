"""Opens connections to the server that has the records of a namespace.

That is the one of the address, the primary that the Sentinels name, or a node of a Cluster. All records of a namespace are in one slot of a Cluster, so one connection to the node of that slot is enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

import redis
from redis.crc import key_slot
from redis.exceptions import ResponseError

from ..forks import guarded
from ..plan import adrive, drive
from .addresses import Address
from .connections import ClientFactory
from .faults import ERRORS, AnotherServer

Place: TypeAlias = tuple[str, int]
"""Host and port of a server."""

Search: TypeAlias = Generator[object, Any, Any]
"""Yields `_Connect` and `_Ask`, is sent their results, and returns a connection (and where it leads to)."""


Greeting: TypeAlias = Callable[[], tuple[tuple[str | bytes, ...], Callable[[Any], object]]]
"""Returns a command, and what takes the reply to it."""


class _Connect(NamedTuple):
    """A request for a connection to a place; None for that of the address."""

    place: Place | None
    to_sentinel: bool = False


class _Ask(NamedTuple):
    """A request for the reply to a command."""

    connection: Any
    words: tuple[str | bytes | int, ...]


class _Leave(NamedTuple):
    """A request to close a connection."""

    connection: Any


class Dialer:
    """Opens connections to the server that has the records of a namespace.

    Args:
        factory: has the settings of connections.
        address: of the server.
        key: any key of the namespace.

    Attributes:
        place: where the last connection has led to, if there is a choice.
        moves: how many times another server was found than before. Connections that are older than the
            last time lead to a server that does not count any more.
    """

    def __init__(self, factory: ClientFactory, address: Address, key: bytes) -> None:
        self._factory = factory
        self._address = address
        self._slot = key_slot(key)
        self._settings: dict[bool, Any] = {}
        # Where to ask first: what answered last comes first. Threads and loops dial at the same time, so it
        # is never changed in place. If two replace it at once, the next dial only asks in another order.
        self._known: tuple[Place, ...] = tuple(address.hosts)
        self.greeting: Greeting | None = None
        """What to say first on every connection to the server; None for nothing."""
        self.place: Place | None = None
        self.moves = 0
        self._lock = guarded(Lock(), 5)
        self._is_settled = True

    def forget(self) -> None:
        """Has the next connection find out anew where the server is, and start one that is embedded."""
        self._settings = {}

    def redirect(self, message: str) -> None:
        """Takes a hint from an error ``MOVED slot host:port``."""
        host, _, port = message.split()[2].rpartition(":")
        if not host and self.place is not None:
            host = self.place[0]
        if host and host != "?":
            self._prefer((host, int(port)))

    def dial(self) -> Any:
        """Returns a connection of redis-py that is connected.

        Raises:
            RedisError, OSError: there is none.
        """

        def answer(request: object) -> Any:
            if isinstance(request, _Connect):
                connection = self._connection(request, awaited=False)
                connection.connect()
                return connection
            if isinstance(request, _Ask):
                request.connection.send_command(*request.words)
                return request.connection.read_response()
            assert isinstance(request, _Leave)
            return request.connection.disconnect()

        search = self._found()
        return drive(search, next(search), answer)

    async def adial(self) -> Any:
        """As `dial`, on the running loop.

        A loop that was blocked meanwhile sees its timers run out whatever the server did. So time in
        which the loop was blocked does not count.
        """
        limit = self._factory.limits.silence
        while True:
            lag = _Lag(limit / 4)
            try:
                search = self._found()
                return await adrive(search, next(search), self._aanswer)
            except (redis.TimeoutError, TimeoutError):
                if not lag.happened():
                    raise
            finally:
                lag.stop()

    async def _aanswer(self, request: object) -> Any:
        if isinstance(request, _Connect):
            connection = self._connection(request, awaited=True)
            try:
                await connection.connect()
            except BaseException:
                _close(connection)
                raise
            return connection
        if isinstance(request, _Ask):
            await request.connection.send_command(*request.words)
            return await request.connection.read_response()
        assert isinstance(request, _Leave)
        return _close(request.connection)

    def _connection(self, request: _Connect, *, awaited: bool) -> Any:
        settings = self._settings.get(awaited)
        if settings is None:
            settings = self._settings[awaited] = self._factory.settings(awaited=awaited)
        options = {**settings.connection_kwargs, "decode_responses": False}
        if request.place is not None:
            options["host"], options["port"] = request.place
        if request.to_sentinel:
            options["username"], options["password"] = self._address.sentinel
            options["db"], options["protocol"] = 0, 2
        return settings.connection_class(**options)

    # ---- where the server is

    def settle(self) -> bool:
        """Allows connections to the server that was found last; returns whether it is another one than before."""
        with self._lock:
            moved, self._is_settled = not self._is_settled, True
        return moved

    def has_moved(self) -> bool:
        """Asks where the server is; returns whether that is elsewhere than the connections lead to.

        Raises:
            RedisError, OSError: nobody says.
        """
        before, place = self.moves, self.place
        if self._address.kind == "cluster" and place is not None:
            # A node that is cut off does not know that it does not count any more, so it is asked last.
            self._known = (*(each for each in self._known if each != place), place)
        with suppress(AnotherServer):
            self.dial().disconnect()
        return self.moves != before

    def _found(self) -> Search:
        """Finds the server, and refuses another one than before until `settle` is called.

        What comes first to it must be the writes that it may lack.

        Raises:
            AnotherServer: it is another one.
        """
        connection, place = yield from self._search()
        with self._lock:
            if self.place is not None and place != self.place:
                self._is_settled = False
                self.moves += 1
            self.place = place
            is_settled = self._is_settled
        if not is_settled:
            yield _Leave(connection)
            raise AnotherServer
        if self.greeting is not None:
            words, take = self.greeting()
            try:
                take((yield _Ask(connection, words)))
            except ResponseError:
                pass  # a command meets the same refusal and says what is missing
            except BaseException:  # the cancellation of a task as well
                yield _Leave(connection)
                raise
        return connection

    def _search(self) -> Search:
        if self._address.kind == "sentinel":
            return self._ask_sentinels()
        if self._address.kind == "cluster":
            return self._ask_nodes()
        return self._as_written()

    def _as_written(self) -> Search:
        return (yield _Connect(None)), None

    def _ask_sentinels(self) -> Search:
        failure: BaseException | None = None
        for sentinel in self._known:
            try:
                line = yield _Connect(sentinel, to_sentinel=True)
                try:
                    words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.service)
                    found = yield _Ask(line, words)
                finally:
                    yield _Leave(line)
            except ERRORS as error:
                failure = failure or error
                continue
            if found is None:
                continue
            self._prefer(sentinel)
            place = (found[0].decode(), int(found[1]))
            return (yield _Connect(place)), place
        raise failure or redis.ConnectionError(
            f"no Sentinel knows a primary of the name {self._address.service!r}"
        )

    def _ask_nodes(self) -> Search:
        failure: BaseException | None = None
        for node in dict.fromkeys((*self._known, *self._address.hosts)):
            connection = None
            try:
                connection = yield _Connect(node)
                slots = yield _Ask(connection, ("CLUSTER", "SLOTS"))
                owner = self._owner(slots, node)
                if owner != node:
                    yield _Leave(connection)
                    connection = None
                    if owner is None:
                        continue
                    connection = yield _Connect(owner)
                    slots = yield _Ask(connection, ("CLUSTER", "SLOTS"))
                    if self._owner(slots, owner) != owner:  # the other node was mistaken
                        yield _Leave(connection)
                        connection = None
                        continue
            except BaseException as error:  # the cancellation of a task as well
                if connection is not None:
                    yield _Leave(connection)
                if not isinstance(error, ERRORS):
                    raise
                failure = failure or error
                continue
            return connection, owner
        raise failure or redis.ConnectionError("CLUSTERDOWN no node has the namespace's slot")

    def _owner(self, slots: Any, asked: Place) -> Place | None:
        """Returns which node has the namespace's slot, and keeps the nodes that there are."""
        owner = None
        nodes: list[Place] = []
        for first, last, *there in slots:
            places = [place for node in there if (place := _place_of(node, asked)) is not None]
            nodes += places
            if first <= self._slot <= last and there:
                owner = _place_of(there[0], asked)
        if owner is not None:
            self._known = tuple(dict.fromkeys((owner, *nodes)))
        return owner

    def _prefer(self, place: Place) -> None:
        """Has a place be asked first."""
        self._known = tuple(dict.fromkeys((place, *self._known)))


def _close(connection: Any) -> None:
    """Closes a connection of `redis.asyncio` at once.

    Its own method needs a running task, and there is none when a loop ends with a task that still connects.
    """
    writer, connection._writer, connection._reader = connection._writer, None, None
    if writer is not None:
        with suppress(RuntimeError):  # the loop is closed, so its timers and callbacks are gone
            writer.transport.abort()


def _place_of(node: Any, asked: Place) -> Place | None:
    host = node[0].decode() if node[0] else ""
    if host == "?":
        return None
    return host or asked[0], int(node[1])


class _Lag:
    """Notices that the running loop was blocked.

    Args:
        seconds: how long a block has to last to be noticed.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._happened = False
        self._next()

    def _next(self) -> None:
        self._due = self._loop.time() + self._seconds
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._happened = self.happened()
        self._next()

    def happened(self) -> bool:
        """Returns whether the loop was blocked since this was made."""
        return self._happened or self._loop.time() > self._due + self._seconds

    def stop(self) -> None:
        """Stops looking."""
        self._timer.cancel()
