"""A word of a memory as it must be typed on a ``%memory`` line, so that it is taken as it is.

Keys and names may be written by anybody. What is offered by Tab, or printed as a command, must neither be evaluated
nor steer a terminal when a person uses it.
"""

from __future__ import annotations

import re

from ..errors import harmless

_NEEDS_QUOTES = re.compile(r"[\s${}]|^[-\"'#]|[;?]$|^$")
_EVALUATED = re.compile(r"[${}]")


def as_typed(word: str) -> str:
    """Returns the word alone if that is safe, and otherwise in the quotes that it needs."""
    return quoted(word) if _NEEDS_QUOTES.search(word) or harmless(word) != word else word


def quoted(word: str) -> str:
    """Returns the word in single quotes, or in the form that it needs instead.

    A word with quotes that would end too early, or with characters that cannot be typed, becomes a Python
    string in braces, an expression that only gives its text.
    """
    if harmless(word) == word:
        if not re.search(r"'(?:\s|$)", word):
            return f"'{word}'"
        if not re.search(r"\"(?:\s|$)", word) and not _EVALUATED.search(word):
            return f'"{word}"'
    return "{'" + "".join(map(_in_literal, word)) + "'}"


def _in_literal(character: str) -> str:
    if character in "'\"\\${}":
        return f"\\x{ord(character):02x}"
    return character if character.isprintable() else character.encode("unicode_escape").decode()
