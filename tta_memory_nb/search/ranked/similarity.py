"""Meaning as a signal: the vectors of records, and how near records are to a question.

A record is compared by its own text and by the texts around it. A short reply ("Yes, last week!") says
little without what it replies to.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ...entry import Entry, Unreadable
from ..meaning import Lacking, Meaning
from ..query import Entries
from ..vectors import Floats as Vector
from ..vectors import Vectors, digest_of
from .lists import Floats, Ints, Lists
from .parts import leaves_of
from .scoring import Nearness
from .views import View
from .words import Word

# How much the record 1 and 2 places further counts, beside 1 for the record itself.
_AROUND = (0.25, 0.12)

# Longer texts are cut off: their vectors say little, and an encoder would read but their beginning.
MOST_EMBEDDED = 20_000

# Slots without a row: one that was not looked up yet, and one of a record without text.
_UNKNOWN, _EMPTY = -1, -2

# A shorter rest of a unit vector is only what rounding has left.
_NOTHING = 1e-3

# No cosine is larger: vectors that are kept in one byte a number may be a little longer than 1.
_MOST_COSINE = 1.05


class Similarities:
    """The vectors of the records of one index; callers hold the store's lock."""

    def __init__(self) -> None:
        # Slot -> digest of the text; 0 while nobody has looked.
        self._digests = array("Q")
        # Slot -> row in the table of vectors.
        self._rows: Ints = np.empty(0, np.int32)
        self._table: Vectors | None = None
        self._generation = 0

    def compact(self, moved: Ints, others: Iterable[int]) -> None:
        """Follows `Lists.compact`, and has the table drop what nobody needs any more.

        Args:
            moved: old slot -> new slot, or -1.
            others: digests that are needed besides those of records.
        """
        known = min(len(self._digests), len(moved))
        kept = np.flatnonzero(moved[:known] >= 0)
        digests = array("Q")
        digests.frombytes(np.array(self._digests)[kept].tobytes())
        self._rows = self._rows[: len(self._digests)][kept]
        self._digests = digests
        if self._table is not None:
            needed = {*digests, *others} - {0}
            self._table.sweep(np.fromiter(needed, np.uint64, len(needed)))

    def rows(self, lists: Lists, slots: Ints, entries: Entries, meaning: Meaning) -> Ints | None:
        """Returns the rows of records in the table of vectors; None if some have none yet.

        Args:
            lists: of the index.
            slots: of the records.
            entries: all entries of the store.
            meaning: has the table, and gets a note of each text that is missing there.
        """
        self._follow(meaning.vectors, len(lists))
        rows = self._rows[slots]
        unknown = slots[rows == _UNKNOWN]
        if not len(unknown):
            return rows
        self._look_up(lists, unknown, entries, meaning)
        return None if meaning.waiting else self._rows[slots]

    def _follow(self, table: Vectors | None, size: int) -> None:
        """Makes room for new slots, and starts over where rows have got other numbers."""
        if len(self._digests) < size:
            self._digests.frombytes(bytes(8 * (size - len(self._digests))))
        generation = 0 if table is None else table.generation
        if table is not self._table or generation != self._generation:
            self._rows = np.full(len(self._rows), _UNKNOWN, np.int32)
            self._table, self._generation = table, generation
        if len(self._rows) < size:
            grown = np.full(size + size // 2 + 64, _UNKNOWN, np.int32)
            grown[: len(self._rows)] = self._rows
            self._rows = grown

    def _look_up(self, lists: Lists, slots: Ints, entries: Entries, meaning: Meaning) -> None:
        """Finds the rows of slots; notes the texts that have none."""
        digests, rows = self._digests, self._rows
        for slot in slots.tolist():
            digest, text = digests[slot], None
            if not digest:
                text = text_of(entries.get(lists.keys[slot]))
                if not text:
                    rows[slot] = _EMPTY
                    continue
                digest = digests[slot] = digest_of(text)
            row = _UNKNOWN if meaning.vectors is None else meaning.vectors.row(digest)
            if row != _UNKNOWN:
                rows[slot] = row
                continue
            meaning.waiting += 1
            if not meaning.is_full:
                key = lists.keys[slot]
                meaning.lacks[digest] = Lacking(text or text_of(entries.get(key)), key)
            elif not meaning.is_rehearsal:
                break  # the rest is looked at when these have their vectors


def text_of(entry: Entry | None) -> str:
    """Returns the text of a record that is embedded: what it says, without people and dates."""
    if entry is None or isinstance(entry, Unreadable):
        return ""
    texts = (leaf.text for leaf in leaves_of(entry.value()) if leaf.kind == "text")
    return " ".join(" ".join(texts).split())[:MOST_EMBEDDED]


# ---- a question


def question_text(text: str, who: Iterable[str], words: Iterable[Word]) -> str:
    """Returns a question without the names of people, which say nothing about its subject.

    Args:
        text: the question.
        who: the names, in small letters and without accents.
        words: the words of the question, in their order.

    Returns:
        The text itself where it names nobody, or nothing else.
    """
    names = {part for name in who for part in name.split()}
    if not names:
        return text
    kept = [word.text for word in words if word.text not in names and not word.whole]
    return " ".join(kept) or text


def question_vector(text: str, people: Collection[str], meaning: Meaning) -> Vector | None:
    """Returns the vector of a question; None if a vector that it needs is missing.

    Where single words can be compared, the vectors of the names of few people are taken out: what is left says what is
    asked, and not of whom.

    Args:
        text: the question without names.
        people: the names of those that the records are of, if they are few.
        meaning: has vectors of questions, and gets a note of those that are missing.
    """
    vector = meaning.question(text)
    if not meaning.has_words or not people:
        return vector
    found = [meaning.question(name) for name in sorted(people)]
    if vector is None or any(each is None for each in found):
        return None
    # Gram and Schmidt: what is left of each name after those before it.
    basis: list[Vector] = []
    rest = vector
    for name in found:
        assert name is not None
        left = name - sum((each * (each @ name) for each in basis), np.zeros_like(name))
        length = float(np.linalg.norm(left))
        if length > _NOTHING:
            basis.append(left / length)
            rest = rest - basis[-1] * (basis[-1] @ rest)
    length = float(np.linalg.norm(rest))
    # Nothing is left of a question that is about a name alone.
    return (rest / length).astype(np.float32) if length > _NOTHING else vector


# ---- the signal


class Part(NamedTuple):
    """What one neighbour adds to the similarity of each record.

    Attributes:
        offset: how many places further the neighbour is; 0 for the record itself.
        factors: how much of its similarity counts, by record; 0 where there is no such neighbour.
    """

    offset: int
    factors: Floats


def parts_around(view: View, places: Ints) -> Iterator[Part]:
    """Yields what counts for the similarity of records, the record itself first.

    Args:
        view: the records that pass the filters.
        places: of the records.
    """
    yield Part(0, np.ones(len(places)))
    for distance, (weight, reach) in enumerate(zip(_AROUND, view.reach, strict=False), start=1):
        yield Part(distance, weight * reach[places])
        yield Part(-distance, weight * reach[places - distance])


def needed_places(view: View, places: Ints) -> Ints:
    """Returns the places of records and of all that count for their similarity, in rising order."""
    if len(places) == len(view):
        return np.arange(len(view), dtype=np.int32)
    reached = len(_AROUND)
    marks = np.zeros(len(view) + 2 * reached, np.bool_)
    for offset in range(2 * reached + 1):
        marks[places + offset] = True
    return np.flatnonzero(marks[reached : reached + len(view)]).astype(np.int32)


def similarity(view: View, places: Ints, near: Nearness) -> Floats:
    """Returns what the similarity with a question adds to scores, texts around included.

    Args:
        view: the records that pass the filters.
        places: of the records.
        near: has the cosines of `needed_places` at least.
    """
    total = np.zeros(len(places))
    for part in parts_around(view, places):
        total += part.factors * near.cosine(places + part.offset)
    return near.weight * total


def most_similarity(view: View, places: Ints, weight: float) -> Floats:
    """Returns what `similarity` adds to scores at most, whatever the texts say.

    Args:
        view: the records that pass the filters.
        places: of the records.
        weight: how much similar meaning counts.
    """
    total = np.zeros(len(places))
    for part in parts_around(view, places):
        total += part.factors
    return weight * _MOST_COSINE * total
