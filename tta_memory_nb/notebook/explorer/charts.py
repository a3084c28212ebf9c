"""What the charts and the filter menus of the explorer show, as JSON."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import Any

from ...memory.distributions import session_spans, sessions_of, sizes, time_to_live, timeline, users
from ...memory.faces import MemoryPrimitive
from ...table import portable
from .listing import ListingRequest

_MOST_NAMES = 100


def charts_of(request: ListingRequest, now: float) -> dict[str, Any]:
    """The data of all charts: records over time, sessions, sizes and times to live.

    The filters for time are left out: a chart of the chosen range alone would not show how far
    the range can be extended.

    Args:
        request: which records to count.
        now: Unix seconds that times to live count from.
    """
    timeless = {
        name: value for name, value in request.filters.items() if name not in ("since", "until")
    }
    entries = replace(request, filters=timeless).entries()
    spans, more = session_spans(entries)
    lives, never = time_to_live(entries, now)
    over_time, in_bytes = timeline(entries), sizes(entries)
    return {
        "timeline": {"edges": over_time.edges, "counts": over_time.counts},
        "sessions": [
            {
                "user": portable(span.user),
                "session": portable(span.session),
                "first": span.first,
                "last": span.last,
                "count": span.count,
            }
            for span in spans
        ],
        "more_sessions": more,
        "sizes": {"edges": in_bytes.edges, "counts": in_bytes.counts},
        "ttl": {
            # JSON has no infinity.
            "edges": [edge if isfinite(edge) else None for edge in lives.edges],
            "counts": lives.counts,
            "never": never,
        },
    }


def facets_of(memory: MemoryPrimitive, user: str | None) -> dict[str, Any]:
    """What the filter menus offer: the most frequent users and sessions, and the range of time.

    Args:
        memory: the memory whose records are counted.
        user: count the sessions of this user alone; None for those of all users.
    """
    entries = memory.sync.entries()
    by_user, more_users = users(entries, _MOST_NAMES)
    by_session, more_sessions = sessions_of(entries, user, _MOST_NAMES)
    times = [entry.updated_at for entry in entries]
    return {
        "users": [[portable(name), count] for name, count in by_user],
        "sessions": [[portable(name), count] for name, count in by_session],
        "more_users": more_users,
        "more_sessions": more_sessions,
        "first": min(times, default=None),
        "last": max(times, default=None),
    }
