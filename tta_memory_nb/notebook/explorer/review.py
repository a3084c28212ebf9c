"""What agents have proposed for the memory that is shown: a list of differences, to approve or to reject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...memory.proposing.proposal import Proposal, Proposals
from ...memory.word_diff import field_diffs
from ...table import portable
from .cells import sendable
from .diffs import MOST_CHARACTERS, sent_fields

MOST_ITEMS = 50
"""How many proposals are sent at a time; the others follow when these are decided."""


@dataclass(frozen=True, slots=True)
class Review:
    """The pending proposals as the explorer shows them.

    Attributes:
        proposals: the proposals, the oldest first.
    """

    proposals: Proposals

    def of(self, name: object) -> Proposal | None:
        """Returns the proposal of an id; None if none of those that are shown has it."""
        return next((each for each in self.proposals if each.id == name), None)

    def describe(self, *, whole: bool) -> dict[str, Any]:
        """Returns the list as it is sent to the front end.

        Args:
            whole: whether the list is in sight; otherwise only its length is sent.
        """
        shown = self.proposals[:MOST_ITEMS] if whole else []
        return {"count": len(self.proposals), "items": [_item(each) for each in shown]}


NO_REVIEW = Review(Proposals())


def _item(proposal: Proposal) -> dict[str, Any]:
    return {
        "id": proposal.id,
        "action": proposal.action,
        "key": portable(proposal.key),
        "reason": sendable(proposal.reason)[:MOST_CHARACTERS],
        "by": sendable(proposal.proposed_by)[:MOST_CHARACTERS],
        "at": proposal.proposed_at,
        "replaces": proposal.now is not None,
        "fields": sent_fields(field_diffs(proposal.now, proposal.value)),
        "since": sent_fields(field_diffs(proposal.before, proposal.now))
        if proposal.has_changed
        else None,
    }
