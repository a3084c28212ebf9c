"""What came of an evaluation: figures a mode, figures a question, and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, quantiles
from typing import TYPE_CHECKING

from ..errors import InvalidArgument, brief
from ..search.request import SearchMode
from .golden import Question
from .measures import MEASURES
from .significance import chance, interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

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


@dataclass(frozen=True)
class Evaluation:
    """How well each mode answers the questions of a golden set.

    Measures are named as in ``recall@10``; `measures` lists them. The means of a notebook's table are
    rounded; `mean` and `values` are exact.

    Attributes:
        name: name of the golden set.
        answers: mode -> its answers, one for each question, in the order of the set.
        k: the ranks measured at.
        gone: judged keys that have no record any more. No search can find them, so they count neither
            for nor against one.
        changed: judged keys whose records have another value since; their judgements still count.
        left_out: queries without a right record that still exists, which were not asked.
        notes: mode -> why it was left out, or carried out as another mode.
        seed: of the random numbers of intervals and comparisons.
    """

    name: str
    answers: Mapping[SearchMode, Sequence[Answer]]
    k: tuple[int, ...]
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: Mapping[SearchMode, str] = field(default_factory=dict)
    seed: int = 0

    @property
    def modes(self) -> tuple[SearchMode, ...]:
        """The modes, in the order in which they were asked."""
        return tuple(self.answers)

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions that were asked."""
        return tuple(answer.question for answer in next(iter(self.answers.values())))

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of all measures."""
        ranked = (f"{name}@{k}" for name in MEASURES if name != "mrr" for k in self.k)
        return (*ranked, f"mrr@{self.k[-1]}")

    def values(self, mode: SearchMode, measure: str) -> list[float]:
        """Returns the figure of each question, from 0 to 1.

        Raises:
            InvalidArgument: the evaluation has no such mode or measure.
        """
        return list(self._values(self._mode(mode), self._measure(measure)))

    def mean(self, mode: SearchMode, measure: str) -> float:
        """Returns the mean over the questions.

        Raises:
            InvalidArgument: as `values`.
        """
        return fmean(self.values(mode, measure))

    def interval(self, mode: SearchMode, measure: str) -> tuple[float, float]:
        """Returns the ends of the 95 % bootstrap interval of the mean.

        Raises:
            InvalidArgument: as `values`.
        """
        return interval(self.values(mode, measure), self.seed)

    def latency(self, mode: SearchMode) -> tuple[float, float]:
        """Returns the median and the 95th percentile of the time of a search, in seconds.

        Raises:
            InvalidArgument: the evaluation has no such mode.
        """
        seconds = [answer.seconds for answer in self.answers[self._mode(mode)]]
        if len(seconds) == 1:
            return seconds[0], seconds[0]
        cuts = quantiles(seconds, n=20, method="inclusive")
        return cuts[9], cuts[18]

    def between(
        self, before: SearchMode, after: SearchMode, measure: str | None = None
    ) -> Comparison:
        """Compares two modes.

        Args:
            before: the mode to compare with.
            after: the mode to judge.
            measure: what to compare; None for the recall at the greatest k.

        Raises:
            InvalidArgument: as `values`.
        """
        return self._compared(self, before, after, measure, before, after)

    def since(
        self, earlier: Evaluation, mode: SearchMode, measure: str | None = None
    ) -> Comparison:
        """Compares a mode with an earlier evaluation, over the questions that both asked.

        Args:
            earlier: the evaluation to compare with.
            mode: the mode, in both.
            measure: what to compare; None for the recall at the greatest k.

        Raises:
            InvalidArgument: as `values`, or the evaluations share no question.
        """
        return self._compared(earlier, mode, mode, measure, f"{mode} before", f"{mode} now")

    @property
    def table(self) -> pd.DataFrame:
        """A row for each mode, with the means and the time of a search in ms (median, 95th percentile)."""
        from ..frames import evaluation_frame

        return evaluation_frame(self)

    @property
    def by_question(self) -> pd.DataFrame:
        """A row for each question and mode, with the figures and the ranks of its right records."""
        from ..frames import questions_frame

        return questions_frame(self)

    def plot(self) -> Figure:
        """Draws the means of all modes with their intervals.

        Raises:
            MissingPackage: matplotlib is not installed.
        """
        from ..plots import plot_evaluation

        return plot_evaluation(self)

    def __repr__(self) -> str:
        # Names of modes and numbers only, so nothing has to be escaped.
        return self.table.to_string()

    def _repr_html_(self) -> str | None:
        from ..frames import frame_html

        return frame_html(self.table)

    # ---- what the methods have in common

    def _mode(self, mode: SearchMode) -> SearchMode:
        if mode in self.answers:
            return mode
        known = ", ".join(self.answers)
        raise InvalidArgument(f"mode={brief(mode)}: this evaluation asked {known}")

    def _measure(self, measure: str | None) -> str:
        if measure is None:
            return f"recall@{self.k[-1]}"
        if measure in self.measures:
            return measure
        raise InvalidArgument(f"measure={brief(measure)}: give one of {', '.join(self.measures)}")

    def _values(self, mode: SearchMode, measure: str) -> Sequence[float]:
        kept = self._figures.get((mode, measure))
        if kept is None:
            name, _, k = measure.partition("@")
            answers = self.answers[mode]
            kept = [MEASURES[name](each.found, each.question.grades, int(k)) for each in answers]
            self._figures[mode, measure] = kept
        return kept

    @cached_property
    def _figures(self) -> dict[tuple[SearchMode, str], list[float]]:
        return {}

    def _compared(
        self,
        earlier: Evaluation,
        before: SearchMode,
        after: SearchMode,
        measure: str | None,
        name_before: str,
        name_after: str,
    ) -> Comparison:
        chosen = self._measure(measure)
        k = int(chosen.partition("@")[2])
        old = dict(
            zip(
                (answer.question.identity for answer in earlier.answers[earlier._mode(before)]),
                zip(earlier.answers[before], earlier.values(before, chosen), strict=True),
                strict=True,
            )
        )
        differences: list[float] = []
        changed: list[Changed] = []
        for answer, figure in zip(
            self.answers[self._mode(after)], self.values(after, chosen), strict=True
        ):
            if answer.question.identity not in old:
                continue
            answer_before, figure_before = old[answer.question.identity]
            differences.append(figure - figure_before)
            if figure != figure_before:
                now = _right_found(answer, k)
                then = _right_found(answer_before, k)
                changed.append(
                    Changed(
                        answer.question,
                        figure_before,
                        figure,
                        gained=tuple(key for key in now if key not in then),
                        lost=tuple(key for key in then if key not in now),
                    )
                )
        if not differences:
            raise InvalidArgument(
                "the two evaluations share no question, so they cannot be compared"
            )
        low, high = interval(differences, self.seed)
        return Comparison(
            chosen,
            name_before,
            name_after,
            len(differences),
            fmean(differences),
            low,
            high,
            chance(differences, self.seed),
            tuple(sorted(changed, key=lambda each: each.after - each.before)),
        )


def _right_found(answer: Answer, k: int) -> list[str]:
    return [key for key in answer.found[:k] if answer.question.grades.get(key, 0) > 0]
