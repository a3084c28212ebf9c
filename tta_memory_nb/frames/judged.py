"""Evaluations of judged searches as pandas DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..table import PATHS_ATTR, portable

if TYPE_CHECKING:
    import pandas as pd

    from ..evaluation.comparison import Comparison
    from ..evaluation.result import Evaluation
    from ..evaluation.tuning import Tuning

_DIGITS = 3


def evaluation_frame(evaluation: Evaluation) -> pd.DataFrame:
    """Returns a table with a row for each mode.

    The index is ``mode``. The columns are the means of all measures, rounded to 3 digits, then
    ``median ms`` and ``p95 ms``, the time of a search in milliseconds.
    """
    rows = []
    for mode in evaluation.modes:
        means = {
            measure: round(evaluation.mean(mode, measure), _DIGITS)
            for measure in evaluation.measures
        }
        median, p95 = (round(seconds * 1000, 1) for seconds in evaluation.latency(mode))
        rows.append({"mode": mode, **means, "median ms": median, "p95 ms": p95})
    return _shown(rows, "mode")


def questions_frame(evaluation: Evaluation) -> pd.DataFrame:
    """Returns a table with a row for each question in each mode.

    The index is ``query``. The columns are ``mode``, the measures, and ``ranks``: the places at which
    the right records were found, ``-`` for one that was not.
    """
    rows = []
    for mode in evaluation.modes:
        figures = [evaluation.values(mode, measure) for measure in evaluation.measures]
        for answer, *each in zip(evaluation.answers[mode], *figures, strict=True):
            place = {key: rank for rank, key in enumerate(answer.found, start=1)}
            ranks = ", ".join(str(place.get(key, "-")) for key in answer.question.relevant)
            measured = zip(evaluation.measures, each, strict=True)
            rows.append(
                {
                    "query": portable(answer.question.query),
                    "mode": mode,
                    **{measure: round(figure, _DIGITS) for measure, figure in measured},
                    "ranks": ranks,
                }
            )
    return _shown(rows, "query")


def changes_frame(comparison: Comparison) -> pd.DataFrame:
    """Returns a table with a row for each question whose figure differs, the worst losses first.

    The index is ``query``. The columns are ``before`` and ``after``, and ``gained`` and ``lost``: the keys
    of the right records that only one of the two searches found.
    """
    rows = [
        {
            "query": portable(each.question.query),
            "before": round(each.before, _DIGITS),
            "after": round(each.after, _DIGITS),
            "gained": portable(", ".join(each.gained)),
            "lost": portable(", ".join(each.lost)),
        }
        for each in comparison.changed
    ]
    return _shown(rows, "query", ("before", "after", "gained", "lost"))


def tuning_frame(tuning: Tuning) -> pd.DataFrame:
    """Returns a table with a row for each weight that the mode of a tuning depends on.

    The index is ``weight``. The columns are ``current`` and ``proposed``.
    """
    from ..evaluation.tuning import WEIGHTS_OF

    both = {"current": tuning.current, "proposed": tuning.weights}
    rows = [
        {"weight": name, **{column: getattr(weights, name) for column, weights in both.items()}}
        for name in WEIGHTS_OF[tuning.mode]
    ]
    return _shown(rows, "weight")


def _shown(rows: list[dict[str, Any]], index: str, columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """Returns a table of rows, displayed like the tables of records without being one."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=None if rows else [index, *columns]).set_index(index)
    frame.attrs[PATHS_ATTR] = None
    return frame
