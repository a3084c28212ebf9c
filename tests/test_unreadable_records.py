"""A record that cannot be read, or that another program has written, harms no other record."""

from __future__ import annotations

import json
import time
import tracemalloc
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any

import pytest
from real_servers import need

from tta_memory_nb import (
    MemoryExplorer,
    MemoryPrimitive,
    MissingPackage,
    ServerError,
    TransferError,
)
from tta_memory_nb.frames import records_frame
from tta_memory_nb.stores.redis import payload
from tta_memory_nb.stores.redis.keys import Keys, keys_of

pytestmark = pytest.mark.usefixtures("patient")

_HEADER = Struct(">BddddI")


def blob(text: bytes, flags: int = 0, **fields: float) -> bytes:
    """Returns a record as a server keeps it, whose header says what the fields say."""
    now = time.time()
    header = {"created": now, "updated": now, "expires": 0.0, "version": now * 1e6, **fields}
    size = int(header.pop("size", len(text)))
    return _HEADER.pack(flags, *header.values(), size) + text


def deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "its header is cut short"),
    "half a header": (b"\0" * 10, "its header is cut short"),
    "a tombstone cut short": (b"\1" * 10, "its header is cut short"),
    "no text": (blob(b""), "its value is not JSON"),
    "no JSON": (blob(b"hello"), "its value is not JSON"),
    "no object": (blob(b"[1]"), "its value is not a JSON object"),
    "no UTF-8": (blob(b'{"text":"\xff"}'), "its value is not JSON"),
    "no surrogates": (blob(b'{"text":"\xff"}', 8), "'utf-8' codec"),
    "cut zstd": (blob(b"\x28\xb5\x2f\xfd\x60\x88\x12", 4, size=5000), "cannot be decompressed"),
    "no zlib": (blob(b"xxxxxxxx", 2, size=5000), "cannot be decompressed"),
    "cut zlib": (blob(zlib.compress(b'{"a":1}' * 9)[:-9], 2, size=63), "is not of the 63 bytes"),
    "zlib of another size": (blob(zlib.compress(b'{"a":1}'), 2, size=3), "is not of the 3 bytes"),
    "a size beyond all": (blob(b"x", 2, size=2**32 - 1), "declares 4,294,967,295 bytes"),
    "too deep": (blob(deep(300)), "nested deeper than 200 levels"),
    "deeper than can be parsed": (blob(deep(50_000)), "nested deeper than 200 levels"),
    "a long number": (blob(b'{"n":' + b"1" * 10_000 + b"}"), "its value is not JSON"),
    "a large number": (blob(b'{"n":1e999}'), "its value is not JSON"),
    "no expiry": (blob(b"{}", expires=float("nan")), "impossible instant"),
    "an expiry in no calendar": (blob(b"{}", expires=1e300), "impossible instant"),
    "no instant": (blob(b"{}", updated=float("nan")), "impossible instant"),
    "an endless instant": (blob(b"{}", created=float("inf")), "impossible instant"),
    "no version": (blob(b"{}", version=float("nan")), "impossible instant or number"),
    "unknown flags": (blob(b"{}", 64), "pip install --upgrade tta-memory-nb"),
}


@pytest.fixture
def names(request: pytest.FixtureRequest) -> Keys:
    return keys_of(request.node.name)


@pytest.fixture
def client(names: Keys) -> Iterator[Any]:
    with need("valkey").client() as it:
        yield it
        it.unlink(*names)


@pytest.fixture
def open_memory(request: pytest.FixtureRequest, client: Any) -> Iterator[Callable[[], Any]]:
    opened: list[MemoryPrimitive] = []

    def open_one(**arguments: Any) -> MemoryPrimitive:
        url = need("valkey").url
        opened.append(MemoryPrimitive(url, namespace=request.node.name, **arguments))
        return opened[-1]

    yield open_one
    for memory in opened:
        memory.sync.close()


@pytest.fixture
def spoil(client: Any, names: Keys) -> Callable[..., None]:
    """Puts bytes under a key, as another program may do that knows the layout."""

    def put(key: bytes, value: bytes) -> None:
        seq = client.hincrby(names.meta, "seq", 1)
        client.hset(names.values, key, value)
        client.zadd(names.order, {key: seq})

    return put


GOOD = {f"good:{n}": {"text": f"good {n}"} for n in range(3)}


@pytest.mark.parametrize("what", BAD)
def test_a_record_that_cannot_be_read_is_shown_with_its_reason_and_harms_no_other(
    what, open_memory, spoil, client, names, tmp_path
):
    memory = open_memory()
    sync = memory.sync
    sync.add_many(GOOD)
    assert sync.count("good") == 3  # from here on the replica is synced
    raw, reason = BAD[what]
    spoil(b"evil", raw)
    for each in (memory, open_memory()):  # one that syncs the change, and one that loads everything
        one = each.sync
        assert len(one.search("good", None)) == one.count("good") == 3
        assert one.size() == one.count() == len(one.keys()) == 4
        assert one.get_many(GOOD) == GOOD
        records = {record.key: record for record in one.records()}
        evil = records.pop("evil")
        assert reason in evil.unreadable
        assert evil.value == {"unreadable": evil.unreadable}
        assert evil.raw == (raw or b"\0")
        assert {key: record.value for key, record in records.items()} == GOOD
        assert all(record.unreadable is None for record in records.values())
        assert {record.key for record in one.stream_records()} == {*GOOD, "evil"}
        assert [entry.key for entry in one.peek(["evil", "good:0"])] == ["evil", "good:0"]
        assert one.get_records(["evil"])[0].unreadable == evil.unreadable
        with pytest.raises(ServerError, match="the record 'evil' cannot be read: ") as raised:
            one.get("evil")
        assert reason in str(raised.value)
        with pytest.raises(ServerError, match="the record 'evil' cannot be read: "):
            one.get_many(["good:0", "evil"])
        assert one.stats()["bytes"] > 0
        assert one.search("unreadable") == []
        assert reason in records_frame([evil]).loc["evil", "unreadable"]
        explorer = MemoryExplorer(each)
        assert len(explorer.selection) == 0
        explorer.close()
    assert sync.export(tmp_path / "all.jsonl") == 4
    rows = map(json.loads, (tmp_path / "all.jsonl").read_text("utf-8").splitlines())
    [row] = [row for row in rows if row["key"] == "evil"]
    assert b64decode(row["raw"]) == (raw or b"\0")
    with pytest.raises(TransferError, match="'evil' could not be read when it was exported"):
        MemoryPrimitive().sync.import_(tmp_path / "all.jsonl")
    with pytest.raises(TransferError, match="could not be read"):
        MemoryPrimitive().sync.import_([evil])

    change = sync.remove(["evil"])
    assert [entry.key for entry in change.removed] == ["evil"]
    assert client.hget(names.values, "evil")[:1] == b"\1"
    sync.undo(change)
    is_back = client.zscore(names.order, "evil") is not None  # not with an impossible expiry
    assert sync.delete("evil") is is_back
    spoil(b"evil", raw)
    sync.add("evil", {"text": "good again"})  # replaces it
    assert sync.get("evil") == {"text": "good again"}
    assert sync.count("good") == 4
    spoil(b"evil", raw)
    assert sync.delete("evil") is True
    assert sync.get("evil") is None
    assert sorted(sync.keys()) == list(GOOD)


def test_a_record_costs_no_more_memory_than_its_header_declares(open_memory, spoil):
    memory = open_memory()
    memory.sync.add_many(GOOD)
    size = 50_000_000
    bomb = b'{"text":"' + b"x" * size + b'"}'
    compress: Any = payload._find_zstd()
    spoil(b"zlib", blob(zlib.compress(bomb, 9), 2, size=10))
    spoil(b"zstd", blob(compress[0](bomb), 4, size=10))
    del bomb
    tracemalloc.start()
    try:
        assert memory.sync.count("good") == 3
        assert sum(record.unreadable is not None for record in memory.sync.records()) == 2
        for name in ("zlib", "zstd"):
            with pytest.raises(ServerError, match="10 bytes that its header declares"):
                memory.sync.get(name)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < size / 5


def test_without_the_package_only_the_records_that_need_it_are_unreadable(open_memory, monkeypatch):
    memory = open_memory(compress_over=10)
    memory.sync.add_many({**GOOD, "long": {"text": "good. " * 1000}})
    monkeypatch.setattr(payload, "_engine", [None])
    fresh = open_memory()
    assert fresh.sync.count("good") == 3
    with pytest.raises(MissingPackage, match=r"'long' cannot be read: .* pip install zstandard"):
        fresh.sync.get("long")


@pytest.mark.parametrize("key", [b"\xff\xfe", b"ok\xff", b""])
def test_a_key_that_is_no_text_is_spelled_out_and_can_be_deleted(key, open_memory, spoil):
    memory = open_memory()
    memory.sync.add_many(GOOD)
    spoil(key, blob(b'{"text":"a"}'))
    for one in (memory.sync, open_memory().sync):
        assert one.count("good") == 3
        [evil] = [record for record in one.records() if record.unreadable]
        assert evil.key in one.keys()  # noqa: SIM118  of a memory
        assert evil.key == (key.decode("utf-8", "backslashreplace") or "(empty key)")
        assert "its key is no text" in evil.unreadable
    assert memory.sync.delete(evil.key) is True
    assert memory.sync.keys() == list(GOOD)
    assert len(open_memory().sync.records()) == 3


@pytest.mark.parametrize("score", ["-inf", "inf", "-5", "1.5", "1e300"])
def test_a_place_in_the_order_that_no_client_gives_harms_no_search(
    score, open_memory, client, names
):
    memory = open_memory()
    memory.sync.add_many(GOOD)
    for one in (memory.sync, open_memory().sync):
        assert one.count("good") == 3
        client.zadd(names.order, {"good:1": score})
        client.hincrby(names.meta, "seq", 1)
        assert one.count("good") == 3
        assert len(one.search("good", 1)) == 1
        assert one.get("good:1") == GOOD["good:1"]
    assert memory.sync.delete("good:1") is True
    assert memory.sync.count("good") == 2


def test_a_key_that_is_listed_without_a_value_goes_with_its_delete(open_memory, client, names):
    memory = open_memory()
    memory.sync.add_many(GOOD)
    client.zadd(names.order, {"ghost": 5})
    assert memory.sync.count("good") == 3
    assert memory.sync.get("ghost") is None
    assert memory.sync.delete("ghost") is False
    assert memory.sync.size() == 3


def test_the_explorer_shows_an_unreadable_record_and_refuses_to_write_it(open_memory, spoil):
    from tta_memory_nb.notebook.explorer.repair import Repair, peek, token

    memory = open_memory()
    memory.sync.add_many(GOOD)
    spoil(b"evil", blob(b"hello"))
    entry = peek(memory.sync, "evil")
    with pytest.raises(ServerError, match="cannot be read"):
        Repair(memory.sync, "evil", token(entry)).expire("1h", time.time())
    Repair(memory.sync, "evil", token(entry)).edit({"text": "good"})
    assert memory.sync.get("evil") == {"text": "good"}


def write_and_delete(memory: Any) -> None:
    """Uses all keys of a namespace."""
    memory.add_many(GOOD, ttl=60)
    memory.remove(list(GOOD))


@pytest.mark.parametrize("name", Keys._fields)
def test_a_name_that_another_program_uses_is_named_and_a_clear_makes_room(
    name, open_memory, client, names
):
    memory = open_memory()
    memory.sync.add_many(GOOD)
    memory.sync.delete("good:0")
    client.delete(getattr(names, name))
    client.set(getattr(names, name), "a text of somebody else")
    for one in (memory.sync, open_memory().sync):
        with pytest.raises(ServerError, match="another program has put something else") as raised:
            write_and_delete(one)
        assert raised.value.code == "WRONGTYPE"
        assert memory.is_using_redis()
    memory.sync.clear()
    memory.sync.add_many(GOOD)
    assert open_memory().sync.count("good") == memory.sync.count("good") == 3
