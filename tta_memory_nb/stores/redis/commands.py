"""The commands of one namespace that are about records: what the server is asked, and what its replies mean.

Every write has a write id, under which the server remembers that it has applied the write. So a write
may be sent again when its reply was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from struct import Struct
from typing import Any

from ...entry import Entry, Unreadable
from ...errors import ServerError, StoreUnavailable, brief
from ...keys import message_key
from ...text import to_utf8
from ..base import Change
from ..expecting import Expected, conflict
from ..plan import Plan
from . import scripts
from .clock import ServerClock
from .keys import encode_key
from .lost import recall
from .namespace import NamespaceCommands
from .operations import BATCH, pages
from .partial import Replicas
from .payload import Payloads, unpack
from .rows import entries_of, named, triples
from .wire import Prepared

_DOUBLE = Struct(">d")


class Commands(NamespaceCommands):
    """All commands of one namespace on a server, as plans.

    What the replies say of records also goes into the replicas.

    Args:
        namespace: name of the tenant.
        replicas: what this process knows of the namespace.
        payloads: makes the bytes of records.
        clock: of the server.
        timeout: seconds after which this process does not wait for a reply any more.

    Attributes:
        payloads: makes the bytes of records.
        reads_not_noted: how many records were read from a server that could not write, so that the
            order of use does not have these reads.
    """

    def __init__(
        self,
        namespace: str,
        replicas: Replicas,
        payloads: Payloads,
        clock: ServerClock,
        timeout: float,
    ) -> None:
        super().__init__(namespace, replicas, clock, timeout)
        self.reads_not_noted = 0
        # Whether the namespace had an index on the server when a record was written last.
        self._is_indexed = False
        self._replicas = replicas
        self.payloads = payloads

    def set(self, entry: Entry, write_id: int, compared: str) -> Plan[None]:
        """Writes one record in a way that cannot be taken back; for the arguments see `put`."""
        if self.max_size is not None or self._is_indexed:
            (yield from self.put((entry,), write_id, compared, for_good=True))()
            return
        key, packed = encode_key(entry.key), self.payloads.pack(entry)
        reply = yield from self.write(scripts.SET, write_id, key, *packed, compared=compared)
        if reply is None:
            yield from recall((entry,), self.keys[0], self._replicas, self.note)
            return
        is_due: list[int] = []
        if type(reply) is list:
            if len(reply) < 2:  # a case that set.lua leaves to put.lua
                self._is_indexed = bool(reply)
                (yield from self.put((entry,), write_id, compared, for_good=True))()
                return
            reply, created, *is_due = reply
            if created:
                entry.created_at = _DOUBLE.unpack(created)[0]
        if entry.created_at is None:
            entry.created_at = entry.updated_at
        entry._recency = entry._write_seq = reply
        self.note(reply)
        self._replicas.wrote((entry,), reply - 1, reply)
        if is_due:
            # The record is written. If this fails, another write asks for it later.
            with suppress(StoreUnavailable, ServerError):
                yield from self.run(scripts.TRIM)

    def set_large(self, entry: Entry, write_id: int, compared: str) -> Plan[None]:
        """Writes a record that may be larger than the server takes.

        Such a server closes the connection in the middle of the record, as one that goes away does.

        Raises:
            ServerError: the server answers, but not when this record is sent.
        """
        for is_last in (False, True):
            try:
                return (yield from self.set(entry, write_id, compared))
            except (StoreUnavailable, ServerError) as error:
                if isinstance(error, ServerError) and "Protocol error" not in str(error):
                    raise
                yield from self.ping()  # raises if the server is away
                if not is_last:
                    continue
                if (yield from self.give_up(write_id)):
                    raise  # only the reply is missing
                raise ServerError(
                    f"the record {brief(entry.key)} has {entry.size:,} bytes, and the server answers, "
                    f"but not to this record, so nothing was written ({error}); store less, or raise the "
                    "limits of the server (proto-max-bulk-len, client-query-buffer-limit) or the timeout"
                ) from None
        raise AssertionError  # the last one has raised or returned

    def prepare(self, entries: Sequence[Entry]) -> Prepared:
        """Returns a batch of entries as `put` sends it."""
        args: list[bytes] = []
        for entry in entries:
            args += (encode_key(entry.key), *self.payloads.pack(entry))
        return Prepared(args)

    def put(
        self,
        entries: Sequence[Entry],
        write_id: int,
        compared: str,
        *,
        for_good: bool = False,
        prepared: Prepared | None = None,
        work: Callable[[], None] | None = None,
    ) -> Plan[Callable[[], Change]]:
        """Writes a batch of entries with different keys.

        Args:
            entries: as many as `batches` gives at a time.
            write_id: of this write.
            compared: number of the list of tombstones that the entries were compared with; empty for none.
            for_good: leave out of the change what was replaced and evicted.
            prepared: what `prepare` has made of the entries; None: `put` calls it.
            work: what to do while the server is at it.

        Returns:
            A function that takes the write in here and returns the change. It has to be called once
            and soon, but may be called when the next batch is on its way.
        """
        prepared = prepared or self.prepare(entries)
        flag = b"0" if for_good else b"1"
        reply = yield from self.write(
            scripts.PUT, write_id, flag, prepared, work=work, compared=compared
        )
        if reply is None:
            yield from recall(entries, self.keys[0], self._replicas, self.note)
            return lambda: Change(tuple(entries), origin=self)
        _, end, _, _, _, self.evictions, capacity, *_ = reply
        self.note(end, capacity)
        return lambda: self._has_put(entries, reply)

    def _has_put(self, entries: Sequence[Entry], reply: Sequence[Any]) -> Change:
        start, end, first, last, evicted, _, _, replaced, out, kept = reply
        for entry, place in zip(entries, range(first, last + 1), strict=True):
            entry._recency = entry._write_seq = place
            if entry.created_at is None:
                entry.created_at = entry.updated_at
        it = iter(kept)
        for number, created in zip(it, it, strict=True):
            entries[number - 1].created_at = _DOUBLE.unpack(created)[0]
        self._replicas.wrote(entries, start, -1 if evicted else end)
        removed = entries_of(replaced)
        old = [entry for entry in entries_of(out) if entry._recency <= start]
        return Change(tuple(entries), (*removed, *old), len(old), self)

    def apply(
        self,
        entries: Sequence[Entry],
        deletes: Sequence[str],
        expect: Expected,
        write_id: int,
        compared: str,
    ) -> Plan[Change]:
        """Deletes and writes records in one step, if others are as expected.

        Raises:
            Conflict: a record is not as expected.
        """
        args: list[bytes | int] = [len(expect), len(deletes)]
        for key, version in expect.items():
            args += (encode_key(key), to_utf8(version or ""))
        args += map(encode_key, deletes)
        prepared = self.prepare(entries)
        reply = yield from self.write(scripts.APPLY, write_id, *args, prepared, compared=compared)
        if reply is None:
            yield from recall(entries, self.keys[0], self._replicas, self.note)
            self._replicas.removed(deletes, -1, self.seen)
            return Change(tuple(entries), origin=self)
        if len(reply) == 1:
            there = dict(named(reply[0]))
            raise conflict({key: bool(there[key]) for key in expect if key in there}, expect)
        start, middle, end, first, last, evicted, self.evictions, capacity, *rows, gone = reply
        self.note(end, capacity)
        with self._replicas.whole.replica.records.lock:  # nobody here sees a part of it either
            change = self._removed((start, middle, gone), deletes) if deletes else Change()
            put = self._has_put(entries, (middle, end, first, last, evicted, 0, 0, *rows))
        return Change(put.written, (*change.removed, *put.removed), put.evicted, self)

    def append(
        self, owner: str, entries: Sequence[Entry], write_id: int, compared: str
    ) -> Plan[list[str]]:
        """Writes messages, and sets the keys that the server has given them.

        Raises:
            ServerError: they were written, but the reply that has their keys was lost for good.
        """
        args = [each for entry in entries for each in self.payloads.pack(entry)]
        reply = yield from self.write(
            scripts.APPEND, write_id, to_utf8(owner), Prepared(args), compared=compared
        )
        if reply is None:
            raise ServerError(
                f"{len(entries):,} messages were appended, but the server has not kept the reply that has their keys; "
                "read them with history()",
                "LOST",
            )
        start, end, first, last, _, self.evictions, capacity, *_ = reply
        for entry, number in zip(entries, range(first, last + 1), strict=True):
            entry.key = message_key(owner, number)
        self.note(end, capacity, start)
        self._has_put(entries, reply)
        return [entry.key for entry in entries]

    def touch(self, keys: Sequence[str], ttl: float | None, write_id: int) -> Plan[int]:
        """Has a batch of records expire later; returns how many exist."""
        reply = yield from self.write(
            scripts.TOUCH, write_id, b"" if ttl is None else repr(ttl), *map(encode_key, keys)
        )
        if reply is None:  # that was done before; only the number of the records is lost
            return len((yield from self.peek(keys)))
        start, end, rows = reply
        self.note(end)
        self._replicas.touched(list(triples(rows)), start, end)
        return len(rows) // 3

    def get(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """Returns the entries of the keys that exist, in the order asked, each made the newest."""
        if len(keys) == 1:
            entry = yield from self.get_one(keys[0])
            return [entry] if entry else []
        found: list[Entry] = []
        for batch in pages(keys):
            names = [encode_key(key) for key in batch]
            # Naming the first key twice changes nothing, but gives a single key the reply of many.
            again = names[:1] if len(names) == 1 else []
            start, end, rows = yield from self.run(scripts.GET, *names, *again)
            self.note(end)
            here: list[Entry] = []
            missing: list[str] = []
            it = iter(rows)
            for key, place, blob in zip(batch, it, it, strict=not again):
                entry = unpack(key, blob, max(0, place)) if place else None
                if entry is None:
                    missing.append(key)
                else:
                    here.append(entry)
            if start == end:  # the server cannot write now
                self.reads_not_noted += sum(not isinstance(entry, Unreadable) for entry in here)
            self._replicas.whole.replica.read(here, missing, start, end)
            found += here
        return found

    def get_one(self, key: str) -> Plan[Entry | None]:
        """Returns the entry of one key, made the newest; None when there is none."""
        reply = yield from self.run(scripts.GET, encode_key(key))
        if type(reply) is int:
            self.note(reply)
            self._replicas.whole.replica.read((), (key,), reply, reply)
            return None
        place = int(_DOUBLE.unpack_from(reply)[0])
        entry = unpack(key, reply[8:], abs(place))
        assert entry is not None
        if place <= 0:  # its header is damaged, or the server cannot write now
            self.reads_not_noted += place < 0
            return entry
        self.note(place)
        self._replicas.whole.replica.read((entry,), (), place - 1, place)
        return entry

    def peek(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """Returns the entries of the keys that exist; their order of use stays."""
        now = self.clock()
        blobs = yield ("HMGET", self.keys[0], *(encode_key(key) for key in keys))
        entries = [
            unpack(key, blob) for key, blob in zip(keys, blobs, strict=True) if blob is not None
        ]
        return [
            entry
            for entry in entries
            if entry and (entry.expires_at is None or entry.expires_at > now)
        ]

    def remove(self, keys: Sequence[str], write_id: int) -> Plan[Change]:
        """Deletes those of a batch of keys that exist."""
        reply = yield from self.write(scripts.REMOVE, write_id, b"0", *map(encode_key, keys))
        return self._removed(reply, keys)

    def remove_versions(self, entries: Sequence[Entry], write_id: int) -> Plan[Change]:
        """Deletes a batch of records, but not what has been written under their keys since."""
        args: list[bytes | int] = []
        for entry in entries:
            args += (encode_key(entry.key), entry._write_seq)
        reply = yield from self.write(scripts.REMOVE, write_id, b"1", *args)
        return self._removed(reply, None)

    def _removed(self, reply: Any, gone: Sequence[str] | None) -> Change:
        """Takes in a deletion.

        Args:
            reply: of the server; None if it was lost.
            gone: keys that do not exist any more; None for those in the reply.
        """
        start, end, rows = (-1, self.seen, ()) if reply is None else reply
        self.note(end)
        removed = tuple(entries_of(rows))
        self.incarnation.deleted([entry.key for entry in removed], end)
        self._replicas.removed(
            [entry.key for entry in removed] if gone is None else gone, start, end
        )
        return Change(removed=removed, origin=self)

    def clear(self, write_id: int) -> Plan[None]:
        """Deletes every record."""
        reply = yield from self.write(scripts.CLEAR, write_id)
        if reply is not None:
            self.note(reply[1])
        self._replicas.cleared(self.seen if reply is None else reply[1])

    def resize(
        self, max_size: int, write_id: int, client: bytes = b""
    ) -> Plan[tuple[Change, bool]]:
        """Sets the capacity and evicts; returns whether there is more to evict."""
        reply = yield from self.write(scripts.RESIZE, write_id, max_size, BATCH, client=client)
        if reply is None:
            self.max_size = max_size
            return Change((), (), 0, self), True
        start, end, before, self.evictions, more, rows = reply
        self.note(end, max_size)
        evicted = tuple(entries_of(rows))
        self._replicas.removed([entry.key for entry in evicted], start, end)
        capacity = None if before < 0 or before == max_size else before
        return Change((), evicted, len(evicted), self, capacity), bool(more)

    def revert(
        self,
        written: Sequence[Entry],
        removed: Sequence[Entry],
        max_size: int | None,
        write_id: int,
    ) -> Plan[Change]:
        """Takes back at most a batch of a change."""
        args: list[bytes | int] = []
        for entry in written:
            args += (encode_key(entry.key), entry._write_seq)
        for entry in removed:
            args += (encode_key(entry.key), *self.at_its_place(entry))
        capacity = b"" if max_size is None else max_size
        reply = yield from self.write(scripts.REVERT, write_id, capacity, len(written), *args)
        if reply is None:
            for entry in (*written, *removed):
                self._replicas.removed((entry.key,), -1, self.seen)
            return Change(tuple(removed), tuple(written), 0, self)
        _start, end, before, self.evictions, rows, restored, out = reply
        self.note(end, max_size)
        write_seqs = dict(named(restored))
        evicted = entries_of(out)
        fell = {entry.key for entry in evicted if entry.key in write_seqs}
        back = []
        for entry in removed:
            if entry.key in write_seqs and entry.key not in fell:
                entry._write_seq = write_seqs[entry.key]
                back.append(entry)
        pushed_out = [entry for entry in evicted if entry.key not in fell]
        taken = entries_of(rows)
        self._replicas.removed([entry.key for entry in (*taken, *evicted)], -1, end)
        # Copies, since they may be touched: what was removed stays as it was.
        self._replicas.restored(list(map(copy, back)), end)
        capacity_before = None if before < 0 or before == max_size else before
        return Change(tuple(back), (*taken, *pushed_out), len(pushed_out), self, capacity_before)

    def at_its_place(self, entry: Entry) -> tuple[int, bytes, bytes]:
        """Returns recency, header and text of a record that is put back to its place.

        Numbers that were given in an outage are not the server's: such a record comes back to where it
        was written, or where it was read last. If nothing is known of either, the recency is 0, and the server
        gives it one, and a version.
        """
        if entry._write_seq > self.seen:
            entry._write_seq = 0
        recency = 0 if entry._recency > self.seen else entry._recency
        return max(recency, entry._write_seq), *self.payloads.pack(entry)

    def expires_at(self, key: str) -> Plan[float | None]:
        """Returns when a record expires."""
        reply = yield ("ZSCORE", self.keys[2], encode_key(key))
        if reply is None:
            return None
        expires_at = float(reply)
        return expires_at if expires_at > self.clock() else None
