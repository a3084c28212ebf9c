"""Forks, dropped memories and clients that are gone leave nothing behind: no lock, no thread, no cost."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from threading import Lock, RLock, Thread
from typing import Any
from weakref import ref

import pytest
from outages import PATIENT, everything
from real_servers import until

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.stores import forks
from tta_memory_nb.stores.redis.operations import Attempt, WriteIds

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork"),
]


def in_child(work: Callable[[], object]) -> bool:
    """Forks, does some work in the child, and returns whether it has succeeded."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    ended: list[int] = []

    def has_ended() -> bool:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            ended.append(status)
        return bool(done)

    try:
        until(has_ended, "the child ends")
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return False
    return ended == [0]


@pytest.fixture
def busy() -> Iterator[Callable[[Callable[[int], object]], None]]:
    """Runs work in three threads until the test ends."""
    stop = threading.Event()
    threads: list[Thread] = []

    def start(work: Callable[[int], object]) -> None:
        def run(number: int) -> None:
            n = 0
            while not stop.is_set():
                work(1000 * number + n % 200)
                n += 1

        threads.extend(Thread(target=run, args=(number,)) for number in range(3))
        for thread in threads:
            thread.start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(PATIENT)


# ---- locks


def test_a_lock_that_another_thread_holds_for_a_moment_is_free_in_the_child(busy):
    locks: list[Any] = [forks.guarded(Lock(), 1), forks.guarded(RLock(), 2)]

    def work(_: int) -> None:
        with locks[0], locks[1]:
            pass

    busy(work)

    def use() -> None:
        for lock in locks:
            assert lock.acquire(timeout=1)
            lock.release()

    for _ in range(10):
        assert in_child(use)


def test_a_lock_that_is_held_for_long_is_free_in_the_child_as_well(monkeypatch):
    monkeypatch.setattr(forks, "_PATIENCE", 0.01)
    lock = forks.guarded(RLock(), 1)
    at_it, go = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            at_it.set()
            go.wait(PATIENT)

    thread = Thread(target=hold)
    thread.start()
    at_it.wait(PATIENT)
    assert in_child(lambda: lock.acquire(timeout=1) or sys.exit(1))
    assert not lock.acquire(blocking=False)  # here it is still held
    go.set()
    thread.join(PATIENT)


def test_locks_and_methods_are_forgotten_with_their_objects():
    class Book:
        def __init__(self) -> None:
            self.lock = forks.guarded(RLock(), 1)
            forks.after_fork_in_child(self.begin)

        def begin(self) -> None: ...

    for _ in range(2000):
        Book()
    gc.collect()
    assert len(forks._locks) < 2000
    assert len(forks._in_child) < 2000


# ---- memories


def test_a_child_of_a_busy_process_uses_its_memory(busy):
    memory = MemoryPrimitive(max_size=500)
    busy(
        lambda n: (
            memory.sync.add(f"u:{n}", {"text": "rain"}, ttl=60),
            memory.sync.search("rain", 5),
        )
    )

    def use() -> None:
        memory.sync.add("child", {"text": "snow"})
        assert memory.sync.search("snow") == [{"text": "snow"}]
        assert memory.sync.count() == memory.size()

    for _ in range(10):
        assert in_child(use)


def test_a_child_of_a_process_that_is_busy_on_a_server_uses_its_memory(busy, open_memory, database):
    memory = open_memory(database.url)
    busy(lambda n: (memory.sync.add(f"u:{n}", {"text": "rain"}), memory.sync.search("rain", 5)))

    def use() -> None:
        memory.sync.add("child", {"text": "snow"})
        assert memory.sync.search("snow") == [{"text": "snow"}]

        async def awaited() -> None:
            assert await memory.get("child") == {"text": "snow"}

        asyncio.run(awaited())

    for _ in range(6):
        assert in_child(use)
    assert memory.sync.get("child") == {"text": "snow"}


@pytest.mark.watched
def test_a_child_that_is_made_in_an_outage_finds_the_server_again(open_memory, proxy, other):
    memory = open_memory(proxy.url)
    memory.sync.add("k", {"n": 0})
    proxy.refuse()
    memory.sync.add("pending", {"n": 1})
    assert memory.outage()
    there, back = os.pipe(), os.pipe()

    def use() -> None:
        assert memory._store.outages.pending == 0  # those are the parent's
        os.write(there[1], b"x")
        os.read(back[0], 1)
        until(memory.is_using_redis, "the child has reached the server")
        memory.sync.add("child", {"n": 2})

    pid_is_right: list[bool] = []
    forked = Thread(target=lambda: (os.read(there[0], 1), proxy.heal(), os.write(back[1], b"x")))
    forked.start()
    pid_is_right.append(in_child(use))
    forked.join(PATIENT)
    assert pid_is_right == [True]
    until(memory.is_using_redis, "the parent has reached the server")
    assert set(everything(other)) == {"k", "pending", "child"}
    for end in (*there, *back):
        os.close(end)


# ---- dropped memories


def retrying() -> list[Thread]:
    return [each for each in threading.enumerate() if each.name == "tta-memory-reconnect"]


@pytest.mark.watched
@pytest.mark.parametrize("pending", [False, True], ids=["nothing is pending", "a write is pending"])
def test_a_memory_that_is_dropped_in_an_outage_leaves_no_thread(pending, proxy, other, clock):
    memory: Any = MemoryPrimitive(
        proxy.url, namespace=other.namespace, timeout=PATIENT, clock=clock
    )
    before = set(retrying())
    proxy.refuse()
    memory.sync.size()
    if pending:
        memory.sync.add("pending", {"n": 1})
    gone = ref(memory._store.outages)
    [thread] = set(retrying()) - before
    del memory
    gc.collect()
    if pending:
        assert thread.is_alive()
        proxy.heal()
    until(lambda: not thread.is_alive(), "the thread ends")
    gc.collect()
    assert gone() is None
    assert set(everything(other)) == ({"pending"} if pending else set())


async def test_a_memory_that_is_dropped_closes_its_connections(proxy, other):
    memory: Any = MemoryPrimitive(proxy.url, namespace=other.namespace, timeout=PATIENT)
    await memory.add("k", {"n": 1})
    assert proxy._open_connections
    del memory

    async def closed() -> None:
        while proxy._open_connections:
            gc.collect()
            await asyncio.sleep(0)

    await asyncio.wait_for(closed(), PATIENT)


# ---- the books of the server


def test_a_memory_that_is_closed_leaves_nothing_of_itself_on_the_server(
    open_memory, other, database
):
    memory = open_memory(database.url)
    for _ in range(2):  # used again after it was closed, it takes another name
        memory.sync.add("k", {"n": 1})
        memory.sync.close()
    with database.client() as client:
        names = client.hkeys(memory._store.commands.keys[3])
    assert [name for name in names if name.startswith((b"client:", b"seen:"))] == []
    assert other.sync.get("k") == {"n": 1}


def test_a_memory_that_has_sent_a_command_twice_keeps_its_ids_on_the_server(
    open_memory, proxy, database
):
    memory = open_memory(proxy.url)
    memory.sync.add("k", {"n": 1})
    proxy.fault("lose reply")
    memory.sync.add("k", {"n": 2})
    memory.sync.close()
    with database.client() as client:
        names = client.hkeys(memory._store.commands.keys[3])
    assert [name for name in names if name.startswith(b"client:")]


def test_the_server_forgets_clients_that_are_gone(open_memory, database):
    memory = open_memory(database.url)
    memory.sync.add("k", {"n": 0})
    meta = memory._store.commands.keys[3]
    with database.client() as client:
        long_ago = "1000000.0"
        gone = {f"client:gone{n}": "7:" for n in range(1500)}
        client.hset(meta, mapping={**gone, **{f"seen:gone{n}": long_ago for n in range(1500)}})
        for n in range(25):
            open_memory(database.url).sync.add("k", {"n": n})
        left = [name for name in client.hkeys(meta) if name.startswith(b"client:")]
    assert len(left) < 600
    assert memory._store.commands.write_ids.client in {name[7:] for name in left}


def test_a_client_leaves_only_when_all_its_writes_are_settled():
    ids = WriteIds()
    assert ids.leave() is None  # it has not written
    number = ids.begin(Attempt())
    client = ids.client
    assert ids.leave() is None
    ids.end(number)
    assert ids.leave() == client
    assert ids.leave() is None
    assert ids.begin(Attempt()) == number + 1
    assert ids.client != client


def test_writes_that_come_out_of_order_are_remembered_by_both_scripts(open_memory, database):
    memory = open_memory(database.url)
    memory.sync.add("first", {"n": 0})
    calls = memory._store.commands
    run = memory._store.runner.run
    held = [calls.write_ids.begin(Attempt()) for _ in range(6)]
    entries = {n: _entry(f"k{n}") for n in held}
    for n in (held[3], held[1], held[5]):  # the others are under way
        run(calls.set(entries[n], n, ""))
    run(calls.put([_entry("k")], held[4], ""))()
    with database.client() as client:
        said = client.hget(calls.keys[3], b"client:" + calls.write_ids.client).decode()
    one, ranges = said.split(":")
    assert int(one) < held[0]
    assert sorted(ranges.strip(",").split(",")) == sorted(
        [f"{held[1]}-{held[1]}", f"{held[3]}-{held[5]}"]
    )
    size = memory.size()
    memory.sync.delete(f"k{held[3]}")
    run(calls.set(entries[held[3]], held[3], ""))  # once more: it was applied
    assert memory.size() == size - 1
    for n in held:
        calls.write_ids.end(n)


def _entry(key: str) -> Any:
    from tta_memory_nb.entry import new_entry

    return new_entry(key, {"key": key}, 1_800_000_000.0, None)
