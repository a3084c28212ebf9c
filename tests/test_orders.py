"""Searches by sorted keys and instants, compared with a scan of all records."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

import pytest
from backends import Clock, calls

from tta_memory_nb import InMemoryStore, InvalidArgument, MemoryPrimitive
from tta_memory_nb.entry import Entry
from tta_memory_nb.filters import Filters
from tta_memory_nb.search import orders
from tta_memory_nb.search.indexes import INDEXES
from tta_memory_nb.search.options import SearchOptions
from tta_memory_nb.search.orders import _Order, prefix_of
from tta_memory_nb.search.query import Entries, Query
from tta_memory_nb.search.request import Hit, Search
from tta_memory_nb.search.substring import index
from tta_memory_nb.search.substring.columns import Columns

USERS = ["ann", "ann:x", "an", "bob", "zoë", "😀"]


def naive(store: InMemoryStore, search: Search) -> list[Entry]:
    """Returns what a search finds by a scan of all records."""
    text = (search.text or "").encode()
    filters = search.filters
    found = [
        entry
        for entry in reversed(store.contents.entries.values())
        if text in entry._searchable() and filters.accept(entry.key, entry.updated_at, entry.value)
    ]
    if search.order == "oldest":
        found.reverse()
    end = None if search.limit is None else search.offset + search.limit
    return found[search.offset : end]


def question(chance: random.Random, now: float) -> Search:
    """Returns a search with at least one bound."""
    bounds: dict[str, Any] = {}
    while not bounds:
        if chance.random() < 0.5:
            user = chance.choice(USERS)
            bounds["prefix"] = chance.choice([user, f"{user}:", user[:1], f"{user}:s1", "nobody"])
        if chance.random() < 0.2:
            bounds["user"] = chance.choice(["ann", "bob", "nobody"])
        if chance.random() < 0.2:
            bounds["session"] = chance.choice(["s1", "s2"])
        for name in ("since", "until"):
            if chance.random() < 0.2:
                bounds[name] = now - chance.choice([0, 1, 5, 50, 500])
        if {"since", "until"} <= bounds.keys():
            bounds["since"], bounds["until"] = sorted((bounds["since"], bounds["until"]))
        if chance.random() < 0.1:
            bounds["where"] = chance.choice(
                [{"n": {"$gt": 3}}, {"n": 4}, {"n": 4.0, "absent": 1}, {"n": {"$ne": 4}}]
            )
    return Search(
        chance.choice([None, None, "rain", "note 1", "nothing of this"]),
        filters=Filters.build(now, **bounds),
        limit=chance.choice([None, 1, 3, 10]),
        offset=chance.choice([0, 0, 2]),
        order=chance.choice(["newest", "newest", "oldest"]),
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_bounded_search_finds_the_same_records_as_a_scan(seed, monkeypatch):
    chance = random.Random(seed)
    if seed % 2:  # each span of time is taken for one that names many entries
        for name in ("_MANY", "_AHEAD", "_AHEAD_EACH"):
            monkeypatch.setattr(orders, name, 0)
        monkeypatch.setattr(orders, "_UNSORTED", 20)
    clock = Clock()
    store = InMemoryStore(1200, clock=clock)
    changes = []

    def add(count: int) -> None:
        for _ in range(count):
            key = f"{chance.choice(USERS)}:s{chance.randint(1, 3)}:{chance.randint(1, 900)}"
            word = chance.choice(["rain", "sun"])
            ttl = 40 if chance.random() < 0.05 else None
            store.add(key, {"text": f"{word}, note {chance.randint(1, 99)}", "n": 4}, ttl)
            clock.tick(chance.choice([0, 0.01, 0.5]))

    add(700)
    for _ in range(60):
        keys = store.keys()
        match chance.randint(0, 6):
            case 0 | 1:
                add(chance.choice([1, 5, 400]))
            case 2:
                for key in chance.sample(keys, min(len(keys), chance.choice([1, 100]))):
                    store.get(key)
            case 3:
                changes.append(store.remove(chance.sample(keys, min(len(keys), 30))))
            case 4 if changes:
                store.revert(changes.pop())
            case 5:
                changes.append(store.remove_matching(Filters(prefix=chance.choice(USERS))))
            case 6:
                clock.tick(20 if chance.random() < 0.8 else -3)
        for _ in range(4):
            search = question(chance, clock.now)
            found = [hit.entry for hit in store.contents.find(search)]
            assert found == naive(store, search), search
            assert store.contents.count(search) == len(
                naive(store, Search(search.text, filters=search.filters))
            )
            candidates = set(store.contents.candidate_keys(search))
            assert {entry.key for entry in found} <= candidates


@pytest.fixture
def looked(monkeypatch):
    """The keys of the records that filters were asked about, in order."""
    keys: list[str] = []
    accept = Filters.accept

    def counting(self: Filters, *args: Any) -> bool:
        keys.append(args[0])
        return accept(self, *args)

    monkeypatch.setattr(Filters, "accept", counting)
    return keys


def test_a_search_with_narrow_bounds_reads_few_other_records(looked):
    memory = MemoryPrimitive(max_size=5000).sync
    memory.add_many({f"user{n % 500}:s{n}": {"n": n} for n in range(5000)})
    instant = memory.records(1, prefix="user499:")[0].updated_at
    looked.clear()
    assert len(memory.records(10, prefix="user7:")) == 10
    assert len(memory.records(10, user="user7")) == 10
    assert memory.count(prefix="user7:") == 10
    assert memory.records(10, until=instant - 3600) == []
    assert len(looked) < 200


def test_the_newest_of_a_long_span_are_found_among_few_others(looked):
    clock = Clock()
    memory = MemoryPrimitive(max_size=5000, clock=clock).sync
    for number in range(5000):
        memory.add(f"user:s{number}", {"n": number})
        clock.tick()
    memory.get_many([f"user:s{number}" for number in range(0, 5000, 50)])
    looked.clear()
    # Those that were read are the newest.
    newest = [f"user:s{number}" for number in range(2500, -1, -50)]
    until = memory.records(1, prefix="user:s2500")[0].updated_at
    found = memory.records(60, until=until)
    assert [record.key for record in found] == [
        *newest,
        *(f"user:s{n}" for n in range(2499, 2490, -1)),
    ]
    assert len(looked) < 600


def interrupted_at(step: int) -> Callable[..., Any]:
    """A trace function that raises KeyboardInterrupt at a line of an order's update."""
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if frame.f_code is not _Order._update.__code__:
            return None
        if event == "line":
            lines += 1
            if lines == step:
                raise KeyboardInterrupt
        return trace

    return trace


@pytest.mark.parametrize("bound", [{"prefix": "bob:"}, {"until": 1_800_000_100.0}], ids=str)
@pytest.mark.parametrize("step", range(1, 60, 3))
def test_an_interrupted_update_of_an_order_makes_no_answer_wrong(step, bound):
    clock = Clock()
    store = InMemoryStore(3000, clock=clock)
    search = Search(filters=Filters(**bound))

    def add(first: int, last: int) -> None:
        for n in range(first, last):
            clock.tick(1)
            store.add(f"ann:{n}" if n % 50 else f"bob:{n}", {"n": n})

    add(0, 1000)
    for interrupted in (False, True, True):
        if interrupted:
            traced = sys.gettrace()
            sys.settrace(interrupted_at(step))
            try:
                store.contents.find(search)
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(traced)
        assert [hit.entry for hit in store.contents.find(search)] == naive(store, search)
        add(store.size(), store.size() + 500)
        store.get("bob:50")
        store.remove(["bob:0", "bob:100"])


@pytest.mark.parametrize(
    ("bounds", "prefix"),
    [
        ({}, ""),
        ({"prefix": "a"}, "a"),
        ({"user": "ann"}, "ann:"),
        ({"user": "ann", "session": "s1"}, "ann:s1"),
        ({"user": "ann", "prefix": "an"}, "ann:"),
        ({"user": "ann", "prefix": "ann:s1:ff"}, "ann:s1:ff"),
        ({"session": "s1"}, ""),
    ],
)
def test_the_prefix_is_derived_from_the_filters(bounds, prefix):
    assert prefix_of(Filters(**bounds)) == prefix


@pytest.mark.parametrize(
    "prefix", ["z", "z\U0010ffff", "\U0010ffff", "\U0010ffff\U0010ffff", "\ud7ff"]
)
def test_a_prefix_that_ends_in_the_last_character_names_all_its_keys(prefix):
    store = InMemoryStore(1000)
    keys = [
        begin + end
        for begin in ("", "y", prefix, "\ue000")
        for end in ("\U0010ffff", "\U0010ffffa", "{", "a")
    ]
    for key in dict.fromkeys([*keys, *(f"k{number}" for number in range(500))]):
        store.add(key, {"n": 1})
    search = Search(filters=Filters(prefix=prefix))
    assert [hit.entry for hit in store.contents.find(search)] == naive(store, search) != []


def test_a_search_has_an_offset_and_an_order():
    memory = MemoryPrimitive()
    for n in range(6):
        memory.sync.add(f"k{n}", {"text": "rain" if n % 2 else "sun"})
    find = calls(memory).find
    assert [entry.key for entry in find(Search("rain", offset=1))] == ["k3", "k1"]
    assert [entry.key for entry in find(Search("rain", limit=1, offset=1))] == ["k3"]
    assert [entry.key for entry in find(Search("rain", order="oldest", limit=2))] == ["k1", "k3"]
    assert [entry.key for entry in find(Search(order="oldest", offset=4))] == ["k4", "k5"]
    assert find(Search("")) == []


def test_a_hit_says_where_it_matches():
    memory = MemoryPrimitive()
    memory.sync.add("k", {"Straßen": ["rainy", {"city": "Rain in RAIN"}], "n": 5})
    [hit] = memory._runner.run(memory.store.find(Search("rain")))
    assert [tuple(span) for span in hit.spans] == [
        ("Straßen[0]", 0, 4, "value"),
        ("Straßen[1].city", 0, 4, "value"),
        ("Straßen[1].city", 8, 12, "value"),
    ]
    [hit] = memory._runner.run(memory.store.find(Search("STRASSE")))
    assert [tuple(span) for span in hit.spans] == [("Straßen", 0, 6, "name")]
    [hit] = memory._runner.run(memory.store.find(Search()))
    assert (hit.score, hit.spans) == (1.0, ())


# ---- another search mode


class Shortest:
    """An index of a mode that ranks: records that have the text, the shortest first."""

    is_built = False

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    def clear(self) -> None: ...

    def restored(self, entries: Iterable[Entry]) -> None: ...

    def find(self, entries: Entries, query: Query, limit: int | None) -> list[Hit]:
        found = sorted(self.candidates(entries, query), key=lambda entry: entry.size)
        return [Hit(entry, 1 / entry.size, query) for entry in filter(query.test(), found)][:limit]

    def update(self, entries: Entries, options: SearchOptions, seconds: float | None) -> int:
        return 0

    def count(self, entries: Entries, query: Query) -> int:
        return len(self.find(entries, query, None))

    def candidates(self, entries: Entries, query: Query) -> list[Entry]:
        return list(reversed(entries.values()))

    def build(self, entries: Entries, seconds: float | None) -> int:
        return 0


def test_a_new_search_mode_is_an_index_and_a_row(monkeypatch):
    monkeypatch.setitem(INDEXES, "shortest", Shortest)
    memory = MemoryPrimitive(max_size=1000).sync
    for n in range(500):
        memory.add(f"ann:{n}" if n % 2 else f"bob:{n}", {"text": "rain " * (1 + n * 7 % 500)})
    search: Any = memory.search_records
    found = search("rain", 3, mode="shortest")
    sizes = [len(record.value["text"]) for record in found]
    assert sizes == sorted(sizes)
    assert [record.score for record in found] == sorted((r.score for r in found), reverse=True)
    assert found[0].key == "bob:0"
    assert {record.matches for record in found} == {("text",)}
    # An order gives the newest first, so a mode that ranks is not answered by one.
    [best, *_] = search("rain", 2, mode="shortest", prefix="ann:")
    expected = min((n * 7 % 500, n) for n in range(1, 500, 2))
    assert best.key == f"ann:{expected[1]}"
    entries: Any = memory.entries
    assert [entry.key for entry in entries("rain", 1, mode="shortest")] == ["bob:0"]
    with pytest.raises(InvalidArgument, match="mode='longest': this version searches by 'keyword'"):
        search("rain", mode="longest")


def test_what_was_compared_once_is_not_compared_again_and_answers_stay_right(monkeypatch):
    compared: list[int] = []
    contain = Columns._contain

    def counting(entries: list[Entry], utf8: bytes) -> Iterator[bool]:
        compared.append(len(entries))
        return contain(entries, utf8)

    monkeypatch.setattr(Columns, "_contain", staticmethod(counting))
    # What came of every search is remembered, however little time it took.
    monkeypatch.setattr(index, "_LONG", 0)
    clock = Clock()
    memory = MemoryPrimitive(max_size=2000, clock=clock).sync
    chance = random.Random(7)

    def add(count: int) -> None:
        for _ in range(count):
            clock.tick()
            word = chance.choice(["rain", "rainy", "sun"])
            memory.add(f"a:b:{chance.randrange(3000)}", {"text": f"{word} {chance.random()}"})
        memory.build_index()

    add(2500)
    for step in range(60):
        keys = memory.keys()
        match chance.randrange(5):
            case 0:
                add(chance.choice((1, 70, 900)))
            case 1:
                memory.get_many(chance.sample(keys, 50))
            case 2:
                memory.undo(memory.remove(chance.sample(keys, 20)))
            case 3:
                memory.remove(chance.sample(keys, 30))
            case 4:
                memory.resize(chance.choice((1500, 2000, 2600)))
        texts = [(record.key, record.value["text"]) for record in memory.records()]
        right = sum("rain" in text for _, text in texts)
        assert memory.count("rain") == right, step
        for query in ("rain", "rainy 0.1", "y 0.12", "un 0.9", "0.55", "rain 0.7rain 0.7"):
            limit = chance.choice((None, 3))
            wanted = [key for key, text in texts if query in text][:limit]
            assert [hit.entry.key for hit in memory.hits(query, limit)] == wanted, (step, query)
        half = clock.now - 1000
        older = memory.records(until=half)
        assert memory.count("rain", until=half) == sum("rain" in r.value["text"] for r in older)
    compared.clear()
    assert memory.count("rain") == right
    assert sum(compared) == 0
    add(1)
    right = sum("rain" in record.value["text"] for record in memory.records())
    assert memory.count("rain") == right
    assert sum(compared) <= 1


def test_a_count_is_right_where_an_entry_was_taken_for_evicted():
    memory: Any = MemoryPrimitive(max_size=2000, clock=Clock()).sync
    memory.add_many({f"k{n}": {"text": f"rain {n}"} for n in range(1000)})
    memory.build_index()
    assert memory.count("rain") == 1000
    columns = memory._store._records.indexes.of_mode["keyword"]._columns
    # As if the oldest record had been read while it was counted.
    columns._verified.retain(columns._ring.recencies > columns._ring.recencies.min())
    assert memory.count("rain") == 1000
    assert memory.count("rain") == 1000
