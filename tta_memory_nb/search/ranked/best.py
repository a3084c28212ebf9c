"""The best of a ranking, without the scores of all records.

A bound that no score exceeds is worked out for all records at once. It ignores how many words lie between a
record and its neighbours, and adds up what they have, where a score takes the best of them. Only records whose bound
reaches the score of the last one that is wanted are scored, so what is found is the same as if all were.

Source of the idea: H. Turtle and J. Flood, "Query evaluation: strategies and optimizations", Information Processing &
Management 31 (1995), where terms and not records are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..options import SearchWeights
from ..request import Signal
from .lists import Floats, Ints
from .question import Question
from .reach import FARTHEST
from .scoring import Ranking, Statistics, of_sessions, when_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Bounds are kept in four bytes, which are half as much to go through. So they may be wrong by that share of the largest one.
_ROUNDING = 2e-5
# The threshold is estimated from about so many records.
_SAMPLE = 4096
# So many times as many records as are wanted are scored first, to know what the last one has.
_FIRST = 3
# A smaller score is none.
_LEAST = 1e-12
# If a larger share of the records has to be scored, scoring all of them is quicker.
_SHARE = 6


def rank_best(
    statistics: Statistics,
    question: Question,
    weights: SearchWeights,
    count: int,
    also: Ints | None = None,
) -> Ranking | None:
    """Scores some records of a view, and among them the best.

    Args:
        statistics: of the view.
        question: what is asked.
        weights: how much each signal counts.
        count: how many of the best are wanted.
        also: places that answer in any case.

    Returns:
        The best and some others; None if it does not pay, then `scoring.rank` has to score all records.
    """
    view = statistics.view
    if not question.terms or len(view) <= count * _SHARE:
        return None
    scorer = _Scorer(statistics, question, weights)
    left = scorer.among_the_best(count)
    return None if len(left) * _SHARE > len(view) else scorer.scored(left, also)


def _estimate(bound: NDArray[np.float32], count: int) -> float:
    """Returns a bound that about so many records reach, and which all of them exceed that have a word near."""
    step = max(1, len(bound) // _SAMPLE)
    sample = bound[::step]
    sample = sample[sample > 0]
    place = len(sample) - max(8, count // step)
    return max(_LEAST, float(np.partition(sample, place)[place])) if place > 0 else _LEAST


class _Scorer:
    """Scores records of a view, as `scoring.rank` does."""

    def __init__(self, statistics: Statistics, question: Question, weights: SearchWeights) -> None:
        self._view = statistics.view
        self._question = question
        self._weights = weights
        self._rows = [statistics.row(term, weights) for term in question.terms]
        self._of_people = statistics.of_people(question.who)
        self._sessions = weights.session * of_sessions(statistics, question)
        self._most_when = weights.when * (bool(question.dates) + question.asks_when)

    def among_the_best(self, count: int) -> NDArray[np.intp]:
        """Returns places among which are the best that answer, so many of them as are wanted."""
        view, weights = self._view, self._weights
        # What the words of a record give its score: at least its own, and at most those of all around as well.
        least = np.zeros(len(view), np.float32)
        for row in self._rows:
            least[row.places] += row.values.astype(np.float32)
        near = np.array((weights.next, weights.second, weights.third), np.float32)
        most = np.convolve(least, np.concatenate((near[::-1], np.ones(1, np.float32), near)))
        most = most[FARTHEST : len(view) + FARTHEST]
        first = np.flatnonzero(most >= np.float32(_estimate(most, count * _FIRST)))
        # A record surely answers that has a word itself.
        first = first[least[first] > 0]
        last = 0.0
        if len(first) >= count:
            scores = least[first] + self._others(first)
            last = float(np.partition(scores, len(first) - count)[len(first) - count])
        rest = float(self._sessions.max()) + self._most_when
        if self._question.who:
            rest += weights.who
        last -= _ROUNDING * (1 + float(most.max()))
        left = np.flatnonzero(most >= np.float32(max(last - rest, _LEAST)))
        reached = most[left] + self._others(left) + self._most_when
        return left[reached >= last]

    def _others(self, places: NDArray[np.intp]) -> Floats:
        """Returns what people and sessions add to the scores of some places."""
        people = self._weights.who * self._of_people[places]
        others: Floats = people + self._sessions[self._view.sessions[places]]
        return others

    def scored(self, places: NDArray[np.intp], also: Ints | None) -> Ranking:
        """Returns the ranking of those of some places that answer, in rising order, and of others that do so anyway."""
        view, question, weights = self._view, self._question, self._weights
        if also is not None:
            places = np.union1d(places, also)
        words = self._words(places)
        answers = words > 0
        if also is not None:
            answers |= np.isin(places, also)
        found, words = places[answers], words[answers]
        signals: dict[Signal, Floats] = {
            "words": words,
            "who": weights.who * self._of_people[found].astype(np.float64),
        }
        if question.dates or question.asks_when:
            signals["when"] = weights.when * when_of(view, question, found)
        signals["session"] = self._sessions[view.sessions[found]]
        return Ranking.of_signals(view, question, weights, self._rows, found, signals)

    def _words(self, places: NDArray[np.intp]) -> Floats:
        """Returns what words add to the scores of some places: those of the record, and of the records around it."""
        view, weights = self._view, self._weights
        # Only what is near to these places counts: it is found among the bytes of marks, and numbered.
        marks = np.zeros(len(view) + 2 * FARTHEST, np.bool_)
        for offset in range(2 * FARTHEST + 1):
            marks[places + offset] = True
        near = np.flatnonzero(marks)
        # All that is near to a place has the numbers around its own.
        at = np.searchsorted(near, places + FARTHEST)
        around = [
            (offset, share * view.reach[distance - 1][places if offset > 0 else places - distance])
            for distance, share in enumerate((weights.next, weights.second, weights.third), 1)
            for offset in (-distance, distance)
        ]
        total, part = np.zeros(len(places)), np.zeros(len(near))
        for row in self._rows:
            there = row.places + np.int32(FARTHEST)
            counts = np.flatnonzero(marks[there])
            numbers = np.searchsorted(near, there[counts])
            part[numbers] = row.values[counts]
            sums = part[at]
            for offset, shares in around:
                theirs = shares * part[at + offset]
                if abs(offset) == 1:
                    sums += theirs
                else:
                    np.maximum(sums, theirs, out=sums)
            total += sums
            part[numbers] = 0
        return total
