"""``%memory`` and ``%%memory`` in IPython: parses the line, runs the command, shows the reply."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from ..authorship import acting
from ..errors import NotDurable, TTAMemoryError, harmless
from ..frames import frame_html, frame_text, is_table
from . import ipython_cells, ipython_completion, ipython_input
from .arguments import UsageProblem
from .commands import COMMANDS, Notebook, Reply, help_, overview, syntax
from .commands.base import shown
from .commands.memories import or_environment, outage_of, status
from .fields import Lookup
from .parsing import parse
from .progress import display_bar
from .traced_cells import TracedCells

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# Kept when the extension is unloaded, so that `%reload_ext` does not lose the records.
_notebooks: WeakKeyDictionary[InteractiveShell, Notebook] = WeakKeyDictionary()


class MemoryMagicError(TTAMemoryError):
    """A failed ``%memory`` command. IPython shows it in one line, and the cell fails."""

    def __init__(self, command: str, message: str) -> None:
        super().__init__(message)
        self.command = command

    def _render_traceback_(self) -> list[str]:
        return _in_one_line(self.command, str(self))


class MemoryMagicInterrupt(KeyboardInterrupt):
    """Ctrl-C during a ``%memory`` command. IPython shows it in one line, and the cell fails."""

    def __init__(self, command: str) -> None:
        super().__init__("interrupted")
        self.command = command

    def _render_traceback_(self) -> list[str]:
        return _in_one_line(self.command, str(self))


def _in_one_line(command: str, message: str) -> list[str]:
    # IPython shows this instead of a traceback, which would show the code of this package instead of the
    # user's mistake. Unlike UsageError, the front end still gets an error.
    red, plain = "\x1b[31m", "\x1b[0m"
    lines = [harmless(line) for line in message.split("\n")]
    return [f"{red}{shown(command)}{plain}: " + "\n".join(lines)]


def notebook_of(shell: InteractiveShell) -> Notebook:
    """The notebook that the commands of a shell work on; made at first use."""
    if shell not in _notebooks:
        _notebooks[shell] = Notebook(
            lookup=shell.ev, progress=display_bar, cells=TracedCells(shell)
        )
    return _notebooks[shell]


@magics_class
class MemoryMagics(Magics):
    """The ``%memory`` magic of one shell."""

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def memory(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Any:
        """Replaced below by the overview of all commands."""
        shell = self.shell
        assert shell is not None

        def lookup(expression: str) -> Any:
            # Inside a function, the local variables come before the notebook's. They are in one mapping,
            # since a generator or lambda in the expression sees only globals.
            names = shell.user_ns
            if local_ns is not None and local_ns is not names:
                names = {**names, **local_ns}
            return eval(expression, names)  # noqa: S307  the user's own

        _get_ready_to_explore(shell)
        words = line.split(maxsplit=1)
        name = words[0] if words else ""
        if len(words) == 1 and cell is None:
            name = name.removesuffix(";")
        try:
            rest = "".join(words[1:])
            with acting(f"%memory {name}".strip()):
                reply, output = _run(notebook_of(shell), name, rest, cell, lookup)
        except TTAMemoryError as error:
            if isinstance(error, NotDurable) and error.change is not None:
                notebook_of(shell).remember(name, error.change)  # the write stays
            message = syntax(name).explain(error) if name in COMMANDS else str(error)
            raise MemoryMagicError(f"%memory {name}".strip(), message) from None
        except KeyboardInterrupt:
            raise MemoryMagicInterrupt(f"%memory {name}".strip()) from None
        outage = outage_of(notebook_of(shell))
        if text := "\n".join(filter(None, (reply.text, outage))):
            print(text)  # noqa: T201  a magic's text is its output
        if output is None:
            return reply.value
        shell.user_ns[output] = reply.text if reply.value is None else reply.value
        return None


_EXPLORER = f"{__package__}.explorer.widget"


def _get_ready_to_explore(shell: InteractiveShell) -> None:
    """Starts a thread that imports the explorer's packages before they are needed.

    Most users of a memory open the explorer, and these imports would take a third of the time until its
    first rows are shown. A terminal cannot show the explorer, so nothing is imported there.
    """

    def load() -> None:
        with suppress(Exception):  # `%memory explore` imports again, and shows the error
            import_module(_EXPLORER)

    if getattr(shell, "kernel", None) is not None and _EXPLORER not in sys.modules:
        Thread(target=load, name="tta-memory-imports", daemon=True).start()


def _run(
    notebook: Notebook, name: str, rest: str, cell: str | None, lookup: Lookup
) -> tuple[Reply, str | None]:
    """Runs a command line.

    Returns:
        The reply, and the variable to store it in (``-o``) or None.
    """
    if cell is not None and (not name or name.startswith("-")):
        raise UsageProblem("a cell magic needs a command: %%memory add KEY")
    if not name:
        return status(notebook), None
    if name in ("-h", "--help"):
        return help_(notebook), None
    described = syntax(name)
    if name == "use":
        lookup = or_environment(lookup)
    parsed = parse(described, rest, cell, lookup)
    if parsed.wants_help:
        return Reply(described.help()), None
    reply = COMMANDS[name](notebook, *parsed.operands, **parsed.flags)
    return reply, parsed.output


MemoryMagics.memory.__doc__ = overview()


# The module of the class DataFrame: in pandas 3 the first, in pandas 2 the second.
_FRAMES = ("pandas", "pandas.core.frame")


class _FrameFormatter:
    """Shows the tables of this package, and has another extension's formatter show all other frames."""

    def __init__(self, ours: Callable[..., Any], others: Callable[..., Any]) -> None:
        self.ours = ours
        self.others = others

    def __call__(self, frame: Any, *printer: Any) -> Any:
        return (self.ours if is_table(frame) else self.others)(frame, *printer)


def load(ipython: InteractiveShell) -> None:
    """Adds the magic, its completion and the formatters of its tables to a shell."""
    ipython.register_magics(MemoryMagics(ipython))
    ipython_cells.add(ipython)
    ipython_completion.add(ipython, notebook_of)
    ipython_input.add(ipython)
    for formatter, ours in _formatters(ipython):
        for module in _FRAMES:
            others = formatter.pop(f"{module}.DataFrame", None)
            shows = ours if others is None else _FrameFormatter(ours, others)
            formatter.for_type_by_name(module, "DataFrame", shows)


def unload(ipython: InteractiveShell) -> None:
    """Removes everything that `load` has added to a shell."""
    for kind in ("line", "cell"):
        magics = ipython.magics_manager.magics[kind]
        if isinstance(getattr(magics.get("memory"), "__self__", None), MemoryMagics):
            del magics["memory"]
    ipython.magics_manager.registry.pop("MemoryMagics", None)
    ipython_cells.remove(ipython)
    if (notebook := _notebooks.get(ipython)) is not None and notebook.trace is not None:
        notebook.trace.stop()
        notebook.cells.leave()
    ipython_completion.remove(ipython)
    ipython_input.remove(ipython)
    for formatter, ours in _formatters(ipython):
        for module in _FRAMES:
            now = formatter.pop(f"{module}.DataFrame", None)
            if isinstance(now, _FrameFormatter):
                now = now.others
            if now not in (None, ours):  # another extension's formatter
                formatter.for_type_by_name(module, "DataFrame", now)


def _formatters(ipython: InteractiveShell) -> list[tuple[Any, Callable[..., Any]]]:
    """Returns the formatters of IPython that show tables, each with the function of this package for it."""
    assert ipython.display_formatter is not None
    formatters = ipython.display_formatter.formatters
    return [(formatters["text/html"], frame_html), (formatters["text/plain"], _print_frame)]


def _print_frame(frame: Any, printer: Any, _cycle: bool) -> None:
    printer.text(frame_text(frame))
