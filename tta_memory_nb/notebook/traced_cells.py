"""Tells a trace which cell is run, and shows a line below each one that has asked something of a memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..memory.tracing.cells import Cell, follow_threads, leave_threads, set_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..memory.tracing import Trace


class TracedCells:
    """The cells of one shell, while a trace is on.

    Args:
        shell: the shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._trace: Trace | None = None
        self._cell: Cell | None = None
        self._seen = 0

    def follow(self, trace: Trace) -> None:
        """Begins, with the cell that is running."""
        if self._trace is None:
            self._shell.events.register("pre_run_cell", self._begin)
            self._shell.events.register("post_run_cell", self._end)
            follow_threads()
            self._begin()
        self._trace = trace
        self._seen = trace.latest

    def leave(self) -> None:
        """Ends: no line is shown any more."""
        if self._trace is not None:
            self._trace = None
            self._shell.events.unregister("pre_run_cell", self._begin)
            self._shell.events.unregister("post_run_cell", self._end)
            leave_threads()
            set_cell(None)

    def _begin(self, info: Any = None) -> None:
        # In some versions, the shell counts on before a cell runs, in others after it. What is not in the history has no number.
        is_counted = info is None or info.store_history
        self._cell = Cell(self._shell.displayhook.prompt_count if is_counted else None)
        set_cell(self._cell)

    def _end(self, _result: Any = None) -> None:
        cell, trace = self._cell, self._trace
        self._cell = None
        set_cell(None)
        if cell is None or trace is None:
            return
        operations = trace.since(self._seen)
        self._seen = trace.latest
        own = [each for each in operations if each.cell is cell]
        # What earlier cells have started goes on while later ones run, and would be seen nowhere else.
        late = Counter(
            each.cell.name for each in operations if each.cell is not cell and each.cell is not None
        )
        if not own and not late:
            return
        lines = [cell.about] if own else []
        lines += [f"meanwhile {count:,} more of {name}" for name, count in late.items()]
        from IPython.display import publish_display_data

        from ..frames import cell_html

        about = "; ".join(lines)
        shown = own or operations
        publish_display_data(  # type: ignore[no-untyped-call]
            {"text/plain": about, "text/html": cell_html(about, shown)}
        )
