"""Verbs about changes that an agent proposes, and a person approves or rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...authorship import by_action
from ...stores.base import Change
from ...stores.plan import Plan
from ...times import Duration
from .records import RecordVerbs

if TYPE_CHECKING:
    from ..proposing.proposal import Act, Proposal, Proposals, Status
    from ..proposing.propose import Proposing


class ProposalVerbs(RecordVerbs):
    """Proposes changes to records, lists them, and decides about them."""

    def propose(
        self,
        action: Act,
        key: str,
        value: dict[str, Any] | None = None,
        *,
        ttl: Duration | None = None,
        reason: str = "",
        by: str = "",
    ) -> Plan[Proposal]:
        """Proposes to write or to delete a record. The record stays as it is until somebody approves.

        Proposals are kept beside the memory, where its records are: on the same server or in the same file, in the namespace of
        the memory with ``:proposals`` behind it. So other processes see them, and no search, list or count of the memory does.
        The same proposal again, while it is pending, is the one that there is. At most 1,000 may be pending.

        Args:
            action: ``"add"``, also to replace a record, or ``"delete"``.
            key: of the record.
            value: what to write, a JSON object; None for a deletion.
            ttl: time from the approval until the record no longer exists, as in `add`.
            reason: why, for the person who decides.
            by: who proposes it.

        Returns:
            The proposal, whose ``id`` `approve` and `reject` take.

        Raises:
            InvalidArgument: another action, the key, the ttl, a value for a deletion, no record to delete.
            NotStorable: the value; the error names the path.
            CapacityExceeded: too many proposals are pending.
        """
        return self._proposing().propose(action, key, value, ttl, reason, by)

    def proposals(self, status: Status | None = "pending") -> Plan[Proposals]:
        """Returns the proposals that wait for a decision, the oldest first.

        Args:
            status: ``"pending"``, ``"approved"``, ``"rejected"``, or None for all. A proposal is kept for 90 days after its
                decision.

        Returns:
            The proposals, a list with the attribute ``table``. Each says what the record is ``now``, and whether it
            ``has_changed`` since the proposal was made.

        Raises:
            InvalidArgument: another status.
        """
        return self._proposing().proposals(status)

    @by_action("proposal")
    def approve(
        self, proposal: Proposal | str, by: str | None = None, *, anyway: bool = False
    ) -> Plan[Change]:
        """Carries a proposed change out, if the record is still the one that it was proposed for.

        Args:
            proposal: the proposal, or its id.
            by: who decides, for the note; None for the user of this process.
            anyway: carry it out even if the record has changed since the change was proposed.

        Returns:
            The change, which `undo` can take back. The proposal stays approved then.

        Raises:
            InvalidArgument: there is no such proposal.
            Conflict: the record has changed, or somebody else has decided; nothing is changed.
            StoreUnavailable: in an outage, in which nobody can tell what others have written.
        """
        return self._proposing().approve(proposal, by, anyway)

    def reject(
        self, proposal: Proposal | str, by: str | None = None, *, note: str = ""
    ) -> Plan[Proposal]:
        """Decides against a proposed change. The record stays as it is.

        Args:
            proposal: the proposal, or its id.
            by: who decides; None for the user of this process.
            note: why, to be kept with the decision.

        Returns:
            The proposal as it is kept.

        Raises:
            InvalidArgument: there is no such proposal.
            Conflict: somebody else has decided.
            StoreUnavailable: in an outage.
        """
        return self._proposing().reject(proposal, by, note)

    def _proposing(self) -> Proposing:
        from ..proposing.propose import Proposing

        return Proposing(self, self._store, self.companions)
