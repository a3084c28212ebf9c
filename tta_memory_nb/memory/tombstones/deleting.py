"""Deletes records in a way that holds: tombstones first, then the records themselves, if nobody has written them since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...entry import Entry
from ...errors import Conflict
from ...keys import check_key
from ...stores.base import Change, Store
from ...stores.plan import Plan
from ..as_of import history_of
from .guard import Guard

# So many records are deleted in one step.
_AT_ONCE = 20_000
_MOST_TRIES = 100


def remove_for_good(store: Store, guard: Guard, keys: Iterable[str]) -> Plan[Change]:
    """Deletes the records of some keys, and has their tombstones refuse what they said.

    The tombstones are written first. If the process ends in between, records are left that could not be added again; deleting
    them again finishes the work.

    Returns:
        The change of the records, with that of the tombstones.
    """
    wanted = list(dict.fromkeys(map(check_key, keys)))
    removed: list[Entry] = []
    buried: list[Entry] = []
    replaced: list[Entry] = []
    change, stones = Change(), Change()
    for start in range(0, max(len(wanted), 1), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        change, stones = yield from _removed(store, guard, part)
        removed += change.removed
        buried += stones.written
        replaced += stones.removed
    stones = replace(stones, written=tuple(buried), removed=tuple(replaced))
    return replace(change, removed=tuple(removed), tombstones=stones if buried else None)


def _removed(store: Store, guard: Guard, keys: Sequence[str]) -> Plan[tuple[Change, Change]]:
    tries = 0
    while True:
        entries = yield from store.peek(keys)
        if not entries:
            yield from _forget(store, keys)
            return (yield from store.remove(())), Change()
        stones = yield from guard.bury(entries)
        expect: dict[str, str | None] = {entry.key: store.version(entry) for entry in entries}
        try:
            change: Change = yield from store.apply((), [entry.key for entry in entries], expect)
        except Conflict:
            yield from guard.take_back(stones)
            tries += 1
            if tries == _MOST_TRIES:
                raise
        except BaseException:
            yield from guard.take_back(stones)
            raise
        else:
            yield from _forget(store, keys)
            return change, stones


def _forget(store: Store, keys: Sequence[str]) -> Plan[None]:
    """Drops the history of records: a tombstone keeps no text, and neither may that."""
    if keys and (yield from history_of(store)) is not None:
        yield from store.forget_changes(keys)
