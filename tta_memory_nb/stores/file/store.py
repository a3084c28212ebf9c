"""The `Store` of a file: the verbs of the in-memory store, each in a transaction of SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from itertools import islice
from sys import maxsize
from typing import Any, Concatenate, ParamSpec, TypeVar

from ...entry import Entry
from ...filters import EVERYTHING, Filters
from ...keys import check_key
from ...search.request import Hit, Search
from ..base import Change, check_max_size, check_origin
from ..durability import check_attainable, named_durability, read_durability
from ..expecting import Expected, check_expected
from ..opening import Settings
from ..plan import Call, Plan, as_plan
from ..records import Records
from .address import path_of
from .transactions import MOST_READS, Transactions, nothing

P = ParamSpec("P")
T = TypeVar("T")

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


class FileStore(Transactions):
    """The records of one namespace in a file, which processes of one machine share.

    All records are in this process as well, where searches find them; see `Transactions` for how they follow the file.
    """

    backend = "file"

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

    @property
    def expired(self) -> int:
        """How many records have expired that this process knew."""
        return self._records.expired

    def is_on_server(self) -> bool:
        """Returns False: there is no server."""
        return False

    def outage(self) -> None:
        """Returns None: there is no server that could be away."""

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
                    if self._mirror.unnoted >= MOST_READS:
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
        change: Change = yield self._changing(lambda: self.fallback.put(written))
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

        change: Change = yield self._changing(verb, check if expect else None)
        return change

    def touch(self, keys: Sequence[str], ttl: float | None) -> Plan[int]:
        """Has records expire later, and makes them the newest in order."""
        count = 0

        def verb() -> Change:
            nonlocal count
            count = self._records.touch(keys, ttl)
            return Change()

        yield self._changing(verb)
        return count

    def append(self, owner: str, entries: Sequence[Entry]) -> Plan[list[str]]:
        """Writes entries in one transaction, under keys with numbers that no process has given before."""

        def verb() -> Change:
            connection, records = self._database.connection, self._records
            records.last_number = max(records.last_number, self._rows.last_number(connection))
            change = self.fallback.append(owner, entries)
            self._rows.note_number(connection, records.last_number)
            return change

        yield self._changing(verb)
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
        yield from self._look_at(nothing)
        return self._records.find(search)  # without the lock, where it takes long

    def stream(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        """Yields plans that look at the records of a search a few at a time."""
        hits = self._records.stream(search)
        more = True

        def look() -> Plan[list[Hit]]:
            nonlocal more
            yield from self._look_at(nothing)
            batch = list(islice(hits, _STREAMED))
            more = len(batch) == _STREAMED
            return batch

        while more:
            yield look()

    def count(self, search: Search) -> Plan[int]:
        """Returns how many hits `find` would give without a limit."""
        yield from self._look_at(nothing)
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
        change: Change = yield self._changing(lambda: self.fallback.remove(wanted))
        return change

    def remove_matching(self, filters: Filters = EVERYTHING) -> Plan[Change]:
        """Deletes every record that the filters accept."""
        change: Change = yield self._changing(lambda: self.fallback.remove_matching(filters))
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
        done: Change = yield self._changing(lambda: self.fallback.revert(change))
        return done

    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity; a smaller one evicts at once."""
        max_size = check_max_size(max_size)
        change: Change = yield self._changing(lambda: self.fallback.resize(max_size))
        return change

    # ---- about the store

    stats = _looking(Records.stats)

    def build_index(self, seconds: float | None = None) -> Plan[int]:
        """Does the work that searches have put off."""
        yield from self._look_at(nothing)
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
            "history": None if self.history is None else str(self.history),
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
