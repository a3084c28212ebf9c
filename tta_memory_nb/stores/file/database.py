"""Opens the file of a memory, and begins and ends its transactions."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from errno import ENOENT
from pathlib import Path, PurePath
from urllib.parse import quote
from weakref import finalize

from ...access import why_not
from ...errors import InvalidArgument
from .drives import is_on_network
from .faults import fault, gone, is_busy, occupied, unusable
from .rows import FORMAT, NEWEST_FORMAT, SCHEMA
from .users import Users, is_settled

# "TTAm", in the header of every file of this package. SQLite keeps this number for programs.
APPLICATION = 0x5454416D

_MAGIC = b"SQLite format 3\0"

PAUSE = 0.004
"""Seconds between two attempts to use a file that another process is using."""

# After so many seconds SQLite itself is asked whether the file has changed. Until then the changes count that the users
# of the file have told of: those of other programs, and of a process that was killed before it could tell, are not among them.
_TRUSTED = 0.05

# Commits that take fewer seconds on average are quick; where they take more, threads wait for the disk, and not event
# loops. One commit counts for so much of the average, and for no more than so many seconds: every disk has a slow
# commit now and then, which says nothing about the next ones.
_QUICK, _SHARE, _MOST = 0.001, 0.1, 0.004

# Connections of a forking process that its child has inherited. To use or to close one would break the locks.
_inherited: list[sqlite3.Connection] = []


class Database:
    """One connection to the file of a memory; the caller holds a lock around every call.

    Args:
        path: absolute path of the file; it is created if there is none.
        synchronous: ``"FULL"`` has the disk write each transaction before it is acknowledged, ``"NORMAL"`` leaves that
            to the operating system.
        timeout: seconds to wait for other processes while the file is opened.
        clock: returns seconds, which only grow.

    Raises:
        InvalidArgument: no memory can be at this path.
        StoreUnavailable: another process keeps the file to itself.
        ServerError: the file is damaged.
    """

    def __init__(
        self,
        path: Path,
        synchronous: str,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._clock = clock
        self._promised = synchronous
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = None
        self._closing: finalize[..., Database] | None = None
        self._synchronous = ""
        self._place: tuple[int, int] | None = None
        self._name = str(path)
        # What `users.changes` was, what SQLite calls this version of the file, and when it was asked.
        self._seen: bytes | None = None
        self._seen_version: int | None = None
        self._asked_at = 0.0
        self._began_at = b""
        self._commit_time = 0.0
        self.users = Users(path)
        self._connect()

    # ---- opening and closing

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection; it is opened again if it was closed."""
        connection = self._connection
        return self._connect() if connection is None else connection

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    @property
    def is_quick(self) -> bool:
        """Whether a commit takes no longer than to have a thread make it, as far as the last ones tell."""
        return self._connection is not None and self._commit_time < _QUICK

    def _connect(self) -> sqlite3.Connection:
        """Opens the file, and makes the tables in a new one."""
        if self._place is None:
            self._create()
        else:
            self._check_place()
        try:
            self.users.enter()
        except OSError as error:
            raise unusable(
                self.path, f"no file can be made or used beside it ({error.strerror or error})"
            ) from None
        try:
            connection = self._opened_in_time()
        except BaseException:
            self.users.leave()
            raise
        self._synchronous = ""
        self._seen = self._seen_version = None
        found = self.path.stat()
        self._place = (found.st_dev, found.st_ino)
        self._connection = connection
        if self._closing is not None:
            self._closing.detach()
        self._closing = finalize(self, _end, connection, self.users)
        return connection

    def _opened_in_time(self) -> sqlite3.Connection:
        """Returns a new connection; waits while another process keeps the file to itself."""
        deadline = self._clock() + self._timeout
        while True:
            try:
                return self._opened()
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise fault(self.path, error) from None
                if self._clock() > deadline:
                    raise occupied(self.path, self._timeout) from None
            time.sleep(PAUSE)

    def close(self) -> None:
        """Closes the connection, and lets the other users know. A later call opens a new one."""
        self.suspend()
        if self._closing is not None:
            self._closing()

    def suspend(self) -> None:
        """Closes the connection; this process stays known as a user of the file."""
        connection, self._connection = self._connection, None
        if self._closing is not None:
            self._closing.detach()
        self._closing = finalize(self, self.users.leave)
        if connection is not None:
            connection.close()

    def forget(self) -> None:
        """Gives up a connection that this process has inherited, without closing it."""
        if self._connection is not None:
            _inherited.append(self._connection)
            self._connection = None
        if self._closing is not None:
            self._closing.detach()
        self.users = Users(self.path)

    def _create(self) -> None:
        """Creates the file if there is none, and refuses what is no file, and network drives."""
        path = self.path
        if is_on_network(path.parent):
            raise self._no_place()
        flags = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        try:
            try:
                # No other user may read what is remembered. SQLite gives its other files the same rights.
                file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                self._check_access()
                return
        except OSError as error:
            if error.errno == ENOENT:
                raise unusable(path, "there is no such folder; create it first") from None
            reason = why_not(path, error, writing=True)
            raise unusable(path, f"the file cannot be created or written: {reason}") from None
        os.close(file)

    def _check_access(self) -> None:
        """Refuses what is no file, and a file that can only be read, before SQLite makes files beside it."""
        path = self.path
        if not path.is_file():
            raise unusable(path, "this is no file; name one, as in file:notes.db")
        if not os.access(path, os.R_OK):
            raise unusable(
                path, "this user may not read the file; allow it (chmod u+rw), or name another file"
            )
        if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
            raise unusable(
                path, "the file or its folder is read-only; copy it to a folder of yours"
            )

    def _opened(self) -> sqlite3.Connection:
        """Returns a new connection to a file that is a memory, or has just become one."""
        is_new = self._look()
        connection = self._connected("rw")
        try:
            if is_new:
                self._make_tables(connection)
            # The log beside the file, by which others read while one process writes.
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            # Where the system tells a wait for the drive from one for its cache (macOS); elsewhere it does nothing.
            connection.execute(f"PRAGMA fullfsync = {int(self._promised == 'FULL')}")
        except BaseException:
            connection.close()
            raise
        if mode == "wal":
            return connection
        connection.close()
        raise self._no_place()

    def _no_place(self) -> InvalidArgument:
        return unusable(
            self.path,
            "a folder on a network drive cannot hold a memory, since the locks of SQLite do not hold there; name a file "
            "on a local disk, or share the records by a server",
        )

    def _look(self) -> bool:
        """Returns whether the file is still empty; refuses one of another program, and leaves it as it is.

        SQLite reads the file, and not this process: if a process closes a file that it has opened twice, the
        system drops the locks of both.
        """
        path = self.path
        look = self._connected("ro")
        try:
            return self._is_empty(look)
        except sqlite3.DatabaseError as error:
            if is_busy(error):
                raise
            if Path(f"{path}-journal").exists():
                return True  # the process that made the tables was ended in the middle of it
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise unusable(
                    path, "the file is no memory, and is left as it is; name another file"
                ) from None
            raise
        finally:
            look.close()

    def _is_empty(self, connection: sqlite3.Connection) -> bool:
        """Returns whether a database has no tables yet; refuses one of another program or a newer version."""
        path = self.path
        [application] = connection.execute("PRAGMA application_id").fetchone()
        [version] = connection.execute("PRAGMA user_version").fetchone()
        [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application == 0 and tables == 0:
            return True
        if application != APPLICATION:
            raise unusable(
                path,
                "this database belongs to another program, and is left as it is; name another file",
            )
        if version > NEWEST_FORMAT:
            raise unusable(
                path,
                f"the file has format {version}, and this version of tta-memory-nb reads formats up to "
                f"{NEWEST_FORMAT}; upgrade the package",
            )
        return False

    def _connected(self, mode: str) -> sqlite3.Connection:
        # Waiting is done by the callers, who hold no lock meanwhile.
        return sqlite3.connect(
            f"{uri_of(self.path)}?mode={mode}",
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        """Makes the tables in one transaction, so that a file has all of them or none."""
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN EXCLUSIVE")
        if self._is_empty(connection):
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")

    # ---- transactions

    def has_changed(self) -> bool:
        """Returns whether another connection may have changed the file since `begin` or since the last commit."""
        if self._connection is None or self._seen is None:
            return True
        try:
            if self.users.changes() != self._seen:
                return True
        except ValueError:  # closed a moment ago
            return True
        now = self._clock()
        if now - self._asked_at > _TRUSTED:
            if self._version() != self._seen_version:
                return True
            self._asked_at = now
        return False

    def has_seen(self) -> None:
        """Notes that all is known that the file has, as the transaction sees it."""
        now = self._clock()
        is_known = is_settled(self._began_at)
        if not is_known and now - self._asked_at > _TRUSTED:
            with suppress(OSError):
                self.users.others()  # ends the change of one that was killed in the middle of it
        self._seen_version, self._asked_at = self._version(), now
        self._seen = self._began_at if is_known else None

    def _version(self) -> int:
        """Returns a number that changes when another connection has changed the file."""
        for (number,) in self.connection.execute("PRAGMA data_version"):
            version: int = number
        return version

    def begin_reading(self) -> None:
        """Begins a transaction that sees the file as it is at one instant."""
        self._begin("BEGIN")

    def begin_writing(self, is_promised: bool = True) -> None:
        """Begins a transaction that no other process can write beside.

        Args:
            is_promised: whether the transaction must be as durable as the memory promises.
        """
        wanted = self._promised if is_promised else "NORMAL"
        connection = self.connection
        self._check_place()
        if wanted != self._synchronous:
            self._synchronous = ""  # an interrupt may come before it is known
            connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted
        self._begin("BEGIN IMMEDIATE")

    def try_to_begin_writing(self) -> bool:
        """Begins a transaction that writes, without waiting; returns whether nobody else has written since `has_seen`."""
        try:
            self.begin_writing()
        except sqlite3.Error as error:
            if is_busy(error):
                return False
            raise
        return not self.has_changed()

    def _begin(self, statement: str) -> None:
        connection = self.connection
        if connection.in_transaction:  # an interrupt has left it
            connection.rollback()
        self.users.settle()
        connection.execute(statement)
        self._began_at = self.users.changes()

    def commit(self) -> None:
        """Ends a transaction that has only read."""
        self.connection.execute("COMMIT")

    def commit_change(self) -> None:
        """Makes what the transaction has written last; all that the file has is known to the caller."""
        users, before = self.users, self._seen
        self._seen = None
        users.begin_change()
        began = self._clock()
        self.connection.execute("COMMIT")
        took = min(self._clock() - began, _MOST)
        self._commit_time += _SHARE * (took - self._commit_time)
        seen = users.end_change(self._began_at)
        # What was seen is settled, and to compare it takes less time than to find that out again.
        if before == self._began_at or is_settled(seen):
            self._seen = seen

    def give_up(self) -> None:
        """Takes back what a transaction has written that was not committed."""
        connection = self._connection
        if connection is not None and connection.in_transaction:
            with suppress(sqlite3.Error):  # SQLite has taken it back itself
                connection.rollback()
            self._seen = None
            self.users.settle()

    def _check_place(self) -> None:
        """Makes sure that what is written goes to the file that has the path."""
        try:
            found = os.stat(self._name)  # noqa: PTH116  a path takes as long again
        except OSError:
            raise gone(self.path) from None
        if (found.st_dev, found.st_ino) != self._place:
            raise gone(self.path)

    def size_on_disk(self) -> int:
        """Returns the bytes of the file and of the log beside it."""
        total = 0
        for name in (self.path, Path(f"{self.path}-wal")):
            with suppress(OSError):
                total += name.stat().st_size
        return total


def uri_of(path: PurePath) -> str:
    """Returns the address of a file as SQLite takes it."""
    return f"file:///{quote(os.fsencode(path.as_posix().removeprefix('/')), safe='/:')}"


def _end(connection: sqlite3.Connection, users: Users) -> None:
    """Ends the use of a file that nobody has any more."""
    connection.close()
    users.leave()
