"""Which records have which terms, kept up to date record by record.

A record has a slot, and slots are numbered in the order in which records were indexed. A slot is
never given twice: a record that is overwritten gets another one. When a quarter of the slots is
dead, the lists are copied without them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...entry import Entry
from .parts import Reader, created_at
from .postings import Postings
from .slots import Slots
from .spelling import Spelling
from .words import Words

Ints: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float64]

Column: TypeAlias = Literal["writes", "created", "days", "temporal"]
"""The columns of `Lists` that rankings read. All their numbers are exact as floats."""

# Slots are copied without the dead ones when there are more of these than a quarter, and than so many.
_FEW_DEAD = 256

# Room is made for a sixteenth more records, and for so many at least.
_LEAST_ROOM = 64
_COLUMNS = ("writes", "recency", "created", "lengths", "days", "temporal", "sessions")

MOST_FIELDS = 10_000
"""So many names of fields are known at most."""


def _is_of(owner: str, user: str | None, session: str | None) -> bool:
    own_user, _, own_session = owner.partition(":")
    return user in (None, own_user) and session in (None, own_session)


class Lists:
    """What the index knows of the records.

    Args:
        words: finds the terms of texts.

    Attributes:
        terms: term -> the records whose texts have it.
        people: words of a name, joined by spaces -> the records that have the name as a facet.
        fields: the names of fields, in small letters.
        slots: key -> slot, of the slots that are alive.
        keys: slot -> key.
        writes: slot -> the number of the write that made the record.
        recency: slot -> place in the order of use, as it was seen last.
        created: slot -> Unix seconds.
        lengths: slot -> number of words.
        days: slot -> days since 1970.
        temporal: slot -> whether the text has a temporal expression.
        sessions: slot -> number of the session.
    """

    def __init__(self, words: Words) -> None:
        self.words = words
        self.terms = Postings()
        self.people = Postings()
        self.fields: set[str] = set()
        self.keys: list[str] = []
        self.slots = Slots(self.keys)
        # As narrow as most numbers are; `_widen` makes the column of a larger one wider.
        self.writes = array("I")
        self.recency = array("I")
        self.created = array("d")
        self.lengths = array("H")
        self.days = array("h")
        self.temporal = array("b")
        self.sessions = array("H")
        # So many slots are taken, of those that the keys and the columns have room for.
        self._size = self._room = 0
        # The beginning of a key, with its user and session -> number.
        self._session_of: dict[str, int] = {}
        self._last_session = 0
        self._spelling: Spelling | None = None
        self._names_with: dict[str, list[str]] = {}
        self._reader = Reader(words)

    def __len__(self) -> int:
        return self._size

    @property
    def needs_compaction(self) -> bool:
        """Whether so many slots are dead that copying the others pays."""
        dead = len(self) - len(self.slots)
        return dead > _FEW_DEAD and dead * 4 > len(self)

    def add(self, entry: Entry) -> int:
        """Indexes a record; returns its slot."""
        slot = len(self)
        parts = self._reader.read(entry)
        if len(self.fields) < MOST_FIELDS:
            self.fields.update(map(str.lower, islice(parts.fields, MOST_FIELDS)))
        if slot == self._room:
            self._make_room(max(_LEAST_ROOM, slot >> 4))
        self.keys[slot] = entry.key
        self.created[slot] = created_at(entry)
        self.temporal[slot] = parts.temporal
        session = self._session(*parts.owner)
        try:
            self.writes[slot] = entry._write_seq
            self.recency[slot] = entry._recency
            self.lengths[slot] = parts.length
            self.days[slot] = parts.day
            self.sessions[slot] = session
        except OverflowError:
            self._widen("writes", slot, entry._write_seq)
            self._widen("recency", slot, entry._recency)
            self._widen("lengths", slot, parts.length)
            self._widen("days", slot, parts.day)
            self._widen("sessions", slot, session)
        self.terms.add(slot, parts.counts)
        for person in parts.people:
            if " " in person and person not in self.people:
                for part in person.split():
                    self._names_with.setdefault(part, []).append(person)
        self.people.add(slot, dict.fromkeys(parts.people, 1))
        self._size += 1
        self.slots.put(slot)
        return slot

    def reserve(self, records: int) -> None:
        """Makes room for so many records that are about to be added. What grows bit by bit leaves holes in the memory of the process."""
        self.slots.reserve(records)
        self._make_room(records)

    def _make_room(self, records: int) -> None:
        """Makes room for so many more records in the columns; the table of slots doubles when it is full, and not for one more record."""
        self._room += records
        self.keys += [""] * records
        for name in _COLUMNS:
            column = getattr(self, name)
            more = array(column.typecode, (0,)) * records
            if len(column):
                column.extend(more)
            else:
                setattr(self, name, more)

    def _widen(self, name: str, slot: int, number: int) -> None:
        """Writes a number into a column, which gets wider if it has to."""
        column: array[int] = getattr(self, name)
        try:
            column[slot] = number
        except OverflowError:
            fits = column.typecode != "I" and -(1 << 31) <= number < 1 << 31
            column = array("i" if fits else "q", column)
            column[slot] = number
            setattr(self, name, column)

    def use(self, slot: int, recency: int) -> None:
        """Notes the place of a record in the order of use."""
        try:
            self.recency[slot] = recency
        except OverflowError:
            self._widen("recency", slot, recency)

    def used_before(self, recency: int) -> list[str]:
        """Returns the keys of the records that were used last before a place in the order of use."""
        slots = np.flatnonzero(self._whole("recency") < recency)
        return [self.keys[slot] for slot in slots.tolist()]

    def _whole(self, name: str) -> NDArray[Any]:
        """Returns a copy of a column. While a view of an array lives, the array cannot grow."""
        return np.array(getattr(self, name)[: len(self)])

    def _session(self, user: str, session: str) -> int:
        """Returns the number of a session; a record without one has a session to itself."""
        if not user:
            self._last_session += 1
            return self._last_session
        owner = f"{user}:{session}"
        number = self._session_of.get(owner)
        if number is None:
            self._last_session += 1
            number = self._session_of[owner] = self._last_session
        return number

    def are_of(
        self, user: str | None, session: str | None, slots: NDArray[np.integer[Any]]
    ) -> NDArray[np.bool_]:
        """Returns for some slots whether they are of a user, of a session, or of both; None for any."""
        numbers = [
            number for owner, number in self._session_of.items() if _is_of(owner, user, session)
        ]
        return np.isin(self.raw("sessions", slots), numbers)

    def names_with(self, part: str) -> list[str]:
        """Returns the names of several words that have a word."""
        names = self._names_with.get(part)
        return [name for name in names if name in self.people] if names else []

    def pairs_with(self, character: str) -> list[str]:
        """Returns the pairs of characters of unspaced scripts that have a character."""
        return [term for term in self.terms if len(term) == 2 and character in term]

    def spelt_like(self, term: str, records_of: Callable[[str], int]) -> str | None:
        """Returns the known term that an unknown one was probably meant to be; see `Spelling`."""
        if self._spelling is None:
            self._spelling = Spelling(self.terms)
        return self._spelling.nearest(term, records_of)

    def settle(self) -> None:
        """Prepares the lists for searches after records were added."""
        self.terms.settle()
        self.people.settle()

    def compact(self) -> Ints:
        """Copies everything without the dead slots; returns for each slot the new one, or -1."""
        self._spelling = None
        alive = self.slots.all()
        moved = np.full(len(self), -1, np.int32)
        moved[alive] = np.arange(len(alive), dtype=np.int32)
        self.terms = self.terms.compacted(moved)
        self.people = self.people.compacted(moved)
        keys = self.keys
        self.keys = [keys[slot] for slot in alive]
        self.slots = Slots(self.keys, len(alive))
        for name in _COLUMNS:
            column = getattr(self, name)
            copied = array(column.typecode)
            copied.frombytes(np.array(column)[alive].tobytes())
            setattr(self, name, copied)
        self._size = self._room = len(alive)
        used = set(self.sessions)
        self._session_of = {
            owner: number for owner, number in self._session_of.items() if number in used
        }
        return moved

    def column(self, name: Column, slots: NDArray[np.integer[Any]]) -> Floats:
        """Returns a column of numbers for some slots."""
        return self.raw(name, slots).astype(np.float64)

    def raw(
        self, name: Column | Literal["lengths", "sessions"], slots: NDArray[np.integer[Any]]
    ) -> NDArray[Any]:
        """Returns a column of numbers for some slots, as narrow as it is kept."""
        values: NDArray[Any] = np.asarray(memoryview(getattr(self, name)))[slots]
        return values

    def order(self, slot: int) -> tuple[float, int]:
        """Returns what records of a session are sorted by: when they were created, then written."""
        return self.created[slot], self.writes[slot]

    def kill(self, keys: Iterable[str]) -> list[int]:
        """Forgets records; returns their slots."""
        return [slot for key in keys if (slot := self.slots.remove(key)) is not None]
