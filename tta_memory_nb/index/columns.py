"""Which record stands in which column of the signatures, and in what order.

Columns are given in the order of recency, so their order is that of the records, but for strays:
records that were read, or brought back by an undo, after their column was given. They are kept
apart, with their present stamps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from operator import attrgetter, contains
from typing import Generic

import numpy as np
import numpy.typing as npt

from ..keys import parse_memory_key
from .grams import WORD, Bits, is_exact, owner_rows
from .query import Entries, Query, R
from .signature import SignatureIndex

# Of the 64 records of the oldest word, so many that are still there may be moved to a new one.
_MOVED = 32

# Share of the columns that is left free for what is written before the oldest are all gone.
_SPARE = 8

# Of a column that no record has: no record has an empty key.
_NO_KEY = ""

# So many queries are remembered, as long as they are no longer than this.
_PLANS = 1024
_LONGEST_PLANNED = 256


class Columns(Generic[R]):
    """The records of a `SignatureIndex`.

    Args:
        size: how many records there are to be indexed.
        capacity: how many the store may hold.
        sample: texts of some of them.
    """

    def __init__(self, size: int, capacity: int, sample: Sequence[bytes]) -> None:
        room = max(size + size // 4, 1024)
        words = _words(min(room, max(capacity, size) + capacity // _SPARE))
        self._signatures = SignatureIndex(words, sample)
        columns = self._signatures.columns
        # A key and no record, which would stay in memory after its eviction.
        self._keys = [_NO_KEY] * columns
        # Rows by needle; which of them tell most changes little while few columns are added.
        self._plans: dict[bytes, Sequence[int]] = {}
        self._unplanned = 0
        self.newest = 0
        """Highest stamp of all the records here, as far as they have been looked at."""
        self._last = 0  # highest stamp of those that are no strays
        self._stamps = np.zeros(columns, np.int64)
        self._stray = np.zeros(columns, np.bool_)
        self._stray_words: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self._stray_bits: Bits = np.empty(0, WORD)

    @property
    def nbytes(self) -> int:
        """Bytes of all that there is for each column."""
        arrays = self._stamps.nbytes + self._stray.nbytes + 8 * len(self._keys)
        return self._signatures.nbytes + arrays

    # ---- finding

    def rows(self, query: Query[R]) -> Sequence[int]:
        """The rows in which every match has its bit set, those that tell most first.

        None at all means that there can be no match.
        """
        needle = query.needle
        key = needle.utf8 if needle and query.accepts is None else None
        if key and (plan := self._plans.get(key)):
            return plan
        rows: set[int] = set()
        for part in (needle, *query.implied):
            if part:
                its_rows = self._signatures.rows_of(part.utf8)
                if its_rows is None:  # which the next text may change: not to be remembered
                    return ()
                rows |= its_rows
        if query.user or query.session:
            rows.update(owner_rows(query.user, query.session))
        plan = self._signatures.rarest(rows)
        if key and len(key) <= _LONGEST_PLANNED:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    def newest_first(
        self, entries: Entries[R], rows: Sequence[int], wanted: int | None
    ) -> Iterator[Iterator[R]]:
        """Candidates, newest first: once the strays among them, and once all others.

        Args:
            entries: all records.
            rows: from `rows`.
            wanted: how many of each are likely to be taken.
        """
        others = chain.from_iterable(self._signatures.candidates(rows, wanted))
        if len(self._stray_words):
            strays = self._signatures.among(rows, self._stray_words, self._stray_bits)
            yield self._there(entries, self._by_stamp(np.array(strays, np.intp), wanted))
            stray = self._stray.data
            yield self._there(entries, (column for column in others if not stray[column]))
        else:
            yield self._there(entries, others)

    def _there(self, entries: Entries[R], columns: Iterable[int]) -> Iterator[R]:
        """The records of some columns, as far as they are still there."""
        keys = self._keys
        for column in columns:
            record = entries.get(keys[column])
            if record is not None and record.column == column:
                yield record

    def _by_stamp(self, columns: npt.NDArray[np.intp], wanted: int | None) -> Iterator[int]:
        """Columns in the order of their stamps, the highest first; sorted as far as needed."""
        stamps = self._stamps[columns]
        block = len(columns) if wanted is None else 4 * wanted
        while len(columns) > block:
            split = len(columns) - block
            order = np.argpartition(stamps, split)
            top = order[split:]
            yield from columns[top[np.argsort(-stamps[top])]].tolist()
            columns, stamps = columns[order[:split]], stamps[order[:split]]
            block *= 8
        yield from columns[np.argsort(-stamps)].tolist()

    def candidates(self, entries: Entries[R], query: Query[R]) -> list[R]:
        """All candidates, in no order."""
        columns = self._signatures.candidates(self.rows(query), None)
        return list(self._there(entries, chain.from_iterable(columns)))

    def count(self, entries: Entries[R], query: Query[R]) -> int:
        """How many records match."""
        records = self.candidates(entries, query)
        needle = query.needle
        if needle is None or query.accepts:
            return sum(map(query.test(), records))
        if is_exact(needle.utf8):
            return len(records)
        return sum(map(contains, map(attrgetter("folded"), records), repeat(needle.utf8)))

    # ---- writing

    def used_again(self, records: Sequence[R]) -> None:
        """Takes note that records, the oldest first, are newer than their columns say."""
        columns = [record.column for record in records]
        self._stamps[columns] = [record.stamp for record in records]
        self.newest = max(self.newest, records[-1].stamp)
        self._mark_strays(columns)

    def _mark_strays(self, columns: list[int]) -> None:
        self._stray[columns] = True
        self._gather_strays()

    def _gather_strays(self) -> None:
        bits = np.packbits(self._stray, bitorder="little").view(WORD)
        self._stray_words = bits.nonzero()[0]
        self._stray_bits = bits[self._stray_words]

    def add(self, entries: Entries[R], records: list[R], capacity: int) -> list[R]:
        """Gives columns to records; gives those that have lost theirs to make room."""
        if not records:
            return []
        self._unplanned += len(records)
        if self._unplanned * _SPARE > self._signatures.columns:
            self._plans.clear()
            self._unplanned = 0
        records.sort(key=lambda record: record.stamp)
        moved = self._make_room(len(records), entries, capacity)
        columns = self._signatures.append(
            [record.searchable() for record in records],
            [_owner_rows(record.key) for record in records],
        )
        self._stamps[columns] = [record.stamp for record in records]
        strays = []
        for column, record in zip(columns, records, strict=True):
            self._keys[column] = record.key
            record.column = column
            if record.stamp < self._last:
                strays.append(column)
            else:
                self._last = record.stamp
        self.newest = max(self.newest, records[-1].stamp)
        if strays:
            self._mark_strays(strays)
        return moved

    def _make_room(self, count: int, entries: Entries[R], capacity: int) -> list[R]:
        moved: list[R] = []
        signatures, keys = self._signatures, self._keys
        while signatures.free() < count:
            oldest = signatures.oldest()
            there = list(self._there(entries, oldest))
            if len(there) > _MOVED and self._grow(entries, capacity):
                continue
            for record in there:
                record.column = -1
            moved += there
            signatures.clear_oldest()
            keys[oldest.start : oldest.stop] = [_NO_KEY] * len(oldest)
            if self._stray[oldest.start : oldest.stop].any():
                self._stray[oldest.start : oldest.stop] = False
                self._gather_strays()
        return moved

    def _grow(self, entries: Entries[R], capacity: int) -> bool:
        """Makes more columns where most are taken by records that are still there."""
        old = self._signatures.columns
        enough = max(capacity, len(entries))
        # Twice as many as records only when those that are read time and again fill the old words.
        most = enough + enough // _SPARE if old < enough else 2 * enough
        words = _words(min(2 * old, most))
        if len(entries) * 4 < old * 3 or words * 64 <= old:
            return False
        back = self._signatures.grow(words)
        if back:
            self._keys = self._keys[back:] + self._keys[:back]
            self._stamps = np.roll(self._stamps, -back)
            self._stray = np.roll(self._stray, -back)
            for column, key in enumerate(self._keys):
                record = entries.get(key)
                if record is not None and record.column == (column + back) % old:
                    record.column = column
        more = self._signatures.columns - old
        self._keys += [_NO_KEY] * more
        self._stamps = np.append(self._stamps, np.zeros(more, np.int64))
        self._stray = np.append(self._stray, np.zeros(more, np.bool_))
        self._gather_strays()
        return True


def _words(columns: int) -> int:
    # One more, for the word that is being filled.
    return -(-columns // 64) + 1


def _owner_rows(key: str) -> Sequence[int]:
    parts = parse_memory_key(key)
    return () if parts is None else owner_rows(parts.user, parts.session)
