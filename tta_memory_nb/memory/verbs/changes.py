"""Verbs that take records out, and the one that takes a change back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from ...errors import InvalidArgument, brief
from ...filters import EVERYTHING, FilterArgs
from ...stores.base import Change
from ...stores.plan import Plan
from .common import CommonVerbs, spell_out_filters


class ChangeVerbs(CommonVerbs):
    """Deletes many records, sets the capacity, and takes changes back."""

    def clear(self) -> Plan[None]:
        """Deletes every record of this namespace."""
        return self._store.clear()

    @spell_out_filters
    def remove(
        self, keys: Iterable[str] | None = None, **filters: Unpack[FilterArgs]
    ) -> Plan[Change]:
        """Deletes records in a way that `undo` can take back.

        Args:
            keys: which records; or
            **filters: delete what they accept; see the class.

        Returns:
            The change, which holds the deleted records in memory as long as it is kept.

        Raises:
            InvalidArgument: neither or both of keys and filters.
        """
        if isinstance(keys, str):
            raise InvalidArgument(f"keys={brief(keys)}: give a list of keys")
        compiled = self._filters(filters)
        # Filters that are all None would delete everything: their caller lost one on the way.
        if (keys is None) == (compiled == EVERYTHING):
            raise InvalidArgument("give either keys or filters; clear() deletes everything")
        if keys is not None:
            return self._store.remove(list(keys))
        return self._store.remove_matching(compiled)

    def take_all(self) -> Plan[Change]:
        """Deletes every record, as `clear`, in a way that `undo` can take back."""
        return self._store.remove_matching()

    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity in records; what a smaller one evicts can be taken back by `undo`.

        Raises:
            InvalidArgument: a capacity below 0.
        """
        return self._store.resize(max_size)

    def undo(self, change: Change) -> Plan[Change]:
        """Takes a change back; what has been written under the same keys since then stays.

        Raises:
            InvalidArgument: the change was made to another memory.
        """
        return self._store.revert(change)
