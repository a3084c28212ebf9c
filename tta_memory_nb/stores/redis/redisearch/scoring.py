"""The score of what a server has found: that of `search.ranked`, as far as a server can know it.

The order of BM25STD is that of candidates alone. It counts deleted shadows that wait for their collection, so a
frequent word may weigh most of all there, and it knows no statistics of what filters accept. So scores are worked out
here, from counts that the server makes for each question, by the formula of `search.ranked.scoring`: words by BM25, and
who speaks, and when, and similarity of meaning. `around` adds what the records around say. The server cannot tell how well a
whole session answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ....search.options import SearchWeights
from ....search.ranked.dates import nearness
from ....search.ranked.question import Question
from ....search.ranked.scoring import asked_of, rarity
from .asking import Fields
from .shadows import NOTHING, Returned, word_of

if TYPE_CHECKING:
    from .embedding import Near


FIELDS = ("w", "r")
"""The fields of a shadow that are needed for its score."""


class Share(NamedTuple):
    """What one term of a query adds to a score.

    Attributes:
        asked: the word of the query.
        term: the term that the record has.
        amount: what it adds.
        neighbour: key of the record before or after this one that has the term; None for this one.
    """

    asked: str
    term: str
    amount: float
    neighbour: str | None = None


class Scored(NamedTuple):
    """What words, people, dates, similarity of meaning and the records around add to the score of one record.

    Attributes:
        shares: of the terms that it has.
        who, when, meaning: of people, dates and similarity.
        around: of the records around it.
        returned: what the server has said of the record besides its words.
    """

    shares: tuple[Share, ...] = ()
    who: float = 0.0
    when: float = 0.0
    meaning: float = 0.0
    around: tuple[Share, ...] = ()
    returned: Returned = NOTHING

    @property
    def score(self) -> float:
        """The sum of all."""
        words = sum(share.amount for share in self.shares)
        others = self.who + self.when + self.meaning
        return words + others + sum(share.amount for share in self.around)


class Scores:
    """Scores the shadows that answer a question.

    Args:
        question: what is asked.
        weights: how much each signal counts.
        counts: term -> how many of the records that pass the filters have it.
        size: how many records pass the filters.
        mean: how many words a record has on average.
        is_semantic: whether words and dates count nothing.

    Attributes:
        asked: the score of a record that has every word of the question, without what other signals add.
    """

    def __init__(
        self,
        question: Question,
        weights: SearchWeights,
        counts: Mapping[str, int],
        size: int,
        mean: float,
        *,
        is_semantic: bool,
    ) -> None:
        self._k1, self._b = weights.k1, weights.b
        self._mean = max(1.0, mean)
        self._who = weights.who_semantic if is_semantic else weights.who
        self._when = 0.0 if is_semantic else weights.when
        self._dates, self._asks_when = question.dates, question.asks_when
        # Day -> how near it is to the dates of the question.
        self._nearness: dict[int, float] = {}
        self._people = {word_of(name).encode() for name in question.who}

        def weight(term: str) -> float:
            # Others may write while the server counts.
            return rarity(min(size, counts.get(term, 0)), max(1, size))

        self._terms = [
            (
                term.asked,
                [
                    (
                        each.term,
                        word_of(each.term).encode(),
                        each.factor * (self._k1 + 1) * weight(each.term),
                    )
                    for each in term.variants
                ],
            )
            for term in question.terms
        ]
        self.asked = asked_of(
            question,
            (min(weight(each.term) for each in term.variants) for term in question.terms),
        )

    def of(self, shadow: Fields, near: Near | None) -> Scored:
        """Returns what adds to the score of a record.

        Args:
            shadow: of the record.
            near: compares its vector, in modes that do.
        """
        text = shadow.get(b"w", b"")
        there: list[bytes] | None = None
        returned = Returned.read(shadow[b"r"])
        held_back = self._k1 * (1 - self._b + self._b / self._mean * returned.length)
        shares = []
        for asked, variants in self._terms:
            best: Share | None = None
            for term, word, weight in variants:
                if word not in text:  # not even as a part of another word
                    continue
                if there is None:
                    there = text.split()
                if times := there.count(word):
                    amount = weight * times / (times + held_back)
                    if best is None or amount > best.amount:
                        best = Share(asked, term, amount)
            if best is not None:
                shares.append(best)
        named = self._people and not self._people.isdisjoint(returned.people)
        when = self._when_of(returned)
        meaning = 0.0 if near is None else near.of(shadow)
        who = self._who if named else 0.0
        return Scored(tuple(shares), who, when, meaning, (), returned)

    def _when_of(self, returned: Returned) -> float:
        """Returns what dates add to the score of a record."""
        amount = float(self._asks_when and returned.temporal)
        if self._dates:
            day = returned.day
            near = self._nearness.get(day)
            if near is None:
                near = max(nearness(day, asked) for asked in self._dates)
                self._nearness[day] = near
            amount += near
        return self._when * amount
