"""The records that a search is about, in the order of their sessions.

Neighbours are next to each other in a view, so all that a score takes from them is a shift of an
array. A view holds exactly the records that pass the filters, and statistics count these alone: a
filtered search ranks as a memory would that held nothing else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .lists import Column, Floats, Ints, Lists
from .reach import FARTHEST, Reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of so many new records at most, each is put into its place; more of them are sorted.
_FEW = 64
# For so many changes at most, moving all places once for each is quicker than writing the new places by slot.
_FEW_MOVES = 4
# Numbers of sessions take two bytes as long as none is larger.
_MOST_NARROW = (1 << 16) - 1

# More people are not few, see `View.few_people`.
_FEW_PEOPLE = 8
# Of so many people, each is looked up; of more of them, all at once.
_FEW_LOOKS = 64


class View:
    """Records in the order of sessions, and of creation in each. It never changes.

    Args:
        lists: what is known of all records.
        slots: the slots of the records, in that order.

    Attributes:
        slots: the slots, by place.
        places: slot -> place, or -1.
        sessions: place -> number of the session in this view, rising from 0.
        lengths: place -> number of words.
        keys: slot -> key.
    """

    def __init__(self, lists: Lists, slots: Ints) -> None:
        self._lists = lists
        self.keys = lists.keys
        self.slots = slots
        self.places = np.full(len(lists), -1, np.int32)
        self.places[slots] = np.arange(len(slots), dtype=np.int32)
        self.lengths = lists.raw("lengths", slots)
        self.sessions: NDArray[Any] = np.empty(0, np.uint16)
        self._number_sessions(0)

    def _number_sessions(self, first: int) -> None:
        """Numbers the sessions of the places from one on; those before have their numbers."""
        known = self.sessions[:first]
        numbers = self._lists.raw("sessions", self.slots[max(0, first - 1) :])
        if not first:
            # The first record begins a session of number 0, as if another one was before it.
            numbers = np.concatenate((numbers[:1], numbers))
        last = int(known[-1]) if first else 0
        following = np.cumsum(numbers[1:] != numbers[:-1], dtype=np.int32)
        following += np.int32(last)
        most = int(following[-1]) if len(following) else last
        narrow = np.uint16 if most <= _MOST_NARROW else np.int32
        self.sessions = np.concatenate((known.astype(narrow), following.astype(narrow)))

    @cached_property
    def reach(self) -> list[Reach]:
        """How much of the records 1, 2 and 3 places further reaches a record, and the other way round.

        That is nothing across sessions, all for the next record, and less for those behind it, the more words lie between.
        """
        return [Reach(distance, self.sessions, self.lengths) for distance in range(1, FARTHEST + 1)]

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
        # A number of the same type: of another one, the whole array would be converted.
        first = int(np.searchsorted(self.sessions, self.sessions.dtype.type(session)))
        if first == len(self):
            return np.zeros(0)
        theirs = self.sessions[first:]
        begins = np.concatenate(([0], np.flatnonzero(theirs[1:] != theirs[:-1]) + 1))
        return np.add.reduceat(self.lengths[first:], begins, dtype=np.float64)

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
        ordered = sorted(new, key=lambda slot: (lists.sessions[slot], *lists.order(slot)))
        at = [_place_of(lists, slot, slots) for slot in ordered]
        return self._spliced(left, at, np.array(ordered, np.int32))

    def _spliced(self, left: Sequence[int], at: Sequence[int], slots: Ints) -> View:
        """Returns a view without some places, and with some slots put in.

        Args:
            left: the places that are left out, in rising order.
            at: the places before which slots are put in, once those are left out, in rising order.
            slots: as many slots.
        """
        lists, view = self._lists, View.__new__(View)
        view._lists, view.keys = lists, lists.keys

        def spliced(array: Any, values: Any) -> Any:
            return put_in(without(array, left), at, values)

        lengths = lists.raw("lengths", slots)
        view.slots = spliced(self.slots, slots)
        view.lengths = spliced(self.lengths, lengths)
        view._words = self._words + int(lengths.sum()) - int(self.lengths[left].sum())
        put = [place + number for number, place in enumerate(at)]
        first = min([*left[:1], *put[:1]], default=len(self))
        view._place(self, left, at, first)
        view.places[slots] = put
        view.sessions = spliced(self.sessions, np.zeros(len(slots), self.sessions.dtype))
        is_numbered = self._has_session_without(left) and view._joins_session(put)
        if not is_numbered:
            view._number_sessions(first)
        if "session_lengths" in self.__dict__:
            if is_numbered:
                # Sums of integers are exact.
                sums = self.session_lengths.copy()
                np.subtract.at(sums, self.sessions[left], self.lengths[left])
                np.add.at(sums, view.sessions[put], lengths)
            else:
                session = int(view.sessions[first - 1]) if first else 0
                kept = self.session_lengths[:session]
                sums = np.concatenate((kept, view._session_lengths_from(session)))
            view.session_lengths = sums
        return view

    def _place(self, before: View, left: Sequence[int], at: Sequence[int], first: int) -> None:
        """Sets `places` but for the slots that were put in; see `_spliced`.

        Args:
            before: the view before the changes.
            left: the places that are left out.
            at: the places before which slots are put in.
            first: the first place that differs.
        """
        self.places = np.empty(len(self._lists), np.int32)
        known, unknown = np.split(self.places, (len(before.places),))
        unknown[:] = -1
        if len(at) == 1 and not left:  # by far the most frequent change, in one pass
            np.add(before.places, before.places >= at[0], out=known)
            return
        known[:] = before.places
        known[before.slots[left]] = -1
        if len(left) + len(at) > _FEW_MOVES:
            self.places[self.slots[first:]] = np.arange(first, len(self), dtype=np.int32)
            return
        for place in reversed(left):
            known -= known > place
        for place in reversed(at):
            known += known >= place

    def _has_session_without(self, left: Sequence[int]) -> bool:
        """Returns whether each of some places has a neighbour in its session that is none of them."""
        gone, sessions = set(left), self.sessions
        return all(
            any(
                0 <= other < len(self) and other not in gone and sessions[other] == sessions[place]
                for other in (place - 1, place + 1)
            )
            for place in left
        )

    def _joins_session(self, put: Sequence[int]) -> bool:
        """Gives places that were put in, in rising order, the session of the place before; returns False if one has another."""
        numbers = self._lists.sessions
        for place in put:
            if not place or numbers[self.slots[place]] != numbers[self.slots[place - 1]]:
                return False
            self.sessions[place] = self.sessions[place - 1]
        return True

    @cached_property
    def few_people(self) -> list[str]:
        """The names of those that the records are of; none if they are more than eight."""
        people = self._lists.people
        found: list[str] = []
        for name in islice(people, _FEW_LOOKS):
            if (self.places[people.read(name)[0]] >= 0).any():
                found.append(name)
                if len(found) > _FEW_PEOPLE:
                    return []
        if len(people) > _FEW_LOOKS:
            found = people.among(self.places)
        return found if len(found) <= _FEW_PEOPLE else []

    def column(self, name: Column, places: NDArray[np.integer[Any]]) -> Floats:
        """Returns a column of numbers of `Lists` for some places."""
        return self._lists.column(name, self.slots[places])

    def key(self, place: int) -> str:
        """Returns the key of the record at a place."""
        return self.keys[int(self.slots[place])]


def sorted_view(lists: Lists, slots: Ints) -> View:
    """Returns a view of slots in any order."""
    created, writes = lists.raw("created", slots), lists.raw("writes", slots)
    sessions = lists.raw("sessions", slots)
    rises = created[1:] > created[:-1]
    rises |= (created[1:] == created[:-1]) & (writes[1:] > writes[:-1])
    if not rises.all():
        return View(lists, slots[np.lexsort((writes, created, sessions))])
    # Slots are mostly in this order. Then sorting by sessions takes less time and memory, if it is needed at all.
    del created, writes, rises
    if (sessions[1:] < sessions[:-1]).any():
        slots = slots[np.argsort(sessions, kind="stable")]
    return View(lists, slots)


def _place_of(lists: Lists, slot: int, slots: Ints) -> int:
    """Returns the place at which a slot has to be put into others."""
    numbers = lists.sessions
    order = numbers[slot], *lists.order(slot)
    return bisect_right(slots, order, key=lambda other: (numbers[other], *lists.order(other)))


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
