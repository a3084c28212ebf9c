"""From a command's signature to its syntax: flags, operands, help. No IPython here.

A command is a function ``(session, operand, ..., *, flag=default, ...)``. Operands are filled
from the line in turn; keyword-only parameters are flags: ``max_size`` is written
``--max-size``; a ``bool`` is a switch; ``**filters`` stands for the filters every query takes.
Annotations say how text becomes a value: `Word`, `Words`, `Text`, `Payload`, `Limit`, ...

Text is taken as it stands: quotes, apostrophes and backslashes mean themselves, except that a
word that begins and ends with the same quote may hold spaces. ``$name`` and ``{name}`` alone
stand for the notebook's variable, the object itself; inside a word, such as the key
``user{n}:$session``, for its text. ``--`` ends the flags.
"""

from __future__ import annotations

import inspect
import json
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

Lookup: TypeAlias = Callable[[str], Any]
"""Gives the value of an expression over the notebook's variables; raises NameError."""

_VARIABLE = re.compile(r"\$([^\W\d]\w*)|\{([^\W\d]\w*(?:\.[^\W\d]\w*|\[[^\[\]{}]*\])*)\}")
_FLAG = re.compile(r"--([A-Za-z][\w-]*)(=)?|-([A-Za-z])(?=\s|$)")


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


_FILTERS = (
    Flag("user", "str", "only this user's records (first part of the key)"),
    Flag("session", "str", "only this session's records (second part of the key)"),
    Flag("prefix", "str", "only keys that start with this"),
    Flag("since", "str", "written at or after this: 2h, 2026-11-22, 2026-11-22T15:00Z"),
    Flag("until", "str", "written at or before this"),
    Flag("where", "Where", 'conditions on fields: {"turn": {"$gt": 3}}'),
)
_OUTPUT = "-o"


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
                flags.extend(_FILTERS)
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
                (f.written if f.is_switch else f"{f.written} {_metavar(f)}") for f in self.flags
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
        raise UsageProblem(
            f"no flag {written}{did_you_mean(written, known)}; there are "
            f"{', '.join([*known, _OUTPUT])}; to use it as text, write -- before it"
        )


def _metavar(flag: Flag) -> str:
    return {"Limit": "N", "int": "N", "int | None": "N", "Where": "JSON"}.get(
        flag.kind, flag.name.upper().replace("_", "-")
    )


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``" (did you mean 'search'?)"``, or nothing when nothing is near."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


@dataclass(slots=True)
class Parsed:
    """A command line taken apart.

    Attributes:
        operands: values of the operands given, in order.
        flags: value by parameter name.
        output: variable to assign the result to (``-o``), or None.
        wants_help: whether ``-h`` or ``--help`` was given.
    """

    operands: list[Any]
    flags: dict[str, Any]
    output: str | None = None
    wants_help: bool = False


def parse(syntax: Syntax, line: str, body: str | None, lookup: Lookup) -> Parsed:
    """Takes a command line apart.

    Args:
        syntax: what the command accepts.
        line: what stands after the subcommand.
        body: text of the cell below, for a cell magic; it fills the last operand.
        lookup: gives the notebook's variables.

    Raises:
        UsageProblem: the line does not fit; the message says what to write.
    """
    return _Parser(syntax, line, body, lookup).parse()


class _Parser:
    def __init__(self, syntax: Syntax, line: str, body: str | None, lookup: Lookup) -> None:
        self.syntax = syntax
        self.line = line
        self.body = body
        self.lookup = lookup
        self.at = 0
        self.parsed = Parsed([], {})
        # A cell's body stands for the last operand, so the line holds only those before it.
        self.expected = list(syntax.operands if body is None else syntax.operands[:-1])

    def parse(self) -> Parsed:
        only_text = False
        raw: list[str] = []  # pieces of a Text operand between its flags
        words: list[Any] = []
        while self._skip_space():
            if not only_text:
                if re.compile(r"--(?=\s|$)").match(self.line, self.at):
                    self.at += 2
                    only_text = True
                    continue
                if _FLAG.match(self.line, self.at) and self._flag(raw):
                    continue
            operand = self._next_operand()
            if operand is None:
                rest = self.line[self.at :].strip()
                raise UsageProblem(
                    f"too much: {brief(rest)}; write {self.syntax.usage}, with quotes around "
                    "what holds spaces"
                )
            if operand.kind == "Text":
                raw.append(self.line[self.at :] if only_text else self._up_to_flag())
                if only_text:
                    self.at = len(self.line)
            elif operand.kind == "Payload":
                self._payload(only_text)
            elif operand.kind == "Words":
                words.append(self._word())
            else:
                self.parsed.operands.append(self._word())
        if words:
            self.parsed.operands.append(tuple(words))
        if self.parsed.wants_help:
            return self.parsed
        if raw:
            self.parsed.operands.append(self._variable_or("".join(raw).strip()))
        if self.body is not None:
            if not self.syntax.operands:
                raise UsageProblem(f"{self.syntax.name} takes no cell body; write it on one line")
            if len(self.parsed.operands) == len(self.expected):
                self.parsed.operands.append(self.body.strip("\n"))
        self._check_count()
        return self.parsed

    def _skip_space(self) -> bool:
        while self.at < len(self.line) and self.line[self.at].isspace():
            self.at += 1
        return self.at < len(self.line)

    def _next_operand(self) -> Operand | None:
        # Text and Words are still the next one after their first piece.
        done = len(self.parsed.operands)
        return self.expected[done] if done < len(self.expected) else None

    def _check_count(self) -> None:
        given = len(self.parsed.operands)
        missing = [operand for operand in self.syntax.operands[given:] if operand.required]
        if missing:
            raise UsageProblem(f"{missing[0].name.upper()} is missing; write {self.syntax.usage}")

    def _flag(self, raw: list[str]) -> bool:
        """Takes a flag and its value; False when a single dash is just text."""
        match = _FLAG.match(self.line, self.at)
        assert match is not None
        name, equals, letter = match.groups()
        if letter is not None and letter not in "ho":
            return False
        self.at = match.end()
        if name == "help" or letter == "h":
            self.parsed.wants_help = True
            return True
        if letter == "o":
            self._skip_space()
            self.parsed.output = self._word(literal=True)
            if not self.parsed.output.isidentifier():
                raise UsageProblem(f"-o {brief(self.parsed.output)}: give the name of a variable")
            return True
        flag = self.syntax.flag(f"--{name}")
        if flag.is_switch:
            if equals:
                raise UsageProblem(f"{flag.written} is a switch and takes no value")
            self.parsed.flags[flag.name] = True
        else:
            if not equals:
                self._skip_space()
            self.parsed.flags[flag.name] = self._flag_value(flag)
        if raw:
            raw.append(" ")
        return True

    def _flag_value(self, flag: Flag) -> Any:
        if self.at >= len(self.line):
            raise UsageProblem(f"{flag.written} needs a value: {flag.written} {_metavar(flag)}")
        if flag.kind == "Where" and self.line[self.at] == "{":
            if (variable := self._variable()) is not None:
                return variable[0]
            return self._json(flag.written)
        word = self._word()
        if not isinstance(word, str):
            return word
        if flag.kind == "Where":
            raise UsageProblem(f'{flag.written} {brief(word)}: give JSON such as {{"turn": 3}}')
        if flag.kind == "Limit" and word == "all":
            return None
        if flag.kind in ("Limit", "int", "int | None"):
            try:
                return int(word.replace(",", "").replace("_", ""))
            except ValueError:
                rest = " or all" if flag.kind == "Limit" else ""
                raise UsageProblem(
                    f"{flag.written} {brief(word)}: give a whole number{rest}"
                ) from None
        return word

    def _json(self, place: str) -> Any:
        try:
            value, self.at = json.JSONDecoder().raw_decode(self.line, self.at)
        except json.JSONDecodeError as error:
            raise UsageProblem(
                f"{place} {brief(self.line[self.at :])}: not JSON: {error.msg}; JSON wants "
                'double quotes: {"turn": 3}'
            ) from None
        return value

    def _word(self, *, literal: bool = False) -> Any:
        """The next word; quotes around it are taken off, a variable is looked up."""
        quote = self.line[self.at : self.at + 1]
        if quote and quote in "\"'":
            closing = re.compile(re.escape(quote) + r"(?=\s|$)").search(self.line, self.at + 1)
            if closing:
                word = self.line[self.at + 1 : closing.start()]
                self.at = closing.end()
                return word if literal else self._filled(word)
        if not literal and (variable := self._variable()) is not None:
            return variable[0]
        start = self.at
        while self.at < len(self.line) and not self.line[self.at].isspace():
            self.at += 1
        word = self.line[start : self.at]
        return word if literal else self._filled(word)

    def _filled(self, word: str) -> str:
        """A word with the variables inside it replaced by their text: ``user{n}:$session``."""

        def text(match: re.Match[str]) -> str:
            value = self._variable_or(match[0])
            return match[0] if value is match[0] else str(value)

        return _VARIABLE.sub(text, word)

    def _variable(self) -> tuple[Any] | None:
        """The object, in a tuple so that it may be None, if a variable stands here alone."""
        match = _VARIABLE.match(self.line, self.at)
        if match is None or (match.end() < len(self.line) and not self.line[match.end()].isspace()):
            return None
        value = self._look_up(match[1] or match[2])
        self.at = match.end()
        return (value,)

    def _look_up(self, expression: str) -> Any:
        try:
            return self.lookup(expression)
        except Exception as error:  # whatever the user's expression raises
            raise UsageProblem(
                f"cannot take {expression!r} from the notebook: {type(error).__name__}: {error}"
            ) from None

    def _variable_or(self, text: str) -> Any:
        """A variable when the whole text is one that exists, else the text."""
        match = _VARIABLE.fullmatch(text)
        if match is None:
            return text
        try:
            return self.lookup(match[1] or match[2])
        except Exception:  # raw words may look like a variable and be none
            return text

    def _up_to_flag(self) -> str:
        """Raw text up to the next flag, with the space between."""
        start = self.at
        flag = re.compile(r"(?<=\s)(?:--(?:[A-Za-z][\w-]*|(?=\s|$))|-[ho](?=\s|$))")
        match = flag.search(self.line, self.at + 1)
        self.at = match.start() if match else len(self.line)
        return self.line[start : self.at]

    def _payload(self, only_text: bool) -> None:
        """A variable, a JSON object, or raw text up to a flag."""
        if not only_text:
            if (variable := self._variable()) is not None:
                self.parsed.operands.append(variable[0])
                return
            if self.line[self.at] == "{":
                try:
                    _, end = json.JSONDecoder().raw_decode(self.line, self.at)
                except ValueError:
                    end = len(self.line)  # whoever reads the value says what is wrong with it
                self.parsed.operands.append(self.line[self.at : end])
                self.at = end
                return
        text = self.line[self.at :] if only_text else self._up_to_flag()
        if only_text:
            self.at = len(self.line)
        self.parsed.operands.append(text.strip())
