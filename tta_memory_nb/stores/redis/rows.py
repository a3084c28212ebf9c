"""What replies say: records in flat lists, and facts about a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...entry import Entry
from .keys import decode_key
from .payload import MOST_SEQ, unpack


def triples(rows: Sequence[Any]) -> Iterator[tuple[str, int, bytes]]:
    """Yields key, recency and blob of a flat list."""
    it = iter(rows)
    for key, place, blob in zip(it, it, it, strict=True):
        yield decode_key(key), _place(place), blob


def entries_of(rows: Sequence[Any]) -> list[Entry]:
    """Returns the records of a flat list of key, recency and blob."""
    found = (unpack(key, blob, place) for key, place, blob in triples(rows))
    return [entry for entry in found if entry is not None]


def named(rows: Sequence[Any]) -> Iterator[tuple[str, int]]:
    """Yields key and number of a flat list."""
    it = iter(rows)
    for key, number in zip(it, it, strict=True):
        yield decode_key(key), number


def name_of(info: Any) -> str:
    """Returns the server's name and version in the reply to INFO."""
    if isinstance(info, bytes):
        lines = info.decode("utf-8", "replace").splitlines()
        info = dict(line.split(":", 1) for line in lines if ":" in line)
    for name in ("valkey", "redis"):
        if version := info.get(f"{name}_version"):
            return f"{name} {version}"
    return ""


def _place(written: Any) -> int:
    """Returns a recency; 0 for what another program has put in its place."""
    try:
        return min(max(0, int(float(written))), MOST_SEQ)
    except (TypeError, ValueError, OverflowError):
        return 0
