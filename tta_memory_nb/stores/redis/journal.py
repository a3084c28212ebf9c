"""The journal: writes of an outage that are pending for the server; `replay` brings them there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from typing import Any

from ...entry import Entry
from .journal_file import JournalFile
from .operations import BATCH, MOST_BYTES, Write, WriteIds, WriteKind

# Kinds of writes that a server without room takes.
_FREEING: tuple[WriteKind, ...] = ("delete", "clear", "resize")


@dataclass(frozen=True, slots=True)
class RefusedWrite:
    """A write that was acknowledged in an outage, and that the server then refused for good.

    Attributes:
        kind: what it was meant to do.
        at: when it was acknowledged, in Unix seconds.
        reason: what the server said, or how the connection ended each time it was sent.
    """

    kind: WriteKind
    at: float
    reason: str
    _entry: Entry | None = field(default=None, repr=False)

    @property
    def value(self) -> dict[str, Any] | None:
        """A fresh copy of the value that it was meant to set; None if it set none."""
        return None if self._entry is None else self._entry.value()


class Journal:
    """Writes that are pending for the server, the oldest first.

    Args:
        ids: of this process's writes. A write gets its id when it is sent, so the ids of a journal
            rise in the order of its writes, and the server can remember them as one range.
        kept: where the writes are kept, for another process if this one ends; None if nowhere.

    Attributes:
        size: how many records are pending.
    """

    def __init__(self, ids: WriteIds, kept: JournalFile | None = None) -> None:
        self._ids = ids
        self._kept = kept
        # Writes whose entries learn their versions from the server when writes before them are replayed.
        self._learning: dict[Write, None] = {}
        self._writes: OrderedDict[Write, None] = OrderedDict()
        # Writes that were not sent, by key: a later write to the same key replaces them.
        self._unsent: dict[str, Write] = {}
        # What the link has let through: so many records, and so many bytes of texts, are sent together.
        self._most, self._most_bytes = BATCH, MOST_BYTES
        self.size = 0

    def add(self, write: Write) -> None:
        """Puts a write behind all others; one that is pending already stays where it is."""
        if write in self._writes:
            return
        if write.kind == "clear":
            for earlier in [each for each in self._writes if not each.write_id]:
                if earlier.kind != "resize":
                    self.remove(earlier)
        key = write.only_key
        if key is not None:
            if key in self._unsent:
                self.remove(self._unsent[key])
            if not write.write_id:
                self._unsent[key] = write
        for other in () if key is not None else write.changed:
            self._unsent.pop(other, None)  # that write is sent before this one
        self._writes[write] = None
        self.size += write.size
        self._keep(write)

    def _keep(self, write: Write, is_pending: bool = True) -> None:
        """Notes for the file that a write is pending, has changed, or is not pending any more."""
        if self._kept is not None:
            self._kept.note(write, is_pending)
            if write.kind in ("take", "restore"):
                self._learning[write] = None
            if not is_pending:
                self._learning.pop(write, None)

    def __bool__(self) -> bool:
        return bool(self._writes)

    def has(self, write_id: int) -> bool:
        """Returns whether a write with this id is pending."""
        return any(each.write_id == write_id and not each.client for each in self._writes)

    def __contains__(self, write: Write) -> bool:
        return write in self._writes

    def remove(self, write: Write) -> None:
        """Takes a write out, because it was applied or never will be; a second time it does nothing."""
        self._end(write)
        self._forget_key(write)
        if self._writes.pop(write, self) is None:
            self._keep(write, is_pending=False)
            # Nothing decides by it; it is only reported. An interrupt between the two lines leaves it wrong.
            self.size = self.size - write.size if self._writes else 0

    def _end(self, write: Write) -> None:
        if not write.client:  # ids of another process are not among these
            self._ids.end(write.write_id)

    def _forget_key(self, write: Write) -> None:
        key = write.only_key
        if key is not None and self._unsent.get(key) is write:
            del self._unsent[key]

    def move(self, since: float, seconds: float) -> None:
        """Moves the instants of all writes; of their entries, those that are not earlier than `since`."""
        moved: dict[int, Entry] = {}  # an entry may belong to several writes
        for write in self._writes:
            write.at += seconds
            self._keep(write)
            moved.update((id(entry), entry) for entry in (*write.entries, *write.kept))
        for entry in moved.values():
            if entry.updated_at < since:  # an imported one
                continue
            entry.updated_at += seconds
            if entry.created_at is not None and entry.created_at >= since:
                entry.created_at += seconds
            if entry.expires_at is not None:
                entry.expires_at += seconds

    # ---- what was deleted for good meanwhile

    def setting(self) -> list[Entry]:
        """Returns all entries that pending writes would set or put back."""
        return [entry for write in self._writes if write.kind != "take" for entry in write.entries]

    def drop(self, refused: Mapping[int, str]) -> list[tuple[Write, Entry, str]]:
        """Takes entries out that must not reach the server. An ``"apply"`` is one step, so all of it goes.

        Args:
            refused: by the identity of an entry of `setting`, why.

        Returns:
            The write that each was part of, the entry as it is in memory, and why it goes.
        """
        dropped: list[tuple[Write, Entry, str]] = []
        for write in list(self._writes):
            why = [refused.get(id(entry)) for entry in write.entries]
            if write.kind == "take" or not any(why):
                continue
            if write.kind == "apply":
                reason = next(filter(None, why))
                why = [each or f"one step with another record: {reason}" for each in why]
            # An undo knows its entries by themselves.
            here = write.kept or write.entries
            dropped += ((write, entry, each) for entry, each in zip(here, why, strict=True) if each)
            left = [number for number, each in enumerate(why) if not each]
            if not left:
                self.remove(write)
                continue
            self._forget_key(write)
            self.size -= len(why) - len(left)
            write.entries = [write.entries[number] for number in left]
            write.kept = [write.kept[number] for number in left] if write.kept else ()
            self._keep(write)
        return dropped

    # ---- what is sent

    def next(self, *, freeing: bool = False) -> list[Write]:
        """Returns the writes to send next: one of any kind, or some that can be sent together.

        Args:
            freeing: only writes that free room. They may overtake earlier ones, since of two writes of a
                record the one with the newest instant wins.
        """
        taken: list[Write] = []
        size = weight = 0
        first = next(iter(self._writes), None)
        if (
            first is not None
            and not first.write_id
            and first.size > self._most
            and first.kind != "apply"  # one step, unless the server does not take it as one
        ):
            self.split(first)
        for write in self._freeing() if freeing else self._writes:
            alone = write.kind in ("clear", "resize")
            if write.kind in ("take", "restore") and any(each.kept for each in taken):
                break  # it names versions, which those before it learn from the server
            if taken and (
                alone
                or write.client != taken[0].client
                or size + write.size > self._most
                or weight + write.weight > self._most_bytes
            ):
                break
            taken.append(write)
            size, weight = size + write.size, weight + write.weight
            if alone:
                break
        for write in taken:
            self._forget_key(write)
            if not write.write_id:
                self._ids.begin(write)
                self._keep(write)
        return taken

    def _freeing(self) -> Iterator[Write]:
        """Yields the writes that free room and are newer than each one that they overtake."""
        overtaken = -inf
        for write in self._writes:
            if write.kind in _FREEING and write.at > overtaken:
                yield write
            else:
                overtaken = max(overtaken, write.at)

    def split(self, write: Write) -> None:
        """Replaces a write, which the server has not applied, by several of its records each."""
        most = max(1, min(self._most, write.size // 2))
        parts = list(_parts(write, most))
        split = ((each,) if each is not write else parts for each in self._writes)
        self._writes = OrderedDict.fromkeys(chain.from_iterable(split))
        self._end(write)
        for part in parts:
            self._keep(part)
        self._keep(write, is_pending=False)

    def got_through(self, writes: Sequence[Write]) -> None:
        """Takes out writes that the server has answered; the next batch may be larger."""
        for write in writes:
            self.remove(write)
        for write in self._learning:
            self._keep(write)
        self._most = min(BATCH, 2 * self._most)
        self._most_bytes = min(MOST_BYTES, 2 * self._most_bytes)

    def send_less(self, writes: Sequence[Write]) -> None:
        """Makes the next batch smaller than one that has failed."""
        self._most = max(1, sum(write.size for write in writes) // 2)
        self._most_bytes = max(1, sum(write.weight for write in writes) // 2)


def _parts(write: Write, most: int) -> Iterator[Write]:
    if write.kind == "apply":
        yield from _parts(replace(write, kind="delete", entries=(), kept=()), most)
        yield from _parts(replace(write, kind="set", keys=()), most)
        return
    for start in range(0, len(write.entries) + len(write.keys), most):
        cut = slice(start, start + most)
        yield replace(
            write,
            write_id=0,
            tries=0,
            client=b"",
            number=0,
            entries=write.entries[cut],
            kept=write.kept[cut],
            keys=write.keys[cut],
        )
