"""The difference between two searches over the same questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from ..errors import InvalidArgument
from ..search.request import SearchMode
from .golden import Question
from .measures import MEASURES
from .significance import chance, interval

if TYPE_CHECKING:
    import pandas as pd

    from .result import Evaluation

SIGNIFICANT = 0.05
"""The greatest p-value of a difference that is called better or worse."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one mode found for one question.

    Attributes:
        question: the question, without records that are gone.
        found: keys of the records found, the best first.
        seconds: how long the search took.
    """

    question: Question
    found: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Changed:
    """A question that two searches answer differently well.

    Attributes:
        question: the question.
        before: its figure before.
        after: its figure after.
        gained: keys of the right records that only the second search found.
        lost: keys of the right records that only the first search found.
    """

    question: Question
    before: float
    after: float
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference between two searches over the same questions.

    Attributes:
        measure: what is compared, such as ``recall@10``.
        before: what the first search is called.
        after: what the second search is called.
        questions: how many questions both were asked.
        difference: mean figure after, minus the one before.
        low: lower end of the 95 % interval of the difference.
        high: upper end of this interval.
        p: how likely chance alone makes a difference as large, from 0 to 1.
        changed: the questions whose figure differs, the worst losses first.
    """

    measure: str
    before: str
    after: str
    questions: int
    difference: float
    low: float
    high: float
    p: float
    changed: tuple[Changed, ...] = field(repr=False)

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, or ``no significant difference`` if chance may explain it (p over 0.05)."""
        if self.p > SIGNIFICANT:
            return "no significant difference"
        return "better" if self.difference > 0 else "worse"

    @property
    def table(self) -> pd.DataFrame:
        """The questions that changed, with ``before``, ``after``, and the keys ``gained`` and ``lost``."""
        from ..frames import changes_frame

        return changes_frame(self)

    def __str__(self) -> str:
        gone_up = sum(each.after > each.before for each in self.changed)
        chance_of = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.3f}"
        return (
            f"{self.measure} of {self.after} against {self.before}: {self.difference:+.3f} "
            f"[{self.low:+.3f}, {self.high:+.3f}], {chance_of}: {self.verdict}; of "
            f"{self.questions:,} questions {gone_up:,} better, {len(self.changed) - gone_up:,} worse"
        )


Side: TypeAlias = "tuple[Evaluation, SearchMode, str]"
"""One of two searches: the evaluation that has its answers, its mode, and what it is called."""


def compared(before: Side, after: Side, measure: str) -> Comparison:
    """Compares two searches over the questions that both were asked.

    Both are measured by the judgements of the second evaluation: a record that was judged in between counts for
    the answers before as well.

    Args:
        before: the search to compare with.
        after: the search to judge.
        measure: what to compare.

    Raises:
        InvalidArgument: an evaluation lacks the mode, the first one has found fewer records than the measure looks
            at, or the evaluations share no question.
    """
    earlier, later = before[0], after[0]
    name, _, rank = measure.partition("@")
    k, figure_of = int(rank), MEASURES[name]
    if earlier.k[-1] < k:
        raise InvalidArgument.about(
            "measure", measure, f"the earlier evaluation looked at {earlier.k[-1]} records only"
        )
    old = {answer.question.identity: answer for answer in earlier.of_mode(before[1])}
    differences: list[float] = []
    changed: list[Changed] = []
    for answer in later.of_mode(after[1]):
        answer_before = old.get(answer.question.identity)
        if answer_before is None:
            continue
        grades = answer.question.grades
        then, now = (figure_of(each.found, grades, k) for each in (answer_before, answer))
        differences.append(now - then)
        if now != then:
            right_then, right_now = (
                [key for key in each.found[:k] if grades.get(key, 0) > 0]
                for each in (answer_before, answer)
            )
            changed.append(
                Changed(
                    answer.question,
                    then,
                    now,
                    gained=tuple(key for key in right_now if key not in right_then),
                    lost=tuple(key for key in right_then if key not in right_now),
                )
            )
    if not differences:
        raise InvalidArgument("the two evaluations share no question, so they cannot be compared")
    low, high = interval(differences, later.seed)
    return Comparison(
        measure,
        before[2],
        after[2],
        len(differences),
        fmean(differences),
        low,
        high,
        chance(differences, later.seed),
        tuple(sorted(changed, key=lambda each: each.after - each.before)),
    )
