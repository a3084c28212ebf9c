"""The indexes that one store owns, and which of them answers a search.

A new search mode is one module with an `Index` and one row in `INDEXES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Protocol

from ..entry import Entry
from ..errors import InvalidArgument
from .options import SearchOptions
from .orders import Orders
from .query import Entries, Query, hits_of
from .request import Hit, Search, SearchMode
from .substring.index import SubstringIndex

# Where the index of the mode can find candidates as well, an order is quicker if it names so few.
_FEW = 256


class Index(Protocol):
    """What finds the records that answer searches of one mode.

    The store's dict of entries is the one truth. An index may hold keys and numbers, but its
    knowledge of an entry counts only while the entry under that key says so, by its ``_column`` or
    its ``_write_seq``. So writes need not tell an index anything: whatever interrupts them, a
    search gives nothing that is not there. Callers hold the store's lock.
    """

    capacity: int
    """How many entries the store may hold."""

    @property
    def is_built(self) -> bool:
        """Whether searches have made it index anything yet."""
        ...

    def clear(self) -> None:
        """Starts over, for a store that holds no entry, or none that this index knows."""
        ...

    def restored(self, entries: Iterable[Entry]) -> None:
        """Takes in entries that come back with a recency they had before, as an undo does."""
        ...

    def find(self, entries: Entries, query: Query, limit: int | None) -> list[Hit]:
        """Returns the best hits, the best first; all of them when the limit is None."""
        ...

    def count(self, entries: Entries, query: Query) -> int:
        """Returns how many entries match."""
        ...

    def candidates(self, entries: Entries, query: Query) -> list[Entry]:
        """Returns all entries that may match, newest first, without a look at any text."""
        ...

    def update(self, entries: Entries, options: SearchOptions, seconds: float | None) -> int:
        """Takes in what was written, read and deleted since the last time, before a search.

        Args:
            entries: all entries.
            options: what the search asks for.
            seconds: when to stop at the latest, give or take some milliseconds; None: when done.

        Returns:
            How many entries are still unindexed; 0 if the index can answer without.
        """
        ...

    def build(self, entries: Entries, seconds: float | None) -> int:
        """Does the work that searches have put off.

        Args:
            entries: all entries.
            seconds: when to stop at the latest, give or take some milliseconds; None: when done;
                0: at once.

        Returns:
            How many entries are still unindexed.
        """
        ...


def _ranked(capacity: int) -> Index:
    from .ranked.index import RankedIndex  # imported here: loads numpy

    return RankedIndex(capacity)


INDEXES: dict[SearchMode, Callable[[int], Index]] = {
    "keyword": SubstringIndex,
    "ranked": _ranked,
    "semantic": _ranked,
    "hybrid": _ranked,
}
"""Search mode -> what makes its index for a capacity. Modes with the same maker share one index."""


class Indexes:
    """All indexes of one store. Callers hold the store's lock.

    Args:
        capacity: how many entries the store may hold.

    Attributes:
        of_mode: search mode -> its index, of the modes that were used.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._orders = Orders()
        self.of_mode: dict[SearchMode, Index] = {"keyword": SubstringIndex(capacity)}

    @property
    def capacity(self) -> int:
        """How many entries the store may hold."""
        return self._capacity

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self._capacity = capacity
        for index in self.of_mode.values():
            index.capacity = capacity

    def clear(self) -> None:
        """Starts over, for a store that holds no entry, or none that an index knows."""
        self._orders.clear()
        for index in self.of_mode.values():
            index.clear()

    def restored(self, entries: Iterable[Entry]) -> None:
        """Takes in entries that come back with a recency they had before, as an undo does."""
        entries = list(entries)
        self._orders.restored(entries)
        for index in self.of_mode.values():
            index.restored(entries)

    def index(self, mode: SearchMode) -> Index:
        """Returns the index of a mode; it is made when it is used for the first time."""
        # The first mode of the table that has this maker stands for all of them.
        mode = next(first for first, make in INDEXES.items() if make is INDEXES[mode])
        index = self.of_mode.get(mode)
        if index is None:
            index = self.of_mode[mode] = INDEXES[mode](self._capacity)
        return index

    def find(
        self, entries: Entries, query: Query, mode: SearchMode, limit: int | None
    ) -> list[Hit]:
        """Returns the best hits, the best first; all of them when the limit is None."""
        if mode != "keyword":
            return self._ranking(entries, query, mode).find(entries, query, limit)
        if query.is_bounded:
            found = self._orders.find(entries, query, limit, self._most_in_order(query))
            if found is not None:
                return hits_of(found, query)
        return self.of_mode["keyword"].find(entries, query, limit)

    def count(self, entries: Entries, query: Query, mode: SearchMode) -> int:
        """Returns how many entries match."""
        if mode != "keyword":
            return self._ranking(entries, query, mode).count(entries, query)
        if query.is_bounded:
            found = self._orders.find(entries, query, None, self._most_in_order(query))
            if found is not None:
                return len(found)
        return self.of_mode["keyword"].count(entries, query)

    def candidates(self, entries: Entries, query: Query, mode: SearchMode) -> list[Entry]:
        """Returns all entries that may match, newest first, without a look at any text."""
        if mode != "keyword":
            return self._ranking(entries, query, mode).candidates(entries, query)
        if query.is_bounded:
            found = self._orders.candidates(entries, query, self._most_in_order(query))
            if found is not None:
                return found
        return self.of_mode["keyword"].candidates(entries, query)

    def _ranking(self, entries: Entries, query: Query, mode: SearchMode) -> Index:
        """Returns the index of a mode that ranks, and tells the query which entries its filters name."""
        if query.is_bounded:
            # An order gives the newest first, so it does not answer by itself.
            query.named = self._orders.candidates(entries, query)
        return self.index(mode)

    def _most_in_order(self, query: Query) -> float:
        """Returns how many entries an order may name at most to be the way to find them."""
        return _FEW if query.is_narrow and self.of_mode["keyword"].is_built else inf

    def catch_up(self, entries: Entries, search: Search, seconds: float) -> int:
        """Has the index of a search take in what was written; returns how many entries are unindexed.

        Args:
            entries: all entries.
            search: what will be asked.
            seconds: when to stop at the latest, give or take some milliseconds.
        """
        return self.index(search.mode).update(entries, search.options, seconds)

    def build(self, entries: Entries, seconds: float | None) -> int:
        """Does the work that searches have put off; returns how many entries are unindexed.

        Of an index that no search has used yet, nothing is built but the one of keyword searches.
        """
        return sum(index.build(entries, seconds) for index in self.of_mode.values())


def check_mode(mode: SearchMode, name: str = "mode") -> SearchMode:
    """Returns the mode itself.

    Args:
        mode: the mode as the caller wrote it.
        name: the argument's name, for the error.

    Raises:
        InvalidArgument: this version has no such mode.
    """
    if isinstance(mode, str) and mode in INDEXES:
        return mode
    known = ", ".join(map(repr, INDEXES))
    raise InvalidArgument.about(name, mode, f"this version searches by {known}")
