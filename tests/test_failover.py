"""A failover without a death: the old primary goes on to acknowledge writes, and nothing is lost.

A stand-in for a Sentinel names one of two real servers. The second replicates the first until it is
promoted; what the first acknowledges afterwards, it alone has.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest
from chaos.clients import Interrupting
from outages import PATIENT, everything
from real_servers import Server, need, until, valkey

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.stores.redis import failover, outage
from tta_memory_nb.stores.redis.failover import Acknowledged
from tta_memory_nb.stores.redis.faults import FailedOver
from tta_memory_nb.stores.redis.operations import Attempt, Write, WriteIds

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")

FACES = pytest.mark.parametrize("face", ["awaited", "called"])


class Sentinel:
    """Answers as a Sentinel does that names a server of this machine as the primary.

    Attributes:
        names: port of that server.
    """

    def __init__(self, names: int) -> None:
        self.names = names
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            while data := line.recv(1 << 12):
                for command in data.split(b"*")[1:]:
                    port = b"%d" % self.names
                    named = b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%b\r\n" % (len(port), port)
                    line.sendall(named if b"GET-MASTER-ADDR-BY-NAME" in command else b"+OK\r\n")

    def close(self) -> None:
        self._listener.close()


class Pair:
    """A primary and its replica, and who is named."""

    def __init__(self) -> None:
        need("valkey")
        at_once = ("--repl-diskless-sync-delay", "0")
        self.old, self.new = Server(valkey(), *at_once), Server(valkey(), *at_once)
        self.sentinel = Sentinel(self.old.port)
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel.port}/main"

    def begin(self) -> None:
        """Empties both, and has the second replicate the first."""
        self.sentinel.names = self.old.port
        with self.old.client() as old, self.new.client() as new:
            new.replicaof("NO", "ONE")
            old.replicaof("NO", "ONE")
            old.flushall()
            new.replicaof("127.0.0.1", self.old.port)
            until(lambda: new.info("replication")["master_link_status"] == "up", "it is linked")

    def replicate(self) -> None:
        """Waits until the replica has everything."""
        with self.old.client() as old, self.new.client() as new:
            until(
                lambda: (
                    old.info("replication")["master_repl_offset"]
                    == new.info("replication")["master_repl_offset"]
                ),
                "the replica has everything",
            )

    def promote(self) -> None:
        """Makes the replica a primary; nobody is told yet."""
        self.replicate()
        with self.new.client() as new:
            new.replicaof("NO", "ONE")

    def tell(self) -> None:
        """Names the promoted server."""
        self.sentinel.names = self.new.port


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    it = Pair()
    yield it
    it.sentinel.close()
    it.old.stop()
    it.new.stop()


@pytest.fixture
def pair(servers: Pair, monkeypatch: pytest.MonkeyPatch) -> Pair:
    # Tests ask by themselves whether there was a failover.
    monkeypatch.setattr(failover.Guard, "begin", lambda *_: None)
    servers.begin()
    return servers


@pytest.fixture
def memory(open_memory: Callable[..., MemoryPrimitive], pair: Pair) -> MemoryPrimitive:
    return open_memory(pair.url)


@pytest.fixture
def other(open_memory: Callable[..., MemoryPrimitive], pair: Pair) -> MemoryPrimitive:
    """A client that has only ever known the new primary."""
    return open_memory(f"redis://127.0.0.1:{pair.new.port}")


def check(memory: MemoryPrimitive) -> None:
    """Asks whether there was a failover, as the guard does every second."""
    store: Any = memory._store
    store.outages._check()


async def do(memory: MemoryPrimitive, face: str, verb: str, *arguments: Any) -> Any:
    if face == "called":
        return getattr(memory.sync, verb)(*arguments)
    return await getattr(memory, verb)(*arguments)


@FACES
async def test_what_the_old_primary_has_acknowledged_is_written_again(
    face, memory, other, pair, caplog
):
    await do(memory, face, "add", "kept", {"n": 0})
    await do(memory, face, "add", "gone", {"n": 0})
    pair.promote()
    await do(memory, face, "add", "new", {"n": 1})
    await do(memory, face, "add_many", {f"many:{n}": {"n": n} for n in range(3)})
    assert await do(memory, face, "delete", "gone") is True
    assert set(everything(other)) == {"kept", "gone"}
    pair.tell()
    await asyncio.to_thread(check, memory)
    assert memory.outage() is None
    assert memory.is_using_redis()
    expected = {"kept": {"n": 0}, "new": {"n": 1}, **{f"many:{n}": {"n": n} for n in range(3)}}
    assert everything(other) == expected
    assert everything(memory) == expected
    [warning] = caplog.messages
    assert "another server has become the primary; 7 writes" in warning


@FACES
@pytest.mark.parametrize("policy", ["fallback", "raise"])
async def test_a_verb_that_finds_the_new_primary_first_brings_what_it_lacks(
    face, policy, open_memory, pair, other
):
    memory = open_memory(pair.url, on_outage=policy)
    await do(memory, face, "add", "kept", {"n": 0})
    pair.promote()
    await do(memory, face, "add", "lost", {"n": 1})
    pair.tell()
    with pair.old.client() as old:  # as a Sentinel does when it demotes a server
        old.client_kill_filter(_type="normal", skipme=True)
    assert await do(memory, face, "get", "lost") == {"n": 1}
    assert memory.outage() is None
    assert everything(other) == {"kept": {"n": 0}, "lost": {"n": 1}}


async def test_all_connections_to_the_old_primary_are_closed(memory, pair):
    await asyncio.gather(*(memory.add(f"k{n}", {"n": n}) for n in range(200)))
    memory.sync.get("k1")
    pair.promote()
    pair.tell()
    await asyncio.to_thread(check, memory)
    assert await memory.get("k1") == {"n": 1}
    with pair.old.client() as old:
        await asyncio.to_thread(
            until, lambda: len(old.client_list(_type="normal")) == 1, "they are closed"
        )


def test_what_was_replicated_is_not_written_a_second_time(memory, other, pair, clock):
    memory.sync.add("k", {"by": "memory"})
    memory.sync.add("taken", {"by": "memory"})
    pair.promote()
    clock.now -= 10  # so that nothing but the id of the write tells that it is older
    other.sync.delete("k")
    other.sync.add("taken", {"by": "other"})
    clock.now += 20
    pair.tell()
    check(memory)
    assert everything(other) == {"taken": {"by": "other"}}


@pytest.mark.parametrize("first", ["memory", "other"])
def test_of_writes_to_both_primaries_the_newest_instant_wins(memory, other, pair, clock, first):
    memory.sync.add("k", {"by": "nobody"})
    pair.promote()
    for who in ("memory", "other") if first == "memory" else ("other", "memory"):
        clock.tick()
        {"memory": memory, "other": other}[who].sync.add("k", {"by": who})
    pair.tell()
    check(memory)
    winner = {"by": "other" if first == "memory" else "memory"}
    assert everything(other) == {"k": winner}
    assert memory.sync.get("k") == winner


def test_undo_clear_and_resize_reach_the_new_primary(memory, other, pair, clock):
    memory.sync.add_many({f"k{n}": {"n": n} for n in range(4)})
    pair.promote()
    clock.tick()
    change = memory.sync.remove(["k0", "k1"])
    clock.tick()
    memory.sync.undo(change)
    clock.tick()
    memory.sync.clear()
    clock.tick()
    memory.sync.resize(2)
    memory.sync.add_many({f"new{n}": {"n": n} for n in range(3)})
    assert set(everything(other)) == {f"k{n}" for n in range(4)}
    pair.tell()
    check(memory)
    assert set(everything(other)) == {"new1", "new2"}
    other.sync.size()
    assert other._store.max_size == 2


def test_a_second_failover_loses_nothing_either(memory, pair, clock):
    memory.sync.add("first", {"n": 1})
    pair.promote()
    memory.sync.add("second", {"n": 2})
    pair.tell()
    check(memory)
    clock.tick()
    memory.sync.add("third", {"n": 3})
    pair.sentinel.names = pair.old.port  # which lacks what the other has got since
    check(memory)
    assert set(everything(memory)) == {"first", "second", "third"}
    with pair.old.client() as old:
        assert old.hlen(memory._store.commands.keys[0]) == 3


def test_what_its_writer_brings_to_the_new_primary_is_not_reported_as_lost_by_others(
    memory, open_memory, pair
):
    reader = open_memory(pair.url)
    memory.sync.add("kept", {"n": 0})
    pair.promote()
    memory.sync.add("late", {"n": 1})
    assert set(everything(reader)) == {"kept", "late"}
    pair.tell()
    check(reader)
    assert reader.get_backend_info()["lost_on_server"] == 1
    check(memory)
    assert reader.get_backend_info()["lost_on_server"] == 0
    assert set(everything(reader)) == {"kept", "late"}


def test_closing_a_memory_looks_for_a_failover_once_more(memory, other, pair):
    memory.sync.add("kept", {"n": 0})
    pair.promote()
    memory.sync.add("lost", {"n": 1})
    pair.tell()
    memory.sync.close()
    assert set(everything(other)) == {"kept", "lost"}


def test_a_server_that_cannot_fail_over_costs_nothing(open_memory, database):
    memory = open_memory(database.url)
    assert memory._store.outages._acknowledged is None


def test_the_guard_asks_until_nothing_can_be_lost(servers, open_memory, monkeypatch):
    servers.begin()
    monkeypatch.setattr(failover, "_MARGIN", -PATIENT)  # what was just acknowledged is safe
    monkeypatch.setattr(failover, "CHECKED_EVERY", 0.01)
    memory = open_memory(servers.url)
    for _ in range(2):  # a second guard begins where the first has ended
        memory.sync.add("k", {"n": 1})
        until(lambda: not memory._store.outages._guard.is_on, "the guard has ended")
        assert len(memory._store.outages._acknowledged) == 0
    memory._store.outages._acknowledged.add([Write("clear", 0.0)], 0)
    memory.sync.close()


def test_an_interrupt_loses_nothing_of_what_another_server_may_lack(memory, pair):
    outages = memory._store.outages
    for event in count(1):
        key = f"k{event}"
        memory.sync.add(key, {"n": event})
        with patch.object(outage.Outages, "_take_back"):
            outages._begin(FailedOver("another one, says the test"), outages.ended)
        interrupting = Interrupting(event)
        with suppress(KeyboardInterrupt), interrupting:
            outages._take_back(outages.current)
        kept = [*outages._acknowledged.writes(), *outages.current.journal._writes]
        assert key in {each for write in kept for each in write.changed}, event
        assert memory.sync.reconnect() is True
        outages._acknowledged.forget()
        if not interrupting.happened:
            break
    assert event > 10
    assert len(everything(memory)) == event


# ---- the books


def test_acknowledged_writes_are_dropped_when_they_are_safe_or_too_many(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(failover, "monotonic", lambda: now)
    kept = Acknowledged()
    assert kept.base is None
    for n in range(3):
        kept.add([Write("delete", 0.0, keys=(f"k{n}",))], base=n)
        now += 1
    assert kept.base == 0
    kept.confirm(now + failover._MARGIN - 1.5)
    assert len(kept) == 1
    assert kept.base == 2
    monkeypatch.setattr(failover, "_MOST", 5)
    kept.add([Write("delete", 0.0, keys=("a", "b", "c", "d"))], base=7)
    kept.add([Write("delete", 0.0, keys=("e",))], base=8)
    assert kept.base == 7
    assert [write.keys for write in kept.writes()] == [("a", "b", "c", "d"), ("e",)]
    kept.forget()
    assert len(kept) == 0


def test_a_write_that_is_opened_again_keeps_later_ones_from_settling_it():
    ids = WriteIds()
    numbers = [ids.begin(Attempt()) for _ in range(4)]
    for number in numbers:
        ids.end(number)
    assert ids.settled_below() == 5
    ids.begin(Attempt())
    ids.reopen([3, 2])
    assert ids.settled_below() == 2
    ids.end(2)
    ids.end(3)
    assert ids.settled_below() == 5
