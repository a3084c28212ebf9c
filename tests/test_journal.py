"""What becomes of the writes of an outage: each reaches the server, or is set aside and named."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from network import Proxy
from outages import everything

from tta_memory_nb import MemoryPrimitive, ServerError, StoreUnavailable
from tta_memory_nb.entry import new_entry
from tta_memory_nb.stores.plan import drive
from tta_memory_nb.stores.redis.journal import Journal
from tta_memory_nb.stores.redis.keys import keys_of
from tta_memory_nb.stores.redis.operations import Attempt, Write, WriteIds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from real_servers import Server

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")

TOO_LARGE = {"text": "x" * 3_000_000}
"""A value that a server with a limit of a megabyte does not take."""


@contextmanager
def configured(server: Server, name: str, value: str) -> Iterator[None]:
    """Changes a setting of a server for a while."""
    with server.client() as client:
        before = client.config_get(name)[name]
        client.config_set(name, value)
        try:
            yield
        finally:
            client.config_set(name, before)


def is_large(command: Sequence[bytes]) -> bool:
    """Whether a command carries much; the text of a script, which a server is sent once, does not count."""
    carried = command[2:] if command[0] == b"EVAL" else command
    return sum(map(len, carried)) > 25_000


def refused(memory: MemoryPrimitive) -> dict[str, Any]:
    found: dict[str, Any] = memory.get_backend_info()["writes_refused"]
    return found


def test_only_a_newer_write_that_frees_room_overtakes_others():
    journal = Journal(WriteIds())
    first = Write("delete", 0.5, keys=("other",))
    pending = Write.setting([new_entry("k", {}, 1.0, None), new_entry("l", {}, 1.0, None)], 1.0)
    same_instant, later = Write("delete", 1.0, keys=("k",)), Write("delete", 2.0, keys=("l",))
    for write in (first, pending, same_instant, later):
        journal.add(write)
    assert journal.next(freeing=True) == [first, later]
    assert journal.next() == [first, pending, same_instant, later]


# ---- what the server never takes

LIMITS = ["proto-max-bulk-len", "client-query-buffer-limit"]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    "add",
    [
        lambda memory, *what: asyncio.run(memory.add(*what)),
        lambda memory, *what: memory.sync.add(*what),
    ],
    ids=["awaited", "called"],
)
def test_a_record_that_is_larger_than_the_server_takes_is_refused_and_no_outage(
    add, limit, open_memory, database, other
):
    memory = open_memory(database.url, compress_over=10**9)
    memory.sync.add("before", {"n": 1})
    with configured(database, limit, "1mb"):
        with pytest.raises(ServerError, match=r"'large' has 3,000,011 bytes.*nothing was written"):
            add(memory, "large", TOO_LARGE)
        assert memory.outage() is None
        memory.sync.add("after", {"n": 2})
    assert everything(other) == {"before": {"n": 1}, "after": {"n": 2}}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_pending_record_that_is_too_large_is_set_aside_and_the_others_reach_the_server(
    limit, open_memory, database, other, proxy, clock, caplog
):
    memory = open_memory(proxy.url, compress_over=10**9)
    memory.sync.add("large", {"n": 0})
    proxy.refuse()
    memory.sync.add("before", {"n": 1})
    at = clock.tick()
    memory.sync.add("large", TOO_LARGE)
    memory.sync.add_many({"after": {"n": 2}, "later": {"n": 3}})
    proxy.heal()
    caplog.clear()
    with configured(database, limit, "1mb"), caplog.at_level(logging.WARNING, "tta_memory_nb"):
        assert memory.sync.reconnect()
    assert memory.outage() is None
    assert everything(other) == {
        "large": {"n": 0},
        "before": {"n": 1},
        "after": {"n": 2},
        "later": {"n": 3},
    }
    assert everything(memory) == everything(other)
    [(key, write)] = refused(memory).items()
    assert (key, write.kind, write.at, write.value) == ("large", "set", at, TOO_LARGE)
    assert write.reason
    assert "x" * 100 not in repr(write)
    [record] = caplog.records
    assert "'large'" in record.getMessage()
    proxy.refuse()
    assert memory.sync.get("large") in (None, {"n": 0})  # not what the server has never taken
    proxy.heal()


# The server carries out a deletion with ZREM, which no other write here needs.
@pytest.mark.parametrize(
    ("verb", "name", "kind"),
    [
        (lambda memory: memory.delete("old"), "old", "delete"),
        (lambda memory: memory.clear(), "clear()", "clear"),
    ],
    ids=["delete", "clear"],
)
def test_a_write_that_needs_a_missing_right_is_set_aside_and_the_others_reach_the_server(
    verb, name, kind, open_memory, database, other
):
    other.sync.add("old", {"n": 0})
    with database.client() as client:
        client.execute_command("ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-zrem")
    try:
        with Proxy(database.port) as proxy:
            memory = open_memory(proxy.url.replace("//", "//limited:secret@"))
            memory.sync.add("before", {"n": 1})
            proxy.refuse()
            memory.sync.add("first", {"n": 2})
            verb(memory.sync)
            memory.sync.add("second", {"n": 3})
            proxy.heal()
            assert memory.sync.reconnect()
    finally:
        with database.client() as client:
            client.execute_command("ACL", "DELUSER", "limited")
    assert set(everything(other)) >= {"old", "before", "second"}
    [(key, write)] = refused(memory).items()
    assert (key, write.kind, write.value) == (name, kind, None)
    assert "NOPERM" in write.reason or "permissions" in write.reason
    assert "secret" not in write.reason


def test_writes_stay_pending_when_the_server_refuses_every_write(memory, database, other, proxy):
    memory.sync.add("k", {"n": 1})
    proxy.refuse()
    memory.sync.add("k", {"n": 2})
    memory.sync.delete("j")
    proxy.heal()
    with configured(database, "min-replicas-to-write", "1"):
        assert memory.sync.reconnect() is False
    assert memory.outage()["writes_waiting"] == 2
    assert memory.outage()["writes_refused"] == {}
    assert memory.sync.reconnect()
    assert everything(other) == {"k": {"n": 2}}


# ---- what the link lets through


def test_batches_shrink_until_the_link_lets_them_through(memory, other, proxy):
    proxy.refuse()
    for number in range(40):
        memory.sync.add(f"k{number}", {"text": "x" * 1000, "n": number})
    proxy.heal()
    fault = proxy.fault("reset", is_large, times=None)
    assert memory.sync.reconnect()
    assert fault.count
    assert not refused(memory)
    assert [record.value["n"] for record in other.sync.records()] == list(range(40))[::-1]


def test_a_pending_write_of_many_records_is_sent_in_parts_that_get_through(memory, other, proxy):
    proxy.refuse()
    memory.sync.add_many({f"k{n}": {"text": "x" * 1000, "n": n} for n in range(100)})
    memory.sync.delete("k7")
    proxy.heal()
    proxy.fault("reset", is_large, times=None)
    assert memory.sync.reconnect()
    expected = [n for n in range(100) if n != 7]
    assert [record.value["n"] for record in other.sync.records()] == expected[::-1]


def test_only_the_record_that_never_gets_through_is_set_aside(memory, other, proxy):
    proxy.refuse()
    memory.sync.add_many({f"k{n}": {"text": "x" * (30_000 * (n == 7))} for n in range(100)})
    proxy.heal()
    # Compression would make it small.
    memory._store.commands.payloads._compress_over = 10**9
    proxy.fault("reset", is_large, times=None)
    assert memory.sync.reconnect()
    assert list(refused(memory)) == ["k7"]
    assert set(everything(other)) == {f"k{n}" for n in range(100)} - {"k7"}


def test_a_write_is_not_set_aside_if_only_its_replies_are_lost(memory, other, proxy):
    proxy.refuse()
    memory.sync.add("k", {"text": "x" * 30_000})
    proxy.heal()
    memory._store.commands.payloads._compress_over = 10**9
    proxy.fault("lose reply", is_large, times=None)
    assert memory.sync.reconnect()
    assert not refused(memory)
    assert everything(other) == {"k": {"text": "x" * 30_000}}


# ---- every step of a replay makes progress


@pytest.mark.parametrize("is_lost", [False, True], ids=["not sent", "its answer was lost"])
def test_a_resize_is_replayed_in_as_many_steps_as_it_needs(memory, other, proxy, is_lost):
    memory.sync.add_many((f"k{n}", {"n": n}) for n in range(1200))
    if is_lost:
        proxy.fault("lose reply", times=None)
    else:
        proxy.refuse()
    memory.sync.resize(100)
    memory.sync.add("last", {"n": 1200})
    proxy.heal()
    assert memory.sync.reconnect()
    assert [record.value["n"] for record in other.sync.records()] == list(range(1200, 1100, -1))
    assert memory.max_size == 100


def test_a_write_that_is_open_for_long_leaves_no_long_list_on_the_server(memory, database, proxy):
    memory.sync.add("k", {"n": 0})
    commands = memory._store.commands
    open_write = commands.write_ids.begin(Attempt())  # as of a task that still waits for its reply
    proxy.refuse()
    for number in range(1200):
        memory.sync.add(f"k{number}", {"n": number})
        memory.sync.add(f"k{number // 2}", {"n": number})
    proxy.heal()
    assert memory.sync.reconnect()
    field = f"client:{commands.write_ids.client.decode()}"
    with database.client() as client:
        assert len(client.hget(keys_of(memory.namespace).meta, field)) < 100
    commands.write_ids.end(open_write)


def test_the_server_ignores_a_write_that_was_given_up(memory, other, proxy):
    memory.sync.add("k", {"n": 0})
    commands = memory._store.commands
    write_id = commands.write_ids.begin(Attempt())
    assert memory._runner.run(commands.give_up(write_id)) is False
    assert memory._runner.run(commands.give_up(write_id)) is False  # as the first time
    memory._runner.run(commands.set(new_entry("k", {"n": 1}, 1.0, None), write_id, ""))
    assert everything(other) == {"k": {"n": 0}}


# ---- errors that arrive late


@pytest.mark.parametrize("verb", ["add", "get"])
def test_an_error_from_before_the_end_of_an_outage_begins_no_other_one(
    memory, other, proxy, clock, verb
):
    memory.sync.add("k", {"n": 0})
    store: Any = memory._store
    plan = (
        store.write(new_entry("k", {"n": 1}, clock.tick(), None))
        if verb == "add"
        else store.read("k")
    )
    request = plan.send(None)  # on its way to a server that will not answer
    proxy.refuse()
    memory.sync.add("j", {"n": 2})
    proxy.heal()
    assert memory.sync.reconnect()
    errors = [StoreUnavailable("no answer within 2 s")]

    def answer(request: object) -> Any:
        if errors:
            raise errors.pop()
        return store.runner._answer(request)

    drive(plan, request, answer)
    assert memory.outage() is None
    assert everything(other) == {"k": {"n": int(verb == "add")}, "j": {"n": 2}}
