"""Commands about how well searches answer: judge, evaluate, tune."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack, cast

from ...errors import InvalidArgument, QualityTooLow, brief
from ...evaluation import Comparison, Evaluation, GoldenSet, Tuning
from ...evaluation import evaluate as evaluated
from ...evaluation import judge as add_judgement
from ...evaluation import tune as tuned
from ...filters import FilterArgs
from ...search.indexes import check_mode
from ...search.options import SearchWeights, check_weights
from ...search.request import SearchMode
from ..arguments import Word, Words, did_you_mean
from .base import Notebook, Reply, count_records, shown, text_of
from .keys import keys_of, no_record

_MOST_NAMED = 3

# So few questions are tuned on in about a second, which needs no progress bar.
_FEW = 50


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
    weights: str | None = None,
    save: str | None = None,
    against: str | None = None,
    fail_under: str | None = None,
    fail_if_worse: bool = False,
) -> Reply:
    """Measure how well each search mode answers judged searches.

    SET is the file of a golden set, by default the one that %memory judge adds to, or a test collection: a
    LoCoMo-like .json file or a BEIR-like folder, whose records are searched in a memory of their own. The
    result shows the means; its by_question, plot(), between() and since() tell more.

      %memory evaluate
      evaluation = %memory evaluate golden.jsonl --modes keyword,ranked --k 5,10
      %memory evaluate --modes ranked --fail-under recall@5=0.7,mrr@10=0.5
      %memory evaluate --save before.json
      %memory evaluate --against before.json --fail-if-worse
      %memory evaluate --weights $tuning

    Flags:
        modes: modes to measure, separated by commas; all if left out
        k: ranks to measure at, separated by commas; 5,10 if left out
        weights: a variable with other weights of the signals, or with what %memory tune returned
        save: file to write the evaluation to, for a later --against
        against: an earlier evaluation to compare with, a file or a variable
        fail_under: fail the cell if a mode has less: recall@5=0.7
        fail_if_worse: fail the cell if a mode is worse than --against, by more than chance explains
    """
    golden = _golden_set(nb, set)
    earlier = None if against is None else _earlier(against)
    if fail_if_worse and earlier is None:
        raise InvalidArgument(
            "--fail-if-worse: give the evaluation to compare with: --against FILE"
        )
    target = None if save is None else text_of(save, "--save")
    least = [] if fail_under is None else _thresholds(text_of(fail_under, "--fail-under"))
    done = evaluated(
        nb.memory.sync,
        golden,
        modes=None if modes is None else cast("list[SearchMode]", _listed(modes, "--modes")),
        k=(5, 10) if k is None else [_rank(word) for word in _listed(k, "--k")],
        weights=None if weights is None else weights_in(weights),
    )
    for measure, _ in least:
        if measure not in done.measures:
            raise InvalidArgument(
                f"--fail-under {brief(measure)}: give one of {', '.join(done.measures)}"
                f"{did_you_mean(measure, done.measures)}"
            )
    compared = _compared(done, earlier)
    lines = [shown(_contents(golden)), *_findings(done), *(f"  {each}" for each in compared)]
    if target is not None:
        done.write(target)
        lines.append(f"  saved as {shown(target)}")
    text = "\n".join(lines)
    _check(done, least, compared if fail_if_worse else [], text)
    return Reply(text, done)


def tune(
    nb: Notebook,
    set: Word | None = None,
    *,
    mode: str | None = None,
    measure: str | None = None,
    folds: int | None = None,
    kept: str | None = None,
) -> Reply:
    """Propose other weights of the signals for judged searches, and say what they are worth.

    SET is as for %memory evaluate. Some of its questions are kept apart. Weights are chosen by the others, by
    cross-validation, and measured on those that were kept. Nothing is changed: the result is what
    %memory evaluate --weights measures on another set, and %memory use --weights uses.

      %memory tune
      tuning = %memory tune golden.jsonl --mode hybrid --measure recall@5
      %memory use --weights $tuning

    Flags:
        mode: ranked, semantic or hybrid; if left out, as %memory use --mode has chosen, or ranked
        measure: what to improve; ndcg@10 if left out
        folds: in how many parts the questions to choose by are divided; 5 if left out
        kept: share of the questions that are kept apart; 0.3 if left out
    """
    golden = _golden_set(nb, set)
    try:
        share = 0.3 if kept is None else float(kept)
    except (TypeError, ValueError):
        raise InvalidArgument.about("kept", kept, "give a share between 0 and 1") from None
    done = tuned(
        nb.memory.sync,
        golden,
        mode=None if mode is None else check_mode(cast("SearchMode", mode)),
        measure="ndcg@10" if measure is None else text_of(measure, "--measure"),
        folds=5 if folds is None else folds,
        kept=share,
        progress=nb.progress if len(golden.questions) > _FEW else False,
    )
    lines = [shown(_contents(golden)), *(f"  {line}" for line in str(done).splitlines())]
    if done.changed:
        lines.append(
            "  nothing was changed; %memory use --weights $NAME uses the result in a variable"
        )
    return Reply("\n".join(lines), done)


def weights_in(given: object) -> SearchWeights:
    """Returns the weights that a variable holds, or that are proposed there.

    Raises:
        InvalidArgument: the variable holds something else.
    """
    weights = given.weights if isinstance(given, (Tuning, Evaluation)) else given
    if isinstance(weights, SearchWeights):
        return check_weights(weights)
    raise InvalidArgument.about(
        "weights", given, "give a variable with a SearchWeights, or with what %memory tune returned"
    )


def _earlier(given: object) -> Evaluation:
    """Returns the evaluation that a variable holds or a file.

    Raises:
        InvalidArgument: the variable holds something else.
        TransferError: the file cannot be read.
    """
    if isinstance(given, Evaluation):
        return given
    if isinstance(given, str):
        return Evaluation.read(given)
    raise InvalidArgument.about(
        "against", given, "give a file, or a variable that holds an evaluation: --against $before"
    )


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


def _findings(done: Evaluation) -> list[str]:
    """Returns lines about records that are gone, and about each mode."""
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
    return lines


def _compared(done: Evaluation, earlier: Evaluation | None) -> list[Comparison]:
    """Returns what an evaluation is compared with: an earlier one, or its first mode with the others."""
    if earlier is None:
        first, *others = done.modes
        return [done.between(first, mode) for mode in others]
    return [done.since(earlier, mode) for mode in done.modes if mode in earlier.modes]


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


def _check(
    done: Evaluation, least: list[tuple[str, float]], compared: list[Comparison], text: str
) -> None:
    """Raises an error if a mode is below what was asked for, or worse than before.

    Raises:
        QualityTooLow: the message names each figure, and holds the text of the reply.
    """
    below = [
        f"{measure} of {mode} is {done.mean(mode, measure):.3f}, below {number:g}"
        for measure, number in least
        for mode in done.modes
        if done.mean(mode, measure) < number
    ]
    below += [
        f"{each.measure} of {each.after} is worse by {-each.difference:.3f}"
        for each in compared
        if each.verdict == "worse"
    ]
    if below:
        raise QualityTooLow("\n".join(["; ".join(below), text]))
