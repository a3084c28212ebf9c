"""Records that should perhaps be one, in the explorer: what its front end is sent, and what it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from front_end import FrontEnd

from tta_memory_nb import InvalidArgument, MemoryPrimitive
from tta_memory_nb.notebook.commands import COMMANDS, Notebook, views
from tta_memory_nb.notebook.undo import UndoStack

OLD = {"text": "Anna moved to Lyon in May and works at the museum", "city": "Lyon", "age": 31}
NEW = {"text": "Anna moved to Lyon in May and works at the old museum", "city": "Paris"}
COPY = {"text": "The ferry to the island leaves at nine on Sundays"}


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=clock)
    for key, value in {"c:1": COPY, "c:2": COPY, "c:3": COPY, "a:1": OLD, "a:2": NEW}.items():
        memory.sync.add(key, value)
        clock.tick()
    return memory


@pytest.fixture
def changes() -> UndoStack:
    return UndoStack()


@pytest.fixture
def seen(explore, memory, changes) -> FrontEnd:
    """A view that shows the first of two cases: three copies, and two texts that are nearly the same."""
    found = memory.sync.diagnose(["exact-duplicates", "near-duplicates"])
    front = FrontEnd(explore(changes=changes, diagnosis=found, view="resolve"))
    front.ask("hello", visible=True)
    assert cases(front)["count"] == 2
    return front


def cases(front: FrontEnd) -> dict[str, Any]:
    return front.state["cases"]["list"]


def plan(front: FrontEnd, act: str, **content: Any) -> dict[str, Any]:
    """Plans something about the case in view."""
    case = cases(front)["case"]
    return front.ask("plan", act=act, **({"case": case["id"]} if case else {}), **content)


def values(memory: MemoryPrimitive) -> dict[str, Any]:
    return {record.key: record.value for record in memory.sync.records(None)}


def test_a_pair_is_shown_side_by_side_with_what_differs(seen):
    assert [record["key"] for record in cases(seen)["case"]["records"]] == ["c:1", "c:2", "c:3"]
    plan(seen, "go", at=1)
    case = cases(seen)["case"]
    assert (case["old"]["key"], case["new"]["key"]) == ("a:1", "a:2")
    assert case["old"]["at"] < case["new"]["at"]
    fields = {each["name"]: each for each in case["fields"]}
    assert all(sign == " " for sign, _ in fields["text"]["old"])
    assert ["+", "old "] in fields["text"]["new"]
    assert (fields["city"]["old"], fields["city"]["new"]) == ([["-", "Lyon"]], [["+", "Paris"]])
    assert (fields["age"]["old"], fields["age"]["new"]) == ([["-", "31"]], None)
    assert case["choice"] is None


def test_many_are_planned_looked_at_carried_out_in_one_step_and_undone(seen, memory, changes):
    before = values(memory)
    plan(seen, "decide", what="keep", place=0)
    assert (cases(seen)["at"], cases(seen)["last"]) == (1, "keep old")
    plan(seen, "rest", rule=None)
    assert (cases(seen)["decided"], cases(seen)["before"], cases(seen)["after"]) == (2, 5, 2)
    plan(seen, "for good", on=True)
    assert values(memory) == before
    seen.ask("carry out")
    assert values(memory) == {"c:1": COPY, "a:1": OLD}
    assert len(memory.sync.tombstones()) == 3
    assert any(each.get("text") == "5 records became 2" and each["undo"] for each in seen.messages)
    assert (cases(seen)["count"], cases(seen)["case"]) == (0, None)
    assert list(changes.verbs()) == ["resolve"]
    seen.ask("undo")
    assert values(memory) == before
    assert memory.sync.tombstones() == []
    # What was planned is planned again, to be corrected.
    assert (cases(seen)["count"], cases(seen)["decided"]) == (2, 2)


def test_a_merge_takes_sides_and_written_texts_and_lists_where_it_comes_from(seen, memory):
    plan(seen, "go", at=1)
    plan(seen, "take", field="city", side="old")
    plan(seen, "take", field="age", side="new")
    plan(seen, "edit", field="text", text="Anna works in Lyon", kind="text")
    plan(seen, "edit", field="city", text='["Lyon", 2]', kind="json")
    plan(seen, "edit", field="city", text="{", kind="json")
    fields = {each["name"]: each for each in cases(seen)["case"]["fields"]}
    assert (fields["text"]["takes"], fields["text"]["text"]) == ("edit", "Anna works in Lyon")
    assert fields["age"]["takes"] == "new"
    assert fields["merged_from"]["text"] is None
    assert "this is not JSON" in seen.messages[-1]["message"]
    seen.ask("carry out")
    assert memory.sync.get("a:1") == {
        "text": "Anna works in Lyon",
        "city": ["Lyon", 2],
        "merged_from": ["a:1", "a:2"],
    }
    assert memory.sync.get("a:2") is None


def test_a_merge_takes_the_key_that_a_person_chooses(seen, memory):
    plan(seen, "go", at=1)
    plan(seen, "decide", what="merge")
    case = cases(seen)["case"]
    assert (case["choice"]["into"], cases(seen)["last"]) == ({"place": 0, "key": "a:1"}, "merge")
    plan(seen, "into", place=1)
    assert cases(seen)["case"]["choice"]["into"] == {"place": 1, "key": "a:2"}
    assert cases(seen)["last"] == "merge into new"
    plan(seen, "take", field="city", side="old")  # which leaves the key as it is
    plan(seen, "rest", rule=None)
    seen.ask("carry out")
    assert values(memory) == {
        "a:2": {**OLD, **NEW, "city": "Lyon", "merged_from": ["a:1", "a:2"]},
        "c:3": {**COPY, "merged_from": ["c:1", "c:2", "c:3"]},
    }
    seen.ask("undo")
    plan(seen, "into", place=1)
    assert cases(seen)["case"]["choice"]["into"]["key"] == "c:2"
    assert "has 3 records" in plan(seen, "into", place=3)["message"]
    plan(seen, "back")
    plan(seen, "go", at=1)
    plan(seen, "undecide")
    plan(seen, "go", at=0)
    plan(seen, "into", place=1)
    assert "key of a record between" in plan(seen, "rest", rule=None)["message"]


def test_selected_records_are_compared_without_a_finding(explore, memory, changes):
    front = FrontEnd(explore(changes=changes))
    front.ask("hello", visible=True)
    front.ask("select", keys=["a:2", "c:2"])
    front.ask("compare")
    assert (front.state["view"], front.state["cases"]["compared"]) == ("resolve", 1)
    case = cases(front)["case"]
    assert (case["old"]["key"], case["new"]["key"], case["why"]) == ("c:2", "a:2", "")
    plan(front, "into", place=1)
    front.ask("carry out")
    assert memory.sync.get("a:2") == {**COPY, **NEW, "merged_from": ["c:2", "a:2"]}
    assert (cases(front)["count"], cases(front)["case"]) == (0, None)
    front.ask("undo")
    assert cases(front)["case"]["choice"]["into"]["key"] == "a:2"
    # The doctor's findings take their place when they are asked for.
    front.ask("set", finding="")
    assert front.state["cases"]["compared"] == 0
    assert front.state["cases"]["list"] is None


def test_any_records_are_compared_by_code_and_by_the_magic(explore, memory):
    found = memory.sync.diagnose("near-duplicates")
    front = FrontEnd(explore(diagnosis=found))
    front.ask("hello", visible=True)
    front.explorer.compare([("c:1", "c:3"), ("a:1", "a:2")])
    front.ask("hello", visible=True)
    assert (front.state["view"], cases(front)["count"]) == ("resolve", 2)
    assert cases(front)["case"]["old"]["key"] == "c:1"
    front.explorer.finding = "near-duplicates"
    front.ask("set", view="resolve")
    assert (front.state["cases"]["compared"], cases(front)["count"]) == (0, 1)
    for records, problem in (
        (["a:1"], "1 record: only 2 to 200"),
        ([str(number) for number in range(201)], "201 records: only"),
        (["a:1", "nobody"], "fewer than two of these records exist"),
        ("a:1", "give findings of the doctor, or pairs of keys"),
    ):
        with pytest.raises(InvalidArgument, match=problem):
            front.explorer.compare(records)
    assert (front.state["cases"]["compared"], front.explorer.view) == (0, "resolve")
    shown = COMMANDS["resolve"](Notebook(memory), ("a:2", "c:1"), explore=True).value
    assert shown.state()["cases"]["list"]["case"]["new"]["key"] == "a:2"
    shown.close()


@pytest.mark.parametrize("is_compared", [False, True])
def test_records_kept_side_by_side_are_undecided_again_when_a_cell_undoes_it(
    explore, memory, changes, is_compared: bool
):
    nb = Notebook(memory, undo_stack=changes)
    found = memory.sync.diagnose("near-duplicates")
    front = FrontEnd(explore(changes=changes, diagnosis=found, view="resolve"))
    front.ask("hello", visible=True)
    if is_compared:
        front.explorer.compare(["a:1", "a:2"])
        front.ask("set", view="resolve")
    plan(front, "decide", what="both")
    front.ask("carry out")
    assert cases(front)["count"] == 0
    COMMANDS["undo"](nb)
    front.when(lambda: cases(front)["count"] == 1)
    assert cases(front)["case"]["choice"] is None
    # The same if the cell has decided as well.
    COMMANDS["resolve"](nb, ("a:1", "a:2"), keep="both", yes=True)
    front.when(lambda: cases(front)["count"] == 0)
    front.explorer.compare(["a:1", "a:2"])  # by a person who wants to see them all the same
    front.when(lambda: cases(front)["count"] == 1)
    front.ask("set", finding="")
    assert cases(front)["count"] == 0
    COMMANDS["undo"](nb)
    front.when(lambda: cases(front)["count"] == 1)


def test_a_record_that_changes_meanwhile_is_shown_anew_and_nothing_is_done(seen, memory):
    plan(seen, "rest", rule="newest")
    known = values(memory)
    seen.explorer.live = False  # so that nothing is seen of it before
    memory.sync.add("a:1", {**OLD, "city": "Rome"})
    answer = seen.ask("carry out")
    assert "1 record has changed since you looked" in answer["message"]
    assert values(memory) == known | {"a:1": {**OLD, "city": "Rome"}}
    seen.when(lambda: cases(seen)["decided"] == 1)
    plan(seen, "go", at=1)
    assert cases(seen)["case"]["changed"]
    assert cases(seen)["case"]["choice"] is None
    seen.ask("carry out")
    assert sorted(values(memory)) == ["a:1", "a:2", "c:3"]


def test_what_stays_side_by_side_is_not_shown_again(seen, memory):
    plan(seen, "decide", what="both")
    seen.ask("carry out")
    assert cases(seen)["count"] == 1
    assert memory.sync.diagnose("exact-duplicates") == []
    seen.ask("undo")
    assert (cases(seen)["count"], cases(seen)["before"], cases(seen)["after"]) == (2, 3, 3)


def test_any_record_of_many_can_be_compared_and_kept(seen, memory):
    plan(seen, "compare", place=1)
    assert (cases(seen)["case"]["new"]["key"], cases(seen)["case"]["is_newest"]) == ("c:2", False)
    plan(seen, "decide", what="keep", place=1)
    assert "between the oldest and the newest" in plan(seen, "rest", rule=None)["message"]
    plan(seen, "back")
    assert (cases(seen)["at"], cases(seen)["decided"], cases(seen)["can_step_back"]) == (
        0,
        0,
        False,
    )
    plan(seen, "decide", what="keep", place=1)
    seen.ask("carry out")
    assert memory.sync.keys(prefix="c:") == ["c:2"]


def test_more_than_one_step_can_take_is_carried_out_in_several(seen, memory, monkeypatch):
    monkeypatch.setattr("tta_memory_nb.notebook.explorer.resolving.MOST_APPLIED", 6)
    plan(seen, "rest", rule="new")
    seen.ask("carry out")
    assert sorted(values(memory)) == ["a:1", "a:2", "c:3"]
    assert (cases(seen)["count"], cases(seen)["decided"]) == (1, 1)
    assert any("carry out again for the other 1" in each.get("text", "") for each in seen.messages)
    seen.ask("carry out")
    assert sorted(values(memory)) == ["a:2", "c:3"]
    seen.ask("undo")
    seen.ask("undo")
    assert len(values(memory)) == 5


def test_a_finding_leads_to_its_cases(seen, memory):
    assert seen.state["cases"]["checks"] == [["exact-duplicates", 1], ["near-duplicates", 1]]
    seen.ask("set", finding="near-duplicates/0")
    assert cases(seen)["count"] == 1
    assert cases(seen)["case"]["old"]["key"] == "a:1"
    seen.ask("set", view="table")
    assert cases(seen) is None
    assert seen.keys() == ["a:2", "a:1"]


@pytest.mark.parametrize(
    ("send", "problem"),
    [
        (lambda front: front.ask("plan", act="decide", case="0", what="both"), "not in view"),
        (lambda front: plan(front, "decide", what="burn"), "cannot 'burn'"),
        (lambda front: plan(front, "decide", what="keep", place=7), "has 3 records"),
        (lambda front: plan(front, "rest", rule=None), "decide about one case first"),
        (lambda front: plan(front, "rest", rule="best"), "rule='best'"),
        (lambda front: plan(front, "back"), "no decision is planned"),
        (lambda front: plan(front, "dance"), "cannot 'dance'"),
        (lambda front: front.ask("carry out"), "nobody has decided"),
    ],
)
def test_what_cannot_be_done_is_said_and_plans_nothing(
    seen, memory, send: Callable[[FrontEnd], dict[str, Any]], problem: str
):
    before = values(memory)
    assert problem in send(seen)["message"]
    assert cases(seen)["decided"] == 0
    assert values(memory) == before


def test_a_read_only_explorer_shows_pairs_and_carries_nothing_out(explore, memory):
    found = memory.sync.diagnose("exact-duplicates")
    front = FrontEnd(explore(diagnosis=found, view="resolve", read_only=True))
    front.ask("hello", visible=True)
    plan(front, "decide", what="both")
    assert "read-only" in front.ask("carry out")["message"]
    assert len(values(memory)) == 5


def test_long_and_hostile_records_are_sent_short(explore, memory):
    hostile = "\ud83d<script>\x1b" + "x" * 500_000
    fields = {f"f{n}": n for n in range(500)}
    for key in ("h:1", "h:2"):
        memory.sync.add(key + hostile[:20], {"text": hostile, **fields, hostile[:20]: key})
    found = memory.sync.diagnose("exact-duplicates", prefix="h:")
    front = FrontEnd(explore(diagnosis=found, view="resolve"))
    front.ask("hello", visible=True)
    plan(front, "decide", what="merge")
    case = cases(front)["case"]
    assert len(json.dumps(case)) < 100_000
    assert (len(case["fields"]), case["more_fields"]) == (60, 443)
    front.ask("carry out")
    [merged] = memory.sync.records(prefix="h:")
    assert merged.value["merged_from"] == ["h:1" + hostile[:20], "h:2" + hostile[:20]]


def test_the_command_opens_the_cases(memory):
    nb = Notebook(memory)
    reply = views.explore(nb, resolve=True, prefix="c:")
    assert reply.value.view == "resolve"
    assert "exact-duplicates 1" in reply.text
    reply.value.close()
    with pytest.raises(InvalidArgument, match="--proposals and --resolve"):
        views.explore(nb, resolve=True, proposals=True)


def test_a_change_by_the_explorer_is_said_to_be_its_own(seen, memory):
    memory.sync.keep_history(10)
    plan(seen, "go", at=1)
    plan(seen, "decide", what="merge")
    seen.ask("carry out")
    assert str(memory.sync.log("a:1")[0].author) == "explorer"
