"""The command about what agents have proposed: proposals."""

from __future__ import annotations

from ...errors import Conflict, InvalidArgument, brief
from ...memory.proposing.proposal import STATUSES, Proposal, Proposals, Status
from ..arguments import Words
from .base import Notebook, Reply, shown, text_of

_ALL = "all"


def proposals(
    nb: Notebook,
    ids: Words = (),
    *,
    approve: bool = False,
    reject: bool = False,
    note: str = "",
    anyway: bool = False,
    status: str | None = None,
) -> Reply:
    """Show what agents have proposed to write or delete, and decide about it.

    Nothing changes before a proposal is approved. IDS are proposals of the table, or all. If the record has changed since the
    proposal was made, that is a conflict, and approving needs --anyway. %memory undo takes an approval back.

      %memory proposals
      %memory proposals 3a747936 --approve
      %memory proposals all --approve
      %memory proposals 3a747936 --reject --note she has moved
      %memory proposals --status all

    Flags:
        approve: carry these proposals out
        reject: decide against these proposals
        note: why they are rejected, to be kept with the decision
        anyway: approve also where the record has changed meanwhile
        status: which proposals to show: pending, approved, rejected or all; pending if left out
    """
    note, wanted = text_of(note, "--note"), _status(status)
    if not (approve or reject):
        for flag, given in (("--note", note), ("--anyway", anyway)):
            if given:
                raise InvalidArgument(
                    f"{flag}: it belongs to a decision; add --approve or --reject"
                )
        found = nb.memory.sync.proposals(wanted if not ids or status else None)
        chosen = Proposals(_chosen(found, ids) if ids else found)
        return Reply(_summary(chosen, wanted), chosen.table)
    if approve and reject:
        raise InvalidArgument("--approve --reject: give one of the two")
    if approve and note:
        raise InvalidArgument("--note: it says why a proposal is rejected; leave it out")
    if not ids:
        raise InvalidArgument(
            "IDS: give the proposals to decide about, or all; %memory proposals lists them"
        )
    if status is not None:
        raise InvalidArgument("--status: only pending proposals can be decided about; leave it out")
    pending = _chosen(nb.memory.sync.proposals(), ids)
    if approve:
        return _approve(nb, pending, anyway)
    for each in pending:
        nb.memory.sync.reject(each, note=note)
    return Reply(f"rejected {_named(pending)}; the records stay as they are")


def _approve(nb: Notebook, pending: list[Proposal], anyway: bool) -> Reply:
    if (conflicts := [each for each in pending if each.has_changed]) and not anyway:
        raise Conflict(
            f"{_named(conflicts)}: the record has changed since the change was proposed, and nothing was approved; reject "
            "the proposal, or add --anyway",
            [each.key for each in conflicts],
        )
    approved: list[Proposal] = []
    refused: list[str] = []
    for each in pending:
        try:
            nb.remember("approve", nb.memory.sync.approve(each, anyway=anyway))
            approved.append(each)
        except Conflict as conflict:  # of two proposals about one record, the second one is
            refused.append(f"not approved: {shown(str(conflict))}")
    if not approved:
        raise Conflict("; ".join(refused), [each.key for each in pending])
    back = f"approved {_named(approved)}; %memory undo takes {'it' if len(approved) == 1 else 'them'} back"
    return Reply("\n".join([back, *refused]))


def _chosen(found: Proposals, ids: Words) -> list[Proposal]:
    """Returns the proposals that are named, in the order of their names."""
    if tuple(ids) == (_ALL,):
        if not found:
            raise InvalidArgument("all: no proposal is pending")
        return list(found)
    known = {each.id: each for each in found}
    for name in ids:
        if name not in known:
            raise InvalidArgument(
                f"IDS {brief(name)}: there is no such pending proposal; %memory proposals lists them"
            )
    return [known[name] for name in dict.fromkeys(ids)]


def _status(status: str | None) -> Status | None:
    if status is None:
        return "pending"
    if status == _ALL:
        return None
    if status in STATUSES:
        return status
    raise InvalidArgument.about("status", status, f"give {', '.join(STATUSES)} or all")


def _summary(found: Proposals, status: Status | None) -> str:
    pending = [each for each in found if each.status == "pending"]
    if not pending:
        return "no proposal waits for a decision" if status in (None, "pending") else ""
    count = f"{len(pending):,} {'proposal waits' if len(pending) == 1 else 'proposals wait'}"
    return (
        f"{count} for a decision; %memory proposals {pending[0].id} --approve, or --reject, decides"
    )


def _named(proposals: list[Proposal]) -> str:
    names = [f"{each.id} ({each.action} {shown(each.key)})" for each in proposals[:5]]
    more = f" and {len(proposals) - 5:,} more" if len(proposals) > 5 else ""
    return ", ".join(names) + more
