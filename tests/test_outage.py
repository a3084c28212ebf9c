"""Results of calls while the server is unreachable, and the server's records after an outage.

A proxy and signals disturb the connection and the server as networks and machines do. Tests call
`reconnect` themselves, so that nothing depends on the timing of a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest
from backends import DEEP, Clock, calls
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from network import Proxy
from outages import HASTY, PATIENT, everything
from real_servers import Cluster, Server, need, until, valkey

from tta_memory_nb import MemoryPrimitive, ServerError, StoreUnavailable
from tta_memory_nb.entry import new_entry
from tta_memory_nb.stores.redis import routing
from tta_memory_nb.stores.redis.keys import keys_of
from tta_memory_nb.stores.redis.operations import Attempt


async def run_verb(memory: MemoryPrimitive, face: str, verb: str, *arguments: Any) -> Any:
    """Runs a verb on the awaited or the called face."""
    found = getattr(memory if face == "awaited" else memory.sync, verb)(*arguments)
    return await found if isinstance(found, Awaitable) else found


async def until_awaited(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Awaits `holds` until its result is true; the error after a timeout names `what`."""
    try:
        async with asyncio.timeout(PATIENT):
            while not await holds():  # noqa: ASYNC110  another process sets no event
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"waited {PATIENT:g} s in vain: {what}") from None


# ---- every kind of outage

OUTAGES: dict[str, Callable[[Proxy], object]] = {
    "refused": lambda proxy: proxy.refuse(),
    "reset": lambda proxy: proxy.fault("reset", times=None),
    "answers are lost": lambda proxy: proxy.fault("lose reply", times=None),
    "half a request": lambda proxy: proxy.fault("half request", times=None),
    "half an answer": lambda proxy: proxy.fault("half reply", times=None),
    "hangs": lambda proxy: proxy.fault("hang", times=None),
    **{
        error: partial(Proxy.fault, kind="error", times=None, error=error.encode())
        for error in (
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "CLUSTERDOWN The cluster is down",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "TRYAGAIN Multiple keys request during rehashing of slot",
        )
    },
}


pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")


@pytest.mark.parametrize("face", ["awaited", "called"])
@pytest.mark.parametrize("kind", OUTAGES)
async def test_verbs_work_in_an_outage_and_their_writes_reach_the_server_afterwards(
    kind, face, open_memory, other, proxy, clock, caplog
):
    memory = open_memory(proxy.url, timeout=HASTY if kind == "hangs" else PATIENT)

    def do(verb: str, *arguments: Any) -> Awaitable[Any]:
        return run_verb(memory, face, verb, *arguments)

    await do("add", "kept", {"text": "It rains"})
    await do("add", "gone", {"text": "nothing"})
    OUTAGES[kind](proxy)
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        clock.tick()
        await do("add", "new", {"text": "Rain again"})
        assert not memory.is_using_redis()
        assert await do("delete", "gone") is True
        await do("add_many", {f"many:{n}": {"n": n} for n in range(3)})
        assert await do("get", "new") == {"text": "Rain again"}
        assert await do("get", "kept") == {"text": "It rains"}
        assert await do("get", "gone") is None
        found = [record.key for record in memory.sync.search_records("RAIN")]
        assert sorted(found) == ["kept", "new"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]  # not one per verb
    info = memory.get_backend_info()
    assert (info["backend"], info["degraded"], info["writes_waiting"]) == ("in-memory", True, 5)
    assert info["degraded_since"] == clock.now
    proxy.heal()
    assert await do("reconnect") is True
    info = memory.get_backend_info()
    assert (info["backend"], info["degraded"], info["writes_waiting"]) == ("redis", False, 0)
    expected = {
        "kept": {"text": "It rains"},
        "new": {"text": "Rain again"},
        **{f"many:{n}": {"n": n} for n in range(3)},
    }
    assert everything(other) == expected
    assert everything(memory) == expected
    assert await do("get", "new") == {"text": "Rain again"}


@pytest.mark.parametrize("face", ["awaited", "called"])
@pytest.mark.parametrize("kind", ["reset", "lose reply", "half request", "half reply", "trickle"])
async def test_one_broken_connection_is_no_outage_and_no_write_is_done_twice(
    kind, face, memory, other, proxy
):
    await run_verb(memory, face, "add", "k", {"n": 0})
    for number, verb in enumerate(("add", "get", "delete")):
        fault = proxy.fault(kind, lambda command: command[0] == b"EVALSHA")
        match verb:
            case "add":
                await run_verb(memory, face, "add", "k", {"n": number})
            case "get":
                assert await run_verb(memory, face, "get", "k") == {"n": 0}
            case "delete":
                assert await run_verb(memory, face, "delete", "k") is True
        assert fault.count == 1
        assert memory.is_using_redis()
    assert everything(other) == {}
    counters = memory.redis_client.hget(memory._store.commands.keys[3], "seq")
    assert int(counters) - memory._store.commands.seen <= 1  # each was counted once


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE"),
        ("NOAUTH Authentication required.", "NOAUTH"),
        ("NOPERM No permissions to access a key", "NOPERM"),
        ("MISCONF Redis is configured to save RDB snapshots", "MISCONF"),
        ("ERR Error running script: @user_script: 1: -OOM command not allowed", "OOM"),
        ("ERR something else", ""),
    ],
)
def test_an_error_that_is_no_outage_is_shown_and_changes_nothing(memory, other, proxy, error, code):
    memory.sync.add("k", {"n": 1})
    proxy.fault("error", error=error.encode())
    with pytest.raises(ServerError) as raised:
        memory.sync.add("k", {"n": 2})
    assert raised.value.code == code
    assert error.split()[-1].rstrip(".") in str(raised.value)
    assert memory.is_using_redis()
    assert memory.outage() is None
    assert everything(other) == {"k": {"n": 1}}
    memory.sync.add("k", {"n": 3})
    assert everything(other) == {"k": {"n": 3}}


def test_a_key_of_another_kind_is_an_error_and_not_an_outage(memory, other):
    memory.redis_client.set(memory._store.commands.keys[0], "a string of somebody else")
    with pytest.raises(ServerError) as raised:
        memory.sync.add("k", {})
    assert raised.value.code == "WRONGTYPE"
    assert memory.is_using_redis()
    memory.redis_client.delete(memory._store.commands.keys[0])


# ---- begin and end of an outage


@pytest.mark.watched
def test_a_server_that_was_unreachable_at_the_start_is_found_automatically(
    open_memory, other, proxy, caplog
):
    proxy.refuse()
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        memory = open_memory(proxy.url)
    assert len(caplog.records) == 1
    assert not memory.is_using_redis()
    memory.sync.add("k", {"n": 1})
    assert memory.sync.get("k") == {"n": 1}
    proxy.heal()
    until(memory.is_using_redis, "the server is found again")
    assert everything(other) == {"k": {"n": 1}}


def test_a_write_acknowledged_before_an_outage_is_ordered_before_offline_writes(
    memory, other, proxy
):
    memory.sync.add("old", {"n": 0})
    commands = memory._store.commands
    entry = new_entry("late", {"n": 1}, 1.0, None)
    acknowledge = memory._runner.run(
        commands.put((entry,), commands.write_ids.begin(Attempt()), "")
    )
    proxy.refuse()
    memory.sync.add("offline", {"n": 2})
    acknowledge()
    assert [record.key for record in memory.sync.records()] == ["offline", "late", "old"]
    assert [record.key for record in memory.sync.search_records("n")] == ["offline", "late", "old"]


async def test_a_called_reconnect_does_not_wait_for_a_task_of_its_own_loop(memory, other, proxy):
    proxy.refuse()
    memory.sync.add("k", {"n": 1})
    proxy.heal()
    for yields in range(12):
        task = asyncio.create_task(memory.reconnect())
        for _ in range(yields):
            await asyncio.sleep(0)
        memory.sync.reconnect()  # returns at once if the task is reconnecting
        assert await task
        assert memory.sync.reconnect()
    assert everything(other) == {"k": {"n": 1}}


def test_a_policy_of_raise_raises_and_keeps_nothing(open_memory, other, proxy):
    memory = open_memory(proxy.url, on_outage="raise")
    proxy.refuse()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        memory.sync.add("k", {})
    with pytest.raises(StoreUnavailable):
        memory.sync.get("k")
    with pytest.raises(StoreUnavailable):
        open_memory(proxy.url, on_outage="raise")
    assert memory.outage() is None
    proxy.heal()
    memory.sync.add("k", {"n": 1})
    assert everything(other) == {"k": {"n": 1}}


def test_a_call_to_a_frozen_server_returns_while_the_server_is_still_frozen(database, open_memory):
    memory = open_memory(database.url, timeout=HASTY)
    memory.sync.add("k", {"n": 1})
    database.freeze()
    try:
        calling = Thread(target=memory.sync.add, args=("k", {"n": 2}), daemon=True)
        calling.start()
        calling.join(PATIENT)
        assert not calling.is_alive(), f"the call has not returned within {PATIENT:g} s"
        assert memory.sync.get("k") == {"n": 2}
    finally:
        database.thaw()
    until(memory.sync.reconnect, "the server is reached again")
    assert memory.sync.get("k") == {"n": 2}


async def test_other_tasks_run_while_calls_wait_for_a_frozen_server(database, open_memory):
    memory = open_memory(database.url)
    await memory.add("k", {"n": 1})
    gone_on = asyncio.Event()

    async def go_on() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        gone_on.set()

    database.freeze()
    try:
        # The server sends nothing before it is released, so the other task runs only if the loop
        # is free.
        calls = [asyncio.create_task(memory.add(f"k{n}", {"n": n})) for n in range(1000)]
        other_task = asyncio.create_task(go_on())
        async with asyncio.timeout(PATIENT):
            await gone_on.wait()
        assert not any(call.done() for call in calls)
    finally:
        database.thaw()
    await asyncio.gather(other_task, *calls)
    assert memory.is_using_redis()
    assert await memory.count() == 1001


async def test_many_calls_to_a_frozen_server_do_not_wait_one_after_the_other(database, open_memory):
    memory = open_memory(database.url, timeout=HASTY)
    await memory.add("k", {"n": 1})
    database.freeze()
    try:
        # A thousand timeouts one after the other would take longer than the patience.
        async with asyncio.timeout(PATIENT):
            await asyncio.gather(*(memory.add(f"k{n}", {"n": n}) for n in range(1000)))
        assert not memory.is_using_redis()
    finally:
        database.thaw()
    await until_awaited(memory.reconnect, "the server is reached again")
    assert await memory.count() == 1001


def test_acknowledged_writes_survive_when_the_server_is_killed(database, memory, other):
    memory.sync.add("before", {"n": 1})
    database.kill()
    memory.sync.add("meanwhile", {"n": 2})
    database.restart()
    assert memory.sync.reconnect()
    expected = {"before": {"n": 1}, "meanwhile": {"n": 2}}
    assert everything(memory) == expected
    assert everything(other) == expected


def test_a_server_that_was_restarted_between_two_calls_is_no_outage(database, memory):
    memory.sync.add("k", {"n": 1})
    database.kill()
    database.restart()
    assert memory.sync.get("k") == {"n": 1}
    memory.sync.add("k", {"n": 2})
    assert memory.is_using_redis()


# ---- two clients that write


def test_a_write_that_arrives_late_is_not_carried_out_a_second_time(open_memory, other, proxy):
    memory = open_memory(proxy.url, timeout=HASTY)
    memory.sync.add("k", {"n": 0})
    memory.sync.add("k", {"n": 1})
    proxy.fault("delay", times=None)
    memory.sync.add("k", {"n": 2})  # there is no reply, so the write goes to memory
    assert not memory.is_using_redis()
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == {"k": {"n": 2}}
    other.sync.delete("k")
    proxy.release()  # now the server gets it
    assert everything(other) == {}
    other.sync.add("k", {"n": 3})
    assert memory.sync.get("k") == {"n": 3}


def test_a_write_whose_answer_was_lost_does_not_come_back_when_others_deleted_it(
    memory, other, proxy, clock
):
    memory.sync.add("k", {"n": 0})
    proxy.fault("lose reply", times=None)
    clock.tick()
    memory.sync.add("k", {"n": 1})
    assert not memory.is_using_redis()
    assert everything(other) == {"k": {"n": 1}}
    clock.now -= 10  # the other client's clock is behind
    other.sync.delete("k")
    clock.tick(20)
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == {}
    assert memory.sync.get("k") is None


@pytest.mark.parametrize("first", ["memory", "other"])
@pytest.mark.parametrize("its", ["add", "delete", "clear"])
@pytest.mark.parametrize("others", ["add", "delete", "clear"])
def test_the_newest_instant_wins(memory, other, proxy, clock, first, its, others):
    memory.sync.add("k", {"by": "nobody"})
    everything(memory)
    proxy.refuse()
    memory.sync.size()

    def do(who: MemoryPrimitive, verb: str, name: str) -> None:
        clock.tick()
        match verb:
            case "add":
                who.sync.add("k", {"by": name})
            case "delete":
                who.sync.delete("k")
            case "clear":
                who.sync.clear()

    writers = [(memory, its, "memory"), (other, others, "other")]
    for who, verb, name in writers if first == "memory" else reversed(writers):
        do(who, verb, name)
    proxy.heal()
    assert memory.sync.reconnect()
    _, last, name = writers[1] if first == "memory" else writers[0]
    assert everything(other) == ({"k": {"by": name}} if last == "add" else {})
    assert everything(memory) == everything(other)


def test_changes_are_undone_across_an_outage(memory, other, proxy, clock):
    memory.sync.add_many({"a": {"n": 1}, "b": {"n": 2}})
    before = memory.sync.remove(["a"])
    proxy.refuse()
    clock.tick()
    memory.sync.undo(before)
    during = memory.sync.remove(["b"])
    everything_gone = memory.sync.take_all()
    assert everything(memory) == {}
    memory.sync.undo(everything_gone)
    assert everything(memory) == {"a": {"n": 1}}
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == {"a": {"n": 1}}
    memory.sync.undo(during)
    assert everything(other) == {"a": {"n": 1}, "b": {"n": 2}}


@pytest.mark.parametrize("searched", [False, True], ids=["never searched", "searched"])
def test_the_latest_writes_of_this_process_are_known_in_an_outage(memory, other, proxy, searched):
    memory.sync.add_many({"a": {"n": 1}, "b": {"n": 2}, "c": {"n": 3}})
    if searched:
        everything(memory)
    other.sync.add("others", {"n": 9})  # from here on the replica has to sync
    memory.sync.undo(memory.sync.remove(["a"]))
    memory.sync.delete("b")
    memory.sync.add("c", {"n": 4})
    memory.sync.add("d", {"n": 5})
    proxy.refuse()
    assert everything(memory) == {"a": {"n": 1}, "c": {"n": 4}, "d": {"n": 5}}
    proxy.heal()
    assert memory.sync.reconnect()
    if searched:
        everything(memory)
    other.sync.add("others", {"n": 10})
    memory.sync.add("e", {"n": 6})
    memory.sync.clear()
    memory.sync.add("f", {"n": 7})
    proxy.refuse()
    assert everything(memory) == {"f": {"n": 7}}
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(memory) == everything(other) == {"f": {"n": 7}}


def test_a_write_is_undone_in_an_outage_after_its_record_was_loaded_again(
    memory, other, proxy, clock
):
    memory.sync.add("old", {"n": 0})
    written = [
        new_entry("k", {"n": 1}, clock.now, None),
        new_entry("old", {"n": 1}, clock.now, None),
    ]
    change = calls(memory).put(written)
    proxy.refuse()
    memory.sync.size()
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(memory) == {"k": {"n": 1}, "old": {"n": 1}}
    proxy.refuse()
    memory.sync.undo(change)
    assert everything(memory) == {"old": {"n": 0}}
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == {"old": {"n": 0}}


# ---- the journal


def test_a_full_journal_refuses_writes_and_loses_none(memory, other, proxy):
    with patch.object(routing, "MOST_PENDING", 3):
        proxy.refuse()
        memory.sync.add_many({"a": {}, "b": {}})
        memory.sync.add("c", {})
        with pytest.raises(StoreUnavailable, match="3 writes are pending for it"):
            memory.sync.add("d", {})
        with pytest.raises(StoreUnavailable):
            memory.sync.delete("a")
        assert sorted(everything(memory)) == ["a", "b", "c"]
        proxy.heal()
        assert memory.sync.reconnect()
        memory.sync.add("d", {})
    assert sorted(everything(other)) == ["a", "b", "c", "d"]


def test_writing_a_key_over_and_over_does_not_fill_the_journal(memory, other, proxy):
    proxy.refuse()
    for number in range(50):
        memory.sync.add("k", {"n": number})
        memory.sync.delete("j")
    # The first one may have been sent, so it must stay as it was.
    assert memory.outage()["writes_waiting"] == 3
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == {"k": {"n": 49}}


def test_large_pending_values_are_sent_a_few_at_a_time(memory, other, proxy):
    proxy.refuse()
    for number in range(20):
        memory.sync.add(f"k{number}", {"text": "x" * 1_000_000, "n": number})
    proxy.heal()
    before = proxy.commands
    assert memory.sync.reconnect()
    assert proxy.commands - before >= 5
    assert [record.value["n"] for record in other.sync.records()] == list(range(20))[::-1]


def test_pending_writes_are_kept_when_the_server_is_back_but_refuses_them(memory, other, proxy):
    memory.sync.add("k", {"n": 1})
    proxy.refuse()
    memory.sync.add("k", {"n": 2})
    proxy.heal()
    proxy.fault("error", times=None, error=b"OOM command not allowed")
    assert memory.sync.reconnect() is False
    assert memory.outage()["writes_waiting"] == 1
    assert "OOM" in memory.outage()["degraded_because"]
    assert memory.sync.get("k") == {"n": 2}
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == {"k": {"n": 2}}


def test_a_reply_lost_in_the_replay_replays_no_write_twice(memory, other, proxy):
    proxy.refuse()
    memory.sync.add_many({f"k{n}": {"n": n} for n in range(1200)})
    memory.sync.delete("k7")
    proxy.heal()
    calls = 0

    def third(command: Any) -> bool:
        nonlocal calls
        calls += 1
        return calls >= 3

    proxy.fault("lose reply", third, times=None)
    assert memory.sync.reconnect() is False
    other.sync.delete("k3")  # the write has already reached the server
    proxy.heal()
    assert memory.sync.reconnect()
    assert set(everything(other)) == {f"k{n}" for n in range(1200)} - {"k3", "k7"}


def test_closing_warns_of_writes_that_never_reached_the_server(open_memory, proxy, caplog):
    memory = open_memory(proxy.url)
    proxy.refuse()
    memory.sync.add("k", {})
    caplog.clear()
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        memory.sync.close()
    assert "1 writes have not reached it" in caplog.text


# ---- failover


def is_replicated(primary: Server) -> bool:
    with primary.client() as client:
        error = client.info("replication")
    return bool(error["slave0"]["offset"] == error["master_repl_offset"])


def test_a_memory_follows_the_sentinels_to_the_new_primary():
    sentinels = need("sentinel")
    memory = MemoryPrimitive(sentinels.url, namespace="failover", timeout=PATIENT)
    memory.sync.add("before", {"n": 1})
    until(lambda: is_replicated(sentinels.primary), "the replica has it as well")
    sentinels.fail_over()
    memory.sync.add("after", {"n": 2})
    until(memory.sync.reconnect, "the new primary is found")
    assert everything(memory) == {"before": {"n": 1}, "after": {"n": 2}}
    with sentinels.primary.client() as client:
        assert client.hlen(keys_of("failover")[0]) == 2
    memory.sync.close()


async def test_a_memory_awaited_follows_the_cluster_to_a_new_primary():
    need("valkey")
    cluster = Cluster(valkey())
    memory = MemoryPrimitive(cluster.url, namespace="failover", timeout=PATIENT)
    await memory.add("before", {"n": 1})
    slot = memory.redis_client.keyslot(keys_of("failover")[0])
    node = memory.redis_client.nodes_manager.get_node_from_slot(slot)
    [owner] = [each for each in cluster.nodes if each.port == node.port]
    until(lambda: is_replicated(owner), "the replica has it as well")
    owner.kill()
    await memory.add("meanwhile", {"n": 2})
    await until_awaited(memory.reconnect, "the replica takes over")
    assert await memory.get_many(["before", "meanwhile"]) == {
        "before": {"n": 1},
        "meanwhile": {"n": 2},
    }
    await memory.aclose()
    for each in cluster.nodes:
        each.stop()


# ---- random schedules

KEYS = ["a", "b", "c", "d"]
keys = st.sampled_from(KEYS)
kinds = st.sampled_from(
    ["reset", "lose reply", "half request", "half reply", "hang", "delay", "error"]
)


class Schedule(RuleBasedStateMachine):
    """Two clients of one namespace, one of them over a network that fails at any time.

    The model is one sentence: of all acknowledged writes to a key the one with the newest instant
    wins. Each step has an instant of its own.
    """

    database: Server
    proxy: Proxy
    runs = 0

    @initialize()
    def start(self):
        Schedule.runs += 1
        self.clock = Clock()
        arguments = {"namespace": f"schedule {Schedule.runs}", "clock": self.clock}
        self.direct = MemoryPrimitive(self.database.url, timeout=PATIENT, **arguments)
        # Commands without a reply have to time out hundreds of times. One more outage on a busy
        # machine is harmless: the model does not depend on when outages happen.
        self.proxied = MemoryPrimitive(self.proxy.url, timeout=0.08, **arguments)
        self.writes: dict[str, Any] = {}
        self.number = 0
        self.own: dict[str, Any] | None = None

    def teardown(self):
        if not hasattr(self, "proxied"):
            return
        self.proxy.heal()
        self.proxy.release()
        try:
            until(self.proxied.sync.reconnect, "the journal is replayed")
            assert everything(self.direct) == self.writes
            until(self.sees_the_server, "the proxied client reads from the server")
            assert self.seen == self.writes
            self.proxy.release()
            assert everything(self.direct) == self.writes
        finally:
            store: Any = self.proxied._store
            store.outages.current = None
            for memory in (self.direct, self.proxied):
                memory.sync.clear()
                memory.sync.close()

    def sees_the_server(self) -> bool:
        """Returns whether the proxied client now reads from the server."""
        self.proxied.sync.reconnect()
        self.seen = everything(self.proxied)
        return self.proxied.is_using_redis()

    def value(self) -> dict[str, Any]:
        self.clock.tick()
        self.number += 1
        return {"n": self.number}

    def wrote(self, key: str, value: Any) -> None:
        if value is None:
            self.writes.pop(key, None)
        else:
            self.writes[key] = value

    @rule(key=keys)
    def add(self, key):
        value = self.value()
        self.proxied.sync.add(key, value)
        self.wrote(key, value)
        assert self.proxied.sync.get(key) == value

    @rule(some=st.lists(keys, min_size=1, max_size=3, unique=True))
    def add_many(self, some):
        items = {key: self.value() for key in some}
        self.clock.tick()
        self.proxied.sync.add_many(items)
        for key, value in items.items():
            self.wrote(key, value)

    @rule(some=st.lists(keys, min_size=2, max_size=4, unique=True), count=st.integers(0, 3))
    def apply(self, some, count):
        puts = {key: self.value() for key in some[:count]}
        self.clock.tick()
        self.proxied.sync.apply(puts, some[count:])
        for key in some:
            self.wrote(key, puts.get(key))

    @rule(key=keys)
    def delete(self, key):
        self.clock.tick()
        self.proxied.sync.delete(key)
        self.wrote(key, None)
        assert self.proxied.sync.get(key) is None

    @rule()
    def clear(self):
        self.clock.tick()
        self.proxied.sync.clear()
        self.writes.clear()
        assert self.proxied.sync.keys() == []

    @rule(key=keys)
    def get(self, key):
        found = self.proxied.sync.get(key)
        if self.proxied.is_using_redis():
            assert found == self.writes.get(key)

    @rule()
    def search(self):
        found = {hit.key: hit.value for hit in self.proxied.sync.search_records("n", None)}
        if self.proxied.is_using_redis():
            assert found == self.writes

    @rule(key=keys)
    def add_directly(self, key):
        value = self.value()
        self.direct.sync.add(key, value)
        self.wrote(key, value)

    @rule(key=keys)
    def delete_directly(self, key):
        self.clock.tick()
        if self.direct.sync.delete(key):  # else an add that arrives later stays
            self.wrote(key, None)

    @rule()
    def clear_directly(self):
        self.clock.tick()
        self.direct.sync.clear()
        self.writes.clear()

    @rule(kind=kinds)
    def fail(self, kind):
        error = b"LOADING Redis is loading the dataset in memory"
        self.proxy.fault(kind, lambda command: command[0] == b"EVALSHA", error=error)

    @rule()
    def vanish(self):
        self.proxy.refuse()

    @rule()
    def come_back(self):
        self.proxy.heal()
        self.proxied.sync.reconnect()

    @rule()
    def release_delayed_commands(self):
        self.proxy.release()


def test_random_schedules_lose_no_write_and_bring_no_deleted_record_back(database, proxy):
    Schedule.database, Schedule.proxy = database, proxy
    run_state_machine_as_test(
        Schedule,
        settings=settings(
            max_examples=DEEP * 150,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )
