"""Files and processes of one's own: nobody else reads or steers them, and what was acknowledged is on the disk."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path
from typing import Any

import pytest
from real_servers import need, until

from tta_memory_nb import InvalidArgument, MemoryPrimitive, ServerError, TransferError
from tta_memory_nb.stores.embedded import room
from tta_memory_nb.stores.embedded.repair import repaired
from tta_memory_nb.stores.embedded.room import RESERVE, Room
from tta_memory_nb.transfer.files import atomic_writer

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")

is_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make files of others"
)
NOBODY = 65534


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- exports


@pytest.mark.parametrize("existing", [None, 0o600, 0o640, 0o644])
@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_nobody_else_can_read_a_file_before_it_is_complete(tmp_path, existing, umask):
    path = tmp_path / "records.jsonl"
    if existing is not None:
        path.touch()
        path.chmod(existing)
    before = os.umask(umask)
    try:
        with atomic_writer(path) as file:
            (scratch,) = (each for each in tmp_path.iterdir() if each != path)
            assert mode_of(scratch) == 0o600
            file.write(b"a secret")
            file.flush()
            assert mode_of(scratch) == 0o600
    finally:
        os.umask(before)
    assert mode_of(path) == (0o666 & ~umask if existing is None else existing)
    assert path.read_bytes() == b"a secret"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_its_usual_permissions_where_the_process_does_not_tell_them(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(Path, "read_text", lambda self: (_ for _ in ()).throw(OSError()))
    with atomic_writer(tmp_path / "a") as file:
        file.write(b"a")
    (tmp_path / "usual").touch()
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "usual")
    assert len(list(tmp_path.iterdir())) == 2


@is_root
def test_an_export_follows_no_link_that_another_user_has_made(tmp_path):
    victim, link = tmp_path / "victim", tmp_path / "records.jsonl"
    victim.write_text("important")
    link.symlink_to(victim)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(TransferError, match="a link that another user has made"):
        MemoryPrimitive().sync.export(link)
    assert victim.read_text() == "important"


# ---- an embedded server


@pytest.mark.parametrize("name", ["socket.path", "server.log", "users.lock", "start.lock"])
def test_an_embedded_server_follows_no_link_in_its_directory(tmp_path, name):
    need("valkey")
    home, victim = tmp_path / "memory", tmp_path / "victim"
    home.mkdir(0o700)
    victim.write_text("important")
    (home / name).symlink_to(victim)
    with pytest.raises(InvalidArgument, match=f"{name} in it is a link"):
        MemoryPrimitive(f"embedded:{home}", on_outage="raise")
    assert victim.read_text() == "important"


@is_root
@pytest.mark.parametrize("kind", ["symlink", "hard link", "folder"])
def test_root_uses_no_directory_of_others_with_a_link_in_it(tmp_path, kind):
    need("valkey")
    home, victim = tmp_path / "memory", tmp_path / "victim"
    (home / "appendonlydir").mkdir(parents=True)
    victim.write_text("important")
    if kind == "symlink":
        (home / "appendonlydir" / "appendonly.aof.1.incr.aof").symlink_to(victim)
    elif kind == "folder":
        (home / "appendonlydir").rmdir()
        (home / "appendonlydir").symlink_to(tmp_path)
    else:
        os.link(victim, home / "appendonlydir" / "appendonly.aof.1.incr.aof")
    os.chown(home, NOBODY, NOBODY)
    with pytest.raises(InvalidArgument, match=r"others may write there, and .* is a link"):
        MemoryPrimitive(f"embedded:{home}", on_outage="raise")
    assert victim.read_text() == "important"


def test_an_embedded_server_keeps_what_it_has_acknowledged_on_a_full_disk(small_disk):
    need("valkey")
    chance = random.Random(1)
    acknowledged: dict[str, dict[str, Any]] = {}

    def opened() -> MemoryPrimitive:
        return MemoryPrimitive(f"embedded:{small_disk}/memory", compress_over=10**9, timeout=60)

    def fill(memory: MemoryPrimitive) -> str:
        for _ in range(100):
            key, value = f"k{len(acknowledged)}", {"text": chance.randbytes(50_000).hex()}
            try:
                memory.sync.add(key, value)
            except ServerError as error:
                return str(error)
            acknowledged[key] = value
        raise AssertionError("100 records of 100 kB fit on a disk of 6 MB")

    def everything_is_there(memory: MemoryPrimitive) -> bool:
        return {record.key: record.value for record in memory.sync.records(None)} == acknowledged

    memory = opened()
    assert "its disk is full" in fill(memory)
    memory.sync.close()
    memory = opened()
    assert everything_is_there(memory)
    # What is deleted makes room, if there is as much room as what is left needs in a new file.
    fill(memory)
    gone = sorted(acknowledged)[3:]

    def are_deleted() -> bool:
        try:
            memory.sync.remove(gone)
        except ServerError:  # the server has not yet been allowed to delete
            return False
        return True

    until(are_deleted, "deletions are allowed")
    for key in gone:
        del acknowledged[key]
    until(lambda: "its disk" not in _refusal(memory), "writes are allowed again")
    # The server has written its file anew, and leaves a gap in it this time.
    fill(memory)
    memory.sync.close()
    memory = opened()
    assert everything_is_there(memory)
    memory.sync.close()


def _refusal(memory: MemoryPrimitive) -> str:
    try:
        memory.sync.add("probe", {})
    except ServerError as error:
        return str(error)
    memory.sync.remove(["probe"])
    return ""


# ---- room on the disk


class Disk:
    """Stands in for a disk and a server: what is free, and what the server was asked."""

    def __init__(self) -> None:
        self.free = 1000
        self.facts = {
            "loading": "0",
            "aof_last_write_status": "ok",
            "aof_rewrite_in_progress": "0",
            "aof_current_size": "1",
        }
        self.asked: list[str] = []

    def ask(self, socket_path: str, *words: str) -> bytes:
        if words[0] == "INFO":
            return "\r\n".join(f"{name}:{value}" for name, value in self.facts.items()).encode()
        self.asked.append(" ".join(words))
        return b"*2\r\n$9\r\nmaxmemory\r\n$3\r\n500\r\n" if words[1:2] == ("GET",) else b"+OK\r\n"


@pytest.fixture
def disk(tmp_path, monkeypatch) -> Disk:
    disk = Disk()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(room, "ask", disk.ask)
    monkeypatch.setattr(room, "_free", lambda: disk.free)
    return disk


def test_the_reserve_is_given_up_half_by_half_and_made_again(disk):
    reserve = Path(RESERVE)
    here = Room("server.sock")
    size = reserve.stat().st_size
    assert (size, mode_of(reserve)) == (250, 0o600)
    here.look(0.0)
    assert disk.asked == []
    # The server could not write: no more growth, and room for what it has acknowledged.
    disk.free, disk.facts["aof_last_write_status"] = 0, "err"
    here.look(1.0)
    assert disk.asked == ["CONFIG GET maxmemory", "CONFIG SET maxmemory 1"]
    assert reserve.stat().st_size == size // 2
    here.look(2.0)
    assert not reserve.exists()
    # It has written that. Its file is written anew once for each size, since deletions change it.
    disk.facts["aof_last_write_status"] = "ok"
    disk.asked.clear()
    here.look(3.0)
    assert disk.asked == ["BGREWRITEAOF"]
    disk.facts["aof_rewrite_in_progress"] = "1"
    here.look(10.0)
    disk.facts["aof_rewrite_in_progress"] = "0"
    disk.free = 100
    here.look(11.0)
    assert disk.asked == ["BGREWRITEAOF"]
    assert reserve.stat().st_size == 50
    disk.facts["aof_current_size"] = "2"
    here.look(20.0)
    assert disk.asked == ["BGREWRITEAOF"] * 2
    # There is room again, and the limit is the one that the user had set.
    disk.free = 2 * size
    here.look(30.0)
    assert disk.asked[2:] == ["CONFIG SET maxmemory 500"]
    assert reserve.stat().st_size == size
    here.close()
    here.look(40.0)
    # The file itself stays, for whoever deletes the directory at this moment.
    assert reserve.stat().st_size == 0


def test_writes_are_refused_before_the_disk_is_full(disk):
    here = Room("server.sock")
    disk.free = 100
    here.look(0.0)
    assert disk.asked[:2] == ["CONFIG GET maxmemory", "CONFIG SET maxmemory 1"]


def test_a_server_that_cannot_be_asked_is_left_alone(disk):
    here = Room("server.sock")
    disk.free, disk.facts["loading"] = 0, "1"
    here.look(0.0)
    assert disk.asked == []
    assert Path(RESERVE).exists()


# ---- gaps in append-only files


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words
    )


SET = command(b"SET", b"k", b"v" * 300 + b"\0\0*1\r\n" + bytes(200))
TRANSACTION = command(b"MULTI") + SET + command(b"ZADD", b"z", b"1", b"k") + command(b"EXEC")
BEGIN = command(b"SELECT", b"0") + b"#TS:1700000000\r\n" + TRANSACTION + SET


@pytest.mark.parametrize("gap", [700, 5000, 300_000])
@pytest.mark.parametrize(
    "cut", [0, 1, 30, len(SET) - 1, len(TRANSACTION) - 10, len(TRANSACTION) + 7]
)
@pytest.mark.parametrize(
    "behind", [TRANSACTION + SET, TRANSACTION + SET * 500], ids=["short", "long"]
)
def test_a_gap_in_an_append_only_file_is_taken_out(tmp_path, gap, cut, behind):
    path = tmp_path / "appendonly.aof.2.incr.aof"
    path.write_bytes(BEGIN + behind[:cut] + bytes(gap) + behind)
    assert repaired(tmp_path)
    # Commands of the part that are complete may stay: they are repeated.
    found = path.read_bytes()
    assert found.startswith(BEGIN)
    assert found.endswith(behind)
    assert behind.startswith(found[len(BEGIN) : -len(behind)])
    assert not repaired(tmp_path)
    assert path.read_bytes() == found


def test_zeros_at_the_end_of_an_append_only_file_are_cut_off(tmp_path):
    path = tmp_path / "appendonly.aof.1.incr.aof"
    path.write_bytes(BEGIN + SET[:30] + bytes(100_000))
    assert repaired(tmp_path)
    assert path.read_bytes() == BEGIN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        BEGIN,
        BEGIN + TRANSACTION[:-10],
        BEGIN + b"garbage",
        BEGIN + b"*1\r\n$9999999999\r\nx",
        BEGIN + SET[:30] + bytes(600) + b"*garbage",
        BEGIN + SET[:30] + bytes(600) + b"garbage",
    ],
)
def test_any_other_damage_is_left_to_the_server(tmp_path, content):
    path = tmp_path / "appendonly.aof.1.incr.aof"
    path.write_bytes(content)
    assert not repaired(tmp_path)
    assert path.read_bytes() == content
    assert not repaired(tmp_path / "none")
