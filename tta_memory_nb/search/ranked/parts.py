"""A record, taken apart: who it is of, when it is from, what it says, and where it belongs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from ...entry import Entry, Unreadable
from ...text import Place, leaf_text
from .dates import TEMPORAL, day_of, day_of_instant, day_of_seconds
from .words import Words

PEOPLE = frozenset(
    ("user", "speaker", "sender", "author", "from", "name", "role", "agent", "participant")
)
"""Names of fields that say who speaks. A longer text in such a field is a text like others."""

_MOST_WORDS = 3
_MOST_SPELT = 4096
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


class Parts(NamedTuple):
    """What an index takes of a record.

    Attributes:
        owner: user and session, see `owner_of`.
        counts: term -> how often the texts have it.
        length: number of words.
        people: the names of those it is of, as their words joined by spaces.
        day: days since 1970 of its first instant, or of when it was created.
        temporal: whether its texts tell when something happens.
        fields: the names of its fields.
    """

    owner: tuple[str, str]
    counts: dict[str, int]
    length: int
    people: Collection[str]
    day: int
    temporal: bool
    fields: set[str]


class Reader:
    """Takes records apart for an index.

    Args:
        words: finds the terms of texts.
    """

    def __init__(self, words: Words) -> None:
        self.words = words
        self._temporal = frozenset(term for word in TEMPORAL for term in words.terms(word))
        # Names as they are written, and their words. Few people write most records.
        self._spelt: dict[str, str] = {}

    def read(self, entry: Entry) -> Parts:
        """Returns the parts of a record; of one that cannot be read, those of its key alone."""
        counts: dict[str, int] = {}
        people: dict[str, None] = {}
        fields: set[str] = set()
        instants: list[str] = []
        length, day = 0, None
        owner, count = owner_of(entry.key), self.words.count
        if owner[0] and (name := self.name(owner[0])):
            people[name] = None
        leaves = () if isinstance(entry, Unreadable) else leaves_of(entry.value())
        for kind, text, _, field, its_day in leaves:
            fields.add(field)
            if kind == "text":
                length += count(text, counts)
            elif kind == "who":
                if name := self.name(text):
                    people[name] = None
            elif kind == "number":
                count(text, counts)
            else:
                day = its_day if day is None else day
                instants.append(text)
        temporal = not self._temporal.isdisjoint(counts)
        for text in instants:
            length += count(text, counts)
        if day is None:
            day = day_of_instant(created_at(entry))
        return Parts(owner, counts, length, people.keys(), day, temporal, fields)

    def name(self, text: str) -> str:
        """Returns the name of a person as its words, in small letters and without accents."""
        name = self._spelt.get(text)
        if name is None:
            if len(self._spelt) > _MOST_SPELT:
                self._spelt.clear()
            name = self._spelt[text] = name_of(text, self.words)
        return name


def name_of(text: str, words: Words) -> str:
    """Returns the name of a person as its words, in small letters and without accents."""
    return " ".join(word.text for word in words.of(text) if not word.whole)


def created_at(entry: Entry) -> float:
    """Returns when a record was created, in Unix seconds."""
    return entry.updated_at if entry.created_at is None else entry.created_at
