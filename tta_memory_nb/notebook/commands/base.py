"""What all commands have in common: the notebook they work on, their reply, the wording of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ...errors import InvalidArgument, brief, harmless
from ...filters import FilterArgs, fixed
from ...memory.compare import Snapshot
from ...memory.faces import MemoryPrimitive, SyncMemory
from ...stores.base import Change
from ...times import Instant, shown_instant
from ..fields import Lookup
from ..undo import UndoStack

if TYPE_CHECKING:
    from ...integrations.mcp.http import Served
    from ...memory.tracing import Trace
    from ...transfer import Progress

IN_MEMORY = "in-memory"

_MOST_CHARACTERS = 120


def _no_variables(expression: str) -> Any:
    raise NameError(f"there are no variables here, so no {expression!r}")


class Cells(Protocol):
    """Says which cell of a notebook is run, and shows below it what it has asked of memories."""

    def follow(self, trace: Trace) -> None:
        """Begins, with the cell that is running."""
        ...

    def leave(self) -> None:
        """Ends."""
        ...


class NoCells:
    """The cells of a place that has none, such as a script."""

    def follow(self, _trace: Trace) -> None:
        """Does nothing."""

    def leave(self) -> None:
        """Does nothing."""


@dataclass(slots=True)
class Notebook:
    """What the commands of one notebook work on.

    Attributes:
        memory: the memory in use.
        backend: the backend chosen by ``use``: ``in-memory``, a URL, or the memory of a variable.
        lookup: returns the values of the notebook's variables.
        progress: wraps long work in a progress bar, or False.
        memories: the memories made by ``use``, by backend and namespace.
        undo_stack: the changes that ``undo`` can take back.
        snapshots: by name, what ``diff`` can compare with, and the memory it was taken of.
        golden: path of the file that judgements are added to.
        served: the MCP server that runs in this kernel; None for none.
        trace: what cells have asked of memories; None before the first ``trace on``.
        cells: says which cell is run, while the trace is on.
    """

    memory: MemoryPrimitive = field(default_factory=MemoryPrimitive)
    backend: str = IN_MEMORY
    lookup: Lookup = _no_variables
    progress: Progress | bool = False
    memories: dict[tuple[str, str], MemoryPrimitive] = field(default_factory=dict)
    undo_stack: UndoStack = field(default_factory=UndoStack)
    snapshots: dict[str, tuple[MemoryPrimitive, Snapshot]] = field(default_factory=dict)
    golden: str = "golden.jsonl"
    served: Served | None = None
    trace: Trace | None = None
    cells: Cells = field(default_factory=NoCells)

    def __post_init__(self) -> None:
        self.memories[self.backend, self.memory.namespace] = self.memory

    def clock(self) -> float:
        """Returns the instant that counts for the memory in use, in Unix seconds."""
        return self.memory.sync.clock()

    def seen(self, as_of: Instant | None) -> SyncMemory:
        """Returns the memory in use, or the memory as it was at an instant.

        Raises:
            InvalidArgument: it is no instant, or the memory does not know its records of then.
        """
        memory = self.memory.sync
        return memory if as_of is None else memory.as_of(as_of)

    def remember(self, verb: str, change: Change) -> None:
        """Puts a change to the memory in use on the undo stack."""
        self.undo_stack.add(self.memory, verb, change)

    def fixed(self, filters: FilterArgs) -> FilterArgs:
        """The filters with their instants as Unix seconds.

        For commands that ask the memory more than once: an instant such as ``2h`` is parsed once, and
        means the same each time.

        Raises:
            InvalidArgument: ``since`` or ``until`` is no instant, or ``since`` is later than ``until``.
        """
        return fixed(filters, self.clock())


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command returns.

    Attributes:
        text: one or more lines to print.
        value: the result of the cell, most often a DataFrame; None for none.
    """

    text: str = ""
    value: Any = None


Command: TypeAlias = Callable[..., Reply]


def shown(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Text from a memory as part of a printed line: escaped, at most so many characters of it."""
    if len(text) > most:
        text = f"{text[:most]}..."
    return harmless(text)


def is_quoted(text: str) -> bool:
    """Returns whether all of a text is in quotes, which a shell would take away and the magic does not."""
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"


def count_records(count: int) -> str:
    """``1 record``, ``2,000 records``."""
    return f"{count:,} record" if count == 1 else f"{count:,} records"


def some_of(count: int, total: int, what: str = "") -> str:
    """``3 records``, or ``10 of 2,000 records, newest first`` if there are more than are shown.

    Args:
        count: how many are shown.
        total: how many there are.
        what: which ones, in front of the order.
    """
    if count == total:
        return f"{count_records(total)}{what}"
    return f"{count:,} of {count_records(total)}{what}, newest first"


def as_it_was(memory: SyncMemory, as_of: Instant | None) -> str:
    """``, as of 2026-11-22 15:00:00Z`` for a memory that is looked at as it was, otherwise nothing."""
    return "" if as_of is None else f", as of {shown_instant(memory.clock())}"


def text_of(words: object, name: str) -> str:
    """The operand or the value of the flag, which must be text.

    Raises:
        InvalidArgument: a variable that holds something else.
    """
    if isinstance(words, str):
        return words
    if name.startswith("--"):
        raise InvalidArgument(f"{name} {brief(words)}: give text")
    raise InvalidArgument(f"{name}: expected text, found <{type(words).__name__}>")
