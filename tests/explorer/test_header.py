"""The header of the explorer: what it says of each column, and filters that are set by clicks in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from front_end import FrontEnd
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import MemoryExplorer, MemoryPrimitive
from tta_memory_nb.notebook.explorer import lister, summaries
from tta_memory_nb.notebook.explorer.picks import Picks

MOODS = ["low", "high", "high", "low", "low", "calm"]


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=clock)
    for number, mood in enumerate(MOODS):
        value = {"text": f"note {number}", "mood": mood, "score": number * number, "kind": "note"}
        memory.sync.add(f"ann:s{number % 2}:{number:08x}", value)
        clock.tick()
    return memory


@pytest.fixture
def front(explore) -> FrontEnd:
    front = FrontEnd(explore(columns=["mood", "score", "kind", "text", "user", "updated", "size"]))
    front.ask("hello")
    front.when(lambda: front.state["headings"])
    return front


def counts(front: FrontEnd, column: str) -> dict[str, int]:
    return {bar["t"]: bar["n"] for bar in front.state["headings"][column]["bars"]}


def pick(front: FrontEnd, column: str, text: str) -> None:
    """Clicks a bar, and waits until the header shows what has come of it."""
    bar = next(bar for bar in front.state["headings"][column]["bars"] if bar["t"] == text)
    shown = None if bar["on"] else bar["filter"]
    front.ask("set", pick={"column": column, "filter": shown, "text": text})
    front.when(
        lambda: (
            front.state["headings"].get(column, {}).get("chosen") is not bar["on"]
            and front.explorer._lister.found.summarized is front.explorer._lister.found.listing
        )
    )


def headings_of(memory: MemoryPrimitive, *columns: str, **traits: Any) -> dict[str, Any]:
    explorer = MemoryExplorer(memory, columns=list(columns), **traits)
    try:
        explorer._lister.listing()
        explorer._lister.summarize()
        return explorer.state()["headings"]
    finally:
        explorer.close()


def of_values(values: list[Any]) -> dict[str, Any] | None:
    """What the header says of a field that has these values."""
    memory = MemoryPrimitive(max_size=100_000)
    memory.sync.add_many((f"k{number}", {"f": value}) for number, value in enumerate(values))
    return headings_of(memory, "f").get("f")


# ---- what is shown


def test_values_and_histograms_describe_what_is_listed(front):
    assert counts(front, "mood") == {"low": 3, "high": 2, "calm": 1}
    assert counts(front, "score") == {"0 to 4": 3, "5 to 9": 1, "10 to 14": 0, "15 to 19": 1} | {
        "20 to 24": 0,
        "25 to 29": 1,
    }
    # The kinds and the users are all equal, and the texts are all different.
    assert front.state["headings"].keys() == {"mood", "score", "updated", "size"}
    front.ask("set", filters={"session": "s0"})
    front.when(lambda: counts(front, "mood") == {"low": 2, "high": 1})


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["a", "b"],
        ["same"] * 9,
        [7] * 9,
        [*range(9)],
        [*range(40, 0, -2)],
        [f"text {number}" for number in range(9)],
        ["x" * 101] * 8 + ["y"],
        [["a"], ["a"], ["b"]],
        [{"in": 1}, {}, {}],
        [f"name {number % 51}" for number in range(200)],
        [10**300, -(10**300), 1.5],
        [10**400, 0.5, 1.5],
    ],
)
def test_a_column_that_says_nothing_has_no_heading(values):
    heading = of_values(values)
    assert heading is None or all(type(value) is not str for value in values)
    if values and values[0] != 10**300:
        assert heading is None


def test_true_is_not_one_and_null_is_a_value():
    heading = of_values([True, True, 1, 1, 1, None, None])
    assert heading is not None
    assert {(bar["t"], bar["n"], bar["filter"]) for bar in heading["bars"]} == {
        ("1", 3, '{"where": {"f": 1}}'),
        ("true", 2, '{"where": {"f": true}}'),
        ("null", 2, '{"where": {"f": null}}'),
    }


def test_fields_that_some_records_lack_are_described_all_the_same():
    memory = MemoryPrimitive()
    for number in range(9):
        memory.sync.add(f"k{number}", {"error": "timeout"} if number < 4 else {"n": number})
    assert headings_of(memory, "error")["error"]["bars"] == [
        {"t": "timeout", "n": 4, "filter": '{"where": {"error": "timeout"}}', "on": False}
    ]


def test_of_many_records_a_sample_is_looked_at(monkeypatch):
    monkeypatch.setattr(summaries, "MOST_COUNTED", 100)
    memory = MemoryPrimitive(max_size=1000)
    memory.sync.add_many(
        (f"k{number}", {"by": ("user", "bot")[number % 2], "n": number}) for number in range(1000)
    )
    headings = headings_of(memory, "by", "n")
    # In a sample of every tenth record there would be one sender.
    assert {bar["t"] for bar in headings["by"]["bars"]} == {"user", "bot"}
    assert (headings["by"]["counted"], headings["by"]["total"]) == (100, 1000)
    # The numbers are a running number in the sample as well.
    assert "n" not in headings


def test_the_size_of_records_limits_the_work_as_well(monkeypatch):
    monkeypatch.setattr(summaries, "_MOST_BYTES", 10_000)
    memory = MemoryPrimitive()
    for number in range(100):
        memory.sync.add(f"k{number}", {"by": ("a", "b")[number % 2], "text": "x" * 1000})
    assert headings_of(memory, "by")["by"]["counted"] < 10


def test_the_first_rows_wait_for_no_heading(explore, memory, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(lister, "headings_of", lambda *_: asked.append("headings") or {})
    explorer = explore()
    explorer._ipython_display_()
    assert explorer.state()["rows"]
    assert explorer.records
    assert asked == []


def test_texts_of_records_are_cut_and_can_be_sent():
    evil = "</script>\ud800\u202e" + "x" * 60
    heading = of_values([evil] * 4 + ["b"] * 4)
    assert heading is not None
    json.dumps(heading).encode()
    assert {bar["t"] for bar in heading["bars"]} == {"</script>\\ud800\u202e" + "x" * 60, "b"}


# ---- filters


def test_a_click_filters_and_another_one_takes_the_filter_away(front):
    pick(front, "mood", "high")
    assert front.explorer.filters == {"where": {"mood": "high"}}
    assert front.state["total"] == 2
    # The other values of the column stay, so that another one can be chosen.
    assert counts(front, "mood") == {"low": 3, "high": 2, "calm": 1}
    assert [bar["on"] for bar in front.state["headings"]["mood"]["bars"]] == [False, True, False]
    pick(front, "mood", "low")
    assert front.explorer.filters == {"where": {"mood": "low"}}
    pick(front, "mood", "low")
    assert front.explorer.filters == {}
    front.when(lambda: front.state["total"] == 6)


def test_columns_are_filtered_together_and_one_by_one(front):
    pick(front, "mood", "low")
    assert counts(front, "score") == {"0 to 1": 1, "8 to 9": 1, "16 to 17": 1} | {
        f"{at} to {at + 1}": 0 for at in (2, 4, 6, 10, 12, 14)
    }
    pick(front, "score", "8 to 9")
    assert front.explorer.filters == {"where": {"mood": "low", "score": {"$gte": 8, "$lt": 10}}}
    assert [row["cells"]["score"]["v"] for row in front.state["rows"]] == [9]
    pick(front, "mood", "low")
    assert front.explorer.filters == {"where": {"score": {"$gte": 8, "$lt": 10}}}


def test_instants_are_filtered_by_the_limits_of_their_bar(front):
    first, *_, last = [bar for bar in front.state["headings"]["updated"]["bars"] if bar["n"]]
    second = next(bar for bar in front.state["headings"]["updated"]["bars"][1:] if bar["n"])
    for bar, limits in ((second, {"since", "until"}), (first, {"until"}), (last, {"since"})):
        pick(front, "updated", bar["t"])
        assert front.explorer.filters.keys() == limits
        assert front.state["total"] == bar["n"]


def test_filters_of_code_come_back_when_a_bar_is_released(explore):
    front = FrontEnd(explore(columns=["score"], filters={"where": {"score": {"$gt": 0}}}))
    front.ask("hello")
    front.when(lambda: front.state["headings"])
    text = next(bar["t"] for bar in front.state["headings"]["score"]["bars"][1:] if bar["n"])
    pick(front, "score", text)
    assert front.explorer.filters["where"]["score"].keys() == {"$gt", "$gte", "$lt"}
    pick(front, "score", text)
    assert front.explorer.filters == {"where": {"score": {"$gt": 0}}}


def test_a_filter_that_code_has_changed_is_no_pick_any_more(front):
    pick(front, "mood", "high")
    front.explorer.filters = {"where": {"mood": "calm"}}
    front.when(lambda: "mood" not in front.state["headings"])
    front.ask("set", pick={"column": "mood", "filter": None, "text": ""})
    assert front.explorer.filters == {"where": {"mood": "calm"}}


def test_a_column_whose_name_means_several_fields_cannot_be_filtered():
    memory = MemoryPrimitive()
    for number in range(9):
        inner = {"b": {"c": number % 2}} if number < 5 else {"b.c": number % 2}
        memory.sync.add(f"k{number}", {"a": inner})
    headings = headings_of(memory, "a.b.c")
    assert [bar["filter"] for bar in headings["a.b.c"]["bars"]] == [None, None]


def test_records_that_come_later_are_counted(explore, memory, monkeypatch):
    monkeypatch.setattr(lister, "_HEADINGS_PAUSE", 0.0)
    front = FrontEnd(explore(columns=["mood"]))
    front.ask("hello")
    front.when(lambda: front.state["headings"])
    memory.sync.add("ann:s1", {"mood": "calm"})
    front.when(lambda: counts(front, "mood") == {"low": 3, "high": 2, "calm": 2})


def test_a_column_that_is_shown_later_is_described(front):
    front.explorer.columns = ["session"]
    front.when(lambda: "session" in front.state["headings"])
    front.ask("set", columns=["mood"])
    front.when(lambda: front.state["headings"].keys() == {"mood"})


LEAVES = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["a", "b", "é", "$x", "a.b", "\ud83d", "\u202e", "", None, True, False]),
)
SOME_LEAVES = st.one_of(
    st.lists(LEAVES, min_size=3, max_size=30),
    st.lists(st.sampled_from(["a", "b", None, True, 1]), min_size=3, max_size=30),
    st.lists(st.integers(), min_size=3, max_size=30),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=30),
)


@given(SOME_LEAVES, st.sampled_from(["f", "a.b", "user", "value.key", 'in "quotes" \'n {x}']))
def test_every_bar_filters_exactly_the_records_that_it_counts(leaves, name):
    memory = MemoryPrimitive()
    for number, leaf in enumerate(leaves):
        memory.sync.add(f"ann:s{number % 3}:{number:08x}", {name: leaf})
    explorer = MemoryExplorer(memory)
    try:
        explorer._lister.listing()
        explorer._lister.summarize()
        for column, heading in explorer.state()["headings"].items():
            assert sum(bar["n"] for bar in heading["bars"]) + heading["others"] <= len(leaves)
            for bar in heading["bars"]:
                assert (bar["filter"] is None) == (bar["n"] == 0)
                if not bar["n"]:
                    continue
                found = memory.sync.records(**json.loads(bar["filter"]))
                assert len(found) == bar["n"], (column, bar)
    finally:
        explorer.close()


STEPS = st.lists(
    st.tuples(st.sampled_from(["mood", "score", "user"]), st.integers(0, 2), st.booleans()),
    max_size=8,
)
CHOICES = {
    "mood": [{"where": {"mood": None}}, {"where": {"mood": "x"}}, {"where": {"mood": True}}],
    "score": [
        {"where": {"score": {"$lt": 1}}},
        {"where": {"score": {"$gte": 1, "$lt": 2}}},
        {"where": {"score": {"$gte": 2}}},
    ],
    "user": [{"user": "ann"}, {"user": "bob"}, {"user": ""}],
}
FILTERS = st.sampled_from(
    [{}, {"since": "1h"}, {"where": {"score": {"$gt": 0}}}, {"where": {"mood": {"$ne": 1}}}]
)


@given(FILTERS, STEPS)
def test_when_all_picks_are_released_the_filters_are_as_before(filters, steps):
    picks, now = Picks(), filters
    for column, at, is_chosen in steps:
        before = now
        if is_chosen:
            now = picks.pick(column, CHOICES[column][at], "text", now)
            assert picks.of(column, now) is not None
        else:
            now = picks.release(column, now)
            assert picks.of(column, now) is None
        for other in CHOICES.keys() - {column}:
            assert (picks.of(other, now) is None) == (picks.of(other, before) is None)
    for column in CHOICES:
        now = picks.release(column, now)
    assert now == filters


def test_filters_are_checked_like_any_others(front: FrontEnd, explore: Callable[..., Any]):
    for evil in ('{"where": {"$or": 1}}', '{"nothing": 1}', "[]", "{", '{"since": "whenever"}'):
        before = front.explorer.filters
        assert (
            front.ask("set", pick={"column": "mood", "filter": evil, "text": ""})["kind"] == "error"
        )
        assert front.explorer.filters == before
