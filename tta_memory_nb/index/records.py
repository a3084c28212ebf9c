"""Finds records newest first: the newest by looking at them, the others by their signatures.

A search walks over the newest records as long as that pays, then over those that have no column in
the index yet, then over the index's candidates; each is compared with the text itself. Nothing is
indexed when a record is written: searches do it, a slice at a time, and none does before there are
so many records that looking at all of them takes longer.

The store's own dict is the one truth. The index holds keys, and a column counts only while the
record under its key says that this is its column: a record that has been overwritten, evicted or
deleted needs no word to the index, and is released at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import islice
from math import inf
from operator import attrgetter
from time import perf_counter
from typing import TYPE_CHECKING, Generic

from .query import Entries, Query, R, newest
from .waiting import FEW, Waiting

if TYPE_CHECKING:
    from .columns import Columns

# The newest records are looked at in any case: so many, and more of them as long as the others that
# are wanted seem to stand within so many more, or, where all are wanted, while one in 4 matches.
_PRESCAN = 4
_NEAR = 160

# Comparing so many texts costs as much as indexing a few: that much a search may leave undone.
_PUT_OFF = 256

# As much as the import of numpy, where nobody has imported it.
_IMPORT = 200_000

# Records that get their columns in one go.
_BATCH = 256


_stamp_of = attrgetter("stamp")


class RecordIndex(Generic[R]):
    """The index of one store. Whoever calls it holds the store's lock.

    Args:
        capacity: how many records the store may hold.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._can_index = True  # until numpy, or the room for an index, is found missing
        self.clear()

    def clear(self) -> None:
        """Starts over, for a store that holds no record, or none with a column."""
        self._waiting: Waiting[R] = Waiting()
        self._columns: Columns[R] | None = None
        # Records with a higher stamp have been written or read since the index looked last.
        self._seen = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return self._columns.nbytes if self._columns else 0

    # ---- what the store has to tell

    def restored(self, records: Iterable[R]) -> None:
        """Tells of records that come back with the stamps they had."""
        for record in records:
            self._waiting.add_back(record)
            record.column = -1

    # ---- finding

    def find(self, entries: Entries[R], query: Query[R], limit: int | None) -> list[R]:
        """The newest matches, newest first; all of them when the limit is None."""
        matches = query.test()
        serves = query.is_narrow() and self._serves(entries)
        none_waits = False
        if serves and 0 < len(self._waiting) <= FEW and query.needle:
            self._look(entries)
            none_waits = self._waiting.exclude(query.needle)
        found, last = self._walk(entries, matches, limit, serves, none_waits)
        if last is None:
            return found
        self._look(entries)
        wanted = None if limit is None else limit - len(found)
        more: list[R] = []
        spent = 0.0
        if len(self._waiting) and not none_waits:
            started = perf_counter()
            # Of many, most can be told at a glance not to match, and are not worth folding for that.
            test = query.test(once=True) if len(self._waiting) > FEW else matches
            more = newest(self._waiting.newest_first(entries), test, wanted, last)
            spent = perf_counter() - started
        columns = self._columns
        if columns and (wanted is None or len(more) < wanted or more[-1].stamp < columns.newest):
            rows = columns.rows(query)
            if rows:
                for records in columns.newest_first(entries, rows, wanted):
                    more += newest(records, matches, wanted, last)
                more.sort(key=_stamp_of, reverse=True)
        if self._waiting.compared >= _PUT_OFF:
            self._advance(entries, max(0.001, spent))
        return found + more[:wanted]

    def count(self, entries: Entries[R], query: Query[R]) -> int:
        """How many records match."""
        if not query.is_narrow() or not self._serves(entries):
            return sum(map(query.test(), entries.values()))
        self._look(entries)
        started = perf_counter()
        total = sum(map(query.test(once=True), self._waiting.newest_first(entries)))
        spent = perf_counter() - started
        if self._columns:
            total += self._columns.count(entries, query)
        if self._waiting.compared >= _PUT_OFF:
            self._advance(entries, max(0.001, spent))
        return total

    def candidates(self, entries: Entries[R], query: Query[R]) -> list[R]:
        """All records that may match, newest first, without a look at any text."""
        if not query.is_narrow() or not self._serves(entries):
            return list(reversed(entries.values()))
        self._look(entries)
        records = list(self._waiting.newest_first(entries))
        if self._columns:
            records += self._columns.candidates(entries, query)
        records.sort(key=_stamp_of, reverse=True)
        return records

    def _walk(
        self,
        entries: Entries[R],
        matches: Callable[[R], bool],
        limit: int | None,
        serves: bool,
        none_waits: bool,
    ) -> tuple[list[R], float | None]:
        """Looks at the newest; gives matches, and the last stamp it saw or None when it is done.

        Args:
            entries: all records.
            matches: what to look for.
            limit: how many are wanted.
            serves: whether the index can find the others.
            none_waits: whether those without a column are known not to match.
        """
        found: list[R] = []
        pause = _PRESCAN if serves else inf
        for scanned, record in enumerate(reversed(entries.values()), start=1):
            if not (none_waits and record.column < 0) and matches(record):
                found.append(record)
                if len(found) == limit:
                    return found, None
            if scanned == pause:
                ahead = inf if limit is None else (limit - len(found)) * scanned
                if len(found) * 4 < scanned if limit is None else ahead > len(found) * _NEAR:
                    return found, record.stamp
                pause += _PRESCAN
        return found, None

    def _serves(self, entries: Entries[R]) -> bool:
        """Whether it pays to ask the index rather than to look at every record."""
        if len(entries) > FEW:
            return self._can_index
        if not entries:
            self.clear()
        return self._columns is not None

    # ---- keeping up

    def _look(self, entries: Entries[R]) -> None:
        """Takes note of what has been written and read since the last time."""
        fresh: list[R] = []
        for record in reversed(entries.values()):
            if record.stamp <= self._seen:
                break
            fresh.append(record)
        if fresh:
            used = []
            for record in reversed(fresh):
                if record.column < 0:
                    self._waiting.add(record)
                else:
                    used.append(record)
            if used:
                assert self._columns
                self._columns.used_again(used)
            # Last of all: whatever interrupts this, the next look starts over.
            self._seen = fresh[0].stamp
        self._waiting.sort(entries)

    def build(self, entries: Entries[R], seconds: float | None) -> int:
        """Gives columns to records that wait for one.

        Args:
            entries: all records.
            seconds: when to stop at the latest, give or take a few milliseconds; None: when done;
                0: at once.

        Returns:
            How many still wait.
        """
        if not self._serves(entries):
            return 0
        self._look(entries)
        if seconds != 0:
            self._waiting.compared += _IMPORT  # who asks for the index has a use for it
            self._advance(entries, inf if seconds is None else seconds)
        return len(self._waiting)

    def _advance(self, entries: Entries[R], seconds: float) -> None:
        if not self._columns and "numpy" not in sys.modules and self._waiting.compared < _IMPORT:
            return
        try:
            if self._load(entries):
                self._give_columns(entries, perf_counter() + seconds)
        except BaseException as error:
            # Ctrl-C as well: half of a change would be worse than none of the index.
            for record in entries.values():
                record.column = -1
            self.clear()
            if not isinstance(error, MemoryError):
                raise
            self._can_index = False
        self._waiting.compared = 0

    def _give_columns(self, entries: Entries[R], deadline: float) -> None:
        assert self._columns
        while len(self._waiting):
            keys, records = self._waiting.oldest(entries, _BATCH)
            moved = self._columns.add(entries, records, self.capacity)
            self._waiting.remove(keys)
            self.restored(moved)
            if perf_counter() >= deadline:
                break

    def _load(self, entries: Entries[R]) -> bool:
        """Makes the columns when there are none; whether there are."""
        if self._columns is None:
            try:
                from .columns import Columns
            except ImportError:  # no numpy: every search looks at the texts
                self._can_index = False
                self.clear()
                return False
            # Spread over all of them: what comes first may be of one kind.
            every = max(1, len(entries) // _BATCH)
            sample = [record.searchable() for record in islice(entries.values(), 0, None, every)]
            self._columns = Columns(len(entries), self.capacity, sample)
        return True
