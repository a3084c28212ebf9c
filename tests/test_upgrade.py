"""Records of earlier versions are read, and formats of later versions are refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from backends import Clock
from real_servers import need

from tta_memory_nb import MemoryPrimitive, ServerError
from tta_memory_nb.stores.redis.keys import FORMAT, keys_of

SAMPLES = sorted((Path(__file__).parent / "data").glob("format-*.json"))


@pytest.fixture(params=SAMPLES, ids=lambda path: path.stem)
def sample(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The keys that a version with this format has stored, and the records that it read back."""
    found: dict[str, Any] = json.loads(request.param.read_text("utf-8"))
    return found


@pytest.fixture(params=["valkey", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    address: str = need(request.param).url
    return address


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url, protocol=2) as it:
        yield it


@pytest.fixture
def loaded(sample: dict[str, Any], client: redis.Redis) -> Iterator[dict[str, Any]]:
    """The sample, after it was loaded into a server."""
    decoded = base64.b64decode
    client.unlink(*sample["stored"])
    for name, contents in sample["stored"].items():
        for row in contents.get("hash", ()):
            client.hset(name, decoded(row[0]), decoded(row[1]))
        for member, score in contents.get("zset", ()):
            client.zadd(name, {decoded(member): score})
    yield sample
    client.unlink(*sample["stored"])


Open = Callable[..., MemoryPrimitive]


@pytest.fixture
def open_memory(url: str) -> Iterator[Open]:
    opened: list[MemoryPrimitive] = []

    def open_one(namespace: str, now: float) -> MemoryPrimitive:
        opened.append(MemoryPrimitive(url, namespace=namespace, clock=Clock(now)))
        return opened[-1]

    yield open_one
    for memory in opened:
        memory.sync.close()


def as_lists(memory: MemoryPrimitive) -> list[list[Any]]:
    return [
        [r.key, r.value, r.created_at, r.updated_at, r.expires_at] for r in memory.sync.records()
    ]


# ---- records of earlier versions


def test_all_records_are_read_as_the_earlier_version_read_them(loaded, open_memory):
    assert len(loaded["expected"]) == 4
    for namespace, expected in loaded["expected"].items():
        memory = open_memory(namespace, loaded["now"])
        assert memory.sync.keys() == expected["keys"]
        assert as_lists(memory) == expected["records"]
        assert memory.size() == len(expected["keys"])
        for key, value, _, _, expires_at in expected["records"]:
            assert memory.sync.peek([key])[0].key == key
            assert memory.sync.ttl(key) == (expires_at and expires_at - loaded["now"])
            assert memory.sync.get(key) == value
        assert memory.sync.get_many(expected["keys"]) == {
            key: value for key, value, *_ in expected["records"]
        }
        assert (memory.max_size, memory.evictions) == (expected["max_size"], expected["evictions"])


def test_records_are_found_by_text_and_by_filters(loaded, open_memory):
    memory = open_memory("various", loaded["now"])
    by_text = {hit.key for hit in memory.sync.search_records("MÁLAGA", None)}
    assert by_text == {"plain", "zstd", "zlib", "zlib surrogate"}
    assert memory.sync.count("note", user="user", session="session-7") == 1
    assert memory.sync.count(prefix="user:") == 19  # one was deleted
    by_half = {hit.key for hit in memory.sync.search_records("\ud83d", None)}
    assert by_half == {"surrogate", "zlib surrogate"}


def test_an_expired_record_is_gone_and_others_stay(loaded, open_memory):
    memory = open_memory("various", loaded["now"] + 10)
    keys = set(loaded["expected"]["various"]["keys"]) - {"expires soon"}
    assert memory.sync.get("expires soon") is None
    assert set(memory.sync.keys()) == keys
    memory.sync.add("new", {})  # deletes the expired record
    assert memory.size() == len(keys) + 1
    assert memory.sync.stats()["expiring"] == 1


def test_records_are_updated_deleted_restored_and_evicted(loaded, open_memory):
    memory = open_memory("various", loaded["now"] + 1)
    created = {row[0]: row[2] for row in loaded["expected"]["various"]["records"]}
    for key in ("zlib", "zstd", "surrogate", "plain"):
        memory.sync.add(key, {"text": "sun"})
        [record] = memory.sync.get_records([key])
        assert (record.value, record.created_at) == ({"text": "sun"}, created[key])
    before = as_lists(memory)
    change = memory.sync.remove(["zlib surrogate", "key \ud83d {*}\n", "expires late"])
    assert memory.size() == len(before) - 3
    memory.sync.undo(change)
    assert sorted(as_lists(memory)) == sorted(before)
    memory.sync.add("user:session-3", {"text": "written over a tombstone"})
    memory.sync.delete("user:session-4")
    assert open_memory("various", loaded["now"] + 1).sync.count(prefix="user:") == 19
    full = open_memory("evicting", loaded["now"])
    full.sync.add("k9", {"n": 9})
    assert full.sync.keys() == ["k5", "k6", "k7", "k8", "k9"]
    assert full.evictions == 5
    full.sync.resize(2)
    assert full.sync.keys() == ["k8", "k9"]


def test_an_export_has_every_record(loaded, open_memory, tmp_path):
    memory = open_memory("various", loaded["now"])
    memory.sync.export(str(tmp_path / "all.jsonl"))
    copy = MemoryPrimitive(clock=Clock(loaded["now"])).sync
    copy.import_(str(tmp_path / "all.jsonl"))
    found = {r.key: (r.value, r.created_at, r.updated_at, r.expires_at) for r in copy.records()}
    assert found == {row[0]: tuple(row[1:]) for row in loaded["expected"]["various"]["records"]}


def test_a_namespace_without_a_format_is_written_to_and_stays_as_it_is(loaded, open_memory, client):
    memory = open_memory("cleared", loaded["now"])
    memory.sync.add("k", {})
    memory.sync.add("k", {})
    memory.sync.clear()
    assert client.hget(keys_of("cleared").meta, "format") is None


# ---- formats of later versions


@pytest.fixture
def namespace(request: pytest.FixtureRequest, client: redis.Redis) -> Iterator[str]:
    client.unlink(*keys_of(request.node.name))
    yield request.node.name
    client.unlink(*keys_of(request.node.name))


def stored(client: redis.Redis, namespace: str) -> list[bytes | None]:
    return [client.dump(key) for key in keys_of(namespace)]


def test_a_new_namespace_says_which_format_it_has(open_memory, client, namespace):
    for verb in ("add", "clear", "resize"):
        VERBS[verb](open_memory(namespace, 1.8e9).sync, None)
        assert client.hget(keys_of(namespace).meta, "format") == b"%d" % FORMAT
        client.unlink(*keys_of(namespace))


MESSAGE = (
    r"the records of namespace '.* have format 2, and this version of tta-memory-nb knows format 1 only: "
    r"pip install --upgrade tta-memory-nb"
)


def test_a_later_format_is_refused_when_a_memory_is_opened(open_memory, client, namespace):
    open_memory(namespace, 1.8e9).sync.add("k", {})
    client.hset(keys_of(namespace).meta, "format", "2")
    before = stored(client, namespace)
    with pytest.raises(ServerError, match=MESSAGE) as raised:
        open_memory(namespace, 1.8e9)
    assert raised.value.code == "FORMAT"
    assert stored(client, namespace) == before


VERBS: dict[str, Callable[[Any, Any], object]] = {
    "add": lambda memory, _: memory.add("k", {"n": 2}),
    "add, as the first write": lambda memory, _: memory.add("another", {"n": 2}),
    "add_many": lambda memory, _: memory.add_many({"k": {}, "j": {}}),
    "get_many": lambda memory, _: memory.get_many(["k", "j"]),
    "delete": lambda memory, _: memory.delete("k"),
    "clear": lambda memory, _: memory.clear(),
    "resize": lambda memory, _: memory.resize(1),
    "undo": lambda memory, change: memory.undo(change),
    "size": lambda memory, _: memory.size(),
    "search": lambda memory, _: memory.search("x"),
    "records": lambda memory, _: memory.records(),
    "keys": lambda memory, _: memory.keys(),
    "count": lambda memory, _: memory.count(prefix="k"),
    "reconnect": lambda memory, _: memory.reconnect(),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_format_that_changes_while_a_memory_is_in_use_is_refused_and_nothing_changes(
    open_memory, client, namespace, verb
):
    memory = open_memory(namespace, 1.8e9).sync
    memory.add_many({"k": {"n": 1}, "j": {"n": 1}, "gone": {"n": 1}})
    change = memory.remove(["gone"])
    memory.add("k", {"n": 1})
    if verb.startswith("add,"):
        memory = open_memory(namespace, 1.8e9).sync
    client.hset(keys_of(namespace).meta, "format", "2")
    before = stored(client, namespace)
    with pytest.raises(ServerError, match=MESSAGE):
        VERBS[verb](memory, change)
    assert stored(client, namespace) == before
    assert memory.is_using_redis()
    client.hdel(keys_of(namespace).meta, "format")
    assert memory.get("k") == {"n": 1}


@pytest.mark.parametrize("verb", ["get", "get_many"])
def test_a_record_with_unknown_flags_is_refused_by_name(open_memory, client, namespace, verb):
    memory = open_memory(namespace, 1.8e9).sync
    memory.add_many({"k \n": {"n": 1}, "other": {"n": 2}})
    values = keys_of(namespace).values
    blob = client.hget(values, "k \n")
    client.hset(values, "k \n", bytes([blob[0] | 0x40]) + blob[1:])
    before = stored(client, namespace)
    fresh = open_memory(namespace, 1.8e9).sync
    reason = r"it has the flags 0x40, .* pip install --upgrade tta-memory-nb"
    with pytest.raises(
        ServerError, match=rf"the record 'k \\n' cannot be read: {reason}"
    ) as raised:
        fresh.get("k \n") if verb == "get" else fresh.get_many(["k \n", "none"])
    assert raised.value.code == "FORMAT"
    assert [bool(record.unreadable) for record in fresh.records()] == [False, True]
    assert fresh.count("n") == 1
    assert stored(client, namespace) == before
