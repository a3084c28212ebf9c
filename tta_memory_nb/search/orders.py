"""Keys and instants in sorted order: which entries a prefix, an owner or a span of time names.

An order is a sorted list of terms, one for each entry, in which a range of terms is two bisections.
It is built by the first search that can use it, and brought up to date by later ones; writes do
nothing for it. As in every index, the store's dict is the one truth: a term counts only while the
entry under its key still has this term, so nothing that was overwritten, evicted or deleted is found.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush, merge
from itertools import accumulate, islice
from math import inf
from operator import attrgetter, itemgetter
from typing import Generic, Protocol, TypeAlias, TypeVar

from ..entry import Entry, recency
from ..filters import Filters
from .query import Entries, Query, newest, used_since

_LAST_CHARACTER = chr(sys.maxunicode)

# Below so many entries, looking at each is quicker than any order.
_FEW = 256

# So many new terms may stay unsorted, and a share of the sorted ones: each search looks at them.
_UNSORTED = 256
_UNSORTED_SHARE = 64

# Taking an entry from an order and sorting it by recency costs as much as looking at so many.
_COST = 3

# Where a span of time names more entries than that, the newest of all are looked at first: so many, and so many more for each
# that is wanted.
_MANY = 1000
_AHEAD = 64
_AHEAD_EACH = 4

Instant: TypeAlias = tuple[float, int, str]

T = TypeVar("T", str, Instant)


class _Terms(Protocol[T]):
    """What an order sorts by.

    The two methods that make a term and take one apart are inverse for as long as an entry lives.
    """

    def of(self, entry: Entry) -> T:
        """Returns the term of an entry."""
        ...

    def entry(self, entries: Entries, term: T) -> Entry | None:
        """Returns the entry that still has a term."""
        ...

    def range(self, terms: list[T], filters: Filters) -> tuple[int, int]:
        """Returns where the terms that filters name begin and end in a sorted list."""
        ...

    def accepts(self, term: T, filters: Filters) -> bool:
        """Whether a term is in the range that filters name."""
        ...


class _Keys:
    """Terms are keys, so a prefix is a range of them."""

    of = staticmethod(attrgetter("key"))

    def entry(self, entries: Entries, term: str) -> Entry | None:
        return entries.get(term)

    def range(self, terms: list[str], filters: Filters) -> tuple[int, int]:
        prefix = prefix_of(filters)
        low = bisect_left(terms, prefix)
        end = _behind(prefix)
        return low, len(terms) if end is None else bisect_left(terms, end, low)

    def accepts(self, term: str, filters: Filters) -> bool:
        return term.startswith(prefix_of(filters))


class _Instants:
    """Terms are instants of the last write with its number and the key, so a span of time is a range of them."""

    of = staticmethod(attrgetter("updated_at", "_write_seq", "key"))

    def entry(self, entries: Entries, term: Instant) -> Entry | None:
        entry = entries.get(term[2])
        return entry if entry is not None and entry.updated_at == term[0] else None

    def range(self, terms: list[Instant], filters: Filters) -> tuple[int, int]:
        low, high = 0, len(terms)
        if filters.since is not None:
            low = bisect_left(terms, filters.since, key=itemgetter(0))
        if filters.until is not None:
            high = bisect_right(terms, filters.until, low, key=itemgetter(0))
        return low, high

    def accepts(self, term: Instant, filters: Filters) -> bool:
        since, until = filters.since, filters.until
        return (since is None or term[0] >= since) and (until is None or term[0] <= until)


class _Recencies:
    """The recencies that the entries of sorted terms had at one time.

    Each is multiplied by the number of terms, and the place of the term added, so that it says whose it is.

    Args:
        entries: by place, the entry of a term; None if it is gone, or has another place.
        newest: the highest recency of all entries.

    Attributes:
        newest: the same.
        read: those of the entries that were read since they were written, the highest first.
    """

    def __init__(self, entries: list[Entry | None], newest: int) -> None:
        self.newest = newest
        size = len(entries)
        self.read: list[int] = []
        # Of what was only written, the recencies rise with the instants of the writes, unless a clock was set back.
        self._written = [0] * size
        for place, entry in enumerate(entries):
            if entry is None:
                continue
            own = entry._recency * size + place
            if entry._recency == entry._write_seq:
                self._written[place] = own
            else:
                self.read.append(own)
        self.read.sort(reverse=True)
        self._highest = list(accumulate(self._written, max))

    def descending(self, low: int, high: int) -> Iterator[int]:
        """Yields those of a range of places whose entries were only written, the highest first."""
        waiting: list[int] = []
        while waiting or high > low:
            # None of the places that are left has a higher one than the highest of all up to there.
            while high > low and (not waiting or -waiting[0] < self._highest[high - 1]):
                high -= 1
                if self._written[high]:
                    heappush(waiting, -self._written[high])
            if waiting:
                yield -heappop(waiting)


class _Order(Generic[T]):
    """Terms of all entries, sorted but for the newest."""

    def __init__(self, terms: _Terms[T]) -> None:
        self._by: _Terms[T] = terms
        self.clear()

    def clear(self) -> None:
        """Forgets all terms; the next search that can use the order builds it."""
        self._asked: object = None
        self._range = 0, 0
        self._sorted: list[T] | None = None
        self._unsorted: list[T] = []
        # Entries of a higher recency were written or read since the order was brought up to date.
        self._seen = 0
        # None until entries of a wide range were asked for by recency.
        self._recencies: _Recencies | None = None

    def restored(self, entries: Iterable[Entry]) -> None:
        """Takes in entries that come back with a recency they had before."""
        if self._sorted is not None:
            self._recencies = None  # theirs are not higher than all that are known
            self._unsorted += map(self._by.of, entries)

    def _update(self, entries: Entries) -> list[T]:
        """Takes in what was written since the last search; returns the sorted terms.

        The steps are in an order in which an interrupt between any two of them costs nothing but a
        term that is here twice, or a new start.
        """
        terms, of = self._sorted, self._by.of
        if terms is None or len(terms) > 2 * len(entries) + _UNSORTED:
            self.clear()
            # Not by the method of OrderedDict, which looks each key up.
            terms = sorted(map(of, dict.values(entries)))
            self._seen = next(map(recency, reversed(entries.values())), 0)
            self._replace(terms)
            return terms
        fresh = used_since(entries, self._seen)
        if fresh:
            for entry in fresh:
                term = of(entry)
                if entry._write_seq <= self._seen:  # read, and most probably here already
                    at = bisect_left(terms, term)
                    if at < len(terms) and terms[at] == term:
                        continue
                self._unsorted.append(term)
            self._seen = fresh[-1]._recency
        if len(self._unsorted) > _UNSORTED + len(terms) // _UNSORTED_SHARE:
            # Timsort finds the run that is sorted already.
            terms = terms + self._unsorted
            terms.sort()
            self._replace(terms)
            self._unsorted = []
        return terms

    def _replace(self, terms: list[T]) -> None:
        # First, since an interrupt must not leave a range of other terms.
        self._asked = self._recencies = None
        self._sorted = terms

    def _range_in(self, terms: list[T], filters: Filters) -> tuple[int, int]:
        """Returns the range of the sorted terms that filters name, which an agent asks for again and again."""
        asked = filters.prefix, filters.user, filters.session, filters.since, filters.until
        if asked != self._asked:
            self._asked = None
            self._range = self._by.range(terms, filters)
            self._asked = asked
        return self._range

    def size(self, entries: Entries, filters: Filters) -> int:
        """Returns how many entries the filters name at most."""
        terms = self._update(entries)
        low, high = self._range_in(terms, filters)
        return high - low + len(self._unsorted)

    def entries(self, entries: Entries, filters: Filters) -> Iterator[Entry]:
        """Yields the entries that the filters name, some of them twice, in no order."""
        terms, by = self._update(entries), self._by
        fresh = [term for term in self._unsorted if by.accepts(term, filters)]
        low, high = self._range_in(terms, filters)
        for part in (islice(terms, low, high), fresh):
            for term in part:
                entry = by.entry(entries, term)
                if entry is not None:
                    yield entry

    def newest_first(self, entries: Entries, filters: Filters) -> Iterator[Entry]:
        """Yields the entries that the filters name, each once, the newest first.

        It is quick where recencies rise with the terms, as they do with instants, however many entries are named.
        """
        by, known = self._by, self._by_recency(entries)
        for entry in reversed(entries.values()):
            if entry._recency <= known.newest:
                break
            if by.accepts(by.of(entry), filters):
                yield entry
        terms = self._sorted or []
        low, high = self._range_in(terms, filters)
        size = len(terms)
        read = (each for each in known.read if low <= each % size < high)
        for each in merge(read, known.descending(low, high), reverse=True):
            recency, place = divmod(each, size)
            named = by.entry(entries, terms[place])
            if named is not None and named._recency == recency:  # else it was used since
                yield named

    def _by_recency(self, entries: Entries) -> _Recencies:
        """Returns the recencies of the entries of all sorted terms, of which few have changed since."""
        terms, known = self._update(entries), self._recencies
        if known is not None:
            most = _UNSORTED + len(terms) // _UNSORTED_SHARE
            used = islice(reversed(entries.values()), most, most + 1)
            if all(entry._recency <= known.newest for entry in used):
                return known
        if self._unsorted:
            terms = sorted(terms + self._unsorted)
            self._replace(terms)
            self._unsorted = []
        # A term may be here twice.
        found = [
            self._by.entry(entries, term) if not place or term != terms[place - 1] else None
            for place, term in enumerate(terms)
        ]
        self._recencies = _Recencies(found, next(map(recency, reversed(entries.values())), 0))
        return self._recencies


class Orders:
    """The orders of one store. Callers hold the store's lock."""

    def __init__(self) -> None:
        self._keys = _Order(_Keys())
        self._instants = _Order(_Instants())

    def clear(self) -> None:
        """Starts over."""
        self._keys.clear()
        self._instants.clear()

    def restored(self, entries: Iterable[Entry]) -> None:
        """Takes in entries that come back with a recency they had before."""
        entries = list(entries)
        self._keys.restored(entries)
        self._instants.restored(entries)

    def find(
        self, entries: Entries, query: Query, limit: int | None, most: float = inf
    ) -> list[Entry] | None:
        """Returns the newest matches, newest first, if an order is the way to find them.

        Args:
            entries: all entries.
            query: what is looked for.
            limit: how many at most; None for all.
            most: how many entries an order may name at most, where an index of another kind could
                find them as well.

        Returns:
            None when no order is narrow enough to help.
        """
        narrowest = self._narrowest(entries, query.filters, most)
        if narrowest is None:
            return None
        order, size = narrowest
        matches = query.test()
        if (
            order is self._instants
            and size > _MANY
            # To look for text, an index is quicker. Without a limit, so is looking at all entries.
            and not query.folded
            and limit is not None
        ):
            ahead = islice(reversed(entries.values()), _AHEAD + _AHEAD_EACH * limit)
            found = newest(ahead, matches, limit, inf)
            if len(found) == limit:
                return found
            return newest(order.newest_first(entries, query.filters), matches, limit, inf)
        if size * _COST >= len(entries):
            return None
        steps = size * _COST
        if limit is not None and steps * size > limit * len(entries):
            # If the named entries are among the newest as often as elsewhere, walking over the newest
            # is quicker. The walk may cost as much as the order would.
            found = newest(islice(reversed(entries.values()), steps), matches, limit, inf)
            if len(found) == limit:
                return found
        return newest(self._named(order, entries, query), matches, limit, inf)

    def candidates(self, entries: Entries, query: Query, most: float = inf) -> list[Entry] | None:
        """Returns all entries that may match, newest first; None when no order is narrow enough."""
        narrowest = self._narrowest(entries, query.filters, most)
        if narrowest is None or narrowest[1] * _COST >= len(entries):
            return None
        return self._named(narrowest[0], entries, query)

    def _named(
        self, order: _Order[str] | _Order[Instant], entries: Entries, query: Query
    ) -> list[Entry]:
        named = {entry.key: entry for entry in order.entries(entries, query.filters)}
        return sorted(named.values(), key=recency, reverse=True)

    def _narrowest(
        self, entries: Entries, filters: Filters, most: float
    ) -> tuple[_Order[str] | _Order[Instant], int] | None:
        """Returns the order that names fewest entries, and how many; None if these are more than ``most``, or an order does not pay."""
        if len(entries) <= _FEW:
            return None
        order: _Order[str] | _Order[Instant] = self._keys
        size: float = inf
        if filters.user is not None or filters.prefix:
            size = order.size(entries, filters)
        if filters.since is not None or filters.until is not None:
            spanned = self._instants.size(entries, filters)
            if spanned < size:
                order, size = self._instants, spanned
        if size > most:
            return None
        return order, int(size)


def prefix_of(filters: Filters) -> str:
    """Returns the longest text that every key begins with that the filters accept."""
    prefix = filters.prefix or ""
    if filters.user is None:
        return prefix
    owner = f"{filters.user}:{filters.session or ''}"
    # Such a key begins with both texts, so the shorter one begins the longer one.
    return owner if len(owner) >= len(prefix) else prefix


def _behind(prefix: str) -> str | None:
    """Returns the first text in order behind all that begin with a prefix; None for none."""
    begin = prefix.rstrip(_LAST_CHARACTER)
    return begin[:-1] + chr(ord(begin[-1]) + 1) if begin else None
