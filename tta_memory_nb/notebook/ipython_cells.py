"""Says which cell runs, so that changes of records can be traced back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..authorship import begin_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_hooks: WeakKeyDictionary[InteractiveShell, Any] = WeakKeyDictionary()


def add(ipython: InteractiveShell) -> None:
    """Notes the number of each cell that begins, in the context that the code of the cell runs in."""
    if ipython in _hooks:
        return

    def begin(_info: Any = None) -> None:
        # Some versions count on before a cell runs, others after it.
        begin_cell(ipython.displayhook.prompt_count)

    _hooks[ipython] = begin
    ipython.events.register("pre_run_cell", begin)
    begin()  # the cell that loads the extension runs already


def remove(ipython: InteractiveShell) -> None:
    """Ends that."""
    hook = _hooks.pop(ipython, None)
    if hook is not None:
        ipython.events.unregister("pre_run_cell", hook)
        begin_cell(None)
