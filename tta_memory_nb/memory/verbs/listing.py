"""Verbs that say which records there are, and which of them answer a query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from ...entry import Entry
from ...filters import FilterArgs
from ...folders import check_folders
from ...keys import listed_keys
from ...record import MemoryRecord
from ...search.options import SearchWeights, check_weights
from ...search.paging import ListOrder
from ...search.request import Found, Hit, Search, SearchMode
from ...stores.plan import Plan
from ...times import Instant
from ..absence import away_since
from ..meaning import BY_MEANING
from .common import CommonVerbs, also_as_of, spell_out_filters


class ListingVerbs(CommonVerbs):
    """Lists keys, folders, records, entries and hits, and counts them."""

    @also_as_of
    @spell_out_filters
    def keys(
        self,
        *,
        as_of: Instant | None = None,  # noqa: ARG002  of the decorator
        **filters: Unpack[FilterArgs],
    ) -> Plan[list[str]]:
        """Returns the keys, least recently used first.

        Args:
            as_of: look at the records as they were at this instant; see `as_of`.
            **filters: see the class.
        """
        return self._store.keys(self._filters(filters))

    def folders(self, prefix: str = "", depth: int | None = None) -> Plan[list[str]]:
        """Returns the folders of all keys: what stands before the last ``/`` of each, every folder once.

        They are worked out where the records are, so that on a server no key crosses the wire. Keys without a folder do
        not count. The order of use stays.

        Args:
            prefix: what the keys begin with.
            depth: only so many parts of each folder, at least 1; None for all. ``/users/alice`` has two.

        Returns:
            The folders, sorted.

        Raises:
            InvalidArgument: a prefix that is no text, a depth below 1.
        """
        prefix, depth = check_folders(prefix, depth)
        found = yield from self._store.folders(prefix, depth)
        return sorted(found)

    @also_as_of
    @spell_out_filters
    def records(
        self,
        limit: int | None = None,
        *,
        offset: int = 0,
        order: ListOrder | None = None,
        as_of: Instant | None = None,  # noqa: ARG002  of the decorator
        **filters: Unpack[FilterArgs],
    ) -> Plan[list[MemoryRecord]]:
        """Returns records, the most recently used first; does not change the order of use.

        Args:
            limit: how many records at most; None for all.
            offset: how many of the first records to leave out.
            order: another order. A record that is read between two pages moves in the order of use, but neither
                in the order ``"written"`` nor in ``"key"``.
            as_of: look at the records as they were at this instant; see `as_of`.
            **filters: see the class.

        Raises:
            InvalidArgument: a limit below 1, an offset below 0, another order, a filter.
        """
        search = self._search(None, limit, None, filters, offset, order)
        found = yield from self._store.find(search)
        return [self._record(hit.entry) for hit in found]

    @also_as_of
    @spell_out_filters
    def entries(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode | None = None,
        *,
        offset: int = 0,
        order: ListOrder | None = None,
        as_of: Instant | None = None,  # noqa: ARG002  of the decorator
        **filters: Unpack[FilterArgs],
    ) -> Plan[list[Entry]]:
        """Returns what `search_records` does, or `records` without a query, but still encoded.

        This is for callers that look at a few of very many records: nothing is decoded, and a
        million entries are a list of a million references. Entries belong to the memory: read
        them, and change nothing.

        Args:
            query: text; None for any record.
            limit: how many entries at most; None for all.
            mode: see `search`.
            offset: as in `records`.
            order: as in `records`.
            as_of: look at the records as they were at this instant; see `as_of`.
            **filters: see the class.

        Raises:
            InvalidArgument: as `search_records`.
        """
        found = yield from self._find(self._search(query, limit, mode, filters, offset, order))
        return [hit.entry for hit in found]

    @also_as_of
    @spell_out_filters
    def hits(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode | None = None,
        *,
        weights: SearchWeights | None = None,
        offset: int = 0,
        order: ListOrder | None = None,
        as_of: Instant | None = None,  # noqa: ARG002  of the decorator
        **filters: Unpack[FilterArgs],
    ) -> Plan[Found[Hit]]:
        """Returns what `entries` does with all that the search knows of each entry.

        A `Hit` has the entry, its ``score``, and on demand ``spans`` (where it matches) and
        ``explanation`` (where its score comes from).

        Args:
            query: text; None for any record.
            limit: how many hits at most; None for all.
            mode: see `search`.
            weights: how much each signal counts in a mode that ranks; None for the memory's own.
            offset: as in `records`.
            order: as in `records`.
            as_of: look at the records as they were at this instant; see `as_of`.
            **filters: see the class.

        Returns:
            The hits, the best first, as a list with the attribute ``reading``: None in the mode ``"keyword"``, and
            otherwise a `Reading` that says how the query was understood.

        Raises:
            InvalidArgument: as `search_records`, or weights without a meaning.
        """
        search = self._search(query, limit, mode, filters, offset, order)
        return self._hits(search if weights is None else search.weighing(check_weights(weights)))

    @also_as_of
    @spell_out_filters
    def count(
        self,
        query: str | None = None,
        mode: SearchMode | None = None,
        *,
        as_of: Instant | None = None,  # noqa: ARG002  of the decorator
        **filters: Unpack[FilterArgs],
    ) -> Plan[int]:
        """Returns how many records `search_records` finds without a limit.

        Args:
            query: text; None for any record.
            mode: see `search`.
            as_of: look at the records as they were at this instant; see `as_of`.
            **filters: see the class.

        Raises:
            InvalidArgument: as `search_records`.
        """
        search = self._search(query, None, mode, filters)
        if search.text and search.mode in BY_MEANING:
            return self._meanings.count(self._store, search)
        return self._store.count(search)

    def peek(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """Returns the entries of the keys that exist, in the order asked; their order of use stays."""
        return self._store.peek(listed_keys(keys))

    def change_token(self) -> Plan[object]:
        """Returns a token, like an ETag: equal tokens mean equal records in equal order.

        The token differs from every earlier one once a record was written, read, deleted or has
        expired. It costs next to nothing in memory, and two round trips on a server, where the
        writes and reads of other clients count as well.
        """
        return self._store.change_token()

    def _find(self, search: Search) -> Plan[list[Hit]]:
        if search.text and search.mode in BY_MEANING:
            return self._meanings.find(self._store, search)
        return self._store.find(search)

    def _hits(self, search: Search) -> Plan[Found[Hit]]:
        """Returns what `_find` does, with how the query was understood."""
        found = yield from self._find(search)
        reading = found.reading if isinstance(found, Found) else None
        if reading is not None and (away := away_since(self._store)) is not None:
            note = f"{away}, so only what this process knows was searched, which may lack records"
            reading = reading.noting(note)
        return Found(found, reading)
