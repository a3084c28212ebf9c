"""Differences between texts and between records, short enough to be sent to the front end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...memory.word_diff import FieldDiff, Part
from ...table import portable

MOST_CHARACTERS = 1500
"""The most characters that are shown of a text that was removed or added."""

_MOST_FIELDS = 12
_MOST_PARTS = 80

# Of a text that stays, so much is shown at each end.
_AROUND = 60


def sent_fields(diffs: Sequence[FieldDiff]) -> list[dict[str, Any]]:
    """Returns what is sent of the fields that differ: the first of them, and how many more there are."""
    fields = [
        {"name": portable(each.field), "parts": sent_parts(each.parts)}
        for each in diffs[:_MOST_FIELDS]
    ]
    if (more := len(diffs) - len(fields)) > 0:
        fields.append({"name": f"and {more:,} more fields", "parts": []})
    return fields


def sent_parts(parts: Sequence[Part], around: int = _AROUND) -> list[tuple[str, str]]:
    """Returns what is sent of the pieces of one text: long ones cut, and not more than 80.

    Args:
        parts: the pieces.
        around: of a text that stays, so many characters are shown at each end.
    """
    short: list[tuple[str, str]] = [
        (sign, portable(_cut(sign, text, around))) for sign, text in parts[:_MOST_PARTS]
    ]
    return [*short, (" ", "…")] if len(parts) > _MOST_PARTS else short


def _cut(sign: str, text: str, around: int) -> str:
    if sign == " ":
        return text if len(text) <= 3 * around else f"{text[:around]} … {text[-around:]}"
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
