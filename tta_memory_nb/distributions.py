"""How records are distributed: over time, sessions, sizes and what is left of their life.

Pure functions over encoded records, as ``memory.sync.entries`` gives them, quick enough to be asked
again whenever something has changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from .keys import parse_memory_key
from .stores.base import Entry

LIFETIMES = (0.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0, inf)
"""Edges for the time to live, in seconds: a minute, five, fifteen, an hour, six, a day, a week, 30 days."""


@dataclass(frozen=True, slots=True)
class Bins:
    """A histogram.

    Attributes:
        edges: ascending, one more than there are bins; empty without bins.
        counts: how many fall between an edge and the next; on an edge they count above it, but
            at the last one below.
    """

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionSpan:
    """When a session was written to.

    Attributes:
        user: first part of its keys.
        session: second part.
        first: Unix seconds of the oldest write that is still there.
        last: of the newest one.
        count: number of records.
    """

    user: str
    session: str
    first: float
    last: float
    count: int


def timeline(entries: Sequence[Entry], bins: int = 60) -> Bins:
    """Records by the instant of their last write, in Unix seconds, in bins of equal width."""
    if not entries:
        return Bins()
    times = np.fromiter((entry.updated_at for entry in entries), float, len(entries))
    first, last = float(times.min()), float(times.max())
    if first == last:
        return Bins((first, last), (len(entries),))
    counts, edges = np.histogram(times, bins, (first, last))
    return Bins(tuple(edges.tolist()), tuple(counts.tolist()))


def session_spans(entries: Iterable[Entry], most: int = 30) -> tuple[list[SessionSpan], int]:
    """Sessions of keys that read ``user:session[:hash8]``, the most recently active first.

    Args:
        entries: in any order.
        most: how many sessions at most.

    Returns:
        The sessions, and how many more there are.
    """
    spans: dict[tuple[str, str], list[float]] = {}
    for entry in entries:
        parts = parse_memory_key(entry.key)
        if parts is None:
            continue
        at = entry.updated_at
        span = spans.get((parts.user, parts.session))
        if span is None:
            spans[parts.user, parts.session] = [at, at, 1]
        else:
            span[:] = min(span[0], at), max(span[1], at), span[2] + 1
    found = [SessionSpan(*owner, first, last, int(n)) for owner, (first, last, n) in spans.items()]
    found.sort(key=lambda span: (-span.last, -span.first, span.user, span.session))
    return found[:most], max(0, len(found) - most)


def sizes(entries: Sequence[Entry]) -> Bins:
    """Records by the bytes of their values as JSON, in bins that double."""
    if not entries:
        return Bins()
    lengths = np.fromiter((entry.size for entry in entries), float, len(entries))
    lowest = int(np.floor(np.log2(lengths.min())))
    highest = int(np.floor(np.log2(lengths.max()))) + 1
    edges = 2.0 ** np.arange(lowest, highest + 1)
    counts, _ = np.histogram(lengths, edges)
    return Bins(tuple(edges.tolist()), tuple(counts.tolist()))


def time_to_live(entries: Iterable[Entry], now: float) -> tuple[Bins, int]:
    """Records by what is left of their life, in seconds, between the `LIFETIMES`.

    Args:
        entries: in any order.
        now: Unix seconds.

    Returns:
        The histogram, and how many records never expire.
    """
    left: list[float] = []
    never = 0
    for entry in entries:
        if entry.expires_at is None:
            never += 1
        else:
            left.append(max(0.0, entry.expires_at - now))
    counts, _ = np.histogram(left, LIFETIMES)
    return Bins(LIFETIMES, tuple(counts.tolist())), never


def users(entries: Iterable[Entry], most: int = 100) -> tuple[list[tuple[str, int]], int]:
    """Users with their numbers of records, most records first; and how many more there are."""
    keys = (parse_memory_key(entry.key) for entry in entries)
    return _most(Counter(parts.user for parts in keys if parts is not None), most)


def sessions_of(
    entries: Iterable[Entry], user: str | None = None, most: int = 100
) -> tuple[list[tuple[str, int]], int]:
    """As `users`, of sessions: of one user, or of all."""
    keys = (parse_memory_key(entry.key) for entry in entries)
    return _most(
        Counter(
            parts.session for parts in keys if parts is not None and user in (None, parts.user)
        ),
        most,
    )


def _most(counts: Counter[str], most: int) -> tuple[list[tuple[str, int]], int]:
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return ranked[:most], max(0, len(ranked) - most)
