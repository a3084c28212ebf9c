"""How records are spread over time, sessions, sizes and times to live: the numbers of the charts.

Everything here is counted over entries, which are still encoded: a quarter of a million takes a
tenth of a second. All results are plain Python numbers, ready for JSON.
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
"""The times to live, in seconds, at which a bin ends and the next one begins."""


@dataclass(frozen=True, slots=True)
class Bins:
    """How many records fall into each of some intervals that follow one another.

    Attributes:
        edges: where they begin and, last of all, where the last one ends; strictly ascending,
            one more than counts. Empty when there is no interval.
        counts: records in each.
    """

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionSpan:
    """A session of a user: when its records were written, and how many there are.

    Attributes:
        user: first part of the keys.
        session: second part of the keys.
        first: Unix seconds of the earliest write of a record that is there.
        last: Unix seconds of the latest one.
        count: number of records.
    """

    user: str
    session: str
    first: float
    last: float
    count: int


# ---------------------------------------------------------------- over a number


def timeline(entries: Sequence[Entry], bins: int = 60) -> Bins:
    """Records by the instant of their last write, in Unix seconds.

    Args:
        entries: in any order.
        bins: how many intervals of equal width from the oldest to the newest, at least 1; fewer
            when the instants are too near to one another for so many. The last one includes its
            end, the others do not.

    Returns:
        No bins without entries; one of a second for a single instant.
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
        # So few floats lie between the two that neighbouring edges are the same one.
        bins //= 2
        edges = np.linspace(oldest, newest, bins + 1)
    places = np.searchsorted(edges[1:-1], at, side="right")
    return _binned(edges, places)


def sizes(entries: Sequence[Entry]) -> Bins:
    """Records by the bytes of their values as JSON, each bin from one power of two to the next.

    The lower edge belongs to a bin, the upper one to the next. There are only the bins from the
    smallest to the largest value.
    """
    import numpy as np

    if not entries:
        return Bins()
    # The exponent of a float is exact where a logarithm may be rounded up.
    _, exponents = np.frexp(_numbers(entries, _bytes_of))
    lowest, highest = int(exponents.min()), int(exponents.max())
    edges = np.ldexp(1.0, np.arange(lowest - 1, highest + 1))
    return _binned(edges, exponents - lowest)


def time_to_live(entries: Sequence[Entry], now: float) -> tuple[Bins, int]:
    """Records by the seconds until they expire, and how many never do.

    Args:
        entries: in any order.
        now: Unix seconds.

    Returns:
        Bins that end at the `STEPS`, all of them even when they are empty, and one for what lives
        longer, whose end is infinite. A bin includes its upper edge, so that a record written with
        a TTL of an hour lives for "up to an hour". What has expired meanwhile is in the first bin.
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
    """Bins with these edges; ``places`` has the number of each record's bin."""
    import numpy as np

    counts = np.bincount(places, minlength=len(edges) - 1)
    return Bins(tuple(map(float, edges)), tuple(map(int, counts)))


# ---------------------------------------------------------------- over keys


def session_spans(entries: Sequence[Entry], most: int = 30) -> tuple[list[SessionSpan], int]:
    """The sessions of keys that read ``user:session[:hash8]``, the most recently active first.

    Args:
        entries: newest first, as a memory gives them; decides only between equal instants.
        most: how many sessions at most.

    Returns:
        The sessions, and how many more there are.
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
    shown = [SessionSpan(*parts, *span) for parts, span in latest[:most]]
    return shown, len(latest) - len(shown)


def users(entries: Sequence[Entry], most: int = 100) -> tuple[list[tuple[str, int]], int]:
    """The users of keys that read ``user:session[:hash8]``, those with most records first.

    Args:
        entries: newest first, as a memory gives them; decides only between equal counts.
        most: how many users at most.

    Returns:
        Each user and the number of records, and how many more users there are.
    """
    return _most_frequent((found[1] for found in _matches(entries)), most)


def sessions_of(
    entries: Sequence[Entry], user: str | None = None, most: int = 100
) -> tuple[list[tuple[str, int]], int]:
    """As `users` for the sessions of one user.

    Args:
        entries: newest first, as a memory gives them.
        user: whose; None for all users, whose sessions of the same name count as one.
        most: how many sessions at most.
    """
    return _most_frequent(
        (found[2] for found in _matches(entries) if user is None or found[1] == user), most
    )


def _matches(entries: Sequence[Entry]) -> Iterator[re.Match[str]]:
    return filter(None, map(MEMORY_KEY.fullmatch, (entry.key for entry in entries)))


def _most_frequent(names: Iterator[str], most: int) -> tuple[list[tuple[str, int]], int]:
    counted = Counter(names)
    shown = counted.most_common(max(most, 0))
    return shown, len(counted) - len(shown)
