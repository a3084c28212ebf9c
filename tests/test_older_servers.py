"""A server that comes back older than it was is noticed; what it has lost is said, and can be written back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from backends import Clock
from network import Proxy
from real_servers import Server, need, redis_8, until, valkey

from tta_memory_nb import MemoryPrimitive, StoreUnavailable
from tta_memory_nb.notebook.commands import memories
from tta_memory_nb.notebook.commands.base import Notebook
from tta_memory_nb.stores.redis.keys import Keys, keys_of

pytestmark = pytest.mark.usefixtures("patient")

BINARIES = {"valkey": valkey, "redis": redis_8}


@pytest.fixture(scope="module", params=BINARIES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that keeps nothing but the snapshots that these tests take."""
    need(request.param)
    it = Server(BINARIES[request.param]())
    yield it
    it.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with server.client() as it:
        yield it
        it.flushall()


@pytest.fixture
def names(request: pytest.FixtureRequest) -> Keys:
    return keys_of(request.node.name)


@pytest.fixture
def open_memory(request: pytest.FixtureRequest, server: Server, client: Any) -> Iterator[Any]:
    opened: list[MemoryPrimitive] = []

    def open_one(url: str = server.url, **arguments: Any) -> MemoryPrimitive:
        opened.append(MemoryPrimitive(url, namespace=request.node.name, **arguments))
        return opened[-1]

    with patch("tta_memory_nb.stores.redis.outage.Outages._watch"):
        yield open_one
    for memory in opened:
        memory.sync.close()


@pytest.fixture
def go_back(server: Server) -> Callable[[], None]:
    """Has the server forget what came after its last snapshot."""

    def kill_and_restart() -> None:
        server.kill()
        server.restart()

    return kill_and_restart


def notes(prefix: str, count: int = 5) -> dict[str, dict[str, str]]:
    return {f"{prefix}:{n}": {"text": f"note {prefix} {n}"} for n in range(count)}


def everything(memory: MemoryPrimitive) -> dict[str, Any]:
    return {record.key: record.value for record in memory.sync.records()}


def lost_on_server(memory: MemoryPrimitive) -> int:
    count: int = memory.get_backend_info()["lost_on_server"]
    return count


@pytest.mark.parametrize("was_there", [True, False])
@pytest.mark.parametrize("first", ["append", "add"])
def test_numbers_ahead_of_the_server_s_clock_hide_no_loss(
    was_there, first, open_memory, client, go_back
):
    # Messages are numbered by the instant, and the machine that the server comes back on may be behind.
    ahead = Clock(4e9)
    agent, other = open_memory(clock=ahead), open_memory(clock=ahead)
    if was_there:
        open_memory(clock=ahead).sync.add_many(notes("kept"))
    client.save()
    if first == "add":
        agent.sync.add("before", {"text": "a note"})
    [message] = agent.sync.append("ann", "mon", [{"text": "a message"}])
    agent.sync.add("after", {"text": "a note"})
    lost = {"after", message, *(["before"] if first == "add" else [])}
    go_back()
    other.sync.add("new", {"text": "counts on"})
    agent.sync.reconnect()
    assert (lost_on_server(agent), lost_on_server(other)) == (len(lost), 0)
    assert agent.sync.get("after") is None
    assert agent.sync.reconnect(restore_from_here=True) is True
    there = {"new", *lost, *(notes("kept") if was_there else ())}
    assert set(everything(agent)) == set(everything(other)) == there


def test_what_was_lost_stays_lost_when_the_server_comes_back_older_again(
    open_memory, client, server, go_back
):
    agent = open_memory()
    agent.sync.add_many({"written": {"n": 1}, "deleted": {"n": 1}})
    client.save()
    agent.sync.add("written", {"n": 2})
    agent.sync.delete("deleted")
    client.flushall()
    agent.sync.close()
    agent.sync.reconnect()
    assert lost_on_server(agent) == 1  # there is nothing to delete
    agent.sync.add("later", {"n": 3})
    go_back()
    agent.sync.reconnect()
    assert everything(agent) == {"written": {"n": 1}, "deleted": {"n": 1}}
    assert lost_on_server(agent) == 3
    assert agent.sync.reconnect(restore_from_here=True) is True
    assert everything(agent) == {"written": {"n": 2}, "later": {"n": 3}}


def test_an_older_deletion_of_an_outage_spares_what_a_lower_number_was_given(
    open_memory, server, client
):
    ahead = Clock(4e9)
    agent, other = open_memory(clock=ahead), open_memory(clock=ahead)
    agent.sync.append(
        "ann", "mon", [{"text": "gives a number that is ahead of the server's clock"}]
    )
    server.kill()
    assert agent.sync.delete("k") is False
    agent.sync.add("l", {"text": "an older value"})
    server.restart()  # without its data, so it counts from its clock again
    ahead.tick()
    other.sync.add_many({"k": {"text": "a later value"}, "l": {"text": "a later value"}})
    assert agent.sync.reconnect() is True
    later = {"k": {"text": "a later value"}, "l": {"text": "a later value"}}
    assert everything(agent) == everything(other) == later


def test_numbers_that_a_client_has_seen_are_not_given_again(open_memory, client):
    agent, other = open_memory(clock=Clock(4e9)), open_memory(clock=Clock(4e9))
    agent.sync.append("ann", "mon", [{"text": "a message"}])
    seen = agent._store.commands.seen
    client.flushall()
    other.sync.add("k", {"n": 1})
    agent.sync.close()
    agent.sync.reconnect()
    other.sync.add("k", {"n": 2})
    assert other._store.commands.seen > seen
    assert everything(agent) == everything(other) == {"k": {"n": 2}}
    assert (lost_on_server(agent), lost_on_server(other)) == (1, 0)


def test_a_write_that_arrives_while_losses_are_looked_for_stays_known(
    open_memory, client, go_back, monkeypatch
):
    agent, other = open_memory(), open_memory()
    agent.sync.add_many({"k": {"text": "lost"}, "l": {"text": "lost"}})
    client.flushall()
    other.sync.add("begins", {"text": "anew"})
    incarnation = agent._store.commands.incarnation
    ask_in_earnest = incarnation._states

    def ask(*arguments: Any) -> Any:
        if not written:
            written.append("k")
            agent.sync.search("note")
            agent.sync.add("k", {"text": "written meanwhile"})
            agent.sync.delete("begins")
        return (yield from ask_in_earnest(*arguments))

    written: list[str] = []
    monkeypatch.setattr(incarnation, "_states", ask)
    agent.sync.close()
    agent.sync.reconnect()
    assert written
    assert agent.sync.search("meanwhile") == [{"text": "written meanwhile"}]
    assert everything(agent) == everything(other) == {"k": {"text": "written meanwhile"}}
    assert lost_on_server(agent) == 1


@pytest.mark.parametrize("first", ["get", "keys", "search", "size", "touch"])
def test_a_namespace_that_began_while_it_was_used_has_lost_nothing(first, open_memory):
    agent = open_memory(clock=Clock(4e9))
    arguments = {"get": ("k",), "search": ("k",), "touch": (["k"],)}.get(first, ())
    getattr(agent.sync, first)(*arguments) if first != "size" else agent.size()
    agent.sync.append("ann", "mon", [{"text": "a message"}])
    agent.sync.add("k", {"n": 1})
    agent.sync.delete("k")
    agent.sync.resize(1)
    agent.sync.add("l", {"n": 2})  # pushes the message out
    agent.sync.close()
    agent.sync.reconnect()
    assert lost_on_server(agent) == 0


@pytest.mark.parametrize("first", ["search", "get", "add", "keys", "reconnect"])
def test_what_was_known_starts_over_whatever_comes_first(first, open_memory, client, go_back):
    agent, other = open_memory(), open_memory()
    agent.sync.add_many(notes("kept"))
    client.save()
    agent.sync.add_many(notes("lost"))
    agent.sync.add("kept:0", {"text": "a later note"})
    agent.sync.delete("kept:1")
    assert agent.sync.count("note") == 9
    assert agent.sync.count(prefix="kept") == 4
    go_back()
    other.sync.add_many(notes("new"))  # counts on from the snapshot
    calls: dict[str, Callable[[Any], Any]] = {
        "search": lambda memory: memory.search("note"),
        "get": lambda memory: memory.get("lost:0"),
        "add": lambda memory: memory.add("added", {"text": "note"}),
        "keys": lambda memory: memory.keys(),
        "reconnect": lambda memory: memory.reconnect(),
    }
    calls[first](agent.sync)
    there = {
        **notes("kept"),
        **notes("new"),
        **({"added": {"text": "note"}} if first == "add" else {}),
    }
    assert everything(agent) == everything(other) == everything(open_memory()) == there
    assert agent.sync.count(prefix="kept") == 5
    assert agent.sync.search("lost", None) == []
    # Five records, the later value, and the deletion.
    assert (lost_on_server(agent), lost_on_server(other)) == (7, 0)

    assert agent.sync.reconnect(restore_from_here=True) is True
    restored = {**there, **notes("lost"), "kept:0": {"text": "a later note"}}
    del restored["kept:1"]
    assert everything(agent) == everything(other) == restored
    assert lost_on_server(agent) == 0
    assert agent.sync.reconnect(restore_from_here=True) is True  # nothing is left to be written
    assert everything(agent) == restored


def test_what_is_lost_is_said_once_and_shown(open_memory, client, go_back, caplog):
    memory = open_memory()
    memory.sync.add("kept", {})
    client.save()
    memory.sync.add_many(notes("lost"))
    go_back()
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        for _ in range(3):
            memory.sync.reconnect()
            assert memory.sync.get("lost:0") is None
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith("the server has come back older than it was: 5 of the writes")
    notebook = Notebook(memory)
    facts = memories.info(notebook).value["value"]
    assert facts["lost on the server"] == "5 writes; %memory info --restore writes them back"
    assert "lost on the server" not in memories.info(notebook, restore=True).value["value"]
    assert memory.size() == 6


def test_a_server_that_has_lost_everything_gets_it_back_from_whoever_knows_it(
    open_memory, go_back, client
):
    (memory, other) = open_memory(), open_memory()
    memory.sync.add_many(notes("mine"), ttl="1h")
    memory.sync.add_many(notes("over"), ttl=0.001)
    before = {record.key: record for record in memory.sync.records() if record.key[0] == "m"}
    other.sync.add_many(notes("theirs"))
    client.save()
    client.flushall()
    client.save()
    go_back()
    assert memory.sync.keys() == other.sync.keys() == []
    for each in (memory, other):
        each.sync.reconnect(restore_from_here=True)
    after = {record.key: record for record in open_memory().sync.records()}
    assert after.keys() == {**notes("mine"), **notes("theirs")}.keys()
    assert {key: after[key] for key in before} == before  # with their instants


def test_a_server_that_has_kept_everything_has_lost_nothing(open_memory, client, go_back, caplog):
    memory, other = open_memory(), open_memory()
    memory.sync.add_many(notes("kept"))
    other.sync.add_many(notes("more"))
    assert memory.sync.count("note") == 10
    memory.sync.delete("kept:0")
    client.save()
    go_back()
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        for each in (memory, other):
            assert each.sync.count("note") == 9
            assert lost_on_server(each) == 0
    assert caplog.records == []


def test_what_others_have_written_since_stays(open_memory, client, go_back):
    memory, other = open_memory(), open_memory()
    memory.sync.add("kept", {"n": 1})
    client.save()
    memory.sync.add_many({key: {"n": 2} for key in ("kept", "replaced", "deleted", "lost")})
    go_back()
    other.sync.add("replaced", {"n": 3})
    other.sync.add("deleted", {"n": 3})
    other.sync.delete("deleted")
    memory.sync.reconnect()
    assert lost_on_server(memory) == 2
    memory.sync.reconnect(restore_from_here=True)
    assert everything(other) == {"kept": {"n": 2}, "replaced": {"n": 3}, "lost": {"n": 2}}


@pytest.mark.parametrize("then", ["expires", "is deleted"])
def test_an_older_value_that_expires_after_the_loss_does_not_count_as_a_deletion(
    then, open_memory, client, go_back, clock
):
    agent, other = open_memory(clock=clock), open_memory(clock=clock)
    agent.sync.add("k", {"n": 1}, ttl=60)
    clock.tick()
    client.save()
    agent.sync.add("k", {"n": 2})
    go_back()
    assert other.sync.get("k") == {"n": 1}
    clock.tick(3)
    if then == "is deleted":
        other.sync.delete("k")
    clock.tick(60)
    other.sync.add("other", {})  # deletes what has expired
    assert lost_on_server(agent) == (then == "expires")
    agent.sync.reconnect(restore_from_here=True)
    restored = {"k": {"n": 2}} if then == "expires" else {}
    assert everything(agent) == everything(other) == {"other": {}} | restored


def test_a_clear_after_the_loss_also_counts_for_what_is_lost(open_memory, client, go_back):
    memory, other = open_memory(), open_memory()
    memory.sync.add("kept", {})
    client.save()
    memory.sync.add("lost", {})
    go_back()
    other.sync.clear()
    memory.sync.reconnect(restore_from_here=True)
    assert (lost_on_server(memory), other.sync.keys()) == (0, [])


def test_writes_of_an_outage_and_lost_ones_reach_the_server(open_memory, client, server):
    memory = open_memory()
    memory.sync.add("kept", {})
    client.save()
    memory.sync.add_many(notes("lost"))
    assert memory.sync.count("note") == 5
    server.kill()
    memory.sync.add("meanwhile", {"n": 1})
    memory.sync.delete("lost:0")
    assert not memory.is_using_redis()
    server.restart()
    assert memory.sync.reconnect() is True
    assert sorted(memory.sync.keys()) == ["kept", "meanwhile"]
    assert lost_on_server(memory) >= 4
    memory.sync.reconnect(restore_from_here=True)
    assert sorted(memory.sync.keys()) == ["kept", *list(notes("lost"))[1:], "meanwhile"]


def test_an_undo_of_what_was_lost_takes_nothing_of_others_away(open_memory, client, go_back):
    mine, theirs = open_memory(), open_memory()
    mine.sync.add("first", {})
    client.save()
    rows = [{"key": f"doc:{n}", "value": {}} for n in range(3)]
    change = mine.sync.import_(rows).change
    go_back()
    theirs.sync.import_(rows)
    mine.sync.undo(change)
    assert sorted(theirs.sync.keys()) == ["doc:0", "doc:1", "doc:2", "first"]


def test_no_number_is_given_a_second_time(open_memory, client, go_back):
    memory = open_memory()
    memory.sync.add("k", {})
    client.save()
    given = set()
    for n in range(3):
        for _ in range(3):
            memory.sync.add("k", {"n": n})
            [entry] = memory.sync.peek(["k"])
            assert entry._write_seq not in given
            given.add(entry._write_seq)
        go_back()


def test_a_replica_that_lacked_the_last_writes_and_becomes_the_primary(server, client, open_memory):
    primary = Server(server._binary, "--repl-diskless-sync-delay", "0")
    try:
        with Proxy(primary.port) as proxy:
            memory = open_memory(proxy.url)
            memory.sync.add_many(notes("kept"))
            client.replicaof("127.0.0.1", primary.port)
            until(lambda: client.dbsize() > 0, "the replica has the records")
            client.replicaof("NO", "ONE")
            memory.sync.add_many(notes("lost"))
            assert memory.sync.count("note") == 10
            proxy.refuse()
            proxy._server_port = server.port
            proxy.heal()
            assert memory.sync.count("note") == 5
            assert lost_on_server(memory) == 5
            memory.sync.reconnect(restore_from_here=True)
            assert everything(open_memory()) == {**notes("kept"), **notes("lost")}
    finally:
        primary.stop()


def test_keys_that_were_deleted_from_outside_are_noticed_by_the_next_search(open_memory, client):
    memory = open_memory()
    memory.sync.add_many(notes("lost"))
    assert memory.sync.count("note") == 5
    client.flushall()
    assert memory.sync.search("note") == []
    assert lost_on_server(memory) == 5
    memory.sync.add("other", {})
    memory.sync.reconnect(restore_from_here=True)
    assert everything(memory) == {**notes("lost"), "other": {}}


@pytest.mark.parametrize("how", ["restored", "replaced", "cleared"])
def test_what_another_client_has_brought_or_replaced_does_not_count_as_lost(
    how, open_memory, client, go_back
):
    writer, reader = open_memory(), open_memory()
    writer.sync.add("before", {"text": "note"})
    client.save()
    writer.sync.add_many(notes("lost"))
    assert reader.sync.count("note") == 6
    go_back()
    for each in (writer, reader):
        each.sync.reconnect()
        assert lost_on_server(each) == 5
    if how == "restored":
        writer.sync.reconnect(restore_from_here=True)
    elif how == "replaced":
        writer.sync.add_many(notes("lost", 3))
    else:
        writer.sync.clear()
    assert lost_on_server(reader) == lost_on_server(writer) == (2 if how == "replaced" else 0)
    there = everything(writer)
    reader.sync.reconnect(restore_from_here=True)
    assert everything(reader) == {**there, **(notes("lost") if how == "replaced" else {})}


@pytest.mark.parametrize("key", ["values", "order", "expiries", "log", "meta"])
def test_a_key_of_the_namespace_that_the_server_has_evicted_is_said_and_mended(
    key, open_memory, client, names, caplog
):
    memory, other = open_memory(), open_memory()
    memory.sync.add_many(notes("kept"), ttl="1h")
    memory.sync.add("gone", {})
    memory.sync.delete("gone")
    assert memory.sync.count("note") == other.sync.count("note") == 5
    if key == "log":  # a deletion that replicas will not hear of
        memory.sync.delete("kept:4")
    client.delete(getattr(names, key))
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        memory.sync.reconnect()
    said = [record.getMessage() for record in caplog.records]
    if key != "log":
        assert said[0].startswith(f"the server has evicted keys of a namespace ({key})")
    wanted = notes("kept", 4 if key == "log" else 5)
    if key == "values":
        assert lost_on_server(memory) == 5
        memory.sync.reconnect(restore_from_here=True)
    for each in (memory, other, open_memory()):
        assert everything(each) == wanted
        assert each.size() == len(wanted)
        assert len(each.sync.keys(prefix="kept")) == len(wanted)
    assert memory.sync.ttl("kept:0") > 3000
    assert memory.sync.stats()["expiring"] == len(wanted)


def test_a_server_that_cannot_write_at_first_is_greeted_again_before_the_first_write(
    open_memory, client, go_back
):
    memory, other = open_memory(), open_memory()
    memory.sync.add("kept", {})
    client.save()
    memory.sync.add("lost", {"n": 1})
    go_back()
    client.config_set("min-replicas-to-write", "5")
    assert memory.sync.get("lost") is None
    assert other.sync.get("lost") is None
    client.config_set("min-replicas-to-write", "0")
    other.sync.add("new", {})
    assert sorted(everything(memory)) == ["kept", "new"]
    memory.sync.reconnect(restore_from_here=True)
    assert sorted(everything(other)) == ["kept", "lost", "new"]


def test_a_namespace_that_another_client_has_begun_in_an_outage_is_no_loss(
    open_memory, client, caplog
):
    memory, other = open_memory(), open_memory()
    store: Any = memory._store
    store.outages._begin(StoreUnavailable("away, says the test"), store.outages.ended)
    memory.sync.add("mine", {})
    other.sync.delete("none")
    other.sync.add("theirs", {})
    caplog.clear()
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        assert memory.sync.reconnect() is True
        assert sorted(memory.sync.keys()) == ["mine", "theirs"]
        assert memory.sync.reconnect() is True
    assert (lost_on_server(memory), caplog.records) == (0, [])
