"""What every backend promises, and what it tells of its changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from sys import maxsize
from typing import Any, Literal, NamedTuple, NoReturn, Protocol, TypeAlias

from ..entry import Entry
from ..errors import InvalidArgument
from ..filters import EVERYTHING, Filters
from ..search.request import Hit, Search, whole_number
from .expecting import Expected
from .history.bounds import History
from .history.changes import Earlier, KeptChanges
from .plan import Plan, Runner

Clock: TypeAlias = Callable[[], float]
"""Gives the present instant in Unix seconds."""


class SimulatedTime:
    """Base class of clocks for tests: what such a clock says is the time on servers as well.

    On a server the server's own time decides when records expire. A test that lets an hour pass
    derives its clock from this class; every client of the namespace has to use that clock then.

        >>> class Later(SimulatedTime):
        ...     def __call__(self) -> float:
        ...         return time.time() + 3600
    """


class NotCopied:
    """Base class of memories and stores, which have locks, threads and connections and cannot be copied."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuses what `copy`, `pickle` and `dataclasses.asdict` ask for.

        Raises:
            TypeError: always; the message says what to do instead.
        """
        raise TypeError(
            f"a memory cannot be copied or sent to another process, and neither can a change that it may undo "
            f"(<{type(self).__name__}>): share the memory, make another one with the same arguments, or take "
            "its records, memory.sync.records(None)"
        )


OutagePolicy: TypeAlias = Literal["fallback", "raise"]
"""Whether a memory works without its server while that is away, or raises."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a write did, complete enough to be taken back by `SyncMemory.undo`.

    Attributes:
        written: entries that are new or have a new value.
        removed: entries that were there before: overwritten, deleted or evicted.
        evicted: how many of ``removed`` were evicted; they come last.
        origin: the store that was changed, the only one that can take the change back.
        max_size: the capacity before, or None when the change left it as it was.
        tombstones: what was changed in the list of tombstones along with it; None for nothing.
        decisions: what was changed in the list of records to be kept side by side along with it; None for nothing.
    """

    written: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    evicted: int = 0
    origin: object = field(default=None, compare=False, repr=False)
    max_size: int | None = None
    tombstones: Change | None = field(default=None, repr=False)
    decisions: Change | None = field(default=None, repr=False)


class NotNow(Exception):
    """A shortcut of a store would have to wait; the plan of its verb does that."""


class Dump(NamedTuple):
    """Some records as they are kept, for a caller who takes in very many of them and makes no object of each.

    Attributes:
        keys: their keys in UTF-8 without what all begin with, joined; all are of one size.
        numbers: the numbers of their writes as doubles (8 bytes, big-endian), joined.
        values: their values, as an array in JSON.
        others: entries of more records, which the store keeps in another way, or which may expire.
    """

    keys: bytes
    numbers: bytes
    values: bytes
    others: Sequence[Entry] = ()


class Store(Protocol):
    """The verbs of a backend, for one namespace, as plans.

    Each verb is atomic, sees no expired record, and may be called from any thread. The order of
    records is the order of use: writing a record and reading it by key make it the newest, and
    nothing else does.

    A store whose `write`, `read` or `find` needs no plan may have methods ``write_now(entry)``,
    ``read_now(key)`` and ``find_now(search)`` in its own class, which carry them out at once; see
    ``stores.local.Local``. They raise ``NotNow``, and have done nothing, where they would have to wait.
    `MemoryPrimitive.over` makes a memory of any store.

    A store that keeps tombstones has two plans more. ``tombstones_token()`` returns a token that differs once the list of
    tombstones was changed by anybody, and None as long as there is no list; ``note_tombstones()`` tells all who share
    the records that the list has changed. See ``memory.tombstones``. It may have ``dump(prefix, size)`` as well, which yields plans
    that give a ``stores.base.Dump`` each.
    """

    namespace: str

    @property
    def runner(self) -> Runner:
        """What carries the plans of this store out."""
        ...

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

    def describe(self) -> str:
        """Returns the text that the repr of a memory has for its store, without any round trip."""
        ...

    @property
    def backend(self) -> str:
        """Name of what the records are on now, which is ``"in-memory"``, ``"file"`` or ``"redis"``."""
        ...

    def is_on_server(self) -> bool:
        """Whether the records are on a server now."""
        ...

    def outage(self) -> dict[str, Any] | None:
        """Returns what `SyncMemory.outage` does."""
        ...

    def version(self, entry: Entry) -> str:
        """Returns the version of an entry of this store, as a `MemoryRecord` has it."""
        ...

    # ---- earlier versions; a store of a user's own may lack these

    @property
    def history(self) -> History | None:
        """Which changes of records are kept; None for none."""
        ...

    def kept_history(self) -> Plan[History | None]:
        """Returns which changes of records are kept; asks where that may be unknown here."""
        ...

    def keep_changes(self, history: History | None) -> Plan[None]:
        """Keeps changes from now on, more or fewer of them, or none, which drops them."""
        ...

    def as_of(self, instant: float) -> Plan[Earlier]:
        """Returns the records as of an instant in Unix seconds.

        Each change is kept in the same step that makes it, with who made it (see `Author`): writes, deletions, evictions,
        expiries, and what an undo does. So an answer is the one that was given then, but for the order of use.

        Raises:
            InvalidArgument: changes since then have been dropped, or none are kept.
        """
        ...

    def forget_changes(self, keys: Sequence[str]) -> Plan[None]:
        """Drops all changes of some records that are kept, as if these records had never been there."""
        ...

    def kept_changes(self, key: str) -> Plan[KeptChanges]:
        """Returns the changes of a record that are kept, and the record; its place in the order of use stays."""
        ...

    # ---- one record

    def write(self, entry: Entry) -> Plan[None]:
        """Writes one entry, as `put` does, in a way that cannot be taken back."""
        ...

    def read(self, key: str) -> Plan[Entry | None]:
        """Returns the entry of a key, made the newest; None when there is none."""
        ...

    def expires_at(self, key: str) -> Plan[float | None]:
        """Returns when a record expires, in Unix seconds; None for never and for no record."""
        ...

    # ---- many records

    def put(self, entries: Iterable[Entry]) -> Plan[Change]:
        """Writes entries in order, evicting the least recently used above `max_size`; returns the change.

        In memory the eviction comes after the last entry; on a server after each batch.
        """
        ...

    def put_for_good(self, entries: Iterable[Entry]) -> Plan[None]:
        """Writes entries, as `put` does, in a way that cannot be taken back."""
        ...

    def apply(
        self, entries: Sequence[Entry], deletes: Sequence[str], expect: Expected
    ) -> Plan[Change]:
        """Deletes and writes records in one step, if others are as expected; returns the change.

        Args:
            entries: what to write, each key once.
            deletes: keys of what to delete, none of them a key of an entry.
            expect: what must hold, or else nothing is done.

        Raises:
            Conflict: a record is not as expected.
        """
        ...

    def touch(self, keys: Sequence[str], ttl: float | None) -> Plan[int]:
        """Has records expire later without writing their values, and makes them the newest in order.

        Args:
            keys: of which records; those that do not exist are ignored.
            ttl: seconds from now; records that slide go on with this time. None: only records that slide, by their own.

        Returns:
            How many of the records exist.
        """
        ...

    def append(self, owner: str, entries: Sequence[Entry]) -> Plan[list[str]]:
        """Writes entries in one step, under keys that it makes of the owner and numbers.

        A number is higher than each that was given before, and at least the instant in microseconds. A store that cannot
        ask all who give numbers adds a suffix that is its own.

        Args:
            owner: user and session, ``user:session``.
            entries: what to write, in order; their keys are set.

        Returns:
            The keys, in order.
        """
        ...

    def fetch(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """Returns the entries of the keys that exist, in the order asked, each made the newest."""
        ...

    def find(self, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search.

        In the mode ``"keyword"`` an entry is a hit when its folded text contains the folded text of
        the search; the hits come in the order of use.
        """
        ...

    def stream(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        """Yields plans that give the hits of a search a few at a time; its limit is not looked at.

        An entry is looked at by the plan that gives it: what has been deleted, has expired or does
        not match any more by then is left out. What exists and matches all the time comes exactly
        once, in the order of use at the beginning.
        """
        ...

    def count(self, search: Search) -> Plan[int]:
        """Returns how many hits `find` would give without a limit."""
        ...

    def keys(self, filters: Filters = EVERYTHING) -> Plan[list[str]]:
        """Returns the keys of the records that filters accept, least recently used first."""
        ...

    def folders(self, prefix: str, depth: int | None) -> Plan[list[str]]:
        """Returns the folders of the keys that begin with a prefix, each once, see `SyncMemory.folders`."""
        ...

    def size(self) -> Plan[int]:
        """Returns the number of records."""
        ...

    def peek(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """Returns entries as `fetch` does, but the order of use stays."""
        ...

    def change_token(self) -> Plan[object]:
        """Returns a token, like an ETag, that tells whether anything has changed.

        The token differs from every earlier one once a record was written, read, deleted or has
        expired. Equal tokens mean the same records in the same order, as far as this process knows.
        """
        ...

    # ---- taking out and putting back

    def remove(self, keys: Sequence[str]) -> Plan[Change]:
        """Deletes the keys that exist, and returns the change."""
        ...

    def remove_matching(self, filters: Filters = EVERYTHING) -> Plan[Change]:
        """Deletes every record that the filters accept, and returns the change."""
        ...

    def clear(self) -> Plan[None]:
        """Deletes every record in a way that cannot be taken back."""
        ...

    def revert(self, change: Change) -> Plan[Change]:
        """Takes a change back, but keeps what has been written under a key since then; returns what this has changed.

        Raises:
            InvalidArgument: the change was made to another store.
        """
        ...

    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity, and returns the change; a smaller one evicts at once."""
        ...

    # ---- about the store

    def stats(self) -> Plan[dict[str, int]]:
        """Returns ``bytes`` of all values as JSON, the same as ``stored``, and ``expiring`` records."""
        ...

    def build_index(self, seconds: float | None = None) -> Plan[int]:
        """Does the work that searches have put off.

        Args:
            seconds: when to stop at the latest, give or take some milliseconds; None: when done;
                0: at once.

        Returns:
            How many records are still unindexed.
        """
        ...

    def about(self) -> Plan[dict[str, Any]]:
        """Returns what the store runs on, see `SyncMemory.get_backend_info`."""
        ...

    def reconnect(self, restore_from_here: bool = False) -> Plan[bool]:
        """Tries the server now; returns whether the records are on it.

        Args:
            restore_from_here: write what the server has lost, as far as this process knows it.
        """
        ...

    def before_close(self) -> Plan[None]:
        """Does what has to be done before the runner is closed."""
        ...


def capacity_of(max_size: int | None) -> int:
    """Returns the capacity in records; ``sys.maxsize`` for a memory that evicts nothing.

    Raises:
        InvalidArgument: the capacity is neither None nor an int of at least 0.
    """
    return maxsize if max_size is None else check_max_size(max_size)


def check_max_size(max_size: int) -> int:
    """Returns the capacity as a plain int.

    Raises:
        InvalidArgument: the capacity is not an int of at least 0.
    """
    number = whole_number(max_size)
    if number is not None and number >= 0:
        return number
    raise InvalidArgument.about(
        "max_size", max_size, "give an int of at least 0 (records; 0 keeps nothing)"
    )


def check_origin(change: Change, store: object) -> None:
    """Makes sure that a change was made to a store.

    Raises:
        InvalidArgument: the change was made to another store.
    """
    if change.origin is not store:
        raise InvalidArgument(
            "this change was made to another memory, and only that one can take it back"
        )
