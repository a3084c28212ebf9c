"""Memories on servers: addresses, loops, threads, hostile names, rights, compression, loading."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from backends import Clock, calls
from network import Proxy
from real_servers import Server, need, redis_8, tls, valkey

from tta_memory_nb import (
    InvalidArgument,
    MemoryPrimitive,
    MissingPackage,
    ServerError,
    StoreUnavailable,
)
from tta_memory_nb.filters import Filters
from tta_memory_nb.stores.locks import AdvisoryLock
from tta_memory_nb.stores.redis import payload
from tta_memory_nb.stores.redis.addresses import parse_address
from tta_memory_nb.stores.redis.keys import keys_of
from tta_memory_nb.stores.redis.replica import Replica

pytestmark = pytest.mark.usefixtures("patient")

SECRET = "s3cret-pässword/@:"


@pytest.fixture
def open_memory(request: pytest.FixtureRequest) -> Iterator[Callable[..., MemoryPrimitive]]:
    """Opens memories on the Valkey server that tests share, in a namespace of the test."""
    opened: list[MemoryPrimitive] = []

    def open_one(url: str | None = None, **arguments: Any) -> MemoryPrimitive:
        arguments = {"namespace": request.node.name, **arguments}
        opened.append(MemoryPrimitive(url or need("valkey").url, **arguments))
        return opened[-1]

    yield open_one
    for memory in opened:
        memory.sync.clear()
        memory.sync.close()


def replica_of(memory: MemoryPrimitive) -> Replica:
    """Returns the replica of the memory's namespace in this process."""
    store: Any = memory.store
    replica: Replica = store.replica
    return replica


@pytest.fixture
def memory(open_memory: Callable[..., MemoryPrimitive]) -> MemoryPrimitive:
    return open_memory()


# ---- addresses


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://localhost",
        "redis+cluster://",
        "redis+cluster://h:6379/2",
        "redis+sentinel://h:26379",
        "redis+sentinel://h:port/mymaster",
        f"redis://:{SECRET}@h/not-a-number?socket_timeout=x",
        f"mysql://root:{SECRET}@h/0",
    ],
)
def test_an_invalid_address_is_refused_without_showing_its_password(url):
    with pytest.raises(InvalidArgument, match="redis_url=") as raised:
        MemoryPrimitive(url)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "service"),
    [
        ("redis://h:1/2", "single", (), ""),
        ("redis+cluster://u:p@a:1,b", "cluster", (("a", 1), ("b", 6379)), ""),
        ("rediss+cluster://[::1]:7,b:2", "cluster", (("::1", 7), ("b", 2)), ""),
        ("redis+sentinel://a,b:2/my%20master/3", "sentinel", (("a", 26379), ("b", 2)), "my master"),
        ("embedded:", "embedded", (), ""),
        ("embedded:/a b", "embedded", (), ""),
    ],
)
def test_an_address_says_how_a_server_is_reached(url, kind, hosts, service):
    found = parse_address(url)
    assert (found.kind, found.hosts, found.service) == (kind, hosts, service)
    assert "p@" not in repr(found)


def test_records_of_an_embedded_server_are_found_by_another_process(tmp_path):
    need("valkey")
    memory = MemoryPrimitive(f"embedded:{tmp_path}", namespace="n")
    memory.sync.add("k", {"text": "rain"})
    program = (
        "import sys; from tta_memory_nb import MemoryPrimitive\n"
        "print(MemoryPrimitive('embedded:' + sys.argv[1], namespace='n').sync.search('RAIN'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[{'text': 'rain'}]\n"
    memory.sync.close()
    assert memory.sync.get("k") == {"text": "rain"}  # starts the server again
    memory.sync.close()


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("server", ["valkey", "redis"])
async def test_both_protocols_give_the_same_answers(open_memory, clock, server, protocol):
    memory = open_memory(f"{need(server).url}?protocol={protocol}", clock=clock)
    await memory.add("k", {"text": "rain"}, ttl=60)
    memory.sync.add("j", {"text": "sun"})
    assert await memory.ttl("k") == 60
    assert await memory.get_many(["j", "k"]) == {"j": {"text": "sun"}, "k": {"text": "rain"}}
    assert memory.sync.search("RAIN") == [{"text": "rain"}]
    assert memory.get_backend_info()["server"].startswith(server)
    await memory.aclose()


def test_a_unix_socket_and_a_password_are_part_of_an_address(tmp_path):
    need("valkey")
    server = Server(valkey(), "--unixsocket", str(tmp_path / "s"), "--requirepass", SECRET)
    server.password = SECRET
    try:
        url = f"unix://:{quote(SECRET, safe='')}@{tmp_path}/s"
        memory = MemoryPrimitive(url)
        memory.sync.add("k", {"n": 1})

        async def awaited() -> Any:
            found = await memory.get("k")
            await memory.aclose()
            return found

        assert asyncio.run(awaited()) == {"n": 1}
        texts = [
            repr(memory),
            repr(memory.sync),
            str(memory.get_backend_info()),
            repr(memory._store),
        ]
        assert not [text for text in texts if SECRET in text or quote(SECRET, safe="") in text]
        memory.sync.close()
        with pytest.raises(ServerError) as raised:
            MemoryPrimitive(f"redis://:wrong@127.0.0.1:{server.port}")
        assert raised.value.code == "NOAUTH"
        assert "wrong" not in str(raised.value)
    finally:
        server.stop()


def test_a_user_limited_to_the_keys_of_memories_is_sufficient():
    need("redis")
    server = Server(redis_8())
    try:
        with server.client() as client:
            client.execute_command(
                "ACL SETUSER limited on >pw ~tta:* resetchannels -@all +@read +@write +@scripting +@connection"
            )
        memory = MemoryPrimitive(f"redis://limited:pw@127.0.0.1:{server.port}")
        memory.sync.add_many({f"k{n}": {"n": n} for n in range(10)}, ttl=60)
        memory.sync.add("k1", {"n": 1})  # TIME is refused
        assert memory.sync.count("n") == 10
        memory.sync.undo(memory.sync.remove(["k1"]))
        memory.sync.clear()
        info = memory.get_backend_info()  # INFO is refused
        assert (info["server"], info["degraded"], info["size"]) == (None, False, 0)
        memory.sync.close()
    finally:
        server.stop()


@pytest.mark.parametrize("name", ["valkey", "redis"])
@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        ("~tta:* +@read +@write", "+@scripting, or +eval +evalsha"),
        ("~tta:* +@read +@write +evalsha", "+@scripting, or +eval +evalsha"),
        ("~other:* +@read +@write +@scripting", "~tta:* +@read +@write +@scripting"),
        ("~tta:* +@read +@scripting", "~tta:* +@read +@write +@scripting"),
        ("~eval:* +@read +@write +@scripting", "~tta:* +@read +@write +@scripting"),
    ],
)
def test_a_user_without_a_right_gets_an_error_that_names_it(request, name, rights, missing):
    server = need(name)
    with server.client() as client:
        user = f"lacking-{abs(hash(request.node.name))}"
        namespace = "is the eval unknown"  # a name that reads like a refusal
        try:
            client.script_flush()  # a script that the server has cached needs no EVAL
            client.execute_command(f"ACL SETUSER {user} on >pw resetchannels -@all +ping {rights}")
            url = f"redis://{user}:pw@127.0.0.1:{server.port}"

            def open_and_add() -> None:
                with closing(MemoryPrimitive(url, namespace=namespace).sync) as memory:
                    for _ in range(2):  # the second one is refused as clearly as the first
                        with pytest.raises(ServerError) as raised:
                            memory.add("k", {})
                    assert memory.is_using_redis()  # a refusal is no outage
                    raise raised.value

            with pytest.raises(ServerError) as raised:
                open_and_add()
            assert raised.value.code == "NOPERM"
            assert str(raised.value).endswith(f"in an ACL: {missing}")
            values, _, _, meta, _ = keys_of(namespace)
            assert client.exists(values, meta) == 0
        finally:
            client.acl_deluser(user)


@pytest.mark.parametrize("face", ["awaited", "called"])
async def test_a_server_without_eval_gets_an_error_that_names_it(face):
    need("redis")
    server = Server(redis_8(), "--rename-command", "EVAL", "", "--rename-command", "EVALSHA", "")
    try:
        memory = MemoryPrimitive(f"redis://127.0.0.1:{server.port}")
        with pytest.raises(ServerError, match=r"(?i)unknown command.*evalsha") as raised:
            await memory.add("k", {}) if face == "awaited" else memory.sync.add("k", {})
        assert "the server has to allow EVAL and EVALSHA" in str(raised.value)
        assert memory.is_using_redis()
        await memory.aclose()
    finally:
        server.stop()


@pytest.mark.parametrize(
    "reply",
    [
        "ERR unknown command `evalsha`, with args beginning with: `0123`, `5`, ",
        "ERR unsupported command 'evalsha'",
        "ERR command 'EVALSHA' is not allowed",
        "ERR EVALSHA is disabled",
        "NOPERM User somebody has no permissions to run the 'evalsha' command",
    ],
)
def test_a_proxy_that_refuses_scripts_gets_an_error_that_names_them(open_memory, reply):
    with Proxy(need("valkey").port) as proxy:
        is_script = lambda command: command[0] in (b"EVALSHA", b"EVAL")  # noqa: E731
        proxy.fault("error", is_script, times=None, error=reply.encode())
        memory = open_memory(proxy.url)
        with pytest.raises(ServerError) as raised:
            memory.sync.add("k", {"text": "rain"})
        assert "the server has to allow EVAL and EVALSHA" in str(raised.value)
        proxy.heal()
        memory.sync.add("k", {"text": "rain"})
        memory.sync.clear()
        memory.sync.close()


@pytest.mark.parametrize("face", ["awaited", "called"])
async def test_keys_that_moved_to_another_node_are_found_there(open_memory, face):
    cluster = need("cluster")
    memory = open_memory(cluster.url, on_outage="raise")

    async def do(verb: str, *arguments: Any) -> Any:
        if face == "awaited":
            return await getattr(memory, verb)(*arguments)
        return getattr(memory.sync, verb)(*arguments)

    await do("add", "k", {"n": 1})
    keys = memory._store.commands.keys
    memory.redis_client.unlink(*keys)
    primaries = [node.client(decode_responses=True) for node in cluster.nodes[:3]]
    slot = memory.redis_client.keyslot(keys[0])
    owner = memory.redis_client.nodes_manager.get_node_from_slot(slot).port
    [target, *_] = (
        node for node, client in zip(cluster.nodes, primaries, strict=False) if node.port != owner
    )
    with target.client(decode_responses=True) as client:
        name = client.execute_command("CLUSTER MYID")
        client.execute_command("CLUSTER SETSLOT", slot, "NODE", name)
        # The newest epoch wins; with an older one the gossip of the nodes would revert the move.
        client.execute_command("CLUSTER BUMPEPOCH")
    for client in primaries:
        client.execute_command("CLUSTER SETSLOT", slot, "NODE", name)
        client.close()
    await do("add", "k", {"n": 2})
    assert await do("get", "k") == {"n": 2}
    with target.client() as client:
        assert client.exists(keys[0]) == 1
    await do("clear")
    await memory.aclose()


def test_tls_is_verified_unless_the_address_says_otherwise():
    server = tls()
    with pytest.raises(StoreUnavailable, match=r"(?i)certificate verify failed"):
        MemoryPrimitive(server.url, on_outage="raise")
    memory = MemoryPrimitive(f"{server.url}?ssl_ca_certs={server.ca_file}", namespace="tls")
    memory.sync.add("k", {"n": 1})

    async def awaited() -> Any:
        found = await memory.get("k")
        await memory.aclose()
        return found

    assert asyncio.run(awaited()) == {"n": 1}
    assert memory.is_using_redis()
    memory.sync.close()


# ---- loops, threads, processes

LOOPS = """
import asyncio, logging, sys, threading
logging.getLogger("asyncio").setLevel(logging.ERROR)  # with -X dev it reports every slow step
from tta_memory_nb import MemoryPrimitive
memory = MemoryPrimitive(sys.argv[1], namespace="loops", timeout=60.0)

async def work(name):
    await asyncio.gather(*(memory.add(f"{name}:{n}", {"n": n}) for n in range(int(sys.argv[2]))))
    return await memory.count(prefix=f"{name}:")

print(asyncio.run(work("a")), asyncio.run(work("b")))
thread = threading.Thread(target=lambda: print(asyncio.run(work("c"))))
thread.start(); thread.join()

async def mixed():
    found = await asyncio.gather(work("d"), asyncio.to_thread(memory.sync.count, prefix="a:"))
    memory.sync.clear()
    return found

print(asyncio.run(mixed()))
if len(sys.argv) > 3:
    memory.sync.close()
"""


@pytest.mark.parametrize(
    ("name", "count", "closed"),
    [
        (
            "valkey",
            400,
            [],
        ),  # more than all connections of a loop send before they wait for replies
        ("valkey", 100, ["closed"]),
        ("cluster", 100, []),
        ("sentinel", 100, []),
        ("cluster", 50, ["closed"]),
    ],
)
def test_one_memory_serves_several_loops_and_threads_and_leaves_nothing_open(name, count, closed):
    arguments = [need(name).url, str(count), *closed]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", LOOPS, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONASYNCIODEBUG": "0"},
    )
    assert done.stdout == f"{count} {count}\n{count}\n[{count}, {count}]\n"
    assert done.stderr == ""


async def test_a_cancelled_call_leaves_a_memory_that_works(memory):
    await memory.add("k", {"n": 0})
    for _ in range(20):
        task = asyncio.create_task(memory.add("k", {"n": 1}))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await memory.add("k", {"n": 2})
    assert await memory.get("k") == {"n": 2}
    assert memory.is_using_redis()
    await memory.aclose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_uses_write_ids_of_its_own(memory):
    memory.sync.add("parent", {"n": 0})
    child = os.fork()
    if not child:
        for number in range(50):
            memory.sync.add(f"child:{number}", {"n": number})
        os._exit(0)
    for number in range(50):
        memory.sync.add(f"parent:{number}", {"n": number})
    assert os.waitpid(child, 0)[1] == 0
    assert memory.sync.count(prefix="child:") == memory.sync.count(prefix="parent:") == 50


WRITER = """
import random, sys
from tta_memory_nb import MemoryPrimitive
memory = MemoryPrimitive(sys.argv[1], namespace="shared", timeout=60.0).sync
chance = random.Random(int(sys.argv[2]))
for step in range(300):
    key = f"k{chance.randrange(6)}"
    match chance.randrange(5):
        case 0 | 1: memory.add(key, {"by": sys.argv[2], "step": step, "again": [sys.argv[2], step]})
        case 2: memory.delete(key)
        case 3: assert all(r.value["again"] == [r.value["by"], r.value["step"]] for r in memory.records())
        case 4: memory.add_many({f"k{n}": {"by": sys.argv[2], "step": step, "again": [sys.argv[2], step]} for n in (1, 2)})
"""


def test_processes_that_write_the_same_keys_leave_a_consistent_memory(open_memory):
    memory = open_memory(namespace="shared")
    url = need("valkey").url
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(n)], stderr=subprocess.PIPE)
        for n in range(3)
    ]
    watched = memory.sync
    while any(each.poll() is None for each in processes):
        keys = watched.keys()
        assert len(keys) == len(set(keys))
        assert all(
            hit["again"] == [hit["by"], hit["step"]] for hit in watched.search("again", None)
        )
    assert [each.communicate()[1] for each in processes] == [b""] * 3
    records = watched.records()
    assert [record.key for record in records] == watched.keys()[::-1]
    assert len(records) == watched.size() == watched.count("again")
    # A new client, which has never read the namespace.
    fresh = open_memory(namespace="shared")
    assert fresh.sync.records() == records


# ---- hostile names

NAMES = [
    *("*", "?", "[a]", "{", "}", "{}", "}{", "a}b{c", ":", "tta:{x}:values", "%7B", "\\", '"', "'"),
    *(
        "line\nbreak",
        "\0",
        "\r\n*1\r\n$8\r\nFLUSHALL\r\n",
        "🙂",
        "\ud83d",
        " ",
        "@field:{x}",
        "a|b",
    ),
    "x" * 1_000_000,
]


def test_no_namespace_reaches_the_records_of_another(open_memory):
    memories = {name: open_memory(namespace=name) for name in NAMES}
    for number, memory in enumerate(memories.values()):
        memory.sync.add_many({key: {"of": number, "key": key[:50]} for key in NAMES})
    for number, memory in enumerate(memories.values()):
        assert memory.size() == len(NAMES)
        assert sorted(memory.sync.keys()) == sorted(NAMES)
        assert {record.value["of"] for record in memory.sync.records()} == {number}
        assert memory.sync.get("*") == {"of": number, "key": "*"}
    first, second, *_ = memories.values()
    first.sync.clear()
    assert (first.size(), second.size()) == (0, len(NAMES))
    assert second.sync.delete("*") is True
    assert second.size() == len(NAMES) - 1


def test_keys_of_namespaces_are_different_short_and_in_one_slot():
    keys = [key for name in NAMES for key in keys_of(name)]
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert len(key) < 320
        assert key.startswith("tta:{")
        assert (key.count("{"), key.count("}")) == (1, 1)
        assert key.isascii()
        assert key.isprintable()


def test_clear_deletes_only_the_keys_of_its_namespace(memory):
    client = memory.redis_client
    client.set("somebody else's", "value")
    client.set(f"tta:{{{memory.namespace}}}x:values", "value")
    memory.sync.add("k", {})
    memory.sync.clear()
    assert client.delete("somebody else's", f"tta:{{{memory.namespace}}}x:values") == 2


# ---- compression


@pytest.mark.parametrize("engine", ["zstd", "zlib"])
def test_long_values_are_compressed_without_visible_effect(open_memory, engine):
    long = {"text": "It rains in Málaga. " * 1000, "half": "\ud83d"}
    short = {"text": "short"}
    noise = {"text": random.Random(0).randbytes(6000).hex()}
    with patch.object(payload, "_engine", [None] if engine == "zlib" else []):
        memory = open_memory(compress_over=100).sync
        memory.add_many({"long": long, "short": short, "noise": noise})
        assert memory.get_many(["long", "short", "noise"]) == {
            "long": long,
            "short": short,
            "noise": noise,
        }
        assert memory.search("MÁLAGA") == [long]
        stats = memory.stats()
        assert stats["bytes"] > 30_000
        assert stats["stored"] < stats["bytes"] / 3
    # The next memory can read the value whatever its own setting is.
    assert open_memory().sync.get("long") == long


def test_values_are_not_compressed_if_that_saves_nothing_or_is_switched_off(open_memory):
    memory = open_memory(compress_over=10**9).sync
    memory.add("long", {"text": "It rains. " * 1000})
    assert memory.stats()["stored"] == memory.stats()["bytes"]


def test_the_error_for_a_value_that_cannot_be_decompressed_says_what_to_install(open_memory):
    owner = open_memory(compress_over=10)
    memory = owner.sync
    memory.add("long", {"text": "It rains. " * 1000})
    client, [values, *_] = owner.redis_client, keys_of(memory.namespace)
    if client.hget(values, "long")[0] & payload.Flag.ZSTD:
        with patch.object(payload, "_engine", [None]), pytest.raises(MissingPackage, match="pip"):
            memory.get("long")
    assert zlib.decompress(zlib.compress(b"x")) == b"x"


# ---- loading and partial replicas


def test_a_first_search_loads_no_more_than_it_needs(open_memory):
    memory = open_memory()
    memory.sync.add_many((f"k{n}", {"text": f"note {n}", "rare": n == 7}) for n in range(5000))
    other = open_memory()
    assert other.sync.search("note", limit=2) == [
        {"text": "note 4999", "rare": False},
        {"text": "note 4998", "rare": False},
    ]
    replica = replica_of(other)
    assert replica.records.size() < 1000
    assert not replica.position().is_complete
    memory.sync.get("k3")  # now newer than all loaded records
    memory.sync.add("k4990", {"text": "changed"})
    memory.sync.delete("k4998")
    assert [hit["text"] for hit in other.sync.search("e", limit=4)] == [
        "changed",
        "note 3",
        "note 4999",
        "note 4997",
    ]
    assert other.sync.count("note") == 4998
    assert replica.position().is_complete
    assert other.sync.search("true") == [{"text": "note 7", "rare": True}]


def test_concurrent_searches_load_the_namespace_once(open_memory):
    memory = open_memory()
    memory.sync.add_many({f"k{n}": {"text": f"note {n}"} for n in range(3000)})
    other = open_memory()

    async def search() -> list[int]:
        found = await asyncio.gather(*(other.count("note") for _ in range(50)))
        await other.aclose()
        return found

    replica = replica_of(other)
    with patch.object(replica, "apply", wraps=replica.apply) as apply:
        assert asyncio.run(search()) == [3000] * 50
        loaded = [len(call.args[1][8]) // 3 for call in apply.call_args_list]
    assert sum(loaded) == 3000


def test_a_filtered_search_loads_only_records_that_its_filters_may_accept(open_memory, clock):
    memory = open_memory(clock=clock)
    for number in range(5):
        clock.tick()
        memory.sync.add_many(
            (f"u{n % 40}:s{n % 3}:{number:08x}", {"text": f"note {n}", "n": n}) for n in range(1000)
        )
    for filters in (
        {"user": "u7"},
        {"user": "u7", "session": "s1"},
        {"session": "s2"},
        {"prefix": "u1"},
        {"since": clock() - 1},
        {"user": "u7", "since": clock()},
    ):
        wanted = set(memory.sync.keys(**filters))
        other = open_memory(clock=clock)
        with patch.object(Replica, "apply", autospec=True, side_effect=Replica.apply) as apply:
            found = other.sync.search_records("note", limit=None, **filters)
            assert {record.key for record in found} == wanted
            assert other.sync.count("note", **filters) == len(wanted)
        rows = [len(part) // 3 for call in apply.call_args_list for part in call.args[2][6:9]]
        assert sum(rows) == len(wanted)
        assert other.fallback.size() == 0


def test_listing_keys_by_filters_loads_no_value(open_memory, clock):
    memory = open_memory(clock=clock)
    for n in range(1200):
        clock.tick(1)
        memory.sync.add(f"u{n % 7}:s{n % 3}:{n:08x}", {"n": n}, ttl=500 if n % 5 == 0 else None)
    clock.tick(100)
    records = memory.sync.records()[::-1]
    other = open_memory(clock=clock)
    with patch.object(Replica, "apply", autospec=True, side_effect=Replica.apply) as apply:
        for filters in (
            {"prefix": "u1"},
            {"user": "u7"},
            {"user": "u1", "session": "s1"},
            {"session": "s2"},
            {"since": clock.now - 300},
            {"prefix": "u", "until": clock.now - 900},
        ):
            compiled = Filters.build(clock.now, **filters)
            expected = [r.key for r in records if compiled.accept(r.key, r.updated_at, dict)]
            assert other.sync.keys(**filters) == expected
        assert not apply.called
        assert len(other.sync.keys(where={"n": {"$lt": 9}})) > 0
        assert apply.called


def test_partial_replicas_answer_in_an_outage_with_their_latest_records(open_memory):
    memory = open_memory(max_size=0)  # so that only partial replicas have records
    memory.sync.add_many((f"ann:{n}", {"text": f"note {n}"}) for n in range(20))
    memory.sync.add_many((f"bob:{n}", {"text": f"note {n}"}) for n in range(20))
    assert memory.sync.count("note", prefix="ann:") == 20
    memory.sync.add("ann:3", {"text": "another"})
    memory.sync.delete("ann:4")
    assert memory.sync.count("note", prefix="ann:1") == 11
    memory._store.outages._begin(StoreUnavailable("away"), 0)
    assert memory.sync.count("note", prefix="ann:") == 18
    assert memory.sync.get("ann:4") is None
    assert memory.sync.get("ann:5") == {"text": "note 5"}


async def test_a_called_search_does_not_wait_for_a_task_of_its_own_loop(open_memory):
    memory = open_memory()
    memory.sync.add_many({f"k{n}": {"text": f"note {n}"} for n in range(3000)})
    for yields in range(12):
        other = open_memory()
        task = asyncio.create_task(other.count("note"))
        for _ in range(yields):
            await asyncio.sleep(0)
        # The task may have begun to load, and cannot continue while this thread waits.
        assert other.sync.count("note") == 3000
        assert await task == 3000
        await other.aclose()


def test_concurrent_loads_of_the_same_records_do_no_harm(open_memory):
    memory = open_memory()
    memory.sync.add_many({f"k{n}": {"text": f"note {n}"} for n in range(5000)})
    for _ in range(5):
        other = open_memory()
        with (
            patch.object(
                AdvisoryLock, "_grant", lambda self, ticket: ticket.set()
            ),  # to every waiter
            ThreadPoolExecutor(8) as pool,
        ):
            assert list(pool.map(other.sync.count, ["note"] * 8)) == [5000] * 8
        assert replica_of(other).position().is_complete
        assert other.sync.keys(prefix="k") == memory.sync.keys()


def test_a_clear_and_new_records_of_another_client_are_seen(open_memory):
    memory, other = open_memory(), open_memory()
    for number in range(5):
        memory.sync.clear()
        memory.sync.add_many({f"k{number}:{n}": {"text": f"{number}"} for n in range(number)})
        assert sorted(other.sync.keys(prefix="k")) == sorted(memory.sync.keys())
        assert other.sync.count(str(number)) == number


def test_any_client_removes_expired_records_from_the_server(open_memory):
    clock = Clock()
    memory = open_memory(clock=clock)
    memory.sync.add_many({f"k{n}": {"n": n} for n in range(50)}, ttl=10)
    clock.tick(10)
    assert memory.size() == 0
    values, order, expiries, *_ = keys_of(memory.namespace)
    assert memory.redis_client.exists(order, expiries) == 0
    kept: Any = memory.redis_client.hvals(values)
    assert {len(tombstone) for tombstone in kept} == {payload.HEADER_SIZE}


def test_tombstones_do_not_grow_without_bounds(open_memory):
    memory = open_memory()
    for start in range(0, 12_000, 2000):
        batch = {f"k{n}": {} for n in range(start, start + 2000)}
        memory.sync.add_many(batch)
        memory.sync.remove(list(batch))
    values, *_, log = keys_of(memory.namespace)
    assert memory.size() == 0
    assert memory.redis_client.zcard(log) < 6000
    assert memory.redis_client.hlen(values) < 6000
    # A client that has not synced for so long loads everything again.
    other = open_memory()
    assert other.sync.count(prefix="k") == 0


def test_the_verbs_of_a_store_can_be_called_from_several_threads(memory):
    memory.sync.add("counter", {"n": 0})
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(30):
                memory.sync.add(f"{number}", {"n": step})
                assert memory.sync.get(f"{number}") == {"n": step}
                assert memory.sync.search_records("n", 1)
        except BaseException as error:  # asserted below to be none
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert memory.size() == 9
    assert calls(memory).size() == 9
