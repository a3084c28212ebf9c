"""What Tab offers after ``%memory``. No IPython here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from ..errors import InvalidArgument
from ..keys import parse_memory_key
from .arguments import Syntax
from .commands import COMMANDS, IN_MEMORY, Notebook, syntax

_MAGIC = re.compile(r"^\s*(?:[\w.,\s\[\]'\"]+=\s*)?%{1,2}memory(?P<rest>\s.*)$", re.DOTALL)
_OFFERED = 200  # more than anyone reads, and quick to send

_CHOICES = {"on_error": ("raise", "skip"), "format": ("jsonl", "csv", "parquet", "json")}
_TAKE_KEYS = ("get", "delete", "add")


def complete(before: str, nb: Notebook) -> tuple[str, list[str]] | None:
    """Candidates for the word before the cursor.

    Args:
        before: the line up to the cursor.
        nb: whose memory's keys, users and sessions are offered.

    Returns:
        The word to replace and what may stand there, or None when this is no ``%memory`` line
        or something else completes it better (file names, variables).
    """
    line = _MAGIC.match(before)
    if line is None:
        return None
    words = line["rest"].split()
    fragment = "" if line["rest"][-1].isspace() else words.pop()
    if fragment.startswith(("$", "{")):
        return None
    if not words:
        return fragment, _starting(fragment, COMMANDS)
    try:
        command = syntax(words[0])
    except InvalidArgument:
        return None
    candidates = _candidates(command, words[1:], fragment, nb)
    return None if candidates is None else (fragment, candidates)


def _candidates(command: Syntax, words: list[str], fragment: str, nb: Notebook) -> list[str] | None:
    if words and words[-1].startswith("--"):
        for flag in command.flags:
            if flag.written == words[-1] and not flag.is_switch:
                return _starting(fragment, _flag_values(flag.name, nb))
    if fragment.startswith("-"):
        return _starting(fragment, [flag.written for flag in command.flags])
    if command.name in _TAKE_KEYS:
        if command.name == "add" and words:
            return None
        return _starting(fragment, map(_quoted, reversed(nb.memory.sync.keys())))
    if command.name == "help":
        return _starting(fragment, COMMANDS)
    if command.name == "use" and not words:
        return _starting(fragment, [IN_MEMORY])
    return None


def _flag_values(name: str, nb: Notebook) -> Iterable[str]:
    if name in _CHOICES:
        return _CHOICES[name]
    if name == "namespace":
        return [namespace for backend, namespace in nb.memories if backend == nb.backend]
    newest_first = reversed(nb.memory.sync.keys())
    if name in ("user", "session"):
        parsed = (parse_memory_key(key) for key in newest_first)
        return (_quoted(getattr(parts, name)) for parts in parsed if parts)
    return map(_quoted, newest_first) if name == "prefix" else ()


def _starting(fragment: str, candidates: Iterable[str]) -> list[str]:
    def fitting() -> Iterator[str]:
        seen = set()
        for candidate in candidates:
            if candidate.startswith(fragment) and candidate not in seen:
                seen.add(candidate)
                yield candidate

    return list(islice(fitting(), _OFFERED))


def _quoted(word: str) -> str:
    """A word as it must be typed: in quotes when it holds spaces."""
    if not re.search(r"\s", word):
        return word
    return f'"{word}"' if '"' not in word else f"'{word}'"
