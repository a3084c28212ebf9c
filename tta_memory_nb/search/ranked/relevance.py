"""How much of what a question asks a record answers: a figure that can be compared between questions.

A score is a sum over the words of a question, so a long question has higher scores than a short one, and a question
about something that the memory does not know may still find a record with one of its words. The relevance is the
score as a share of what a record would have that answers all of it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..request import Hit
from .explain import RankedMatch

# What the other signals add, beside the words, to the score of a record that answers all of a question; of a question
# whose words nearly all records have, which weigh next to nothing, no more than twice what the words add.
_OTHER_SIGNALS = 1.0
_OF_WORDS = 2.0


@runtime_checkable
class Asked(Protocol):
    """What the matcher of a mode that ranks knows of its question."""

    def asked(self) -> float:
        """Returns the score of a record that has every word of the question, without what other signals add."""
        ...


def relevance_of(hit: Hit, strangers: int = 0) -> float | None:
    """Returns how much of what a question asks a hit answers: 0 for nothing, 1 for all of it.

    Words count by how rare they are. A word that no record has counts as one that a single record has.

    Args:
        hit: one record that answers.
        strangers: so many words more that no record has, as if the question had them.

    Returns:
        The relevance; None for a hit of a mode that does not rank.
    """
    if not isinstance(hit.matcher, Asked):
        return None
    asked = hit.matcher.asked() + strangers
    whole = asked + min(_OTHER_SIGNALS, _OF_WORDS * asked)
    return min(hit.score / whole, 1.0) if whole else 0.0


def place_of(hit: Hit) -> tuple[int, int] | None:
    """Returns the number of the session of a hit, and its place: records of one session have places in a row.

    Returns:
        None for a hit of a mode that does not rank, or of a server that ranks.
    """
    match = hit.matcher
    if not isinstance(match, RankedMatch):
        return None
    place = int(match.ranking.places[match.number])
    return int(match.ranking.view.sessions[place]), place
