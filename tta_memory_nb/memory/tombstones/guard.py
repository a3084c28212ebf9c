"""Looks at what is about to be written, and refuses what was deleted for good."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from ...entry import Entry, Unreadable
from ...errors import ServerError, StoreUnavailable, Tombstoned, brief
from ...search.request import Search
from ...stores.base import Change, Clock, Store
from ...stores.expecting import Expected
from ...stores.local import Local
from ...stores.plan import Plan, as_plan
from ...times import shown_instant
from ..companions import Companions, ask
from .fingerprint import fingerprint_of
from .kept import TombstoneList
from .tombstone import (
    Tombstone,
    TombstonePolicy,
    check_policy,
)

T = TypeVar("T")

Wrote: TypeAlias = Callable[[Sequence[Entry]], None]
"""Is told which entries have been written."""

QUARANTINE = "quarantine"
_SHOWN = 5
_STALE = "STONES"

_log = logging.getLogger("tta_memory_nb")


class Guard(TombstoneList):
    """The tombstones of one memory, and the writes that they are compared with.

    A write that begins after a deletion for good has returned is refused, in every process. Without tombstones, the
    guard costs a look at a number that the store has at hand.

    Args:
        store: of the memory.
        clock: gives Unix seconds.
        companions: stores for what the memory notes beside its records.
        policy: what becomes of a record that is refused.

    Attributes:
        store: of the memory.
        companions: stores for what the memory notes beside its records.
        wrote: None, or what is told which entries have been written.
        set_aside_last: key of the record that the last call of `write` has put into quarantine; None if it was written.

    Raises:
        InvalidArgument: another policy.
    """

    def __init__(
        self, store: Store, clock: Clock, companions: Companions, policy: TombstonePolicy
    ) -> None:
        super().__init__(store, clock, companions)
        self.policy = policy
        # Of records in this process, it is known at once whether there ever was a tombstone.
        self._beside = store.fallback if type(store) is Local else None
        self.set_aside_last: str | None = None
        self.wrote: Wrote | None = None
        if hasattr(type(store), "compare_replays_with"):
            waiting: Any = store
            waiting.compare_replays_with(self.refused_in_replay)

    @property
    def policy(self) -> TombstonePolicy:
        """What becomes of a record that is refused."""
        return self._policy

    @policy.setter
    def policy(self, policy: TombstonePolicy) -> None:
        self._policy = check_policy(policy)

    @property
    def is_idle(self) -> bool:
        """Whether a write needs no look, as far as that is known without a plan."""
        if self.wrote is not None:
            return False
        return self._token is None or not (self._beside is None or self._beside.tombstone_changes)

    # ---- writes

    def write(self, entry: Entry, anyway: bool) -> Plan[None]:
        """Writes one entry, unless it is refused."""
        _, let_in, _ = yield from self._compared((entry,), anyway, self._write)
        self.set_aside_last = None if let_in else entry.key

    def _write(self, let_in: Sequence[Entry]) -> Plan[None]:
        return self.store.write(let_in[0]) if let_in else _nothing()

    def put_for_good(self, entries: Sequence[Entry], anyway: bool) -> Plan[int]:
        """Writes entries in a way that cannot be taken back; returns how many were written."""
        _, let_in, _ = yield from self._compared(entries, anyway, self.store.put_for_good)
        return len(let_in)

    def put(self, entries: Iterable[Entry], anyway: bool) -> Plan[Change]:
        """Writes entries; returns the change."""
        change, _, lifted = yield from self._compared(list(entries), anyway, self.store.put)
        return replace(change, tombstones=lifted) if lifted else change

    def apply(
        self, entries: Sequence[Entry], deletes: Sequence[str], expect: Expected, anyway: bool
    ) -> Plan[Change]:
        """Writes and deletes in one step. With a policy of quarantine, an entry that is refused fails the whole of it."""
        change, _, lifted = yield from self._compared(
            entries,
            anyway,
            lambda let_in: self.store.apply(let_in, deletes, expect),
            is_step=True,
        )
        return replace(change, tombstones=lifted) if lifted else change

    def apply_decided(
        self, entries: Sequence[Entry], deletes: Sequence[str], expect: Expected
    ) -> Plan[Change]:
        """Writes and deletes in one step what a person has decided about, whatever the tombstones say."""
        change, _, _ = yield from self._compared(
            entries,
            False,
            lambda all_: self.store.apply(all_, deletes, expect),
            is_decided=True,
        )
        return change

    def append(self, owner: str, entries: Sequence[Entry], anyway: bool) -> Plan[list[str]]:
        """Appends messages; one that is refused fails the whole of it."""
        keys, _, _ = yield from self._compared(
            entries,
            anyway,
            lambda let_in: self.store.append(owner, let_in),
            is_step=True,
            is_appended=True,
        )
        return keys

    def _compared(
        self,
        entries: Sequence[Entry],
        anyway: bool,
        write: Callable[[Sequence[Entry]], Plan[T]],
        *,
        is_step: bool = False,
        is_appended: bool = False,
        is_decided: bool = False,
    ) -> Plan[tuple[T, Sequence[Entry], Change | None]]:
        """Carries out a write of the store with those entries that are not refused; once more if there are tombstones by then which this process does not know.

        Args:
            entries: what is about to be written.
            anyway: lift the tombstones that are in the way.
            write: makes the plan that writes entries.
            is_step: whether all of the entries are written or none.
            is_appended: whether they are messages, which have no key yet.
            is_decided: whether they are written whatever the tombstones say.

        Returns:
            What the write returns, the entries that were written, and the change of the tombstones that were lifted for them.

        Raises:
            Tombstoned: an entry is refused.
        """
        lifted: Change | None = None
        while True:
            let_in = entries
            if (yield from self._follow()) and not is_decided:
                let_in, more = yield from self._let_in(entries, anyway, is_step, is_appended)
                lifted = more or lifted
            try:
                result = yield from write(let_in)
            except ServerError as error:
                if error.code != _STALE:
                    raise
            else:
                if self.wrote is not None:
                    self.wrote(let_in)
                return result, let_in, lifted

    def _let_in(
        self,
        entries: Sequence[Entry],
        anyway: bool,
        is_step: bool,
        is_appended: bool,
    ) -> Plan[tuple[Sequence[Entry], Change | None]]:
        """Returns the entries that may be written, and the change of the tombstones that were lifted for them; see `_compared`."""
        refused = yield from self._in_the_way(entries, is_appended)
        if not refused:
            return entries, None
        if anyway:
            ids = dict.fromkeys(stone.id for stones in refused.values() for stone in stones)
            return entries, (yield from self._lift(ids))
        if self.policy == "refuse" or is_step:
            raise error_of(entries, refused, is_appended)
        yield from self.set_aside([entries[number] for number in refused])
        return [entry for number, entry in enumerate(entries) if number not in refused], None

    def set_aside(self, entries: Sequence[Entry]) -> Plan[None]:
        """Puts entries into quarantine."""
        there = yield from self.companions.store_of(QUARANTINE)
        yield from ask(there, there.put_for_good(entries))
        _log.warning(
            "%d record(s) say what was deleted for good and are in quarantine: %s",
            len(entries),
            ", ".join(brief(entry.key) for entry in entries[:_SHOWN]),
        )

    def refused(self, entries: Sequence[Entry]) -> Plan[dict[int, list[Tombstone]]]:
        """Returns, by place, which entries say what was deleted for good, and the tombstones that say so.

        An entry does not count whose record has the same to say already: writing it brings nothing back.
        """
        return (yield from self._in_the_way(entries)) if (yield from self._follow()) else {}

    def _in_the_way(
        self, entries: Sequence[Entry], is_appended: bool = False
    ) -> Plan[dict[int, list[Tombstone]]]:
        """Returns the same of the list as this process knows it."""
        found = self._refused_by_list(entries)
        if not found:
            return {}
        with self._lock:
            salt, listed = self._salt, self._listed
        keys = [] if is_appended else [entries[number].key for number in found]
        there = {entry.key: entry for entry in (yield from self.store.peek(keys))}
        stones = yield from self._peek({each for ids in found.values() for each in ids})
        refused = {}
        for number, ids in found.items():
            present = there.get(entries[number].key)
            if present is not None and not isinstance(present, Unreadable):
                said = set(listed.like(fingerprint_of(present, salt)))
                ids = [each for each in ids if each not in said]
            in_the_way = [stones[each] for each in ids if each in stones]
            if in_the_way:
                refused[number] = in_the_way
        return refused

    def refused_in_replay(self, entries: Sequence[Entry]) -> Plan[dict[int, str]]:
        """Returns, by place, why entries of an outage must not reach the server that is back: others have deleted for good what they say.

        With a policy of quarantine, they are put there. What this process knows of the records is no reason to let one in: that is
        what it has written in the outage.
        """
        found = self._refused_by_list(entries) if (yield from self._follow()) else {}
        if self._token is not None and self._known != (yield from self._token()):
            raise StoreUnavailable("the tombstones of this memory cannot be read yet")
        if not found:
            return {}
        stones = yield from self._peek({each for ids in found.values() for each in ids})
        reasons: dict[int, str] = {}
        for number, ids in found.items():
            stone = next((stones[each] for each in ids if each in stones), None)
            if stone is not None:
                reasons[number] = (
                    f"it says what was deleted for good on {shown_instant(stone.at)}, as {brief(stone.key)}"
                )
        if reasons and self.policy == "quarantine":
            yield from self.set_aside([entries[number] for number in reasons])
            return {number: f"{reason}; it is in quarantine" for number, reason in reasons.items()}
        way_out = "add it on purpose with anyway=True"
        return {number: f"{reason}; {way_out}" for number, reason in reasons.items()}

    def _refused_by_list(self, entries: Sequence[Entry]) -> dict[int, list[str]]:
        """Returns, by place, the ids of the tombstones that entries are like, as far as the list is known."""
        with self._lock:
            salt, listed = self._salt, self._listed
            found: dict[int, list[str]] = {}
            for number, entry in enumerate(entries):
                if not isinstance(entry, Unreadable) and (
                    ids := listed.like(fingerprint_of(entry, salt))
                ):
                    found[number] = ids
        return found

    # ---- quarantine

    def quarantined(self) -> Plan[list[Entry]]:
        """Returns what is in quarantine, the newest first."""
        if self._token is None:
            return []
        yield from self._token()
        there = yield from self.companions.store_of(QUARANTINE)
        hits = yield from ask(there, there.find(Search()))
        return [hit.entry for hit in hits]

    def release(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """Takes entries out of quarantine, and returns them."""
        self.check_keeps("quarantine; make the memory with an address")
        there = yield from self.companions.store_of(QUARANTINE)
        change = yield from ask(there, there.remove(keys))
        return [entry for entry in change.removed if not isinstance(entry, Unreadable)]


@as_plan
def _nothing() -> None:
    """Writes nothing: all of it is in quarantine."""


def error_of(
    entries: Sequence[Entry], refused: dict[int, list[Tombstone]], is_appended: bool = False
) -> Tombstoned:
    """Returns the error that names what is refused, when it was deleted, and the way out.

    Args:
        entries: what is written.
        refused: by place, the tombstones that say so.
        is_appended: whether the entries are messages, which have no key yet.
    """
    shown = []
    for number, stones in islice(refused.items(), _SHOWN):
        stone = stones[0]
        same = "the same" if stone.kind != "like" else "the same or nearly the same"
        was = "" if stone.key == entries[number].key else f", as {brief(stone.key)},"
        name = f"values[{number}]" if is_appended else brief(entries[number].key)
        shown.append(
            f"{name} says {same} as what was deleted for good{was} on {shown_instant(stone.at)}"
        )
    if len(refused) > _SHOWN:
        shown.append(f"and {len(refused) - _SHOWN:,} more records do")
    return Tombstoned(
        f"{'; '.join(shown)}; nothing was written: add it on purpose with anyway=True (in %memory: --anyway), which lifts "
        "the tombstone, or leave it out",
        () if is_appended else tuple(entries[number].key for number in refused),
        tuple(stones[0].key for stones in refused.values()),
    )
