"""``%memory`` and ``%%memory`` in IPython: reads the line, runs the command, shows the reply."""

from __future__ import annotations

import sys
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

from ..errors import TTAMemoryError, harmless
from ..frames import frame_html
from . import commands, tab
from .arguments import UsageProblem
from .parsing import Lookup, parse
from .progress import display_bar

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# Outside the extension's own life: `%reload_ext` must not forget what was remembered.
_notebooks: WeakKeyDictionary[InteractiveShell, commands.Notebook] = WeakKeyDictionary()


class MemoryMagicError(TTAMemoryError):
    """A ``%memory`` command that failed; shown in one line, and the cell fails."""

    def __init__(self, command: str, message: str) -> None:
        super().__init__(message)
        self.command = command

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this in place of a traceback, which would show our inside, not the
        # user's mistake. Unlike UsageError it still reaches the front end as an error.
        red, plain = "\x1b[31m", "\x1b[0m"
        lines = [harmless(line) for line in str(self).split("\n")]
        return [f"{red}{commands.shown(self.command)}{plain}: " + "\n".join(lines)]


def notebook_of(shell: InteractiveShell) -> commands.Notebook:
    """What the commands of a shell work on; made at first use."""
    if shell not in _notebooks:
        _notebooks[shell] = commands.Notebook(lookup=shell.ev, progress=display_bar)
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
        """Replaced by the overview of all commands, below."""
        shell = self.shell
        assert shell is not None

        def lookup(expression: str) -> Any:
            # The function that the magic stands in knows its own names best.
            return eval(expression, shell.user_ns, local_ns or {})  # noqa: S307  the user's own

        _get_ready_to_explore(shell)
        words = line.split(maxsplit=1)
        name = words[0] if words else ""
        try:
            rest = "".join(words[1:])
            reply, output = _run(notebook_of(shell), name, rest, cell, lookup)
        except TTAMemoryError as error:
            raise MemoryMagicError(f"%memory {name}".strip(), str(error)) from None
        outage = commands.outage_of(notebook_of(shell))
        if text := "\n".join(filter(None, (reply.text, outage))):
            print(text)  # noqa: T201  a magic's text is its output
        if output is None:
            return reply.value
        shell.user_ns[output] = reply.text if reply.value is None else reply.value
        return None


_EXPLORER = f"{__package__}.explorer.widget"


def _get_ready_to_explore(shell: InteractiveShell) -> None:
    """Imports what the explorer needs while nobody waits for it.

    Whoever uses a memory will look at it, and the widgets' packages would take a third of the time
    until the first rows are seen. A terminal has no use for them.
    """

    def load() -> None:
        with suppress(Exception):  # whoever needs it will be told
            import_module(_EXPLORER)

    if getattr(shell, "kernel", None) is not None and _EXPLORER not in sys.modules:
        Thread(target=load, name="tta-memory-imports", daemon=True).start()


def _run(
    notebook: commands.Notebook, name: str, rest: str, cell: str | None, lookup: Lookup
) -> tuple[commands.Reply, str | None]:
    """The reply to a command line, and the variable it is to be kept in."""
    if cell is not None and (not name or name.startswith("-")):
        raise UsageProblem("a cell needs a command: %%memory add KEY")
    if not name:
        return commands.status(notebook), None
    if name in ("-h", "--help"):
        return commands.help_(notebook), None
    syntax = commands.syntax(name)
    if name == "use":
        lookup = commands.or_environment(lookup)
    parsed = parse(syntax, rest, cell, lookup)
    if parsed.wants_help:
        return commands.Reply(syntax.help()), None
    reply = commands.COMMANDS[name](notebook, *parsed.operands, **parsed.flags)
    return reply, parsed.output


MemoryMagics.memory.__doc__ = commands.overview()


# pandas 3 calls the class by the first name, pandas 2 by the second.
_FRAMES = ("pandas", "pandas.core.frame")


def load(ipython: InteractiveShell) -> None:
    """Adds the magic, its completion and the look of its tables to a shell."""
    ipython.register_magics(MemoryMagics(ipython))
    tab.add(ipython, notebook_of)
    html, plain = _formatters(ipython)
    for module in _FRAMES:
        html.for_type_by_name(module, "DataFrame", frame_html)
        plain.for_type_by_name(module, "DataFrame", _print_frame)


def unload(ipython: InteractiveShell) -> None:
    """Removes from a shell everything that `load` has added."""
    for kind in ("line", "cell"):
        magics = ipython.magics_manager.magics[kind]
        if isinstance(getattr(magics.get("memory"), "__self__", None), MemoryMagics):
            del magics["memory"]
    ipython.magics_manager.registry.pop("MemoryMagics", None)
    tab.remove(ipython)
    for formatter, ours in zip(_formatters(ipython), (frame_html, _print_frame), strict=True):
        for module in _FRAMES:
            now = formatter.pop(f"{module}.DataFrame", None)
            if now not in (None, ours):  # somebody else's, made after ours
                formatter.for_type_by_name(module, "DataFrame", now)


def _formatters(ipython: InteractiveShell) -> tuple[Any, Any]:
    assert ipython.display_formatter is not None
    formatters = ipython.display_formatter.formatters
    return formatters["text/html"], formatters["text/plain"]


def _print_frame(frame: Any, printer: Any, _cycle: bool) -> None:
    """A table as plain text, in which a key or a cell cannot steer the terminal."""
    printer.text("\n".join(map(harmless, repr(frame).split("\n"))))
