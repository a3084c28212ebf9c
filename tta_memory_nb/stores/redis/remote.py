"""The verbs of a store, as the server carries them out: plans without I/O.

Every write takes an `op` of `Operations`, under which the server remembers that it has been applied, so
that it may be sent again when the answer was lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from secrets import token_hex
from struct import Struct
from threading import Lock
from time import monotonic
from typing import Any, Literal, TypeAlias, TypeVar

from ...errors import ServerError, StoreUnavailable
from ...filters import EVERYTHING, Filters
from ...text import to_utf8
from ..base import Change, Clock, Entry
from ..plan import Plan
from . import scripts
from .faults import explained, other_format
from .keys import FORMAT, keys_of
from .mirror import Mirror, triples
from .parts import WHOLE, Known, Parts
from .payload import Payloads, unpack
from .wire import Command, Meanwhile, Prepared

T = TypeVar("T")

Argument: TypeAlias = bytes | str | float | Prepared

_DOUBLE = Struct(">d")

BATCH = 500
"""So many records are sent in one command."""

MOST_BYTES = 4_000_000
"""So many bytes of texts are sent in one command, but for a single record that has more, or answered."""

# So many records a first search loads.
_FIRST_LOOK = 256
_PAGE = 1000


class Operations:
    """Numbers of this process's writes, and which of them are not known to be settled yet."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pid = 0
        self.client = b""
        """The name under which the server remembers these writes."""
        self._next = 0
        self._open: dict[int, None] = {}

    def begin(self) -> int:
        """The number of a new write."""
        with self._lock:
            if self._pid != os.getpid():
                # Two processes of one fork must not count the same numbers.
                self._pid, self.client, self._open = os.getpid(), token_hex(8).encode(), {}
            self._next += 1
            self._open[self._next] = None
            return self._next

    def end(self, op: int) -> None:
        """Says that a write was applied, or never will be."""
        with self._lock:
            self._open.pop(op, None)

    def floor(self) -> int:
        """All writes with lower numbers are settled."""
        with self._lock:
            return next(iter(self._open), self._next + 1)


@dataclass(eq=False, slots=True)
class Write:
    """A write that waits for the server.

    Attributes:
        op: its number.
        kind: what it does.
        at: its instant, in Unix seconds.
        entries: what it sets; as it was meant, the memory has its own.
        kept: the entries in memory, which learn from the server which write they are.
        keys: what it deletes.
        max_size: the capacity it sets.
        may_be_done: whether it has been sent, so that it must reach the server as it was.
    """

    op: int
    kind: Literal["set", "delete", "clear", "resize"]
    at: float
    entries: Sequence[Entry] = ()
    kept: Sequence[Entry] = ()
    keys: Sequence[str] = ()
    max_size: int = 0
    may_be_done: bool = False

    @property
    def size(self) -> int:
        """How many records it is about."""
        return max(1, len(self.entries) + len(self.keys))

    @property
    def only_key(self) -> str | None:
        """The key, if it is about no other."""
        if len(self.entries) == 1:
            return self.entries[0].key
        return self.keys[0] if len(self.keys) == 1 else None


class Remote:
    """One namespace on a server.

    Args:
        namespace: name of the tenant.
        payloads: makes the bytes of records.
        max_known: how many records this process keeps in mind before it searches.
        clock: gives Unix seconds.
        timeout: seconds after which nobody waits for an answer any more.
    """

    def __init__(
        self,
        namespace: str,
        payloads: Payloads,
        max_known: int,
        clock: Clock,
        timeout: float,
    ) -> None:
        self.namespace = namespace
        self.mirror = Mirror(max_known, namespace=namespace, clock=clock)
        self._whole = Known(WHOLE, self.mirror)
        self._parts = Parts(self._whole, lambda: Mirror(0, namespace=namespace, clock=clock))
        self.operations = Operations()
        self.seen = 0
        """The server's counter, as far as this process has seen it."""
        self.max_size: int | None = None
        self.evictions = 0
        self._payloads = payloads
        self._clock = clock
        self.timeout = timeout
        # What is to be added to this process's own clock to get the server's.
        self._offset: float | None = None
        self._keys = tuple(key.encode() for key in keys_of(namespace))
        self._head = (b"5", *self._keys)
        # How each script is called, but for its arguments.
        self._calls: dict[bytes, Prepared] = {}
        self._server: str | None = None

    # ---- commands

    def _run(
        self, script: scripts.Script, *args: Argument, work: Callable[[], None] | None = None
    ) -> Plan[Any]:
        try:
            return (yield from self._run_there(script, args, work))
        except ServerError as error:
            raise explained(error, self.namespace) from None

    def _run_there(
        self,
        script: scripts.Script,
        args: Sequence[Argument],
        work: Callable[[], None] | None,
    ) -> Plan[Any]:
        call = self._calls.get(script.sha)
        if call is None:
            call = self._calls[script.sha] = Prepared((script.sha, *self._head))
        # The name by itself: redis-py looks at it before it sends a command to a Cluster.
        command: Command = ("EVALSHA", call, *args)
        try:
            return (yield Meanwhile(command, work) if work else command)
        except ServerError as error:
            if error.code != "NOSCRIPT":
                raise
        # Loads it as well. SCRIPT LOAD would have to find out which node of a Cluster needs it.
        return (yield ("EVAL", script.source, *self._head, *args))

    def _write(
        self,
        script: scripts.Script,
        op: int,
        *args: Argument,
        work: Callable[[], None] | None = None,
    ) -> Plan[Any]:
        """The answer to a write, or None when it had been applied and the answer was lost."""
        operations = self.operations
        for is_last in (False, True):
            if self._offset is None:
                yield from self._compare_clocks()
            try:
                return (
                    yield from self._run(
                        script,
                        repr(self._clock()),
                        op,
                        operations.floor(),
                        operations.client,
                        self._deadline(),
                        *args,
                        work=work,
                    )
                )
            except ServerError as error:
                if error.code != "LATE":
                    raise
                if is_last:
                    raise StoreUnavailable(f"the server is too slow: {error}") from None
            self._offset = None  # its clock may have been set
        raise AssertionError  # the last one has raised or returned

    def _deadline(self) -> int:
        """When nobody waits any more for what is sent now: microseconds of the server's clock."""
        if not self._offset:
            return 0
        return int((monotonic() + self.timeout + self._offset) * 1e6)

    def _compare_clocks(self) -> Plan[None]:
        try:
            seconds, micros = yield from self._run(scripts.TIME)
        except ServerError as error:
            if error.code != "NOPERM":
                raise
            self._offset = 0.0  # not every user may ask; then there are no deadlines
        else:
            # Afterwards, so that what comes in time is at worst taken for late.
            self._offset = int(seconds) + int(micros) / 1e6 - monotonic()

    def ping(self) -> Plan[None]:
        """Checks that the server answers, and that this version knows the layout of the records."""
        try:
            found = yield ("HGET", self._keys[3], "format")
        except ServerError as error:
            raise explained(error, self.namespace) from None
        if found is not None and found != b"%d" % FORMAT:
            raise other_format(self.namespace, found.decode("utf-8", "replace"))

    # ---- one batch of records

    def set(self, entry: Entry, op: int) -> Plan[None]:
        """Writes a record that nobody will want to take back."""
        header, text = self._payloads.pack(entry)
        reply = yield from self._write(scripts.SET, op, to_utf8(entry.key), header, text)
        if reply is None:
            return
        if type(reply) is list:
            if not reply:  # not as simple as it is most of the time
                (yield from self.put((entry,), op, for_good=True))()
                return
            reply, created = reply
            entry.created_at = _DOUBLE.unpack(created)[0]
        elif entry.created_at is None:
            entry.created_at = entry.updated_at
        entry.stamp = entry.version = reply
        self._note(reply)
        self.mirror.wrote((entry,), reply - 1, reply)
        self._parts.outdated((entry.key,))

    def prepare(self, entries: Sequence[Entry]) -> Prepared:
        """A batch of entries as `put` sends it."""
        args: list[bytes] = []
        for entry in entries:
            args += (to_utf8(entry.key), *self._payloads.pack(entry))
        return Prepared(args)

    def put(
        self,
        entries: Sequence[Entry],
        op: int,
        *,
        for_good: bool = False,
        prepared: Prepared | None = None,
        work: Callable[[], None] | None = None,
    ) -> Plan[Callable[[], Change]]:
        """Writes a batch of entries with different keys.

        Args:
            entries: as many as `batches` gives at a time.
            op: the number of this write.
            for_good: leave out of the change what was replaced and evicted.
            prepared: what `prepare` has made of them; None: it is done now.
            work: what to do while the server is at it.

        Returns:
            What takes note of it here, and gives the change: to be called once, soon, but perhaps when the
            next batch is on its way.
        """
        prepared = prepared or self.prepare(entries)
        flag = b"0" if for_good else b"1"
        reply = yield from self._write(scripts.PUT, op, flag, prepared, work=work)
        if reply is None:
            return lambda: Change(tuple(entries))
        _, end, _, _, _, self.evictions, capacity, *_ = reply
        self._note(end, capacity)
        return lambda: self._has_put(entries, reply)

    def _has_put(self, entries: Sequence[Entry], reply: Sequence[Any]) -> Change:
        start, end, first, last, evicted, _, _, replaced, out, kept = reply
        for entry, place in zip(entries, range(first, last + 1), strict=True):
            entry.stamp = entry.version = place
            if entry.created_at is None:
                entry.created_at = entry.updated_at
        it = iter(kept)
        for number, created in zip(it, it, strict=True):
            entries[number - 1].created_at = _DOUBLE.unpack(created)[0]
        self.mirror.wrote(entries, start, -1 if evicted else end)
        self._parts.outdated(entry.key for entry in entries)
        removed = _entries(replaced)
        old = [entry for entry in _entries(out) if entry.stamp <= start]
        return Change(tuple(entries), (*removed, *old), len(old), self)

    def get(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """The entries of the keys that exist, in the order asked, each made newest in turn."""
        if len(keys) == 1:
            entry = yield from self.get_one(keys[0])
            return [entry] if entry else []
        found: list[Entry] = []
        for batch in pages(keys):
            names = [to_utf8(key) for key in batch]
            # A second look at the first is no second key, but makes the answer the same for all.
            again = names[:1] if len(names) == 1 else []
            start, end, rows = yield from self._run(
                scripts.GET, repr(self._clock()), *names, *again
            )
            self._note(end)
            here: list[Entry] = []
            missing: list[str] = []
            it = iter(rows)
            for key, place, blob in zip(batch, it, it, strict=not again):
                entry = unpack(key, blob, place) if place else None
                if entry is None:
                    missing.append(key)
                else:
                    here.append(entry)
            self.mirror.read(here, missing, start, end)
            found += here
        return found

    def get_one(self, key: str) -> Plan[Entry | None]:
        """As `get`, for one key."""
        reply = yield from self._run(scripts.GET, repr(self._clock()), to_utf8(key))
        if type(reply) is int:
            self._note(reply)
            self.mirror.read((), (key,), reply, reply)
            return None
        place = int(_DOUBLE.unpack_from(reply)[0])
        entry = unpack(key, reply[8:], place)
        assert entry is not None
        self._note(place)
        self.mirror.read((entry,), (), place - 1, place)
        return entry

    def peek(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """The entries of the keys that exist, whose order of recency stays."""
        now = self._clock()
        blobs = yield ("HMGET", self._keys[0], *(to_utf8(key) for key in keys))
        entries = [unpack(key, blob) for key, blob in zip(keys, blobs, strict=True) if blob]
        return [
            entry
            for entry in entries
            if entry and (entry.expires_at is None or entry.expires_at > now)
        ]

    def remove(self, keys: Sequence[str], op: int) -> Plan[Change]:
        """Deletes a batch of keys, as far as they exist."""
        reply = yield from self._write(scripts.REMOVE, op, b"0", *map(to_utf8, keys))
        return self._removed(reply, keys)

    def remove_versions(self, entries: Sequence[Entry], op: int) -> Plan[Change]:
        """Deletes a batch of records, but not what has been written under their keys since."""
        args: list[bytes | int] = []
        for entry in entries:
            args += (to_utf8(entry.key), entry.version)
        reply = yield from self._write(scripts.REMOVE, op, b"1", *args)
        return self._removed(reply, [entry.key for entry in entries])

    def _removed(self, reply: Any, keys: Sequence[str]) -> Change:
        self._parts.outdated(keys)
        if reply is None:  # what was there is known here only, if at all
            removed = self.mirror.remove(keys).removed
            return Change(removed=removed, origin=self)
        start, end, rows = reply
        self._note(end)
        removed = tuple(_entries(rows))
        self.mirror.removed([entry.key for entry in removed], start, end)
        return Change(removed=removed, origin=self)

    def clear(self, op: int) -> Plan[None]:
        """Deletes every record."""
        reply = yield from self._write(scripts.CLEAR, op)
        if reply is not None:
            self._note(reply[1])
        self.mirror.forget(self.seen)
        self._parts.clear()

    def resize(self, max_size: int, op: int) -> Plan[tuple[Change, bool]]:
        """Sets the capacity and evicts; whether there is more to evict."""
        reply = yield from self._write(scripts.RESIZE, op, max_size, BATCH)
        if reply is None:
            self.max_size = max_size
            return Change((), (), 0, self), True
        start, end, before, self.evictions, more, rows = reply
        self._note(end, max_size)
        evicted = tuple(_entries(rows))
        self.mirror.removed([entry.key for entry in evicted], start, end)
        self._parts.outdated(entry.key for entry in evicted)
        capacity = None if before < 0 or before == max_size else before
        return Change((), evicted, len(evicted), self, capacity), bool(more)

    def revert(
        self, written: Sequence[Entry], removed: Sequence[Entry], max_size: int | None, op: int
    ) -> Plan[Change]:
        """Takes a part of a change back, at most a batch of it."""
        args: list[bytes | int] = []
        for entry in written:
            args += (to_utf8(entry.key), entry.version)
        for entry in removed:
            # Places that were given in an outage are not the server's.
            place = min(entry.stamp, self.seen)
            args += (to_utf8(entry.key), place, *self._payloads.pack(entry))
        capacity = b"" if max_size is None else max_size
        reply = yield from self._write(scripts.REVERT, op, capacity, len(written), *args)
        if reply is None:
            return Change(tuple(removed), tuple(written), 0, self)
        _start, end, before, self.evictions, rows, restored, out = reply
        self._note(end, max_size)
        versions = dict(_named(restored))
        evicted = _entries(out)
        fell = {entry.key for entry in evicted if entry.key in versions}
        back = []
        for entry in removed:
            if entry.key in versions and entry.key not in fell:
                entry.version = versions[entry.key]
                back.append(entry)
        pushed_out = [entry for entry in evicted if entry.key not in fell]
        taken = _entries(rows)
        self.mirror.removed([entry.key for entry in (*taken, *evicted)], -1, end)
        self.mirror.restored(back, end)
        self._parts.outdated(entry.key for entry in (*taken, *evicted, *back))
        capacity_before = None if before < 0 or before == max_size else before
        return Change(tuple(back), (*taken, *pushed_out), len(pushed_out), self, capacity_before)

    def _note(self, end: int, capacity: int | None = None) -> None:
        self.seen = max(self.seen, end)
        if capacity is not None:
            self.max_size = None if capacity < 0 else capacity

    # ---- the whole namespace

    def size(self) -> Plan[int]:
        """Number of records."""
        reply = yield from self._about()
        size: int = reply[0]
        return size

    def stats(self) -> Plan[dict[str, int]]:
        """As `Store.stats`; and ``stored``, the bytes of all values as they are on the server."""
        more = True
        while more:
            _, expiring, *_, more = yield from self._about()
        size = stored = 0
        place: bytes = b"0"
        while place:
            some, some_stored, place = yield from self._run(
                scripts.SIZES, repr(self._clock()), place, _PAGE
            )
            size, stored = size + some, stored + some_stored
        return {"bytes": size, "expiring": expiring, "stored": stored}

    def _about(self) -> Plan[Any]:
        reply = yield from self._run(scripts.ABOUT, repr(self._clock()), _PAGE, b"", b"", 0)
        self.evictions = reply[2]
        self.max_size = None if reply[3] < 0 else reply[3]
        return reply

    def server(self) -> Plan[str]:
        """Name and version of the server, as far as it tells: managed ones often do not."""
        if self._server is None:
            try:
                told = yield ("INFO", "server")
            except ServerError:
                told = b""
            self._server = _name_of(told)
        return self._server

    def keys(self) -> Plan[list[str]]:
        """Keys, least recently used first."""
        keys, expired = yield from self._run(scripts.KEYS, repr(self._clock()))
        gone = set(expired)
        return [key.decode("utf-8", "surrogatepass") for key in keys if key not in gone]

    def mark(self) -> Plan[object]:
        """As `Store.mark`, from the counter that every write and read takes a number of."""
        told = yield ("HMGET", self._keys[3], "epoch", "seq", "max")
        expired = yield ("ZCOUNT", self._keys[2], "-inf", repr(self._clock()))
        return (*told, expired)

    def expires_at(self, key: str) -> Plan[float | None]:
        """When a record expires."""
        reply = yield ("ZSCORE", self._keys[2], to_utf8(key))
        if reply is None:
            return None
        expires_at = float(reply)
        return expires_at if expires_at > self._clock() else None

    # ---- searching, in a mirror

    def find(self, needle: str | None, limit: int | None, filters: Filters) -> Plan[list[Entry]]:
        """As `Store.find`."""
        known = self._parts.for_filters(filters)
        mirror = known.mirror
        if limit is None:
            yield from self._catch_up(known, inf)
            return mirror.find(needle, None, filters)
        wanted = 0
        while True:
            yield from self._catch_up(known, wanted)
            found = mirror.find(needle, limit, filters)
            if len(found) >= limit or mirror.position().is_complete:
                return found
            # Growing steps: what is loaded is searched again each time.
            wanted = max(_FIRST_LOOK, limit, 4 * mirror.size())

    def count(self, needle: str | None, filters: Filters) -> Plan[int]:
        """As `Store.count`."""
        if needle is None and filters is EVERYTHING:
            return (yield from self.size())
        known = self._parts.for_filters(filters)
        yield from self._catch_up(known, inf)
        return known.mirror.count(needle, filters)

    def candidate_keys(self, needle: str | None, filters: Filters) -> Plan[list[str]]:
        """The keys of all records that may match, newest first."""
        known = self._parts.for_filters(filters)
        yield from self._catch_up(known, inf)
        return known.mirror.candidate_keys(needle, filters)

    def catch_up_with_all(self) -> Plan[None]:
        """Loads everything."""
        yield from self._catch_up(self._whole, inf)

    def _catch_up(self, known: Known, wanted: float) -> Plan[None]:
        """Brings a mirror up to date, and loads more records from below its floor.

        Args:
            known: which.
            wanted: how many more.
        """
        while (yield from self._sync(known, 0)) is None:
            pass
        # Not before: the look may have told it to start over.
        if wanted <= 0 or known.mirror.position().is_complete:
            return
        ticket = yield from known.loading.acquire(self.timeout)
        try:
            while wanted > 0 and not known.mirror.position().is_complete:
                wanted -= (yield from self._sync(known, min(wanted, _PAGE))) or 0
                known.loading.progress()
        finally:
            known.loading.release(ticket)

    def _sync(self, known: Known, older: float) -> Plan[int | None]:
        """One look at the server; how many records it has loaded, None: look again."""
        mirror = known.mirror
        asked = mirror.position()
        reply = yield from self._run(
            scripts.SYNC,
            repr(self._clock()),
            asked.epoch,
            asked.cursor,
            asked.log_cursor,
            b"" if asked.floor in (None, -inf) else int(asked.floor),
            int(older),
            MOST_BYTES,
            b"1" if asked.knows_all else b"0",
            *known.part.arguments(),
        )
        if type(reply) is int:  # nothing has changed
            self.seen = max(self.seen, reply)
            return 0 if mirror.position().generation == asked.generation else None
        self.seen = max(self.seen, reply[1])
        loaded = mirror.apply(asked, reply)
        return None if reply[3] else loaded

    def go_on_alone(self) -> None:
        """Lets the mirror become a store of its own, with all that is known."""
        self.mirror.go_on_alone(self.max_size, self._parts.clear())

    # ---- after an outage

    def replay(self, writes: Sequence[Write], base: int) -> Plan[None]:
        """Carries out what was written in an outage.

        Args:
            writes: at most a batch; each of them sets or deletes.
            base: the server's counter as it was seen last before the outage.
        """
        args: list[bytes | str | int] = []
        for write in writes:
            args += (write.op, write.kind, repr(write.at), len(write.entries or write.keys))
            for entry in write.entries:
                args += (to_utf8(entry.key), *self._payloads.pack(entry))
            args += map(to_utf8, write.keys)
        # The number is one of the writes' own, each of which is looked up by itself.
        reply = yield from self._write(scripts.REPLAY, 0, base, *args)
        _start, end, self.evictions, capacity, versions = reply
        self._note(end, capacity)
        kept = (entry for write in writes for entry in write.kept)
        for entry, version in zip(kept, versions, strict=True):
            entry.version = version

    def purge(self, op: int, at: float, base: int) -> Plan[None]:
        """Carries out a `clear` that was asked for in an outage."""
        place = b"0"
        while place:
            place = yield from self._write(scripts.PURGE, op, base, repr(at), place)


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries in as many batches as commands are needed, each key once, where it comes last."""
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
    """A sequence in parts of at most so many items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _entries(rows: Sequence[Any]) -> list[Entry]:
    """Records of a flat list of key, place and blob."""
    found = (unpack(key, blob, place) for key, place, blob in triples(rows))
    return [entry for entry in found if entry is not None]


def _named(rows: Sequence[Any]) -> Iterator[tuple[str, int]]:
    it = iter(rows)
    for key, number in zip(it, it, strict=True):
        yield key.decode("utf-8", "surrogatepass"), number


def _name_of(told: Any) -> str:
    """The server's name and version in the answer to INFO."""
    if isinstance(told, bytes):
        lines = told.decode("utf-8", "replace").splitlines()
        told = dict(line.split(":", 1) for line in lines if ":" in line)
    for name in ("valkey", "redis"):
        if version := told.get(f"{name}_version"):
            return f"{name} {version}"
    return ""
