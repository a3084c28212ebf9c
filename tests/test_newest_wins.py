"""Clients that come back from outages in any order end in the same state: of all writes the newest wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from real_servers import need

from tta_memory_nb import MemoryPrimitive, StoreUnavailable
from tta_memory_nb.stores.redis.keys import keys_of

if TYPE_CHECKING:
    from backends import Clock

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture(scope="module", autouse=True)
def no_automatic_reconnect() -> Iterator[None]:
    with patch("tta_memory_nb.stores.redis.outage.Outages._watch"):
        yield


@pytest.fixture
def open_memory(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Callable[[], Any]]:
    opened: list[MemoryPrimitive] = []

    def open_one() -> MemoryPrimitive:
        url, name = need("valkey").url, request.node.name
        opened.append(MemoryPrimitive(url, namespace=name, clock=clock))
        return opened[-1]

    yield open_one
    for memory in opened:
        store: Any = memory._store
        store.outages.current = None
        memory.sync.clear()
        memory.sync.close()


def lose_the_server(memory: MemoryPrimitive) -> None:
    store: Any = memory._store
    store.outages._begin(StoreUnavailable("away, says the test"), store.outages.ended)


VERBS: dict[str, Callable[[Any, str], object]] = {
    "add": lambda memory, name: memory.add("k", {"by": name}),
    "add_many": lambda memory, name: memory.add_many({"k": {"by": name}, "j": {"by": name}}),
    "delete": lambda memory, _: memory.delete("k"),
    "clear": lambda memory, _: memory.clear(),
    "short": lambda memory, name: memory.add("k", {"by": name}, ttl=10),  # over when all are back
}


def after(state: dict[str, Any], verb: str, name: str) -> dict[str, Any]:
    """Returns what a verb makes of a state, once its short records have expired."""
    match verb:
        case "add":
            return {**state, "k": {"by": name}}
        case "add_many":
            return {**state, "k": {"by": name}, "j": {"by": name}}
        case "clear":
            return {}
        case _:
            return {key: value for key, value in state.items() if key != "k"}


@pytest.mark.parametrize("before", [{}, {"k": {"by": "earlier"}}], ids=["none", "some"])
@pytest.mark.parametrize("first_verb", VERBS)
def test_two_clients_end_in_the_same_state_in_whatever_order_they_come_back(
    before, first_verb, open_memory, clock
):
    names = ("a", "b")
    memories = dict(zip(names, (open_memory(), open_memory()), strict=True))
    direct = open_memory()
    for verb, third in product(VERBS, (None, *VERBS)):
        # The first and the third write are of one client, the second one of the other.
        steps = [("a", first_verb), ("b", verb), *([("a", third)] if third else [])]
        for order in permutations(names):
            direct.sync.clear()
            direct.sync.add_many(before)
            for memory in memories.values():
                memory.sync.records()
                lose_the_server(memory)
            expected: dict[str, Any] = dict(before)
            for name, step in steps:
                clock.tick()
                VERBS[step](memories[name].sync, name)
                expected = after(expected, step, name)
            clock.tick(100)
            for name in order:
                assert memories[name].sync.reconnect() is True
            found = {record.key: record.value for record in direct.sync.records()}
            assert found == expected, (steps, order)
            for memory in memories.values():
                assert {r.key: r.value for r in memory.sync.records()} == expected


def forget_the_deletions(memory: MemoryPrimitive) -> None:
    """Deletes so many other records that the server forgets the earlier deletions."""
    for part in range(6):
        many = {f"{part}:{n}": {} for n in range(1000)}
        memory.sync.add_many(many)
        memory.sync.remove(list(many))


def test_a_write_that_may_have_been_deleted_later_is_set_aside_and_named(open_memory, clock):
    away, direct = open_memory(), open_memory()
    direct.sync.add_many({key: {"n": 1} for key in ("k", "j", "still there")})
    assert away.sync.count("n") == 3
    lose_the_server(away)
    clock.tick()
    away.sync.add_many({key: {"n": 2} for key in ("k", "still there")})
    clock.tick()
    direct.sync.delete("k")
    direct.sync.delete("j")
    forget_the_deletions(direct)
    with need("valkey").client() as client:
        assert not client.hexists(keys_of(away.namespace).values, "k")
    clock.tick()
    away.sync.add("j", {"n": 3})  # later than all deletions
    assert away.sync.reconnect() is True
    expected = {"still there": {"n": 2}, "j": {"n": 3}}
    for memory in (away, direct):
        assert {record.key: record.value for record in memory.sync.records()} == expected
    refused = away._store.outages.refused
    assert list(refused) == ["k"]
    assert (refused["k"].kind, refused["k"].value) == ("set", {"n": 2})
    assert "forgotten" in refused["k"].reason


def test_a_deletion_that_found_nothing_is_remembered_as_long_as_others(open_memory, clock):
    deleting, writing = open_memory(), open_memory()
    for memory in (deleting, writing):
        lose_the_server(memory)
    clock.tick()
    writing.sync.add("k", {})
    clock.tick()
    assert deleting.sync.delete("k") is False
    deleting.sync.reconnect()
    writing.sync.reconnect()
    assert writing.sync.get("k") is None
    writing.sync.add("k", {"n": 2})
    assert deleting.sync.get("k") == {"n": 2}


@pytest.mark.parametrize("swept", [False, True])
def test_an_older_write_does_not_come_to_life_after_a_record_that_has_expired(
    swept, open_memory, clock
):
    away, direct = open_memory(), open_memory()
    lose_the_server(away)
    away.sync.add("k", {"n": 1})
    away.sync.add("mine", {"n": 1})
    clock.tick()
    direct.sync.add("k", {"n": 2}, ttl=5)
    clock.tick(10)
    if swept:
        assert direct.size() == 0
    assert away.sync.reconnect() is True
    for memory in (away, direct):
        assert [record.key for record in memory.sync.records()] == ["mine"]
        assert (memory.sync.get("k"), memory.size()) == (None, 1)
    direct.sync.add("k", {"n": 3})
    assert away.sync.get("k") == {"n": 3}
