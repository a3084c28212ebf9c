"""Makes cases of findings or of keys, and carries decisions out: in one step, if no record has changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...entry import Entry, Unreadable, new_entry
from ...errors import InvalidArgument, brief
from ...record import MemoryRecord
from ...stores.base import Change, Store
from ...stores.plan import Plan
from ..applying import MOST_APPLIED
from ..doctor.finding import Finding
from ..tombstones.guard import Guard
from .case import Case
from .kept_apart import KeptApart
from .resolution import Resolution, Resolved

CHECKS = ("exact-duplicates", "near-duplicates", "contradictions")
"""The checks of the doctor whose findings are cases, unless others are named."""


def groups_in(given: Any) -> list[tuple[tuple[str, ...], str]]:
    """Returns the keys of each case, and what is the matter with them, of what a caller gives.

    Args:
        given: findings, one finding, a table of findings, groups of keys, or cases of an earlier resolution.

    Raises:
        InvalidArgument: it is none of these; a group of less than two keys.
    """
    if isinstance(given, Finding):
        given = [given]
    if hasattr(given, "columns") and hasattr(given, "loc"):
        if "keys" not in given.columns:
            raise InvalidArgument(
                "findings: this table has no column 'keys'; give what %memory doctor returns"
            )
        whats = given["what"] if "what" in given.columns else [""] * len(given)
        given = list(zip(given["keys"], whats, strict=True))
        return [(_keys(keys), str(what)) for keys, what in given if len(keys) > 1]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidArgument.about(
            "findings", given, "give findings of the doctor, or pairs of keys: [(key, key), ...]"
        )
    found = []
    for each in given:
        if isinstance(each, Finding):
            if len(each.keys) > 1:
                found.append((each.keys, each.text))
        elif isinstance(each, Case):
            found.append((each.keys, each.why))
        else:
            keys = _keys(each)
            if len(keys) < 2:
                raise InvalidArgument(
                    f"findings: {brief(each)} is one record; give at least two different keys for a case"
                )
            found.append((keys, ""))
    return found


def _keys(given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidArgument(
            f"findings: {brief(given)} is no pair of keys; give [(key, key), ...]"
        )
    keys = tuple(dict.fromkeys(given))
    for key in keys:
        if not isinstance(key, str) or not key:
            raise InvalidArgument(f"findings: {brief(key)} is no key; a key is non-empty text")
    return keys


def cases_of(store: Store, groups: Sequence[tuple[tuple[str, ...], str]]) -> Plan[Resolution]:
    """Returns the cases of some groups of keys. A record is in one case only: in the first one."""
    wanted = list(dict.fromkeys(key for keys, _ in groups for key in keys))
    found = (yield from store.peek(wanted)) if wanted else []
    there = {entry.key: entry for entry in found if not isinstance(entry, Unreadable)}
    taken: set[str] = set()
    cases = []
    for keys, why in groups:
        mine = [key for key in keys if key in there and key not in taken]
        if len(mine) < 2:
            continue
        taken.update(mine)
        entries = sorted((there[key] for key in mine), key=lambda each: (each.updated_at, each.key))
        records = [each.record(store.namespace, store.version(each)) for each in entries]
        cases.append(Case(tuple(records), why))
    return Resolution(cases, [key for key in wanted if key not in taken])


def carry_out(
    guard: Guard,
    apart: KeptApart,
    resolution: Sequence[Case],
    for_good: bool,
    now: float,
) -> Plan[Resolved]:
    """Carries out what was decided; see `Verbs.carry_out`."""
    if not isinstance(resolution, Iterable) or not all(
        isinstance(case, Case) for case in resolution
    ):
        raise InvalidArgument.about(
            "resolution", resolution, "give what resolve has returned, or some of its cases"
        )
    decided = [case for case in resolution if case.decision is not None]
    if not decided:
        raise InvalidArgument(
            "resolution: nobody has decided about any case; use decide('newest'), or keep, merge and keep_both of a case"
        )
    records = [record for case in decided for record in case.records]
    expect: dict[str, str | None] = {record.key: record.version for record in records}
    if len(expect) < len(records):
        raise InvalidArgument("resolution: a record is in several cases; give each to one of them")
    puts = [_merged(case, now) for case in decided if case.merged is not None]
    deletes = [key for case in decided for key in case.dropped]
    if len(expect) + len(puts) + len(deletes) > MOST_APPLIED:
        raise InvalidArgument(
            f"resolution: {len(expect):,} records are too many for one step; carry out a part of the cases at a time"
        )
    stones: Change | None = None
    if for_good and deletes:
        stones = yield from guard.bury(*_with_what_stays(decided, puts))
    try:
        change: Change = yield from guard.apply_decided(puts, deletes, expect)
    except BaseException:
        if stones is not None:
            yield from guard.take_back(stones)
        raise
    both = [case for case in decided if case.decision == "both"]
    noted = (yield from apart.note(both)) if both else None
    change = replace(change, tombstones=stones, decisions=noted)
    return Resolved(tuple(decided), len(records), len(records) - len(deletes), change)


def _merged(case: Case, now: float) -> Entry:
    """Returns the record that several become: as old as the oldest, and living as long as the one that lives longest."""
    assert case.kept is not None
    assert case.merged is not None
    entry = new_entry(case.kept, case.merged, now, None)
    entry.created_at = min(record.created_at for record in case.records)
    ends = [record.expires_at for record in case.records]
    if None not in ends:
        latest = max(case.records, key=lambda record: record.expires_at or 0.0)
        entry.expires_at, entry.sliding = latest.expires_at, latest.sliding
    return entry


def _with_what_stays(
    decided: Sequence[Case], puts: Sequence[Entry]
) -> tuple[list[Entry], list[Entry | None]]:
    """Returns the records that go, and for each the one that stays in its place."""
    merged = {entry.key: entry for entry in puts}
    gone: list[Entry] = []
    stays: list[Entry | None] = []
    for case in decided:
        if case.kept is None:
            continue
        kept = merged.get(case.kept) or _entry(case.records[case.keys.index(case.kept)])
        for record in _dropped(case):
            gone.append(_entry(record))
            stays.append(kept)
    return gone, stays


def _dropped(case: Case) -> Iterator[MemoryRecord]:
    return (record for record in case.records if record.key != case.kept)


def _entry(record: MemoryRecord) -> Entry:
    return new_entry(record.key, record.value, record.updated_at, None)
