"""The contract of all backends: records, one and many, their values, and what of them is still encoded."""

from __future__ import annotations

from typing import Any

import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_KIND

from contract.reading import everything, fill, keys_of
from tta_memory_nb import InvalidArgument, MemoryRecord, NotStorable
from tta_memory_nb.entry import recency
from tta_memory_nb.search.request import ALL, Search
from tta_memory_nb.stores.base import Change

# A test with a mark of its own runs on those backends only.
pytestmark = pytest.mark.backends(*EVERY_BACKEND)


# ---- encoded entries and change tokens


def test_entries_are_the_same_records_still_encoded(memory):
    memory.add("ann:1", {"text": "rain"}, ttl=60)
    fill(memory, "ann:2", "bob:1")
    assert [entry.record(memory.namespace) for entry in memory.entries()] == memory.records()
    assert [entry.key for entry in memory.entries("ANN", limit=1)] == ["ann:2"]
    assert [entry.key for entry in memory.entries(None, 1, user="ann")] == ["ann:2"]
    assert memory.entries("") == []
    with pytest.raises(InvalidArgument, match="limit"):
        memory.entries(limit=0)


def test_peek_returns_existing_records_and_keeps_their_recency(memory, clock):
    memory.add("short", {"text": "short"}, ttl=60)
    fill(memory, "a", "b")
    peeked = memory.peek(["b", "nobody", "short", "a"])
    assert [entry.key for entry in peeked] == ["b", "short", "a"]
    assert [entry.value() for entry in peeked] == [{"text": key} for key in ("b", "short", "a")]
    assert memory.keys() == ["short", "a", "b"]
    clock.tick(60)
    assert memory.peek(["short"]) == []
    with pytest.raises(InvalidArgument, match="list of keys"):
        memory.peek("short")


def test_the_change_token_differs_after_every_visible_change(memory, clock):
    fill(memory, "a", "b", "c")
    memory.add("d", {"text": "d"}, ttl=60)
    tokens = [memory.change_token()]
    gone: list[Change] = []
    for step in (
        lambda: memory.add("e", {"text": "e"}),
        lambda: memory.add("e", {"text": "another"}),
        lambda: memory.get("a"),
        lambda: gone.append(memory.remove(["b"])),
        lambda: gone.append(memory.remove(["c"])),
        lambda: memory.undo(gone[0]),
        lambda: clock.tick(60),
        lambda: memory.resize(2),
        lambda: memory.resize(1),
        memory.clear,
    ):
        assert memory.change_token() == tokens[-1]
        step()
        tokens.append(memory.change_token())
    assert len(set(tokens)) == len(tokens)


@pytest.mark.parametrize(
    "look",
    [
        lambda memory: memory.search("a"),
        lambda memory: memory.records(),
        lambda memory: memory.count("a"),
        lambda memory: memory.ttl("a"),
        lambda memory: memory.get("nobody"),
    ],
    ids=["search", "records", "count", "ttl", "get"],
)
def test_reading_keeps_the_change_token(memory, look):
    fill(memory, "a", "b")
    before = memory.change_token()
    look(memory)
    assert memory.change_token() == before


# ---- one record


def test_a_missing_key_gives_none(memory):
    assert memory.get("nobody:never") is None


def test_a_stored_value_is_returned(memory):
    value = {"text": "It rains in Málaga", "turn": 3, "tags": ["rain", None], "deep": {"x": 1.5}}
    memory.add("alice:monday", value)
    assert memory.get("alice:monday") == value


def test_adding_under_the_same_key_replaces_the_value(memory):
    memory.add("k", {"text": "old", "more": 1})
    memory.add("k", {"text": "new"})
    assert memory.get("k") == {"text": "new"}
    assert memory.size() == 1


@pytest.mark.parametrize(
    "key",
    ["a b", "ключ", "🙂", "{a}", "a*?[b]", "line\nbreak", "\x00", "x" * 10_000, "\ud800", ":"],
)
def test_any_non_empty_text_is_a_key(memory, key):
    memory.add(key, {"text": "here"})
    assert memory.get(key) == {"text": "here"}
    assert memory.keys() == [key]
    assert memory.delete(key)


def test_keys_that_look_alike_are_different(memory):
    alike = ["k", "K", "k ", "é", "e\u0301", "1", "01"]
    for key in alike:
        memory.add(key, {"text": key})
    assert memory.get_many(alike) == {key: {"text": key} for key in alike}


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    "read",
    [
        lambda memory: memory.get("k"),
        lambda memory: memory.get_many(["k"])["k"],
        lambda memory: memory.search("rain")[0],
        lambda memory: memory.records()[0].value,
        lambda memory: memory.get_records(["k"])[0].value,
        lambda memory: memory.search_records("rain")[0].value,
    ],
    ids=["get", "get_many", "search", "records", "get_records", "search_records"],
)
def test_a_stored_value_shares_nothing_with_its_readers_and_its_writer(memory, read):
    mine: dict[str, Any] = {"text": "rain", "tags": ["a"], "deep": {"x": [1]}}
    memory.add("k", mine)
    mine["text"] = "changed"
    mine["tags"].append("changed")
    mine["deep"]["x"].append("changed")
    read(memory)["tags"].append("changed")
    read(memory)["deep"]["x"].append("changed")
    assert read(memory) == {"text": "rain", "tags": ["a"], "deep": {"x": [1]}}


def test_delete_returns_whether_there_was_a_record(memory):
    fill(memory, "a", "b")
    assert memory.delete("a") is True
    assert memory.delete("a") is False
    assert memory.get("a") is None
    assert memory.keys() == ["b"]


# ---- records


def test_a_record_carries_its_instants_and_its_parts(memory, clock):
    created = clock.now
    memory.add("alice:monday", {"text": "1"})
    updated = clock.tick(5)
    memory.add("alice:monday", {"text": "2"}, ttl=60)
    clock.tick(5)
    [record] = memory.records()
    assert record == MemoryRecord(
        "alice:monday", {"text": "2"}, memory.namespace, created, updated, updated + 60
    )
    assert (record.user, record.session) == ("alice", "monday")
    assert (record.score, record.matches) == (None, ())


def test_a_get_does_not_change_the_instants(memory, clock):
    fill(memory, "k")
    before = memory.records()
    clock.tick()
    memory.get("k")
    assert memory.records() == before


def test_records_are_limited_to_the_newest(memory):
    fill(memory, "a", "b", "c")
    assert keys_of(memory.records(2)) == ["c", "b"]
    assert keys_of(memory.get_records(["b", "missing", "a"])) == ["b", "a"]


def test_stats_count_bytes_and_expiring_records(memory):
    memory.add("a", {"t": "é"})
    memory.add("b", {}, ttl=10)
    size = len('{"t":"é"}'.encode()) + len("{}")
    assert memory.stats() == {"bytes": size, "stored": size, "expiring": 1}


# ---- many records


def test_add_many_takes_a_mapping_or_pairs(memory):
    assert memory.add_many({"a": {"n": 1}, "b": {"n": 2}}) == 2
    assert memory.add_many(iter([("c", {"n": 3}), ("a", {"n": 4})]), ttl="10s") == 2
    assert memory.keys() == ["b", "c", "a"]
    assert memory.get_many(["a", "b"]) == {"a": {"n": 4}, "b": {"n": 2}}
    assert [memory.ttl(key) for key in "abc"] == [10, None, 10]


def test_add_many_above_the_capacity_keeps_the_last(make):
    memory = make(max_size=2)
    assert memory.add_many({key: {} for key in "abc"}) == 3
    assert memory.keys() == ["b", "c"]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    ("broken", "error", "named"),
    [
        (("k", {"x": object()}), NotStorable, r"items\['k'\]\['x'\]"),
        (("k", 7), NotStorable, r"items\['k'\]"),
        (("", {}), InvalidArgument, "key=''"),
        ((7, {}), InvalidArgument, "key=7"),
    ],
)
def test_add_many_adds_all_or_nothing(memory, broken, error, named):
    fill(memory, "a")
    before = everything(memory)
    with pytest.raises(error, match=named):
        memory.add_many([("b", {}), broken, ("c", {})])
    assert everything(memory) == before


def test_get_many_gives_the_keys_that_exist(memory):
    fill(memory, "a", "b")
    assert memory.get_many(["b", "missing", "b"]) == {"b": {"text": "b"}}
    assert memory.get_many(iter(["a"])) == {"a": {"text": "a"}}
    assert memory.get_many([]) == {}


# ---- the verbs of a store, one layer below


def test_a_store_fetches_finds_and_counts_entries(memory, store):
    fill(memory, "a1", "b", "a2")
    assert [entry.key for entry in store.fetch(["b", "missing", "a1"])] == ["b", "a1"]
    assert [entry.key for entry in store.find(Search("a"))] == ["a1", "a2"]
    assert [entry.key for entry in store.find(Search(limit=2))] == ["a1", "b"]
    assert (store.count(ALL), store.count(Search("a")), store.size()) == (3, 2, 3)
    assert store.keys() == ["a2", "b", "a1"]


def test_recency_rises_with_use(memory, store):
    fill(memory, "a", "b", "c")
    memory.get("a")
    places = [recency(entry) for entry in store.find()]
    assert places == sorted(places, reverse=True)
    assert len(set(places)) == 3
