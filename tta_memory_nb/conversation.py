"""Who says what in a message of a conversation, whatever has written it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .codec import to_json

_ROLES = ("role", "speaker", "sender", "author", "from")
"""Names of the field that says who speaks, the surest first."""

_TEXTS = ("content", "text", "message", "utterance", "body")
"""Names of the field that says what was said, the surest first."""


class Said(NamedTuple):
    """A message as a person reads it.

    Attributes:
        role: who speaks, such as ``"user"``; empty if no field says so.
        text: what is said.
    """

    role: str
    text: str


def said(value: Mapping[str, Any]) -> Said:
    """Returns who says what in a message.

    A message without text, such as the call of a tool, is shown as the JSON of its other fields.

    Args:
        value: a JSON object.
    """
    role = role_of(value)
    for name in _TEXTS:
        text = value.get(name)
        if isinstance(text, list):  # parts, of which some may be images
            text = "\n".join(part["text"] for part in text if _is_text(part))
        if isinstance(text, str) and text.strip():
            return Said(role, text)
    others = {
        name: field
        for name, field in value.items()
        if name not in _ROLES and field not in ("", None)
    }
    return Said(role, to_json(others) if others else "")


def role_of(value: Mapping[str, Any]) -> str:
    """Returns who speaks in a message; empty if no field says so."""
    named = (value.get(name) for name in _ROLES)
    return next((name for name in named if isinstance(name, str) and name), "")


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)
