"""Conversion of records to flat rows and back, for every table, CSV file and Parquet file.

A nested field becomes a column that is named by its path, ``agent.name``; a list stays in one cell.
The columns `META` describe the record itself. A field never takes the name of such a column: it
becomes ``value.user`` instead. If a column name could not be turned back into the path, because a field name
contains a dot or an unpaired surrogate, the path can be written as JSON: ``["agent", "v1.5"]``.

A row distinguishes a leaf, None for JSON's null, and `ABSENT` for a field that the record lacks.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from .codec import MAX_DEPTH
from .errors import InvalidArgument, brief
from .keys import key_text
from .record import NOT_YET, MemoryRecord
from .times import instant, microseconds

META = ("user", "session", "created", "updated", "expires")
INSTANTS = META[2:]
HIT_META = (*META, "score", "matches")

Path = tuple[str, ...]

WHOLE: Path = ()
"""The path of a value that is not taken apart, since it has too many fields. Its column is named ``[]``."""

MOST_FIELDS = 500
"""How many columns one record may add to a table. A wider table would be of no use for the other records."""

_MOST_NAMES = 100_000  # characters of the names of these columns

ABSENT = object()
"""The cell of a field that the record lacks."""

PATHS_ATTR = "tta_memory_nb"
"""Key in a DataFrame's ``attrs``: for the package's own tables, the paths that column names do not tell."""

FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""Prefixes for which a spreadsheet runs a cell as a formula, in some languages also in their wide form."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_RESERVED = re.compile(rf"(?:value\.)*(?:key|{'|'.join(HIT_META)})")
_UNPAIRED = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class FlatTable:
    """The flattened fields of some records.

    Attributes:
        records: one for each row.
        columns: column name -> path of the field, in order of first appearance.
        rows: for each record, path -> leaf, without the fields that the record lacks.
    """

    records: Sequence[MemoryRecord]
    columns: dict[str, Path]
    rows: list[dict[Path, Any]]

    def cells(self, path: Path) -> list[Any]:
        """Returns the column of a field: a leaf or `ABSENT` for each record."""
        return [row.get(path, ABSENT) for row in self.rows]


def flat_table(records: Iterable[MemoryRecord], *, for_file: bool = False) -> FlatTable:
    """Flattens values and gives each column a unique name.

    Args:
        records: one for each row.
        for_file: use only names that can be turned back into their path and that a spreadsheet
            does not take for a formula. Otherwise the field of ``{"a.b": 1}`` is named "a.b"
            unless the field of ``{"a": {"b": 1}}`` has that name.
    """
    kept = list(records)
    rows = [flatten(record.value) for record in kept]
    paths = dict.fromkeys(path for row in rows for path in row)
    plain = {path: _plain_name(path) for path in paths}
    reversible = {
        path
        for path, name in plain.items()
        if column_path(name) == path
        and is_utf8(name)
        and not (for_file and name.startswith(FORMULA_STARTS))
    }
    taken = {plain[path] for path in reversible}
    columns: dict[str, Path] = {}
    for path, name in plain.items():
        # A name that looks like a path in JSON must not collide with one that is.
        if path not in reversible and (
            for_file or name in taken or name.startswith("[") or not is_utf8(name)
        ):
            name = json.dumps(path)
        taken.add(name)
        columns[name] = path
    return FlatTable(kept, columns, rows)


def flatten(value: dict[str, Any]) -> dict[Path, Any]:
    """Returns leaves by their path. Lists and empty objects count as leaves.

    If there are more than `MOST_FIELDS`, the objects inside the value count as leaves as well; if it has so
    many fields of its own, all of it is one leaf with the path `WHOLE`. The same applies to long names.
    """
    flat: dict[Path, Any] = {}
    characters = 0
    stack: list[tuple[Path, Any]] = [(WHOLE, value)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, dict) and (node or not path):
            if len(flat) + len(stack) + len(node) > MOST_FIELDS:
                return _own_fields(value)
            # Reversed, because the stack reverses the order again.
            stack.extend(((*path, name), child) for name, child in reversed(node.items()))
        else:
            flat[path] = node
            characters += sum(map(len, path))
            if characters > _MOST_NAMES:
                return _own_fields(value)
    return flat


def _own_fields(value: dict[str, Any]) -> dict[Path, Any]:
    if len(value) > MOST_FIELDS or sum(map(len, value)) > _MOST_NAMES:
        return {WHOLE: value}
    return {(name,): child for name, child in value.items()}


def field_name(path: Path) -> str:
    """Returns a name for a field that `column_path` turns back into its path."""
    name = _plain_name(path)
    return name if column_path(name) == path and is_utf8(name) else json.dumps(path)


def _plain_name(path: Path) -> str:
    name = ".".join(path) if path else "[]"
    return f"value.{name}" if _RESERVED.fullmatch(name) else name


def column_path(name: str) -> Path:
    """Returns the path that the name of a column of the package's own tables stands for."""
    if name.startswith("["):
        try:
            path = json.loads(name)
        except (ValueError, RecursionError):
            path = None
        if isinstance(path, list) and all(isinstance(step, str) for step in path):
            return tuple(path)
    if name.startswith("value.") and _RESERVED.fullmatch(name):
        name = name.removeprefix("value.")
    return tuple(name.split("."))


def _check_separated(columns: Sequence[str]) -> None:
    """Makes sure that what is said to be one column is not several that are separated in another way than by commas.

    Raises:
        InvalidArgument: it seems to be.
    """
    for separator in (";", "\t", "|") if len(columns) == 1 else ():
        if separator in columns[0]:
            raise InvalidArgument(
                f"the only column is {brief(columns[0])}, so {separator!r} seems to separate the columns; separate them by "
                f"commas, or import the table that pandas.read_csv(file, sep={separator!r}) returns"
            )


class RowReader:
    """Converts the rows of one table to records; the reverse of `flat_table`.

    A table that has all columns of `META`, or the attribute `PATHS_ATTR`, is one of the package's own.
    Its instants are kept, and the columns that only describe the record are left out of the value; the
    key alone determines user and session. In any other table, every column except the key's is a
    field, and a dot in its name means nesting wherever that is possible.

    Args:
        columns: names, in the order of a row's cells.
        key: the column that holds the keys.
        paths: the paths by column name that `PATHS_ATTR` of the table holds; None without one.

    Raises:
        InvalidArgument: the key's column is missing, or a column name is repeated.
    """

    def __init__(
        self, columns: Sequence[str], key: str = "key", paths: Mapping[str, Path] | None = None
    ) -> None:
        repeated = [name for name, times in Counter(columns).items() if times > 1]
        if repeated:
            raise InvalidArgument(f"the column {repeated[0]!r} appears twice; rename one of them")
        if key not in columns:
            _check_separated(columns)
            raise InvalidArgument(
                f"no column {key!r} among {', '.join(map(repr, columns)) or 'no columns'}; "
                "name the one that holds the keys with key= (in %memory: --key)"
            )
        self.columns = tuple(columns)
        self._names = frozenset(columns)
        self.key = key
        self.is_own = paths is not None or set(META) <= set(columns)
        self._key_at = self.columns.index(key)
        known = paths or {}
        descriptive: tuple[str, ...] = (key, *HIT_META) if self.is_own else (key,)
        self._instants_at = [
            (self.columns.index(name), name)
            for name in INSTANTS
            if self.is_own and name in self.columns
        ]
        self._fields = [
            (position, name, known.get(name) or self._path(name))
            for position, name in enumerate(self.columns)
            if name not in descriptive
        ]

    def _path(self, name: str) -> Path:
        if self.is_own:
            return column_path(name)
        steps = tuple(name.split("."))
        # Neither "No. of people" nor the "a.1" that pandas makes of a second "a" is a path.
        is_no_path = len(steps) > MAX_DEPTH or any(
            step != step.strip() or not step for step in steps
        )
        if is_no_path:
            return (name,)
        inside = any(".".join(steps[:end]) in self._names for end in range(1, len(steps)))
        return (name,) if inside else steps

    def record(self, cells: Sequence[Any]) -> MemoryRecord:
        """Returns the record of a row of cells.

        Raises:
            InvalidArgument: the row has no key, a cell of an instant holds none, or one field lies
                inside another field's leaf.
        """
        key = cells[self._key_at]
        if key is None or key is ABSENT:
            raise InvalidArgument(f"no key: the cell in column {self.key!r} is empty")
        times: dict[str, float] = {}
        for position, name in self._instants_at:
            at = cells[position]
            if at is None or at is ABSENT:
                continue
            if isinstance(at, datetime) and at.tzinfo is None:
                # Like text in a cell: files and other libraries drop the time zone, which was UTC.
                at = at.replace(tzinfo=timezone.utc)
            times[name] = instant(at, 0.0, name)
        value: dict[str, Any] = {}
        for position, name, path in self._fields:
            if cells[position] is not ABSENT:
                _set_at(value, path, cells[position], name)
        return MemoryRecord(
            key_text(key),
            value,
            created_at=times.get("created", NOT_YET),
            updated_at=times.get("updated", NOT_YET),
            expires_at=times.get("expires"),
        )


def _set_at(value: dict[str, Any], path: Path, leaf: Any, column: str) -> None:
    if path == WHOLE:
        # A cell that is no object was written before values were kept whole, for a field of this name.
        fields = leaf if isinstance(leaf, dict) else {column: leaf}
        for name, child in fields.items():
            _set_at(value, (name,), child, column)
        return
    node = value
    for step in path[:-1]:
        node = node.setdefault(step, {})
        if not isinstance(node, dict):
            raise InvalidArgument(
                f"column {column!r} is a field inside {step!r}, which already has a value of its "
                "own in this row"
            )
    if path[-1] in node:
        raise InvalidArgument(f"two columns of this row give a value for {column!r}")
    # A copy, because a later column may add a field inside it.
    node[path[-1]] = _texts_mapped(leaf, str)


# ---------------------------------------------------------------- cells


def instants_of(record: MemoryRecord) -> tuple[float | None, float | None, float | None]:
    """Returns the cells for `INSTANTS` (created, updated, expires) in Unix seconds; None for no instant."""
    created, updated = record.created_at, record.updated_at
    return (
        None if created == NOT_YET else created,
        None if updated == NOT_YET else updated,
        record.expires_at,
    )


def moment(at: float) -> datetime:
    """Converts Unix seconds to a datetime in UTC, rounded to the microsecond."""
    return _EPOCH + timedelta(microseconds=microseconds(at))


def is_utf8(text: str) -> bool:
    """Returns whether UTF-8 can encode the text, which it can unless there is an unpaired surrogate."""
    return text.isascii() or _UNPAIRED.search(text) is None


def portable(leaf: Any) -> Any:
    r"""Returns a leaf whose text UTF-8 can encode; other text is escaped as JSON: ``"\ud83d"``.

    Notebooks, Arrow and most files refuse an unpaired surrogate, which streaming may leave of an
    emoji. One such record must not make all others unreadable.
    """
    return _texts_mapped(leaf, _escaped)


def unportable(leaf: Any) -> Any:
    """Returns the leaf that `portable` has received."""
    return _texts_mapped(leaf, _unescaped)


def _texts_mapped(node: Any, change: Callable[[str], str], depth: int = 0) -> Any:
    """Returns a copy of a tree with other texts; what is too deep to be stored is left as it is."""
    if isinstance(node, str):
        return change(node)
    if depth > MAX_DEPTH:
        return node
    if isinstance(node, list):
        return [_texts_mapped(child, change, depth + 1) for child in node]
    if isinstance(node, dict):
        return {
            change(name): _texts_mapped(child, change, depth + 1) for name, child in node.items()
        }
    return node


def _escaped(text: str) -> str:
    if not is_utf8(text):
        # Two adjacent halves of a surrogate pair are one character, in JSON as elsewhere.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    # Text that only looks escaped is escaped as well; otherwise reading would unescape it.
    if is_utf8(text) and _unescaped(text) == text:
        return text
    return json.dumps(text)


def _unescaped(text: str) -> str:
    if not text.startswith('"') or "\\" not in text:
        return text
    try:
        inner = json.loads(text)
    except ValueError:
        return text
    # Only text that `_escaped` writes: other text in quotes is not meant as JSON.
    return inner if _escaped(inner) == text else text
