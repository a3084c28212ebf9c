"""What every backend promises, and the form in which records reach it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import msgspec

from ..codec import Snapshot, from_json, snapshot
from ..errors import InvalidArgument, brief
from ..filters import EVERYTHING, Filters
from ..keys import check_key
from ..record import MemoryRecord
from ..text import searchable_json, to_utf8
from .plan import Plan

Clock: TypeAlias = Callable[[], float]
"""Gives the present instant in Unix seconds."""


class Entry(msgspec.Struct, eq=False, gc=False):
    """A record as a store keeps it: encoded, so that it can alias nothing.

    It refers to nothing but text and numbers, so the garbage collector need not know of it: with a
    million records a collection would take a second, and a load would cause many.

    Attributes:
        key: non-empty text.
        text: the value as compact JSON.
        created_at: Unix seconds, or None until a store has seen whether the key is new.
        updated_at: Unix seconds.
        expires_at: Unix seconds, or None for never.
        stamp: place in the order of recency, higher is newer; given by the store.
        column: place in the store's search index, -1 for none.
        folded: the searchable text, once somebody has searched it.
        version: which write to the server it comes from; 0 for none.
    """

    key: str
    text: Snapshot
    created_at: float | None
    updated_at: float
    expires_at: float | None
    stamp: int = 0
    column: int = -1
    folded: bytes | None = None
    version: int = 0

    def value(self) -> dict[str, Any]:
        """A fresh copy of the value."""
        return from_json(self.text)

    @property
    def size(self) -> int:
        """Bytes of the value as JSON."""
        text = self.text
        return len(text if isinstance(text, bytes) else to_utf8(text))

    def searchable(self) -> bytes:
        """The folded text of field names and leaves, see ``text.searchable``, as UTF-8."""
        if self.folded is None:
            self.folded = searchable_json(self.text)
        return self.folded

    def record(self, namespace: str) -> MemoryRecord:
        """The record as its user sees it, with a fresh value."""
        return MemoryRecord(
            key=self.key,
            value=self.value(),
            namespace=namespace,
            created_at=self.updated_at if self.created_at is None else self.created_at,
            updated_at=self.updated_at,
            expires_at=self.expires_at,
        )


def new_entry(
    key: str, value: dict[str, Any], now: float, ttl: float | None, name: str = "value"
) -> Entry:
    """An entry for a record written now.

    Args:
        key: non-empty text.
        value: anything `codec.to_plain` takes.
        now: Unix seconds.
        ttl: seconds, already checked, or None for no expiry.
        name: how an error calls the value.

    Raises:
        InvalidArgument: the key.
        NotStorable: the value.
    """
    key = check_key(key)
    return Entry(key, snapshot(value, name), None, now, None if ttl is None else now + ttl)


def entry_of(record: MemoryRecord) -> Entry:
    """An entry that keeps the instants of an existing record, as an import does."""
    entry = new_entry(record.key, record.value, record.updated_at, None)
    entry.created_at = record.created_at
    entry.expires_at = record.expires_at
    return entry


@dataclass(frozen=True, slots=True)
class Change:
    """What a write did, complete enough to be taken back by `SyncMemory.undo`.

    Attributes:
        written: entries that are new or have a new value.
        removed: entries that were there before: overwritten, deleted or evicted.
        evicted: how many of ``removed`` fell out at the old end of the LRU order.
        origin: the store that was changed, the only one that can take it back.
        max_size: the capacity there was before, or None when the change left it as it was.
    """

    written: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    evicted: int = 0
    origin: object = field(default=None, compare=False, repr=False)
    max_size: int | None = None


class Store(Protocol):
    """The verbs of a backend, for one namespace, as plans.

    Each verb is atomic, sees no expired record, and may be called from any thread. Order is
    recency: writing and reading by key make a record the newest, nothing else does.
    """

    namespace: str

    # ---- what is known without asking

    @property
    def fallback(self) -> Any:
        """The `InMemoryStore` in this process: the store itself, or what is known of a server."""
        ...

    @property
    def max_size(self) -> int | None:
        """Capacity in records; None for as many as the server has room for."""
        ...

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        ...

    def is_on_server(self) -> bool:
        """Whether the records are on a server now."""
        ...

    def outage(self) -> dict[str, Any] | None:
        """See `SyncMemory.outage`."""
        ...

    # ---- one record

    def write(self, entry: Entry) -> Plan[None]:
        """As `put`, for one entry that nobody will want to take back."""
        ...

    def read(self, key: str) -> Plan[Entry | None]:
        """As `fetch`, for one key."""
        ...

    def expires_at(self, key: str) -> Plan[float | None]:
        """When a record expires, in Unix seconds; None when it never does or does not exist."""
        ...

    # ---- many records

    def put(self, entries: Iterable[Entry]) -> Plan[Change]:
        """Writes entries in turn, evicting the least recently used above `max_size`.

        Eviction waits for the last one in memory; on a server for the last of each batch sent there.
        """
        ...

    def put_for_good(self, entries: Iterable[Entry]) -> Plan[None]:
        """As `put`, of entries that nobody will want to take back."""
        ...

    def fetch(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """The entries of the keys that exist, in the order asked, each made newest in turn."""
        ...

    def find(
        self, needle: str | None = None, limit: int | None = None, filters: Filters = EVERYTHING
    ) -> Plan[list[Entry]]:
        """Entries, newest first, whose folded text contains the folded needle (None: all)."""
        ...

    def stream(
        self, needle: str | None = None, filters: Filters = EVERYTHING
    ) -> Iterator[Plan[list[Entry]]]:
        """As `find` without a limit, but a few at a time.

        Each is looked at when its turn comes: what has been deleted, has expired or matches no
        longer by then is left out. What is there and matches all the time comes exactly once, in
        the order of recency at the beginning.
        """
        ...

    def count(self, needle: str | None = None, filters: Filters = EVERYTHING) -> Plan[int]:
        """How many entries `find` would give without a limit."""
        ...

    def keys(self) -> Plan[list[str]]:
        """Keys, least recently used first."""
        ...

    def size(self) -> Plan[int]:
        """Number of records."""
        ...

    def peek(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """As `fetch`, but the order of recency stays."""
        ...

    def mark(self) -> Plan[object]:
        """Another one whenever anything has been written, read, deleted or has expired since.

        Equal marks mean the same records in the same order, as far as this process knows them.
        """
        ...

    # ---- taking out and putting back

    def remove(self, keys: Sequence[str]) -> Plan[Change]:
        """Deletes the keys that exist."""
        ...

    def remove_matching(self, filters: Filters = EVERYTHING) -> Plan[Change]:
        """Deletes every entry that the filters accept."""
        ...

    def clear(self) -> Plan[None]:
        """Deletes every entry for good."""
        ...

    def revert(self, change: Change) -> Plan[Change]:
        """Takes a change back, but keeps what has been written under a key since then.

        Raises:
            InvalidArgument: the change was made to another store.
        """
        ...

    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity; a smaller one evicts at once."""
        ...

    # ---- about the store

    def stats(self) -> Plan[dict[str, int]]:
        """``bytes`` of all values as JSON, the same as they are ``stored``; ``expiring`` records."""
        ...

    def build_index(self, seconds: float | None = None) -> Plan[int]:
        """Does the work that searches have put off; gives how many records still wait.

        Args:
            seconds: when to stop at the latest, give or take some milliseconds; None: when done.
        """
        ...

    def about(self) -> Plan[dict[str, Any]]:
        """What the store runs on, see `SyncMemory.get_backend_info`."""
        ...

    def reconnect(self) -> Plan[bool]:
        """Tries the server now, whatever was known of it; whether the records are on it."""
        ...

    def part(self) -> Plan[None]:
        """What is to be done before the runner is closed."""
        ...


def check_limit(limit: int | None) -> int | None:
    """The limit as a plain int.

    Raises:
        InvalidArgument: not None, and not an int of at least 1.
    """
    if limit is None or (type(limit) is int and limit >= 1):
        return limit
    number = _whole(limit)
    if number is not None and number >= 1:
        return number
    raise InvalidArgument(f"limit={brief(limit)}: give an int of at least 1, or None for all")


def check_max_size(max_size: int) -> int:
    """The capacity as a plain int.

    Raises:
        InvalidArgument: not an int of at least 0.
    """
    number = _whole(max_size)
    if number is not None and number >= 0:
        return number
    raise InvalidArgument(
        f"max_size={brief(max_size)}: give an int of at least 0 (records; 0 keeps nothing)"
    )


def _whole(value: object) -> int | None:
    """The int that a value is, for Python or for NumPy; None when it is none."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def check_query(query: str) -> str:
    """The query itself.

    Raises:
        InvalidArgument: not a str.
    """
    if isinstance(query, str):
        return query
    raise InvalidArgument(f"query={brief(query)}: give text to search for")
