"""Asks a memory every question of a golden set, in every mode."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from ..errors import InvalidArgument, brief
from ..memory.faces import MemoryPrimitive, SyncMemory
from ..memory.meaning import BY_MEANING
from ..search.indexes import INDEXES, check_mode
from ..search.options import SearchWeights, check_weights
from ..search.request import Found, Hit, SearchMode, whole_number
from .asking import UNAVAILABLE, Ask, Asking, carry_out, check_memory
from .comparison import Answer
from .golden import GoldenSet, Question, digest_of
from .result import Evaluation

if TYPE_CHECKING:
    from ..entry import Entry


@overload
def evaluate(
    memory: SyncMemory,
    golden: GoldenSet | str | os.PathLike[str],
    *,
    modes: SearchMode | Iterable[SearchMode] | None = None,
    k: int | Iterable[int] = (5, 10),
    weights: SearchWeights | None = None,
    seed: int = 0,
) -> Evaluation: ...


@overload
def evaluate(
    memory: MemoryPrimitive,
    golden: GoldenSet | str | os.PathLike[str],
    *,
    modes: SearchMode | Iterable[SearchMode] | None = None,
    k: int | Iterable[int] = (5, 10),
    weights: SearchWeights | None = None,
    seed: int = 0,
) -> Coroutine[Any, Any, Evaluation]: ...


def evaluate(
    memory: SyncMemory | MemoryPrimitive,
    golden: GoldenSet | str | os.PathLike[str],
    *,
    modes: SearchMode | Iterable[SearchMode] | None = None,
    k: int | Iterable[int] = (5, 10),
    weights: SearchWeights | None = None,
    seed: int = 0,
) -> Evaluation | Coroutine[Any, Any, Evaluation]:
    """Asks a memory every question of a golden set in every mode, and measures the answers.

        >>> evaluation = await evaluate(memory, "golden.jsonl")
        >>> evaluation = evaluate(memory.sync, "golden.jsonl", modes=["keyword"])

    No record is changed. A set that brings its records is asked in a memory of its own, unless this
    memory has all that were judged. The first question of a mode is asked once more before,
    unmeasured, since it may have to build an index.

    Args:
        memory: awaited for a `MemoryPrimitive`, called for a `SyncMemory`.
        golden: the judged searches, or the path that `GoldenSet.read` reads them from.
        modes: which modes to ask; None for all that can be carried out, for example without an embedder.
        k: ranks at which to measure; as many records as the greatest of them are asked for.
        weights: how much each signal counts in modes that rank; None for those of the memory.
        seed: of the random numbers that intervals and comparisons use.

    Returns:
        The evaluation; of a `MemoryPrimitive`, a coroutine that returns it.

    Raises:
        InvalidArgument: a mode or a k without a meaning, a set without questions, or none of its right
            records is in the memory.
        TransferError: the path cannot be read.
        EmbedderError: the embedder of a mode in ``modes`` fails.
        MissingPackage: the embedder of a mode in ``modes`` is not installed.
    """
    check_memory(memory)
    read = read_set(golden)
    given = INDEXES if modes is None else (modes,) if isinstance(modes, str) else modes
    asked = tuple(dict.fromkeys(map(check_mode, given)))
    if not asked:
        raise InvalidArgument("modes: give at least one mode")
    chosen = memory.weights if weights is None else check_weights(weights)
    asking = _asking(read, asked, _ranks(k), chosen, seed, skips=modes is None)
    return carry_out(memory, asking)


def read_set(golden: GoldenSet | str | os.PathLike[str]) -> GoldenSet:
    """Returns a golden set, read if it is given as a path.

    Raises:
        InvalidArgument: the set has no questions.
        TransferError: the path cannot be read.
    """
    read = golden if isinstance(golden, GoldenSet) else GoldenSet.read(golden)
    if read.questions:
        return read
    raise InvalidArgument(f"{read.name}: the set has no questions; judge some searches first")


def _ranks(k: int | Iterable[int]) -> tuple[int, ...]:
    """Returns the ranks to measure at, in order.

    Raises:
        InvalidArgument: there is none, or one is no whole number of at least 1.
    """
    given = tuple(k) if isinstance(k, Iterable) else (k,)
    numbers = [number for each in given if (number := whole_number(each)) is not None]
    if len(numbers) < len(given) or not numbers or min(numbers) < 1:
        raise InvalidArgument(f"k={brief(k)}: give whole numbers of at least 1, such as (5, 10)")
    return tuple(sorted(set(numbers)))


class Opened(NamedTuple):
    """A golden set, and the memory that its questions are asked of.

    Attributes:
        questions: those with a right record that exists, without the records that are gone.
        left_out: the queries of the others.
        gone: judged keys that have no record.
        changed: judged keys whose records have another value than the one that was judged.
        instead: the memory to ask; None for the one that was given.
    """

    questions: tuple[Question, ...]
    left_out: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    instead: MemoryPrimitive | None


def opened(golden: GoldenSet) -> Asking[Opened]:
    """Looks for the judged records; a set that brings its records gets a memory, unless they are all there.

    Raises:
        InvalidArgument: none of the right records exists.
    """
    if not any(question.relevant for question in golden.questions):
        raise InvalidArgument(
            f"{golden.name}: no record is judged right for any of its questions; judge some of what should be found"
        )
    keys = list(dict.fromkeys(key for each in golden.questions for key in each.grades))
    present: list[Entry] = yield Ask("peek", (keys,))
    own: MemoryPrimitive | None = None
    if golden.records and len(present) < len(keys):
        own = MemoryPrimitive(max_size=len(golden.records))
        yield Ask("add_many", (golden.records,), instead=own)
        present = yield Ask("peek", (keys,), instead=own)
    now = {entry.key: entry for entry in present}
    questions = [_present(question, now) for question in golden.questions]
    asked = tuple(question for question in questions if question.relevant)
    gone = tuple(key for key in keys if key not in now)
    if not asked:
        raise InvalidArgument(
            f"{golden.name}: none of its right records is in this memory, for example "
            f"{brief(gone[0] if gone else keys[0])}; judge searches anew, or use the memory that was judged"
        )
    left_out = tuple(each.query for each in questions if not each.relevant)
    return Opened(asked, left_out, gone, _changed(golden, now), own)


def _asking(
    golden: GoldenSet,
    modes: Sequence[SearchMode],
    ranks: tuple[int, ...],
    weights: SearchWeights,
    seed: int,
    *,
    skips: bool,
    timer: Callable[[], float] = perf_counter,
) -> Asking[Evaluation]:
    """Yields verbs to carry out, is sent their results, and returns the evaluation.

    Args:
        golden: the judged searches.
        modes: the modes to ask.
        ranks: the ranks to measure at.
        weights: how much each signal counts.
        seed: of random numbers.
        skips: whether a mode that cannot be carried out is left out.
        timer: gives seconds.
    """
    there = yield from opened(golden)
    answers: dict[SearchMode, tuple[Answer, ...]] = {}
    notes: dict[SearchMode, str] = {}
    for mode in modes:
        asks = [
            search_for(question, ranks[-1], mode, weights, there) for question in there.questions
        ]
        try:
            first = yield asks[0]
        except UNAVAILABLE as error:
            if not skips:
                raise
            notes[mode] = str(error)
            continue
        if note := note_of(first):
            notes[mode] = note
            if skips:
                continue
        answers[mode] = ()
        for question, ask in zip(there.questions, asks, strict=True):
            began = timer()
            found: list[Hit] = yield ask
            took = timer() - began
            answers[mode] += (Answer(question, tuple(hit.entry.key for hit in found), took),)
    embedder = None
    if BY_MEANING & answers.keys():
        about = yield Ask("get_backend_info", instead=there.instead)
        embedder = about["embedder"]
    return Evaluation(
        golden.name,
        answers,
        ranks,
        gone=there.gone,
        changed=there.changed,
        left_out=there.left_out,
        notes=notes,
        seed=seed,
        embedder=embedder,
        weights=weights,
    )


def search_for(
    question: Question, limit: int, mode: SearchMode, weights: SearchWeights, there: Opened
) -> Ask:
    """Returns what asks a question."""
    keywords = {**question.filters, "weights": weights}
    return Ask("hits", (question.query, limit, mode), keywords, there.instead)


def note_of(found: list[Hit]) -> str | None:
    """Returns why a mode is carried out as another one, or what was not searched, if there is such a note."""
    reading = found.reading if isinstance(found, Found) else None
    return None if reading is None else reading.note


def _present(question: Question, now: dict[str, Entry]) -> Question:
    """Returns the question without the records that are gone, which no search can find."""
    grades = {key: grade for key, grade in question.grades.items() if key in now}
    return Question(question.query, grades, question.digests, question.filters)


def _changed(golden: GoldenSet, now: dict[str, Entry]) -> tuple[str, ...]:
    """Returns the keys whose records have another value than the one that was judged."""
    changed = {
        key
        for question in golden.questions
        for key, judged in question.digests.items()
        if key in now and digest_of(now[key]) != judged
    }
    return tuple(sorted(changed))
