"""Changes of records that a file keeps, as rows that are written in the transaction of the change.

    histories    one row a namespace that keeps changes: how many, for how long, and since when
    changes      one row a change, with what was there before it; the id is that of the namespace and, in 40 bits, a number

Both tables are made when a memory first keeps changes. From then on the file has a format that earlier versions of this
package refuse, since they would write without keeping changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from types import CodeType
from typing import Any, TypeAlias

from ...authorship import Author, Context
from ...entry import Entry, Unreadable
from ...text import to_utf8
from ..history.authors import decoded_author, encoded_author
from ..history.bounds import History
from ..history.changes import Earlier, KeptChange, KeptChanges, check_kept, records_as_of
from ..history.log import ChangeLog, Row
from .rows import NEWEST_FORMAT, Head, Rows, entry_of_row, range_of, text_of_key

_TABLES = (
    (
        "CREATE TABLE IF NOT EXISTS histories (namespace INTEGER PRIMARY KEY, changes INTEGER NOT NULL, seconds REAL,"
        " since REAL NOT NULL)"
    ),
    (
        "CREATE TABLE IF NOT EXISTS changes (id INTEGER PRIMARY KEY, at REAL NOT NULL, event TEXT NOT NULL, key BLOB NOT NULL,"
        " author BLOB, text BLOB, created_at REAL, updated_at REAL, expires_at REAL, sliding REAL, written INTEGER)"
    ),
)

Caller: TypeAlias = tuple[CodeType | None, Context]
"""What tells who makes a change."""

_INSERT = "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT = (
    "SELECT id, at, event, key, author, text, created_at, updated_at, expires_at, sliding, written FROM changes"
    " WHERE id BETWEEN ? AND ?"
)

# So many changes are made between two looks at what is to be dropped.
_SLACK = 256

_UNBOUNDED = History(2**62)


class PendingChanges(ChangeLog):
    """The changes of a transaction, until they are rows. Expiries are no part of it: the file knows them itself."""

    def __init__(self) -> None:
        super().__init__(_UNBOUNDED, 0.0)
        self._full = _UNBOUNDED.changes

    def note_expired(self, now: float, entry: Entry) -> None:
        """Does nothing: the row of the record tells when it expires, and is noted when it is deleted."""

    def take(self) -> list[Row]:
        """Returns the changes, and forgets them."""
        rows = list(self._rows)
        self._rows.clear()
        return rows


class Kept:
    """The kept changes of one namespace; each method is called in a transaction.

    Args:
        rows: the rows of the namespace.

    Attributes:
        history: which changes are kept; None for none.
        since: from which instant on all changes are known, in Unix seconds.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.history: History | None = None
        self.since = 0.0
        # Id and instant of the last change, as long as no other process has written and no transaction has failed.
        self._tail: tuple[int, float] | None = None

    def follow(self, connection: sqlite3.Connection, head: Head) -> None:
        """Takes in which changes the file keeps."""
        self.history = self._tail = None
        [version] = connection.execute("PRAGMA user_version").fetchone()
        if version < NEWEST_FORMAT:
            return
        found = connection.execute(
            "SELECT changes, seconds, since FROM histories WHERE namespace = ?", (head.id,)
        ).fetchone()
        if found is not None:
            self.history, self.since = History(*found[:2]), found[2]

    def keep(
        self, connection: sqlite3.Connection, head: Head, history: History | None, now: float
    ) -> None:
        """Keeps changes from now on, more or fewer of them, or none."""
        if history is None:
            if self.history is not None:
                connection.execute("DELETE FROM histories WHERE namespace = ?", (head.id,))
                connection.execute("DELETE FROM changes WHERE id BETWEEN ? AND ?", range_of(head))
        else:
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {NEWEST_FORMAT}")
            if self.history is None:
                self.since = now
            connection.execute(
                "INSERT OR REPLACE INTO histories VALUES (?, ?, ?, ?)",
                (head.id, history.changes, history.seconds, self.since),
            )
        self.history, self._tail = history, None

    # ---- writing

    def save(
        self,
        connection: sqlite3.Connection,
        head: Head,
        rows: Sequence[Row],
        by: Caller | None,
    ) -> None:
        """Writes changes, and drops old ones.

        Args:
            connection: the connection, in a transaction.
            head: what is known of the namespace.
            rows: the changes.
            by: who made them, where a thread was asked to; None for what the rows say.
        """
        if not rows:
            return
        last, at = self._last(connection, head)
        written = []
        for now, event, key, before, code, context in rows:
            last, at = last + 1, max(at, now)
            author = encoded_author(*(by or (code, context)))
            written.append((last, at, event, to_utf8(key), author, *_before(before)))
        self._write(connection, head, written)

    def note_expired(self, connection: sqlite3.Connection, head: Head, now: float) -> None:
        """Writes that records have expired, before their rows are deleted."""
        expired = list(self._rows.expired(connection, head, now))
        if expired:
            last, at = self._last(connection, head)
            at = max(at, now)
            self._write(
                connection,
                head,
                [
                    (last + number, at, "expired", to_utf8(entry.key), None, *_before(entry))
                    for number, entry in enumerate(expired, 1)
                ],
            )

    def _last(self, connection: sqlite3.Connection, head: Head) -> tuple[int, float]:
        """Returns the id and the instant of the last change."""
        if self._tail is not None:
            return self._tail
        first, end = range_of(head)
        found = connection.execute(
            "SELECT id, at FROM changes WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
            (first, end),
        ).fetchone()
        return found or (first, 0.0)

    def _write(
        self, connection: sqlite3.Connection, head: Head, rows: list[tuple[Any, ...]]
    ) -> None:
        connection.executemany(_INSERT, rows)
        self._tail = rows[-1][:2]
        if rows[0][0] // _SLACK != rows[-1][0] // _SLACK or rows[-1][0] % _SLACK == 0:
            self._trim(connection, head, rows[-1][0], rows[-1][1])

    def _trim(self, connection: sqlite3.Connection, head: Head, last: int, now: float) -> None:
        """Drops changes that are not to be kept."""
        assert self.history is not None
        first, _ = range_of(head)
        bound = last - self.history.changes
        if self.history.seconds is not None:
            [older] = connection.execute(
                "SELECT max(id) FROM changes WHERE id BETWEEN ? AND ? AND at < ?",
                (first, last, now - self.history.seconds),
            ).fetchone()
            bound = max(bound, older or 0)
        found = connection.execute(
            "SELECT max(at) FROM changes WHERE id BETWEEN ? AND ?", (first, bound)
        ).fetchone()
        if found[0] is not None:
            self.since = found[0]
            connection.execute("DELETE FROM changes WHERE id BETWEEN ? AND ?", (first, bound))
            connection.execute(
                "UPDATE histories SET since = ? WHERE namespace = ?", (self.since, head.id)
            )

    def forget(self, connection: sqlite3.Connection, head: Head, keys: Collection[str]) -> None:
        """Drops all changes of some records."""
        self._tail = None
        names = ((*range_of(head), to_utf8(key)) for key in keys)
        connection.executemany("DELETE FROM changes WHERE id BETWEEN ? AND ? AND key = ?", names)

    # ---- reading

    def as_of(
        self, connection: sqlite3.Connection, head: Head, instant: float, now: float
    ) -> Earlier:
        """Returns the records as of an instant.

        Raises:
            InvalidArgument: changes since then have been dropped.
        """
        assert self.history is not None
        changes, since = self._all(connection, head, now)
        check_kept(instant, since, self.history)
        present = {entry.key: entry for entry in self._rows.all_of(connection, head)}
        # A record that has expired has a row until somebody writes.
        gone = [
            ("expired", entry.key)
            for entry in present.values()
            if entry.expires_at is not None and instant < entry.expires_at <= now
        ]
        newest_first = ((c.at, c.event, c.key, c.before) for c in reversed(changes))
        earlier = records_as_of(present, newest_first, instant)
        for _, key in gone:
            earlier.since.setdefault(key, "expired")
        return earlier

    def changes_of(
        self, connection: sqlite3.Connection, head: Head, key: str, now: float
    ) -> KeptChanges:
        """Returns the changes of one record that are kept."""
        changes, since = self._all(connection, head, now)
        own = [change for change in changes if change.key == key]
        present = next(self._rows.all_of(connection, head, key), None)
        if present is not None and present.expires_at is not None and present.expires_at <= now:
            own.append(KeptChange(now, "expired", key, present, Author()))
            present = None
        return KeptChanges(tuple(own), present, since)

    def _all(
        self, connection: sqlite3.Connection, head: Head, now: float
    ) -> tuple[list[KeptChange], float]:
        """Returns the changes that are to be kept, the oldest first, and the instant since which they are known."""
        assert self.history is not None
        found = list(map(_change, connection.execute(f"{_SELECT} ORDER BY id", range_of(head))))
        first = max(0, len(found) - self.history.changes)
        if self.history.seconds is not None:
            while first < len(found) and found[first].at < now - self.history.seconds:
                first += 1
        since = found[first - 1].at if first else self.since
        return found[first:], since


def _before(entry: Entry | None) -> tuple[Any, ...]:
    if entry is None:
        return (None,) * 6
    text = entry.raw if isinstance(entry, Unreadable) else entry.text
    return (
        text if isinstance(text, bytes) else to_utf8(text),
        entry.created_at,
        entry.updated_at,
        entry.expires_at,
        entry.sliding,
        entry._write_seq,
    )


def _change(row: tuple[Any, ...]) -> KeptChange:
    _, at, event, name, author, text, created_at, updated_at, expires_at, sliding, written = row
    key = text_of_key(name)
    before = None
    if text is not None:
        before = entry_of_row((name, text, created_at, updated_at, expires_at, written, written))
        before.sliding = sliding
    return KeptChange(at, event, key, before, decoded_author(author))
