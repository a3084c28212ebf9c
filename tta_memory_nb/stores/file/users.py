"""Who uses a file now: a small file beside it, in which each process holds a lock of its own.

A lock ends with its process, however that ends, so no process has to be asked whether it is still there, and none can
be mistaken for another one of the same number. The file has, for up to 512 users:

    0          how many changes each has begun and ended, eight bytes a user
    4096       what each is, 512 bytes a user: JSON, padded with spaces
    1 << 20    the lock of each, a byte; the byte before them is held while places are given out

The last user removes the file. Only programs of this package are seen, on this machine.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from struct import Struct
from threading import RLock
from typing import NamedTuple

from ..forks import guarded

_ROWS, _ROW = 4096, 512
_LOCKS = 1 << 20
_GATE = _LOCKS - 1
# So many users may have a file open at once.
_MOST = 512

_CELL = Struct("<Q")

_IS_WINDOWS = os.name == "nt"

# The lowest bit of each byte.
_ODD = int.from_bytes(b"\1" * _MOST, "little")

# Seconds to wait until rows may be given out, which takes others a millisecond.
_PATIENCE = 2.0

_lock = guarded(RLock(), 5)


class User(NamedTuple):
    """A process that has a file open.

    Attributes:
        token: a random name of this use.
        pid: its number, as its own container counts.
        program: the notebook, or the program.
        since: when it has opened the file, in Unix seconds.
    """

    token: str
    pid: int
    program: str
    since: float


if sys.platform == "win32":
    import msvcrt

    def _take(file: int, place: int) -> bool:
        """Takes the lock of a byte; returns whether nobody else has it."""
        os.lseek(file, place, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _release(file: int, place: int) -> None:
        os.lseek(file, place, os.SEEK_SET)
        with suppress(OSError):
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: int, place: int) -> bool:
        """Takes the lock of a byte; returns whether no other process has it."""
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _release(file: int, place: int) -> None:
        fcntl.lockf(file, fcntl.LOCK_UN, 1, place)


class _Book:
    """The file of users as one process has it open, once for all of its memories.

    A process that closes such a file loses all of its locks in it, so nothing else may open it.
    """

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self.file = file
        self.pid = os.getpid()
        self.own: dict[int, str] = {}
        self.page = mmap.mmap(file, _ROWS)

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Keeps other processes from giving rows out, and from looking at them."""
        deadline = time.monotonic() + _PATIENCE
        while not _take(self.file, _GATE):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.path} is locked by another process")
            time.sleep(0.001)
        try:
            yield
        finally:
            _release(self.file, _GATE)

    def is_the_one(self) -> bool:
        """Returns whether others that open the path find this very file."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        here = os.fstat(self.file)
        return (found.st_dev, found.st_ino) == (here.st_dev, here.st_ino)

    def add(self, token: str) -> int:
        """Takes a row for a user of this process, and returns its number; the gate is held."""
        for row in range(_MOST):
            if row not in self.own and _take(self.file, _LOCKS + row):
                self.own[row] = token
                name = os.environ.get("JPY_SESSION_NAME") or sys.argv[0] or sys.executable
                user = [token, os.getpid(), Path(name).name[:60], time.time()]
                self._seek(row)
                os.write(self.file, json.dumps(user).encode().ljust(_ROW))
                self._settle(row)
                return row
        raise OSError(0, "too many processes use the file")

    def remove(self, token: str) -> None:
        """Gives the row of a user of this process back."""
        for row, own in list(self.own.items()):
            if own == token:
                del self.own[row]
                _release(self.file, _LOCKS + row)

    def others(self) -> list[User]:
        """Returns the users that are other processes; the gate is held."""
        count = max(0, os.fstat(self.file).st_size - _ROWS) // _ROW
        found = []
        for row in range(count):
            if row in self.own:
                continue
            if _take(self.file, _LOCKS + row):
                self._settle(row)
                _release(self.file, _LOCKS + row)
                continue
            self._seek(row)
            try:
                token, pid, program, since = json.loads(os.read(self.file, _ROW))
                found.append(User(str(token), int(pid), str(program), float(since)))
            except (ValueError, TypeError):
                found.append(User("", 0, "unknown", 0.0))
        return found

    def _settle(self, row: int) -> None:
        """Ends the change that a user was making when its process ended."""
        [number] = _CELL.unpack_from(self.page, 8 * row)
        _CELL.pack_into(self.page, 8 * row, number + number % 2)

    def _seek(self, row: int) -> None:
        os.lseek(self.file, _ROWS + row * _ROW, os.SEEK_SET)

    def close(self) -> None:
        """Closes the file; the locks of this process in it end."""
        self.page.close()
        os.close(self.file)


_books: dict[str, _Book] = {}


def _open(path: Path) -> _Book:
    """Opens the file of users, or makes a new one; returns it with its gate held by nobody."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    file = os.open(path, flags, 0o600)
    try:
        if os.fstat(file).st_size < _ROWS:
            os.lseek(file, _ROWS - 1, os.SEEK_SET)
            os.write(file, b"\0")
        return _Book(path, file)
    except BaseException:
        os.close(file)
        raise


class Users:
    """This process as a user of one file, and the others.

    Args:
        path: of the file that is used.

    Attributes:
        token: the name under which this user is known; another one after `leave`.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(f"{os.path.realpath(path)}-users")
        self.token = ""
        self._book: _Book | None = None
        self._cell = 0

    def enter(self) -> None:
        """Makes this process known as a user; a second time it does nothing.

        Raises:
            OSError: the file beside cannot be used.
        """
        with _lock:
            if self._book is not None and self._book.pid == os.getpid():
                return
            name, token = str(self._path), token_hex(8)
            for _ in range(100):  # another process may remove the file at this moment
                known = _books.get(name)
                is_known = known is not None and known.pid == os.getpid() and known.is_the_one()
                book = known if is_known and known is not None else _open(self._path)
                try:
                    with book.gate():
                        row = book.add(token) if book.is_the_one() else -1
                except BaseException:
                    if not is_known:
                        book.close()
                    raise
                if row >= 0:
                    _books[name] = self._book = book
                    self.token, self._cell = token, 8 * row
                    return
                if not is_known:
                    book.close()
            raise OSError(0, "the file of users is removed again and again")

    def leave(self) -> None:
        """Gives the place of this process up; the last user removes the file."""
        with _lock:
            book, self._book = self._book, None
            if book is None or book.pid != os.getpid():
                return
            book.remove(self.token)
            if book.own:
                return
            _books.pop(str(book.path), None)
            is_last = False
            with suppress(OSError), book.gate():
                is_last = not book.others() and book.is_the_one()
                if is_last and not _IS_WINDOWS:
                    book.path.unlink()
            book.close()
            if (
                is_last and _IS_WINDOWS
            ):  # where nobody can remove a file that is open, so no gate is needed
                with suppress(OSError):
                    book.path.unlink()

    def others(self) -> list[User]:
        """Returns the other processes that have the file open, the first to come first.

        Raises:
            OSError: the file beside cannot be used.
        """
        with _lock:
            if self._book is None:
                self.enter()
            assert self._book is not None
            with self._book.gate():
                found = self._book.others()
        return sorted(found, key=lambda user: user.since)

    def tokens(self) -> set[str]:
        """Returns the names of all users that are alive, of this process too.

        Raises:
            OSError: the file beside cannot be used.
        """
        with _lock:
            others = self.others()
            assert self._book is not None
            return {user.token for user in others} | set(self._book.own.values())

    # ---- changes

    def changes(self) -> bytes:
        """Returns how many changes each user has begun and ended, without asking the system.

        Raises:
            ValueError: this process has left.
        """
        assert self._book is not None
        return self._book.page[:_ROWS]

    def begin_change(self) -> None:
        """Lets all know that this user is about to change the file."""
        assert self._book is not None
        self._book.page[self._cell] |= 1

    def end_change(self, seen: bytes) -> bytes:
        """Lets all know that this user has changed the file.

        Args:
            seen: what `changes` was when this process knew the file as it was before.

        Returns:
            What `changes` is when nobody else has changed it.
        """
        cell, at = self._count_end(), self._cell
        return seen[:at] + cell + seen[at + 8 :]

    def settle(self) -> None:
        """Ends a change that an interrupt or an error has left, if there is one."""
        if self._book is not None and self._book.page[self._cell] & 1:
            self._count_end()

    def _count_end(self) -> bytes:
        """Makes the number of this user even, which is odd during a change; returns it as it is in the file."""
        assert self._book is not None
        page, at = self._book.page, self._cell
        [number] = _CELL.unpack_from(page, at)
        cell = _CELL.pack(number + number % 2)
        page[at : at + 8] = cell
        return cell


def is_settled(changes: bytes) -> bool:
    """Returns whether no user was in the middle of a change."""
    return not int.from_bytes(changes[::8], "little") & _ODD
