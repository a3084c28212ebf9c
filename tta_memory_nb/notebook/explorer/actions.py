"""What the user does to records: edit, expire, duplicate, delete, undo and export."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from ...codec import Snapshot, snapshot
from ...entry import Unreadable
from ...errors import InvalidArgument, TTAMemoryError
from ...memory.proposing.proposal import Proposal
from ...record import MemoryRecord
from ...stores.base import Change, Clock
from ...table import unportable
from ..undo import UndoStack
from .cells import sendable
from .detail import pretty
from .lister import Lister
from .repair import Conflict, Repair, parsed, peek, token
from .resolving import carry_out
from .state import RESOLVE
from .traits import ExplorerTraits

_MOST_EXPORTED = 50_000_000
"""How many bytes at most are sent to a browser."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of an action.

    Attributes:
        reply: the answer to the message; None if the next state is its answer.
        said: a sentence that says what was done; None if nothing was.
        can_undo: whether the user is offered to undo it.
    """

    reply: dict[str, Any] | None = None
    said: str | None = None
    can_undo: bool = True


class Actions:
    """The actions of one explorer. Each takes the content of the message that asks for it.

    Args:
        traits: what is selected.
        lister: what is shown, and of which memory.
        undo_stack: where changes are kept until they are undone.
        clock: gives Unix seconds.
    """

    def __init__(
        self, traits: ExplorerTraits, lister: Lister, undo_stack: UndoStack, clock: Clock
    ) -> None:
        self._traits = traits
        self._lister = lister
        self._undo_stack = undo_stack
        self._clock = clock

    def edit(self, content: dict[str, Any]) -> Outcome:
        """Replaces the value of a record by the text of an editor."""
        return self._repaired(
            content, "edit", "Saved", lambda repair: repair.edit(parsed(content["text"]))
        )

    def expire(self, content: dict[str, Any]) -> Outcome:
        """Sets when a record expires."""
        ttl, now = content.get("ttl"), self._clock()
        return self._repaired(
            content, "expire", "New expiry of", lambda repair: repair.expire(ttl, now)
        )

    def _repaired(self, content: dict[str, Any], verb: str, said: str, repair: Any) -> Outcome:
        found, key = self._lister.found, unportable(content["key"])
        try:
            change: Change = repair(Repair(found.memory.sync, key, content.get("base", "")))
        except Conflict as conflict:
            entry = conflict.entry
            text = None if entry is None else pretty(entry.text)
            return _edited(ok=False, conflict={"text": text, "base": token(entry)})
        except TTAMemoryError as error:
            return _edited(ok=False, problem=sendable(str(error)))
        self._undo_stack.add(found.memory, verb, change)
        found.versions.add(change.written, "edited")
        return _edited(ok=True, key=content["key"], said=f"{said} {key}")

    def duplicate(self, content: dict[str, Any]) -> Outcome:
        """Copies a record to a key that no record has."""
        memory, new = self._lister.memory, unportable(content["as"])
        entry = peek(memory.sync, unportable(content["key"]))
        if entry is None:
            return _edited(ok=False, problem="the record is gone")
        if isinstance(entry, Unreadable):
            return _edited(ok=False, problem=sendable(str(entry.error())))
        if peek(memory.sync, new) is not None:
            return _edited(ok=False, problem="there is already a record with this key")
        try:
            copy = MemoryRecord(new, entry.value(), expires_at=entry.expires_at)
            change = memory.sync.import_([copy]).change
        except TTAMemoryError as error:
            return _edited(ok=False, problem=sendable(str(error)))
        self._undo_stack.add(memory, "duplicate", change)
        return _edited(ok=True, key=content["as"], said=f"Copied to {new}")

    def delete(self, content: dict[str, Any]) -> Outcome:
        """Deletes some records, or those that are selected."""
        memory = self._lister.memory
        change = memory.sync.remove(self._keys_of(content))
        self._undo_stack.add(memory, "delete", change)
        gone = {entry.key for entry in change.removed}
        self._traits.selected = tuple(key for key in self._traits.selected if key not in gone)
        what = next(iter(gone)) if len(gone) == 1 else _records(len(gone))
        return Outcome(said=f"Deleted {what}")

    def approve(self, content: dict[str, Any]) -> Outcome:
        """Carries out what an agent has proposed.

        Raises:
            InvalidArgument: it is not one of those that are shown, or the record is not the one that is shown.
            Conflict: the record has changed since the change was proposed, or somebody else has decided.
        """
        memory, proposal = self._lister.memory, self._proposal(content)
        anyway = content.get("anyway") is True
        try:
            if anyway:
                entry = peek(memory.sync, proposal.key)
                if (None if entry is None else snapshot(entry.value())) != _shown_value(proposal):
                    raise InvalidArgument(
                        f"{proposal.key}: the record has changed again; look at the difference once more"
                    )
            change = memory.sync.approve(proposal, anyway=anyway)
        finally:
            self._lister.find_proposals()
        self._undo_stack.add(memory, "approve", change)
        return Outcome(said=f"Approved: {proposal.action} {proposal.key}")

    def reject(self, content: dict[str, Any]) -> Outcome:
        """Decides against what an agent has proposed.

        Raises:
            InvalidArgument: it is not one of those that are shown.
            Conflict: somebody else has decided.
        """
        proposal = self._proposal(content)
        try:
            self._lister.memory.sync.reject(proposal)
        finally:
            self._lister.find_proposals()
        return Outcome(said=f"Rejected: {proposal.action} {proposal.key}", can_undo=False)

    def _proposal(self, content: dict[str, Any]) -> Proposal:
        found = self._lister.found.review.of(content.get("proposal"))
        if found is None:
            raise InvalidArgument(
                "this proposal is not pending any more; somebody has decided about it"
            )
        return found

    def carry_out(self, _content: dict[str, Any]) -> Outcome:
        """Carries out what is planned about records that should perhaps be one.

        Raises:
            Conflict: a record has changed since it was shown.
            InvalidArgument: nothing is planned.
        """
        memory = self._lister.memory
        done, left = carry_out(self._lister)
        if done.change is not None:
            self._undo_stack.add(memory, "resolve", done.change)
        more = f"; carry out again for the other {left:,}" if left else ""
        return Outcome(said=done.about + more)

    def undo(self, _content: dict[str, Any]) -> Outcome:
        """Undoes the newest change."""
        undone = self._undo_stack.undo()
        self._lister.cases.change(lambda decisions: decisions.undone(undone.change))
        if self._traits.view == RESOLVE:
            self._lister.cases.find()
        back = undone.back.written
        what = back[0].key if len(back) == 1 else _records(len(back))
        said = f"Undone: {what} as before" if back else f"Undone: {undone.verb}"
        return Outcome(said=said, can_undo=False)

    def export(self, content: dict[str, Any]) -> Outcome:
        """Gives some records, or those that are selected, as a file of JSON lines.

        Raises:
            InvalidArgument: the file would be too large for a browser.
        """
        from ...transfer.jsonl import write_jsonl

        memory = self._lister.memory
        entries = memory.sync.peek(self._keys_of(content))
        size = sum(len(entry.text) for entry in entries)
        if size > _MOST_EXPORTED:
            raise InvalidArgument(
                f"{_records(len(entries))} of {size:,} bytes are too large for a browser, which "
                f"takes {_MOST_EXPORTED:,}; write them to a file with %memory export or "
                "memory.sync.export"
            )
        file = BytesIO()
        write_jsonl(file, (entry.record(memory.namespace) for entry in entries))
        return Outcome({"kind": "file", "name": "records.jsonl", "text": file.getvalue().decode()})

    def _keys_of(self, content: dict[str, Any]) -> Iterable[str]:
        """The keys of the records that a message is about: with ``selected``, ``keys`` count only if none is selected."""
        selected: tuple[str, ...] = self._traits.selected if content.get("selected") else ()
        return selected or [unportable(key) for key in content.get("keys", ())]


def _shown_value(proposal: Proposal) -> Snapshot | None:
    """Returns the value of the record to which the list shows the difference."""
    return None if proposal.now is None else snapshot(proposal.now)


def _edited(*, said: str | None = None, **reply: Any) -> Outcome:
    return Outcome({"kind": "edited", **reply}, said)


def _records(count: int) -> str:
    return f"{count:,} record" if count == 1 else f"{count:,} records"
