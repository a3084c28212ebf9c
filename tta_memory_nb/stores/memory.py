"""The in-memory backend: an LRU cache with expiry and substring search."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import wraps
from heapq import heapify, heappop, heappush
from math import inf
from threading import RLock
from typing import Any, Concatenate, ParamSpec, TypeVar, TypeVarTuple, Unpack

from ..codec import from_json
from ..errors import InvalidArgument
from ..filters import EVERYTHING, Filters
from ..index.query import Query
from ..index.records import RecordIndex
from ..keys import check_key, check_namespace
from ..record import DEFAULT_NAMESPACE, MemoryRecord
from ..text import Needle, fold
from ..times import Duration, duration
from .base import Change, Clock, Entry, check_limit, check_max_size, check_query, new_entry
from .plan import Plan, as_plan

# So many reads are noted at most: what they keep in memory is little, and soon made good.
_MOST_READS = 512

P = ParamSpec("P")
T = TypeVar("T")
Args = TypeVarTuple("Args")


class InMemoryStore:
    """Records of one namespace in this process, least recently used evicted first.

    Safe to share between threads and tasks. All verbs are O(1) for one record, but for searches,
    which use an index that they keep themselves.

    Args:
        max_size: capacity in records; 0 keeps nothing.
        namespace: name of the tenant, as it stands in the records.
        clock: gives Unix seconds; for tests.

    Raises:
        InvalidArgument: a capacity below 0, an empty namespace.
    """

    def __init__(
        self,
        max_size: int = 1000,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        clock: Clock = time.time,
    ) -> None:
        self.namespace = check_namespace(namespace)
        self._max_size = check_max_size(max_size)
        self._clock = clock
        # Re-entrant: a signal handler or a `__del__` may run in the midst of a verb and use the
        # memory in its turn. The clock is foreign code as well, and read before the lock is taken.
        self._lock = RLock()
        # Oldest first. An OrderedDict and not a dict: taking the first key of a dict walks over
        # every slot deleted before it, which makes eviction quadratic.
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        # (expires_at, key), and not the entry: what has been overwritten or deleted stays here until
        # it comes up, and would keep its value alive.
        self._expiries: list[tuple[float, str]] = []
        # Entries that have been read, in turn, since the order was brought up to date.
        self._reads: list[Entry] = []
        self._index: RecordIndex[Entry] = RecordIndex(self._max_size)
        self._stamp = 0
        self._evictions = 0
        # How often something was taken out or put back, which leaves no other trace in `mark`.
        self._removals = 0

    def __repr__(self) -> str:
        return (
            f"InMemoryStore(namespace={self.namespace!r}, size={self.size()}, "
            f"max_size={self._max_size})"
        )

    # ---- the cache, one record at a time

    @property
    def max_size(self) -> int:
        """Capacity in records; setting it is `resize`."""
        return self._max_size

    @max_size.setter
    def max_size(self, max_size: int) -> None:
        self.resize(max_size)

    def add(self, key: str, value: dict[str, Any], ttl: Duration | None = None) -> None:
        """Adds or replaces a record and makes it the newest.

        Args:
            key: non-empty text.
            value: a JSON object; it is copied, never aliased.
            ttl: time until it no longer exists, in seconds or as a timedelta; None for never,
                also when the record it replaces had one.

        Raises:
            InvalidArgument: the key or the ttl.
            NotStorable: the value.
        """
        seconds = None if ttl is None else duration(ttl)
        self._write_one(new_entry(key, value, self._clock(), seconds))

    def _write_one(self, entry: Entry) -> None:
        """As `put`, for one entry that nobody will want to take back: all of `add` but encoding."""
        key = entry.key
        with self._lock:
            if self._expiries or self._reads:
                self._settle(entry.updated_at)
            entries = self._entries
            if key in entries or not self._max_size:
                self._write((entry,), entry.updated_at)
                return
            # By far the most frequent case. Whatever interrupts it, the entry is in or it is not.
            if entry.expires_at is not None:
                self._watch(key, entry.expires_at)
            entry.created_at = entry.updated_at
            self._stamp = entry.stamp = self._stamp + 1
            entries[key] = entry
            while len(entries) > self._max_size:
                self._evictions += 1
                entries.popitem(last=False)

    def get(self, key: str) -> dict[str, Any] | None:
        """A fresh copy of the value, made the newest; None when there is none."""
        entry = self._read_one(key)
        return None if entry is None else from_json(entry.text)

    def _read_one(self, key: str) -> Entry | None:
        """As `fetch`, for one key: all of `get` but decoding.

        Takes no lock: an entry never changes its value, and that it was read is noted in a list,
        for whoever takes the lock next.
        """
        try:
            entry = self._entries.get(key)
        except TypeError:  # not hashable
            entry = None
        if entry is None:
            check_key(key)
            return None
        if entry.expires_at is not None and entry.expires_at <= self._clock():
            return None
        reads = self._reads
        reads.append(entry)
        if len(reads) >= _MOST_READS:
            with self._lock:
                self._settle_reads()
        return entry

    def delete(self, key: str) -> bool:
        """Deletes a record; whether there was one."""
        return bool(self.remove((key,)).removed)

    def ttl(self, key: str) -> float | None:
        """Seconds until the record expires; None when it never does or does not exist."""
        # Before `expires_at` looks at the clock: whatever it finds alive has some time left.
        now = self._clock()
        expires_at = self.expires_at(key)
        return None if expires_at is None else expires_at - now

    # ---- many records

    def size(self) -> int:
        """Number of records."""
        now = self._clock()
        with self._lock:
            self._settle(now)
            return len(self._entries)

    def mark(self) -> object:
        """Another one whenever anything has been written, read, deleted or has expired since."""
        now = self._clock()
        with self._lock:
            self._settle(now)
            return self._stamp, self._removals, len(self._entries), self._max_size

    def keys(self) -> list[str]:
        """Keys, least recently used first."""
        now = self._clock()
        with self._lock:
            self._settle(now)
            return list(self._entries)

    def records(self) -> list[MemoryRecord]:
        """All records, newest first."""
        return [entry.record(self.namespace) for entry in self.find()]

    def search(self, query: str, limit: int | None = 5) -> list[dict[str, Any]]:
        """The values of what `find` finds for a query of any case; nothing for an empty one.

        Raises:
            InvalidArgument: a limit below 1, a query that is not text.
        """
        if not check_query(query):
            check_limit(limit)
            return []
        return [from_json(entry.text) for entry in self.find(fold(query), limit)]

    def clear(self) -> None:
        """Deletes every record."""
        self.remove_matching()

    # ---- the promises of base.Store, kept at once

    def expires_at(self, key: str) -> float | None:
        """When a record expires, in Unix seconds; None when it never does or does not exist."""
        check_key(key)
        now = self._clock()
        with self._lock:
            self._settle(now)
            entry = self._entries.get(key)
            return None if entry is None else entry.expires_at

    def put(self, entries: Iterable[Entry]) -> Change:
        """Writes entries in turn, evicting the least recently used above `max_size`."""
        return self._write(tuple(entries), self._clock())

    def _write(self, written: tuple[Entry, ...], now: float) -> Change:
        removed: list[Entry] = []
        evicted: list[Entry] = []
        with self._lock:
            self._settle(now)
            before = self._stamp
            try:
                for entry in written:
                    replaced = self._entries.get(entry.key)
                    # A key that comes twice replaces what this very change wrote: not a removal.
                    if replaced is not None and replaced.stamp <= before:
                        removed.append(replaced)
                    self._insert(entry, replaced)
                self._evict(evicted)
                old = [entry for entry in evicted if entry.stamp <= before]
                self._evictions += len(evicted)
            except BaseException:  # Ctrl-C as well: all records are written, or none
                self._take_back(written, [*removed, *evicted], now, before)
                raise
        return Change(written, (*removed, *old), len(old), self)

    def fetch(self, keys: Iterable[str]) -> list[Entry]:
        """The entries of the keys that exist, in the order asked, each made newest in turn."""
        wanted = [check_key(key) for key in keys]
        found = []
        now = self._clock()
        with self._lock:
            self._settle(now)
            for key in wanted:
                entry = self._entries.get(key)
                if entry is not None:
                    self._use(entry)
                    found.append(entry)
        return found

    def find(
        self, needle: str | None = None, limit: int | None = None, filters: Filters = EVERYTHING
    ) -> list[Entry]:
        """Entries, newest first, whose folded text contains the folded needle (None: all)."""
        limit = check_limit(limit)
        query = query_of(needle, filters)
        now = self._clock() if self._expiries else 0.0
        with self._lock:
            if self._expiries or self._reads:
                self._settle(now)
            if limit is not None or not filters.where:
                return self._steadily(self._index.find, query, limit)
            # Conditions decode values, which takes its time: others need not wait for that.
            candidates = self._steadily(self._index.candidates, query)
        return list(filter(query.test(), candidates))

    def stream(self, needle: str | None = None, filters: Filters = EVERYTHING) -> Iterator[Entry]:
        """As `find` without a limit, but one by one; see `SyncMemory.stream_records`."""
        matches = query_of(needle, filters).test()
        # Keys, so that what is evicted on the way need not stay in memory.
        for key in self.candidate_keys(needle, filters):
            yield from filter(matches, self.peek((key,)))

    def candidate_keys(self, needle: str | None, filters: Filters) -> list[str]:
        """Keys of all records that may match, newest first."""
        query = query_of(needle, filters)
        now = self._clock()
        with self._lock:
            self._settle(now)
            return [entry.key for entry in self._steadily(self._index.candidates, query)]

    def peek(self, keys: Iterable[str]) -> list[Entry]:
        """As `fetch`, but the order of recency stays."""
        found = []
        for key in map(check_key, keys):
            entry = self._entries.get(key)
            if entry and (entry.expires_at is None or entry.expires_at > self._clock()):
                found.append(entry)
        return found

    def count(self, needle: str | None = None, filters: Filters = EVERYTHING) -> int:
        """How many entries `find` would give without a limit."""
        if needle is None and filters is EVERYTHING:
            return self.size()
        if filters.where:
            return len(self.find(needle, None, filters))
        query = query_of(needle, filters)
        now = self._clock()
        with self._lock:
            self._settle(now)
            return self._steadily(self._index.count, query)

    def _steadily(
        self, look: Callable[[OrderedDict[str, Entry], Unpack[Args]], T], *args: *Args
    ) -> T:
        """A look at the entries that a signal handler or a `__del__` may write to meanwhile."""
        try:
            return look(self._entries, *args)
        except RuntimeError:  # "mutated during iteration"
            return look(self._entries.copy(), *args)

    def remove(self, keys: Sequence[str]) -> Change:
        """Deletes the keys that exist."""
        wanted = [check_key(key) for key in keys]
        now = self._clock()
        with self._lock:
            self._settle(now)
            removed = [self._entries.pop(key) for key in wanted if key in self._entries]
            self._removals += 1
        return Change(removed=tuple(removed), origin=self)

    def remove_matching(self, filters: Filters = EVERYTHING) -> Change:
        """Deletes every entry that the filters accept."""
        found = self.find(filters=filters)
        with self._lock:
            # Not what has been written under the same key since then.
            removed = tuple(entry for entry in found if self._entries.get(entry.key) is entry)
            for entry in removed:
                self._entries.pop(entry.key, None)
            self._removals += 1
            if not self._entries:
                self._expiries.clear()
                self._index.clear()
        return Change(removed=removed, origin=self)

    def revert(self, change: Change) -> Change:
        """Takes a change back, but keeps what has been written under a key since then.

        Raises:
            InvalidArgument: the change was made to another store.
        """
        if change.origin is not self:
            raise InvalidArgument(
                "this change was made to another memory, and only that one can take it back"
            )
        now = self._clock()
        with self._lock:
            self._settle(now)
            max_size = self._set_max_size(change.max_size)
            taken, restored = self._take_back(change.written, change.removed, now)
            self._removals += 1
            evicted: list[Entry] = []
            self._evict(evicted)
            came = set(restored)
            pushed_out = [entry for entry in evicted if entry not in came]
            self._evictions += len(pushed_out)
        # What came back only to fall out at once has neither been restored nor been removed.
        fell = set(evicted)
        kept = tuple(entry for entry in restored if entry not in fell)
        return Change(kept, (*taken, *pushed_out), len(pushed_out), self, max_size)

    def resize(self, max_size: int) -> Change:
        """Sets the capacity; a smaller one evicts at once.

        Raises:
            InvalidArgument: a capacity below 0.
        """
        max_size = check_max_size(max_size)
        now = self._clock()
        evicted: list[Entry] = []
        with self._lock:
            self._settle(now)
            before = self._set_max_size(max_size)
            self._evict(evicted)
            self._evictions += len(evicted)
        return Change((), tuple(evicted), len(evicted), self, before)

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self._evictions

    def stats(self) -> dict[str, int]:
        """``bytes`` of all values as JSON, the same as they are ``stored``; ``expiring`` records."""
        entries = self.find()
        size = sum(entry.size for entry in entries)
        expiring = sum(entry.expires_at is not None for entry in entries)
        return {"bytes": size, "stored": size, "expiring": expiring}

    def build_index(self, seconds: float | None = None) -> int:
        """Does the work that searches have put off; gives how many records still wait.

        Args:
            seconds: when to stop at the latest, give or take some milliseconds; None: when done.

        Raises:
            InvalidArgument: seconds that are neither 0 nor a positive number.
        """
        limit = duration(seconds, "seconds") if seconds else seconds
        now = self._clock()
        with self._lock:
            self._settle(now)
            return self._index.build(self._entries, limit)

    # ---- below here the lock is held, which does not keep out a signal handler or a `__del__`:
    # ---- what was there in one line may be gone in the next

    def _settle_reads(self) -> None:
        reads = self._reads
        count = len(reads)  # others may add to the list meanwhile
        there, move_to_end = self._entries.get, self._entries.move_to_end
        for entry in reads[:count]:
            key = entry.key
            if there(key) is entry:  # as `_use`, whose call would take as long as all this
                try:
                    move_to_end(key)
                except KeyError:
                    continue
                self._stamp = entry.stamp = self._stamp + 1
        del reads[:count]

    def _use(self, entry: Entry) -> None:
        """Makes an entry the newest, unless foreign code has deleted it a moment ago."""
        try:  # suppress() takes four times as long
            self._entries.move_to_end(entry.key)
        except KeyError:
            return
        self._stamp = entry.stamp = self._stamp + 1

    def _insert(self, entry: Entry, replaced: Entry | None) -> None:
        """Puts an entry at the new end, in place of the one that has its key."""
        if entry.created_at is None:
            entry.created_at = entry.updated_at if replaced is None else replaced.created_at
        entry.column = -1
        if entry.expires_at is not None:
            self._watch(entry.key, entry.expires_at)
        self._entries[entry.key] = entry
        if replaced is None:
            self._stamp = entry.stamp = self._stamp + 1
        else:
            self._use(entry)

    def _evict(self, evicted: list[Entry]) -> None:
        """Adds to a list what it lets go, before it does, so that nothing is ever in neither."""
        while len(self._entries) > self._max_size:
            try:
                oldest = next(iter(self._entries.values()))
            except (RuntimeError, StopIteration):  # written to between the two calls
                continue
            evicted.append(oldest)
            self._entries.pop(oldest.key, None)

    def _set_max_size(self, max_size: int | None) -> int | None:
        """Sets a capacity; gives the one before, or None when it stays as it is."""
        before = self._max_size
        if max_size is None or max_size == before:
            return None
        self._max_size = self._index.capacity = max_size
        return before

    def _take_back(
        self,
        written: Iterable[Entry],
        removed: Iterable[Entry],
        now: float,
        newest: float = inf,
    ) -> tuple[list[Entry], list[Entry]]:
        """Deletes and restores; gives what it has deleted, and what it has restored.

        What has been written under a key since then stays. Stamps above ``newest`` do not return.
        """
        taken = [there for entry in written if (there := self._still_there(entry))]
        for entry in taken:
            self._entries.pop(entry.key, None)
        restored = [
            entry
            for entry in removed
            if entry.key not in self._entries
            and entry.stamp <= newest
            and (entry.expires_at is None or entry.expires_at > now)
        ]
        self._index.restored(restored)
        for entry in restored:
            if entry.expires_at is not None:
                self._watch(entry.key, entry.expires_at)
            self._entries[entry.key] = entry
        if restored:
            # Back to the places they had: everything carries its stamp.
            for entry in sorted(self._entries.values(), key=lambda entry: entry.stamp):
                with suppress(KeyError):
                    self._entries.move_to_end(entry.key)
        return taken, restored

    def _still_there(self, entry: Entry) -> Entry | None:
        """What is under an entry's key, if it is still what this entry wrote."""
        there = self._entries.get(entry.key)
        return there if there is entry else None

    def _watch(self, key: str, expires_at: float) -> None:
        if len(self._expiries) > 2 * len(self._entries) + 64:
            # Records with a TTL that are rewritten over and over leave their old expiry behind.
            self._expiries = [
                (e.expires_at, e.key)
                for e in list(self._entries.values())
                if e.expires_at is not None
            ]
            heapify(self._expiries)
        heappush(self._expiries, (expires_at, key))

    def _settle(self, now: float) -> None:
        """Makes newest what has been read, in turn, and deletes what has expired."""
        if self._reads:
            self._settle_reads()
        while self._expiries and self._expiries[0][0] <= now:
            entry = self._entries.get(heappop(self._expiries)[1])
            # The key may have been written again since, to expire later or never.
            if entry is not None and entry.expires_at is not None and entry.expires_at <= now:
                self._entries.pop(entry.key, None)


def _planned(
    verb: Callable[Concatenate[InMemoryStore, P], T],
) -> Callable[Concatenate[Local, P], Plan[T]]:
    """A verb of the records in this process, as a plan."""
    plan = as_plan(verb)

    @wraps(verb)
    def method(self: Local, /, *args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        return plan(self.records, *args, **kwargs)

    return method


class Local:
    """The `Store` of the in-memory backend: plans that are done at their first step.

    Args:
        records: what it is the store of; a change to them can be taken back by either.
    """

    def __init__(self, records: InMemoryStore) -> None:
        self.records = records
        self.namespace = records.namespace

    def __repr__(self) -> str:
        return f"Local({self.records!r})"

    @property
    def fallback(self) -> InMemoryStore:
        """The records."""
        return self.records

    @property
    def max_size(self) -> int:
        """Capacity in records."""
        return self.records.max_size

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self.records.evictions

    def is_on_server(self) -> bool:
        """There is none."""
        return False

    def outage(self) -> None:
        """There is no server to be away."""

    write = _planned(InMemoryStore._write_one)  # noqa: SLF001  one module, one thing
    read = _planned(InMemoryStore._read_one)  # noqa: SLF001
    expires_at = _planned(InMemoryStore.expires_at)
    put = _planned(InMemoryStore.put)
    fetch = _planned(InMemoryStore.fetch)
    peek = _planned(InMemoryStore.peek)
    find = _planned(InMemoryStore.find)
    count = _planned(InMemoryStore.count)
    keys = _planned(InMemoryStore.keys)
    size = _planned(InMemoryStore.size)
    mark = _planned(InMemoryStore.mark)
    remove = _planned(InMemoryStore.remove)
    remove_matching = _planned(InMemoryStore.remove_matching)
    clear = _planned(InMemoryStore.clear)
    revert = _planned(InMemoryStore.revert)
    resize = _planned(InMemoryStore.resize)
    stats = _planned(InMemoryStore.stats)
    build_index = _planned(InMemoryStore.build_index)

    def put_for_good(self, entries: Iterable[Entry]) -> Plan[None]:
        """As `put`."""
        yield from self.put(entries)

    def stream(
        self, needle: str | None = None, filters: Filters = EVERYTHING
    ) -> Iterator[Plan[list[Entry]]]:
        """A plan for each entry, made when its turn comes."""
        return map(_alone, self.records.stream(needle, filters))

    def about(self) -> Plan[dict[str, Any]]:
        """What the store runs on, see `SyncMemory.get_backend_info`."""
        size = yield from self.size()
        return {
            "backend": "in-memory",
            "fallback_available": True,
            "namespace": self.namespace,
            "size": size,
            "max_size": self.max_size,
            "evictions": self.evictions,
        }

    @as_plan
    def reconnect(self) -> bool:
        """There is no server to try."""
        return False

    @as_plan
    def part(self) -> None:
        """There is nothing to be done."""


@as_plan
def _alone(entry: Entry) -> list[Entry]:
    """A batch of one."""
    return [entry]


def query_of(needle: str | None, filters: Filters) -> Query[Entry]:
    """What a search for a folded needle (None: anything) asks an index and each text."""
    sought = Needle(needle) if needle else None
    if filters is EVERYTHING:
        return Query(sought)

    def accepts(entry: Entry) -> bool:
        return filters.accept(entry.key, entry.updated_at, entry.value)

    implied = tuple(Needle(fold(text)) for text in filters.implied_texts() if text)
    return Query(sought, accepts, implied, filters.user, filters.session)
