"""Arbitrary JSON, and a naive definition of the texts that a search reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

# Every code point may occur, lone surrogates too: truncated transcripts have them.
any_text = st.text(st.characters(exclude_categories=()))

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    any_text,
)


def json_objects(leaves: st.SearchStrategy[Any] = leaves) -> st.SearchStrategy[dict[str, Any]]:
    """Nested JSON objects with the given leaves."""
    trees = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
        max_leaves=12,
    )
    return st.dictionaries(any_text, trees, max_size=4)


def pieces(value: Any) -> Iterator[str]:
    """Yields each field name and each leaf as JSON writes it, strings without quotes."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from pieces(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from pieces(inner)
    else:
        yield value if isinstance(value, str) else json.dumps(value)
