"""Summaries in notebooks: the text, and what becomes of the records it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..errors import harmless
from ..table import PATHS_ATTR, portable
from .packed import folded_html

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.summarizing.summary import Looked, Summary


def looked_frame(looked: Sequence[Looked]) -> pd.DataFrame:
    """Returns a table with a row for each record that was looked at, the oldest first.

    The index is ``key``. The columns are ``outcome``, ``why``, ``bytes``, ``tokens`` and ``text``.
    """
    import pandas as pd

    index = pd.Index([portable(each.key) for each in looked], dtype=object, name="key")
    columns = {
        "outcome": [each.outcome for each in looked],
        "why": [each.why for each in looked],
        "bytes": [each.bytes for each in looked],
        "tokens": [each.tokens for each in looked],
        "text": [portable(each.text) for each in looked],
    }
    kinds = {"bytes": int, "tokens": int}
    frame = pd.DataFrame(
        {
            name: pd.Series(cells, index, dtype=kinds.get(name, object))
            for name, cells in columns.items()
        },
        index,
    )
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def summary_html(summary: Summary) -> str:
    """Returns a summary as HTML: its text, then its figures, with the table of its records folded behind."""
    lines = "\n".join(map(harmless, summary.text.splitlines()))
    table = summary.table if summary.looked else None
    return folded_html(escape(lines), escape(harmless(summary.about)), table)
