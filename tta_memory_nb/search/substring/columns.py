"""Which entry has which column of the signatures, and in what order.

Columns are given in the order of recency, so their order is that of the entries. The exceptions are
entries that were read, or brought back by an undo, after they got their column. They are out of
order, and kept apart with their present recency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, islice, repeat
from operator import attrgetter, contains, eq

import numpy as np
import numpy.typing as npt

from ...entry import Entry, recency
from ...filters import Filters
from ...keys import parse_memory_key
from ..query import Entries, Query, Test, newest
from .grams import WORD, Bits, is_exact, owner_rows
from .signature import SignatureIndex, bits_of
from .verified import LONGEST, Verified

# So many of the 64 entries of the oldest word may be moved to a new word, if they still exist.
_MOVED = 32

# One column in so many is spare, for what is written before the oldest entries are all gone.
_SPARE = 8

# The key of a free column: no entry has an empty key.
_NO_KEY = ""

# Of a text that may be in one of so many entries, or more, it is remembered which ones contain it.
_FREQUENT = 16

# From one entry in so many on, looking through all of them is quicker than looking some up by their keys.
_MOST = 3

# A search for a few hits compares so many candidates one by one, then more and more of them at once, up to
# so many: the call that compares one takes as long as comparing another one at once.
_ONE_BY_ONE = 64
_AT_ONCE = 4096

# Stands for an entry that does not exist; no column is its own.
_ABSENT = Entry("", b"{}", None, 0.0, None, _column=-2)

# So many plans of queries are cached, and only of needles up to so many bytes.
_PLANS = 1024
_LONGEST_PLANNED = 256


class Columns:
    """The entries of a `SignatureIndex`.

    Args:
        size: how many entries there are to be indexed.
        capacity: how many the store may hold.
        sample: texts of some of these entries.
    """

    def __init__(self, size: int, capacity: int, sample: Sequence[bytes]) -> None:
        room = max(size + size // 4, 1024)
        words = _words(min(room, max(capacity, size) + capacity // _SPARE))
        self._signatures = SignatureIndex(words, sample)
        columns = self._signatures.columns
        # Keys, not entries: an entry would stay in memory after its eviction.
        self._keys = [_NO_KEY] * columns
        # Rows by needle. Which rows select best changes little while few columns are added.
        self._plans: dict[bytes, Sequence[int]] = {}
        self._unplanned = 0
        self.newest = 0
        """Highest recency of all entries here, as of the last update."""
        self._last = 0  # highest recency of the entries in order
        self._recencies = np.zeros(columns, np.int64)
        self._out_of_order = np.zeros(columns, np.bool_)
        self._out_of_order_words: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self._out_of_order_bits: Bits = np.empty(0, WORD)
        # Instants of the last write, once a search has had use for them.
        self._instants: npt.NDArray[np.float64] | None = None
        # What is known of frequent texts, once one was counted.
        self._verified: Verified | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is kept for each column."""
        arrays = self._recencies.nbytes + self._out_of_order.nbytes + 8 * len(self._keys)
        if self._instants is not None:
            arrays += self._instants.nbytes
        if self._verified is not None:
            arrays += self._verified.nbytes
        return self._signatures.nbytes + arrays

    # ---- finding

    def rows(self, query: Query) -> Sequence[int]:
        """Returns the rows in which every match has its bit set, the most selective first.

        No rows mean that there can be no match.
        """
        needle = query.needle
        key = needle.utf8 if needle and query.accepts is None else None
        if key and (plan := self._plans.get(key)):
            return plan
        rows: set[int] = set()
        for part in (needle, *query.implied):
            if part:
                its_rows = self._signatures.rows_of(part.utf8)
                if its_rows is None:  # the next text may change this: not to be cached
                    return ()
                rows |= its_rows
        filters = query.filters
        if filters.user or filters.session:
            rows.update(owner_rows(filters.user, filters.session))
        plan = self._signatures.rarest(rows)
        if key and len(key) <= _LONGEST_PLANNED:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    def candidates_within(self, entries: Entries, query: Query) -> Bits | None:
        """Returns which columns may be candidates, by the span of the filters and by what is known; None for all."""
        within = self.within(entries, query.filters)
        if self._verified is None or query.needle is None:
            return within
        refuted = self._verified.refuted(query.needle.utf8)
        if refuted is None:
            return within
        return ~refuted if within is None else within & ~refuted

    def learn(self, query: Query, rows: Sequence[int], matching: Iterable[Entry]) -> None:
        """Notes what came of a search that has compared all candidates, so that the next one need not do so again.

        Args:
            query: a text alone.
            rows: as `rows` gives them.
            matching: all entries that match.
        """
        needle = query.needle
        if needle is None or len(needle.utf8) > LONGEST:
            return
        verified, candidates = self._remembered(), self._signatures.all_of(rows)
        unknown = verified.unknown(needle.utf8, candidates)
        columns = [entry._column for entry in matching if entry._column >= 0]
        verified.learn(needle.utf8, unknown, columns)

    def _remembered(self) -> Verified:
        if self._verified is None:
            self._verified = Verified(self._signatures.taken())
        return self._verified

    def within(self, entries: Entries, filters: Filters) -> Bits | None:
        """Returns which columns have entries that were written in the span of filters; None for no span."""
        since, until = filters.since, filters.until
        if since is None and until is None:
            return None
        instants = self._instants
        if instants is None:
            there, columns = self._all_with_columns(entries)
            instants = self._instants = np.full(len(self._keys), np.nan)
            instants[columns] = list(map(attrgetter("updated_at"), there))
        inside = np.ones(len(instants), np.bool_)
        if since is not None:
            inside &= instants >= since
        if until is not None:
            inside &= instants <= until
        return np.packbits(inside, bitorder="little").view(WORD)

    def newest_first(
        self, query: Query, rows: Sequence[int], wanted: int | None, within: Bits | None
    ) -> Iterator[Iterator[int]]:
        """Yields the columns of candidates that are out of order, newest first, then the others, newest first.

        Args:
            query: what is looked for.
            rows: as `rows` gives them.
            wanted: how many of each the caller is likely to take; None for all.
            within: which columns may be candidates; None for all.
        """
        blocks = self._signatures.candidates(rows, wanted, within, _utf8(query))
        others = chain.from_iterable(blocks)
        if len(self._out_of_order_words):
            words, bits = self._out_of_order_words, self._out_of_order_bits
            if within is not None:
                bits = bits & within[words]
            used_again = np.array(self._signatures.among(rows, words, bits), np.intp)
            yield self._by_recency(used_again, wanted)
            out_of_order = self._out_of_order.data
            yield (column for column in others if not out_of_order[column])
        else:
            yield others

    def matching(
        self,
        entries: Entries,
        columns: Iterator[int],
        query: Query,
        matches: Test,
        wanted: int | None,
        before: float,
    ) -> list[Entry]:
        """Returns the first matches below a recency, of columns that come newest first.

        Args:
            entries: all entries.
            columns: the newest first.
            query: what is looked for.
            matches: its test, which says whether an entry matches.
            wanted: how many at most; None for all.
            before: entries of this recency or a higher one were looked at already.
        """
        needle, accepts = query.needle, query.accepts
        if needle is None:
            return newest(self._there(entries, columns), matches, wanted, before)
        found: list[Entry] = []
        size = _AT_ONCE
        if wanted is not None:
            # The first of many matches are enough for most searches.
            size = _ONE_BY_ONE
            first = self._there(entries, islice(columns, size))
            found = newest(first, matches, wanted, before)
        while wanted is None or len(found) < wanted:
            column = next(columns, None)
            if column is None:
                break
            block = [column, *islice(columns, size)]
            keys = map(self._keys.__getitem__, block)
            there = self._all_there(entries, block, keys)
            has_it = (
                query.with_texts(there)
                if query.beginnings
                else self._containing(there, needle.utf8)
            )
            more = [entry for entry in has_it if entry._recency < before]
            left = None if wanted is None else wanted - len(found)
            found += more[:left] if accepts is None else newest(more, accepts, left, before)
            size = min(2 * size, _AT_ONCE)
        return found

    def _there(self, entries: Entries, columns: Iterable[int]) -> Iterator[Entry]:
        """Yields the entries of some columns, as far as they still exist."""
        keys = self._keys
        for column in columns:
            entry = entries.get(keys[column])
            if entry is not None and entry._column == column:
                yield entry

    def _by_recency(self, columns: npt.NDArray[np.intp], wanted: int | None) -> Iterator[int]:
        """Yields columns by recency, the highest first; sorts only as far as needed."""
        recencies = self._recencies[columns]
        block = len(columns) if wanted is None else 4 * wanted
        while len(columns) > block:
            split = len(columns) - block
            order = np.argpartition(recencies, split)
            top = order[split:]
            yield from columns[top[np.argsort(-recencies[top])]].tolist()
            columns, recencies = columns[order[:split]], recencies[order[:split]]
            block *= 8
        yield from columns[np.argsort(-recencies)].tolist()

    def candidates(self, entries: Entries, query: Query) -> list[Entry]:
        """Returns all candidates, in no order."""
        within = self.candidates_within(entries, query)
        blocks = self._signatures.candidates(self.rows(query), None, within, _utf8(query))
        columns = list(chain.from_iterable(blocks))
        return self._all_there(entries, columns, map(self._keys.__getitem__, columns))

    @staticmethod
    def _all_there(entries: Entries, columns: list[int], keys: Iterable[str]) -> list[Entry]:
        """Returns the entries of some columns, as far as they still exist; quicker than `_there` for many.

        Args:
            entries: all entries.
            columns: the columns.
            keys: the key of each.
        """
        found = list(map(entries.get, keys, repeat(_ABSENT)))
        theirs = list(map(attrgetter("_column"), found))
        return found if theirs == columns else list(compress(found, map(eq, theirs, columns)))

    @staticmethod
    def _all_with_columns(
        entries: Entries, within: Bits | None = None
    ) -> tuple[list[Entry], npt.NDArray[np.intp]]:
        """Returns all entries that have a column, in no order, and their columns; quicker than `_all_there` for most of them.

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

    def count(self, entries: Entries, query: Query, there: int) -> int:
        """Returns how many entries match, of those that have a column.

        Args:
            entries: all entries.
            query: what is looked for.
            there: how many entries have a column.
        """
        needle, accepts = query.needle, query.accepts
        if needle is None:
            return sum(map(query.test(), self.candidates(entries, query)))
        utf8 = needle.utf8
        if accepts is None or query.is_span_alone:
            rows = self.rows(query)
            is_frequent = rows and self._signatures.count(rows[0]) * _FREQUENT > there
            if is_frequent and len(utf8) <= LONGEST:
                matching = self._frequent(entries, utf8, rows)
                if self._remembered_alive(entries, there):
                    return self._remembered().count(matching, self.within(entries, query.filters))
            accepts = None  # what `candidates` gives is within the span
        candidates = self.candidates(entries, query)
        found = candidates if is_exact(utf8) else self._containing(candidates, utf8)
        return len(found) if accepts is None else sum(map(accepts, found))

    def _frequent(self, entries: Entries, utf8: bytes, rows: Sequence[int]) -> Bits:
        """Returns which columns have a text that many entries contain; compares each of them only once."""
        candidates = self._signatures.all_of(rows)
        if is_exact(utf8):
            return candidates
        having_runs = self._signatures.having_runs(utf8, rows)
        if having_runs is not None:
            candidates = candidates & having_runs[: len(candidates)]
        verified = self._remembered()
        unknown = verified.unknown(utf8, candidates)
        columns = bits_of(unknown)
        if len(columns):
            if len(columns) * _MOST > len(entries):
                found, columns = self._all_with_columns(entries, unknown)
            else:
                numbers = columns.tolist()
                found = self._all_there(entries, numbers, map(self._keys.__getitem__, numbers))
                if len(found) < len(columns):
                    columns = np.array([each._column for each in found], np.intp)
            columns = columns[np.fromiter(self._contain(found, utf8), np.bool_, len(columns))]
            verified.learn(utf8, unknown, columns)
        return verified.matching(utf8)

    def _remembered_alive(self, entries: Entries, there: int) -> bool:
        """Finds out which columns belong to entries that are gone; returns whether this is certain.

        Args:
            entries: all entries.
            there: how many entries have a column.
        """
        verified = self._remembered()
        if verified.alive != there:
            # Evicted entries were used less recently than all others.
            oldest = next(iter(entries.values()))._recency if entries else 0
            verified.retain(self._recencies >= oldest)
        if verified.alive != there:
            alive = np.zeros(len(self._keys), np.bool_)
            columns = verified.columns().tolist()
            there_now = self._all_there(entries, columns, map(self._keys.__getitem__, columns))
            alive[[each._column for each in there_now]] = True
            verified.retain(alive)
        if verified.alive != there:  # a signal handler has read or written meanwhile
            self._verified = None
            return False
        return True

    @classmethod
    def _containing(cls, entries: list[Entry], utf8: bytes) -> list[Entry]:
        """Returns the entries that contain a folded text, of some that have a column."""
        return list(compress(entries, cls._contain(entries, utf8)))

    @staticmethod
    def _contain(entries: list[Entry], utf8: bytes) -> Iterator[bool]:
        """Yields whether entries that have a column contain a folded text."""
        return map(contains, map(attrgetter("_folded"), entries), repeat(utf8))

    # ---- writing

    def used_again(self, used: Sequence[Entry]) -> None:
        """Records that entries, the oldest first, were used after they got their columns."""
        columns = [entry._column for entry in used]
        self._recencies[columns] = [entry._recency for entry in used]
        self.newest = max(self.newest, used[-1]._recency)
        self._mark_out_of_order(columns)

    def _mark_out_of_order(self, columns: list[int]) -> None:
        self._out_of_order[columns] = True
        self._gather_out_of_order()

    def _gather_out_of_order(self) -> None:
        bits = np.packbits(self._out_of_order, bitorder="little").view(WORD)
        self._out_of_order_words = bits.nonzero()[0]
        self._out_of_order_bits = bits[self._out_of_order_words]

    def add(self, entries: Entries, added: list[Entry], capacity: int) -> list[Entry]:
        """Gives columns to entries; returns the entries that lost theirs to make room."""
        if not added:
            return []
        self._unplanned += len(added)
        if self._unplanned * _SPARE > self._signatures.columns:
            self._plans.clear()
            self._unplanned = 0
        added.sort(key=recency)
        moved = self._make_room(len(added), entries, capacity)
        columns = self._signatures.append(
            [entry._searchable() for entry in added],
            [_owner_rows(entry.key) for entry in added],
        )
        self._recencies[columns] = [entry._recency for entry in added]
        if self._instants is not None:
            self._instants[columns] = [entry.updated_at for entry in added]
        if self._verified is not None:
            self._verified.added(columns)
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
        return moved

    def _make_room(self, count: int, entries: Entries, capacity: int) -> list[Entry]:
        moved: list[Entry] = []
        signatures, keys = self._signatures, self._keys
        while signatures.free() < count:
            oldest = signatures.oldest()
            there = list(self._there(entries, oldest))
            if len(there) > _MOVED and self._grow(entries, capacity):
                continue
            for entry in there:
                entry._column = -1
            moved += there
            signatures.clear_oldest()
            if self._verified is not None:
                self._verified.cleared(oldest.start >> 6)
            keys[oldest.start : oldest.stop] = [_NO_KEY] * len(oldest)
            if self._out_of_order[oldest.start : oldest.stop].any():
                self._out_of_order[oldest.start : oldest.stop] = False
                self._gather_out_of_order()
        return moved

    def _grow(self, entries: Entries, capacity: int) -> bool:
        """Makes more columns, if most are taken by entries that still exist; returns whether it did."""
        old = self._signatures.columns
        enough = max(capacity, len(entries))
        # Twice as many as entries only if entries that are read again and again fill the old words.
        most = enough + enough // _SPARE if old < enough else 2 * enough
        words = _words(min(2 * old, most))
        if len(entries) * 4 < old * 3 or words * 64 <= old:
            return False
        back = self._signatures.grow(words)
        self._verified = None
        if back:
            self._keys = self._keys[back:] + self._keys[:back]
            self._recencies = np.roll(self._recencies, -back)
            self._out_of_order = np.roll(self._out_of_order, -back)
            if self._instants is not None:
                self._instants = np.roll(self._instants, -back)
            for column, key in enumerate(self._keys):
                entry = entries.get(key)
                if entry is not None and entry._column == (column + back) % old:
                    entry._column = column
        more = self._signatures.columns - old
        self._keys += [_NO_KEY] * more
        self._recencies = np.append(self._recencies, np.zeros(more, np.int64))
        self._out_of_order = np.append(self._out_of_order, np.zeros(more, np.bool_))
        if self._instants is not None:
            self._instants = np.append(self._instants, np.full(more, np.nan))
        self._gather_out_of_order()
        return True


def _utf8(query: Query) -> bytes:
    return b"" if query.needle is None else query.needle.utf8


def _words(columns: int) -> int:
    # One more, for the word that is being filled.
    return -(-columns // 64) + 1


def _owner_rows(key: str) -> Sequence[int]:
    parts = parse_memory_key(key)
    return () if parts is None else owner_rows(parts.user, parts.session)
