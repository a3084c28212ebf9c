"""What Tab offers after ``%memory``. No IPython here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

from ..errors import TTAMemoryError
from ..keys import parse_memory_key
from ..memory.proposing.proposal import STATUSES
from ..search.indexes import INDEXES
from ..stores.schemes import EMBEDDED, FILE
from .arguments import OUTPUT, Flag, Syntax
from .commands import COMMANDS, Notebook, syntax
from .commands.base import IN_MEMORY
from .commands.keys import newest_keys
from .commands.views import PLOTS
from .words import as_typed

# The magic begins a line, or is assigned; the assignment may be annotated or augmented.
_MAGIC = re.compile(r"^\s*+(?:[^=%]*+=\s*+)?%{1,2}memory(?P<rest>\s.*)$", re.DOTALL)

# The word before the cursor: the text behind a quote that is still open, or behind the last space.
_OPEN_QUOTE = re.compile(r"(?:(?<=\s)|^)(?P<quote>[\"'])(?P<text>(?:(?!(?P=quote)(?:\s|$)).)*)$")
_BARE = re.compile(r"\S*$")

_LONGEST_LINE = 10_000  # longer than anyone types, and quick to look at
_LONGEST_OFFERED = 300  # characters, so that one long key does not fill the list
_MOST_OFFERED = 200  # more than anyone reads, and quick to send
_MOST_RECORDS = 1000  # whose keys are searched for users and sessions

_CHOICES = {
    "on_error": ("raise", "skip"),
    "import.format": ("jsonl", "csv", "parquet", "json"),
    "proposals.status": (*STATUSES, "all"),
    "export.format": ("jsonl", "csv", "parquet"),
}
_TAKE_KEYS = ("get", "log", "touch", "delete", "add")
_KEYS_IN_FLAGS = ("judge.wrong", "judge.forget", "search.expect")


def complete(before: str, nb: Notebook) -> tuple[str, list[str]] | None:
    """The candidates for the word before the cursor.

    The memory is asked for its newest keys at most once, and only if the word can be a key or a part of one.

    Args:
        before: the line up to the cursor.
        nb: the notebook whose keys, users and sessions are offered.

    Returns:
        The word to replace and its candidates. None if this is no ``%memory`` line, if other completers
        know better (file names, variables), or if the server cannot be asked.
    """
    line = _MAGIC.match(before) if len(before) <= _LONGEST_LINE else None
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
        candidates = _candidates(syntax(words[0]), words[1:], typed, nb)
    except TTAMemoryError:  # no such command; the server refuses or is away
        return None
    return None if candidates is None else (fragment, candidates)


def _candidates(command: Syntax, words: list[str], typed: str, nb: Notebook) -> list[str] | None:
    if words and words[-1] == OUTPUT:
        return None  # the name of a variable
    if words and words[-1].startswith("--"):
        for flag in command.flags:
            if flag.written == words[-1] and not flag.is_switch:
                return _starting(typed, _flag_values(command, flag, words, typed, nb))
    if typed.startswith("-"):
        flags = [*(flag.written for flag in command.flags), OUTPUT, "-h"]
        return [flag for flag in flags if flag.startswith(typed)]
    if command.name in _TAKE_KEYS:
        if command.name == "add" and words:
            return None
        return _starting(typed, _keys(nb, typed))
    if command.name in ("judge", "why"):
        return _starting(typed, _keys(nb, typed)) if words else None
    if command.name in ("append", "history") and len(words) < 2:
        if not words:
            return _starting(typed, _parts_of_keys(nb, "user", prefix=typed))
        return _starting(typed, _parts_of_keys(nb, "session", prefix=f"{words[0]}:{typed}"))
    if command.name == "proposals":
        return _starting(typed, [each.id for each in nb.memory.sync.proposals()])
    if command.name == "help":
        return _starting(typed, COMMANDS)
    if command.name == "use" and not words:
        return _starting(typed, [IN_MEMORY, f"{FILE}:", EMBEDDED])
    if command.name == "plot" and not words:
        return _starting(typed, PLOTS)
    if command.name in ("snapshot", "diff") and not words:
        return _starting(typed, reversed(nb.snapshots))
    return None


def _flag_values(
    command: Syntax, flag: Flag, words: list[str], typed: str, nb: Notebook
) -> Iterable[str]:
    if flag.name == "mode":
        return list(INDEXES)
    if flag.name == "modes":
        *chosen, _ = typed.split(",")
        return [",".join([*chosen, mode]) for mode in INDEXES if mode not in chosen]
    for place in (flag.name, f"{command.name}.{flag.name}"):
        if place in _CHOICES:
            return _CHOICES[place]
    if flag.name == "namespace":
        return [namespace for backend, namespace in nb.memories if backend == nb.backend]
    if flag.name == "prefix" or f"{command.name}.{flag.name}" in _KEYS_IN_FLAGS:
        return _keys(nb, typed)
    if flag.name == "user":
        return _parts_of_keys(nb, "user", prefix=typed)
    if flag.name == "session":
        user = _user_in(words)
        return _parts_of_keys(nb, "session", prefix=f"{user}:{typed}" if user else "")
    return ()


def _keys(nb: Notebook, typed: str) -> list[str]:
    return newest_keys(nb.memory.sync, _MOST_OFFERED, prefix=typed)


def _parts_of_keys(nb: Notebook, part: str, *, prefix: str) -> Iterator[str]:
    """The users or sessions of the newest records, newest first.

    Args:
        nb: the notebook.
        part: ``"user"`` or ``"session"``.
        prefix: what the keys begin with.
    """
    keys = newest_keys(nb.memory.sync, _MOST_RECORDS, prefix=prefix)
    return (getattr(parsed, part) for parsed in map(parse_memory_key, keys) if parsed)


def _user_in(words: list[str]) -> str | None:
    """The user that the line filters by, if it is plain text."""
    for flag, value in pairwise(words):
        if flag == "--user" and re.fullmatch(r"[^\s\"'${}:]+", value):
            return value
    return None


def _starting(typed: str, candidates: Iterable[str]) -> list[str]:
    def fitting() -> Iterator[str]:
        seen = set()
        for candidate in candidates:
            if not candidate.startswith(typed) or candidate in seen:
                continue
            if len(candidate) <= _LONGEST_OFFERED:
                seen.add(candidate)
                yield as_typed(candidate)

    return list(islice(fitting(), _MOST_OFFERED))
