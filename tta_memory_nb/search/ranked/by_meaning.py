"""The modes ``"semantic"`` and ``"hybrid"``: rankings with similarity of vectors as a signal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..meaning import Meaning
from ..options import SearchWeights
from ..query import Entries
from ..request import SearchMode, Signal
from ..vectors import Floats as Vector
from .best import rank_best
from .lists import Floats, Ints
from .question import MOST_TERMS, Question, Term, Variant
from .scoring import Nearness, Ranking, Row, Statistics, rank
from .similarity import (
    Similarities,
    most_similarity,
    needed_places,
    question_text,
    question_vector,
    similarity,
)
from .soft import Near, SoftWords

if TYPE_CHECKING:
    from numpy.typing import NDArray

# So many of the best by words are compared with the question. More of them find nothing better.
_CANDIDATES = 300

# So many of the best by vectors are candidates as well.
_BEST = 100

# In so small a memory, looking at all vectors costs nothing.
_SMALL = 2000

# In memories of more records, similar meaning counts less: more strangers are similar by chance.
_SIZE = 1000


class ByMeaning:
    """What one index knows of meaning; callers hold the store's lock."""

    def __init__(self) -> None:
        self._similarities = Similarities()
        self._soft = SoftWords()

    def compact(self, moved: Ints) -> None:
        """Follows `Lists.compact`.

        Args:
            moved: old slot -> new slot, or -1.
        """
        self._similarities.compact(moved, self._soft.digests())
        # Lists drop terms when they are copied, so the vocabulary is read again.
        self._soft = SoftWords()

    def rank(
        self,
        mode: SearchMode,
        statistics: Statistics,
        question: Question,
        weights: SearchWeights,
        allowed: NDArray[np.bool_] | None,
        entries: Entries,
        meaning: Meaning,
        limit: int | None,
    ) -> Ranking:
        """Scores the records of a view, or none at all if vectors are missing.

        Args:
            mode: ``"semantic"`` or ``"hybrid"``.
            statistics: of the view.
            question: what is asked.
            weights: how much each signal counts.
            allowed: place -> whether a record may answer; None for all.
            entries: all entries of the store.
            meaning: has the vectors, and gets notes of those that are missing.
            limit: how many of the best are wanted; None for all.
        """
        asked = _Asked(self._similarities, statistics, question, entries, meaning)
        if meaning.is_rehearsal:
            asked.cosines(asked.everywhere)
            if meaning.has_words:
                self._soft.near({}, statistics, meaning)
            return asked.nothing()
        if not question.said.strip():
            # It only demands something, or is no question at all: there is nothing to compare.
            return rank(statistics, question, weights, allowed)
        near: dict[str, list[Near]] = {}
        terms = _looked_for(statistics, question)
        if mode == "hybrid" and meaning.has_words:
            words = {stem: term.asked for stem, term in terms.items()}
            near = self._soft.near(words, statistics, meaning)
        if not asked.is_understood() or not meaning.is_complete:
            return asked.nothing()
        if mode == "semantic":
            return asked.semantic(question, weights, allowed)
        softened = _softened(statistics, terms, near, weights.soft)
        return asked.hybrid(replace(question, terms=softened), weights, allowed, limit)


def _looked_for(statistics: Statistics, question: Question) -> dict[str, Term]:
    """Returns the terms of a question by their stems, those included that no record has."""
    terms = {term.variants[0].term: term for term in question.terms}
    for word in question.reading.unknown[:MOST_TERMS]:
        stem = statistics.lists.words.terms(word)[0]
        terms.setdefault(stem, Term(word, (Variant(stem),)))
    return terms


def _softened(
    statistics: Statistics, terms: dict[str, Term], near: dict[str, list[Near]], weight: float
) -> list[Term]:
    """Returns terms with words of similar meaning as variants; those that no record has are left out."""
    found = []
    for stem, term in terms.items():
        own = {variant.term for variant in term.variants} | terms.keys()
        rarity = statistics.rarity(statistics.records_of(stem))
        variants = list(term.variants)
        for each in near.get(stem, ()):
            if each.term not in own:
                rarer = rarity / statistics.rarity(statistics.records_of(each.term))
                factor = weight * each.share * min(1.0, rarer)
                variants.append(Variant(each.term, factor, "soft words"))
        if any(statistics.records_of(variant.term) for variant in variants):
            found.append(Term(term.asked, tuple(variants)))
    return found


class _Asked:
    """One question with what it takes to compare records with it."""

    def __init__(
        self,
        similarities: Similarities,
        statistics: Statistics,
        question: Question,
        entries: Entries,
        meaning: Meaning,
    ) -> None:
        self._similarities = similarities
        self._statistics = statistics
        self._question = question
        self._entries = entries
        self._meaning = meaning
        self._view = statistics.view
        self._vector: Vector | None = None

    @property
    def everywhere(self) -> Ints:
        """All places of the view."""
        return np.arange(len(self._view), dtype=np.int32)

    def is_understood(self) -> bool:
        """Returns whether the question has a vector; if not, that is noted."""
        lists, question = self._statistics.lists, self._question
        text = question_text(question.said, question.who, lists.words.of(question.said))
        self._vector = question_vector(text, self._view.few_people, self._meaning)
        return self._vector is not None

    def nothing(self) -> Ranking:
        """Returns a ranking of no record."""
        empty = np.empty(0)
        rows = [Row(np.empty(0, np.int32), empty)] * len(self._question.terms)
        weights = SearchWeights()
        return Ranking(self._view, self._question, weights, rows, np.empty(0, np.int32), {}, empty)

    def cosines(self, places: Ints) -> Floats | None:
        """Returns the cosines of records with the question; None if vectors are missing."""
        meaning, lists = self._meaning, self._statistics.lists
        rows = self._similarities.rows(lists, self._view.slots[places], self._entries, meaning)
        if rows is None or meaning.vectors is None or self._vector is None:
            return None
        return meaning.vectors.similarities(rows, self._vector)

    def nearness(self, places: Ints, weight: float) -> Nearness | None:
        """Returns how near records are to the question; None if vectors are missing."""
        known = needed_places(self._view, places)
        cosines = self.cosines(known)
        return None if cosines is None else Nearness(known, cosines, weight)

    def semantic(
        self, question: Question, weights: SearchWeights, allowed: NDArray[np.bool_] | None
    ) -> Ranking:
        """Ranks all records by similarity."""
        found = self.everywhere if allowed is None else np.flatnonzero(allowed).astype(np.int32)
        near = self.nearness(found, 1.0)
        if near is None or not len(found):
            return self.nothing()
        who = np.zeros(len(self._view))
        for name in question.who:
            who[self._statistics.person(name)] = weights.who_semantic
        signals: dict[Signal, Floats] = {
            "who": who[found],
            "meaning": similarity(self._view, found, near),
        }
        rows = self.nothing().rows
        scores = signals["who"] + signals["meaning"]
        ranking = Ranking(self._view, question, weights, rows, found, signals, scores, near)
        return ranking.of(np.flatnonzero(scores > 0))

    def hybrid(
        self,
        question: Question,
        weights: SearchWeights,
        allowed: NDArray[np.bool_] | None,
        limit: int | None,
    ) -> Ranking:
        """Ranks the best by words, and the best by vectors, by both."""
        size = len(self._view)
        weight = (
            weights.meaning * self._meaning.weight * min(1.0, (_SIZE / max(1, size)) ** (1 / 3))
        )
        near = also = None
        if not self._meaning.is_quick or size <= _SMALL:
            near = self.nearness(self.everywhere, weight)
            also = self._best(near, allowed)
        wanted = None if limit is None or question.demands else max(_CANDIDATES, 3 * limit)
        ranking = self._by_words(question, weights, allowed, also, wanted)
        if near is None and len(ranking.places) < (limit or _CANDIDATES):
            near = self.nearness(self.everywhere, weight)
            also = self._best(near, allowed)
            ranking = self._by_words(question, weights, allowed, also, wanted)
        if wanted is not None:
            chosen = ranking.best(wanted)
            if also is not None:
                chosen = np.union1d(chosen, np.flatnonzero(np.isin(ranking.places, also)))
            ranking = ranking.of(chosen)
        if near is None and self._meaning.is_complete:
            if wanted is not None and limit is not None:
                ranking = self._among_the_best(ranking, weight, limit)
            if self._meaning.is_complete:
                near = self.nearness(ranking.places, weight)
        if near is None or not len(ranking.places):
            return self.nothing()
        adds = similarity(self._view, ranking.places, near)
        ranking = ranking._replace(
            signals=ranking.signals | {"meaning": adds},
            scores=ranking.scores + adds,
            nearness=near,
        )
        return ranking.of(np.flatnonzero(ranking.scores > 0))

    def _among_the_best(self, ranking: Ranking, weight: float, limit: int) -> Ranking:
        """Returns those of a ranking by words that can be among the best by words and vectors.

        The others need no vector: even if their texts said the same as the question, they would not reach the
        score of the last of the best by words. The ranking is returned whole while vectors of these are missing.
        """
        chosen = ranking.of(ranking.best(limit))
        near = self.nearness(chosen.places, weight)
        if near is None or len(chosen.places) < limit:
            return ranking
        least = (chosen.scores + similarity(self._view, chosen.places, near)).min()
        most = ranking.scores + most_similarity(self._view, ranking.places, weight)
        return ranking.of(np.flatnonzero(most >= least))

    def _by_words(
        self,
        question: Question,
        weights: SearchWeights,
        allowed: NDArray[np.bool_] | None,
        also: Ints | None,
        wanted: int | None,
    ) -> Ranking:
        """Ranks by words, at least the best that are wanted and the places that answer in any case."""
        best = None
        if wanted is not None:
            best = rank_best(self._statistics, question, weights, wanted, also)
        return best or rank(self._statistics, question, weights, allowed, also)

    def _best(self, near: Nearness | None, allowed: NDArray[np.bool_] | None) -> Ints | None:
        """Returns the places of the best by vectors; None if vectors are missing."""
        places = self.everywhere if allowed is None else np.flatnonzero(allowed).astype(np.int32)
        if near is None or not len(places):
            return None
        scores = similarity(self._view, places, near)
        if len(scores) > _BEST:
            least = np.partition(scores, len(scores) - _BEST)[len(scores) - _BEST]
            places = places[scores >= least]
        return places
