"""MemoryPrimitive: the memory of an agent, awaited or called.

Every verb is written once, as a plan, in `verbs`; here are the two faces that carry it out:
`MemoryPrimitive` offers it to ``await``, `SyncMemory` just waits. There is no loop, thread or bridge
between the two.
"""

from __future__ import annotations

import functools
import inspect
import time
import types
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
)
from itertools import chain
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    Self,
    TypeAlias,
    TypeVar,
    Unpack,
    get_args,
)

from .errors import InvalidArgument, brief
from .filters import FilterArgs
from .record import DEFAULT_NAMESPACE, MemoryRecord
from .stores.base import Clock, Store, check_query
from .stores.memory import InMemoryStore, Local
from .stores.plan import InProcessRunner, Plan, Runner
from .times import Duration, duration
from .verbs import SearchMode, Summarizer, Verbs, spell_out_filters

if TYPE_CHECKING:
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])

OutagePolicy: TypeAlias = Literal["fallback", "raise"]
"""Whether to work in memory while the server cannot be had, or to raise."""


# ---- faces of a verb


def _shown_as(verb: Callable[..., Any], method: Method, returns: str) -> Method:
    """Lets a method be seen as the verb that it carries out, but for what it returns."""
    functools.update_wrapper(method, verb, ("__name__", "__doc__"))
    method.__annotations__ = {**verb.__annotations__, "return": returns}
    shown = inspect.signature(verb).replace(return_annotation=returns)
    method.__signature__ = shown  # type: ignore[attr-defined]
    return method


def _told_by(verb: Callable[..., Any]) -> Callable[[Method], Method]:
    """For a method that carries a verb out in a way of its own."""
    return lambda method: _shown_as(verb, method, method.__annotations__["return"])


def _result(verb: Callable[..., Plan[Any]]) -> str:
    """What a plan results in, as it is written in the source."""
    planned: str = verb.__annotations__["return"]
    return planned.removeprefix("Plan[").removesuffix("]")


def _called(
    verb: Callable[Concatenate[Verbs, P], Plan[T]],
    near: Callable[Concatenate[InMemoryStore, P], T] | None = None,
) -> Callable[Concatenate[SyncMemory, P], T]:
    """A verb, to be called on a SyncMemory.

    Args:
        verb: the plan to be carried out.
        near: the same without a plan, on records that are in this process anyway.
    """

    def method(self: SyncMemory, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if near is not None and self._near is not None:
            return near(self._near, *args, **kwargs)
        return self._runner.run(verb(self._verbs, *args, **kwargs))

    method.__qualname__ = f"SyncMemory.{verb.__name__}"
    return _shown_as(verb, method, _result(verb))


def _awaited(
    verb: Callable[Concatenate[Verbs, P], Plan[T]],
    near: Callable[Concatenate[InMemoryStore, P], T] | None = None,
) -> Callable[Concatenate[MemoryPrimitive, P], Coroutine[Any, Any, T]]:
    """A verb, to be awaited on a MemoryPrimitive; see `_called`."""

    async def method(self: MemoryPrimitive, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if near is not None and self._near is not None:
            return near(self._near, *args, **kwargs)
        return await self._runner.arun(verb(self._verbs, *args, **kwargs))

    method.__qualname__ = f"MemoryPrimitive.{verb.__name__}"
    return _shown_as(verb, method, _result(verb))


class SyncMemory:
    """Every verb of a memory without ``await``; reached as ``memory.sync``.

    ``**filters`` are, for every verb that takes them: ``user``, ``session`` (of keys made by
    `create_memory_key`), ``prefix`` (of the key), ``since``, ``until`` (instants, inclusive, of
    the last write) and ``where`` (conditions on fields); see `Filters.build`.
    """

    def __init__(
        self, store: Store, runner: Runner, clock: Clock, summarizer: Summarizer | None
    ) -> None:
        self._store = store
        self._runner = runner
        self._verbs = Verbs(store, clock, summarizer)
        # Records in this process need no plan; to make one takes longer than to look a key up.
        self._near = store.records if isinstance(store, Local) else None

    def __repr__(self) -> str:
        return f"SyncMemory({self._told()})"

    def _told(self) -> str:
        """Namespace and size; of a server, which is not asked for it, all that is known."""
        if self._near is not None:
            return f"namespace={self.namespace!r}, size={self._near.size()}"
        return f"namespace={self.namespace!r}, store={self._store!r}"

    # The first two are what an agent calls all day; `_called` would make a `get` half as slow again.

    @_told_by(Verbs.add)
    def add(self, key: str, value: dict[str, Any], ttl: Duration | None = None) -> None:  # noqa: D102
        if self._near is not None:
            self._near.add(key, value, ttl)
        else:
            self._runner.run(self._verbs.add(key, value, ttl))

    @_told_by(Verbs.get)
    def get(self, key: str) -> dict[str, Any] | None:  # noqa: D102
        if self._near is not None:
            return self._near.get(key)
        return self._runner.run(self._verbs.get(key))

    delete = _called(Verbs.delete)
    ttl = _called(Verbs.ttl)
    add_many = _called(Verbs.add_many)
    get_many = _called(Verbs.get_many)
    get_records = _called(Verbs.get_records)
    keys = _called(Verbs.keys)
    records = _called(Verbs.records)
    entries = _called(Verbs.entries)
    peek = _called(Verbs.peek)
    mark = _called(Verbs.mark)
    search = _called(Verbs.search, InMemoryStore.search)
    search_records = _called(Verbs.search_records)
    count = _called(Verbs.count)
    build_index = _called(Verbs.build_index)
    clear = _called(Verbs.clear)
    remove = _called(Verbs.remove)
    take_all = _called(Verbs.take_all)
    resize = _called(Verbs.resize)
    undo = _called(Verbs.undo)
    export = _called(Verbs.export)
    import_ = _called(Verbs.import_)
    size = _called(Verbs.size)
    stats = _called(Verbs.stats)
    get_backend_info = _called(Verbs.get_backend_info)
    reconnect = _called(Verbs.reconnect)

    @_told_by(Verbs.stream_records)
    def stream_records(  # noqa: D102
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode = "keyword",
        **filters: Unpack[FilterArgs],
    ) -> Iterator[MemoryRecord]:
        batches = self._verbs.stream_records(query, limit, mode, **filters)
        return chain.from_iterable(map(self._runner.run, batches))

    @_told_by(Verbs.summarize)
    def summarize(self, limit: int | None = None, **filters: Unpack[FilterArgs]) -> str:  # noqa: D102
        summary = self._runner.run(self._verbs.summarize(limit, **filters))
        text = summary()
        return _check_summary(_run_in_thread(text) if inspect.isawaitable(text) else text)

    @property
    def namespace(self) -> str:
        """The tenant whose records this memory sees."""
        return self._store.namespace

    @property
    def max_size(self) -> int | None:
        """Capacity in records; None for as many as the server has room for."""
        return self._store.max_size

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self._store.evictions

    def is_using_redis(self) -> bool:
        """Whether the records are on a server now; False in an outage."""
        return self._store.is_on_server()

    def outage(self) -> dict[str, Any] | None:
        """The outage of the server, without asking it; None while there is none.

        ``degraded_since`` (Unix seconds), ``degraded_because`` (text), ``writes_waiting`` (records
        that reach the server when it is back).
        """
        return self._store.outage()

    def close(self) -> None:
        """Releases connections. Used again, the memory makes new ones.

        If writes wait for the server, it is tried once more; what still waits is logged.
        """
        self._runner.run(self._store.part())
        self._runner.close()


class Hits(Coroutine[Any, Any, list[MemoryRecord]]):
    """What a search of the awaited face gives: a coroutine, which can be iterated over as well.

    >>> records = await memory.search_records("rain")
    >>> async for record in memory.search_records("rain", limit=None): ...
    """

    def __init__(
        self,
        find: Callable[[], Coroutine[Any, Any, list[MemoryRecord]]],
        stream: Callable[[], AsyncIterator[MemoryRecord]],
    ) -> None:
        self._find = find
        self._stream = stream
        self._running: Coroutine[Any, Any, list[MemoryRecord]] | None = None

    def __await__(self) -> Generator[Any, Any, list[MemoryRecord]]:
        return self._coroutine().__await__()

    def __aiter__(self) -> AsyncIterator[MemoryRecord]:
        return self._stream()

    def _coroutine(self) -> Coroutine[Any, Any, list[MemoryRecord]]:
        if self._running is None:
            self._running = self._find()
        return self._running

    # What a task does with a coroutine.

    def send(self, value: Any) -> Any:
        """As for any coroutine."""
        return self._coroutine().send(value)

    def throw(self, *error: Any) -> Any:
        """As for any coroutine."""
        return self._coroutine().throw(*error)

    def close(self) -> None:
        """As for any coroutine."""
        self._coroutine().close()


# So many records may be looked at before others get their turn on the loop.
_TURN = 64


@types.coroutine
def _pause() -> Generator[None, None, None]:
    """Gives others their turn on the loop, as ``asyncio.sleep(0)``."""
    yield


class MemoryPrimitive:
    """The memory of an agent: contexts by key, searched, expiring, evicted when full.

    Works at once, without a server:

        >>> memory = MemoryPrimitive()
        >>> await memory.add("alice:monday", {"text": "It rains in Málaga"})
        >>> await memory.search("málaga")
        [{'text': 'It rains in Málaga'}]

    Safe to share between tasks and threads. ``memory.sync`` has every verb without ``await``.

    Args:
        redis_url: server to keep the records on: ``redis://``, ``rediss://``, ``unix://``,
            ``redis+cluster://``, ``redis+sentinel://host:port/name``, or ``embedded:DIR``, a server of
            this user's own that keeps its records in a directory. It is reached at once, and with
            ``"fallback"`` work goes on in memory when it cannot be, until it is back.
        max_size: capacity in records in memory; the least recently used record is evicted; 0
            keeps nothing. A server keeps as many as it has room for, unless `resize` is called.
        enable_redis: False ignores ``redis_url``.
        namespace: the tenant; memories of different namespaces never see each other.
        on_outage: what to do when the server cannot be had: ``"fallback"`` works in memory, and
            brings the server up to date when it is back; ``"raise"`` raises.
        timeout: seconds that the server may take for an answer.
        embedder: reserved for semantic search, which this version does not have.
        summarizer: makes a text of records, for `summarize`; may be async.
        compress_over: values of more bytes of JSON are compressed on a server, with zstd where
            there is zstandard, else with zlib; in this process they never are.
        clock: gives Unix seconds; for tests.

    Raises:
        InvalidArgument: an address that is none, a capacity below 0, an empty namespace, ...
        StoreUnavailable: the server cannot be had, with ``on_outage="raise"``.
        ServerError: the server refuses, for example the password.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        max_size: int = 1000,
        enable_redis: bool = True,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        on_outage: OutagePolicy = "fallback",
        timeout: float = 2.0,
        embedder: None = None,
        summarizer: Summarizer | None = None,
        compress_over: int = 4096,
        clock: Clock = time.time,
    ) -> None:
        if redis_url is not None and not isinstance(redis_url, str):
            # Only the type: bytes may hold a password.
            raise InvalidArgument(
                f"redis_url: <{type(redis_url).__name__}> is no address; give text such as "
                "'redis://host:6379'"
            )
        if on_outage not in get_args(OutagePolicy):
            raise InvalidArgument(f"on_outage={brief(on_outage)}: give 'fallback' or 'raise'")
        if embedder is not None:
            raise InvalidArgument("embedder: this version has no semantic search; leave it out")
        if summarizer is not None and not callable(summarizer):
            raise InvalidArgument(f"summarizer={brief(summarizer)}: give a callable")
        if (
            isinstance(compress_over, bool)
            or not isinstance(compress_over, int)
            or compress_over < 0
        ):
            raise InvalidArgument(f"compress_over={brief(compress_over)}: give a number of bytes")
        timeout = duration(timeout, "timeout")
        records = InMemoryStore(max_size, namespace=namespace, clock=clock)
        url = redis_url if enable_redis else None
        self._store, self._runner = _open(records, url, on_outage, timeout, compress_over, clock)
        self.sync = SyncMemory(self._store, self._runner, clock, summarizer)
        # What `sync` works with; its attributes are not looked up through it each time.
        self._verbs = self.sync._verbs  # noqa: SLF001  the two faces share them
        self._near = self.sync._near  # noqa: SLF001

    def __repr__(self) -> str:
        backend = "redis" if self.is_using_redis() else "in-memory"
        told = self.sync._told()  # noqa: SLF001
        capacity = "" if self._near is None else f", max_size={self.max_size}"
        return f"MemoryPrimitive(backend={backend!r}, {told}{capacity})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # The first two are what an agent awaits all day; `_awaited` would cost as `_called` does.

    @_told_by(Verbs.add)
    async def add(self, key: str, value: dict[str, Any], ttl: Duration | None = None) -> None:  # noqa: D102
        if self._near is not None:
            self._near.add(key, value, ttl)
        else:
            await self._runner.arun(self._verbs.add(key, value, ttl))

    @_told_by(Verbs.get)
    async def get(self, key: str) -> dict[str, Any] | None:  # noqa: D102
        if self._near is not None:
            return self._near.get(key)
        return await self._runner.arun(self._verbs.get(key))

    delete = _awaited(Verbs.delete)
    ttl = _awaited(Verbs.ttl)
    add_many = _awaited(Verbs.add_many)
    get_many = _awaited(Verbs.get_many)
    get_records = _awaited(Verbs.get_records)
    keys = _awaited(Verbs.keys)
    records = _awaited(Verbs.records)
    entries = _awaited(Verbs.entries)
    peek = _awaited(Verbs.peek)
    mark = _awaited(Verbs.mark)
    search = _awaited(Verbs.search, InMemoryStore.search)
    count = _awaited(Verbs.count)
    build_index = _awaited(Verbs.build_index)
    clear = _awaited(Verbs.clear)
    remove = _awaited(Verbs.remove)
    take_all = _awaited(Verbs.take_all)
    resize = _awaited(Verbs.resize)
    undo = _awaited(Verbs.undo)
    export = _awaited(Verbs.export)
    import_ = _awaited(Verbs.import_)
    stats = _awaited(Verbs.stats)
    reconnect = _awaited(Verbs.reconnect)

    @spell_out_filters
    def search_records(
        self,
        query: str,
        limit: int | None = 5,
        mode: SearchMode = "keyword",
        **filters: Unpack[FilterArgs],
    ) -> Hits:
        """As `SyncMemory.search_records`, to be awaited or iterated over.

        ``async for record in memory.search_records(query, limit=None)`` takes the records one by
        one, as `SyncMemory.stream_records`, and decodes none before its turn.
        """
        return Hits(
            lambda: self._runner.arun(self._verbs.search_records(query, limit, mode, **filters)),
            lambda: self.stream_records(check_query(query), limit, mode, **filters),
        )

    @spell_out_filters
    async def stream_records(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode = "keyword",
        **filters: Unpack[FilterArgs],
    ) -> AsyncIterator[MemoryRecord]:
        """As `SyncMemory.stream_records`, with a turn for others on the loop now and then."""
        given = 0
        for batch in self._verbs.stream_records(query, limit, mode, **filters):
            for record in await self._runner.arun(batch):
                yield record
                given += 1
                if given % _TURN == 0:
                    await _pause()

    @spell_out_filters
    async def summarize(self, limit: int | None = None, **filters: Unpack[FilterArgs]) -> str:
        """As `SyncMemory.summarize`; an async summarizer runs on the caller's loop."""
        summary = await self._runner.arun(self._verbs.summarize(limit, **filters))
        text = summary()
        return _check_summary(await text if inspect.isawaitable(text) else text)

    async def aclose(self) -> None:
        """As `SyncMemory.close`."""
        await self._runner.arun(self._store.part())
        await self._runner.aclose()

    @property
    def namespace(self) -> str:
        """The tenant whose records this memory sees."""
        return self.sync.namespace

    @property
    def max_size(self) -> int | None:
        """Capacity in records; None for as many as the server has room for."""
        return self.sync.max_size

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self.sync.evictions

    # ---- attributes of the class this one takes the place of

    @property
    def fallback(self) -> InMemoryStore:
        """The store in this process, which is the memory itself or what is known of the server."""
        fallback: InMemoryStore = self._store.fallback
        return fallback

    @property
    def using_redis(self) -> bool:
        """As `is_using_redis`."""
        return self.is_using_redis()

    @property
    def redis_client(self) -> Any:
        """The client of the server, of redis-py; None where there is none."""
        return self._runner.client

    # ---- about the memory

    def size(self) -> int:
        """Number of records."""
        return self.sync.size()

    def is_using_redis(self) -> bool:
        """As `SyncMemory.is_using_redis`."""
        return self.sync.is_using_redis()

    def outage(self) -> dict[str, Any] | None:
        """As `SyncMemory.outage`."""
        return self.sync.outage()

    def get_backend_info(self) -> dict[str, Any]:
        """As `SyncMemory.get_backend_info`."""
        return self.sync.get_backend_info()


def _open(
    records: InMemoryStore,
    redis_url: str | None,
    on_outage: OutagePolicy,
    timeout: float,
    compress_over: int,
    clock: Clock,
) -> tuple[Store, Runner]:
    """The store that a memory works with, and what carries its plans out.

    Args:
        records: the store in this process.
        redis_url: the server that was asked for; None or nothing for none.
        on_outage: as for `MemoryPrimitive`.
        timeout: as for `MemoryPrimitive`.
        compress_over: as for `MemoryPrimitive`.
        clock: gives Unix seconds.

    Raises:
        InvalidArgument: the address.
        StoreUnavailable: a server was asked for with ``"raise"``, and cannot be had.
        ServerError: it refuses.
    """
    if not redis_url:
        return Local(records), InProcessRunner()
    # Without a server nobody waits for these.
    from .outage import ServerStore
    from .stores.redis.addresses import parse_address
    from .stores.redis.payload import Payloads
    from .stores.redis.remote import Remote
    from .stores.redis.runner import RedisRunner

    address = parse_address(redis_url)
    runner = RedisRunner(address, timeout)
    payloads = Payloads(compress_over)
    remote = Remote(records.namespace, payloads, records.max_size, clock, timeout)
    store = ServerStore(remote, runner, clock, shown=address.shown, policy=on_outage)
    # Whether it can be had is said now, and not in the midst of something else.
    try:
        runner.run(store.reconnect())
    except BaseException:
        runner.close()
        raise
    return store, runner


def _check_summary(text: str) -> str:
    if isinstance(text, str):
        return text
    raise InvalidArgument(
        f"summarizer: it gave <{type(text).__name__}>; it must turn a list of records into text"
    )


def _run_in_thread(text: Awaitable[str]) -> str:
    """Awaits in a short-lived thread with its own loop: the caller's may be running."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    async def wait() -> str:
        return await text

    with ThreadPoolExecutor(1, "tta-memory-summarizer") as pool:
        return pool.submit(asyncio.run, wait()).result()
