"""The journal of an outage in a file, where the writes survive the end of their process.

A file of a memory has room for it, in two more tables:

    outages    one row for what one process owes to one namespace of one server, and the token of that process (`file.users`)
    pending    its writes, each with the client and the id that it was sent with, if it was

A write is in the file before it is acknowledged, and its id before it is sent. So the process that takes over what one that has
ended has left sends each write under the same id, and the server applies no id twice. Taking over is one transaction, in
which the rows become those of the new process; what belongs to a process that is alive is left alone.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from secrets import randbits
from threading import RLock
from typing import Any, NamedTuple, TypeVar

import msgspec

from ...entry import Entry, Unreadable
from ...errors import StoreUnavailable
from ...text import to_utf8
from ..file.database import PAUSE, Database
from ..file.faults import fault, is_busy, named, nested, occupied
from ..forks import after_fork_in_child, before_fork, guarded
from .operations import Write

T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS outages (
    id INTEGER PRIMARY KEY, server TEXT NOT NULL, namespace BLOB NOT NULL, owner TEXT NOT NULL,
    base INTEGER NOT NULL, since REAL NOT NULL, moved REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS pending (
    outage INTEGER NOT NULL, number INTEGER NOT NULL, place INTEGER NOT NULL, client BLOB NOT NULL,
    write_id INTEGER NOT NULL, content BLOB NOT NULL, UNIQUE (outage, number)
)
"""


class Facts(NamedTuple):
    """What a replay has to know of an outage beside its writes; see `outage.Outage`.

    Attributes:
        base: the server's counter as it was seen last before.
        since: the instant from which on writes are pending, in Unix seconds.
        moved: seconds by which measurements had moved the instants by then.
    """

    base: int
    since: float
    moved: float


@dataclass(slots=True)
class Left:
    """What processes that have ended have left.

    Attributes:
        facts: of their outages together.
        writes: the oldest of each process first.
        elsewhere: how many writes are left for other servers and namespaces, by their names.
    """

    facts: Facts
    writes: list[Write]
    elsewhere: dict[str, int] = field(default_factory=dict)


class JournalFile:
    """Keeps the journal of one memory in a file.

    Args:
        path: absolute path of the file; it is created if there is none.
        server: a name of the server without any password, the same for each address of it.
        namespace: name of the tenant.
        timeout: seconds to wait for other processes.

    Attributes:
        path: as given.
        facts: gives what is known of the outage; None if there is none. Called with the lock.
        client: gives the name that this process has for the server.

    Raises:
        InvalidArgument: no journal can be at this path.
        StoreUnavailable: another process keeps the file to itself.
        ServerError: the file is damaged.
    """

    def __init__(self, path: Path, server: str, namespace: str, timeout: float) -> None:
        self.path = path
        self.facts: Callable[[], Facts | None] = _nothing
        self.client: Callable[[], bytes] = bytes
        self._server = server
        self._namespace = to_utf8(namespace)
        self._timeout = timeout
        self._lock: AbstractContextManager[Any] = RLock()
        self._saving = guarded(RLock(), 0)
        self._is_saving = False
        # Writes of which the file does not know the state, and whether they are pending.
        self._unsaved: dict[Write, bool] = {}
        self._numbers = 0
        self._outage, self._saved_facts = 0, Facts(0, 0.0, 0.0)
        self._database = Database(path, "FULL", timeout)
        before_fork(self._before_fork)
        after_fork_in_child(self._after_fork_in_child)
        self._in_transaction(_make_tables)

    def guard_by(self, lock: AbstractContextManager[Any]) -> None:
        """Names the lock that is held while the journal in this process is changed."""
        self._lock = lock

    # ---- what changes in the journal

    def note(self, write: Write, is_pending: bool) -> None:
        """Notes that a write was added, has changed or was taken out; `save` writes that.

        Args:
            write: the write.
            is_pending: whether it is in the journal.
        """
        if not write.number:
            self._numbers += 1
            write.number = self._numbers
            write.place = write.place or write.number
        self._unsaved[write] = is_pending

    @property
    def has_unsaved(self) -> bool:
        """Whether anything was noted that is not in the file, or is on its way there by another thread."""
        return bool(self._unsaved) or self._is_saving

    def save(self) -> None:
        """Brings the file up to date; what was noted before is on the disk then.

        Raises:
            ServerError: the file cannot be written; a later call tries again.
            StoreUnavailable: another process keeps the file to itself.
        """
        with self._saving:
            if self._is_saving:
                raise nested(self.path)
            try:
                self._is_saving = True
                while self._unsaved:
                    self._save()
            finally:
                self._is_saving = False

    def _save(self) -> None:
        with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
            try:
                rows = [
                    (write, _packed(write) if is_pending else None)
                    for write, is_pending in unsaved.items()
                ]
                facts = self.facts() or self._saved_facts
            except BaseException:
                self._unsaved = unsaved
                raise
        try:
            self._in_transaction(lambda connection: self._write(connection, facts, rows))
        except BaseException:
            with self._lock:
                self._unsaved = unsaved | self._unsaved
            raise
        self._saved_facts = facts

    def _write(
        self,
        connection: sqlite3.Connection,
        facts: Facts,
        rows: Sequence[tuple[Write, bytes | None]],
    ) -> None:
        # Each statement may be carried out again, after an interrupt.
        self._outage = self._outage or randbits(62)
        connection.execute(
            "INSERT OR REPLACE INTO outages VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._outage, self._server, self._namespace, self._database.users.token, *facts),
        )
        connection.executemany(
            "DELETE FROM pending WHERE outage = ? AND number = ?",
            [(self._outage, write.number) for write, content in rows if content is None],
        )
        own = self.client()
        connection.executemany(
            "INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?, ?)",
            [
                (self._outage, each.number, each.place, each.client or own, each.write_id, content)
                for each, content in rows
                if content is not None
            ],
        )
        _drop_empty(connection)

    # ---- what others have left

    def take_over(self) -> Left:
        """Makes what processes that have ended have left for this namespace that of this process."""
        users = self._database.users

        def take(connection: sqlite3.Connection) -> Left:
            alive = users.tokens()
            outages = connection.execute("SELECT * FROM outages ORDER BY since").fetchall()
            elsewhere: dict[str, int] = {}
            mine: list[tuple[int, Facts]] = []
            for number, server, namespace, owner, *facts in outages:
                if owner in alive:
                    continue
                if (server, namespace) == (self._server, self._namespace):
                    mine.append((number, Facts(*facts)))
                    continue
                [(count,)] = connection.execute(
                    "SELECT count(*) FROM pending WHERE outage = ?", (number,)
                )
                name = f"{server} (namespace {namespace.decode('utf-8', 'replace')!r})"
                elsewhere[name] = elsewhere.get(name, 0) + count
            if not mine:
                return Left(Facts(0, 0.0, 0.0), [], elsewhere)
            # Instants of one process only differ from those of another one if the clock of the machine was set.
            facts = Facts(
                min(each.base for _, each in mine),
                min(each.since for _, each in mine),
                mine[-1][1].moved,
            )
            own, numbers = randbits(62), self._numbers
            for number, _ in mine:
                connection.execute(
                    "UPDATE pending SET outage = ?, number = number + ?, place = place + ? WHERE outage = ?",
                    (own, numbers, numbers, number),
                )
                [(numbers,)] = connection.execute(
                    "SELECT coalesce(max(number), ?) FROM pending WHERE outage = ?", (numbers, own)
                )
            connection.execute(
                "INSERT INTO outages VALUES (?, ?, ?, ?, ?, ?, ?)",
                (own, self._server, self._namespace, users.token, *facts),
            )
            writes = list(_unpacked(connection, own))
            if len(mine) > 1:
                # Of two writes of a record, the one with the newest instant counts.
                writes.sort(key=attrgetter("at"))
                for write, place in zip(writes, sorted(each.place for each in writes), strict=True):
                    write.place = place
                connection.executemany(
                    "UPDATE pending SET place = ? WHERE outage = ? AND number = ?",
                    [(each.place, own, each.number) for each in writes],
                )
            _drop_empty(connection)
            self._outage, self._numbers, self._saved_facts = own, numbers, facts
            return Left(facts, writes, elsewhere)

        with self._saving:
            return self._in_transaction(take)

    def close(self) -> None:
        """Closes the file; another process may take over what is in it."""
        with self._saving:
            self._outage = 0
            self._unsaved.clear()
            self._database.close()

    # ---- transactions

    def _in_transaction(self, do: Callable[[sqlite3.Connection], T]) -> T:
        database = self._database
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                database.begin_writing()
                result = do(database.connection)
                database.commit_change()
                return result
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise fault(self.path, error) from None
            except OSError as error:
                raise StoreUnavailable(
                    f"{named(self.path)}: the file beside it cannot be used ({error})"
                ) from None
            finally:
                database.give_up()
            if time.monotonic() >= deadline:
                raise occupied(self.path, self._timeout)
            time.sleep(PAUSE)

    def _before_fork(self) -> None:
        if not self._is_saving:
            self._database.suspend()

    def _after_fork_in_child(self) -> None:
        # What is pending stays the parent's.
        self._is_saving = False
        self._outage = 0
        self._unsaved = {}
        self._database.forget()


def _nothing() -> None:
    """Knows of no outage."""


def _make_tables(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        connection.execute(statement)


def _drop_empty(connection: sqlite3.Connection) -> None:
    """Deletes outages of which nothing is pending any more."""
    connection.execute(
        "DELETE FROM outages WHERE NOT EXISTS (SELECT 1 FROM pending WHERE outage = outages.id)"
    )


# ---- writes as bytes


# Kinds of writes that set records.
_SETTING = ("set", "apply", "append")


def _packed(write: Write) -> bytes:
    entries = list(map(_row, write.entries))
    # What a write sets are copies; those in memory have numbers of their own.
    is_copied = write.kind in _SETTING
    kept = [(e.created_at, e._recency, e._write_seq) for e in write.kept] if is_copied else []
    keys = [to_utf8(key) for key in write.keys]
    row = (write.kind, write.at, write.max_size, keys, entries, kept, write.ttl)
    # Earlier versions know no author.
    return msgspec.msgpack.encode((*row, write.author) if write.author else row)


def _row(entry: Entry) -> tuple[Any, ...]:
    text = entry.text
    row = (
        to_utf8(entry.key),
        text if isinstance(text, bytes) else to_utf8(text),
        isinstance(text, str),
        entry.created_at,
        entry.updated_at,
        entry.expires_at,
        entry._recency,
        entry._write_seq,
        entry.sliding,
    )
    if isinstance(entry, Unreadable):
        return (*row, entry.reason, entry.code, entry.raw)
    return row


def _unpacked(connection: sqlite3.Connection, outage: int) -> Iterator[Write]:
    """Yields the writes of an outage, the oldest first. What several of them name is one entry again."""
    known: dict[tuple[str, int], Entry] = {}
    for number, place, client, write_id, content in connection.execute(
        "SELECT number, place, client, write_id, content FROM pending WHERE outage = ? ORDER BY place, number",
        (outage,),
    ):
        kind, at, max_size, keys, rows, numbers, ttl, *author = msgspec.msgpack.decode(content)
        entries = list(map(_entry, rows))
        if kind in _SETTING:
            kept = list(map(_entry, rows))
            for entry, (created_at, recency, write_seq) in zip(kept, numbers, strict=True):
                entry.created_at, entry._recency, entry._write_seq = created_at, recency, write_seq
                known[entry.key, write_seq] = entry
        else:
            entries = [known.setdefault((each.key, each._write_seq), each) for each in entries]
            kept = entries if kind == "restore" else []
        yield Write(
            kind,
            at,
            entries,
            kept,
            [_text(key) for key in keys],
            max_size,
            write_id=write_id,
            client=client if write_id else b"",
            number=number,
            place=place,
            ttl=ttl,
            author=author[0] if author else b"",
        )


def _entry(row: Sequence[Any]) -> Entry:
    (
        key,
        text,
        is_text,
        created_at,
        updated_at,
        expires_at,
        recency,
        write_seq,
        sliding,
        *unreadable,
    ) = row
    if is_text:
        text = _text(text)
    times = (created_at, updated_at, expires_at, recency, write_seq)
    if not unreadable:
        return Entry(_text(key), text, *times, sliding=sliding)
    reason, code, raw = unreadable
    return Unreadable(_text(key), text, *times, reason=reason, code=code, raw=raw)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")
