"""The records of a file in this process, which follow what other processes write."""

from __future__ import annotations

import sqlite3
from itertools import chain, takewhile
from sys import maxsize

from ...entry import Entry
from ..base import Change
from ..records import Records
from .kept import Kept
from .rows import Head, Rows

# A change that deletes more records than this is not logged one by one; other processes read the namespace anew.
_MOST_LOGGED = 4096

# So many more reads than twice the number of records are kept in the file.
_MOST_USES = 4096


class Mirror:
    """Records that hold what the file holds; the caller holds their lock and has begun a transaction.

    Reads make records newer in this process alone at first: their entries have a higher recency than the counter
    of the file. The next transaction that writes notes them in the file.

    Args:
        records: where the entries go.
        rows: the rows of the namespace.
        kept: the changes of records that the file keeps.

    Attributes:
        head: what the file knows of the namespace, as of the last transaction; None while the records may
            differ from the file, so that they have to be read anew.
    """

    def __init__(self, records: Records, rows: Rows, kept: Kept) -> None:
        self.kept = kept
        self.head: Head | None = None
        self._records = records
        self._rows = rows
        # How many reads the file has, at most.
        self._uses = 0
        self._may_expire = False

    @property
    def unnoted(self) -> int:
        """How many reads the file does not know of, at least."""
        return 0 if self.head is None else self._records.recency - self.head.counter

    def follow(self, connection: sqlite3.Connection) -> None:
        """Takes in what has changed in the file."""
        before, head = self.head, self._rows.head(connection)
        if before == head:
            return
        self.head = None  # until all of it is taken in
        records = self._records
        if (
            before is None
            or before.epoch != head.epoch
            or not head.log_start <= before.counter <= head.counter
        ):
            self._read_anew(connection, head)
        elif before.counter != head.counter:
            self._catch_up(connection, before, head)
        records.set_capacity(maxsize if head.capacity is None else head.capacity)
        records.evictions = head.evictions
        records.removals += 1  # so that the change token is a new one
        self.head = head

    def _read_anew(self, connection: sqlite3.Connection, head: Head) -> None:
        records = self._records
        records.forget_all()
        entries = records.entries
        for entry in self._rows.everything(connection, head):
            entries[entry.key] = entry
            if entry.expires_at is not None:
                self._expect_expiry(entry)
        self._set_spans(connection, head, 0)
        written = next(reversed(entries.values()))._recency if entries else 0
        uses = list(self._rows.uses(connection, head))
        self._uses = len(uses)
        for key, place in uses:
            entries[key]._recency = place
            entries.move_to_end(key)
        if uses and uses[0][1] < written:  # some were written after others were read
            records.sort()
        records.recency = head.counter

    def _catch_up(self, connection: sqlite3.Connection, before: Head, head: Head) -> None:
        records = self._records
        entries = records.entries
        records.settle(records.clock())
        read_here = self._newer_than(before.counter)
        for key in self._rows.deleted_since(connection, head, before.counter):
            entries.pop(key, None)
        for place, key, found in self._rows.used_since(connection, head, before.counter):
            if isinstance(found, Entry):
                entries[key] = found
                if found.expires_at is not None:
                    self._expect_expiry(found)
            elif (there := entries.get(key)) is not None:
                there._recency = place
                records.expire(there, found, there.sliding)
                self._may_expire |= found is not None
                self._uses += 1
            else:
                continue  # it has expired by the clock of this process
            entries.move_to_end(key)
        self._set_spans(connection, head, before.counter)
        records.recency = max(records.recency, head.counter)
        # What was read here counts as read after all that others have done.
        for entry in read_here:
            if entries.get(entry.key) is entry:
                records.use(entry)

    def _set_spans(self, connection: sqlite3.Connection, head: Head, since: int) -> None:
        """Has records slide that were written after a number of the counter and do so."""
        for key, seconds in self._rows.spans(connection, head, since):
            there = self._records.entries.get(key)
            if there is not None:
                there.sliding = seconds

    def _expect_expiry(self, entry: Entry) -> None:
        self._may_expire = True
        self._records.expect_expiry(entry)

    def _newer_than(self, counter: int) -> list[Entry]:
        """Returns the entries that were used after a number of the counter, oldest first."""
        newest = reversed(self._records.entries.values())
        found = list(takewhile(lambda entry: entry._recency > counter, newest))
        found.reverse()
        return found

    def can_add(self, entry: Entry) -> bool:
        """Returns whether `add` can write an entry: nothing was read, nothing expires and nothing is evicted."""
        head, records = self.head, self._records
        return not (
            records.has_reads
            or self._may_expire
            or entry.expires_at is not None
            or head is None
            or not head.id
            or records.recency != head.counter
            or head.capacity is not None
        )

    def add(self, connection: sqlite3.Connection, before: Head, entry: Entry) -> Head:
        """Does what `save` does, in less time, for one entry that `can_add` has found to be a simple one."""
        self._rows.write_one(connection, before, entry)
        return before.with_counter(entry._recency)

    def save(self, connection: sqlite3.Connection, before: Head, change: Change) -> Head:
        """Writes to the file what was changed and read here; returns the head as it is then.

        Args:
            connection: the connection, in a transaction.
            before: the head as of the beginning of the change, which the records were like then.
            change: what was changed here.
        """
        rows, records = self._rows, self._records
        entries = records.entries
        records.settle(records.clock())
        known = head = before if before.id else rows.create(connection)
        used = self._newer_than(before.counter)
        self._may_expire |= any(e.expires_at is not None for e in used)
        if self._may_expire:
            # First: what was read or touched here may have expired otherwise.
            old = [e for e in used if e._write_seq <= before.counter]
            rows.note_expiries(connection, head, old)
            rows.note_spans(connection, head, old)
            if self.kept.history is not None:
                self.kept.note_expired(connection, head, records.clock())
            if rows.delete_expired(connection, head, records.clock()):
                known = Head()
        gone = [key for key in dict.fromkeys(e.key for e in change.removed) if key not in entries]
        head = head._replace(counter=records.recency)
        if not entries:
            head = rows.delete_all(connection, head)
        elif gone:
            head = rows.delete(connection, head, gone, records.recency)
            if len(gone) > _MOST_LOGGED:
                head = head._replace(epoch=head.epoch + 1)
        # Of what was written, the records with an old place are those that an undo has brought back.
        back = [
            e for e in change.written if e._recency <= before.counter and entries.get(e.key) is e
        ]
        if back:
            head = head._replace(epoch=head.epoch + 1)
        written = [e for e in used if e._write_seq > before.counter]
        self._may_expire |= any(e.expires_at is not None for e in back)
        if len(written) == 1 and not back:
            rows.write_one(connection, head, written[0])
        else:
            rows.write(connection, head, chain(back, written))
        rows.note_spans(connection, head, chain(back, written))
        if len(written) != len(used) or back:
            read = [e for e in chain(back, used) if e._recency > e._write_seq]
            self._uses += rows.note_reads(connection, head, read)
            if self._uses > _MOST_USES + 2 * len(entries):
                rows.forget_reads(connection, head)
                read = [e for e in entries.values() if e._recency > e._write_seq]
                self._uses = rows.note_reads(connection, head, read)
                known = Head()
        records.recency = head.counter
        capacity = None if records.capacity == maxsize else records.capacity
        head = head._replace(capacity=capacity, evictions=records.evictions)
        # The counter need not be written where the newest row has it.
        is_said = bool(written) and used[-1]._recency == head.counter
        if not is_said or head != known._replace(counter=head.counter):
            rows.save_head(connection, head)
        return head
