"""`get_backend_info` tells what the server promises now, and `%memory info` says what of it is dangerous."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from network import Proxy
from outages import PATIENT
from real_servers import SERVERS, Server, need, secured, until, valkey

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.notebook.commands import COMMANDS
from tta_memory_nb.notebook.commands.base import Notebook
from tta_memory_nb.stores.durability import read_durability
from tta_memory_nb.stores.plan import drive
from tta_memory_nb.stores.redis.promises import UNKNOWN, dangers, read_promises

UNTOLD: Any = UNKNOWN.about


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    need("valkey")
    it = Server(valkey(), "--appendonly", "yes")
    yield it
    it.stop()


@pytest.fixture
def memory(server: Server, request: pytest.FixtureRequest) -> Iterator[MemoryPrimitive]:
    it = MemoryPrimitive(server.url, namespace=request.node.name, timeout=PATIENT)
    yield it
    it.sync.close()


@contextmanager
def configured(server: Server, **settings: Any) -> Iterator[None]:
    """Changes settings of a server for a while."""
    with server.client(decode_responses=True) as client:
        names = {name: name.replace("_", "-") for name in settings}
        before = {name: client.config_get(name)[name] for name in names.values()}
        for name, value in settings.items():
            client.config_set(names[name], value)
        try:
            yield
        finally:
            for name, value in before.items():
                client.config_set(name, value)


def said(memory: MemoryPrimitive) -> tuple[str, dict[str, Any]]:
    """What `%memory info` prints, and its table."""
    reply = COMMANDS["info"](Notebook(memory=memory))
    return reply.text, dict(reply.value["value"])


def states(memory: MemoryPrimitive) -> list[str]:
    """Returns the states of the replicas, as the server tells them now."""
    return [each["state"] for each in memory.get_backend_info()["replicas"]]


@pytest.mark.backends(*SERVERS)
def test_every_server_tells_what_it_promises(backend, make):
    memory = make()
    memory.sync.add("k", {"n": 1})

    def expected() -> int:
        if backend != "sentinel":
            return 1 if backend == "cluster" else 0
        # Tests of failovers share these servers, and may have left the primary alone.
        return int(memory.redis_client.info("replication")["connected_slaves"])

    # A replica may have lost its connection for a moment, or have changed places with its primary.
    until(
        lambda: states(memory) == ["online"] * expected(),
        lambda: f"{expected()} replicas are online: {states(memory)}",
        PATIENT,
    )
    info = memory.get_backend_info()
    assert info["size"] == 1
    assert info["durability"] == "memory"
    assert info["persistence"]["aof"] is False
    assert info["persistence"]["snapshots"] == ""
    assert info["persistence"]["last_save"] is None or info["persistence"]["last_save"] > 0
    assert info["eviction_policy"] == "noeviction"
    assert info["max_memory"] == 0
    assert len(info["replicas"]) == expected()
    assert all(each["address"].startswith("127.0.0.1:") for each in info["replicas"])
    assert all(
        isinstance(each[name], int) for each in info["replicas"] for name in ("lag", "behind")
    )
    assert info["dangers"] == [
        "the server saves nothing, so a restart loses every record; set appendonly to yes"
    ]


def test_it_takes_one_round_trip(memory):
    memory.sync.add("k", {"n": 1})
    memory.get_backend_info()
    store: Any = memory._store
    asked = []

    def answer(request: Any) -> Any:
        asked.append(request)
        return store.runner._answer(request)

    plan = store.about()
    assert drive(plan, next(plan), answer)["size"] == 1
    assert len(asked) == 1


def test_the_settings_of_now_are_told(memory, server):
    assert memory.get_backend_info()["persistence"]["fsync"] == "everysec"
    with server.client() as client:
        client.config_set("save", "3600 1")
        client.bgsave()
        until(lambda: client.info("persistence")["rdb_saves"], "a snapshot is taken")
    settings = {"appendfsync": "always", "maxmemory": "1gb", "maxmemory_policy": "allkeys-lfu"}
    with configured(server, **settings):
        info = memory.get_backend_info()
    assert info["persistence"] == {
        "aof": True,
        "fsync": "always",
        "aof_status": "ok",
        "snapshots": "3600 1",
        "last_save": pytest.approx(time.time(), abs=600),
        "last_save_status": "ok",
    }
    assert info["eviction_policy"] == "allkeys-lfu"
    assert info["max_memory"] == 1 << 30
    [danger] = info["dangers"]
    assert danger == (
        "the server may evict whole memories when it is full (allkeys-lfu); set its "
        "maxmemory-policy to noeviction"
    )
    assert memory.get_backend_info()["dangers"] == []


def test_a_snapshot_that_fails_is_dangerous(memory, server):
    in_the_way = server.folder / "dump.rdb"
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    (in_the_way / "file").touch()

    def save(status: str) -> None:
        with server.client(decode_responses=True) as client:
            until(lambda: not client.info("persistence")["rdb_bgsave_in_progress"])
            client.bgsave()
            until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == status)

    try:
        save("err")
        info = memory.get_backend_info()
        assert info["persistence"]["last_save_status"] == "err"
        assert info["dangers"] == [
            "the server's last snapshot has failed; look at its disk and its log"
        ]
    finally:
        (in_the_way / "file").unlink()
        in_the_way.rmdir()
        save("ok")


def test_what_a_user_may_not_ask_is_unknown():
    memory = MemoryPrimitive(secured().limited_url, namespace="promises", timeout=PATIENT)
    memory.sync.add("k", {"n": 1})
    info = memory.get_backend_info()
    assert {name: info[name] for name in UNTOLD} == UNTOLD
    assert info["size"] == 1
    assert info["dangers"] == []
    text, table = said(memory)
    assert text == ""
    assert table["persistence"] == table["replicas"] == table["eviction policy"] == "unknown"
    memory.sync.close()


def test_without_config_the_rest_is_read_from_info(server):
    with server.client() as client:
        client.execute_command("ACL SETUSER", "reader", "on", ">pw", "~tta:*", "+@all", "-config")
        url = server.url.replace("://", "://reader:pw@")
        memory = MemoryPrimitive(url, namespace="promises", timeout=PATIENT)
        info = memory.get_backend_info()
        memory.sync.close()
        client.execute_command("ACL DELUSER", "reader")
    assert info["persistence"]["aof"] is True
    assert info["persistence"]["fsync"] is None
    assert info["persistence"]["snapshots"] is None
    assert info["eviction_policy"] == "noeviction"
    assert info["dangers"] == []


def test_an_embedded_server_is_synced_by_its_supervisor(tmp_path):
    need("valkey")
    with_supervisor = MemoryPrimitive(f"embedded:{tmp_path}", timeout=PATIENT)
    info = with_supervisor.get_backend_info()
    with_supervisor.sync.close()
    assert (info["persistence"]["aof"], info["persistence"]["fsync"]) == (True, "everysec")
    assert info["dangers"] == []


@pytest.mark.usefixtures("no_automatic_reconnect")
def test_in_an_outage_the_last_known_is_told(server, request):
    with Proxy(server.port) as proxy:
        url = proxy.url
        memory = MemoryPrimitive(
            url, namespace=request.node.name, timeout=PATIENT, durability="disk"
        )
        before = memory.get_backend_info()
        proxy.refuse()
        memory.sync.get("k")
        info = memory.get_backend_info()
        assert info["degraded"]
        assert {name: info[name] for name in UNTOLD} == {name: before[name] for name in UNTOLD}
        assert info["promised_at"] == before["promised_at"]
        assert info["server"] == before["server"]
        assert info["dangers"] == [
            "durability='disk' does not hold in an outage: writes wait in this process"
        ]
        text, table = said(memory)
        assert text.startswith("caution: durability='disk' does not hold in an outage")
        assert "as the server said" in table
        memory.sync.close()


def test_a_notebook_says_what_is_dangerous(memory, server):
    text, table = said(memory)
    assert text == ""
    assert table["durability"] == "memory"
    assert table["persistence"].startswith("append-only file, fsync everysec; ")
    assert table["replicas"] == "none"
    assert table["eviction policy"] == "noeviction"
    with configured(server, maxmemory_policy="allkeys-random", appendfsync="no"):
        text, _ = said(memory)
    power, policy = text.split("\n")
    assert power.startswith("caution: the server leaves it to its operating system when writes")
    assert policy == (
        "caution: the server may evict whole memories when it is full (allkeys-random), which cannot happen "
        "before it has a maxmemory; set its maxmemory-policy to noeviction"
    )


# ---- what the replies mean

INFO = """# Server
redis_version:7.4.0
role:master
connected_slaves:2
slave0:ip=10.0.0.7,port=6379,state=online,offset=100,lag=0
slave1:ip=10.0.0.8,port=6379,state=wait_bgsave,offset=0,lag=0
master_repl_offset:140
aof_enabled:1
aof_last_write_status:err
aof_last_bgrewrite_status:ok
rdb_last_bgsave_status:err
rdb_last_save_time:1700000000
rdb_saves:0
maxmemory:0
maxmemory_policy:volatile-lru
"""


def told(changes: dict[str, str], fsync: Any = (b"appendfsync", b"everysec")) -> Any:
    text = INFO
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    info = text.replace("\n", "\r\n").encode()
    return read_promises([info, list(fsync), [b"save", b"3600 1"]])


def test_a_reply_is_read_as_it_says():
    promises = told({})
    assert promises.server == "redis 7.4.0"
    assert promises.about == {
        "persistence": {
            "aof": True,
            "fsync": "everysec",
            "aof_status": "err",
            "snapshots": "3600 1",
            "last_save": None,  # the server has started then, and saved nothing
            "last_save_status": "err",
        },
        "replicas": [
            {"address": "10.0.0.7:6379", "state": "online", "lag": 0, "behind": 40},
            {"address": "10.0.0.8:6379", "state": "wait_bgsave", "lag": 0, "behind": 140},
        ],
        "eviction_policy": "volatile-lru",
        "max_memory": 0,
    }


@pytest.mark.parametrize(
    ("changes", "durability", "skew", "said"),
    [
        ({}, "memory", 1.0, ["fails to write its append-only file", "snapshot has failed"]),
        ({"aof_enabled:1": "aof_enabled:0", "rdb_last_bgsave_status:err": ""}, "memory", None, []),
        (
            {"aof_enabled:1": "aof_enabled:0", "rdb_last_bgsave_status:err": ""},
            "disk",
            None,
            ["durability='disk' cannot hold: the server has no append-only file"],
        ),
        (
            {"aof_last_write_status:err": "", "rdb_last_bgsave_status:err": "", "lag=0": "lag=99"},
            "replicas:2",
            -60.0,
            [
                "durability='replicas:2' cannot hold: only 1 of them is connected",
                "10.0.0.7:6379 has been silent for 99 s and is 40 bytes behind",
                "is 60 s behind the server's",
            ],
        ),
        (
            {
                "aof_enabled:1": "aof_enabled:0",
                "rdb_last_bgsave_status:err": "",
                "role:master": "role:slave",
            },
            "memory",
            None,
            ["the address is that of a replica"],
        ),
    ],
)
def test_what_is_dangerous_is_said_in_words(changes, durability, skew, said):
    found = dangers(told(changes), read_durability(durability), skew)
    assert len(found) == len(said), found
    assert all(part in sentence for part, sentence in zip(said, found, strict=True)), found


@pytest.mark.parametrize(
    "reply", [b"", b"\xff\x00:\x1b[31m", b"slave0:x\r\nconnected_slaves:9" + b"9" * 30]
)
def test_a_strange_reply_is_no_error(reply):
    promises = read_promises([reply, [b"appendfsync"], None])
    assert dangers(promises, read_durability("replicas:1"), None) is not None
    assert "\x1b" not in str(promises)
