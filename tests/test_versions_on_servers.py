"""Earlier versions on servers: one history for all clients, through outages, losses and other clients' writes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import redis

from tta_memory_nb import InvalidArgument, MemoryPrimitive, StoreUnavailable
from tta_memory_nb.stores.redis.keys import keys_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from network import Proxy
    from real_servers import Server

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")


def changes_of(namespace: str) -> str:
    return keys_of(namespace).values.removesuffix("values") + "changes"


@pytest.fixture
def client(database: Server) -> Any:
    with redis.Redis(port=database.port) as it:
        yield it


@pytest.fixture
def keeping(open_memory: Callable[..., MemoryPrimitive], proxy: Proxy) -> MemoryPrimitive:
    """A memory that has asked for its changes to be kept, connected through the proxy."""
    return open_memory(proxy.url, history=1000)


# ---- all clients


def test_what_one_client_asks_for_holds_for_all(database, open_memory, clock):
    first, second = open_memory(database.url).sync, open_memory(database.url).sync
    second.add("a", {"n": 0})
    first.keep_history(1000)
    clock.tick()
    second.add("a", {"n": 1})
    second.add("gone", {"n": 1}, ttl=5)
    clock.tick(60)
    first.delete("a")
    never_wrote = open_memory(database.url).sync
    for memory in (first, second, never_wrote):
        assert [v.what for v in memory.log("a")] == ["deleted", "changed", "known"]
        assert [v.what for v in memory.log("gone")] == ["expired", "added"]
        assert memory.get("a", as_of="59s") == {"n": 1}
        assert memory.get_backend_info()["history"] == "the last 1,000 changes"
    # Also of a client that did not know of it when it began to write.
    by = second.log("a")[1].author
    assert by.function == "test_what_one_client_asks_for_holds_for_all"
    asks_itself = open_memory(database.url, history=50).sync
    first.keep_history(None)
    for memory in (first, second, never_wrote, asks_itself):
        memory.add("a", {"n": 3})  # whoever ends it ends it for all
        with pytest.raises(InvalidArgument, match="keeps no earlier versions"):
            memory.log("a")
    second.keep_history("1d")
    assert len(first.log("a")) == 1


def test_an_outage_brings_no_history_back_that_another_client_has_ended(keeping, other, proxy):
    memory = keeping.sync
    other.sync.keep_history(None)
    memory.add("a", {"n": 1})
    proxy.refuse()
    memory.add("a", {"n": 2})
    proxy.heal()
    assert memory.reconnect()
    assert memory.get_backend_info()["history"] is None
    assert other.sync.get("a") == {"n": 2}


def test_the_past_is_one_state_while_others_write(database, open_memory):
    """Two records always sum up to 100, in each instant that is asked for, however it is read."""
    import time

    namespace = f"sum-{uuid4().hex}"
    here = open_memory(database.url, namespace=namespace, clock=time.time, history=100_000).sync
    there = open_memory(database.url, namespace=namespace, clock=time.time).sync
    there.add_many({"a": {"n": 100}, "b": {"n": 0}, **{f"x{n}": {} for n in range(600)}})
    begun = there.clock()
    ended = threading.Event()

    def move() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            amount = number % 101
            there.apply({"a": {"n": 100 - amount}, "b": {"n": amount}})
            there.get(f"x{number % 600}")
            there.add(f"y{number % 7}", {"n": number})
            there.delete(f"y{(number + 3) % 7}")

    thread = threading.Thread(target=move)
    thread.start()
    try:
        for _ in range(25):
            past = here.as_of(here.clock())
            assert sum(value["n"] for value in past.get_many(["a", "b"]).values()) == 100
            assert len(past.keys(prefix="x")) == 600
            again = here.as_of(past.clock())
            assert {r.key: r.value for r in again.records()} == {
                r.key: r.value for r in past.records()
            }
    finally:
        ended.set()
        thread.join()
    assert here.as_of(begun).size() == 602


# ---- outages


def test_a_write_of_an_outage_is_a_version_since_it_reached_the_server(
    keeping, other, proxy, clock
):
    memory, others = keeping.sync, other.sync
    memory.add("a", {"n": 1})
    clock.tick()
    proxy.refuse()

    def remember() -> None:
        memory.add("a", {"n": 2})

    remember()
    memory.append("ann", "mon", [{"n": 1}])
    memory.apply({"b": {}}, ["nothing"])
    for ask in (lambda: memory.log("a"), lambda: memory.get("a", as_of="0.5s")):
        with pytest.raises(StoreUnavailable, match=r"earlier versions .* away since"):
            ask()
    written = clock()
    clock.tick(60)
    others.add("c", {})
    proxy.heal()
    assert memory.reconnect()
    for each in (memory, others):
        newest, first = each.log("a")
        assert (newest.what, newest.at, newest.author.function) == ("changed", clock(), "remember")
        assert newest.record.updated_at == written
        assert first.what == "added"
        # Nobody else could know of it before.
        assert each.get("a", as_of="1s") == {"n": 1}
        assert each.get("a", as_of="0s") == {"n": 2}
        assert each.keys(as_of="1s") == ["a"]
        assert len(each.keys(as_of="0s")) == 4


def test_a_history_that_was_asked_for_in_an_outage_begins_before_the_writes_of_it(
    open_memory, proxy, clock
):
    proxy.refuse()
    memory = open_memory(proxy.url, history=1000).sync
    memory.add("a", {"n": 1})
    clock.tick()
    proxy.heal()
    assert memory.reconnect()
    assert [(v.what, v.at) for v in memory.log("a")] == [("added", clock())]


def test_a_reply_that_was_lost_makes_no_second_version(keeping, other, proxy):
    memory = keeping.sync
    memory.add("a", {"n": 1})
    proxy.fault("lose reply")
    memory.add("a", {"n": 2})
    memory.reconnect()
    assert [v.what for v in other.sync.log("a")] == ["changed", "added"]


# ---- what is lost, dropped and bounded


def test_changes_that_the_server_has_evicted_are_not_guessed(keeping, other, client, clock):
    memory = keeping.sync
    memory.add("a", {"n": 1})
    clock.tick()
    client.unlink(changes_of(memory.namespace))
    memory.add("a", {"n": 2})
    clock.tick()
    with pytest.raises(InvalidArgument, match="knows its records since"):
        memory.get("a", as_of="1.5s")
    for number in range(300):  # enough for the server to look after its changes
        memory.add("b", {"n": number})
    clock.tick()
    assert other.sync.get("a", as_of="0.5s") == {"n": 2}


def test_a_namespace_that_begins_anew_keeps_changes_if_a_client_wants_them(
    keeping, other, client, clock
):
    memory = keeping.sync
    memory.add("a", {"n": 1})
    client.unlink(*keys_of(memory.namespace), changes_of(memory.namespace))
    clock.tick()
    memory.add("a", {"n": 2})
    clock.tick()
    memory.add("a", {"n": 3})
    assert [v.what for v in other.sync.log("a")] == ["changed", "added"]
    assert other.sync.get("a", as_of="1s") == {"n": 2}


def test_a_clearing_of_more_records_than_changes_are_kept_drops_all_before(
    open_memory, database, clock
):
    memory = open_memory(database.url, history=5).sync
    memory.add_many({str(n): {} for n in range(4)})
    clock.tick()
    memory.clear()
    assert len(memory.keys(as_of="1s")) == 4
    memory.add_many({str(n): {} for n in range(6)})
    clock.tick()
    memory.clear()
    clock.tick()
    memory.add("a", {})
    with pytest.raises(InvalidArgument, match="knows its records since"):
        memory.keys(as_of="2s")
    assert memory.keys(as_of="1s") == []
    assert memory.keys(as_of="0s") == ["a"]


def test_what_is_deleted_for_good_is_nowhere_on_the_server(database, open_memory, client, clock):
    namespace = f"secret-{uuid4().hex}"
    memory = open_memory(database.url, namespace=namespace, history=1000).sync
    for secret in ("a secret that has to go", "a secret that has to go at once"):
        memory.add_many({"a": {"text": secret}, "b": {"text": "rain"}})
        clock.tick()
    memory.delete("a")
    assert b"secret" in b"".join(client.hvals(changes_of(namespace)))
    memory.delete("a", for_good=True)  # it is gone already, but not its past
    assert b"secret" not in b"".join(client.hvals(changes_of(namespace)))
    assert len(memory.log("a")) == 0
    assert memory.keys(as_of="1s") == ["b"]


def test_a_memory_without_history_writes_none_and_reads_the_format_of_before(
    database, open_memory, client
):
    memory = open_memory(database.url).sync
    memory.add("a", {})
    memory.apply({"a": {"n": 1}}, [])
    assert client.hget(keys_of(memory.namespace).meta, "format") == b"1"
    assert not client.exists(changes_of(memory.namespace))


@pytest.mark.parametrize("history", [300, "300s"])
def test_old_changes_are_dropped_on_the_server_also_where_nothing_but_single_records_is_written(
    history, database, open_memory, client, clock
):
    memory = open_memory(database.url, history=history).sync
    for number in range(700):
        memory.add("a", {"n": number})
        clock.tick()
    assert client.hlen(changes_of(memory.namespace)) <= 300 + 256
    assert memory.get("a", as_of="250s") == {"n": 450}
    with pytest.raises(InvalidArgument, match="knows its records since"):
        memory.get("a", as_of="400s")
    assert len(memory.log("a")) == 301
