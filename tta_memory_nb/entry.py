"""The entry: a record as a store keeps it, encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import Any

import msgspec

from .codec import Snapshot, from_json, snapshot
from .errors import InvalidArgument, MissingPackage, ServerError, brief
from .keys import check_key
from .record import MemoryRecord
from .text import searchable_json, to_utf8


class Entry(msgspec.Struct, eq=False, gc=False):
    """A record as a store keeps it: encoded, so that it can alias nothing.

    An entry refers to nothing but text and numbers, so the garbage collector does not track it:
    with a million records one collection would take a second, and a bulk load causes many.

    The fields that begin with an underscore belong to the store that holds the entry and to the
    indexes of that store. ``_recency`` is its place in the order of use, higher is newer.
    ``_write_seq`` is the number of the write that made it. Both are numbers of one counter. Two
    entries of one key with the same ``_write_seq`` have the same value; 0 means that no store has
    written the entry yet. ``_column`` is its column in the substring index, -1 for none.
    ``_folded`` is the searchable text, once a search has needed it.

    Attributes:
        key: non-empty text.
        text: the value as compact JSON.
        created_at: Unix seconds, or None until a store has seen whether the key is new.
        updated_at: Unix seconds.
        expires_at: Unix seconds, or None for never.
        sliding: seconds after its last read or write at which the record expires; None if reading changes nothing.
    """

    key: str
    text: Snapshot
    created_at: float | None
    updated_at: float
    expires_at: float | None
    _recency: int = 0
    _write_seq: int = 0
    _column: int = -1
    _folded: bytes | None = None
    sliding: float | None = None

    def renew(self, now: float) -> bool:
        """Has a record that slides expire later, since it is read now; returns whether its expiry has changed.

        A move of less than a 64th of its time is not worth a write on a server or in a file.
        """
        span = self.sliding
        if span is None or self.expires_at is None or now + span - self.expires_at < span / 64:
            return False
        self.expires_at = now + span
        return True

    def value(self) -> dict[str, Any]:
        """Returns a fresh copy of the value."""
        return from_json(self.text)

    @property
    def size(self) -> int:
        """Bytes of the value as JSON."""
        text = self.text
        return len(text if isinstance(text, bytes) else to_utf8(text))

    def _searchable(self) -> bytes:
        """Returns the folded text of field names and leaves as UTF-8, see ``text.searchable``."""
        if self._folded is None:
            self._folded = searchable_json(self.text)
        return self._folded

    def record(
        self,
        namespace: str,
        version: str | None = None,
        score: float | None = None,
        paths: Callable[[dict[str, Any]], tuple[str, ...]] | None = None,
    ) -> MemoryRecord:
        """Returns the record as its user sees it, with a fresh value.

        Args:
            namespace: the namespace of its store.
            version: what `Store.version` gives; None where nobody asks for it.
            score: how well it answers a search; None if it was not searched for.
            paths: returns the paths of the fields of a value that match the search; None if it was not searched for.
        """
        value = self.value()
        record = MemoryRecord(
            key=self.key,
            value=value,
            namespace=namespace,
            created_at=self.updated_at if self.created_at is None else self.created_at,
            updated_at=self.updated_at,
            expires_at=self.expires_at,
            score=score,
            matches=() if paths is None else paths(value),
            sliding=self.sliding,
            version=version,
        )
        return record if type(self) is Entry else self._shown(record)

    def _shown(self, record: MemoryRecord) -> MemoryRecord:
        """Returns the record as a subclass shows it; a plain entry adds nothing."""
        return record


class Unreadable(Entry, eq=False, gc=False):
    """A record that cannot be read, as a store shows it: with its reason in place of its value.

    Attributes:
        reason: why it cannot be read.
        code: the code of the error that says so.
        raw: the bytes that are kept of it.
    """

    reason: str = ""
    code: str = "UNREADABLE"
    raw: bytes = b""

    @property
    def size(self) -> int:
        """Bytes that are kept of the record."""
        return len(self.raw)

    def error(self) -> ServerError | MissingPackage:
        """Returns the error for a caller who asks for the value of this very record."""
        message = f"the record {brief(self.key)} cannot be read: {self.reason}"
        if self.code == "PACKAGE":
            return MissingPackage(message)
        return ServerError(message, self.code)

    def _searchable(self) -> bytes:
        """Returns nothing: no text finds the record."""
        return b""

    def _shown(self, record: MemoryRecord) -> MemoryRecord:
        return replace(record, unreadable=self.reason, raw=self.raw)


recency = attrgetter("_recency")
"""Gives the place of an entry in the order of use, as an int; a higher one was used later.

Only places of entries of one store can be compared.
"""

write_seq = attrgetter("_write_seq")
"""Gives the number of the write that made an entry, as an int; a higher one was written later in the same store."""


def was_read(entry: Entry) -> bool:
    """Returns whether a record was read by its key since it was last written.

    A search is no reading. On a server, some reads by other clients are unknown.
    """
    return entry._recency != entry._write_seq  # noqa: SLF001  they belong to this module


def new_entry(
    key: str,
    value: dict[str, Any],
    now: float,
    ttl: float | None,
    name: str = "value",
    *,
    sliding: bool = False,
) -> Entry:
    """Returns an entry for a record that is written now.

    Args:
        key: non-empty text.
        value: anything `codec.to_plain` takes.
        now: Unix seconds.
        ttl: seconds, already checked, or None for no expiry.
        name: what an error calls the value.
        sliding: whether reading the record has its time to live begin again.

    Raises:
        InvalidArgument: the key is no non-empty text.
        NotStorable: the value holds what JSON cannot hold.
    """
    if type(key) is not str or not key:  # the call takes a twentieth of the time of an add
        key = check_key(key)
    entry = Entry(key, snapshot(value, name), None, now, None if ttl is None else now + ttl)
    if sliding:
        if ttl is None:
            raise InvalidArgument.about(
                "sliding", sliding, "only a time to live can slide; give ttl as well"
            )
        entry.sliding = ttl
    return entry


def entry_of(record: MemoryRecord) -> Entry:
    """Returns an entry that keeps the instants of an existing record, as an import does.

    Raises:
        InvalidArgument: the record is one that could not be read.
        NotStorable: the value holds what JSON cannot hold.
    """
    if record.unreadable is not None:
        raise InvalidArgument(
            f"key={brief(record.key)}: this record could not be read ({record.unreadable}), so it "
            "cannot be written; leave it out"
        )
    entry = new_entry(record.key, record.value, record.updated_at, None)
    entry.created_at = record.created_at
    entry.expires_at = record.expires_at
    entry.sliding = record.sliding if record.expires_at is not None else None
    return entry
