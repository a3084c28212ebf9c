"""Records that have no column yet: the tail that every search looks at itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import attrgetter
from typing import Generic

from ..text import Needle
from .query import Entries, R

FEW = 256
"""Up to so many records it is quicker to look at each than to index them."""

# Their texts, unless they are long, are kept in one piece as well, in which a look can tell that
# none of them matches. What such a look costs, in comparisons with single texts:
_ONE_LOOK = 4
_MOST_BYTES = 1 << 18

# Bytes of JSON that are indexed in one go, but for a single record that has more.
_MOST_AT_ONCE = 1 << 22


class Waiting(Generic[R]):
    """Keys of records without a column, the oldest first.

    Attributes:
        compared: texts that searches have compared since the last of them got its column.
    """

    def __init__(self) -> None:
        self.compared = 0
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._in_order = True
        # Small letters of their JSON, or what they fold to; of some that are gone as well.
        self._texts = bytearray()
        self._has_all_texts = True

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, record: R) -> None:
        """Puts a record behind all others."""
        self._add_text(record)
        self._keys[record.key] = None
        self._keys.move_to_end(record.key)

    def add_back(self, record: R) -> None:
        """Adds a record that may be older than some of the others."""
        self._add_text(record)
        self._in_order = False
        self._keys[record.key] = None

    def _add_text(self, record: R) -> None:
        text = record.text
        if (
            not self._has_all_texts
            or len(self._keys) >= FEW
            or len(self._texts) + len(text) > _MOST_BYTES
        ):
            self._has_all_texts = False
            self._texts.clear()
            return
        # A control character is in no needle that shows in JSON.
        self._texts += b"\0"
        if isinstance(text, bytes) and text.isascii():
            self._texts += text.lower()
        else:
            self._texts += record.searchable()

    def sort(self, entries: Entries[R]) -> None:
        """Brings those that were added back to their place."""
        if not self._in_order:
            there = [entries[key] for key in self._keys if key in entries]
            there.sort(key=attrgetter("stamp"))
            self._keys = OrderedDict.fromkeys(record.key for record in there)
            self._in_order = True

    def oldest(self, entries: Entries[R], count: int) -> tuple[list[str], list[R]]:
        """The keys that have waited longest, and the records that are still there under them."""
        keys: list[str] = []
        records: list[R] = []
        size = 0
        for key in islice(self._keys, count):
            record = entries.get(key)
            if record is not None and record.column < 0:
                size += len(record.text)
                if records and size > _MOST_AT_ONCE:
                    break
                records.append(record)
            keys.append(key)
        return keys, records

    def remove(self, keys: Iterable[str]) -> None:
        """Forgets keys."""
        for key in keys:
            self._keys.pop(key, None)
        if not self._keys:
            self._texts.clear()
            self._has_all_texts = True

    def exclude(self, needle: Needle) -> bool:
        """Whether it is certain, at a glance, that none contains the needle."""
        self.compared += _ONE_LOOK
        return self._has_all_texts and needle.shows_in_json() and needle.utf8 not in self._texts

    def newest_first(self, entries: Entries[R]) -> Iterator[R]:
        """The records that are still there."""
        self.compared += len(self._keys)
        for key in reversed(self._keys):
            record = entries.get(key)
            if record is not None and record.column < 0:
                yield record
