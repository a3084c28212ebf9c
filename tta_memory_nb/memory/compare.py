"""Comparison of a memory with an earlier snapshot of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple, TypeAlias

from ..entry import Entry, recency
from ..table import ABSENT, Path, flatten
from ..times import shown_instant

What: TypeAlias = Literal["added", "changed", "deleted", "evicted", "expired"]
KINDS: tuple[What, ...] = ("added", "changed", "deleted", "evicted", "expired")

EXPIRY: Path = ()
"""The path that represents the expiry of a record. No field has an empty path."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The entries of a memory at one instant.

    A snapshot refers to the memory's own entries, whose values never change, and copies none of them.
    An entry that is overwritten or deleted later stays in this process as long as the snapshot does.

    Attributes:
        name: the name that its user gave it.
        taken_at: Unix seconds.
        namespace: the namespace of the records.
        entries: entries by key, in the order in which the memory returned them.
        evictions: number of records that the memory had evicted at that instant, or shortly before.
    """

    name: str
    taken_at: float
    namespace: str
    entries: Mapping[str, Entry]
    evictions: int = 0

    def __repr__(self) -> str:
        """Returns what the snapshot is of; its instant as a date."""
        return (
            f"Snapshot({self.name!r}, taken_at='{shown_instant(self.taken_at)}', "
            f"namespace={self.namespace!r}, {len(self.entries):,} records)"
        )

    @classmethod
    def of(
        cls,
        name: str,
        taken_at: float,
        namespace: str,
        entries: Sequence[Entry],
        evictions: int = 0,
    ) -> Snapshot:
        """Returns a snapshot of these entries."""
        return cls(name, taken_at, namespace, {entry.key: entry for entry in entries}, evictions)


class FieldChange(NamedTuple):
    """The change of one field.

    Attributes:
        path: names of the enclosing objects and of the field; ``EXPIRY`` for the record's expiry.
        before: the earlier leaf, or ``ABSENT``. For the expiry Unix seconds, or ``ABSENT`` for never.
        after: the later leaf, likewise.
    """

    path: Path
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """The change of one record.

    Attributes:
        key: the key of the record.
        what: the kind of change; see `compare`.
        before: the entry in the snapshot, or None if the snapshot has none.
        after: the present entry, or None if there is none.
    """

    key: str
    what: What
    before: Entry | None
    after: Entry | None

    @property
    def fields(self) -> list[FieldChange]:
        """The fields that differ, and the expiry if the expiry of a changed record differs.

        For a record that was added or is gone, these are all its fields. The property computes them on
        each access, so that a difference that is never displayed is never decoded.
        """
        return list(field_changes(self.before, self.after))


def compare(
    before: Snapshot,
    after: Sequence[Entry],
    now: float,
    evictions: int = 0,
    ends: Mapping[str, str] | None = None,
) -> list[Difference]:
    """Returns the differences between a snapshot and the present entries.

    ``added`` and ``changed`` follow from the present entries. A record that was deleted and written
    again, or overwritten any number of times, is ``changed``, or no difference at all if it has the
    same value and the same expiry. Reading a record is no change.

    A memory keeps no log of records that are gone unless its user asks for one, so the reason is inferred:

    - ``expired``: the record's expiry has passed. (It may have been deleted before that.)
    - ``evicted``: the memory has evicted records since the snapshot, and every record of the
      snapshot that is still present was used more recently than this one, as the order of eviction
      requires. If more records qualify than were evicted, the least recently used ones count.
    - ``deleted``: all other records that are gone.

    If nothing was evicted, no record is reported as evicted; if nothing was deleted, every evicted
    record is. If both happened, a record that was deleted while it was among the least recently used
    may be reported as evicted, and another one as deleted in its place. The same may happen to a
    record that is evicted after records that an undo has restored. A record that was overwritten after
    the snapshot and is gone now is judged by its entry in the snapshot. On a server, some uses by
    other clients are unknown.

    Args:
        before: the snapshot.
        after: all present entries, in any order.
        now: Unix seconds.
        evictions: number of records that the memory has evicted until now.
        ends: by key what has happened last to a record, of a memory that keeps its changes; nothing is inferred then.

    Returns:
        First the differences of present records, in the order of ``after``, then those of records
        that are gone, in the order of the snapshot.
    """
    earlier = before.entries
    found: list[Difference] = []
    present: set[str] = set()
    # The least recent use among the snapshot's records that are still present.
    oldest_use = inf
    for entry in after:
        key = entry.key
        old = earlier.get(key)
        if old is None:
            found.append(Difference(key, "added", None, entry))
            continue
        present.add(key)
        oldest_use = min(oldest_use, recency(entry))
        if old is not entry and _differ(old, entry):
            found.append(Difference(key, "changed", old, entry))
    gone = [entry for key, entry in earlier.items() if key not in present]
    expired = {e.key for e in gone if e.expires_at is not None and e.expires_at <= now}
    evicted = _evicted(
        [entry for entry in gone if entry.key not in expired],
        oldest_use,
        evictions - before.evictions,
    )
    if ends is not None:
        expired |= {key for key, what in ends.items() if what == "expired"}
        evicted = {key for key, what in ends.items() if what == "evicted"}
    for entry in gone:
        what: What = "deleted"
        if entry.key in expired:
            what = "expired"
        elif entry.key in evicted:
            what = "evicted"
        found.append(Difference(entry.key, what, entry, None))
    return found


def summary(differences: Sequence[Difference]) -> str:
    """Returns the number of differences of each kind: ``2 added, 1 changed``; empty if there are none."""
    counted = Counter(difference.what for difference in differences)
    return ", ".join(f"{counted[what]:,} {what}" for what in KINDS if counted[what])


def _evicted(gone: Sequence[Entry], oldest_use: float, limit: int) -> set[str]:
    """Returns at most ``limit`` keys of records whose absence the order of eviction explains."""
    if limit <= 0:
        return set()
    candidates = [entry for entry in gone if recency(entry) < oldest_use]
    candidates.sort(key=recency)
    return {entry.key for entry in candidates[:limit]}


def _differ(before: Entry, after: Entry) -> bool:
    if before.expires_at != after.expires_at:
        return True
    # Equal texts are equal values. Different texts may be equal too, with fields in another order.
    return before.text != after.text and any(field_changes(before, after))


def field_changes(before: Entry | None, after: Entry | None) -> Iterator[FieldChange]:
    """Yields the fields that differ between two states of a record, and at last its expiry if that differs."""
    was_value = {} if before is None else before.value()
    is_value = {} if after is None else after.value()
    old, new = flatten(was_value), flatten(is_value)
    if any(leaf and isinstance(leaf, dict) for leaf in (*old.values(), *new.values())):
        # One of them has too many fields to be taken apart, and neither is.
        old = {(name,): child for name, child in was_value.items()}
        new = {(name,): child for name, child in is_value.items()}
    for path in old | new:
        was, is_ = old.get(path, ABSENT), new.get(path, ABSENT)
        if not _same(was, is_):
            yield FieldChange(path, was, is_)
    if before is not None and after is not None and before.expires_at != after.expires_at:
        yield FieldChange(EXPIRY, _or_absent(before.expires_at), _or_absent(after.expires_at))


def _same(one: Any, other: Any) -> bool:
    """Returns whether two leaves are the same JSON. 1 is neither 1.0 nor true, in lists as well."""
    if one is ABSENT or other is ABSENT:
        return one is other
    if one != other:
        return False
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _or_absent(instant: float | None) -> Any:
    return ABSENT if instant is None else instant
