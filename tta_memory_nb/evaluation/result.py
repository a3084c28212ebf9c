"""What came of an evaluation: figures a mode, and figures a question."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, quantiles
from typing import TYPE_CHECKING

from ..errors import InvalidArgument, brief
from ..search.options import DEFAULT_OPTIONS, SearchWeights
from ..search.request import SearchMode
from .comparison import Answer, Comparison, compared
from .golden import Question
from .measures import MEASURES
from .significance import interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


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
        embedder: name of the embedder of the modes that compare meanings; None if none of them was asked.
        weights: how much each signal counted in modes that rank.
    """

    name: str
    answers: Mapping[SearchMode, Sequence[Answer]]
    k: tuple[int, ...]
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: Mapping[SearchMode, str] = field(default_factory=dict)
    seed: int = 0
    embedder: str | None = None
    weights: SearchWeights = DEFAULT_OPTIONS.weights

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

    def of_mode(self, mode: SearchMode) -> Sequence[Answer]:
        """Returns the answers of a mode.

        Raises:
            InvalidArgument: the evaluation has no such mode.
        """
        return self.answers[self._mode(mode)]

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
        seconds = [answer.seconds for answer in self.of_mode(mode)]
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

        Returns:
            The difference of the means with its 95 % interval, and the questions whose figure differs.

        Raises:
            InvalidArgument: as `values`.
        """
        return compared((self, before, before), (self, after, after), self._measure(measure))

    def since(
        self, earlier: Evaluation, mode: SearchMode, measure: str | None = None
    ) -> Comparison:
        """Compares a mode with an earlier evaluation, over the questions that both asked.

        Args:
            earlier: the evaluation to compare with.
            mode: the mode, in both.
            measure: what to compare; None for the recall at the greatest k.

        Returns:
            The difference of the means with its 95 % interval, and the questions whose figure differs.

        Raises:
            InvalidArgument: as `values`, or the evaluations share no question.
        """
        return compared(
            (earlier, mode, f"{mode} before"), (self, mode, f"{mode} now"), self._measure(measure)
        )

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

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the evaluation to a file, which is replaced in one step; `read` reads it.

        The file holds questions, judgements and keys of records, and none of their values.

        Raises:
            TransferError: the file cannot be written.
        """
        from .saved import write

        write(self, path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Evaluation:
        """Reads an evaluation that `write` has written.

        Returns:
            The evaluation as it was.

        Raises:
            TransferError: the file cannot be read, or holds no evaluation.
        """
        from .saved import read

        return read(path)

    def plot(self) -> Figure:
        """Draws the means of all modes with their intervals.

        Returns:
            The figure, which is not shown by itself.

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
