"""Distributions of records over time, sessions, sizes and times to live, as the charts show them.

All functions count entries without decoding their values; a quarter of a million entries take a tenth of
a second. Results are plain Python numbers, ready for JSON.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

from ..entry import Entry
from ..keys import MEMORY_KEY
from ..text import to_utf8

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers: TypeAlias = npt.NDArray[np.float64]

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
STEPS = (
    *(_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR),
    *(_DAY, 7 * _DAY, 30 * _DAY),
)
"""Times to live, in seconds, that separate the bins of `time_to_live`."""


@dataclass(frozen=True, slots=True)
class Bins:
    """A histogram: the number of records in each of several adjacent intervals.

    Attributes:
        edges: the start of each interval, and last the end of the last one; strictly ascending,
            one more than counts. Empty if there is no interval.
        counts: the number of records in each interval.
    """

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionSpan:
    """A session of a user: when its records were written, and their number.

    Attributes:
        user: first part of the keys.
        session: second part of the keys.
        first: Unix seconds of the earliest write among the session's present records.
        last: Unix seconds of the latest write among them.
        count: number of records.
    """

    user: str
    session: str
    first: float
    last: float
    count: int


# ---------------------------------------------------------------- over a number


def timeline(entries: Sequence[Entry], bins: int = 60) -> Bins:
    """Counts records by the instant of their last write.

    Args:
        entries: the entries, in any order.
        bins: number of intervals of equal width from the oldest to the newest instant, at least 1.
            The result has fewer if the instants are too close together for that many.

    Returns:
        Bins over Unix seconds. The last one includes its end, the others do not. Without entries
        there are no bins; for a single instant there is one bin of a second.
    """
    import numpy as np

    if not entries:
        return Bins()
    at = _numbers(entries, lambda entry: entry.updated_at)
    oldest, newest = float(at.min()), float(at.max())
    if oldest == newest:
        return Bins((oldest, oldest + 1.0), (len(entries),))
    edges = np.linspace(oldest, newest, bins + 1)
    while not bool((np.diff(edges) > 0).all()):
        # So few floats lie between oldest and newest that two adjacent edges are equal.
        bins //= 2
        edges = np.linspace(oldest, newest, bins + 1)
    places = np.searchsorted(edges[1:-1], at, side="right")
    return _binned(edges, places)


def sizes(entries: Sequence[Entry]) -> Bins:
    """Counts records by the size of their values as JSON, in bytes.

    Returns:
        Bins from one power of two to the next, from the bin of the smallest value to that of the
        largest. A bin includes its lower edge and not its upper one.
    """
    import numpy as np

    if not entries:
        return Bins()
    # The exponent of a float is exact; a logarithm may be rounded up.
    _, exponents = np.frexp(_numbers(entries, _bytes_of))
    lowest, highest = int(exponents.min()), int(exponents.max())
    edges = np.ldexp(1.0, np.arange(lowest - 1, highest + 1))
    return _binned(edges, exponents - lowest)


def time_to_live(entries: Sequence[Entry], now: float) -> tuple[Bins, int]:
    """Counts records by the seconds until they expire.

    Args:
        entries: the entries, in any order.
        now: Unix seconds.

    Returns:
        Bins that end at the `STEPS`, including empty ones, and one for longer times, whose end is
        infinite; then the number of records that never expire. A bin includes its upper edge, so that a
        record written with a TTL of an hour lives for "up to an hour". Records that have expired in
        the meantime are in the first bin.
    """
    import numpy as np

    expiring = [entry.expires_at for entry in entries if entry.expires_at is not None]
    places = np.searchsorted(np.array(STEPS), np.array(expiring) - now, side="left")
    return _binned((0.0, *STEPS, inf), places), len(entries) - len(expiring)


def _bytes_of(entry: Entry) -> int:
    text = entry.text
    return len(text if isinstance(text, bytes) else to_utf8(text))


def _numbers(entries: Sequence[Entry], number: Callable[[Entry], float]) -> Numbers:
    import numpy as np

    return np.fromiter(map(number, entries), np.float64, len(entries))


def _binned(edges: Any, places: Any) -> Bins:
    """Returns bins with these edges; ``places`` has the index of each record's bin."""
    import numpy as np

    counts = np.bincount(places, minlength=len(edges) - 1)
    return Bins(tuple(map(float, edges)), tuple(map(int, counts)))


# ---------------------------------------------------------------- over keys


def session_spans(entries: Sequence[Entry], limit: int = 30) -> tuple[list[SessionSpan], int]:
    """Returns the sessions of keys that read ``user:session[:hash8]``, the most recently active first.

    Args:
        entries: the entries, newest first, which decides between sessions with equal instants.
        limit: maximum number of sessions.

    Returns:
        The sessions, and the number of further ones.
    """
    spans: dict[tuple[str, str], list[Any]] = {}
    for entry in entries:
        found = MEMORY_KEY.fullmatch(entry.key)
        if found is None:
            continue
        parts, at = (found[1], found[2]), entry.updated_at
        span = spans.get(parts)
        if span is None:
            spans[parts] = [at, at, 1]
            continue
        if at < span[0]:
            span[0] = at
        elif at > span[1]:
            span[1] = at
        span[2] += 1
    latest = sorted(spans.items(), key=lambda item: -item[1][1])
    shown = [SessionSpan(*parts, *span) for parts, span in latest[:limit]]
    return shown, len(latest) - len(shown)


def users(entries: Sequence[Entry], limit: int = 100) -> tuple[list[tuple[str, int]], int]:
    """Returns the users of keys that read ``user:session[:hash8]``, those with most records first.

    Args:
        entries: the entries, newest first, which decides between users with equal counts.
        limit: maximum number of users.

    Returns:
        Each user with the number of records, and the number of further users.
    """
    return _most_frequent((found[1] for found in _matches(entries)), limit)


def sessions_of(
    entries: Sequence[Entry], user: str | None = None, limit: int = 100
) -> tuple[list[tuple[str, int]], int]:
    """Returns the sessions of one user, those with most records first.

    Args:
        entries: the entries, newest first, which decides between sessions with equal counts.
        user: the user; None for all users, whose sessions of the same name count as one.
        limit: maximum number of sessions.

    Returns:
        Each session with the number of records, and the number of further sessions.
    """
    return _most_frequent(
        (found[2] for found in _matches(entries) if user is None or found[1] == user), limit
    )


def _matches(entries: Sequence[Entry]) -> Iterator[re.Match[str]]:
    return filter(None, map(MEMORY_KEY.fullmatch, (entry.key for entry in entries)))


def _most_frequent(names: Iterator[str], limit: int) -> tuple[list[tuple[str, int]], int]:
    counted = Counter(names)
    shown = counted.most_common(max(limit, 0))
    return shown, len(counted) - len(shown)
