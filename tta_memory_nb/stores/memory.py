"""The in-memory backend: an LRU cache with expiry and substring search."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from threading import Lock
from typing import Any

from ..errors import InvalidArgument
from ..filters import EVERYTHING, Filters
from ..keys import check_key, check_namespace
from ..record import DEFAULT_NAMESPACE, MemoryRecord
from ..text import fold
from ..times import Duration, duration
from .base import Change, Clock, Entry, check_limit, check_max_size, check_query, new_entry


class InMemoryStore:
    """Records of one namespace in this process, least recently used evicted first.

    Safe to share between threads and tasks. All verbs are O(1) for one record, but for the
    searches, which scan newest first.

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
        self._lock = Lock()
        # Oldest first. An OrderedDict and not a dict: taking the first key of a dict walks over
        # every slot deleted before it, which makes eviction quadratic.
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        # (expires_at, stamp, entry); an overwritten or deleted entry stays until it comes up.
        self._expiries: list[tuple[float, int, Entry]] = []
        self._stamp = 0
        self._evictions = 0

    def __repr__(self) -> str:
        return (
            f"InMemoryStore(namespace={self.namespace!r}, size={self.size()}, "
            f"max_size={self._max_size})"
        )

    # ---- the cache, one record at a time

    @property
    def max_size(self) -> int:
        """Capacity in records."""
        return self._max_size

    def add(self, key: str, value: dict[str, Any], ttl: Duration | None = None) -> None:
        """Adds or replaces a record and makes it the newest.

        Args:
            key: non-empty text.
            value: a JSON object, see `tta_memory_nb.codec` for what else is encoded.
            ttl: time until it no longer exists, in seconds or as a timedelta; None for never,
                also when the record it replaces had one.

        Raises:
            InvalidArgument: the key or the ttl.
            NotStorable: the value.
        """
        seconds = None if ttl is None else duration(ttl)
        entry = new_entry(key, value, self._clock(), seconds)
        with self._lock:
            self._expire(entry.updated_at)
            self._insert(entry)
            self._evict()

    def get(self, key: str) -> dict[str, Any] | None:
        """A fresh copy of the value, made the newest; None when there is none."""
        found = self.fetch((key,))
        return found[0].value() if found else None

    def delete(self, key: str) -> bool:
        """Deletes a record; whether there was one."""
        return bool(self.remove((key,)).removed)

    def ttl(self, key: str) -> float | None:
        """Seconds until the record expires; None when it never does or does not exist."""
        check_key(key)
        with self._lock:
            now = self._expire()
            entry = self._entries.get(key)
            if entry is None or entry.expires_at is None:
                return None
            return entry.expires_at - now

    # ---- many records

    def size(self) -> int:
        """Number of records."""
        with self._lock:
            self._expire()
            return len(self._entries)

    def keys(self) -> list[str]:
        """Keys, least recently used first."""
        with self._lock:
            self._expire()
            return list(self._entries)

    def records(self) -> list[MemoryRecord]:
        """All records, newest first."""
        return [entry.record(self.namespace) for entry in self.find()]

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
        if not check_query(query):
            check_limit(limit)
            return []
        return [entry.value() for entry in self.find(fold(query), limit)]

    def clear(self) -> None:
        """Deletes every record."""
        self.remove_matching()

    # ---- the promises of base.Store

    def put(self, entries: Iterable[Entry]) -> Change:
        """Writes entries in turn, evicting the least recently used above `max_size`."""
        written = tuple(entries)
        removed: list[Entry] = []
        with self._lock:
            self._expire()
            before = self._stamp
            for entry in written:
                replaced = self._insert(entry)
                # A key that comes twice replaces what this very change wrote: not a removal.
                if replaced is not None and replaced.stamp <= before:
                    removed.append(replaced)
            evicted = [entry for entry in self._evict() if entry.stamp <= before]
        return Change(written, (*removed, *evicted), len(evicted), self)

    def fetch(self, keys: Iterable[str]) -> list[Entry]:
        """The entries of the keys that exist, in the order asked, each made newest in turn."""
        wanted = [check_key(key) for key in keys]
        found = []
        with self._lock:
            self._expire()
            for key in wanted:
                entry = self._entries.get(key)
                if entry is not None:
                    self._entries.move_to_end(key)
                    self._stamp += 1
                    entry.stamp = self._stamp
                    found.append(entry)
        return found

    def find(
        self, needle: str | None = None, limit: int | None = None, filters: Filters = EVERYTHING
    ) -> list[Entry]:
        """Entries, newest first, whose folded text contains the folded needle (None: all)."""
        check_limit(limit)
        found = []
        with self._lock:
            self._expire()
            for entry in self._matching(needle, filters):
                found.append(entry)
                if len(found) == limit:
                    break
        return found

    def count(self, needle: str | None = None, filters: Filters = EVERYTHING) -> int:
        """How many entries `find` would give without a limit."""
        with self._lock:
            self._expire()
            if needle is None and filters is EVERYTHING:
                return len(self._entries)
            return sum(1 for _ in self._matching(needle, filters))

    def remove(self, keys: Sequence[str]) -> Change:
        """Deletes the keys that exist."""
        wanted = [check_key(key) for key in keys]
        with self._lock:
            self._expire()
            removed = [self._entries.pop(key) for key in wanted if key in self._entries]
        return Change(removed=tuple(removed), origin=self)

    def remove_matching(self, filters: Filters = EVERYTHING) -> Change:
        """Deletes every entry that the filters accept."""
        with self._lock:
            self._expire()
            removed = tuple(self._matching(None, filters))
            for entry in removed:
                del self._entries[entry.key]
            if not self._entries:
                self._expiries.clear()
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
        with self._lock:
            now = self._expire()
            taken = [e for e in change.written if self._entries.get(e.key) is e]
            for entry in taken:
                del self._entries[entry.key]
            restored = [
                entry
                for entry in change.removed
                if entry.key not in self._entries
                and (entry.expires_at is None or entry.expires_at > now)
            ]
            if restored:
                # Back to the places they had: everything carries its stamp.
                both = sorted([*self._entries.values(), *restored], key=lambda e: e.stamp)
                self._entries = OrderedDict((entry.key, entry) for entry in both)
                for entry in restored:
                    self._watch(entry)
            evicted = self._evict()
        # What came back only to fall out at once has neither been restored nor been removed.
        came, fell = set(restored), set(evicted)
        kept = tuple(entry for entry in restored if entry not in fell)
        pushed_out = [entry for entry in evicted if entry not in came]
        return Change(kept, (*taken, *pushed_out), len(pushed_out), self)

    def resize(self, max_size: int) -> Change:
        """Sets the capacity; a smaller one evicts at once.

        Raises:
            InvalidArgument: a capacity below 0.
        """
        check_max_size(max_size)
        with self._lock:
            self._expire()
            self._max_size = max_size
            evicted = tuple(self._evict())
        return Change((), evicted, len(evicted), self)

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self._evictions

    def stats(self) -> dict[str, int]:
        """``bytes`` of all values as JSON, and how many records are ``expiring``."""
        entries = self.find()
        return {
            "bytes": sum(len(entry.text.encode("utf-8", "surrogatepass")) for entry in entries),
            "expiring": sum(entry.expires_at is not None for entry in entries),
        }

    # ---- below here the lock is held

    def _matching(self, needle: str | None, filters: Filters) -> Iterator[Entry]:
        newest_first = reversed(self._entries.values())
        if filters is EVERYTHING:
            if needle is None:
                return iter(newest_first)
            return (entry for entry in newest_first if needle in entry.folded)
        return (
            entry
            for entry in newest_first
            if (needle is None or needle in entry.folded)
            and filters.accept(entry.key, entry.updated_at, entry.value)
        )

    def _insert(self, entry: Entry) -> Entry | None:
        """Puts an entry at the new end; gives back the one it replaces."""
        replaced = self._entries.pop(entry.key, None)
        if entry.created_at is None:
            entry.created_at = entry.updated_at if replaced is None else replaced.created_at
        self._stamp += 1
        entry.stamp = self._stamp
        self._entries[entry.key] = entry
        self._watch(entry)
        return replaced

    def _evict(self) -> list[Entry]:
        evicted = []
        while len(self._entries) > self._max_size:
            evicted.append(self._entries.popitem(last=False)[1])
        self._evictions += len(evicted)
        return evicted

    def _watch(self, entry: Entry) -> None:
        if entry.expires_at is None:
            return
        if len(self._expiries) > 2 * len(self._entries) + 64:
            # Records with a TTL that are rewritten over and over leave their old expiry behind.
            self._expiries = [
                (e.expires_at, e.stamp, e)
                for e in self._entries.values()
                if e.expires_at is not None and e is not entry
            ]
            heapify(self._expiries)
        heappush(self._expiries, (entry.expires_at, entry.stamp, entry))

    def _expire(self, now: float | None = None) -> float:
        """Deletes what has expired; gives the present instant in Unix seconds."""
        if now is None:
            now = self._clock()
        while self._expiries and self._expiries[0][0] <= now:
            entry = heappop(self._expiries)[2]
            if self._entries.get(entry.key) is entry:
                del self._entries[entry.key]
        return now
