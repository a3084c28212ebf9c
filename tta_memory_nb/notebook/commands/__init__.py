"""The subcommands of ``%memory``, one function each. No IPython here.

    reading.py     get, list, log, folders
    conversing.py  append, history
    searching.py   search, why, suggest
    packing.py     pack
    writing.py     add, touch, delete, clear, undo
    digesting.py   summarize, forget
    holding.py     tombstones
    transfer.py    import, export
    judging.py     judge, evaluate, tune
    doctor.py      doctor
    resolving.py   resolve
    proposing.py   proposals
    tracing.py     trace
    views.py       explore, plot, snapshot, diff
    memories.py    info, use, nest, and the reply to %memory alone
    serving.py     serve
    keys.py        keys as operands
    base.py        the notebook that commands work on, and their reply

A command takes the `Notebook` and the parsed operands and flags of its line (see `arguments`), and returns
a `Reply`. Its docstring is its help. To add a command, write a function and name it in `COMMANDS`.
"""

from __future__ import annotations

from ...errors import InvalidArgument
from ..arguments import Syntax, Word, did_you_mean
from . import (
    conversing,
    digesting,
    doctor,
    holding,
    judging,
    memories,
    packing,
    proposing,
    reading,
    resolving,
    searching,
    serving,
    tracing,
    transfer,
    views,
    writing,
)
from .base import Command, Notebook, Reply, shown

__all__ = ["COMMANDS", "Command", "Notebook", "Reply", "help_", "overview", "syntax"]


def help_(_nb: Notebook, command: Word | None = None) -> Reply:
    """Show all commands, or the help of one."""
    if command is None:
        return Reply(overview())
    return Reply(syntax(str(command)).help())


COMMANDS: dict[str, Command] = {
    "add": writing.add,
    "get": reading.get,
    "search": searching.search,
    "why": searching.why,
    "suggest": searching.suggest,
    "pack": packing.pack,
    "list": reading.list_,
    "log": reading.log,
    "folders": reading.folders,
    "append": conversing.append,
    "history": conversing.history,
    "judge": judging.judge,
    "evaluate": judging.evaluate,
    "tune": judging.tune,
    "explore": views.explore,
    "doctor": doctor.doctor,
    "touch": writing.touch,
    "resolve": resolving.resolve,
    "delete": writing.delete,
    "clear": writing.clear,
    "tombstones": holding.tombstones,
    "summarize": digesting.summarize,
    "forget": digesting.forget,
    "proposals": proposing.proposals,
    "undo": writing.undo,
    "plot": views.plot,
    "trace": tracing.trace,
    "snapshot": views.snapshot,
    "diff": views.diff,
    "info": memories.info,
    "use": memories.use,
    "serve": serving.serve,
    "import": transfer.import_,
    "export": transfer.export,
    "nest": memories.nest,
    "help": help_,
}
"""Every command, in the order of the help."""


def syntax(name: str) -> Syntax:
    """The syntax of a command.

    Raises:
        InvalidArgument: there is no such command; the message suggests the most similar one.
    """
    if name not in COMMANDS:
        raise InvalidArgument(
            f"no subcommand '{shown(name)}'{did_you_mean(name, list(COMMANDS))}; "
            "%memory help lists them"
        )
    return Syntax.of(name, COMMANDS[name])


def overview() -> str:
    """The text of ``%memory help``: one line for each command."""
    syntaxes = [syntax(name) for name in COMMANDS]
    width = max(len(each.usage) for each in syntaxes)
    lines = [f"  {each.usage:<{width}}  {each.summary}" for each in syntaxes]
    return "\n".join(
        [
            "See, search and repair what an agent remembers.",
            "",
            f"  {'%memory':<{width}}  Show backend, namespace, size, capacity and evictions.",
            *lines,
            "",
            "%memory help search, or %memory search -h, shows the flags of a command. In a cell magic,",
            "%%memory add KEY, the body of the cell is the value. -o NAME stores the result in NAME.",
        ]
    )
