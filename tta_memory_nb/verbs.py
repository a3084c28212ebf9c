"""The verbs of a memory, each written once, as a plan.

A verb checks its arguments, asks the store and makes of entries what its user sees. What has to be
waited for is yielded, see `stores.plan`: the two faces in `primitive` carry the same plans out, one
with ``await`` and one without. What a verb says here is what ``help`` says on both.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar, Unpack, get_args

from .errors import InvalidArgument, NotStorable, brief
from .filters import EVERYTHING, FilterArgs, Filters
from .record import MemoryRecord
from .stores.base import Change, Clock, Entry, Store, check_limit, check_query, new_entry
from .stores.plan import Plan
from .text import fold, matching_paths
from .times import Duration, duration

if TYPE_CHECKING:
    from os import PathLike

    from .transfer import ImportReport, ImportSource, Progress

P = ParamSpec("P")
T = TypeVar("T")

SearchMode: TypeAlias = Literal["keyword"]
"""How to search; this version knows substring search alone."""

Summarizer: TypeAlias = Callable[[Sequence[MemoryRecord]], str | Awaitable[str]]
"""Turns records, oldest first, into one text; may be async."""


def spell_out_filters(verb: Callable[P, T]) -> Callable[P, T]:
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


class Verbs:
    """Every verb of a memory, over the plans of its store; for ``**filters`` see `SyncMemory`."""

    def __init__(self, store: Store, clock: Clock, summarizer: Summarizer | None) -> None:
        self._store = store
        self._clock = clock
        self._summarizer = summarizer

    # ---- one record

    def add(self, key: str, value: dict[str, Any], ttl: Duration | None = None) -> Plan[None]:
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
        seconds = None if ttl is None else duration(ttl)
        yield from self._store.write(new_entry(key, value, self._clock(), seconds))

    def get(self, key: str) -> Plan[dict[str, Any] | None]:
        """A fresh copy of the value, made the newest; None when there is none."""
        entry = yield from self._store.read(key)
        return None if entry is None else entry.value()

    def delete(self, key: str) -> Plan[bool]:
        """Deletes a record; whether there was one."""
        change = yield from self._store.remove((key,))
        return bool(change.removed)

    def ttl(self, key: str) -> Plan[float | None]:
        """Seconds until the record expires; None when it never does or does not exist."""
        # Before the store looks at its own clock: whatever it finds alive has some time left.
        now = self._clock()
        expires_at = yield from self._store.expires_at(key)
        return None if expires_at is None else expires_at - now

    # ---- many records

    def add_many(
        self,
        items: Mapping[str, dict[str, Any]] | Iterable[tuple[str, dict[str, Any]]],
        ttl: Duration | None = None,
    ) -> Plan[int]:
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
            try:
                entry = new_entry(key, value, now, seconds)
            except NotStorable as error:  # its path is made longer only now: it takes a while
                path = f"items[{brief(key)}]{error.path.removeprefix('value')}"
                raise NotStorable(path, error.reason) from None
            entries.append(entry)
        yield from self._store.put_for_good(entries)
        return len(entries)

    def get_many(self, keys: Iterable[str]) -> Plan[dict[str, dict[str, Any]]]:
        """Fresh values by key, of the keys that exist; each is made the newest in turn."""
        found = yield from self._fetched(keys)
        return {entry.key: entry.value() for entry in found}

    def get_records(self, keys: Iterable[str]) -> Plan[list[MemoryRecord]]:
        """The records of the keys that exist, in the order asked; as `get`, makes them newest."""
        found = yield from self._fetched(keys)
        return [self._record(entry) for entry in found]

    @spell_out_filters
    def keys(self, **filters: Unpack[FilterArgs]) -> Plan[list[str]]:
        """Keys, least recently used first."""
        if not filters:
            return (yield from self._store.keys())
        found = yield from self._store.find(filters=self._filters(filters))
        return [entry.key for entry in reversed(found)]

    @spell_out_filters
    def records(
        self, limit: int | None = None, **filters: Unpack[FilterArgs]
    ) -> Plan[list[MemoryRecord]]:
        """Records, newest first; does not change the order of recency."""
        found = yield from self._store.find(None, limit, self._filters(filters))
        return [self._record(entry) for entry in found]

    @spell_out_filters
    def entries(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode = "keyword",
        **filters: Unpack[FilterArgs],
    ) -> Plan[list[Entry]]:
        """As `search_records`, or as `records` without a query, but still encoded.

        For whoever looks at a few of very many: nothing is decoded, and a million entries are a
        list of a million references. They belong to the memory: read them, and change nothing.

        Args:
            query: text; None for any record.
            limit: how many entries at most; None for all.
            mode: ``"keyword"``, substring search.
            **filters: see the class.

        Raises:
            InvalidArgument: as `search_records`.
        """
        needle, compiled = self._sought(query, limit, mode, filters)
        return [] if needle == "" else (yield from self._store.find(needle, limit, compiled))

    def peek(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """The entries of the keys that exist, in the order asked, none made newer by it."""
        return self._store.peek(_listed(keys))

    def mark(self) -> Plan[object]:
        """What tells whether anything has changed: equal marks, equal records in equal order.

        Costs next to nothing in memory, and two round trips on a server, whose other clients'
        writes and reads count as well.
        """
        return self._store.mark()

    # ---- search

    def search(self, query: str, limit: int | None = 5) -> Plan[list[dict[str, Any]]]:
        """Values with a field name or leaf value that contains the query, newest first.

        Upper and lower case, and composed and decomposed accents, are the same. An empty query
        finds nothing. Does not change the order of recency.

        Args:
            query: text.
            limit: how many values at most; None for all.

        Raises:
            InvalidArgument: a limit below 1, a query that is not text.
        """
        if not check_query(query):
            check_limit(limit)
            return []
        found = yield from self._store.find(fold(query), limit)
        return [entry.value() for entry in found]

    @spell_out_filters
    def search_records(
        self,
        query: str,
        limit: int | None = 5,
        mode: SearchMode = "keyword",
        **filters: Unpack[FilterArgs],
    ) -> Plan[list[MemoryRecord]]:
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
        found = yield from self._store.find(needle, limit, compiled)
        return [self._record(entry, needle) for entry in found]

    @spell_out_filters
    def stream_records(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode = "keyword",
        **filters: Unpack[FilterArgs],
    ) -> Iterator[Plan[list[MemoryRecord]]]:
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
        return iter(()) if needle == "" else self._batches(needle, limit, compiled)

    def _batches(
        self, needle: str | None, limit: int | None, filters: Filters
    ) -> Iterator[Plan[list[MemoryRecord]]]:
        """Plans to be carried out one after the other; none is made once the limit is reached."""
        taken = 0

        def decoded(batch: Plan[list[Entry]]) -> Plan[list[MemoryRecord]]:
            nonlocal taken
            found = yield from batch
            wanted = found if limit is None else found[: limit - taken]
            taken += len(wanted)
            return [self._record(entry, needle) for entry in wanted]

        for batch in self._store.stream(needle, filters):
            yield decoded(batch)
            if taken == limit:
                return

    @spell_out_filters
    def count(self, query: str | None = None, **filters: Unpack[FilterArgs]) -> Plan[int]:
        """How many records match the query (None: any record) and the filters."""
        needle = None if query is None else fold(check_query(query))
        compiled = self._filters(filters)
        if needle == "":
            return 0
        return (yield from self._store.count(needle, compiled))

    def build_index(self, seconds: float | None = None) -> Plan[int]:
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

    def clear(self) -> Plan[None]:
        """Deletes every record of this namespace."""
        return self._store.clear()

    @spell_out_filters
    def remove(
        self, keys: Iterable[str] | None = None, **filters: Unpack[FilterArgs]
    ) -> Plan[Change]:
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

    def take_all(self) -> Plan[Change]:
        """Deletes every record, as `clear`, in a way that `undo` can take back."""
        return self._store.remove_matching()

    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity in records; what a smaller one evicts can be taken back by `undo`.

        Raises:
            InvalidArgument: a capacity below 0.
        """
        return self._store.resize(max_size)

    def undo(self, change: Change) -> Plan[Change]:
        """Takes a change back; what was written under the same keys since then stays.

        Raises:
            InvalidArgument: the change was made to another memory.
        """
        return self._store.revert(change)

    # ---- in and out

    @spell_out_filters
    def export(
        self,
        path: str | PathLike[str],
        format: str | None = None,
        progress: Progress | bool = False,
        **filters: Unpack[FilterArgs],
    ) -> Plan[int]:
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

        found = yield from self._store.find(filters=self._filters(filters))
        records = map(self._record, reversed(found))
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
    ) -> Plan[ImportReport]:
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

    @spell_out_filters
    def summarize(
        self, limit: int | None = None, **filters: Unpack[FilterArgs]
    ) -> Plan[Callable[[], str | Awaitable[str]]]:
        """What the memory's summarizer makes of the records, given to it oldest first.

        Args:
            limit: only this many of the newest records; None for all.
            **filters: see the class.

        Raises:
            InvalidArgument: the memory was made without ``summarizer=``, or that gives no text.
        """
        if self._summarizer is None:
            raise InvalidArgument(
                "this memory has no summarizer; make it with MemoryPrimitive(summarizer=f), "
                "where f turns a list of records into text"
            )
        records = yield from self.records(limit, **filters)
        # Not called within the plan: it may take long, be async, and use the memory in its turn.
        return partial(self._summarizer, records[::-1])

    # ---- about the memory

    def size(self) -> Plan[int]:
        """Number of records."""
        return self._store.size()

    def stats(self) -> Plan[dict[str, int]]:
        """``bytes`` of all values as JSON, the same as they are ``stored``; ``expiring`` records."""
        return self._store.stats()

    def get_backend_info(self) -> Plan[dict[str, Any]]:
        """What the memory runs on; no value holds a password.

        ``backend`` ("in-memory" or "redis"), ``fallback_available`` (whether work goes on without a
        server), ``namespace``, ``size`` and ``max_size`` (records; None: no limit), ``evictions``. With
        a server also ``redis_url``, ``server`` (name and version, as far as it tells), ``degraded``
        (whether it is away), and of an outage ``degraded_since`` (Unix seconds),
        ``degraded_because`` and ``writes_waiting`` (records); size and evictions are then those
        known here.
        """
        return self._store.about()

    def reconnect(self) -> Plan[bool]:
        """Tries the server now; whether the records are on it."""
        return self._store.reconnect()

    # ---- what the verbs have in common

    def _fetched(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        return self._store.fetch(_listed(keys))

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

    def _record(self, entry: Entry, needle: str | None = None) -> MemoryRecord:
        """The record as its user sees it; of a search, with what has matched."""
        record = entry.record(self._store.namespace)
        if needle is None:
            return record
        return replace(record, score=1.0, matches=matching_paths(record.value, needle))


def _listed(keys: Iterable[str]) -> list[str]:
    """The keys, which must not be one text: its letters would be taken for them."""
    if isinstance(keys, str):
        raise InvalidArgument(f"keys={brief(keys)}: give a list of keys, or use get for one")
    return list(keys)
