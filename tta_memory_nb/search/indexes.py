"""The indexes that one store owns, and which of them answers a search.

A new search mode is one module with an `Index` and one row in `INDEXES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Protocol

from ..entry import Entry
from ..errors import InvalidArgument
from .orders import Orders
from .query import Entries, Query, hits_of
from .request import Hit, SearchMode
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


INDEXES: dict[SearchMode, Callable[[int], Index]] = {"keyword": SubstringIndex}
"""Search mode -> what makes its index for a capacity."""


class Indexes:
    """All indexes of one store. Callers hold the store's lock.

    Args:
        capacity: how many entries the store may hold.

    Attributes:
        of_mode: search mode -> its index.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._orders = Orders()
        self.of_mode = {mode: make(capacity) for mode, make in INDEXES.items()}

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

    def find(
        self, entries: Entries, query: Query, mode: SearchMode, limit: int | None
    ) -> list[Hit]:
        """Returns the best hits, the best first; all of them when the limit is None."""
        if query.is_bounded:
            found = self._orders.find(entries, query, limit, self._most_in_order(query, mode))
            if found is not None:
                return hits_of(found, query)
        return self.of_mode[mode].find(entries, query, limit)

    def count(self, entries: Entries, query: Query, mode: SearchMode) -> int:
        """Returns how many entries match."""
        if query.is_bounded:
            found = self._orders.find(entries, query, None, self._most_in_order(query, mode))
            if found is not None:
                return len(found)
        return self.of_mode[mode].count(entries, query)

    def candidates(self, entries: Entries, query: Query, mode: SearchMode) -> list[Entry]:
        """Returns all entries that may match, newest first, without a look at any text."""
        if query.is_bounded:
            found = self._orders.candidates(entries, query, self._most_in_order(query, mode))
            if found is not None:
                return found
        return self.of_mode[mode].candidates(entries, query)

    def _most_in_order(self, query: Query, mode: SearchMode) -> float:
        """Returns how many entries an order may name at most to be the way to find them."""
        if query.needle is not None and mode != "keyword":
            return 0  # orders give the newest first, and this mode ranks
        return _FEW if query.is_narrow and self.of_mode[mode].is_built else inf

    def build(self, entries: Entries, seconds: float | None) -> int:
        """Does the work that searches have put off; returns how many entries are unindexed."""
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
