"""The tables of a file, and its records as rows.

    namespaces   one row a namespace: its counter of writes and reads, its epoch, its capacity, its evictions
    records      one row a record; ``recency`` is its place in the order of use, ``write_seq`` the number of its write
    deletions    what was deleted lately, for processes that follow

Keys and texts are bytes in UTF-8, which may hold unpaired surrogates. Instants are Unix seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ...codec import check_json, to_json
from ...entry import Entry, Unreadable
from ...text import to_utf8

FORMAT = 1
"""The number of the layout below; a later version of the package may read it, an earlier one must not."""

SCHEMA = """
CREATE TABLE namespaces (
    id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, counter INTEGER NOT NULL, epoch INTEGER NOT NULL,
    log_start INTEGER NOT NULL, capacity INTEGER, evictions INTEGER NOT NULL
);
CREATE TABLE records (
    id INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, key BLOB NOT NULL, text BLOB NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, expires_at REAL,
    write_seq INTEGER NOT NULL, recency INTEGER NOT NULL, UNIQUE (namespace, key)
);
CREATE INDEX by_recency ON records (namespace, recency);
CREATE INDEX by_expiry ON records (namespace, expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE deletions (
    namespace INTEGER NOT NULL, seq INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY (namespace, seq)
) WITHOUT ROWID
"""
"""The statements that make the tables, separated by semicolons."""

# A process that has not followed for so many writes and reads reads the namespace anew.
_LOGGED = 20_000

_ROW = "key, text, created_at, updated_at, expires_at, write_seq, recency"


class Head(NamedTuple):
    """What a file knows of a namespace as a whole.

    Attributes:
        id: its number in the file; 0 if nothing was ever written to it.
        counter: the highest number of a write, a read or a deletion.
        epoch: how often something happened that cannot be followed, such as an undo.
        log_start: what was deleted up to this number is not in the log of deletions any more.
        capacity: in records; None for no limit.
        evictions: how many records were evicted since the start.
    """

    id: int = 0
    counter: int = 0
    epoch: int = 0
    log_start: int = 0
    capacity: int | None = None
    evictions: int = 0


class Rows:
    """The rows of one namespace, read and written inside of a transaction.

    Args:
        namespace: name of the tenant.
    """

    def __init__(self, namespace: str) -> None:
        self._name = to_utf8(namespace)

    def head(self, connection: sqlite3.Connection) -> Head:
        """Returns what the file knows of the namespace."""
        found = connection.execute(
            "SELECT id, counter, epoch, log_start, capacity, evictions FROM namespaces WHERE name = ?",
            (self._name,),
        ).fetchone()
        return Head() if found is None else Head(*found)

    def create(self, connection: sqlite3.Connection) -> Head:
        """Makes the row of a namespace that nothing was written to yet."""
        made = connection.execute(
            "INSERT INTO namespaces (name, counter, epoch, log_start, evictions) VALUES (?, 0, 0, 0, 0)",
            (self._name,),
        )
        assert made.lastrowid is not None
        return Head(made.lastrowid)

    def save_head(self, connection: sqlite3.Connection, head: Head) -> None:
        """Writes what is known of the namespace."""
        connection.execute(
            "UPDATE namespaces SET counter = ?, epoch = ?, log_start = ?, capacity = ?, evictions = ?"
            " WHERE id = ?",
            (*head[1:], head.id),
        )

    # ---- reading

    def everything(self, connection: sqlite3.Connection, head: Head) -> Iterator[Entry]:
        """Yields all records, least recently used first."""
        rows = connection.execute(
            f"SELECT {_ROW} FROM records WHERE namespace = ? ORDER BY recency",  # noqa: S608  no value is in it
            (head.id,),
        )
        return map(_entry, rows)

    def deleted_since(
        self, connection: sqlite3.Connection, head: Head, counter: int
    ) -> Iterator[str]:
        """Yields the keys that were deleted after a number of the counter."""
        rows = connection.execute(
            "SELECT key FROM deletions WHERE namespace = ? AND seq > ?", (head.id, counter)
        )
        return (_text(key) for (key,) in rows)

    def used_since(
        self, connection: sqlite3.Connection, head: Head, counter: int
    ) -> Iterator[tuple[str, int, Entry | None]]:
        """Yields what was written or read after a number of the counter, in the order of use.

        Each comes as its key, its place in the order of use, and its entry; None for one that was only read.
        """
        rows = connection.execute(
            "SELECT key, CASE WHEN write_seq > ?2 THEN text END, created_at, updated_at, expires_at,"
            " write_seq, recency FROM records WHERE namespace = ?1 AND recency > ?2 ORDER BY recency",
            (head.id, counter),
        )
        return ((_text(row[0]), row[6], None if row[1] is None else _entry(row)) for row in rows)

    # ---- writing

    def write(self, connection: sqlite3.Connection, head: Head, entries: Iterable[Entry]) -> None:
        """Writes records, each in place of the one that has its key."""
        connection.executemany(
            f"INSERT INTO records (namespace, {_ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  as above
            " ON CONFLICT (namespace, key) DO UPDATE SET text = excluded.text,"
            " created_at = excluded.created_at, updated_at = excluded.updated_at,"
            " expires_at = excluded.expires_at, write_seq = excluded.write_seq, recency = excluded.recency",
            (_row(head.id, entry) for entry in entries),
        )

    def note_reads(
        self, connection: sqlite3.Connection, head: Head, entries: Iterable[Entry]
    ) -> None:
        """Writes the places in the order of use of records that were read."""
        connection.executemany(
            "UPDATE records SET recency = ? WHERE namespace = ? AND key = ? AND write_seq = ?",
            ((e._recency, head.id, to_utf8(e.key), e._write_seq) for e in entries),
        )

    def delete(
        self, connection: sqlite3.Connection, head: Head, keys: Iterable[str], counter: int
    ) -> Head:
        """Deletes records, and logs each under the next number; returns the head as it is then."""
        numbered = [(head.id, to_utf8(key), counter + n) for n, key in enumerate(keys, 1)]
        if not numbered:
            return head
        gone = [each[:2] for each in numbered]
        connection.executemany("DELETE FROM records WHERE namespace = ? AND key = ?", gone)
        connection.executemany(
            "INSERT INTO deletions (namespace, key, seq) VALUES (?, ?, ?)", numbered
        )
        counter += len(numbered)
        log_start = max(head.log_start, counter - _LOGGED)
        connection.execute(
            "DELETE FROM deletions WHERE namespace = ? AND seq <= ?", (head.id, log_start)
        )
        return head._replace(counter=counter, log_start=log_start)

    def delete_expired(self, connection: sqlite3.Connection, head: Head, now: float) -> None:
        """Deletes what has expired. Every process knows the expiries, so that none need be told."""
        connection.execute(
            "DELETE FROM records WHERE namespace = ? AND expires_at <= ?", (head.id, now)
        )

    def delete_all(self, connection: sqlite3.Connection, head: Head) -> Head:
        """Deletes every record; returns the head of a new epoch."""
        connection.execute("DELETE FROM records WHERE namespace = ?", (head.id,))
        connection.execute("DELETE FROM deletions WHERE namespace = ?", (head.id,))
        return head._replace(epoch=head.epoch + 1)


def _row(namespace: int, entry: Entry) -> tuple[Any, ...]:
    text = entry.raw if isinstance(entry, Unreadable) else entry.text
    return (
        namespace,
        to_utf8(entry.key),
        text if isinstance(text, bytes) else to_utf8(text),
        entry.updated_at if entry.created_at is None else entry.created_at,
        entry.updated_at,
        entry.expires_at,
        entry._write_seq,
        entry._recency,
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    """Returns the entry of a row; an `Unreadable` one if its text was damaged."""
    key, blob, created_at, updated_at, expires_at, write_seq, recency = row
    key = _text(key)
    times = (created_at, updated_at, expires_at, recency, write_seq)
    text: bytes | str = blob
    try:
        try:
            check_json(text)
        except ValueError:
            text = blob.decode("utf-8", "surrogatepass")
            check_json(text)
    except ValueError as error:
        reason = f"its text is damaged: {error}"
        shown = to_json({"unreadable": reason}).encode()
        return Unreadable(key, shown, *times, reason=reason, raw=bytes(blob))
    return Entry(key, text, *times)


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")
