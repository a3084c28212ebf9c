"""Records as pandas DataFrames, which can be edited and imported again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..memory.compare import EXPIRY, Difference, FieldChange
from ..record import MemoryRecord
from ..table import (
    ABSENT,
    INSTANTS,
    PATHS_ATTR,
    column_path,
    field_name,
    flat_table,
    instants_of,
    moment,
    portable,
)
from ..times import microseconds

if TYPE_CHECKING:
    import pandas as pd

# Every integer up to this one is exactly representable as a float.
_MOST_EXACT_INTEGER = 2**53


SHOWN_ATTR = "tta_memory_nb.shown"
"""Key in ``attrs`` for what is needed only to show a table: the text or words to mark, and how many
seconds the clock of the memory is ahead of that of this process."""


def records_frame(
    records: Iterable[MemoryRecord],
    *,
    query: str | Sequence[str] = "",
    now: float | None = None,
) -> pd.DataFrame:
    """Returns a table with a row for each record, which can be edited and imported again.

    The index is ``key``. The columns are ``user`` and ``session`` (from the key; NaN if the key names
    none), ``created``, ``updated`` and ``expires`` (``datetime64[us, UTC]``, NaT for never), then the
    fields. A nested field is named by its path, ``agent.name``. A field with the name of a column of a
    record or of a search hit is named ``value.user``.

    A field that a record lacks is NaN, NA or NaT; JSON's null is None. Integers are ``Int64``, other
    numbers ``Float64`` and Booleans ``boolean``, so that they keep their type if a cell is missing or
    a merge adds rows. Columns of mixed types, of lists, or with a null have the type object. In a column
    that mixes integers and fractions, the integers become fractions.

    ``attrs`` holds the paths of columns whose names do not determine them: ``{"a.b": 1}`` is not
    ``{"a": {"b": 1}}``. A merge with another table drops ``attrs``, and such a field is then imported as
    nested. Text with an unpaired surrogate, which no notebook can show, is escaped as JSON.

    Args:
        records: the records, in the order of the rows.
        query: text that is marked where the table is shown, or words; empty for none.
        now: the present in Unix seconds by the clock of the memory; None for the clock of this process.
    """
    return _frame(list(records), query, now)


def hits_frame(
    hits: Iterable[MemoryRecord],
    *,
    query: str | Sequence[str] = "",
    now: float | None = None,
    ranked: bool = False,
) -> pd.DataFrame:
    """Returns a table like `records_frame` for search hits, with a column ``matches``.

    That column lists the fields that matched.

    Args:
        hits: the hits, in the order of the rows.
        query: as for `records_frame`.
        now: as for `records_frame`.
        ranked: add the column ``score``, which is the same for all hits of a keyword search.
    """
    kept = list(hits)
    frame = _frame(kept, query, now)
    # After the columns that describe the record, before its fields.
    frame.insert(5, "matches", _column([", ".join(hit.matches) for hit in kept], frame.index))
    if ranked:
        frame.insert(5, "score", _column([hit.score for hit in kept], frame.index))
    return frame


def facts_frame(facts: Mapping[str, Any], name: str) -> pd.DataFrame:
    """Returns a table with the single column ``value``, indexed by name.

    Args:
        facts: values by name.
        name: the name of the index, which says what the facts are about.
    """
    import pandas as pd

    # dtype=object keeps 1000 an integer in a column that also holds text.
    index = pd.Index(list(facts), name=name)
    frame = pd.DataFrame({"value": pd.Series(list(facts.values()), index, dtype=object)})
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def folders_frame(folders: Sequence[str]) -> pd.DataFrame:
    """Returns a table with the single column ``folder``, in the order given."""
    import pandas as pd

    frame = pd.DataFrame({"folder": pd.Series([portable(each) for each in folders], dtype=object)})
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def differences_frame(differences: Iterable[Difference]) -> pd.DataFrame:
    """Returns a table with a row for each field that differs, and at least one for each record.

    The index is ``key``. The columns are ``what`` (added, changed, deleted, evicted, expired), ``field``
    (named as in a table of records; ``expires`` for a different expiry, and ``value.expires`` for a
    field of that name), ``before`` and ``after``. The last two hold the leaf, or NaN if there is none;
    JSON's null is None. All cells have the type object, so that each leaf keeps its type.
    """
    import pandas as pd

    rows: list[tuple[Difference, FieldChange | None]] = [
        (difference, change)
        for difference in differences
        for change in (difference.fields or (None,))  # a record without fields was added or is gone
    ]
    index = pd.Index([portable(each.key) for each, _ in rows], dtype=object, name="key")
    cells: dict[str, list[Any]] = {
        "what": [difference.what for difference, _ in rows],
        "field": [ABSENT if change is None else name_of_field(change) for _, change in rows],
        "before": [leaf_of(change, "before") for _, change in rows],
        "after": [leaf_of(change, "after") for _, change in rows],
    }
    frame = pd.DataFrame(
        {
            name: pd.Series(
                [float("nan") if c is ABSENT else portable(c) for c in column], index, dtype=object
            )
            for name, column in cells.items()
        },
        index,
    )
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def name_of_field(change: FieldChange) -> str:
    """Returns the name that a table of differences has for a field."""
    return "expires" if change.path == EXPIRY else field_name(change.path)


def leaf_of(change: FieldChange | None, side: Literal["before", "after"]) -> Any:
    """Returns what a cell shows of a field before or after a change; `ABSENT` for none."""
    leaf: Any = ABSENT if change is None else getattr(change, side)
    if change is None or leaf is ABSENT or change.path != EXPIRY:
        return leaf
    return moment(leaf)


def _frame(
    records: Sequence[MemoryRecord], query: str | Sequence[str], now: float | None
) -> pd.DataFrame:
    import pandas as pd

    table = flat_table(records)
    # Of type object, because a text index in pandas 3 cannot hold a key that UTF-8 cannot encode.
    index = pd.Index([portable(record.key) for record in records], dtype=object, name="key")
    data: dict[str, Any] = {
        "user": _column([_or_absent(record.user) for record in records], index),
        "session": _column([_or_absent(record.session) for record in records], index),
    }
    instants = [instants_of(record) for record in records]
    for position, name in enumerate(INSTANTS):
        data[name] = _instants([row[position] for row in instants], index)
    for name, path in table.columns.items():
        data[name] = _column(table.cells(path), index)
    frame = pd.DataFrame(data, index)
    frame.attrs[PATHS_ATTR] = {
        name: list(path) for name, path in table.columns.items() if column_path(name) != path
    }
    ahead = 0 if now is None else round(now - time.time())
    if query or ahead:
        marked = portable(query) if isinstance(query, str) else list(map(portable, query))
        frame.attrs[SHOWN_ATTR] = {"query": marked, "ahead": ahead}
    return frame


def _or_absent(text: str | None) -> Any:
    return ABSENT if text is None else text


def _column(cells: Sequence[Any], index: pd.Index[Any]) -> pd.Series[Any]:
    """Returns a column of the narrowest type that preserves every leaf."""
    import pandas as pd

    kinds = {type(cell) for cell in cells if cell is not ABSENT}
    dtype: Any = object
    if kinds == {bool}:
        dtype = "boolean"
    elif kinds == {int} and _all_within(cells, -(2**63), 2**63 - 1):
        dtype = "Int64"
    elif kinds == {float} or (
        kinds == {int, float} and _all_within(cells, -_MOST_EXACT_INTEGER, _MOST_EXACT_INTEGER)
    ):
        dtype = "Float64"
    elif kinds == {str}:
        cells = [float("nan") if cell is ABSENT else portable(cell) for cell in cells]
        return pd.Series(cells, index)
    missing = float("nan") if dtype is object else None
    return pd.Series([missing if c is ABSENT else portable(c) for c in cells], index, dtype)


def _all_within(cells: Sequence[Any], lowest: int, highest: int) -> bool:
    return all(type(cell) is not int or lowest <= cell <= highest for cell in cells)


def _instants(seconds: Sequence[float | None], index: pd.Index[Any]) -> pd.Series[Any]:
    import numpy as np
    import pandas as pd

    nothing = np.iinfo("int64").min  # NaT
    whole = [nothing if at is None else microseconds(at) for at in seconds]
    naive = np.array(whole, "int64").view("datetime64[us]")
    return pd.Series(pd.DatetimeIndex(naive, tz="UTC"), index)
