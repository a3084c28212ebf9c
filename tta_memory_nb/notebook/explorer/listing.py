"""Which records the table lists, and in what order: worked out once, then given in windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from ...entry import Entry
from ...filters import FilterArgs
from ...keys import parse_memory_key
from ...memory.faces import MemoryPrimitive
from ...search.request import SearchMode
from ...table import ABSENT
from .cells import Column, column_called, created_at

RECENCY = "recency"
"""The order in which a memory keeps its records: the most recently written or read first."""

Told: TypeAlias = Callable[[str, int, int | None], None]
"""Is told how far some work has come: what, done, total. May raise `Superseded`."""

_CHUNK = 4096
# From a server records are loaded in growing steps; each is searched again, so they grow fast.
_FIRST_STEP, _GROWTH = 2000, 4


class Superseded(Exception):
    """Raised out of work whose result nobody wants any more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be listed.

    Attributes:
        memory: whose records.
        query: text; empty for all records.
        mode: how to search.
        filters: as every query takes them.
        sort_by: `RECENCY`, or the name of a column.
        descending: the newest, largest, last in the alphabet first.
    """

    memory: MemoryPrimitive
    query: str = ""
    mode: str = "keyword"
    filters: dict[str, Any] = field(default_factory=dict)
    sort_by: str = RECENCY
    descending: bool = True

    def entries(self, limit: int | None = None) -> list[Entry]:
        """The newest records that answer, newest first."""
        return self.memory.sync.entries(
            self.query or None,
            limit,
            cast("SearchMode", self.mode),
            **cast("FilterArgs", self.filters),
        )

    @property
    def is_everything(self) -> bool:
        """Whether every record answers."""
        return not self.query and not self.filters


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed.

    Attributes:
        wanted: what it answers.
        mark: the memory's, from before it was looked at.
        entries: in the order in which they are shown.
        total: how many there are; more than the entries while `is_whole` is false.
        is_whole: whether these are all entries, in their order.
    """

    wanted: Wanted
    mark: object
    entries: Sequence[Entry]
    total: int
    is_whole: bool = True

    def place_of(self, key: str) -> int | None:
        """The number of the row with this key."""
        for number, entry in enumerate(self.entries):
            if entry.key == key:
                return number
        return None


def first_rows(wanted: Wanted, count: int) -> Listing | None:
    """What can be shown at once, before all is known; None where that needs all.

    Args:
        wanted: what is to be listed.
        count: how many rows.
    """
    if wanted.sort_by != RECENCY or not wanted.descending:
        return None
    memory = wanted.memory.sync
    mark = memory.change_token()
    entries = wanted.entries(count)
    total = memory.size() if wanted.is_everything else len(entries)
    return Listing(wanted, mark, entries, total, is_whole=len(entries) < count)


def whole(wanted: Wanted, told: Told) -> Listing:
    """The whole list.

    Args:
        wanted: what is to be listed.
        told: is told how far it has come.
    """
    mark = wanted.memory.sync.change_token()
    entries = _all_entries(wanted, told)
    if wanted.sort_by != RECENCY:
        column = column_called(wanted.sort_by)
        entries = _sorted(entries, column, told, descending=wanted.descending)
    elif not wanted.descending:
        entries = entries[::-1]
    return Listing(wanted, mark, entries, len(entries))


def _all_entries(wanted: Wanted, told: Told) -> list[Entry]:
    if not wanted.memory.is_using_redis():
        return wanted.entries()
    total = wanted.memory.sync.size() if wanted.is_everything else None
    limit = _FIRST_STEP
    while len(entries := wanted.entries(limit)) == limit:
        told("loading records", limit, total)
        limit *= _GROWTH
    return entries


def _sorted(entries: list[Entry], column: Column, told: Told, *, descending: bool) -> list[Entry]:
    """The entries in the order of a column; what has no such field comes last, either way."""
    rank = _ABOUT.get(column.name, _rank_of(column)) if column.path is None else _rank_of(column)
    ranked: list[tuple[Any, int]] = []
    without: list[Entry] = []
    for start in range(0, len(entries), _CHUNK):
        told("sorting", start, len(entries))
        for number, entry in enumerate(entries[start : start + _CHUNK], start):
            place = rank(entry)
            if place is None:
                without.append(entry)
            else:
                # Equal ones stay in the order of recency, whichever way is up.
                ranked.append((place, -number if descending else number))
    ranked.sort(reverse=descending)
    return [entries[abs(number)] for _, number in ranked] + without


def _rank_of(column: Column) -> Callable[[Entry], Any]:
    path = column.path or ()

    def rank(entry: Entry) -> Any:
        leaf: Any = entry.value()
        for step in path:
            leaf = leaf.get(step, ABSENT) if isinstance(leaf, dict) else ABSENT
            if leaf is ABSENT:
                return None
        return _comparable(leaf)

    return rank


def _comparable(leaf: Any) -> Any:
    """Numbers before text before truth values before lists and objects; null is as good as none."""
    if leaf is None:
        return None
    if isinstance(leaf, bool):
        return (2, leaf)
    if isinstance(leaf, (int, float)):
        return (0, leaf)
    if isinstance(leaf, str):
        return (1, leaf.casefold())
    return (3, len(leaf))


def _owner(part: str) -> Callable[[Entry], Any]:
    def rank(entry: Entry) -> Any:
        parts = parse_memory_key(entry.key)
        return None if parts is None else getattr(parts, part)

    return rank


_ABOUT: dict[str, Callable[[Entry], Any]] = {
    "key": lambda entry: entry.key,
    "user": _owner("user"),
    "session": _owner("session"),
    "created": created_at,
    "updated": lambda entry: entry.updated_at,
    "expires": lambda entry: entry.expires_at,
    "size": lambda entry: entry.size,
}
