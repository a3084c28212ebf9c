"""What can be undone: the changes made in one notebook, by commands and by explorers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import RLock

from ..errors import InvalidArgument
from ..memory.faces import MemoryPrimitive
from ..stores.base import Change

_KEPT = 100


@dataclass(frozen=True, slots=True)
class Undone:
    """A change that was taken back.

    Attributes:
        memory: where.
        verb: what had been done.
        change: what that had changed.
        back: what taking it back has changed.
    """

    memory: MemoryPrimitive
    verb: str
    change: Change
    back: Change


@dataclass(slots=True)
class Changes:
    """Changes of any memory, the newest first to be undone."""

    _kept: list[tuple[MemoryPrimitive, str, Change]] = field(default_factory=list)
    # A widget's callbacks come on threads of their own.
    _lock: RLock = field(default_factory=RLock, repr=False)

    def add(self, memory: MemoryPrimitive, verb: str, change: Change) -> None:
        """Keeps a change, and lets go of the oldest."""
        if not change.written and not change.removed:
            return
        with self._lock:
            self._kept.append((memory, verb, change))
            del self._kept[:-_KEPT]

    def verbs(self) -> Iterator[str]:
        """What can be undone, the newest first."""
        with self._lock:
            return iter([verb for _, verb, _ in reversed(self._kept)])

    def undo(self) -> Undone:
        """Takes the newest change back.

        Raises:
            InvalidArgument: there is none.
        """
        with self._lock:
            if not self._kept:
                raise InvalidArgument("nothing to undo: all changes are undone already")
            memory, verb, change = self._kept.pop()
        return Undone(memory, verb, change, memory.sync.undo(change))
