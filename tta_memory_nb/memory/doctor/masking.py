"""Texts as evidence shows them: short, and with everything secret in them masked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .credentials import secrets_in
from .personal import numbers_in

LONGEST = 160
"""How many characters an excerpt has at most."""

_BEFORE = 40
# Around a place, so much of a text is searched for secrets. A longer secret that begins before it is cut off.
_SEARCHED = 4000
_SHOWN_OF_A_SECRET = 4


def masked(secret: str) -> str:
    """Returns what is shown of a secret: its first characters, if it is long, and how long it is.

    >>> masked("ghp_9aB3...")
    'ghp_•••(40)'
    """
    shown = secret[:_SHOWN_OF_A_SECRET] if len(secret) >= 4 * _SHOWN_OF_A_SECRET else ""
    return f"{shown}•••({len(secret)})"


def without_secrets(text: str) -> str:
    """Returns a text with the secrets and numbers of cards and accounts in it masked."""
    return _masked(text, _secret_spans(text), ())[0]


def excerpt_of(
    text: str,
    spans: Sequence[tuple[int, int]] = (),
    hidden: Sequence[tuple[int, int]] = (),
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Returns a part of a text with the first of some places in it, secrets masked.

    Args:
        text: any text.
        spans: start and end of the places, in order.
        hidden: start and end of further places to mask.

    Returns:
        The excerpt, and the places within it.
    """
    first = spans[0][0] if spans else 0
    start = max(0, first - _SEARCHED)
    window = text[start : first + _SEARCHED]
    inside = [(a - start, b - start) for a, b in spans if a < first + _SEARCHED]
    personal = [
        (max(0, a - start), b - start) for a, b in hidden if start < b and a < first + _SEARCHED
    ]
    shown, moved = _masked(window, _secret_spans(window, personal), inside)
    at = moved[0][0] if moved else 0
    begin = 0 if at <= _BEFORE or len(shown) <= LONGEST else at - _BEFORE
    before = "…" if begin or start else ""
    part = shown[begin : begin + LONGEST]
    after = "…" if begin + LONGEST < len(shown) or first + _SEARCHED < len(text) else ""
    by = len(before) - begin
    kept = tuple(
        (a + by, min(b, begin + LONGEST) + by) for a, b in moved if begin <= a < begin + LONGEST
    )
    return f"{before}{part}{after}", kept


def _secret_spans(text: str, others: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    found = [spot.span for spots in (secrets_in(text), numbers_in(text)) for spot in spots]
    found = sorted([*found, *others])
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _masked(
    text: str, secrets: Iterable[tuple[int, int]], spans: Iterable[tuple[int, int]]
) -> tuple[str, list[tuple[int, int]]]:
    """Returns a text with some places masked, and where other places are in it."""
    pieces: list[str] = []
    moves: list[tuple[int, int, int, int]] = []  # start and end before, start and end after
    at = length = 0
    for start, end in secrets:
        mask = masked(text[start:end])
        pieces += [text[at:start], mask]
        length += start - at
        moves.append((start, end, length, length + len(mask)))
        length += len(mask)
        at = end
    pieces.append(text[at:])

    def moved(place: int, is_end: bool) -> int:
        by = 0
        for start, end, new_start, new_end in moves:
            if place <= start:
                break
            if place < end:
                return new_end if is_end else new_start
            by = new_end - end
        return place + by

    return "".join(pieces), [(moved(a, is_end=False), moved(b, is_end=True)) for a, b in spans]
