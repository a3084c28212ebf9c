"""Commands about how well searches answer: judge, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack, cast

from ...errors import InvalidArgument, QualityTooLow, brief
from ...evaluation import Evaluation, GoldenSet
from ...evaluation import evaluate as evaluated
from ...evaluation import judge as add_judgement
from ...filters import FilterArgs
from ...search.request import SearchMode
from ..arguments import Word, Words, did_you_mean
from .base import Notebook, Reply, count_records, shown, text_of
from .keys import keys_of, no_record

_MOST_NAMED = 3


def judge(
    nb: Notebook,
    query: Word,
    keys: Words = (),
    *,
    wrong: Words = (),
    forget: Words = (),
    set: str | None = None,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Say which records answer a search, and which do not.

    The judgement is added to a golden set, a file of judged searches, by which %memory evaluate measures
    how well each mode answers. The file keeps a digest of each value, so that a later change is noticed.

      %memory judge "when does it rain" alice:mon alice:tue
      %memory judge "when does it rain" --wrong bob:mon --user alice
      %memory judge "when does it rain" --forget alice:tue

    Flags:
        wrong: records that do not answer the search
        forget: records that are no longer judged for this search
        set: file of the golden set, which this notebook then keeps using; at first golden.jsonl
    """
    asked = text_of(query, "QUERY")
    path = nb.golden if set is None else text_of(set, "--set")
    right = keys_of(keys) if keys else []
    not_right = keys_of(wrong, "--wrong") if wrong else []
    forgotten = keys_of(forget, "--forget") if forget else []
    filters = nb.fixed(filters)
    present = {entry.key: entry for entry in nb.memory.sync.peek([*right, *not_right])}
    for key in (*right, *not_right):
        if key not in present:
            error = no_record(nb, key)
            raise InvalidArgument(f"{error}; put quotes around a question of several words")
    add_judgement(
        path,
        asked,
        right=[present[key] for key in right],
        wrong=[present[key] for key in not_right],
        forget=forgotten,
        filters=filters,
    )
    nb.golden = path
    golden = GoldenSet.read(path)
    return Reply(f"judged '{shown(asked)}'; {shown(_contents(golden))}")


def evaluate(
    nb: Notebook,
    set: Word | None = None,
    *,
    modes: str | None = None,
    k: str | None = None,
    fail_under: str | None = None,
    against: str | None = None,
) -> Reply:
    """Measure how well each search mode answers judged searches.

    SET is the file of a golden set, by default the one that %memory judge adds to, or a test collection: a
    LoCoMo-like .json file or a BEIR-like folder, whose records are searched in a memory of their own. The
    result shows the means; its by_question, plot(), between() and since() tell more.

      %memory evaluate
      evaluation = %memory evaluate golden.jsonl --modes keyword,ranked --k 5,10
      %memory evaluate --modes ranked --fail-under recall@5=0.7,mrr@10=0.5
      %memory evaluate --against $evaluation

    Flags:
        modes: modes to measure, separated by commas; all if left out
        k: ranks to measure at, separated by commas; 5,10 if left out
        fail_under: fail the cell if a mode has less: recall@5=0.7
        against: an earlier evaluation, in a variable, to compare with
    """
    golden = _golden_set(nb, set)
    earlier: object = against
    if earlier is not None and not isinstance(earlier, Evaluation):
        raise InvalidArgument.about(
            "against", earlier, "give a variable that holds an evaluation: --against $before"
        )
    least = [] if fail_under is None else _thresholds(text_of(fail_under, "--fail-under"))
    done = evaluated(
        nb.memory.sync,
        golden,
        modes=None if modes is None else cast("list[SearchMode]", _listed(modes, "--modes")),
        k=(5, 10) if k is None else [_rank(word) for word in _listed(k, "--k")],
    )
    for measure, _ in least:
        if measure not in done.measures:
            raise InvalidArgument(
                f"--fail-under {brief(measure)}: give one of {', '.join(done.measures)}"
                f"{did_you_mean(measure, done.measures)}"
            )
    text = "\n".join([shown(_contents(golden)), *_findings(done, earlier)])
    _check(done, least, text)
    return Reply(text, done)


def _golden_set(nb: Notebook, given: object) -> GoldenSet:
    if isinstance(given, GoldenSet):
        return given
    path = nb.golden if given is None else text_of(given, "SET")
    if given is None and not Path(path).exists():
        raise InvalidArgument(
            f"there is no golden set {brief(path)} yet; judge some searches first: "
            "%memory judge QUERY KEYS..."
        )
    return GoldenSet.read(path)


def _contents(golden: GoldenSet) -> str:
    right = sum(len(question.relevant) for question in golden.questions)
    count = len(golden.questions)
    questions = f"{count:,} question" if count == 1 else f"{count:,} questions"
    return f"{golden.name} has {questions} and {right:,} right answer{'' if right == 1 else 's'}"


def _findings(done: Evaluation, earlier: Evaluation | None) -> list[str]:
    """Returns lines about records that are gone, about each mode, and about differences."""
    lines = []
    for keys, what in (
        (done.gone, "gone since they were judged, and left out"),
        (done.changed, "changed since they were judged: judge them again"),
    ):
        if keys:
            names = ", ".join(map(shown, keys[:_MOST_NAMED]))
            more = ", ..." if len(keys) > _MOST_NAMED else ""
            lines.append(f"  {count_records(len(keys))} {what}: {names}{more}")
    lines += [f"  {mode}: {shown(note)}" for mode, note in done.notes.items()]
    measure = f"recall@{done.k[-1]}"
    for mode in done.modes:
        low, high = done.interval(mode, measure)
        mean = done.mean(mode, measure)
        lines.append(f"  {mode}: {measure} {mean:.2f}, 95 % interval {low:.2f} to {high:.2f}")
    if earlier is None:
        first, *others = done.modes
        compared = [done.between(first, mode) for mode in others]
    else:
        compared = [done.since(earlier, mode) for mode in done.modes if mode in earlier.modes]
    return [*lines, *(f"  {comparison}" for comparison in compared)]


# ---- flags


def _listed(given: object, flag: str) -> list[str]:
    """Returns the words between commas; a variable may hold a list of words or numbers."""
    if isinstance(given, (list, tuple)):
        return [str(each) for each in given]
    words = [word.strip() for word in str(given).split(",")]
    if isinstance(given, (str, int)) and all(words):
        return words
    raise InvalidArgument(f"{flag} {brief(given)}: give words, separated by commas")


def _rank(word: str) -> int:
    if word.isdecimal():
        return int(word)
    raise InvalidArgument(f"--k {brief(word)}: give whole numbers of at least 1, such as 5,10")


def _thresholds(given: str) -> list[tuple[str, float]]:
    """Returns measures and the least that each has to be."""
    thresholds = []
    for word in _listed(given, "--fail-under"):
        measure, _, least = word.partition("=")
        try:
            number = float(least)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            raise InvalidArgument(
                f"--fail-under {brief(word)}: give a measure and a number from 0 to 1: recall@5=0.7"
            )
        thresholds.append((measure, number))
    return thresholds


def _check(done: Evaluation, least: list[tuple[str, float]], text: str) -> None:
    """Raises an error if a mode is below what was asked for.

    Raises:
        QualityTooLow: the message names each figure, and holds the text of the reply.
    """
    below = [
        f"{measure} of {mode} is {done.mean(mode, measure):.3f}, below {number:g}"
        for measure, number in least
        for mode in done.modes
        if done.mean(mode, measure) < number
    ]
    if below:
        raise QualityTooLow("\n".join(["; ".join(below), text]))
