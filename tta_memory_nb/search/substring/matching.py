"""Where a value has a folded text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...text import fold, match_spans, path_of, texts_of
from ..request import Span


def spans_of(value: dict[str, Any], folded: str) -> Iterator[Span]:
    """Yields every place that has a folded text, in field order.

    Args:
        value: plain JSON.
        folded: as `fold` gives it, not empty.
    """
    for place, text, is_name in texts_of(value):
        if folded in fold(text):
            path = path_of(place)
            for start, end in match_spans(text, folded):
                yield Span(path, start, end, "name" if is_name else "value")
