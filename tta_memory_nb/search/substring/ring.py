"""Which entry has which column of the signatures, in what order, and when it was written.

Columns are given in the order of recency, so their order is that of the entries. The exceptions are
entries that were read, or brought back by an undo, after they got their column. They are out of
order, and kept apart with their present recency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from operator import attrgetter, eq

import numpy as np
import numpy.typing as npt

from ...entry import Entry
from ...filters import Filters
from ..query import Entries
from .grams import WORD, Bits

# The key of a free column: no entry has an empty key.
_NO_KEY = ""

# Stands for an entry that does not exist; no column is its own.
_ABSENT = Entry("", b"{}", None, 0.0, None, _column=-2)


class Ring:
    """The entries of a ring of columns.

    Args:
        columns: how many columns there are.

    Attributes:
        newest: the highest recency of all entries here, as of the last update.
        recencies: by column, the recency of its entry as of then.
        out_of_order: by column, whether its entry is out of order.
        out_of_order_words: which words of 64 columns have such ones.
        out_of_order_bits: the bits of these words.
    """

    def __init__(self, columns: int) -> None:
        # Keys, not entries: an entry would stay in memory after its eviction.
        self._keys = [_NO_KEY] * columns
        self.newest = 0
        self._last = 0  # highest recency of the entries in order
        self.recencies = np.zeros(columns, np.int64)
        self.out_of_order = np.zeros(columns, np.bool_)
        self.out_of_order_words: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self.out_of_order_bits: Bits = np.empty(0, WORD)
        # Instants of the last write, once a search has had use for them.
        self._instants: npt.NDArray[np.float64] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is kept for each column."""
        arrays = self.recencies.nbytes + self.out_of_order.nbytes + 8 * len(self._keys)
        return arrays if self._instants is None else arrays + self._instants.nbytes

    # ---- finding

    def within(self, entries: Entries, filters: Filters) -> Bits | None:
        """Returns which columns have entries that were written in the span of filters; None for no span."""
        since, until = filters.since, filters.until
        if since is None and until is None:
            return None
        instants = self._instants
        if instants is None:
            there, columns = self.all_with_columns(entries)
            instants = self._instants = np.full(len(self._keys), np.nan)
            instants[columns] = list(map(attrgetter("updated_at"), there))
        inside = np.ones(len(instants), np.bool_)
        if since is not None:
            inside &= instants >= since
        if until is not None:
            inside &= instants <= until
        return np.packbits(inside, bitorder="little").view(WORD)

    def there(self, entries: Entries, columns: Iterable[int]) -> Iterator[Entry]:
        """Yields the entries of some columns, as far as they still exist."""
        keys = self._keys
        for column in columns:
            entry = entries.get(keys[column])
            if entry is not None and entry._column == column:
                yield entry

    def all_there(self, entries: Entries, columns: list[int]) -> list[Entry]:
        """Returns the entries of some columns, as far as they still exist; quicker than `there` for many."""
        keys = map(self._keys.__getitem__, columns)
        found = list(map(entries.get, keys, repeat(_ABSENT)))
        theirs = list(map(attrgetter("_column"), found))
        return found if theirs == columns else list(compress(found, map(eq, theirs, columns)))

    @staticmethod
    def all_with_columns(
        entries: Entries, within: Bits | None = None
    ) -> tuple[list[Entry], npt.NDArray[np.intp]]:
        """Returns all entries that have a column, in no order, and their columns; quicker than `all_there` for most of them.

        Args:
            entries: all entries.
            within: which columns; None for all.
        """
        # Not by the method of OrderedDict, which looks each key up.
        there = list(dict.values(entries))
        columns = np.fromiter(map(attrgetter("_column"), there), np.intp, len(there))
        chosen = columns >= 0
        if within is not None:
            flags = np.unpackbits(within.view(np.uint8), bitorder="little").view(np.bool_)
            chosen &= columns < len(flags)
            chosen[chosen] = flags[columns[chosen]]
        return list(compress(there, chosen.tolist())), columns[chosen]

    def by_recency(self, columns: npt.NDArray[np.intp], wanted: int | None) -> Iterator[int]:
        """Yields columns by recency, the highest first; sorts only as far as needed."""
        recencies = self.recencies[columns]
        block = len(columns) if wanted is None else 4 * wanted
        while len(columns) > block:
            split = len(columns) - block
            order = np.argpartition(recencies, split)
            top = order[split:]
            yield from columns[top[np.argsort(-recencies[top])]].tolist()
            columns, recencies = columns[order[:split]], recencies[order[:split]]
            block *= 8
        yield from columns[np.argsort(-recencies)].tolist()

    # ---- writing

    def used_again(self, used: Sequence[Entry]) -> None:
        """Records that entries, the oldest first, were used after they got their columns."""
        columns = [entry._column for entry in used]
        self.recencies[columns] = [entry._recency for entry in used]
        self.newest = max(self.newest, used[-1]._recency)
        self._mark_out_of_order(columns)

    def add(self, columns: Sequence[int], added: Sequence[Entry]) -> None:
        """Gives columns to entries, of which the oldest comes first."""
        self.recencies[columns] = [entry._recency for entry in added]
        if self._instants is not None:
            self._instants[columns] = [entry.updated_at for entry in added]
        out_of_order = []
        for column, entry in zip(columns, added, strict=True):
            self._keys[column] = entry.key
            entry._column = column
            if entry._recency < self._last:
                out_of_order.append(column)
            else:
                self._last = entry._recency
        self.newest = max(self.newest, added[-1]._recency)
        if out_of_order:
            self._mark_out_of_order(out_of_order)

    def clear(self, columns: range) -> None:
        """Takes columns away from their entries."""
        self._keys[columns.start : columns.stop] = [_NO_KEY] * len(columns)
        if self.out_of_order[columns.start : columns.stop].any():
            self.out_of_order[columns.start : columns.stop] = False
            self._gather_out_of_order()

    def grow(self, entries: Entries, columns: int, back: int) -> None:
        """Makes room for more columns.

        Args:
            entries: all entries.
            columns: how many columns there are now.
            back: by how many columns those that there were have moved back in the ring.
        """
        old = len(self._keys)
        if back:
            self._keys = self._keys[back:] + self._keys[:back]
            self.recencies = np.roll(self.recencies, -back)
            self.out_of_order = np.roll(self.out_of_order, -back)
            if self._instants is not None:
                self._instants = np.roll(self._instants, -back)
            for column, key in enumerate(self._keys):
                entry = entries.get(key)
                if entry is not None and entry._column == (column + back) % old:
                    entry._column = column
        more = columns - old
        self._keys += [_NO_KEY] * more
        self.recencies = np.append(self.recencies, np.zeros(more, np.int64))
        self.out_of_order = np.append(self.out_of_order, np.zeros(more, np.bool_))
        if self._instants is not None:
            self._instants = np.append(self._instants, np.full(more, np.nan))
        self._gather_out_of_order()

    def _mark_out_of_order(self, columns: list[int]) -> None:
        self.out_of_order[columns] = True
        self._gather_out_of_order()

    def _gather_out_of_order(self) -> None:
        bits = np.packbits(self.out_of_order, bitorder="little").view(WORD)
        self.out_of_order_words = bits.nonzero()[0]
        self.out_of_order_bits = bits[self.out_of_order_words]
