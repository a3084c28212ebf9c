"""The records that a search is about, in the order of their sessions.

Neighbours are next to each other in a view, so all that a score takes from them is a shift of an
array. A view holds exactly the records that pass the filters, and statistics count these alone: a
filtered search ranks as a memory would that held nothing else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .lists import Column, Floats, Ints, Lists
from .reach import FARTHEST, Reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of so many new records at most, each is put into its place; more of them are sorted.
_FEW = 64


class View:
    """Records in the order of sessions, and of creation in each. It never changes.

    Args:
        lists: what is known of all records.
        slots: the slots of the records, in that order.

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

    def __init__(self, lists: Lists, slots: Ints) -> None:
        self._lists = lists
        self._zeros: list[Floats] = []
        self.keys = lists.keys
        self.slots = slots
        self.places = np.full(len(lists), -1, np.int32)
        self.places[slots] = np.arange(len(slots), dtype=np.int32)
        self.numbers = lists.integers("sessions", slots)
        self.lengths = lists.integers("lengths", slots)
        self.sessions = np.zeros(len(slots), np.int32)
        self._number_sessions(0)
        room = len(slots) + FARTHEST
        self.reach = [Reach.none(distance, room) for distance in range(1, FARTHEST + 1)]
        self._measure(0, len(slots))

    def _number_sessions(self, first: int) -> None:
        """Numbers the sessions of the places from one on; those before have their numbers."""
        if not first:
            self.sessions[:1] = 0
            first = 1
        borders = self.numbers[first:] != self.numbers[first - 1 : -1]
        np.cumsum(borders, out=self.sessions[first:])
        self.sessions[first:] += self.sessions[first - 1 : first]

    def __len__(self) -> int:
        return len(self.slots)

    @cached_property
    def mean_length(self) -> float:
        """Mean number of words of a record, at least 1."""
        return max(1.0, self._words / len(self)) if len(self) else 1.0

    @cached_property
    def _words(self) -> int:
        """Number of words of all records."""
        return int(self.lengths.sum(dtype=np.int64))

    @cached_property
    def session_lengths(self) -> Floats:
        """Number of words of each session."""
        return self._session_lengths_from(0)

    def _session_lengths_from(self, session: int) -> Floats:
        """Returns the number of words of each session from one on."""
        # The records of a session are side by side.
        first = int(np.searchsorted(self.sessions, np.int32(session)))
        if first == len(self):
            return np.zeros(0)
        begins = np.flatnonzero(np.diff(self.sessions[first:], prepend=np.int32(-1)) != 0)
        return np.add.reduceat(self.lengths[first:], begins, dtype=np.float64)

    def _measure(self, first: int, end: int) -> None:
        """Works out the reach of the places from one to another."""
        if first >= end:
            return
        last = min(end + FARTHEST, len(self))
        numbers = self.numbers[first:last]
        words = np.concatenate(([0], np.cumsum(self.lengths[first:last])))
        for distance, reach in enumerate(self.reach, 1):
            size = min(end - first, len(numbers) - distance)
            reach.codes[first:end] = 0
            if size > 0:
                same = numbers[distance : distance + size] == numbers[:size]
                reach.write(first, same, words[distance : distance + size] - words[1 : size + 1])

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
        slots = without(self.slots, left)
        numbers = without(self.numbers, left)
        ordered = sorted(new, key=lambda slot: (lists.sessions[slot], *lists.order(slot)))
        at = [_place_of(lists, slot, slots, numbers) for slot in ordered]
        view = self._spliced(left, at, np.array(ordered, np.int32))
        for number, place in enumerate(at):
            view._measure(max(0, place + number - FARTHEST), place + number + 1)
        for number, place in enumerate(left):
            # Where it was, before others were put in.
            moved = place - number
            moved += sum(each <= moved for each in at)
            view._measure(max(0, moved - FARTHEST), min(len(view), moved + 1))
        return view

    def _spliced(self, left: Sequence[int], at: Sequence[int], slots: Ints) -> View:
        """Returns a view without some places, and with some slots put in; its reach is not worked out anew.

        Whatever lies before the first change is copied, and the rest is moved.

        Args:
            left: the places that are left out, in rising order.
            at: the places before which slots are put in, once those are left out, in rising order.
            slots: as many slots.
        """
        lists, view = self._lists, View.__new__(View)
        view._lists, view.keys = lists, lists.keys
        view._zeros, self._zeros = self._zeros, []

        def spliced(array: Any, values: Any) -> Any:
            return put_in(without(array, left), at, values)

        sessions, lengths = lists.integers("sessions", slots), lists.integers("lengths", slots)
        view.slots = spliced(self.slots, slots)
        view.numbers = spliced(self.numbers, sessions)
        view.lengths = spliced(self.lengths, lengths)
        view.reach = [
            Reach(distance, spliced(each.codes, np.zeros(len(slots), each.codes.dtype)))
            for distance, each in enumerate(self.reach, 1)
        ]
        view._words = self._words + int(lengths.sum()) - int(self.lengths[left].sum())
        first = min([*left[:1], *at[:1]], default=len(self))
        more = np.full(len(lists) - len(self.places), -1, np.int32)
        view.places = np.concatenate((self.places, more))
        view.places[self.slots[left]] = -1
        view.places[view.slots[first:]] = np.arange(first, len(view), dtype=np.int32)
        view.sessions = np.empty(len(view), np.int32)
        view.sessions[:first] = self.sessions[:first]
        view._number_sessions(first)
        if "session_lengths" in self.__dict__:
            session = int(view.sessions[first - 1]) if first else 0
            kept = self.session_lengths[:session]
            view.session_lengths = np.concatenate((kept, view._session_lengths_from(session)))
        return view

    def take_zeros(self) -> Floats:
        """Returns an array of zeros with room for `FARTHEST` more places at each end.

        A search that gives it back as it was spares the next one from making it.
        """
        size = len(self) + 2 * FARTHEST
        zeros = self._zeros.pop() if self._zeros else np.zeros(0)
        if len(zeros) < size:  # it may be that of the view before this one
            zeros = np.zeros(size + size // 8)
        return zeros[:size]

    def give_zeros(self, zeros: Floats) -> None:
        """Takes back an array of `take_zeros` that is all zeros again."""
        assert zeros.base is not None
        self._zeros[:] = [zeros.base]

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
    # A number of the same type: of another one, the whole array would be converted.
    first = int(np.searchsorted(numbers, np.int32(session), "left"))
    last = int(np.searchsorted(numbers, np.int32(session), "right"))
    if last == first or lists.order(int(slots[last - 1])) <= order:
        return last
    return bisect_right(slots, order, first, last, key=lists.order)


def without(array: Any, places: Sequence[int]) -> Any:
    """Returns an array without a few places, given in rising order; quicker than `np.delete`."""
    if not places:
        return array
    borders = zip((-1, *places), (*places, len(array)), strict=True)
    return np.concatenate([array[before + 1 : place] for before, place in borders])


def put_in(array: Any, places: Sequence[int], values: Any) -> Any:
    """Returns an array with a few values put in before places, given in rising order; quicker than `np.insert`."""
    if not places:
        return array
    parts = []
    for number, (start, place) in enumerate(pairwise((0, *places))):
        parts += [array[start:place], values[number : number + 1]]
    return np.concatenate([*parts, array[places[-1] :]])
