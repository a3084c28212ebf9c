"""Writes that the server had applied before their replies were lost.

The server keeps the replies of writes that can be taken back. Of the other ones a client looks at
what it has written, so that it knows them as if they had been answered the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...entry import Entry
from ..plan import Plan
from .keys import encode_key
from .partial import Replicas
from .payload import unpack


def recall(
    entries: Sequence[Entry], values: bytes, replicas: Replicas, note: Callable[[int], int]
) -> Plan[None]:
    """Takes in own writes of records whose reply was lost.

    Args:
        entries: what was written.
        values: name of the key that holds the records of the namespace.
        replicas: what this process knows.
        note: takes in a value of the server's counter, and returns the highest that was seen.
    """
    blobs = yield ("HMGET", values, *(encode_key(entry.key) for entry in entries))
    found: list[Entry] = []
    missing: list[str] = []
    for entry, blob in zip(entries, blobs, strict=True):
        there = unpack(entry.key, blob) if blob else None
        if there is None:
            missing.append(entry.key)
        elif (there.text, there.updated_at) == (entry.text, entry.updated_at):
            entry.created_at = there.created_at
            entry._recency = entry._write_seq = there._write_seq
            found.append(entry)
        else:
            found.append(there)  # another client has written the record since
        if entry.created_at is None:
            entry.created_at = entry.updated_at
    seen = note(max((entry._recency for entry in found), default=0))
    replicas.wrote(found, -1, -1)
    replicas.removed(missing, -1, seen)
