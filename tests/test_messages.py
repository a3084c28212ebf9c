"""`append` and `history`: numbers that the store gives, which nobody gets twice. The contract, and outages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Barrier, Thread
from typing import Any

import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_CONNECTION, WITH_A_STAND_IN, Clock
from outages import everything

from tta_memory_nb import InvalidArgument, MemoryPrimitive, NotStorable, SyncMemory
from tta_memory_nb.keys import parse_memory_key

Open = Callable[..., SyncMemory]


@pytest.fixture
def make(backend: str, request: pytest.FixtureRequest, clock: Clock) -> Iterator[Open]:
    """Makes memories of one backend; each test has a namespace of its own."""
    made: list[SyncMemory] = []

    def open_memory(max_size: int = 1000) -> SyncMemory:
        open_one = WITH_A_STAND_IN[backend]
        made.append(open_one(max_size=max_size, namespace=request.node.name, clock=clock).sync)
        return made[-1]

    yield open_memory
    for memory in made:
        memory.clear()
        memory.close()


def says(*texts: Any) -> list[dict[str, Any]]:
    return [{"text": text} for text in texts]


def texts(memory: SyncMemory, session: str = "s", last: int | None = None) -> list[Any]:
    return [record.value["text"] for record in memory.history("ann", session, last)]


@pytest.mark.backends(*EVERY_BACKEND)
def test_messages_are_read_in_the_order_in_which_they_were_appended(make, clock):
    memory = make()
    first = memory.append("ann", "s", says("hi", "how are you?"))
    memory.append("ann", "other", says("elsewhere"))
    memory.add("ann:s", {"text": "no message"})
    memory.add("ann:s:0123abcd", {"text": "no message"})
    more = memory.append("ann", "s", says("fine"), ttl=60)
    assert texts(memory) == ["hi", "how are you?", "fine"]
    assert [texts(memory, last=last) for last in (0, 2, 9)] == [
        [],
        ["how are you?", "fine"],
        ["hi", "how are you?", "fine"],
    ]
    assert [record.key for record in memory.history("ann", "s")] == [*first, *more]
    assert all(parse_memory_key(key) == ("ann", "s", None) for key in (*first, *more))
    assert memory.count(user="ann", session="s") == 5
    before = memory.keys()
    memory.history("ann", "s")
    assert memory.keys() == before
    memory.get(first[0])
    assert texts(memory)[0] == "hi"
    clock.tick(60)
    assert texts(memory) == ["hi", "how are you?"]
    assert memory.append("ann", "s", []) == memory.history("nobody", "s") == []


@pytest.mark.backends(*EVERY_BACKEND)
def test_a_number_is_never_given_again_and_is_behind_all_that_are_there(make, clock):
    memory = make()
    keys = memory.append("ann", "s", says(1, 2))
    memory.delete(keys[1])
    keys += memory.append("ann", "s", says(3))
    memory.clear()
    keys += memory.append("ann", "s", says(4))
    clock.tick(10)
    later = f"ann:s:{int(clock() * 1e6):016d}"
    memory.add(later, {"text": "imported"})
    keys += memory.append("ann", "s", says(5))
    assert len(set(keys)) == 5
    assert later not in keys
    assert keys == sorted(keys)
    assert texts(memory) == [4, "imported", 5]


@pytest.mark.backends(*EVERY_BACKEND)
def test_many_messages_are_one_step_and_evict_the_oldest(make):
    memory = make(max_size=1100)
    memory.add("oldest", {})
    keys = memory.append("ann", "s", says(*range(1100)))
    assert (texts(memory), memory.size(), memory.get("oldest")) == (list(range(1100)), 1100, None)
    assert memory.keys() == keys
    assert texts(memory, last=2) == [1098, 1099]


@pytest.mark.backends(*ONE_OF_EACH_CONNECTION)
def test_appenders_never_get_the_same_number(make):
    first = make()
    memories = [first, make() if first.is_using_redis() else first]  # two clients of a server
    ready = Barrier(4)
    keys: list[str] = []

    def append(number: int) -> None:
        ready.wait()
        for turn in range(12):
            keys.extend(
                memories[number % 2].append("ann", "s", says((number, turn), (number, "b")))
            )

    threads = [Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == len(keys) == 4 * 12 * 2
    found = texts(first)
    for number in range(4):
        assert [text[1] for text in found if text[0] == number][::2] == list(range(12))
    for one, other in zip(found[::2], found[1::2], strict=True):
        assert (other[0], other[1]) == (one[0], "b")  # what is appended together stands together


@pytest.mark.backends("file")
def test_processes_that_share_a_file_never_get_the_same_number(make, clock, tmp_path):
    one, other = (
        MemoryPrimitive(f"file:{tmp_path}/shared.db", clock=clock, timeout=60.0).sync for _ in "12"
    )
    keys = one.append("ann", "s", says(1))
    one.delete(keys[0])
    keys += other.append("ann", "s", says(2))
    other.clear()
    other.close()
    keys += one.append("ann", "s", says(3))
    assert keys == sorted(set(keys))
    one.close()


@pytest.mark.backends("in-memory")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("a:b", "s", [{}]), InvalidArgument, "user='a:b': ':' separates"),
        (("ann", "", [{}]), InvalidArgument, "session=''"),
        (("ann", 7, [{}]), InvalidArgument, "session=7"),
        (("ann", "s", {"text": "hi"}), InvalidArgument, "give a list of JSON objects"),
        (("ann", "s", "hi"), InvalidArgument, "give a list of JSON objects"),
        (("ann", "s", [{}, {"a": {1}}]), NotStorable, r"values\[1\]\['a'\]"),
        (("ann", "s", ["hi"]), NotStorable, r"values\[0\]"),
        (("ann", "s", [{}], -1), InvalidArgument, "ttl=-1"),
    ],
)
def test_bad_arguments_append_nothing(make, arguments, error, message):
    memory = make()
    with pytest.raises(error, match=message):
        memory.append(*arguments)
    assert memory.size() == 0
    with pytest.raises(InvalidArgument, match="last=-1"):
        memory.history("ann", "s", -1)


@pytest.mark.backends("in-memory")
async def test_messages_are_awaited_as_well(backend):
    memory = WITH_A_STAND_IN[backend]()
    [key] = await memory.append("ann", "s", says("hi"))
    [record] = await memory.history("ann", "s", last=1)
    assert (record.key, record.value) == (key, {"text": "hi"})


# ---- outages


@pytest.mark.usefixtures("no_automatic_reconnect")
class TestOutages:
    def test_two_machines_append_in_an_outage_and_all_is_in_the_order_of_the_instants(
        self, memory, open_memory, other, proxy, clock
    ):
        second = open_memory(proxy.url)
        memory.sync.append("ann", "s", says("before"))
        second.sync.size()
        proxy.refuse()
        keys = []
        for turn, who in enumerate((memory, second, other, memory, second)):
            clock.tick()
            keys += who.sync.append("ann", "s", says(turn))
        assert texts(memory.sync) == ["before", 0, 3]
        clock.tick()
        proxy.heal()
        assert second.sync.reconnect()
        assert memory.sync.reconnect()
        keys += memory.sync.append("ann", "s", says("after"))
        for each in (memory, second, other):
            assert texts(each.sync) == ["before", 0, 1, 2, 3, 4, "after"]
        assert [record.key for record in other.sync.history("ann", "s")][1:] == keys

    def test_at_the_same_instant_all_are_kept(self, memory, open_memory, other, proxy):
        second = open_memory(proxy.url)
        memory.sync.append("ann", "s", says("before"))
        assert texts(second.sync) == ["before"]
        proxy.refuse()
        for who in (memory, second, other) * 2:
            who.sync.append("ann", "s", says("x"))
        proxy.heal()
        assert memory.sync.reconnect()
        assert second.sync.reconnect()
        other.sync.append("ann", "s", says("after"))
        assert texts(other.sync) == ["before", *"xxxxxx", "after"]

    @pytest.mark.parametrize("fault", ["lose reply", "half reply", "reset"])
    def test_messages_whose_reply_was_lost_are_appended_once(self, memory, other, proxy, fault):
        proxy.fault(fault, lambda command: command[0] == b"EVALSHA")
        keys = memory.sync.append("ann", "s", says(1, 2))
        assert memory.is_using_redis()
        assert [record.key for record in other.sync.history("ann", "s")] == keys
        assert texts(other.sync) == [1, 2]

    def test_messages_in_flight_when_the_server_went_away_are_appended_once_under_their_keys(
        self, memory, other, proxy, clock
    ):
        memory.sync.append("ann", "s", says("before"))
        clock.tick()
        proxy.fault("lose reply", times=None)
        keys = memory.sync.append("ann", "s", says("same", "same", "deleted"))
        assert not memory.is_using_redis()
        assert texts(other.sync) == ["before", "same", "same", "deleted"]
        other.sync.delete(other.sync.history("ann", "s")[-1].key)
        proxy.heal()
        assert memory.sync.reconnect()
        assert everything(other) == everything(memory)
        assert [record.key for record in other.sync.history("ann", "s")][1:] == keys[:2]
        assert texts(memory.sync) == ["before", "same", "same"]
        clock.tick()
        memory.sync.append("ann", "s", says("after"))
        assert texts(other.sync) == ["before", "same", "same", "after"]
