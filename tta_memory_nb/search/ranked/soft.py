"""Soft words: words of a memory whose meaning is near to that of a word of a question.

They need an embedder whose vectors of single words can be compared.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

import numpy as np

from ..meaning import Lacking, Meaning
from ..vectors import Floats as Vector
from ..vectors import Vectors, digest_of
from .lists import Lists

# Words that are less similar than this are no alternative to each other.
_LEAST = 0.45

# So many alternatives of a word are looked for.
_WORDS = 8

# No word of any language is longer, but a record may have a run of letters of any length.
_LONGEST = 64

# So many words of questions are kept with their alternatives.
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
        # A word of a question -> how much of the vocabulary was compared with it, and what is near.
        self._near: dict[str, tuple[int, list[Near]]] = {}

    def digests(self) -> list[int]:
        """Returns the digests of the words whose vectors it uses."""
        return self._digests

    def near(self, words: dict[str, str], lists: Lists, meaning: Meaning) -> dict[str, list[Near]]:
        """Returns the terms that are near to words of a question, the nearest first.

        Args:
            words: term of the question -> the word as it is written there.
            lists: of the index.
            meaning: has the vectors, and gets a note of those that are missing; then the answer
                is not complete.
        """
        table = meaning.vectors
        if table is None or not self._learn(lists, table, meaning):
            for word in words.values():
                meaning.question(word)
            return {}
        found: dict[str, list[Near]] = {}
        asked: dict[str, Vector] = {}
        size = len(self._terms)
        for term, word in words.items():
            vector = meaning.question(word)
            kept = self._near.get(word)
            if kept is not None and kept[0] == size:
                found[term] = kept[1]
            elif vector is not None:
                asked[term] = vector
        if not asked or not meaning.is_complete:
            return found
        self._compare({words[term]: vector for term, vector in asked.items()})
        return found | {term: self._near[words[term]][1] for term in asked}

    def _compare(self, asked: dict[str, Vector]) -> None:
        """Compares words with the part of the vocabulary that they were not compared with yet."""
        size = len(self._terms)
        if len(self._near) > _KEPT:
            self._near.clear()
        befores = {word: self._near.get(word, (0, [])) for word in asked}
        first = min(start for start, _ in befores.values())
        cosines = self._vectors[first:size] @ np.stack(list(asked.values())).T
        for column, word in enumerate(asked):
            start, near = befores[word]
            new = cosines[start - first :, column]
            close = np.flatnonzero(new >= _LEAST)
            near = near + [
                Near(self._terms[start + place], min(1.0, float(new[place])))
                for place in close.tolist()
            ]
            near.sort(key=lambda each: -each.cosine)
            # One more: the word itself is among its own neighbours.
            self._near[word] = size, near[: _WORDS + 1]

    def _learn(self, lists: Lists, table: Vectors, meaning: Meaning) -> bool:
        """Takes in new terms of the vocabulary; returns whether all of them have vectors."""
        if table is not self._table or table.generation != self._generation:
            self._start_over(table)
        if self._seen == len(lists.terms):
            return True
        new = list(islice(lists.terms, self._seen, None))
        words = [(term, lists.words.form_of(term)) for term in new if is_word(term)]
        digests = [digest_of(form) for _, form in words]
        rows = table.rows(digests)
        for place in np.flatnonzero(rows < 0).tolist():
            meaning.waiting += 1
            if not meaning.is_full:
                meaning.lacks[digests[place]] = Lacking(words[place][1])
        if (rows < 0).any():
            return False
        codes, scales = table.quantized_rows(rows)
        size, count = len(self._terms), len(self._terms) + len(words)
        if count > len(self._vectors):
            grown = np.empty((count + count // 2 + 64, self._vectors.shape[1]), np.float32)
            grown[:size] = self._vectors[:size]
            self._vectors = grown
        np.multiply(codes, scales[:, None], out=self._vectors[size:count])
        self._terms += [term for term, _ in words]
        self._digests += digests
        self._seen = len(lists.terms)
        return True


def is_word(term: str) -> bool:
    """Whether a term is a word, as opposed to a number, an identifier, or a part of a word."""
    return 1 < len(term) <= _LONGEST and term.isalpha()
