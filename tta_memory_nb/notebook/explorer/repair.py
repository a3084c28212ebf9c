"""Changes to one record that happen only if the record is still what the user has seen."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from ...entry import Entry, Unreadable
from ...errors import InvalidArgument
from ...memory.faces import SyncMemory
from ...record import MemoryRecord
from ...stores.base import Change
from ...text import to_utf8
from ...times import Duration, duration
from ..json_text import unique_fields


class Conflict(Exception):
    """The record is no longer what its editor has seen.

    Attributes:
        entry: the record now; None if it is gone.
    """

    def __init__(self, entry: Entry | None) -> None:
        super().__init__("the record has changed since it was shown")
        self.entry = entry


def peek(memory: SyncMemory, key: str) -> Entry | None:
    """The entry under a key, or None. Its place in the order of recency stays."""
    entries = memory.peek([key])
    return entries[0] if entries else None


def token(entry: Entry | None) -> str:
    """A digest of a record's value and expiry, like an ETag; empty for no record."""
    if entry is None:
        return ""
    text = entry.text if isinstance(entry.text, bytes) else to_utf8(entry.text)
    return blake2b(text + repr(entry.expires_at).encode(), digest_size=12).hexdigest()


def parsed(text: str) -> dict[str, Any]:
    """The value of the JSON text in an editor.

    Raises:
        InvalidArgument: the text is not a JSON object; the message names the line and column.
    """
    value = read_json(text)
    if not isinstance(value, dict):
        raise InvalidArgument("a value is a JSON object: write {...} around it")
    return value


def read_json(text: str) -> Any:
    """What a JSON text in an editor means.

    Raises:
        InvalidArgument: the text is not JSON; the message names the line and column.
    """
    try:
        return json.loads(text, object_pairs_hook=unique_fields)
    except json.JSONDecodeError as error:
        raise InvalidArgument(
            f"this is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidArgument("this JSON is nested too deeply to be read") from None
    except InvalidArgument:
        raise
    except ValueError as error:  # an integer longer than Python reads
        raise InvalidArgument(f"this JSON cannot be read: {error}") from None


@dataclass(frozen=True, slots=True)
class Repair:
    """A change to one record that happens only if the record is still what the user has seen.

    Args:
        memory: the memory that holds the record.
        key: the key of the record.
        base: the `token` of the record as the user has seen it.
    """

    memory: SyncMemory
    key: str
    base: str

    def edit(self, value: dict[str, Any]) -> Change:
        """Replaces the value of the record; its expiry stays.

        Raises:
            Conflict: the record is not what the user has seen.
            NotStorable: the value cannot be stored.
        """
        # A record without instants gets the present one, and keeps the instant of its creation.
        return self._replace(MemoryRecord(self.key, value, expires_at=self._seen().expires_at))

    def expire(self, ttl: Duration | None, now: float) -> Change:
        """Sets when the record expires.

        Args:
            ttl: time to live from now on; None for no expiry.
            now: the present instant in Unix seconds.

        Raises:
            Conflict: the record is not what the user has seen.
            InvalidArgument: the ttl is not a duration.
            ServerError, MissingPackage: the record cannot be read.
        """
        expires_at = None if ttl is None else now + duration(ttl)
        seen = self._seen()
        if isinstance(seen, Unreadable):
            raise seen.error()
        record = seen.record(self.memory.namespace)
        return self._replace(replace(record, expires_at=expires_at))

    def _seen(self) -> Entry:
        entry = peek(self.memory, self.key)
        if entry is None or token(entry) != self.base:
            raise Conflict(entry)
        return entry

    def _replace(self, record: MemoryRecord) -> Change:
        change = self.memory.import_([record]).change
        replaced = [entry for entry in change.removed if entry.key == self.key]
        # Another client may have written the record between the check and this write. The change
        # names the value that was replaced. If it is not the one seen, it is put back.
        if not replaced or token(replaced[0]) != self.base:
            self.memory.undo(change)
            raise Conflict(peek(self.memory, self.key))
        return change
