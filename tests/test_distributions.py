"""The counts of the charts, compared with simple loops."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from json_values import any_text, json_objects
from record_values import FEW

from tta_memory_nb.codec import snapshot
from tta_memory_nb.entry import Entry
from tta_memory_nb.keys import parse_memory_key
from tta_memory_nb.memory.distributions import (
    STEPS,
    Bins,
    SessionSpan,
    session_spans,
    sessions_of,
    sizes,
    time_to_live,
    timeline,
    users,
)

NOW = 1_800_000_000.0
EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_799.0

instants = st.floats(EARLIEST, LATEST) | st.integers(0, 20).map(lambda n: NOW + n / 1_000_000)
keys = (
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(["", ":0123abcd"]))
    .map(lambda parts: f"{parts[0]}:{parts[1]}{parts[2]}")
    .filter(bool)
) | any_text.filter(bool)
lists_of_entries = st.lists(
    st.builds(
        Entry,
        keys,
        json_objects().map(snapshot),
        instants,
        instants,
        st.none() | st.sampled_from([NOW + step for step in (0, *STEPS)]) | instants,
    ),
    max_size=30,
)


def entry(key: str, at: float = NOW, expires: float | None = None, text: bytes = b"{}") -> Entry:
    return Entry(key, text, at, at, expires)


def check(bins: Bins, total: int) -> None:
    """Checks what holds for all bins: plain ascending numbers, and every record counted once."""
    assert sum(bins.counts) == total
    assert len(bins.edges) == len(bins.counts) + bool(bins.edges)
    assert all(low < high for low, high in pairwise(bins.edges))
    assert {type(edge) for edge in bins.edges} <= {float}
    assert {type(count) for count in bins.counts} <= {int}
    json.dumps([bins.edges, bins.counts])


@settings(max_examples=FEW)
@given(lists_of_entries, st.integers(1, 80))
@example([entry("a", 1.0), entry("b", 1.0000000000000002)], 60)
def test_a_timeline_counts_each_record_between_its_edges(entries, bins):
    found = timeline(entries, bins)
    check(found, len(entries))
    at = [each.updated_at for each in entries]
    if not at:
        assert found == Bins()
        return
    assert found.edges[0] == min(at)
    assert found.edges[-1] == (max(at) if max(at) > min(at) else max(at) + 1)
    last = len(found.counts) - 1
    for number, (low, high) in enumerate(pairwise(found.edges)):
        within = [a for a in at if low <= a < high or (number == last and a == high)]
        assert found.counts[number] == len(within)


def test_a_timeline_has_intervals_of_equal_width():
    assert timeline([entry("a", 0.0), entry("b", 10.0), entry("c", 4.0)], 5) == Bins(
        (0.0, 2.0, 4.0, 6.0, 8.0, 10.0), (1, 0, 1, 0, 1)
    )
    assert len(timeline([entry("a", 0.0), entry("b", 10.0)]).counts) == 60
    assert timeline([entry("a"), entry("b")]) == Bins((NOW, NOW + 1), (2,))


@settings(max_examples=FEW)
@given(lists_of_entries)
def test_sizes_are_counted_between_powers_of_two(entries):
    found = sizes(entries)
    check(found, len(entries))
    lengths = []
    for each in entries:
        text = each.text
        lengths.append(
            len(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
        )
    for count, (low, high) in zip(found.counts, pairwise(found.edges), strict=True):
        assert high == 2 * low
        assert count == sum(low <= length < high for length in lengths)
    if lengths:
        assert found.edges[0] <= min(lengths)
        assert max(lengths) < found.edges[-1]
        assert found.counts[0]
        assert found.counts[-1]


def test_a_power_of_two_begins_a_bin():
    made = [entry("a", text=b"x" * size) for size in (2, 3, 4, 15, 16)]
    assert sizes(made) == Bins((2.0, 4.0, 8.0, 16.0, 32.0), (2, 1, 1, 1))
    assert sizes([]) == Bins()


@settings(max_examples=FEW)
@given(lists_of_entries)
def test_times_to_live_are_counted_up_to_each_step(entries):
    found, never = time_to_live(entries, NOW)
    check(found, len(entries) - never)
    assert never == sum(each.expires_at is None for each in entries)
    assert found.edges == (0.0, *STEPS, float("inf"))
    left = [each.expires_at - NOW for each in entries if each.expires_at is not None]
    for number, (low, high) in enumerate(pairwise(found.edges)):
        assert found.counts[number] == sum(
            (low < seconds or number == 0) and seconds <= high for seconds in left
        )


def test_a_step_includes_its_upper_edge_and_the_first_one_counts_expired_records():
    found, never = time_to_live([entry("a", expires=NOW + 3600), entry("b", expires=NOW - 5)], NOW)
    assert (found.counts, never) == ((1, 0, 0, 1, 0, 0, 0, 0, 0), 0)
    assert time_to_live([], NOW)[0].counts == (0,) * 9


@settings(max_examples=FEW)
@given(lists_of_entries, st.integers(0, 12))
def test_sessions_are_found_as_a_loop_finds_them(entries, most):
    naive: dict[tuple[str, str], list[float]] = {}
    for each in entries:
        if parts := parse_memory_key(each.key):
            naive.setdefault(parts[:2], []).append(each.updated_at)
    spans, more = session_spans(entries, most)
    assert len(spans) == min(most, len(naive))
    assert len(spans) + more == len(naive)
    for span in spans:
        at = naive[span.user, span.session]
        assert (span.first, span.last, span.count) == (min(at), max(at), len(at))
    last = sorted((max(at) for at in naive.values()), reverse=True)
    assert [span.last for span in spans] == last[:most]


def test_a_span_has_the_user_the_session_and_its_times():
    made = [entry("bob:x", 3.0), entry("alice:x:0123abcd", 9.0), entry("bob:x:89abcdef", 5.0)]
    assert session_spans([*made, entry("loose", 10.0)], 1) == (
        [SessionSpan("alice", "x", 9.0, 9.0, 1)],
        1,
    )
    assert session_spans(made)[0][1] == SessionSpan("bob", "x", 3.0, 5.0, 2)
    assert session_spans([]) == ([], 0)


@settings(max_examples=FEW)
@given(lists_of_entries, st.integers(0, 5), st.none() | st.sampled_from("abc"))
def test_users_and_sessions_are_counted_as_a_loop_counts_them(entries, most, user):
    parsed = [parts for each in entries if (parts := parse_memory_key(each.key))]
    for (found, more), names in (
        (users(entries, most), [parts.user for parts in parsed]),
        (
            sessions_of(entries, user, most),
            [parts.session for parts in parsed if user in (None, parts.user)],
        ),
    ):
        assert all(names.count(name) == count for name, count in found)
        assert len(found) == min(most, len(set(names)))
        assert len(found) + more == len(set(names))
        counts = sorted((names.count(name) for name in set(names)), reverse=True)
        assert [count for _, count in found] == counts[:most]


def test_of_equal_counts_the_newer_comes_first():
    made = [entry("bob:x"), entry("alice:y"), entry("alice:x"), entry("carol:z")]
    assert users(made) == ([("alice", 2), ("bob", 1), ("carol", 1)], 0)
    assert sessions_of(made, "alice") == ([("y", 1), ("x", 1)], 0)
    assert sessions_of(made, limit=1) == ([("x", 2)], 2)


@pytest.mark.parametrize(
    "key", ["a", "a:", ":b", "a::b", "a:b:c", "a:b:0123ABCD", "a:b:0123abcd\n"]
)
def test_other_keys_belong_to_no_session(key):
    assert users([entry(key)]) == ([], 0)
    assert session_spans([entry(key)]) == ([], 0)
