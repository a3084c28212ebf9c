"""Counts of operations in words."""

from __future__ import annotations

from collections.abc import Mapping

_NAMES = {
    "read": "read",
    "search": "search",
    "write": "write",
    "delete": "delete",
    "other": "other",
}
_PLURALS = {"search": "searches", "other": "others"}


def counted(counts: Mapping[str, int], seconds: float) -> str:
    """Returns counts in one line: ``3 reads (1 miss), 2 writes, 4.1 ms``."""
    parts = []
    for kind, name in _NAMES.items():
        if count := counts.get(kind, 0):
            text = f"{count:,} {name if count == 1 else _PLURALS.get(kind, f'{name}s')}"
            if kind == "read" and (misses := counts.get("misses", 0)):
                text += f" ({misses:,} miss{'es' * (misses > 1)})"
            if kind == "search" and "found" in counts:
                found = counts["found"]
                text += f" ({found:,} record{'s' * (found != 1)})"
            parts.append(text)
    parts.append(spelled(seconds))
    if failed := counts.get("failed", 0):
        parts.append(f"{failed:,} failed")
    return ", ".join(parts)


def spelled(seconds: float) -> str:
    """``41 µs``, ``4.1 ms``, ``1.3 s``."""
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} µs"
    return f"{1e3 * seconds:.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"
