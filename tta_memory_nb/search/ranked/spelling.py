"""Words of a memory that are spelt like a word that it does not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from typing import Protocol

_SHORTEST, _LONGEST = 4, 40
# From so many letters on, two mistakes are corrected.
_TWO_MISTAKES = 8
# So many trigrams of a word differ at most after one mistake.
_TRIGRAMS_OF_A_MISTAKE = 4
# Of the words that are about as long, so many that share most trigrams are compared.
_COMPARED = 128


class Terms(Iterable[str], Sized, Protocol):
    """The terms of a memory, to which more may be added at the end."""


class Spelling:
    """Finds the words that are nearest to an unknown one.

    Args:
        terms: the terms of a memory.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._seen = 0
        self._having: dict[str, list[str]] = {}

    def nearest(self, term: str, records: Callable[[str], int]) -> str | None:
        """Returns the known term that an unknown one was probably meant to be.

        A term is near at one mistake (a letter too many, too few, another or two exchanged), and at
        two from 8 letters on. Of equally near ones the more frequent is meant.

        Args:
            term: the unknown term.
            records: returns how many records have a term.

        Returns:
            None when no term is near.
        """
        most = most_mistakes(term)
        if not most:
            return None
        self._catch_up()
        shared: Counter[str] = Counter()
        trigrams = set(_trigrams(term))
        for trigram in trigrams:
            shared.update(self._having.get(trigram, ()))
        least = max(1, len(trigrams) - _TRIGRAMS_OF_A_MISTAKE * most)
        likely = [
            (-count, candidate)
            for candidate, count in shared.items()
            if count >= least and abs(len(candidate) - len(term)) <= most
        ]
        return nearest_of(term, [each for _, each in sorted(likely)[:_COMPARED]], records)

    def _catch_up(self) -> None:
        for term in islice(self._terms, self._seen, None):
            if _SHORTEST - 1 <= len(term) <= _LONGEST and term.isalpha():
                for trigram in set(_trigrams(term)):
                    self._having.setdefault(trigram, []).append(term)
        self._seen = len(self._terms)


def most_mistakes(term: str) -> int:
    """Returns how many mistakes of an unknown term are corrected; 0 for one that is no word, too short or too long."""
    if not _SHORTEST <= len(term) <= _LONGEST or not term.isalpha():
        return 0
    return 2 if len(term) >= _TWO_MISTAKES else 1


def nearest_of(term: str, candidates: Iterable[str], records: Callable[[str], int]) -> str | None:
    """Returns which of some known terms an unknown one was probably meant to be; None if none is near.

    Args:
        term: the unknown term.
        candidates: the known ones.
        records: returns how many records have a term.
    """
    most = most_mistakes(term)
    best: tuple[int, int, str] | None = None
    for candidate in candidates:
        mistakes = mistakes_between(term, candidate, most)
        if candidate.endswith("i") and term.endswith("y"):
            # The stem of "balcony" is "balconi", and that of a misspelt one is often the word itself.
            mistakes = min(mistakes, mistakes_between(term, f"{candidate[:-1]}y", most))
        if mistakes > most or not (count := records(candidate)):
            continue
        rank = (mistakes, -count, candidate)
        best = rank if best is None else min(best, rank)
    return None if best is None else best[2]


def _trigrams(term: str) -> Iterator[str]:
    padded = f"^{term}$"
    return (padded[at : at + 3] for at in range(len(padded) - 2))


def mistakes_between(one: str, other: str, most: int) -> int:
    """Returns by how many mistakes two words differ, counted up to ``most`` + 1.

    Mistakes are those of F. Damerau, "A technique for computer detection and correction of spelling
    errors", Communications of the ACM 7 (1964), none of them inside another.
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    # Rows of the table of distances: two ago, the last one, and the one that is filled.
    earlier: list[int] = []
    last = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        row = [number]
        for at, counterpart in enumerate(other, 1):
            cost = min(last[at] + 1, row[at - 1] + 1, last[at - 1] + (letter != counterpart))
            exchanged = number > 1 and at > 1 and letter == other[at - 2]
            if exchanged and one[number - 2] == counterpart:
                cost = min(cost, earlier[at - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        earlier, last = last, row
    return last[-1]
