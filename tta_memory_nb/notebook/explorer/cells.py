"""The columns and rows of the explorer's table, with cells short enough to be sent by the hundred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ...codec import to_json
from ...entry import Entry
from ...frames.layout import marks_of
from ...keys import parse_memory_key
from ...main_field import main_field
from ...table import ABSENT, FlatTable, Path, column_path, flat_table, flatten, is_utf8, portable
from ...text import fold, leaf_text, matching_paths

if TYPE_CHECKING:
    from .ranking import Ranking

Kind: TypeAlias = Literal[
    "key", "main", "text", "time", "expiry", "number", "matches", "mixed", "score"
]
Cell: TypeAlias = "dict[str, Any] | None"

MOST_CHARACTERS = 300
"""How much of a text is sent for a cell."""

MOST_FIELDS = 200
"""How many fields are offered as columns; a record may have any number of them."""

# A match that ends further into the text than `_FAR` is shown with this many characters before it.
_BEFORE_A_MATCH, _FAR = 16, 34
_SHOWN_FIELDS = 6
_SAMPLE = 200
# So many hits of so many bytes are looked at for matches in several fields.
_LOOKED_AT, _MOST_LOOKED_AT = 50, 20_000
_SAMPLE_BYTES = 2_000_000
_MOST_PATHS = 8
_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the front end knows it.

    Attributes:
        name: a unique name; for a field, the name that `table.flat_table` gives it.
        kind: how cells are shown and aligned.
        path: the path of the field; None for a column that describes the record.
    """

    name: str
    kind: Kind
    path: Path | None = None


KEY = Column("key", "key")
MATCHES = Column("matches", "matches")
SCORE = Column("score", "score")
ABOUT = (
    Column("user", "text"),
    Column("session", "text"),
    Column("created", "time"),
    Column("updated", "time"),
    Column("expires", "expiry"),
    Column("size", "number"),
)
"""The columns that describe the record, not its value; without the key's."""

_ABOUT = {column.name: column for column in (KEY, *ABOUT)}


def column_called(name: str, known: Iterable[Column] = ()) -> Column:
    """The column with a name, even if no known record has such a field."""
    for column in known:
        if column.name == name:
            return column
    return _ABOUT.get(name) or Column(name, "mixed", column_path(name))


@dataclass(frozen=True, slots=True)
class Fields:
    """The columns for the fields of some records.

    Attributes:
        columns: one for each field: the one that carries the text, then the most frequent first.
        more: how many further fields the records have.
        expires: whether a record expires.
        elsewhere: whether a hit matches in another field than the one that carries the text.
    """

    columns: tuple[Column, ...]
    more: int
    expires: bool = False
    elsewhere: bool = False

    @classmethod
    def of(
        cls, entries: Iterable[Entry], namespace: str, query: str = "", hits: Sequence[Entry] = ()
    ) -> Fields:
        """The fields of a sample of the entries that is quickly read.

        Args:
            entries: the sample is taken from their beginning.
            namespace: the namespace of the entries.
            query: what is searched for; empty for nothing.
            hits: entries that match it, of which some are looked at.
        """
        sample: dict[str, Entry] = {}
        size = 0
        for entry in entries:
            if len(sample) == _SAMPLE or (sample and size > _SAMPLE_BYTES):
                break
            size += len(entry.text)
            sample[entry.key] = entry
        table = flat_table(entry.record(namespace) for entry in sample.values())
        # The most frequent fields are kept, not the first: a rare field must not displace others. The field
        # that says what the record is about comes before all.
        often = Counter(path for row in table.rows for path in row)
        main = main_field(
            {path: [row[path] for row in table.rows if path in row] for path in often}
        )
        names = sorted(
            table.columns,
            key=lambda name: (table.columns[name] != main, -often[table.columns[name]]),
        )
        columns = tuple(
            Column(
                name,
                "main" if table.columns[name] == main else _kind_of(table, table.columns[name]),
                table.columns[name],
            )
            for name in names[:MOST_FIELDS]
        )
        needle = fold(query)
        text_field = ".".join(main or ())
        elsewhere = bool(needle) and any(
            path != text_field
            for hit in hits[:_LOOKED_AT]
            if len(hit.text) <= _MOST_LOOKED_AT
            for path in matching_paths(hit.value(), needle)
        )
        expires = any(entry.expires_at is not None for entry in sample.values())
        return cls(columns, len(names) - len(columns), expires, elsewhere)

    def shown(self, chosen: Sequence[str] | None) -> list[str]:
        """The names of the columns that are shown, without the key's.

        Args:
            chosen: the columns that the user has chosen; None for those that say something.
        """
        if chosen is not None:
            return [name for name in dict.fromkeys(chosen) if name != KEY.name]
        names = [column.name for column in self.columns[:_SHOWN_FIELDS]]
        if self.elsewhere:
            names.insert(1, MATCHES.name)
        return [*names, "updated", *(["expires"] if self.expires else [])]


NO_FIELDS = Fields((), 0)


def _kind_of(table: FlatTable, path: Path) -> Kind:
    kinds = {type(row[path]) for row in table.rows if row.get(path, ABSENT) is not ABSENT}
    if kinds and kinds <= {int, float}:
        return "number"
    return "text" if kinds == {str} else "mixed"


class Rows:
    """Makes the rows of a window.

    Args:
        columns: the columns of the cells, without the key's.
        query: the text that is searched for; empty for none.
        ranking: the scores of the records, if the search ranks them.
    """

    def __init__(
        self, columns: Sequence[Column], query: str, ranking: Ranking | None = None
    ) -> None:
        self._columns = columns
        self._query = query
        self._ranking = ranking
        self._marks = marks_of(query)

    def row(self, entry: Entry, *, selected: bool) -> dict[str, Any]:
        """A row as it is sent to the front end."""
        value = entry.value()
        flat = flatten(value)
        if self._ranking is not None:
            self._marks = self._ranking.marks(entry.key)
        cells = {column.name: self._cell(column, entry, value, flat) for column in self._columns}
        return {
            "key": portable(entry.key),
            "cells": cells,
            "expires": entry.expires_at,
            "selected": selected,
            "stamp": f"{entry.updated_at!r}:{hash(entry.text):x}",
        }

    def _cell(
        self, column: Column, entry: Entry, value: dict[str, Any], flat: dict[Path, Any]
    ) -> Cell:
        if column.path is not None:
            return self._field(flat.get(column.path, ABSENT))
        if column is MATCHES:
            return self._matches(entry, value)
        if column is SCORE:
            return None if self._ranking is None else self._ranking.cell(entry.key)
        return _DESCRIBE[column.name](entry)

    def _field(self, leaf: Any) -> Cell:
        if leaf is ABSENT:
            return None
        if isinstance(leaf, (list, dict)):
            return self._text(to_json(leaf), "list" if isinstance(leaf, list) else "object")
        if isinstance(leaf, str):
            return self._text(leaf, "str")
        kind = {type(None): "null", bool: "bool"}.get(type(leaf), "num")
        cell: dict[str, Any] = {**self._text(leaf_text(leaf), kind)}
        if kind == "num" and abs(leaf) <= _EXACT:
            cell["v"] = leaf
        return cell

    def _text(self, text: str, kind: str) -> dict[str, Any]:
        text = sendable(text)
        length = len(text)
        cell: dict[str, Any] = {"k": kind}
        spans = list(self._marks(text)) if self._marks else []
        # A column is narrow: a match far from the beginning would not be visible.
        start = max(0, spans[0][0] - _BEFORE_A_MATCH) if spans and spans[0][1] > _FAR else 0
        if start or len(text) > MOST_CHARACTERS:
            end = start + MOST_CHARACTERS
            spans = [(a - start, min(b, end) - start) for a, b in spans if start <= a < end]
            if start:
                spans = [(a + 1, b + 1) for a, b in spans]
            text = ("…" if start else "") + text[start:end]
            cell["c"] = end < length
        cell["t"] = text
        if spans:
            cell["m"] = _utf16(text, spans)
        return cell

    def _matches(self, entry: Entry, value: dict[str, Any]) -> Cell:
        if self._ranking is None:
            paths = matching_paths(value, fold(self._query))
        else:
            paths = self._ranking.paths(entry.key, value)
        shown = ", ".join(paths[:_MOST_PATHS]) + (", …" if len(paths) > _MOST_PATHS else "")
        return {"t": sendable(shown)[:MOST_CHARACTERS], "k": "str"}


def _owner(field_name: str) -> Callable[[Entry], Cell]:
    def describe(entry: Entry) -> Cell:
        owner = parse_memory_key(entry.key)
        return None if owner is None else _plain(getattr(owner, field_name))

    return describe


def _plain(text: str) -> Cell:
    return {"t": sendable(text)[:MOST_CHARACTERS], "k": "str"}


def _instant(at: float | None) -> Cell:
    return {"t": "", "k": "none"} if at is None else {"t": "", "v": at, "k": "num"}


def created_at(entry: Entry) -> float:
    """The instant at which the record was first written, in Unix seconds."""
    return entry.updated_at if entry.created_at is None else entry.created_at


_DESCRIBE: dict[str, Callable[[Entry], Cell]] = {
    "user": _owner("user"),
    "session": _owner("session"),
    "created": lambda entry: _instant(created_at(entry)),
    "updated": lambda entry: _instant(entry.updated_at),
    "expires": lambda entry: _instant(entry.expires_at),
    "size": lambda entry: {"t": f"{entry.size:,}", "v": entry.size, "k": "num"},
}


def sendable(text: str) -> str:
    """The text for display, with lone surrogates, which UTF-8 cannot carry, spelled out."""
    if is_utf8(text):
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def _utf16(text: str, spans: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Spans in UTF-16 units, as JavaScript counts: a character beyond U+FFFF is two of them."""
    if text.isascii():
        return [list(span) for span in spans]
    return [[_utf16_length(text[:start]), _utf16_length(text[:end])] for start, end in spans]


def _utf16_length(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
