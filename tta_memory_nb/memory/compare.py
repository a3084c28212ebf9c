"""What has happened to the records of a memory between two looks at it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal, NamedTuple, TypeAlias

from ..entry import Entry, recency
from ..table import ABSENT, Path, flatten

What: TypeAlias = Literal["added", "changed", "deleted", "evicted", "expired"]
KINDS: tuple[What, ...] = ("added", "changed", "deleted", "evicted", "expired")

EXPIRY: Path = ()
"""The path that stands for the instant at which a record expires: no field has an empty one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a memory held at one instant.

    It refers to the memory's own entries, whose values never change, and copies none. What is
    overwritten or deleted later stays in this process as long as the snapshot does.

    Attributes:
        name: what its user calls it.
        taken_at: Unix seconds.
        namespace: the tenant whose records they are.
        entries: by key, in the order in which the memory gave them.
        evictions: how many records the memory had evicted until then, or a little earlier.
    """

    name: str
    taken_at: float
    namespace: str
    entries: Mapping[str, Entry] = field(repr=False)
    evictions: int = 0

    @classmethod
    def of(
        cls,
        name: str,
        taken_at: float,
        namespace: str,
        entries: Sequence[Entry],
        evictions: int = 0,
    ) -> Snapshot:
        """A snapshot of these entries."""
        return cls(name, taken_at, namespace, {entry.key: entry for entry in entries}, evictions)


class FieldChange(NamedTuple):
    """What has happened to one field.

    Attributes:
        path: names of the field and of the objects around it; `EXPIRY` for the record's expiry.
        before: the leaf, or `ABSENT`; of the expiry Unix seconds, or `ABSENT` for never.
        after: as ``before``.
    """

    path: Path
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """What has happened to one record.

    Attributes:
        key: of the record.
        what: see `compare`.
        before: what the snapshot holds, or None when it was not there.
        after: what is there now, or None when it is gone.
    """

    key: str
    what: What
    before: Entry | None
    after: Entry | None

    @property
    def fields(self) -> list[FieldChange]:
        """The fields that differ, and the expiry when that of a changed record does.

        Of a record that came or is gone: all its fields. Worked out anew each time, so that
        nothing is decoded of the many differences that nobody looks at.
        """
        return list(_field_changes(self.before, self.after))


def compare(
    before: Snapshot, after: Sequence[Entry], now: float, evictions: int = 0
) -> list[Difference]:
    """What differs between a snapshot and what is there now.

    ``added`` and ``changed`` records are told from what is there. A record that was deleted and
    written again, or overwritten any number of times, is ``changed``, or no difference at all if
    it has the same value and the same expiry. Reading changes nothing.

    Of what is gone, a memory keeps no trace, so its end is concluded:

    - ``expired``: its expiry has passed. (It may have been deleted before.)
    - ``evicted``: the memory has evicted records meanwhile, and all of the snapshot's records that
      are still there have been used since this one was: that is the order of eviction. Of more such
      records than were evicted, those not used for longest.
    - ``deleted``: all others.

    So where nothing was evicted, nothing is called so; where nothing was deleted, all that was
    evicted is. Where both happened, a record that was deleted while it was among those not used for
    longest may be called evicted, and another one deleted in its place; so may one that is evicted
    behind what an undo has brought back. A record that was overwritten after the snapshot and is
    gone now is judged by what the snapshot has of it. On a server, not all uses by others are known.

    Args:
        before: the snapshot.
        after: all that is there now, in any order.
        now: Unix seconds.
        evictions: how many records the memory has evicted until now.

    Returns:
        First what is there, in the order of ``after``, then what is gone, in the snapshot's order.
    """
    known = before.entries
    found: list[Difference] = []
    there: set[str] = set()
    # The least recent use of what has stayed.
    oldest_use = inf
    for entry in after:
        key = entry.key
        old = known.get(key)
        if old is None:
            found.append(Difference(key, "added", None, entry))
            continue
        there.add(key)
        oldest_use = min(oldest_use, recency(entry))
        if old is not entry and _differ(old, entry):
            found.append(Difference(key, "changed", old, entry))
    gone = [entry for key, entry in known.items() if key not in there]
    expired = {e.key for e in gone if e.expires_at is not None and e.expires_at <= now}
    evicted = _evicted(
        [entry for entry in gone if entry.key not in expired],
        oldest_use,
        evictions - before.evictions,
    )
    for entry in gone:
        what: What = "deleted"
        if entry.key in expired:
            what = "expired"
        elif entry.key in evicted:
            what = "evicted"
        found.append(Difference(entry.key, what, entry, None))
    return found


def summary(differences: Sequence[Difference]) -> str:
    """How many of each kind: ``2 added, 1 changed, 3 evicted``; empty for no differences."""
    counted = Counter(difference.what for difference in differences)
    return ", ".join(f"{counted[what]:,} {what}" for what in KINDS if counted[what])


def _evicted(gone: Sequence[Entry], oldest_use: float, most: int) -> set[str]:
    """Keys of what fits the order of eviction, ``most`` at most."""
    if most <= 0:
        return set()
    candidates = [entry for entry in gone if recency(entry) < oldest_use]
    candidates.sort(key=recency)
    return {entry.key for entry in candidates[:most]}


def _differ(before: Entry, after: Entry) -> bool:
    if before.expires_at != after.expires_at:
        return True
    # Equal texts are equal values; another text may still be one, with its fields in another order.
    return before.text != after.text and any(_field_changes(before, after))


def _field_changes(before: Entry | None, after: Entry | None) -> Iterator[FieldChange]:
    old = {} if before is None else flatten(before.value())
    new = {} if after is None else flatten(after.value())
    for path in old | new:
        was, is_ = old.get(path, ABSENT), new.get(path, ABSENT)
        if not _same(was, is_):
            yield FieldChange(path, was, is_)
    if before is not None and after is not None and before.expires_at != after.expires_at:
        yield FieldChange(EXPIRY, _or_absent(before.expires_at), _or_absent(after.expires_at))


def _same(one: Any, other: Any) -> bool:
    """Whether two leaves are the same JSON: 1 is neither 1.0 nor true, in lists as well."""
    if one is ABSENT or other is ABSENT:
        return one is other
    if one != other:
        return False
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _or_absent(instant: float | None) -> Any:
    return ABSENT if instant is None else instant
