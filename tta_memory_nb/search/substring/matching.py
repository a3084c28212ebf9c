"""Where a value has a folded text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...text import fold, leaf_text, match_spans
from ..request import Span


def spans_of(value: Any, folded: str, path: str = "") -> Iterator[Span]:
    """Yields every place that has a folded text, in field order.

    Args:
        value: plain JSON.
        folded: as `fold` gives it, not empty.
        path: of the value itself, in the value that it is a part of.
    """
    if isinstance(value, dict):
        for name, child in value.items():
            inner = f"{path}.{name}" if path else name
            if folded in fold(name):
                for start, end in match_spans(name, folded):
                    yield Span(inner, start, end, "name")
            yield from spans_of(child, folded, inner)
    elif isinstance(value, list):
        for position, child in enumerate(value):
            yield from spans_of(child, folded, f"{path}[{position}]")
    else:
        text = leaf_text(value)
        if folded in fold(text):
            for start, end in match_spans(text, folded):
                yield Span(path, start, end)
