"""What a query demands of a record: a phrase, a word in a field, a person, or that a word is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...entry import Entry
from ...text import path_of
from .parts import Leaf, leaves_of, owner_of
from .question import Demand, demands_in
from .scoring import Statistics
from .words import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray


def allowed(statistics: Statistics, demands: Sequence[Demand]) -> NDArray[np.bool_] | None:
    """Returns which records may fulfil demands, by place; None for all.

    A record that it leaves out does not fulfil them. Others have to be looked at, see `undecided` and `fulfils`.
    """
    if not demands:
        return None
    passing = np.ones(len(statistics.view), np.bool_)
    for demand in demands:
        if demand.excluded:
            if _is_one_word_less(demand):
                for term in demand.words[0].terms:
                    passing[statistics.term(term)[0]] = False
        elif demand.field is None:
            for word in demand.words:
                for term in word.terms:
                    having = np.zeros(len(passing), np.bool_)
                    having[statistics.term(term)[0]] = True
                    passing &= having
    return passing


def undecided(demands: Sequence[Demand]) -> list[Demand]:
    """Returns the demands for which records that `allowed` lets through have to be looked at."""
    return [demand for demand in demands if not _is_one_word_less(demand)]


def _is_one_word_less(demand: Demand) -> bool:
    """Returns whether a demand is that one word, in any form, is nowhere in a record, which the index knows."""
    return demand.excluded and len(demand.words) == 1 and not demand.exact and demand.field is None


def fulfils(key: str, value: dict[str, Any], demands: Sequence[Demand], words: Words) -> bool:
    """Returns whether a record fulfils demands."""
    leaves = list(leaves_of(value))
    return all(_holds(demand, key, leaves, words) != demand.excluded for demand in demands)


class Fulfilling:
    """Says which conditions of a query one record fulfils, without a search.

    Args:
        entry: the record.
        language: of its words, see `Words`.
    """

    def __init__(self, entry: Entry, language: str) -> None:
        self._key = entry.key
        self._leaves = list(leaves_of(entry.value()))
        self._fields = {leaf.name.lower() for leaf in self._leaves}
        self._words = Words(language)

    def holds(self, condition: str) -> bool | None:
        """Returns whether the record fulfils a condition.

        Args:
            condition: a part of a query, as its user wrote it.

        Returns:
            None if the text names a field that the record does not have. If other records have it, the record does not
            fulfil the condition; otherwise the text is no condition.
        """
        demands = list(demands_in(condition, self._fields, self._words))
        if demands:
            leaves, words = self._leaves, self._words
            return all(_holds(each, self._key, leaves, words) != each.excluded for each in demands)
        # That a word is missing in a field that is missing as well is true.
        return True if condition.startswith("-") or ":" not in condition else None


def _holds(demand: Demand, key: str, leaves: Sequence[Leaf], words: Words) -> bool:
    """Returns whether the words of a demand stand in a record, one after the other."""
    name = demand.field
    if name == "user" and _same(owner_of(key)[0], demand, words):
        return True
    for leaf in leaves:
        if name is None and leaf.kind == "who":
            continue
        if name is not None and not _is_field(leaf, name):
            continue
        if _stands_in(leaf.text, demand, words):
            return True
    return False


def _is_field(leaf: Leaf, name: str) -> bool:
    """Returns whether a leaf is in a field: its name, the end of its path, or any person for ``user``."""
    if name == "user" and leaf.kind == "who":
        return True
    path = path_of(leaf.place).lower().partition("[")[0]
    return path == name or path.endswith(f".{name}")


def _same(text: str, demand: Demand, words: Words) -> bool:
    spelt = [word.text for word in words.of(text) if not word.whole]
    return spelt == [word.text for word in demand.words]


def _stands_in(text: str, demand: Demand, words: Words) -> bool:
    def forms(found: Sequence[Any]) -> list[Any]:
        return [word.text if demand.exact else word.terms for word in found if not word.whole]

    wanted, there = forms(demand.words), forms(words.of(text))
    size = len(wanted)
    return any(there[at : at + size] == wanted for at in range(len(there) - size + 1))
