"""The contract of all backends: times to live."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_KIND

from contract.reading import fill
from tta_memory_nb import SyncMemory
from tta_memory_nb.stores.base import Change

# A test with a mark of its own runs on those backends only.
pytestmark = pytest.mark.backends(*EVERY_BACKEND)


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize("ttl", [10, 10.0, timedelta(seconds=10), "10", "10s", " 10s "], ids=repr)
def test_a_ttl_is_taken_in_every_form(memory, clock, ttl):
    memory.add("k", {"text": "rain"}, ttl=ttl)
    assert memory.ttl("k") == 10
    clock.tick(9.5)
    assert memory.ttl("k") == 0.5
    assert memory.get("k") == {"text": "rain"}
    clock.tick(0.5)
    assert memory.get("k") is None
    assert memory.ttl("k") is None


# The result of each verb when the only record expires at this very instant.
LOOKS: dict[str, tuple[Callable[[SyncMemory], Any], Any]] = {
    "get": (lambda memory: memory.get("k"), None),
    "get_many": (lambda memory: memory.get_many(["k"]), {}),
    "get_records": (lambda memory: memory.get_records(["k"]), []),
    "ttl": (lambda memory: memory.ttl("k"), None),
    "delete": (lambda memory: memory.delete("k"), False),
    "size": (lambda memory: memory.size(), 0),
    "keys": (lambda memory: memory.keys(), []),
    "filtered keys": (lambda memory: memory.keys(prefix="k"), []),
    "records": (lambda memory: memory.records(), []),
    "search": (lambda memory: memory.search("rain"), []),
    "search_records": (lambda memory: memory.search_records("rain"), []),
    "count": (lambda memory: memory.count(), 0),
    "count of a query": (lambda memory: memory.count("rain"), 0),
    "remove by key": (lambda memory: memory.remove(["k"]), Change()),
    "remove by filter": (lambda memory: memory.remove(prefix="k"), Change()),
    "take_all": (lambda memory: memory.take_all(), Change()),
    "resize": (lambda memory: memory.resize(0), Change(max_size=1000)),
    "stats": (lambda memory: memory.stats(), {"bytes": 0, "stored": 0, "expiring": 0}),
}


@pytest.mark.parametrize("verb", LOOKS)
def test_an_expired_record_does_not_exist_at_the_very_instant(memory, clock, verb):
    look, nothing = LOOKS[verb]
    memory.add("k", {"text": "rain"}, ttl=10)
    clock.tick(10)
    assert look(memory) == nothing


def test_an_expired_record_is_not_exported(memory, clock, tmp_path):
    memory.add("k", {"text": "rain"}, ttl=10)
    clock.tick(10)
    fill(memory, "stays")
    assert memory.export(str(tmp_path / "out.jsonl")) == 1
    assert '"rain"' not in (tmp_path / "out.jsonl").read_text("utf-8")


def test_expired_records_are_counted(memory, clock):
    memory.add_many({"a": {}, "b": {}}, ttl=10)
    memory.add("stays", {})
    assert (memory.size(), memory.expired) == (3, 0)
    clock.tick(10)
    assert (memory.size(), memory.expired) == (1, 2)
    memory.add("c", {}, ttl=5)
    clock.tick(5)
    memory.add("d", {})
    assert (memory.size(), memory.expired) == (2, 3)


def test_an_expired_record_takes_no_other_with_it(memory, clock):
    memory.add("a", {"n": 1}, ttl=10)
    memory.add("b", {"n": 2}, ttl=20)
    memory.add("c", {"n": 3})
    clock.tick(10)
    assert memory.keys() == ["b", "c"]
    clock.tick(10)
    assert memory.keys() == ["c"]


@pytest.mark.parametrize("again", ["add", "add_many"])
def test_adding_again_without_a_ttl_clears_it(memory, clock, again):
    memory.add("k", {"n": 1}, ttl=10)
    if again == "add":
        memory.add("k", {"n": 2})
    else:
        memory.add_many({"k": {"n": 2}})
    assert memory.ttl("k") is None
    clock.tick(11)
    assert memory.get("k") == {"n": 2}


@pytest.mark.parametrize(("first", "second"), [(10, 20), (20, 10)])
def test_adding_again_with_a_ttl_counts_from_then(memory, clock, first, second):
    memory.add("k", {"n": 1}, ttl=first)
    clock.tick(5)
    memory.add("k", {"n": 2}, ttl=second)
    clock.tick(second - 1)
    assert memory.get("k") == {"n": 2}
    clock.tick(1)
    assert memory.get("k") is None


def test_a_get_does_not_prolong_a_ttl(memory, clock):
    memory.add("k", {}, ttl=10)
    clock.tick(9)
    memory.get("k")
    clock.tick(1)
    assert memory.get("k") is None


def test_an_expired_record_is_created_anew(memory, clock):
    memory.add("k", {"n": 1}, ttl=10)
    clock.tick(10)
    memory.add("k", {"n": 2})
    assert memory.records()[0].created_at == clock.now


def test_expired_records_are_removed_before_anything_is_evicted(make, clock):
    memory = make(max_size=2)
    fill(memory, "a")
    memory.add("b", {}, ttl=10)
    clock.tick(10)
    fill(memory, "c")
    assert memory.keys() == ["a", "c"]
    assert memory.evictions == 0


def test_a_ttl_does_not_make_a_record_older_or_newer(memory, clock):
    memory.add("a", {}, ttl=30)
    memory.add("b", {}, ttl=10)
    memory.add("c", {}, ttl=20)
    assert memory.keys() == ["a", "b", "c"]
    clock.tick(10)
    assert memory.keys() == ["a", "c"]
