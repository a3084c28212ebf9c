"""Which records the table lists, and in which order: worked out once, then given in windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, TypeAlias, cast

from ...entry import Entry
from ...filters import FilterArgs
from ...keys import parse_memory_key
from ...memory.faces import MemoryPrimitive
from ...search.request import Found, Hit, SearchMode
from ...table import ABSENT
from ...times import counted_back
from .cells import Column, column_called, created_at
from .ranking import Ranking

RECENCY = "recency"
"""The order in which a memory keeps its records: most recently written or read first."""

OnProgress: TypeAlias = Callable[[str, int, int | None], None]
"""Called with the name of a step, how much of it is done, and its total if that is known.

It may raise `Superseded` to stop the work.
"""

_CHUNK = 4096
# A server's records are loaded in growing steps. Each step searches again what the previous ones
# have searched, so the steps grow fast.
_FIRST_STEP, _GROWTH = 2000, 4


class Superseded(Exception):
    """Raised to stop work whose result is no longer needed."""


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """Which records to list, and in which order.

    Attributes:
        memory: the memory that holds the records.
        query: text to search for; empty for all records.
        mode: how to search.
        filters: the filters that every query takes.
        sort_by: `RECENCY`, or the name of a column.
        descending: newest, largest or alphabetically last first.
        keys: of the only records to list, in their order; None for any records.
    """

    memory: MemoryPrimitive
    query: str = ""
    mode: str = "keyword"
    filters: dict[str, Any] = field(default_factory=dict)
    sort_by: str = RECENCY
    descending: bool = True
    keys: tuple[str, ...] | None = None

    @property
    def ranks(self) -> bool:
        """Whether the search gives the best answers first, and each a score."""
        return bool(self.query) and self.mode != "keyword"

    def hits(self, limit: int | None = None) -> Found[Hit]:
        """The records found, each with its score, the best first.

        Args:
            limit: how many records at most; None for all.
        """
        hits = self.memory.sync.hits(
            self.query,
            limit if self.keys is None else None,
            cast("SearchMode", self.mode),
            **cast("FilterArgs", self.filters),
        )
        if self.keys is None:
            return hits
        wanted = set(self.keys)
        return Found([hit for hit in hits if hit.entry.key in wanted][:limit], hits.reading)

    def entries(self, limit: int | None = None) -> list[Entry]:
        """The matching records, newest first; of given keys without a search in the order of the keys.

        Args:
            limit: how many records at most; None for all.
        """
        if self.keys is not None:
            return self._of_keys(self.keys)[:limit]
        return self.memory.sync.entries(
            self.query or None,
            limit,
            cast("SearchMode", self.mode),
            **cast("FilterArgs", self.filters),
        )

    def _of_keys(self, keys: tuple[str, ...]) -> list[Entry]:
        if not self.query and not self.filters:
            return self.memory.sync.peek(keys)
        wanted = set(keys)
        return [entry for entry in replace(self, keys=None).entries() if entry.key in wanted]

    @property
    def is_everything(self) -> bool:
        """Whether every record of the memory matches."""
        return not self.query and not self.filters and self.keys is None


@dataclass(frozen=True, slots=True)
class Listing:
    """The records that match a request, in the requested order.

    Attributes:
        request: the request that this listing answers.
        token: the memory's change token from before its records were read.
        entries: the records, in the order in which they are shown.
        total: how many records match; more than ``entries`` while ``is_whole`` is false.
        is_whole: whether ``entries`` holds all matching records, in order.
        ranking: the scores of the records, if the search ranks them.
        changes_at: when other records will match though none is written, in Unix seconds: a filter such
            as ``since="1h"`` moves with the clock.
    """

    request: ListingRequest
    token: object
    entries: Sequence[Entry]
    total: int
    is_whole: bool = True
    changes_at: float = inf
    ranking: Ranking | None = None

    def place_of(self, key: str) -> int | None:
        """The row number of a key, counted from 0; None if the key is not listed."""
        for number, entry in enumerate(self.entries):
            if entry.key == key:
                return number
        return None


def change_token(memory: MemoryPrimitive) -> object:
    """A token that changes whenever a record of the memory is written, read, deleted or expires."""
    return memory.sync.change_token()


def first_rows(request: ListingRequest, count: int) -> Listing | None:
    """Lists the first rows without listing everything.

    Args:
        request: which records to list.
        count: how many rows.

    Returns:
        A listing, which is partial if there may be more rows; None if the requested order can
        only be known once all records are.
    """
    if request.sort_by != RECENCY or not request.descending:
        return None
    memory = request.memory.sync
    token, now = change_token(request.memory), memory.clock()
    entries, ranking = _found(request, count)
    total = memory.size() if request.is_everything else len(entries)
    is_whole = len(entries) < count
    changes_at = _changes_at(request, entries, now) if is_whole else inf
    return Listing(request, token, entries, total, is_whole, changes_at, ranking)


def whole_listing(request: ListingRequest, on_progress: OnProgress) -> Listing:
    """Lists all rows.

    Args:
        request: which records to list.
        on_progress: called now and then while records are loaded and sorted.

    Raises:
        Superseded: ``on_progress`` has stopped the work.
    """
    token, now = change_token(request.memory), request.memory.sync.clock()
    entries, ranking = _found(request, None, on_progress)
    changes_at = _changes_at(request, entries, now)
    if request.sort_by != RECENCY:
        column = column_called(request.sort_by)
        entries = _sorted(entries, column, on_progress, descending=request.descending)
    elif not request.descending:
        entries = entries[::-1]
    return Listing(request, token, entries, len(entries), changes_at=changes_at, ranking=ranking)


def _found(
    request: ListingRequest, limit: int | None, on_progress: OnProgress | None = None
) -> tuple[list[Entry], Ranking | None]:
    """Returns the records that a request finds, and their scores if it ranks them."""
    if request.ranks:
        hits = request.hits(limit)
        return [hit.entry for hit in hits], Ranking(hits)
    if on_progress is None:
        return request.entries(limit), None
    return _all_entries(request, on_progress), None


def _changes_at(request: ListingRequest, entries: Sequence[Entry], now: float) -> float:
    """When the clock alone will change which records match, in Unix seconds.

    Args:
        request: which records are listed.
        entries: the records that match now.
        now: the memory's time, from before they were read.
    """
    since, until = (counted_back(request.filters.get(name)) for name in ("since", "until"))
    changes = [inf]
    if since is not None:
        changes += (entry.updated_at + since for entry in entries)
    if until is not None:
        others = {name: value for name, value in request.filters.items() if name != "until"}
        later = replace(request, filters=others).entries()
        changes += (at for entry in later if (at := entry.updated_at + until) > now)
    return min(changes)


def _all_entries(request: ListingRequest, on_progress: OnProgress) -> list[Entry]:
    if not request.memory.is_using_redis() or request.keys is not None:
        return request.entries()
    total = request.memory.sync.size() if request.is_everything else None
    limit = _FIRST_STEP
    while len(entries := request.entries(limit)) == limit:
        on_progress("loading records", limit, total)
        limit *= _GROWTH
    return entries


def _sorted(
    entries: list[Entry], column: Column, on_progress: OnProgress, *, descending: bool
) -> list[Entry]:
    """The entries ordered by a column. Entries without such a field come last, in either order."""
    rank = _RANKS.get(column.name, _rank_by(column)) if column.path is None else _rank_by(column)
    ranked: list[tuple[Any, int]] = []
    without: list[Entry] = []
    for start in range(0, len(entries), _CHUNK):
        on_progress("sorting", start, len(entries))
        for number, entry in enumerate(entries[start : start + _CHUNK], start):
            place = rank(entry)
            if place is None:
                without.append(entry)
            else:
                # Entries with equal fields stay in the order of recency, in either order.
                ranked.append((place, -number if descending else number))
    ranked.sort(reverse=descending)
    return [entries[abs(number)] for _, number in ranked] + without


def _rank_by(column: Column) -> Callable[[Entry], Any]:
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
    """A sort key: numbers, then text, then booleans, then lists and objects. None for null."""
    if leaf is None:
        return None
    if isinstance(leaf, bool):
        return (2, leaf)
    if isinstance(leaf, (int, float)):
        return (0, leaf)
    if isinstance(leaf, str):
        return (1, leaf.casefold())
    return (3, len(leaf))


def _owner(field_name: str) -> Callable[[Entry], Any]:
    def rank(entry: Entry) -> Any:
        owner = parse_memory_key(entry.key)
        return None if owner is None else getattr(owner, field_name)

    return rank


_RANKS: dict[str, Callable[[Entry], Any]] = {
    "key": lambda entry: entry.key,
    "user": _owner("user"),
    "session": _owner("session"),
    "created": created_at,
    "updated": lambda entry: entry.updated_at,
    "expires": lambda entry: entry.expires_at,
    "size": lambda entry: entry.size,
}
"""Sort keys of the columns that describe the record, not its value."""
