"""Texts that come back: what an agent has recalled and remembers again as if it were new.

A memory keeps no log of what was recalled. What can be seen is what such a loop leaves: one text that is
written again and again, the more often the longer it goes on; and a text that comes back in another role.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .duplicates import to_keep_first
from .examined import MOST_EVIDENCE, Examined, Record
from .finding import Finding, Repair, Severity

_LEAST_WORDS = 6
_MANY = 20


def feedback_loops(examined: Examined, *, repeats: int) -> Iterator[Finding | None]:
    """Finds texts that were written more and more often, and texts that come back in another role."""
    texts = yield from examined.by_text()
    for text, alike in texts.items():
        if isinstance(alike, list) and text.count(" ") >= _LEAST_WORDS - 1:
            group = sorted(alike, key=lambda record: (record.created, record.key))
            found = _growing(group, repeats) or _echoed(group)
            if found is not None:
                yield found


def _growing(group: Sequence[Record], repeats: int) -> Finding | None:
    """Returns a finding if a text was written often enough, and not less often in the end than at first."""
    if len(group) < repeats:
        return None
    first, last = group[0].created, group[-1].created
    middle = (first + last) / 2
    late = sum(record.created > middle for record in group)
    is_growing = first < last and late >= len(group) - late
    one_user = len({record.user for record in group}) == 1
    if not (is_growing and one_user) and len(group) < _MANY:
        return None
    severity: Severity = (
        "high" if len(group) >= _MANY or (is_growing and late > len(group) - late) else "medium"
    )
    text = f"the same text was written {len(group):,} times"
    if first < last:
        text += f", {late:,} of them in the second half of the time"
    return _loop(severity, to_keep_first(group), text, min(1.0, len(group) / _MANY))


def _echoed(group: Sequence[Record]) -> Finding | None:
    """Returns a finding if a text comes back, within one session of a user, in another role than at first."""
    owners = Counter((record.user, record.session) for record in group if record.user)
    for owner, count in owners.items():
        inside = [record for record in group if (record.user, record.session) == owner]
        if count >= 2:
            first, later = inside[0], inside[1:]
            role = first.role()
            other = next((each for each in later if role and each.role() not in ("", role)), None)
            if other is not None:
                text = "a text that was remembered again in another role"
                return _loop("medium", [first, *later], text, None)
    return None


def _loop(severity: Severity, records: Sequence[Record], text: str, score: float | None) -> Finding:
    keys = tuple(record.key for record in records)
    return Finding(
        "feedback-loops",
        severity,
        keys,
        text,
        tuple(record.shown() for record in records[:MOST_EVIDENCE]),
        Repair(
            "delete",
            keys[1:],
            f"keep the first one, delete the other {len(keys) - 1:,}; and look why the agent writes it",
        ),
        keys[1],
        score,
    )
