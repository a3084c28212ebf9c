"""The difference of two texts, or of two states of a record, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple, TypeAlias

from ..codec import snapshot, to_json
from ..entry import Entry
from ..table import ABSENT, field_name
from ..times import shown_instant
from .compare import EXPIRY, FieldChange, field_changes

Sign: TypeAlias = Literal[" ", "-", "+"]

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")

# Comparing takes time that grows with the product of the lengths.
_MOST_WORDS = 1500


class Part(NamedTuple):
    """A piece of text, with what has become of it.

    Attributes:
        sign: ``" "`` for text of both, ``"-"`` for text of the first only, ``"+"`` for text of the second only.
        text: the piece.
    """

    sign: Sign
    text: str


class FieldDiff(NamedTuple):
    """What has become of one field.

    Attributes:
        field: its name, with those of the objects around it: ``agent.name``.
        parts: the pieces of its text before and after.
    """

    field: str
    parts: list[Part]


def field_diffs(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[FieldDiff]:
    """Returns the fields that differ between two values of a record; None stands for no record.

    A leaf that is text is compared word by word, any other as JSON.
    """
    was, is_ = (value if value is None else _entry(value) for value in (before, after))
    return diffs_of(field_changes(was, is_))


def diffs_of(changes: Iterable[FieldChange]) -> list[FieldDiff]:
    """Returns the changes of fields word by word; a change of the expiry is that of a field ``expires``."""
    return [
        FieldDiff("expires", _leaf_diff(*map(_instant, (old, new))))
        if path == EXPIRY
        else FieldDiff(field_name(path), _leaf_diff(old, new))
        for path, old, new in changes
    ]


def _instant(seconds: Any) -> Any:
    return "never" if seconds is ABSENT else shown_instant(seconds)


def _leaf_diff(old: Any, new: Any) -> list[Part]:
    if isinstance(old, str) and isinstance(new, str):
        return word_diff(old, new)
    gone, came = Part("-", _text(old)), Part("+", _text(new))
    return [part for part in (gone, came) if part.text]


def written(parts: list[Part]) -> str:
    """Returns a difference as one text, in the notation of ``git diff --word-diff``: ``[-gone-]{+came+}``."""
    return "".join(_BRACKETS[sign].format(text) for sign, text in parts)


_BRACKETS = {" ": "{}", "-": "[-{}-]", "+": "{{+{}+}}"}


def _entry(value: dict[str, Any]) -> Entry:
    return Entry("-", snapshot(value), None, 0.0, None)


def _text(leaf: Any) -> str:
    if leaf is ABSENT:
        return ""
    return leaf if isinstance(leaf, str) else to_json(leaf)


def word_diff(before: str, after: str) -> list[Part]:
    """Returns the pieces of two texts in order. Those without ``"+"`` make the first text, those without ``"-"`` the second.

    Texts of very many words are not compared inside: only what they have in common at both ends is.
    """
    if before == after:
        return [Part(" ", before)] if before else []
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    inside = old[start : len(old) - end], new[start : len(new) - end]
    parts = [Part(" ", "".join(old[:start])), *_compared(*inside)]
    parts.append(Part(" ", "".join(old[len(old) - end :])))
    return _joined([part for part in parts if part.text])


def _compared(old: list[str], new: list[str]) -> list[Part]:
    if len(old) + len(new) > _MOST_WORDS:
        return [Part("-", "".join(old)), Part("+", "".join(new))]
    parts: list[Part] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for what, i, i_end, j, j_end in matcher.get_opcodes():
        gone, came = "".join(old[i:i_end]), "".join(new[j:j_end])
        # A space between two words that were replaced would only tear their phrase apart.
        if what == "equal" and not (gone.isspace() and i > 0 and i_end < len(old)):
            parts.append(Part(" ", gone))
        else:
            parts += [Part("-", gone), Part("+", came)]
    return parts


def _joined(parts: list[Part]) -> list[Part]:
    """Returns the pieces with those joined that belong together: what is gone first, then what came."""
    joined: list[Part] = []
    gone = came = ""
    for sign, text in [*parts, Part(" ", "")]:
        if sign == "-":
            gone += text
        elif sign == "+":
            came += text
        else:
            joined += [each for each in (Part("-", gone), Part("+", came)) if each.text]
            gone = came = ""
            joined.append(Part(" ", text))
    return [part for part in joined if part.text]
