"""Which records answer the search that is shown, as a person has said: kept in a golden set."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from ...entry import Entry
from ...errors import TransferError
from ...evaluation import GoldenSet, Question, judge
from ...filters import FilterArgs, fixed
from ...stores.base import Clock
from .traits import ExplorerTraits


class Judgements:
    """Judges records for the search that the traits ask for.

    Args:
        traits: the search, and the file of the golden set.
        clock: gives Unix seconds, from which filters such as ``since="1h"`` count back.
    """

    def __init__(self, traits: ExplorerTraits, clock: Clock) -> None:
        self._traits = traits
        self._clock = clock

    def of(self, key: str) -> bool | None:
        """Returns whether a record was called right or wrong for this search; None for neither.

        Also None if the file cannot be read: a record is shown all the same, and judging it says why.
        """
        if not self._traits.query or not Path(self._traits.golden).expanduser().exists():
            return None
        asked = Question(self._traits.query, {}, filters=self._filters()).identity
        try:
            golden = GoldenSet.read(self._traits.golden)
        except TransferError:
            return None
        for question in golden.questions:
            if question.identity == asked and key in question.grades:
                return question.grades[key] > 0
        return None

    def judge(self, entry: Entry, *, right: bool | None) -> None:
        """Calls a record right or wrong for this search.

        Args:
            entry: the record.
            right: whether it answers the search; None takes an earlier judgement back.

        Raises:
            InvalidArgument: nothing is searched for.
            TransferError: the file of the golden set cannot be written.
        """
        judge(
            self._traits.golden,
            self._traits.query,
            right=[entry] if right is True else [],
            wrong=[entry] if right is False else [],
            forget=[entry.key] if right is None else [],
            filters=self._filters(),
        )

    def _filters(self) -> FilterArgs:
        return fixed(cast("FilterArgs", self._traits.filters), self._clock())
