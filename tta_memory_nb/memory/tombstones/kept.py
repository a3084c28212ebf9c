"""The tombstones that are kept beside the records of a memory, and what this process knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import RLock
from typing import Any

from ...entry import Entry, Unreadable
from ...errors import Conflict, InvalidArgument, StoreUnavailable, brief
from ...filters import Filters
from ...search.request import Search
from ...stores.base import Change, Clock, Store
from ...stores.plan import Plan
from ..companions import Companions, ask
from .fingerprint import Fingerprint, fingerprint_of
from .listed import Listed
from .tombstone import PREFIX, SALT, Kind, Tombstone, entry_of_tombstone, kind_beside, tombstone_of

TOMBSTONES = "tombstones"
_NEWEST = 256
_PAGE = 2000


class TombstoneList:
    """The tombstones of one memory: made, listed and lifted.

    Args:
        store: of the memory.
        clock: gives Unix seconds.
        companions: stores for what the memory notes beside its records.

    Attributes:
        store: of the memory.
        companions: stores for what the memory notes beside its records.
    """

    def __init__(self, store: Store, clock: Clock, companions: Companions) -> None:
        self.store, self._clock, self.companions = store, clock, companions
        # The class is asked: a wrapper that passes unknown attributes on has no tombstones of its own.
        self._token = self._note = None
        if hasattr(type(store), "tombstones_token"):
            kept: Any = store
            self._token, self._note = kept.tombstones_token, kept.note_tombstones
        self._lock = RLock()
        self._known: object = None
        self._listed = Listed()
        self._salt = b""

    # ---- the list

    def _follow(self) -> Plan[bool]:
        """Brings the list up to date; returns whether there are any tombstones."""
        if self._token is None:
            return False
        token = yield from self._token()
        if token is None:
            return False
        if token != self._known and (yield from self._read()):
            self._known = token
        return bool(self._listed)

    def _read(self) -> Plan[bool]:
        """Brings the list up to date; returns False where it cannot be read, in an outage.

        Raises:
            StoreUnavailable: the memory is on the server, but the list is not within reach.
        """
        there = yield from self.companions.store_of(TOMBSTONES)
        if there.outage() is not None and not (yield from ask(there, there.reconnect())):
            if self.store.outage() is not None:
                return False  # what is written now is compared again when it is replayed
            raise StoreUnavailable("the tombstones of this memory cannot be read; try again")
        secret = yield from self._secret(there, may_make=False)
        if secret is None:
            return True
        stones = Filters.build(self._clock(), prefix=PREFIX)
        # Most often a few were added since. If all that are there are known then, none was lifted.
        newest = yield from ask(there, there.find(Search(filters=stones, limit=_NEWEST)))
        size = (yield from ask(there, there.size())) - 1
        with self._lock:
            self._salt = secret
            added = self._listed.add([hit.entry for hit in newest])
            if added < _NEWEST and len(self._listed) == size:
                return True
        with self._lock:
            begun = self._listed.begin()
        yield from self._each_page(there, self._listed.add)
        with self._lock:
            self._listed.end(begun)
        return True

    def _each_page(self, there: Store, take: Callable[[Sequence[Entry]], object]) -> Plan[None]:
        """Has a function take all tombstones, some at a time, so that no more of them are in this process than it keeps."""
        stones = Filters.build(self._clock(), prefix=PREFIX)
        keys = yield from ask(there, there.keys(stones))
        for start in range(0, len(keys), _PAGE):
            found = yield from ask(there, there.peek(keys[start : start + _PAGE]))
            with self._lock:
                take(found)

    def _secret(self, there: Store, *, may_make: bool) -> Plan[bytes | None]:
        from secrets import token_hex

        from ...entry import new_entry

        while True:
            found = yield from ask(there, there.peek([SALT]))
            if found:
                return bytes.fromhex(found[0].value()["secret"])
            if not may_make:
                return None
            made = new_entry(SALT, {"secret": token_hex(16)}, self._clock(), None)
            try:
                yield from ask(there, there.apply((made,), (), {SALT: None}))
            except Conflict:
                continue  # another process has made one in this instant

    def _peek(self, ids: Iterable[str]) -> Plan[dict[str, Tombstone]]:
        there = yield from self.companions.store_of(TOMBSTONES)
        found = yield from ask(there, there.peek([PREFIX + each for each in ids]))
        stones = map(tombstone_of, found)
        return {stone.id: stone for stone in stones}

    def all(self) -> Plan[list[Tombstone]]:
        """Returns all tombstones, the newest first. The companion is asked: this process may not know of the list yet."""
        if self._token is None:
            return []
        yield from self._follow()
        there = yield from self.companions.store_of(TOMBSTONES)
        found: list[Tombstone] = []
        yield from self._each_page(there, lambda page: found.extend(map(tombstone_of, page)))
        found.reverse()
        return sorted(found, key=lambda stone: -stone.at)

    def lift(self, names: Iterable[str]) -> Plan[int]:
        """Lifts tombstones, given by the keys of what was deleted or by their ids; returns how many there were."""
        self.check_keeps("tombstones; make the memory with an address")
        wanted = set(names)
        stones = yield from self.all()
        chosen = [stone.id for stone in stones if stone.key in wanted or stone.id in wanted]
        return len((yield from self._lift(chosen)).removed)

    def _lift(self, ids: Iterable[str]) -> Plan[Change]:
        there = yield from self.companions.store_of(TOMBSTONES)
        change = yield from ask(there, there.remove([PREFIX + each for each in ids]))
        yield from self._noted()
        return change

    def _noted(self) -> Plan[None]:
        """Tells other processes that the list has changed, and reads it."""
        assert self._note is not None
        yield from self._note()
        yield from self._follow()

    # ---- deletions

    def bury(
        self, entries: Sequence[Entry], kept: Sequence[Entry | None] | None = None
    ) -> Plan[Change]:
        """Makes tombstones of records that are about to be deleted; returns the change of the companion store.

        Args:
            entries: the records.
            kept: for each the record that stays in its place, which its tombstone does not refuse; None for none.

        Raises:
            InvalidArgument: the store keeps no tombstones, or a record cannot be read.
            StoreUnavailable: in an outage, in which nobody else would learn of them.
        """
        self.check_keeps("tombstones; delete without for_good, or make the memory with an address")
        self._check_is_here()
        there = yield from self.companions.store_of(TOMBSTONES)
        secret = yield from self._secret(there, may_make=True)
        assert secret is not None
        now = self._clock()
        made: list[Entry] = []
        prints: dict[int, Fingerprint] = {}
        for number, entry in enumerate(entries):
            if isinstance(entry, Unreadable):
                raise InvalidArgument(
                    f"{brief(entry.key)}: a record that cannot be read leaves no tombstone; delete it without for_good"
                )
            print_ = fingerprint_of(entry, secret)
            beside = kept[number] if kept is not None else None
            other = None
            if beside is not None:
                if id(beside) not in prints:
                    prints[id(beside)] = fingerprint_of(beside, secret)
                other = prints[id(beside)]
            kind: Kind = kind_beside(print_, other)
            made.append(entry_of_tombstone(entry.key, print_, kind, now))
        change = yield from ask(there, there.put(made))
        yield from self._noted()
        return change

    def check_keeps(self, what: str) -> None:
        """Raises an error if the store is one of the caller's that notes nothing beside its records."""
        if self._note is None:
            raise InvalidArgument(f"store=<{type(self.store).__name__}>: it keeps no {what}")

    def _check_is_here(self) -> None:
        outage = self.store.outage()
        if outage is not None:
            raise StoreUnavailable(
                "for_good: the server is away, so other clients would not learn of the tombstone; delete without "
                "for_good, or try again when the server is back"
            )

    def take_back(self, change: Change) -> Plan[Change]:
        """Takes a change of the tombstones back."""
        there = yield from self.companions.store_of(TOMBSTONES)
        back = yield from ask(there, there.revert(change))
        yield from self._noted()
        return back
