"""The records of a memory, taken apart once for all checks."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from ...entry import Entry, Unreadable, was_read
from ...keys import MEMORY_KEY
from ...main_field import main_field
from ...table import Path, field_name
from ...text import fold
from .disguises import INVISIBLE
from .finding import Evidence
from .masking import excerpt_of

if TYPE_CHECKING:
    from ..tracing.trace import Reads

PAUSE = 256
"""After so many records, a check lets the runner show progress and stop it."""

MOST_EVIDENCE = 5
"""How many places a finding shows."""

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
"""A word of a folded text."""

_LEAST_WORDS = 3
_ROLES = frozenset(
    ("role", "sender", "speaker", "author", "from", "source", "origin", "agent", "name")
)
"""Names of fields that say who has said a text."""


class Record(msgspec.Struct, eq=False, gc=False):
    """One record as checks see it.

    It refers to nothing that refers back to it, so the garbage collector need not visit it: there may be very many.

    Attributes:
        entry: the record as the store keeps it.
        leaves: path and leaf of each field. The elements of a list have the path of the list.
        main: the text that the record is about; empty if there is none.
        main_path: the path of that text.
        user: first part of the key; empty for a key without parts.
        session: second part of the key, or empty.
    """

    entry: Entry
    leaves: tuple[tuple[Path, Any], ...] = ()
    main: str = ""
    main_path: Path = ()
    user: str = ""
    session: str = ""
    _folded: str | None = None
    _said: str | None = None

    def __post_init__(self) -> None:
        self.leaves = tuple(_leaves_of(self.entry.value()))
        self.main_path, self.main = _main_of(self.leaves)
        self.user, self.session = owner_of(self.entry.key)

    @property
    def key(self) -> str:
        """The key."""
        return self.entry.key

    @property
    def at(self) -> float:
        """When the record was last written, in Unix seconds."""
        return self.entry.updated_at

    @property
    def created(self) -> float:
        """When the record was first written, in Unix seconds."""
        created = self.entry.created_at
        return self.entry.updated_at if created is None else created

    @property
    def folded(self) -> str:
        """The main text without case and with single spaces, for comparisons."""
        if self._folded is None:
            self._folded = " ".join(fold(INVISIBLE.sub("", self.main)).split())
        return self._folded

    @property
    def said(self) -> str:
        """The words of the main text, or the folded text if it has hardly any: two texts that say the same."""
        if self._said is None:
            words = WORD.findall(self.folded)
            self._said = " ".join(words) if len(words) >= _LEAST_WORDS else self.folded
        return self._said

    @property
    def was_read(self) -> bool:
        """Whether the record was read by its key since it was last written."""
        return was_read(self.entry)

    def texts(self) -> Iterator[tuple[Path, str]]:
        """Yields path and text of every leaf that is text."""
        for path, leaf in self.leaves:
            if type(leaf) is str and leaf:
                yield path, leaf

    def role(self) -> str:
        """Returns who has said the main text, as far as a field says so; folded, or empty."""
        for path, leaf in self.leaves:
            if path and path[-1].lower() in _ROLES and type(leaf) is str and len(leaf) <= 60:
                return fold(leaf)
        return ""

    def evidence(
        self,
        path: Path,
        text: str,
        *spans: tuple[int, int],
        hidden: Sequence[tuple[int, int]] = (),
    ) -> Evidence:
        """Returns places in one of the texts as evidence, with secrets and the places ``hidden`` masked."""
        excerpt, marks = excerpt_of(text, spans, hidden)
        return Evidence(self.key, field_name(path) if path else "", excerpt, marks, spans)

    def shown(self) -> Evidence:
        """Returns the main text as evidence."""
        return self.evidence(self.main_path, self.main)


@dataclass(slots=True)
class Examined:
    """The records that the checks look at.

    Attributes:
        records: the readable ones, in the order of their first write.
        unreadable: those that cannot be read.
        now: Unix seconds.
        reads: what a trace knows of reads and searches; None without one.
        vectors: a unit vector for the main text of each record, or None.
        skipped: parts of checks that could not be carried out, and why; checks add to it.
        kept: what one check has worked out and another needs as well.
    """

    records: Sequence[Record]
    unreadable: Sequence[Unreadable]
    now: float
    reads: Reads | None = None
    vectors: Any = None
    skipped: dict[str, str] = field(default_factory=dict)
    kept: dict[object, Any] = field(default_factory=dict)

    def each(self) -> Iterator[Record | None]:
        """Yields the records, and None now and then."""
        for number, record in enumerate(self.records, start=1):
            yield record
            if number % PAUSE == 0:
                yield None

    def by_text(self) -> Generator[None, None, dict[str, Record | list[Record]]]:
        """Yields None now and then, and returns the records by what their main text says: one record, or a list of several.

        Several checks need it; it is worked out once.
        """
        found: dict[str, Record | list[Record]] | None = self.kept.get("by text")
        if found is None:
            found = {}
            for record in self.each():
                if record is None:
                    yield None
                    continue
                there = found.setdefault(record.said, record)
                if isinstance(there, list):
                    there.append(record)
                elif there is not record:
                    found[record.said] = [there, record]
            self.kept["by text"] = found
        return found


def _leaves_of(value: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Yields path and leaf in the order of the fields. Lists of numbers alone are one leaf: vectors are long."""
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack:
        path, node = stack.pop()
        if type(node) is dict and node:
            stack.extend(((*path, name), child) for name, child in reversed(node.items()))
        elif type(node) is list and node and not is_vector(node):
            stack.extend((path, child) for child in reversed(node))
        else:
            yield path, node


def is_vector(node: Any) -> bool:
    """Whether a leaf is a list of numbers."""
    return type(node) is list and bool(node) and all(type(each) in (float, int) for each in node)


def _main_of(leaves: Sequence[tuple[Path, Any]]) -> tuple[Path, str]:
    texts: dict[Path, list[str]] = {}
    for path, leaf in leaves:
        if type(leaf) is str:
            texts.setdefault(path, []).append(leaf)
    main = main_field(texts)
    return ((), "") if main is None else (main, "\n".join(texts[main]))


def owner_of(key: str) -> tuple[str, str]:
    """Returns the user and the session that a key begins with; empty texts for what it lacks."""
    found = MEMORY_KEY.fullmatch(key)
    if found is not None:
        return found[1], found[2]
    user, separator, rest = key.partition(":")
    return (user, rest.partition(":")[0]) if separator else ("", "")
