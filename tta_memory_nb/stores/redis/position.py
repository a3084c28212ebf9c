"""How far a replica knows its server."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Position:
    """How far a replica knows the server.

    Attributes:
        generation: how many times the replica has started over.
        epoch: of the namespace; another one after a clear.
        cursor: the server's counter at the last sync.
        log_cursor: the same for the log of deletions.
        oldest_held: recency of the oldest record that the replica holds; None before the first
            search, -inf when it holds all.
        knows_all: whether it has every value that was written up to the cursor.
    """

    generation: int
    epoch: bytes
    cursor: int
    log_cursor: int
    oldest_held: float | None
    knows_all: bool

    @property
    def is_complete(self) -> bool:
        """Whether the server has no record that the replica lacks."""
        return self.oldest_held == -inf


def place_of(text: bytes) -> float:
    """Returns a place in the order of use, as a server writes it: an int, or an infinity."""
    place = float(text)
    return place if abs(place) == inf else int(place)
