"""A command line taken apart, by the syntax of its command. No IPython here.

Text is taken as it stands: quotes, apostrophes and backslashes in it mean themselves.

A word (a key, a path, the value of a flag) may stand in quotes, which then may hold spaces.
``$name``, ``$name.attribute`` and ``{expression}`` alone stand for the notebook's object itself;
inside a word, such as the key ``user{n}:$session``, for its text, but not in single quotes.

Flags stand anywhere but inside JSON; ``--`` ends them.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import InvalidArgument, brief
from .arguments import Flag, Operand, Syntax, UsageProblem, metavar

Lookup: TypeAlias = Callable[[str], Any]
"""Gives the value of an expression over the notebook's variables; raises what it raises."""

_VARIABLE = re.compile(r"\$([^\W\d]\w*(?:\.[^\W\d]\w*)*)|\{([^{}]+)\}")
_WORD = re.compile(r"(?:\{[^{}]*\}|\S)+")
_FLAG = re.compile(r"--([A-Za-z][\w-]*)(=)?|-([oh])(?=\s|$)")
_END_OF_FLAGS = re.compile(r"--(?=\s|$)")
_LAST_OUTPUT = re.compile(r"-o\s+\S+\s*$")

# Where raw text ends: at a long flag, at "--", or at a "-o NAME" that ends the line.
_TEXT_END = re.compile(r"(?<=\s)(?:--(?:[A-Za-z][\w-]*|(?=\s|$))|-o\s+[^\W\d]\w*\s*$)")
_PAYLOAD_END = re.compile(r"(?<=\s)--(?:[A-Za-z][\w-]*|(?=\s|$))")

# A Python dict may end at any of its braces; nobody writes one with more in a line.
_BRACES = 200


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


def unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For a JSON decoder: an object, in which no field may stand twice.

    Raises:
        InvalidArgument: one does.
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidArgument(f"the field {brief(twice)} stands twice")
    return value


def object_at(text: str, at: int = 0) -> tuple[dict[str, Any], int] | None:
    """The JSON object, or the Python dict of literals, that begins here, and where it ends.

    Raises:
        InvalidArgument: a field stands twice.
    """
    try:
        value, end = json.JSONDecoder(object_pairs_hook=unique_fields).raw_decode(text, at)
    except InvalidArgument:
        raise
    except (ValueError, RecursionError):
        return _literal_at(text, at)
    return (value, end) if isinstance(value, dict) else None


def _literal_at(text: str, at: int) -> tuple[dict[str, Any], int] | None:
    braces = [found.end() for found in re.finditer("}", text[at:])][:_BRACES]
    for length in braces:
        try:
            value = ast.literal_eval(text[at : at + length])
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, dict):
            return value, at + length
    return None


class _Parser:
    def __init__(self, syntax: Syntax, line: str, body: str | None, lookup: Lookup) -> None:
        self.syntax = syntax
        self.line = line
        self.body = body
        self.lookup = lookup
        self.at = 0
        self.only_text = False  # after "--"
        self.words: list[Any] = []
        self.text: list[str] = []  # pieces of a Text operand between its flags
        self.parsed = Parsed([], {})
        # A cell's body stands for the last operand, so the line holds only those before it.
        self.expected = list(syntax.operands if body is None else syntax.operands[:-1])

    def parse(self) -> Parsed:
        self._check_body()
        while self._skip_space():
            if not self.only_text:
                if found := _END_OF_FLAGS.match(self.line, self.at):
                    self.at = found.end()
                    self.only_text = True
                    continue
                if self._flag():
                    continue
            self._operand(self._next_operand())
        if self.words:
            self.parsed.operands.append(tuple(self.words))
        if self.text:
            self.parsed.operands.append(self._whole_text(" ".join(self.text)))
        if self.body is not None and len(self.parsed.operands) == len(self.expected):
            self.parsed.operands.append(self.body.strip("\n"))
        if not self.parsed.wants_help:
            self._check_count()
        return self.parsed

    # ---- operands

    def _check_body(self) -> None:
        operands = self.syntax.operands
        if self.body is not None and not (operands and operands[-1].kind in ("Text", "Payload")):
            raise UsageProblem(f"{self.syntax.name} takes no cell body; write it on one line")

    def _skip_space(self) -> bool:
        while self.at < len(self.line) and self.line[self.at].isspace():
            self.at += 1
        return self.at < len(self.line)

    def _next_operand(self) -> Operand:
        # Text and Words are still the next one after their first piece.
        done = len(self.parsed.operands)
        if done < len(self.expected):
            return self.expected[done]
        hint = ", with quotes around what holds spaces" if self.expected else ""
        rest = self.line[self.at :].strip()
        raise UsageProblem(f"too much: {brief(rest)}; write {self.syntax.usage}{hint}")

    def _operand(self, operand: Operand) -> None:
        if operand.kind == "Text":
            self.text.append(self._raw(_TEXT_END))
        elif operand.kind == "Payload":
            self.parsed.operands.append(self._payload())
        elif operand.kind == "Words":
            self.words.append(self._word())
        else:
            self.parsed.operands.append(self._word())

    def _check_count(self) -> None:
        given = len(self.parsed.operands)
        missing = [operand for operand in self.syntax.operands[given:] if operand.required]
        if missing:
            raise UsageProblem(f"{missing[0].name.upper()} is missing; write {self.syntax.usage}")

    def _payload(self) -> Any:
        """A JSON object, a variable alone, or raw text up to a flag."""
        if not self.only_text:
            start = self.at
            if self.line[start] == "{" and (found := object_at(self.line, start)):
                self.at = found[1]
                return self.line[start : self.at]
            variable = _VARIABLE.match(self.line, start)
            if variable and _is_expression(variable) and not self._text_follows(variable.end()):
                self.at = variable.end()
                return self._look_up(variable, "write -- before it to store the text")
            if self.line[start] == "{":
                # Meant as an object; whoever reads the value says what is wrong with it.
                self.at = len(self.line)
                return self.line[start:]
        return self._raw(_PAYLOAD_END)

    def _text_follows(self, at: int) -> bool:
        rest = self.line[at:]
        return bool(rest.strip()) and not re.match(r"\s+(?:--|-o\s)", rest)

    def _raw(self, end: re.Pattern[str]) -> str:
        """Text as it stands, up to a flag or, after "--", up to the end."""
        start = self.at
        found = None if self.only_text else end.search(self.line, start + 1)
        self.at = found.start() if found else len(self.line)
        return self.line[start : self.at].strip()

    def _whole_text(self, text: str) -> Any:
        """A variable when it is all there is and exists; raw words may look like one."""
        variable = _VARIABLE.fullmatch(text)
        if variable is None:
            return text
        try:
            return self._look_up(variable)
        except UsageProblem:
            return text

    # ---- flags

    def _flag(self) -> bool:
        """Takes a flag and its value; False when there is none, only text."""
        match = _FLAG.match(self.line, self.at)
        if match is None:
            return False
        name, equals, letter = match.groups()
        if letter and self.text and not (letter == "o" and _LAST_OUTPUT.match(self.line, self.at)):
            return False  # "gcc main.c -o prog" is what somebody said
        self.at = match.end()
        if name == "help" or letter == "h":
            self.parsed.wants_help = True
        elif letter == "o":
            self._output()
        else:
            self._long_flag(self.syntax.flag(f"--{name}"), bool(equals))
        return True

    def _output(self) -> None:
        self._skip_space()
        name = self.line[self.at :].split(maxsplit=1)[:1]
        self.at += len(name[0]) if name else 0
        if not name or not name[0].isidentifier() or keyword.iskeyword(name[0]):
            raise UsageProblem(f"-o {brief(''.join(name))}: give the name of a variable")
        if self.parsed.output is not None:
            raise UsageProblem("-o is given twice")
        self.parsed.output = name[0]

    def _long_flag(self, flag: Flag, equals: bool) -> None:
        if flag.name in self.parsed.flags:
            raise UsageProblem(f"{flag.written} is given twice")
        if flag.is_switch:
            if equals:
                raise UsageProblem(f"{flag.written} is a switch and takes no value")
            self.parsed.flags[flag.name] = True
            return
        if not equals:
            self._skip_space()
        following = _FLAG.match(self.line, self.at)
        known = {each.written for each in self.syntax.flags}
        if self.at >= len(self.line) or (following and following[0].rstrip("=") in known):
            raise UsageProblem(f"{flag.written} needs a value: {flag.written} {metavar(flag)}")
        value = self._flag_value(flag)
        if value is None and flag.kind != "Limit":
            raise UsageProblem(f"{flag.written} is None; leave it out, or give it a value")
        self.parsed.flags[flag.name] = value

    def _flag_value(self, flag: Flag) -> Any:
        if flag.kind == "Where" and self.line[self.at] == "{":
            found = object_at(self.line, self.at)
            if found:
                self.at = found[1]
                return found[0]
            variable = _VARIABLE.match(self.line, self.at)
            if variable is None or not _is_expression(variable):
                shown = brief(self.line[self.at :])
                raise UsageProblem(f'{flag.written} {shown}: not JSON such as {{"turn": 3}}')
        word = self._word()
        if flag.kind == "Where" and isinstance(word, str):
            raise UsageProblem(f'{flag.written} {brief(word)}: give JSON such as {{"turn": 3}}')
        if flag.kind in ("Limit", "int | None"):
            return _number(flag, word)
        return word

    # ---- words and variables

    def _word(self) -> Any:
        """The next word: out of its quotes, its variables looked up."""
        quote = self.line[self.at]
        if quote in "\"'":
            closing = re.compile(re.escape(quote) + r"(?=\s|$)").search(self.line, self.at + 1)
            if closing:
                word = self.line[self.at + 1 : closing.start()]
                self.at = closing.end()
                return word if quote == "'" else self._filled(word)
        found = _WORD.match(self.line, self.at)
        assert found is not None
        self.at = found.end()
        variable = _VARIABLE.fullmatch(found[0])
        return self._look_up(variable) if variable else self._filled(found[0])

    def _filled(self, word: str) -> str:
        return _VARIABLE.sub(lambda variable: str(self._look_up(variable)), word)

    def _look_up(
        self, variable: re.Match[str], way_out: str = "a word in single quotes stands for itself"
    ) -> Any:
        expression, spec = variable[1] or variable[2], None
        if not _is_expression(variable):
            expression, _, spec = expression.rpartition(":")  # as in an f-string: {n:03d}
        try:
            value = self.lookup(expression.strip())
            return value if spec is None else format(value, spec)
        except Exception as error:  # whatever the user's expression raises
            raise UsageProblem(
                f"cannot take {brief(variable[0])} from the notebook: {type(error).__name__}: "
                f"{error}; {way_out}"
            ) from None


def _is_expression(variable: re.Match[str]) -> bool:
    """Whether all between the braces is one expression, with no format after it."""
    try:
        compile((variable[1] or variable[2]).strip(), "<%memory>", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def _number(flag: Flag, word: Any) -> Any:
    if flag.kind == "Limit" and word == "all":
        return None
    at_least = 1 if flag.kind == "Limit" else 0
    try:
        number = int(word.replace(",", "").replace("_", "")) if isinstance(word, str) else word
        if number >= at_least:
            return number
    except (TypeError, ValueError):
        pass
    rest = " or all" if flag.kind == "Limit" else ""
    raise UsageProblem(
        f"{flag.written} {brief(word)}: give a whole number of at least {at_least}{rest}"
    )
