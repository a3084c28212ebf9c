"""Histograms and counts of records, against naive loops."""

from __future__ import annotations

from collections import Counter
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb.distributions import (
    LIFETIMES,
    Bins,
    SessionSpan,
    session_spans,
    sessions_of,
    sizes,
    time_to_live,
    timeline,
    users,
)
from tta_memory_nb.stores.base import Entry, new_entry

NOW = 1_800_000_000.0

KEYS = st.sampled_from(["ann:one", "ann:two:0123abcd", "bob:one", "plain", "a:b:c:d"])


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    made = []
    for _ in range(draw(st.integers(0, 12))):
        entry = new_entry(
            draw(KEYS),
            {"text": "x" * draw(st.integers(0, 300))},
            NOW + draw(st.floats(-1e6, 1e6)),
            None,
        )
        entry.expires_at = draw(st.none() | st.floats(NOW, NOW + 1e8))
        made.append(entry)
    return made


def count_between(values: list[float], edges: tuple[float, ...]) -> list[int]:
    counts = [0] * (len(edges) - 1)
    for value in values:
        for at in range(len(counts)):
            is_last = at == len(counts) - 1
            if edges[at] <= value < edges[at + 1] or (is_last and value == edges[-1]):
                counts[at] += 1
    return counts


@given(entries())
def test_histograms_count_every_record_once(found):
    times = timeline(found)
    assert sum(times.counts) == len(found)
    assert list(times.edges) == sorted(times.edges)
    in_bytes = sizes(found)
    assert list(in_bytes.counts) == count_between(
        [entry.size for entry in found], in_bytes.edges or (0,)
    )
    lives, never = time_to_live(found, NOW)
    left = [entry.expires_at - NOW for entry in found if entry.expires_at is not None]
    assert list(lives.counts) == count_between(left, LIFETIMES)
    assert never == len(found) - len(left)


@given(entries())
def test_owners_are_counted_most_first(found):
    owned = [key.split(":")[:2] for key in (e.key for e in found) if key.startswith(("ann", "bob"))]
    named, more = users(found)
    expected = Counter(user for user, _ in owned)
    assert dict(named) == expected
    assert [count for _, count in named] == sorted(expected.values(), reverse=True)
    assert more == 0
    of_ann, _ = sessions_of(found, "ann")
    assert dict(of_ann) == Counter(session for user, session in owned if user == "ann")
    of_all, _ = sessions_of(found)
    assert dict(of_all) == Counter(session for _, session in owned)
    spans, _ = session_spans(found)
    assert {(span.user, span.session): span.count for span in spans} == Counter(
        (user, session) for user, session in owned
    )


def entry(key: str, at: float) -> Entry:
    return new_entry(key, {}, at, None)


def test_a_span_reaches_from_the_first_write_to_the_last():
    found = [entry("ann:one", 5.0), entry("ann:one:01234567", 2.0), entry("bob:one", 9.0)]
    assert session_spans(found, most=1) == ([SessionSpan("bob", "one", 9.0, 9.0, 1)], 1)
    assert session_spans(found)[0][1] == SessionSpan("ann", "one", 2.0, 5.0, 2)


def test_most_limits_and_the_rest_is_counted():
    found = [entry(f"user{n}:s", 1.0) for n in range(5)]
    named, more = users(found, most=2)
    assert named == [("user0", 1), ("user1", 1)]
    assert more == 3


@pytest.mark.parametrize("draw", [timeline, sizes])
def test_no_records_have_no_bins(draw):
    assert draw([]) == Bins()


def test_one_instant_is_one_bin():
    assert timeline([entry("a", 3.0), entry("b", 3.0)]) == Bins((3.0, 3.0), (2,))


def test_what_expires_late_is_in_the_last_bin():
    late = entry("a", NOW)
    late.expires_at = NOW + 1e9
    lives, never = time_to_live([late], NOW)
    assert lives.edges[-1] == inf
    assert lives.counts[-1] == 1
    assert never == 0
