"""The child process that runs the server of a directory, restarts it when it dies, and stops it after the last user.

It runs without installed packages, so this module and its parent packages import the standard library only.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from .repair import repaired
from .room import Room, say

USERS_LOCK = "users.lock"
START_LOCK = "start.lock"

# The supervisor gives up when the server dies more often than this within so many seconds.
_MOST_DEATHS = 5
_DEATHS_WITHIN = 60.0

_SYNC = 1.0  # seconds between two syncs of the server's files to the disk

# The socket may be missing in so many checks in a row, as it is while the server starts.
_MOST_MISSES = 5

# Seconds that a server has to finish its writes before it is killed.
_STOP_TIMEOUT = 15.0

_PR_SET_PDEATHSIG = 1


def supervise(binary: str, socket_path: str, supervisor_lock: str, server_lock: str) -> None:
    """Runs the supervisor in the directory of the server; the arguments come from the command line.

    Args:
        binary: path of the server's executable.
        socket_path: path of the Unix socket the server listens on.
        supervisor_lock: file descriptor of the lock that this process alone holds.
        server_lock: file descriptor of the lock that the server inherits.
    """
    os.set_inheritable(int(supervisor_lock), False)
    os.umask(0o077)
    _Supervisor(binary, socket_path, int(server_lock)).run()


class _Supervisor:
    """Runs one server; arguments as for `supervise`."""

    def __init__(self, binary: str, socket_path: str, lock: int) -> None:
        self._command = [binary, *_settings(socket_path)]
        self._socket_path = socket_path
        self._lock = lock
        self._prctl = _prctl()
        self._pid = os.getpid()

    def run(self) -> None:
        """Runs the server until it has no user; returns after the server has stopped."""
        signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1}
        for each in signals:
            # macOS drops a signal that has no handler, or that the parent process ignored, even if
            # `sigwait` waits for it.
            signal.signal(each, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        deaths: list[float] = []
        server = self._start()
        Thread(target=self._wait_for_last_user, daemon=True).start()
        Thread(target=self._watch, daemon=True).start()
        while (received := signal.sigwait(signals)) != signal.SIGTERM:
            if received == signal.SIGUSR1:  # the server has no socket: see `_watch`
                server.terminate()
            if server.poll() is None:
                continue
            now = time.monotonic()
            deaths = [death for death in deaths if now - death < _DEATHS_WITHIN] + [now]
            # A server that exits with a status cannot read its files, and would fail again, unless it has
            # left a gap in one of them.
            if len(deaths) > _MOST_DEATHS or (server.returncode > 0 and not self._repaired()):
                break
            server = self._start()
        self._stop(server)
        if Path(self._socket_path).is_absolute():
            with suppress(OSError):
                # A server that was killed leaves its socket behind.
                if not _listens(self._socket_path):
                    Path(self._socket_path).unlink(missing_ok=True)
                Path(self._socket_path).parent.rmdir()

    def _repaired(self) -> bool:
        self._room.close()
        try:
            return repaired(Path("appendonlydir"))
        except OSError as error:
            say(f"the files cannot be repaired: {error}")
            return False

    def _start(self) -> subprocess.Popen[bytes]:
        self._misses = 0
        self._room = Room(self._socket_path)
        # The code between fork and exec is short and needs no lock that another thread could hold.
        return subprocess.Popen(  # noqa: S603  an executable that this user has installed
            self._command,
            pass_fds=(self._lock,),
            preexec_fn=self._before_the_server,  # noqa: PLW1509
        )

    def _before_the_server(self) -> None:
        """Runs between fork and exec, in the process that becomes the server."""
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if self._prctl is not None:
            # The kernel kills the server with its supervisor; nothing else would stop it.
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self._pid:
                os._exit(1)

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        self._room.close()
        if Path(USERS_LOCK).exists():
            server.terminate()
        else:
            # The directory was deleted, so there is nothing to save. A socket at the same path belongs to
            # another server; this one would delete it on its way out.
            server.kill()
        try:
            server.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def _watch(self) -> None:
        """Once a second, syncs the server's files, looks after the disk, and restarts a server without a socket."""
        synced: dict[Path, tuple[int, int]] = {}
        while True:
            time.sleep(_SYNC)
            try:
                synced = _synced(Path("appendonlydir"), synced)
            except OSError as error:
                # A file may disappear meanwhile, because the server rewrites its files. The server notices a
                # full disk when it writes, but it does not notice this error, so the log has to say it.
                if not isinstance(error, FileNotFoundError):
                    say(f"what was written is not synced: {error}")
            with suppress(OSError):
                self._room.look(time.monotonic())
            # A cleanup of temporary files, or the end of a login session, may delete the socket. No client can
            # reach the server then, so it is stopped, and the next one makes a new socket.
            self._misses = 0 if os.path.lexists(self._socket_path) else self._misses + 1
            if self._misses == _MOST_MISSES:
                # The main thread ends it: `Popen` lets only one thread at a time ask whether a process has ended,
                # and tells the other one that it has not.
                os.kill(self._pid, signal.SIGUSR1)

    def _wait_for_last_user(self) -> None:
        """Stops the supervisor once there is no user; the locks it takes keep new users out."""
        import fcntl

        try:
            users = os.open(USERS_LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            start = os.open(START_LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            while True:
                fcntl.flock(users, fcntl.LOCK_EX)
                # A new user holds the start lock while it waits for the users' lock: let it go first.
                fcntl.flock(users, fcntl.LOCK_UN)
                fcntl.flock(start, fcntl.LOCK_EX)
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    fcntl.flock(start, fcntl.LOCK_UN)
                else:
                    break
        finally:  # after an error as well: no server is better than one that never stops
            os.kill(self._pid, signal.SIGTERM)


def _listens(socket_path: str) -> bool:
    """Returns whether a server listens at a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(socket_path)
        except OSError:
            return False
        return True


def _synced(folder: Path, before: dict[Path, tuple[int, int]]) -> dict[Path, tuple[int, int]]:
    """Syncs the files that have changed to the disk; returns size and time of change of each file."""
    now: dict[Path, tuple[int, int]] = {}
    for path in folder.glob("*.incr.aof"):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found = os.fstat(file)
            now[path] = (found.st_size, found.st_mtime_ns)
            if before.get(path) != now[path]:
                os.fsync(file)
        finally:
            os.close(file)
    return now


def _settings(socket_path: str) -> list[str]:
    """The command line options of the server."""
    settings = {
        "port": "0",
        "unixsocket": socket_path,
        "unixsocketperm": "700",
        "dir": ".",
        "appendonly": "yes",
        # With "everysec", a server on a slow disk answers up to two seconds before it writes, and a killed
        # server would lose writes that it has acknowledged. With "no" it writes before it answers, which
        # survives its death, and the supervisor syncs every second, for the case of a power failure.
        "appendfsync": "no",
        "save": "",
        "maxmemory-policy": "noeviction",
        "shutdown-on-sigterm": "force",  # otherwise a full disk keeps it from stopping
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def _prctl() -> Any:
    """The Linux function that asks for a signal when the parent dies; None on other systems."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):  # a Python without ctypes, or another C library
        return None
