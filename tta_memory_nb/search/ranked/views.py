"""The records that a search is about, in the order of their sessions.

Neighbours are next to each other in a view, so all that a score takes from them is a shift of an
array. A view holds exactly the records that pass the filters, and statistics count these alone: a
filtered search ranks as a memory would that held nothing else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .lists import Column, Floats, Ints, Lists

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Context beyond the next record counts less, the more words lie between.
WORDS_BETWEEN = 20
# Of so many new records at most, each is put into its place; more of them are sorted.
_FEW = 64
FARTHEST = 3
"""Records that are so many places away count as context."""


class View:
    """Records in the order of sessions, and of creation in each. It never changes.

    Args:
        lists: what is known of all records.
        slots: the slots of the records, in that order.
        reach: how much of a record reaches others; None to work it out.

    Attributes:
        slots: the slots, by place.
        places: slot -> place, or -1.
        numbers: place -> number of the session in `Lists`.
        sessions: place -> number of the session in this view, rising from 0.
        lengths: place -> number of words.
        keys: slot -> key.
        reach: how much of the records 1, 2 and 3 places further reaches a record, and the other way
            round: 0 across sessions, else 1 for the next record, and less for those behind it, the more
            words lie between. Behind the last place there is room for those that have no such record.
    """

    def __init__(self, lists: Lists, slots: Ints, reach: Sequence[Floats] | None = None) -> None:
        self._lists = lists
        self._zeros: list[Floats] = []
        self.keys = lists.keys
        self.slots = slots
        self.places = np.full(len(lists), -1, np.int32)
        self.places[slots] = np.arange(len(slots), dtype=np.int32)
        self.numbers = lists.integers("sessions", slots)
        self.lengths = lists.integers("lengths", slots)
        borders = np.empty(len(slots), np.bool_)
        borders[:1] = False
        np.not_equal(self.numbers[1:], self.numbers[:-1], out=borders[1:])
        self.sessions: Ints = np.cumsum(borders, dtype=np.int32)
        if reach is None:
            self.reach = [np.zeros(len(slots) + FARTHEST) for _ in range(FARTHEST)]
            self._measure(0, len(slots))
        else:
            self.reach = list(reach)

    def __len__(self) -> int:
        return len(self.slots)

    @cached_property
    def mean_length(self) -> float:
        """Mean number of words of a record, at least 1."""
        return max(1.0, float(self.lengths.mean())) if len(self) else 1.0

    @cached_property
    def session_lengths(self) -> Floats:
        """Number of words of each session."""
        # The records of a session are side by side.
        begins = np.flatnonzero(np.diff(self.sessions, prepend=-1))
        return np.add.reduceat(self.lengths, begins, dtype=np.float64) if len(self) else np.zeros(0)

    def _measure(self, first: int, end: int) -> None:
        """Works out the reach of the places from one to another."""
        if first >= end:
            return
        last = min(end + FARTHEST, len(self))
        numbers = self.numbers[first:last]
        words = np.concatenate(([0], np.cumsum(self.lengths[first:last])))
        for distance, reach in enumerate(self.reach, 1):
            size = min(end - first, len(numbers) - distance)
            part = reach[first:end]
            part[:] = 0
            if size <= 0:
                continue
            same = numbers[distance : distance + size] == numbers[:size]
            if distance == 1:
                part[:size] = same
            else:
                between = words[distance : distance + size] - words[1 : size + 1]
                near = WORDS_BETWEEN * (distance - 1) / np.maximum(between, 1)
                part[:size] = np.minimum(1.0, near) * same

    def changed(self, new: Sequence[int], gone: Iterable[int]) -> View:
        """Returns a view with some slots more and some fewer."""
        lists = self._lists
        known = [slot for slot in gone if slot < len(self.places)]
        left = sorted(
            place for place in self.places[np.array(known, np.int32)].tolist() if place >= 0
        )
        if len(new) + len(left) > _FEW:
            slots = np.delete(self.slots, left)
            return sorted_view(lists, np.concatenate((slots, np.array(new, np.int32))))
        slots, numbers, reach = self.slots, self.numbers, self.reach
        if left:
            slots, numbers = np.delete(slots, left), np.delete(numbers, left)
            reach = [np.delete(each, left) for each in reach]
        ordered = sorted(new, key=lambda slot: (lists.sessions[slot], *lists.order(slot)))
        at = [_place_of(lists, slot, slots, numbers) for slot in ordered]
        if at:
            slots = np.insert(slots, at, np.array(ordered, np.int32))
            reach = [np.insert(each, at, 0) for each in reach]
        view = View(lists, slots, reach)
        for number, place in enumerate(at):
            view._measure(max(0, place + number - FARTHEST), place + number + 1)
        for number, place in enumerate(left):
            # Where it was, before others were put in.
            moved = place - number
            moved += sum(each <= moved for each in at)
            view._measure(max(0, moved - FARTHEST), min(len(view), moved + 1))
        return view

    def take_zeros(self) -> Floats:
        """Returns an array of zeros with room for `FARTHEST` more places at each end.

        A search that gives it back as it was spares the next one from making it.
        """
        try:
            return self._zeros.pop()
        except IndexError:
            return np.zeros(len(self) + 2 * FARTHEST)

    def give_zeros(self, zeros: Floats) -> None:
        """Takes back an array that is all zeros again."""
        self._zeros[:] = [zeros]

    def column(self, name: Column, places: NDArray[np.integer[Any]]) -> Floats:
        """Returns a column of numbers of `Lists` for some places."""
        return self._lists.column(name, self.slots[places])

    def key(self, place: int) -> str:
        """Returns the key of the record at a place."""
        return self.keys[int(self.slots[place])]


def sorted_view(lists: Lists, slots: Ints) -> View:
    """Returns a view of slots in any order."""
    created, writes = lists.column("created", slots), lists.column("writes", slots)
    order = np.lexsort((writes, created, lists.integers("sessions", slots)))
    return View(lists, slots[order].astype(np.int32))


def _place_of(lists: Lists, slot: int, slots: Ints, numbers: Ints) -> int:
    """Returns the place at which a slot has to be put into others."""
    session, order = lists.sessions[slot], lists.order(slot)
    first = int(np.searchsorted(numbers, session, "left"))
    last = int(np.searchsorted(numbers, session, "right"))
    if last == first or lists.order(int(slots[last - 1])) <= order:
        return last
    return bisect_right(slots, order, first, last, key=lists.order)
