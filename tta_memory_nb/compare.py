"""What has changed between two looks at a memory, field by field.

A snapshot keeps references to encoded records, which never change, and copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .stores.base import Entry
from .table import ABSENT, Path, flatten

What: TypeAlias = Literal["added", "changed", "deleted", "evicted", "expired"]

EXPIRES: Path = ("expires",)
"""Stands for the instant of expiry, in Unix seconds, among the changed fields."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a memory held at an instant.

    Attributes:
        entries: newest first, as ``memory.sync.entries()`` gives them.
        taken_at: Unix seconds.
        evictions: the memory's count of them then.
    """

    entries: Sequence[Entry]
    taken_at: float
    evictions: int


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a record, before and after.

    Attributes:
        path: of the field; `EXPIRES` with ``is_expiry`` for when the record expires.
        before: a leaf, or `table.ABSENT`.
        after: likewise.
        is_expiry: whether this is about the record's expiry and not a field.
    """

    path: Path
    before: Any
    after: Any
    is_expiry: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """What has become of one record.

    Attributes:
        key: of the record.
        what: has happened to it.
        fields: that are not what they were; all of them for a record that is new or gone.
    """

    key: str
    what: What
    fields: tuple[FieldChange, ...]


def compare(before: Snapshot, after: Snapshot) -> list[Difference]:
    """The differences: what is new or changed, newest first, then what is gone, newest first.

    A record that is gone has **expired** if its time was over by then. It was **evicted** if the memory
    evicts at its old end and nothing that was older is left: as many of those as were evicted
    meanwhile, the oldest first. Any other was **deleted**. Where records were evicted that came only
    after the first snapshot, or were read in between, this may take a deleted record at the old end
    for an evicted one; it never takes one from the midst for it.

    A record that was deleted and written again with the same value and expiry is no difference.
    """
    old = {entry.key: entry for entry in before.entries}
    new = {entry.key: entry for entry in after.entries}
    found = [
        Difference(entry.key, "changed" if entry.key in old else "added", fields)
        for entry in after.entries
        if (fields := tuple(_changes(old.get(entry.key), entry))) or entry.key not in old
    ]
    fates = _fates(before, after, new)
    found += [
        Difference(entry.key, fates[entry.key], tuple(_changes(entry, None)))
        for entry in before.entries
        if entry.key not in new
    ]
    return found


def _fates(before: Snapshot, after: Snapshot, new: dict[str, Entry]) -> dict[str, What]:
    fates: dict[str, What] = {}
    evictions = after.evictions - before.evictions
    # From the old end on: nothing is evicted while something older is there.
    is_at_the_end = True
    for entry in reversed(before.entries):
        if entry.key in new:
            # What was read or written since has left the old end.
            is_at_the_end = is_at_the_end and new[entry.key].stamp != entry.stamp
        elif entry.expires_at is not None and entry.expires_at <= after.taken_at:
            fates[entry.key] = "expired"
        elif is_at_the_end and evictions > 0:
            fates[entry.key] = "evicted"
            evictions -= 1
        else:
            fates[entry.key] = "deleted"
    return fates


def _changes(before: Entry | None, after: Entry | None) -> Iterator[FieldChange]:
    old = {} if before is None else flatten(before.value())
    new = {} if after is None else flatten(after.value())
    if before is not None and after is not None:
        if before.text == after.text:
            old = new = {}
        if before.expires_at != after.expires_at:
            yield FieldChange(EXPIRES, before.expires_at, after.expires_at, is_expiry=True)
    for path in dict.fromkeys((*new, *old)):
        was, is_now = old.get(path, ABSENT), new.get(path, ABSENT)
        if not _same(was, is_now):
            yield FieldChange(path, was, is_now)


def _same(left: Any, right: Any) -> bool:
    # Python calls True and 1 equal, and 1 and 1.0, which JSON writes in different ways.
    return type(left) is type(right) and bool(left == right) and repr(left) == repr(right)
