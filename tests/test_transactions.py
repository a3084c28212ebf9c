"""Servers that refuse scripts: the same Lua runs here, and each verb is a transaction."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import Callable, Iterator
from hashlib import sha1
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import redis
from backends import Clock, examples
from hypothesis import given, settings
from hypothesis import strategies as st
from network import Proxy
from real_servers import Server, need, redis_8, valkey

from tta_memory_nb import MemoryPrimitive, ServerError, StoreUnavailable, outage
from tta_memory_nb.stores.base import new_entry
from tta_memory_nb.stores.plan import Plan, Transaction
from tta_memory_nb.stores.redis import scripts, transactions
from tta_memory_nb.stores.redis.interpreter import Interpreter
from tta_memory_nb.stores.redis.overlay import Overlay
from tta_memory_nb.stores.redis.remote import Write
from tta_memory_nb.stores.redis.transactions import Transactions

REFUSING = "valkey, no scripts"


@pytest.fixture
def open_memory(request: pytest.FixtureRequest) -> Iterator[Callable[..., MemoryPrimitive]]:
    """Opens memories on a server that refuses scripts, in a test's own namespace."""
    opened: list[MemoryPrimitive] = []

    def open_one(url: str | None = None, **arguments: Any) -> MemoryPrimitive:
        arguments = {"namespace": request.node.name, **arguments}
        opened.append(MemoryPrimitive(url or need(REFUSING).url, **arguments))
        return opened[-1]

    with patch.object(outage.ServerStore, "_watch", lambda _: None):
        yield open_one
        for memory in opened:
            store: Any = memory._store
            store._outage = None
            memory.sync.close()


@pytest.fixture
def memory(open_memory: Callable[..., MemoryPrimitive]) -> MemoryPrimitive:
    return open_memory()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(need(REFUSING).port) as it:
        yield it


def behind(proxy: Proxy) -> str:
    return proxy.url.replace("://", "://unscripted:pw@")


def everything(memory: MemoryPrimitive) -> dict[str, Any]:
    return {record.key: record.value for record in memory.sync.records()}


def counter(memory: MemoryPrimitive) -> int:
    store: Any = memory._store
    return int(memory.redis_client.hget(store.remote._keys[3], "seq"))


# ---- what waits, laid over what the server says

KEYS = (b"hash", b"other hash", b"set", b"other set")
hashes, sets = st.sampled_from(KEYS[:2]), st.sampled_from(KEYS[2:])
names = st.sampled_from([b"a", b"b", b"c", b"d", b"\xff"])
numbers = st.integers(-2, 4).map(lambda number: b"%d" % number)
scores = st.sampled_from([b"0", b"1", b"2", b"2.5", b"-1", b"1800000000123456"])
low = st.sampled_from([b"-inf", b"(0", b"0", b"1", b"(2", b"2.5"])
high = st.sampled_from([b"+inf", b"(2.5", b"2", b"1", b"(1800000000123456"])
with_scores = st.sampled_from([(), (b"WITHSCORES",)])
limits = st.just(()) | st.tuples(st.just(b"LIMIT"), st.sampled_from([b"0", b"1"]), numbers)


def command(name: bytes, *parts: Any) -> st.SearchStrategy[tuple[bytes, ...]]:
    return st.tuples(st.just(name), *parts)


def several(name: bytes, key: Any, *parts: Any) -> st.SearchStrategy[tuple[bytes, ...]]:
    return st.tuples(key, st.lists(st.tuples(*parts), min_size=1, max_size=4)).map(
        lambda drawn: (name, drawn[0], *(part for each in drawn[1] for part in each))
    )


writes = st.one_of(
    several(b"HSET", hashes, names, st.sampled_from([b"", b"1", b"2"])),
    several(b"HDEL", hashes, names),
    several(b"ZADD", sets, scores, names),
    several(b"ZREM", sets, names),
    command(b"ZREMRANGEBYRANK", sets, numbers, numbers),
    several(b"UNLINK", st.sampled_from(KEYS), st.sampled_from(KEYS)),
)
counts = command(b"HINCRBY", hashes, st.just(b"count"), numbers)
looks = st.one_of(
    command(b"HGET", hashes, names),
    several(b"HMGET", hashes, names),
    command(b"HGETALL", hashes),
    command(b"HLEN", hashes),
    command(b"EXISTS", hashes),
    command(b"ZSCORE", sets, names),
    command(b"ZCARD", sets),
    command(b"ZCOUNT", sets, low, high),
    st.tuples(sets, numbers, numbers, with_scores).map(
        lambda drawn: (b"ZRANGE", *drawn[:3], *drawn[3])
    ),
    st.tuples(sets, low, high, with_scores, limits).map(
        lambda drawn: (b"ZRANGEBYSCORE", *drawn[:3], *drawn[3], *drawn[4])
    ),
    st.tuples(sets, high, low, with_scores, limits).map(
        lambda drawn: (b"ZREVRANGEBYSCORE", *drawn[:3], *drawn[3], *drawn[4])
    ),
)


def plain(name: bytes, reply: Any) -> Any:
    """A reply, in which the order of a hash's fields means nothing."""
    if name == b"HGETALL":
        it = iter(reply)
        return dict(zip(it, it, strict=True))
    return reply


@pytest.mark.parametrize("server", ["valkey", "redis"])
def test_what_waits_is_seen_as_if_it_had_been_written(server):
    with redis.Redis.from_url(need(server).url, protocol=2) as client:
        connection = client.connection_pool.get_connection()

        def ask(*parts: bytes) -> Any:
            connection.send_command(*parts)
            return connection.read_response()

        def state() -> list[Any]:
            return [
                *(plain(b"HGETALL", ask(b"HGETALL", key)) for key in KEYS[:2]),
                *(ask(b"ZRANGE", key, b"0", b"-1", b"WITHSCORES") for key in KEYS[2:]),
            ]

        @settings(max_examples=examples(server, 1500))
        @given(st.lists(writes, max_size=6), st.lists(looks | writes | counts, max_size=20))
        def same(before, program):
            # Both times from the same beginnings.
            ask(b"UNLINK", *KEYS)
            for parts in before:
                ask(*parts)
            expected = [(parts, ask(*parts)) for parts in program]
            left = state()
            ask(b"UNLINK", *KEYS)
            for parts in before:
                ask(*parts)
            overlay = Overlay()
            for parts, reply in expected:
                look = overlay.carry_out(parts[0].decode(), parts[1:])
                try:
                    commands = next(look)
                    while True:
                        replies = [ask(*each) for each in commands]
                        for each, told in zip(commands, replies, strict=True):
                            overlay.learn(each, told)
                        commands = look.send(replies)
                except StopIteration as done:
                    found = done.value
                if parts[0] in {b"HSET", b"HDEL", b"ZADD", b"ZREM", b"ZREMRANGEBYRANK", b"UNLINK"}:
                    assert found is None
                else:
                    assert plain(parts[0], found) == plain(parts[0], reply), parts
            for parts in overlay.writes:
                ask(*parts)
            assert state() == left

        same()
        ask(b"UNLINK", *KEYS)
        client.connection_pool.release(connection)


SOURCES = {
    name: script.source.decode()
    for name, script in vars(scripts).items()
    if isinstance(script, scripts.Script)
}
CALL = re.compile(r"(?P<before>.*?)\b(?:redis\.)?p?call\('(?P<name>[A-Z]+)'")


@pytest.mark.parametrize("name", SOURCES)
def test_scripts_call_what_is_known_and_use_no_reply_of_a_write(name):
    calls = [
        match for line in SOURCES[name].splitlines() for match in CALL.finditer(line.split("--")[0])
    ]
    assert calls
    for match in calls:
        assert hasattr(Overlay, f"_{match['name'].lower()}")
        if match["name"] in {"HSET", "HDEL", "ZADD", "ZREM", "ZREMRANGEBYRANK", "UNLINK"}:
            # It waits, so there is no reply: it is a statement of its own.
            assert match["before"].strip() == "" or match["before"].endswith(
                ("then ", "else ", "do ", "end ")
            ), match[0]


# ---- Lua, here and there

RETURNS = [
    "return 1",
    "return 2.9",
    "return -2.9",
    "return 1800000000123456",
    "return 'text\\255\\0'",
    "return true",
    "return false",
    "return nil",
    "",
    "return {}",
    "return {1, {2.5, 'x', {}}, false, true, nil, 5}",
    "return {1, nil}",
    "return KEYS",
    "return {ARGV[1], ARGV[2], ARGV[3], #ARGV}",
    "return redis.call('HMGET', KEYS[1], 'a', 'b')",
    "return redis.call('HGET', KEYS[1], 'a') == false",
    "return type(redis.call('HGET', KEYS[1], 'none'))",
    "redis.call('ZADD', KEYS[2], 1800000000123456, 'm', 0.1, 'n') return redis.call('ZCARD', KEYS[2])",
    "local a, n = struct.unpack('>d', struct.pack('>d', 1.5)) return {a * 2, n}",
    "local a, n = struct.unpack('>I4', 'x' .. string.char(0, 1, 2, 255), 2) return {a, n}",
    "return struct.pack('>BddddI4', 1, 0, 1.5, 0, 1800000000123456, 7)",
    "return redis.error_reply('LATE too late')",
    "return {err = 'LATE too late'}",
]


@pytest.mark.parametrize("source", RETURNS)
def test_lua_means_the_same_here_and_there(source, request):
    keys = [f"lua:{{{request.node.name}}}:{n}".encode() for n in range(5)]
    argv = [b"", b"1.50", b"\xff\0"]
    with redis.Redis.from_url(need("valkey").url, protocol=2) as client:
        client.hset(keys[0], "a", b"\xff")
        try:
            expected: Any = client.eval(source, len(keys), *keys, *argv)
        except redis.ResponseError as error:
            expected = str(error)
        code = source.encode()
        script: Any = SimpleNamespace(source=code, sha=sha1(code).digest())
        running = Interpreter().run(script, keys, argv)
        overlay = Overlay()
        reply: Any = None
        try:
            call = next(running)
            while True:
                look = overlay.carry_out(*call)
                reply = None
                try:
                    commands = next(look)
                    while True:
                        commands = look.send([client.execute_command(*each) for each in commands])
                except StopIteration as done:
                    reply = done.value
                call = running.send(reply)
        except StopIteration as done:
            found = done.value
        except ServerError as error:
            found = str(error)
        assert found == expected
        client.unlink(*keys)


@pytest.mark.parametrize(
    "name",
    [
        "io",
        "os",
        "python",
        "require",
        "dofile",
        "load",
        "loadstring",
        "debug",
        "package",
        "coroutine",
        "pcall",
    ],
)
def test_a_script_sees_nothing_of_this_process(name):
    code = f"return type({name}) .. type(getmetatable) .. type(struct.pack)".encode()
    script: Any = SimpleNamespace(source=code, sha=name)
    with pytest.raises(StopIteration) as ended:
        next(Interpreter().run(script, [], []))
    assert ended.value.value == b"nilniluserdata"
    look = b"return struct.pack.__globals__"
    with pytest.raises(ServerError, match="a script failed"):
        next(Interpreter().run(SimpleNamespace(source=look, sha=b""), [], []))


def test_a_script_that_fails_says_so_as_on_a_server():
    script: Any = SimpleNamespace(source=b"return nil + 1", sha=b"")
    with pytest.raises(ServerError, match=r"a script failed: .*arithmetic on a nil"):
        next(Interpreter().run(script, [], []))


def test_a_thousand_arguments_of_one_command_are_none_too_many():
    code = b"local t = {} for i = 1, 7000 do t[i] = i end redis.call('ZREM', KEYS[1], unpack(t))"
    script: Any = SimpleNamespace(source=code, sha=b"")
    name, arguments = next(Interpreter().run(script, [b"k"], []))
    assert (name, len(arguments), arguments[-1]) == ("ZREM", 7001, b"7000")


# ---- who refuses what


def test_scripts_that_are_refused_are_seen_in_what_a_memory_tells(memory):
    memory.sync.add("k", {"n": 1})
    assert memory._store.remote.atomic_by == "transactions"
    assert memory.get_backend_info()["atomic_by"] == "transactions"


@pytest.mark.parametrize(
    "said",
    [
        "ERR unknown command 'EVALSHA'",
        "ERR unknown command `evalsha`, with args beginning with: `0123`, `5`, ",
        "ERR unknown command 'EVALSHA', with args beginning with: '0123' '5' ",
        "ERR unsupported command 'evalsha'",
        "ERR command 'EVALSHA' is not allowed",
        "ERR EVALSHA is disabled",
        "NOPERM this user has no permissions to run the 'evalsha' command or its subcommand",
        "NOPERM User somebody has no permissions to run the 'evalsha' command",
    ],
)
async def test_a_refusal_is_understood_in_many_words(open_memory, proxy, said):
    is_script = lambda command: command[0] in (b"EVALSHA", b"EVAL")  # noqa: E731
    proxy.fault("error", is_script, times=None, error=said.encode())
    memory = open_memory(behind(proxy))
    await memory.add("k", {"text": "rain"})
    assert memory.sync.search("RAIN") == [{"text": "rain"}]
    assert memory._store.remote.atomic_by == "transactions"
    await memory.clear()
    await memory.aclose()


@pytest.mark.parametrize(
    ("lacks", "refuses_scripts"),
    [("keys", True), ("keys", False), ("multi", True), ("watch", True)],
)
def test_what_else_is_refused_says_what_a_memory_needs(lacks, refuses_scripts):
    server = need(REFUSING)
    keys = "~somebody:*" if lacks == "keys" else "~tta:*"
    rights = ["+@scripting"] if not refuses_scripts else ["-@scripting", "+@transaction"]
    rights += [f"-{lacks}"] if lacks != "keys" else []
    with server.client() as client:
        client.acl_deluser("lacking")
        client.execute_command(
            "ACL SETUSER", "lacking", "on", ">pw", keys, "+@read", "+@write", "+ping", *rights
        )
        url = f"redis://lacking:pw@127.0.0.1:{server.port}"
        memory = MemoryPrimitive(url, namespace="lacking").sync
        for _ in range(2):
            with pytest.raises(ServerError) as raised:
                memory.add("k", {})
            assert raised.value.code == "NOPERM"
            assert "keys that begin with tta:, in an ACL: ~tta:* +@read +@write +@scripting" in str(
                raised.value
            )
        assert memory.is_using_redis()
        memory.close()
        # Not even half of it was written.
        assert client.exists("tta:{lacking}:values", "tta:{lacking}:meta") == 0
        client.acl_deluser("lacking")


def test_without_lua_a_refusal_says_what_to_install(open_memory):
    memory = open_memory().sync
    with (
        patch.dict(sys.modules, {"lupa": None}),
        pytest.raises(ServerError) as raised,
    ):
        memory.add("k", {})
    assert raised.value.code == "NOPERM"
    for part in ("evalsha", "+@scripting", 'pip install "tta-memory-nb[unscripted]"'):
        assert part in str(raised.value)
    memory.add("k", {"n": 1})  # once it is installed
    assert memory.get("k") == {"n": 1}


def test_a_server_that_is_back_is_asked_again_whether_it_runs_scripts(open_memory, proxy):
    memory = open_memory(behind(proxy), timeout=0.3)
    memory.sync.add("k", {"n": 1})
    proxy.refuse()
    memory.sync.add("k", {"n": 2})
    memory.sync.delete("none")
    assert not memory.is_using_redis()
    proxy.heal()
    assert memory.sync.reconnect()
    assert memory._store.remote.atomic_by == "transactions"  # it was asked, and has refused again
    assert everything(memory) == {"k": {"n": 2}}
    memory._store.remote.try_scripts_again()
    assert memory._store.remote.atomic_by == "scripts"


@pytest.mark.parametrize("server", [REFUSING, "redis, no scripts"])
@pytest.mark.parametrize("protocol", [2, 3])
async def test_both_protocols_say_the_same(open_memory, server, protocol):
    memory = open_memory(f"{need(server).url}?protocol={protocol}")
    await memory.resize(4)
    await memory.add("k", {"text": "rain"}, ttl=60)
    for n in range(3):
        memory.sync.add(f"j{n}", {"text": "sun"})
    memory.sync.get("k")
    await memory.add("j3", {"text": "sun"})
    assert [hit.key for hit in memory.sync.search_records("SUN")] == ["j3", "j2", "j1"]
    change = await memory.remove(["j1", "j3"])
    await memory.undo(change)
    assert await memory.keys() == ["j1", "j2", "k", "j3"]
    assert memory.sync.stats()["expiring"] == 1
    assert 59 < await memory.ttl("k") <= 60
    assert memory.evictions == 1
    await memory.clear()
    await memory.aclose()


# ---- two who write


def test_what_others_write_meanwhile_is_seen_and_not_overwritten(open_memory):
    memory, other = open_memory(), open_memory()
    memory.sync.resize(10)
    both = [memory.sync, other.sync]
    barrier = threading.Barrier(4)
    raised: list[BaseException] = []

    def work(number: int) -> None:
        barrier.wait()
        try:
            for n in range(60):
                both[number % 2].add(f"{number}:{n}", {"n": n})
                both[number % 2].get(f"{number}:{n}")
                both[number % 2].add_many({f"m:{n % 3}": {"by": number}, f"m:{n % 2}": {}})
        except BaseException as error:  # asserted to be none
            raised.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
    assert memory.is_using_redis()
    assert other.is_using_redis()
    assert memory.size() == other.size() == 10
    keys = memory.sync.keys()
    assert keys == other.sync.keys() == [r.key for r in other.sync.records()][::-1]
    # No two writes took the same place.
    places = memory.redis_client.zrange(memory._store.remote._keys[1], 0, -1, withscores=True)
    assert len({score for _, score in places}) == 10


def attempt_of(plan: Plan[Any]) -> Transaction:
    """The transaction of a plan that begins with one."""
    request = next(plan)
    assert isinstance(request, Transaction)
    return request


class ByHand:
    """A transaction over a connection of one's own, whose last commands wait until one says so."""

    def __init__(self, memory: MemoryPrimitive, request: Transaction) -> None:
        pool = memory.redis_client.connection_pool
        self.connection = pool.connection_class(**pool.connection_kwargs)
        self.connection.connect()
        self.steps = request.steps()
        self.commands = next(self.steps)
        while self.commands[-1] != (b"EXEC",):
            self.commands = self.steps.send(self.replies())

    def replies(self) -> list[Any]:
        for command in self.commands:
            self.connection.send_command(*command)
        return [self.connection.read_response() for _ in self.commands]

    def end(self) -> Any:
        """Sends them; what the steps return."""
        try:
            with pytest.raises(StopIteration) as done:
                self.steps.send(self.replies())
        finally:
            self.connection.disconnect()
        return done.value.value


def test_an_exec_that_comes_late_does_nothing_when_others_have_written(open_memory):
    memory, other = open_memory(), open_memory()
    memory.sync.add("k", {"n": 0})
    remote = memory._store.remote
    op = remote.operations.begin()
    late = ByHand(memory, attempt_of(remote.set(new_entry("k", {"n": 1}, 1.0, None), op)))
    other.sync.add("k", {"n": 2})
    assert late.end() is transactions._CHANGED
    assert everything(other) == {"k": {"n": 2}}


def test_an_exec_that_comes_late_to_nobody_is_not_done_again_by_the_journal(open_memory):
    memory = open_memory()
    memory.sync.add("k", {"n": 0})
    remote = memory._store.remote
    op = remote.operations.begin()
    entry = new_entry("k", {"n": 1}, 1.0, None)
    late = ByHand(memory, attempt_of(remote.set(entry, op)))
    base, before = remote.seen, counter(memory)
    assert late.end()[0] == before + 1
    # Its client has not heard of it.
    write = Write(op, "set", 2.0, entries=[entry], kept=[entry], may_be_done=True)
    memory._runner.run(remote.replay([write], base))
    assert counter(memory) == before + 1
    assert everything(memory) == {"k": {"n": 1}}


@pytest.mark.parametrize("face", ["awaited", "called"])
@pytest.mark.parametrize("kind", ["reset", "lose reply", "half request", "half reply", "trickle"])
async def test_one_broken_connection_is_no_outage_and_nothing_is_done_twice(
    open_memory, proxy, face, kind
):
    memory, other = open_memory(behind(proxy)), open_memory()

    async def do(verb: str, *arguments: Any) -> Any:
        if face == "awaited":
            return await getattr(memory, verb)(*arguments)
        return getattr(memory.sync, verb)(*arguments)

    await do("add", "k", {"n": 0})
    for verb, arguments in (("add", ("k", {"n": 1})), ("get", ("k",)), ("delete", ("k",))):
        before = [b""]

        def is_last(command: Any, before: list[bytes] = before) -> bool:
            is_it = command[0] == b"EXEC" and before[0] not in (b"MULTI", b"")
            before[0] = command[0]
            return is_it

        start = counter(other)
        fault = proxy.fault(kind, is_last)
        found = await do(verb, *arguments)
        assert found == {"add": None, "get": {"n": 1}, "delete": True}[verb]
        assert fault.count == 1
        assert memory.is_using_redis()
        if verb != "get":
            assert counter(other) == start + 1
    assert everything(other) == {}
    await memory.aclose()


def test_who_is_overtaken_all_the_time_gives_up_after_the_timeout():
    at = [0.0]
    them = Transactions([b"k%d" % n for n in range(5)], timeout=2.0)
    with patch.object(transactions, "monotonic", lambda: at[0]):
        plan = them.run(scripts.KEYS, lambda: [0])
        request: Any = next(plan)
        while at[0] <= 2.0:
            assert isinstance(request, Transaction)
            pause: Any = plan.send(transactions._CHANGED)
            assert 0 <= pause.seconds <= 0.064
            at[0] += pause.seconds + 0.1
            request = plan.send(None)
        with pytest.raises(StoreUnavailable, match="others write to this namespace all the time"):
            plan.send(transactions._CHANGED)
    # The next one's turn has come nevertheless.
    assert isinstance(next(them.run(scripts.KEYS, lambda: [0])), Transaction)


def test_the_common_random_numbers_are_left_alone(memory):
    import random

    random.seed(0)
    before = random.getstate()
    memory.sync.add("k", {})
    assert random.getstate() == before


# ---- servers that change


@pytest.mark.parametrize("face", ["awaited", "called"])
async def test_keys_that_another_node_has_now_are_found_there(open_memory, face):
    cluster = need("cluster, no scripts")
    memory = open_memory(cluster.url, on_outage="raise")

    async def do(verb: str, *arguments: Any) -> Any:
        if face == "awaited":
            return await getattr(memory, verb)(*arguments)
        return getattr(memory.sync, verb)(*arguments)

    await do("add", "k", {"n": 1})
    keys = memory._store.remote._keys
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
        # The newest epoch wins; with an older one it would lose them again to the nodes' own talk.
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


def test_a_primary_that_became_a_replica_is_an_outage(open_memory, proxy):
    memory = open_memory(behind(proxy), timeout=0.5)
    memory.sync.add("k", {"n": 1})
    said = b"READONLY You can't write against a read only replica."
    proxy.fault("error", times=None, error=said)
    memory.sync.add("k", {"n": 2})
    assert "read only replica" in memory.outage()["degraded_because"]
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(memory) == {"k": {"n": 2}}


# ---- turns


async def test_a_call_in_a_loop_does_not_wait_for_a_task_of_this_loop(memory):
    await memory.add("k", {"n": 0})
    tasks = [asyncio.create_task(memory.add(f"k{n}", {"n": n})) for n in range(50)]
    for n in range(20):
        await asyncio.sleep(0)
        memory.sync.add("k", {"n": n})  # while a task has begun and cannot go on
        assert memory.sync.get("k") == {"n": n}
    await asyncio.gather(*tasks)
    assert memory.size() == 51
    assert memory.is_using_redis()
    await memory.aclose()


async def test_a_cancelled_call_lets_the_next_ones_go_on(memory):
    await memory.add("k", {"n": 0})
    for turns_of_the_loop in range(12):
        tasks = [asyncio.create_task(memory.add("k", {"n": n})) for n in range(4)]
        for _ in range(turns_of_the_loop):
            await asyncio.sleep(0)
        for task in tasks[:3]:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert await memory.get("k") == {"n": 3}
    assert memory.is_using_redis()
    await memory.aclose()


def test_a_frozen_server_holds_all_who_wait_up_for_no_longer_than_the_timeout():
    need(REFUSING)
    server = Server(valkey())
    try:
        with server.client() as client:
            client.execute_command(
                "ACL SETUSER u on >p ~tta:* +@read +@write +@connection +@transaction"
            )
        url = f"redis://u:p@127.0.0.1:{server.port}"
        with patch.object(outage.ServerStore, "_watch", lambda _: None):
            memory = MemoryPrimitive(url, timeout=0.3)

            async def gathered() -> None:
                await memory.add("k", {})
                server.freeze()
                loop = asyncio.get_running_loop()
                started = loop.time()
                await asyncio.gather(*(memory.add(f"k{n}", {"n": n}) for n in range(200)))
                assert loop.time() - started < 0.3 + 3  # not 200 times as long
                server.thaw()
                assert await memory.reconnect()
                assert await memory.count() == 201
                await memory.aclose()

            asyncio.run(gathered())
    finally:
        server.thaw()
        server.stop()


def test_replays_many_writes_as_a_server_would(open_memory, proxy):
    clock = Clock()
    memory = open_memory(behind(proxy), timeout=0.3, clock=clock)
    other = open_memory(clock=clock)
    memory.sync.add_many({f"k{n}": {"n": n} for n in range(30)})
    proxy.refuse()
    clock.tick()
    for n in range(0, 30, 2):
        memory.sync.add(f"k{n}", {"n": -n})
    memory.sync.remove([f"k{n}" for n in range(1, 30, 6)])
    clock.tick()
    other.sync.add("k0", {"by": "another"})  # newer
    proxy.heal()
    assert memory.sync.reconnect()
    expected = {f"k{n}": {"n": n if n % 2 else -n} for n in range(30)}
    for n in range(1, 30, 6):
        del expected[f"k{n}"]
    expected["k0"] = {"by": "another"}
    assert everything(memory) == everything(other) == expected


def test_a_redis_of_another_kind_knows_the_same_refusal():
    need("redis")
    server = Server(redis_8())
    try:
        with server.client() as client:
            client.execute_command("ACL SETUSER default -eval")  # but not EVALSHA
        memory = MemoryPrimitive(f"redis://127.0.0.1:{server.port}").sync
        memory.add("k", {"n": 1})
        assert memory.get("k") == {"n": 1}
        memory.close()
    finally:
        server.stop()
