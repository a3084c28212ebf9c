"""Which slot the record of a key has, in 9 to 17 bytes a record.

A dict from keys to numbers takes 60 and more, half of them for the numbers. This is a hash table with linear probing
(Knuth, The Art of Computer Programming, volume 3, section 6.4) of slots alone: the keys are in a list by slot already.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from operator import eq
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .lists import Ints

# Places of the smallest table. They are powers of two, and at most half of them are taken.
_LEAST = 1024
_FREE = -1


class Slots:
    """A hash table of the slots that are alive.

    Args:
        keys: slot -> key. Its owner writes to it; each slot here is one of its indexes.
        slots: how many of the first slots are alive.
    """

    def __init__(self, keys: list[str], slots: int = 0) -> None:
        self._keys = keys
        self._alive = bytearray(b"\1" * slots)
        self._count = slots
        self._rebuild()

    def __len__(self) -> int:
        return self._count

    def get(self, key: str) -> int | None:
        """Returns the slot of a key, or None."""
        keys, table, mask = self._keys, self._table, self._mask
        place = hash(key) & mask
        while (slot := table[place]) >= 0:
            if keys[slot] == key:
                return slot if self._alive[slot] else None
            place = place + 1 & mask
        return None

    def get_many(self, keys: Sequence[str]) -> Ints:
        """Returns the slots of the keys that have one, in no order; quicker than `get` for many."""
        table, alive = np.asarray(memoryview(self._table)), np.frombuffer(bytes(self._alive), bool)
        places = np.fromiter(map(hash, keys), np.int64, len(keys)) & self._mask
        numbers = np.arange(len(keys))
        found = [np.empty(0, np.int32)]
        while len(numbers):
            slots = table[places]
            taken = slots != _FREE
            slots, places, numbers = slots[taken], places[taken], numbers[taken]
            theirs = map(self._keys.__getitem__, slots.tolist())
            asked = map(keys.__getitem__, numbers.tolist())
            is_same = np.fromiter(map(eq, theirs, asked), np.bool_, len(slots))
            found.append(slots[is_same])
            numbers, places = numbers[~is_same], places[~is_same] + 1 & self._mask
        slots = np.concatenate(found)
        living: Ints = slots[alive[slots]]
        return living

    def put(self, slot: int) -> None:
        """Makes a slot that of its key; the one that the key had is dead."""
        keys, alive, table, mask = self._keys, self._alive, self._table, self._mask
        key = keys[slot]
        place = hash(key) & mask
        while (there := table[place]) >= 0:
            if keys[there] == key:
                self._count -= alive[there]
                alive[there] = 0
                break
            place = place + 1 & mask
        else:
            self._taken += 1
        table[place] = slot
        alive.extend(bytes(slot + 1 - len(alive)))
        alive[slot] = 1
        self._count += 1
        if self._taken * 2 > len(table):
            self._rebuild()

    def reserve(self, slots: int) -> None:
        """Makes room for so many more slots at once."""
        if (self._taken + slots) * 2 > len(self._table):
            self._rebuild(slots)

    def remove(self, key: str) -> int | None:
        """Makes the slot of a key dead; returns it, or None if there is none."""
        slot = self.get(key)
        if slot is not None:
            self._alive[slot] = 0
            self._count -= 1
        return slot

    def is_alive(self, slot: int) -> bool:
        """Whether a slot belongs to a record."""
        return slot < len(self._alive) and bool(self._alive[slot])

    def all(self) -> Ints:
        """Returns the slots that are alive, in rising order."""
        if self._count == len(self._alive):
            return np.arange(self._count, dtype=np.int32)
        # A copy, since a bytearray whose bytes are in use cannot grow.
        return np.flatnonzero(np.frombuffer(bytes(self._alive), np.uint8)).astype(np.int32)

    def _rebuild(self, more: int = 0) -> None:
        """Makes a table of the slots that are alive, with room for more of them."""
        slots = self.all()
        size = _LEAST
        while size < 2 * (len(slots) + more):
            size *= 2
        # Written in place: another copy would be among the largest things that an index needs for a moment.
        self._table = array("i", (_FREE,)) * size
        table = np.asarray(memoryview(self._table))
        hashes = map(hash, map(self._keys.__getitem__, slots.tolist()))
        places = np.fromiter(hashes, np.int64, len(slots)) & (size - 1)
        while len(slots):
            free = table[places] == _FREE
            # Of several slots with one place, one stays there, and the others go on.
            table[places[free]] = slots[free]
            left = table[places] != slots
            slots, places = slots[left], places[left] + 1 & size - 1
        self._mask = size - 1
        self._taken = self._count
