"""Records as pandas DataFrames. The one module that imports pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from .compare import EXPIRY, Difference, FieldChange
from .record import MemoryRecord
from .table import (
    ABSENT,
    INSTANTS,
    PATHS_ATTR,
    column_path,
    field_name,
    flat_table,
    instants_of,
    microseconds,
    moment,
    portable,
)

if TYPE_CHECKING:
    import pandas as pd

# Up to here every integer is a float as well.
_EXACT = 2**53


def records_frame(records: Iterable[MemoryRecord]) -> pd.DataFrame:
    """A table with a row for each record, in the order given, made to be edited and imported.

    Index: ``key``. Columns: ``user`` and ``session`` (as the key tells them; NaN where it does
    not), ``created``, ``updated``, ``expires`` (``datetime64[us, UTC]``, NaT for never), then the
    fields, nested ones under their path: ``agent.name``. A field called like a column of a
    record or of a search hit is named ``value.user``.

    A field that a record lacks is NaN, NA or NaT; JSON's null is None. Whole numbers are
    ``Int64``, other numbers ``Float64``, truth values ``boolean``: they stay what they are when a
    cell is missing or a merge adds rows. Mixtures, lists and columns with a null are objects.
    Only the integers in a column of fractions become fractions.

    ``attrs`` holds the paths of columns whose names cannot tell them: ``{"a.b": 1}`` is not
    ``{"a": {"b": 1}}``. A merge with another table forgets it, and such a field comes back nested.
    Text with half a surrogate pair, which no notebook can show, is spelled as JSON.
    """
    return _frame(list(records))


def hits_frame(hits: Iterable[MemoryRecord]) -> pd.DataFrame:
    """As `records_frame` for search hits, with a column ``matches``: where each one matched.

    There is no column for the score: a keyword search gives all hits the same.
    """
    kept = list(hits)
    frame = _frame(kept)
    # After what tells about the record, before its fields.
    frame.insert(5, "matches", _column([", ".join(hit.matches) for hit in kept], frame.index))
    return frame


def facts_frame(facts: Mapping[str, Any], name: str) -> pd.DataFrame:
    """A table of one column ``value``, indexed by the names of some facts.

    Args:
        facts: value by name.
        name: what the facts are about; the name of the index.
    """
    import pandas as pd

    # dtype=object keeps 1000 an integer beside text.
    index = pd.Index(list(facts), name=name)
    frame = pd.DataFrame({"value": pd.Series(list(facts.values()), index, dtype=object)})
    frame.attrs[PATHS_ATTR] = None  # shown as our tables are, but no table of records
    return frame


def differences_frame(differences: Iterable[Difference]) -> pd.DataFrame:
    """A table with a row for each field that differs, and at least one for each record.

    Index: ``key``. Columns: ``what`` (added, changed, deleted, evicted, expired), ``field`` (named
    as in a table of records; ``expires`` for another expiry, a field called so is
    ``value.expires``), ``before`` and ``after``: the leaf, NaN where there is none; JSON's null is
    None. All cells are objects, so that each leaf stays what it is.
    """
    import pandas as pd

    rows: list[tuple[Difference, FieldChange | None]] = [
        (difference, change)
        for difference in differences
        for change in (difference.fields or (None,))  # an empty value came, or is gone
    ]
    index = pd.Index([portable(each.key) for each, _ in rows], dtype=object, name="key")
    cells: dict[str, list[Any]] = {
        "what": [difference.what for difference, _ in rows],
        "field": [ABSENT if change is None else _field(change) for _, change in rows],
        "before": [_leaf(change, "before") for _, change in rows],
        "after": [_leaf(change, "after") for _, change in rows],
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
    frame.attrs[PATHS_ATTR] = None  # shown as our tables are, but no table of records
    return frame


def _field(change: FieldChange) -> str:
    return "expires" if change.path == EXPIRY else field_name(change.path)


def _leaf(change: FieldChange | None, side: Literal["before", "after"]) -> Any:
    leaf: Any = ABSENT if change is None else getattr(change, side)
    if change is None or leaf is ABSENT or change.path != EXPIRY:
        return leaf
    return moment(leaf)


def frame_html(frame: pd.DataFrame) -> str | None:
    """A table as HTML that reads well in a notebook; everything in it is escaped.

    For the tables made here, and what pandas has selected from them: instants to the second, one
    line a row, text at the left, no cell taken for a formula. Other frames look as ever.
    """
    import pandas as pd

    max_rows = pd.get_option("display.max_rows")
    nested = frame.columns.nlevels > 1 or frame.index.nlevels > 1
    # Without a limit of rows in the notebook's settings, pandas finds one itself.
    if PATHS_ATTR not in frame.attrs or nested or not max_rows or not _wants_html():
        shown: str | None = frame._repr_html_()  # type: ignore[operator]
        return shown
    dtypes = zip(frame.columns, frame.dtypes, strict=True)
    too_long = len(frame) > max_rows
    # As the name of the columns, the index's name stands in their row and needs none of its own.
    name = None if frame.index.name is None else str(frame.index.name)
    table = frame.rename_axis(index=None, columns=name).to_html(
        max_rows=(pd.get_option("display.min_rows") or max_rows) if too_long else None,
        max_cols=pd.get_option("display.max_columns") or None,
        show_dimensions=too_long,
        formatters={
            name: _shown_instant for name, dtype in dtypes if isinstance(dtype, pd.DatetimeTZDtype)
        },
        border=0,
        # The two names by which MathJax is told to leave "$5 and $10" alone.
        classes=["tta-memory", "tex2jax_ignore", "mathjax_ignore"],
    )
    return f"<div>{_STYLE}{table}</div>"


# Colours and lines are the front end's own, so that both themes fit. Without the style, where
# untrusted HTML is stripped of it, a plain table is left.
_STYLE = """<style>
.tta-memory th, .tta-memory td {
  text-align: left !important; white-space: nowrap; vertical-align: top;
  max-width: 32em; overflow: hidden; text-overflow: ellipsis;
}
.tta-memory tbody th { max-width: 16em; }
</style>"""


def _shown_instant(at: Any) -> str:
    if at != at:  # noqa: PLR0124  NaT: it never comes
        return ""
    # A user may have converted the column to a zone of his own.
    return f"{at:%Y-%m-%d %H:%M:%S}" + (f"{at:%z}" if at.utcoffset() else "Z")


def _wants_html() -> bool:
    import pandas as pd

    return bool(pd.get_option("display.notebook_repr_html"))


def _frame(records: Sequence[MemoryRecord]) -> pd.DataFrame:
    import pandas as pd

    table = flat_table(records)
    # Objects, because an index of text in pandas 3 cannot hold a key that UTF-8 cannot.
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
    return frame


def _or_absent(text: str | None) -> Any:
    return ABSENT if text is None else text


def _column(cells: Sequence[Any], index: pd.Index[Any]) -> pd.Series[Any]:
    """A column of the narrowest type that keeps every leaf as it is."""
    import pandas as pd

    kinds = {type(cell) for cell in cells if cell is not ABSENT}
    dtype: Any = object
    if kinds == {bool}:
        dtype = "boolean"
    elif kinds == {int} and _all_within(cells, -(2**63), 2**63 - 1):
        dtype = "Int64"
    elif kinds == {float} or (kinds == {int, float} and _all_within(cells, -_EXACT, _EXACT)):
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
