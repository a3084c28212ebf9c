"""What has become of records between two looks."""

from __future__ import annotations

from collections import Counter

import pytest
from backends import Clock
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import MemoryPrimitive, SyncMemory
from tta_memory_nb.compare import EXPIRES, Difference, FieldChange, Snapshot, compare
from tta_memory_nb.frames import differences_frame
from tta_memory_nb.table import ABSENT


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock) -> SyncMemory:
    return MemoryPrimitive(max_size=4, clock=clock).sync


def look(memory: SyncMemory, clock: Clock) -> Snapshot:
    return Snapshot(memory.entries(), clock(), memory.evictions)


def fates(differences: list[Difference]) -> dict[str, str]:
    return {each.key: each.what for each in differences}


def test_nothing_has_changed(memory, clock):
    memory.add("a", {"n": 1})
    before = look(memory, clock)
    memory.get("a")
    assert compare(before, look(memory, clock)) == []


def test_each_field_that_is_not_what_it_was(memory, clock):
    memory.add("a", {"same": 1, "n": 1, "deep": {"x": True, "gone": "g"}})
    before = look(memory, clock)
    memory.add("a", {"same": 1, "n": 2, "deep": {"x": 1, "new": None}}, ttl=60)
    [difference] = compare(before, look(memory, clock))
    assert (difference.key, difference.what) == ("a", "changed")
    assert set(difference.fields) == {
        FieldChange(EXPIRES, None, clock() + 60, is_expiry=True),
        FieldChange(("n",), 1, 2),
        FieldChange(("deep", "x"), True, 1),
        FieldChange(("deep", "gone"), "g", ABSENT),
        FieldChange(("deep", "new"), ABSENT, None),
    }


def test_added_deleted_evicted_and_expired_are_told_apart(memory, clock):
    memory.add("oldest", {"n": 1})
    memory.add("second", {"n": 2})
    memory.add("short", {"n": 3}, ttl=5)
    memory.add("last", {"n": 4})
    before = look(memory, clock)
    memory.add("new", {"n": 5})  # evicts the oldest
    memory.delete("last")
    clock.tick(5)
    differences = compare(before, look(memory, clock))
    assert fates(differences) == {
        "new": "added",
        "last": "deleted",
        "short": "expired",
        "oldest": "evicted",
    }
    assert differences[0].fields == (FieldChange(("n",), ABSENT, 5),)
    assert differences[-1].fields == (FieldChange(("n",), 1, ABSENT),)


def test_what_is_gone_from_the_midst_was_deleted_whatever_else_was_evicted(memory, clock):
    for key in "abcd":
        memory.add(key, {})
    before = look(memory, clock)
    memory.delete("c")
    for key in "ef":
        memory.add(key, {})
    assert fates(compare(before, look(memory, clock))) == {
        "f": "added",
        "e": "added",
        "c": "deleted",
        "a": "evicted",
    }


def test_the_table_has_a_row_for_each_field(memory, clock):
    memory.add("a", {"n": 1, "text": "old"})
    memory.add("empty", {})
    before = look(memory, clock)
    memory.add("a", {"n": 2, "text": "new"}, ttl=60)
    memory.delete("empty")
    frame = differences_frame(compare(before, look(memory, clock)))
    assert list(frame.columns) == ["what", "field", "before", "after"]
    assert frame.index.name == "key"
    assert frame.reset_index().to_numpy().tolist() == [
        ["a", "changed", "expires", "never", "2027-01-15 08:01:00Z"],
        ["a", "changed", "n", 1, 2],
        ["a", "changed", "text", "old", "new"],
        ["empty", "deleted", "", "", ""],
    ]


KEYS = st.sampled_from("abcdefgh")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS, st.integers(0, 2)),
        st.tuples(st.just("delete"), KEYS, st.just(0)),
        st.tuples(st.just("get"), KEYS, st.just(0)),
    ),
    max_size=20,
)


@given(STEPS, STEPS)
def test_differences_are_those_of_two_dictionaries(first, second):
    clock = Clock()
    memory = MemoryPrimitive(max_size=5, clock=clock).sync

    def run(steps) -> None:
        for verb, key, number in steps:
            if verb == "add":
                memory.add(key, {"n": number})
            else:
                getattr(memory, verb)(key)

    run(first)
    before, old = look(memory, clock), {record.key: record.value for record in memory.records()}
    run(second)
    after, new = look(memory, clock), {record.key: record.value for record in memory.records()}

    found = fates(compare(before, after))
    assert {key for key, what in found.items() if what == "added"} == new.keys() - old.keys()
    assert {key for key, what in found.items() if what == "changed"} == {
        key for key in new.keys() & old.keys() if new[key] != old[key]
    }
    gone = {key for key, what in found.items() if what in ("deleted", "evicted", "expired")}
    assert gone == old.keys() - new.keys()
    assert Counter(found.values())["evicted"] <= after.evictions - before.evictions
