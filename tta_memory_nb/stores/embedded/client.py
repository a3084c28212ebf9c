"""Starts the server of a directory, or joins the processes that use it; see the package."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import Literal
from urllib.parse import quote

from ...errors import StoreUnavailable
from . import supervisor
from .files import LOG, content, log_tail, named, opened, unusable
from .places import (
    SOCKET,
    binary_path,
    check_private,
    home_of,
    new_socket_path,
    socket_folder_name,
)
from .room import ask, has_unwritten
from .users import POLL, LockFile, Use, joined, lease_lock, wait_until

_SOCKET_PATH = "socket.path"

# A log of more bytes is emptied when a server is started.
_LONGEST_LOG = 1 << 20

# Seconds that a server on a full disk has to write what it has acknowledged.
_WRITE_TIMEOUT = 4.0

_logger = logging.getLogger("tta_memory_nb")

# -I keeps out modules of the same names, most of all those in the directory of a notebook. -S keeps out installed
# packages, which the supervisor does not need.
_SUPERVISOR = (
    "import sys; sys.path.append(sys.argv[1]); "
    f"from {supervisor.__name__} import supervise; supervise(*sys.argv[2:])"
)


def acquire(directory: str | os.PathLike[str] | None, timeout: float) -> Lease:
    """Starts the server of a directory unless it runs, and keeps it running until the lease is released.

    A process may hold any number of leases, and any thread may ask for one.

    Args:
        directory: the server's directory, which is created if it does not exist; None for the user's
            default directory.
        timeout: seconds until the server has to answer. A server that is still loading its records
            after that time counts as started; it answers with an error until it has loaded them.

    Raises:
        MissingPackage: there is no server for this machine.
        InvalidArgument: the directory cannot be used.
        StoreUnavailable: the server does not start.
    """
    binary = binary_path()
    home = home_of(directory)
    deadline = time.monotonic() + timeout
    with closing(LockFile(home, supervisor.START_LOCK)) as start:
        if not wait_until(start.take, deadline):
            raise StoreUnavailable(
                f"{named(home)} has been started or stopped by another process for {timeout:g} s"
            )
        use = joined(home, deadline)
        try:
            path = _running(home, binary, deadline, timeout)
        except BaseException:  # Ctrl-C as well
            use.leave()
            raise
    return Lease(use, home, path)


class Lease:
    """Keeps a server running until the lease is released or the process ends.

    Attributes:
        url: address of the server, as redis-py reads it.
    """

    def __init__(self, use: Use, home: str, path: str) -> None:
        self.url = f"unix://{quote(path)}"
        self._home = home
        self._path = path
        self._use: Use | None = use

    def release(self) -> None:
        """Lets the server stop, unless others use it; a second call does nothing.

        Logs a warning if the server could not write yet what it has acknowledged, since its disk is full.
        """
        if self._use is not None and has_unwritten(self._path):
            deadline = time.monotonic() + _WRITE_TIMEOUT
            # The supervisor gives up the reserve, and the server tries to write once a second.
            if not wait_until(lambda: not has_unwritten(self._path), deadline):
                _logger.warning(
                    "%s could not write all that it has acknowledged: its disk is full; make room before the "
                    "last process that uses it ends",
                    named(self._home),
                )
        with lease_lock:
            use, self._use = self._use, None
            if use is not None:
                use.leave()


def _running(home: str, binary: str, deadline: float, timeout: float) -> str:
    """Starts the server unless it runs, and returns the path of its socket; needs `start.lock`."""
    log_start = 0
    launched = False
    while True:
        with closing(LockFile(home, "supervisor.lock")) as lock:
            if lock.take():
                if launched:
                    raise StoreUnavailable(
                        f"{named(home)} does not start: {log_tail(home, log_start)}"
                    )
                log_start = _launch(home, binary, lock, deadline)
                launched = True
        path = _known_socket(home)
        state = _state(path)
        late = time.monotonic() >= deadline
        if state == "ready" or (state == "loading" and late):
            return path
        if late:
            raise StoreUnavailable(
                f"{named(home)} has not answered within {timeout:g} s: {log_tail(home, log_start)}"
            )
        time.sleep(POLL)


def _launch(home: str, binary: str, lock: LockFile, deadline: float) -> int:
    """Starts a supervisor, which inherits the lock; returns the size of the log before, in bytes."""
    path = _known_socket(home)
    with closing(LockFile(home, "server.lock")) as server:
        if not server.take():
            # The supervisor of a running server was killed. Where the kernel does not kill the server with
            # it, this stops the server.
            ask(path, "SHUTDOWN", "NOW", "FORCE")
            if not wait_until(server.take, deadline):
                raise StoreUnavailable(f"{named(home)} still has a server that does not end")
        socket_path = new_socket_path(home)
        # No server runs now, so whatever answers on these sockets from now on is the new one.
        for stale in {path, str(Path(home, socket_path))}:
            with suppress(FileNotFoundError):
                Path(stale).unlink()
        with opened(home, _SOCKET_PATH, os.O_TRUNC) as file:
            try:
                file.write(os.fsencode(socket_path))
            except OSError as error:
                raise unusable(home, f"nothing can be written there ({error.strerror})") from None
        with opened(home, LOG, os.O_APPEND) as log:
            size = os.fstat(log.fileno()).st_size
            if size > _LONGEST_LOG:
                log.truncate(0)
                size = 0
            locks = (lock.fileno(), server.fileno())
            root = str(Path(__file__).parents[3])
            try:
                process = subprocess.Popen(  # noqa: S603  no shell, and no argument that others choose
                    [
                        sys.executable,
                        "-ISc",
                        _SUPERVISOR,
                        root,
                        binary,
                        socket_path,
                        *map(str, locks),
                    ],
                    cwd=home,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=locks,
                    start_new_session=True,  # Ctrl-C and the end of a notebook must not stop it
                )
            except OSError as error:
                raise StoreUnavailable(f"{named(home)} does not start: {error.strerror}") from None
    process.returncode = 0  # `_reap` waits for it, so Popen need not warn that it still runs
    Thread(target=_reap, args=(process.pid,), name="tta-memory-nb-reaper", daemon=True).start()
    return size


def _reap(pid: int) -> None:
    """Waits for a supervisor, which would otherwise stay a zombie after its end."""
    with suppress(ChildProcessError):  # other code of this process waits for all children
        os.waitpid(pid, 0)


def _known_socket(home: str) -> str:
    """The path of the socket of the server that runs, or that ran last."""
    try:
        path = Path(os.fsdecode(content(home, _SOCKET_PATH)))
    except OSError:
        path = Path()
    with suppress(FileNotFoundError):
        # In a copied directory, the file still names the socket of the original.
        if path.is_absolute() and path.parent.name == socket_folder_name(home):
            check_private(home, path.parent)
            return str(path)
    return str(Path(home, SOCKET))


def _state(path: str) -> Literal["ready", "loading", "absent"]:
    reply = ask(path, "PING")
    if reply.startswith(b"-LOADING"):
        return "loading"
    # The user may have set a password; an error that asks for it is an answer, too.
    return "ready" if reply else "absent"
