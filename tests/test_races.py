"""Many threads and tasks on one memory lose no record and mix up no values."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from backends import ONE_OF_EACH_CONNECTION

from tta_memory_nb import MemoryPrimitive

if TYPE_CHECKING:
    from backends import Clock

pytestmark = [
    pytest.mark.usefixtures("threads_take_turns_often"),
    pytest.mark.backends(*ONE_OF_EACH_CONNECTION),
]

THREADS = 8
TASKS = 200


def steps(backend: str, many: int) -> int:
    """Returns how often each thread or task does its work: on a server, where it takes longer, a third."""
    return many if backend == "in-memory" else many // 3


def value_of(key: str, version: int) -> dict[str, Any]:
    """Returns a value that shows whether it belongs to its key and is complete."""
    return {"key": key, "version": version, "again": [key, version], "text": f"Note {version}"}


def assert_whole(memory: MemoryPrimitive) -> None:
    """Checks that every value belongs to its key, and that all verbs read the same records."""
    records = memory.sync.records()
    for record in records:
        assert record.value == value_of(record.key, record.value["version"])
        assert memory.sync.search(record.key, None) != []
    keys = memory.sync.keys()
    assert keys == [record.key for record in reversed(records)]
    assert len(keys) == len(set(keys)) == memory.size() == memory.sync.count()
    assert memory.size() <= memory.max_size
    assert sorted(hit.key for hit in memory.sync.search_records("note", None)) == sorted(keys)


def together(work: Callable[[int], None]) -> list[BaseException]:
    """Runs the work in all threads at once, and returns their errors."""
    barrier = threading.Barrier(THREADS)
    raised: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:  # tests assert that none occurred
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def churn(memory: MemoryPrimitive, clock: Clock, seed: int, steps: int) -> None:
    """Runs random verbs on keys that all threads share."""
    chance = random.Random(seed)
    sync = memory.sync
    for step in range(steps):
        key = f"shared:{chance.randrange(12)}"
        match chance.randrange(10):
            case 0 | 1 | 2:
                sync.add(key, value_of(key, step), ttl=chance.choice([None, 1, 60]))
            case 3:
                found = sync.get(key)
                assert found is None or found["key"] == key
            case 4:
                assert all(hit["again"][0] == hit["key"] for hit in sync.search("note", 3))
            case 5:
                sync.delete(key)
            case 6:
                sync.undo(sync.remove([key, f"shared:{chance.randrange(12)}"]))
            case 7:
                sync.undo(sync.remove(prefix="shared:1"))
            case 8:
                clock.tick(0.1)
            case 9:
                assert all(record.value["key"] == record.key for record in sync.records(5))


def test_threads_find_everything_they_wrote(make, clock, backend):
    memory = make(max_size=10_000)
    last = steps(backend, 60)

    def work(number: int) -> None:
        for step in range(last):
            key = f"own:{number}-{step % 20}"
            memory.sync.add(key, value_of(key, step))
            assert memory.sync.get(key) == value_of(key, step)
            memory.sync.add_many(
                {f"many:{number}-{n}": value_of(f"many:{number}-{n}", step) for n in range(3)}
            )
            churn(memory, clock, seed=number * 1000 + step, steps=4)
            gone = memory.sync.remove([key])
            assert memory.sync.get(key) is None
            memory.sync.undo(gone)

    assert together(work) == []
    memory.sync.remove(prefix="shared:")
    own = {
        f"own:{number}-{slot}": value_of(f"own:{number}-{slot}", last - 20 + slot)
        for number in range(THREADS)
        for slot in range(20)
    }
    many = {
        f"many:{number}-{n}": value_of(f"many:{number}-{n}", last - 1)
        for number in range(THREADS)
        for n in range(3)
    }
    assert memory.sync.get_many(memory.sync.keys()) == own | many
    assert_whole(memory)


def test_threads_that_clear_resize_and_evict_leave_a_memory_that_is_whole(make, clock, backend):
    memory = make(max_size=6)

    def work(number: int) -> None:
        for step in range(steps(backend, 60)):
            churn(memory, clock, seed=number * 1000 + step, steps=8)
            if step % 10 == number:
                memory.sync.undo(memory.sync.take_all())
            if step % 20 == number:
                memory.sync.clear()
            if step % 15 == number:
                memory.sync.undo(memory.sync.resize(3))
                memory.sync.resize(6)

    assert together(work) == []
    assert_whole(memory)
    memory.sync.add("last", value_of("last", 0))
    assert memory.sync.keys()[-1] == "last"


def test_each_key_is_deleted_by_exactly_one_thread(make):
    memory = make(max_size=1000)
    keys = [f"k{n}" for n in range(500)]
    memory.sync.add_many({key: value_of(key, 0) for key in keys})
    deleted: list[str] = []

    def work(number: int) -> None:
        own = [key for key in keys if memory.sync.delete(key)]
        deleted.extend(own)

    assert together(work) == []
    assert sorted(deleted) == sorted(keys)
    assert memory.size() == 0


def test_evictions_are_counted_one_by_one(make):
    memory = make(max_size=10)

    def work(number: int) -> None:
        for step in range(100):
            key = f"{number}-{step}"
            memory.sync.add(key, value_of(key, step))

    assert together(work) == []
    assert memory.size() == 10
    assert memory.evictions == THREADS * 100 - 10
    assert_whole(memory)


async def test_tasks_find_everything_they_wrote(make, backend):
    memory = make(max_size=10_000)
    last = steps(backend, 9)
    barrier = asyncio.Barrier(TASKS)

    async def work(number: int) -> None:
        await barrier.wait()
        for step in range(last):
            key = f"own:{number}"
            await memory.add(key, value_of(key, step))
            await asyncio.sleep(0)  # yields to the next task, as a round trip to a server would
            assert await memory.get(key) == value_of(key, step)
            shared = f"shared:{(number + step) % 7}"
            await memory.add(shared, value_of(shared, number))
            await asyncio.sleep(0)
            assert all(hit["again"][0] == hit["key"] for hit in await memory.search("note", 3))
            change = await memory.remove([key, shared])
            await asyncio.sleep(0)
            assert await memory.get(key) is None
            await memory.undo(change)
            await memory.delete(shared)

    results = await asyncio.gather(*map(work, range(TASKS)), return_exceptions=True)
    assert results == [None] * TASKS
    await memory.remove(prefix="shared:")
    own = [f"own:{number}" for number in range(TASKS)]
    assert await memory.get_many(own) == {key: value_of(key, last - 1) for key in own}
    assert sorted(await memory.keys()) == sorted(own)
    assert_whole(memory)


async def test_tasks_that_clear_and_evict_leave_a_memory_that_is_whole(make):
    memory = make(max_size=20)

    async def work(number: int) -> None:
        for step in range(5):
            key = f"k{(number * 7 + step) % 50}"
            await memory.add(key, value_of(key, step))
            await asyncio.sleep(0)
            if number % 50 == step:
                await memory.clear()
            if number % 20 == step:
                await memory.undo(await memory.take_all())
            found = await memory.get(key)
            assert found is None or found["key"] == key

    results = await asyncio.gather(*map(work, range(TASKS)), return_exceptions=True)
    assert results == [None] * TASKS
    assert_whole(memory)


async def test_threads_and_tasks_share_one_memory(make):
    memory = make(max_size=10_000)

    def in_thread(number: int) -> None:
        for step in range(50):
            key = f"thread:{number}-{step}"
            memory.sync.add(key, value_of(key, step))

    async def in_task(number: int) -> None:
        key = f"task:{number}"
        await memory.add(key, value_of(key, number))
        await asyncio.sleep(0)
        assert await memory.get(key) == value_of(key, number)

    raised, results = await asyncio.gather(
        asyncio.to_thread(together, in_thread),
        asyncio.gather(*map(in_task, range(TASKS)), return_exceptions=True),
    )
    assert raised == []
    assert results == [None] * TASKS
    assert memory.size() == THREADS * 50 + TASKS
    assert_whole(memory)
