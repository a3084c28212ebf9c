"""The verbs: propose, proposals, approve and reject, over a memory and the companion that keeps its proposals.

A proposal is written to the companion, so nothing of it is in any answer of the memory. An approval is written in three
steps, since the memory and its companion may be on different nodes of a Cluster:

1. the proposal is claimed, by compare-and-set, so that nobody else decides about it;
2. the record is written or deleted, by compare-and-set against the record that was looked at;
3. the proposal is noted as approved.

If the process ends after the first step, the claim lapses; if it ends after the second, the next approval finds the record
as it was proposed, and carries out the third only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from getpass import getuser
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

from ...codec import from_json, snapshot
from ...entry import Entry, Unreadable, new_entry
from ...errors import CapacityExceeded, Conflict, InvalidArgument, TTAMemoryError, brief
from ...keys import check_key
from ...record import MemoryRecord
from ...stores.base import Change, Store
from ...stores.plan import Call, Plan
from ...times import Duration, duration, shown_instant
from ..companions import Companions
from .proposal import ACTS, DECIDED, PENDING, STATUSES, Act, Proposal, Proposals, Status, id_of

if TYPE_CHECKING:
    from ..faces import SyncMemory
    from ..verbs.records import RecordVerbs

logger = logging.getLogger("tta_memory_nb")

MOST_PENDING = 1000
"""So many proposals may wait for a decision: an agent that goes wild must not fill the memory."""

KEPT_FOR = 90 * 86_400.0
"""Seconds after its decision for which a proposal is kept."""

CLAIMED_FOR = 60.0
"""Seconds after which an approval that has not finished does not keep others from deciding."""

_LONGEST_TEXT = 2000


class Proposing:
    """The verbs about proposals, as plans of the memory that the proposals are about.

    Args:
        verbs: those of the memory.
        store: its store.
        companions: opens the companion that keeps the proposals. This and all verbs of the companion are called where a plan
            may wait: in a thread of its own if the caller awaits.
    """

    def __init__(self, verbs: RecordVerbs, store: Store, companions: Companions) -> None:
        self._verbs = verbs
        self._store = store
        self._clock = verbs.clock
        self._companions = companions

    def _beside(self) -> SyncMemory:
        return self._companions.of("proposals").sync

    def propose(
        self, action: Act, key: str, value: Any, ttl: Duration | None, reason: str, by: str
    ) -> Plan[Proposal]:
        """Proposes a change; see `MemoryPrimitive.propose`."""
        now = self._clock()
        if action not in ACTS:
            raise InvalidArgument.about("action", action, "give 'add' or 'delete'")
        seconds = None if ttl is None else duration(ttl)
        if action == "add":
            text = new_entry(key, value, now, seconds).text
        elif value is not None or ttl is not None:
            raise InvalidArgument(
                "action='delete': a deletion has neither a value nor a ttl; leave them out"
            )
        else:
            check_key(key)
            text = None
        entry = yield from self._entry(key)
        if entry is None and action == "delete":
            raise InvalidArgument(f"key={brief(key)}: there is no such record to delete")
        wanted = Proposal(
            id="",
            action=action,
            key=str(key),
            value=None if text is None else from_json(text),
            ttl=seconds,
            before=_value_of(entry),
            reason=_text(reason, "reason"),
            proposed_by=_text(by, "by"),
            proposed_at=now,
        )
        proposal: Proposal = yield Call(self._keep, wanted)
        return proposal

    def _keep(self, wanted: Proposal) -> Proposal:
        """Writes a new proposal, unless the same is pending already."""
        beside = self._beside()
        pending = _proposals_in(beside.records(prefix=PENDING))
        for each in pending:
            if _subject(each) == _subject(wanted):
                return each
        if len(pending) >= MOST_PENDING:
            raise CapacityExceeded(
                f"propose: {len(pending):,} proposals wait for a decision, and no more are kept; have somebody approve "
                "or reject them first"
            )
        named = replace(wanted, id=_new_id(wanted, beside.keys()))
        beside.add(named.place, named.kept())
        return named

    def proposals(self, status: Status | None) -> Plan[Proposals]:
        """Returns proposals; see `MemoryPrimitive.proposals`."""
        if status is not None and status not in STATUSES:
            raise InvalidArgument.about(
                "status", status, "give 'pending', 'approved', 'rejected', or None for all"
            )
        prefix = {None: "", "pending": PENDING}.get(status, DECIDED)
        records: list[MemoryRecord] = yield Call(lambda: self._beside().records(prefix=prefix))
        found = [each for each in _proposals_in(records) if status is None or each.status == status]
        entries = yield from self._store.peek(list({each.key: None for each in found}))
        there = {entry.key: entry for entry in entries}
        return Proposals(_seen(each, there.get(each.key)) for each in found)

    def approve(self, proposal: Proposal | str, by: str | None, anyway: bool) -> Plan[Change]:
        """Carries a proposed change out; see `MemoryPrimitive.approve`."""
        by = _decider(by)
        found, version = yield from self._pending(id_of(proposal))
        entry = yield from self._entry(found.key)
        if not _is_as_before(found, entry):
            if found.being_approved_by is not None and _is_as_proposed(found, entry):
                yield Call(self._decide, found, version, "approved", found.being_approved_by, "")
                return Change(origin=self._store)
            if not anyway:
                raise _changed(found, entry)
        claimed = replace(found, being_approved_by=by, being_approved_at=self._clock())
        version = yield Call(self._write, claimed, found, version)
        try:
            change = yield from self._carry_out(found, entry)
        except Exception:
            with suppress(TTAMemoryError):  # the claim lapses anyway
                yield Call(self._write, found, found, version)
            raise
        try:
            yield Call(self._decide, found, version, "approved", by, "")
        except TTAMemoryError as error:  # the record is as proposed, and can be undone
            logger.warning(
                "proposal %s is carried out, but not noted as approved: %s", found.id, error
            )
        return change

    def _carry_out(self, found: Proposal, entry: Entry | None) -> Plan[Change]:
        expect = {found.key: None if entry is None else self._store.version(entry)}
        if found.value is None:
            return self._verbs.apply((), (found.key,), expect=expect)
        return self._verbs.apply([(found.key, found.value, found.ttl)], expect=expect)

    def reject(self, proposal: Proposal | str, by: str | None, note: str) -> Plan[Proposal]:
        """Decides against a proposed change; see `MemoryPrimitive.reject`."""
        by = _decider(by)
        note = _text(note, "note")
        found, version = yield from self._pending(id_of(proposal))
        entry = yield from self._entry(found.key)
        if (
            found.being_approved_by is not None
            and not _is_as_before(found, entry)
            and _is_as_proposed(found, entry)
        ):
            raise Conflict(
                f"proposal {found.id}: {found.being_approved_by!r} has approved it, and the record is as proposed; "
                "approve it to note that, and change the record then",
                [found.key],
            )
        decided: Proposal = yield Call(self._decide, found, version, "rejected", by, note)
        return _seen(decided, entry)

    def _entry(self, key: str) -> Plan[Entry | None]:
        found = yield from self._store.peek([key])
        return found[0] if found else None

    def _pending(self, id: str) -> Plan[tuple[Proposal, str]]:
        """Returns a proposal that can be decided, and its version.

        Raises:
            InvalidArgument: there is no such proposal.
            Conflict: somebody has decided about it, or is doing so.
        """
        keys = [f"{PENDING}{id}", f"{DECIDED}{id}"]
        records: list[MemoryRecord] = yield Call(lambda: self._beside().get_records(keys))
        for record in records:
            found = Proposal.of(record)
            if found is None:
                continue
            if found.status != "pending":
                raise Conflict(
                    f"proposal {id}: {found.decided_by!r} has {found.status} it at "
                    f"{shown_instant(found.decided_at or 0.0)}; nothing was changed now",
                    [found.key],
                )
            since = found.being_approved_at
            if since is not None and self._clock() - since < CLAIMED_FOR:
                raise Conflict(
                    f"proposal {id}: {found.being_approved_by!r} is approving it at this moment; nothing was changed, "
                    f"look again in {CLAIMED_FOR:g} seconds",
                    [found.key],
                )
            return found, record.version or ""
        raise InvalidArgument(
            f"proposal={brief(id)}: there is no such proposal; proposals() lists them"
        )

    def _write(self, proposal: Proposal, before: Proposal, version: str) -> str:
        """Replaces a pending proposal by another state of it, and returns the version of that."""
        beside = self._beside()
        try:
            beside.apply({proposal.place: proposal.kept()}, expect={before.place: version})
        except Conflict:
            raise _overtaken(proposal) from None
        [record] = beside.get_records([proposal.place])
        return record.version or ""

    def _decide(
        self, found: Proposal, version: str, status: Status, by: str, note: str
    ) -> Proposal:
        decided = replace(
            found,
            status=status,
            decided_by=by,
            decided_at=self._clock(),
            note=note,
            being_approved_by=None,
            being_approved_at=None,
        )
        try:
            self._beside().apply(
                [(decided.place, decided.kept(), KEPT_FOR)],
                [found.place],
                expect={found.place: version},
            )
        except Conflict:
            raise _overtaken(found) from None
        return decided


def _proposals_in(records: Sequence[MemoryRecord]) -> list[Proposal]:
    """Returns the proposals among some records, the oldest first; others may write to the companion as well."""
    # The memory gives what was used last first, which decides between proposals of one instant.
    found = [each for each in map(Proposal.of, reversed(records)) if each is not None]
    return sorted(found, key=lambda each: each.proposed_at)


def _new_id(proposal: Proposal, places: Iterable[str]) -> str:
    """Returns an id that no other proposal has.

    Args:
        proposal: gives the id, so that a notebook that is run again shows the same one.
        places: the keys that all proposals are kept under.
    """
    taken = {place.rpartition("/")[2] for place in places}
    text = repr(_subject(proposal))
    for number in count():
        made = sha256(f"{number}{text}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
        if made not in taken:
            break
    return made


def _subject(proposal: Proposal) -> tuple[object, ...]:
    """Returns what two proposals have in common that propose the same change of the same record."""
    value, before = (each and snapshot(each) for each in (proposal.value, proposal.before))
    return proposal.action, proposal.key, value, proposal.ttl, before


def _value_of(entry: Entry | None) -> dict[str, Any] | None:
    if isinstance(entry, Unreadable):
        raise entry.error()
    return None if entry is None else entry.value()


def _seen(proposal: Proposal, entry: Entry | None) -> Proposal:
    """Returns a proposal with what the record is now."""
    now = None if entry is None else entry.value()
    has_changed = proposal.status == "pending" and not _is_as_before(proposal, entry)
    return replace(proposal, now=now, has_changed=has_changed)


def _is_as_before(proposal: Proposal, entry: Entry | None) -> bool:
    return _is(proposal.before, entry)


def _is_as_proposed(proposal: Proposal, entry: Entry | None) -> bool:
    return _is(proposal.value, entry)


def _is(value: dict[str, Any] | None, entry: Entry | None) -> bool:
    """Returns whether a record has a value, with the same numbers and its fields in the same order."""
    if value is None or entry is None:
        return value is None and entry is None
    return snapshot(value) == snapshot(entry.value())


def _changed(found: Proposal, entry: Entry | None) -> Conflict:
    what = "does not exist any more" if entry is None else "has changed"
    if found.before is None:
        what = "exists by now"
    return Conflict(
        f"proposal {found.id}: the record {brief(found.key)} {what} since the change was proposed; nothing was written: "
        "compare both, then reject the proposal, or approve it anyway",
        [found.key],
    )


def _overtaken(proposal: Proposal) -> Conflict:
    return Conflict(
        f"proposal {proposal.id}: somebody else has decided about it at this moment; list the proposals again",
        [proposal.key],
    )


def _decider(by: str | None) -> str:
    if by is not None:
        return _text(by, "by") or _decider(None)
    try:
        return getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        return "unknown"


def _text(text: object, name: str) -> str:
    if not isinstance(text, str):
        raise InvalidArgument.about(name, text, "give text")
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
