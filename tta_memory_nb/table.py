"""Records as flat rows and rows as records: the rule behind every table, CSV and Parquet file.

A nested field becomes a column named by its path, ``agent.name``; lists stay whole in one
cell. The columns `META` tell about the record itself, and a field never takes the name of one:
it is called ``value.user`` instead. A path that its name would not give back, because a field
name holds a dot or half a surrogate pair, can be written out as JSON: ``["agent", "v1.5"]``.

A row tells three things apart: a leaf, None for JSON's null, and `ABSENT` for a field that the
record does not have.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from .errors import InvalidArgument
from .record import NOT_YET, MemoryRecord
from .times import instant

META = ("user", "session", "created", "updated", "expires")
INSTANTS = META[2:]
HIT_META = (*META, "score", "matches")

Path = tuple[str, ...]

ABSENT = object()
"""A cell that holds nothing, not even null."""

MARK = "tta_memory_nb"
"""Where a DataFrame's ``attrs`` hold, for our own tables, the paths that names do not tell."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet run a cell as a formula."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SHADOW = re.compile(rf"(?:value\.)*(?:key|{'|'.join(HIT_META)})")
_HALF_PAIR = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class FlatTable:
    """The fields of some records, column by column.

    Attributes:
        records: one for each row.
        columns: column name -> path of the field, in order of first appearance.
        rows: for each record, path -> leaf; a field the record lacks is not in it.
    """

    records: Sequence[MemoryRecord]
    columns: dict[str, Path]
    rows: list[dict[Path, Any]]

    def cells(self, path: Path) -> list[Any]:
        """The column of a field: a leaf or `ABSENT` for each record."""
        return [row.get(path, ABSENT) for row in self.rows]


def flat_table(records: Iterable[MemoryRecord], *, for_file: bool = False) -> FlatTable:
    """Flattens values and names the columns, each by another name.

    Args:
        records: one for each row.
        for_file: use only names that give their path back on their own and that a spreadsheet
            does not take for a formula. Otherwise ``{"a.b": 1}`` is called "a.b" as long as
            no ``{"a": {"b": 1}}`` claims that name.
    """
    kept = list(records)
    rows = [flatten(record.value) for record in kept]
    paths = dict.fromkeys(path for row in rows for path in row)
    plain = {path: _plain_name(path) for path in paths}
    telling = {
        path
        for path, name in plain.items()
        if column_path(name) == path
        and is_utf8(name)
        and not (for_file and name.startswith(FORMULA_STARTS))
    }
    taken = {plain[path] for path in telling}
    columns: dict[str, Path] = {}
    for path, name in plain.items():
        # A name that looks written out stays out of the way of those that are.
        if path not in telling and (
            for_file or name in taken or name.startswith("[") or not is_utf8(name)
        ):
            name = json.dumps(path)
        taken.add(name)
        columns[name] = path
    return FlatTable(kept, columns, rows)


def flatten(value: dict[str, Any]) -> dict[Path, Any]:
    """Leaves by their path. Lists and empty objects count as leaves."""
    flat: dict[Path, Any] = {}
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, dict) and (node or not path):
            # Reversed, because the stack turns them round again.
            stack.extend(((*path, name), child) for name, child in reversed(node.items()))
        else:
            flat[path] = node
    return flat


def field_name(path: Path) -> str:
    """The name of a field that gives its path back, see `column_path`."""
    name = _plain_name(path)
    return name if column_path(name) == path and is_utf8(name) else json.dumps(path)


def _plain_name(path: Path) -> str:
    name = ".".join(path)
    return f"value.{name}" if _SHADOW.fullmatch(name) else name


def column_path(name: str) -> Path:
    """The path that a column of our own tables is named for."""
    if name.startswith("["):
        try:
            path = json.loads(name)
        except (ValueError, RecursionError):
            path = None
        if isinstance(path, list) and path and all(isinstance(step, str) for step in path):
            return tuple(path)
    if name.startswith("value.") and _SHADOW.fullmatch(name):
        name = name.removeprefix("value.")
    return tuple(name.split("."))


class RowReader:
    """Turns the rows of one table into records; the reverse of `flat_table`.

    A table that has all the columns of `META`, or carries the `MARK`, is one of our own: its
    instants are taken over, and the columns that only describe the record are left out of the
    value; the key alone decides about user and session. In any other table every column but
    the key's is a field, and a dot in its name means nesting as long as it can.

    Args:
        columns: names, in the order of a row's cells.
        key: the column that holds the keys.
        paths: for a table of our own with the `MARK`, the paths by name that it holds.

    Raises:
        InvalidArgument: no such column, a column twice.
    """

    def __init__(
        self, columns: Sequence[str], key: str = "key", paths: Mapping[str, Path] | None = None
    ) -> None:
        twice = [name for name, times in Counter(columns).items() if times > 1]
        if twice:
            raise InvalidArgument(f"the column {twice[0]!r} appears twice")
        if key not in columns:
            raise InvalidArgument(
                f"no column {key!r} among {', '.join(map(repr, columns)) or 'no columns'}; "
                "name the one that holds the keys with key= (in %memory: --key)"
            )
        self.columns = tuple(columns)
        self.key = key
        self.ours = paths is not None or set(META) <= set(columns)
        self._key_at = self.columns.index(key)
        known = paths or {}
        described: tuple[str, ...] = (key, *HIT_META) if self.ours else (key,)
        self._instants_at = [
            (self.columns.index(name), name)
            for name in INSTANTS
            if self.ours and name in self.columns
        ]
        self._fields = [
            (position, name, known.get(name) or self._path(name))
            for position, name in enumerate(self.columns)
            if name not in described
        ]

    def _path(self, name: str) -> Path:
        if self.ours:
            return column_path(name)
        steps = tuple(name.split("."))
        # "No. of people" is no path, nor is the "a.1" that pandas makes of a second "a".
        spoiled = any(step != step.strip() or not step for step in steps)
        inside = any(".".join(steps[:end]) in self.columns for end in range(1, len(steps)))
        return (name,) if spoiled or inside else steps

    def record(self, cells: Sequence[Any]) -> MemoryRecord:
        """The record that a row of cells stands for.

        Raises:
            InvalidArgument: no key, an instant that is none, one field inside another's leaf.
        """
        key = cells[self._key_at]
        if key is None or key is ABSENT:
            raise InvalidArgument(f"nothing in column {self.key!r}, so it has no key")
        times: dict[str, float] = {}
        for position, name in self._instants_at:
            at = cells[position]
            if at is None or at is ABSENT:
                continue
            if isinstance(at, datetime) and at.tzinfo is None:
                # As text in a cell: files and other libraries lose the zone, which was UTC.
                at = at.replace(tzinfo=timezone.utc)
            times[name] = instant(at, 0.0, name)
        value: dict[str, Any] = {}
        for position, name, path in self._fields:
            if cells[position] is not ABSENT:
                _plant(value, path, cells[position], name)
        return MemoryRecord(
            key if isinstance(key, str) else str(key),
            value,
            created_at=times.get("created", NOT_YET),
            updated_at=times.get("updated", NOT_YET),
            expires_at=times.get("expires"),
        )


def _plant(value: dict[str, Any], path: Path, leaf: Any, column: str) -> None:
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
    # Copied, because a later column may belong inside it.
    node[path[-1]] = _copied(leaf)


def _copied(leaf: Any) -> Any:
    if isinstance(leaf, dict):
        return {name: _copied(child) for name, child in leaf.items()}
    return leaf


# ---------------------------------------------------------------- cells


def instants_of(record: MemoryRecord) -> tuple[float | None, float | None, float | None]:
    """The cells for `INSTANTS` in Unix seconds: created, updated, expires; None for none."""
    created, updated = record.created_at, record.updated_at
    return (
        None if created == NOT_YET else created,
        None if updated == NOT_YET else updated,
        record.expires_at,
    )


def moment(at: float) -> datetime:
    """An instant in Unix seconds, to the microsecond."""
    return _EPOCH + timedelta(microseconds=microseconds(at))


def microseconds(at: float) -> int:
    """An instant in Unix seconds as microseconds."""
    return round(at * 1_000_000)


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can carry the text: it holds no half of a surrogate pair."""
    return text.isascii() or _HALF_PAIR.search(text) is None


def portable(leaf: Any) -> Any:
    r"""A leaf in which text that UTF-8 cannot carry is spelled as JSON: ``"\ud83d"``.

    Notebooks, Arrow and most files refuse half a surrogate pair, which is what streaming leaves
    of an emoji; one such record must not hide all others.
    """
    return _texts_mapped(leaf, _spelled)


def unportable(leaf: Any) -> Any:
    """The leaf that `portable` was given."""
    return _texts_mapped(leaf, _unspelled)


def _texts_mapped(node: Any, change: Callable[[str], str]) -> Any:
    if isinstance(node, str):
        return change(node)
    if isinstance(node, list):
        return [_texts_mapped(child, change) for child in node]
    if isinstance(node, dict):
        return {change(name): _texts_mapped(child, change) for name, child in node.items()}
    return node


def _spelled(text: str) -> str:
    if not is_utf8(text):
        # Two halves side by side are one character, for JSON as for everybody.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    # Text that only looks spelled is spelled as well, or reading would take it for the other.
    if is_utf8(text) and _unspelled(text) == text:
        return text
    return json.dumps(text)


def _unspelled(text: str) -> str:
    if not text.startswith('"') or "\\" not in text:
        return text
    try:
        inner = json.loads(text)
    except ValueError:
        return text
    # Only what `_spelled` writes: not everything in quotes is meant as JSON.
    return inner if _spelled(inner) == text else text
