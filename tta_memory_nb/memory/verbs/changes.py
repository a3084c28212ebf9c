"""Verbs that take records out, and the one that takes a change back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Unpack

from ...authorship import by_action
from ...errors import InvalidArgument
from ...filters import EVERYTHING, FilterArgs, Filters
from ...keys import checked_keys
from ...stores.base import Change
from ...stores.plan import Plan
from ..tombstones.deleting import remove_for_good
from .common import CommonVerbs, spell_out_filters


class ChangeVerbs(CommonVerbs):
    """Deletes many records, sets the capacity, and takes changes back."""

    def clear(self) -> Plan[None]:
        """Deletes every record of this namespace."""
        return self._store.clear()

    @spell_out_filters
    def remove(
        self,
        keys: Iterable[str] | None = None,
        *,
        for_good: bool = False,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Change]:
        """Deletes records in a way that `undo` can take back.

        Args:
            keys: which records; or
            for_good: leave a tombstone of each record, a salted digest of its value and a sketch of its words. Adding or
                importing the same, or nearly the same, is then refused by every memory of this package on these records.
            **filters: delete what they accept; see the class.

        Returns:
            The change, which holds the deleted records in memory as long as it is kept.

        Raises:
            InvalidArgument: neither or both of keys and filters; with ``for_good``, a record that cannot be read, or a store of
                the caller's that keeps no tombstones.
            StoreUnavailable: with ``for_good`` in an outage, in which other clients would not learn of the tombstones.
        """
        wanted = None if keys is None else checked_keys(keys)
        compiled = self._filters(filters)
        # Filters that are all None would delete everything: their caller lost one on the way.
        if (wanted is None) == (compiled == EVERYTHING):
            raise InvalidArgument("give either keys or filters; clear() deletes everything")
        if for_good:
            return self._remove_for_good(wanted, compiled)
        if wanted is not None:
            return self._store.remove(wanted)
        return self._store.remove_matching(compiled)

    def _remove_for_good(self, keys: Iterable[str] | None, filters: Filters) -> Plan[Change]:
        if keys is None:
            keys = yield from self._store.keys(filters)
        return (yield from remove_for_good(self._store, self.guard, keys))

    def take_all(self) -> Plan[Change]:
        """Deletes every record, as `clear`, in a way that `undo` can take back.

        Returns:
            The change, which holds the records as they were.
        """
        return self._store.remove_matching()

    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity in records; what a smaller one evicts can be taken back by `undo`.

        Returns:
            The change, which holds the records that were evicted and the capacity as it was.

        Raises:
            InvalidArgument: a capacity below 0.
        """
        return self._store.resize(max_size)

    @by_action("undo")
    def undo(self, change: Change) -> Plan[Change]:
        """Takes a change back; what has been written under the same keys since then stays.

        Tombstones that the change has left are lifted.

        Returns:
            What taking it back has changed; `undo` takes this back in turn.

        Raises:
            InvalidArgument: it is no change, or was made to another memory.
        """
        if not isinstance(change, Change):
            raise InvalidArgument.about(
                "change",
                change,
                "give the Change that a verb has returned, such as remove; other results have it as their attribute change",
            )
        lifted = decisions = None
        if change.decisions is not None:
            decisions = yield from self.kept_apart.take_back(change.decisions)
        if change.tombstones is not None:
            lifted = yield from self.guard.take_back(change.tombstones)
        back = yield from self._store.revert(change)
        if lifted is None and decisions is None:
            return back
        return replace(back, tombstones=lifted, decisions=decisions)
