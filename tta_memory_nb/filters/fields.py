"""Reading some fields of values, which takes less time than decoding the whole of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from ..codec import Snapshot, decode, from_json

ABSENT = msgspec.UNSET
"""Stands for a field that a value lacks."""

# msgspec takes no such name for a field of a Struct.
_UNNAMEABLE = re.compile(r'[\x00-\x1f"\\\ud800-\udfff]')


@lru_cache(maxsize=64)
def reader_of(names: tuple[str, ...]) -> Callable[[Snapshot], dict[str, Any]]:
    """Returns what reads some fields of a value, which takes a third of the time of reading all.

    Args:
        names: of the fields, without those inside of others; each once.

    Returns:
        A function of the text of a value that returns these fields of it, as far as it has them.
    """
    decode_fields, attributes = _decoder_of(names)
    if not attributes:
        return from_json
    pairs = tuple(zip(attributes, names, strict=True))

    def read(text: Snapshot) -> dict[str, Any]:
        if type(text) is not bytes:
            return from_json(text)
        found = decode_fields(text)
        return {
            name: value
            for attribute, name in pairs
            if (value := getattr(found, attribute)) is not ABSENT
        }

    return read


def columns_of(names: tuple[str, ...], texts: Sequence[Snapshot]) -> list[list[Any]]:
    """Reads some fields of many values, which takes a third of the time of `reader_of` for each.

    Args:
        names: as for `reader_of`.
        texts: of the values.

    Returns:
        For each name, that field of each value; `ABSENT` where the value lacks it.
    """
    decode_fields, attributes = _decoder_of(names)
    if not attributes or not {bytes}.issuperset(map(type, texts)):
        values = list(map(reader_of(names), texts))
        return [[value.get(name, ABSENT) for value in values] for name in names]
    found = list(map(decode_fields, texts))
    return [list(map(attrgetter(attribute), found)) for attribute in attributes]


@lru_cache(maxsize=64)
def _decoder_of(names: tuple[str, ...]) -> tuple[Callable[[Any], Any], tuple[str, ...]]:
    """Returns what decodes some fields of a value as attributes, and these; no attributes where that is impossible."""
    if not names or any(_UNNAMEABLE.search(name) for name in names):
        return decode, ()
    attributes = tuple(f"field{number}" for number in range(len(names)))
    shape = msgspec.defstruct(
        "Fields",
        [(attribute, Any, ABSENT) for attribute in attributes],
        rename=dict(zip(attributes, names, strict=True)),
        gc=False,
    )
    return msgspec.json.Decoder(shape).decode, attributes
