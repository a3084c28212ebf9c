"""How much of its neighbours reaches a record, in a byte or two for each distance.

A ranking reads these shares of a few records, or shifts all of them. As floats they would be the largest arrays of a view,
which each search after a write copies.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .lists import Floats

# Context beyond the next record counts less, the more words lie between.
WORDS_BETWEEN = 20
FARTHEST = 3
"""Records that are so many places away count as context."""

# The codes that two bytes can hold.
_CODES = 1 << 16


class Reach:
    """Shares by place, of the records that are some places further.

    A share is kept as a code: 0 for a record of another session, else 1 more than the number of words between.

    Args:
        distance: how many places further.
        codes: by place.
    """

    def __init__(self, distance: int, codes: NDArray[Any]) -> None:
        self._distance = distance
        self.codes = codes

    @classmethod
    def none(cls, distance: int, size: int) -> Reach:
        """Returns the reach of so many places, as if each was in a session of its own."""
        return cls(distance, np.zeros(size, np.bool_ if distance == 1 else np.uint16))

    def __getitem__(self, places: Any) -> Floats:
        """Returns the shares of some places, from 0 to 1."""
        codes = self.codes[places]
        if self._distance == 1:
            shares: Floats = codes.astype(np.float64)
        elif self.codes.dtype == np.uint16:
            shares = _shares_of_codes(self._distance)[codes]
        else:
            shares = _shares(self._distance, codes)
        return shares

    def write(self, first: int, same: NDArray[np.bool_], between: NDArray[np.int64]) -> None:
        """Writes the shares of places that follow each other.

        Args:
            first: the first of these places.
            same: whether the record that is so much further is of the same session.
            between: how many words lie between.
        """
        places = slice(first, first + len(same))
        if self._distance == 1:
            self.codes[places] = same
            return
        codes = same * (between + 1)
        if self.codes.dtype == np.uint16 and codes.max(initial=0) >= _CODES:
            self.codes = self.codes.astype(np.int64)
        self.codes[places] = codes


@cache
def _shares_of_codes(distance: int) -> Floats:
    return _shares(distance, np.arange(_CODES))


def _shares(distance: int, codes: NDArray[Any]) -> Floats:
    near = WORDS_BETWEEN * (distance - 1) / np.maximum(codes - 1, 1)
    shares: Floats = np.minimum(1.0, near) * (codes > 0)
    return shares
