"""The in-memory store: an LRU cache with expiry and search."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from sys import maxsize
from typing import Any, Self

from ..codec import from_json
from ..entry import Entry, new_entry
from ..filters import EVERYTHING, Filters
from ..keys import check_key, check_namespace
from ..record import DEFAULT_NAMESPACE, MemoryRecord
from ..search.request import ALL, Search, check_limit, check_query
from ..times import Duration, duration
from .base import Change, Clock, NotCopied, capacity_of, check_max_size, check_origin
from .expecting import Expected, check_expected
from .history.bounds import History, HistoryLike, read_history
from .history.log import Happened, evictions_of
from .records import Records


class InMemoryStore(NotCopied):
    """Records of one namespace in this process; the least recently used are evicted first.

    Safe to share between threads and tasks. All verbs are O(1) for one record, but for searches,
    which use an index that they keep themselves.

    Args:
        max_size: capacity in records; 0 keeps nothing, and None evicts nothing.
        namespace: name of the tenant, as it appears in the records.
        clock: gives Unix seconds; for tests.
        history: which changes are kept, see `MemoryPrimitive`; None for none.

    Raises:
        InvalidArgument: a capacity below 0, an empty namespace, a history that is none.
    """

    def __init__(
        self,
        max_size: int | None = 1000,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        clock: Clock = time.time,
        history: HistoryLike | None = None,
    ) -> None:
        records = Records(capacity_of(max_size), clock)
        if history is not None:
            records.keep_changes(read_history(history))
        self._use(records, check_namespace(namespace))

    @classmethod
    def _over(cls, records: Records, namespace: str) -> Self:
        """Returns a store that shares its records with someone else, such as a replica."""
        store = cls.__new__(cls)
        store._use(records, namespace)
        return store

    def _use(self, records: Records, namespace: str) -> None:
        self.namespace = namespace
        self.contents = records
        # What memories over this store note beside its records, and how often their tombstones have changed.
        self.companions: dict[str, InMemoryStore] = {}
        self.tombstone_changes = 0

    def __repr__(self) -> str:
        return (
            f"InMemoryStore(namespace={self.namespace!r}, size={self.size()}, "
            f"max_size={self.max_size})"
        )

    @property
    def max_size(self) -> int | None:
        """Capacity in records, None if nothing is evicted; setting it is `resize`."""
        capacity = self.contents.capacity
        return None if capacity == maxsize else capacity

    @max_size.setter
    def max_size(self, max_size: int) -> None:
        self.resize(max_size)

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self.contents.evictions

    @property
    def history(self) -> History | None:
        """Which changes of records are kept; None for none."""
        log = self.contents.log
        return None if log is None else log.history

    # ---- values

    def add(self, key: str, value: dict[str, Any], ttl: Duration | None = None) -> None:
        """Adds or replaces a record and makes it the newest.

        Args:
            key: non-empty text.
            value: a JSON object; it is copied, never aliased.
            ttl: time until the record no longer exists, in seconds or as a timedelta; None for
                never, also when the record it replaces had one.

        Raises:
            InvalidArgument: the key or the ttl.
            NotStorable: the value.
        """
        seconds = None if ttl is None else duration(ttl)
        self.contents.write(new_entry(key, value, self.contents.clock(), seconds))

    def get(self, key: str) -> dict[str, Any] | None:
        """Returns a fresh copy of the value and makes it the newest; None when there is none."""
        entry = self.contents.read(key)
        return None if entry is None else from_json(entry.text)

    def delete(self, key: str) -> bool:
        """Deletes a record; returns whether there was one."""
        return bool(self.remove((key,)).removed)

    def ttl(self, key: str) -> float | None:
        """Returns the seconds until a record expires; None for never and for no record."""
        # Before `expires_at` looks at the clock: what it finds alive has some time left.
        now = self.contents.clock()
        expires_at = self.contents.expires_at(key)
        return None if expires_at is None else expires_at - now

    def size(self) -> int:
        """Returns the number of records."""
        return self.contents.size()

    def keys(self) -> list[str]:
        """Returns the keys, least recently used first."""
        return self.contents.keys()

    def records(self) -> list[MemoryRecord]:
        """Returns all records, newest first."""
        return [hit.entry.record(self.namespace) for hit in self.contents.find(ALL)]

    def search(self, query: str, limit: int | None = 5) -> list[dict[str, Any]]:
        """Returns the values whose field names or leaves contain a text of any case, newest first.

        An empty query finds nothing.

        Raises:
            InvalidArgument: a limit below 1, a query that is not text.
        """
        found = self.contents.find(Search(check_query(query), limit=check_limit(limit)))
        return [from_json(hit.entry.text) for hit in found]

    def clear(self) -> None:
        """Deletes every record."""
        self.remove_matching()

    # ---- changes that can be taken back

    def put(self, entries: Iterable[Entry]) -> Change:
        """Writes entries in order, evicts the least recently used above `max_size`, and returns the change."""
        written = tuple(entries)
        removed, evicted = self.contents.write_all(written, self.contents.clock())
        return Change(written, removed, evicted, self)

    def apply(
        self, entries: Sequence[Entry], deletes: Sequence[str] = (), expect: Expected | None = None
    ) -> Change:
        """Deletes and writes records in one step, if others are as expected, and returns the change; see `Store.apply`.

        Raises:
            Conflict: a record is not as expected.
        """
        written, records = tuple(entries), self.contents
        now = records.clock()
        with records.lock:
            records.settle(now)
            check_expected(expect or {}, records.entries.get, records.version)
            removed, evicted = records.write_all(written, now, deletes)
        return Change(written, removed, evicted, self)

    def append(self, owner: str, entries: Sequence[Entry]) -> Change:
        """Writes entries in one step under keys with rising numbers, see `Store.append`; the change that it returns has them."""
        records = self.contents
        now = records.clock()
        with records.lock:
            records.settle(now)
            records.number(owner, entries, now)
            return self.put(entries)

    def remove(self, keys: Sequence[str]) -> Change:
        """Deletes the keys that exist, and returns the change."""
        wanted = [check_key(key) for key in keys]
        records = self.contents
        now = records.clock()
        with records.lock:
            records.settle(now)
            there = [
                records.entries[key] for key in dict.fromkeys(wanted) if key in records.entries
            ]
            records.remove(there, now)
        return Change(removed=tuple(there), origin=self)

    def remove_matching(self, filters: Filters = EVERYTHING) -> Change:
        """Deletes every record that the filters accept, and returns the change."""
        records = self.contents
        found = records.find(Search(filters=filters))
        now = records.clock()
        with records.lock:
            # Not what has been written under the same key since then.
            there = [hit.entry for hit in found if records.entries.get(hit.entry.key) is hit.entry]
            records.remove(there, now)
        return Change(removed=tuple(there), origin=self)

    def revert(self, change: Change) -> Change:
        """Takes a change back, but keeps what has been written under a key since then; returns what this has changed.

        Raises:
            InvalidArgument: the change was made to another store.
        """
        check_origin(change, self)
        records = self.contents
        now = records.clock()
        with records.lock:
            records.settle(now)
            max_size = records.set_capacity(change.max_size)
            taken, restored = records.take_back(change.written, change.removed, now)
            records.removals += 1
            evicted: list[Entry] = []
            records.evict(evicted)
            came = set(restored)
            pushed_out = [entry for entry in evicted if entry not in came]
            records.evictions += len(pushed_out)
            if records.log is not None:
                happened: list[Happened] = [("undone", e.key, e) for e in taken]
                happened += (("restored", e.key, None) for e in restored)
                records.log.note(now, [*happened, *evictions_of(evicted)])
        # What came back only to be evicted at once has neither been restored nor been removed.
        fell = set(evicted)
        kept = tuple(entry for entry in restored if entry not in fell)
        return Change(kept, (*taken, *pushed_out), len(pushed_out), self, max_size)

    def resize(self, max_size: int) -> Change:
        """Sets the capacity, and returns the change; a smaller one evicts at once.

        Raises:
            InvalidArgument: a capacity below 0.
        """
        max_size = check_max_size(max_size)
        records = self.contents
        now = records.clock()
        evicted: list[Entry] = []
        with records.lock:
            records.settle(now)
            before = records.set_capacity(max_size)
            records.evict(evicted)
            records.evictions += len(evicted)
            if records.log is not None:
                records.log.note(now, evictions_of(evicted))
        return Change((), tuple(evicted), len(evicted), self, before)
