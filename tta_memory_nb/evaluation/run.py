"""Asks a memory every question of a golden set, in every mode."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, overload

from ..errors import EmbedderError, InvalidArgument, MissingPackage, brief
from ..memory.faces import MemoryPrimitive, SyncMemory
from ..search.indexes import INDEXES, check_mode
from ..search.request import Found, Hit, SearchMode, whole_number
from .golden import GoldenSet, Question, digest_of
from .result import Answer, Evaluation

if TYPE_CHECKING:
    from ..entry import Entry


class _Ask(NamedTuple):
    """A verb of a memory, and its arguments.

    Attributes:
        verb: its name.
        args: its positional arguments.
        keywords: its other arguments.
        instead: the memory to ask; None for the one that was given to `evaluate`.
    """

    verb: str
    args: tuple[Any, ...]
    keywords: dict[str, Any] = {}  # noqa: RUF012  never changed
    instead: MemoryPrimitive | None = None


_Asking: TypeAlias = Generator[_Ask, Any, Evaluation]


@overload
def evaluate(
    memory: SyncMemory,
    golden: GoldenSet | str | os.PathLike[str],
    *,
    modes: SearchMode | Iterable[SearchMode] | None = None,
    k: int | Iterable[int] = (5, 10),
    seed: int = 0,
) -> Evaluation: ...


@overload
def evaluate(
    memory: MemoryPrimitive,
    golden: GoldenSet | str | os.PathLike[str],
    *,
    modes: SearchMode | Iterable[SearchMode] | None = None,
    k: int | Iterable[int] = (5, 10),
    seed: int = 0,
) -> Coroutine[Any, Any, Evaluation]: ...


def evaluate(
    memory: SyncMemory | MemoryPrimitive,
    golden: GoldenSet | str | os.PathLike[str],
    *,
    modes: SearchMode | Iterable[SearchMode] | None = None,
    k: int | Iterable[int] = (5, 10),
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
    if not isinstance(memory, (SyncMemory, MemoryPrimitive)):
        raise InvalidArgument(f"memory={brief(memory)}: give a MemoryPrimitive, or its .sync")
    read = golden if isinstance(golden, GoldenSet) else GoldenSet.read(golden)
    if not read.questions:
        raise InvalidArgument(f"{read.name}: the set has no questions; judge some searches first")
    given = INDEXES if modes is None else (modes,) if isinstance(modes, str) else modes
    asked = tuple(dict.fromkeys(map(check_mode, given)))
    if not asked:
        raise InvalidArgument("modes: give at least one mode")
    asking = _asking(read, asked, _ranks(k), seed, skips=modes is None)
    return _called(memory, asking) if isinstance(memory, SyncMemory) else _awaited(memory, asking)


def _ranks(k: int | Iterable[int]) -> tuple[int, ...]:
    """Returns the ranks to measure at, in order.

    Raises:
        InvalidArgument: there is none, or one is no whole number of at least 1.
    """
    given = (k,) if isinstance(k, int) else tuple(k)
    numbers = sorted({number for each in given if (number := whole_number(each)) is not None})
    if len(numbers) < len(set(given)) or not numbers or numbers[0] < 1:
        raise InvalidArgument(f"k={brief(k)}: give whole numbers of at least 1, such as (5, 10)")
    return tuple(numbers)


# Errors of a mode that cannot be carried out.
_UNAVAILABLE = (EmbedderError, MissingPackage)


def _called(memory: SyncMemory, asking: _Asking) -> Evaluation:
    step: Callable[[], _Ask] = partial(next, asking)
    while True:
        try:
            ask = step()
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        asked = memory if ask.instead is None else ask.instead.sync
        try:
            reply = getattr(asked, ask.verb)(*ask.args, **ask.keywords)
        except _UNAVAILABLE as error:
            step = partial(asking.throw, error)
        else:
            step = partial(asking.send, reply)


async def _awaited(memory: MemoryPrimitive, asking: _Asking) -> Evaluation:
    step: Callable[[], _Ask] = partial(next, asking)
    while True:
        try:
            ask = step()
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        asked = memory if ask.instead is None else ask.instead
        try:
            reply = await getattr(asked, ask.verb)(*ask.args, **ask.keywords)
        except _UNAVAILABLE as error:
            step = partial(asking.throw, error)
        else:
            step = partial(asking.send, reply)


def _asking(
    golden: GoldenSet,
    modes: Sequence[SearchMode],
    ranks: tuple[int, ...],
    seed: int,
    *,
    skips: bool,
    timer: Callable[[], float] = perf_counter,
) -> _Asking:
    """Yields verbs to carry out, is sent their results, and returns the evaluation.

    Args:
        golden: the judged searches.
        modes: the modes to ask.
        ranks: the ranks to measure at.
        seed: of random numbers.
        skips: whether a mode that cannot be carried out is left out.
        timer: gives seconds.
    """
    keys = list(dict.fromkeys(key for each in golden.questions for key in each.grades))
    present: list[Entry] = yield _Ask("peek", (keys,))
    own: MemoryPrimitive | None = None
    if golden.records and len(present) < len(keys):
        own = MemoryPrimitive(max_size=len(golden.records))
        yield _Ask("add_many", (golden.records,), instead=own)
        present = yield _Ask("peek", (keys,), instead=own)
    now = {entry.key: entry for entry in present}
    questions = [_present(question, now) for question in golden.questions]
    asked = tuple(question for question in questions if question.relevant)
    gone = tuple(key for key in keys if key not in now)
    if not asked:
        raise InvalidArgument(
            f"{golden.name}: none of its right records is in this memory, for example "
            f"{brief(gone[0] if gone else keys[0])}; judge searches anew, or use the memory that was judged"
        )
    answers: dict[SearchMode, tuple[Answer, ...]] = {}
    notes: dict[SearchMode, str] = {}
    for mode in modes:
        asks = [
            _Ask("hits", (question.query, ranks[-1], mode), {**question.filters}, own)
            for question in asked
        ]
        try:
            first = yield asks[0]
        except _UNAVAILABLE as error:
            if not skips:
                raise
            notes[mode] = str(error)
            continue
        if note := _note(first):
            notes[mode] = note
            if skips:
                continue
        answers[mode] = ()
        for question, ask in zip(asked, asks, strict=True):
            began = timer()
            found: list[Hit] = yield ask
            took = timer() - began
            answers[mode] += (Answer(question, tuple(hit.entry.key for hit in found), took),)
    return Evaluation(
        golden.name,
        answers,
        ranks,
        gone=gone,
        changed=_changed(golden, now),
        left_out=tuple(each.query for each in questions if not each.relevant),
        notes=notes,
        seed=seed,
    )


def _note(found: list[Hit]) -> str | None:
    """Returns why a mode is carried out as another one, if it is."""
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
