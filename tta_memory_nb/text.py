"""What a search compares: folded text of field names and leaf values.

A query matches a record when the folded query is a substring of one folded field name or
one folded leaf value. JSON punctuation, escapes and the borders between fields never match.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unicodedata import normalize

# Folded text holds no ASCII capital, so one of them between two pieces can never be part of a
# query: no match crosses a border, whatever characters the pieces hold.
BORDER = "Z"


def fold(text: str) -> str:
    """The form in which two texts are equal when a reader calls them the same.

    Unicode canonical caseless matching (The Unicode Standard, section 3.13, D145), in
    composed form: "Straße" and "STRASSE", "é" as one or as two code points, "ς" and "σ".
    Folded is the decomposed text: an iota subscript becomes a letter, which no longer moves
    behind the accents that belong before it.
    """
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFD", text).casefold())


def leaf_text(leaf: str | float | bool | None) -> str:
    """A leaf as JSON writes it, strings without their quotes: ``true``, ``null``, ``1.5``."""
    return leaf if isinstance(leaf, str) else json.dumps(leaf)


def searchable(value: dict[str, Any]) -> str:
    """All the folded text of a plain JSON object, pieces separated by `BORDER`."""
    pieces: list[str] = []
    _collect(value, pieces)
    return BORDER.join(pieces)


def _collect(value: dict[str, Any], pieces: list[str]) -> None:
    # A stack in place of recursion: a third of the time on small objects, and no depth limit.
    stack: list[Any] = [value]
    while stack:
        node = stack.pop()
        if type(node) is str:
            pieces.append(node.lower() if node.isascii() else fold(node))
        elif type(node) is dict:
            for name, child in node.items():
                pieces.append(name.lower() if name.isascii() else fold(name))
                if type(child) is str:
                    pieces.append(child.lower() if child.isascii() else fold(child))
                else:
                    stack.append(child)
        elif type(node) is list:
            stack.extend(node)
        else:
            pieces.append(leaf_text(node).lower())


def matching_paths(value: dict[str, Any], needle: str) -> tuple[str, ...]:
    """Where an already folded query stands: ``('text', 'agent.tags[0]')``, in field order.

    A field whose name matches is listed once, as is one whose value matches.
    """
    return tuple(dict.fromkeys(_matching(value, "", needle)))


def _matching(node: Any, path: str, needle: str) -> Iterator[str]:
    if isinstance(node, dict):
        for name, child in node.items():
            inner = f"{path}.{name}" if path else name
            if needle in fold(name):
                yield inner
            yield from _matching(child, inner, needle)
    elif isinstance(node, list):
        for position, child in enumerate(node):
            yield from _matching(child, f"{path}[{position}]", needle)
    elif needle in fold(leaf_text(node)):
        yield path
