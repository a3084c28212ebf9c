"""Verbs about what was deleted for good: the tombstones, and what is in quarantine because of them."""

from __future__ import annotations

from collections.abc import Iterable

from ...record import MemoryRecord
from ...stores.base import Change
from ...stores.plan import Plan
from ..tombstones.tombstone import Tombstone
from .common import CommonVerbs, listed


class RepairVerbs(CommonVerbs):
    """Lists tombstones and lifts them, and releases records from quarantine."""

    def tombstones(self) -> Plan[list[Tombstone]]:
        """Returns what is left of the records that were deleted for good, the newest first; see `remove`."""
        return self.guard.all()

    def lift_tombstones(self, names: Iterable[str]) -> Plan[int]:
        """Lifts tombstones, so that what was deleted for good may be added again.

        Args:
            names: keys under which it was deleted, or ids of tombstones.

        Returns:
            How many tombstones were lifted.
        """
        return self.guard.lift(listed(names))

    def quarantined(self) -> Plan[list[MemoryRecord]]:
        """Returns the records that were put into quarantine in place of being written, the newest first.

        A memory with ``tombstones="quarantine"`` puts there what says again what was deleted for good.
        """
        entries = yield from self.guard.quarantined()
        return [entry.record(self._store.namespace) for entry in entries]

    def release(self, keys: Iterable[str]) -> Plan[Change]:
        """Takes records out of quarantine and writes them on purpose, which lifts the tombstones in their way.

        Args:
            keys: their keys; those that are not in quarantine are ignored.

        Returns:
            The change, which `undo` can take back.
        """
        entries = yield from self.guard.release(listed(keys))
        return (yield from self.guard.put(entries, anyway=True))
