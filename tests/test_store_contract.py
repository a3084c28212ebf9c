"""The contract of all backends, written once and run on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any, TypeAlias

import numpy as np
import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_KIND, WITH_A_STAND_IN, Calls, Clock, calls

from tta_memory_nb import InvalidArgument, MemoryRecord, NotStorable, SyncMemory
from tta_memory_nb.entry import new_entry, recency
from tta_memory_nb.errors import brief
from tta_memory_nb.search.request import ALL, Search
from tta_memory_nb.stores.base import Change

MakeMemory: TypeAlias = Callable[..., SyncMemory]


# A test with a mark of its own runs on those backends only.
pytestmark = pytest.mark.backends(*EVERY_BACKEND)


@pytest.fixture
def make(backend: str, request: pytest.FixtureRequest, clock: Clock) -> Iterator[MakeMemory]:
    """Makes memories of one backend; each test has a namespace of its own."""
    made: list[SyncMemory] = []

    def make_memory(max_size: int = 1000, namespace: str = request.node.name) -> SyncMemory:
        open_memory = WITH_A_STAND_IN[backend]
        memory = open_memory(max_size=max_size, namespace=namespace, clock=clock).sync
        made.append(memory)
        return memory

    yield make_memory
    for memory in made:
        memory.clear()
        memory.close()


@pytest.fixture
def memory(make: MakeMemory) -> SyncMemory:
    return make()


@pytest.fixture
def store(memory: SyncMemory) -> Calls:
    return calls(memory)


def fill(memory: SyncMemory, *keys: str) -> None:
    """Adds a record under each key, in order, whose text is the key."""
    for key in keys:
        memory.add(key, {"text": key})


def keys_of(records: list[MemoryRecord]) -> list[str]:
    return [record.key for record in records]


def everything(memory: SyncMemory) -> tuple[list[str], list[MemoryRecord], int, int | None]:
    """Returns all that a user can read from a memory."""
    return memory.keys(), memory.records(), memory.size(), memory.max_size


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


# ---- search


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_an_empty_query_finds_nothing(memory):
    fill(memory, "a")
    assert memory.search("") == []
    assert memory.search_records("") == []
    assert memory.count("") == 0


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("RAIN", "It rains"),
        ("málaga", "MÁLAGA"),
        ("ma\u0301laga", "Málaga"),
        ("strasse", "Straße"),
        ("STRASSE", "straße"),
        ("ΟΔΥΣΣΕΥΣ", "Οδυσσευς"),
        ("ﬁne", "FINE"),
        ("天気", "今日の天気は"),
        ("🙂", "well 🙂!"),
        ("two words", "these Two Words here"),
        ("\u2028", "one\u2028two"),
    ],
)
def test_a_search_ignores_case_and_unicode_composition(memory, query, text):
    memory.add("k", {"text": text})
    memory.add("other", {"text": "nothing of the kind"})
    assert memory.search(query) == [{"text": text}]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_a_search_reads_field_names_and_every_kind_of_leaf(memory):
    value = {"Weather": {"wind": [12.5, True, None, "SE"]}, "n": -7}
    memory.add("k", value)
    for query in ("weather", "WIND", "12.5", "true", "null", "se", "-7", "n"):
        assert memory.search(query) == [value], query


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize("query", ["{", "}", '"', "[", "]", ":", ",", "\\u", "\\n", "name, ", "ab"])
def test_json_punctuation_escapes_and_borders_never_match(memory, query):
    memory.add("k", {"name": "a", "b": ["á", "c"], "break": "x\ny"})
    assert memory.search(query) == []


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_the_key_is_not_searched(memory):
    memory.add("alice:monday", {"text": "rain"})
    assert memory.search("alice") == []


def test_hits_come_newest_first_where_reading_counts_too(memory):
    fill(memory, "rain 1", "rain 2", "sun", "rain 3")
    memory.get("rain 1")
    assert memory.search("rain") == [{"text": "rain 1"}, {"text": "rain 3"}, {"text": "rain 2"}]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_a_search_returns_five_records_by_default(memory):
    fill(memory, *(f"rain {n}" for n in range(9)))
    assert len(memory.search("rain")) == 5
    assert memory.search("rain", limit=2) == [{"text": "rain 8"}, {"text": "rain 7"}]
    assert len(memory.search("rain", limit=None)) == 9
    assert keys_of(memory.search_records("rain", limit=1)) == ["rain 8"]
    assert len(memory.search_records("rain")) == 5


def test_a_replaced_value_is_not_found_any_more(memory):
    memory.add("k", {"text": "rain"})
    memory.add("k", {"text": "sun"})
    assert memory.search("rain") == []
    assert memory.search("sun") == [{"text": "sun"}]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_a_hit_says_where_it_matched(memory):
    memory.add("k", {"rain": 1, "agent": {"tags": ["sun", "Rain"]}, "text": "no"})
    [hit] = memory.search_records("rain")
    assert hit.matches == ("rain", "agent.tags[1]")
    assert hit.score == 1.0


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


# ---- time to live


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


@pytest.mark.parametrize("name", HOSTILE)
def test_clearing_a_namespace_leaves_all_others(make, name):
    memories = {other: make(namespace=other) for other in HOSTILE}
    for memory in memories.values():
        fill(memory, "k")
    memories[name].clear()
    assert [other for other, memory in memories.items() if memory.size() == 0] == [name]


def test_a_capacity_belongs_to_its_namespace(make):
    one, other = make(max_size=1, namespace="one"), make(max_size=1, namespace="other")
    fill(one, "a")
    fill(other, "b")
    assert (one.keys(), other.keys()) == (["a"], ["b"])


# ---- filters

START = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)

# One record a minute.
TALK: dict[str, dict[str, Any]] = {
    "alice:monday": {"turn": 1, "text": "rain", "agent": {"name": "Ann"}, "tags": ["a", "b"]},
    "alice:monday:0123abcd": {"turn": 2, "text": "rain", "agent": {"name": "Bob"}, "ok": True},
    "alice:tuesday": {"turn": 2.5, "text": "sun", "ok": 1, "tags": []},
    "bob:monday": {"turn": "2", "text": "rain", "ok": None, "agent.name": "Ann", "tags": "ab"},
    "bobby:monday": {"turn": True, "day": date(2026, 11, 22), "agent": "Ann", "tags": [["a"], 1]},
    "note": {"text": "rain", "agent": {"boss": {"name": "Zoë"}}, "tags": [True, {"a": 1}]},
}
A1, A2, A3, B1, B2, NOTE = TALK

FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    # by key
    ({"user": "alice"}, [A1, A2, A3]),
    ({"user": "bob"}, [B1]),
    ({"user": "ali"}, []),
    ({"user": ""}, []),
    ({"session": "monday"}, [A1, A2, B1, B2]),
    ({"user": "alice", "session": "monday"}, [A1, A2]),
    ({"session": "0123abcd"}, []),
    ({"prefix": "bob"}, [B1, B2]),
    ({"prefix": "bob:"}, [B1]),
    ({"prefix": "BOB"}, []),
    ({"prefix": ""}, list(TALK)),
    ({"prefix": "*"}, []),
    # by instant, both ends inclusive; the last record is written at 12:05, and it is 12:10
    ({"since": START + timedelta(minutes=4)}, [B2, NOTE]),
    ({"until": START + timedelta(minutes=1)}, [A1, A2]),
    ({"since": "2026-11-22T12:02Z", "until": "2026-11-22T12:03Z"}, [A3, B1]),
    ({"since": START.timestamp() + 300}, [NOTE]),
    ({"since": "6m"}, [B2, NOTE]),
    ({"until": timedelta(minutes=10)}, [A1]),
    ({"since": "2026-11-22"}, list(TALK)),
    ({"until": date(2026, 11, 22)}, []),
    # equality, where JSON's types count
    ({"where": {"turn": 2}}, [A2]),
    ({"where": {"turn": 2.0}}, [A2]),
    ({"where": {"turn": "2"}}, [B1]),
    ({"where": {"turn": 1}}, [A1]),
    ({"where": {"turn": True}}, [B2]),
    ({"where": {"ok": True}}, [A2]),
    ({"where": {"ok": 1}}, [A3]),
    ({"where": {"ok": None}}, [B1]),
    ({"where": {"text": "rain", "turn": {"$gte": 1}}}, [A1, A2]),
    ({"where": {"text": "RAIN"}}, []),
    ({"where": {"tags": ["a", "b"]}}, [A1]),
    ({"where": {"tags": ("a", "b")}}, [A1]),
    ({"where": {"tags": []}}, [A3]),
    ({"where": {"tags": [1, {"a": 1}]}}, []),
    ({"where": {"agent": {"name": "Ann"}}}, [A1]),
    ({"where": {"day": date(2026, 11, 22)}}, [B2]),
    ({"where": {}}, list(TALK)),
    # dotted: a path, or a name that holds dots itself
    ({"where": {"agent.name": "Ann"}}, [A1, B1]),
    ({"where": {"agent.boss.name": "Zoë"}}, [NOTE]),
    ({"where": {"agent.boss": {"name": "Zoë"}}}, [NOTE]),
    ({"where": {"agent.": "Ann"}}, []),
    # operators
    ({"where": {"turn": {"$eq": 2}}}, [A2]),
    ({"where": {"turn": {"$ne": 2}}}, [A1, A3, B1, B2, NOTE]),
    ({"where": {"turn": {"$gt": 1}}}, [A2, A3]),
    ({"where": {"turn": {"$gte": 2}}}, [A2, A3]),
    ({"where": {"turn": {"$lt": 2}}}, [A1]),
    ({"where": {"turn": {"$lte": 2}}}, [A1, A2]),
    ({"where": {"turn": {"$gt": 1, "$lt": 2.5}}}, [A2]),
    ({"where": {"turn": {"$gte": "2"}}}, [B1]),
    ({"where": {"text": {"$gt": "rain"}}}, [A3]),
    ({"where": {"day": {"$lt": date(2026, 11, 23)}}}, [B2]),
    ({"where": {"turn": {"$in": [1, "2"]}}}, [A1, B1]),
    ({"where": {"turn": {"$in": (True,)}}}, [B2]),
    ({"where": {"turn": {"$in": []}}}, []),
    ({"where": {"turn": {"$nin": [1, 2, 2.5]}}}, [B1, B2, NOTE]),
    ({"where": {"ok": {"$nin": [None]}}}, [A1, A2, A3, B2, NOTE]),
    ({"where": {"ok": {"$exists": True}}}, [A2, A3, B1]),
    ({"where": {"ok": {"$exists": False}}}, [A1, B2, NOTE]),
    ({"where": {"agent.name": {"$exists": True}}}, [A1, A2, B1]),
    ({"where": {"tags": {"$contains": "a"}}}, [A1, B1]),
    ({"where": {"tags": {"$contains": ["a"]}}}, [B2]),
    ({"where": {"tags": {"$contains": 1}}}, [B2]),
    ({"where": {"tags": {"$contains": True}}}, [NOTE]),
    ({"where": {"tags": {"$contains": {"a": 1}}}}, [NOTE]),
    ({"where": {"text": {"$contains": "ai"}}}, [A1, A2, B1, NOTE]),
    ({"where": {"turn": {"$contains": 2}}}, []),
    # all of them together
    ({"user": "alice", "since": "9m", "where": {"text": "rain"}}, [A2]),
]


@pytest.fixture
def talk(memory: SyncMemory, clock: Clock) -> SyncMemory:
    clock.now = START.timestamp()
    for key, value in TALK.items():
        memory.add(key, value)
        clock.tick(60)
    clock.now = START.timestamp() + 600
    return memory


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize(("filters", "expected"), FILTERS, ids=[str(case[0]) for case in FILTERS])
def test_every_verb_understands_the_same_filters(talk, filters, expected):
    assert talk.keys(**filters) == expected
    assert keys_of(talk.records(**filters)) == expected[::-1]
    assert talk.count(**filters) == len(expected)
    rainy = [key for key in expected if TALK[key].get("text") == "rain"]
    assert keys_of(talk.search_records("rain", None, **filters)) == rainy[::-1]
    assert talk.count("rain", **filters) == len(rainy)
    if talk.keys(**filters) != list(TALK):
        talk.remove(**filters)
        assert talk.keys() == [key for key in TALK if key not in expected]


def test_each_kind_of_filter_is_understood_on_every_backend(talk):
    for filters, expected in (
        ({"user": "alice", "session": "monday"}, [A1, A2]),
        ({"prefix": "bob"}, [B1, B2]),
        ({"since": "2026-11-22T12:02Z", "until": "2026-11-22T12:03Z"}, [A3, B1]),
        ({"since": "9m", "where": {"text": "rain"}}, [A2, B1, NOTE]),
    ):
        assert talk.keys(**filters) == expected
        assert keys_of(talk.records(**filters)) == expected[::-1]
        rainy = [key for key in expected if TALK[key].get("text") == "rain"]
        assert keys_of(talk.search_records("rain", None, **filters)) == rainy[::-1]
        assert talk.count("rain", **filters) == len(rainy)
    talk.remove(user="alice", until="2026-11-22T12:01Z")
    assert talk.keys() == [A3, B1, B2, NOTE]


def test_a_limit_counts_only_records_that_the_filters_accept(talk):
    assert keys_of(talk.records(2, user="alice")) == [A3, A2]
    assert keys_of(talk.search_records("rain", 1, session="monday")) == [B1]


# ---- remove and undo


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


# ---- bad input

BAD_TTLS = [0, -1, -0.0, float("nan"), float("inf"), True, "", "soon", "10x", "-5s", "0s", [1]]
BAD_TTLS += [timedelta(0), timedelta(seconds=-1), 10**400, 1e12, b"10s", timedelta.max]
BAD_KEYS = ["", None, 7, b"k", ("a",), ["k"]]
BAD_LIMITS = [0, -1, 1.5, True, "5"]

REFUSED: list[tuple[str, Callable[[SyncMemory], Any]]] = [
    *((f"ttl={brief(ttl)}", lambda memory, ttl=ttl: memory.add("a", {}, ttl)) for ttl in BAD_TTLS),
    *(
        (f"ttl={brief(ttl)}", lambda memory, ttl=ttl: memory.add_many({"a": {}}, ttl))
        for ttl in BAD_TTLS[:3]
    ),
    *(
        (f"key={key!r}", lambda memory, key=key, verb=verb: verb(memory, key))
        for key in BAD_KEYS
        for verb in (
            lambda memory, key: memory.add(key, {}),
            lambda memory, key: memory.get(key),
            lambda memory, key: memory.delete(key),
            lambda memory, key: memory.ttl(key),
            lambda memory, key: memory.get_many([key]),
            lambda memory, key: memory.get_records([key]),
            lambda memory, key: memory.remove(["a", key]),
        )
    ),
    *(
        (f"limit={limit!r}", lambda memory, limit=limit, verb=verb: verb(memory, limit))
        for limit in BAD_LIMITS
        for verb in (
            lambda memory, limit: memory.search("a", limit),
            lambda memory, limit: memory.search("", limit),
            lambda memory, limit: memory.search_records("a", limit),
            lambda memory, limit: memory.search_records("", limit),
            lambda memory, limit: memory.records(limit),
        )
    ),
    *(
        (f"query={query!r}", lambda memory, query=query, verb=verb: verb(memory, query))
        for query in (7, b"a", ["a"])
        for verb in (
            lambda memory, query: memory.search(query),
            lambda memory, query: memory.search_records(query),
            lambda memory, query: memory.count(query),
        )
    ),
    *(
        (f"max_size={size!r}", lambda memory, size=size: memory.resize(size))
        for size in (-1, 1.5, True, None, "7")
    ),
    ("query=None", lambda memory: memory.search(None)),
    ("mode='fuzzy'", lambda memory: memory.search_records("a", mode="fuzzy")),
    ("keys='a'", lambda memory: memory.get_many("a")),
    ("keys='a'", lambda memory: memory.get_records("a")),
    ("keys='a'", lambda memory: memory.remove("a")),
    ("user=7", lambda memory: memory.records(user=7)),
    ("session=b'x'", lambda memory: memory.keys(session=b"x")),
    ("prefix=['a']", lambda memory: memory.count(prefix=["a"])),
    ("since='whenever'", lambda memory: memory.records(since="whenever")),
    ("until=True", lambda memory: memory.remove(until=True)),
    ("where=7", lambda memory: memory.records(where=7)),
    ("'$like'", lambda memory: memory.remove(where={"text": {"$like": "a"}})),
    ("value: <int>", lambda memory: memory.add("a", 7)),
    ("value: <list>", lambda memory: memory.add("a", [{}])),
    ("value: <NoneType>", lambda memory: memory.add("a", None)),
    ("value['x']: <object>", lambda memory: memory.add("a", {"x": object()})),
    ("value['x']: nan", lambda memory: memory.add("a", {"x": float("nan")})),
    # Neither or both. A filter that is None does not count, or an unset variable would delete all.
    ("either keys or filters", lambda memory: memory.remove()),
    ("either keys or filters", lambda memory: memory.remove(user=None, where={})),
    ("either keys or filters", lambda memory: memory.remove(["a"], prefix="b")),
]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    ("named", "call"), REFUSED, ids=[f"{n} {case[0][:40]}" for n, case in enumerate(REFUSED)]
)
def test_bad_input_is_refused_by_name_and_changes_nothing(memory, named, call):
    fill(memory, "a", "b")
    before = everything(memory)
    with pytest.raises(InvalidArgument) as refused:
        call(memory)
    assert isinstance(refused.value, ValueError)
    assert named in str(refused.value)
    assert everything(memory) == before


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize("max_size", [-1, 1.5, True])
def test_a_memory_is_not_made_with_a_bad_capacity(make, max_size):
    with pytest.raises(InvalidArgument, match=f"max_size={max_size!r}"):
        make(max_size=max_size)


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize("namespace", ["", None, 7])
def test_a_memory_is_not_made_with_a_bad_namespace(make, namespace):
    with pytest.raises(InvalidArgument, match=f"namespace={namespace!r}"):
        make(namespace=namespace)
