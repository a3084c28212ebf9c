"""Folded text of field names and leaf values, which a search compares.

A query matches a record when the folded query is a substring of one folded field name or
one folded leaf value. JSON punctuation, escapes and the borders between fields never match.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from typing import Any, TypeAlias
from unicodedata import combining, normalize

from .codec import Snapshot, from_json

# Folded text contains no ASCII capital. An ASCII capital between two pieces is therefore in no query, and
# no match crosses the border, whatever characters the pieces contain.
BORDER = "Z"

# A run of combining marks that is longer is sorted before it is folded.
_LONG_RUN = 128

MOST_PATHS = 1000
"""How many paths of matching fields are told of one record."""

_LONGEST_NAME = 200

Place: TypeAlias = "tuple[Place | None, str | int]"
"""A place in a value: the place of the object or list around it, and the name or position in there."""


def fold(text: str) -> str:
    """Returns a form that is equal for texts that a reader considers the same.

    This is Unicode canonical caseless matching (The Unicode Standard, section 3.13, D145) in
    composed form. It makes equal "Straße" and "STRASSE", "é" as one and as two code points, and "ς"
    and "σ". Case is folded in the decomposed text, because folding turns an iota subscript into a
    letter, which normalization then no longer moves behind the accents that belong before it.
    """
    if text.isascii():
        return text.lower()
    if len(text) > _LONG_RUN:
        text = _with_sorted_marks(text)
    return normalize("NFC", normalize("NFD", text).casefold())


def _is_mark(character: str) -> bool:
    # Three vowel signs of Tibetan are no marks, but consist of some.
    return combining(character) > 0 or character in "\u0f73\u0f75\u0f81"


def _with_sorted_marks(text: str) -> str:
    """Returns an equivalent text in which long runs of combining marks are in canonical order.

    `normalize` orders a run of marks by moving each of them one by one, which takes hours for a text that
    consists of marks. It has nothing to move in a run that is sorted.
    """
    pieces: list[str] = []
    done, at, end = 0, 0, len(text)
    while at + _LONG_RUN < end:
        # Every run of twice this length contains such a stretch.
        stretch = at + _LONG_RUN
        if not (_is_mark(text[stretch]) and all(map(_is_mark, text[at:stretch]))):
            at = stretch
            continue
        while stretch < end and _is_mark(text[stretch]):
            stretch += 1
        marks = "".join(normalize("NFD", mark) for mark in text[at:stretch])
        pieces += (text[done:at], "".join(sorted(marks, key=combining)))
        done = at = stretch
    return "".join(pieces) + text[done:]


def leaf_text(leaf: str | float | bool | None) -> str:
    """Returns a leaf as Python's JSON writes it, strings without quotes: ``true``, ``null``, ``1e+16``."""
    if isinstance(leaf, str):
        return leaf
    if isinstance(leaf, bool):
        return "true" if leaf else "false"
    return "null" if leaf is None else repr(leaf)


def searchable(value: dict[str, Any]) -> str:
    """Returns all folded text of a plain JSON object, its pieces separated by `BORDER`."""
    pieces: list[str] = []
    _collect(value, pieces)
    return BORDER.join(pieces)


def _collect(value: dict[str, Any], pieces: list[str]) -> None:
    # A stack takes a third of the time of recursion on small objects, and has no depth limit.
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


def searchable_json(text: Snapshot) -> bytes:
    """Returns the pieces of `searchable` for the value of a JSON text, as UTF-8 and in another order."""
    if isinstance(text, str) or b"\\" in text:
        return to_utf8(searchable(from_json(text)))
    folded = text.lower() if text.isascii() else fold(text.decode()).encode()
    # Without escapes, every quote is a delimiter, so every second piece is a string. No letter folds to a
    # quote or composes with one, so folding the whole text folds each string correctly.
    pieces = folded.split(b'"')
    others = b",".join(pieces[::2]).translate(None, b"{}[]:").split(b",")
    leaves = [_as_python_writes(leaf) for leaf in others if leaf]
    return BORDER.encode().join(pieces[1::2] + leaves)


def _as_python_writes(leaf: bytes) -> bytes:
    """Returns a number, ``true``, ``false`` or ``null`` as `leaf_text` writes it; JSON may write a float differently."""
    if (b"." in leaf or b"e" in leaf) and leaf[:1] not in b"tf":
        return repr(float(leaf)).encode()
    return leaf


def to_utf8(text: str) -> bytes:
    """Encodes text as UTF-8 and keeps unpaired surrogates, which strict UTF-8 cannot represent."""
    return text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass")


class Needle:
    """The folded query of a substring search.

    Args:
        folded: non-empty text that `fold` has returned.
    """

    __slots__ = ("_shows", "utf8")

    def __init__(self, folded: str) -> None:
        self.utf8 = to_utf8(folded)
        self._shows: bool | None = None

    def shows_in_json(self) -> bool:
        """Returns whether every lower-cased ASCII JSON text that matches contains the needle literally."""
        if self._shows is None:
            # JSON may write a float differently, and it escapes some characters.
            self._shows = bool(self.utf8.translate(None, b"0123456789.e+-")) and not any(
                byte < 0x20 or byte in b'"\\' for byte in self.utf8
            )
        return self._shows

    def at_a_glance(self) -> Callable[[Snapshot], bool]:
        """Returns a quick test of raw JSON. False proves that `searchable_json` does not contain the needle."""
        if not self.shows_in_json():
            return lambda _: True
        utf8 = self.utf8
        # ASCII folds to its lower-case letters; other text may fold to anything.
        return lambda text: isinstance(text, str) or utf8 in text.lower() or not text.isascii()


def matching_paths(value: dict[str, Any], needle: str) -> tuple[str, ...]:
    """Returns the paths of the fields that contain a folded query, in field order.

    A path reads ``text`` or ``agent.tags[0]``, see `path_of`. A field whose name and value both match is
    listed once. These are the first `MOST_PATHS`.
    """
    paths: dict[str, None] = {}
    for place, _, _ in matches_of(value, needle):
        paths[path_of(place)] = None
        if len(paths) == MOST_PATHS:
            break
    return tuple(paths)


def matches_of(
    node: dict[str, Any] | list[Any], needle: str, place: Place | None = None
) -> Iterator[tuple[Place, str, bool]]:
    """Yields the names and leaves that contain a folded query, in field order.

    Args:
        node: plain JSON: a value, or an object or a list in one.
        needle: the folded query.
        place: the place of the node; None for the value itself.

    Yields:
        The place; a field's name, or a leaf as `leaf_text` gives it; whether it is the name.
    """
    for step, child in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(step, str) and needle in (step.lower() if step.isascii() else fold(step)):
            yield (place, step), step, True
        if isinstance(child, (dict, list)):
            yield from matches_of(child, needle, (place, step))
            continue
        text = child if isinstance(child, str) else leaf_text(child)
        if needle in (text.lower() if text.isascii() else fold(text)):
            yield (place, step), text, False


def path_of(place: Place) -> str:
    """Returns a place as text: ``agent.tags[0]``. A name of more than 200 characters is cut."""
    steps: list[str] = []
    around: Place | None = place
    while around is not None:
        around, step = around
        if isinstance(step, int):
            steps.append(f"[{step}]")
        else:
            name = step if len(step) <= _LONGEST_NAME else f"{step[:_LONGEST_NAME]}…"
            steps.append(name if around is None else f".{name}")
    return "".join(reversed(steps))


def match_spans(text: str, needle: str) -> list[tuple[int, int]]:
    """Returns the start and end of each occurrence of a folded query in an unfolded text.

    Folding may change the length ("Straße" has six letters, "strasse" seven) and the order of
    characters. A span therefore covers whole characters with all their accents, even if only a part
    of one matches.
    """
    if text.isascii():
        return _spans(text.lower(), needle)
    starts = [0, *(at for at in range(1, len(text)) if not combining(text[at])), len(text)]
    pieces = [fold(text[start:end]) for start, end in pairwise(starts)]
    folded = "".join(pieces)
    if folded != fold(text):  # letters that compose with each other, such as those of Hangul
        return [(0, len(text))] if needle in fold(text) else []
    ends = list(accumulate(map(len, pieces)))
    spans: list[tuple[int, int]] = []
    for start, end in _spans(folded, needle):
        first, last = bisect_right(ends, start), bisect_left(ends, end)
        spans.append((starts[first], starts[last + 1]))
    return spans


def _spans(text: str, needle: str) -> list[tuple[int, int]]:
    spans = []
    at = text.find(needle)
    while at >= 0:
        spans.append((at, at + len(needle)))
        at = text.find(needle, at + len(needle))
    return spans
