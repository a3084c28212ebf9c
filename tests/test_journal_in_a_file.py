"""A journal in a file: what was acknowledged in an outage survives its process, and is replayed once."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from network import Proxy
from outages import PATIENT, everything

from tta_memory_nb import InvalidArgument, MemoryPrimitive, NotDurable, ServerError
from tta_memory_nb.notebook.arguments import Word
from tta_memory_nb.notebook.commands import memories
from tta_memory_nb.notebook.commands.base import Notebook
from tta_memory_nb.stores.redis import scripts
from tta_memory_nb.stores.redis.addresses import parse_address
from tta_memory_nb.stores.redis.keys import keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from real_servers import Server

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")

AGENT = """
import signal, sys
from unittest.mock import patch
from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.stores.redis import outage

url, namespace, journal, program = sys.argv[1:]
signal.signal(signal.SIGTERM, signal.SIG_DFL)
with patch.object(outage.Outages, "_watch", lambda _: None):
    memory = MemoryPrimitive(url, namespace=namespace, journal=journal, timeout=5.0).sync
    exec(program)
"""

ENDLESS = """
import os
for number in range(100_000):
    if number % 7 == 3:
        memory.add_many([(f"{os.getpid()}:{number}", {"n": number}), (f"also:{os.getpid()}:{number}", {})])
    else:
        memory.add(f"{os.getpid()}:{number}", {"n": number})
    print(number, flush=True)
"""

THREE = """
for number in range(3):
    memory.add(f"k{number}", {"n": number})
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return f"file:{tmp_path / 'outages.db'}"


@pytest.fixture
def start(journal: str, other: MemoryPrimitive) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start_one(url: str, program: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", AGENT, url, other.namespace, journal, program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def other(open_memory: Callable[..., MemoryPrimitive], database: Server) -> MemoryPrimitive:
    """Another client, which is always connected, and has the time of the processes that are started."""
    return open_memory(database.url, clock=time.time)


@pytest.fixture
def open_now(open_memory, proxy, journal) -> Callable[[], MemoryPrimitive]:
    """Opens a memory with the journal, by the address that the processes use."""
    return lambda: open_memory(proxy.url, journal=journal, clock=time.time)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def kept(journal: str) -> int:
    """Returns how many writes a journal keeps."""
    connection = sqlite3.connect(journal.removeprefix("file:"))
    [(count,)] = connection.execute("SELECT count(*) FROM pending")
    connection.close()
    return count


def counter(database: Server, namespace: str) -> int:
    """Returns the server's counter, which gives each record that is written one number."""
    with database.client() as client:
        return int(client.hget(keys_of(namespace).meta, "seq") or 0)


# ---- the end of a process


def test_what_was_acknowledged_survives_kill_9_and_is_replayed_once(
    database, other, proxy, journal, start, open_memory, open_now
):
    """At random instants of an outage; `make chaos` kills 200 processes."""
    chance = random.Random(3)
    other.sync.add("first", {})
    proxy.refuse()
    acknowledged: list[tuple[int, int]] = []
    for _ in range(int(os.environ.get("TTA_KILLS", "3"))):
        process = start(proxy.url, ENDLESS)
        numbers = [int(said(process)) for _ in range(chance.randint(1, 40))]
        process.kill()
        assert process.stdout
        numbers += [int(line) for line in process.stdout if line.endswith("\n")]
        acknowledged += [(process.pid, number) for number in numbers]
    before = counter(database, other.namespace)
    assert kept(journal) >= len(acknowledged)
    proxy.heal()
    memory = open_now()
    found = everything(other)
    assert [(p, n) for p, n in acknowledged if found.get(f"{p}:{n}") != {"n": n}] == []
    assert [(p, n) for p, n in acknowledged if n % 7 == 3 and f"also:{p}:{n}" not in found] == []
    assert kept(journal) == 0
    assert memory.outage() is None
    # The server has given each record one number, and none a second one.
    written = len(found) - len({"first"})
    assert counter(database, other.namespace) == before + written
    open_now()
    assert counter(database, other.namespace) == before + written


def test_a_process_that_is_killed_in_its_replay_has_each_write_applied_once(
    database, other, proxy, journal, start, open_memory, open_now
):
    other.sync.add("first", {})
    before = counter(database, other.namespace)
    proxy.refuse()
    process = start(proxy.url, THREE)
    assert said(process) == "ready"
    killed(process)
    proxy.heal()
    # The server gets the writes, and the process is killed before it has heard of it.
    with database.client() as client:
        client.script_load(scripts.REPLAY.source)  # so that the first answer is that to the writes
    proxy.fault("lose reply", lambda command: any(b'"n":1' in part for part in command), times=None)
    process = start(proxy.url, "print('open', flush=True); sys.stdin.readline()")
    while not {"k0", "k1", "k2"} <= set(everything(other)):
        assert process.poll() is None
    killed(process)
    assert kept(journal) == 3
    applied = counter(database, other.namespace)
    assert applied >= before + 3
    other.sync.delete("k1")
    deleted = counter(database, other.namespace)
    proxy.heal()
    memory = open_now()
    assert memory.outage() is None
    assert kept(journal) == 0
    assert counter(database, other.namespace) == deleted
    assert "k1" not in everything(other)


def test_a_signal_leaves_the_writes_in_the_file_and_says_so(
    database, other, proxy, journal, start, open_memory, open_now
):
    proxy.refuse()
    process = start(proxy.url, THREE)
    assert said(process) == "ready"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert "3 writes wait for it in file:" in errors
    proxy.heal()
    memory = open_now()
    assert memory.sync.keys() == ["k0", "k1", "k2"]


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "killed"])
def test_every_kind_of_write_survives(
    database, other, proxy, journal, start, open_memory, is_closed, open_now
):
    other.sync.add_many({name: {"text": name} for name in ("old", "gone", "kept", "replaced")})
    proxy.refuse()
    end = "memory.close()" if is_closed else "import os; os.kill(os.getpid(), 9)"
    program = """
assert memory.outage()
memory.add("new", {"text": "nöw \\ud800"}, ttl=1000)
memory.add("replaced", {"text": "twice"})
memory.delete("gone")
undone = memory.import_([{"key": "a", "value": {"n": 1}}, {"key": "b", "value": {"n": 2}}]).change
memory.undo(undone)
taken = memory.remove(["new"])
memory.undo(taken)
memory.touch(["new"], ttl=5000)
memory.append("ann", "chat", [{"text": "one"}, {"text": "two"}])
memory.apply({"applied": {"n": 1}}, deletes=["kept"])
memory.resize(50)
"""
    process = start(proxy.url, program + end)
    _, errors = process.communicate()
    assert not process.returncode or process.returncode == -signal.SIGKILL, errors
    # First with the server away: what was acknowledged is there.
    away = open_now()
    assert away.sync.get("new") == {"text": "nöw \ud800"}
    assert (away.sync.get("gone"), away.sync.get("a")) == (None, None)
    assert away.sync.get("replaced") == {"text": "twice"}
    assert 1000 < away.sync.ttl("new") <= 5000
    appended = [record.value["text"] for record in away.sync.records(user="ann")]
    assert appended == ["two", "one"]
    proxy.heal()
    assert away.sync.reconnect()
    found = everything(other)
    assert sorted(found.pop(key)["text"] for key in list(found) if key.startswith("ann:")) == [
        "one",
        "two",
    ]
    assert found == {
        "old": {"text": "old"},
        "applied": {"n": 1},
        "replaced": {"text": "twice"},
        "new": {"text": "nöw \ud800"},
    }
    assert 1000 < other.sync.ttl("new") <= 5000
    other.sync.size()
    assert other.max_size == 50
    assert kept(journal) == 0


def test_a_clearing_survives(database, other, proxy, journal, start, open_now):
    other.sync.add("old", {})
    proxy.refuse()
    process = start(
        proxy.url, 'memory.clear(); memory.add("new", {}); print(1, flush=True); input()'
    )
    assert said(process) == "1"
    killed(process)
    other.sync.add("newer", {})
    proxy.heal()
    memory = open_now()
    assert set(everything(other)) == {"new", "newer"}
    memory.sync.close()


def test_of_two_writes_the_one_with_the_newest_instant_wins(
    database, other, proxy, journal, open_memory, clock, open_now
):
    first, other = open_memory(proxy.url, journal=journal), open_memory(database.url)
    first.sync.add_many({"a": {"n": 0}, "b": {"n": 0}})
    proxy.refuse()
    first.sync.add("a", {"n": 1})
    clock.tick()
    other.sync.add("a", {"n": 2})
    clock.tick()
    first.sync.add("b", {"n": 3})
    first.sync.close()
    assert first.outage() is None
    assert kept(journal) == 2
    proxy.heal()
    open_memory(proxy.url, journal=journal)
    assert everything(other) == {"a": {"n": 2}, "b": {"n": 3}}


# ---- several processes


def test_of_two_processes_that_have_ended_the_newest_write_of_a_record_wins(
    other, proxy, journal, open_memory, clock
):
    proxy.refuse()
    memories = [open_memory(proxy.url, journal=journal) for _ in range(2)]
    for number, memory in enumerate([*memories, memories[0]]):
        memory.sync.add("k", {"n": number})
        memory.sync.add(f"k{number}", {})
        clock.tick()
    for memory in memories:
        memory.sync.close()
    assert kept(journal) == 5  # of the first one, the second write has replaced the first
    last = open_memory(proxy.url, journal=journal)
    assert last.sync.get("k") == {"n": 2}
    last.sync.close()
    proxy.heal()
    open_memory(proxy.url, journal=journal)
    assert everything(other) == {"k": {"n": 2}, "k0": {}, "k1": {}, "k2": {}}


def test_what_a_living_process_has_written_is_left_to_it(
    database, other, proxy, journal, start, open_memory, open_now
):
    proxy.refuse()
    process = start(proxy.url, THREE + "print(memory.reconnect(), flush=True)\nmemory.close()")
    assert said(process) == "ready"
    proxy.heal()
    memory = open_now()
    assert memory.sync.keys() == []
    assert kept(journal) == 3
    memory.sync.add("mine", {})
    before = counter(database, other.namespace)
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()
    assert said(process) == "True"
    assert set(memory.sync.keys()) == {"mine", "k0", "k1", "k2"}
    assert counter(database, other.namespace) == before + 3
    assert kept(journal) == 0


def test_of_several_that_open_a_journal_together_one_takes_it_over(
    database, other, proxy, journal, start
):
    other.sync.add("first", {})
    proxy.refuse()
    for program in (THREE, THREE.replace("range(3)", "range(2, 5)")):
        process = start(proxy.url, program)
        assert said(process) == "ready"
        killed(process)
    before = counter(database, other.namespace)
    proxy.heal()
    opening = "print('open', flush=True); sys.stdin.readline(); memory.close()"
    with ThreadPoolExecutor(3) as pool:
        opened = list(pool.map(lambda _: start(proxy.url, opening), range(3)))
        assert list(pool.map(said, opened)) == ["open"] * 3
    assert set(everything(other)) == {"first", *(f"k{n}" for n in range(5))}
    assert counter(database, other.namespace) == before + 5
    assert kept(journal) == 0


def test_one_file_keeps_the_writes_of_several_servers_and_namespaces(
    database, proxy, journal, open_memory, caplog
):
    proxy.refuse()
    for namespace in ("a", "b"):
        memory = open_memory(proxy.url, journal=journal, namespace=namespace)
        memory.sync.add("k", {"in": namespace})
        memory.sync.close()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        mine = open_memory(proxy.url, journal=journal, namespace="a")
    assert "keeps 1 writes for redis://" in caplog.text
    assert "(namespace 'b')" in caplog.text
    assert mine.outage()["writes_waiting"] == 1
    with Proxy(database.port) as elsewhere:
        stranger = open_memory(elsewhere.url, journal=journal, namespace="a")
        assert stranger.sync.size() == 0
    proxy.heal()
    assert mine.sync.reconnect()
    assert kept(journal) == 1
    mine.sync.clear()


def test_a_forked_process_leaves_the_journal_to_its_parent(
    database, other, proxy, journal, start, open_now
):
    proxy.refuse()
    program = """
import os
memory.add("before", {})
child = os.fork()
memory.add("child" if child == 0 else "parent", {})
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
print("ready", flush=True)
sys.stdin.readline()
"""
    process = start(proxy.url, program)
    assert said(process) == "ready"
    assert kept(journal) == 3
    proxy.heal()
    memory = open_now()
    assert set(everything(other)) == {"child"}
    killed(process)
    memory.sync.close()
    memory = open_now()
    assert set(everything(other)) == {"before", "child", "parent"}
    memory.sync.close()


# ---- what goes wrong


def test_a_full_disk_is_said_and_the_write_stays_in_the_process(other, proxy, journal, open_memory):
    memory = open_memory(proxy.url, journal=journal)
    memory.sync.add("before", {})
    proxy.refuse()
    memory.sync.add("small", {})
    connection = memory._store.outages.keeping.file._database.connection
    [(pages,)] = connection.execute("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NotDurable, match=r"is not in the file of the journal.*the disk is full"):
        memory.sync.add("large", {"text": "x" * 50_000})
    assert set(everything(memory)) == {"before", "small", "large"}
    assert kept(journal) == 1
    connection.execute("PRAGMA max_page_count = 100000")
    memory.sync.add("later", {})
    assert kept(journal) == 3
    proxy.heal()
    assert memory.sync.reconnect()
    assert set(everything(other)) == {"before", "small", "large", "later"}


def test_a_full_disk_does_not_keep_writes_from_a_server_that_is_back(
    other, proxy, journal, open_memory, caplog
):
    memory = open_memory(proxy.url, journal=journal)
    proxy.refuse()
    memory.sync.add("k", {})
    connection = memory._store.outages.keeping.file._database.connection
    connection.execute("PRAGMA query_only = 1")  # no write gets through
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == {"k": {}}
    assert "the journal is not up to date in its file" in caplog.text
    connection.execute("PRAGMA query_only = 0")


def test_a_write_waits_for_the_transaction_of_another_thread_that_has_it(
    proxy, journal, open_memory, monkeypatch
):
    memory = open_memory(proxy.url, journal=journal)
    proxy.refuse()
    memory.sync.add("before", {})
    file = memory._store.outages.keeping.file
    write = file._write
    begun, go_on = threading.Event(), threading.Event()

    def slow(*args: Any) -> None:
        begun.set()
        assert go_on.wait(PATIENT)
        write(*args)

    monkeypatch.setattr(file, "_write", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(memory.sync.add, "a", {})
        assert begun.wait(PATIENT)
        assert file.has_unsaved  # although nothing is left to be noted
        second = pool.submit(memory.sync.add, "b", {})
        assert not first.done()
        go_on.set()
        first.result()
        second.result()
    assert kept(journal) == 3


def _text(path: Path) -> None:
    path.write_text("no journal " * 99)


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (_text, "is no memory, and is left as it is"),
        (Path.mkdir, "this is no file"),
        (lambda path: shutil.rmtree(path.parent), "there is no such folder"),
    ],
)
def test_a_file_that_cannot_be_a_journal_is_refused(database, journal, prepare, why):
    path = Path(journal.removeprefix("file:"))
    prepare(path)
    with pytest.raises(InvalidArgument, match=why):
        MemoryPrimitive(database.url, journal=journal)


def test_a_read_only_file_is_refused(database, journal, monkeypatch):
    path = Path(journal.removeprefix("file:"))
    MemoryPrimitive(database.url, journal=journal).sync.close()
    monkeypatch.setattr(os, "access", lambda name, _: Path(name) != path.parent)
    with pytest.raises(InvalidArgument, match="read-only"):
        MemoryPrimitive(database.url, journal=journal)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("redis://localhost:1", {"journal": "outages.db"}), "give the address of a file"),
        (("redis://localhost:1", {"journal": "file:"}), "journal='file:': name a file"),
        (("redis://localhost:1", {"journal": 7}), "journal=7: give the address of a file"),
        (
            ("redis://localhost:1", {"journal": "file:x.db", "on_outage": "raise"}),
            "no write waits for the server",
        ),
        ((None, {"journal": "file:x.db"}), "this memory has no server"),
        (("file:x.db", {"journal": "file:y.db"}), "this memory has no server"),
    ],
)
def test_a_journal_that_makes_no_sense_is_refused(arguments, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address, others = arguments
    with pytest.raises(InvalidArgument, match=why):
        MemoryPrimitive(address, **others)
    assert not list(tmp_path.iterdir())


def test_a_password_that_the_server_refuses_leaves_the_writes_where_they_are(
    database, proxy, journal, open_memory
):
    proxy.refuse()
    memory = open_memory(proxy.url, journal=journal)
    memory.sync.add("k", {})
    memory.sync.close()
    proxy.heal()
    with pytest.raises(ServerError):
        open_memory(proxy.url.replace("//", "//nobody:secret@"), journal=journal)
    assert kept(journal) == 1
    assert b"secret" not in Path(journal.removeprefix("file:")).read_bytes()


@pytest.mark.parametrize(
    ("one", "another", "is_same"),
    [
        ("redis://h", "rediss://user:pw@H:6379/0?socket_timeout=3", True),
        ("redis://h/1", "redis://h?db=1", True),
        ("redis://h", "redis://h/1", False),
        ("redis://h", "redis://h:6380", False),
        ("redis+cluster://a,b:7", "redis+cluster://b:7,a", True),
        ("redis+sentinel://a/main", "redis+sentinel://:pw@a/main", True),
        ("redis+sentinel://a/main", "redis+sentinel://a/other", False),
        ("unix:///run/r.sock", "unix://:pw@/run/r.sock?db=0", True),
        ("embedded:~/x", f"embedded:{Path.home()}/x", True),
    ],
)
def test_the_same_server_has_the_same_name_whatever_its_address(one, another, is_same):
    places = [parse_address(each).place for each in (one, another)]
    assert (places[0] == places[1]) is is_same
    assert "pw" not in "".join(places)


def test_what_is_known_of_a_journal_is_told(database, journal, open_memory):
    memory: Any = open_memory(database.url, journal=journal)
    assert memory.get_backend_info()["journal"] == journal.removeprefix("file:")
    assert open_memory(database.url).get_backend_info()["journal"] is None


def test_a_notebook_names_a_journal_as_a_file(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nb = Notebook()
    memory = memories.use(nb, Word(database.url), journal="outages.db").value
    path = str(tmp_path / "outages.db")
    assert memory.get_backend_info()["journal"] == path
    shown = memories.info(nb).value
    assert dict(zip(shown.index, shown["value"], strict=True))["journal"] == path
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert memories.use(nb, Word(database.url)).value is memory
    other = memories.use(nb, namespace="another").value
    assert other.get_backend_info()["journal"] == path
    with pytest.raises(InvalidArgument, match="made with 'file:"):
        memories.use(Notebook(), memory, journal="other.db")
    with pytest.raises(InvalidArgument, match="this memory has no server"):
        memories.use(Notebook(), journal="other.db")
    for each in (memory, other):
        each.sync.close()
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["outages.db"]
