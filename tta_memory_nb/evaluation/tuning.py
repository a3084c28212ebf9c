"""Proposes other weights of the signals for the questions of a golden set, and says what they are worth.

Weights that fit some questions best often answer others worse. So a part of the questions is kept apart, and the
others are tuned on by cross-validation: for each fold, weights are chosen on the other folds and measured on
this one. Only if that gains something are weights proposed, which are then chosen on all folds and measured on the
part that was kept.

Source of the procedure: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 2009, sections 7.2 and 7.10.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any, overload

from ..errors import InvalidArgument
from ..memory.faces import MemoryPrimitive, SyncMemory
from ..search.indexes import check_mode
from ..search.options import SearchWeights
from ..search.request import Found, Hit, SearchMode, whole_number
from ..transfer import with_progress
from .asking import Asking, carry_out, check_memory
from .comparison import Answer, Comparison, compared
from .golden import GoldenSet
from .measures import MEASURES
from .result import Evaluation
from .run import Opened, opened, read_set, search_for

if TYPE_CHECKING:
    import pandas as pd

    from ..transfer import Progress

WEIGHTS_OF: dict[SearchMode, tuple[str, ...]] = {
    "ranked": ("k1", "b", "next", "second", "third", "who", "when", "session"),
    "hybrid": (
        *("k1", "b", "next", "second", "third", "who", "when", "session"),
        *("soft", "meaning"),
    ),
    "semantic": ("who_semantic",),
}
"""Mode -> the weights that its scores depend on."""

# In each round, every weight is tried at these multiples of what it is.
_ROUNDS = ((0.0, 0.5, 1.5, 2.0), (0.8, 1.25))

# A smaller gain of the mean is not worth another weight.
_LEAST_GAIN = 0.002

_FEWEST = 10


@dataclass(frozen=True)
class Tuning:
    """Weights that were proposed for a golden set, and what they are worth. Nothing was changed.

    Attributes:
        mode: the search mode.
        current: the weights of the memory.
        weights: the weights that are proposed; equal to ``current`` if cross-validation found none that do better.
        folds: in how many parts the questions to tune on were divided.
        cross_validated: weights that were chosen on all folds but one, measured on that one, against the
            current weights: what to expect of this way to choose weights.
        kept: the proposed against the current weights, on questions that nothing was chosen by.
    """

    mode: SearchMode
    current: SearchWeights
    weights: SearchWeights
    folds: int
    cross_validated: Comparison
    kept: Comparison

    @property
    def changed(self) -> dict[str, tuple[float, float]]:
        """Name of each weight that is proposed to change -> what it is, and what it would be."""
        pairs = {
            name: (getattr(self.current, name), getattr(self.weights, name))
            for name in WEIGHTS_OF[self.mode]
        }
        return {name: (old, new) for name, (old, new) in pairs.items() if old != new}

    @property
    def table(self) -> pd.DataFrame:
        """A row for each weight that the mode depends on, with the columns ``current`` and ``proposed``."""
        from ..frames import tuning_frame

        return tuning_frame(self)

    def __str__(self) -> str:
        used, kept = self.cross_validated.questions, self.kept.questions
        lines = [
            f"{self.mode}: tuned on {used:,} questions in {self.folds} parts, {kept:,} kept apart",
            f"cross-validation: {self.cross_validated}",
        ]
        if not self.changed:
            return "\n".join([*lines, "no weights do better than the current ones"])
        named = ", ".join(f"{name} {old:g} -> {new:g}" for name, (old, new) in self.changed.items())
        lines += [f"kept questions: {self.kept}", f"proposed: {named}"]
        if self.kept.verdict != "better":
            lines.append(
                "the kept questions do not show that these are better: keep the current weights"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        # Names of weights and numbers only, so nothing has to be escaped.
        return self.table.to_string()

    def _repr_html_(self) -> str | None:
        from ..frames import frame_html

        return frame_html(self.table)


@overload
def tune(
    memory: SyncMemory,
    golden: GoldenSet | str | os.PathLike[str],
    *,
    mode: SearchMode | None = None,
    measure: str = "ndcg@10",
    folds: int = 5,
    kept: float = 0.3,
    seed: int = 0,
    progress: Progress | bool = False,
) -> Tuning: ...


@overload
def tune(
    memory: MemoryPrimitive,
    golden: GoldenSet | str | os.PathLike[str],
    *,
    mode: SearchMode | None = None,
    measure: str = "ndcg@10",
    folds: int = 5,
    kept: float = 0.3,
    seed: int = 0,
    progress: Progress | bool = False,
) -> Coroutine[Any, Any, Tuning]: ...


def tune(
    memory: SyncMemory | MemoryPrimitive,
    golden: GoldenSet | str | os.PathLike[str],
    *,
    mode: SearchMode | None = None,
    measure: str = "ndcg@10",
    folds: int = 5,
    kept: float = 0.3,
    seed: int = 0,
    progress: Progress | bool = False,
) -> Tuning | Coroutine[Any, Any, Tuning]:
    """Proposes other `SearchWeights` for a golden set, and measures them on questions that were kept apart.

        >>> tuning = await tune(memory, "golden.jsonl")
        >>> memory.weights = tuning.weights

    Nothing is changed. Each weight that the mode depends on is tried at several multiples of what it is, one after
    the other, twice; so some hundred searches are carried out for each question. Weights fit the questions
    that they were chosen by. Measure them on another set before you rely on them.

    Args:
        memory: awaited for a `MemoryPrimitive`, called for a `SyncMemory`.
        golden: the judged searches, at least 10, or the path that `GoldenSet.read` reads them from.
        mode: a mode that ranks; None for the default mode of the memory if it ranks, else ``"ranked"``.
        measure: what is to be improved, a measure and a rank, such as ``"recall@5"``.
        folds: in how many parts the questions to tune on are divided, at least 2.
        kept: share of the questions that are kept apart, between 0 and 1.
        seed: of the random division, and of the comparisons.
        progress: show a progress bar, or a callable that wraps an iterable in one.

    Returns:
        The weights and what they are worth; of a `MemoryPrimitive`, a coroutine that returns them.

    Raises:
        InvalidArgument: an argument without a meaning, fewer than 10 questions with a right record that exists, or a
            hybrid search that has to do without its embedder.
        TransferError: the path cannot be read.
        EmbedderError, MissingPackage: the embedder fails, in the mode ``"semantic"``.
    """
    check_memory(memory)
    default = memory.default_mode
    chosen = (default if default in WEIGHTS_OF else "ranked") if mode is None else check_mode(mode)
    if chosen not in WEIGHTS_OF:
        raise InvalidArgument.about(
            "mode", mode, f"it has no weights; give one of {', '.join(WEIGHTS_OF)}"
        )
    name, _, rank = measure.partition("@") if isinstance(measure, str) else ("", "", "")
    if name not in MEASURES or not rank.isdecimal() or not int(rank):
        raise InvalidArgument.about(
            "measure", measure, f"give one of {', '.join(MEASURES)} with a rank, such as 'ndcg@10'"
        )
    parts = whole_number(folds)
    if parts is None or parts < 2:
        raise InvalidArgument.about("folds", folds, "give a whole number of at least 2")
    if not isinstance(kept, (int, float)) or not 0 < kept < 1:
        raise InvalidArgument.about("kept", kept, "give a share between 0 and 1, such as 0.3")
    asking = _tuning(
        read_set(golden), chosen, memory.weights, (measure, parts, float(kept), seed), progress
    )
    return carry_out(memory, asking)


def _tuning(
    golden: GoldenSet,
    mode: SearchMode,
    current: SearchWeights,
    how: tuple[str, int, float, int],
    progress: Progress | bool,
) -> Asking[Tuning]:
    """Yields searches to carry out, is sent their results, and returns the proposal.

    Args:
        golden: the judged searches.
        mode: the mode to tune.
        current: the weights of the memory.
        how: measure, folds, share to keep apart, and seed; see `tune`.
        progress: as `tune`.
    """
    measure, folds, share, seed = how
    there = yield from opened(golden)
    count = len(there.questions)
    kept_count = min(count - folds, max(1, round(count * share)))
    if count < _FEWEST or kept_count < 1:
        raise InvalidArgument(
            f"{golden.name}: the questions with a right record that exists are {count}; tuning in {folds} parts "
            f"needs at least {max(_FEWEST, folds + 1)}; judge more searches"
        )
    order = list(range(count))
    Random(seed).shuffle(order)  # noqa: S311  a division of questions is no secret
    kept, used = sorted(order[:kept_count]), sorted(order[kept_count:])
    asked = _Answers(there, mode, measure)
    yield from asked.ask([current], used)
    if asked.note is not None:
        raise InvalidArgument.about("mode", mode, asked.note)
    names = WEIGHTS_OF[mode]
    total = (folds + 1) * len(names) * len(_ROUNDS)
    steps = iter(with_progress(range(total), total, "tuning", progress))
    # Numbers of questions go to folds in turn, in the order of the shuffle.
    fold_of = {number: place % folds for place, number in enumerate(order[kept_count:])}
    out_of_fold: dict[int, Answer] = {}
    for fold in range(folds):
        others = [number for number in used if fold_of[number] != fold]
        fitted = yield from _fitted(asked, current, names, others, used, steps)
        for number in used:
            if fold_of[number] == fold:
                out_of_fold[number] = asked.answer(fitted, number)
    best = yield from _fitted(asked, current, names, used, used, steps)
    next(steps, None)  # the bar ends

    def comparison(before: list[Answer], after: list[Answer], name: str) -> Comparison:
        k = (int(measure.partition("@")[2]),)
        pair = [
            Evaluation(golden.name, {mode: answers}, k, seed=seed) for answers in (before, after)
        ]
        return compared((pair[0], mode, "current weights"), (pair[1], mode, name), measure)

    crossed = comparison(
        [asked.answer(current, number) for number in used],
        [out_of_fold[number] for number in used],
        "tuned weights",
    )
    if crossed.difference <= 0:
        best = current
    yield from asked.ask([current, best], kept)
    kept_apart = comparison(
        [asked.answer(current, number) for number in kept],
        [asked.answer(best, number) for number in kept],
        "proposed weights",
    )
    return Tuning(mode, current, best, folds, crossed, kept_apart)


class _Answers:
    """What a mode answers to questions with some weights; each is asked once."""

    def __init__(self, there: Opened, mode: SearchMode, measure: str) -> None:
        self._there = there
        self._mode = mode
        name, _, rank = measure.partition("@")
        self._measure, self._rank = MEASURES[name], int(rank)
        self._found: dict[tuple[SearchWeights, int], tuple[str, ...]] = {}
        self._figures: dict[tuple[SearchWeights, int], float] = {}
        self.note: str | None = None

    def ask(self, trials: Iterable[SearchWeights], numbers: Iterable[int]) -> Asking[None]:
        """Asks some questions with all of some weights."""
        trials = list(trials)
        for number in numbers:
            question = self._there.questions[number]
            # One question after the other: an index reads it once for all weights.
            for weights in trials:
                if (weights, number) in self._found:
                    continue
                found: list[Hit] = yield search_for(
                    question, self._rank, self._mode, weights, self._there
                )
                self.note = self.note or _other_mode(found, self._mode)
                keys = tuple(hit.entry.key for hit in found)
                self._found[weights, number] = keys
                self._figures[weights, number] = self._measure(keys, question.grades, self._rank)

    def answer(self, weights: SearchWeights, number: int) -> Answer:
        """Returns what was answered to a question."""
        return Answer(self._there.questions[number], self._found[weights, number], 0.0)

    def mean(self, weights: SearchWeights, numbers: Iterable[int]) -> float:
        """Returns the mean figure of some questions."""
        return fmean(self._figures[weights, number] for number in numbers)


def _other_mode(found: list[Hit], mode: SearchMode) -> str | None:
    """Returns why another mode was carried out than was asked for; None if none was. Other notes do not matter here."""
    reading = found.reading if isinstance(found, Found) else None
    return None if reading is None or reading.mode == mode else reading.note


def _fitted(
    asked: _Answers,
    start: SearchWeights,
    names: Sequence[str],
    numbers: Sequence[int],
    all_numbers: Sequence[int],
    steps: Iterator[int],
) -> Asking[SearchWeights]:
    """Returns the weights that answer some questions best, found by changing one weight at a time.

    Args:
        asked: knows the answers.
        start: where to begin.
        names: which weights may change.
        numbers: of the questions to choose by.
        all_numbers: of all questions that are asked, since other folds need them as well.
        steps: shows how far it is.
    """
    best, best_mean = start, asked.mean(start, numbers)
    for factors in _ROUNDS:
        for name in names:
            trials = list(_trials(best, name, factors))
            yield from asked.ask(trials, all_numbers)
            for trial in trials:
                mean = asked.mean(trial, numbers)
                if mean >= best_mean + _LEAST_GAIN:
                    best, best_mean = trial, mean
            next(steps)
    return best


def _trials(
    weights: SearchWeights, name: str, factors: Collection[float]
) -> Iterator[SearchWeights]:
    """Yields weights of which one is multiplied by each of some factors."""
    present = getattr(weights, name)
    for factor in factors:
        # `b` is a share of 1.
        tried = round(min(present * factor, 1.0) if name == "b" else present * factor, 4)
        if tried != present:
            yield weights.changing(name, tried)
