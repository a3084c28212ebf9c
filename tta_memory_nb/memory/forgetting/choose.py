"""Which records a policy lets go, each with its reason."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from ...entry import Entry, Unreadable, write_seq
from ...times import duration, shown_instant
from ..packing.budget import counter
from ..packing.lines import line_of, one_line
from .policy import ForgetPolicy

_DAY = 86400.0
Note: TypeAlias = Callable[[Entry, str, float], None]
"""Is told that a record goes, why, and from which instant on it would have gone."""
_MOST_OF_TYPE = 40


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A record that may be forgotten.

    Attributes:
        key: key of the record.
        reason: which rule it breaks, and how.
        updated_at: when it was last written, in Unix seconds.
        bytes: of its value as JSON.
        text: what it says, in one line.
        due_at: from when on the policy would have deleted it, had it been applied all the time, in Unix seconds. For limits of records,
            bytes or tokens this counts by the writes of the records that are there now.
        reads_since: how often a trace has seen it read or found after that instant; None without a trace.
        last_read: when that was last, and by whom; empty for never.
    """

    key: str
    reason: str
    updated_at: float
    bytes: int
    text: str
    due_at: float = 0.0
    reads_since: int | None = None
    last_read: str = ""


def last_uses(entries: Sequence[Entry], now: float) -> list[float]:
    """Returns until when each record may have been used last, in Unix seconds.

    A memory keeps no instants of reads, but the order of use. A record that stands behind all that were written later has not been
    read since it was written. One that stands in front of a later one was read after that; when, is only known to be before the next
    write in front of it. So no record is called unused that the order of use does not prove to be, with one exception: of the
    record that was written last among those behind it, reads leave no trace.

    Args:
        entries: the least recently used first.
        now: the present instant.
    """
    uses = [0.0] * len(entries)
    latest = float("-inf")
    in_order = []
    for entry in entries:
        in_order.append(entry.updated_at >= latest)
        latest = max(latest, entry.updated_at)
    until = now
    for number in range(len(entries) - 1, -1, -1):
        if in_order[number]:
            until = uses[number] = min(until, entries[number].updated_at)
        else:
            uses[number] = until
    return uses


def chosen(policy: ForgetPolicy, entries: Sequence[Entry], now: float) -> list[Forgotten]:
    """Returns the records that a policy lets go, the least recently used first.

    Args:
        policy: the policy.
        entries: all that it is about, the least recently used first.
        now: the present instant, in Unix seconds.
    """
    entries = [entry for entry in entries if not isinstance(entry, Unreadable)]
    pinned = {entry.key for entry in entries if _is_pinned(policy, entry)}
    free = [entry for entry in entries if entry.key not in pinned]
    reasons: dict[str, str] = {}
    due: dict[str, float] = {}

    def note(entry: Entry, reason: str, due_at: float) -> None:
        reasons.setdefault(entry.key, reason)
        due[entry.key] = min(due_at, due.get(entry.key, due_at))

    if policy.older_than is not None:
        age = duration(policy.older_than)
        for entry in free:
            if now - entry.updated_at > age:
                written = _ago(now - entry.updated_at)
                note(
                    entry,
                    f"last written {written} ago, more than {_ago(age)}",
                    entry.updated_at + age,
                )
    if policy.max_age_of:
        _by_type(policy, free, now, note)
    if policy.unused_for is not None:
        age = duration(policy.unused_for)
        for entry, used in zip(entries, last_uses(entries, now), strict=True):
            if now - used > age and entry.key not in pinned:
                reason = f"not used since {shown_instant(used)}, more than {_ago(age)} ago"
                note(entry, reason, used + age)
    if policy.keep_per_session is not None:
        _by_session(policy.keep_per_session, entries, pinned, note)
    sizes: list[tuple[str, int | None, Callable[[Entry], int]]] = [
        ("records", policy.max_records, lambda _: 1),
        ("bytes", policy.max_bytes, lambda entry: entry.size),
    ]
    if policy.max_tokens is not None:
        count = counter(policy.tokens)
        sizes.append(("tokens", policy.max_tokens, lambda entry: count(_said(entry))))
    for what, most, size in sizes:
        if most is not None:
            _over(what, most, size, entries, pinned, reasons, note)
    return [
        Forgotten(
            entry.key,
            reasons[entry.key],
            entry.updated_at,
            entry.size,
            line_of(entry).content,
            due[entry.key],
        )
        for entry in free
        if entry.key in reasons
    ]


def _is_pinned(policy: ForgetPolicy, entry: Entry) -> bool:
    return policy.is_pinned(entry.key, entry.value())


def _by_type(policy: ForgetPolicy, free: Sequence[Entry], now: float, note: Note) -> None:
    for entry in free:
        kind = entry.value().get(policy.type_field)
        limit = policy.max_age_of.get(kind) if isinstance(kind, str) else None
        if limit is not None and now - entry.updated_at > duration(limit):
            name = f"{policy.type_field}={one_line(str(kind))[:_MOST_OF_TYPE]}"
            written = _ago(now - entry.updated_at)
            reason = f"{name}, last written {written} ago, more than {_ago(duration(limit))}"
            note(entry, reason, entry.updated_at + duration(limit))


def _by_session(most: int, entries: Sequence[Entry], pinned: set[str], note: Note) -> None:
    from ...search.ranked.parts import owner_of

    newest = sorted(entries, key=lambda each: (each.updated_at, write_seq(each)), reverse=True)
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    # Pinned records stay, and take their places first.
    for entry in (
        *(e for e in newest if e.key in pinned),
        *(e for e in newest if e.key not in pinned),
    ):
        owner = owner_of(entry.key)
        newer = seen[owner]
        if len(newer) >= most and entry.key not in pinned:
            # The newest come first: this one went when so many others had been written.
            pushed_out = max(entry.updated_at, newer[-most]) if most else entry.updated_at
            session = ":".join(owner).strip(":")
            where = f"of {one_line(session)}" if session else "that belong to no session"
            note(entry, f"not among the {most:,} newest records {where}", pushed_out)
        newer.append(entry.updated_at)


def _over(
    what: str,
    most: int,
    size: Callable[[Entry], int],
    entries: Sequence[Entry],
    pinned: set[str],
    reasons: dict[str, str],
    note: Note,
) -> None:
    """Notes the least recently used records, until the others are within a limit."""
    left = [(entry, size(entry)) for entry in entries if entry.key not in reasons]
    total = sum(each for _, each in left)
    in_order = sorted((entry.updated_at, each) for entry, each in left)
    instants = [at for at, _ in in_order]
    sums = list(accumulate(each for _, each in in_order))
    for entry, each in left:
        if total <= most:
            return
        if entry.key not in pinned:
            # It went when what had been written since took its room.
            before = bisect_right(instants, entry.updated_at)
            room = most - each + (sums[before - 1] if before else 0)
            place = bisect_right(sums, room)
            pushed_out = instants[min(place, len(instants) - 1)]
            reason = f"least recently used, and there are more than {most:,} {what}"
            note(entry, reason, max(entry.updated_at, pushed_out))
            total -= each


def _said(entry: Entry) -> str:
    line = line_of(entry)
    return line.text(one_line(entry.key))


def _ago(seconds: float) -> str:
    """``3 days``, ``5 h``."""
    for unit, length in (("days", _DAY), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:,.0f} s"
