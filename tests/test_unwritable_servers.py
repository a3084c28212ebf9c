"""A server that cannot write now is read from as ever, and one without room can be given room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from real_servers import Server, need, redis_8, until, valkey

from tta_memory_nb import MemoryPrimitive, ServerError, StoreUnavailable
from tta_memory_nb.stores.redis.keys import keys_of

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.usefixtures("patient")

BINARIES = {"valkey": valkey, "redis": redis_8}


@pytest.fixture(scope="module", params=BINARIES)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Server]]:
    """A primary and its replica, which only these tests use."""
    need(request.param)
    binary = BINARIES[request.param]()
    primary = Server(binary, "--repl-diskless-sync-delay", "0")
    address = ("127.0.0.1", str(primary.port))
    replica = Server(binary, "--replicaof", *address, "--repl-diskless-sync-delay", "0")
    yield primary, replica
    replica.stop()
    primary.stop()


def have_no_room(client: redis.Redis, _: Server) -> None:
    client.config_set("maxmemory", "1")


def fail_a_snapshot(client: redis.Redis, server: Server) -> None:
    (server.folder / "dump.rdb").mkdir(exist_ok=True)  # no file can take its place
    client.config_set("save", "3600 1")
    until(lambda: _saved(client) == "err", "the snapshot fails")


def _saved(client: redis.Redis) -> Any:
    info: Any = client.info("persistence")
    if not info["rdb_bgsave_in_progress"]:
        client.bgsave()
    return info["rdb_last_bgsave_status"]


def need_more_replicas(client: redis.Redis, _: Server) -> None:
    client.config_set("min-replicas-to-write", "5")


CONDITIONS: dict[str, Callable[[redis.Redis, Server], None]] = {
    "OOM": have_no_room,
    "MISCONF": fail_a_snapshot,
    "NOREPLICAS": need_more_replicas,
}


@pytest.fixture(params=[*CONDITIONS, "READONLY"])
def unwritable(
    request: pytest.FixtureRequest, pair: tuple[Server, Server]
) -> Iterator[MemoryPrimitive]:
    """A memory with three records, and one that has expired, on a server that cannot write now."""
    primary, replica = pair
    name = request.node.name
    with primary.client() as client, replica.client() as of_replica:
        writer = MemoryPrimitive(primary.url, namespace=name)
        writer.sync.add_many({f"k{n}": {"text": f"note {n}"} for n in range(3)})
        writer.sync.add("over", {"text": "note"}, ttl=0.001)
        until(lambda: writer.sync.ttl("over") is None, "the record expires")
        if request.param == "READONLY":
            offset = client.info("replication")["master_repl_offset"]
            until(
                lambda: of_replica.info("replication")["slave_repl_offset"] >= offset,
                "the replica has all records",
            )
        else:
            CONDITIONS[request.param](client, primary)
        url = replica.url if request.param == "READONLY" else primary.url
        memory = MemoryPrimitive(url, namespace=name)
        yield memory
        memory.sync.close()
        client.config_set("maxmemory", "0")
        client.config_set("save", "")
        client.config_set("min-replicas-to-write", "0")
        writer.sync.clear()
        writer.sync.close()


NOTES = [{"text": f"note {n}"} for n in range(3)]
READS: dict[str, Callable[[Any], Any]] = {
    "get": lambda memory: [memory.get(f"k{n}") for n in range(3)] == NOTES,
    "get of none": lambda memory: memory.get("none") is None,
    "get of an expired record": lambda memory: memory.get("over") is None,
    "get_many": lambda memory: list(memory.get_many(["k0", "k1", "k2", "none"]).values()) == NOTES,
    "get_records": lambda memory: [r.key for r in memory.get_records(["k1"])] == ["k1"],
    "peek": lambda memory: [entry.key for entry in memory.peek(["k2"])] == ["k2"],
    "ttl": lambda memory: memory.ttl("k0") is None,
    "keys": lambda memory: sorted(memory.keys()) == ["k0", "k1", "k2"],
    "keys by prefix": lambda memory: memory.keys(prefix="k1") == ["k1"],
    "records": lambda memory: len(memory.records()) == 3,
    "search": lambda memory: len(memory.search("NOTE", None)) == 3,
    "search by prefix": lambda memory: len(memory.search_records("NOTE", prefix="k2")) == 1,
    "stream": lambda memory: len(list(memory.stream_records("note"))) == 3,
    "count": lambda memory: memory.count("note") == 3,
    "size": lambda memory: memory.size() == 3,
    "stats": lambda memory: memory.stats()["expiring"] == 0,
    "info": lambda memory: memory.get_backend_info()["size"] == 3,
    "token": lambda memory: memory.change_token() == memory.change_token(),
    "build_index": lambda memory: memory.build_index() == 0,
    "reconnect": lambda memory: memory.reconnect(),
}


def test_a_server_that_cannot_write_answers_every_read(unwritable):
    for verb, holds in READS.items():
        assert holds(unwritable.sync), verb
    assert unwritable.is_using_redis()


def test_reads_that_the_server_cannot_note_are_counted_and_change_no_order(unwritable, request):
    assert unwritable.sync.get("k0") == {"text": "note 0"}
    assert len(unwritable.sync.get_many(["k1", "k0"])) == 2
    noted = "OOM" in request.node.name  # a note needs no room
    info = unwritable.get_backend_info()
    assert info["reads_not_noted"] == (0 if noted else 3)
    assert unwritable.sync.keys() == (["k2", "k1", "k0"] if noted else ["k0", "k1", "k2"])
    assert unwritable.sync.search_records("note", 1)[0].key == ("k0" if noted else "k2")


@pytest.mark.parametrize("unwritable", ["OOM"], indirect=True)
def test_a_server_without_room_can_be_given_room(unwritable):
    sync = unwritable.sync
    with pytest.raises(ServerError) as raised:
        sync.add("k3", {})
    assert raised.value.code == "OOM"
    assert "delete or forget records, or raise its maxmemory" in str(raised.value)
    assert "@user_script" not in str(raised.value)
    assert sync.delete("none") is False
    assert sync.delete("k0") is True
    assert sync.delete("k0") is False
    assert len(sync.remove(prefix="k1").removed) == 1
    assert sync.resize(5).removed == ()
    assert len(sync.resize(0).removed) == 1
    assert (sync.size(), sync.keys()) == (0, [])
    sync.clear()


@pytest.mark.parametrize("unwritable", ["OOM"], indirect=True)
def test_an_undo_that_only_takes_out_needs_no_room(unwritable, pair):
    sync = unwritable.sync
    with pair[0].client() as client:
        client.config_set("maxmemory", "0")
        report = sync.import_([{"key": "new", "value": {}}])
        client.config_set("maxmemory", "1")
    sync.undo(report.change)
    assert sync.keys() == ["k0", "k1", "k2"]


@pytest.mark.parametrize("unwritable", ["OOM"], indirect=True)
@pytest.mark.parametrize("many", [3, 1200])
def test_an_undo_of_an_overwrite_brings_the_earlier_records_back_without_room(
    many, unwritable, pair
):
    sync = unwritable.sync
    before = {f"k{n}": {"text": f"note {n}"} for n in range(many)}
    with pair[0].client() as client:
        client.config_set("maxmemory", "0")
        sync.add_many(before)
        report = sync.import_([{"key": key, "value": {"text": "later"}} for key in before])
        client.config_set("maxmemory", "1")
    change = sync.undo(report.change)
    assert (len(change.written), len(change.removed)) == (many, many)
    assert {record.key: record.value for record in sync.records()} == before


@pytest.mark.parametrize("unwritable", ["OOM"], indirect=True)
def test_deletes_of_an_outage_reach_a_server_without_room(unwritable):
    store: Any = unwritable._store
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(store.outages), "_watch", lambda _: None)
        assert unwritable.sync.count("note") == 3
        store.outages._begin(StoreUnavailable("away, says the test"), 0)
        assert unwritable.sync.delete("k1") is True
        assert unwritable.sync.reconnect() is True
    assert unwritable.sync.keys() == ["k0", "k2"]


@pytest.mark.parametrize("unwritable", ["OOM"], indirect=True)
@pytest.mark.parametrize("frees", ["delete", "clear", "resize"])
def test_what_frees_room_overtakes_the_writes_that_need_some(frees, unwritable, pair):
    store: Any = unwritable._store
    sync = unwritable.sync
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(store.outages), "_watch", lambda _: None)
        assert sync.count("note") == 3
        store.outages._begin(StoreUnavailable("away, says the test"), 0)
        # Two batches that have been sent, so that nothing later takes their place.
        for number in range(2):
            many = {f"new:{number}:{n}": {} for n in range(500)}
            store.outages.current.journal.next()
            sync.add_many(many)
        writes: dict[str, Callable[[], object]] = {
            "delete": lambda: sync.delete("k1"),
            "clear": sync.clear,
            "resize": lambda: sync.resize(2),
        }
        writes[frees]()
        with pair[0].client() as client:
            for _ in range(5):  # more often than a write that fails is tried
                # After the clear, nothing that was written before it needs room.
                assert sync.reconnect() is (frees == "clear")
                assert sync.get_backend_info()["writes_refused"] == {}
            left = client.zrange(keys_of(unwritable.namespace).order, 0, -1)
            assert left == {"delete": [b"k0", b"k2"], "clear": [], "resize": [b"k1", b"k2"]}[frees]
            client.config_set("maxmemory", "0")
        assert sync.reconnect() is True
    assert sync.size() == {"delete": 1002, "clear": 0, "resize": 2}[frees]
