"""What a person reads of the state of a graph; nothing is ever read back from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import BaseMessage

# Texts are cut after so many characters, and objects within objects at this depth.
_LONGEST = 10_000
_DEEPEST = 8

# LangChain's kind of a message -> the role that providers and this package's datasets call it.
_ROLES = {"human": "user", "ai": "assistant"}


def shown(value: Any) -> dict[str, Any]:
    """Returns the fields that show a value: ``text``, what was said last, and ``messages``; ``value`` for anything else."""
    messages = value if isinstance(value, (list, tuple)) else [value]
    if messages and all(isinstance(each, BaseMessage) for each in messages):
        told = list(map(_message, messages))
        return {"text": _said(told[-1]), "messages": told}
    return {"value": readable(value)}


def readable(value: Any, depth: int = 0) -> Any:
    """Returns JSON that shows a value; what JSON lacks as text."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if value is None or isinstance(value, bool):
        return value
    if type(value) is int and abs(value) < 2**63:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, BaseMessage):
        return _message(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        if depth == _DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            return {str(name): readable(part, depth + 1) for name, part in value.items()}
        return [readable(part, depth + 1) for part in value]
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value):,} bytes>"
    try:
        return readable(repr(value), depth)
    except (
        Exception
    ):  # a broken __repr__ may raise anything, and the state must be kept all the same
        return f"<{type(value).__name__}>"


def _said(message: dict[str, Any]) -> str:
    """Returns a message as one line."""
    content = message.get("content")
    if isinstance(content, list):  # parts, such as texts and images
        texts = [part.get("text") if isinstance(part, dict) else part for part in content]
        content = " ".join(text for text in texts if isinstance(text, str))
    names = ", ".join(call["name"] for call in message.get("tool_calls", ()))
    return f"{message['role']}: {content or (names and f'calls {names}')}"


def _message(message: BaseMessage) -> dict[str, Any]:
    """Returns a message as its role, its content, and what a tool is called with."""
    told = {
        "role": _ROLES.get(message.type, message.type),
        "content": readable(message.content),
        "name": message.name,
        "tool_calls": [
            {"name": call["name"], "args": readable(call["args"])}
            for call in getattr(message, "tool_calls", None) or ()
        ],
    }
    return {name: part for name, part in told.items() if part not in (None, [])}
