"""The substring index of one store: finds the newest by looking at them, the others by signatures.

A search walks over the newest entries as long as that pays, then over those that are unindexed, then
over the candidates of the signatures; it compares each with the text itself. A write indexes nothing.
Searches do that, a slice at a time, and none does before there are so many entries that looking at
all of them takes longer.

The store's own dict is the one truth. The index holds keys, and a column counts only while the entry
under its key says that this is its column. So overwriting, evicting and deleting need not tell the
index anything, and what they remove is released at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

from ...entry import Entry, recency
from ..options import SearchOptions
from ..query import Entries, Query, hits_of, newest, used_since
from ..request import Hit
from .unindexed import FEW, Unindexed

if TYPE_CHECKING:
    from .columns import Columns

# A search looks at so many of the newest entries in any case. It looks at more of them as long as the
# remaining hits seem to lie within so many more, or, where all hits are wanted, while one in 4 matches.
_PRESCAN = 4
_AHEAD = 160

# Comparing so many texts costs as much as indexing a few: a search may put off that much work.
_PUT_OFF = 256

# What came of comparing candidates for so many seconds is remembered.
_LONG = 0.001

# The import of numpy costs as much as comparing so many texts, where nothing has imported it yet.
_IMPORT = 200_000

# So many entries get their columns in one step, and so many are the sample that decides on rows.
_BATCH = 256

# Multiples of this ratio, without their integers, are spread evenly and not in step with anything.
_GOLDEN = 0.6180339887498949


class SubstringIndex:
    """An `Index` for exact substring search. Callers hold the store's lock.

    Args:
        capacity: how many entries the store may hold.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._can_index = True  # until numpy, or the memory for an index, is found missing
        self.clear()

    def clear(self) -> None:
        """Starts over, for a store that holds no entry, or none with a column."""
        self._unindexed = Unindexed()
        self._columns: Columns | None = None
        # Entries of a higher recency were written or read since the index was brought up to date.
        self._seen = 0

    @property
    def is_built(self) -> bool:
        """Whether any entry has a column."""
        return self._columns is not None

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return self._columns.nbytes if self._columns else 0

    def restored(self, entries: Iterable[Entry]) -> None:
        """Takes in entries that come back with a recency they had before."""
        for entry in entries:
            self._unindexed.add_back(entry)
            entry._column = -1

    # ---- finding

    def find(self, entries: Entries, query: Query, limit: int | None) -> list[Hit]:
        """Returns the newest hits, newest first; all of them when the limit is None."""
        serves = query.is_narrow and self._serves(entries)
        excludes_unindexed = False
        if serves and 0 < len(self._unindexed) <= FEW and query.needle:
            self._update(entries)
            excludes_unindexed = self._unindexed.exclude(query.needle)
        found, last = self._walk(entries, query, limit, serves, excludes_unindexed)
        if last is None:
            return hits_of(found, query)
        matches = query.test()
        self._update(entries)
        wanted = None if limit is None else limit - len(found)
        more: list[Entry] = []
        spent = 0.0
        if len(self._unindexed) and not excludes_unindexed:
            started = perf_counter()
            # Of many texts, raw JSON excludes most, and folding these would not pay.
            test = query.test(once=True) if len(self._unindexed) > FEW else matches
            more = newest(self._unindexed.newest_first(entries), test, wanted, last)
            spent = perf_counter() - started
        columns = self._columns
        if columns and (wanted is None or len(more) < wanted or more[-1]._recency < columns.newest):
            rows = columns.rows(query)
            if rows:
                started = perf_counter()
                within = columns.candidates_within(entries, query)
                for candidates in columns.newest_first(query, rows, wanted, within):
                    more += columns.matching(entries, candidates, query, matches, wanted, last)
                # The search has compared all candidates if it has found too few.
                is_complete = wanted is None or len(more) < wanted
                if is_complete and perf_counter() - started > _LONG:
                    columns.learn(query, rows, found + more)
                more.sort(key=recency, reverse=True)
        if self._unindexed.compared >= _PUT_OFF:
            self._advance(entries, max(0.001, spent))
        return hits_of(found + more[:wanted], query)

    def count(self, entries: Entries, query: Query) -> int:
        """Returns how many entries match."""
        if not query.is_narrow or not self._serves(entries):
            return sum(map(query.test(), entries.values()))
        self._update(entries)
        started = perf_counter()
        unindexed = list(self._unindexed.newest_first(entries))
        total = sum(map(query.test(once=True), unindexed))
        spent = perf_counter() - started
        if self._columns:
            total += self._columns.count(entries, query, len(entries) - len(unindexed))
        if self._unindexed.compared >= _PUT_OFF:
            self._advance(entries, max(0.001, spent))
        return total

    def candidates(self, entries: Entries, query: Query) -> list[Entry]:
        """Returns all entries that may match, newest first, without a look at any text."""
        if not query.is_narrow or not self._serves(entries):
            return list(reversed(entries.values()))
        self._update(entries)
        found = list(self._unindexed.newest_first(entries))
        if self._columns:
            found += self._columns.candidates(entries, query)
        found.sort(key=recency, reverse=True)
        return found

    def _walk(
        self,
        entries: Entries,
        query: Query,
        limit: int | None,
        serves: bool,
        excludes_unindexed: bool,
    ) -> tuple[list[Entry], float | None]:
        """Looks at the newest entries.

        Args:
            entries: all entries.
            query: what is looked for.
            limit: how many are wanted.
            serves: whether the columns can find the others.
            excludes_unindexed: whether entries without a column are known not to match.

        Returns:
            The matches, and the recency of the last entry that was looked at; None when the search
            is done.
        """
        found: list[Entry] = []
        pause = _PRESCAN if serves else inf
        # Without filters, the comparison takes less time than the call of a function that makes it.
        text, matches = b"", None
        if query.needle and query.accepts is None:
            text = query.needle.utf8
        else:
            matches = query.test()
        for scanned, entry in enumerate(reversed(entries.values()), start=1):
            if not (excludes_unindexed and entry._column < 0) and (
                text in (entry._folded or entry._searchable())
                if matches is None
                else matches(entry)
            ):
                found.append(entry)
                if len(found) == limit:
                    return found, None
            if scanned == pause:
                ahead = inf if limit is None else (limit - len(found)) * scanned
                if len(found) * 4 < scanned if limit is None else ahead > len(found) * _AHEAD:
                    return found, entry._recency
                pause += _PRESCAN
        return found, None

    def _serves(self, entries: Entries) -> bool:
        """Whether asking the columns pays, compared with looking at every entry."""
        if len(entries) > FEW:
            return self._can_index
        if not entries:
            self.clear()
        return self._columns is not None

    # ---- keeping up

    def _update(self, entries: Entries) -> None:
        """Takes in what was written and read since the last time."""
        fresh = used_since(entries, self._seen)
        if fresh:
            used = []
            for entry in fresh:
                if entry._column < 0:
                    self._unindexed.add(entry)
                else:
                    used.append(entry)
            if used:
                assert self._columns
                self._columns.used_again(used)
            # Last of all: if anything interrupts this, the next update starts over.
            self._seen = fresh[-1]._recency
        self._unindexed.sort(entries)

    def update(self, entries: Entries, options: SearchOptions, seconds: float | None) -> int:  # noqa: ARG002
        """Returns 0: a search needs no column, and gives some itself."""
        return 0

    def build(self, entries: Entries, seconds: float | None) -> int:
        """Gives columns to unindexed entries.

        Args:
            entries: all entries.
            seconds: when to stop at the latest, give or take some milliseconds; None: when done;
                0: at once.

        Returns:
            How many entries are still unindexed.
        """
        if not self._serves(entries):
            return 0
        self._update(entries)
        if seconds != 0:
            self._unindexed.compared += _IMPORT  # a caller who asks for the index has a use for it
            self._advance(entries, inf if seconds is None else seconds)
        return len(self._unindexed)

    def _advance(self, entries: Entries, seconds: float) -> None:
        if not self._columns and "numpy" not in sys.modules and self._unindexed.compared < _IMPORT:
            return
        try:
            if self._load(entries):
                self._give_columns(entries, perf_counter() + seconds)
        except BaseException as error:
            # Ctrl-C as well: half of a change would be worse than no index.
            for entry in entries.values():
                entry._column = -1
            self.clear()
            if not isinstance(error, MemoryError):
                raise
            self._can_index = False
        self._unindexed.compared = 0

    def _give_columns(self, entries: Entries, deadline: float) -> None:
        assert self._columns
        while len(self._unindexed):
            keys, oldest = self._unindexed.oldest(entries, _BATCH)
            moved = self._columns.add(entries, oldest, self.capacity)
            self._unindexed.remove(keys)
            self.restored(moved)
            if perf_counter() >= deadline:
                break

    def _load(self, entries: Entries) -> bool:
        """Makes the columns when there are none; returns whether there are any."""
        if self._columns is None:
            try:
                from .columns import Columns
            except ImportError:  # no numpy: every search looks at the texts
                self._can_index = False
                self.clear()
                return False
            # A sample of all of them, since the first ones may be of one kind, and each k-th one as well, such as all
            # that users say and nothing that assistants do.
            there = list(entries.values())
            chosen = (int(number * _GOLDEN % 1 * len(there)) for number in range(_BATCH))
            sample = [there[place]._searchable() for place in chosen]
            self._columns = Columns(len(entries), self.capacity, sample)
        return True
