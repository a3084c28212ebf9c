"""What views and kernel tell each other: lost messages, filters that moved, the view that is looked at, rest."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

import pytest
from front_end import FrontEnd

from tta_memory_nb import MemoryExplorer, MemoryPrimitive
from tta_memory_nb.notebook.explorer.state import ExplorerState
from tta_memory_nb.notebook.explorer.static import StaticPage
from tta_memory_nb.times import counted_back


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=clock)
    for number in range(3):
        memory.sync.add(f"ann:{number}", {"id": 2**53 + 1, "n": number})
        clock.tick()
    return memory


def opened(explorer: MemoryExplorer, *, view: int = 1) -> FrontEnd:
    front = FrontEnd(explorer, view)
    front.ask("hello")
    return front


def shows(front: FrontEnd, keys: list[str]) -> bool:
    return front.keys() == keys


def keys_of(explorer: MemoryExplorer) -> list[str]:
    return [record.key for record in explorer.records]


# ---- lost messages


def test_messages_to_a_view_are_numbered_and_the_sign_of_life_says_how_many_there_were(explore):
    first = opened(explore())
    second = FrontEnd(first.explorer, view=2)
    second.messages, second._changed = first.messages, first._changed
    second.ask("hello")
    first.ask("record", key="ann:0", whole=False)
    first.ask("edit", key="ann:0", base="", text="{}")
    first.ask("nonsense")
    second.ask("set", query="zzz")
    first.settle()
    first.explorer._beat()
    for front in (first, second):
        numbers = [each["number"] for each in first.messages if each.get("view") == front.view]
        assert numbers == list(range(1, len(numbers) + 1))
        assert first.messages[-1]["sent"][str(front.view)] == len(numbers)
    kinds = {each["kind"] for each in first.messages if "number" in each}
    assert kinds == {"state", "record", "edited", "error"}


def test_a_greeting_is_answered_by_the_whole_state_and_nothing_else_is(explore, memory):
    front = opened(explore())
    memory.sync.add("bob:1", {})
    front.when(lambda: front.state["total"] == 4)
    whole = front.ask("hello")
    assert whole["whole"] is True
    assert whole["state"].keys() == front.state.keys()
    answers = [each for each in front.messages if each["kind"] == "state"]
    assert [each["whole"] for each in answers] == [True, *[False] * (len(answers) - 2), True]


@pytest.mark.parametrize("verb", ["edit", "expire", "duplicate", "delete", "undo"])
def test_an_action_whose_answer_was_lost_is_answered_again_and_not_done_again(
    explore, memory, verb
):
    front = opened(explore())
    # Two changes that could be undone.
    front.ask("delete", keys=["ann:2"])
    front.ask("delete", keys=["ann:1"])
    base = front.ask("record", key="ann:0", whole=False)["base"]
    content = {
        "key": "ann:0",
        "keys": ["ann:0"],
        "base": base,
        "text": "{}",
        "ttl": "1h",
        "as": "x",
    }
    first = front._number + 1
    answer = front.ask(verb, **content)
    front.settle()
    after = [(entry.key, entry.value()) for entry in memory.sync.entries()]
    for _ in range(2):
        again = front.ask(verb, again=first, **content)
        assert again["kind"] == answer["kind"]
        assert again.get("ok") == answer.get("ok")
        assert again.get("conflict") is None
    assert [(entry.key, entry.value()) for entry in memory.sync.entries()] == after


def test_an_action_that_was_refused_is_refused_again(explore):
    front = opened(explore())
    first = front._number + 1
    refusal = front.ask("undo")
    assert refusal["kind"] == "error"
    again = front.ask("undo", again=first)
    assert {**again, "for": None, "number": None} == {**refusal, "for": None, "number": None}


def test_an_action_that_never_arrived_is_done_when_it_is_sent_again(explore, memory):
    front = opened(explore())
    lost = front._number + 1
    front._number += 1
    front.ask("hello")
    front.ask("delete", keys=["ann:0"], again=lost)
    assert memory.sync.get("ann:0") is None


def test_a_setting_that_is_sent_again_does_not_take_a_later_one_back(explore):
    front = opened(explore())
    first = front._number + 1
    front.ask("set", query="1")
    front.ask("set", query="2")
    front.ask("set", query="1", again=first)
    assert front.explorer.query == "2"
    front.ask("select", none=True)
    assert front.ask("select", all=True, again=front._number)["kind"] == "state"
    assert front.explorer.selected == ()


# ---- filters


UNSENDABLE: dict[str, Any] = {
    "since": timedelta(hours=1),
    "until": datetime(2999, 10, 25, 2, 30, 15, 123456, tzinfo=timezone.utc),
    "where": {
        "id": {"$gte": 2**53 + 1},
        "by": {"$ne": UUID(int=2**100)},
        "at": {"$ne": datetime(2026, 1, 1, tzinfo=timezone.utc)},
    },
}


def test_filters_that_nobody_has_touched_stay_the_objects_that_they_are(explore):
    explorer = explore(filters=UNSENDABLE)
    front = opened(explorer)
    front.ask("set", filters={"user": "ann"})
    assert explorer.filters == {**UNSENDABLE, "user": "ann"}
    for name, value in UNSENDABLE.items():
        assert explorer.filters[name] is value
    front.ask("set", filters={"user": None, "session": "1"})
    assert explorer.filters == {**UNSENDABLE, "session": "1"}
    front.ask("set", filters={"where": None, "since": None})
    assert explorer.filters == {"until": UNSENDABLE["until"], "session": "1"}


def test_filters_are_shown_as_their_author_wrote_them(explore):
    front = opened(explore(filters={**UNSENDABLE, "since": "1h30m"}))
    shown = front.state["filters"]
    assert shown["since"] == {"text": "1h30m", "at": None, "back": 5400.0}
    assert shown["until"]["text"] == "2999-10-25 02:30:15Z"
    assert shown["until"]["back"] is None
    assert "9007199254740993" in shown["where"]
    assert str(UUID(int=2**100)) in shown["where"]
    assert shown["user"] is None


def test_a_name_that_no_browser_can_hold_comes_back_as_the_same_name(explore, memory):
    memory.sync.add("\ud83d:x", {})
    front = opened(explore())
    front.ask("facets")
    name = next(each for each, _ in front.state["facets"]["users"] if each != "ann")
    front.ask("set", filters={"user": name})
    assert front.explorer.filters == {"user": "\ud83d"}
    assert keys_of(front.explorer) == ["\ud83d:x"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1h", 3600.0),
        (" 1m30s ", 90.0),
        (timedelta(days=1), 86400.0),
        ("2026-11-30", None),
        ("2026", None),
        ("12", None),
        (12.0, None),
        (None, None),
        ([], None),
    ],
)
def test_an_instant_counts_back_from_now_or_does_not_move(value, seconds):
    assert counted_back(value) == seconds


# ---- filters that move with the clock


@pytest.mark.parametrize("filters", [{"since": "10s"}, {"since": timedelta(seconds=10)}])
def test_what_becomes_too_old_leaves_the_table(explore, memory, clock, filters):
    explorer = explore(filters=filters)
    front = opened(explorer)
    assert front.keys() == keys_of(explorer)
    for _ in range(15):
        clock.tick()
        found = [record.key for record in memory.sync.records(None, **filters)]
        assert keys_of(explorer) == found
        front.when(partial(shows, front, found))
    assert front.keys() == []


def test_what_becomes_old_enough_enters_the_table(explore, memory, clock):
    explorer = explore(filters={"until": "5s", "since": "8s"})
    front = opened(explorer)
    seen = set()
    for _ in range(12):
        found = [record.key for record in memory.sync.records(None, until="5s", since="8s")]
        seen.update(found)
        assert keys_of(explorer) == found
        front.when(partial(shows, front, found))
        clock.tick()
    assert seen == {"ann:0", "ann:1", "ann:2"}


# ---- the view that somebody looks at


@pytest.fixture
def many(clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(max_size=100, clock=clock)
    memory.sync.add_many((f"k{number:02}", {"n": number}) for number in reversed(range(100)))
    return memory


def test_records_are_those_of_the_view_that_was_used_last(explore, many):
    explorer = explore(memory=many)
    first, second = opened(explorer), opened(explorer, view=2)
    second.ask("set", window=[10, 12])
    first.send("set", window=[20, 22])
    # A view may scroll because it was resized; only a person selects.
    assert keys_of(explorer) == ["k10", "k11"]
    first.send("select", none=True)
    assert keys_of(explorer) == ["k20", "k21"]
    second.send("see", visible=True)
    assert keys_of(explorer) == ["k10", "k11"]


def test_records_follow_what_comes_into_sight(explore, many):
    explorer = explore(memory=many)
    first, second = opened(explorer), opened(explorer, view=2)
    first.send("set", window=[20, 22])
    second.send("set", window=[10, 12])
    second.send("see", visible=False)
    assert keys_of(explorer) == ["k20", "k21"]
    first.send("see", visible=False)
    # Nothing is in sight: the last view that was.
    assert keys_of(explorer) == ["k10", "k11"]
    first.send("see", visible=True)
    assert keys_of(explorer) == ["k20", "k21"]


def test_a_page_that_was_reloaded_without_a_farewell_is_looked_at_no_more(explore, many):
    explorer = explore(memory=many)
    opened(explorer).send("set", window=[50, 52])
    reloaded = opened(explorer, view=2)
    reloaded.send("set", window=[0, 2])
    assert keys_of(explorer) == ["k00", "k01"]
    reloaded.send("bye")
    assert keys_of(explorer) == ["k50", "k51"]


def test_a_page_that_was_lost_without_a_farewell_gives_way_to_a_hidden_one(explore, many):
    explorer = explore(memory=many)
    lost, hidden = opened(explorer), opened(explorer, view=2)
    lost.send("set", window=[50, 52])
    hidden.send("set", window=[0, 2])
    hidden.send("see", visible=False)
    assert keys_of(explorer) == ["k50", "k51"]
    # While the kernel hears nobody, silence says nothing.
    beats = explorer._views.beat
    for _ in range(100):
        beats()
    assert keys_of(explorer) == ["k50", "k51"]
    hidden.send("here")
    assert keys_of(explorer) == ["k00", "k01"]
    lost.send("here")
    assert keys_of(explorer) == ["k50", "k51"]
    for _ in range(400):
        beats()
        hidden.send("here")
    assert [view.number for view in explorer._views.opened()] == [2]
    # It was only silent: its computer was asleep.
    lost.send("hello")
    assert len(keys_of(explorer)) == 60
    assert [view.number for view in explorer._views.opened()] == [1, 2]


def test_a_view_that_greets_again_behind_another_one_does_not_come_to_the_front(explore, many):
    explorer = explore(memory=many)
    first, second = opened(explorer), opened(explorer, view=2)
    first.send("set", window=[20, 22])
    second.send("set", window=[10, 12])
    first.send("hello", visible=False)
    assert keys_of(explorer) == ["k10", "k11"]


def test_observers_of_the_records_hear_of_scrolling_and_of_another_view(explore, many):
    explorer = explore(memory=many)
    seen: list[list[str]] = []
    first, second = opened(explorer), opened(explorer, view=2)
    explorer.observe(lambda change: seen.append([each.key for each in change.new]), "records")
    second.ask("set", window=[10, 12])
    second.settle()
    first.send("see", visible=True)
    first.settle()
    # The explorer may list the records by itself meanwhile, and report the same ones again.
    reported = [keys for keys, _ in groupby(seen)]
    assert reported[-2:] == [["k10", "k11"], [f"k{number:02}" for number in range(60)]]


# ---- rest


def test_an_explorer_at_rest_works_nothing_out(explore, memory, monkeypatch):
    explorer = explore(filters={"since": "1h"})
    front = opened(explorer)
    explorer._ipython_display_()
    front.settle()
    explorer._look_around()
    front.settle()
    worked: list[str] = []
    monkeypatch.setattr(ExplorerState, "describe", lambda *_: worked.append("rows"))
    monkeypatch.setattr(StaticPage, "html", property(lambda _: worked.append("page")))
    explorer._static._updated_at = 0.0
    for _ in range(3):
        explorer._look_around()
        front.settle()
    assert worked == []


def test_what_changes_without_a_record_is_shown(explore, memory):
    front = opened(explore())
    memory.sync.resize(50)
    front.when(lambda: front.state["status"]["capacity"] == 50)


# ---- the plain table


def test_the_plain_table_says_in_a_notebook_how_to_get_the_explorer(explore):
    explorer = explore()
    explorer.refresh()
    html = explorer._static_page().html
    assert '<p class="tta-why" hidden>' in html
    assert ".jp-NotebookPanel .tta-explorer-static .tta-why[hidden] { display: block; }" in html
    for word in ("anywidget", "ipywidgets", "restart JupyterLab"):
        assert word in html
