"""How the writes of a journal reach a server that is back.

A journal is replayed in batches, the oldest write first. A batch that fails although the server answers
is made smaller, so that it gets through a slow link, and so that one record which the server never
takes, such as one that is larger than it allows, is found. That record is refused for good: it is set
aside for the user, and the replay goes on with the others.

What others have deleted for good meanwhile stays deleted: before a record is sent that says it again, the server refuses the batch, the
memory compares all that is pending with the tombstones that there are now, and what they refuse is set aside as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeAlias

from ...entry import Entry
from ...errors import ServerError, StoreUnavailable, harmless
from ..plan import Plan
from . import scripts
from .commands import Commands
from .failover import Acknowledged
from .faults import is_passing, refusal
from .journal import Journal
from .keys import encode_key
from .operations import Attempt, Write

_FORGOTTEN = (
    "it may have been deleted by another client later than it was written, and the server has forgotten "
    "the deletions of that time; add it again if it is to exist"
)

# After so many failures of a write that is sent alone to a server that answers, it is set aside.
_TRIES = 3

Compare: TypeAlias = Callable[[Sequence[Entry]], Plan[dict[int, str]]]
"""Returns by its place why an entry must not come back: it says what was deleted for good."""

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
        compare: compares entries with the tombstones that there are now; None as long as no memory has said how.

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
        compare: Compare | None = None,
    ) -> None:
        self._commands = commands
        self._journal = journal
        self.base = base
        self.since = since
        self._lock = lock
        self._set_aside = set_aside
        self._acknowledged = acknowledged
        self._save = save
        self._compare = compare
        # Number of the list of tombstones that the writes were compared with.
        self._compared = ""
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
            if isinstance(error, ServerError) and error.code == "STONES":
                yield from self._leave_deleted(error)
                return True
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
            scripts.REPLAY,
            0,
            self.base,
            repr(self.since),
            *args,
            client=client,
            compared=self._compared,
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

    def _leave_deleted(self, error: ServerError) -> Plan[None]:
        """Sets aside what says again what others have deleted for good.

        Raises:
            ServerError: nobody can compare the writes yet, so they stay pending.
        """
        if self._compare is None:
            raise error
        number = self._commands.tombstones
        with self._lock:
            entries = self._journal.setting()
        found = yield from self._compare(entries)
        with self._lock:
            why = {id(entries[place]): reason for place, reason in found.items()}
            for write, entry, reason in self._journal.drop(why):
                self._set_aside(replace(write, entries=(entry,), kept=(entry,)), reason)
        self._compared = number

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
