"""`apply` while the server is away: one step here and there, and no promise that cannot be kept."""

from __future__ import annotations

from os import urandom
from typing import Any

import pytest
from outages import everything

from tta_memory_nb import Conflict, StoreUnavailable

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")


def version(memory: Any, key: str) -> str | None:
    found = memory.sync.get_records([key])
    return found[0].version if found else None


def test_a_step_is_one_here_and_reaches_the_server_as_one(memory, other, proxy, clock):
    memory.sync.add_many({f"old {n}": {"n": n} for n in range(700)})
    proxy.refuse()
    clock.tick()
    change = memory.sync.apply(
        {f"new {n}": {"n": n} for n in range(1100)}, [f"old {n}" for n in range(600)]
    )
    assert not memory.is_using_redis()
    assert (len(change.written), len(change.removed)) == (1100, 600)
    expected = {f"old {n}": {"n": n} for n in range(600, 700)}
    expected |= {f"new {n}": {"n": n} for n in range(1100)}
    assert everything(memory) == expected
    proxy.heal()
    sent: list[Any] = []
    proxy.fault("lose reply", lambda command: sent.append(command) or False, times=None)
    assert memory.sync.reconnect()
    replays = [command for command in sent if b"apply" in command]
    assert len(replays) == 1
    assert everything(other) == everything(memory) == expected
    memory.sync.undo(change)
    assert everything(other) == {f"old {n}": {"n": n} for n in range(700)}


def test_of_what_others_have_written_since_the_newest_instant_wins_record_by_record(
    memory, other, proxy, clock
):
    memory.sync.add_many({"a": {"n": 0}, "b": {"n": 0}, "gone": {"n": 0}, "kept": {"n": 0}})
    proxy.refuse()
    clock.tick()
    other.sync.add("a", {"n": 1})
    clock.tick()
    memory.sync.apply({"a": {"n": 2}, "b": {"n": 2}}, ["gone", "kept"])
    clock.tick()
    other.sync.apply({"b": {"n": 3}, "kept": {"n": 3}})
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == {"a": {"n": 2}, "b": {"n": 3}, "kept": {"n": 3}}


@pytest.mark.parametrize("fault", ["lose reply", "half reply", "reset"])
def test_a_step_whose_reply_was_lost_is_done_once(memory, other, proxy, fault):
    memory.sync.add_many({"n": {"n": 0}, "old": {}})
    read = version(memory, "n")
    proxy.fault(fault, lambda command: command[0] == b"EVALSHA")
    change = memory.sync.apply({"n": {"n": 1}}, ["old"], expect={"n": read, "new": None})
    assert memory.is_using_redis()
    assert everything(other) == {"n": {"n": 1}}
    assert {entry.key for entry in change.removed} == {"n", "old"}
    memory.sync.undo(change)
    assert everything(other) == {"n": {"n": 0}, "old": {}}


def test_a_step_that_was_in_flight_when_the_server_went_away_is_done_once(
    memory, other, proxy, clock
):
    memory.sync.add_many({"a": {"n": 0}, "old": {}})
    clock.tick()
    proxy.fault("lose reply", times=None)
    memory.sync.apply({"a": {"n": 1}}, ["old"])
    assert not memory.is_using_redis()
    assert everything(other) == {"a": {"n": 1}}
    other.sync.delete("a")
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == {}


def test_nothing_can_be_expected_in_an_outage(memory, other, proxy):
    memory.sync.add("a", {"n": 0})
    read = version(memory, "a")
    proxy.refuse()
    with pytest.raises(StoreUnavailable, match="only the server can tell"):
        memory.sync.apply({"a": {"n": 1}}, expect={"a": read})
    assert memory.sync.get("a") == {"n": 0}
    memory.sync.add("b", {"n": 0})
    of_the_outage = version(memory, "b")
    proxy.heal()
    memory.sync.apply({"a": {"n": 2}}, expect={"a": read})  # it looks for the server at once
    assert everything(other) == {"a": {"n": 2}, "b": {"n": 0}}
    assert of_the_outage != version(memory, "b") == version(other, "b")
    with pytest.raises(Conflict):
        other.sync.apply({"b": {"n": 1}}, expect={"b": of_the_outage})


def test_versions_are_the_same_for_every_client_and_never_come_again(memory, other, proxy):
    memory.sync.add("a", {"n": 0})
    seen = [version(memory, "a")]
    assert version(other, "a") == seen[0]
    proxy.refuse()
    memory.sync.add("a", {"n": 1})
    other.sync.add("x", {"n": 1})
    seen.append(version(memory, "a"))
    proxy.heal()
    assert memory.sync.reconnect()
    seen.append(version(memory, "a"))
    assert version(other, "a") == seen[-1]
    other.sync.clear()
    other.sync.add("a", {"n": 0})
    seen.append(version(memory, "a"))
    assert len({*seen, version(other, "x")}) == 5


def test_a_step_that_the_server_does_not_take_as_one_loses_no_record(
    memory, other, proxy, database
):
    memory.sync.add("old", {})
    with database.client() as server:
        server.config_set("proto-max-bulk-len", 1 << 20)
        proxy.refuse()
        memory.sync.apply({"small": {}, "large": {"text": urandom(1 << 20).hex()}}, ["old"])
        proxy.heal()
        try:
            assert memory.sync.reconnect()
        finally:
            server.config_set("proto-max-bulk-len", 512 << 20)
    assert everything(other) == {"small": {}}
    assert list(memory.get_backend_info()["writes_refused"]) == ["large"]
