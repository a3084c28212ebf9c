"""One operation of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Literal, TypeAlias

import msgspec

from ...entry import Entry
from .callers import Caller, name_of
from .cells import Cell

Kind: TypeAlias = Literal["read", "search", "write", "delete", "other"]
"""What an operation does with records; ``"other"`` looks at the memory as a whole."""

KINDS: dict[str, Kind | None] = {
    **dict.fromkeys(("get", "get_many", "get_records", "records", "history", "resolve"), "read"),
    **dict.fromkeys(("search", "search_records", "stream_records", "hits", "pack"), "search"),
    **dict.fromkeys(
        (
            *("add", "add_many", "apply", "append", "touch", "import_", "summarize", "undo"),
            *("carry_out", "release", "approve"),
        ),
        "write",
    ),
    **dict.fromkeys(("delete", "remove", "clear", "take_all", "forget"), "delete"),
    "change_token": None,
}
"""Verb -> kind, or None for one that is asked for all the time by whoever waits for changes; every other verb is ``"other"``."""

MISSING = frozenset(("get", "get_many", "get_records"))
"""Verbs that ask for keys which may not exist."""

# So many records of an operation are kept to be shown, and the keys of so many.
_MOST_ENTRIES, _MOST_KEYS = 20, 1_000
_OF_A_KEY = 64  # bytes, about


class Operation(msgspec.Struct, eq=False, gc=False):
    """A verb that was asked of a memory.

    The garbage collector does not track it: nothing that it refers to refers back to it, and thousands are kept.

    Attributes:
        source: identifies the memory, whose namespace others may have as well.
        memory: namespace of the memory.
        verb: name of the verb, such as ``"get"``.
        kind: what that does with records.
        about: its first argument, if that is a text: a key or a query.
        cell: the cell that has started it; None for none.
        task: name of the task or thread, if it is another one than that of the cell.
        caller: the function that has asked, and the line; None if it cannot be told. See ``called_by``.
        at: when it began, in Unix seconds by the clock of the memory.
        began: the same as an instant of ``time.perf_counter``, in seconds.
        number: its place in the trace, from 1 on, by the instant at which it ended.
        seconds: how long it took.
        records: how many records were found, written or deleted.
        misses: keys that were asked for and do not exist.
        entries: the records themselves, at most 20, as they were then; emptied when the trace holds too much.
        error: name of the error, if it has failed.
        held: how many bytes the trace holds because of it, about.
    """

    source: int
    memory: str
    verb: str
    kind: Kind
    about: str | None
    cell: Cell | None
    task: str
    caller: Caller | None
    at: float
    began: float
    number: int = 0
    seconds: float = 0.0
    records: int = 0
    misses: int = 0
    entries: Sequence[Entry] = ()
    error: str | None = None
    held: int = 0
    _keys: tuple[str, ...] | None = None
    _bytes: int = -1

    def __repr__(self) -> str:
        where = "" if self.cell is None else f", cell={self.cell.number}"
        return f"Operation({self.verb}{where}, records={self.records}, {1e3 * self.seconds:.2f} ms)"

    @property
    def called_by(self) -> str:
        """Name of the function that has asked; empty if it cannot be told."""
        return "" if self.caller is None else name_of(self.caller)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the records, at most 1,000."""
        return tuple(entry.key for entry in self.entries) if self._keys is None else self._keys

    @property
    def bytes(self) -> int:
        """Bytes of the values of the records, as JSON."""
        return sum(entry.size for entry in self.entries) if self._bytes < 0 else self._bytes

    def settle(self, asked: int) -> None:
        """Counts the records that were touched, and lets go of all but some of them.

        Args:
            asked: for how many keys it has asked; only for verbs that miss.
        """
        entries = self.entries
        self.records = count = len(entries)
        if count == 1:  # by far the most frequent case, in which everything else is left for later
            self.held = entries[0].size + _OF_A_KEY
        elif count:
            self._bytes = sum([entry.size for entry in entries])
            self._keys = tuple([entry.key for entry in entries[:_MOST_KEYS]])
            self.entries = tuple(entries[:_MOST_ENTRIES])
            self.held = sum([entry.size for entry in self.entries]) + _OF_A_KEY * len(self._keys)
        if count < asked and self.verb in MISSING and self.error is None:
            self.misses = asked - count

    def let_go(self) -> None:
        """Drops records and keys; how many there were, and how large, stays known."""
        self._bytes, self._keys, self.entries, self.held = self.bytes, (), (), 0

    def keep_only(self, keys: Sequence[str]) -> None:
        """Leaves out records that the verb has looked at and not returned."""
        by_key = {entry.key: entry for entry in self.entries}
        self.entries = [by_key[key] for key in keys if key in by_key]


CURRENT: ContextVar[Operation | None] = ContextVar("tta_memory_operation", default=None)
"""The operation that is going on in the present task or thread."""
