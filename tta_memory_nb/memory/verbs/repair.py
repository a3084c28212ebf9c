"""Verbs that repair a memory: decisions about records that say the same, and about what was deleted for good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from ...authorship import by_action
from ...errors import InvalidArgument
from ...filters import FilterArgs
from ...keys import checked_keys, listed_keys
from ...record import MemoryRecord
from ...stores.base import Change
from ...stores.plan import Plan
from ..tombstones.tombstone import Tombstone
from .common import spell_out_filters
from .upkeep import UpkeepVerbs

if TYPE_CHECKING:
    from ..resolving.case import Case, Rule
    from ..resolving.resolution import Resolution, Resolved


class RepairVerbs(UpkeepVerbs):
    """Decides about duplicates and contradictions, lists tombstones and lifts them, and releases records from quarantine."""

    @spell_out_filters
    def resolve(
        self,
        findings: Any = None,
        rule: Rule | None = None,
        into: str | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Resolution]:
        """Returns records that should perhaps be one, case by case, to decide what becomes of them; changes nothing.

        The result is a list of cases, each with ``keep``, ``keep_both`` and ``merge``, and with ``decide`` for many at
        once. Look at its ``table``, and have `carry_out` do what was decided.

        Args:
            findings: of the doctor, as a list or as a table; groups of any keys, ``[(key, key), ...]``; or cases of an earlier
                resolution, to look at their records as they are now. None has the doctor look for duplicates, near-duplicates
                and contradictions.
            rule: how to decide all of them to begin with, see `Resolution.decide`; None to decide later.
            into: with the rule ``"merge"``, under the key of which record the merged one is kept: ``"old"``, ``"new"``, or a key.
                None is the same as ``"old"``.
            **filters: which records the doctor looks at; see the class.

        Raises:
            InvalidArgument: no findings and no keys, findings together with filters, no such rule, no record of the key in a
                case, or ``into`` without a rule that merges.
            MissingPackage: the doctor needs a package that is not installed, if no findings are given.
        """
        from ..resolving.case import check_rule
        from ..resolving.resolve import CHECKS, cases_of, groups_in

        if rule is not None:
            check_rule(rule)  # the doctor takes a while, and may find nothing to decide about
        if into is not None and rule != "merge":
            raise InvalidArgument.about("into", into, "it belongs to the rule 'merge'")
        if findings is None:
            findings = yield from self.diagnose(CHECKS, **filters)
        elif any(each is not None for each in filters.values()):
            raise InvalidArgument(
                "findings: give either findings, or filters for the doctor to look"
            )
        resolution = yield from cases_of(self._store, groups_in(findings))
        yield from self.kept_apart.mark(resolution)
        return resolution if rule is None else resolution.decide(rule, into=into or "old")

    @by_action("resolve")
    def carry_out(self, resolution: Sequence[Case], *, for_good: bool = False) -> Plan[Resolved]:
        """Carries out what was decided about records that should be one, in one step; cases without a decision stay.

        A merged record keeps the instant of the oldest, expires with the last, and lists in ``merged_from`` where it comes
        from. That records stay side by side is remembered, as long as none of them changes.

        Args:
            resolution: from `resolve`; or some of its cases.
            for_good: leave tombstones of what goes, as `remove` does. What stays is not refused.

        Returns:
            What was done; `undo` takes its ``change`` back.

        Raises:
            Conflict: a record has changed or is gone since `resolve`; ``error.keys`` names all of them, and nothing was
                changed.
            InvalidArgument: nothing was decided, a record is in several cases, or more than 50,000 records at once.
            StoreUnavailable: in an outage, in which nobody can tell whether a record has changed.
        """
        from ..resolving.resolve import carry_out

        return carry_out(self.guard, self.kept_apart, resolution, for_good, self.clock())

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
        return self.guard.lift(checked_keys(names, "names"))

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
        entries = yield from self.guard.release(listed_keys(keys))
        return (yield from self.guard.put(entries, anyway=True))
