"""`MemoryRecord`: a remembered context and the facts known about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .keys import parse_memory_key
from .times import shown_instant

DEFAULT_NAMESPACE = "default"

NOT_YET = float("-inf")
"""Instant of a record that no memory has held yet. Importing such a record sets its instants to now."""


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """The content of a memory under one key.

    Attributes:
        key: non-empty text.
        value: the JSON object; a fresh copy that the caller may change freely.
        namespace: the namespace that holds the record.
        created_at: Unix seconds of the first `MemoryPrimitive.add` under this key.
        updated_at: Unix seconds of the last `MemoryPrimitive.add` under this key.
        expires_at: Unix seconds at which the record expires, or None if it never does.
        sliding: seconds after its last read at which the record expires, or None if reading does not keep it.
        score: relevance of a search hit; higher is better. A keyword search does not rank its
            hits, so each has 1.0. None for a record that is not a search hit.
        matches: paths of the fields that matched a search, such as ``agent.tags[0]``; at most 1,000.
        unreadable: why the record cannot be read, which only happens on a server: another program
            has written it, or its bytes are damaged. None for any other record. The value is then
            ``{"unreadable": reason}``.
        raw: the bytes that the server keeps of a record that cannot be read.
        version: a token of the value, for the argument ``expect`` of `MemoryPrimitive.apply`. It is the same for every
            client of a server and every process that shares a file, stays as long as the value does (reading a record
            does not change it), and is never that of another value. Versions have no order, and one of an outage counts
            in that outage only. Records with different versions may be equal. None for a record that no memory has
            given.
    """

    key: str
    value: dict[str, Any]
    namespace: str = DEFAULT_NAMESPACE
    created_at: float = NOT_YET
    updated_at: float = NOT_YET
    expires_at: float | None = None
    score: float | None = None
    matches: tuple[str, ...] = ()
    unreadable: str | None = None
    raw: bytes = field(default=b"", repr=False)
    version: str | None = field(default=None, repr=False, compare=False)
    sliding: float | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """Returns what the record holds, with instants as dates; fields at their defaults are left out."""
        shown = [f"{self.key!r}, {self.value!r}, namespace={self.namespace!r}"]
        for name in ("created_at", "updated_at", "expires_at"):
            seconds = getattr(self, name)
            if seconds not in (None, NOT_YET):
                shown.append(f"{name}='{shown_instant(seconds)}'")
        if self.score is not None:
            shown.append(f"score={self.score!r}")
        if self.matches:
            shown.append(f"matches={self.matches!r}")
        return f"MemoryRecord({', '.join(shown)})"

    @property
    def user(self) -> str | None:
        """First part of a key that reads ``user:session[:hash8]``; None for any other key."""
        parts = parse_memory_key(self.key)
        return parts and parts.user

    @property
    def session(self) -> str | None:
        """Second part of a key that reads ``user:session[:hash8]``; None for any other key."""
        parts = parse_memory_key(self.key)
        return parts and parts.session
