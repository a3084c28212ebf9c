"""The changes of records in this process, in one list for all records."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from types import CodeType
from typing import TypeAlias

from ...authorship import Context, author_of, calling, context
from ...code_origin import USERS, known
from ...entry import Entry
from .bounds import History
from .changes import Earlier, Event, KeptChange, KeptChanges, check_kept, records_as_of

Happened: TypeAlias = tuple[Event, str, Entry | None]
"""What happened, to which key, and the entry that was there before."""

Row: TypeAlias = tuple[float, Event, str, Entry | None, CodeType | None, Context]
"""A `KeptChange`, with what tells who made it."""

_NOBODY: Context = (None, None)

# So many changes more than are asked for are held between two looks at what is to be dropped.
_SLACK = 256


class ChangeLog:
    """The newest changes of all records of a store; its caller holds the lock of the records.

    Args:
        history: which changes are kept.
        now: from when on, in Unix seconds.

    Attributes:
        history: which changes are kept.
        since: from which instant on all changes are known, in Unix seconds.
    """

    def __init__(self, history: History, now: float) -> None:
        self.history = history
        self.since = now
        self._last = now
        self._rows: deque[Row] = deque()
        # From so many rows on, those that are not to be kept are dropped.
        self._full = _SLACK

    def __len__(self) -> int:
        return len(self._rows)

    def write(self, now: float, key: str, before: Entry | None, depth: int) -> None:
        """Notes that one record is written; by far the most frequent change.

        Args:
            now: Unix seconds.
            key: of which record.
            before: the record that is replaced.
            depth: see `calling`.
        """
        if now < self._last:  # noqa: PLR1730  max() takes longer; the clock was set back
            now = self._last
        self._last = now
        # As `calling`, whose call would take as long as this.
        try:
            code: CodeType | None = sys._getframe(depth).f_code
        except ValueError:
            code = None
        if code is None or known.get(code.co_filename) != USERS:
            code = calling(2)
        rows = self._rows
        rows.append((now, "written", key, before, code, context()))
        if len(rows) > self._full:
            self._trim()

    def note(self, now: float, happened: Sequence[Happened]) -> None:
        """Notes changes that the calling code makes, in order.

        Args:
            now: Unix seconds.
            happened: what happens.
        """
        if happened:
            self._note(now, happened, calling(2), context())

    def note_expired(self, now: float, entry: Entry) -> None:
        """Notes that a record has expired, which is nobody's doing."""
        self._note(now, (("expired", entry.key, entry),), None, _NOBODY)

    def _note(
        self, now: float, happened: Sequence[Happened], code: CodeType | None, here: Context
    ) -> None:
        at = self._last = max(now, self._last)
        self._rows.extend((at, event, key, before, code, here) for event, key, before in happened)
        if len(self._rows) > self._full:
            self._trim()

    def _trim(self) -> None:
        """Drops changes that are not to be kept."""
        rows, most, seconds = self._rows, self.history.changes, self.history.seconds
        while len(rows) > most:
            self.since = rows.popleft()[0]
        if seconds is not None:
            oldest = self._last - seconds
            while rows and rows[0][0] < oldest:
                self.since = rows.popleft()[0]
        self._full = len(rows) + _SLACK

    def forget(self, keys: Collection[str]) -> None:
        """Drops all changes of some records, as if these had never been there."""
        self._rows = deque(row for row in self._rows if row[2] not in keys)

    def as_of(self, now: float, instant: float, present: Mapping[str, Entry]) -> Earlier:
        """Returns the records as of an instant.

        Raises:
            InvalidArgument: changes since then have been dropped.
        """
        self._last = max(now, self._last)
        self._trim()
        check_kept(instant, self.since, self.history)
        newest_first = (row[:4] for row in reversed(self._rows))
        return records_as_of(present, newest_first, instant)

    def changes_of(self, now: float, key: str, present: Entry | None) -> KeptChanges:
        """Returns the changes of one record that are kept."""
        self._last = max(now, self._last)
        self._trim()
        rows = [row for row in self._rows if row[2] == key]
        changes = (KeptChange(*row[:4], author_of(*row[4:])) for row in rows)
        return KeptChanges(tuple(changes), present, self.since)


def evictions_of(evicted: Sequence[Entry]) -> list[Happened]:
    """Returns what has happened to entries that were evicted."""
    return [("evicted", entry.key, entry) for entry in evicted]
