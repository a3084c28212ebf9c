"""DataFrames of records as notebooks and terminals show them.

A table that has all columns of a record is shown as `layout` says: what it says comes first, cut so that it is
in sight. Selections and other tables keep the columns and the order that their user gave them.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from html import escape
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any
from unicodedata import bidirectional

from ..errors import harmless
from ..monospace import padded, width
from ..table import ABSENT, INSTANTS, META, PATHS_ATTR, column_path
from .build import SHOWN_ATTR
from .conversation import is_conversation, lay_out_conversation
from .explained import EXPLAINED_ATTR, is_explained, is_reasons
from .findings import is_findings, lay_out_findings
from .layout import (
    SIGNALS,
    Cell,
    Column,
    columns_that_are_fields,
    cut,
    lay_out,
    lay_out_explained,
)
from .proposed import is_proposals, lay_out_proposals
from .traced import is_operations, lay_out_operations

if TYPE_CHECKING:
    import pandas as pd

# Colours and lines are those of the front end, so that the table fits both themes. Text of any script begins where
# its script begins. Paper has no scroll bar, and often no colours.
_STYLE = """<style>
.tta-memory th, .tta-memory td {
  text-align: start !important; white-space: nowrap; vertical-align: top; unicode-bidi: isolate;
  max-width: 32em; overflow: hidden; text-overflow: ellipsis;
}
.tta-memory tbody th { max-width: 16em; }
.tta-memory .tta-main { white-space: normal; overflow-wrap: anywhere; min-width: 24em; max-width: 36em; }
.tta-memory .tta-why { white-space: normal; overflow-wrap: anywhere; min-width: 16em; }
.tta-memory .tta-text { max-width: 18em; }
.tta-memory .tta-number, .tta-memory .tta-time { max-width: none; }
.tta-memory .tta-key, .tta-memory .tta-time { opacity: 0.75; }
.tta-memory mark { background: #ffe58f; color: #1a1a1a; padding: 0; border-radius: 2px; }
@media print {
  .tta-memory { font-size: 80%; }
  .tta-memory th, .tta-memory td { white-space: normal; overflow-wrap: anywhere; min-width: 5em; }
  .tta-memory .tta-main { min-width: 14em; }
  .tta-memory mark { font-weight: bold; text-decoration: underline; print-color-adjust: exact; }
}
</style>"""

# JupyterLab strips style elements from the outputs of a notebook that is not trusted, such as one that was just
# downloaded, and aligns the cells of its tables to the right. It keeps these attributes.
_LEFT = ' style="text-align: left"'

CLASSES = ("tta-memory", "tex2jax_ignore", "mathjax_ignore")
"""Classes of what holds text of records. The two last ones make MathJax leave "$5 and $10" alone."""

# Colours that differ in lightness as well, on light and dark pages.
_COLOURS = dict(
    zip(
        SIGNALS,
        ("#3b6ea8", "#7aa6d6", "#e0a458", "#4c956c", "#b56576", "#8d99ae", "#6d597a"),
        strict=True,
    )
)
_UTC = ("datetime64[us, UTC]", "datetime64[ns, UTC]")
_TERMINAL_WIDTH = 80
_MOST_OF_QUERY = 120
_GAP = "  "


def is_table(frame: pd.DataFrame) -> bool:
    """Returns whether this package has made a frame, or pandas has made it from such a frame."""
    return PATHS_ATTR in frame.attrs


def frame_html(frame: pd.DataFrame) -> str | None:
    """Returns a table as HTML for a notebook; all of its text is escaped.

    The tables made by this package, and selections that pandas makes from them, show one record a row, and
    no cell as a formula. Other frames look as pandas shows them.
    """
    import pandas as pd

    max_rows = pd.get_option("display.max_rows")
    nested = frame.columns.nlevels > 1 or frame.index.nlevels > 1
    # If the notebook's settings do not limit the rows, pandas chooses a limit itself.
    if not is_table(frame) or nested or not max_rows or not _html_is_enabled():
        shown: str | None = frame._repr_html_()  # type: ignore[operator]
        return shown
    if _is_empty(frame):
        return f'<p class="{" ".join(CLASSES)}">{_html_text(_nothing(frame))}</p>'
    table = _records_html(frame) if _is_whole(frame) else _selection_html(frame)
    return f"<div>{_STYLE}{table}</div>"


def frame_text(frame: pd.DataFrame) -> str:
    """Returns a table as plain text, with the control characters of keys and cells escaped."""
    nested = frame.columns.nlevels > 1 or frame.index.nlevels > 1
    if is_table(frame) and not nested:
        if _is_empty(frame):
            return _nothing(frame)
        if _is_whole(frame):
            return _records_text(frame)
    return "\n".join(map(harmless, repr(frame).split("\n")))


def _is_empty(frame: pd.DataFrame) -> bool:
    """Whether a table without rows is to be said in words."""
    return not len(frame) and (_is_whole(frame) or is_reasons(frame))


def _nothing(frame: pd.DataFrame) -> str:
    """Returns what a table without rows says in place of its headings."""
    if is_findings(frame):
        return "Nothing was found."
    if is_conversation(frame):
        return "No messages were appended to this session."
    if is_proposals(frame):
        return "No proposals."
    if is_operations(frame):
        return "Nothing was asked of the memory."
    if is_reasons(frame):
        return "There are no scores to compare."
    query = frame.attrs.get(SHOWN_ATTR, {}).get("query", "")
    if query:
        shown = harmless(query if len(query) <= _MOST_OF_QUERY else f"{query[:_MOST_OF_QUERY]}…")
        return f"No record matches “{shown}”. Try fewer words, or a part of a word."
    if is_explained(frame):
        return "No record matches. Try other words."
    return (
        "There are no records here. %memory list without filters shows all of a memory, and "
        "%memory add KEY text adds one."
    )


def _is_whole(frame: pd.DataFrame) -> bool:
    """Whether a table has all that describes a record, so that nobody has chosen its columns."""
    return (
        is_explained(frame)
        or is_findings(frame)
        or is_conversation(frame)
        or is_proposals(frame)
        or is_operations(frame)
        or (
            frame.attrs[PATHS_ATTR] is not None
            and frame.index.name == "key"
            and tuple(frame.columns[: len(META)]) == META
            and frame.columns.is_unique
            # Whoever has converted instants to another time zone wants to see them in it.
            and all(str(frame[name].dtype) in _UTC for name in INSTANTS)
        )
    )


# ---- a table of records


def _columns(frame: pd.DataFrame) -> tuple[list[Column], int]:
    """Returns the columns that are shown, and how many are not because a setting limits them."""
    import pandas as pd

    names = [str(name) for name in frame.columns]
    if is_explained(frame):
        cells = {name: frame[name].tolist() for name in names}
        keys = [str(key) for key in frame.index]
        return lay_out_explained(keys, cells, frame.attrs[EXPLAINED_ATTR]["words"]), 0
    if is_findings(frame):
        cells = {name: frame[name].tolist() for name in names}
        return lay_out_findings([str(check) for check in frame.index], cells), 0
    if is_conversation(frame):
        cells = {name: frame[name].tolist() for name in names}
        return lay_out_conversation([str(key) for key in frame.index], cells), 0
    if is_proposals(frame):
        cells = {name: frame[name].tolist() for name in names}
        return lay_out_proposals([str(name) for name in frame.index], cells), 0
    if is_operations(frame):
        return lay_out_operations({name: frame[name].tolist() for name in names}), 0
    unusual = frame.attrs[PATHS_ATTR]
    paths = {
        name: tuple(unusual.get(name) or column_path(name))
        for name in columns_that_are_fields(names)
    }
    shown = frame.attrs.get(SHOWN_ATTR, {})
    cells = {
        name: _seconds(frame[name]) if name in INSTANTS else _leaves(frame[name]) for name in names
    }
    columns = lay_out(
        [str(key) for key in frame.index],
        cells,
        paths,
        shown.get("query", ""),
        time.time() + shown.get("ahead", 0),
    )
    most = pd.get_option("display.max_columns") or len(columns)
    return columns[:most], max(0, len(columns) - most)


def _leaves(column: pd.Series[Any]) -> list[Any]:
    import pandas as pd

    # In a column of objects None is JSON's null, and only NaN says that there is nothing.
    is_object = column.dtype == object
    missing = [
        isinstance(cell, float) and cell != cell if is_object else bool(gone)  # noqa: PLR0124
        for cell, gone in zip(column, pd.isna(column), strict=True)
    ]
    return [ABSENT if gone else cell for cell, gone in zip(column.tolist(), missing, strict=True)]


def _seconds(column: pd.Series[Any]) -> list[Any]:
    return [ABSENT if at != at else at.timestamp() for at in column]  # noqa: PLR0124  NaT


def _some_rows(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Returns the rows to show, as pandas' settings say, and after how many of them others are left out."""
    import pandas as pd

    most = pd.get_option("display.max_rows")
    if not most or len(frame) <= most:
        return frame, len(frame)
    half = (pd.get_option("display.min_rows") or most) // 2
    rows = pd.concat([frame.iloc[:half], frame.iloc[-half:]])
    rows.attrs = frame.attrs
    return rows, half


def _records_html(frame: pd.DataFrame) -> str:
    some, half = _some_rows(frame)
    columns, left_out = _columns(some)
    table = _table_html(columns, len(some), half if half < len(some) else None)
    if half < len(some) or left_out:
        more = f", {left_out} of them not shown" if left_out else ""
        table += f"<p>{len(frame):,} rows × {len(columns) + left_out:,} columns{more}</p>"
    return table


def columns_html(columns: Sequence[Column]) -> str:
    """Returns columns as a table in HTML, with the style of all tables; all of their text is escaped."""
    return f"<div>{_STYLE}{_table_html(columns, len(columns[0].cells), None)}</div>"


def _table_html(columns: Sequence[Column], count: int, gap: int | None) -> str:
    """Returns so many rows as a table; after the row ``gap``, others are left out."""
    has_bars = any(cell.bars for column in columns for cell in column.cells)
    head = "".join(
        f'<th class="tta-{c.kind}"{_head_style(c, has_bars)}>{_html_text(c.name)}</th>'
        for c in columns
    )
    rows = [
        "<tr>" + "".join(_html_cell(c.kind, c.cells[at]) for c in columns) + "</tr>"
        for at in range(count)
    ]
    if gap is not None:
        rows.insert(gap, "<tr>" + "<td>…</td>" * len(columns) + "</tr>")
    # pandas' own class, which front ends style.
    return (
        f'<table class="dataframe {" ".join(CLASSES)}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _head_style(column: Column, has_bars: bool) -> str:
    """Returns the style of a heading: beside bars, the heading of a signal has the colour of its part of them."""
    if not has_bars or column.kind != "number" or column.name not in _COLOURS:
        return _LEFT
    return f' style="text-align: left; border-bottom: 0.25em solid {_COLOURS[column.name]}"'


def _html_cell(kind: str, cell: Cell) -> str:
    title = f' title="{_html_text(cell.whole)}"' if cell.whole else ""
    at, pieces = 0, []
    for start, end in cell.spans:
        pieces += [
            _html_text(cell.text[at:start]),
            f"<mark>{_html_text(cell.text[start:end])}</mark>",
        ]
        at = end
    pieces.append(_html_text(cell.text[at:]))
    if cell.bars:
        pieces.append(_html_bars(cell.bars))
    style = f"text-align: {_first_side(cell.text)}" + "; min-width: 24em" * (kind == "main")
    return f'<td class="tta-{kind}" dir="auto" style="{style}"{title}>{"".join(pieces)}</td>'


def _first_side(text: str) -> str:
    """Returns the side where a text begins, as browsers decide it for ``dir="auto"``."""
    directions = (bidirectional(letter) for letter in text)
    first = next((each for each in directions if each in ("L", "R", "AL")), "L")
    return "left" if first == "L" else "right"


def _html_bars(bars: Sequence[tuple[str, float]]) -> str:
    """Returns a stacked bar. The numbers stand in the columns beside it, so it has no text of its own."""
    parts = "".join(
        f'<span title="{_html_text(signal)}" style="width: {share:.1%}; background: {_COLOURS[signal]}">'
        "</span>"
        for signal, share in bars
    )
    # Only few tables have bars, so the style of all tables need not speak of them.
    style = "display: flex; width: 9em; height: 0.6em"
    return f'<div class="tta-bar" style="{style}" aria-hidden="true">{parts}</div>'


def _html_text(text: str) -> str:
    # A Markdown file that holds the table would end it at an empty line, and read the rest as Markdown.
    lines = escape(text.replace("\0", "\ufffd"))
    return lines.replace("\n", "&#10;").replace("\r", "&#13;")


def _records_text(frame: pd.DataFrame) -> str:
    some, half = _some_rows(frame)
    columns, left_out = _columns(some)
    # In a terminal, why a hit was found stands below it, where there is room for it.
    below = [column for column in columns if column.kind == "why"]
    columns = [column for column in columns if column.kind != "why"]
    room = _terminal_width()
    texts = [
        [harmless(column.name), *(harmless(cell.text) for cell in column.cells)]
        for column in columns
    ]
    widths = [max(map(width, each)) for each in texts]
    is_cut = columns[0].kind == "main"
    # The main column makes room for others, as far as they fit then, and takes what they leave.
    used = min(widths[0], room * 2 // 5) if is_cut else widths[0]
    fitting = 1
    while fitting < len(columns) and used + len(_GAP) + widths[fitting] <= room:
        used += len(_GAP) + widths[fitting]
        fitting += 1
    if is_cut:
        first = min(widths[0], room - sum(cells + len(_GAP) for cells in widths[1:fitting]))
        texts[0] = [texts[0][0], *(harmless(_cut_again(c, first)) for c in columns[0].cells)]
        widths[0] = max(map(width, texts[0]))
    lines = [
        _GAP.join(
            padded(column[row], cells)
            for column, cells in zip(texts[:fitting], widths, strict=False)
        ).rstrip()
        for row in range(len(some) + 1)
    ]
    for column in below:
        for row, cell in enumerate(column.cells, start=1):
            lines[row] += f"\n  {harmless(cell.text)}" if cell.text else ""
    if half < len(some):
        lines.insert(half + 1, "…")
    hidden = len(columns) - fitting + left_out
    if half < len(some):
        lines.append(f"[{len(frame):,} rows]")
    if hidden:
        lines.append(f"[{hidden} more {'column' if hidden == 1 else 'columns'}]")
    return "\n".join(lines)


def _cut_again(cell: Cell, cells: int) -> str:
    if width(cell.text) <= cells:
        return cell.text
    # A character of two cells of the terminal counts twice.
    fewer = cells * len(cell.text) // max(1, width(cell.text))
    return cut(cell.text, cell.spans, max(1, fewer - 2)).text


def _terminal_width() -> int:
    """Returns how many characters a line has: as many as the user has set, or as the terminal has."""
    import pandas as pd

    chosen = pd.get_option("display.width") or _TERMINAL_WIDTH
    # A kernel does not know the terminal, if any, in which its output is shown.
    if chosen != _TERMINAL_WIDTH or not sys.stdout.isatty():
        return int(chosen)
    return get_terminal_size((_TERMINAL_WIDTH, 24)).columns


# ---- other tables


def _selection_html(frame: pd.DataFrame) -> str:
    """Returns a table with the columns that its user has chosen, instants to the second and one line a row."""
    import pandas as pd

    max_rows = pd.get_option("display.max_rows")
    dtypes = zip(frame.columns, frame.dtypes, strict=True)
    too_long = len(frame) > max_rows
    # As the name of the columns, the index's name appears in their row and needs no row of its own.
    name = None if frame.index.name is None else str(frame.index.name)
    html = frame.rename_axis(index=None, columns=name).to_html(
        max_rows=(pd.get_option("display.min_rows") or max_rows) if too_long else None,
        max_cols=pd.get_option("display.max_columns") or None,
        show_dimensions=too_long,
        formatters={
            name: _format_instant for name, dtype in dtypes if isinstance(dtype, pd.DatetimeTZDtype)
        },
        border=0,
        classes=list(CLASSES),
    )
    # Texts are escaped, so these tags are the table's own. pandas aligns the row of its headings.
    return re.sub(r"<(tr|th|td)(?: style=\"text-align: right;\")?>", rf"<\1{_LEFT}>", html)


def _format_instant(at: Any) -> str:
    if at != at:  # noqa: PLR0124  NaT, no instant
        return ""
    # The user may have converted the column to another time zone.
    return f"{at:%Y-%m-%d %H:%M:%S}" + (f"{at:%z}" if at.utcoffset() else "Z")


def _html_is_enabled() -> bool:
    import pandas as pd

    return bool(pd.get_option("display.notebook_repr_html"))
