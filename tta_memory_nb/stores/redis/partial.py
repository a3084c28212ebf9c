"""Partial replicas. A query filtered by key or time loads only the matching records.

Of a filter, a server can decide which keys it names and between which instants they were updated;
the rest is decided here, where values can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from threading import Lock

from ...entry import Entry
from ...filters import EVERYTHING, Filters
from ...search.orders import prefix_of
from ...text import to_utf8
from ..forks import guarded
from ..locks import AdvisoryLock
from .replica import Replica

MOST_PARTIAL = 4
"""So many partial replicas are kept, those that were asked last."""

# A partial replica is dropped when this process has changed more of its records since its last sync.
_MOST_OUTDATED = 4096


@dataclass(frozen=True, slots=True)
class Subset:
    """Records chosen by their keys and instants.

    Attributes:
        prefix: what their keys begin with.
        infix: what their keys contain.
        since: the earliest instant of their last update, in Unix seconds.
        until: the latest.
    """

    prefix: str = ""
    infix: str = ""
    since: float = -inf
    until: float = inf

    @classmethod
    def of(cls, filters: Filters) -> Subset:
        """Returns the smallest subset with all records that filters accept."""
        infix = ""
        if filters.user is None and filters.session is not None:
            infix = f":{filters.session}"
        since = -inf if filters.since is None else filters.since
        until = inf if filters.until is None else filters.until
        return cls(prefix_of(filters), infix, since, until)

    def covers(self, other: Subset) -> bool:
        """Returns whether every record of another subset belongs to this one as well."""
        return (
            other.prefix.startswith(self.prefix)
            and self.infix in other.infix
            and self.since <= other.since
            and self.until >= other.until
        )

    def may_have(self, key: str) -> bool:
        """Returns whether a record of this key may belong to the subset."""
        return key.startswith(self.prefix) and self.infix in key

    def arguments(self) -> tuple[bytes | str, ...]:
        """Returns the subset as `lua/sync.lua` and `lua/keys.lua` take it."""
        if self == WHOLE:
            return ()
        instants = (repr(at) if abs(at) < inf else b"" for at in (self.since, self.until))
        return (to_utf8(self.prefix), to_utf8(self.infix), *instants)


WHOLE = Subset()


@dataclass(slots=True)
class Synced:
    """A replica of a subset.

    Attributes:
        subset: which records.
        replica: what this process knows of them.
        loading: held while older records are loaded. Two that load the same do more work, but no
            harm.
    """

    subset: Subset
    replica: Replica
    loading: AdvisoryLock = field(default_factory=AdvisoryLock)


class Replicas:
    """All that this process knows of a namespace: one replica of the whole, and partial ones.

    The whole replica takes in what this process does on the server. The partial ones note what was
    changed, and fetch it with their next sync.

    Args:
        whole: the replica of the whole namespace.
        make: makes the replica of a subset.
    """

    def __init__(self, whole: Replica, make: Callable[[], Replica]) -> None:
        self.whole = Synced(WHOLE, whole)
        self._make = make
        self._lock = guarded(Lock(), 2)
        # The one asked last comes last. No OrderedDict: Ctrl-C in the hash of a subset, which is Python
        # code, would leave that in disorder for ever.
        self._partial: dict[Subset, Synced] = {}

    def for_filters(self, filters: Filters) -> Synced:
        """Returns where to look for what filters accept."""
        if filters is EVERYTHING:
            return self.whole
        subset = Subset.of(filters)
        if subset == WHOLE or self.whole.replica.position().is_complete:
            return self.whole
        with self._lock:
            synced = next(
                (each for each in self._partial.values() if each.subset.covers(subset)), None
            )
            if synced is None:
                synced = Synced(subset, self._make())
            self._partial.pop(synced.subset, None)
            self._partial[synced.subset] = synced
            while len(self._partial) > MOST_PARTIAL:
                del self._partial[next(iter(self._partial))]
        return synced

    def holds(self, filters: Filters) -> bool:
        """Returns whether a replica has all that filters accept, as of its last sync."""
        if self.whole.replica.position().is_complete:
            return True
        subset = Subset.of(filters)
        with self._lock:
            partial = list(self._partial.values())
        return any(
            each.subset.covers(subset) and each.replica.position().is_complete for each in partial
        )

    # ---- what this process does on the server; for the arguments see `Replica`

    def wrote(self, entries: Sequence[Entry], start: int, end: int) -> None:
        """Takes in own writes."""
        self.whole.replica.wrote(entries, start, end)
        if self._partial:
            self._outdated((entry.key, entry._recency) for entry in entries)

    def touched(self, rows: Sequence[tuple[str, int, bytes]], start: int, end: int) -> None:
        """Takes in records that this process has touched: key, recency, and header and span if the expiry is another one."""
        self.whole.replica.touched(rows, start, end)
        if self._partial:
            self._outdated((key, place) for key, place, _ in rows)

    def removed(self, keys: Sequence[str], start: int, end: int) -> None:
        """Takes in own deletions, also of keys that did not exist."""
        self.whole.replica.removed(keys, start, end)
        if self._partial:
            self._outdated((key, end) for key in keys)

    def restored(self, entries: Sequence[Entry], end: int) -> None:
        """Takes in records that an own undo has brought back."""
        self.whole.replica.restored(entries, end)
        if self._partial:
            self._outdated((entry.key, end) for entry in entries)

    def cleared(self, end: int) -> None:
        """Takes in an own `clear`."""
        self.whole.replica.cleared(end)
        self._take_partial()

    def forget(self, written: Mapping[str, int], since: int, until: int) -> None:
        """Forgets writes of these numbers by their keys, and all deletions between two values of the counter."""
        for replica in (
            self.whole.replica,
            *(each.replica for each in list(self._partial.values())),
        ):
            replica.forget_written(written, since, until)

    def known(self) -> list[Entry]:
        """Returns for each key that is known the entry of its latest write."""
        known: dict[str, Entry] = {}
        for replica in (
            self.whole.replica,
            *(each.replica for each in list(self._partial.values())),
        ):
            for entry in replica.known():
                other = known.get(entry.key)
                if other is None or other._write_seq < entry._write_seq:
                    known[entry.key] = entry
        return list(known.values())

    def _outdated(self, changes: Iterable[tuple[str, int]]) -> None:
        """Takes in keys that have changed, and the server's counter at that."""
        changes = list(changes)
        with self._lock:
            for subset, synced in list(self._partial.items()):
                here = [change for change in changes if subset.may_have(change[0])]
                if synced.replica.outdated(here) > _MOST_OUTDATED:
                    del self._partial[subset]  # its next sync would load as much as a new one

    def _take_partial(self) -> list[Replica]:
        """Forgets the partial replicas, and returns them."""
        with self._lock:
            partial, self._partial = self._partial, {}
        return [synced.replica for synced in partial.values()]

    def detach(self, max_size: int | None, seen: int) -> None:
        """Turns the whole replica into a store of its own, with all that this process knows.

        Args:
            max_size: the capacity of the namespace, if it has one.
            seen: the server's counter.
        """
        self.whole.replica.detach(max_size, seen, self._take_partial())
