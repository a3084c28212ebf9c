"""Writes and their ids, under which a server applies each of them once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain
from secrets import token_hex
from threading import Lock
from time import monotonic
from typing import Literal, Protocol, TypeAlias, TypeVar

from ...entry import Entry
from ..forks import guarded

BATCH = 500
"""So many records are sent in one command."""

MOST_BYTES = 4_000_000
"""So many bytes of texts are sent or answered in one command; a longer record is sent alone."""

# So many ids of writes may wait for a barrier, as many as a failing disk or replica makes wait.
_MOST_UNCOVERED = 100_000

T = TypeVar("T")


class WriteId(Protocol):
    """What has an id of a write; 0 before it has one."""

    write_id: int


@dataclass(slots=True)
class Attempt:
    """A write that is sent to the server, and pending nowhere."""

    write_id: int = 0


class WriteIds:
    """Ids (idempotency keys) of this process's writes, and which writes are not settled yet.

    Attributes:
        client: the name under which the server remembers the ids.
        awaits_barriers: whether the server may lose a write that was applied, so that its id is settled only when
            a barrier covers it. Until then the write may be sent again under its id.
    """

    def __init__(self) -> None:
        self.awaits_barriers = False
        # When each write ended, in seconds of the monotonic clock, and its id.
        self._uncovered: deque[tuple[float, int]] = deque()
        self._lock = guarded(Lock(), 4)
        self._pid = 0
        self.client = b""
        self._next = 0
        self._open: dict[int, None] = {}

    def begin(self, write: WriteId) -> int:
        """Gives a write an id, and returns it.

        An interrupt may strike at any step. So the write has its id before the id is open, and
        whoever made the write ends it.
        """
        with self._lock:
            if self._pid != os.getpid():
                # Two processes of one fork must not use the same ids, nor what the server has forgotten.
                self._pid, self.client, self._open = os.getpid(), token_hex(8).encode(), {}
                self._uncovered.clear()
            self._next += 1
            write.write_id = self._next
            self._open[write.write_id] = None
            return write.write_id

    def end(self, write_id: int) -> None:
        """Records that a write was applied, or never will be."""
        with self._lock:
            if not self.awaits_barriers:
                self._open.pop(write_id, None)
            elif write_id in self._open:
                self._uncovered.append((monotonic(), write_id))
                if len(self._uncovered) > _MOST_UNCOVERED:
                    self._open.pop(self._uncovered.popleft()[1], None)

    def confirm(self, asked: float) -> None:
        """Records that what was applied cannot be lost any more.

        Args:
            asked: when the barrier was sent that covers it, in seconds of the monotonic clock.
        """
        with self._lock:
            while self._uncovered and self._uncovered[0][0] <= asked:
                self._open.pop(self._uncovered.popleft()[1], None)

    def leave(self) -> bytes | None:
        """Takes another name for later writes, and returns the one under which this process has written.

        None if it has not written, or if a write is not settled.
        """
        with self._lock:
            if self._pid != os.getpid() or self._open:
                return None
            client, self._pid = self.client, 0
            return client

    def reopen(self, write_ids: Iterable[int]) -> None:
        """Records that some writes are not settled after all: the server may have lost them."""
        with self._lock:
            again = set(write_ids)
            self._uncovered = deque(each for each in self._uncovered if each[1] not in again)
            self._open = dict.fromkeys(sorted({*again, *self._open}))

    def settled_below(self) -> int:
        """Returns the lowest id that is not settled."""
        with self._lock:
            return next(iter(self._open), self._next + 1)


WriteKind: TypeAlias = Literal[
    "set", "delete", "apply", "append", "touch", "take", "restore", "clear", "resize"
]


@dataclass(eq=False, slots=True)
class Write:
    """A write that is pending for the server.

    Attributes:
        kind: what it does. ``"apply"`` deletes and sets in one step; ``"append"`` sets what the server may have under
            other keys already, if it was sent before; ``"take"`` deletes what a write has put there, and nothing newer, and
            ``"restore"`` puts back what was removed, unless something has been written since.
        at: its instant, in Unix seconds.
        entries: what it sets or restores, or what it takes. What it sets are copies, as it was
            meant: the memory has its own.
        kept: the entries in memory, which learn their ``_write_seq`` from the server.
        keys: what it deletes; of an ``"apply"``, which also has entries, none of these.
        max_size: the capacity it sets.
        ttl: seconds after its instant at which the records expire that it touches; None for those of the records.
        write_id: under which it has been sent, so that it must reach the server as it was; 0 if it
            has not been sent.
        tries: how often it has failed when it was sent alone.
        client: the client that has sent it, if that was another process, which has ended since.
        number: its number in the file of the journal; 0 if it was never meant to be there.
        place: its place among the others there; parts of one write have the same.
        author: who makes it, as `history.authors` has it; empty where nobody keeps that.
    """

    kind: WriteKind
    at: float
    entries: Sequence[Entry] = ()
    kept: Sequence[Entry] = ()
    keys: Sequence[str] = ()
    max_size: int = 0
    write_id: int = 0
    tries: int = 0
    client: bytes = b""
    number: int = 0
    place: int = 0
    ttl: float | None = None
    author: bytes = b""

    @classmethod
    def setting(cls, entries: Sequence[Entry], at: float) -> Write:
        """Returns a write that sets entries, as they are now."""
        return cls("set", at, entries=[copy(entry) for entry in entries], kept=entries)

    @property
    def size(self) -> int:
        """How many records it changes."""
        return max(1, len(self.entries) + len(self.keys))

    @property
    def weight(self) -> int:
        """How many bytes its texts have."""
        return sum(len(entry.text) for entry in self.entries)

    @property
    def changed(self) -> Iterator[str]:
        """The keys of the records that it changes."""
        return chain((entry.key for entry in self.entries), self.keys)

    @property
    def only_key(self) -> str | None:
        """The key, if it decides alone what becomes of one record."""
        is_decisive = self.kind in ("set", "delete") and self.size == 1
        return next(self.changed) if is_decisive else None


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yields entries in as many batches as commands are needed, each key once, where it is last."""
    batch: dict[str, Entry] = {}
    size = 0
    for entry in entries:
        before = batch.pop(entry.key, None)
        if before is not None:
            size -= len(before.text)
        elif batch and (len(batch) == BATCH or size + len(entry.text) > MOST_BYTES):
            yield list(batch.values())
            batch, size = {}, 0
        batch[entry.key] = entry
        size += len(entry.text)
    if batch:
        yield list(batch.values())


def pages(items: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Yields a sequence in pieces of at most so many items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
