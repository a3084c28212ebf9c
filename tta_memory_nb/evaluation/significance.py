"""How sure a mean over questions is, and whether the difference between two of them is more than noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 2_000
"""Bootstrap samples of an interval; its ends then differ by about 0.002 from seed to seed."""

FLIPS = 10_000
"""Random assignments of signs, if there are too many to try all."""

# So many differing questions have 65,536 assignments of signs, all of which are tried.
_MOST_EXACT = 16
_MOST_AT_ONCE = 2_000_000  # numbers in one array


def interval(values: Sequence[float], seed: int, share: float = 0.95) -> tuple[float, float]:
    """Returns the ends of a bootstrap percentile interval of a mean.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        values: one for each question.
        seed: of the random numbers; the same seed gives the same interval.
        share: of the bootstrap means that lie within the interval.

    Returns:
        The lower and the upper end. They are equal for a single value, which says nothing about others.
    """
    import numpy as np

    if not values:
        return 0.0, 0.0
    random = np.random.default_rng(seed)
    data = np.asarray(values, float)
    means = np.concatenate(
        [
            data[random.integers(0, len(data), (rows, len(data)))].mean(axis=1)
            for rows in _batches(RESAMPLES, len(data))
        ]
    )
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def chance(differences: Sequence[float], seed: int) -> float:
    """Returns how likely chance alone makes a mean difference at least as large as this one.

    This is the two-sided paired randomisation test: if two searches answer equally well, each
    difference might as well have the other sign. All assignments of signs are tried if at most 16
    questions differ, otherwise 10,000 random ones.

    Source: Smucker, Allan & Carterette, A comparison of statistical significance tests for
    information retrieval evaluation, CIKM 2007.

    Args:
        differences: one for each question that both searches were asked.
        seed: of the random signs.

    Returns:
        The p-value, from 0 (exclusive) to 1.
    """
    import numpy as np

    data = np.asarray([each for each in differences if each], float)
    if not len(data):
        return 1.0
    # Sums of the same numbers in another order differ in their last bits.
    least = abs(float(data.sum())) - 1e-9
    if len(data) <= _MOST_EXACT:
        bits = np.arange(2 ** len(data))[:, None] >> np.arange(len(data)) & 1
        return _extreme(bits, data, least) / len(bits)
    random = np.random.default_rng(seed)
    extreme = sum(
        _extreme(random.integers(0, 2, (rows, len(data))), data, least)
        for rows in _batches(FLIPS, len(data))
    )
    return (extreme + 1) / (FLIPS + 1)


def _extreme(bits: np.ndarray[Any, Any], data: np.ndarray[Any, Any], least: float) -> int:
    """Returns for how many rows of signs, as bits, the sum is at least so far from 0."""
    return int((abs((2 * bits - 1) @ data) >= least).sum())


def _batches(rows: int, width: int) -> list[int]:
    """Returns how many rows to make at a time, so that no array becomes large."""
    most = max(1, _MOST_AT_ONCE // width)
    return [min(most, rows - done) for done in range(0, rows, most)]
