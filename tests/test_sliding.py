"""Times to live that begin again with each read, and `touch`. The contract, other clients, and outages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_CONNECTION, WITH_A_STAND_IN, Clock
from outages import everything

from tta_memory_nb import InvalidArgument, MemoryPrimitive, SyncMemory, TransferError

Open = Callable[[], SyncMemory]


@pytest.fixture
def make(backend: str, request: pytest.FixtureRequest, clock: Clock) -> Iterator[Open]:
    """Makes memories of one backend; each test has a namespace of its own."""
    made: list[SyncMemory] = []

    def open_memory() -> SyncMemory:
        made.append(WITH_A_STAND_IN[backend](namespace=request.node.name, clock=clock).sync)
        return made[-1]

    yield open_memory
    for memory in made:
        memory.clear()
        memory.close()


@pytest.mark.backends(*EVERY_BACKEND)
def test_reading_a_record_that_slides_has_its_time_begin_again(make, clock):
    memory = make()
    memory.add("fixed", {"n": 1}, ttl=10)
    memory.add("slides", {"n": 2}, ttl=10, sliding=True)
    memory.apply([("both", {"n": 3}, 10, True)])
    memory.append("ann", "s", [{"n": 4}], ttl=10)
    before = memory.get_records(["slides"])[0]
    for _ in range(3):
        clock.tick(6)
        assert memory.get("slides") == {"n": 2}
        assert memory.get_many(["both"]) == {"both": {"n": 3}}
    assert memory.keys() == ["slides", "both"]
    assert (memory.ttl("slides"), memory.stats()["expiring"]) == (10, 2)
    [after] = memory.get_records(["slides"])
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    assert (after.sliding, after.expires_at) == (10, clock() + 10)
    clock.tick(0.1)  # less than a 64th
    memory.get("slides")
    assert memory.records()[0].expires_at == clock() + 9.9
    clock.tick(9.9)
    assert memory.search("2") == []
    assert (memory.get("slides"), memory.size()) == (None, 0)


@pytest.mark.backends(*EVERY_BACKEND)
def test_a_touch_has_records_expire_later_or_earlier_and_writes_no_value(make, clock):
    memory = make()
    memory.add("plain", {"text": "é" * 3000})  # compressed on a server
    memory.add("fixed", {"n": 1}, ttl=10)
    memory.add("slides", {"n": 2}, ttl=10, sliding=True)
    versions = {record.key: (record.version, record.value) for record in memory.records()}
    clock.tick(6)
    assert memory.touch(["slides", "fixed", "nobody"]) == 2
    assert [memory.ttl(key) for key in ("plain", "fixed", "slides")] == [None, 4, 10]
    assert memory.keys() == ["plain", "slides", "fixed"]
    assert memory.touch(["plain", "fixed", "slides", "plain"], "20s") == 3
    assert [memory.ttl(key) for key in ("plain", "fixed", "slides")] == [20, 20, 20]
    assert {r.key: (r.version, r.value) for r in memory.records()} == versions
    assert [memory.get(key) is None for key in versions] == [False] * 3
    memory.touch(["plain"], 2)
    clock.tick(2)
    assert sorted(memory.keys()) == ["fixed", "slides"]
    clock.tick(16)
    memory.get("slides")
    memory.get("fixed")
    clock.tick(19)
    assert memory.keys() == ["slides"]
    removed = memory.remove(["slides"])
    memory.undo(removed)
    memory.get("slides")
    assert memory.ttl("slides") == 20
    memory.add("slides", {"n": 3})
    clock.tick(100)
    assert memory.get_records(["slides"])[0].sliding is None
    assert memory.touch([]) == 0


@pytest.mark.backends(*ONE_OF_EACH_CONNECTION)
def test_other_clients_see_what_one_has_kept(make, clock):
    one = make()
    if not one.is_using_redis():
        return
    other = make()
    one.add("slides", {"text": "rain"}, ttl=10, sliding=True)
    one.add("plain", {"text": "rain"})
    assert len(other.search("rain")) == 2  # its replica has them now
    assert len(one.search("rain")) == 2
    for reader in (one, other, one):
        clock.tick(6)
        assert reader.get("slides") == {"text": "rain"}
    reader.touch(["plain"], 30)
    clock.tick(6)
    for each in (one, other):
        assert sorted(hit.key for hit in each.search_records("rain")) == ["plain", "slides"]
        assert [entry.key for entry in each.peek(["slides"])] == ["slides"]
        assert [record.expires_at for record in each.records(order="key")] == [
            clock() + 24,
            clock() + 4,
        ]
    clock.tick(4)
    assert [each.search_records("rain")[0].key for each in (one, other)] == ["plain", "plain"]


@pytest.mark.backends("file")
def test_processes_that_share_a_file_see_what_one_has_kept(clock, tmp_path):
    def opened() -> SyncMemory:
        return MemoryPrimitive(f"file:{tmp_path}/shared.db", clock=clock, timeout=60.0).sync

    one, other = opened(), opened()
    one.add("slides", {}, ttl=10, sliding=True)
    one.add("plain", {})
    for reader in (one, other, one):
        clock.tick(6)
        assert reader.get("slides") == {}
        assert [each.ttl("slides") for each in (one, other)] == [10, 10]
        other.add("something else", {})  # deletes what has expired
    other.touch(["plain"], 12)
    assert one.ttl("plain") == 12
    one.close()
    other.close()
    again = opened()
    clock.tick(9)
    assert again.get_many(["slides", "plain"]) == {"slides": {}, "plain": {}}
    clock.tick(9)
    assert again.keys() == ["something else", "slides"]
    again.close()


@pytest.mark.backends("in-memory")
def test_a_record_slides_on_after_an_export_and_an_import(make, clock, tmp_path):
    memory, other = make(), make()
    memory.add("slides", {}, ttl=10, sliding=True)
    memory.add("fixed", {}, ttl=10)
    memory.export(tmp_path / "records.jsonl")
    other.import_(tmp_path / "records.jsonl")
    clock.tick(6)
    assert other.records() == memory.records()
    assert [other.get(key) for key in ("slides", "fixed")] == [{}, {}]
    clock.tick(6)
    assert other.keys() == ["slides"]
    (tmp_path / "wrong.jsonl").write_text('{"key": "a", "value": {}, "sliding": -1}')
    with pytest.raises(TransferError, match="sliding=-1"):
        other.import_(tmp_path / "wrong.jsonl")


@pytest.mark.backends("in-memory")
def test_bad_arguments_are_refused(make):
    memory = make()
    with pytest.raises(InvalidArgument, match="sliding=True: only a time to live can slide"):
        memory.add("a", {}, sliding=True)
    with pytest.raises(InvalidArgument, match="ttl=0"):
        memory.touch(["a"], 0)
    with pytest.raises(InvalidArgument, match="give a list of keys"):
        memory.touch("abc")
    with pytest.raises(InvalidArgument, match="key=''"):
        memory.touch([""])
    assert memory.size() == 0


@pytest.mark.backends("in-memory")
async def test_a_touch_is_awaited_as_well(backend):
    memory = WITH_A_STAND_IN[backend]()
    await memory.add("a", {}, 5, sliding=True)
    assert await memory.touch(["a"], 60) == 1
    assert round(await memory.ttl("a")) == 60


@pytest.mark.usefixtures("no_automatic_reconnect")
class TestOutages:
    def test_touches_of_an_outage_reach_the_server_and_a_later_write_wins(
        self, memory, other, proxy, clock
    ):
        for key in ("a", "b", "c"):
            memory.sync.add(key, {}, 10, sliding=True)
        proxy.refuse()
        clock.tick(5)
        assert memory.sync.touch(["a", "b"], 20) == 2
        assert memory.sync.get("c") == {}
        clock.tick(1)
        other.sync.add("b", {"n": 1}, 5)
        proxy.heal()
        assert memory.sync.reconnect()
        for each in (memory, other):
            # A read in an outage keeps a record in this process alone.
            assert [each.sync.ttl(key) for key in "abc"] == [19, 5, 4]
        clock.tick(15)
        assert everything(other) == {"a": {}}
        other.sync.get("a")
        assert other.sync.ttl("a") == 20

    def test_a_touch_whose_reply_was_lost_is_known(self, memory, other, proxy):
        memory.sync.add("a", {}, 10)
        proxy.fault("lose reply", lambda command: command[0] == b"EVALSHA")
        assert memory.sync.touch(["a", "nobody"], 20) == 1
        assert memory.is_using_redis()
        assert [each.sync.ttl("a") for each in (memory, other)] == [20, 20]
