"""Measures of one answer: a ranked list of keys against the grades of the judged records.

The definitions are those of trec_eval, so that figures can be compared with published ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from math import log2
from typing import TypeAlias

Grades: TypeAlias = Mapping[str, int]
"""Key of a judged record -> how well it answers the question; 0 for a wrong one."""

Measure: TypeAlias = Callable[[Sequence[str], Grades, int], float]
"""Takes the keys found, the best first, the grades and k; returns a number from 0 to 1."""


def recall(found: Sequence[str], grades: Grades, k: int) -> float:
    """Returns the share of the right records that are among the first k."""
    right = sum(grade > 0 for grade in grades.values())
    return _right_among(found, grades, k) / right if right else 0.0


def precision(found: Sequence[str], grades: Grades, k: int) -> float:
    """Returns the share of k that are right records among the first k, even if fewer were found."""
    return _right_among(found, grades, k) / k


def reciprocal_rank(found: Sequence[str], grades: Grades, k: int) -> float:
    """Returns 1 divided by the rank of the first right record; 0 if none is among the first k."""
    for rank, key in enumerate(islice(found, k), start=1):
        if grades.get(key, 0) > 0:
            return 1 / rank
    return 0.0


def ndcg(found: Sequence[str], grades: Grades, k: int) -> float:
    """Returns the normalised discounted cumulative gain of the first k.

    The gain of a record is its grade, divided by log2(rank + 1). 1 is the best possible order.

    Source: Järvelin & Kekäläinen, Cumulated gain-based evaluation of IR techniques, ACM TOIS 20(4), 2002.
    """
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    ideal = _discounted(best[:k])
    return _discounted([grades.get(key, 0) for key in found[:k]]) / ideal if ideal else 0.0


MEASURES: dict[str, Measure] = {
    "recall": recall,
    "precision": precision,
    "ndcg": ndcg,
    "mrr": reciprocal_rank,
}
"""Name of a measure, as in ``recall@5`` -> its function. The mean of reciprocal ranks is called MRR."""


def _right_among(found: Sequence[str], grades: Grades, k: int) -> int:
    return sum(grades.get(key, 0) > 0 for key in found[:k])


def _discounted(gains: Sequence[int]) -> float:
    return sum(max(gain, 0) / log2(rank + 1) for rank, gain in enumerate(gains, start=1))
