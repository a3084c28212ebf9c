"""The undo stack: changes made in one notebook, by commands and by explorers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import RLock

from ..errors import InvalidArgument
from ..memory.faces import MemoryPrimitive
from ..stores.base import Change

_MOST_CHANGES = 100


@dataclass(frozen=True, slots=True)
class Undone:
    """A change that has been undone.

    Attributes:
        memory: the memory that was changed.
        verb: what the user had done, such as ``"delete"``.
        change: what that had changed in the memory.
        back: what undoing it has changed.
    """

    memory: MemoryPrimitive
    verb: str
    change: Change
    back: Change


@dataclass(slots=True)
class UndoStack:
    """The latest changes to any memory. The newest is undone first."""

    _changes: list[tuple[MemoryPrimitive, str, Change]] = field(default_factory=list)
    # A widget's callbacks run in threads of their own.
    _lock: RLock = field(default_factory=RLock, repr=False)

    def add(self, memory: MemoryPrimitive, verb: str, change: Change) -> None:
        """Adds a change, unless it is empty, and drops the oldest when there are more than 100.

        Args:
            memory: the memory that was changed.
            verb: what the user has done.
            change: what that has changed.
        """
        if not change.written and not change.removed and change.decisions is None:
            return
        with self._lock:
            self._changes.append((memory, verb, change))
            del self._changes[:-_MOST_CHANGES]

    def verbs(self) -> Iterator[str]:
        """The verbs of all changes, the newest first."""
        with self._lock:
            return iter([verb for _, verb, _ in reversed(self._changes)])

    def undo(self) -> Undone:
        """Undoes the newest change.

        Raises:
            InvalidArgument: the stack is empty.
        """
        with self._lock:
            if not self._changes:
                raise InvalidArgument("nothing to undo: there is no change left on the undo stack")
            memory, verb, change = self._changes.pop()
        return Undone(memory, verb, change, memory.sync.undo(change))
