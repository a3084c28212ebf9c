"""Carries plans out with redis-py: one driver awaits, the other one waits. Nothing else differs.

A client of `redis.asyncio` works on the loop it was first used on, so each loop has its own, which is
closed with the loop. The client of `redis.Redis` is shared by all threads.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from threading import BoundedSemaphore, Lock, get_ident
from typing import Any, TypeAlias, TypeVar

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    ClusterError,
    MovedError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from ...errors import InvalidArgument, ServerError, StoreUnavailable
from ..plan import Command, Meanwhile, Pause, Plan, Prepared, Request, Until
from .addresses import Address

T = TypeVar("T")

Work: TypeAlias = Callable[[], None]

# So many commands are under way at once; more would only wait on the server in place of here.
_CONNECTIONS = 64

# Starting a server of one's own takes longer than asking one.
_START = 20.0

# What a server says when it cannot serve for now. A script's error carries the word further back.
_OUTAGE = ("LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN")
_CODE = re.compile(r"(?:^|-)(?!ERR\b)([A-Z]{2,})\b")


class Drivers:
    """The runner of plans on one server.

    Args:
        address: of the server.
        timeout: seconds that one command may take.

    Raises:
        InvalidArgument: the address has an option that redis-py does not know.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._lock = Lock()
        self._lease: Any = None
        self._client: Any = None
        self._lines: _Lines | None = None
        self._ask: Callable[..., Any] | None = None
        self._slots = BoundedSemaphore(_CONNECTIONS)
        self._loops: dict[asyncio.AbstractEventLoop, _OnLoop] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        if address.url:
            self._options(address.url)  # says at once what is wrong with it

    @property
    def client(self) -> Any:
        """The client of redis-py that threads share; None before it was needed."""
        return self._client

    # ---- waiting

    def run(self, plan: Plan[T]) -> T:
        """The result of a plan; the calling thread waits for it."""
        try:
            request = plan.send(None)
            while True:
                try:
                    reply = self._send(request)
                except BaseException as error:  # Ctrl-C as well: the plan has to tidy up
                    request = plan.throw(error)
                else:
                    request = plan.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result

    def _send(self, request: Request) -> Any:
        if isinstance(request, Pause):
            time.sleep(request.seconds)
            return None
        if isinstance(request, Until):
            if request.thread != get_ident() or not _has_loop():
                with suppress(TimeoutError):
                    request.done.result(request.seconds)
            return None
        if not self._slots.acquire(timeout=self._timeout):
            raise self._timed_out()
        try:
            return (self._ask or self._open())(*_taken_apart(request))
        except _ERRORS as error:
            if self._knows_old_servers(error):
                self._drop()
            raise self._translated(error) from None
        finally:
            self._slots.release()

    def _open(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._made(awaited=False)
                pool = None if self._address.kind == "cluster" else self._client.connection_pool
                self._lines = _Lines(pool) if pool else None
                self._ask = self._lines.ask if self._lines else self._ask_cluster
            return self._ask

    def _ask_cluster(self, command: Command, work: Work | None) -> Any:
        reply = self._client.execute_command(*_plain(command))
        if work:
            work()
        return reply

    # ---- awaiting

    async def arun(self, plan: Plan[T]) -> T:
        """The result of a plan; the calling task waits for it."""
        try:
            request = plan.send(None)
            while True:
                try:
                    reply = await self._asend(request)
                except BaseException as error:  # a cancelled task as well
                    request = plan.throw(error)
                else:
                    request = plan.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _asend(self, request: Request) -> Any:
        if isinstance(request, Pause):
            await asyncio.sleep(request.seconds)
            return None
        if isinstance(request, Until):
            await _until(request)
            return None
        try:
            return await self._ask_here(request)
        except MovedError:
            # Another node has these keys now; a client that is made anew knows which.
            pass
        try:
            return await self._ask_here(request)
        except MovedError as error:
            raise self._translated(error) from None

    async def _ask_here(self, request: Command | Meanwhile) -> Any:
        """The reply to a command, of the client of the running loop.

        Raises:
            MovedError: another node of the Cluster has these keys, and this client is given up.
        """
        loop = asyncio.get_running_loop()
        here = self._loops.get(loop) or await self._open_here()
        here.busy += 1
        try:
            async with asyncio.timeout(self._timeout), here.slots:
                return await here.ask(*_taken_apart(request))
        except _ERRORS as error:
            if self._knows_old_servers(error) and self._loops.get(loop) is here:
                del self._loops[loop], self._opening[loop]
            if isinstance(error, MovedError):
                raise
            raise self._translated(error) from None
        finally:
            here.busy -= 1
            # Not in the midst of what other tasks ask with it.
            if not here.busy and self._loops.get(loop) is not here:
                await here.closing.aclose()

    async def _open_here(self) -> _OnLoop:
        loop = asyncio.get_running_loop()
        for other in [other for other in self._loops if other.is_closed()]:
            del self._loops[other], self._opening[other]
        # One task opens it for all: a Cluster's client loses connections that are used meanwhile.
        async with self._opening.setdefault(loop, asyncio.Lock()):
            if loop in self._loops:
                return self._loops[loop]
            try:
                async with asyncio.timeout(self._timeout):
                    here = _OnLoop(self._made(awaited=True), self._address.kind == "cluster")
                    await here.open()
            except _ERRORS as error:
                raise self._translated(error) from None
            self._loops[loop] = here
            # `asyncio.run` closes the generators of its loop at the end, and so the client.
            here.closing = self._closed_with_its_loop(loop, here)
            await anext(here.closing)
            return here

    async def _closed_with_its_loop(
        self, loop: asyncio.AbstractEventLoop, here: _OnLoop
    ) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._loops.get(loop) is here:
                del self._loops[loop], self._opening[loop]
            await here.aclose()

    # ---- clients

    def _options(self, url: str, *, awaited: bool = False) -> dict[str, Any]:
        """What redis-py makes a connection of."""
        # Each has its own kinds of connections for sockets and for TLS.
        parse = redis.asyncio.connection.parse_url if awaited else redis.connection.parse_url
        try:
            options: Any = parse(url)
        except (ValueError, TypeError) as error:
            # Its message may quote the address.
            raise InvalidArgument(
                f"redis_url={self._address.shown!r}: it cannot be read ({type(error).__name__})"
            ) from None
        return {
            # RESP2 is what every server speaks; `?protocol=3` asks for the other one.
            "protocol": 2,
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            **options,
        }

    def _made(self, *, awaited: bool) -> Any:
        """A client."""
        address = self._address
        if address.kind == "embedded":
            from .embedded import acquire

            # Anew each time: the server may have died, and whoever uses it starts it.
            before, self._lease = self._lease, acquire(address.directory, _START)
            if before is not None:
                before.release()
            options = self._options(self._lease.url, awaited=awaited)
        else:
            options = self._options(address.url, awaited=awaited)
        here: Any = redis.asyncio if awaited else redis
        retry = (AsyncRetry if awaited else Retry)(NoBackoff(), 0)
        if address.kind == "cluster":
            options.pop("host", None), options.pop("port", None)
            if (options.pop("connection_class", None)) is not None:
                options["ssl"] = True
            node = (redis.asyncio.cluster if awaited else redis.cluster).ClusterNode
            return here.RedisCluster(
                startup_nodes=[node(host, port) for host, port in address.hosts],
                require_full_coverage=False,
                # Looking at the nodes anew, the awaited one would leave open what it had with those
                # that are gone; it is closed as a whole instead.
                retry=AsyncRetry(NoBackoff(), 0) if awaited else Retry(NoBackoff(), 1),
                **options,
            )
        options["retry"] = retry
        if address.kind == "sentinel":
            return self._primary(here, options)
        if awaited:
            options["socket_timeout"] = None  # the loop has its own, for the whole of a command
        return here.Redis.from_pool(here.ConnectionPool(**options))

    def _primary(self, here: Any, options: dict[str, Any]) -> Any:
        """A client of whatever the Sentinels call the primary."""
        options.pop("host", None), options.pop("port", None)
        user, password = self._address.sentinel
        ssl = options.pop("connection_class", None) is not None
        sentinel = here.sentinel.Sentinel(
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

    def _knows_old_servers(self, error: BaseException) -> bool:
        """Whether the next command had better find out anew which server it is, and start it."""
        return self._address.kind != "single" and _is_outage(error)

    def _drop(self) -> None:
        with self._lock:
            client, self._client = self._client, None
            lines, self._lines = self._lines, None
            self._ask = None
        if lines is not None:
            lines.close()
        if client is not None:
            for each in (client, *_sentinels_of(client)):
                each.close()

    def close(self) -> None:
        """Lets go of what is open; a plan that comes later opens it again."""
        self._drop()
        with self._lock:
            lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    async def aclose(self) -> None:
        """As `close`, with the client of the running loop."""
        here = self._loops.get(asyncio.get_running_loop())
        if here is not None:
            await here.closing.aclose()
        self.close()

    # ---- errors

    def _timed_out(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._address.shown} has not answered within {self._timeout:g} s"
        )

    def _translated(self, error: BaseException) -> StoreUnavailable | ServerError:
        if isinstance(error, (redis.TimeoutError, TimeoutError)):
            return self._timed_out()
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        if _is_outage(error):
            return StoreUnavailable(f"{self._address.shown} cannot be had: {said}")
        code = _code_of(error, said)
        if code and code not in said:
            said = f"{code} {said}"
        return ServerError(f"{self._address.shown} refuses: {said}", code)


class _OnLoop:
    """The client of one loop."""

    closing: Any
    busy = 0
    """Commands that are under way."""

    def __init__(self, client: Any, is_cluster: bool) -> None:
        self._client = client
        self._lines = None if is_cluster else _AwaitedLines(client.connection_pool)
        self.ask = self._lines.ask if self._lines else self._ask_cluster
        self.slots = asyncio.Semaphore(_CONNECTIONS)

    async def open(self) -> None:
        """Finds out which nodes a Cluster has."""
        if self._lines is None:
            try:
                await self._client.initialize()
            except BaseException:
                await self.aclose()
                raise

    async def _ask_cluster(self, command: Command, work: Work | None) -> Any:
        try:
            reply = await self._client.execute_command(*_plain(command))
            if work:
                work()
            return reply
        except AttributeError as error:
            # redis-py looks at the nodes anew for one task, and another one loses its connection.
            raise redis.ConnectionError(str(error)) from None

    async def aclose(self) -> None:
        """Closes its connections."""
        if self._lines:
            await self._lines.aclose()
        else:
            # After an error it takes itself for closed.
            manager = self._client.nodes_manager
            for node in (*manager.startup_nodes.values(), *manager.nodes_cache.values()):
                await node.disconnect()
        for client in (self._client, *_sentinels_of(self._client)):
            await client.aclose()


def _sentinels_of(client: Any) -> Sequence[Any]:
    """The clients that ask Sentinels which server the primary is."""
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    sentinels: Sequence[Any] = manager.sentinels if manager else ()
    return sentinels


# A client of redis-py takes more time for a command than the server does: it looks up callbacks, keeps
# statistics, asks the socket whether it is still there. These send and read, and no more.


class _Lines:
    """Connections to one server, as its pool would make them.

    Args:
        pool: of redis-py, which knows how; it keeps none of these.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._pid = os.getpid()
        self._idle: list[Any] = []

    def ask(self, command: Command, work: Work | None) -> Any:
        """The reply to a command."""
        packed = (_packed(command),)
        if self._pid != os.getpid():  # the connections are those of the process that forked
            self._pid, self._idle = os.getpid(), []
        try:
            return self._once(self._idle.pop() if self._idle else None, packed, work)
        except redis.ConnectionError as error:
            if not _is_worth_another(error):
                raise
        # It had been idle and was closed at the other end, and so were the others. Whatever a plan
        # sends may be sent again: the server knows the writes that it has applied.
        self.close()
        return self._once(None, packed, None)

    def _once(self, connection: Any, packed: Sequence[bytes], work: Work | None) -> Any:
        is_new = connection is None
        if is_new:
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            if is_new:
                connection.connect()  # where Sentinels say which server that is
            connection.send_packed_command(packed, check_health=False)
            if work:
                work()
            reply = connection.read_response()
        except ResponseError:
            self._idle.append(connection)
            raise
        except BaseException:  # Ctrl-C as well: who knows what the next bytes belong to
            connection.disconnect()
            raise
        self._idle.append(connection)
        return reply

    def close(self) -> None:
        """Closes those that are not in use."""
        while self._idle:
            self._idle.pop().disconnect()


class _AwaitedLines:
    """As `_Lines`, of one loop."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._idle: list[Any] = []

    async def ask(self, command: Command, work: Work | None) -> Any:
        """The reply to a command."""
        packed = (_packed(command),)
        try:
            return await self._once(self._idle.pop() if self._idle else None, packed, work)
        except redis.ConnectionError as error:
            if not _is_worth_another(error):
                raise
        await self.aclose()
        return await self._once(None, packed, None)  # see _Lines

    async def _once(self, connection: Any, packed: Sequence[bytes], work: Work | None) -> Any:
        is_new = connection is None
        if is_new:
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            if is_new:
                await connection.connect()
            await connection.send_packed_command(packed, check_health=False)
            if work:
                work()
            reply = await connection.read_response()
        except ResponseError:
            self._idle.append(connection)
            raise
        except BaseException:  # a cancelled task as well
            await connection.disconnect(nowait=True)
            raise
        self._idle.append(connection)
        return reply

    async def aclose(self) -> None:
        """Closes those that are not in use."""
        while self._idle:
            await self._idle.pop().disconnect()


def _has_loop() -> bool:
    """Whether a loop is running in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _until(request: Until) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: object) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(done.set)

    request.done.add_done_callback(tell)
    with suppress(TimeoutError):
        async with asyncio.timeout(request.seconds):
            await done.wait()
        request.done.result()


def _packed(command: Command) -> bytes:
    """A command as it goes over the wire."""
    count, parts = 0, []
    for part in command:
        if isinstance(part, Prepared):
            count += len(part.arguments)
            parts.append(part.wire)
        else:
            count += 1
            data = part if type(part) is bytes else str(part).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"*%d\r\n%b" % (count, b"".join(parts))


def _taken_apart(request: Command | Meanwhile) -> tuple[Command, Work | None]:
    return request if isinstance(request, Meanwhile) else (request, None)


def _plain(command: Command) -> Iterator[Any]:
    """A command as redis-py takes it."""
    for part in command:
        if isinstance(part, Prepared):
            yield from part.arguments
        else:
            yield part


_ERRORS = (RedisError, RedisClusterException, OSError, TimeoutError)

_REFUSED = (AuthenticationError, AuthorizationError)

# redis-py takes the first word off an error that it has a class of its own for.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (redis.exceptions.NoScriptError, "NOSCRIPT"),
    (redis.exceptions.OutOfMemoryError, "OOM"),
    (redis.exceptions.NoPermissionError, "NOPERM"),
    (redis.exceptions.ReadOnlyError, "READONLY"),
    (redis.exceptions.TryAgainError, "TRYAGAIN"),
    (AuthenticationError, "NOAUTH"),
)


def _code_of(error: BaseException, said: str) -> str:
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    if "has no permissions" in said:  # so a script says it
        return "NOPERM"
    # In a script's error it stands further back, in older servers behind a dash.
    found = _CODE.search(said)
    return found.group(1) if found else ""


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, _REFUSED):
        return False
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError, OSError)):
        return True
    if isinstance(error, (ClusterError, RedisClusterException, AskError)):
        return True
    code = _code_of(error, "")
    return code in _OUTAGE or (not code and _code_of(error, str(error)) in _OUTAGE)


def _is_worth_another(error: redis.ConnectionError) -> bool:
    """Whether a new connection may do better than the one that has failed."""
    return not isinstance(error, (*_REFUSED, redis.BusyLoadingError, redis.TimeoutError))
