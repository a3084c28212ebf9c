"""The file of an evaluation: one JSON object, from which all figures can be worked out again.

It has the fields ``evaluation`` (the version of the format), ``name``, ``k``, ``seed``, ``embedder``, ``weights``,
``questions`` (a list of objects with ``query``, ``grades``, ``digests`` and ``filters``), ``answers`` (by mode a list of
objects with ``found``, the keys, and ``seconds``, one for each question), ``gone``, ``changed``, ``left_out`` and ``notes``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from ..errors import InvalidArgument, TransferError, brief
from ..filters import FilterArgs
from ..search.indexes import INDEXES
from ..search.options import SearchWeights
from ..search.request import SearchMode
from ..transfer.files import atomic_writer, open_for_reading, path_of
from .comparison import Answer
from .golden import Question
from .result import Evaluation

VERSION = 1
"""Version of the file format that this version writes."""


class _Question(msgspec.Struct, forbid_unknown_fields=True):
    query: str
    grades: dict[str, int]
    digests: dict[str, str] = {}
    filters: dict[str, Any] = {}


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    found: tuple[str, ...]
    seconds: float


class _File(msgspec.Struct, forbid_unknown_fields=True):
    evaluation: int
    k: tuple[int, ...]
    questions: list[_Question]
    answers: dict[str, list[_Answer]]
    name: str = "golden set"
    seed: int = 0
    embedder: str | None = None
    weights: SearchWeights = SearchWeights()
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: dict[str, str] = {}


def write(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Writes an evaluation; see `Evaluation.write`."""
    file = _File(
        evaluation=VERSION,
        name=evaluation.name,
        k=evaluation.k,
        seed=evaluation.seed,
        embedder=evaluation.embedder,
        weights=evaluation.weights,
        questions=[
            _Question(each.query, dict(each.grades), dict(each.digests), dict(each.filters))
            for each in evaluation.questions
        ],
        answers={
            mode: [_Answer(answer.found, answer.seconds) for answer in answers]
            for mode, answers in evaluation.answers.items()
        },
        gone=evaluation.gone,
        changed=evaluation.changed,
        left_out=evaluation.left_out,
        notes={str(mode): note for mode, note in evaluation.notes.items()},
    )
    with atomic_writer(path_of(path)) as target:
        # One line for each field, so that a difference between two files can be read.
        target.write(msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")


def read(path: str | os.PathLike[str]) -> Evaluation:
    """Reads an evaluation; see `Evaluation.read`."""
    place = path_of(path)
    with open_for_reading(place) as source:
        content = source.read()
    try:
        return _evaluation(msgspec.json.decode(content, type=_File))
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidArgument) as error:
        raise TransferError(
            f"{str(place)!r} holds no evaluation: {error}; give a file that "
            "%memory evaluate --save has written"
        ) from None


def _evaluation(file: _File) -> Evaluation:
    """Returns the evaluation of a file.

    Raises:
        InvalidArgument: the parts of the file do not belong together.
    """
    if file.evaluation != VERSION:
        raise InvalidArgument(
            f"version {brief(file.evaluation)} of the format is not known; this version of tta_memory_nb reads "
            f"version {VERSION}"
        )
    questions = [
        Question(each.query, each.grades, each.digests, cast("FilterArgs", each.filters))
        for each in file.questions
    ]
    if not questions or not file.answers or not file.k or min(file.k) < 1:
        raise InvalidArgument("it has no questions, no answers or no ranks")
    for mode, answers in file.answers.items():
        if mode not in INDEXES:
            raise InvalidArgument(f"mode {brief(mode)} is not known")
        if len(answers) != len(questions):
            raise InvalidArgument(f"{len(answers)} answers of {mode} to {len(questions)} questions")
    return Evaluation(
        file.name,
        {
            cast("SearchMode", mode): tuple(
                Answer(question, answer.found, answer.seconds)
                for question, answer in zip(questions, answers, strict=True)
            )
            for mode, answers in file.answers.items()
        },
        file.k,
        gone=file.gone,
        changed=file.changed,
        left_out=file.left_out,
        notes=cast("Mapping[SearchMode, str]", file.notes),
        seed=file.seed,
        embedder=file.embedder,
        weights=file.weights,
    )
