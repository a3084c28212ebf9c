"""Differences since a snapshot, compared with a model that records its steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from backends import ALL_BUT_THE_STAND_IN, Clock, calls
from hypothesis import example, given
from hypothesis import strategies as st
from json_values import json_objects
from record_values import exact

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.memory.compare import EXPIRY, Difference, FieldChange, Snapshot, compare, summary
from tta_memory_nb.notebook.commands import Notebook, views
from tta_memory_nb.table import ABSENT, flatten


class Watched:
    """A memory, its clock and a snapshot to compare it with."""

    def __init__(self, max_size: int = 100) -> None:
        self.clock = Clock()
        self.memory = MemoryPrimitive(max_size=max_size, clock=self.clock).sync

    def look(self) -> None:
        self.snapshot = Snapshot.of(
            "last", self.clock(), "default", self.memory.entries(), self.memory.evictions
        )

    def differences(self) -> list[Difference]:
        # Reads the entries first, so that a record that expires now is gone for both.
        entries = self.memory.entries()
        return compare(self.snapshot, entries, self.clock(), self.memory.evictions)

    def what(self) -> dict[str, str]:
        return {difference.key: difference.what for difference in self.differences()}


@pytest.fixture
def watched():
    made = Watched()
    for key in "abc":
        made.memory.add(key, {"text": key, "turn": 1})
    made.look()
    return made


def test_the_repr_of_a_snapshot_has_its_instant_as_a_date(watched):
    assert repr(watched.snapshot) == (
        "Snapshot('last', taken_at='2027-01-15 08:00:00Z', namespace='default', 3 records)"
    )


def test_an_unchanged_memory_has_no_differences(watched):
    watched.memory.get("a")
    watched.memory.search("a")
    watched.clock.tick(1000)
    assert watched.differences() == []


def test_present_records_come_newest_first_and_lost_ones_after_them(watched):
    watched.memory.delete("b")
    watched.memory.add("new", {"x": 1})
    watched.memory.add("a", {"text": "a", "turn": 2})
    assert list(watched.what().items()) == [
        ("a", "changed"),
        ("new", "added"),
        ("b", "deleted"),
    ]
    assert summary(watched.differences()) == "1 added, 1 changed, 1 deleted"
    assert summary([]) == ""


def test_changed_fields_are_named_by_their_path(watched):
    watched.memory.add("a", {"text": "a", "agent": {"name": "x", "tags": [1]}})
    [difference] = watched.differences()
    assert difference.fields == [
        FieldChange(("turn",), 1, ABSENT),
        FieldChange(("agent", "name"), ABSENT, "x"),
        FieldChange(("agent", "tags"), ABSENT, [1]),
    ]


def test_a_record_that_came_or_is_gone_has_all_its_fields(watched):
    watched.memory.delete("a")
    watched.memory.add("new", {"x": None, "expires": 7}, ttl=5)
    new, gone = watched.differences()
    assert new.fields == [
        FieldChange(("x",), ABSENT, None),
        FieldChange(("expires",), ABSENT, 7),
    ]
    assert gone.fields == [
        FieldChange(("text",), "a", ABSENT),
        FieldChange(("turn",), 1, ABSENT),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, 1.0),
        (1, True),
        ([1], [True]),
        (0.0, -0.0),
        (None, 0),
        ({}, {"b": {}}),
        ([{"x": 1}], [{}]),
    ],
)
def test_values_equal_in_python_but_not_in_json_are_a_change(watched, before, after):
    watched.memory.add("a", {"v": before})
    watched.look()
    watched.memory.add("a", {"v": after})
    assert watched.what() == {"a": "changed"}


def test_an_equal_value_written_again_is_no_difference(watched):
    watched.memory.add("a", {"turn": 1, "text": "a"})
    watched.memory.delete("b")
    watched.memory.add("b", {"text": "b", "turn": 1})
    watched.memory.add("c", {"n": [{"x": 1, "y": 2}]})
    watched.look()
    watched.memory.add("c", {"n": [{"y": 2, "x": 1}]})
    assert watched.differences() == []


def test_a_new_expiry_alone_is_a_change(watched):
    watched.memory.add("a", {"text": "a", "turn": 1}, ttl=60)
    [difference] = watched.differences()
    assert (difference.what, difference.fields) == (
        "changed",
        [FieldChange(EXPIRY, ABSENT, watched.clock() + 60)],
    )


def test_a_deletion_that_was_undone_is_no_difference(watched):
    change = watched.memory.remove(["a", "b"])
    assert watched.what() == {"a": "deleted", "b": "deleted"}
    watched.memory.undo(change)
    assert watched.differences() == []


def test_expired_records_are_distinguished_from_deleted_ones(watched):
    watched.memory.add("brief", {}, ttl=10)
    watched.memory.add("long", {}, ttl=1000)
    watched.look()
    watched.memory.delete("long")
    watched.clock.tick(10)
    assert watched.what() == {"brief": "expired", "long": "deleted"}


def test_evicted_records_are_distinguished_from_deleted_ones(watched):
    watched.memory.get("a")
    watched.memory.resize(3)
    watched.memory.delete("c")
    watched.memory.add("d", {})
    watched.memory.add("e", {})
    # "b" is the least recently used; "c" was used after it, and "a" after both.
    assert watched.what() == {"d": "added", "e": "added", "b": "evicted", "c": "deleted"}


def test_no_more_records_are_called_evicted_than_were(watched):
    watched.memory.clear()
    watched.memory.resize(1)
    watched.memory.add("d", {})
    watched.memory.add("e", {})
    what = watched.what()
    assert list(what.values()).count("evicted") == 1
    assert list(what.values()).count("deleted") == 2


def test_a_smaller_capacity_evicts(watched):
    watched.memory.resize(1)
    assert watched.what() == {"a": "evicted", "b": "evicted"}


def test_a_snapshot_copies_no_value(watched):
    assert watched.snapshot.entries["a"] is calls(watched.memory).peek(["a"])[0]


@given(json_objects(), json_objects())
def test_field_changes_lead_from_one_value_to_the_other(before, after):
    watched = Watched()
    watched.memory.add("k", before)
    watched.look()
    watched.memory.add("k", after)
    differences = watched.differences()
    assert bool(differences) == (exact(before) != exact(after))
    if differences:
        flat = flatten(before)
        for path, was, is_ in differences[0].fields:
            assert exact(flat.pop(path)) == exact(was) if was is not ABSENT else path not in flat
            if is_ is not ABSENT:
                flat[path] = is_
        assert {path: exact(leaf) for path, leaf in flat.items()} == {
            path: exact(leaf) for path, leaf in flatten(after).items()
        }


@pytest.mark.backends(*ALL_BUT_THE_STAND_IN)
def test_every_backend_reports_all_changes(make, clock):
    notebook = Notebook(make(5))
    memory = notebook.memory.sync
    memory.add("brief", {"x": 1}, ttl=10)
    for key in "abcd":
        memory.add(key, {"n": 1})
    views.snapshot(notebook)
    assert views.diff(notebook).text.startswith("nothing has changed")
    memory.get("a")
    memory.delete("d")
    memory.add("c", {"n": 2})
    clock.tick(10)
    for key in "efg":  # which evicts "b"
        memory.add(key, {})
    table = views.diff(notebook).value["what"]
    assert table.to_dict() == {
        **dict.fromkeys("efg", "added"),
        "c": "changed",
        "brief": "expired",
        "d": "deleted",
        "b": "evicted",
    }


# ---------------------------------------------------------------- random programs

keys = st.sampled_from("abcdef")
steps = st.one_of(
    st.tuples(st.just("add"), keys, st.integers(0, 2), st.none() | st.integers(1, 4)),
    st.tuples(st.just("get"), keys),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("tick"), st.integers(1, 3)),
)
programs = st.lists(steps, max_size=25)


@dataclass
class Model:
    """A memory that records how each record was lost; least recently used first."""

    max_size: int
    now: float = 0.0
    kept: dict[str, tuple[int, float | None]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    evictions: int = 0
    deletions: int = 0
    written: set[str] = field(default_factory=set)

    def do(self, step: tuple[Any, ...]) -> None:
        what, *about = step
        if what == "add":
            key, number, ttl = about
            self.kept.pop(key, None)
            self.written.add(key)
            self.kept[key] = (number, None if ttl is None else self.now + ttl)
            if len(self.kept) > self.max_size:
                self.end(next(iter(self.kept)), "evicted")
                self.evictions += 1
        elif what == "get" and about[0] in self.kept:
            self.kept[about[0]] = self.kept.pop(about[0])
        elif what == "delete" and about[0] in self.kept:
            self.end(about[0], "deleted")
            self.deletions += 1
        elif what == "tick":
            self.now += about[0]
            for key, (_, expires) in list(self.kept.items()):
                if expires is not None and expires <= self.now:
                    self.end(key, "expired")

    def end(self, key: str, how: str) -> None:
        del self.kept[key]
        self.ends[key] = how


@given(programs, programs, st.integers(1, 6))
@example(
    [("add", "a", 0, None), ("add", "b", 0, None)],
    [("add", "a", 1, None), ("add", "c", 0, None), ("add", "d", 0, None)],
    2,
)
def test_random_programs_are_compared_as_a_model_remembers_them(first, second, max_size):
    watched = Watched(max_size)
    model = Model(max_size, watched.clock())

    def do(step: tuple[Any, ...]) -> None:
        model.do(step)
        what, *about = step
        if what == "add":
            watched.memory.add(about[0], {"n": about[1]}, ttl=about[2])
        elif what == "tick":
            watched.clock.tick(about[0])
        else:
            getattr(watched.memory, what)(about[0])

    for step in first:
        do(step)
    watched.look()
    before = dict(model.kept)
    model.evictions = model.deletions = 0
    model.ends.clear()
    model.written.clear()
    for step in second:
        do(step)

    what = watched.what()
    gone = {key: what.pop(key) for key in before if key not in model.kept}
    assert what == {
        **{key: "added" for key in model.kept if key not in before},
        **{key: "changed" for key, kept in model.kept.items() if before.get(key, kept) != kept},
    }
    alive = {}
    for key, outcome in gone.items():
        expires = before[key][1]
        if expires is not None and expires <= model.now:
            assert outcome == "expired"
        else:
            alive[key] = outcome
            assert outcome in ("evicted", "deleted")
    ends = list(alive.values())
    assert ends.count("evicted") <= model.evictions
    if not model.evictions:
        assert "evicted" not in ends
    if not model.deletions:
        # A later record under the same key may have been lost in another way than the snapshot's.
        for key, ended in alive.items():
            assert ended == model.ends[key] or key in model.written
