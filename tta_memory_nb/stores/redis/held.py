"""The records that a replica holds, and how the rows of a server's replies go into them.

A row is a key, its place in the order of use, and the bytes of its record; no bytes mean that the record
has not changed, or that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...entry import Entry
from ..records import Records
from .keys import decode_key
from .payload import expiry_of, unpack
from .rows import triples


class Held:
    """Puts entries of a server into records; the caller holds their lock.

    Args:
        records: where the entries go.
    """

    def __init__(self, records: Records) -> None:
        self._records = records

    def put(self, entry: Entry) -> None:
        """Puts an entry under its key, unindexed."""
        entry._column = -1
        self._records.entries[entry.key] = entry
        if entry.expires_at is not None:
            self._records.expect_expiry(entry)

    def put_oldest(self, entry: Entry) -> None:
        """Puts an entry at the oldest end."""
        self.put(entry)
        self._records.entries.move_to_end(entry.key, last=False)

    def move_to_end(self, entry: Entry) -> None:
        """Makes an entry that is there the newest."""
        self._records.entries.move_to_end(entry.key)
        self._records.recency = max(self._records.recency, entry._recency)

    def _take(self, entry: Entry) -> None:
        """Puts an entry at the newest end; keeps the one there if it is of the same write."""
        there = self._records.entries.get(entry.key)
        if there is not None and there._write_seq == entry._write_seq:
            there._recency = entry._recency
            self._records.expire(there, entry.expires_at, entry.sliding)
        else:
            self.put(entry)
        self._records.entries.move_to_end(entry.key)

    # ---- the rows of one reply

    def changed(self, rows: Sequence[Any]) -> bool:
        """Takes in what was written or read; returns whether every record of which no bytes came is there."""
        records = self._records
        for key, place, blob in triples(rows):
            there = records.entries.get(key)
            if not blob:
                if there is None:
                    return False
                there._recency = max(there._recency, place)
                records.entries.move_to_end(key)
            elif there is None or there._recency <= place:
                entry = unpack(key, blob, place)
                if entry is not None:
                    self._take(entry)
            records.recency = max(records.recency, place)
        return True

    def expiries(self, rows: Sequence[Any]) -> None:
        """Takes in keys, and header and span, of records that were read or touched, so that their expiry may have changed."""
        it = iter(rows)
        for key, head in zip(it, it, strict=True):
            there = self._records.entries.get(decode_key(key))
            if there is not None:
                self._records.expire(there, *expiry_of(head))

    def gone(self, rows: Sequence[Any], oldest_held: float) -> list[str]:
        """Takes in what was deleted, or deleted and restored; returns the keys of which nothing is left.

        Args:
            rows: what was deleted.
            oldest_held: of records with a lower place none is held.
        """
        entries = self._records.entries
        back, gone = [], []
        for key, place, blob in triples(rows):
            there = entries.get(key)
            if blob and place >= oldest_held:
                entry = unpack(key, blob, place)
                if entry is not None and (there is None or there._write_seq != entry._write_seq):
                    self._take(entry)
                    back.append(entry)
            elif there is not None and not blob:
                del entries[key]
                gone.append(key)
        if back:
            self._records.indexes.restored(back)
            self._records.sort()
        return gone

    def older(self, rows: Sequence[Any]) -> int:
        """Takes in records that were used less recently than all that are held; returns how many rows came."""
        records = self._records
        loaded = []
        for key, place, blob in triples(rows):
            if key not in records.entries:
                entry = unpack(key, blob, place)
                if entry is not None:
                    loaded.append(entry)
                    self.put_oldest(entry)
        if loaded:
            if len(loaded) * 4 > len(records.entries):
                # Columns are in the order of use, and these are older than all that have one.
                for entry in records.entries.values():
                    entry._column = -1
                records.indexes.clear()
            else:
                records.indexes.restored(loaded)
        return len(rows) // 3
