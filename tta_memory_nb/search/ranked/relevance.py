"""How much of what a question asks a record answers: a figure that can be compared between questions.

A score is a sum over the words of a question, so a long question has higher scores than a short one, and a question
about something that the memory does not know may still find a record with one of its words. The relevance is the
score as a share of what a record would have that answers all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..request import Hit
from .explain import RankedMatch
from .scoring import rarity

if TYPE_CHECKING:
    from .scoring import Ranking

# What the other signals add, beside the words, to the score of a record that answers all of a question.
_OTHER_SIGNALS = 1.0


def relevance_of(hit: Hit, strangers: int = 0) -> float | None:
    """Returns how much of what a question asks a hit answers: 0 for nothing, about 1 for all of it.

    Words count by how rare they are. A word that no record has counts as one that a single record has.

    Args:
        hit: one record that answers.
        strangers: so many words more that no record has, as if the question had them.

    Returns:
        The relevance; None for a hit of a mode that does not rank.
    """
    match = hit.matcher
    if not isinstance(match, RankedMatch):
        return None
    return hit.score / (_OTHER_SIGNALS + _asked(match.ranking) + strangers)


def _asked(ranking: Ranking) -> float:
    """Returns the score of a record that has every word of a question, without what other signals add."""
    question = ranking.question
    if question.reading.mode == "semantic":  # it compares meanings, and no words
        return 0.0
    size = len(ranking.view)
    known = sum(rarity(len(row.places), size) for row in ranking.rows)
    looked_for = {term.asked for term in question.terms}
    return known + sum(word not in looked_for for word in question.reading.unknown)
