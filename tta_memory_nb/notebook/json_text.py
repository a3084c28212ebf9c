"""JSON objects in the text that a person types, each parsed exactly once. No IPython here."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from typing import Any

from ..errors import InvalidArgument, brief

_TOKEN = re.compile(r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|#[^\n]*|[\[{(]|[\]})]""")
_CLOSING = {"{": "}", "[": "]", "(": ")"}

# The end of a Python dict is searched for among its closing braces. More than this many on a line is
# no dict that a person has typed, and each try costs a parse.
_MOST_BRACES = 200


class UnreadableObject(InvalidArgument):
    """Text that begins with a brace, but not with a JSON object or a Python dict."""


def unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Builds an object and refuses duplicate fields; for ``object_pairs_hook`` of a JSON decoder.

    Raises:
        InvalidArgument: a field occurs more than once.
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        times = Counter(name for name, _ in pairs)
        duplicate = next(name for name in times if times[name] > 1)
        raise InvalidArgument(f"duplicate field {brief(duplicate)}")
    return value


_decoder = json.JSONDecoder(object_pairs_hook=unique_fields)


def read_object(text: str, start: int = 0) -> tuple[dict[str, Any], int]:
    """Reads a JSON object, or a Python dict of literals, that is followed by any text.

    Args:
        text: contains the object.
        start: position of its opening brace.

    Returns:
        The object, and the position behind it.

    Raises:
        UnreadableObject: neither a JSON object nor a Python dict begins here.
        InvalidArgument: a field occurs more than once.
    """
    try:
        value, end = _decoder.raw_decode(text, start)
    except InvalidArgument:
        raise
    except (ValueError, RecursionError) as error:
        found = _read_dict(text, start)
        if found is None:
            raise _unreadable(text, start, error) from None
        return found
    assert isinstance(value, dict)
    return value, end


def closes_at(text: str, start: int = 0) -> int | None:
    """Returns the position behind the bracket that closes an object, whether it can be read or not.

    Args:
        text: contains the object, which may have several lines and, as a Python dict, comments.
        start: position of its opening brace.

    Returns:
        The position; None if the text ends inside the object, or closes a bracket that was not opened.
    """
    awaited: list[str] = []
    for found in _TOKEN.finditer(text, start):
        token = found[0]
        if token in _CLOSING:
            awaited.append(_CLOSING[token])
        elif token in _CLOSING.values():
            if awaited.pop() != token:
                return None
            if not awaited:
                return found.end()
    return None


def ends_inside_braces(text: str) -> bool:
    """Returns whether a text ends before a brace is closed that it opens."""
    at = text.find("{")
    while at >= 0:
        end = closes_at(text, at)
        if end is None:
            return True
        at = text.find("{", end)
    return False


def value_of(text: str) -> dict[str, Any]:
    """The value that ``add`` stores for a text: a JSON object, or ``{"text": ...}`` for other text.

    Raises:
        InvalidArgument: empty text, a list, or text that begins with a brace and is no object.
    """
    typed, text = text, text.strip()
    if not text:
        raise InvalidArgument('the value is empty; write {} for an empty one, or {"text": ...}')
    if text.startswith("{"):
        value, end = read_object(text)
        if text[end:].strip():
            raise _not_json("text follows the object", text, 0, end)
        return value
    if text.startswith("[") and _is_json(text):
        raise InvalidArgument(
            'a list is not a value: write {"items": [...]}, or %memory import $messages for a chat'
        )
    return {"text": typed}


def _read_dict(text: str, start: int) -> tuple[dict[str, Any], int] | None:
    braces = [found.end() for found in re.finditer("}", text[start:])][:_MOST_BRACES]
    for length in braces:
        try:
            value = ast.literal_eval(text[start : start + length])
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, dict):
            return value, start + length
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _unreadable(text: str, start: int, error: Exception) -> UnreadableObject:
    if isinstance(error, json.JSONDecodeError):
        return _not_json(error.msg.removesuffix(" at"), text, start, error.pos)
    if isinstance(error, RecursionError):
        return UnreadableObject("the value is nested too deeply to be read")
    return UnreadableObject(f"the value cannot be read: {error}")  # an integer of too many digits


def _not_json(reason: str, text: str, start: int, position: int) -> UnreadableObject:
    before = text[start:position]
    line, column = before.count("\n") + 1, position - start - before.rfind("\n")
    place = f"column {column}" if line == 1 else f"line {line}"
    return UnreadableObject(
        f"the value is not JSON: {reason} at {place}; $name stores a variable, and text behind -- "
        "is stored as text"
    )
