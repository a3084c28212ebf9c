"""The syntax of a command, read from its signature: operands, flags, help. No IPython here.

A command is a function ``(notebook, operand, ..., *, flag=default, ...)``. Positional parameters are
operands, filled from the line in order. Keyword-only parameters are flags: ``max_size`` is typed as
``--max-size``, and a ``bool`` is a switch, which takes no value; a flag of ``Words`` takes all words up to
the next flag. ``**filters`` means the filters
that every query takes. Annotations say how text becomes a value: `Word`, `Words`, `Text`, `Payload`,
`Limit`, ...
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NewType, TypeAlias

from ..errors import InvalidArgument, TTAMemoryError, brief
from .words import quoted

# What an operand takes from the line.
Word = NewType("Word", str)
"""One word, or text in quotes."""
Words: TypeAlias = "tuple[str, ...]"
"""All remaining words."""
Text = NewType("Text", str)
"""All remaining text, unchanged."""
Payload: TypeAlias = object
"""The value of a record: a variable, a JSON object, or all remaining text."""
Limit: TypeAlias = "int | None"
"""A number, or ``all``, which becomes None."""

_LONGEST_MISTYPED = 200  # characters; comparing words takes time quadratic in their length


class UsageProblem(InvalidArgument):
    """A command line that does not fit the syntax of its command."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of a command.

    Attributes:
        name: the parameter's name in the signature.
        kind: the parameter's annotation, as text.
        about: one line of help.
    """

    name: str
    kind: str
    about: str

    @property
    def written(self) -> str:
        """The flag as a person types it: ``--max-size``."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return self.kind == "bool"


@dataclass(frozen=True, slots=True)
class Operand:
    """A positional argument of a command.

    Attributes:
        name: the parameter's name in the signature.
        kind: the parameter's annotation, as text.
        required: whether the line must contain it.
    """

    name: str
    kind: str
    required: bool


FILTERS = (
    Flag("user", "str", "only this user's records (first part of the key)"),
    Flag("session", "str", "only this session's records (second part of the key)"),
    Flag("prefix", "str", "only keys that begin with this text"),
    Flag("since", "str", "written at or after this: 2h, 2026-11-22, 2026-11-22T15:00Z"),
    Flag("until", "str", "written at or before this"),
    Flag("where", "Where", 'conditions on fields: {"turn": {"$gt": 3}}'),
)
OUTPUT = "-o"


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a command accepts, read from its signature and docstring.

    Attributes:
        name: the command as a person types it.
        operands: its positional arguments, in order.
        flags: its flags, filters included.
        summary: first line of the docstring.
        details: the docstring between the summary and the flags.
    """

    name: str
    operands: tuple[Operand, ...]
    flags: tuple[Flag, ...]
    summary: str
    details: str

    @classmethod
    def of(cls, name: str, command: Callable[..., Any]) -> Syntax:
        """Reads the signature and the docstring of a command."""
        summary, _, rest = (inspect.getdoc(command) or "").partition("\n")
        body, _, arguments = rest.partition("Flags:\n")
        abouts = {
            found[1]: " ".join(found[2].split())
            for found in re.finditer(r"^    (\w+): (.*(?:\n        .*)*)", arguments, re.MULTILINE)
        }
        operands: list[Operand] = []
        flags: list[Flag] = []
        _, *parameters = inspect.signature(command).parameters.values()
        for parameter in parameters:
            kind = str(parameter.annotation)
            if parameter.kind is parameter.VAR_KEYWORD:
                flags.extend(FILTERS)
            elif parameter.kind is parameter.KEYWORD_ONLY:
                flags.append(Flag(parameter.name, kind, abouts.get(parameter.name, "")))
            else:
                required = parameter.default is parameter.empty
                operands.append(Operand(parameter.name, kind.removesuffix(" | None"), required))
        return cls(name, tuple(operands), tuple(flags), summary, body.strip("\n"))

    @property
    def usage(self) -> str:
        """One line: ``%memory get KEYS...``."""
        parts = [f"%memory {self.name}"]
        for operand in self.operands:
            word = operand.name.upper() + ("..." if operand.kind == "Words" else "")
            parts.append(word if operand.required else f"[{word}]")
        return " ".join(parts)

    def help(self) -> str:
        """The whole help of the command."""
        lines = [self.usage, "", self.summary]
        if self.details.strip():
            lines += [inspect.cleandoc(self.details)]
        if self.flags:
            shown = [
                (f.written if f.is_switch else f"{f.written} {metavar(f)}") for f in self.flags
            ]
            width = max(map(len, shown))
            lines += ["", "Flags:"]
            lines += [
                f"  {text:<{width}}  {flag.about}".rstrip()
                for text, flag in zip(shown, self.flags, strict=True)
            ]
        return "\n".join(lines)

    def flag(self, written: str) -> Flag:
        """The flag that a person has typed.

        Raises:
            UsageProblem: there is no such flag; the message suggests the most similar one.
        """
        for flag in self.flags:
            if flag.written == written:
                return flag
        known = [flag.written for flag in self.flags]
        shown = brief(written)[1:-1]
        raise UsageProblem(
            f"no flag {shown}{did_you_mean(written, known)}; there are "
            f"{', '.join([*known, OUTPUT])}; to use it as text, write -- in front of the text"
        )

    def explain(self, error: TTAMemoryError) -> str:
        """The message of an error, with arguments named as they are typed after ``%memory``.

        The library says ``since='whenever': ...`` and ``with key= (in %memory: --key)``; here that is
        ``--since 'whenever': ...`` and ``with --key``.
        """
        message, name = str(error), error.parameter
        if name is not None and re.match(rf"{re.escape(name)}\b", message):
            if (typed := self._typed(name)) is not None:
                rest = message.removeprefix(name)
                message = f"{typed} {rest[1:]}" if rest.startswith("=") else f"{typed}{rest}"
            other = error.other_parameter
            if other is not None and (typed := self._typed(other)) is not None:
                message = message.replace(f" {other}=", f" {typed} ", 1)
        return _BOTH_SPELLINGS.sub(r"\1", message)

    def _typed(self, name: str) -> str | None:
        """Returns how an argument is typed after ``%memory``; None if the command has none of this name."""
        typed = next((flag.written for flag in self.flags if flag.name == name), None)
        if typed is None and any(operand.name == name for operand in self.operands):
            return name.upper()
        return typed


_BOTH_SPELLINGS = re.compile(r"\b\w+=(?:'\w*'|\w*) \(in %memory: (--[^)\n]+)\)")
"""How messages of the library name an argument for both of its users: in Python and in ``%memory``."""


_METAVARS = {
    "Limit": "N",
    "int": "N",
    "int | None": "N",
    "Where": "JSON",
    "Words": "KEYS...",
}


def metavar(flag: Flag) -> str:
    """What the help shows in place of a flag's value: ``N``, ``JSON``, or the flag's name."""
    return _METAVARS.get(flag.kind, flag.name.upper().replace("_", "-"))


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``" (did you mean 'search'?)"``, or an empty text if no known word is similar."""
    if len(word) > _LONGEST_MISTYPED:
        return ""
    similar = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {quoted(similar[0])}?)" if similar else ""
