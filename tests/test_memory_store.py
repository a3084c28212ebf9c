"""Behaviour of the in-memory backend alone."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict

import pytest
from backends import Clock

from tta_memory_nb import InMemoryStore, InvalidArgument, MemoryPrimitive, MemoryRecord
from tta_memory_nb.entry import Entry, new_entry
from tta_memory_nb.filters import Filters
from tta_memory_nb.search.request import Search
from tta_memory_nb.search.substring.index import SubstringIndex
from tta_memory_nb.search.substring.signature import SignatureIndex


def find(store: InMemoryStore, text: str | None = None, limit: int | None = None) -> list[Entry]:
    """Returns the entries that a search finds, newest first."""
    return [hit.entry for hit in store.contents.find(Search(text, limit=limit))]


def index_of(store: InMemoryStore) -> SubstringIndex:
    """Returns the substring index of a store."""
    index = store.contents.indexes.of_mode["keyword"]
    assert isinstance(index, SubstringIndex)
    return index


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> InMemoryStore:
    return InMemoryStore(3, namespace="tenant", clock=clock)


def test_a_store_is_a_memory_of_its_own(store, clock):
    store.add("a", {"text": "Rain"}, ttl="10s")
    store.add("b", {"text": "rain again"})
    assert store.get("a") == {"text": "Rain"}
    assert store.keys() == ["b", "a"]
    assert store.search("RAIN", 1) == [{"text": "Rain"}]
    assert store.search("") == []
    assert store.ttl("a") == 10
    [newest, _] = store.records()
    assert newest == MemoryRecord(
        "a", {"text": "Rain"}, "tenant", clock.now, clock.now, clock.now + 10
    )
    assert store.delete("b") is True
    assert store.delete("b") is False
    assert store.size() == 1
    store.clear()
    assert (store.size(), store.keys(), store.get("a")) == (0, [], None)


def test_the_repr_shows_namespace_and_sizes(store):
    store.add("a", {})
    assert repr(store) == "InMemoryStore(namespace='tenant', size=1, max_size=3)"


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda store: store.add("k", {}, ttl=1000),
        lambda store: (store.add("k", {}, ttl=1000), store.delete("k")),
        lambda store: store.revert(store.remove(["ttl"])),
        lambda store: (store.add("k", {}, ttl=1000), store.clear()),
    ],
    ids=["add", "add and delete", "remove and undo", "add and clear"],
)
def test_rewriting_records_with_a_ttl_does_not_leak(store, clock, rewrite):
    store.add("ttl", {}, ttl=100_000)
    for _ in range(1000):
        rewrite(store)
        clock.tick()
    assert len(store.contents._expiries) <= 2 * 3 + 65


def test_an_old_expiry_does_not_delete_the_new_record(store, clock):
    store.add("k", {"n": 1}, ttl=5)
    # Enough rewrites that old expiries are discarded meanwhile.
    for n in range(200):
        store.add("k", {"n": n}, ttl=10)
    clock.tick(9)
    assert store.get("k") == {"n": 199}
    clock.tick(1)
    assert store.get("k") is None


def test_the_capacity_can_be_set_as_an_attribute(store):
    store.add("a", {})
    store.add("b", {})
    store.max_size = 1
    assert (store.max_size, store.keys()) == (1, ["b"])


# ---- foreign code that runs during a verb

VERBS = [
    lambda store: store.add("k", {}),
    lambda store: store.get("k"),
    lambda store: store.ttl("k"),
    lambda store: store.size(),
    lambda store: store.keys(),
    lambda store: find(store, "x"),
    lambda store: store.contents.count(Search("x")),
    lambda store: store.remove(["k"]),
    lambda store: store.remove_matching(Filters(prefix="k")),
    lambda store: store.resize(2),
    lambda store: store.revert(store.remove_matching()),
]


@pytest.mark.parametrize("verb", VERBS, ids=range(len(VERBS)))
def test_a_clock_may_use_the_memory_that_calls_it(verb):
    found = []

    def clock() -> float:
        if is_tested and not found:
            found.append(1)
            found.append(store.keys())
        return 1.0

    is_tested = False
    store = InMemoryStore(clock=clock)
    store.add("k", {}, ttl=10)  # without an expiry, a get needs no clock
    is_tested = True
    verb(store)
    assert found == [1, ["k"]]


class Interrupted(OrderedDict):
    """Raises, or runs foreign code, once: when a method is called the nth time."""

    method, left = "", 0

    def foreign(self) -> None:
        raise KeyboardInterrupt

    def _count(self, method: str) -> None:
        if method == self.method:
            self.left -= 1
            if self.left == 0:
                self.foreign()

    def __setitem__(self, key, entry):
        self._count("before set")
        super().__setitem__(key, entry)
        self._count("after set")

    def pop(self, key, default=None):
        self._count("before delete")
        entry = super().pop(key, default)
        self._count("after delete")
        return entry

    def move_to_end(self, key, last=True):
        self._count("move")
        super().move_to_end(key, last)


@pytest.mark.parametrize("left", [1, 2, 3])
@pytest.mark.parametrize(
    "method", ["before set", "after set", "move", "before delete", "after delete"]
)
def test_an_interrupted_write_leaves_everything_as_it_was(store, clock, method, left):
    for key in "abc":
        store.add(key, {"text": key}, ttl=100)
    before = store.records()
    store.contents.entries = entries = Interrupted(store.contents.entries)
    entries.method, entries.left = method, left
    written = [new_entry(key, {}, clock.now, 50) for key in ("b", "x", "b", "y", "b", "z")]
    with pytest.raises(KeyboardInterrupt):
        store.put(written)
    assert store.records() == before
    assert store.evictions == 0
    clock.tick(60)
    assert store.records() == before
    clock.tick(40)
    assert store.records() == []


def test_records_deleted_by_foreign_code_during_an_undo_are_no_error(store):
    class Deleting(Interrupted):
        def foreign(self) -> None:
            self.clear()

    store.add("a", {})
    store.add("b", {})
    change = store.remove(["a"])
    store.contents.entries = entries = Deleting(store.contents.entries)
    entries.method, entries.left = "move", 1
    store.revert(change)
    assert store.keys() == []


class Writing(bytes):
    """A folded text that writes to the memory when it is searched, as a `__del__` may."""

    store: InMemoryStore

    def __contains__(self, needle):
        self.store.add("new", {"text": "other"})
        return super().__contains__(needle)


def test_a_search_survives_writes_made_while_it_runs(clock):
    store = InMemoryStore(clock=clock)
    for key in "ab":
        store.add(key, {"text": "rain"})
    text = Writing(b"rain")
    text.store = store
    store.contents.entries["b"]._folded = text
    assert [entry.key for entry in find(store, "rain")] == ["b", "a"]
    store.delete("new")
    assert store.contents.count(Search("rain")) == 2


def test_a_filtered_deletion_keeps_records_written_while_it_runs(clock, monkeypatch):
    store = InMemoryStore(clock=clock)
    store.add("a", {"n": 1})
    held_by = Filters.held_by

    def held_by_after_a_write(self, texts):
        store.add("a", {"n": 2})
        return held_by(self, texts)

    monkeypatch.setattr(Filters, "held_by", held_by_after_a_write)
    assert store.remove_matching(Filters.build(clock.now, where={"n": 1})).removed == ()
    assert store.get("a") == {"n": 2}


class Watched(str):
    """The text of a value, which a weak reference can point at."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("gone", ["deleted", "overwritten"])
def test_the_value_of_a_lost_record_is_freed_before_it_would_expire(store, clock, gone):
    text = Watched("{}")
    seen = weakref.ref(text)
    store.put([Entry("k", text, None, clock.now, clock.now + 1000)])
    del text
    if gone == "deleted":
        store.delete("k")
    else:
        store.add("k", {})
    gc.collect()
    assert seen() is None


# ---- the index of searches


def filled(count: int, capacity: int, clock: Clock) -> InMemoryStore:
    store = InMemoryStore(capacity, clock=clock)
    for n in range(count):
        store.add(f"ann:{n}", {"text": f"note {n} of {n % 7}", "kind": "note"})
    return store


def test_the_garbage_collector_need_not_visit_entries(store):
    store.add("k", {"text": "rain"})
    assert not gc.is_tracked(store.contents.entries["k"])


def test_building_the_index_reports_how_many_records_are_unindexed(clock):
    few, many = filled(200, 1000, clock), filled(3000, 5000, clock)
    assert few.contents.build_index() == 0  # so few records are scanned faster
    assert many.contents.build_index(0) == 3000
    assert many.contents.build_index(1e-9) < 3000
    assert many.contents.build_index() == 0
    many.add("ann:new", {"text": "note"})
    assert many.contents.build_index(0) == 1
    with pytest.raises(InvalidArgument, match="seconds=-1"):
        many.contents.build_index(-1)


def test_searches_index_unindexed_records_a_slice_at_a_time(clock):
    store = filled(5000, 5000, clock)
    unindexed = []
    while not unindexed or unindexed[-1]:
        assert len(find(store, "note 4321 of")) == 1
        unindexed.append(store.contents.build_index(0))
    assert unindexed == sorted(unindexed, reverse=True)
    assert len(unindexed) > 2


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("gone", ["evicted", "deleted", "overwritten", "expired"])
def test_an_index_keeps_no_value_of_a_lost_record(clock, gone, indexed):
    store = filled(400, 400, clock)
    text = Watched('{"text": "watched"}')
    seen = weakref.ref(text)
    store.put([Entry("watched", text, None, clock.now, clock.now + 10)])
    del text
    assert [entry.key for entry in find(store, "watched", 3)] == ["watched"]
    if indexed:
        assert store.contents.build_index() == 0
    store.get("watched")
    match gone:
        case "evicted":
            for n in range(400):
                store.add(f"bob:{n}", {})
        case "deleted":
            store.delete("watched")
        case "overwritten":
            store.add("watched", {})
        case "expired":
            clock.tick(10)
            assert store.size() == 399
    gc.collect()
    assert seen() is None


def test_a_memory_that_evicts_for_long_keeps_an_index_of_its_own_size(clock):
    store = filled(2000, 2000, clock)
    for n in range(12_000):
        store.add(f"bob:{n}", {"text": f"more {n}"})
        if n % 40 == 0:
            assert find(store, f"more {n}", 1)[0].key == f"bob:{n}"
            assert len(find(store, "note 1 of")) == (n == 0)
    assert index_of(store)._columns._signatures.columns <= 2000 * 9 // 8 + 128


def test_an_empty_memory_keeps_no_index(clock):
    store = filled(2000, 2000, clock)
    store.contents.build_index()
    assert index_of(store).nbytes > 0
    change = store.remove_matching()
    assert index_of(store).nbytes == 0
    store.revert(change)
    assert len(find(store, "note 77 of")) == 1
    store.contents.build_index()
    store.remove(store.keys())
    assert find(store, "note") == []
    assert index_of(store).nbytes == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("step", ["append", "clear_oldest", "grow", "_copy"])
def test_an_error_while_the_index_is_written_makes_no_answer_wrong(clock, monkeypatch, step, error):
    store = InMemoryStore(1500, clock=clock)
    store.put([new_entry(f"ann:{n}", {"text": f"old {n}"}, 0, None) for n in range(800)])
    store.contents.build_index()
    for n in range(100):
        store.get(f"ann:{n}")
    calls_left = 1 if step == "grow" else 2

    def failing(*_args):
        nonlocal calls_left
        calls_left -= 1
        if calls_left == 0:
            raise error
        return real(*_args)

    real = getattr(SignatureIndex, step)
    monkeypatch.setattr(SignatureIndex, step, failing)
    interrupted = 0
    for n in range(4000):
        store.add(f"bob:{n}", {"text": f"new {n}"})
        if n % 50 == 0:
            try:
                store.contents.build_index()
            except KeyboardInterrupt:
                interrupted += 1
            texts = [(entry.key, entry._searchable()) for entry in find(store)]
            for query in ("new 4", "old 77", f"new {n}", "ne"):
                found = [entry.key for entry in find(store, query)]
                assert found == [key for key, text in texts if query.encode() in text]
    assert calls_left <= 0
    assert interrupted == (error is KeyboardInterrupt)


def test_a_read_makes_a_record_the_newest_in_the_index_as_well(clock):
    store = filled(1000, 1000, clock)
    store.contents.build_index()
    for n in (3, 500, 3, 10):
        store.get(f"ann:{n}")
    found = [entry.key for entry in find(store, "of 3", 3)]
    assert found == ["ann:10", "ann:3", "ann:500"]


def test_the_list_of_recorded_reads_is_bounded(clock):
    store = filled(10, 10, clock)
    for _ in range(2000):
        store.get("ann:1")
        assert len(store.contents._reads) < 1000
    assert store.keys()[-1] == "ann:1"


async def test_a_memory_without_a_capacity_evicts_nothing():
    memory = MemoryPrimitive(max_size=None)
    await memory.add_many({f"k{n}": {"n": n} for n in range(1500)})
    assert (memory.size(), memory.evictions, memory.max_size) == (1500, 0, None)
    assert "max_size=None" in repr(memory)
    assert memory.get_backend_info()["max_size"] is None
    assert await memory.search("1499") == [{"n": 1499}]
    change = await memory.resize(10)
    assert (memory.size(), memory.max_size) == (10, 10)
    await memory.undo(change)
    assert (memory.size(), memory.max_size) == (1500, None)
    assert InMemoryStore(max_size=None).max_size is None
