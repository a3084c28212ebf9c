"""The contract of all backends: recency, capacity, and namespaces, each of which has its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_KIND

from contract.reading import everything, fill, keys_of
from tta_memory_nb import InvalidArgument
from tta_memory_nb.entry import new_entry
from tta_memory_nb.stores.base import Change

# A test with a mark of its own runs on those backends only.
pytestmark = pytest.mark.backends(*EVERY_BACKEND)


# ---- recency and capacity


def test_keys_come_oldest_first_and_records_newest_first(memory):
    fill(memory, "a", "b", "c")
    assert memory.keys() == ["a", "b", "c"]
    assert keys_of(memory.records()) == ["c", "b", "a"]


def test_an_add_moves_its_record_to_the_newest_place(memory):
    fill(memory, "a", "b", "a")
    assert memory.keys() == ["b", "a"]


def test_an_add_above_the_capacity_evicts_the_least_recently_used(make):
    memory = make(max_size=2)
    fill(memory, "a", "b", "a", "c")
    assert memory.keys() == ["a", "c"]
    assert memory.get("b") is None
    assert memory.evictions == 1


def test_a_get_refreshes_recency(make):
    memory = make(max_size=2)
    fill(memory, "a", "b")
    memory.get("a")
    memory.add("c", {"text": "c"})
    assert memory.keys() == ["a", "c"]


@pytest.mark.parametrize("verb", ["get_many", "get_records"])
def test_reading_many_makes_each_newest_in_the_order_asked(memory, verb):
    fill(memory, "a", "b", "c", "d")
    getattr(memory, verb)(["c", "missing", "a"])
    assert memory.keys() == ["b", "d", "c", "a"]


@pytest.mark.parametrize(
    "look",
    [
        lambda memory: memory.search("a"),
        lambda memory: memory.search_records("a"),
        lambda memory: memory.records(),
        lambda memory: memory.keys(prefix="a"),
        lambda memory: memory.count("a"),
        lambda memory: memory.ttl("a"),
        lambda memory: memory.stats(),
        lambda memory: memory.get("missing"),
    ],
    ids=["search", "search_records", "records", "keys", "count", "ttl", "stats", "get of missing"],
)
def test_reading_does_not_refresh_recency(memory, look):
    fill(memory, "a", "b")
    look(memory)
    assert memory.keys() == ["a", "b"]


def test_a_capacity_of_zero_keeps_nothing(make):
    memory = make(max_size=0)
    memory.add("a", {"text": "a"})
    assert memory.add_many({"b": {"text": "b"}}, ttl=10) == 1
    assert everything(memory) == ([], [], 0, 0)
    assert memory.get("a") is None


def test_a_smaller_capacity_evicts_at_once_and_undo_restores_the_evicted_records(memory):
    fill(memory, "a", "b", "c")
    change = memory.resize(1)
    assert memory.max_size == 1
    assert memory.keys() == ["c"]
    assert [entry.key for entry in change.removed] == ["a", "b"]
    assert change.evicted == memory.evictions == 2
    memory.resize(3)
    memory.undo(change)
    assert memory.keys() == ["a", "b", "c"]


def test_a_larger_capacity_holds_more(make):
    memory = make(max_size=1)
    assert memory.resize(2) == Change(max_size=1)
    assert memory.resize(2) == Change()
    fill(memory, "a", "b", "c")
    assert memory.keys() == ["b", "c"]


def test_undo_of_a_resize_restores_the_capacity_first(memory):
    fill(memory, "a", "b", "c")
    change = memory.resize(1)
    back = memory.undo(change)
    assert (memory.max_size, memory.keys()) == (1000, ["a", "b", "c"])
    assert memory.evictions == 2
    memory.undo(back)
    assert (memory.max_size, memory.keys()) == (1, ["c"])


def test_a_change_can_be_given_the_capacity_that_its_undo_restores(memory, store, clock):
    memory.resize(1)
    fill(memory, "a")
    store.resize(3)
    change = store.put([new_entry(key, {}, clock.now, None) for key in "bc"])
    memory.undo(replace(change, max_size=1))
    assert (memory.max_size, memory.keys(), memory.evictions) == (1, ["a"], 0)


def test_records_that_undo_restores_beyond_the_capacity_are_not_counted_as_evictions(make):
    memory = make(max_size=2)
    fill(memory, "a", "b")
    change = memory.remove(["a"])
    fill(memory, "c")
    memory.undo(change)
    assert (memory.keys(), memory.evictions) == (["b", "c"], 0)


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_numbers_of_numpy_are_numbers(memory):
    fill(memory, "a", "b", "c")
    assert keys_of(memory.records(np.int64(2))) == ["c", "b"]
    memory.resize(np.int32(2))
    assert (memory.max_size, type(memory.max_size)) == (2, int)
    memory.add("d", {}, ttl=np.float32(10))
    assert memory.ttl("d") == 10
    with pytest.raises(InvalidArgument, match="limit="):
        memory.records(np.True_)


def test_clear_deletes_everything_and_the_memory_stays_usable(memory):
    fill(memory, "a", "b")
    memory.add("c", {"text": "c"}, ttl=10)
    memory.clear()
    assert everything(memory) == ([], [], 0, 1000)
    fill(memory, "d")
    assert memory.keys() == ["d"]


def test_cleared_records_are_not_counted_as_evictions(memory):
    fill(memory, "a", "b")
    memory.clear()
    assert memory.evictions == 0


# ---- namespaces

HOSTILE = ["a", "A", "a:b", "a:*", "*", "{a}", "a}{b", "[a]", "a\\", "a b", "ü", "\n", "default"]


def test_a_namespace_sees_itself_and_nothing_else(make):
    memories = {name: make(namespace=name) for name in HOSTILE}
    for name, memory in memories.items():
        memory.add("k", {"text": f"of {name}"})
    for name, memory in memories.items():
        [record] = memory.records()
        assert (record.namespace, record.value) == (name, {"text": f"of {name}"})
        assert memory.search("of") == [{"text": f"of {name}"}]
        assert (memory.size(), memory.keys(), memory.count("of")) == (1, ["k"], 1)


def test_clearing_a_namespace_leaves_all_others(make):
    memories = {name: make(namespace=name) for name in HOSTILE}
    for memory in memories.values():
        fill(memory, "k")
    for name, cleared in memories.items():
        cleared.clear()
        assert [other for other, memory in memories.items() if memory.size() == 0] == [name]
        fill(cleared, "k")


def test_a_capacity_belongs_to_its_namespace(make):
    one, other = make(max_size=1, namespace="one"), make(max_size=1, namespace="other")
    fill(one, "a")
    fill(other, "b")
    assert (one.keys(), other.keys()) == (["a"], ["b"])
