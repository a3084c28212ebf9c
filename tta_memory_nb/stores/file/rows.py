"""The tables of a file, and its records as rows.

    namespaces   one row a namespace: its counter of writes and reads, its epoch, its capacity, its evictions
    records      one row a record
    uses         reads by key, each with the record that was read
    deletions    what was deleted lately, for processes that follow
    spans        how long records slide by that do, in seconds
    numbers      by namespace the highest number of a message

All ids but those of namespaces are numbers: the id of the namespace, and below it, in 40 bits, the number that the counter of the
namespace gave the write, the read or the deletion. So tables are in the order of their numbers, and an added record changes one page of
a table and one of an index, as it would in a table of keys and texts.

Keys and texts are bytes in UTF-8, which may hold unpaired surrogates. Instants are Unix seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import count, repeat
from operator import itemgetter
from typing import Any, NamedTuple

from ...codec import check_json, to_json
from ...entry import Entry, Unreadable
from ...text import to_utf8

FORMAT = 1
"""The number of the layout below; a later version of the package may read it, an earlier one must not."""

NEWEST_FORMAT = 2
"""The format of a file that keeps changes of records, see `kept`; only then the file gets it."""

SCHEMA = """
CREATE TABLE namespaces (
    id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, counter INTEGER NOT NULL, epoch INTEGER NOT NULL,
    log_start INTEGER NOT NULL, capacity INTEGER, evictions INTEGER NOT NULL
);
CREATE TABLE records (
    id INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, key BLOB NOT NULL, text BLOB NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, expires_at REAL, UNIQUE (namespace, key)
);
CREATE INDEX by_expiry ON records (namespace, expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE spans (record INTEGER PRIMARY KEY, seconds REAL NOT NULL);
CREATE TABLE uses (id INTEGER PRIMARY KEY, record INTEGER NOT NULL);
CREATE TABLE deletions (id INTEGER PRIMARY KEY, key BLOB NOT NULL)
"""
"""The statements that make the tables, separated by semicolons."""

# Only made when messages are appended; versions that do not append need not know of it.
_NUMBERS = "CREATE TABLE IF NOT EXISTS numbers (name BLOB PRIMARY KEY, last INTEGER NOT NULL)"

# A process that has not followed for so many writes and reads reads the namespace anew.
_LOGGED = 20_000

_BITS = 40
_MASK = (1 << _BITS) - 1

_HEAD = """
SELECT id, max(
    counter,
    coalesce((SELECT max(r.id) FROM records AS r WHERE r.id BETWEEN n.id << 40 AND (n.id << 40) + ?1) & ?1, 0),
    coalesce((SELECT max(u.id) FROM uses AS u WHERE u.id BETWEEN n.id << 40 AND (n.id << 40) + ?1) & ?1, 0)
), epoch, log_start, capacity, evictions FROM namespaces AS n WHERE name = ?2
"""

_WRITE = (
    "INSERT OR REPLACE INTO records (id, namespace, key, text, created_at, updated_at, expires_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)

_READ = (
    "SELECT key, text, created_at, updated_at, expires_at, id & ?1, id & ?1 FROM records"
    " WHERE id BETWEEN ?2 AND ?3 ORDER BY id"
)

_WHOLE = (
    "SELECT r.key, r.text, r.created_at, r.updated_at, r.expires_at, r.id & ?3, r.id & ?3, s.seconds"
    " FROM records AS r LEFT JOIN spans AS s ON s.record = r.id"
)

_SPANS = "SELECT r.key, s.seconds FROM spans AS s JOIN records AS r ON r.id = s.record WHERE s.record BETWEEN ? AND ?"

_USES = (
    "SELECT r.key, u.id & ?1, r.expires_at FROM uses AS u JOIN records AS r ON r.id = u.record"
    " WHERE u.id BETWEEN ?2 AND ?3 ORDER BY u.id"
)


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

    def with_counter(self, counter: int) -> Head:
        """Returns the same with another counter; `_replace` takes four times as long."""
        return tuple.__new__(Head, (self[0], counter, *self[2:]))


class Rows:
    """The rows of one namespace, read and written inside of a transaction.

    Args:
        namespace: name of the tenant.
    """

    def __init__(self, namespace: str) -> None:
        self._name = to_utf8(namespace)

    def head(self, connection: sqlite3.Connection) -> Head:
        """Returns what the file knows of the namespace."""
        found = connection.execute(_HEAD, (_MASK, self._name)).fetchone()
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
        """Writes what is known of the namespace; its counter can be read from the rows that were written last."""
        connection.execute(
            "UPDATE namespaces SET counter = ?, epoch = ?, log_start = ?, capacity = ?, evictions = ?"
            " WHERE id = ?",
            (*head[1:], head.id),
        )

    def last_number(self, connection: sqlite3.Connection) -> int:
        """Returns the highest number that a message of the namespace was ever given; 0 for none."""
        connection.execute(_NUMBERS)
        found = connection.execute(
            "SELECT last FROM numbers WHERE name = ?", (self._name,)
        ).fetchone()
        last: int = found[0] if found else 0
        return last

    def note_number(self, connection: sqlite3.Connection, last: int) -> None:
        """Writes the highest number that a message was given."""
        connection.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (self._name, last))

    # ---- reading

    def everything(self, connection: sqlite3.Connection, head: Head) -> Iterator[Entry]:
        """Yields all records in the order in which they were written."""
        return map(entry_of_row, connection.execute(_READ, (_MASK, *range_of(head))))

    def used_since(
        self, connection: sqlite3.Connection, head: Head, counter: int
    ) -> Iterator[tuple[int, str, Entry | float | None]]:
        """Yields what was written or read after a number of the counter, in the order of use.

        Each comes as its place in the order of use, its key, and its entry; of one that was only read, its expiry.
        """
        after = (_MASK, *range_of(head, counter + 1))
        written = (
            (e._recency, e.key, e) for e in map(entry_of_row, connection.execute(_READ, after))
        )
        read = (
            (place, text_of_key(key), at) for key, place, at in connection.execute(_USES, after)
        )
        return merge(written, read, key=itemgetter(0))

    def deleted_since(
        self, connection: sqlite3.Connection, head: Head, counter: int
    ) -> Iterator[str]:
        """Yields the keys that were deleted after a number of the counter."""
        rows = connection.execute(
            "SELECT key FROM deletions WHERE id BETWEEN ? AND ?", range_of(head, counter + 1)
        )
        return (text_of_key(key) for (key,) in rows)

    def uses(self, connection: sqlite3.Connection, head: Head) -> Iterator[tuple[str, int]]:
        """Yields keys that were read, and the places that they have got in the order of use by it."""
        rows = connection.execute(_USES, (_MASK, *range_of(head)))
        return ((text_of_key(key), place) for key, place, _ in rows)

    def spans(
        self, connection: sqlite3.Connection, head: Head, counter: int = 0
    ) -> Iterator[tuple[str, float]]:
        """Yields keys of records that slide, written after a number of the counter, and the seconds they slide by."""
        rows = connection.execute(_SPANS, range_of(head, counter + 1))
        return ((text_of_key(key), seconds) for key, seconds in rows)

    def all_of(
        self, connection: sqlite3.Connection, head: Head, key: str | None = None
    ) -> Iterator[Entry]:
        """Yields all records, or that of a key, with how long those slide by that do."""
        return self._found(connection, "r.namespace = ?1 AND (?2 IS NULL OR r.key = ?2)", head, key)

    def expired(self, connection: sqlite3.Connection, head: Head, now: float) -> Iterator[Entry]:
        """Yields the records that have expired, as long as they have rows."""
        return self._found(connection, "r.namespace = ?1 AND r.expires_at <= ?2", head, now)

    def _found(
        self, connection: sqlite3.Connection, where: str, head: Head, value: str | float | None
    ) -> Iterator[Entry]:
        bound = to_utf8(value) if isinstance(value, str) else value
        for *row, sliding in connection.execute(
            f"{_WHOLE} WHERE {where} ORDER BY r.id", (head.id, bound, _MASK)
        ):
            entry = entry_of_row(tuple(row))
            entry.sliding = sliding
            yield entry

    # ---- writing

    def note_expiries(
        self, connection: sqlite3.Connection, head: Head, entries: Iterable[Entry]
    ) -> None:
        """Writes the expiries of records that were read or touched."""
        first, _ = range_of(head)
        expiring = [
            (e.expires_at, first + e._write_seq) for e in entries if e.expires_at is not None
        ]
        connection.executemany("UPDATE records SET expires_at = ? WHERE id = ?", expiring)

    def note_spans(
        self, connection: sqlite3.Connection, head: Head, entries: Iterable[Entry]
    ) -> None:
        """Writes how long records slide by, of those that do."""
        first, _ = range_of(head)
        sliding = [(first + e._write_seq, e.sliding) for e in entries if e.sliding is not None]
        if sliding:
            connection.executemany("INSERT OR REPLACE INTO spans VALUES (?, ?)", sliding)

    def write(self, connection: sqlite3.Connection, head: Head, entries: Iterable[Entry]) -> None:
        """Writes records, each in place of the one that has its key."""
        connection.executemany(_WRITE, map(_row, repeat(head.id), entries))

    def write_one(self, connection: sqlite3.Connection, head: Head, entry: Entry) -> None:
        """Does what `write` does, with one record, in less time."""
        connection.execute(_WRITE, _row(head.id, entry))

    def note_reads(
        self, connection: sqlite3.Connection, head: Head, entries: Iterable[Entry]
    ) -> int:
        """Writes the places in the order of use of records that were read; returns how many there were."""
        first, _ = range_of(head)
        noted = [(first + e._recency, first + e._write_seq) for e in entries]
        if noted:
            connection.executemany("INSERT OR REPLACE INTO uses (id, record) VALUES (?, ?)", noted)
        return len(noted)

    def forget_reads(self, connection: sqlite3.Connection, head: Head) -> None:
        """Deletes all reads, for those to be written again that count, and spans of records that are gone."""
        connection.execute("DELETE FROM uses WHERE id BETWEEN ? AND ?", range_of(head))
        connection.execute(
            "DELETE FROM spans WHERE record BETWEEN ? AND ? AND record NOT IN (SELECT id FROM records)",
            range_of(head),
        )

    def delete(
        self, connection: sqlite3.Connection, head: Head, keys: Sequence[str], counter: int
    ) -> Head:
        """Deletes records, and logs each under the next number; returns the head as it is then."""
        first, _ = range_of(head)
        names = [to_utf8(key) for key in keys]
        connection.executemany(
            "DELETE FROM records WHERE namespace = ? AND key = ?", zip(repeat(head.id), names)
        )
        connection.executemany(
            "INSERT INTO deletions (id, key) VALUES (?, ?)", zip(count(first + counter + 1), names)
        )
        counter += len(names)
        log_start = max(head.log_start, counter - _LOGGED)
        connection.execute(
            "DELETE FROM deletions WHERE id BETWEEN ? AND ?", (first, first + log_start)
        )
        return head._replace(counter=counter, log_start=log_start)

    def delete_expired(self, connection: sqlite3.Connection, head: Head, now: float) -> bool:
        """Deletes what has expired; returns whether anything has.

        Every process knows the expiries, so that none need be told.
        """
        done = connection.execute(
            "DELETE FROM records WHERE namespace = ? AND expires_at <= ?", (head.id, now)
        )
        return done.rowcount > 0

    def delete_all(self, connection: sqlite3.Connection, head: Head) -> Head:
        """Deletes every record; returns the head of a new epoch."""
        connection.execute("DELETE FROM spans WHERE record BETWEEN ? AND ?", range_of(head))
        for table in ("records", "uses", "deletions"):
            connection.execute(f"DELETE FROM {table} WHERE id BETWEEN ? AND ?", range_of(head))  # noqa: S608  of the line above
        return head._replace(epoch=head.epoch + 1)


def range_of(head: Head, number: int = 0) -> tuple[int, int]:
    """Returns the first and the last id of a namespace, from a number of its counter on."""
    first = head.id << _BITS
    return first + number, first + _MASK


def _row(namespace: int, entry: Entry) -> tuple[Any, ...]:
    text = entry.raw if isinstance(entry, Unreadable) else entry.text
    updated_at, created_at = entry.updated_at, entry.created_at
    return (
        (namespace << _BITS) + entry._write_seq,
        namespace,
        to_utf8(entry.key),
        text if isinstance(text, bytes) else to_utf8(text),
        updated_at if created_at is None else created_at,
        updated_at,
        entry.expires_at,
    )


def entry_of_row(row: tuple[Any, ...]) -> Entry:
    """Returns the entry of a row; an `Unreadable` one if its text was damaged."""
    key, blob, created_at, updated_at, expires_at, recency, write_seq = row
    key = text_of_key(key)
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


def text_of_key(key: bytes) -> str:
    """Returns a key as text."""
    return key.decode("utf-8", "surrogatepass")
