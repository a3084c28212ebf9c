"""Commands that show a memory as a whole, or how it changes: explore, plot, snapshot, diff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack, cast

from ...errors import InvalidArgument, brief
from ...filters import FilterArgs
from ...memory.compare import Snapshot, compare, summary
from ...memory.faces import MemoryPrimitive, past_of
from ...memory.resolving.resolve import CHECKS as CASE_CHECKS
from ...search.indexes import check_mode
from ...search.request import SearchMode
from ...times import Instant, shown_instant
from ..arguments import Limit, Text, Word, did_you_mean
from ..words import as_typed, quoted
from .base import Notebook, Reply, count_records, shown, text_of
from .doctor import summary as findings_summary

if TYPE_CHECKING:
    from ..explorer import MemoryExplorer

DEFAULT_NAME = Word("last")
PLOTS = ("timeline", "sessions", "ttl", "sizes")


def explore(
    nb: Notebook,
    words: Text | None = None,
    *,
    mode: str | None = None,
    read_only: bool = False,
    doctor: bool = False,
    proposals: bool = False,
    resolve: bool = False,
    as_of: Instant | None = None,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Open the memory as a table to search, sort, filter and repair.

    Code can read what is set in the table, and can set it. With --doctor, a list beside the table says
    what is wrong with the records, and a click shows those. With --proposals, it begins with what agents have proposed, to
    approve or to reject. With --resolve, it begins with records that say the same or opposite things, pair by pair: keep one, keep both,
    or merge them.

      %memory explore
      %memory explore rain --user alice
      %memory explore --mode hybrid where does Ana live
      %memory explore --doctor
      %memory explore --proposals
      %memory explore --resolve
      %memory explore --as-of 2h
      explorer = %memory explore --read-only

    Flags:
        mode: keyword, ranked, semantic or hybrid; if left out, as %memory use --mode has chosen
        read_only: forbid changes from the table
        doctor: look for what is wrong first, and list it beside the table
        proposals: begin with what agents have proposed
        resolve: look for duplicates, near-duplicates and contradictions first, and begin with them, pair by pair
        as_of: show the records as they were at this instant, if the memory keeps its changes: 2h, 2026-11-22T15:00Z
    """
    from ..explorer.state import PROPOSALS, RESOLVE

    if proposals and resolve:
        raise InvalidArgument("--proposals and --resolve: give one of them to begin with")
    memory = nb.memory if as_of is None else past_of(nb.memory, as_of)
    diagnosis = None
    if doctor or resolve:
        checks = None if doctor else CASE_CHECKS
        diagnosis = memory.sync.diagnose(checks, nb.progress, **filters)

    explorer = explorer_of(
        nb,
        memory,
        query="" if words is None else text_of(words, "WORDS"),
        # Not fixed: the table is live, so "the last 2 hours" move on with the clock.
        filters=filters,
        read_only=read_only or as_of is not None,
        mode=nb.memory.default_mode if mode is None else check_mode(cast("SearchMode", mode)),
        diagnosis=diagnosis,
        view=PROPOSALS if proposals else RESOLVE if resolve else "table",
    )
    return Reply("" if diagnosis is None else findings_summary(diagnosis), explorer)


def explorer_of(
    nb: Notebook, memory: MemoryPrimitive | None = None, **given: Any
) -> MemoryExplorer:
    """Returns an explorer that shares the undo stack of a notebook, and offers its memories.

    Args:
        nb: the notebook.
        memory: another memory than that in use, such as its past; the explorer then offers no others.
        **given: further arguments and traits of the explorer.
    """
    from ..explorer import MemoryExplorer

    is_other = memory is not None and memory is not nb.memory
    memories = {
        name: each for (backend, name), each in nb.memories.items() if backend == nb.backend
    }
    return MemoryExplorer(
        nb.memory if memory is None else memory,
        memories=None if is_other else memories,
        changes=nb.undo_stack,
        golden=nb.golden,
        **given,
    )


def plot(nb: Notebook, kind: Word, **filters: Unpack[FilterArgs]) -> Reply:
    """Draw records over time, by session, by time to live or by size.

    KIND is timeline (when records were last written), sessions (when each was active), ttl (when
    records expire) or sizes (bytes of the values). The result is a matplotlib Figure.

      %memory plot timeline
      %memory plot sessions --user alice --since 7d
      figure = %memory plot ttl
    """
    if kind not in PLOTS:
        known = ", ".join(PLOTS)
        similar = did_you_mean(kind, PLOTS) if isinstance(kind, str) else ""
        raise InvalidArgument(f"KIND {brief(kind)}: give one of {known}{similar}")
    from ... import plots

    entries = nb.memory.sync.entries(**filters)
    if kind == "timeline":
        return Reply(value=plots.plot_timeline(entries))
    if kind == "sessions":
        return Reply(value=plots.plot_sessions(entries))
    if kind == "ttl":
        return Reply(value=plots.plot_ttl(entries, nb.clock()))
    return Reply(value=plots.plot_sizes(entries))


def snapshot(nb: Notebook, name: Word = DEFAULT_NAME) -> Reply:
    """Remember the present records of the memory, for %memory diff.

    Nothing is copied. Records that are overwritten or deleted later stay in this process until a
    snapshot of the same name is taken. The default NAME is last.

      %memory snapshot
      %memory snapshot before-import
    """
    name = Word(text_of(name, "NAME"))
    memory = nb.memory
    # Counted before the records are read. Counted after them, an eviction in between would be part of
    # the snapshot's count, and diff would call its record deleted.
    evictions = _evictions(memory)
    entries = memory.sync.entries()
    taken = Snapshot.of(name, nb.clock(), memory.namespace, entries, evictions)
    nb.snapshots[name] = memory, taken
    call = "%memory diff" if name == DEFAULT_NAME else f"%memory diff {quoted(name)}"
    return Reply(
        f"snapshot '{shown(name)}' of {count_records(len(entries))} in namespace "
        f"'{shown(memory.namespace)}'; {call} shows what changes from now on"
    )


def diff(
    nb: Notebook,
    name: Word | None = None,
    *,
    as_of: Instant | None = None,
    limit: Limit = 10,
) -> Reply:
    """Show what has been added, changed, deleted, evicted or has expired since a snapshot or an instant.

    The comparison is made in the memory and namespace of the snapshot, even if another one is in use
    now. The table has a row for each field. Whether a missing record was deleted or evicted is
    concluded from the order of use and the number of evictions; if both happened, a record may be
    listed as the wrong one.

      %memory diff
      %memory diff before-import --limit all
      %memory diff --as-of 2h

    Flags:
        as_of: compare with the records of this instant in place of a snapshot, if the memory keeps its changes
        limit: how many records at most; all for every one
    """
    ends = None
    if as_of is not None:
        if name is not None:
            raise InvalidArgument.about(
                "as_of", as_of, "give either an instant or the NAME of a snapshot"
            )
        memory = nb.memory
        past = past_of(memory, as_of)
        before = Snapshot.of("", past.clock(), memory.namespace, past.sync.entries())
        ends = getattr(past.store, "since", None)
        since = f"since {shown_instant(before.taken_at)}"
    else:
        name = DEFAULT_NAME if name is None else Word(text_of(name, "NAME"))
        if name not in nb.snapshots:
            return _other_snapshots(nb, name)
        memory, before = nb.snapshots[name]
        place = "" if memory is nb.memory else f" in namespace '{shown(before.namespace)}'"
        since = f"since snapshot '{shown(name)}' of {shown_instant(before.taken_at)}{place}"
    entries = memory.sync.entries()
    found = compare(before, entries, nb.clock(), _evictions(memory), ends)
    from ...frames import differences_frame

    text = f"{summary(found) or 'nothing has changed'} {since}"
    some = found[:limit]
    if len(some) < len(found):
        text += f"; showing {len(some):,} of {count_records(len(found))}"
    return Reply(text, differences_frame(some))


def _other_snapshots(nb: Notebook, name: str) -> Reply:
    """The reply to a diff with a snapshot that does not exist: the list of those that do.

    Raises:
        InvalidArgument: there is no snapshot at all, or the user named one that does not exist.
    """
    if not nb.snapshots:
        raise InvalidArgument("there is no snapshot yet: %memory snapshot takes one")
    if name != DEFAULT_NAME:
        similar = did_you_mean(name, list(nb.snapshots))
        raise InvalidArgument(
            f"no snapshot '{shown(name)}'{similar}; there are {', '.join(map(as_typed, nb.snapshots))}"
        )
    lines = [f"no snapshot is called '{DEFAULT_NAME}'; type %memory diff and one of these names:"]
    lines += [
        f"  {as_typed(each)}: {count_records(len(taken.entries))} in namespace "
        f"'{shown(taken.namespace)}', {shown_instant(taken.taken_at)}"
        for each, (_, taken) in nb.snapshots.items()
    ]
    return Reply("\n".join(lines))


def _evictions(memory: MemoryPrimitive) -> int:
    """How many records have been evicted until now; on a server, by all of its clients."""
    evicted: int = memory.get_backend_info()["evictions"]
    return evicted
