"""A real IPython shell in this process, and what a cell in it has given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config


@contextmanager
def new_shell() -> Iterator[InteractiveShell]:
    """A new shell with the extension loaded."""
    InteractiveShell.clear_instance()
    # In the user's own history, each cell would wait for the disk, and for the other workers.
    instance = InteractiveShell.instance(config=Config(HistoryManager={"hist_file": ":memory:"}))
    instance.run_line_magic("load_ext", "tta_memory_nb")
    yield instance
    instance.history_manager.end_session()
    InteractiveShell.clear_instance()


class Ran:
    """The outcome of a cell: its result, success and printed text."""

    def __init__(self, shell: InteractiveShell, cell: str) -> None:
        with capture_output() as printed:
            done = shell.run_cell(cell, store_history=True)
        self.success, self.result = done.success, done.result
        self.error: Any = done.error_in_exec or done.error_before_exec
        self.text: str = printed.stdout
        self.outputs = printed.outputs
