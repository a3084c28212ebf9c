"""Where a value has a folded text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...text import match_spans, matches_of, path_of
from ..request import Span


def spans_of(value: dict[str, Any], folded: str) -> Iterator[Span]:
    """Yields every place that has a folded text, in field order.

    Args:
        value: plain JSON.
        folded: as `fold` gives it, not empty.
    """
    for place, text, is_name in matches_of(value, folded):
        path = path_of(place)
        for start, end in match_spans(text, folded):
            yield Span(path, start, end, "name" if is_name else "value")
