"""Decisions about records that say the same: planned, looked at, carried out in one step, undone."""

from __future__ import annotations

from typing import Any

import pytest
from backends import BACKENDS, Clock

from tta_memory_nb import Conflict, InvalidArgument, MemoryPrimitive, MemoryRecord, Tombstoned

OLD = {"text": "Anna moved to Lyon in May and works at the museum", "city": "Lyon", "age": 31}
NEW = {"text": "Anna moved to Lyon in May and works at the old museum", "city": "Paris"}
COPY = {"text": "The ferry to the island leaves at nine on Sundays"}


@pytest.fixture
def memory(make: Any) -> Any:
    made = make().sync
    made.import_([MemoryRecord("a:1", OLD, created_at=5.0, updated_at=10.0)])
    made.add_many({"a:2": NEW, "c:1": COPY, "c:2": COPY, "c:3": COPY})
    return made


@pytest.mark.backends(*BACKENDS)
def test_a_plan_is_looked_at_carried_out_in_one_step_and_undone(memory: Any) -> None:
    before = {record.key: record.value for record in memory.records()}
    plan = memory.resolve([("a:2", "a:1"), ("c:1", "c:2", "c:3")])
    assert [case.keys[0] for case in plan] == ["a:1", "c:1"]
    assert plan.about == "5 records in 2 cases; 2 of 2 cases are undecided"
    plan[0].merge({"city": "old"}, {"text": "Anna works at the museum in Lyon", "age": None})
    assert plan.decide("newest").about == "5 records become 2"
    assert list(plan.table["decision"]) == ["merge into 'a:1'", "keep 'c:3'"]
    assert {record.key: record.value for record in memory.records()} == before
    done = memory.carry_out(plan, for_good=True)
    assert (done.before, done.after) == (5, 2)
    assert memory.get("a:1") == {
        "text": "Anna works at the museum in Lyon",
        "city": "Lyon",
        "merged_from": ["a:1", "a:2"],
    }
    [merged] = memory.get_records(["a:1"])
    assert merged.created_at == 5.0
    assert sorted(memory.keys()) == ["a:1", "c:3"]
    # The refused sides do not come back, and what was kept can be written again.
    memory.add("c:3", COPY)
    for key, value in (("c:1", COPY), ("elsewhere", NEW)):
        with pytest.raises(Tombstoned):
            memory.add(key, value)
    memory.undo(done.change)
    assert {record.key: record.value for record in memory.records()} == before | {"c:3": COPY}
    assert memory.tombstones() == []


@pytest.mark.backends(*BACKENDS)
def test_a_record_that_has_changed_is_a_conflict_and_nothing_is_done(memory: Any) -> None:
    plan = memory.resolve([("a:1", "a:2"), ("c:1", "c:2")], "oldest")
    memory.add("a:2", {"text": "Anna has left the museum"})
    with pytest.raises(Conflict, match=r"^'a:2' has been changed meanwhile") as caught:
        memory.carry_out(plan, for_good=True)
    assert caught.value.keys == ("a:2",)
    assert len(memory.keys()) == 5
    assert memory.tombstones() == []
    assert memory.get("a:2") == {"text": "Anna has left the museum"}


@pytest.mark.backends(*BACKENDS)
def test_the_doctor_does_not_show_again_what_stays_side_by_side(memory: Any) -> None:
    def found() -> list[set[str]]:
        return [set(each.keys) for each in memory.diagnose("exact-duplicates")]

    assert found() == [{"c:1", "c:2", "c:3"}]
    done = memory.carry_out(memory.resolve(memory.diagnose("exact-duplicates"), "both"))
    assert done.about == "3 records stay as they are"
    assert found() == []
    cases = memory.resolve([("c:2", "c:3"), ("a:1", "a:2")])
    assert [case.kept_apart for case in cases] == [True, False]
    back = memory.undo(done.change)
    assert found() == [{"c:1", "c:2", "c:3"}]
    assert [case.kept_apart for case in memory.resolve(cases)] == [False, False]
    memory.undo(back)
    assert found() == []
    memory.add("c:1", {**COPY, "seen": True})
    assert found() == [{"c:1", "c:2", "c:3"}]


def made(values: dict[str, dict[str, Any]]) -> Any:
    memory = MemoryPrimitive(clock=Clock()).sync
    memory.add_many(values)
    return memory


def test_where_a_merged_record_comes_from_is_kept_when_it_is_merged_again() -> None:
    memory = made({"a": {"x": 1}, "b": {"y": 2}, "c": {"z": 3}})
    memory.carry_out(memory.resolve([("a", "b")], "merge"))
    memory.carry_out(memory.resolve([("a", "c")], "merge"))
    [record] = memory.records()
    origins = record.value.pop("merged_from")
    assert record.value == {"x": 1, "y": 2, "z": 3}
    assert sorted(origins) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("rule", "stays"), [("newest", "b"), ("oldest", "a"), ("longest", "a"), ("both", "a b")]
)
def test_rules_decide_many_at_once(rule: Any, stays: str) -> None:
    clock = Clock()
    memory = MemoryPrimitive(clock=clock).sync
    memory.add("a", {"text": "the longest of all"})
    clock.tick()
    memory.add("b", {"text": "short"})
    memory.carry_out(memory.resolve([("a", "b")], rule))
    assert sorted(memory.keys()) == stays.split()


@pytest.mark.parametrize(("into", "stays"), [(None, "a"), ("old", "a"), ("new", "c"), ("b", "b")])
def test_the_key_of_a_merged_record_is_chosen(into: Any, stays: str) -> None:
    clock = Clock()
    memory = MemoryPrimitive(clock=clock).sync
    for key in "abc":
        memory.add(key, {key: 1})
        clock.tick()
    plan = memory.resolve([("a", "b", "c")], "merge", into)
    assert plan[0].decided == f"merge into '{stays}'"
    memory.undo(memory.carry_out(plan).change)
    assert memory.size() == 3
    memory.carry_out(memory.resolve(plan).decide("merge", into=into or "old"))
    assert memory.get(stays) == {"a": 1, "b": 1, "c": 1, "merged_from": ["a", "b", "c"]}
    assert memory.size() == 1


def test_a_record_is_in_one_case_only_and_what_is_gone_is_named() -> None:
    memory = made({"a": {"n": 1}, "b": {"n": 1}, "c": {"n": 1}})
    plan = memory.resolve([("a", "b"), ("b", "c"), ("a", "gone")])
    assert [case.keys for case in plan] == [("a", "b")]
    assert set(plan.left_out) == {"c", "gone"}


def test_a_merged_record_lives_as_long_as_the_one_that_lives_longest() -> None:
    memory = MemoryPrimitive(clock=Clock()).sync
    memory.add("a", {"n": 1}, ttl=10)
    memory.add("b", {"m": 1}, ttl=60)
    memory.add("c", {"o": 1})
    memory.carry_out(memory.resolve([("a", "b")], "merge"))
    assert memory.ttl("a") == 60
    memory.carry_out(memory.resolve([("a", "c")], "merge"))
    assert memory.ttl("a") is None


@pytest.mark.parametrize(
    ("act", "named"),
    [
        (lambda memory, _: memory.resolve("ab"), "findings='ab'"),
        (lambda memory, _: memory.resolve([("a",)]), "at least two"),
        (lambda memory, _: memory.resolve([("a", 3)]), "3 is no key"),
        (lambda memory, _: memory.resolve([("a", "b")], "first"), "rule='first'"),
        (
            lambda memory, _: memory.resolve([("a", "b")], "merge", "c"),
            "into='c': give 'old', 'new'",
        ),
        (lambda memory, _: memory.resolve([("a", "b")], "old", "a"), "belongs to the rule 'merge'"),
        (lambda memory, _: memory.resolve([("a", "b")], user="x"), "either findings, or filters"),
        (lambda _, case: case.keep("c"), "which='c'"),
        (lambda _, case: case.merge({"size": "old"}), r"fields\['size'\]='old'"),
        (lambda _, case: case.merge(edits={"x": {1, 2}}), "edits"),
        (lambda memory, case: memory.carry_out([case]), "nobody has decided"),
    ],
)
def test_bad_decisions_name_the_value_and_change_nothing(act: Any, named: str) -> None:
    memory = made({"a": {"n": 1}, "b": {"n": 2}})
    [case] = memory.resolve([("a", "b")])
    with pytest.raises(InvalidArgument, match=named):
        act(memory, case)
    assert case.decision is None
    assert memory.size() == 2


def test_a_hostile_text_is_escaped_in_the_preview() -> None:
    memory = made({"a": {"text": "<img src=x>"}, "b": {"text": "<b onload=y>"}})
    html = memory.resolve([("a", "b")], "newest")._repr_html_()
    assert "<img" not in html
    assert "<b onload" not in html
    assert "onload" in html
