"""The tombstones that are kept beside the records of a memory, and what this process knows of them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from operator import attrgetter
from threading import RLock
from typing import Any

from ...entry import Entry, Unreadable
from ...errors import Conflict, InvalidArgument, StoreUnavailable, brief
from ...search.request import Search
from ...stores.base import Change, Clock, Store
from ...stores.locks import AdvisoryLock, Ticket
from ...stores.plan import Call, Plan
from ..companions import Companions, ask
from .fingerprint import Fingerprint, fingerprint_of
from .listed import Listed
from .pages import entries_of, pages_of, tombstones_of
from .tombstone import PREFIX, SALT, Kind, Tombstone, entry_of_tombstone, kind_beside, tombstone_of

TOMBSTONES = "tombstones"
_NEWEST = 256

# So many seconds may pass without a page of the list before another one reads it as well.
_PATIENCE = 10.0

_OUT_OF_REACH = "the tombstones of this memory cannot be read; try again"


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
        self._reading = AdvisoryLock()
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
        if token != self._known:
            yield from self._catch_up()
        return bool(self._listed)

    def _catch_up(self) -> Plan[None]:
        """Reads the list. Of several who find it changed, one does so, and the others wait."""
        assert self._token is not None
        ticket = Ticket()
        try:
            yield from self._reading.acquire(ticket, _PATIENCE)
            token = yield from self._token()
            if token != self._known and (yield from self._read()):
                self._known = token
        finally:
            self._reading.held.discard(ticket)
            self._reading.release(ticket)

    def _read(self) -> Plan[bool]:
        """Brings the list up to date; returns False where it cannot be read, in an outage.

        Raises:
            StoreUnavailable: the memory is on the server, but the list is not within reach.
        """
        there = yield from self.companions.store_of(TOMBSTONES)
        if there.outage() is not None and not (yield from ask(there, there.reconnect())):
            if self.store.outage() is not None:
                return False  # what is written now is compared again when it is replayed
            raise StoreUnavailable(_OUT_OF_REACH)
        secret = yield from self._secret(there, may_make=False)
        if secret is None:
            return True
        # Most often a few were added since. If all that are there are known then, none was lifted. A filter would have the
        # store sort all keys first.
        newest = yield from ask(there, there.find(Search(limit=_NEWEST)))
        size = (yield from ask(there, there.size())) - 1
        with self._lock:
            self._salt = secret
            added = self._listed.add([hit.entry for hit in newest])
            is_known = added < _NEWEST and len(self._listed) == size
            if is_known and not self._listed.needs_arranging:
                return True
        try:
            listed = yield Call(self._read_anew, there)
        except StoreUnavailable:
            if self.store.outage() is not None:
                return False
            raise StoreUnavailable(_OUT_OF_REACH) from None
        with self._lock:
            self._listed = listed
        return True

    def _read_anew(self, there: Store) -> Listed:
        """Returns the list, read and arranged in the calling thread; a million take seconds."""
        listed = Listed()
        for page in pages_of(there, self._clock()):
            if not listed.extend(page):
                listed.add(entries_of(page, there))
            listed.add(page.others)
            self._reading.progress()
        listed.arrange()
        return listed

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
        return {stone.id: stone for stone in map(tombstone_of, found) if stone is not None}

    def all(self, names: Container[str] | None = None) -> Plan[list[Tombstone]]:
        """Returns tombstones, the newest first. The companion is asked: this process may not know of the list yet.

        Args:
            names: keys of what was deleted, and ids of tombstones; None for all.
        """
        if self._token is None:
            return []
        yield from self._token()
        there = yield from self.companions.store_of(TOMBSTONES)
        found: list[Tombstone] = yield Call(self._named, there, names)
        return found

    def _named(self, there: Store, names: Container[str] | None) -> list[Tombstone]:
        found: list[Tombstone] = []
        for page in pages_of(there, self._clock()):
            stones = tombstones_of(page, there)
            if names is not None:
                stones = [each for each in stones if each.key in names or each.id in names]
            found += stones
        found.reverse()
        # One that another client has made again meanwhile may come twice.
        only = {stone.id: stone for stone in reversed(found)}
        if len(only) < len(found):
            found = list(only.values())[::-1]
        found.sort(key=attrgetter("at"), reverse=True)
        return found

    def lift(self, names: Iterable[str]) -> Plan[int]:
        """Lifts tombstones, given by the keys of what was deleted or by their ids; returns how many there were."""
        self.check_keeps("tombstones; make the memory with an address")
        stones = yield from self.all(set(names))
        return len((yield from self._lift([stone.id for stone in stones])).removed)

    def _lift(self, ids: Iterable[str]) -> Plan[Change]:
        ids = list(ids)
        there = yield from self.companions.store_of(TOMBSTONES)
        change = yield from ask(there, there.remove([PREFIX + each for each in ids]))
        with self._lock:
            self._listed.drop(ids)
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
        with self._lock:
            self._listed.add(made)
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
