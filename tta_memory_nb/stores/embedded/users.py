"""Who uses a server: lock files in its directory, and the leases of this process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import RLock

from ...errors import StoreUnavailable
from . import supervisor
from .files import NO_LINK, named, unusable, unwritable

POLL = 0.01
"""Seconds between two attempts."""

# Guards the two variables below; no code waits for anything while it holds this lock. Re-entrant, because a
# `__del__` may release a lease at any time.
lease_lock = RLock()
_uses: dict[str, Use] = {}
_files: set[LockFile] = set()


class Use:
    """This process as a user of a server, with the number of its leases."""

    def __init__(self, home: str, users: LockFile) -> None:
        self._home = home
        self._users = users
        self.count = 1

    @property
    def is_current(self) -> bool:
        """Whether the directory is still the same one, not one created later under its name."""
        return self._users.is_current

    def leave(self) -> None:
        """Ends one lease."""
        with lease_lock:
            self.count -= 1
            if self.count == 0:
                if _uses.get(self._home) is self:
                    del _uses[self._home]
                self._users.close()


class LockFile:
    """An open lock file of a server's directory.

    Raises:
        InvalidArgument: the file cannot be opened.
    """

    def __init__(self, home: str, name: str) -> None:
        self._home = home
        self._path = str(Path(home, name))
        with lease_lock:  # so that no fork comes between opening the file and remembering it
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
        with lease_lock:
            if self in _files:
                _files.remove(self)
                os.close(self._fd)


def _forget() -> None:
    """Closes all lock files in a forked process: their locks belong to the parent process."""
    for file in tuple(_files):
        file.close()
    _uses.clear()
    lease_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lease_lock.acquire, after_in_parent=lease_lock.release, after_in_child=_forget
    )


def joined(home: str, deadline: float) -> Use:
    """Makes this process a user of the server, or counts one more lease."""
    with lease_lock:
        use = _uses.get(home)
        if use is not None and use.is_current:
            use.count += 1
            return use
    users = LockFile(home, supervisor.USERS_LOCK)
    try:
        # The supervisor holds this lock for a moment after the last user has ended.
        taken = wait_until(partial(users.take, shared=True), deadline)
    except BaseException:  # Ctrl-C as well
        users.close()
        raise
    if not taken:
        users.close()
        raise StoreUnavailable(f"{named(home)} is locked by a process that does not use it")
    with lease_lock:
        use = _uses[home] = Use(home, users)
    return use


def wait_until(attempt: Callable[[], bool], deadline: float) -> bool:
    """Repeats an attempt, made at least once, until it succeeds or time is up; whether it succeeded."""
    while not attempt():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return True
