"""The score of a ranking: a sum of signals, each an array over the records of a view.

Words are scored by BM25 (S. Robertson and H. Zaragoza, "The probabilistic relevance framework: BM25
and beyond", Foundations and Trends in Information Retrieval 3, 2009), divided by the weight of a word
that one record alone has, so that the weights of the other signals fit memories of every size.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..options import SearchWeights
from ..request import Signal
from .dates import nearness
from .lists import Floats, Ints, Lists
from .question import Question, Term
from .reach import FARTHEST
from .views import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

# BM25 of sessions.
_SESSION_K1, _SESSION_B = 1.2, 0.75
# A term is rare if one of so many records has it, or fewer.
_RARE = 24
# With so many sessions for each record that has a term, sorting the records is quicker than counting.
_MANY = 4


def rarity(count: int, size: int) -> float:
    """Returns the weight of a term that ``count`` of ``size`` records have, from 0 to 1."""
    return log(1 + (size - count + 0.5) / (count + 0.5)) / log(1 + (size - 0.5) / 1.5)


def asked_of(question: Question, rarities: Iterable[float]) -> float:
    """Returns the score of a record that has every word of a question, without what other signals add.

    Args:
        question: what is asked.
        rarities: the weight of each term that some record has.
    """
    if question.reading.mode == "semantic":  # it compares meanings, and no words
        return 0.0
    looked_for = {term.asked for term in question.terms}
    return sum(rarities) + sum(word not in looked_for for word in question.reading.unknown)


class Row(NamedTuple):
    """The records that have one term of a query.

    Attributes:
        places: in the view, each once, in no certain order.
        values: what the term adds to the score of each.
        variants: the variant of the term that each has, by its number.
    """

    places: Ints
    values: Floats
    variants: NDArray[np.uint8] | None = None


class Statistics:
    """Counts the terms of a view, each once.

    Args:
        view: the records that pass the filters.
        lists: which records have which terms.
    """

    def __init__(self, view: View, lists: Lists) -> None:
        self.view = view
        self.lists = lists
        self._terms: dict[str, tuple[Ints, NDArray[np.uint8]]] = {}
        self._people: dict[str, Ints] = {}

    def term(self, term: str) -> tuple[Ints, NDArray[np.uint8]]:
        """Returns the places that have a term, and how often each has it."""
        found = self._terms.get(term)
        if found is None:
            slots, counts = self.lists.terms.read(term)
            places = self.view.places[slots]
            passing = places >= 0
            found = (places, counts) if passing.all() else (places[passing], counts[passing])
            self._terms[term] = found
        return found

    def person(self, name: str) -> Ints:
        """Returns the places of the records that are of a person."""
        found = self._people.get(name)
        if found is None:
            places = self.view.places[self.lists.people.read(name)[0]]
            found = places[places >= 0]
            self._people[name] = found
        return found

    def of_people(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Returns by place whether a record is of one of some people."""
        found = np.zeros(len(self.view), np.bool_)
        for name in names:
            found[self.person(name)] = True
        return found

    def records_of(self, term: str) -> int:
        """Returns how many records have a term."""
        # A long question may have thousands of words that no record has.
        return len(self.term(term)[0]) if term in self.lists.terms else 0

    def people_of(self, name: str) -> int:
        """Returns how many records are of a person."""
        return len(self.person(name))

    def rarity(self, count: int) -> float:
        """Returns the weight of a term that so many records have, from 0 to 1."""
        return rarity(count, len(self.view))

    def row(self, term: Term, weights: SearchWeights) -> Row:
        """Returns the records that have a term of a query, each by its best variant."""
        rows = [self._variant(variant.term, variant.factor, weights) for variant in term.variants]
        if len(rows) == 1:
            return rows[0]
        # By place, and not sorted: some words have most of the records.
        size = len(self.view)
        values, best = np.zeros(size), np.zeros(size, np.uint8)
        for number, row in enumerate(rows, 1):
            better = row.values > values[row.places]
            places = row.places[better]
            values[places] = row.values[better]
            best[places] = number
        # Looking for bytes is quicker than looking for floats.
        places = np.flatnonzero(best != 0).astype(np.int32)
        return Row(places, values[places], best[places] - np.uint8(1))

    def _variant(self, term: str, factor: float, weights: SearchWeights) -> Row:
        places, counts = self.term(term)
        view, k1, b = self.view, weights.k1, weights.b
        times = counts.astype(np.float64)
        held_back = k1 * (1 - b + b / view.mean_length * view.lengths[places])
        weight = factor * (k1 + 1) * self.rarity(len(places))
        return Row(places, times / (times + held_back) * weight)


class Nearness(NamedTuple):
    """How near records are to a question, by the vectors of their texts.

    Attributes:
        places: in rising order.
        cosines: of each of them with the question.
        weight: how much a cosine counts.
    """

    places: Ints
    cosines: Floats
    weight: float

    def cosine(self, places: Ints) -> Floats:
        """Returns the cosines of some places; of any that is not known, that of another one."""
        first, last = int(self.places[0]), int(self.places[-1])
        if last - first + 1 == len(self.places):  # no place between them is missing
            return self.cosines[np.clip(places, first, last) - first]
        at = np.searchsorted(self.places, places)
        return self.cosines[np.minimum(at, len(self.places) - 1)]


class Ranking(NamedTuple):
    """The records that answer a question, with the parts of their scores.

    Attributes:
        view: the records that pass the filters.
        question: what was asked.
        weights: how much each signal counts.
        rows: for each term of the question the records that have it.
        places: the records that answer, in no certain order.
        signals: signal -> what it adds to the score of each; their sum is the score.
        scores: the score of each.
        nearness: how near they are by their vectors, in modes that compare these.
    """

    view: View
    question: Question
    weights: SearchWeights
    rows: list[Row]
    places: Ints
    signals: dict[Signal, Floats]
    scores: Floats
    nearness: Nearness | None = None

    @classmethod
    def of_signals(
        cls,
        view: View,
        question: Question,
        weights: SearchWeights,
        rows: list[Row],
        found: NDArray[np.integer[Any]],
        signals: dict[Signal, Floats],
    ) -> Ranking:
        """Returns a ranking whose scores are the sums of signals, which are added in their order."""
        scores = np.zeros(len(found))
        for amounts in signals.values():
            scores += amounts
        return cls(view, question, weights, rows, found.astype(np.int32), signals, scores)

    def of(self, chosen: NDArray[np.intp]) -> Ranking:
        """Returns the same ranking for some of the records, by their indexes in ``places``."""
        return self._replace(
            places=self.places[chosen],
            signals={name: amounts[chosen] for name, amounts in self.signals.items()},
            scores=self.scores[chosen],
        )

    def best(self, limit: int | None) -> NDArray[np.intp]:
        """Returns the indexes of the best in ``places``, the best first, of equal ones the newest."""
        scores, chosen = self.scores, np.arange(len(self.scores))
        if limit is not None and limit < len(scores):
            least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
            chosen = np.flatnonzero(scores >= least)
        places = self.places[chosen]
        created = self.view.column("created", places)
        writes = self.view.column("writes", places)
        order = np.lexsort((-writes, -created, -scores[chosen]))
        return chosen[order[:limit]]


def rank(
    statistics: Statistics,
    question: Question,
    weights: SearchWeights,
    allowed: NDArray[np.bool_] | None,
    also: Ints | None = None,
) -> Ranking:
    """Scores the records of a view.

    A record answers when it or a record around it has a word of the question; for a question that names
    people alone, when it is of one of them; and for one that only demands something, in any case.

    Args:
        statistics: of the view.
        question: what is asked.
        weights: how much each signal counts.
        allowed: place -> whether a record may answer; None for all.
        also: places that answer in any case.
    """
    view = statistics.view
    rows = [statistics.row(term, weights) for term in question.terms]
    words = _words_of(view, rows, weights)
    of_people = statistics.of_people(question.who)
    if rows:
        found = np.flatnonzero(words > 0)
    elif question.who:
        found = np.flatnonzero(of_people)
    else:
        found = np.arange(len(view) if question.demands else 0)
    if also is not None:
        found = np.union1d(found, also)
    if allowed is not None:
        found = found[allowed[found]]
    signals: dict[Signal, Floats] = {
        "words": words[found],
        "who": weights.who * of_people[found].astype(np.float64),
    }
    if question.dates or question.asks_when:
        signals["when"] = weights.when * when_of(view, question, found)
    sessions = weights.session * of_sessions(statistics, question)
    signals["session"] = sessions[view.sessions[found]]
    return Ranking.of_signals(view, question, weights, rows, found, signals)


def _words_of(view: View, rows: Iterable[Row], weights: SearchWeights) -> Floats:
    """Returns what words add to each score: those of the record, and of the records around it."""
    size = len(view)
    total = np.zeros(size + 2 * FARTHEST)
    part = np.zeros(size + 2 * FARTHEST)
    shares: list[Floats] = []
    for row in rows:
        if len(row.places) * _RARE > size:
            # Worked out once for all such terms.
            shares = shares or _shares_everywhere(view, weights)
            _spread_everywhere(size, row, shares, part)
            total += part
            part[:] = 0
            continue
        touched = _spread(view, row, weights, part)
        # A place that is touched twice gets the same sum twice.
        total[touched] += part[touched]
        part[touched] = 0
    return total[FARTHEST : size + FARTHEST]


def _spread(view: View, row: Row, weights: SearchWeights, part: Floats) -> Ints:
    """Writes what one term adds to each score into an array of zeros; returns where that is."""
    places, values = row.places, row.values
    at = places + np.int32(FARTHEST)
    part[at] = values
    touched = [at]
    for distance, share in enumerate((weights.next, weights.second, weights.third), 1):
        reach = view.reach[distance - 1]
        for direction in (1, -1):
            reached = reach[places] if direction == 1 else reach[places - distance]
            theirs = share * reached * values
            there = at + np.int32(direction * distance)
            if distance == 1:
                part[there] += theirs
            else:
                part[there] = np.maximum(part[there], theirs)
            touched.append(there)
    return np.concatenate(touched)


def _shares_everywhere(view: View, weights: SearchWeights) -> list[Floats]:
    """Returns by distance which shares of the records so much further count for each record, and the other way round."""
    shares = (weights.next, weights.second, weights.third)
    return [share * reach.everywhere() for share, reach in zip(shares, view.reach, strict=True)]


def _spread_everywhere(size: int, row: Row, shares_by: list[Floats], part: Floats) -> None:
    """Does what `_spread` does for a term that so many records have that shifting all is quicker."""
    own = np.zeros(size)
    own[row.places] = row.values
    sums = part[FARTHEST : size + FARTHEST]
    sums[:] = own
    for distance, shares in enumerate(shares_by, 1):
        if size <= distance:
            continue
        further, before = sums[distance:], sums[:-distance]
        if distance == 1:
            further += shares * own[:-distance]
            before += shares * own[distance:]
        else:
            np.maximum(further, shares * own[:-distance], out=further)
            np.maximum(before, shares * own[distance:], out=before)


def when_of(view: View, question: Question, found: NDArray[np.intp]) -> Floats:
    """Returns how near the records are to the dates of a question, and whether they tell when, if it asks."""
    near = np.zeros(len(found))
    if question.dates:
        days, which = np.unique(view.column("days", found), return_inverse=True)
        best = [max(nearness(int(day), asked) for asked in question.dates) for day in days.tolist()]
        near += np.array(best, np.float64)[which]
    if question.asks_when:
        near += view.column("temporal", found)
    return near


def of_sessions(statistics: Statistics, question: Question) -> Floats:
    """Returns how well each session answers, taken as one text."""
    view = statistics.view
    lengths = view.session_lengths
    count = len(lengths)
    total = np.zeros(count)
    if not count:
        return total
    mean = max(1.0, float(lengths.mean()))
    scale = log(1 + (len(view) - 0.5) / 1.5)
    for term in question.terms:
        places, counts = statistics.term(term.variants[0].term)
        if count < _MANY * len(places):
            times = np.bincount(view.sessions[places], weights=counts, minlength=count)
            sessions = np.flatnonzero(times)
            times = times[sessions]
        else:
            sessions, which = np.unique(view.sessions[places], return_inverse=True)
            times = np.bincount(which, weights=counts, minlength=len(sessions))
        having = len(sessions)
        rarity = log(1 + (count - having + 0.5) / (having + 0.5)) / scale
        held_back = _SESSION_K1 * (1 - _SESSION_B + _SESSION_B / mean * lengths[sessions])
        total[sessions] += times * (_SESSION_K1 + 1) / (times + held_back) * rarity
    return total
