"""The command that shows what cells have asked of memories: trace."""

from __future__ import annotations

from ...errors import InvalidArgument, brief
from ...memory.faces import MemoryPrimitive
from ...memory.tracing import Trace
from ..arguments import Limit, Word, did_you_mean
from .base import Notebook, Reply

WHATS = ("on", "off", "show", "plot", "clear")


def trace(
    nb: Notebook,
    what: Word | None = None,
    memory: Word | None = None,
    *,
    cell: int | None = None,
    limit: Limit = 100,
) -> Reply:
    """Show what each cell has asked of a memory: reads, searches, writes, how long they took, and who called.

    WHAT is on, off, show, plot or clear. While it is on, a line below each cell says what the cell has asked, and
    unfolds into the records. A task or thread belongs to the cell that has started it. It is on for the memory in use, for those
    that %memory use chooses later, and for MEMORY, a variable that holds one.

      %memory trace on
      %memory trace on $agent_memory
      %memory trace show --cell 12
      %memory trace plot
      operations = %memory trace show --limit all

    Flags:
        cell: only what this cell has asked, by the number beside it
        limit: how many operations at most, the latest; all for every one
    """
    if what is not None and what not in WHATS:
        similar = did_you_mean(what, WHATS) if isinstance(what, str) else ""
        raise InvalidArgument(f"WHAT {brief(what)}: give one of {', '.join(WHATS)}{similar}")
    if what == "on":
        return _on(nb, memory)
    if memory is not None:
        raise InvalidArgument("MEMORY: only %memory trace on takes a memory")
    if nb.trace is None:
        if what in (None, "off"):
            return Reply("the trace is off; %memory trace on begins one")
        raise InvalidArgument("nothing was traced yet: %memory trace on begins a trace")
    if what == "off":
        nb.trace.stop()
        nb.cells.leave()
        return Reply(f"the trace is {nb.trace.about}; %memory trace show shows it")
    if what == "clear":
        nb.trace.clear()
        return Reply("cleared: the trace holds no operations any more")
    operations = nb.trace.operations if cell is None else nb.trace.of(cell)
    if cell is not None and not operations:
        raise InvalidArgument(
            f"--cell {cell}: this cell has asked nothing of a memory while the trace was on"
        )
    if what == "plot":
        from ...plots import plot_trace

        return Reply(value=plot_trace(operations))
    from ...frames import operations_frame

    some = operations if limit is None else operations[-limit:]
    text = f"the trace is {nb.trace.about}"
    if len(some) < len(operations):
        text += f"; showing the latest {len(some):,}"
    return Reply(text, operations_frame(some))


def _on(nb: Notebook, memory: object) -> Reply:
    """Begins a trace, or goes on with the one there is."""
    if memory is not None:
        found = nb.lookup(memory) if isinstance(memory, str) else memory
        if not isinstance(found, MemoryPrimitive):
            raise InvalidArgument(
                f"MEMORY {brief(memory)}: give a variable that holds a MemoryPrimitive"
            )
        memories = [found]
    else:
        memories = [nb.memory]
    if nb.trace is None:
        nb.trace = Trace()
    for each in (*memories, *(nb.memories.values() if memory is None else ())):
        nb.trace.add(each)
    nb.cells.follow(nb.trace)
    return Reply(
        "the trace is on: a line below each cell says what it has asked; %memory trace show shows all"
    )
