"""MemoryPrimitive: the memory of an agent, awaited."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from ...embedders.base import EmbedderLike
from ...errors import InvalidArgument
from ...filters import FilterArgs
from ...record import DEFAULT_NAMESPACE, MemoryRecord
from ...search.indexes import check_mode
from ...search.options import SearchWeights
from ...search.request import SearchMode
from ...stores.base import Clock, NotNow, OutagePolicy, Store
from ...stores.history.bounds import HistoryLike
from ...stores.local import Local
from ...stores.memory import InMemoryStore
from ...stores.opening import Settings, open_store
from ...stores.plan import Plan, let_others_run
from ...summarizers.base import SummarizerLike, check_summarizer
from ...times import Duration, Instant
from ..after_writes import kept_up
from ..meaning import Meanings
from ..summarizing.policy import SummarizeWhen, check_summarize_when
from ..tombstones.tombstone import TombstonePolicy
from ..verbs import Verbs
from ..verbs.common import spell_out_filters
from ..verbs.records import value_of
from ..watching import shortcut_under
from .assembling import check_store, options_of, verbs_over
from .attributes import Attributes
from .methods import documented_by, given, result_of, shown_as, watched_batches
from .sync import SyncMemory

if TYPE_CHECKING:
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")

# After so many records, a stream lets other tasks run.
_YIELD_EVERY = 64


def _awaited(
    verb: Callable[Concatenate[Verbs, P], Plan[T]],
) -> Callable[Concatenate[MemoryPrimitive, P], Coroutine[Any, Any, T]]:
    """Makes the method of a MemoryPrimitive that carries a verb out, to be awaited."""
    name = verb.__name__

    async def method(self: MemoryPrimitive, /, *args: P.args, **kwargs: P.kwargs) -> T:
        plan = kept_up(self._verbs.upkeep, name, verb(self._verbs, *args, **kwargs))
        watch = self._verbs.watch
        return await self._arun(plan if watch is None else watch(name, plan, *args, **kwargs))

    method.__qualname__ = f"MemoryPrimitive.{name}"
    return shown_as(verb, method, result_of(verb))


class MemoryPrimitive(Attributes):
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
            ``"fallback"`` work goes on in memory when it cannot be, until it is back. Or ``file:PATH``, a
            file that keeps the records without any server.
        max_size: capacity in records in memory; the least recently used record is evicted; 0
            keeps nothing, and None evicts nothing. A server or a file keeps as many as it has room for, unless `resize` is called.
        enable_redis: False ignores ``redis_url``.
        namespace: the tenant; memories of different namespaces never see each other.
        on_outage: what to do when the server is away: ``"fallback"`` works in memory, and brings
            the server up to date when it is back; ``"raise"`` raises.
        timeout: seconds that the server may take for an answer, or that another process may keep a file
            to itself.
        embedder: turns texts into vectors for the modes ``"semantic"`` and ``"hybrid"``: an ``Embedder``,
            a function from a list of texts to vectors, or a name, such as ``"wordllama"`` or
            ``"sentence-transformers:MODEL"``. The first search by meaning loads it. None for
            ``"wordllama"``, if it is installed.
        embedder_timeout: how long the embedder may take for one call, in seconds or as text such as ``"1m"``.
        summarizer: makes a text of records, for `summarize`: a function, which may be async, or a name, such as
                ``"openai:MODEL"``. None for ``"extractive"``, which chooses sentences.
        default_mode: how `search`, `search_records`, `hits`, `entries`, `stream_records` and `count` search
            when they are called without ``mode``.
        durability: what must hold before a write to a server or a file is acknowledged: ``"memory"``, the default
            of a server: the server has it, or for a file the operating system, so that only a loss of power can
            lose it; ``"disk"``, the default of a file: it is on the disk, of a server in its append-only file;
            ``"replicas:N"``: N replicas have it as well. For a file, ``"normal"`` and ``"full"``, the words of
            SQLite, mean ``"memory"`` and ``"disk"``. Where that does not hold within ``timeout`` (2 seconds more for a disk), the write
            stays and `NotDurable` is raised. In an outage, writes wait in this process.
        server_search: ``"redisearch"`` has a server with RediSearch answer searches by an index of its own, for memories
            that are too large to be copied into a process; ``"redisearch:hnsw"`` finds vectors by a graph, which
            misses some; ``"off"`` deletes that index. None: searches load the records that they need into this process.
        journal: a file that keeps what is written in an outage, such as ``"file:outages.db"``: it is on the disk when it is
            acknowledged, and if this process ends, the next memory with this journal, this server and this
            namespace brings it to the server, once. None for this process alone.
        language: the language of the words, for modes that rank: one that Snowball knows, such as
            ``"german"``, or ``"none"``.
        weights: how much each signal counts in a ranking; None for the defaults.
        compress_over: values of more bytes of JSON are compressed on a server, with zstd where
            there is zstandard, else with zlib; in this process they never are.
        summarize_when: when sessions are summarized by themselves, after a write: a `SummaryPolicy`, or its arguments as a dict, such as
            ``{"records": 50}``. None for never.
        tombstones: what becomes of a record that says again what was deleted for good: ``"refuse"`` raises `Tombstoned`,
            ``"quarantine"`` puts it aside, see `quarantined`.
        history: how many changes of records are kept, for `log` and ``as_of``: a number of changes, or for how long, as a
            timedelta or as text such as ``"7d"`` (then at most 100,000). The oldest are dropped. A kept change holds the
            value that was replaced or deleted. None keeps none.
        clock: gives Unix seconds; for tests. On a server the server's time decides, unless this is
            a ``stores.base.SimulatedTime``.

    Raises:
        InvalidArgument: an address that is none, a capacity below 0, an empty namespace, ...
        StoreUnavailable: the server is away, with ``on_outage="raise"``.
        ServerError: the server refuses, for example the password, or cannot promise the durability.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        max_size: int | None = 1000,
        enable_redis: bool = True,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        on_outage: OutagePolicy = "fallback",
        timeout: float = 2.0,
        durability: str | None = None,
        server_search: str | None = None,
        journal: str | None = None,
        embedder: EmbedderLike | None = None,
        summarizer: SummarizerLike | None = None,
        summarize_when: SummarizeWhen | None = None,
        default_mode: SearchMode = "keyword",
        language: str = "english",
        weights: SearchWeights | None = None,
        embedder_timeout: Duration = 30.0,
        compress_over: int = 4096,
        tombstones: TombstonePolicy = "refuse",
        history: HistoryLike | None = None,
        clock: Clock = time.time,
    ) -> None:
        if redis_url is not None and not isinstance(redis_url, str):
            # Only the type: bytes may hold a password.
            raise InvalidArgument(
                f"redis_url: <{type(redis_url).__name__}> is no address; give text such as "
                "'redis://host:6379'"
            )
        meanings = Meanings(embedder, embedder_timeout, clock)
        if summarizer is not None:
            check_summarizer(summarizer)
        policy = check_summarize_when(summarize_when)
        check_mode(default_mode, "default_mode")
        options = options_of(language, weights)
        settings = Settings(
            namespace=namespace,
            max_size=max_size,
            on_outage=on_outage,
            timeout=timeout,
            durability=durability,
            server_search=server_search,
            language=language,
            journal=journal,
            compress_over=compress_over,
            history=history,
            clock=clock,
        )
        address = redis_url if enable_redis else None
        store = open_store(address, settings)
        self._set_up(
            verbs_over(store, clock, summarizer, default_mode, options, meanings, tombstones)
        )
        self.summarize_when = policy

    @classmethod
    def over(
        cls,
        store: Store | InMemoryStore,
        *,
        embedder: EmbedderLike | None = None,
        summarizer: SummarizerLike | None = None,
        summarize_when: SummarizeWhen | None = None,
        default_mode: SearchMode = "keyword",
        language: str = "english",
        weights: SearchWeights | None = None,
        embedder_timeout: Duration = 30.0,
        tombstones: TombstonePolicy = "refuse",
        clock: Clock = time.time,
    ) -> Self:
        """Returns a memory over a store of the caller's: a wrapper, a test double, another backend.

        Every verb goes through the store, so a store that wraps another one sees every read and
        write. The store brings its own ``runner``, which carries its plans out.

            >>> MemoryPrimitive.over(InMemoryStore(max_size=10))
            MemoryPrimitive(backend='in-memory', namespace='default', size=0, max_size=10)

        Args:
            store: anything with the verbs of `stores.base.Store`, or an `InMemoryStore`.
            embedder: turns texts into vectors, see the class.
            summarizer: makes a text of records, for `summarize`: a function, which may be async, or a name, such as
                ``"openai:MODEL"``. None for ``"extractive"``, which chooses sentences.
            summarize_when: when sessions are summarized by themselves, see the class.
            default_mode: how to search when a verb is called without ``mode``.
            language: the language of the words, for modes that rank.
            weights: how much each signal counts in a ranking; None for the defaults.
            embedder_timeout: how long the embedder may take for one call.
            tombstones: what becomes of a record that says again what was deleted for good, see the class.
            clock: gives Unix seconds; for tests.

        Raises:
            InvalidArgument: the store lacks verbs, which the message names.
        """
        if isinstance(store, InMemoryStore):
            store = Local(store)
        check_store(store)
        if summarizer is not None:
            check_summarizer(summarizer)
        policy = check_summarize_when(summarize_when)
        meanings = Meanings(embedder, embedder_timeout, clock)
        options = options_of(language, weights)
        memory = cls._of(
            verbs_over(store, clock, summarizer, default_mode, options, meanings, tombstones)
        )
        memory.summarize_when = policy
        return memory

    @classmethod
    def _of(cls, verbs: Verbs) -> Self:
        memory = cls.__new__(cls)
        memory._set_up(verbs)  # noqa: SLF001  as __init__ does
        return memory

    def _set_up(self, verbs: Verbs) -> None:
        store = verbs._store  # noqa: SLF001  verbs are one with their faces
        super().__init__(store, verbs)
        self.sync = SyncMemory(store, verbs)
        self._runner = store.runner
        self._arun = self._runner.arun
        self._read_now = self.sync._read_now  # noqa: SLF001  the two faces share it

    def __repr__(self) -> str:
        return (
            f"MemoryPrimitive(backend={self._store.backend!r}, namespace={self.namespace!r}, "
            f"{self._store.describe()})"
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @documented_by(Verbs.add)
    async def add(  # noqa: D102
        self,
        key: str,
        value: dict[str, Any],
        ttl: Duration | None = None,
        *,
        sliding: bool = False,
        anyway: bool = False,
    ) -> None:
        if not self.sync._is_added_at_once(key, value, ttl, sliding):  # noqa: SLF001  one of two faces
            await self._add(key, value, ttl, **given(sliding=sliding, anyway=anyway))

    @documented_by(Verbs.get)
    async def get(  # noqa: D102
        self, key: str, *, as_of: Instant | None = None
    ) -> dict[str, Any] | None:
        if as_of is not None:
            return await self._get(key, as_of=as_of)
        read = self._read_now
        if self._verbs.watch is not None:
            read = shortcut_under(self._verbs.watch, "get", read)
        if read is not None:
            try:
                return value_of(read(key))
            except NotNow:
                pass
        return await self._get(key)

    @documented_by(Verbs.search)
    async def search(  # noqa: D102
        self,
        query: str,
        limit: int | None = 5,
        mode: SearchMode | None = None,
        *,
        as_of: Instant | None = None,
    ) -> list[dict[str, Any]]:
        if as_of is not None:
            return await self._search(query, limit, mode, as_of=as_of)
        found = self.sync._found_at_once(query, limit, mode)  # noqa: SLF001  one of two faces
        return await self._search(query, limit, mode) if found is None else found

    async def as_of(self, instant: Instant) -> Self:
        """Returns the memory as it was at an instant, see `SyncMemory.as_of`."""
        plan = self._verbs._past(instant)  # noqa: SLF001  verbs are one with their faces
        return self._of(await self._arun(plan))

    _add = _awaited(Verbs.add)
    _get = _awaited(Verbs.get)
    _search = _awaited(Verbs.search)
    delete = _awaited(Verbs.delete)
    ttl = _awaited(Verbs.ttl)
    touch = _awaited(Verbs.touch)
    add_many = _awaited(Verbs.add_many)
    apply = _awaited(Verbs.apply)
    append = _awaited(Verbs.append)
    history = _awaited(Verbs.history)
    folders = _awaited(Verbs.folders)
    log = _awaited(Verbs.log)
    keep_history = _awaited(Verbs.keep_history)
    get_many = _awaited(Verbs.get_many)
    get_records = _awaited(Verbs.get_records)
    keys = _awaited(Verbs.keys)
    records = _awaited(Verbs.records)
    entries = _awaited(Verbs.entries)
    hits = _awaited(Verbs.hits)
    peek = _awaited(Verbs.peek)
    change_token = _awaited(Verbs.change_token)
    search_records = _awaited(Verbs.search_records)
    count = _awaited(Verbs.count)
    why = _awaited(Verbs.why)
    pack = _awaited(Verbs.pack)
    diagnose = _awaited(Verbs.diagnose)
    build_index = _awaited(Verbs.build_index)
    embed = _awaited(Verbs.embed)
    clear = _awaited(Verbs.clear)
    remove = _awaited(Verbs.remove)
    take_all = _awaited(Verbs.take_all)
    resize = _awaited(Verbs.resize)
    undo = _awaited(Verbs.undo)
    export = _awaited(Verbs.export)
    import_ = _awaited(Verbs.import_)
    summarize = _awaited(Verbs.summarize)
    forget = _awaited(Verbs.forget)
    propose = _awaited(Verbs.propose)
    proposals = _awaited(Verbs.proposals)
    approve = _awaited(Verbs.approve)
    reject = _awaited(Verbs.reject)
    resolve = _awaited(Verbs.resolve)
    carry_out = _awaited(Verbs.carry_out)
    tombstones = _awaited(Verbs.tombstones)
    lift_tombstones = _awaited(Verbs.lift_tombstones)
    quarantined = _awaited(Verbs.quarantined)
    release = _awaited(Verbs.release)
    stats = _awaited(Verbs.stats)
    reconnect = _awaited(Verbs.reconnect)

    @spell_out_filters
    async def stream_records(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode | None = None,
        **filters: Unpack[FilterArgs],
    ) -> AsyncIterator[MemoryRecord]:
        """Yields what `SyncMemory.stream_records` does; lets other tasks run now and then."""
        given = 0
        for batch in watched_batches(self._verbs, query, limit, mode, **filters):
            for record in await self._arun(batch):
                yield record
                given += 1
                if given % _YIELD_EVERY == 0:
                    await let_others_run()

    async def aclose(self) -> None:
        """Closes all connections, as `SyncMemory.close` does."""
        await self._verbs.companions.aclose()
        await self._arun(self._store.before_close())
        await self._runner.aclose()

    @property
    def store(self) -> Store:
        """The store of this memory, for a wrapper that is given to `over`."""
        return self._store

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
        """Returns the number of records."""
        return self.sync.size()

    def get_backend_info(self) -> dict[str, Any]:
        """As `SyncMemory.get_backend_info`."""
        return self.sync.get_backend_info()


def past_of(memory: MemoryPrimitive, instant: Instant) -> MemoryPrimitive:
    """Returns what `MemoryPrimitive.as_of` does, without ``await``."""
    return MemoryPrimitive._of(memory.store.runner.run(memory._verbs._past(instant)))  # noqa: SLF001  as `as_of` does
