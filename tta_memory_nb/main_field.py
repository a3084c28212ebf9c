"""Which field of some records holds what they say: the text of a message, of a note, of a memory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .table import Path

_NAMES = (
    *("text", "content", "message", "utterance", "body", "memory", "new_memory", "note", "fact"),
    *("observation", "input", "prompt", "question", "query"),
    *("value", "data", "title", "summary", "description"),
    *("output", "answer", "response", "completion"),
)
"""Names that chats, notes and memories give to the field that holds what was said, the surest first."""

_VAGUE = frozenset(("value", "data"))
"""Names that also stand for amounts, codes and dates. Such a field counts only if it holds a text, as in a block of Letta or a payload of mem0."""

_LEAST = 12
"""The fewest characters of a text in a field with a vague name; amounts, codes and dates are mostly shorter."""

# What has many characters and no space is no text that anybody reads.
_UNREADABLE = re.compile(r"[\w.:/+=-]{20,}")
# So many characters of a text count, so that one long document does not decide for all records.
_COUNTED = 200


def main_field(fields: Mapping[Path, Sequence[Any]]) -> Path | None:
    """Returns the path of the field that carries the text of some records.

    A field with a name that stands for text is chosen, and of several the one that most records have.
    Without such a name, it is the field with the most text.

    Args:
        fields: for each path, the leaves of the records that have the field, in any order.

    Returns:
        None when no record holds text.
    """
    named: tuple[tuple[int, int, int], Path] | None = None
    longest: tuple[int, Path] | None = None
    for path, leaves in fields.items():
        texts = [leaf for leaf in leaves if isinstance(leaf, str) and leaf.strip()]
        if not texts or not path:
            continue
        name = path[-1].casefold()
        named_so = list(filter(_is_telling, texts)) if name in _VAGUE else texts
        if name in _NAMES and named_so:
            rank = (len(named_so), -_NAMES.index(name), -len(path))
            if named is None or rank > named[0]:
                named = rank, path
        length = sum(min(len(text), _COUNTED) for text in texts if not _UNREADABLE.fullmatch(text))
        if longest is None or length > longest[0]:
            longest = length, path
    if named is not None:
        return named[1]
    return None if longest is None else longest[1]


def _is_telling(text: str) -> bool:
    return len(text) >= _LEAST and _UNREADABLE.fullmatch(text) is None
