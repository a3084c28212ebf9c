"""MemoryPrimitive: the memory of an agent, awaited or called.

Every verb is written once, in `SyncMemory`; `MemoryPrimitive` offers the same verbs to
``await``. There is no loop, thread or bridge between the two.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
import types
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import replace
from itertools import islice
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

from .errors import InvalidArgument, StoreUnavailable, brief
from .filters import EVERYTHING, FilterArgs, Filters
from .keys import check_key
from .record import DEFAULT_NAMESPACE, MemoryRecord
from .stores.base import Change, Clock, Entry, check_limit, check_query, new_entry
from .stores.memory import InMemoryStore
from .text import fold, matching_paths
from .times import Duration, duration
from .urls import masked_url

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    from .transfer import ImportReport, ImportSource, Progress

logger = logging.getLogger("tta_memory_nb")

P = ParamSpec("P")
T = TypeVar("T")

SearchMode: TypeAlias = Literal["keyword"]
OutagePolicy: TypeAlias = Literal["fallback", "raise"]
Summarizer: TypeAlias = Callable[[Sequence[MemoryRecord]], str | Awaitable[str]]
"""Turns records, oldest first, into one text; may be async."""


def _spell_out_filters(verb: Callable[P, T]) -> Callable[P, T]:
    """Shows ``**filters`` as the keywords it takes, so that Shift-Tab and Tab offer them."""
    signature = inspect.signature(verb)
    *others, _ = signature.parameters.values()
    spelled = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            # As it is written in the source; a ForwardRef around it would only clutter the help.
            annotation=getattr(kind, "__forward_arg__", kind),
        )
        for name, kind in FilterArgs.__annotations__.items()
    ]
    verb.__signature__ = signature.replace(parameters=[*others, *spelled])  # type: ignore[attr-defined]
    return verb


class SyncMemory:
    """Every verb of a memory without ``await``; reached as ``memory.sync``.

    ``**filters`` are, for every verb that takes them: ``user``, ``session`` (of keys made by
    `create_memory_key`), ``prefix`` (of the key), ``since``, ``until`` (instants, inclusive, of
    the last write) and ``where`` (conditions on fields); see `Filters.build`.
    """

    def __init__(self, store: InMemoryStore, clock: Clock, summarizer: Summarizer | None) -> None:
        self._store = store
        self._clock = clock
        self._summarizer = summarizer

    def __repr__(self) -> str:
        return f"SyncMemory(namespace={self.namespace!r}, size={self.size()})"

    # ---- one record

    @property
    def namespace(self) -> str:
        """The tenant whose records this memory sees."""
        return self._store.namespace

    def add(self, key: str, value: dict[str, Any], ttl: Duration | None = None) -> None:
        """Adds or replaces a record and makes it the newest.

        Args:
            key: non-empty text, for example from `create_memory_key`.
            value: a JSON object; it is copied, never aliased.
            ttl: time until it no longer exists, in seconds, as a timedelta or as text such
                as ``"15m"``; None for never, also when the record it replaces had one.

        Raises:
            InvalidArgument: the key or the ttl.
            NotStorable: the value; the error names the path.
        """
        self._store.add(key, value, ttl)

    def get(self, key: str) -> dict[str, Any] | None:
        """A fresh copy of the value, made the newest; None when there is none."""
        return self._store.get(key)

    def delete(self, key: str) -> bool:
        """Deletes a record; whether there was one."""
        return bool(self._store.remove((key,)).removed)

    def ttl(self, key: str) -> float | None:
        """Seconds until the record expires; None when it never does or does not exist."""
        return self._store.ttl(key)

    # ---- many records

    def add_many(
        self,
        items: Mapping[str, dict[str, Any]] | Iterable[tuple[str, dict[str, Any]]],
        ttl: Duration | None = None,
    ) -> int:
        """Adds records in turn, all or, when one of them is refused, none.

        Args:
            items: values by key, or (key, value) pairs.
            ttl: as in `add`, the same for all.

        Returns:
            How many were written. More than ``max_size`` evict one another, as in `add`.

        Raises:
            InvalidArgument: a key or the ttl, an item that is no pair.
            NotStorable: a value; the path starts with its key.
        """
        seconds = None if ttl is None else duration(ttl)
        now = self._clock()
        entries = []
        for item in items.items() if isinstance(items, Mapping) else items:
            if not isinstance(item, (tuple, list)) or len(item) != 2:
                raise InvalidArgument(
                    f"items[{len(entries)}]: <{type(item).__name__}> is no (key, value) pair"
                )
            key, value = item
            name = f"items[{brief(check_key(key))}]"
            entries.append(new_entry(key, value, now, seconds, name))
        self._store.put(entries)
        return len(entries)

    def get_many(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Fresh values by key, of the keys that exist; each is made the newest in turn."""
        return {record.key: record.value for record in self.get_records(keys)}

    def get_records(self, keys: Iterable[str]) -> list[MemoryRecord]:
        """The records of the keys that exist, in the order asked; as `get`, makes them newest."""
        if isinstance(keys, str):
            raise InvalidArgument(f"keys={brief(keys)}: give a list of keys, or use get for one")
        return [entry.record(self.namespace) for entry in self._store.fetch(keys)]

    @_spell_out_filters
    def keys(self, **filters: Unpack[FilterArgs]) -> list[str]:
        """Keys, least recently used first."""
        if not filters:
            return self._store.keys()
        found = self._store.find(filters=self._filters(filters))
        return [entry.key for entry in reversed(found)]

    @_spell_out_filters
    def records(
        self, limit: int | None = None, **filters: Unpack[FilterArgs]
    ) -> list[MemoryRecord]:
        """Records, newest first; does not change the order of recency."""
        found = self._store.find(None, limit, self._filters(filters))
        return [entry.record(self.namespace) for entry in found]

    # ---- search

    def search(self, query: str, limit: int | None = 5) -> list[dict[str, Any]]:
        """Values with a field name or leaf value that contains the query, newest first.

        Upper and lower case, and composed and decomposed accents, are the same. An empty query
        finds nothing. Does not change the order of recency.

        Args:
            query: text.
            limit: how many values at most; None for all.

        Raises:
            InvalidArgument: a limit below 1, a query that is not text.
        """
        return self._store.search(query, limit)

    @_spell_out_filters
    def search_records(
        self,
        query: str,
        limit: int | None = 5,
        mode: SearchMode = "keyword",
        **filters: Unpack[FilterArgs],
    ) -> list[MemoryRecord]:
        """As `search`, but gives records with ``score`` and ``matches``, and takes filters.

        Args:
            query: text.
            limit: how many records at most; None for all.
            mode: ``"keyword"``, substring search.
            **filters: see the class.

        Raises:
            InvalidArgument: a limit below 1, a query that is not text, another mode, a filter.
        """
        needle, compiled = self._sought(check_query(query), limit, mode, filters)
        if not needle:
            return []
        return [self._hit(entry, needle) for entry in self._store.find(needle, limit, compiled)]

    @_spell_out_filters
    def stream_records(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode = "keyword",
        **filters: Unpack[FilterArgs],
    ) -> Iterator[MemoryRecord]:
        """As `search_records`, or as `records` without a query, but one by one as they are taken.

        A record is looked at when its turn comes: what has been deleted, has expired or matches no
        longer by then is left out. What is there and matches all the time comes exactly once, in
        the order of recency at the beginning.

        Args:
            query: text; None for any record.
            limit: how many records at most; None for all.
            mode: ``"keyword"``, substring search.
            **filters: see the class.

        Raises:
            InvalidArgument: as `search_records`, at once.
        """
        needle, compiled = self._sought(query, limit, mode, filters)
        if needle == "":
            return iter(())
        found = islice(self._store.stream(needle, compiled), limit)
        if needle is None:
            return (entry.record(self.namespace) for entry in found)
        return (self._hit(entry, needle) for entry in found)

    @_spell_out_filters
    def count(self, query: str | None = None, **filters: Unpack[FilterArgs]) -> int:
        """How many records match the query (None: any record) and the filters."""
        compiled = self._filters(filters)
        if query is None:
            return self._store.count(None, compiled)
        return self._store.count(fold(query), compiled) if check_query(query) else 0

    def build_index(self, seconds: float | None = None) -> int:
        """Does the index work that searches would do a little at a time.

        No search ever needs it; after a large import it makes the first ones quicker.

        Args:
            seconds: when to stop at the latest, give or take some milliseconds; None: when done;
                0: at once.

        Returns:
            How many records still wait for their place in the index.

        Raises:
            InvalidArgument: seconds that are neither 0 nor a positive number.
        """
        return self._store.build_index(seconds)

    # ---- taking out and putting back

    def clear(self) -> None:
        """Deletes every record of this namespace."""
        self._store.clear()

    @_spell_out_filters
    def remove(self, keys: Iterable[str] | None = None, **filters: Unpack[FilterArgs]) -> Change:
        """Deletes records in a way that `undo` can take back.

        Args:
            keys: which records; or
            **filters: delete what they accept; see the class.

        Returns:
            The change, which holds the deleted records in memory as long as it is kept.

        Raises:
            InvalidArgument: neither or both of keys and filters.
        """
        if isinstance(keys, str):
            raise InvalidArgument(f"keys={brief(keys)}: give a list of keys")
        compiled = self._filters(filters)
        # Filters that are all None would delete everything: their caller lost one on the way.
        if (keys is None) == (compiled == EVERYTHING):
            raise InvalidArgument("give either keys or filters; clear() deletes everything")
        if keys is not None:
            return self._store.remove(list(keys))
        return self._store.remove_matching(compiled)

    def take_all(self) -> Change:
        """Deletes every record, as `clear`, in a way that `undo` can take back."""
        return self._store.remove_matching()

    def resize(self, max_size: int) -> Change:
        """Sets the capacity in records; what a smaller one evicts can be taken back by `undo`.

        Raises:
            InvalidArgument: a capacity below 0.
        """
        return self._store.resize(max_size)

    def undo(self, change: Change) -> Change:
        """Takes a change back; what was written under the same keys since then stays.

        Raises:
            InvalidArgument: the change was made to another memory.
        """
        return self._store.revert(change)

    # ---- in and out

    @_spell_out_filters
    def export(
        self,
        path: str | PathLike[str],
        format: str | None = None,
        progress: Progress | bool = False,
        **filters: Unpack[FilterArgs],
    ) -> int:
        """Writes records to a file, least recently used first; see `tta_memory_nb.transfer`.

        Args:
            path: the file; it is replaced in one step when everything is written.
            format: ``"jsonl"`` (lossless), ``"csv"`` or ``"parquet"``; None: by the suffix.
            progress: show a progress bar, or a callable that wraps an iterable in one.
            **filters: see the class.

        Returns:
            How many records were written.

        Raises:
            TransferError: an unknown format, a file that cannot be written.
            MissingPackage: ``parquet`` without pyarrow.
        """
        from .transfer import write_file

        found = self._store.find(filters=self._filters(filters))
        records = (entry.record(self.namespace) for entry in reversed(found))
        return write_file(path, format, records, len(found), progress)

    def import_(
        self,
        source: ImportSource,
        format: str | None = None,
        *,
        key: str = "key",
        user: str | None = None,
        session: str | None = None,
        on_error: Literal["raise", "skip"] = "raise",
        grow: bool = False,
        progress: Progress | bool = False,
    ) -> ImportReport:
        """Adds records from a file, a DataFrame, chat messages or a named dataset.

        Args:
            source: path of a .jsonl, .csv, .parquet or .json file; a DataFrame; records; a list
                of ``{role, content, ...}`` messages; a mapping of conversations; or the name of
                a dataset, ``"chitchat"``.
            format: file format; None: by the suffix.
            key: the column that holds the key, in tables.
            user: user of the keys made for messages; None: each message's sender.
            session: session of the keys made for a list of messages.
            on_error: ``"raise"`` changes nothing when a record is broken, ``"skip"`` imports
                the others and lists the broken ones in the report.
            grow: raise ``max_size`` as far as needed.
            progress: show a progress bar, or a callable that wraps an iterable in one.

        Raises:
            TransferError: the source cannot be read, or holds broken records.
            CapacityExceeded: the source holds more records than ``max_size``.
            MissingPackage: the dataset or pyarrow is not installed.
        """
        from .transfer import import_into

        return import_into(
            self._store,
            source,
            format,
            key=key,
            user=user,
            session=session,
            on_error=on_error,
            grow=grow,
            progress=progress,
            now=self._clock(),
        )

    @_spell_out_filters
    def summarize(self, limit: int | None = None, **filters: Unpack[FilterArgs]) -> str:
        """What the memory's summarizer makes of the records, given to it oldest first.

        Args:
            limit: only this many of the newest records; None for all.
            **filters: see the class.

        Raises:
            InvalidArgument: the memory was made without ``summarizer=``, or that gives no text.
        """
        text = self._summary(limit, filters)
        return _check_summary(_run_in_thread(text) if inspect.isawaitable(text) else text)

    # ---- about the memory

    def size(self) -> int:
        """Number of records."""
        return self._store.size()

    @property
    def max_size(self) -> int:
        """Capacity in records."""
        return self._store.max_size

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self._store.evictions

    def stats(self) -> dict[str, int]:
        """``bytes`` of all values as JSON, and how many records are ``expiring``."""
        return self._store.stats()

    def is_using_redis(self) -> bool:
        """Whether the records are on a server."""
        return False

    def get_backend_info(self) -> dict[str, Any]:
        """What the memory runs on; no value holds a password.

        ``backend`` ("in-memory"), ``fallback_available`` (whether work goes on without a
        server), ``namespace``, ``size`` and ``max_size`` (records), ``evictions``.
        """
        return {
            "backend": "in-memory",
            "fallback_available": True,
            "namespace": self.namespace,
            "size": self.size(),
            "max_size": self.max_size,
            "evictions": self.evictions,
        }

    def close(self) -> None:
        """Releases connections; the in-memory backend has none and goes on working."""

    # ---- shared with the awaited face

    def _filters(self, filters: FilterArgs) -> Filters:
        if not filters:
            return EVERYTHING
        for name in filters:
            if name not in FilterArgs.__annotations__:
                known = ", ".join(FilterArgs.__annotations__)
                raise TypeError(f"{name!r} is no argument and no filter; the filters are {known}")
        return Filters.build(self._clock(), **filters)

    def _sought(
        self, query: str | None, limit: int | None, mode: str, filters: FilterArgs
    ) -> tuple[str | None, Filters]:
        """What a search is for, checked: the folded query, and the filters."""
        if mode not in get_args(SearchMode):
            known = ", ".join(map(repr, get_args(SearchMode)))
            raise InvalidArgument(f"mode={brief(mode)}: this version searches by {known}")
        check_limit(limit)
        return None if query is None else fold(check_query(query)), self._filters(filters)

    def _hit(self, entry: Entry, needle: str) -> MemoryRecord:
        record = entry.record(self.namespace)
        return replace(record, score=1.0, matches=matching_paths(record.value, needle))

    def _summary(self, limit: int | None, filters: FilterArgs) -> str | Awaitable[str]:
        if self._summarizer is None:
            raise InvalidArgument(
                "this memory has no summarizer; make it with MemoryPrimitive(summarizer=f), "
                "where f turns a list of records into text"
            )
        records = self.records(limit, **filters)
        return self._summarizer(records[::-1])


def _awaited(
    verb: Callable[Concatenate[SyncMemory, P], T],
) -> Callable[Concatenate[MemoryPrimitive, P], Coroutine[Any, Any, T]]:
    """The same verb, to be awaited on a MemoryPrimitive."""

    @functools.wraps(verb)
    async def method(self: MemoryPrimitive, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return verb(self.sync, *args, **kwargs)

    method.__qualname__ = f"MemoryPrimitive.{verb.__name__}"
    return method


class Hits(Coroutine[Any, Any, list[MemoryRecord]]):
    """What a search of the awaited face gives: a coroutine, which can be iterated over as well.

    >>> records = await memory.search_records("rain")
    >>> async for record in memory.search_records("rain", limit=None): ...
    """

    def __init__(
        self,
        find: Callable[[], list[MemoryRecord]],
        stream: Callable[[], AsyncIterator[MemoryRecord]],
    ) -> None:
        self._find = find
        self._stream = stream
        self._running: Coroutine[Any, Any, list[MemoryRecord]] | None = None

    def __await__(self) -> Generator[Any, Any, list[MemoryRecord]]:
        return self._coroutine().__await__()

    def __aiter__(self) -> AsyncIterator[MemoryRecord]:
        return self._stream()

    async def _once(self) -> list[MemoryRecord]:
        return self._find()

    def _coroutine(self) -> Coroutine[Any, Any, list[MemoryRecord]]:
        if self._running is None:
            self._running = self._once()
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
        redis_url: server to keep the records on. This version has no server backend yet: a URL
            is answered with one warning, and the memory works in this process.
        max_size: capacity in records of the in-memory backend; the least recently used record
            is evicted; 0 keeps nothing.
        enable_redis: False ignores ``redis_url``.
        namespace: the tenant; memories of different namespaces never see each other.
        on_outage: what to do when the server cannot be had: ``"fallback"`` works in memory,
            ``"raise"`` raises.
        embedder: reserved for semantic search, which this version does not have.
        summarizer: makes a text of records, for `summarize`; may be async.
        compress_over: bytes from which a server backend compresses values; values in this
            process are never compressed.
        clock: gives Unix seconds; for tests.

    Raises:
        InvalidArgument: a capacity below 0, an empty namespace, another policy, an embedder.
        StoreUnavailable: a server was asked for with ``on_outage="raise"``.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        max_size: int = 1000,
        enable_redis: bool = True,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        on_outage: OutagePolicy = "fallback",
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
        store = InMemoryStore(max_size, namespace=namespace, clock=clock)
        if redis_url and enable_redis:
            message = (
                f"redis_url={masked_url(redis_url)}: this version has no server backend; "
                "working in memory, so nothing is kept when the process ends"
            )
            if on_outage == "raise":
                raise StoreUnavailable(message)
            logger.warning("%s", message)
        self._store = store
        self.sync = SyncMemory(store, clock, summarizer)

    def __repr__(self) -> str:
        return (
            f"MemoryPrimitive(backend='in-memory', namespace={self.namespace!r}, "
            f"size={self.size()}, max_size={self.max_size})"
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

    # These two are what an agent awaits all day; `_awaited` would double what awaiting costs.

    @functools.wraps(SyncMemory.add)
    async def add(self, key: str, value: dict[str, Any], ttl: Duration | None = None) -> None:  # noqa: D102
        self._store.add(key, value, ttl)

    @functools.wraps(SyncMemory.get)
    async def get(self, key: str) -> dict[str, Any] | None:  # noqa: D102
        return self._store.get(key)

    add.__qualname__, get.__qualname__ = "MemoryPrimitive.add", "MemoryPrimitive.get"
    delete = _awaited(SyncMemory.delete)
    ttl = _awaited(SyncMemory.ttl)
    add_many = _awaited(SyncMemory.add_many)
    get_many = _awaited(SyncMemory.get_many)
    get_records = _awaited(SyncMemory.get_records)
    keys = _awaited(SyncMemory.keys)
    records = _awaited(SyncMemory.records)
    search = _awaited(SyncMemory.search)
    count = _awaited(SyncMemory.count)
    build_index = _awaited(SyncMemory.build_index)
    stats = _awaited(SyncMemory.stats)
    clear = _awaited(SyncMemory.clear)
    take_all = _awaited(SyncMemory.take_all)
    remove = _awaited(SyncMemory.remove)
    resize = _awaited(SyncMemory.resize)
    undo = _awaited(SyncMemory.undo)
    export = _awaited(SyncMemory.export)
    import_ = _awaited(SyncMemory.import_)

    @_spell_out_filters
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
            lambda: self.sync.search_records(query, limit, mode, **filters),
            lambda: self.stream_records(check_query(query), limit, mode, **filters),
        )

    @_spell_out_filters
    async def stream_records(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode = "keyword",
        **filters: Unpack[FilterArgs],
    ) -> AsyncIterator[MemoryRecord]:
        """As `SyncMemory.stream_records`, with a turn for others on the loop now and then."""
        found = self.sync.stream_records(query, limit, mode, **filters)
        for number, record in enumerate(found, start=1):
            yield record
            if number % _TURN == 0:
                await _pause()

    @_spell_out_filters
    async def summarize(self, limit: int | None = None, **filters: Unpack[FilterArgs]) -> str:
        """As `SyncMemory.summarize`; an async summarizer runs on the caller's loop."""
        text = self.sync._summary(limit, filters)  # noqa: SLF001  the two faces share it
        return _check_summary(await text if inspect.isawaitable(text) else text)

    async def aclose(self) -> None:
        """Releases connections; the in-memory backend has none and goes on working."""
        self.sync.close()

    @property
    def namespace(self) -> str:
        """The tenant whose records this memory sees."""
        return self.sync.namespace

    @property
    def max_size(self) -> int:
        """Capacity in records of the in-memory backend."""
        return self.sync.max_size

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self.sync.evictions

    # ---- attributes of the class this one takes the place of

    @property
    def fallback(self) -> InMemoryStore:
        """The store in this process."""
        return self._store

    @property
    def using_redis(self) -> bool:
        """As `is_using_redis`."""
        return self.is_using_redis()

    @property
    def redis_client(self) -> None:
        """The client of the server: None, because there is none."""
        return

    # ---- about the memory

    def size(self) -> int:
        """Number of records."""
        return self.sync.size()

    def is_using_redis(self) -> bool:
        """Whether the records are on a server."""
        return self.sync.is_using_redis()

    def get_backend_info(self) -> dict[str, Any]:
        """As `SyncMemory.get_backend_info`."""
        return self.sync.get_backend_info()


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
