"""Identifiers such as UUIDs, and the few characters of them that tell them apart on a screen."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A UUID, a long number in hexadecimal digits, or as many letters and digits without a space.
_IDENTIFIER = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16,}|(?=\w*[0-9])[\w-]{20,}"
)
_SHORTEST = 6


def is_identifier(text: str) -> bool:
    """Returns whether a text is an identifier that people do not read, and no name."""
    return _IDENTIFIER.fullmatch(text) is not None


def readable(names: Iterable[str]) -> dict[str, str]:
    """Returns for each name the same with its identifiers cut, so that they still differ from each other.

    Args:
        names: names or keys; of one such as ``user:session`` each part is looked at alone.
    """
    known = set(names)
    shorter = _shortened(
        {part for name in known for part in name.split(":") if is_identifier(part)}
    )
    return {name: ":".join(shorter.get(part, part) for part in name.split(":")) for name in known}


def _shortened(identifiers: set[str]) -> dict[str, str]:
    """Returns for each identifier its beginning or its end, whichever sooner differs from all others."""
    longest = max(map(len, identifiers), default=0)
    for length in range(_SHORTEST, longest - 1):
        if len({each[:length] for each in identifiers}) == len(identifiers):
            return {each: f"{each[:length]}…" for each in identifiers}
        if len({each[-length:] for each in identifiers}) == len(identifiers):
            return {each: f"…{each[-length:]}" for each in identifiers}
    return {}
