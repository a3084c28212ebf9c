"""The records of one namespace in this process: what the in-memory store and a server's replica have.

An ordered dict has the entries in the order of use, a heap their expiries, and the indexes find them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from heapq import heapify, heappop, heappush
from math import inf
from os import urandom
from threading import RLock
from typing import TypeVar, TypeVarTuple, Unpack

from msgspec.structs import replace

from ..entry import Entry, recency
from ..filters import EVERYTHING, Filters
from ..folders import folders_of
from ..keys import check_key, message_key
from ..search.indexes import Indexes
from ..search.paging import in_order, part_of
from ..search.query import Entries, Query, hits_of
from ..search.request import Hit, Search
from ..times import duration
from .base import Clock
from .forks import guarded

# So many reads are noted at most before they are applied to the order of use.
_MOST_READS = 512

# For so many seconds at a time, an index takes in what was written.
_SLICE = 0.05

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Records:
    """Entries by key in the order of use, their expiries and their indexes.

    Safe to share between threads and tasks. Everything is O(1) for one record, but for searches.

    Args:
        capacity: how many records there may be; `evict` enforces it.
        clock: gives Unix seconds.

    Attributes:
        lock: held by all code that changes entries. It is re-entrant, since a signal handler or a
            ``__del__`` may run in the middle of a verb and use the memory in its turn. The clock is
            foreign code as well, so it is read before the lock is taken.
        entries: oldest first. An OrderedDict and not a dict: taking the first key of a dict walks
            over every slot deleted before it, which would make eviction quadratic.
        recency: the highest one that was given; the counter of writes and reads.
        evictions: how many records were evicted since the start.
        removals: how often something was taken out or put back, which changes no other counter.
        last_number: the highest number that was given to a message.
        origin: tells the numbers of this counter from those of all others.
    """

    def __init__(self, capacity: int, clock: Clock) -> None:
        self.clock = clock
        self.lock = guarded(RLock(), 3)
        self.entries: Entries = OrderedDict()
        self.indexes = Indexes(capacity)
        self.capacity = capacity
        self.recency = 0
        self.evictions = 0
        self.removals = 0
        self.last_number = 0
        self.origin = urandom(6).hex()
        # (expires_at, key) and not the entry: a pair stays here until it comes up, also when the
        # entry was overwritten or deleted, and would keep its value alive.
        self._expiries: list[tuple[float, str]] = []
        # Entries that were read, in order, since the order of use was brought up to date.
        self._reads: list[Entry] = []

    # ---- one record

    def write(self, entry: Entry) -> None:
        """Writes an entry as the newest and evicts what there is no room for."""
        key = entry.key
        with self.lock:
            if self._expiries or self._reads:
                self.settle(entry.updated_at)
            entries = self.entries
            if key in entries or not self.capacity:
                self.write_all((entry,), entry.updated_at)
                return
            # By far the most frequent case. Whatever interrupts it, the entry is in or it is not.
            if entry.expires_at is not None:
                self.expect_expiry(entry)
            entry.created_at = entry.updated_at
            self.recency = entry._recency = entry._write_seq = self.recency + 1
            entries[key] = entry
            while len(entries) > self.capacity:
                self.evictions += 1
                entries.popitem(last=False)

    def read(self, key: str) -> Entry | None:
        """Returns the entry of a key, made the newest; None when there is none.

        Takes no lock: an entry never changes its value. That it was read is noted in a list, and
        the next holder of the lock applies the list.

        Raises:
            InvalidArgument: the key is no non-empty text.
        """
        try:
            entry = self.entries.get(key)
        except TypeError:  # not hashable
            entry = None
        if entry is None:
            check_key(key)
            return None
        if entry.expires_at is not None:
            now = self.clock()
            if entry.expires_at <= now:
                return None
            entry.renew(now)
        reads = self._reads
        reads.append(entry)
        if len(reads) >= _MOST_READS:
            with self.lock:
                self._settle_reads()
        return entry

    @property
    def has_reads(self) -> bool:
        """Whether there are reads that the order of use does not have yet."""
        return bool(self._reads)

    def expires_at(self, key: str) -> float | None:
        """Returns when a record expires, in Unix seconds; None for never and for no record."""
        check_key(key)
        now = self.clock()
        with self.lock:
            self.settle(now)
            entry = self.entries.get(key)
            return None if entry is None else entry.expires_at

    # ---- many records

    def write_all(
        self, written: tuple[Entry, ...], now: float, deletes: Iterable[str] = ()
    ) -> tuple[tuple[Entry, ...], int]:
        """Deletes records, then writes entries in order, all or none, and evicts once at the end.

        Args:
            written: what to write.
            now: Unix seconds.
            deletes: keys of what to delete; none of them is written.

        Returns:
            The entries that were there before and are gone, deleted ones first, then overwritten ones; and how
            many of them were evicted.
        """
        removed: list[Entry] = []
        evicted: list[Entry] = []
        with self.lock:
            self.settle(now)
            before = self.recency
            try:
                for key in deletes:
                    gone = self.entries.get(key)
                    if gone is not None:
                        removed.append(gone)
                        self.entries.pop(key, None)
                        self.removals += 1
                for entry in written:
                    replaced = self.entries.get(entry.key)
                    # A key that comes twice replaces what this very call wrote: no removal.
                    if replaced is not None and replaced._recency <= before:
                        removed.append(replaced)
                    self._insert(entry, replaced)
                self.evict(evicted)
                old = [entry for entry in evicted if entry._recency <= before]
                self.evictions += len(evicted)
            except BaseException:  # Ctrl-C as well: all records are written, or none
                self.take_back(written, [*removed, *evicted], now, before)
                raise
        return (*removed, *old), len(old)

    def fetch(self, keys: Iterable[str]) -> list[Entry]:
        """Returns the entries of the keys that exist, in the order asked, each made the newest."""
        wanted = [check_key(key) for key in keys]
        found = []
        now = self.clock()
        with self.lock:
            self.settle(now)
            for key in wanted:
                entry = self.entries.get(key)
                if entry is not None:
                    self.use(entry)
                    entry.renew(now)
                    found.append(entry)
        return found

    def touch(self, keys: Iterable[str], ttl: float | None) -> int:
        """Has records expire later, and makes them the newest in order, see `Store.touch`."""
        wanted = dict.fromkeys(map(check_key, keys))
        now = self.clock()
        count = 0
        with self.lock:
            self.settle(now)
            for entry in filter(None, map(self.entries.get, wanted)):
                self.use(entry)
                self.touch_entry(entry, ttl, now)
                count += 1
        return count

    def touch_entry(self, entry: Entry, ttl: float | None, now: float) -> None:
        """Has one record expire later; the caller holds the lock."""
        if ttl is None:
            entry.renew(now)
        else:
            self.expire(entry, now + ttl, None if entry.sliding is None else ttl)

    def expire(self, entry: Entry, expires_at: float | None, sliding: float | None) -> None:
        """Has a record expire at another instant; the caller holds the lock."""
        entry.sliding = sliding
        if entry.expires_at != expires_at:
            entry.expires_at = expires_at
            if expires_at is not None:
                self.expect_expiry(entry)

    def peek(self, keys: Iterable[str]) -> list[Entry]:
        """Returns the entries of the keys that exist; their order of use stays."""
        found = []
        for key in map(check_key, keys):
            entry = self.entries.get(key)
            if entry and (entry.expires_at is None or entry.expires_at > self.clock()):
                found.append(entry)
        return found

    def size(self) -> int:
        """Returns the number of records."""
        now = self.clock()
        with self.lock:
            self.settle(now)
            return len(self.entries)

    def keys(self, filters: Filters = EVERYTHING) -> list[str]:
        """Returns the keys of the records that filters accept, least recently used first."""
        if filters is not EVERYTHING:
            return [hit.entry.key for hit in self.find(Search(filters=filters, order="oldest"))]
        now = self.clock()
        with self.lock:
            self.settle(now)
            return list(self.entries)

    def folders(self, prefix: str, depth: int | None) -> list[str]:
        """Returns the folders of the keys that begin with a prefix, each once."""
        keys = self.keys()
        if prefix:
            keys = [key for key in keys if key.startswith(prefix)]
        return list(folders_of(keys, depth))

    def change_token(self) -> object:
        """Returns a token that differs from every earlier one once anything has changed."""
        now = self.clock()
        with self.lock:
            self.settle(now)
            return self.recency, self.removals, len(self.entries), self.capacity

    def stats(self) -> dict[str, int]:
        """Returns ``bytes`` of all values as JSON, as many ``stored``, and ``expiring`` records."""
        with self.lock:
            self.settle(self.clock())
            entries = list(self.entries.values())
        size = sum(entry.size for entry in entries)
        expiring = sum(entry.expires_at is not None for entry in entries)
        return {"bytes": size, "stored": size, "expiring": expiring}

    # ---- searching

    def find(self, search: Search) -> list[Hit]:
        """Returns the hits of a search, see `Store.find`."""
        query, mode, limit = Query(search), search.mode, search.limit
        if query.is_impossible:
            return []
        if search.offset or search.order != "newest":
            return self._find_part(search)
        if mode != "keyword":
            self._catch_up(search)
        now = self.clock() if self._expiries else 0.0
        with self.lock:
            if self._expiries or self._reads:
                self.settle(now)
            if limit is not None or not search.filters.where or mode != "keyword":
                return self._steadily(self.indexes.find, query, mode, limit)
            # Conditions decode values, which takes time: other threads need not wait for that.
            candidates = self._steadily(self.indexes.candidates, query, mode)
        return hits_of(filter(query.test(), candidates), query)

    def _find_part(self, search: Search) -> list[Hit]:
        """Answers a search that does not want the first hits in the order of its mode."""
        start, limit = search.offset, search.limit
        end = None if limit is None else start + limit
        if search.order == "newest":
            return part_of(self.find(replace(search, offset=0, limit=end)), start, end)
        hits = self.find(replace(search, offset=0, limit=None, order="newest"))
        return part_of(in_order(hits, search.order), start, end)

    def candidate_keys(self, search: Search) -> list[str]:
        """Returns the keys of all records that may match, newest first."""
        query = Query(search)
        if query.is_impossible:
            return []
        now = self.clock()
        with self.lock:
            self.settle(now)
            found = self._steadily(self.indexes.candidates, query, search.mode)
            return [entry.key for entry in found]

    def stream(self, search: Search) -> Iterator[Hit]:
        """Yields the hits of a search one by one, see `Store.stream`."""
        if search.mode != "keyword":
            yield from self._stream_ranked(search)
            return
        query = Query(search)
        matches = query.test()
        # Keys, so that what is evicted on the way need not stay in memory.
        for key in self.candidate_keys(search):
            yield from hits_of(filter(matches, self.peek((key,))), query)

    def _stream_ranked(self, search: Search) -> Iterator[Hit]:
        """Yields the hits of a mode that ranks one by one, if their records still have the same value."""
        for hit in self.find(search.for_all()):
            for entry in self.peek((hit.entry.key,)):
                if entry.text == hit.entry.text:
                    yield hit

    def _catch_up(self, search: Search) -> None:
        """Has the index of a search take in what was written, and lets other threads write meanwhile."""
        left = 1
        while left:
            with self.lock:
                left = self._steadily(self.indexes.catch_up, search, _SLICE)

    def count(self, search: Search) -> int:
        """Returns how many records match."""
        if search.mode != "keyword":
            self._catch_up(search)
        query = Query(search)
        if query.is_impossible:
            return 0
        if query.needle is None and query.accepts is None:
            return self.size()
        if search.filters.where:
            return len(self.find(replace(search, limit=None, offset=0)))
        now = self.clock()
        with self.lock:
            self.settle(now)
            return self._steadily(self.indexes.count, query, search.mode)

    def build_index(self, seconds: float | None = None) -> int:
        """Does the work that searches have put off, see `Store.build_index`."""
        limit = duration(seconds, "seconds") if seconds else seconds
        now = self.clock()
        with self.lock:
            self.settle(now)
            return self.indexes.build(self.entries, limit)

    def _steadily(self, look: Callable[[Entries, Unpack[Args]], T], *args: *Args) -> T:
        """Looks at the entries, which a signal handler or a ``__del__`` may write to meanwhile."""
        try:
            return look(self.entries, *args)
        except RuntimeError:  # "mutated during iteration"
            return look(self.entries.copy(), *args)

    def version(self, entry: Entry) -> str:
        """Returns the version of an entry: the number of its write, and whose number that is."""
        return f"{entry._write_seq}@{self.origin}"

    # ---- below here the lock is held. That does not keep out a signal handler or a ``__del__``: what
    # ---- was there in one line may be gone in the next

    def settle(self, now: float) -> None:
        """Makes newest what was read, in order, and deletes what has expired."""
        if self._reads:
            self._settle_reads()
        while self._expiries and self._expiries[0][0] <= now:
            entry = self.entries.get(heappop(self._expiries)[1])
            # The key may have been written again since, to expire later or never.
            if entry is None or entry.expires_at is None:
                continue
            if entry.expires_at <= now:
                self.entries.pop(entry.key, None)
            elif entry.sliding is not None:  # it was read since
                heappush(self._expiries, (entry.expires_at, entry.key))

    def _settle_reads(self) -> None:
        reads = self._reads
        count = len(reads)  # others may add to the list meanwhile
        there, move_to_end = self.entries.get, self.entries.move_to_end
        for entry in reads[:count]:
            key = entry.key
            if there(key) is entry:  # as `use`, whose call would take as long as all this
                try:
                    move_to_end(key)
                except KeyError:
                    continue
                self.recency = entry._recency = self.recency + 1
        del reads[:count]

    def use(self, entry: Entry) -> None:
        """Makes an entry the newest, unless foreign code has deleted it a moment ago."""
        try:  # suppress() takes four times as long
            self.entries.move_to_end(entry.key)
        except KeyError:
            return
        self.recency = entry._recency = self.recency + 1

    def _insert(self, entry: Entry, replaced: Entry | None) -> None:
        """Puts an entry at the new end, in place of the one that has its key."""
        if entry.created_at is None:
            entry.created_at = entry.updated_at if replaced is None else replaced.created_at
        entry._column = -1
        if entry.expires_at is not None:
            self.expect_expiry(entry)
        self.entries[entry.key] = entry
        if replaced is None:
            self.recency = entry._recency = self.recency + 1
        else:
            self.use(entry)
        entry._write_seq = entry._recency

    def evict(self, evicted: list[Entry]) -> None:
        """Removes what there is no room for; adds each to a list before, so none is in neither."""
        while len(self.entries) > self.capacity:
            try:
                oldest = next(iter(self.entries.values()))
            except (RuntimeError, StopIteration):  # written to between the two calls
                continue
            evicted.append(oldest)
            self.entries.pop(oldest.key, None)

    def number(self, owner: str, entries: Sequence[Entry], now: float, suffix: str = "") -> None:
        """Sets the keys of messages, see `Store.append`.

        Args:
            owner: user and session.
            entries: the messages.
            now: Unix seconds.
            suffix: what tells these numbers from those that others give.
        """
        number = max(int(now * 1e6), self.last_number + 1)
        taken = True
        while taken:  # an import may have brought keys of a later instant
            keys = [message_key(owner, number + n, suffix) for n in range(len(entries))]
            taken = any(key in self.entries for key in keys)
            number += len(entries)
        self.last_number = number - 1
        for entry, key in zip(entries, keys, strict=True):
            entry.key = key

    def set_capacity(self, capacity: int | None) -> int | None:
        """Sets the capacity; returns the one before, or None when it stays as it is."""
        before = self.capacity
        if capacity is None or capacity == before:
            return None
        self.capacity = self.indexes.capacity = capacity
        return before

    def take_back(
        self,
        written: Iterable[Entry],
        removed: Iterable[Entry],
        now: float,
        newest: float = inf,
    ) -> tuple[list[Entry], list[Entry]]:
        """Deletes what was written and restores what was removed, each to its place.

        What was written under a key since then stays.

        Args:
            written: entries to delete.
            removed: entries to restore, unless they have expired.
            now: Unix seconds.
            newest: entries of a higher recency are not restored.

        Returns:
            What was deleted, and what was restored.
        """
        taken = [there for entry in written if (there := self.same_write(entry))]
        for entry in taken:
            self.entries.pop(entry.key, None)
        restored = [
            entry
            for entry in removed
            if entry.key not in self.entries
            and entry._recency <= newest
            and (entry.expires_at is None or entry.expires_at > now)
        ]
        self.indexes.restored(restored)
        for entry in restored:
            if entry.expires_at is not None:
                self.expect_expiry(entry)
            self.entries[entry.key] = entry
        if restored:
            self.sort()
        return taken, restored

    def same_write(self, entry: Entry) -> Entry | None:
        """Returns the entry under a key, if it still is what the same write has put there."""
        there = self.entries.get(entry.key)
        if there is None or there is entry:
            return there
        # A replica may have loaded it anew since.
        return there if there._write_seq and there._write_seq == entry._write_seq else None

    def sort(self) -> None:
        """Moves every entry to the place that its recency says."""
        for entry in sorted(self.entries.values(), key=recency):
            with suppress(KeyError):
                self.entries.move_to_end(entry.key)

    def expect_expiry(self, entry: Entry) -> None:
        """Notes when an entry that has an expiry will be deleted."""
        if len(self._expiries) > 2 * len(self.entries) + 64:
            # Records with a TTL that are rewritten over and over leave their old expiry behind.
            self._expiries = [
                (e.expires_at, e.key)
                for e in list(self.entries.values())
                if e.expires_at is not None
            ]
            heapify(self._expiries)
        assert entry.expires_at is not None
        heappush(self._expiries, (entry.expires_at, entry.key))

    def forget_all(self) -> None:
        """Drops every entry, and with them expiries, noted reads and indexes."""
        self.entries.clear()
        self._expiries.clear()
        self._reads.clear()
        self.indexes.clear()

    def remove(self, there: Sequence[Entry]) -> None:
        """Deletes entries that are there."""
        for entry in there:
            self.entries.pop(entry.key, None)
        self.removals += 1
        if not self.entries:
            self._expiries.clear()
            self.indexes.clear()
