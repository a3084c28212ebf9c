"""A store in front of another one that tells which records each verb touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

from ...entry import Entry
from ...filters import EVERYTHING, Filters
from ...search.request import Hit, Search
from ...stores.base import Change, Store
from ...stores.expecting import Expected
from ...stores.plan import Plan
from .operation import CURRENT, Operation

T = TypeVar("T")


class Tap:
    """Notes in the operation that is going on which entries it has found, written or deleted; else it is the store itself.

    Args:
        store: the store.
    """

    def __init__(self, store: Store) -> None:
        self.tapped = store
        # Asked for each record that is found.
        self.namespace = store.namespace
        self.version = store.version

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tapped, name)

    # ---- reading

    def read(self, key: str) -> Plan[Entry | None]:
        """See `Store.read`."""
        entry = yield from self.tapped.read(key)
        if (operation := _reading()) is not None:
            operation.entries = () if entry is None else (entry,)
        return entry

    def fetch(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """See `Store.fetch`."""
        found = yield from self.tapped.fetch(keys)
        if (operation := _reading()) is not None:
            operation.entries = found
        return found

    def find(self, search: Search) -> Plan[list[Hit]]:
        """See `Store.find`. A search by meaning asks again when it has made vectors; the last answer counts."""
        found = yield from self.tapped.find(search)
        if (operation := _reading()) is not None:
            operation.entries = [hit.entry for hit in found]
        return found

    def stream(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        """See `Store.stream`; each batch is an operation of its own."""
        for batch in self.tapped.stream(search):
            yield self._noted(batch)

    def _noted(self, batch: Plan[list[Hit]]) -> Plan[list[Hit]]:
        found = yield from batch
        if (operation := _reading()) is not None:
            operation.entries = [hit.entry for hit in found]
        return found

    # ---- writing

    def write(self, entry: Entry) -> Plan[None]:
        """See `Store.write`."""
        yield from self.tapped.write(entry)
        _written((entry,))

    def put(self, entries: Iterable[Entry]) -> Plan[Change]:
        """See `Store.put`."""
        entries = list(entries)
        change = yield from self.tapped.put(entries)
        _written(entries)
        return change

    def put_for_good(self, entries: Iterable[Entry]) -> Plan[None]:
        """See `Store.put_for_good`."""
        entries = list(entries)
        yield from self.tapped.put_for_good(entries)
        _written(entries)

    def apply(
        self, entries: Sequence[Entry], deletes: Sequence[str], expect: Expected
    ) -> Plan[Change]:
        """See `Store.apply`."""
        change = yield from self.tapped.apply(entries, deletes, expect)
        _written(entries)
        _deleted(change)
        return change

    def append(self, owner: str, entries: Sequence[Entry]) -> Plan[list[str]]:
        """See `Store.append`."""
        keys = yield from self.tapped.append(owner, entries)
        _written(entries)
        return keys

    def remove(self, keys: Sequence[str]) -> Plan[Change]:
        """See `Store.remove`."""
        change = yield from self.tapped.remove(keys)
        _deleted(change)
        return change

    def remove_matching(self, filters: Filters = EVERYTHING) -> Plan[Change]:
        """See `Store.remove_matching`."""
        change = yield from self.tapped.remove_matching(filters)
        _deleted(change)
        return change

    def revert(self, change: Change) -> Plan[Change]:
        """See `Store.revert`."""
        back = yield from self.tapped.revert(change)
        _written(back.written)
        return back


class TapWithVectors(Tap):
    """The tap of a store that keeps vectors for all of its clients."""

    def load_vectors(self, *args: Any) -> Any:
        """See the store."""
        store: Any = self.tapped
        return store.load_vectors(*args)

    def save_vectors(self, *args: Any) -> Any:
        """See the store."""
        store: Any = self.tapped
        return store.save_vectors(*args)


def tap_of(store: Store) -> Tap:
    """Returns a tap in front of a store."""
    keeps_vectors = hasattr(type(store), "load_vectors")
    return TapWithVectors(store) if keeps_vectors else Tap(store)


def seen_as(seen: Store, store: T) -> T:
    """Returns a store with a tap in front of it, if the other one has a tap: of what a memory was, as much is noted as of what it is."""
    return cast("T", tap_of(cast("Store", store))) if isinstance(seen, Tap) else store


def _reading() -> Operation | None:
    """Returns the operation that is going on, if it returns the records that it finds."""
    operation = CURRENT.get()
    return operation if operation is not None and operation.kind in ("read", "search") else None


def _written(entries: Sequence[Entry]) -> None:
    operation = CURRENT.get()
    if operation is not None and operation.kind == "write":
        operation.entries = [*operation.entries, *entries] if operation.entries else entries


def _deleted(change: Change) -> None:
    operation = CURRENT.get()
    if operation is not None and operation.kind in ("write", "delete"):
        written = {entry.key for entry in change.written}
        gone = [entry for entry in change.removed if entry.key not in written]
        if gone:
            operation.entries = [*operation.entries, *gone]
