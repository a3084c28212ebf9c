"""Arbitrary records, and a comparison that distinguishes 3 from 3.0 and true from 1."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from backends import DEEP
from hypothesis import strategies as st
from json_values import any_text, json_objects

from tta_memory_nb import MemoryPrimitive, MemoryRecord

NOW = 1_800_000_000.0

FEW = 30 * DEEP
"""How many examples a test runs that is given records: each example has several, with many values."""


def exact(value: Any) -> str:
    """Returns JSON that is equal for equal values. Types count, the order of fields does not."""
    return json.dumps(value, sort_keys=True)


def facts(records: Iterable[MemoryRecord]) -> list[tuple[Any, ...]]:
    """Returns all attributes of records that can be compared."""
    return [
        (
            exact(record.key),
            exact(record.value),
            record.created_at,
            record.updated_at,
            record.expires_at,
        )
        for record in records
    ]


def stored(memory: MemoryPrimitive) -> list[tuple[Any, ...]]:
    """Returns all that can be compared of a memory's records, least recently used first."""
    return facts(reversed(memory.sync.records()))


@st.composite
def records(
    draw: st.DrawFn,
    values: st.SearchStrategy[dict[str, Any]] | None = None,
    keys: st.SearchStrategy[str] | None = None,
) -> list[MemoryRecord]:
    """Records with different keys and instants to the microsecond, none expired at `NOW`."""
    values = json_objects() if values is None else values
    keys = any_text.filter(bool) if keys is None else keys
    past = st.integers(0, int(NOW) * 1_000_000).map(lambda micros: micros / 1_000_000)
    # Added before the division: the sum of two fractions is no longer a whole microsecond.
    future = st.integers(1, 7_000_000_000_000_000).map(
        lambda micros: (int(NOW) * 1_000_000 + micros) / 1_000_000
    )
    made = st.builds(
        MemoryRecord,
        keys,
        values,
        created_at=past,
        updated_at=past,
        expires_at=st.none() | future,
    )
    return draw(st.lists(made, max_size=5, unique_by=lambda record: exact(record.key)))
