"""Records that have no column yet: the tail that every search looks at itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from ..text import Needle
    from .records import Entries, Indexed

R = TypeVar("R", bound="Indexed")

FEW = 256
"""Of so many the texts are kept in one piece, in which a look can tell that none matches."""

# What a look at that piece costs, in comparisons with single texts.
_ONE_LOOK = 4


class Waiting(Generic[R]):
    """Keys of records without a column, the oldest first.

    Attributes:
        compared: texts that searches have compared since the last of them got its column.
    """

    def __init__(self) -> None:
        self.compared = 0
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._in_order = True
        # What `Needle.may_be_in` looks at, of all of them; of some that are gone as well.
        self._texts = bytearray()
        self._has_all_texts = True

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, record: R) -> None:
        """Puts a record behind all others."""
        self._add_text(record)
        self._keys[record.key] = None
        self._keys.move_to_end(record.key)

    def add_back(self, records: Iterable[R]) -> None:
        """Adds records that are not newer than all others."""
        for record in records:
            self._add_text(record)
            self._in_order = False
            self._keys[record.key] = None

    def _add_text(self, record: R) -> None:
        if len(self._keys) < FEW and self._has_all_texts:
            text = record.text
            plain = isinstance(text, bytes) and text.isascii()
            # A control character is in no needle that can be looked for at a glance.
            self._texts += b"\0" + (text.lower() if plain else record.searchable())  # type: ignore[operator]
        else:
            self._has_all_texts = False
            self._texts.clear()

    def sort(self, entries: Entries[R]) -> None:
        """Brings those that were added back to their place."""
        if not self._in_order:
            there = [entries[key] for key in self._keys if key in entries]
            there.sort(key=attrgetter("stamp"))
            self._keys = OrderedDict.fromkeys(record.key for record in there)
            self._in_order = True

    def oldest(self, entries: Entries[R], count: int) -> tuple[list[str], list[R]]:
        """The keys that have waited longest, and the records that are still there under them."""
        keys = list(islice(self._keys, count))
        records = [entries[key] for key in keys if key in entries]
        return keys, [record for record in records if record.column < 0]

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

    def find(
        self, entries: Entries[R], matches: Callable[[R], bool], wanted: int | None, before: float
    ) -> list[R]:
        """The newest matches below a stamp, newest first."""
        self.compared += len(self._keys)
        found: list[R] = []
        for key in reversed(self._keys):
            record = entries.get(key)
            if (
                record is not None
                and record.column < 0
                and record.stamp < before
                and matches(record)
            ):
                found.append(record)
                if len(found) == wanted:
                    break
        return found
