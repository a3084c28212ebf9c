"""Parses a command line by the syntax of its command. No IPython here.

Raw text is taken unchanged: quotes, apostrophes and backslashes in it have no special meaning.

A word (a key, a path, the value of a flag) may be quoted, and may then contain spaces. ``$name``,
``$name.attribute`` and ``{expression}`` alone are replaced by the notebook's object itself. Inside a
word, such as the key ``user{n}:$session``, they are replaced by the object's text. In single quotes they
are not replaced.

A flag may be anywhere but inside JSON; ``--`` ends the flags.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import Any, TypeAlias

from ..errors import brief
from .arguments import Flag, Operand, Syntax, UsageProblem, metavar
from .json_text import UnreadableObject, read_object, value_of

Lookup: TypeAlias = Callable[[str], Any]
"""Returns the value of an expression over the notebook's variables. What the expression raises is not caught."""

_VARIABLE = re.compile(r"\$([^\W\d]\w*(?:\.[^\W\d]\w*)*)|\{([^{}]+)\}")
_WORD = re.compile(r"(?:\{[^{}]*\}|\S)+")
_FLAG = re.compile(r"--([A-Za-z][\w-]*)(=)?|-([oh])(?=\s|$)")
_END_OF_FLAGS = re.compile(r"--(?=\s|$)")
_LAST_OUTPUT = re.compile(r"-o\s+\S+\s*$")

# Where raw text ends: at a long flag, at "--", or at a "-o NAME" that ends the line.
_TEXT_END = re.compile(r"(?<=\s)(?:--(?:[A-Za-z][\w-]*|(?=\s|$))|-o\s+[^\W\d]\w*\s*$)")
_PAYLOAD_END = re.compile(r"(?<=\s)--(?:[A-Za-z][\w-]*|(?=\s|$))")


@dataclass(slots=True)
class Parsed:
    """A parsed command line.

    Attributes:
        operands: values of the operands on the line, in order.
        flags: value of each flag on the line, by parameter name.
        output: variable to assign the result to (``-o``), or None.
        wants_help: whether the line contains ``-h`` or ``--help``; what follows them is not parsed.
    """

    operands: list[Any]
    flags: dict[str, Any]
    output: str | None = None
    wants_help: bool = False


def parse(syntax: Syntax, line: str, body: str | None, lookup: Lookup) -> Parsed:
    """Parses a command line.

    Args:
        syntax: what the command accepts.
        line: the text behind the subcommand.
        body: for a cell magic, the text of the cell; it becomes the last operand.
        lookup: returns the values of the notebook's variables.

    Raises:
        UsageProblem: the line does not fit the syntax; the message says what to type.
        InvalidArgument: the value to store cannot be read.
    """
    return _Parser(syntax, line, body, lookup).parse()


class _Parser:
    def __init__(self, syntax: Syntax, line: str, body: str | None, lookup: Lookup) -> None:
        self.syntax = syntax
        self.line = line
        self.body = body
        self.lookup = lookup
        self.at = 0
        self.only_text = False  # True behind "--"
        self.words: list[Any] = []
        self.text: list[str] = []  # pieces of a Text operand between its flags
        self.parsed = Parsed([], {})
        # The body of a cell is the last operand, so the line contains only the operands before it.
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
                    if self.parsed.wants_help:
                        return self.parsed
                    continue
            self._operand(self._next_operand())
        if self.words:
            self.parsed.operands.append(tuple(self.words))
        if self.text:
            self.parsed.operands.append(self._whole_text(" ".join(self.text)))
        if self.body is not None and len(self.parsed.operands) == len(self.expected):
            is_value = self.syntax.operands[-1].kind == "Payload"
            self.parsed.operands.append(value_of(self.body) if is_value else self.body.strip("\n"))
        self._check_count()
        return self.parsed

    # ---- operands

    def _check_body(self) -> None:
        operands = self.syntax.operands
        if self.body is not None and not (operands and operands[-1].kind in ("Text", "Payload")):
            raise UsageProblem(f"{self.syntax.name} takes no cell body; type it on one line")

    def _skip_space(self) -> bool:
        while self.at < len(self.line) and self.line[self.at].isspace():
            self.at += 1
        return self.at < len(self.line)

    def _next_operand(self) -> Operand:
        # Text and Words are finished only at the end of the line, so they remain the next operand.
        done = len(self.parsed.operands)
        if done < len(self.expected):
            return self.expected[done]
        hint = "; put quotes around words that contain spaces" if self.expected else ""
        rest = self.line[self.at :].strip()
        raise UsageProblem(f"unexpected argument {brief(rest)}; usage: {self.syntax.usage}{hint}")

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
            raise UsageProblem(
                f"missing argument {missing[0].name.upper()}; usage: {self.syntax.usage}"
            )

    def _payload(self) -> Any:
        """The value to store: a JSON object, a variable alone, or raw text up to a flag."""
        if self.only_text:
            return value_of(self._raw(_PAYLOAD_END))
        start = self.at
        unreadable: UnreadableObject | None = None
        if self.line[start] == "{":
            try:
                value, self.at = read_object(self.line, start)
            except UnreadableObject as error:
                unreadable = error  # unless it is a variable in braces
            else:
                return value
        variable = _VARIABLE.match(self.line, start)
        if variable and _is_expression(variable) and not self._text_follows(variable.end()):
            self.at = variable.end()
            held = self._look_up(variable, "type -- before it to store the text")
            return value_of(held) if isinstance(held, str) else held
        if unreadable is not None:
            raise unreadable
        return value_of(self._raw(_PAYLOAD_END))

    def _text_follows(self, at: int) -> bool:
        rest = self.line[at:]
        return bool(rest.strip()) and not re.match(r"\s+(?:--|-o\s)", rest)

    def _raw(self, end: re.Pattern[str]) -> str:
        """The text up to a flag or, behind "--", up to the end of the line."""
        start = self.at
        found = None if self.only_text else end.search(self.line, start + 1)
        self.at = found.start() if found else len(self.line)
        return self.line[start : self.at].strip()

    def _whole_text(self, text: str) -> Any:
        """The object of a variable that is the whole text and exists; otherwise the text itself."""
        variable = _VARIABLE.fullmatch(text)
        if variable is None:
            return text
        try:
            return self._look_up(variable)
        except UsageProblem:
            return text

    # ---- flags

    def _flag(self) -> bool:
        """Parses a flag and its value; False if there is only text here."""
        match = _FLAG.match(self.line, self.at)
        if match is None:
            return False
        name, equals, letter = match.groups()
        if letter and self.text and not (letter == "o" and _LAST_OUTPUT.match(self.line, self.at)):
            return False  # part of the text: "gcc main.c -o prog"
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
            raise UsageProblem(f"-o {brief(''.join(name))}: give a variable name")
        if self.parsed.output is not None:
            raise UsageProblem("duplicate flag -o")
        self.parsed.output = name[0]

    def _long_flag(self, flag: Flag, equals: bool) -> None:
        if flag.name in self.parsed.flags:
            raise UsageProblem(f"duplicate flag {flag.written}")
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
            try:
                value, self.at = read_object(self.line, self.at)
            except UnreadableObject:
                variable = _VARIABLE.match(self.line, self.at)
                if variable is None or not _is_expression(variable):
                    shown = brief(self.line[self.at :])
                    raise UsageProblem(
                        f'{flag.written} {shown}: not JSON such as {{"turn": 3}}'
                    ) from None
            else:
                return value
        word = self._word()
        if flag.kind == "Where" and isinstance(word, str):
            raise UsageProblem(f'{flag.written} {brief(word)}: give JSON such as {{"turn": 3}}')
        if flag.kind in ("Limit", "int | None"):
            return _number(flag, word)
        return word

    # ---- words and variables

    def _word(self) -> Any:
        """The next word, without its quotes, and with its variables replaced."""
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
        self, variable: re.Match[str], way_out: str = "in single quotes it is plain text"
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
    """Whether the braces contain one expression, without a format behind it."""
    try:
        compile((variable[1] or variable[2]).strip(), "<%memory>", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def _number(flag: Flag, word: Any) -> int | None:
    if flag.kind == "Limit" and word == "all":
        return None
    at_least = 1 if flag.kind == "Limit" else 0
    try:
        number = (
            int(word.replace(",", "").replace("_", "")) if isinstance(word, str) else index(word)
        )
        if number >= at_least and not isinstance(word, bool):
            return number
    except (TypeError, ValueError):
        pass
    rest = " or all" if flag.kind == "Limit" else ""
    raise UsageProblem(
        f"{flag.written} {brief(word)}: give a whole number of at least {at_least}{rest}"
    )
