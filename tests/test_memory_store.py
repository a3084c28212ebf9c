"""What is peculiar to the in-memory backend."""

from __future__ import annotations

import pytest
from backends import Clock

from tta_memory_nb import InMemoryStore, MemoryRecord


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


def test_the_repr_tells_namespace_and_sizes(store):
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
    assert len(store._expiries) <= 2 * 3 + 65


def test_an_old_expiry_does_not_delete_what_replaced_it(store, clock):
    store.add("k", {"n": 1}, ttl=5)
    # Enough rewrites that the old expiries are thrown away on the way.
    for n in range(200):
        store.add("k", {"n": n}, ttl=10)
    clock.tick(9)
    assert store.get("k") == {"n": 199}
    clock.tick(1)
    assert store.get("k") is None
