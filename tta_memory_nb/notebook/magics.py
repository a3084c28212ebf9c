"""``%memory`` and ``%%memory`` in IPython: reads the line, runs the command, shows the reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from ..errors import TTAMemoryError
from ..frames import frame_html
from . import commands, tab
from .arguments import parse
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
        lines = [commands.shown(line) for line in str(self).split("\n")]
        return [f"{red}{self.command}{plain}: " + "\n".join(lines)]


def notebook_of(shell: InteractiveShell) -> commands.Notebook:
    """What the commands of a shell work on; made at first use."""
    if shell not in _notebooks:
        _notebooks[shell] = commands.Notebook(lookup=shell.ev, progress=display_bar)
    return _notebooks[shell]


@magics_class
class MemoryMagics(Magics):
    """The ``%memory`` magic of one shell."""

    @no_var_expand
    @line_cell_magic
    def memory(self, line: str, cell: str | None = None) -> Any:
        """Replaced by the overview of all commands, below."""
        assert self.shell is not None
        words = line.split(maxsplit=1)
        name = words[0] if words else ""
        try:
            reply, output = _run(notebook_of(self.shell), name, "".join(words[1:]), cell)
        except TTAMemoryError as error:
            raise MemoryMagicError(f"%memory {name}".strip(), str(error)) from None
        if reply.text:
            print(reply.text)  # noqa: T201  a magic's text is its output
        if output is None:
            return reply.value
        self.shell.user_ns[output] = reply.value
        return None


def _run(
    notebook: commands.Notebook, name: str, rest: str, cell: str | None
) -> tuple[commands.Reply, str | None]:
    """The reply to a command line, and the variable it is to be kept in."""
    if not name:
        return commands.status(notebook), None
    if name in ("-h", "--help"):
        return commands.help_(notebook), None
    syntax = commands.syntax(name)
    parsed = parse(syntax, rest, cell, notebook.lookup)
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
    for module in _FRAMES:
        _html_formatter(ipython).for_type_by_name(module, "DataFrame", frame_html)


def unload(ipython: InteractiveShell) -> None:
    """Removes from a shell everything that `load` has added."""
    for kind in ("line", "cell"):
        ipython.magics_manager.magics[kind].pop("memory", None)
    ipython.magics_manager.registry.pop("MemoryMagics", None)
    tab.remove(ipython)
    for module in _FRAMES:
        _html_formatter(ipython).pop(f"{module}.DataFrame", None)


def _html_formatter(ipython: InteractiveShell) -> Any:
    assert ipython.display_formatter is not None
    return ipython.display_formatter.formatters["text/html"]
