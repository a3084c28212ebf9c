"""A write is acknowledged when it is as durable as the memory promises, or `NotDurable` says that it is not.

A replica that is frozen stands for one that is too slow: its primary goes on, and `WAIT` counts nobody.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from network import Proxy
from outages import PATIENT, everything
from primaries import GROUPS, kill_once
from real_servers import Server, need, redis_6, redis_8, until, valkey

from tta_memory_nb import InvalidArgument, MemoryPrimitive, NotDurable, ServerError
from tta_memory_nb.notebook.commands import COMMANDS
from tta_memory_nb.notebook.commands.base import Notebook
from tta_memory_nb.stores.durability import Durability, read_durability
from tta_memory_nb.stores.plan import drive
from tta_memory_nb.stores.redis.barrier import Barrier
from tta_memory_nb.stores.redis.wire import Pipelined

FACES = pytest.mark.parametrize("face", ["awaited", "called"])

VERBS: dict[str, tuple[Any, ...]] = {
    "add": ("new", {"n": 1}),
    "add_many": ({f"many:{n}": {"n": n} for n in range(3)},),
    "expire": ("old", 3600),
    "delete": ("old",),
    "remove": (["old"],),
    "take_all": (),
    "clear": (),
    "resize": (1,),
    "undo": (),
}
"""Verbs that write, with their arguments."""


class Replicated:
    """A primary and a replica; nobody watches them."""

    def __init__(self) -> None:
        need("valkey")
        at_once = ("--repl-diskless-sync-delay", "0")
        self.primary = Server(valkey(), *at_once)
        self.replica = Server(valkey(), *at_once)
        with self.replica.client() as client:
            client.replicaof("127.0.0.1", self.primary.port)
        self.wait_until_linked()

    def wait_until_linked(self) -> None:
        with self.primary.client() as client:
            until(
                lambda: client.info("replication").get("slave0", {}).get("state") == "online",
                "the replica is linked",
            )
            until(lambda: client.wait(1, 1000) == 1, "the replica answers")

    @contextmanager
    def with_a_slow_replica(self) -> Iterator[None]:
        self.replica.freeze()
        try:
            yield
        finally:
            self.replica.thaw()

    def blocked(self) -> int:
        """How many clients wait on the primary."""
        with self.primary.client() as client:
            count: int = client.info("clients")["blocked_clients"]
        return count

    def calls(self, command: str) -> int:
        """How often the primary was sent a command."""
        with self.primary.client() as client:
            stats = client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})
        count: int = stats["calls"]
        return count


@pytest.fixture(scope="module")
def servers() -> Iterator[Replicated]:
    it = Replicated()
    yield it
    it.replica.stop()
    it.primary.stop()


@pytest.fixture
def memory(
    open_memory: Callable[..., MemoryPrimitive], servers: Replicated, no_automatic_reconnect: None
) -> MemoryPrimitive:
    return open_memory(servers.primary.url, durability="replicas:1")


@pytest.fixture
def other(open_memory: Callable[..., MemoryPrimitive], servers: Replicated) -> MemoryPrimitive:
    """A client that promises no more than the memory of the server."""
    return open_memory(servers.primary.url)


def barrier_of(memory: MemoryPrimitive) -> Barrier:
    store: Any = memory._store
    barrier: Barrier = store.barrier
    return barrier


def hasten(memory: MemoryPrimitive) -> None:
    """Has a write wait for a moment only."""
    barrier_of(memory).seconds = 0.02


async def do(memory: MemoryPrimitive, face: str, verb: str, *arguments: Any) -> Any:
    """Carries a verb out. `expire` and `undo` are written with others."""
    if verb == "expire":
        key, ttl = arguments
        verb, arguments = "add", (key, {"n": 0}, ttl)
    if face == "called":
        return getattr(memory.sync, verb)(*arguments)
    return await getattr(memory, verb)(*arguments)


# ---- replicas


@FACES
@pytest.mark.parametrize("verb", VERBS)
async def test_a_write_that_no_replica_has_stays_and_is_said(face, verb, memory, other, servers):
    memory.sync.resize(10)
    for n in range(3):
        memory.sync.add(f"kept:{n}", {"n": n})
    memory.sync.add("old", {"n": 0})
    arguments = VERBS[verb]
    if verb == "undo":
        arguments = (memory.sync.remove(["old", "kept:0"]),)
    before = everything(other)
    hasten(memory)
    with servers.with_a_slow_replica():
        with pytest.raises(NotDurable) as caught:
            await do(memory, face, verb, *arguments)
        after = everything(other)
        assert after == everything(memory)
    assert (after != before) or verb == "expire"
    error = caught.value
    assert (error.durability, error.replicas, error.on_disk) == ("replicas:1", 0, None)
    assert "durability='replicas:1': the write is on redis://127.0.0.1" in str(error)
    assert "it is on no replica after 0.02 s" in str(error)
    if error.change is not None:  # the write can be taken back in spite of the error
        barrier_of(memory).seconds = PATIENT
        memory.sync.undo(error.change)
        assert everything(other) == before
    assert (error.change is None) == (verb in ("add", "expire", "add_many", "clear"))


@FACES
async def test_a_write_waits_for_a_slow_replica_and_holds_up_nobody(face, memory, servers):
    memory.sync.add("there", {"n": 0})
    with servers.with_a_slow_replica():
        adding = asyncio.create_task(
            memory.add("k", {"n": 1})
            if face == "awaited"
            else asyncio.to_thread(memory.sync.add, "k", {"n": 1})
        )
        await asyncio.to_thread(until, servers.blocked, "the server waits for its replica")
        assert await asyncio.wait_for(do(memory, face, "get", "there"), PATIENT) == {"n": 0}
        assert [value async for value in _values(memory)] == [{"n": 0}, {"n": 1}]
        assert not adding.done()
    await asyncio.wait_for(adding, PATIENT)


async def _values(memory: MemoryPrimitive) -> Any:
    for record in await memory.records():
        yield record.value


async def test_writes_that_are_awaited_together_share_their_barriers(memory, servers):
    before = servers.calls("wait")
    await asyncio.gather(*(memory.add(f"k{n}", {"n": n}) for n in range(300)))
    assert 0 < servers.calls("wait") - before < 100


def test_writes_of_threads_share_their_barriers(memory, servers):
    before = servers.calls("wait")
    with servers.with_a_slow_replica():
        threads = [
            threading.Thread(target=memory.sync.add, args=(f"k{n}", {"n": n})) for n in range(12)
        ]
        for thread in threads:
            thread.start()
        with servers.primary.client() as client:
            store: Any = memory._store
            until(lambda: client.hlen(store.commands.keys[0]) == 12, "all are written")
        assert servers.blocked() <= 1
    for thread in threads:
        thread.join(PATIENT)
        assert not thread.is_alive()
    assert servers.calls("wait") - before <= 2 + 1


def test_a_barrier_that_has_begun_before_a_write_does_not_cover_it():
    barrier = Barrier(Durability("replicas", 1), b"meta", "redis://example", PATIENT)
    first = barrier.hold()
    assert isinstance(next(first), Pipelined)  # it is under way
    second = barrier.hold()
    next(second)  # waits for its turn
    with pytest.raises(StopIteration) as done:
        first.send([1, 1])
    assert done.value.value.number == 1
    assert isinstance(second.send(None), Pipelined)
    third = barrier.hold()
    next(third)
    with pytest.raises(StopIteration) as done:
        second.send([1, 1])
    assert done.value.value.number == 2
    assert isinstance(third.send(None), Pipelined)
    third.close()


def test_a_barrier_covers_all_that_wait_for_their_turn():
    barrier = Barrier(Durability("replicas", 1), b"meta", "redis://example", PATIENT)
    first, second, third = barrier.hold(), barrier.hold(), barrier.hold()
    for plan in (first, second, third):
        next(plan)
    with pytest.raises(StopIteration):
        first.send([1, 1])
    assert isinstance(second.send(None), Pipelined)
    with pytest.raises(StopIteration) as done:
        second.send([1, 1])
    with pytest.raises(StopIteration) as same:
        third.send(None)
    assert same.value.value == done.value.value


def test_a_barrier_asks_again_until_the_time_is_over():
    barrier = Barrier(Durability("replicas", 2), b"meta", "redis://example", PATIENT)
    asked: list[Any] = []

    def answer(request: Any) -> Any:
        asked.append(request.commands[1])
        return [1, len(asked) - 1]

    plan = barrier.hold()
    assert drive(plan, next(plan), answer).reason == ""
    assert [count for _, count, _ in asked] == [2, 2, 2]


@FACES
@pytest.mark.parametrize("kind", ["reset", "lose reply", "half reply", "half request"])
@pytest.mark.parametrize("which", ["the tiny write", "WAIT"])
async def test_a_barrier_whose_connection_breaks_is_sent_again_as_a_whole(
    kind, which, face, open_memory, servers, no_automatic_reconnect
):
    with Proxy(servers.primary.port) as proxy:
        memory = open_memory(proxy.url, durability="replicas:1")
        memory.sync.add("before", {"n": 0})
        marks, waits = servers.calls("eval"), servers.calls("wait")
        fault = proxy.fault(
            kind,
            _is_a_barrier if which == "the tiny write" else lambda words: words[0] == b"WAIT",
        )
        await do(memory, face, "add", "k", {"n": 1})
        assert fault.count == 1
        assert memory.outage() is None
        # The replies to the first ones are lost. The greeting of the new connection is an EVAL as well.
        assert servers.calls("eval") - marks >= 2
        assert servers.calls("wait") - waits >= 1
        assert everything(memory) == {"before": {"n": 0}, "k": {"n": 1}}
        await memory.aclose()


async def test_a_task_that_is_cancelled_while_it_waits_holds_up_nobody(memory, servers):
    with servers.with_a_slow_replica():
        waiting = [asyncio.create_task(memory.add(f"k{n}", {"n": n})) for n in range(3)]
        await asyncio.to_thread(until, servers.blocked, "the server waits for its replica")
        for task in waiting[:2]:  # one that asks, and one that waits for its turn
            task.cancel()
        await asyncio.wait(waiting[:2])
    await asyncio.wait_for(waiting[2], PATIENT)
    await asyncio.wait_for(memory.add("later", {"n": 9}), PATIENT)
    assert {"k2", "later"} <= everything(memory).keys()


# ---- a server that is away, or comes back older, before a write was found to be durable


@FACES
async def test_a_write_whose_barrier_finds_no_server_is_written_when_it_is_back(
    face, open_memory, proxy, database, no_automatic_reconnect, caplog
):
    memory = open_memory(proxy.url, durability="disk")
    # The write is answered, and then the server goes away.
    fault = proxy.fault("error", _is_a_barrier, times=None, error=b"LOADING it starts")
    await do(memory, face, "add", "k", {"n": 1})
    assert memory.outage() is not None
    assert memory.outage()["writes_waiting"] == 1
    assert "durability='disk' does not hold before that" in caplog.text
    assert "durability='disk' does not hold in an outage" in memory.get_backend_info()["dangers"][0]
    fault.times = fault.count
    assert memory.sync.reconnect()
    assert everything(memory) == {"k": {"n": 1}}


def _is_a_barrier(command: Any) -> bool:
    return any(b"'durable'" in part for part in command)


@FACES
@pytest.mark.parametrize("verb", ["add", "add_many", "delete"])
async def test_what_a_server_loses_before_it_was_durable_is_written_again(
    face, verb, open_memory, servers, no_automatic_reconnect, monkeypatch
):
    # A server of its own, without a replica and without files: a restart loses everything.
    server = Server(valkey(), "--appendonly", "yes")
    try:
        memory = open_memory(server.url, durability="disk")
        memory.sync.add("old", {"n": 0})
        with server.client() as client:
            client.bgrewriteaof()
            until(
                lambda: not client.info("persistence")["aof_rewrite_in_progress"], "it is rewritten"
            )
        files = {path: path.read_bytes() for path in server.folder.rglob("*.aof")}
        hold, losses = Barrier.hold, [1]

        def lose_first(self: Barrier) -> Any:
            if losses:
                losses.pop()
                server.kill()
                for path, data in files.items():
                    path.write_bytes(data)
                server.restart()
            return hold(self)

        monkeypatch.setattr(Barrier, "hold", lose_first)
        await do(memory, face, verb, *VERBS[verb])
        with_others = open_memory(server.url)
        expected = {"add": {"new": {"n": 1}}, "add_many": VERBS["add_many"][0], "delete": {}}[verb]
        old = {} if verb == "delete" else {"old": {"n": 0}}
        assert everything(with_others) == {**old, **expected}
        assert memory.get_backend_info()["lost_on_server"] == 0
        memory.sync.close()
        with_others.sync.close()
    finally:
        server.stop()


def test_what_waited_in_an_outage_is_durable_when_it_is_over(memory, servers, caplog):
    store: Any = memory._store
    for is_slow in (False, True):
        with servers.primary.client() as client:
            client.client_pause(1)
        store.outages._begin(_away(), store.outages.ended)
        memory.sync.add(f"k:{is_slow}", {"n": 1})
        assert memory.outage()["writes_waiting"] == 1
        before = servers.calls("wait")
        if is_slow:
            hasten(memory)
            with servers.with_a_slow_replica():
                assert memory.sync.reconnect()
        else:
            assert memory.sync.reconnect()
        assert servers.calls("wait") > before
        said = "1 writes have reached it, but durability='replicas:1' does not hold" in caplog.text
        assert said == is_slow


def _away() -> Any:
    from tta_memory_nb import StoreUnavailable

    return StoreUnavailable("redis://example is away")


# ---- the disk


@pytest.fixture(scope="module")
def everysec() -> Iterator[Server]:
    need("valkey")
    it = Server(valkey(), "--appendonly", "yes", "--appendfsync", "everysec")
    yield it
    it.stop()


def test_a_write_to_the_disk_survives_a_kill(open_memory, everysec, no_automatic_reconnect):
    memory = open_memory(everysec.url, durability="disk")
    expected = {f"k{n}": {"n": n} for n in range(1500)}
    memory.sync.add_many(expected)
    everysec.kill()
    everysec.restart()
    assert everything(open_memory(everysec.url)) == expected


def test_a_disk_that_is_never_synchronized_is_said(open_memory, everysec):
    memory = open_memory(everysec.url, durability="disk")
    with everysec.client() as client:
        client.config_set("appendfsync", "no")
        try:
            hasten(memory)
            with pytest.raises(NotDurable, match=r"not on its disk after 0\.02 s") as caught:
                memory.sync.add("k", {"n": 1})
        finally:
            client.config_set("appendfsync", "everysec")
    assert (caught.value.durability, caught.value.on_disk) == ("disk", False)
    assert memory.sync.get("k") == {"n": 1}


# ---- what cannot be promised is refused at once


def test_a_server_without_a_file_cannot_promise_the_disk(servers):
    with pytest.raises(
        ServerError, match=r"durability='disk'.* set appendonly to yes .*'replicas:1'"
    ):
        MemoryPrimitive(servers.primary.url, durability="disk")


def test_a_server_that_does_not_know_the_command_says_which_one_does():
    need("redis-6")
    server = Server(redis_6(), "--appendonly", "yes")
    try:
        with pytest.raises(ServerError, match=r"does not know the command WAITAOF; use Redis 7\.2"):
            MemoryPrimitive(server.url, durability="disk")
    finally:
        server.stop()


def test_a_missing_right_is_named(servers):
    with servers.primary.client() as client:
        rights = ["on", ">secret", "~tta:*", "+@all", "-wait", "-waitaof"]
        client.execute_command("ACL", "SETUSER", "weak", *rights)
        try:
            url = servers.primary.url.replace("://", "://weak:secret@")
            with pytest.raises(ServerError, match=r"needs the right \+wait for it") as caught:
                MemoryPrimitive(url, durability="replicas:1")
        finally:
            client.execute_command("ACL", "DELUSER", "weak")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_switched_off_later_is_said_at_the_write(open_memory):
    need("redis")
    server = Server(redis_8(), "--appendonly", "yes")
    try:
        memory = open_memory(server.url, durability="disk")
        with server.client() as client:
            client.config_set("appendonly", "no")
        with pytest.raises(NotDurable, match="set appendonly to yes"):
            memory.sync.add("k", {"n": 1})
        assert memory.sync.get("k") == {"n": 1}
        memory.sync.close()
    finally:
        server.stop()


@pytest.mark.parametrize("durability", ["disk", "replicas:1"])
def test_a_memory_in_this_process_promises_its_memory_alone(durability):
    assert MemoryPrimitive(durability="memory").get_backend_info()["durability"] == "memory"
    with pytest.raises(InvalidArgument, match=f"durability='{durability}': .* give 'memory'"):
        MemoryPrimitive(durability=durability)


@pytest.mark.parametrize("durability", ["disk", "replicas:1"])
def test_an_embedded_server_promises_its_memory_alone(tmp_path, durability):
    with pytest.raises(InvalidArgument, match=f"durability='{durability}': an embedded server"):
        MemoryPrimitive(f"embedded:{tmp_path}", durability=durability)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "value",
    ["", "Disk", "replicas", "replicas:", "replicas:0", "replicas:x", "replicas:1000", 1, None],
)
def test_a_durability_that_means_nothing_is_refused(value):
    with pytest.raises(InvalidArgument, match="give 'memory', 'disk' or 'replicas:N'") as caught:
        read_durability(value)
    assert caught.value.parameter == "durability"


def test_an_address_has_no_option_for_it():
    with pytest.raises(
        InvalidArgument, match="the option 'durability': give durability= to the memory"
    ):
        MemoryPrimitive("redis://localhost:1?durability=disk")


# ---- in a notebook


def test_a_notebook_chooses_the_durability(servers, request):
    nb = Notebook(lookup=lambda _: None)
    use = COMMANDS["use"]
    url = servers.primary.url
    durable = use(nb, url, namespace=request.node.name, durability="replicas:1").value
    assert durable.get_backend_info()["durability"] == "replicas:1"
    assert use(nb, url, namespace=request.node.name).value is durable
    elsewhere = use(nb, namespace="elsewhere").value
    assert elsewhere.get_backend_info()["durability"] == "replicas:1"
    plain = use(nb, durability="memory").value
    assert plain.get_backend_info()["durability"] == "memory"
    with pytest.raises(InvalidArgument, match="durability"):
        use(nb, plain, durability="replicas:1")
    with pytest.raises(InvalidArgument, match="a memory without a server"):
        use(nb, "in-memory", durability="disk")
    for memory in (durable, elsewhere, plain):
        memory.sync.close()


# ---- a primary is killed


@pytest.mark.parametrize("kind", GROUPS)
def test_no_acknowledged_write_is_lost_when_a_primary_and_its_writer_are_killed(kind):
    need("valkey")
    group = GROUPS[kind]()
    try:
        acknowledged, missing = kill_once(group, "killed", "replicas:1", 60)
    finally:
        group.stop()
    assert acknowledged >= 60
    assert missing == 0
