"""The `Store` of the in-memory backend: plans that are done at their first step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

from ..entry import Entry
from ..search.request import Hit, Search
from .base import NotCopied
from .durability import IN_MEMORY
from .history.bounds import History
from .memory import InMemoryStore
from .plan import InProcessRunner, Plan, as_plan
from .records import Records

P = ParamSpec("P")
T = TypeVar("T")


def _of_records(
    verb: Callable[Concatenate[Records, P], T],
) -> Callable[Concatenate[Local, P], Plan[T]]:
    """Makes a plan of something that the records can do."""
    plan = as_plan(verb)

    @wraps(verb)
    def method(self: Local, /, *args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        return plan(self._records, *args, **kwargs)

    return method


def _of_store(
    verb: Callable[Concatenate[InMemoryStore, P], T],
) -> Callable[Concatenate[Local, P], Plan[T]]:
    """Makes a plan of a change that the in-memory store can make."""
    plan = as_plan(verb)

    @wraps(verb)
    def method(self: Local, /, *args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        return plan(self.fallback, *args, **kwargs)

    return method


class Local(NotCopied):
    """The in-memory store as plans, for the verbs of a memory.

    Args:
        store: the store; a change to it can be taken back by either of the two.
    """

    backend = "in-memory"
    runner: ClassVar = InProcessRunner()

    def __init__(self, store: InMemoryStore) -> None:
        self.fallback = store
        self.namespace = store.namespace
        self._records = store.contents

    def __init_subclass__(cls) -> None:
        # A subclass that carries a verb out in a way of its own has no shortcut past it, unless it
        # brings one.
        for verb in ("write", "read", "find"):
            if verb in cls.__dict__ and f"{verb}_now" not in cls.__dict__:
                setattr(cls, f"{verb}_now", None)

    def __repr__(self) -> str:
        return f"Local({self.fallback!r})"

    def describe(self) -> str:
        """Returns the text that the repr of a memory has for its store."""
        return f"size={self._records.size()}, max_size={self.max_size}"

    @property
    def max_size(self) -> int | None:
        """Capacity in records; None if nothing is evicted."""
        return self.fallback.max_size

    @property
    def expired(self) -> int:
        """How many records have expired since the start."""
        return self._records.expired

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self.fallback.evictions

    def is_on_server(self) -> bool:
        """Returns False: there is no server."""
        return False

    def outage(self) -> None:
        """Returns None: there is no server that could be away."""

    @property
    def write_now(self) -> Callable[[Entry], None]:
        """Carries `write` out without a plan."""
        return self._records.write

    @property
    def read_now(self) -> Callable[[str], Entry | None]:
        """Carries `read` out without a plan, which would take longer than the read itself."""
        return self._records.read

    @property
    def find_now(self) -> Callable[[Search], list[Hit]]:
        """Carries `find` out without a plan."""
        return self._records.find

    @as_plan
    def tombstones_token(self) -> int | None:
        """Returns how often the list of tombstones was changed; None for never."""
        return self.fallback.tombstone_changes or None

    @as_plan
    def note_tombstones(self) -> None:
        """Tells all memories over this store that the list of tombstones has changed."""
        self.fallback.tombstone_changes += 1

    def version(self, entry: Entry) -> str:
        """Returns the version of an entry."""
        return self._records.version(entry)

    @property
    def history(self) -> History | None:
        """Which changes of records are kept; None for none."""
        return self.fallback.history

    @as_plan
    def kept_history(self) -> History | None:
        """Returns which changes of records are kept; None for none."""
        return self.history

    keep_changes = _of_records(Records.keep_changes)
    as_of = _of_records(Records.as_of)
    forget_changes = _of_records(Records.forget_changes)
    kept_changes = _of_records(Records.kept_changes)

    # The verbs that an agent calls all day are written out: passing arguments on takes time as well.

    def write(self, entry: Entry) -> Plan[None]:
        """Writes one entry in a way that cannot be taken back."""
        self._records.write(entry)
        return
        yield

    def read(self, key: str) -> Plan[Entry | None]:
        """Returns the entry of a key, made the newest; None when there is none."""
        return self._records.read(key)
        yield

    def find(self, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search."""
        return self._records.find(search)
        yield

    expires_at = _of_records(Records.expires_at)
    fetch = _of_records(Records.fetch)
    peek = _of_records(Records.peek)
    count = _of_records(Records.count)
    keys = _of_records(Records.keys)
    folders = _of_records(Records.folders)
    size = _of_records(Records.size)
    change_token = _of_records(Records.change_token)
    touch = _of_records(Records.touch)
    stats = _of_records(Records.stats)
    build_index = _of_records(Records.build_index)
    put = _of_store(InMemoryStore.put)
    apply = _of_store(InMemoryStore.apply)
    remove = _of_store(InMemoryStore.remove)
    remove_matching = _of_store(InMemoryStore.remove_matching)
    clear = _of_store(InMemoryStore.clear)
    revert = _of_store(InMemoryStore.revert)
    resize = _of_store(InMemoryStore.resize)

    @as_plan
    def append(self, owner: str, entries: Sequence[Entry]) -> list[str]:
        """Writes entries in one step under keys with rising numbers."""
        return [entry.key for entry in self.fallback.append(owner, entries).written]

    def put_for_good(self, entries: Iterable[Entry]) -> Plan[None]:
        """Writes entries as `put` does."""
        yield from self.put(entries)

    def stream(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        """Yields a plan for each hit, which is looked for when its plan is made."""
        return map(_alone, self._records.stream(search))

    def about(self) -> Plan[dict[str, Any]]:
        """Returns what the store runs on, see `SyncMemory.get_backend_info`."""
        size = yield from self.size()
        return {
            "backend": self.backend,
            "fallback_available": True,
            "namespace": self.namespace,
            "size": size,
            "max_size": self.max_size,
            "evictions": self.evictions,
            "durability": str(IN_MEMORY),
            "history": None if self.history is None else str(self.history),
        }

    @as_plan
    def reconnect(self, restore_from_here: bool = False) -> bool:  # noqa: ARG002  of every store
        """Returns False: there is no server to try."""
        return False

    @as_plan
    def before_close(self) -> None:
        """Does nothing: all that was written is where it will stay."""


@as_plan
def _alone(hit: Hit) -> list[Hit]:
    """A batch of one."""
    return [hit]
