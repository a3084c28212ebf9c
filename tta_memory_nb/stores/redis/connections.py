"""Connections to a server: clients of redis-py, and the pools that commands are sent over.

A client of `redis.asyncio` works on the event loop that it was first used on, so each loop has a client of
its own. All threads share one client of `redis.Redis`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, TypeAlias

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from ...errors import InvalidArgument
from .addresses import Address
from .faults import may_reconnect
from .wire import Command, flat, packed

Work: TypeAlias = Callable[[], None]
"""What to do after a command was sent and before its reply is read."""

MOST = 64
"""So many commands of one process, or of one loop, are sent at the same time; more would only wait on the
server instead of here."""

# Seconds that an embedded server has to start, which takes longer than an answer.
_START_TIMEOUT = 20.0


class ClientFactory:
    """Makes clients of redis-py for an address.

    Args:
        address: of the server.
        timeout: seconds that one command may take.

    Raises:
        InvalidArgument: the address has an option that redis-py does not know.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        # Keeps an embedded server running.
        self._lease: Any = None
        if address.url:
            self._options(address.url)  # raises now what would be raised later

    def make(self, *, awaited: bool) -> Any:
        """Makes a client, and starts an embedded server that does not run.

        Args:
            awaited: whether to make a client of `redis.asyncio`.
        """
        address = self._address
        if address.kind == "embedded":
            from ..embedded.client import acquire

            # A new lease each time: the server may have died, and then this starts it again.
            before, self._lease = self._lease, acquire(address.directory, _START_TIMEOUT)
            if before is not None:
                before.release()
            options = self._options(self._lease.url, awaited=awaited)
        else:
            options = self._options(address.url, awaited=awaited)
        library: Any = redis.asyncio if awaited else redis
        if address.kind == "cluster":
            options.pop("host", None), options.pop("port", None)
            if (options.pop("connection_class", None)) is not None:
                options["ssl"] = True
            node = (redis.asyncio.cluster if awaited else redis.cluster).ClusterNode
            return library.RedisCluster(
                startup_nodes=[node(host, port) for host, port in address.hosts],
                require_full_coverage=False,
                # When the awaited client looks up the nodes again, it leaves open its connections to nodes
                # that are gone. The runner closes and replaces the whole client instead.
                retry=AsyncRetry(NoBackoff(), 0) if awaited else Retry(NoBackoff(), 1),
                **options,
            )
        options["retry"] = (AsyncRetry if awaited else Retry)(NoBackoff(), 0)
        if address.kind == "sentinel":
            return self._primary(library, options)
        if awaited:
            options["socket_timeout"] = None  # the runner limits the time of the whole command
        return library.Redis.from_pool(library.ConnectionPool(**options))

    def _options(self, url: str, *, awaited: bool = False) -> dict[str, Any]:
        """The options of a connection, as redis-py reads them from an address."""
        # Each of the two has its own classes of connections for sockets and for TLS.
        parse = redis.asyncio.connection.parse_url if awaited else redis.connection.parse_url
        try:
            options: Any = parse(url)
        except (ValueError, TypeError) as error:
            # The message of the error may quote the address, and with it the password.
            raise InvalidArgument(
                f"redis_url={self._address.shown!r}: it cannot be read ({type(error).__name__})"
            ) from None
        return {
            # Every server speaks RESP2; the option `?protocol=3` asks for RESP3.
            "protocol": 2,
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            **options,
        }

    def _primary(self, library: Any, options: dict[str, Any]) -> Any:
        """A client of the server that the Sentinels call the primary."""
        options.pop("host", None), options.pop("port", None)
        user, password = self._address.sentinel
        ssl = options.pop("connection_class", None) is not None
        sentinel = library.sentinel.Sentinel(
            self._address.hosts,
            sentinel_kwargs={
                "username": user,
                "password": password,
                "ssl": ssl,
                "protocol": 2,
                "socket_timeout": self._timeout,
                "socket_connect_timeout": self._timeout,
                "retry": options["retry"],
            },
        )
        return sentinel.master_for(self._address.service, ssl=ssl, **options)

    def release(self) -> None:
        """Lets an embedded server stop, unless others use it; `make` starts it again."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()


# ---- the client that threads share


class SharedClient:
    """The client that all threads share.

    Args:
        client: of redis-py.
        is_cluster: whether it is one of a Cluster.

    Attributes:
        client: as given.
        ask: sends a command and returns the reply.
    """

    def __init__(self, client: Any, *, is_cluster: bool) -> None:
        self.client = client
        self._connections = None if is_cluster else Connections(client.connection_pool)
        self.ask = self._connections.ask if self._connections else self._ask_cluster

    def _ask_cluster(self, command: Command, work: Work | None) -> Any:
        reply = self.client.execute_command(*flat(command))
        if work:
            work()
        return reply

    def close(self) -> None:
        """Closes all connections that are not in use."""
        if self._connections:
            self._connections.close()
        for client in (self.client, *_sentinels_of(self.client)):
            client.close()


# A client of redis-py takes more time for a command than the server does: it looks up callbacks, keeps
# statistics, and checks that the socket is still open. The two classes of connections only send and read.


class Connections:
    """A pool of connections to one server.

    Args:
        pool: of redis-py. It says how to make a connection; it does not keep these.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._pid = os.getpid()
        self._idle: list[Any] = []

    def ask(self, command: Command, work: Work | None) -> Any:
        """Sends a command and returns the reply."""
        data = (packed(command),)
        if self._pid != os.getpid():  # after a fork, the connections belong to the parent process
            self._pid, self._idle = os.getpid(), []
        try:
            return self._exchange(self._idle.pop() if self._idle else None, data, work)
        except redis.ConnectionError as error:
            if not may_reconnect(error):
                raise
        # The server has closed this connection while it was idle, and so probably the others. A command of
        # a plan may be sent twice: the server knows which writes it has applied.
        self.close()
        return self._exchange(None, data, None)

    def _exchange(self, connection: Any, data: Sequence[bytes], work: Work | None) -> Any:
        is_new = connection is None
        if is_new:
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            if is_new:
                connection.connect()  # asks the Sentinels, if any, for the primary
            connection.send_packed_command(data, check_health=False)
            if work:
                work()
            reply = connection.read_response()
        except ResponseError:
            self._idle.append(connection)
            raise
        except BaseException:  # Ctrl-C as well: the rest of the reply may still arrive
            connection.disconnect()
            raise
        self._idle.append(connection)
        return reply

    def close(self) -> None:
        """Closes the connections that are not in use."""
        while self._idle:
            self._idle.pop().disconnect()


# ---- the client of one event loop


class LoopClient:
    """The client of one event loop.

    Args:
        client: of `redis.asyncio`.
        is_cluster: whether it is one of a Cluster.

    Attributes:
        ask: sends a command and returns the reply; to be awaited.
        slots: limits how many commands are sent at the same time.
        busy: how many commands are under way.
        closing: a generator that closes this client when the loop shuts down its generators.
    """

    closing: AsyncGenerator[None, None]

    def __init__(self, client: Any, *, is_cluster: bool) -> None:
        self._client = client
        self._connections = None if is_cluster else AsyncConnections(client.connection_pool)
        self.ask = self._connections.ask if self._connections else self._ask_cluster
        self.slots = asyncio.Semaphore(MOST)
        self.busy = 0

    async def open(self) -> None:
        """Looks up the nodes of a Cluster."""
        if self._connections is None:
            try:
                await self._client.initialize()
            except BaseException:
                await self.aclose()
                raise

    async def _ask_cluster(self, command: Command, work: Work | None) -> Any:
        try:
            reply = await self._client.execute_command(*flat(command))
            if work:
                work()
            return reply
        except AttributeError as error:
            # redis-py looks up the nodes again for one task, and another task loses its connection.
            raise redis.ConnectionError(str(error)) from None

    async def aclose(self) -> None:
        """Closes all connections that are not in use."""
        if self._connections:
            await self._connections.aclose()
        else:
            # After an error the client takes itself for closed.
            manager = self._client.nodes_manager
            for node in (*manager.startup_nodes.values(), *manager.nodes_cache.values()):
                await node.disconnect()
        for client in (self._client, *_sentinels_of(self._client)):
            await client.aclose()


class AsyncConnections:
    """As `Connections`, for one event loop."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._idle: list[Any] = []

    async def ask(self, command: Command, work: Work | None) -> Any:
        """Sends a command and returns the reply."""
        data = (packed(command),)
        try:
            return await self._exchange(self._idle.pop() if self._idle else None, data, work)
        except redis.ConnectionError as error:
            if not may_reconnect(error):
                raise
        await self.aclose()  # see Connections.ask
        return await self._exchange(None, data, None)

    async def _exchange(self, connection: Any, data: Sequence[bytes], work: Work | None) -> Any:
        is_new = connection is None
        if is_new:
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            if is_new:
                await connection.connect()
            await connection.send_packed_command(data, check_health=False)
            if work:
                work()
            reply = await connection.read_response()
        except ResponseError:
            self._idle.append(connection)
            raise
        except BaseException:  # the cancellation of a task as well
            await connection.disconnect(nowait=True)
            raise
        self._idle.append(connection)
        return reply

    async def aclose(self) -> None:
        """Closes the connections that are not in use."""
        while self._idle:
            await self._idle.pop().disconnect()


def _sentinels_of(client: Any) -> Sequence[Any]:
    """The clients that ask the Sentinels for the primary."""
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    sentinels: Sequence[Any] = manager.sentinels if manager else ()
    return sentinels
