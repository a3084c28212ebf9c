"""What was asked of memories in notebooks: a line that unfolds into the operations, and into the records that they have touched."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..errors import harmless
from .layout import Cell, Column, cut
from .packed import folded_html
from .render import CLASSES, columns_html
from .traced import operations_frame

if TYPE_CHECKING:
    from ..memory.tracing.operation import Operation

_WIDTH, _NARROW = 160, 40
# Of a cell, so many operations are unfolded, and of each so many records.
_MOST_OPERATIONS, _MOST_RECORDS = 50, 10


def trace_html(about: str, operations: Sequence[Operation]) -> str:
    """Returns a trace as HTML: what was asked in one line, and the table; all of it is escaped."""
    table = operations_frame(operations) if operations else None
    return folded_html("", escape(harmless(about)), table)


def cell_html(about: str, operations: Sequence[Operation]) -> str:
    """Returns one quiet line about a cell that unfolds into its operations and their records; all of it is escaped.

    Args:
        about: the line.
        operations: what the cell has asked, in the order of the ends.
    """
    from ..memory.packing.lines import line_of

    shown = operations[:_MOST_OPERATIONS]
    tasks, rows = any(each.task for each in shown), []
    for each in shown:
        what = each.verb + (f" {each.about}" if each.about else "")
        note = each.error or (
            "no record" if each.kind in ("read", "search") and not each.records else ""
        )
        first = (what, f"{1e3 * each.seconds:,.2f}", each.called_by, each.task)
        touched = each.entries[:_MOST_RECORDS]
        records = [(entry.key, line_of(entry).content) for entry in touched] or [("", note)]
        if (more := each.records - len(touched)) > 0 and touched:
            records.append(("", f"and {more:,} more"))
        rows += [
            (first if not place else ("", "", "", ""), key, text)
            for place, (key, text) in enumerate(records)
        ]
    columns = [
        Column("operation", "text", _cut([first[0] for first, _, _ in rows])),
        Column("ms", "number", [Cell(first[1]) for first, _, _ in rows]),
        Column("caller", "text", _cut([first[2] for first, _, _ in rows])),
        Column("task", "text", _cut([first[3] for first, _, _ in rows])),
        Column("key", "key", _cut([key for _, key, _ in rows])),
        Column("record", "main", _cut([text for _, _, text in rows], _WIDTH)),
    ]
    if not tasks:
        del columns[3]
    more = len(operations) - len(shown)
    rest = f"<p>and {more:,} more: %memory trace show</p>" if more > 0 else ""
    return (
        f'<div class="{" ".join(CLASSES)}"><details style="opacity: 0.75; font-size: 90%">'
        f"<summary>{escape(harmless(about))}</summary>{columns_html(columns)}{rest}</details></div>"
    )


def _cut(texts: Sequence[str], width: int = _NARROW) -> list[Cell]:
    return [cut(harmless(text), (), width) for text in texts]
