"""From a command's signature to its syntax: flags, operands, help. No IPython here.

A command is a function ``(session, operand, ..., *, flag=default, ...)``. Operands are filled
from the line in turn; keyword-only parameters are flags: ``max_size`` is written
``--max-size``; a ``bool`` is a switch; ``**filters`` stands for the filters every query takes.
Annotations say how text becomes a value: `Word`, `Words`, `Text`, `Payload`, `Limit`, ...
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NewType, TypeAlias

from ..errors import InvalidArgument, brief

# What an operand takes from the line.
Word = NewType("Word", str)
"""One word, or text in quotes."""
Words: TypeAlias = "tuple[str, ...]"
"""All remaining words."""
Text = NewType("Text", str)
"""All remaining text, raw."""
Payload: TypeAlias = object
"""A variable, JSON, or all remaining text, raw."""
Limit: TypeAlias = "int | None"
"""A number, or ``all`` for None."""


class UsageProblem(InvalidArgument):
    """A command line that does not fit its command."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag as it is written.

    Attributes:
        name: the parameter, as in the signature.
        kind: its annotation, as text.
        about: one line of help.
    """

    name: str
    kind: str
    about: str

    @property
    def written(self) -> str:
        """The flag as a person types it."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value."""
        return self.kind == "bool"


@dataclass(frozen=True, slots=True)
class Operand:
    """A positional argument: its name, annotation as text, and whether it must be there."""

    name: str
    kind: str
    required: bool


FILTERS = (
    Flag("user", "str", "only this user's records (first part of the key)"),
    Flag("session", "str", "only this session's records (second part of the key)"),
    Flag("prefix", "str", "only keys that start with this"),
    Flag("since", "str", "written at or after this: 2h, 2026-11-22, 2026-11-22T15:00Z"),
    Flag("until", "str", "written at or before this"),
    Flag("where", "Where", 'conditions on fields: {"turn": {"$gt": 3}}'),
)
OUTPUT = "-o"


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a command accepts, read from its signature and docstring."""

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
        """The flag of this spelling.

        Raises:
            UsageProblem: there is none; the message has the nearest one.
        """
        for flag in self.flags:
            if flag.written == written:
                return flag
        known = [flag.written for flag in self.flags]
        shown = brief(written)[1:-1]
        raise UsageProblem(
            f"no flag {shown}{did_you_mean(written, known)}; there are "
            f"{', '.join([*known, OUTPUT])}; to use it as text, write -- before it"
        )


def metavar(flag: Flag) -> str:
    """What stands for a flag's value in the help."""
    return {"Limit": "N", "int": "N", "int | None": "N", "Where": "JSON"}.get(
        flag.kind, flag.name.upper().replace("_", "-")
    )


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``" (did you mean 'search'?)"``, or nothing when nothing is near."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
