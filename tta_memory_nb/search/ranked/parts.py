"""A record, taken apart: who it is of, when it is from, what it says, and where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...text import Place, leaf_text
from .dates import day_of, day_of_seconds

PEOPLE = frozenset(
    ("user", "speaker", "sender", "author", "from", "name", "role", "agent", "participant")
)
"""Names of fields that say who speaks. A longer text in such a field is a text like others."""

_MOST_WORDS = 3
_LONGEST_NAME = 60

_TIMES = frozenset(
    (
        *("time", "timestamp", "ts", "date", "datetime", "day", "at", "when", "created", "updated"),
        *("created_at", "updated_at", "sent_at", "createdat", "updatedat", "sent", "date_time"),
    )
)


class Leaf(NamedTuple):
    """A leaf of a value.

    Attributes:
        kind: ``"who"`` for a person, ``"when"`` for an instant, ``"text"`` for text, ``"number"``.
        text: the leaf as text.
        place: where it is, see ``text.path_of``.
        name: of the field, or of the field with the list around it.
        day: days since 1970 of an instant, else None.
    """

    kind: str
    text: str
    place: Place
    name: str
    day: int | None = None


def leaves_of(value: dict[str, Any]) -> Iterator[Leaf]:
    """Yields the leaves of a value that say something, in no certain order."""
    # A stack has no depth limit. The name of a list counts for what is in it.
    stack: list[tuple[Place | None, str, Any]] = [(None, "", value)]
    while stack:
        around, name, node = stack.pop()
        steps = node.items() if type(node) is dict else enumerate(node)
        for step, child in steps:
            own = step if type(step) is str else name
            if type(child) is str:
                if child:
                    yield _text_leaf(own, child, (around, step))
            elif type(child) is dict or type(child) is list:
                stack.append(((around, step), own, child))
            elif type(child) is int or type(child) is float:
                day = day_of_seconds(child) if own.lower() in _TIMES else None
                kind = "number" if day is None else "when"
                # The digits of Unix seconds are no word.
                text = leaf_text(child) if day is None else ""
                yield Leaf(kind, text, (around, step), own, day)


def _text_leaf(name: str, text: str, place: Place) -> Leaf:
    length = len(text)
    if length <= _LONGEST_NAME:
        if name.lower() in PEOPLE and len(text.split()) <= _MOST_WORDS:
            return Leaf("who", text, place, name)
        if length >= 8:
            day = day_of(text)
            if day is not None:
                return Leaf("when", text, place, name, day)
    return Leaf("text", text, place, name)


def owner_of(key: str) -> tuple[str, str]:
    """Returns the user and the session that a key begins with; empty texts for a key without them.

    Other than filters, which know the keys of `create_memory_key` alone, this takes any key of two or
    more parts for one of a session: ``alice:monday:turn-3`` as well.
    """
    user, separator, rest = key.partition(":")
    session = rest.partition(":")[0]
    return (user, session) if separator and user and session else ("", "")
