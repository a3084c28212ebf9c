"""What was asked of memories as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import harmless
from ..table import PATHS_ATTR, portable
from .layout import EMPTY, Cell, Column, cut

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.tracing.operation import Operation

_COLUMNS = (
    *("cell", "task", "caller", "verb", "about", "records", "misses", "bytes"),
    *("ms", "at", "memory", "error"),
)
_WIDTH = 40
_DIGITS = 3


def operations_frame(operations: Sequence[Operation]) -> pd.DataFrame:
    """Returns a table with a row for each operation, in the given order.

    The index is ``operation``. The columns are ``cell`` (its number, or NA), ``task``, ``caller``, ``verb``, ``about`` (a key, or what was
    searched for), ``records`` (found, written or deleted), ``misses``, ``bytes``, ``ms``, ``at`` (in UTC), ``memory`` (its namespace) and
    ``error``.
    """
    import pandas as pd

    index = pd.Index([each.number for each in operations], dtype=int, name="operation")
    at = pd.to_datetime([each.at for each in operations], unit="s", utc=True)
    cells = [None if each.cell is None else each.cell.number for each in operations]
    texts: dict[str, list[str]] = {
        "task": [portable(each.task) for each in operations],
        "caller": [portable(each.called_by) for each in operations],
        "verb": [each.verb for each in operations],
        "about": [portable(each.about or "") for each in operations],
        "memory": [portable(each.memory) for each in operations],
        "error": [each.error or "" for each in operations],
    }
    columns: dict[str, pd.Series[Any]] = {
        name: pd.Series(values, index, dtype=object) for name, values in texts.items()
    }
    columns["cell"] = pd.Series(cells, index, dtype="Int64")
    columns["at"] = pd.Series(at.as_unit("us"), index)
    columns["ms"] = pd.Series(
        [round(1e3 * each.seconds, _DIGITS) for each in operations], index, dtype=float
    )
    for name in ("records", "misses", "bytes"):
        columns[name] = pd.Series([getattr(each, name) for each in operations], index, dtype=int)
    frame = pd.DataFrame({name: columns[name] for name in _COLUMNS}, index)
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def is_operations(frame: pd.DataFrame) -> bool:
    """Returns whether a frame is a table of operations, with all of its columns."""
    return frame.index.name == "operation" and tuple(frame.columns) == _COLUMNS


def lay_out_operations(columns: Mapping[str, Sequence[Any]]) -> list[Column]:
    """Returns the columns to show of operations; one that says nothing is left out."""
    import pandas as pd

    numbers = [EMPTY if pd.isna(cell) else Cell(f"[{cell}]") for cell in columns["cell"]]
    made = [Column("cell", "number", numbers)]
    made += [
        Column(name, "text", _cut(columns[name]))
        for name in ("task", "caller")
        if any(columns[name])
    ]
    made.append(Column("verb", "number", [Cell(verb) for verb in columns["verb"]]))
    if any(columns["about"]):
        made.append(Column("about", "text", _cut(columns["about"])))
    made.append(Column("records", "number", [_count(count) for count in columns["records"]]))
    if any(columns["misses"]):
        made.append(Column("misses", "number", [_count(count) for count in columns["misses"]]))
    made.append(Column("bytes", "number", [_count(count) for count in columns["bytes"]]))
    made.append(Column("ms", "number", [Cell(f"{ms:,.2f}") for ms in columns["ms"]]))
    if len(set(columns["memory"])) > 1:
        made.append(Column("memory", "text", _cut(columns["memory"])))
    if any(columns["error"]):
        made.append(Column("error", "text", _cut(columns["error"])))
    return made


def _count(count: int) -> Cell:
    return Cell(f"{count:,}") if count else EMPTY


def _cut(texts: Sequence[str]) -> list[Cell]:
    return [cut(harmless(text), (), _WIDTH) for text in texts]
