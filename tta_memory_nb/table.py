"""Records as flat rows and rows as records: the rule behind every table, CSV and Parquet file.

A nested field becomes a column named by its path, ``agent.name``; lists stay whole in one
cell. The columns `META` tell about the record itself, and a field never takes their names: it
is called ``value.user`` instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import InvalidArgument
from .record import NOT_YET, MemoryRecord
from .times import instant

META = ("user", "session", "created", "updated", "expires")
HIT_META = (*META, "score", "matches")

Path = tuple[str, ...]

NULL = object()
"""A cell that holds an explicit JSON null; None in a cell means that the field is absent."""


@dataclass(frozen=True, slots=True)
class FlatTable:
    """The fields of some records, column by column.

    Attributes:
        records: one for each row.
        columns: column name -> path of the field, in order of first appearance.
        rows: for each record, path -> leaf; a field the record lacks is absent.
    """

    records: Sequence[MemoryRecord]
    columns: dict[str, Path]
    rows: list[dict[Path, Any]]


def flat_table(records: Iterable[MemoryRecord], reserved: Iterable[str] = META) -> FlatTable:
    """Flattens values and names the columns, never using a reserved name."""
    kept = list(records)
    rows = [flatten(record.value) for record in kept]
    paths = dict.fromkeys(path for row in rows for path in row)
    taken = {"key", *reserved}
    columns: dict[str, Path] = {}
    # The shortest spelling first come, first served: {"a.b": 1} and {"a": {"b": 2}} both read
    # "a.b", and the second is told apart by the prefix.
    for path in paths:
        name = ".".join(path)
        while name in taken:
            name = f"value.{name}"
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


def record_from_row(row: Mapping[str, Any], key_column: str = "key") -> MemoryRecord:
    """The record a row stands for; the reverse of `flat_table` as far as a row allows.

    A row that holds all of `META` is one of our own tables: its instants are taken over, and
    the columns that only describe the record are left out of the value. In any other row
    every column but the key is a field.

    Raises:
        InvalidArgument: no key, an instant that is none, one field inside another's leaf.
    """
    fields = {name: cell for name, cell in row.items() if not is_missing(cell)}
    if key_column not in fields:
        raise InvalidArgument(f"no {key_column!r} in this row; it has {', '.join(map(repr, row))}")
    key = fields.pop(key_column)
    if not isinstance(key, str):
        key = str(key)
    times: dict[str, float] = {}
    if all(name in row for name in META):
        for name in META[2:]:
            if name in fields:
                times[f"{name}_at"] = instant(fields[name], 0.0, name)
        fields = {name: cell for name, cell in fields.items() if name not in HIT_META}
    value: dict[str, Any] = {}
    for name, cell in fields.items():
        _nest(value, name, cell)
    return MemoryRecord(
        key,
        value,
        created_at=times.get("created_at", times.get("updated_at", NOT_YET)),
        updated_at=times.get("updated_at", NOT_YET),
        expires_at=times.get("expires_at"),
    )


def is_missing(cell: Any) -> bool:
    """Whether a cell is pandas' or NumPy's way to say that nothing is there."""
    if cell is None or isinstance(cell, (str, list, dict)):
        return cell is None
    if type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, float) and math.isnan(cell)


def _nest(value: dict[str, Any], name: str, cell: Any) -> None:
    while name.startswith("value.") and len(name) > len("value."):
        name = name.removeprefix("value.")
    *outer, last = name.split(".")
    node = value
    for step in outer:
        inner = node.setdefault(step, {})
        if not isinstance(inner, dict):
            raise InvalidArgument(
                f"column {name!r} lies inside the field {step!r}, which is a leaf"
            )
        node = inner
    if last in node:
        raise InvalidArgument(f"column {name!r} appears twice")
    node[last] = None if cell is NULL else cell
