"""The `Store` of a file: the verbs of the in-memory store, each in a transaction of SQLite."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import wraps
from itertools import islice
from pathlib import Path
from sys import maxsize
from typing import Any, Concatenate, ParamSpec, TypeVar

from ...entry import Entry, Unreadable
from ...errors import ServerError, StoreUnavailable
from ...filters import EVERYTHING, Filters
from ...keys import check_key
from ...search.request import Hit, Search
from ..base import Change, NotCopied, NotNow, check_max_size, check_origin
from ..durability import Durability, check_attainable, named_durability, read_durability
from ..expecting import Expected, check_expected
from ..forks import after_fork_in_child, before_fork
from ..memory import InMemoryStore
from ..opening import Settings
from ..plan import Call, InProcessRunner, Plan, as_plan
from ..records import Records
from .address import path_of
from .database import PAUSE, Database
from .faults import fault, is_busy, nested, occupied
from .mirror import Mirror
from .rows import Rows

P = ParamSpec("P")
T = TypeVar("T")

# So many reads are noted in the file at once, if nothing is written before.
_MOST_READS = 512

# So many records a stream looks at in one step.
_STREAMED = 64

# Stands for "the file has to be looked at first", where None stands for no record.
_UNKNOWN = Entry("", b"{}", None, 0.0, None)


def open_store(address: str, settings: Settings) -> FileStore:
    """Returns the store of the file that an address means; the file is created if there is none.

    Raises:
        InvalidArgument: no memory can be at this path, or the durability is one of servers.
        StoreUnavailable: another process keeps the file to itself.
        ServerError: the file is damaged.
    """
    durability = read_durability(named_durability(settings.durability) or "disk")
    check_attainable(durability, "a file, which has no replicas,", ("memory", "disk"))
    return FileStore(settings, durability, path_of(address))


def _looking(
    verb: Callable[Concatenate[Records, P], T],
) -> Callable[Concatenate[FileStore, P], Plan[T]]:
    """Makes a plan of something that the records can do when they are as the file is."""

    @wraps(verb)
    def method(self: FileStore, /, *args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        return self._look_at(lambda: verb(self._records, *args, **kwargs))

    return method


class _Runner(InProcessRunner):
    """Carries the plans of a file out, and closes the file.

    Args:
        disconnect: closes the file.
    """

    def __init__(self, disconnect: Callable[[], None]) -> None:
        self._disconnect = disconnect

    def close(self) -> None:
        """Closes the file. A later plan opens it again."""
        self._disconnect()

    async def aclose(self) -> None:
        """Closes the file. A later plan opens it again."""
        self._disconnect()


class FileStore(NotCopied):
    """The records of one namespace in a file, which processes of one machine share.

    All records are in this process as well, where searches find them. Before each verb, one look at the file
    tells whether another process has changed it. A transaction that fails leaves the file as it was, and
    the records are read anew.

    Args:
        settings: what the memory asks of its store. A file keeps as many records as the disk has room for,
            unless `resize` is called.
        durability: what must hold before a write is acknowledged.
        path: absolute path of the file.
    """

    backend = "file"

    def __init__(self, settings: Settings, durability: Durability, path: Path) -> None:
        self.namespace = settings.namespace
        self._durability = durability
        self._timeout = settings.timeout
        self._path = path
        self._records = records = Records(maxsize, settings.clock)
        self.fallback = InMemoryStore._over(records, settings.namespace)
        synchronous = "FULL" if durability.kind == "disk" else "NORMAL"
        self._database = Database(path, synchronous, settings.timeout)
        self._rows = Rows(settings.namespace)
        self._mirror = Mirror(records, self._rows)
        # Whether a transaction is under way; its thread holds the lock of the records.
        self._busy = False
        self.runner = _Runner(self._disconnect)
        before_fork(self._before_fork)
        after_fork_in_child(self._after_fork_in_child)
        self._look(_nothing)

    def __repr__(self) -> str:
        return f"FileStore({self.describe()})"

    def describe(self) -> str:
        """Returns the text that the repr of a memory has for its store."""
        return f"store={f'file:{self._path}'!r}"

    # ---- what is known without asking

    @property
    def max_size(self) -> int | None:
        """Capacity in records; None for as many as the disk has room for."""
        capacity = self._records.capacity
        return None if capacity == maxsize else capacity

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the file was made."""
        return self._records.evictions

    def is_on_server(self) -> bool:
        """Returns False: there is no server."""
        return False

    def outage(self) -> None:
        """Returns None: there is no server that could be away."""

    # ---- transactions

    def _attempt(self, do: Callable[[], T], nested_do: Callable[[], T], patience: float) -> T:
        """Does something with the file, again and again while another process keeps it to itself.

        Args:
            do: what to do; the lock of the records is held, and what it does not commit is taken back.
            nested_do: what to do instead in the middle of another transaction of this very thread, as code of a
                signal handler or a `__del__` is.
            patience: seconds to wait for the other process.
        """
        deadline = time.monotonic() + patience
        while True:
            with self._records.lock:
                if self._busy:
                    return nested_do()
                try:
                    self._busy = True
                    return do()
                except sqlite3.Error as error:
                    if not is_busy(error):
                        raise fault(self._path, error) from None
                finally:
                    self._busy = False
                    self._database.give_up()
            if time.monotonic() >= deadline:
                raise occupied(self._path, patience)
            time.sleep(PAUSE)

    def _is_current(self) -> bool:
        """Returns whether the records are as the file is; the caller holds the lock."""
        return self._mirror.head is not None and not self._database.has_changed()

    def _follow(self) -> None:
        """Takes in what the file has, in a transaction that has begun."""
        # In this order: the transaction sees the file as of its first statement.
        self._mirror.follow(self._database.connection)
        self._database.has_seen()

    def _look(self, do: Callable[[], T]) -> T:
        """Does something when the records are as the file is."""

        def look() -> T:
            if not self._is_current():
                self._database.begin_reading()
                self._follow()
                self._database.commit()
            return do()

        return self._attempt(look, do, self._timeout)

    def _look_at(self, do: Callable[[], T]) -> Plan[T]:
        """Does something when the records are as the file is; a call does what may have to wait."""
        if not self._busy:
            with self._records.lock:
                if not self._busy and self._can_answer():
                    return do()
        result: T = yield Call(self._look, do)
        return result

    def _can_answer(self) -> bool:
        try:
            return self._is_current()
        except sqlite3.Error:
            return False  # the call that follows raises it as an error of the memory

    def _change(
        self,
        verb: Callable[[], Change],
        is_promised: bool = True,
        patience: float | None = None,
        check: Callable[[], None] | None = None,
    ) -> Change:
        """Changes the records and the file in one step.

        Args:
            verb: changes the records.
            is_promised: whether the change must be as durable as the memory promises.
            patience: seconds to wait for another process; None for the timeout of the memory.
            check: raises if nothing is to be changed, in view of the records as they are in the file.
        """

        def change() -> Change:
            self._database.begin_writing(is_promised)
            if not self._is_current():
                self._follow()
            if check is not None:
                check()
            return self._make(verb)

        def refuse() -> Change:
            raise nested(self._path)

        return self._attempt(change, refuse, self._timeout if patience is None else patience)

    def _make(self, verb: Callable[[], Change]) -> Change:
        """Changes records that are as the file is, and the file, in a transaction that has begun."""
        database, mirror = self._database, self._mirror
        before, mirror.head = mirror.head, None  # until it is committed
        assert before is not None
        done = verb()
        after = mirror.save(database.connection, before, done)
        database.commit_change()
        mirror.head = after
        return done

    def write_now(self, entry: Entry) -> None:
        """Carries `write` out without a plan, where that takes less time than to have a thread do it."""
        database, records, mirror = self._database, self._records, self._mirror
        if self._busy or mirror.head is None or not database.is_quick:
            raise NotNow
        with records.lock:
            if self._busy:
                raise NotNow
            try:
                self._busy = True
                if mirror.head is None or not database.try_to_begin_writing():
                    raise NotNow
                if mirror.can_add(entry):
                    head, mirror.head = mirror.head, None  # until it is committed
                    records.write(entry)
                    after = mirror.add(database.connection, head, entry)
                    database.commit_change()
                    mirror.head = after
                else:
                    self._make(lambda: self.fallback.put((entry,)))
            except sqlite3.Error as error:
                raise fault(self._path, error) from None
            finally:
                self._busy = False
                database.give_up()

    def read_now(self, key: str) -> Entry | None:
        """Carries `read` out without a plan, which would take longer than the read itself."""
        mirror, records = self._mirror, self._records
        head = mirror.head
        if head is None or self._database.has_changed():
            raise NotNow
        if (there := records.entries.get(key)) is not None and there.sliding is not None:
            raise NotNow  # reading it changes the file
        entry = records.read(key)
        if mirror.head is not head or type(entry) is Unreadable:
            raise NotNow  # another thread has begun to change the records, or the plan knows what to say
        if not records.has_reads and mirror.unnoted >= _MOST_READS:
            self._note_reads()
        return entry

    def _note_reads(self) -> None:
        """Notes in the file what was read here, without waiting for the disk or for another process."""
        if self._mirror.unnoted > 0 or self._records.has_reads:
            with suppress(StoreUnavailable, ServerError):
                self._change(Change, is_promised=False, patience=0.0)

    def _disconnect(self) -> None:
        """Closes the file."""
        with self._records.lock:
            if not self._busy:
                self._database.close()

    def _before_fork(self) -> None:
        # A child must not use the connection of its parent, and SQLite has more than one place that knows of
        # it; so both sides open the file again when they need it.
        if not self._busy:
            self._database.suspend()

    def _after_fork_in_child(self) -> None:
        self._busy = False
        self._database.forget()

    # ---- one record

    def write(self, entry: Entry) -> Plan[None]:
        """Writes one entry in a way that cannot be taken back."""
        yield from self.put((entry,))

    def read(self, key: str) -> Plan[Entry | None]:
        """Returns the entry of a key, made the newest; None when there is none."""
        entry = self._read_at_once(key)
        if entry is _UNKNOWN:
            entry = yield Call(self._read, key)
        return entry

    def _read_at_once(self, key: str) -> Entry | None:
        """Reads a record if nothing has to be waited for, else returns the entry that stands for that."""
        if not self._busy:
            with self._records.lock:
                if not self._busy and self._can_answer():
                    there = self._records.entries.get(key)
                    if there is not None and there.sliding is not None:
                        return _UNKNOWN  # reading it may change the file
                    entry = self._records.read(key)
                    if self._mirror.unnoted >= _MOST_READS:
                        self._note_reads()
                    return entry
        return _UNKNOWN

    def _read(self, key: str) -> Entry | None:
        def read() -> tuple[Entry | None, bool]:
            there = self._records.entries.get(key)
            expires_at = there and there.expires_at
            entry = self._records.read(key)
            return entry, entry is not None and entry.expires_at != expires_at

        entry, is_renewed = self._look(read)
        if is_renewed:
            self._note_reads()  # or other processes would delete it
        return entry

    expires_at = _looking(Records.expires_at)

    # ---- many records

    def put(self, entries: Iterable[Entry]) -> Plan[Change]:
        """Writes entries in order, and evicts the least recently used once at the end."""
        written = tuple(entries)
        change: Change = yield Call(self._change, lambda: self.fallback.put(written))
        return change

    def put_for_good(self, entries: Iterable[Entry]) -> Plan[None]:
        """Writes entries as `put` does."""
        yield from self.put(entries)

    def version(self, entry: Entry) -> str:
        """Returns the version of an entry.

        A file that is put back from a copy counts on from an earlier number; the instant tells such numbers apart.
        """
        return f"{entry._write_seq}@{int(entry.updated_at * 1e6):x}"

    def apply(
        self, entries: Sequence[Entry], deletes: Sequence[str], expect: Expected
    ) -> Plan[Change]:
        """Deletes and writes records in one transaction, if others are as expected."""

        def check() -> None:
            self._records.settle(self._records.clock())
            check_expected(expect, self._records.entries.get, self.version)

        def verb() -> Change:
            return self.fallback.apply(entries, deletes)

        change: Change = yield Call(self._change, verb, True, None, check if expect else None)
        return change

    def touch(self, keys: Sequence[str], ttl: float | None) -> Plan[int]:
        """Has records expire later, and makes them the newest in order."""
        count = 0

        def verb() -> Change:
            nonlocal count
            count = self._records.touch(keys, ttl)
            return Change()

        yield Call(self._change, verb)
        return count

    def append(self, owner: str, entries: Sequence[Entry]) -> Plan[list[str]]:
        """Writes entries in one transaction, under keys with numbers that no process has given before."""

        def verb() -> Change:
            connection, records = self._database.connection, self._records
            records.last_number = max(records.last_number, self._rows.last_number(connection))
            change = self.fallback.append(owner, entries)
            self._rows.note_number(connection, records.last_number)
            return change

        yield Call(self._change, verb)
        return [entry.key for entry in entries]

    def fetch(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """Returns the entries of the keys that exist, in the order asked, each made the newest."""
        wanted = [check_key(key) for key in keys]
        found = yield from self._look_at(lambda: self._records.fetch(wanted))
        if any(entry.sliding is not None for entry in found):
            yield Call(self._note_reads)
        return found

    def find(self, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search."""
        yield from self._look_at(_nothing)
        return self._records.find(search)  # without the lock, where it takes long

    def stream(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        """Yields plans that look at the records of a search a few at a time."""
        hits = self._records.stream(search)
        more = True

        def look() -> Plan[list[Hit]]:
            nonlocal more
            yield from self._look_at(_nothing)
            batch = list(islice(hits, _STREAMED))
            more = len(batch) == _STREAMED
            return batch

        while more:
            yield look()

    def count(self, search: Search) -> Plan[int]:
        """Returns how many hits `find` would give without a limit."""
        yield from self._look_at(_nothing)
        return self._records.count(search)

    def peek(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """Returns entries as `fetch` does, but the order of use stays."""
        return self._look_at(lambda: self._records.peek(keys))

    keys = _looking(Records.keys)
    folders = _looking(Records.folders)
    size = _looking(Records.size)
    change_token = _looking(Records.change_token)

    # ---- taking out and putting back

    def remove(self, keys: Sequence[str]) -> Plan[Change]:
        """Deletes the keys that exist."""
        wanted = [check_key(key) for key in keys]
        change: Change = yield Call(self._change, lambda: self.fallback.remove(wanted))
        return change

    def remove_matching(self, filters: Filters = EVERYTHING) -> Plan[Change]:
        """Deletes every record that the filters accept."""
        change: Change = yield Call(self._change, lambda: self.fallback.remove_matching(filters))
        return change

    def clear(self) -> Plan[None]:
        """Deletes every record in a way that cannot be taken back."""
        yield from self.remove_matching()

    def revert(self, change: Change) -> Plan[Change]:
        """Takes a change back, but keeps what has been written under a key since then.

        Raises:
            InvalidArgument: the change was made to another store.
        """
        check_origin(change, self.fallback)
        done: Change = yield Call(self._change, lambda: self.fallback.revert(change))
        return done

    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity; a smaller one evicts at once."""
        max_size = check_max_size(max_size)
        change: Change = yield Call(self._change, lambda: self.fallback.resize(max_size))
        return change

    # ---- about the store

    stats = _looking(Records.stats)

    def build_index(self, seconds: float | None = None) -> Plan[int]:
        """Does the work that searches have put off."""
        yield from self._look_at(_nothing)
        return self._records.build_index(seconds)

    def about(self) -> Plan[dict[str, Any]]:
        """Returns what the store runs on, see `SyncMemory.get_backend_info`."""
        size = yield from self.size()
        return {
            "backend": self.backend,
            "fallback_available": False,
            "namespace": self.namespace,
            "size": size,
            "max_size": self.max_size,
            "evictions": self.evictions,
            "durability": str(self._durability),
            "path": str(self._path),
            "size_on_disk": self._database.size_on_disk(),
            "other_processes": self._other_processes(),
        }

    def _other_processes(self) -> list[dict[str, Any]] | None:
        """Returns the other processes that have the file open; None if that cannot be found out."""
        try:
            others = self._database.users.others()
        except OSError:
            return None
        return [{"pid": each.pid, "program": each.program, "since": each.since} for each in others]

    @as_plan
    def reconnect(self, restore_from_here: bool = False) -> bool:  # noqa: ARG002  of every store
        """Returns False: there is no server to try."""
        return False

    def before_close(self) -> Plan[None]:
        """Notes in the file what was read here."""
        yield Call(self._note_reads)


def _nothing() -> None:
    """Does nothing, once the records are as the file is."""
