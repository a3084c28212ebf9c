"""Records as the lines of a prompt: when, under which key, who says it, and what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ...codec import to_json
from ...entry import Entry, write_seq
from ...errors import harmless
from ...keys import parse_memory_key
from ...main_field import main_field
from ...table import field_name, flatten
from ...text import leaf_text
from ...times import shown_instant
from ..summarizing.summary import SOURCES, is_summary

Cite: TypeAlias = Literal["short", "key"]
"""How a line cites its record, by the first characters of the hash at the end of the key, as long as no other record
of the pack has the same, or by the whole key. A key without a hash is always cited as a whole."""

# What a summary tells of itself, beside its text.
_OF_SUMMARIES = ("type", SOURCES, "summarizer", "first", "last")
_DAY = len("2026-11-22")
_SHORTEST = 4
_BRACKETED = re.compile(r"\[([^\[\]]*)\]")
_BRACKETS = str.maketrans("[]", "()")


@dataclass(frozen=True, slots=True)
class Line:
    """A record in a prompt.

    Attributes:
        key: key of the record, which the line cites.
        when: the instant that the record names, or else the day on which it was first written, in UTC.
        day: the day of this instant, in ISO 8601.
        who: who says it, or an empty text.
        said: what the record says.
        rest: its other fields, as ``name: value``.
        group: the session that it belongs to; a record without one is a session of its own.
        order: what comes first in a session has a lower one.
    """

    key: str
    when: str
    day: str
    who: str
    said: str
    rest: str
    group: tuple[str, ...]
    order: tuple[float, int, str]

    @property
    def content(self) -> str:
        """What the record says, with its other fields, and by whom."""
        who = f"{self.who}: " if self.who else ""
        rest = f" ({self.rest})" if self.said and self.rest else self.rest
        return f"{who}{self.said}{rest}"

    def text(self, citation: str) -> str:
        """Returns the line without its heading."""
        return f"[{citation}] {self.content}"


def one_line(text: str) -> str:
    """Returns a text in one line, without any character that hides or reorders others.

    A record that brings line breaks along could otherwise pretend to be several.
    """
    return harmless(" ".join(text.split()))


def line_of(entry: Entry) -> Line:
    """Returns the line of a record."""
    from ...search.ranked.dates import iso_day, without_milliseconds
    from ...search.ranked.parts import leaves_of, owner_of

    value = entry.value()
    flat = flatten(value)
    main = main_field({path: (leaf,) for path, leaf in flat.items()})
    of_summary = is_summary(value)
    who: list[str] = []
    when: list[tuple[str, str]] = []
    rest: list[str] = []
    for path, leaf in flat.items():
        if path == main or leaf is None or leaf in ("", [], {}):
            continue
        name = path[-1] if path else "value"
        if of_summary and name in _OF_SUMMARIES:
            continue
        kinds = {each.kind: each for each in leaves_of({name: leaf})}
        day = kinds["when"].day if "when" in kinds and not isinstance(leaf, list) else None
        if day is not None and not when:
            at = leaf if isinstance(leaf, str) else shown_instant(without_milliseconds(leaf))
            when.append((one_line(at), iso_day(day)))
        elif "who" in kinds and isinstance(leaf, str):
            who.append(leaf)
        else:
            rest.append(f"{field_name(path) if path else 'value'}: {_shown(leaf)}")
    written = entry.updated_at if entry.created_at is None else entry.created_at
    owner = owner_of(entry.key)
    if not when:
        when.append((shown_instant(written)[:_DAY],) * 2)
    return Line(
        key=entry.key,
        when=when[0][0],
        day=when[0][1],
        who=one_line(", ".join(who)),
        said=one_line(flat[main]) if main is not None else "",
        rest=one_line("; ".join(rest)),
        group=(entry.key,) if owner == ("", "") else owner,
        order=(written, write_seq(entry), entry.key),
    )


def _shown(leaf: Any) -> str:
    if isinstance(leaf, list) and all(isinstance(each, (str, int, float)) for each in leaf):
        return ", ".join(map(leaf_text, leaf))
    return to_json(leaf) if isinstance(leaf, (list, dict)) else leaf_text(leaf)


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Returns lines by time within their session, and the sessions by their first line."""
    sessions: dict[tuple[str, ...], list[Line]] = {}
    for line in sorted(lines, key=lambda line: line.order):
        sessions.setdefault(line.group, []).append(line)
    return [line for session in sessions.values() for line in session]


def citations(keys: Sequence[str], cite: Cite) -> dict[str, str]:
    """Returns what stands for each key in a text; different keys have different citations."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for key in keys:
        # A key with brackets could otherwise end its citation itself, and begin another one.
        written = plain = one_line(key).translate(_BRACKETS)
        number = 1
        while written in used:  # as do keys that differ in what one line cannot show
            number += 1
            written = f"{plain}~{number}"
        used.add(written)
        found[key] = written
    if cite == "key":
        return found
    hashes: dict[str, str] = {}
    for key in keys:
        owner = parse_memory_key(key)
        if owner is not None and owner.context_hash is not None:
            hashes[key] = owner.context_hash
    taken = {found[key] for key in keys if key not in hashes}
    for length in range(_SHORTEST, 9):
        starts = Counter(each[:length] for each in hashes.values())
        for key, each in list(hashes.items()):
            start = each[:length]
            if starts[start] == 1 and start not in taken:
                found[key] = start
                del hashes[key]
        taken.update(found[key] for key in keys if key not in hashes)
    return found


def text_of(lines: Iterable[Line], cited: Mapping[str, str], *, times: bool = True) -> str:
    """Returns the text of a prompt: lines in order, below a heading for each instant.

    What looks like the citation of a line, inside a record, is put into round brackets: no record speaks for another one.

    Args:
        lines: in any order.
        cited: the citation of each key.
        times: whether a heading gives the instant as the records write it, or its day alone.
    """
    written: list[str] = []
    heading = None
    marks = frozenset(cited.values())

    def unmarked(found: re.Match[str]) -> str:
        return f"({found[1]})" if found[1] in marks else found[0]

    for line in in_order(lines):
        when = line.when if times else line.day
        if when != heading:
            heading = when
            written.append(f"{heading}:")
        written.append(f"[{cited[line.key]}] {_BRACKETED.sub(unmarked, line.content)}")
    return "\n".join(written)
