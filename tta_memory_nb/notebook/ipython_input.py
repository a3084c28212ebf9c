"""Keeps ``%memory`` lines and ``%%memory`` cells as they are typed until the magic sees them.

IPython rewrites a cell before any magic is called: a line that ends with a question mark becomes a request for
help on its last word, ``a = !b`` within a text becomes a call of the system, and the prompts of a session that is
quoted in the body of a cell are removed. So the lines of this magic are turned into calls before that. A line that
opens a JSON object takes the lines up to the end of the object with it, which Python could not read.
"""

from __future__ import annotations

import keyword
import re
import tokenize
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import (
    TokenTransformBase,
    assemble_continued_line,
    find_end_of_continued_line,
)

from .commands import COMMANDS, syntax
from .fields import names_in
from .json_text import closes_at
from .parsing import open_object

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# The magic itself, or magics that run it or an assignment of it, such as %time. "%memory?" is left to IPython.
_LINE = re.compile(
    r"(?P<outer>(?:%(?!memory\b)\w+\s+(?:-\w+\s*\d*\s+)*)*(?:(?<=\s)[\w.,\[\]'\" ]+=\s*)*)"
    r"%memory(?=\s|$)(?!\s*\?{1,2}\s*$)"
)
# Comments may stand above the magic of a cell.
_CELL = re.compile(
    r"(?:\s|^#[^\n]*$)*^(?P<indent>[^\S\n]*)%%memory(?:[^\S\n]+(?P<line>[^\n]*))?(?:\n|$)",
    re.MULTILINE,
)
_HELP = re.compile(r"\s*(?P<command>[a-z]+)\s*\?{1,2}\s*$")
_LONGEST = 10_000  # characters of a line whose variables are looked for
_CHANGED = (
    "{}$'\"\\"  # by a magic around this one, which looks for variables and takes quoted words apart
)
_ESCAPES = ("!", "?")  # of IPython: behind them is a command of the system, or a request for help
_OF_AN_OBJECT = re.compile(
    r"\s*(?:[\"'{}\[\]]|$)"
)  # the beginning of a line that Python could not read
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")


class _MemoryLine(TokenTransformBase):
    """A line with ``%memory`` in it: at its beginning, assigned, or in any other place of an expression."""

    priority = -1  # before IPython's own transformations in the same place

    def __init__(self, first: tuple[int, int], magic: tuple[int, int]) -> None:
        super().__init__(first)  # type: ignore[no-untyped-call]
        self.magic_line, self.magic_column = magic[0] - 1, magic[1]

    @classmethod
    def find(cls, tokens_by_line: list[list[tokenize.TokenInfo]]) -> _MemoryLine | None:
        for line in tokens_by_line:
            at = _magic_in(line)
            if at is not None and _LINE.match(line[at].line[line[at].start[1] :]):
                return cls(line[0].start, line[at].start)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        at, column = self.magic_line, self.magic_column
        end = find_end_of_continued_line(lines, at)
        typed = assemble_continued_line(lines, (at, column), end)
        following = _rest_of_object(typed, lines[end + 1 :])
        typed = "\n".join([typed, *(line.rstrip("\n") for line in following)])
        end += len(following)
        before = lines[at][:column]
        call = _call(typed, is_inside=before[:1].isspace() or ":" in before)
        return [*lines[:at], f"{before}{call}\n", *lines[end + 1 :]]


def _rest_of_object(typed: str, following: list[str]) -> list[str]:
    """Returns those of the following lines that belong to an object which a line opens and does not close.

    If it is never closed, these are the lines that look like a part of it, so that the error is that of the command.
    """
    line = typed.partition("%memory")[2].strip()
    name, *rest = [*line.split(maxsplit=1), ""]
    start = open_object(syntax(name), rest[0]) if name in COMMANDS else None
    if start is None:
        return []
    opened = rest[0][start:]
    text = "\n".join([opened, *(each.rstrip("\n") for each in following)])
    end = closes_at(text)
    if end is not None:
        return following[: text.count("\n", 0, end) - opened.count("\n")]
    return list(takewhile(_OF_AN_OBJECT.match, following))


def _magic_in(line: list[tokenize.TokenInfo]) -> int | None:
    """Returns the position of the token ``%`` that begins a magic, anywhere in a logical line.

    Behind a value, ``%`` is Python's operator. Anywhere else (at the beginning, behind ``=``, ``:``, ``;`` or
    ``return``) Python knows no ``%``. Nor is there a magic inside brackets, since it would end with the line.
    """
    depth, is_behind_value = 0, False
    for position, token in enumerate(line[:-1]):
        if token.string == "%" and depth == 0 and not is_behind_value:
            return position
        if token.string in _ESCAPES:
            return None
        depth += (token.string in _OPENING) - (token.string in _CLOSING)
        is_behind_value = (
            token.type in (tokenize.NUMBER, tokenize.STRING)
            or token.string in (*_CLOSING, "True", "False", "None")
            or (token.type == tokenize.NAME and not keyword.iskeyword(token.string))
        )
    return None


def _call(typed: str, *, is_inside: bool) -> str:
    """Returns Python code that runs a line magic.

    Args:
        typed: the line from its first ``%`` on.
        is_inside: whether the code is inside another statement, which may be a function.
    """
    outer, _, line = typed.partition("%memory")
    line = _help_of(line.strip())
    if outer:
        name, *options = outer[1:].split(maxsplit=1)
        inner = f"get_ipython().run_line_magic('memory', '{''.join(map(_hidden, line))}')"
        return f"get_ipython().run_line_magic({name!r}, {''.join([*options, inner])!r})"
    call = f"get_ipython().run_line_magic('memory', {line!r})"
    names = names_in(line) if is_inside and len(line) <= _LONGEST else ()
    if mentioned := sorted(each for each in names if not each.startswith("__")):
        # A function holds the variables of the functions around it only if its code mentions them.
        call = f"{call} if (lambda: ({', '.join(mentioned)},)) else None"
    # IPython hides the result of a cell whose code ends with a semicolon.
    return f"{call};" if line.endswith(";") and not takes_text(line.removesuffix(";")) else call


def _hidden(character: str) -> str:
    """Returns a character as it is written in a text of Python that another magic does not change."""
    return f"\\x{ord(character):02x}" if character in _CHANGED else repr(character)[1:-1]


def _help_of(line: str) -> str:
    """Returns the request for help that ``search?`` is, and any other line as it is."""
    found = _HELP.match(line)
    return f"{found['command']} --help" if found and found["command"] in COMMANDS else line


def takes_text(line: str) -> bool:
    """Returns whether the command of a line takes raw text, of which a semicolon is a part."""
    name, *_ = [*line.split(maxsplit=1), ""]
    operands = syntax(name).operands if name in COMMANDS else ()
    return any(operand.kind in ("Text", "Payload") for operand in operands)


def _keep_cell(lines: list[str]) -> list[str]:
    """Turns a ``%%memory`` cell into a call."""
    cell = "".join(lines)
    found = _CELL.match(cell)
    if found is None:
        return lines
    line, body = (found["line"] or "").rstrip(), cell[found.end() :]
    if not body.strip() and _HELP.match(line):
        return [_call(f"%memory {line}", is_inside=False) + "\n"]
    if found["indent"]:
        body = re.sub(rf"^{re.escape(found['indent'])}", "", body, flags=re.MULTILINE)
    return [f"get_ipython().run_cell_magic('memory', {line!r}, {body!r})\n"]


# The terminal asks whether a cell is complete, and must not see a call in place of one whose body is being typed.
_keep_cell.has_side_effects = True  # type: ignore[attr-defined]


def _join_lines(lines: list[str]) -> list[str]:
    """Returns the lines as Python sees them: IPython also separates them at U+2028 and other characters."""
    joined: list[str] = []
    for line in lines:
        if joined and not joined[-1].endswith(("\n", "\r")):
            joined[-1] += line
        else:
            joined.append(line)
    return joined


def add(shell: InteractiveShell) -> None:
    """Makes a shell keep the lines of the magic as they are typed."""
    manager: Any = shell.input_transformer_manager
    manager.cleanup_transforms.insert(0, _keep_cell)
    manager.line_transforms.append(_join_lines)
    manager.token_transformers.append(_MemoryLine)


def remove(shell: InteractiveShell) -> None:
    """Removes what `add` has added."""
    manager: Any = shell.input_transformer_manager
    for transforms, ours in (
        (manager.cleanup_transforms, _keep_cell),
        (manager.line_transforms, _join_lines),
        (manager.token_transformers, _MemoryLine),
    ):
        transforms[:] = [each for each in transforms if each is not ours]
