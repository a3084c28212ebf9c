"""Scores of the records that a ranked search lists, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...frames import explained, layout
from ...search.request import Contribution, Found, Hit
from .cells import sendable

_MOST_PARTS = 40
_MOST_CHARACTERS = 300


class Ranking:
    """The hits of a ranked search by key; their explanations are worked out when they are needed.

    Args:
        hits: what the search has found.
    """

    def __init__(self, hits: Iterable[Hit]) -> None:
        self._reading = hits.reading if isinstance(hits, Found) else None
        self._hits: Mapping[str, Hit] = {hit.entry.key: hit for hit in hits}
        self._explanations: dict[str, tuple[Contribution, ...]] = {}

    def understood(self) -> list[str]:
        """Returns lines that say what a user would not expect of how the query was understood."""

        def shown(text: str) -> str:
            return sendable(text)[:_MOST_CHARACTERS]

        if self._reading is None:
            return []
        return explained.understood(self._reading, in_full=False, shown=shown)

    def hit(self, key: str) -> Hit | None:
        """Returns the hit of a key; None for a record that the search has not found."""
        return self._hits.get(key)

    def explanation(self, key: str) -> tuple[Contribution, ...]:
        """Returns the parts of the score of a key; none for a record that was not found."""
        if key not in self._explanations:
            hit = self._hits.get(key)
            self._explanations[key] = () if hit is None else hit.explanation
        return self._explanations[key]

    def paths(self, key: str, value: dict[str, Any]) -> tuple[str, ...]:
        """Returns the paths of the fields of a record that match."""
        hit = self._hits.get(key)
        return () if hit is None or hit.matcher is None else hit.matcher.paths(value)

    def marks(self, key: str) -> layout.Marks | None:
        """Returns what finds the words of a record that match; None if there are none."""
        return layout.marks_of(explained.matched_words([self.explanation(key)]))

    def cell(self, key: str) -> dict[str, Any] | None:
        """Returns the cell of a score: the number, and as its hint the words behind it."""
        hit = self._hits.get(key)
        if hit is None:
            return None
        hint = sendable(explained.why(self.explanation(key)))[:_MOST_CHARACTERS]
        return {"t": f"{hit.score:.2f}", "v": hit.score, "k": "num", "h": hint}

    def describe(self, key: str) -> dict[str, Any] | None:
        """Returns a score and its parts as the panel of a record shows them; None if it has none."""
        hit = self._hits.get(key)
        if hit is None:
            return None
        return {"score": hit.score, "parts": _parts(self.explanation(key))}


def _parts(explanation: Sequence[Contribution]) -> list[dict[str, Any]]:
    return [
        {
            "signal": part.signal,
            "amount": part.amount,
            "t": sendable(explained.word_of(part))[:_MOST_CHARACTERS],
            "near": None if part.neighbour is None else sendable(part.neighbour),
        }
        for part in explanation[:_MOST_PARTS]
    ]
