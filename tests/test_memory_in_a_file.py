"""A memory in one file: what processes share by it, what it promises, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from backends import Clock
from hypothesis import given, settings
from hypothesis import strategies as st
from test_interrupts import Interrupt

from tta_memory_nb import MemoryPrimitive, SyncMemory
from tta_memory_nb.errors import InvalidArgument, ServerError, StoreUnavailable
from tta_memory_nb.notebook.commands import memories
from tta_memory_nb.notebook.commands.base import Notebook
from tta_memory_nb.stores.file import drives
from tta_memory_nb.stores.file.address import absolute, path_of, text_of
from tta_memory_nb.stores.file.database import APPLICATION, Database, uri_of
from tta_memory_nb.stores.file.drives import file_system, is_share
from tta_memory_nb.stores.memory import InMemoryStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


def memory_at(path: Path, **arguments: Any) -> SyncMemory:
    """Returns a memory that does not wait for the disk, unless it is asked to."""
    return MemoryPrimitive(f"file:{path}", **{"durability": "memory", **arguments}).sync


def store_of(memory: SyncMemory) -> Any:
    return memory._store


def contents(memory: SyncMemory) -> list[tuple[str, dict[str, Any]]]:
    """Returns keys and values, least recently used first."""
    return [(record.key, record.value) for record in reversed(memory.records())]


# ---- addresses


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("file:notes.db", "{here}/notes.db"),
        ("file:./a b/nötes.db", "{here}/a b/nötes.db"),
        ("file:~/notes.db", "{home}/notes.db"),
        ("file:/data/100%25.db", "/data/100%25.db"),
        ("file:///data/my%20notes.db", "/data/my notes.db"),
        ("file://localhost/data/notes.db", "/data/notes.db"),
    ],
)
def test_an_address_names_an_absolute_path(address: str, expected: str) -> None:
    there = expected.format(here=Path.cwd(), home=Path.home())
    assert path_of(address) == Path(there)
    assert absolute(absolute(address)) == f"file:{Path(there)}"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (r"file:C:\Users\Jürgen\meine notizen.db", r"C:\Users\Jürgen\meine notizen.db"),
        ("file:///C:/Users/J%C3%BCrgen/meine%20notizen.db", "C:/Users/Jürgen/meine notizen.db"),
        ("file://localhost/C:/n.db", "C:/n.db"),
        (r"file:..\notes.db", r"..\notes.db"),
        (r"file:~\notes.db", r"~\notes.db"),
        (r"file:\\server\share\n.db", r"\\server\share\n.db"),
    ],
)
def test_an_address_names_a_path_of_windows(address: str, expected: str) -> None:
    assert text_of(address, "redis_url", is_windows=True) == expected


def test_sqlite_gets_paths_of_every_system_as_addresses() -> None:
    windows = PureWindowsPath(r"C:\Users\Jürgen\100% ?#.db")
    assert uri_of(windows) == "file:///C:/Users/J%C3%BCrgen/100%25%20%3F%23.db"
    assert uri_of(PurePosixPath("/home/a b/ñ.db")) == "file:///home/a%20b/%C3%B1.db"


MOUNTS = """\
21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
35 21 0:30 / /home/ann/shared\\040notes rw - nfs4 nas:/notes rw,vers=4.2
36 35 8:2 / /home/ann/shared\\040notes/local rw shared:1 - xfs /dev/sdb rw
37 21 0:31 / /mnt/covered rw - ext4 /dev/sdc rw
38 21 0:32 / /mnt/covered rw - cifs //nas/notes rw
no mount at all
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ann", "ext4"),
        ("/home/ann/shared notes/a", "nfs4"),
        ("/home/ann/shared notes/local", "xfs"),
        ("/home/ann/shared notes of others", "ext4"),
        ("/mnt/covered/x", "cifs"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system(PurePosixPath(path), MOUNTS) == kind
    assert file_system(PurePosixPath(path), "") == ""


def test_a_path_of_windows_may_name_another_machine() -> None:
    assert is_share(PureWindowsPath(r"\\server\share\notes.db"))
    for path in (r"C:\notes.db", r"notes.db", r"\\?\C:\notes.db"):
        assert not is_share(PureWindowsPath(path))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems tell otherwise")
def test_a_network_drive_is_refused_before_anything_is_written(
    path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path_factory.mktemp("proc") / "mountinfo"
    mounts.write_text(f"35 21 0:30 / {path.parent} rw - nfs4 nas:/notes rw\n")
    monkeypatch.setattr(drives, "_MOUNTS", mounts)
    with pytest.raises(InvalidArgument, match="network drive"):
        memory_at(path)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("address", ["file:", "file:a\0b", "file://server/notes.db", "file://"])
def test_an_address_without_a_path_is_refused(address: str) -> None:
    with pytest.raises(InvalidArgument, match="file:"):
        MemoryPrimitive(address)


def test_a_relative_path_stays_the_same_file_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    memory = MemoryPrimitive("file:nötes für uns.db").sync
    memory.add("a", {"n": 1})
    memory.close()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    memory.add("b", {"n": 2})
    assert not list(Path.cwd().iterdir())
    assert contents(memory_at(tmp_path / "nötes für uns.db")) == [("a", {"n": 1}), ("b", {"n": 2})]


# ---- sharing

KEYS = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.one_of(
    st.tuples(st.just("add"), KEYS, st.integers(0, 9)),
    st.tuples(st.just("add_many"), st.lists(KEYS, max_size=4), st.integers(0, 9)),
    st.tuples(st.just("remove"), KEYS),
    st.tuples(st.just("undo"), st.integers(0, 3)),
    st.tuples(st.just("resize"), st.integers(0, 5)),
    st.tuples(st.just("clear")),
    st.tuples(st.just("tick")),
)


def step(memory: SyncMemory, changes: list[Any], clock: Clock, each: tuple[Any, ...]) -> None:
    match each:
        case "add", key, number:
            memory.add(key, {"n": number}, ttl=2 if number > 7 else None)
        case "add_many", keys, number:
            changes.append(memory._run(memory._store.put(_entries(keys, number, clock()))))
        case "remove", key:
            changes.append(memory.remove([key]))
        case "undo", back:
            if len(changes) > back:
                changes.append(memory.undo(changes.pop(-1 - back)))
        case "resize", number:
            changes.append(memory.resize(number))
        case ("clear",):
            memory.clear()


def _entries(keys: list[str], number: int, now: float) -> list[Any]:
    from tta_memory_nb.entry import new_entry

    return [new_entry(key, {"n": number}, now, None) for key in keys]


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), STEPS), max_size=14))
def test_two_memories_of_one_file_are_like_one_memory(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, tuple[Any, ...]]]
) -> None:
    clock = Clock()
    path = tmp_path_factory.mktemp("shared") / "notes.db"
    both = [memory_at(path, clock=clock, timeout=60.0) for _ in range(2)]
    one = MemoryPrimitive(max_size=1000, clock=clock).sync
    both[0].resize(1000)
    changes: list[list[Any]] = [[], []]
    expected: list[list[Any]] = [[], []]
    for first, each in steps:
        if each == ("tick",):
            clock.tick()
            continue
        step(both[first], changes[first], clock, each)
        step(one, expected[first], clock, each)
        for memory in both:
            assert contents(memory) == contents(one)
            assert memory.keys() == one.keys()
            assert memory.evictions == one.evictions
            assert memory.search("n", limit=None) == one.search("n", limit=None)
    # What a process finds that opens the file now.
    assert contents(memory_at(path, clock=clock)) == contents(one)
    for memory in both:
        memory.close()


def test_what_an_undo_brings_back_is_seen_by_all_in_its_old_place(path: Path) -> None:
    first, second = memory_at(path), memory_at(path)
    first.add_many((key, {"key": key}) for key in "abc")
    change = first.remove(["b"])
    assert second.keys() == ["a", "c"]
    second.add("d", {})
    first.undo(change)
    assert second.keys() == ["a", "b", "c", "d"]
    assert second.search("b") == [{"key": "b"}]


def test_a_read_counts_for_the_order_of_use_of_all(path: Path) -> None:
    first, second = memory_at(path), memory_at(path)
    first.add_many((key, {}) for key in "abc")
    assert first.get("a") == {}
    second.add("d", {})
    assert first.keys() == ["b", "c", "d", "a"]
    first.add("e", {})  # notes the read as well
    assert second.keys() == ["b", "c", "d", "a", "e"]
    assert second.get("b") == {}
    second.close()
    assert memory_at(path).keys() == ["c", "d", "a", "e", "b"]


def test_many_reads_are_noted_although_nothing_is_written(path: Path) -> None:
    reader = memory_at(path)
    reader.add_many((key, {}) for key in "ab")
    for _ in range(2_000):
        reader.get("a")
    assert memory_at(path).keys() == ["b", "a"]


def test_a_memory_that_has_not_looked_for_long_starts_over(path: Path) -> None:
    late, busy = memory_at(path), memory_at(path)
    late.add("old", {})
    for _ in range(6):
        change = busy.add_many((f"k{n}", {}) for n in range(4_000))
        assert change
        busy.remove([f"k{n}" for n in range(4_000)])
    assert late.keys() == busy.keys() == ["old"]


ECHO = """
    import sys
    from tta_memory_nb import MemoryPrimitive
    memory = MemoryPrimitive(sys.argv[1], durability="memory").sync
    for line in sys.stdin:
        n = int(line)
        assert memory.get("ping") == {"n": n}, (n, memory.get("ping"))
        if n % 3 == 0:
            memory.remove(["ping"])
        memory.add("pong", {"n": n})
        print(n, flush=True)
"""


def test_what_one_process_has_acknowledged_the_next_read_of_another_sees(path: Path) -> None:
    memory = memory_at(path)
    memory.add("ping", {})
    command = [sys.executable, "-c", textwrap.dedent(ECHO), f"file:{path}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        for n in range(150):
            memory.add("ping", {"n": n})
            process.stdin.write(f"{n}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{n}\n"
            assert memory.get("pong") == {"n": n}
            assert memory.get("ping") == ({"n": n} if n % 3 else None)
        process.stdin.close()
    assert process.returncode == 0


def test_namespaces_of_one_file_are_kept_apart(path: Path) -> None:
    first, second = memory_at(path, namespace="a"), memory_at(path, namespace="b")
    first.add("k", {"n": 1})
    second.add("k", {"n": 2})
    first.clear()
    assert (first.get("k"), second.get("k")) == (None, {"n": 2})


def test_awaited_and_called_verbs_work_on_the_same_records(path: Path) -> None:
    async def work() -> None:
        memory = MemoryPrimitive(f"file:{path}", durability="memory")
        await asyncio.gather(*(memory.add(f"k{n}", {"n": n}) for n in range(20)))
        assert memory.sync.size() == 20
        assert await memory.search("19") == [{"n": 19}]
        await memory.aclose()
        assert await memory.get("k3") == {"n": 3}
        await memory.aclose()

    asyncio.run(work())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_a_connection_of_its_own(path: Path) -> None:
    program = """
        import os, sys
        from tta_memory_nb import MemoryPrimitive
        memory = MemoryPrimitive(sys.argv[1]).sync
        memory.add("before", {"n": 0})
        child = os.fork()
        if not child:
            memory.add("child", {"n": 1})
            os._exit(0 if memory.keys() == ["before", "child"] else 1)
        _, status = os.waitpid(child, 0)
        assert status == 0, status
        assert not memory._store._database.is_open  # nothing of SQLite was inherited
        assert memory.keys() == ["before", "child"]
        memory.add("after", {"n": 2})
    """
    run(program, f"file:{path}")
    assert memory_at(path).keys() == ["before", "child", "after"]


# ---- durability

WRITER = """
    import sys
    from tta_memory_nb import MemoryPrimitive
    memory = MemoryPrimitive(sys.argv[1]).sync
    start = memory.size()
    for n in range(start, start + 100_000):
        if n % 7 == 3:
            memory.add_many([(f"k{n}", {"n": n}), (f"also{n}", {"n": n})])
        else:
            memory.add(f"k{n}", {"n": n})
        print(n, flush=True)
"""


def run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def kill_a_writer(path: Path, after: int) -> int:
    """Kills a writing process after so many acknowledged writes; returns the number of the last one."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), f"file:{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = -1
        for _ in range(after):
            last = int(process.stdout.readline())
        process.kill()
        # What was acknowledged up to the moment of the signal is in the pipe.
        for line in process.stdout:
            if line.endswith("\n"):
                last = int(line)
    return last


def test_what_was_acknowledged_survives_the_end_of_its_process(path: Path) -> None:
    chance = random.Random(7)
    acknowledged: dict[int, None] = {}
    for _ in range(4):
        start = len(memory_at(path).keys())
        last = kill_a_writer(path, chance.randint(1, 30))
        acknowledged |= dict.fromkeys(range(start, last + 1))
        there = set(memory_at(path).keys())
        assert [n for n in acknowledged if f"k{n}" not in there] == []
        assert [n for n in acknowledged if n % 7 == 3 and f"also{n}" not in there] == []


@pytest.mark.parametrize(
    ("durability", "level", "name"),
    [
        (None, 2, "disk"),
        ("disk", 2, "disk"),
        ("memory", 1, "memory"),
        ("full", 2, "disk"),
        ("normal", 1, "memory"),
    ],
)
def test_the_durability_says_what_each_write_waits_for(
    path: Path, durability: str | None, level: int, name: str
) -> None:
    memory = memory_at(path, durability=durability)
    memory.add("a", {})
    for _ in range(1_500):  # reads are noted without waiting for the disk
        memory.get("a")
    memory.add("a", {})
    connection = store_of(memory)._database.connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
    assert memory.get_backend_info()["durability"] == name


def test_the_words_of_sqlite_are_for_files(path: Path) -> None:
    for word, ours in (("full", "disk"), ("normal", "memory")):
        for address in (None, "redis://localhost:1", "embedded:x"):
            with pytest.raises(InvalidArgument, match=f"for a memory in a file; give '{ours}'"):
                MemoryPrimitive(address, durability=word)
    with pytest.raises(InvalidArgument, match="for a file also 'full' or 'normal'"):
        memory_at(path, durability="off")


def test_replicas_cannot_be_promised(path: Path) -> None:
    with pytest.raises(InvalidArgument, match="a file, which has no replicas"):
        memory_at(path, durability="replicas:1")
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt", reason="no such rights on this system")
def test_no_other_user_can_read_the_files(path: Path) -> None:
    memory = memory_at(path)
    memory.add("a", {})
    files = sorted(path.parent.iterdir())
    assert len(files) == 4
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


# ---- what goes wrong


def test_a_full_disk_loses_nothing_and_says_so(path: Path) -> None:
    memory = memory_at(path)
    memory.add("a", {"n": 1})
    connection = store_of(memory)._database.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(ServerError, match="the disk is full; make room by other files") as caught:
        memory.add_many((f"b{n}", {"text": "x" * 900}) for n in range(100))
    assert caught.value.code == "FULL"
    assert contents(memory) == [("a", {"n": 1})] == contents(memory_at(path))
    connection.execute("PRAGMA max_page_count = 1000000")
    memory.add("c", {"n": 2})
    assert contents(memory) == [("a", {"n": 1}), ("c", {"n": 2})]


def test_on_a_full_disk_nothing_is_deleted_and_everything_can_be_read(
    small_disk: Path, tmp_path: Path
) -> None:
    path, filler = small_disk / "notes.db", small_disk / "filler"
    filler.write_bytes(b"x" * 4_500_000)
    memory = memory_at(path, compress_over=10**9)
    keys: list[str] = []

    def fill() -> None:
        for number in range(1000):
            memory.add(f"k{number}", {"text": "x" * 40_000})
            keys.append(f"k{number}")

    with pytest.raises(ServerError, match="the disk is full"):
        fill()
    for change in (
        lambda: memory.delete("k0"),
        lambda: memory.remove(keys),
        memory.clear,
    ):
        with pytest.raises(ServerError, match="because deleting records needs some as well"):
            change()
    assert sorted(memory.keys()) == sorted(keys)
    assert memory.export(tmp_path / "notes.jsonl") == len(keys)
    filler.unlink()
    assert memory.delete("k0")
    memory.add("more", {"n": 1})
    memory.close()
    again = memory_at(path)
    assert again.size() == len(keys)
    again.close()


def test_a_writer_that_waits_too_long_says_so_and_readers_need_not_wait(path: Path) -> None:
    memory = memory_at(path, timeout=0.05)
    memory.add("a", {"n": 1})
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process"):
        memory.add("b", {"n": 2})
    assert contents(memory) == [("a", {"n": 1})]
    other.execute("COMMIT")
    other.close()
    memory.add("b", {"n": 2})
    assert memory.keys() == ["a", "b"]


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be moved there")
@pytest.mark.parametrize("is_closed", [False, True])
def test_nothing_is_written_to_a_file_that_is_not_there_any_more(
    path: Path, is_closed: bool
) -> None:
    memory = memory_at(path)
    memory.add("a", {"n": 1})
    if is_closed:
        memory.close()
    path.rename(path.with_name("moved.db"))
    with pytest.raises(ServerError, match="was deleted, moved or replaced"):
        memory.add("b", {"n": 2})
    assert not path.exists()


def _text(path: Path) -> None:
    path.write_text("These are my notes, and no database. " * 9)


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (a)")
    other.close()


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE records (a)")
        other.execute(f"PRAGMA application_id = {APPLICATION}")
        other.execute("PRAGMA user_version = 999")
    other.close()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_text, "is no memory, and is left as it is"),
        (_foreign, "belongs to another program"),
        (_newer, "format 999"),
        (Path.mkdir, "this is no file"),
    ],
)
def test_what_is_no_memory_is_refused_and_left_as_it_is(
    path: Path, make: Callable[[Path], None], why: str
) -> None:
    make(path)
    before = path.is_dir() or path.read_bytes()
    with pytest.raises(InvalidArgument, match=why):
        memory_at(path)
    assert before == (path.is_dir() or path.read_bytes())
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("is_foreign", [False, True])
def test_a_process_that_was_ended_while_it_made_the_tables_leaves_no_harm(
    path: Path, is_foreign: bool
) -> None:
    program = """
        import os, sqlite3, sys
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        if sys.argv[2] == "True":
            connection.execute("CREATE TABLE mine (a)")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("CREATE TABLE records (a)")
        connection.executemany("INSERT INTO records VALUES (?)", [("x" * 900,)] * 99)
        os._exit(0)
    """
    run(program, str(path), str(is_foreign))
    assert Path(f"{path}-journal").exists()
    if is_foreign:
        with pytest.raises(InvalidArgument, match="another program"):
            memory_at(path)
    else:
        memory = memory_at(path)
        memory.add("a", {"n": 1})
        assert contents(memory_at(path)) == [("a", {"n": 1})]


def test_a_folder_that_does_not_exist_is_not_made(path: Path) -> None:
    with pytest.raises(InvalidArgument, match="there is no such folder"):
        memory_at(path.parent / "typo" / "notes.db")


def test_a_file_that_this_user_may_not_read_is_refused_with_a_way_out(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_at(path).close()
    # The rights themselves would not keep root out.
    monkeypatch.setattr(os, "access", lambda name, _: Path(name) != path)
    with pytest.raises(InvalidArgument, match=r"may not read the file; allow it \(chmod u\+rw\)"):
        memory_at(path)


@pytest.mark.parametrize("place", ["file", "folder"])
def test_what_can_only_be_read_is_refused_before_anything_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    memory_at(path).close()
    refused = path if place == "file" else path.parent
    # The rights themselves would not keep root out.
    monkeypatch.setattr(os, "access", lambda name, right: right != os.W_OK or Path(name) != refused)
    with pytest.raises(InvalidArgument, match="read-only"):
        memory_at(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_record_is_shown_with_its_reason(path: Path) -> None:
    memory = memory_at(path)
    memory.add_many([("a", {"n": 1}), ("b", {"n": 2})])
    memory.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE records SET text = x'7b22ff' WHERE key = ?", (b"a",))
    other.close()
    memory = memory_at(path)
    with pytest.raises(ServerError, match="its text is damaged"):
        memory.get("a")
    assert memory.get("b") == {"n": 2}
    memory.undo(memory.remove(["a"]))
    with sqlite3.connect(path) as other:
        [(kept,)] = other.execute("SELECT text FROM records WHERE key = ?", (b"a",))
    other.close()
    assert kept == b'{"\xff'


def test_damaged_pages_are_an_error_and_stay_as_they_are(path: Path) -> None:
    memory = memory_at(path)
    memory.add_many((f"k{n}", {"text": "x" * 500}) for n in range(200))
    memory.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(ServerError, match="damaged"):
        memory_at(path)
    assert path.read_bytes() == content


VERBS: dict[str, Callable[[SyncMemory], object]] = {
    "add": lambda memory: memory.add("a", {"n": 2}),
    "add_many": lambda memory: memory.add_many(
        [("a", {"n": 2}), ("b", {"n": 2}), ("new", {"n": 2})]
    ),
    "get": lambda memory: memory.get("a"),
    "clear": lambda memory: memory.clear(),
}


@pytest.mark.parametrize("verb", VERBS)
def test_an_interrupt_at_any_instant_leaves_a_verb_done_or_not_done(path: Path, verb: str) -> None:
    memory, other = memory_at(path), memory_at(path)
    for number in count(1):
        memory.clear()
        memory.resize(10)
        memory.add_many([("a", {"n": 1}), ("b", {"n": 1})])
        other.add("c", {"n": 1})  # so that there is something to follow
        before = sorted_on_disk(path)
        other.add("c", {"n": 1})
        with Interrupt(number) as interrupt, suppress(KeyboardInterrupt):
            VERBS[verb](memory)
        found = sorted_contents(memory)
        assert found == sorted_contents(other) == sorted_on_disk(path), interrupt.place
        if interrupt.place is None:
            break
        VERBS[verb](other)
        assert found in (before, sorted_contents(other)), interrupt.place
        memory.add("after", {})
        assert "after" in other.keys(), interrupt.place  # noqa: SIM118
    assert number > 10


def sorted_on_disk(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Returns what a new memory finds, which is closed here, and not in the middle of an interrupted verb."""
    memory = memory_at(path)
    found = sorted_contents(memory)
    memory.close()
    return found


def sorted_contents(memory: SyncMemory) -> list[tuple[str, dict[str, Any]]]:
    return sorted(contents(memory), key=lambda pair: pair[0])


def test_a_write_in_the_middle_of_a_write_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = memory_at(path)
    memory.add("a", {"n": 1})
    put = InMemoryStore.put
    seen: list[object] = []

    def nesting(self: InMemoryStore, entries: Any) -> Any:
        seen.append(memory.get("a"))
        with pytest.raises(ServerError, match="while this very thread"):
            memory.add("nested", {})
        return put(self, entries)

    monkeypatch.setattr(InMemoryStore, "put", nesting)
    memory.add_many([("b", {"n": 2})])
    assert seen == [{"n": 1}]
    assert memory.keys() == ["a", "b"]


# ---- in a notebook


def test_a_file_is_used_by_its_name_and_stays_the_same_after_cd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lookup(name: str) -> Any:
        raise NameError(name)

    monkeypatch.chdir(tmp_path)
    nb = Notebook(lookup=lookup)
    memory = memories.use(nb, "notes.db").value
    memory.sync.add("a", {"n": 1})
    assert memories.use(nb, "file:notes.db").value is memory
    shown = memories.info(nb).value
    facts = dict(zip(shown.index, shown["value"], strict=True))
    assert facts["backend"] == "file"
    assert facts["path"] == str(tmp_path / "notes.db")
    assert facts["durability"] == "disk"
    assert facts["other processes"] == "none"
    assert memories.use(nb, durability="full").value is memory
    assert facts["size on disk"].endswith(" bytes")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert memories.use(nb, namespace="other").value.sync.size() == 0
    assert not list((tmp_path / "below").iterdir())
    assert repr(memory).startswith("MemoryPrimitive(backend='file'")


# ---- event loops and the disk


def test_a_slow_commit_now_and_then_is_no_slow_disk(path):
    now = 0.0
    took = 0.0

    def clock() -> float:
        nonlocal now
        now += took
        return now

    def commits(number: int, milliseconds: float) -> None:
        nonlocal took
        for _ in range(number):
            database.begin_writing()
            took = milliseconds / 1000
            database.commit_change()
            took = 0.0

    database = Database(path, "FULL", 1.0, clock)
    try:
        commits(50, 0.2)
        assert database.is_quick
        commits(1, 300)
        assert database.is_quick
        commits(20, 8)
        assert not database.is_quick
        commits(20, 0.2)
        assert database.is_quick
    finally:
        database.close()
