"""The journal: writes of an outage, and how they reach a server that is back.

A journal is replayed in batches, the oldest write first. A batch that fails although the server answers
is made smaller, so that it gets through a slow link, and so that one record which the server never
takes, such as one that is larger than it allows, is found. That record is refused for good: it is set
aside for the user, and the replay goes on with the others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from typing import Any, TypeAlias

from ...entry import Entry
from ...errors import ServerError, StoreUnavailable, harmless
from ..plan import Plan
from . import scripts
from .commands import Commands
from .failover import Acknowledged
from .faults import is_passing, refusal
from .journal_file import JournalFile
from .keys import encode_key
from .operations import BATCH, MOST_BYTES, Attempt, Write, WriteIds, WriteKind

_FORGOTTEN = (
    "it may have been deleted by another client later than it was written, and the server has forgotten "
    "the deletions of that time; add it again if it is to exist"
)

# Kinds of writes that a server without room takes.
_FREEING: tuple[WriteKind, ...] = ("delete", "clear", "resize")

# After so many failures of a write that is sent alone to a server that answers, it is set aside.
_TRIES = 3


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


SetAside: TypeAlias = Callable[[Write, str], None]
"""Keeps a write that the server refuses for good, with the reason."""


class Replay:
    """Brings the writes of a journal to a server that is back.

    Args:
        commands: what asks the server.
        journal: the writes; others may add to it meanwhile.
        base: the server's counter as it was seen last before the outage.
        since: when the outage began, in Unix seconds.
        lock: held while the journal is looked at or changed.
        set_aside: called with each write that the server refuses for good.
        acknowledged: keeps what the server takes, in case that another one takes its place.
        save: brings the file of the journal up to date, before anything is sent; None if there is no file.

    Attributes:
        base: as given; lower when the server turns out to have come back older, and to have given numbers a second time.
        since: as given; it may change when the server's time becomes known.
        replayed: how many records have reached the server.
    """

    def __init__(
        self,
        commands: Commands,
        journal: Journal,
        base: int,
        since: float,
        lock: AbstractContextManager[Any],
        set_aside: SetAside,
        acknowledged: Acknowledged | None = None,
        save: Callable[[], Plan[None]] | None = None,
    ) -> None:
        self._commands = commands
        self._journal = journal
        self.base = base
        self.since = since
        self._lock = lock
        self._set_aside = set_aside
        self._acknowledged = acknowledged
        self._save = save
        self.replayed = 0

    def probe(self) -> Plan[None]:
        """Writes nothing, but finds out whether the server is there and accepts writes.

        Raises:
            StoreUnavailable: the server is away.
            ServerError: the server refuses any write.
        """
        yield from self._send_batch([])

    def step(self) -> Plan[None]:
        """Sends some of the writes; afterwards fewer are pending, or the next step sends less.

        Raises:
            StoreUnavailable: the server is away.
            ServerError: the server refuses any write for now; all that it has not taken stay pending.
        """
        yield from self._deliver(freeing=False)

    def _deliver(self, *, freeing: bool) -> Plan[bool]:
        """Sends the next writes; returns whether there were any."""
        with self._lock:
            writes = self._journal.next(freeing=freeing)
        if not writes:
            return False
        if self._save is not None:
            yield from self._save()
        before = self._commands.seen
        try:
            refused = yield from self._send(writes)
        except (StoreUnavailable, ServerError) as error:
            yield from self.probe()  # raises if this is about the server, and not about these writes
            yield from self._send_less(writes, str(error))
            return True
        done = [write for write in writes if write not in refused]
        with self._lock:
            self._journal.got_through(done)
            self.replayed += sum(write.size for write in done)
            if self._acknowledged is not None:
                self._acknowledged.add(done, before)
        for write, why in refused.items():
            if not is_passing(why):
                yield from self._failed(write, str(why))
        for why in filter(is_passing, refused.values()):
            # Behind what needs room there may be writes that make some.
            if freeing or not (yield from self._deliver(freeing=True)):
                raise why
        return True

    def _send(self, writes: Sequence[Write]) -> Plan[dict[Write, ServerError]]:
        """Sends writes, and returns those that the server refuses while it takes the others."""
        [first, *_] = writes
        commands = self._commands
        if first.kind == "clear":
            place = b"0"
            while place:
                place = yield from commands.write(
                    scripts.PURGE,
                    first.write_id,
                    self.base,
                    repr(first.at),
                    place,
                    client=first.client,
                )
        elif first.kind == "resize":
            _, more = yield from commands.resize(first.max_size, first.write_id, first.client)
            while more:  # each step under an id of its own, or the server would take it for done
                attempt = Attempt()
                try:
                    write_id = commands.write_ids.begin(attempt)
                    _, more = yield from commands.resize(first.max_size, write_id)
                finally:
                    commands.write_ids.end(attempt.write_id)
        else:
            return (yield from self._send_batch(writes))
        return {}

    def _send_batch(self, writes: Sequence[Write]) -> Plan[dict[Write, ServerError]]:
        """Sends writes each of which sets or deletes; returns as `_send` does."""
        commands = self._commands
        args: list[bytes | str | int] = []
        for write in writes:
            count = len(write.entries) + len(write.keys)
            args += (write.write_id, write.kind, repr(write.at), count, write.author)
            for entry in write.entries:
                args.append(encode_key(entry.key))
                if write.kind == "apply":
                    args += (b"set", *commands.payloads.pack(entry))
                elif write.kind == "take":
                    args.append(entry._write_seq)
                elif write.kind == "restore":
                    args += commands.at_its_place(entry)
                else:
                    args += commands.payloads.pack(entry)
            for key in write.keys:
                args.append(encode_key(key))
                if write.kind == "apply":
                    args += (b"delete", b"", b"")
                elif write.kind == "touch":
                    args.append(b"" if write.ttl is None else repr(write.ttl))
        # No id of its own: the server looks up the id of each write.
        client = writes[0].client if writes else b""
        reply = yield from commands.write(
            scripts.REPLAY, 0, self.base, repr(self.since), *args, client=client
        )
        _start, end, commands.evictions, capacity, write_seqs, refused = reply
        commands.note(end, capacity)
        kept = [(write, entry) for write in writes for entry in write.kept]
        for (write, entry), write_seq in zip(kept, write_seqs, strict=True):
            if write_seq > 0 or write.kind in ("set", "apply", "append"):
                entry._write_seq = max(0, write_seq)
            if write_seq < 0:
                with self._lock:
                    self._set_aside(replace(write, entries=(entry,), kept=(entry,)), _FORGOTTEN)
        it = iter(refused)
        return {
            writes[number - 1]: refusal(message.decode("utf-8", "replace"))
            for number, message in zip(it, it, strict=True)
        }

    def _send_less(self, writes: Sequence[Write], reason: str) -> Plan[None]:
        if len(writes) > 1:
            with self._lock:
                self._journal.send_less(writes)
        else:
            yield from self._failed(writes[0], reason)

    def _failed(self, write: Write, reason: str) -> Plan[None]:
        """Splits a write that has failed alone, tries it again, or sets it aside."""
        write.tries += 1
        if write.size == 1 and write.tries < _TRIES:
            return
        # From here on the server takes nothing under this id any more, also what is still under way.
        applied = yield from self._commands.give_up(write.write_id, write.client)
        with self._lock:
            if applied:
                self._journal.got_through((write,))
                self.replayed += write.size
            elif write not in self._journal:
                pass  # another thread has taken the replay over
            elif write.size > 1:
                self._journal.send_less((write,))
                self._journal.split(write)
            else:
                self._set_aside(write, harmless(reason))
                self._journal.remove(write)
