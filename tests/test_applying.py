"""`apply`: many writes as one, if other records are as expected. The contract, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_CONNECTION

from tta_memory_nb import Conflict, InvalidArgument, MemoryPrimitive, NotStorable, SyncMemory

pytestmark = pytest.mark.backends(*EVERY_BACKEND)

Open = Callable[..., SyncMemory]


@pytest.fixture
def make(make: Callable[..., MemoryPrimitive]) -> Open:
    """Makes memories of one backend, called without ``await``."""
    return lambda **arguments: make(**arguments).sync


@pytest.fixture
def memory(make: Open) -> SyncMemory:
    return make()


def version(memory: SyncMemory, key: str) -> str:
    [record] = memory.get_records([key])
    assert record.version is not None
    return record.version


def contents(memory: SyncMemory) -> dict[str, Any]:
    return {record.key: record.value for record in memory.records()}


def test_records_are_written_and_deleted_in_one_step_that_undo_takes_back(memory, clock):
    memory.add("old", {"n": 1}, ttl=60)
    memory.add("kept", {"n": 2})
    memory.add("changed", {"n": 3})
    before = memory.records(), memory.keys()
    change = memory.apply(
        [("new", {"n": 4}, "1m"), ("changed", {"n": 0}), ("changed", {"n": 5})], ["old", "nobody"]
    )
    assert contents(memory) == {"changed": {"n": 5}, "new": {"n": 4}, "kept": {"n": 2}}
    assert memory.keys() == ["kept", "new", "changed"]
    assert (memory.ttl("new"), memory.ttl("changed")) == (60, None)
    assert {entry.key for entry in change.written} == {"new", "changed"}
    assert {entry.key for entry in change.removed} == {"old", "changed"}
    assert change.evicted == 0
    memory.undo(change)
    assert (memory.records(), memory.keys()) == before
    clock.tick(60)
    assert memory.get("old") is None


def test_a_record_that_was_overwritten_keeps_the_instant_of_its_first_write(memory, clock):
    memory.add("a", {})
    created = clock()
    clock.tick(5)
    memory.apply({"a": {"n": 1}, "b": {}}, ())
    first, second = memory.get_records(["a", "b"])
    assert (first.created_at, first.updated_at, second.created_at) == (created, clock(), clock())


def test_a_version_stays_with_the_value_and_no_other_value_has_it(memory, clock):
    memory.add("a", {"n": 1})
    seen = [version(memory, "a")]
    memory.get("a")
    assert memory.search_records("1")[0].version == memory.records()[0].version == seen[0]
    memory.add("b", {"n": 1})
    seen.append(version(memory, "b"))
    memory.add("a", {"n": 2})
    seen.append(version(memory, "a"))
    change = memory.remove(["a"])
    memory.undo(change)
    assert version(memory, "a") == seen[-1]
    memory.remove(["a"])
    memory.add("a", {"n": 1})
    seen.append(version(memory, "a"))
    memory.clear()
    memory.add("a", {"n": 1})
    seen.append(version(memory, "a"))
    assert len(set(seen)) == len(seen)


def test_nothing_is_written_unless_all_is_as_expected(memory):
    memory.add("a", {"n": 1})
    memory.add("b", {"n": 1})
    read = {key: version(memory, key) for key in "ab"}
    change = memory.apply({"a": {"n": 2}}, expect={**read, "c": None})
    assert contents(memory) == {"a": {"n": 2}, "b": {"n": 1}}
    assert not change.evicted
    memory.delete("b")
    before = memory.records(), memory.change_token()
    with pytest.raises(Conflict, match="nothing was written") as caught:
        memory.apply({"new": {}}, ["a"], expect={**read, "a": None, "c": None, "d": "1"})
    assert caught.value.keys == ("a", "b", "d")
    assert str(caught.value).startswith("'a' exists already, 'b' does not exist any more")
    with pytest.raises(Conflict, match=r"^'a' has been changed meanwhile"):
        memory.apply({"a": {"n": 3}}, expect={"a": read["a"]})
    assert (memory.records(), memory.change_token()) == before
    memory.apply({}, ["a"], expect={"a": version(memory, "a")})
    assert contents(memory) == {}
    memory.apply({}, expect={"a": None})
    assert memory.apply({}).written == ()


def test_an_expired_record_does_not_exist(memory, clock):
    memory.add("a", {}, ttl=5)
    read = version(memory, "a")
    clock.tick(5)
    with pytest.raises(Conflict):
        memory.apply({"a": {"n": 1}}, expect={"a": read})
    memory.apply({"a": {"n": 1}}, expect={"a": None})
    assert memory.get("a") == {"n": 1}


def test_what_there_is_no_room_for_is_evicted_after_the_last_write(make):
    memory = make(max_size=3)
    memory.add_many({key: {} for key in ("a", "b", "c")})
    change = memory.apply({"d": {}, "e": {}}, ["b"])
    assert memory.keys() == ["c", "d", "e"]
    assert ([e.key for e in change.removed], change.evicted) == (["b", "a"], 1)
    memory.undo(change)
    assert memory.keys() == ["a", "b", "c"]


def test_more_records_than_one_command_carries_are_still_one_step(memory):
    memory.resize(3000)
    memory.add_many({f"old {n}": {"n": n} for n in range(1100)})
    change = memory.apply(
        {f"new {n}": {"n": n} for n in range(1203)}, [f"old {n}" for n in range(1050)]
    )
    assert (len(change.written), len(change.removed), memory.size()) == (1203, 1050, 1253)
    assert memory.keys()[-1] == "new 1202"
    assert memory.get("new 777") == {"n": 777}
    memory.undo(change)
    assert memory.keys() == [f"old {n}" for n in range(1100)]


@pytest.mark.backends(*ONE_OF_EACH_CONNECTION)
def test_of_two_who_have_read_the_same_one_writes(make):
    first = make()
    memories = [first, make() if first.is_using_redis() else first]  # two clients of a server
    first.add("n", {"n": 0})
    ready = Barrier(4)

    def count_up(memory: SyncMemory) -> None:
        ready.wait()
        for _ in range(10):
            while True:
                [record] = memory.get_records(["n"])
                try:
                    memory.apply({"n": {"n": record.value["n"] + 1}}, expect={"n": record.version})
                except Conflict:
                    continue
                break

    threads = [Thread(target=count_up, args=(memories[n % 2],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first.get("n") == {"n": 40}


@pytest.mark.backends("in-memory")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (({"a": {}}, ["a"]), InvalidArgument, "'a' is in puts as well"),
        (({"a": {}}, "abc"), InvalidArgument, "give a list of keys"),
        (([("a",)],), InvalidArgument, r"puts\[0\]"),
        (([("a", {}, 1, True, 2)],), InvalidArgument, r"\(key, value, ttl\)"),
        (([("a", {}, -1)],), InvalidArgument, "ttl=-1"),
        (([("", {})],), InvalidArgument, "key=''"),
        (({"a": {"x": {1}}, "b": float("nan")},), NotStorable, r"puts\['a'\]\['x'\]"),
        (({}, [], {"a": 3}), InvalidArgument, "record.version"),
        (({}, [], ["a"]), InvalidArgument, "give a dict"),
        (({str(n): {} for n in range(50_001)},), InvalidArgument, "50,001 records"),
    ],
)
def test_bad_arguments_change_nothing(memory, arguments, error, message):
    memory.add("a", {"n": 1})
    puts, deletes, expect = (*arguments, (), None)[:3]
    with pytest.raises(error, match=message):
        memory.apply(puts, deletes, expect=expect)
    assert contents(memory) == {"a": {"n": 1}}


async def test_a_step_is_awaited_as_well():
    memory = MemoryPrimitive()
    await memory.apply({"a": {"n": 1}})
    [record] = await memory.get_records(["a"])
    with pytest.raises(Conflict):
        await memory.apply({"a": {"n": 2}}, expect={"a": None})
    await memory.apply({}, ["a"], expect={"a": record.version})
    assert memory.size() == 0
