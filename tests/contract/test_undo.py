"""The contract of all backends: what was removed, and how changes are taken back."""

from __future__ import annotations

import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_KIND, calls

from contract.reading import everything, fill
from tta_memory_nb import InvalidArgument
from tta_memory_nb.entry import new_entry
from tta_memory_nb.stores.base import Change

# A test with a mark of its own runs on those backends only.
pytestmark = pytest.mark.backends(*EVERY_BACKEND)


def test_remove_returns_the_removed_records(memory):
    fill(memory, "a", "b", "c")
    change = memory.remove(["c", "missing", "a", "c"])
    assert sorted(entry.key for entry in change.removed) == ["a", "c"]
    assert change.evicted == 0
    assert memory.keys() == ["b"]


def test_undo_restores_values_instants_and_recency_exactly(memory, clock):
    for key in "abcd":
        memory.add(key, {"text": key}, ttl=100 if key == "b" else None)
        clock.tick()
    memory.get("a")
    before = everything(memory)
    change = memory.remove(["a", "b", "d"])
    clock.tick()
    memory.undo(change)
    assert everything(memory) == before


@pytest.mark.parametrize("taken", ["all", "filter"])
def test_undo_takes_back_every_way_of_deleting(memory, taken):
    fill(memory, "a", "b", "c")
    before = everything(memory)
    change = memory.take_all() if taken == "all" else memory.remove(prefix="b")
    assert memory.size() < 3
    memory.undo(change)
    assert everything(memory) == before


def test_undo_keeps_records_that_were_written_later(memory):
    fill(memory, "a", "b", "c")
    change = memory.remove(["a", "b"])
    memory.add("a", {"text": "later"})
    memory.add("d", {"text": "d"})
    back = memory.undo(change)
    assert memory.keys() == ["b", "c", "a", "d"]
    assert memory.get("a") == {"text": "later"}
    assert [entry.key for entry in back.written] == ["b"]


def test_undo_does_not_restore_records_that_have_expired_since(memory, clock):
    memory.add("a", {}, ttl=10)
    memory.add("b", {}, ttl=20)
    change = memory.take_all()
    clock.tick(10)
    back = memory.undo(change)
    assert [entry.key for entry in back.written] == ["b"]
    assert memory.keys() == ["b"]
    assert memory.ttl("b") == 10
    clock.tick(10)
    assert memory.keys() == []


def test_undo_restores_a_record_if_its_replacement_has_expired(memory, clock):
    fill(memory, "a")
    change = memory.remove(["a"])
    memory.add("a", {"text": "later"}, ttl=10)
    clock.tick(10)
    memory.undo(change)
    assert memory.get("a") == {"text": "a"}


def test_restored_records_are_searched_and_expire_as_before(memory, clock):
    memory.add("a", {"text": "rain"}, ttl=10)
    memory.undo(memory.remove(["a"]))
    assert memory.search("rain") == [{"text": "rain"}]
    clock.tick(10)
    assert memory.search("rain") == []


def test_a_change_is_undone_only_by_the_memory_that_was_changed(make):
    mine, other = make(), make()
    mine.add("k", {"v": 1})
    change = mine.take_all()
    with pytest.raises(InvalidArgument, match="made to another memory"):
        other.undo(change)
    assert other.size() == 0
    mine.undo(change)
    assert mine.get("k") == {"v": 1}


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize("items", [["ab"], [("a", {}), "k"], [("a", {}, 1)], [None]])
def test_add_many_refuses_items_that_are_no_pairs_and_adds_nothing(memory, items):
    with pytest.raises(InvalidArgument, match=r"items\[\d\]: <\w+> is no \(key, value\) pair"):
        memory.add_many(items)
    assert memory.size() == 0


def test_undoing_twice_does_nothing_more(memory):
    fill(memory, "a", "b")
    change = memory.remove(["a"])
    memory.undo(change)
    before = everything(memory)
    assert memory.undo(change) == Change()
    assert everything(memory) == before


def test_an_undo_can_be_undone(memory):
    fill(memory, "a", "b", "c")
    change = memory.remove(["a", "c"])
    before = everything(memory)
    back = memory.undo(change)
    assert memory.keys() == ["a", "b", "c"]
    memory.undo(back)
    assert everything(memory) == before


def test_an_undo_into_a_full_memory_reports_only_the_restored_records(make):
    memory = make(max_size=2)
    fill(memory, "a", "b")
    change = memory.remove(["a"])
    fill(memory, "c")
    back = memory.undo(change)
    assert memory.keys() == ["b", "c"]
    assert back == Change()


def test_an_undo_that_evicts_other_records_can_be_undone(make):
    memory = make(max_size=2)
    fill(memory, "a", "b")
    memory.get("a")
    change = memory.remove(["a"])
    fill(memory, "c")
    back = memory.undo(change)
    assert memory.keys() == ["a", "c"]
    assert ([entry.key for entry in back.removed], back.evicted) == (["b"], 1)
    memory.undo(back)
    assert memory.keys() == ["b", "c"]


def test_undoing_a_write_restores_replaced_and_evicted_records(make, clock):
    memory = make(max_size=2)
    fill(memory, "a", "b")
    before = everything(memory)
    clock.tick()
    change = calls(memory).put(
        [new_entry(key, {"text": "new"}, clock.now, None) for key in ("b", "c", "c")]
    )
    assert memory.keys() == ["b", "c"]
    assert sorted(entry.key for entry in change.removed) == ["a", "b"]
    assert change.evicted == 1
    memory.undo(change)
    assert everything(memory) == before


def test_undoing_a_write_keeps_later_writes(memory, store, clock):
    fill(memory, "a")
    change = store.put([new_entry(key, {"text": "1"}, clock.now, None) for key in "ab"])
    memory.add("a", {"text": "2"})
    memory.undo(change)
    assert everything(memory)[0] == ["a"]
    assert memory.get("a") == {"text": "2"}
