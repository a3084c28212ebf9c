"""The records of one namespace in this process: what the in-memory store and a server's replica have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from typing import TypeVar, TypeVarTuple, Unpack

from msgspec.structs import replace

from ..entry import Entry
from ..errors import InvalidArgument
from ..filters import EVERYTHING, Filters
from ..folders import folders_of
from ..keys import check_key
from ..search.paging import in_order, part_of
from ..search.query import Entries, Query, hits_of
from ..search.request import Hit, Search
from ..times import duration
from .history.bounds import History
from .history.changes import Earlier, KeptChanges, copied
from .history.log import ChangeLog, Happened, evictions_of
from .ordered import OrderedEntries

# So many reads are noted at most before they are applied to the order of use.
_MOST_READS = 512

# For so many seconds at a time, an index takes in what was written.
_SLICE = 0.05

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Records(OrderedEntries):
    """What can be asked of the records of one namespace; each method takes the lock if it needs it.

    Safe to share between threads and tasks. Everything is O(1) for one record, but for searches.
    """

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
            log = self.log
            if log is not None:
                log.write(entry.updated_at, key, None, 4)
            entries[key] = entry
            while len(entries) > self.capacity:
                self.evictions += 1
                oldest, evicted = entries.popitem(last=False)
                if log is not None:
                    log.note(entry.updated_at, (("evicted", oldest, evicted),))

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
        log = self.log
        happened: list[Happened] = []
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
                        if log is not None:
                            happened.append(("deleted", key, gone))
                for entry in written:
                    replaced = self.entries.get(entry.key)
                    # A key that comes twice replaces what this very call wrote: no removal.
                    if replaced is not None and replaced._recency <= before:
                        removed.append(replaced)
                    self._insert(entry, replaced)
                    if log is not None:
                        happened.append(("written", entry.key, replaced))
                self.evict(evicted)
                old = [entry for entry in evicted if entry._recency <= before]
                self.evictions += len(evicted)
            except BaseException:  # Ctrl-C as well: all records are written, or none
                self.take_back(written, [*removed, *evicted], now, before)
                raise
            if log is not None:
                if len(happened) == len(written) == 1 and not evicted:
                    log.write(now, written[0].key, happened[0][2], 5)
                else:
                    log.note(now, [*happened, *evictions_of(evicted)])
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
                before = None if self.log is None else copied(entry)
                self.touch_entry(entry, ttl, now)
                if self.log is not None and before and before.expires_at != entry.expires_at:
                    self.log.note(now, (("touched", entry.key, before),))
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

    # ---- earlier versions

    def keep_changes(self, history: History | None) -> None:
        """Keeps changes from now on, more or fewer of them, or none, see `Store.keep_changes`."""
        now = self.clock()
        with self.lock:
            self.settle(now)
            if history is None:
                self.log = None
            elif self.log is None:
                self.log = ChangeLog(history, now)
            else:
                self.log.history = history

    def as_of(self, instant: float) -> Earlier:
        """Returns the records as of an instant, see `Store.as_of`."""
        now = self.clock()
        with self.lock:
            self.settle(now)
            if self.log is None:
                raise InvalidArgument("no changes of the records are kept")
            return self.log.as_of(now, instant, self.entries)

    def forget_changes(self, keys: Iterable[str]) -> None:
        """Drops all changes of some records that are kept."""
        with self.lock:
            if self.log is not None:
                self.log.forget(set(keys))

    def kept_changes(self, key: str) -> KeptChanges:
        """Returns the changes of a record that are kept, see `Store.kept_changes`."""
        now = self.clock()
        with self.lock:
            self.settle(now)
            if self.log is None:
                raise InvalidArgument("no changes of the records are kept")
            return self.log.changes_of(now, key, self.entries.get(key))

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
                try:
                    return self.indexes.find(self.entries, query, mode, limit)
                except RuntimeError:  # as in `_steadily`, whose call takes a fiftieth of the time
                    return self.indexes.find(self.entries.copy(), query, mode, limit)
            # Conditions decode values, which takes time: other threads need not wait for that.
            candidates = self._steadily(self.indexes.candidates, query, mode)
        found = query.with_texts(candidates)
        return hits_of(compress(found, query.passes(found)), query)

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
