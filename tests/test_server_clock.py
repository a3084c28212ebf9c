"""The server's time decides when records expire and which write is the newest, for every client."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from network import Proxy
from real_servers import Server, need, redis_8, until

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.notebook.commands import memories
from tta_memory_nb.notebook.commands.base import Notebook
from tta_memory_nb.stores.redis.clock import ServerClock, steady
from tta_memory_nb.stores.redis.keys import keys_of

pytestmark = pytest.mark.usefixtures("patient")

HOUR = 3600.0


class Setting:
    """The clock of a machine that somebody sets; `ahead` says by how many seconds it is ahead."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture(params=["valkey", "redis"])
def server(request: pytest.FixtureRequest) -> Any:
    return need(request.param)


@pytest.fixture
def open_memory(request: pytest.FixtureRequest) -> Iterator[Callable[..., MemoryPrimitive]]:
    """Opens memories in a namespace of the test; the first one empties it at the end."""
    opened: list[MemoryPrimitive] = []

    def open_one(url: str, **arguments: Any) -> MemoryPrimitive:
        opened.append(MemoryPrimitive(url, namespace=request.node.name, **arguments))
        return opened[-1]

    yield open_one
    for memory in reversed(opened):
        store: Any = memory._store
        store.outages.current = None
        if memory is opened[0]:
            memory.sync.clear()
        memory.sync.close()


VERBS: dict[str, Callable[[Any], object]] = {
    "add": lambda memory: memory.add("x", {}),
    "add_many": lambda memory: memory.add_many({"x": {}, "y": {}}),
    "get": lambda memory: memory.get("session:1"),
    "get_many": lambda memory: memory.get_many(["session:1", "session:2"]),
    "peek": lambda memory: memory.peek(["session:1"]),
    "keys": lambda memory: memory.keys(),
    "records": lambda memory: memory.records(),
    "search": lambda memory: memory.search("n", None),
    "count": lambda memory: memory.count("n"),
    "size": lambda memory: memory.size(),
    "stats": lambda memory: memory.stats(),
    "info": lambda memory: memory.get_backend_info(),
    "delete": lambda memory: memory.delete("none"),
    "import": lambda memory: memory.import_([{"key": "x", "value": {}}]),
    "undo": lambda memory: memory.undo(memory.import_([{"key": "x", "value": {}}]).change),
    "resize": lambda memory: memory.resize(100),
    "reconnect": lambda memory: memory.reconnect(),
}


def try_every_verb(team: MemoryPrimitive, laptop: MemoryPrimitive, raw: Any) -> None:
    values = keys_of(team.namespace).values
    for verb, call in VERBS.items():
        team.sync.add_many({f"session:{n}": {"n": n} for n in range(3)}, ttl="15m")
        call(laptop.sync)
        left = [key for key in team.sync.keys() if key.startswith("session:")]  # noqa: SIM118  of a memory
        assert len(left) == 3, verb
        assert all(raw.hexists(values, key) for key in left), verb


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_no_verb_of_a_client_with_a_wrong_clock_ends_the_records_of_others(
    server, open_memory, ahead
):
    laptop = open_memory(server.url, clock=Setting(ahead))
    with server.client() as raw:
        try_every_verb(open_memory(server.url), laptop, raw)


def test_a_clock_that_is_set_while_a_memory_is_in_use_changes_nothing(server, open_memory):
    clock = Setting()
    laptop = open_memory(server.url, clock=clock)
    laptop.sync.add("mine", {})
    clock.ahead = HOUR
    with server.client() as raw:
        try_every_verb(open_memory(server.url), laptop, raw)
    assert laptop.sync.get("mine") == {}


def test_a_user_who_may_not_ask_for_the_time_still_follows_the_server(open_memory):
    need("redis")
    server = Server(redis_8())
    try:
        with server.client() as raw:
            rights = "~tta:* resetchannels -@all +@read +@write +@scripting +@connection"
            raw.execute_command(f"ACL SETUSER limited on >pw {rights}")
            url = f"redis://limited:pw@127.0.0.1:{server.port}"
            laptop = open_memory(url, clock=Setting(HOUR))
            try_every_verb(open_memory(server.url), laptop, raw)
            left = {key for key in raw.scan_iter() if b":answers:" not in key}  # those expire
            assert len(left) == len(keys_of("x"))  # nothing is left of asking
    finally:
        server.stop()


READS: dict[str, Callable[[Any], object]] = {
    "get": lambda memory: memory.get("short"),
    "get_many": lambda memory: memory.get_many(["short", "none"]),
    "peek": lambda memory: memory.peek(["short"]),
    "ttl": lambda memory: memory.ttl("short"),
    "keys": lambda memory: memory.keys(),
    "records": lambda memory: memory.records(),
    "search": lambda memory: memory.search("brief"),
    "count": lambda memory: memory.count("brief"),
    "size": lambda memory: memory.size(),
}


def test_nobody_reads_what_has_expired_on_the_server(server, open_memory):
    behind = open_memory(server.url, clock=Setting(-HOUR))
    other = open_memory(server.url)
    for verb, read in READS.items():
        other.sync.add("short", {"text": "brief"}, ttl=0.001)
        until(lambda: other.sync.ttl("short") is None, "the record expires")
        assert not read(behind.sync), verb


def test_instants_are_those_of_the_server(server, open_memory):
    ahead = open_memory(server.url, clock=Setting(HOUR))
    before = time.time()
    ahead.sync.add("k", {"n": 1}, ttl="1h")
    [record] = open_memory(server.url).sync.records()
    # The measurement is off by less than the time of a round trip; a wrong clock by an hour.
    assert before - HOUR / 2 < record.updated_at == record.created_at < time.time() + HOUR / 2
    assert record.expires_at == record.updated_at + HOUR
    assert ahead.sync.ttl("k") <= HOUR
    assert ahead.sync.count(since="30m") == 1
    assert ahead.sync.count(until="30m") == 0


def test_of_a_write_before_the_server_was_reached_and_a_later_one_the_later_wins(
    server, open_memory
):
    direct = open_memory(server.url)
    with Proxy(server.port) as proxy:
        proxy.refuse()
        with patch("tta_memory_nb.stores.redis.outage.Outages._watch"):
            clock = Setting(HOUR - 600)  # the writes are ten minutes old when the server is back
            laptop = open_memory(proxy.url, clock=clock)
            for key in ("both", "mine"):
                laptop.sync.add(key, {"by": "laptop"}, ttl="2h")
            clock.ahead = HOUR
        direct.sync.add("both", {"by": "direct"})
        proxy.heal()
        assert laptop.sync.reconnect() is True
        assert direct.sync.get_many(["both", "mine"]) == {
            "both": {"by": "direct"},
            "mine": {"by": "laptop"},
        }
        assert direct.sync.ttl("mine") < 2 * HOUR - 300
        assert laptop.sync.get("both") == {"by": "direct"}


def test_a_clock_that_is_off_is_said_once_and_shown(server, open_memory, caplog):
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        laptop = open_memory(server.url, clock=Setting(HOUR))
        for _ in range(3):
            laptop.sync.add("k", {})
            laptop.sync.reconnect()
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith("the clock of this machine is 3,600 s ahead of the server's")
    assert laptop.get_backend_info()["clock_skew"] == pytest.approx(HOUR, abs=60)
    facts = memories.info(Notebook(laptop)).value["value"]
    assert facts["clock"] == "3,600 s ahead of the server's, which decides"
    right = open_memory(server.url)
    right.sync.add("k", {})
    assert right.get_backend_info()["clock_skew"] == pytest.approx(0, abs=60)
    assert "clock" not in memories.info(Notebook(right)).value["value"]


def test_a_better_measurement_replaces_a_worse_one_and_not_the_other_way_round():
    clock = ServerClock(time.time)
    now = steady()
    clock.measured(now + 1000, now - 2, may_ask=True)  # between 1000 and 1002 s ahead
    rough = clock() - steady()
    assert 1000 < rough < 1002
    clock.measured(steady() + 1001.9, steady(), may_ask=True)
    exact = clock() - steady()
    assert exact == pytest.approx(1001.9, abs=0.05)
    clock.measured(steady() + 1000, steady() - 2, may_ask=True)
    assert clock() - steady() == pytest.approx(exact, abs=1e-6)


def test_without_the_server_time_goes_on_as_the_clock_of_the_process_says(server, open_memory):
    clock = Setting()
    with Proxy(server.port) as proxy, patch("tta_memory_nb.stores.redis.outage.Outages._watch"):
        memory = open_memory(proxy.url, clock=clock)
        memory.sync.add("short", {}, ttl="30m")
        memory.sync.add("long", {}, ttl="2h")
        proxy.refuse()
        assert memory.sync.get("short") == {}
        clock.ahead = HOUR
        assert memory.sync.keys() == ["long"]
        assert memory.sync.ttl("long") <= HOUR
        proxy.heal()
        assert memory.sync.reconnect() is True
        assert sorted(memory.sync.keys()) == ["long", "short"]  # the server decides again
