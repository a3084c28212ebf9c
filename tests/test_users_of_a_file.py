"""Who uses a file: known as long as a process has it open, however the process ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.stores.file.users import Users, is_settled

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import sys
from pathlib import Path
from tta_memory_nb.stores.file.users import Users
users = Users(Path(sys.argv[1]))
users.enter()
if len(sys.argv) > 2:
    users.begin_change()
print(users.token, flush=True)
sys.stdin.readline()
users.leave()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def start(
    started: list[subprocess.Popen[str]], *arguments: str
) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "JPY_SESSION_NAME": "/home/ann/<b>notes</b>.ipynb"},
    )
    started.append(process)
    assert process.stdout
    return process, process.stdout.readline().strip()


def test_other_processes_are_known_until_they_leave_or_are_killed(
    path: Path, started: list[subprocess.Popen[str]]
) -> None:
    mine, again = Users(path), Users(path)
    mine.enter()
    again.enter()
    assert mine.others() == []  # both are this process
    first, name = start(started, str(path))
    second, _ = start(started, str(path))
    found = mine.others()
    assert {user.pid for user in found} == {first.pid, second.pid}
    assert {user.program for user in found} == {"b>.ipynb"}  # the name of a file, as it is
    assert name in mine.tokens()
    assert {mine.token, again.token} <= mine.tokens()
    again.leave()  # the locks of the other use stay
    first.kill()
    first.wait()
    assert [user.pid for user in mine.others()] == [second.pid]
    assert name not in mine.tokens()
    second.communicate("\n")
    assert mine.others() == []
    mine.leave()
    assert list(path.parent.iterdir()) == []


def test_the_last_one_removes_the_file_and_a_new_one_begins_anew(
    path: Path, started: list[subprocess.Popen[str]]
) -> None:
    process, _ = start(started, str(path))
    process.kill()
    process.wait()
    beside = Path(f"{path}-users")
    assert beside.exists()
    mine = Users(path)
    mine.enter()
    beside.unlink()  # by hand
    other = Users(path)
    other.enter()
    assert beside.exists()
    mine.leave()
    other.leave()
    assert not beside.exists()


def test_a_change_of_one_is_seen_by_the_others(path: Path) -> None:
    one, two = Users(path), Users(path)
    one.enter()
    two.enter()
    before = two.changes()
    assert is_settled(before)
    one.begin_change()
    assert not is_settled(two.changes())
    after = one.end_change(before)
    assert before != after == two.changes()
    assert is_settled(after)
    two.begin_change()
    two.settle()
    assert one.changes() != after
    one.leave()
    two.leave()


def test_a_change_that_a_killed_process_has_begun_ends_with_it(
    path: Path, started: list[subprocess.Popen[str]]
) -> None:
    mine = Users(path)
    mine.enter()
    process, _ = start(started, str(path), "in the middle of a change")
    mine.others()
    assert not is_settled(mine.changes())
    process.kill()
    process.wait()
    mine.others()
    assert is_settled(mine.changes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_is_another_user(path: Path) -> None:
    program = """
        import os, sys
        from pathlib import Path
        from tta_memory_nb import MemoryPrimitive
        memory = MemoryPrimitive(sys.argv[1]).sync
        memory.add("a", {})
        users = memory._store._database.users
        read, write = os.pipe()
        child = os.fork()
        if not child:
            assert memory.get("a") == {}
            [parent] = memory.get_backend_info()["other_processes"]
            os.write(write, b"1" if parent["pid"] == os.getppid() else b"0")
            memory.close()
            os._exit(0)
        assert os.read(read, 1) == b"1"
        os.waitpid(child, 0)
        assert users.others() == []
        assert memory.get("a") == {}
        memory.close()
    """
    import textwrap

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), f"file:{path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(path.parent.iterdir()) == [path]


def test_a_memory_says_which_other_processes_have_its_file_open(
    path: Path, started: list[subprocess.Popen[str]]
) -> None:
    memory = MemoryPrimitive(f"file:{path}").sync
    assert memory.get_backend_info()["other_processes"] == []
    process, _ = start(started, str(path))
    [other] = memory.get_backend_info()["other_processes"]
    assert (other["pid"], other["program"]) == (process.pid, "b>.ipynb")
    assert other["since"] > 1e9
