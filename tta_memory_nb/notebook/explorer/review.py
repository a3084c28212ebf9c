"""What agents have proposed for the memory that is shown: a list of differences, to approve or to reject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...memory.proposing.proposal import Proposal, Proposals
from ...memory.word_diff import FieldDiff, Part, field_diffs
from ...table import portable
from .cells import sendable

MOST_ITEMS = 50
"""How many proposals are sent at a time; the others follow when these are decided."""

_MOST_FIELDS = 12
_MOST_PARTS = 80

# Of a text that stays, so much is shown at each end; of one that is gone or came, so much in all.
_AROUND, _MOST_CHARACTERS = 60, 1500


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
        "reason": sendable(proposal.reason)[:_MOST_CHARACTERS],
        "by": sendable(proposal.proposed_by)[:_MOST_CHARACTERS],
        "at": proposal.proposed_at,
        "replaces": proposal.now is not None,
        "fields": _fields(field_diffs(proposal.now, proposal.value)),
        "since": _fields(field_diffs(proposal.before, proposal.now))
        if proposal.has_changed
        else None,
    }


def _fields(diffs: Sequence[FieldDiff]) -> list[dict[str, Any]]:
    fields = [
        {"name": portable(each.field), "parts": _shortened(each.parts)}
        for each in diffs[:_MOST_FIELDS]
    ]
    if (more := len(diffs) - len(fields)) > 0:
        fields.append({"name": f"and {more:,} more fields", "parts": []})
    return fields


def _shortened(parts: Sequence[Part]) -> list[tuple[str, str]]:
    short: list[tuple[str, str]] = [
        (sign, portable(_cut(sign, text))) for sign, text in parts[:_MOST_PARTS]
    ]
    return [*short, (" ", "…")] if len(parts) > _MOST_PARTS else short


def _cut(sign: str, text: str) -> str:
    if sign == " ":
        return text if len(text) <= 3 * _AROUND else f"{text[:_AROUND]} … {text[-_AROUND:]}"
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
