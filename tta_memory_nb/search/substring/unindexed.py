"""Entries without a column: the tail that every search compares text by text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice

from ...entry import Entry, recency
from ...text import Needle
from ..query import Entries

FEW = 256
"""Up to so many entries, looking at each is quicker than indexing them."""

# The texts of so few entries, unless they are long, are also kept in one piece. One look at this piece
# can exclude all of them. Such a look costs as much as comparing so many single texts:
_ONE_LOOK = 4
_MOST_BYTES = 1 << 18

# Bytes of JSON that are indexed in one step; a single longer entry is a step of its own.
_MOST_AT_ONCE = 1 << 22


class Unindexed:
    """Keys of entries without a column, the oldest first.

    Attributes:
        compared: how many texts searches have compared since the last entry got its column.
    """

    def __init__(self) -> None:
        self.compared = 0
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._in_order = True
        # Lower-case JSON, or folded text; also of some entries that are gone.
        self._texts = bytearray()
        self._has_all_texts = True

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, entry: Entry) -> None:
        """Puts an entry behind all others."""
        self._add_text(entry)
        self._keys[entry.key] = None
        self._keys.move_to_end(entry.key)

    def add_back(self, entry: Entry) -> None:
        """Adds an entry that may be older than some of the others."""
        self._add_text(entry)
        self._in_order = False
        self._keys[entry.key] = None

    def _add_text(self, entry: Entry) -> None:
        text = entry.text
        if (
            not self._has_all_texts
            or len(self._keys) >= FEW
            or len(self._texts) + len(text) > _MOST_BYTES
        ):
            self._has_all_texts = False
            self._texts.clear()
            return
        # A control character separates the texts: no needle that shows in JSON contains one.
        self._texts += b"\0"
        if isinstance(text, bytes) and text.isascii():
            self._texts += text.lower()
        else:
            self._texts += entry._searchable()

    def sort(self, entries: Entries) -> None:
        """Moves entries that were added back to their place."""
        if not self._in_order:
            there = [entries[key] for key in self._keys if key in entries]
            there.sort(key=recency)
            self._keys = OrderedDict.fromkeys(entry.key for entry in there)
            self._in_order = True

    def oldest(self, entries: Entries, count: int) -> tuple[list[str], list[Entry]]:
        """Returns the oldest keys, and the entries that are still there under them."""
        keys: list[str] = []
        found: list[Entry] = []
        size = 0
        for key in islice(self._keys, count):
            entry = entries.get(key)
            if entry is not None and entry._column < 0:
                size += len(entry.text)
                if found and size > _MOST_AT_ONCE:
                    break
                found.append(entry)
            keys.append(key)
        return keys, found

    def remove(self, keys: Iterable[str]) -> None:
        """Forgets keys."""
        for key in keys:
            self._keys.pop(key, None)
        if not self._keys:
            self._texts.clear()
            self._has_all_texts = True

    def exclude(self, needle: Needle) -> bool:
        """Whether one look makes certain that no entry contains the needle."""
        self.compared += _ONE_LOOK
        return self._has_all_texts and needle.shows_in_json() and needle.utf8 not in self._texts

    def newest_first(self, entries: Entries) -> Iterator[Entry]:
        """Yields the entries that are still there."""
        self.compared += len(self._keys)
        for key in reversed(self._keys):
            entry = entries.get(key)
            if entry is not None and entry._column < 0:
                yield entry
