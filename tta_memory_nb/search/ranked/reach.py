"""How much of its neighbours reaches a record: worked out where it is asked for, from the lengths of records.

Arrays of these shares would be the largest ones of a view, and each search after a write would copy them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .lists import Floats

# Context beyond the next record counts less, the more words lie between.
WORDS_BETWEEN = 20
FARTHEST = 3
"""Records that are so many places away count as context."""


class Reach:
    """Shares by place, of the records that are some places further: 0 for a record of another session.

    Args:
        distance: how many places further.
        sessions: place -> number of the session.
        lengths: place -> number of words.
    """

    def __init__(self, distance: int, sessions: NDArray[Any], lengths: NDArray[Any]) -> None:
        self._distance = distance
        self._sessions = sessions
        self._lengths = lengths

    def __getitem__(self, places: Any) -> Floats:
        """Returns the shares of some places, from 0 to 1; 0 for places that are outside of the view."""
        distance, further = self._distance, places + self._distance
        sessions = self._sessions
        same = sessions.take(places, mode="clip") == sessions.take(further, mode="clip")
        same &= (places >= 0) & (further < len(sessions))
        between = [self._lengths.take(places + step, mode="clip") for step in range(1, distance)]
        return self._shares(same, between)

    def everywhere(self) -> Floats:
        """Returns the shares of all places that have another one so much further, in their order."""
        distance, size = self._distance, max(0, len(self._sessions) - self._distance)
        same = self._sessions[:size] == self._sessions[distance : size + distance]
        return self._shares(
            same, [self._lengths[step : size + step] for step in range(1, distance)]
        )

    def _shares(self, same: NDArray[np.bool_], between: list[NDArray[Any]]) -> Floats:
        """Returns shares.

        Args:
            same: whether the record that is so much further is of the same session.
            between: the lengths of the records between, the nearest first.
        """
        shares: Floats = same.astype(np.float64)
        if between:
            words = between[0].astype(np.int64)
            for more in between[1:]:
                words = words + more
            near = WORDS_BETWEEN * (self._distance - 1) / np.maximum(words, 1)
            shares *= np.minimum(1.0, near)
        return shares
