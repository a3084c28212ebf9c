"""Where a value matches a substring search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...text import fold, leaf_text, match_spans, matching_paths
from ..request import Span


class SubstringMatcher:
    """The places where a folded text stands.

    Args:
        folded: as `fold` gives it, not empty.
    """

    __slots__ = ("_folded",)

    def __init__(self, folded: str) -> None:
        self._folded = folded

    def paths(self, value: dict[str, Any]) -> tuple[str, ...]:
        """Returns the paths of the fields that match, each once, in field order."""
        return matching_paths(value, self._folded)

    def spans(self, value: dict[str, Any]) -> tuple[Span, ...]:
        """Returns every place that matches, in field order."""
        return tuple(self._spans(value, ""))

    def _spans(self, node: Any, path: str) -> Iterator[Span]:
        folded = self._folded
        if isinstance(node, dict):
            for name, child in node.items():
                inner = f"{path}.{name}" if path else name
                if folded in fold(name):
                    for start, end in match_spans(name, folded):
                        yield Span(inner, start, end, "name")
                yield from self._spans(child, inner)
        elif isinstance(node, list):
            for position, child in enumerate(node):
                yield from self._spans(child, f"{path}[{position}]")
        else:
            text = leaf_text(node)
            if folded in fold(text):
                for start, end in match_spans(text, folded):
                    yield Span(path, start, end)
