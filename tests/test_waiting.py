"""Waiting in this process is no silence of the server, and one silent connection is no outage.

The server is reached through a proxy that holds replies back, forgets connections or counts them.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
import redis
from outages import HASTY, PATIENT, everything
from real_servers import until

from tta_memory_nb import MemoryPrimitive, ServerError, StoreUnavailable
from tta_memory_nb.stores.redis import line, lines, namespace, pool, silence
from tta_memory_nb.stores.redis.connections import Limits
from tta_memory_nb.stores.redis.pool import Pool

if TYPE_CHECKING:
    from network import Proxy

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")

FACES = pytest.mark.parametrize("face", ["awaited", "called"])


async def get(memory: MemoryPrimitive, face: str, key: str) -> Any:
    return await memory.get(key) if face == "awaited" else memory.sync.get(key)


async def add(memory: MemoryPrimitive, face: str, key: str) -> None:
    if face == "awaited":
        await memory.add(key, {"key": key})
    else:
        memory.sync.add(key, {"key": key})


def is_script(command: Any) -> bool:
    return bool(command[0] == b"EVALSHA")


@pytest.fixture
def held(proxy: Proxy) -> Iterator[Proxy]:
    """A proxy that holds all replies back until `pass_replies` is called."""
    yield proxy
    proxy.pass_replies()


# ---- many at a time


async def test_verbs_that_are_awaited_together_are_sent_together_on_few_connections(
    memory, held, database
):
    await memory.add("k", {"n": 0})
    held.hold_replies()
    before = held.commands
    tasks = [asyncio.create_task(memory.get("k")) for _ in range(300)]
    # All of them arrive before any is answered.
    await asyncio.to_thread(until, lambda: held.commands - before >= 300, "300 commands arrive")
    held.pass_replies()
    assert await asyncio.gather(*tasks) == [{"n": 0}] * 300
    assert held.most_connections <= lines.MOST + 1


async def test_more_verbs_than_the_connections_have_room_for_wait_for_their_turn(
    open_memory, proxy, monkeypatch
):
    monkeypatch.setattr(line, "_ROOM", 5)
    memory = open_memory(proxy.url, on_outage="raise")
    keys = [f"k{n}" for n in range(300)]
    await asyncio.gather(*(memory.add(key, {"key": key}) for key in keys))
    assert await asyncio.gather(*map(memory.get, keys)) == [{"key": key} for key in keys]
    assert len(await memory.keys()) == 300


async def test_writes_that_are_awaited_together_take_one_command_each(memory, proxy):
    await asyncio.gather(*(memory.add(f"warm:{n}", {"n": n}) for n in range(3)))
    before = proxy.commands
    await asyncio.gather(*(memory.add(f"k{n}", {"n": n}) for n in range(200)))
    assert proxy.commands - before == 200


def test_more_threads_than_connections_take_turns(open_memory, proxy):
    memory = open_memory(f"{proxy.url}?max_connections=3", on_outage="raise")
    keys = [f"k{n}" for n in range(40)]
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda key: memory.sync.add(key, {"key": key}), keys))
        assert list(threads.map(memory.sync.get, keys)) == [{"key": key} for key in keys]
    assert proxy.most_connections <= 3


async def test_an_event_loop_has_no_more_connections_than_the_address_allows(open_memory, proxy):
    memory = open_memory(f"{proxy.url}?max_connections=2", on_outage="raise")
    memory._store.runner.close()  # the connection with which it was opened
    await asyncio.gather(*(memory.add(f"k{n}", {"n": n}) for n in range(500)))
    assert proxy.most_connections <= 2


async def test_a_cancelled_verb_leaves_the_replies_of_the_others_in_order(memory, held):
    await memory.add_many({f"k{n}": {"n": n} for n in range(50)})
    held.hold_replies()
    tasks = [asyncio.create_task(memory.get(f"k{n}")) for n in range(50)]
    before = held.commands
    await asyncio.to_thread(until, lambda: held.commands - before >= 40, "commands are under way")
    for task in tasks[::2]:
        task.cancel()
    held.pass_replies()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert found[1::2] == [{"n": n} for n in range(1, 50, 2)]
    assert await memory.get("k7") == {"n": 7}


def test_what_waits_for_its_turn_too_long_is_told_so_and_begins_no_outage(monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 0.01)
    at_it, go = Event(), Event()

    class Opened:
        """A connection whose server takes its time."""

        def __init__(self) -> None:
            self._sock = self

        def settimeout(self, seconds: float) -> None: ...

        def send(self, data: bytes) -> int:
            return len(data)

        def recv(self, _: int) -> bytes:
            at_it.set()
            go.wait(PATIENT)
            return b"+OK\r\n"

        def disconnect(self) -> None: ...

    class Dialer:
        moves = 0

        def dial(self) -> Opened:
            return Opened()

    dialer: Any = Dialer()
    turns = Pool(dialer, Limits(silence=1.0, connections=1))
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(turns.ask, (b"GET", b"k"), None)
        at_it.wait(PATIENT)
        with pytest.raises(Exception, match="waited") as caught:
            turns.ask((b"GET", b"k"), None)
        go.set()
        assert first.result(PATIENT) == b"OK"
    assert getattr(caught.value, "code", None) == "BUSY"


# ---- silence


@FACES
async def test_one_silent_connection_is_no_outage(face, open_memory, proxy):
    memory = open_memory(proxy.url, timeout=HASTY, on_outage="raise")
    await add(memory, face, "k")
    fault = proxy.fault("hang", is_script)
    assert await get(memory, face, "k") == {"key": "k"}
    assert fault.count == 1


@FACES
async def test_one_silent_command_on_a_new_connection_is_no_outage(face, open_memory, proxy):
    memory = open_memory(proxy.url, timeout=HASTY, on_outage="raise")
    memory.sync.add("k", {"key": "k"})
    memory._store.runner.close()
    fault = proxy.fault("hang", is_script)
    await add(memory, face, "new")
    assert fault.count == 1
    assert {*everything(memory)} == {"k", "new"}


@FACES
async def test_a_command_that_takes_too_long_raises_an_error_of_its_own(
    face, open_memory, proxy, monkeypatch
):
    monkeypatch.setattr(pool, "PATIENCE", 1)
    monkeypatch.setattr(lines, "PATIENCE", 1)
    memory = open_memory(proxy.url, timeout=HASTY)
    await add(memory, face, "k")
    proxy.fault("hang", is_script, times=None)
    with pytest.raises(ServerError, match="has not answered this command") as caught:
        await get(memory, face, "k")
    assert caught.value.code == "SLOW"
    assert memory.is_using_redis()


@FACES
async def test_a_server_that_is_silent_everywhere_is_away(face, open_memory, proxy):
    memory = open_memory(proxy.url, timeout=HASTY, on_outage="raise")
    await add(memory, face, "k")
    proxy.fault("hang", times=None)
    with pytest.raises(StoreUnavailable, match="has not answered within"):
        await get(memory, face, "k")


@FACES
async def test_after_one_forgotten_connection_no_other_idle_one_is_trusted(
    face, open_memory, proxy
):
    memory = open_memory(proxy.url, timeout=HASTY, on_outage="raise")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: memory.sync.add(f"k{n}", {"key": f"k{n}"}), range(80)))
    await asyncio.gather(*(memory.get(f"k{n}") for n in range(80)))
    proxy.forget()
    for n in range(10):
        assert await get(memory, face, f"k{n}") == {"key": f"k{n}"}
    # Or two on a busy machine, where a reply may be later than the limit; each idle one would be eight.
    assert 1 <= proxy.swallowed <= 2


@FACES
async def test_a_connection_is_checked_when_it_was_unused_for_long(
    face, open_memory, proxy, monkeypatch
):
    memory = open_memory(f"{proxy.url}?health_check_interval=30", on_outage="raise")
    await add(memory, face, "k")
    asked: list[Any] = []
    proxy.fault("delay", lambda command: bool(asked.append(command[0])))
    await get(memory, face, "k")
    assert asked == [b"EVALSHA"]
    for module in (pool, line, lines):
        monkeypatch.setattr(module, "monotonic", lambda: __import__("time").monotonic() + 31)
    await get(memory, face, "k")
    assert asked == [b"EVALSHA", b"ECHO", b"EVALSHA"]


# ---- the loop is blocked


class Jump:
    """Lets the time of an event loop jump, as if the loop had been blocked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.seconds = 0.0
        real: Callable[[], float] = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.seconds)


async def test_a_blocked_loop_is_no_silence_of_the_server(memory, held, monkeypatch):
    await memory.add("k", {"n": 0})
    blocked = Jump(monkeypatch)
    held.hold_replies()
    task = asyncio.create_task(memory.get("k"))
    before = held.commands
    await asyncio.to_thread(until, lambda: held.commands > before, "the command is sent")
    for _ in range(4):
        blocked.seconds += 10 * PATIENT
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    held.pass_replies()
    assert await task == {"n": 0}
    assert memory.is_using_redis()
    assert memory.outage() is None


async def test_a_loop_that_is_blocked_while_it_connects_connects(open_memory, held, monkeypatch):
    memory = open_memory(held.url, on_outage="raise")
    blocked = Jump(monkeypatch)
    held.hold_replies()
    connections = held.connections
    task = asyncio.create_task(memory.add("k", {"n": 0}))
    await asyncio.to_thread(until, lambda: held.connections > connections, "it connects")
    blocked.seconds += 10 * PATIENT
    await asyncio.sleep(0)
    held.pass_replies()
    await task
    assert everything(memory) == {"k": {"n": 0}}


# ---- large answers


@FACES
async def test_keys_are_listed_in_pages(face, memory, monkeypatch, proxy, clock):
    monkeypatch.setattr(namespace, "KEYS_PAGE", 3)
    await memory.add_many({f"user{n % 2}:{n}": {"n": n} for n in range(10)})
    await memory.add("user0:gone", {"n": 0}, ttl=1)
    await memory.get("user0:0")
    clock.tick(5)
    expected = [f"user{n % 2}:{n}" for n in range(1, 10)] + ["user0:0"]

    async def keys(**filters: Any) -> list[str]:
        return await memory.keys(**filters) if face == "awaited" else memory.sync.keys(**filters)

    await keys()  # the server has the script now
    before = proxy.commands
    assert await keys() == expected
    assert proxy.commands - before == 4
    assert await keys(user="user1") == [key for key in expected if key.startswith("user1")]


def test_a_key_that_is_used_while_keys_are_listed_is_listed_once(memory, other, monkeypatch, proxy):
    monkeypatch.setattr(namespace, "KEYS_PAGE", 2)
    memory.sync.add_many({f"k{n}": {"n": n} for n in range(5)})
    listing = memory._store.commands.list_keys
    used = iter(["k0", "k4"])
    plan = listing(_everything())
    request = next(plan)
    found = None
    while found is None:
        reply = memory._store.runner._answer(request)
        key = next(used, None)
        if key is not None:
            other.sync.get(key)
        try:
            request = plan.send(reply)
        except StopIteration as done:
            found = done.value
    assert sorted(found) == [f"k{n}" for n in range(5)]


def _everything() -> Any:
    from tta_memory_nb.filters import EVERYTHING

    return EVERYTHING


def test_bytes_on_their_way_are_seen_where_the_platform_says():
    import socket
    import sys

    near, far = socket.socketpair()
    with near, far:
        assert silence.unacknowledged(near) == 0
        near.sendall(b"x" * 1000)
        assert silence.unacknowledged(near) > 0 or sys.platform != "linux"
    assert silence.unacknowledged(near) == 0


def test_a_connection_that_is_opened_for_nobody_is_closed_without_a_running_loop(
    open_memory, proxy
):
    memory = open_memory(proxy.url)
    proxy.hold_replies()
    store: Any = memory._store
    loop = asyncio.new_event_loop()
    dial = store.runner._dialer.adial()
    task = loop.create_task(dial)
    two = asyncio.to_thread(until, lambda: proxy._open_connections == 2, "it connects")
    loop.run_until_complete(two)
    loop.run_until_complete(asyncio.to_thread(until, lambda: proxy._held_replies, "it waits"))
    with suppress(RuntimeError):  # redis-py asks for the running loop
        dial.close()  # as the garbage collector does with what a loop leaves behind
    task.cancel()
    with pytest.raises((asyncio.CancelledError, RuntimeError)):
        loop.run_until_complete(task)
    loop.close()
    proxy.pass_replies()
    until(lambda: proxy._open_connections == 1, "only the connection of the thread is left")


async def test_a_reply_that_nobody_waits_for_any_more_is_no_complaint():
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    for abandons in (True, False):
        exchange = line.Exchange(("PING",), loop.create_future())
        exchange.fail(redis.ConnectionError("the server has closed the connection"))
        if abandons:
            exchange.abandon()
        del exchange
        gc.collect()
        assert len(complaints) == (0 if abandons else 1)
