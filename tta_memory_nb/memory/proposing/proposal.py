"""A proposal: what an agent wants to write or delete, and what was decided about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, get_args

from ...errors import InvalidArgument, brief
from ...record import MemoryRecord
from ...times import shown_instant

Act: TypeAlias = Literal["add", "delete"]
Status: TypeAlias = Literal["pending", "approved", "rejected"]

ACTS: tuple[Act, ...] = get_args(Act)
STATUSES: tuple[Status, ...] = get_args(Status)

PENDING = "pending/"
"""What the keys of proposals begin with that nobody has decided about; the id follows."""

DECIDED = "decided/"
"""What the keys of the other proposals begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change to one record that somebody has proposed.

    Attributes:
        id: 8 hexadecimal digits.
        action: ``"add"``, also if it replaces a record, or ``"delete"``.
        key: of the record.
        value: what the record shall be; None for a deletion.
        ttl: seconds from the approval until the record expires; None for never.
        before: the value of the record when the change was proposed; None if there was no record.
        reason: why, in the words of who proposes it; may be empty.
        proposed_by: who proposes it, as far as that is known; may be empty.
        proposed_at: Unix seconds.
        status: ``"pending"``, ``"approved"`` or ``"rejected"``.
        decided_by: who has decided; None while it is pending.
        decided_at: when, in Unix seconds; None while it is pending.
        note: what was said about the decision; may be empty.
        now: the value of the record when the proposal was looked up; None if there is no record.
        has_changed: whether the record is another one than when the change was proposed, so that approving is a
            conflict. False for a proposal that was decided.
        being_approved_by: who has begun to approve it, and has not finished; None for nobody.
        being_approved_at: since when, in Unix seconds.
    """

    id: str
    action: Act
    key: str
    value: dict[str, Any] | None
    proposed_at: float
    ttl: float | None = None
    before: dict[str, Any] | None = None
    reason: str = ""
    proposed_by: str = ""
    status: Status = "pending"
    decided_by: str | None = None
    decided_at: float | None = None
    note: str = ""
    now: dict[str, Any] | None = None
    has_changed: bool = False
    being_approved_by: str | None = None
    being_approved_at: float | None = None

    def __repr__(self) -> str:
        """Returns the change, and what was decided, with instants as dates."""
        decided = ""
        if self.decided_at is not None:
            decided = f" by {self.decided_by!r} at {shown_instant(self.decided_at)}"
        changed = ", the record has changed" if self.has_changed else ""
        return (
            f"Proposal({self.id}: {self.action} {brief(self.key)}, {self.status}{decided}{changed})"
        )

    @property
    def place(self) -> str:
        """The key that the proposal is kept under."""
        return f"{PENDING if self.status == 'pending' else DECIDED}{self.id}"

    def kept(self) -> dict[str, Any]:
        """Returns the value that the proposal is kept as."""
        return {name: getattr(self, name) for name in _KEPT}

    @classmethod
    def of(cls, record: MemoryRecord) -> Self | None:
        """Returns the proposal that is kept as a record; None if the record is no proposal."""
        value = record.value
        if (
            not value.keys() >= _NEEDED
            or value["action"] not in ACTS
            or value["status"] not in STATUSES
        ):
            return None
        return cls(**{name: value[name] for name in _KEPT if name in value})


_KEPT = tuple(name for name in Proposal.__slots__ if name not in ("now", "has_changed"))
_NEEDED = {"id", "action", "key", "value", "proposed_at", "status"}


class Proposals(list[Proposal]):
    """Proposals, the oldest first."""

    def __init__(self, proposals: Iterable[Proposal] = ()) -> None:
        super().__init__(proposals)

    @property
    def table(self) -> Any:
        """A table with a row for each proposal, see ``tta_memory_nb.frames.proposals_frame``."""
        from ...frames import proposals_frame

        return proposals_frame(self)

    def _repr_html_(self) -> str | None:
        """Returns the table for a notebook; all of it is escaped."""
        from ...frames import frame_html

        return frame_html(self.table)


def id_of(proposal: object) -> str:
    """Returns the id of a proposal, or of what a caller has given for one.

    Raises:
        InvalidArgument: it is neither a proposal nor an id.
    """
    if isinstance(proposal, Proposal):
        return proposal.id
    if isinstance(proposal, str) and proposal:
        return proposal
    raise InvalidArgument.about(
        "proposal", proposal, "give a proposal, or its id; proposals() lists them"
    )
