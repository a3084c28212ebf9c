"""Soft words: words of a memory whose meaning is near to that of a word of a question.

They need an embedder whose vectors of single words can be compared.
"""

from __future__ import annotations

from itertools import count, islice
from typing import NamedTuple

import numpy as np

from ..meaning import Lacking, Meaning
from ..vectors import Floats as Vector
from ..vectors import Vectors, digest_of
from .lists import Ints, Lists
from .scoring import Statistics

# Words that are less similar than this are no alternative to each other.
_LEAST = 0.45

# Digits of a cosine that do not depend on how it was worked out.
_DIGITS = 5

# So many alternatives of a word are looked for.
_WORDS = 8

# No word of any language is longer, but a record may have a run of letters of any length.
_LONGEST = 64

# So many words of questions are kept with the terms near to them.
_KEPT = 1024


class Near(NamedTuple):
    """A term of the memory that is near to a word of a question.

    Attributes:
        term: the term.
        cosine: how near, from 0.45 to 1.
    """

    term: str
    cosine: float

    @property
    def share(self) -> float:
        """How near it is, from 0 for a word that is just near enough to 1."""
        return (self.cosine - _LEAST) / (1 - _LEAST)


class _Compared(NamedTuple):
    """A word of a question, compared with the vocabulary.

    All terms that are near enough are kept, since some of them may be in no record of the next view.

    Attributes:
        size: so many words of the vocabulary were compared.
        numbers: those of the terms that are near, the nearest first.
        cosines: how near each is.
    """

    size: int
    numbers: Ints
    cosines: Vector


_NOT_COMPARED = _Compared(0, np.empty(0, np.int32), np.empty(0, np.float32))


class SoftWords:
    """The vectors of the vocabulary of one index; callers hold the store's lock."""

    def __init__(self) -> None:
        self._start_over(None)

    def _start_over(self, table: Vectors | None) -> None:
        self._table = table
        self._generation = 0 if table is None else table.generation
        self._terms: list[str] = []
        self._digests: list[int] = []
        self._vectors: Vector = np.empty((0, 0 if table is None else table.identity[2]), np.float32)
        # Terms of the lists that were looked at, those included that are no words.
        self._seen = 0
        # So many times a term that was known had got a shorter form by then.
        self._seen_shortened = 0
        self._near: dict[str, _Compared] = {}

    def digests(self) -> list[int]:
        """Returns the digests of the words whose vectors it uses."""
        return self._digests

    def near(
        self, words: dict[str, str], statistics: Statistics, meaning: Meaning
    ) -> dict[str, list[Near]]:
        """Returns the terms of a view that are near to words of a question, the nearest first.

        Args:
            words: term of the question -> the word as it is written there.
            statistics: of the view.
            meaning: has the vectors, and gets a note of those that are missing; then the answer
                is not complete.
        """
        table = meaning.vectors
        if table is None or not self._learn(statistics.lists, table, meaning):
            for word in words.values():
                meaning.question(word)
            return {}
        if len(self._near) > _KEPT:
            self._near.clear()
        asked: dict[str, Vector] = {}
        size = len(self._terms)
        for word in words.values():
            vector = meaning.question(word)
            kept = self._near.get(word)
            if vector is not None and (kept is None or kept.size < size):
                asked[word] = vector
        if not meaning.is_complete:
            return {}
        if asked:
            self._compare(asked)
        return {term: self._nearest(word, statistics) for term, word in words.items()}

    def _nearest(self, word: str, statistics: Statistics) -> list[Near]:
        """Returns the terms of a view that are nearest to a word."""
        compared = self._near[word]
        found: list[Near] = []
        for number, cosine in zip(compared.numbers, compared.cosines, strict=True):
            term = self._terms[int(number)]
            if statistics.records_of(term):
                found.append(Near(term, float(cosine)))
                # One more: the word itself is among its own neighbours.
                if len(found) > _WORDS:
                    break
        return found

    def _compare(self, asked: dict[str, Vector]) -> None:
        """Compares words with the part of the vocabulary that they were not compared with yet."""
        size = len(self._terms)
        befores = {word: self._near.get(word, _NOT_COMPARED) for word in asked}
        first = min(before.size for before in befores.values())
        # Rounded, since BLAS adds up in another order where there are more words.
        cosines = np.round(self._vectors[first:size] @ np.stack(list(asked.values())).T, _DIGITS)
        for column, (word, before) in enumerate(befores.items()):
            new = cosines[before.size - first :, column]
            close = np.flatnonzero(new >= _LEAST)
            numbers = np.concatenate((before.numbers, (close + before.size).astype(np.int32)))
            both = np.concatenate((before.cosines, np.minimum(new[close], np.float32(1))))
            terms = [self._terms[number] for number in numbers.tolist()]
            # Words can be equally near, and their numbers depend on who wrote first.
            order = sorted(range(len(terms)), key=lambda at: (-both[at], terms[at]))
            self._near[word] = _Compared(size, numbers[order], both[order])

    def _learn(self, lists: Lists, table: Vectors, meaning: Meaning) -> bool:
        """Takes in new terms of the vocabulary, and terms that have got another form; returns whether all of them have vectors."""
        if table is not self._table or table.generation != self._generation:
            self._start_over(table)
        shortened = lists.words.shortened
        if self._seen == len(lists.terms) and self._seen_shortened == len(shortened):
            return True
        size = len(self._terms)
        places: dict[str, int] = {}
        if size and self._seen_shortened < len(shortened):
            place_of = dict(zip(self._terms, range(size), strict=True))
            again = dict.fromkeys(shortened[self._seen_shortened :])
            places = {term: place_of[term] for term in again if term in place_of}
        new = filter(is_word, islice(lists.terms, self._seen, None))
        places |= zip(new, count(size))
        digests = [digest_of(form) for form in map(lists.words.form_of, places)]
        rows = table.rows(digests)
        for term, digest, row in zip(places, digests, rows.tolist(), strict=True):
            if row < 0:
                meaning.waiting += 1
                if not meaning.is_full:
                    meaning.lacks[digest] = Lacking(lists.words.form_of(term))
        if (rows < 0).any():
            return False
        codes, scales = table.quantized_rows(rows)
        at = np.fromiter(places.values(), np.intp, len(places))
        if places and at[-1] >= len(self._vectors):
            grown = np.empty((at[-1] + at[-1] // 2 + 64, self._vectors.shape[1]), np.float32)
            grown[:size] = self._vectors[:size]
            self._vectors = grown
        self._vectors[at] = codes * scales[:, None]
        for term, place, digest in zip(places, at.tolist(), digests, strict=True):
            if place < size:
                self._digests[place] = digest
                self._near.clear()
            else:
                self._terms.append(term)
                self._digests.append(digest)
        self._seen, self._seen_shortened = len(lists.terms), len(shortened)
        return True


def is_word(term: str) -> bool:
    """Whether a term is a word, as opposed to a number, an identifier, or a part of a word."""
    return 1 < len(term) <= _LONGEST and term.isalpha()
