"""Parses a command line by the syntax of its command. No IPython here.

Raw text is taken unchanged: quotes, apostrophes and backslashes in it have no special meaning.

A word (a key, a path, the value of a flag) may be quoted, and may then contain spaces. ``$name``,
``$name.attribute`` and ``{expression}`` alone are replaced by the notebook's object itself. Inside a
word, such as the key ``user{n}:$session``, they are replaced by the object's text, with a conversion and
a format as in an f-string: ``{now:%H:%M}``. In single quotes they are not replaced.

A flag may be anywhere but inside JSON. ``--`` in front of the text ends the flags; behind the first word of
the text it is a part of the text.

A semicolon behind the last word of a line is not a part of the word: in IPython, it hides the result.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from operator import index
from typing import Any

from ..errors import InvalidArgument, brief
from .arguments import Flag, Operand, Syntax, UsageProblem, metavar
from .fields import Field, Lookup, field_at, field_of, filled
from .json_text import UnreadableObject, closes_at, ends_inside_braces, read_object, value_of

# A no-break space belongs to the word around it.
_NO_BREAK = "\u00a0\u2007\u202f"
_PLAIN = re.compile(rf"[^\s${{]|[{_NO_BREAK}]")
_END = re.compile(r"\s*;?\s*$")
_EMPTY_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_FLAG = re.compile(r"--([A-Za-z][\w-]*)(=)?|-([oh])(?=\s|$)")
_NEXT_FLAG = re.compile(rf"{_FLAG.pattern}|--(?=\s|$)|;\s*$")
_END_OF_FLAGS = re.compile(r"--(?=\s|$)")
_LAST_OUTPUT = re.compile(r"-o\s+\S+\s*$")

# Where raw text ends: at a long flag, or at a "-o NAME" that ends the line.
_TEXT_END = re.compile(r"(?<=\s)(?:--[A-Za-z][\w-]*|-o\s+[^\W\d]\w*\s*$)")
_PAYLOAD_END = re.compile(r"(?<=\s)--[A-Za-z][\w-]*")
_AS_TEXT = "write -- in front of the text"


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


class _Anything:
    """Stands for the value of any variable."""

    def __format__(self, spec: str) -> str:
        return "x"

    def __index__(self) -> int:
        return 1


def open_object(syntax: Syntax, line: str) -> int | None:
    """Returns the position of an object that begins on a line and is not closed there; None without such an object.

    A line with such an object is invalid, whatever the values of its variables.
    """
    if not ends_inside_braces(line):  # as nearly all lines, which are parsed only once
        return None
    parser = _Parser(syntax, line, None, lambda _expression: _Anything())
    try:
        parser.parse()
    except InvalidArgument:
        at = parser.at
        if line[at : at + 1] == "{" and closes_at(line, at) is None:
            return at
    return None


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
            if self._is_done() and self.line[self.at :].strip() == ";":
                break
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
            text = " ".join(self.text)
            self.parsed.operands.append(text if self.only_text else self._whole_text(text))
        if self.body is not None and len(self.parsed.operands) == len(self.expected):
            self.parsed.operands.append(self._body(self.body))
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
        rest = self.line[self.at :].strip()
        hint = ""
        if rest.startswith("#"):
            hint = "; a magic has no comments: write them on a line of their own"
        elif self.expected and self.expected[-1].kind == "Payload":
            hint = f"; write flags in front of the value, and to store other text, {_AS_TEXT}"
        elif self.expected:
            hint = "; put quotes around words that contain spaces"
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
            hint = ""
            if any(character in self.line for character in _NO_BREAK):
                hint = "; the line contains a no-break space, which does not separate words"
            raise UsageProblem(
                f"missing argument {missing[0].name.upper()}; usage: {self.syntax.usage}{hint}"
            )

    def _payload(self) -> Any:
        """The value to store: a JSON object, a variable alone, or raw text up to a flag."""
        if self.only_text:
            return _text_or_object(self._raw(_PAYLOAD_END))
        start = self.at
        unreadable: UnreadableObject | None = None
        if self.line[start] == "{":
            try:
                value, self.at = read_object(self.line, start)
            except UnreadableObject as error:
                unreadable = error  # unless it is a variable in braces
            else:
                return value
        field = field_at(self.line, start)
        if field and (field.is_object or field.is_text) and not self._text_follows(field.end):
            self.at = field.end
            return _stored(field.value(self.lookup, f"to store the text, {_AS_TEXT}"))
        if unreadable is not None:
            if closes_at(self.line, start) is None:
                raise UnreadableObject(
                    f"{unreadable}; the object is not closed: an object of several lines may also be "
                    "written below %%memory add KEY"
                )
            raise unreadable
        return value_of(self._raw(_PAYLOAD_END))

    def _body(self, body: str) -> Any:
        """The body of a cell: a variable alone, a JSON object, or text."""
        text = _EMPTY_LINES.sub("", body).rstrip()
        if self.syntax.operands[-1].kind != "Payload":
            return text if self.only_text else self._whole_text(text)
        if self.only_text:
            return _text_or_object(text)
        field = field_of(text)
        if field and (field.is_object or field.is_text):
            try:
                return (
                    value_of(text) if text.lstrip().startswith("{") else _stored(self._held(field))
                )
            except UnreadableObject:
                return _stored(self._held(field))
        return value_of(text)

    def _held(self, field: Field) -> Any:
        way_out = "to store the text, write -- at the end of the first line of the cell"
        return field.value(self.lookup, way_out)

    def _text_follows(self, at: int) -> bool:
        rest = self.line[at:]
        return not _END.match(rest) and not re.match(r"\s+(?:--|-o\s)", rest)

    def _raw(self, end: re.Pattern[str]) -> str:
        """The text up to a flag or, behind "--", up to the end of the line."""
        start = self.at
        found = None if self.only_text else end.search(self.line, start + 1)
        self.at = found.start() if found else len(self.line)
        return self.line[start : self.at].strip()

    def _whole_text(self, text: str) -> Any:
        """The object of a variable that is the whole text and exists; otherwise the text itself."""
        field = field_of(text.removesuffix(";"))
        if field is None or not (field.is_object or field.is_text):
            return text
        try:
            return field.value(self.lookup)
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
        behind_text = bool(self.text) or (self._is_done() and self.body is None)
        self.at = match.end()
        try:
            if name == "help" or letter == "h":
                self._help(behind_text and self._takes_text())
            elif letter == "o":
                self._output()
            else:
                self._long_flag(self.syntax.flag(f"--{name}"), bool(equals))
        except UsageProblem as error:
            if not (behind_text and self._takes_text()) or _AS_TEXT in str(error):
                raise
            raise UsageProblem(f"{error}; to use it as text, {_AS_TEXT}") from None
        return True

    def _is_done(self) -> bool:
        """Whether nothing but flags can follow, or more of the same text or words."""
        done = len(self.parsed.operands) + bool(self.text) + bool(self.words)
        return done == len(self.expected)

    def _takes_text(self) -> bool:
        return bool(self.expected) and self.expected[-1].kind in ("Text", "Payload")

    def _help(self, behind_text: bool) -> None:
        # Nothing would be stored or found, and the cell would succeed.
        if behind_text:
            raise UsageProblem(
                f"--help stands behind text: %memory help {self.syntax.name} shows help"
            )
        self.parsed.wants_help = True

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
        if flag.kind == "Words":
            words = [self._word()]
            while self._skip_space() and not _NEXT_FLAG.match(self.line, self.at):
                words.append(self._word())
            return tuple(words)
        if flag.kind == "Where" and self.line[self.at] == "{":
            try:
                value, self.at = read_object(self.line, self.at)
            except UnreadableObject:
                field = field_at(self.line, self.at)
                if field is None or not field.is_object:
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
            closing = re.compile(rf"{quote}(?=\s|;?\s*$)").search(self.line, self.at + 1)
            if closing:
                word = self.line[self.at + 1 : closing.start()]
                self.at = closing.end()
                if _END.match(self.line, self.at):
                    self.at = len(self.line)
                return word if quote == "'" else filled(word, self.lookup)
        start = self.at
        field = field_at(self.line, start)
        while self.at < len(self.line):
            if inner := field_at(self.line, self.at):
                self.at = inner.end
            elif _PLAIN.match(self.line, self.at) or self.line[self.at] in "${":
                self.at += 1
            else:
                break
        word = self.line[start : self.at]
        if len(word) > 1 and self.at == len(self.line.rstrip()):
            word = word.removesuffix(";")
        if word == "#":
            raise UsageProblem(
                "'#' begins no comment here: a magic has no comments; write them on a line of "
                "their own, and a key or name of this sign in quotes"
            )
        if field and field.end - start == len(word):
            return field.value(self.lookup)
        return filled(word, self.lookup)


def _stored(held: Any) -> Any:
    """The value to store for the object of a variable: text is read like typed text."""
    return value_of(held) if isinstance(held, str) else held


def _text_or_object(text: str) -> Any:
    """The value to store for text behind "--", which may be anything."""
    try:
        return value_of(text)
    except InvalidArgument:
        if not text.strip():
            raise
        return {"text": text}


def _number(flag: Flag, word: Any) -> int | None:
    if flag.kind == "Limit" and word == "all":
        return None
    # Other numbers have bounds of their own, which whoever takes them knows and says.
    at_least = 1 if flag.kind == "Limit" else None
    try:
        number = (
            int(word.replace(",", "").replace("_", "")) if isinstance(word, str) else index(word)
        )
        if not isinstance(word, bool) and (at_least is None or number >= at_least):
            return number
    except (TypeError, ValueError):
        pass
    rest = "" if at_least is None else f" of at least {at_least} or all"
    raise UsageProblem(f"{flag.written} {brief(word)}: give a whole number{rest}")
