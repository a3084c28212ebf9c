"""The notebook's variables in a line: ``$name``, and ``{expression}`` as in an f-string. No IPython here."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import brief
from .arguments import UsageProblem

Lookup: TypeAlias = Callable[[str], Any]
"""Returns the value of an expression over the notebook's variables. What the expression raises is not caught."""

_NAME = re.compile(r"\$([^\W\d]\w*)((?:\.[^\W\d]\w*)*)")
_STRING = re.compile(
    r"'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"|'(?:\\.|[^\\'])*'|\"(?:\\.|[^\\\"])*\"",
    re.DOTALL,
)
_CONVERSION = re.compile(r"!([rsa])\s*(?=[:}])")
_CONVERSIONS: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a line that stands for a value.

    Attributes:
        text: the place as it is typed.
        end: the position behind it.
        expression: what gives the value.
        conversion: r, s or a, as in an f-string; empty for none.
        spec: the format; None for none. It may contain fields itself.
    """

    text: str
    end: int
    expression: str
    conversion: str = ""
    spec: str | None = None

    @property
    def is_object(self) -> bool:
        """Whether the field, alone, is the object itself and not a text of it."""
        return not self.conversion and self.spec is None and _parsed(self.expression) is not None

    @property
    def is_text(self) -> bool:
        """Whether the field is formatted text. JSON that has a fault, such as ``{a: 1}``, is none."""
        formatted = bool(self.conversion) or (self.spec is not None and not self.spec[:1].isspace())
        return formatted and not isinstance(_parsed(self.expression), (ast.Constant, type(None)))

    def value(self, lookup: Lookup, way_out: str = "in single quotes it is plain text") -> Any:
        """Returns the object, or the formatted text of it.

        Args:
            lookup: returns the values of the notebook's variables.
            way_out: what an error advises.

        Raises:
            UsageProblem: the expression or its format raises anything.
        """
        try:
            value = lookup(self.expression)
            if self.conversion:
                value = _CONVERSIONS[self.conversion](value)
            return value if self.spec is None else format(value, filled(self.spec, lookup))
        except Exception as error:  # whatever the user's expression raises
            if isinstance(error, AttributeError) and self.text.startswith("$"):
                name, _, rest = self.text[1:].partition(".")
                way_out = f"{{{name}}}.{rest} is the text of {name}, followed by .{rest}"
            raise UsageProblem(
                f"cannot take {brief(self.text)} from the notebook: {type(error).__name__}: "
                f"{error}; {way_out}"
            ) from None

    def names(self) -> set[str]:
        """Returns the names of variables that the expression and its format mention."""
        tree = _parsed(self.expression)
        mentioned = (
            {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if tree else set()
        )
        return mentioned | names_in(self.spec or "")


def field_at(text: str, start: int) -> Field | None:
    """Returns the field that begins at a position; None if none does."""
    if text[start : start + 1] == "$":
        found = _NAME.match(text, start)
        return found and Field(found[0], found.end(), found[1] + found[2])
    if text[start : start + 1] != "{" or text[start + 1 : start + 2] == "{":
        return None
    at, depth = start + 1, 0
    while at < len(text):
        character = text[at]
        if string := _STRING.match(text, at):
            at = string.end()
            continue
        if depth == 0 and character in "!:}":
            conversion = _CONVERSION.match(text, at)
            if character != "!" or conversion:
                return _closed(text, start, at, conversion)
        depth += (character in _OPENING) - (character in _CLOSING)
        at += 1
    return None


def _closed(text: str, start: int, at: int, conversion: re.Match[str] | None) -> Field | None:
    """Returns the field whose expression ends at a position."""
    expression = text[start + 1 : at].strip()
    if not expression:
        return None
    if conversion:
        at = conversion.end()
    spec = None
    end = at
    if text[at] == ":":
        depth = 0
        for end in range(at + 1, len(text)):
            if text[end] == "}" and depth == 0:
                break
            depth += (text[end] == "{") - (text[end] == "}")
        else:
            return None
        spec = text[at + 1 : end]
    return Field(
        text[start : end + 1], end + 1, expression, conversion[1] if conversion else "", spec
    )


def field_of(text: str) -> Field | None:
    """Returns the field that is the whole text, apart from spaces around it; None if the text is none."""
    stripped = text.strip()
    field = field_at(stripped, 0)
    return field if field and field.end == len(stripped) else None


def filled(text: str, lookup: Lookup) -> str:
    """Returns the text with the texts of its fields in place of them; ``{{`` stands for ``{``.

    Raises:
        UsageProblem: a field has no value, or has a function as its value, which is no text.
    """
    pieces: list[str] = []
    at = 0
    while at < len(text):
        if field := field_at(text, at):
            value = field.value(lookup)
            if callable(value) and field.text.startswith("$"):
                name, _, rest = field.text[1:].partition(".")
                raise UsageProblem(
                    f"{brief(field.text)} is a function, which is no text; {{{name}}}"
                    + (f".{rest} is the text of {name}, followed by .{rest}" if rest else "")
                )
            pieces.append(str(value))
            at = field.end
        else:
            pieces.append(text[at])
            at += 2 if text[at : at + 2] in ("{{", "}}") else 1
    return "".join(pieces)


def names_in(text: str) -> set[str]:
    """Returns the names of variables that the fields of a text mention."""
    names: set[str] = set()
    at = 0
    while at < len(text):
        if field := field_at(text, at):
            names |= field.names()
            at = field.end
        else:
            at += 2 if text[at : at + 2] == "{{" else 1
    return names


def _parsed(expression: str) -> ast.expr | None:
    try:
        return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
