"""What Tab offers after ``%memory``. No IPython here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from ..errors import InvalidArgument
from ..keys import parse_memory_key
from ..stores.redis.addresses import EMBEDDED
from .arguments import Syntax
from .commands import COMMANDS, IN_MEMORY, PLOTS, Notebook, syntax

# A magic stands alone or behind an assignment, annotated or augmented ones included.
_MAGIC = re.compile(r"^\s*(?:[^=%]*=\s*)?%{1,2}memory(?P<rest>\s.*)$", re.DOTALL)

# The word before the cursor: one in a quote still open, or what follows the last space.
_OPEN_QUOTE = re.compile(r"(?:(?<=\s)|^)(?P<quote>[\"'])(?P<text>(?:(?!(?P=quote)(?:\s|$)).)*)$")
_BARE = re.compile(r"\S*$")

_OFFERED = 200  # more than anyone reads, and quick to send

_CHOICES = {
    "on_error": ("raise", "skip"),
    "import.format": ("jsonl", "csv", "parquet", "json"),
    "export.format": ("jsonl", "csv", "parquet"),
}
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
    rest = line["rest"]
    found = _OPEN_QUOTE.search(rest) or _BARE.search(rest)
    assert found is not None
    fragment, words = found[0], rest[: found.start()].split()
    typed = found["text"] if found.re is _OPEN_QUOTE else fragment
    if typed.startswith(("$", "{")) or "--" in words:
        return None
    if not words:
        return fragment, _starting(typed, COMMANDS)
    try:
        command = syntax(words[0])
    except InvalidArgument:
        return None
    candidates = _candidates(command, words[1:], typed, nb)
    return None if candidates is None else (fragment, candidates)


def _candidates(command: Syntax, words: list[str], typed: str, nb: Notebook) -> list[str] | None:
    if words and words[-1].startswith("--"):
        for flag in command.flags:
            if flag.written == words[-1] and not flag.is_switch:
                return _starting(typed, _flag_values(command, flag.name, nb))
    if typed.startswith("-"):
        flags = [*(flag.written for flag in command.flags), "-o", "-h"]
        return [flag for flag in flags if flag.startswith(typed)]
    if command.name in _TAKE_KEYS:
        if command.name == "add" and words:
            return None
        return _starting(typed, reversed(nb.memory.sync.keys()))
    if command.name == "help":
        return _starting(typed, COMMANDS)
    if command.name == "use" and not words:
        return _starting(typed, [IN_MEMORY, EMBEDDED])
    if command.name == "plot" and not words:
        return _starting(typed, PLOTS)
    if command.name in ("snapshot", "diff") and not words:
        return _starting(typed, reversed(nb.snapshots))
    return None


def _flag_values(command: Syntax, name: str, nb: Notebook) -> Iterable[str]:
    for place in (name, f"{command.name}.{name}"):
        if place in _CHOICES:
            return _CHOICES[place]
    if name == "namespace":
        return [namespace for backend, namespace in nb.memories if backend == nb.backend]
    newest_first = reversed(nb.memory.sync.keys())
    if name in ("user", "session"):
        parsed = (parse_memory_key(key) for key in newest_first)
        return (getattr(parts, name) for parts in parsed if parts)
    return newest_first if name == "prefix" else ()


def _starting(typed: str, candidates: Iterable[str]) -> list[str]:
    def fitting() -> Iterator[str]:
        seen = set()
        for candidate in candidates:
            # What cannot be printed cannot be typed: a variable has to hold it.
            if candidate.startswith(typed) and candidate not in seen and candidate.isprintable():
                seen.add(candidate)
                yield _typed(candidate)

    return list(islice(fitting(), _OFFERED))


def _typed(word: str) -> str:
    """A word as it must be typed: in quotes when it would be read as something else."""
    if not re.search(r"[\s${}]", word) and word[:1] not in ("-", '"', "'"):
        return word
    return f"'{word}'" if "' " not in word and not word.endswith("'") else f'"{word}"'
