"""The record: one remembered context and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .keys import parse_memory_key

DEFAULT_NAMESPACE = "default"

NOT_YET = float("-inf")
"""The instants of a record that has not been in a memory; importing it sets them to now."""


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """What a memory holds under one key.

    Attributes:
        key: non-empty text.
        value: the JSON object; a fresh copy that may be changed freely.
        namespace: the tenant it belongs to.
        created_at: Unix seconds of the first `MemoryPrimitive.add` under this key.
        updated_at: Unix seconds of the last `MemoryPrimitive.add` under this key.
        expires_at: Unix seconds from which it no longer exists, or None for never.
        score: how well a search hit answers, higher is better; a keyword search does not
            rank, all its hits have 1.0. None outside a search.
        matches: where a search hit matched, as paths such as ``agent.tags[0]``.
    """

    key: str
    value: dict[str, Any]
    namespace: str = DEFAULT_NAMESPACE
    created_at: float = NOT_YET
    updated_at: float = NOT_YET
    expires_at: float | None = None
    score: float | None = None
    matches: tuple[str, ...] = ()

    @property
    def user(self) -> str | None:
        """First part of a key that reads ``user:session[:hash8]``, else None."""
        parts = parse_memory_key(self.key)
        return parts and parts.user

    @property
    def session(self) -> str | None:
        """Second part of a key that reads ``user:session[:hash8]``, else None."""
        parts = parse_memory_key(self.key)
        return parts and parts.session
