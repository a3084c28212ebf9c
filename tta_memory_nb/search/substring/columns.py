"""What searches ask of the signatures of entries, and how entries get theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, islice, repeat
from operator import attrgetter, contains

import numpy as np

from ...entry import Entry, recency
from ...keys import parse_memory_key
from ..query import Entries, Query, Test, newest
from .grams import Bits, is_exact, owner_rows
from .ring import Ring
from .signature import SignatureIndex, bits_of
from .verified import LONGEST, Verified

# So many of the 64 entries of the oldest word may be moved to a new word, if they still exist.
_MOVED = 32

# One column in so many is spare, for what is written before the oldest entries are all gone.
_SPARE = 8

# Of a text that may be in one of so many entries, or more, it is remembered which ones contain it.
_FREQUENT = 16

# From one entry in so many on, looking through all of them is quicker than looking some up by their keys.
_MOST = 3

# A search for a few hits compares so many candidates one by one, then more and more of them at once, up to
# so many: the call that compares one takes as long as comparing another one at once.
_ONE_BY_ONE = 64
_AT_ONCE = 4096

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
        self._ring = Ring(self._signatures.columns)
        # Rows by needle. Which rows select best changes little while few columns are added.
        self._plans: dict[bytes, Sequence[int]] = {}
        self._unplanned = 0
        # What is known of frequent texts, once one was counted.
        self._verified: Verified | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is kept for each column."""
        verified = 0 if self._verified is None else self._verified.nbytes
        return self._signatures.nbytes + self._ring.nbytes + verified

    @property
    def newest(self) -> int:
        """Highest recency of all entries here, as of the last update."""
        return self._ring.newest

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
        within = self._ring.within(entries, query.filters)
        if self._verified is None or (fact := query.fact()) is None:
            return within
        refuted = self._verified.refuted(fact)
        if refuted is None:
            return within
        return ~refuted if within is None else within & ~refuted

    def learn(self, query: Query, rows: Sequence[int], matching: Iterable[Entry]) -> None:
        """Notes what came of a search that has compared all candidates, so that the next one need not do so again.

        Args:
            query: what was looked for.
            rows: as `rows` gives them.
            matching: all entries that match.
        """
        fact = query.fact()
        if fact is None or len(fact) > LONGEST:
            return
        verified, candidates = self._remembered(), self._signatures.all_of(rows)
        unknown = verified.unknown(fact, candidates)
        columns = [entry._column for entry in matching if entry._column >= 0]
        verified.learn(fact, unknown, columns)

    def _remembered(self) -> Verified:
        if self._verified is None:
            self._verified = Verified(self._signatures.taken())
        return self._verified

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
        ring = self._ring
        if len(ring.out_of_order_words):
            words, bits = ring.out_of_order_words, ring.out_of_order_bits
            if within is not None:
                bits = bits & within[words]
            used_again = np.array(self._signatures.among(rows, words, bits), np.intp)
            yield ring.by_recency(used_again, wanted)
            out_of_order = ring.out_of_order.data
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
        needle = query.needle
        if needle is None:
            return newest(self._ring.there(entries, columns), matches, wanted, before)
        found: list[Entry] = []
        size = _AT_ONCE
        if wanted is not None:
            # The first of many matches are enough for most searches.
            size = _ONE_BY_ONE
            first = self._ring.there(entries, islice(columns, size))
            found = newest(first, matches, wanted, before)
        while wanted is None or len(found) < wanted:
            column = next(columns, None)
            if column is None:
                break
            block = [column, *islice(columns, size)]
            there = self._ring.all_there(entries, block)
            has_it = (
                query.with_texts(there)
                if query.beginnings
                else self._containing(there, needle.utf8)
            )
            more = [entry for entry in has_it if entry._recency < before]
            left = None if wanted is None else wanted - len(found)
            if query.accepts is not None:
                more = list(compress(more, query.passes(more)))
            found += more[:left]
            size = min(2 * size, _AT_ONCE)
        return found

    def candidates(self, entries: Entries, query: Query) -> list[Entry]:
        """Returns all candidates, in no order."""
        within = self.candidates_within(entries, query)
        blocks = self._signatures.candidates(self.rows(query), None, within, _utf8(query))
        return self._ring.all_there(entries, list(chain.from_iterable(blocks)))

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
                    return self._remembered().count(
                        matching, self._ring.within(entries, query.filters)
                    )
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
                found, columns = self._ring.all_with_columns(entries, unknown)
            else:
                found = self._ring.all_there(entries, columns.tolist())
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
            verified.retain(self._ring.recencies >= oldest)
        if verified.alive != there:
            alive = np.zeros(self._signatures.columns, np.bool_)
            there_now = self._ring.all_there(entries, verified.columns().tolist())
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
        self._ring.used_again(used)

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
        if self._verified is not None:
            self._verified.added(columns)
        self._ring.add(columns, added)
        return moved

    def _make_room(self, count: int, entries: Entries, capacity: int) -> list[Entry]:
        moved: list[Entry] = []
        signatures, ring = self._signatures, self._ring
        while signatures.free() < count:
            oldest = signatures.oldest()
            there = list(ring.there(entries, oldest))
            if len(there) > _MOVED and self._grow(entries, capacity):
                continue
            for entry in there:
                entry._column = -1
            moved += there
            signatures.clear_oldest()
            if self._verified is not None:
                self._verified.cleared(oldest.start >> 6)
            ring.clear(oldest)
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
        self._ring.grow(entries, self._signatures.columns, back)
        return True


def _utf8(query: Query) -> bytes:
    return b"" if query.needle is None else query.needle.utf8


def _words(columns: int) -> int:
    # One more, for the word that is being filled.
    return -(-columns // 64) + 1


def _owner_rows(key: str) -> Sequence[int]:
    parts = parse_memory_key(key)
    return () if parts is None else owner_rows(parts.user, parts.session)
