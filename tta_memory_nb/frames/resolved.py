"""Resolutions in notebooks: a table of cases, with what was decided and what it changes, word by word."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ..errors import harmless
from ..memory.word_diff import field_diffs, written
from ..table import PATHS_ATTR, portable
from .packed import folded_html

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.resolving.case import Case
    from ..memory.resolving.resolution import Resolution


def resolution_frame(resolution: Resolution) -> pd.DataFrame:
    """Returns a table with a row for each case; for the columns see `Resolution.table`."""
    import pandas as pd

    cases = list(resolution)
    index = pd.RangeIndex(len(cases), name="case")
    columns = {
        "decision": [portable(case.decided) for case in cases],
        "change": [portable(_change(case)) for case in cases],
        "kept": [None if case.kept is None else portable(case.kept) for case in cases],
        "dropped": [[portable(key) for key in case.dropped] for case in cases],
        "why": [portable(case.why) for case in cases],
    }
    frame = pd.DataFrame(
        {name: pd.Series(cells, index, dtype=object) for name, cells in columns.items()}
    )
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def _change(case: Case) -> str:
    """Returns how the oldest record differs from the newest, or from what they become, as a text with a line a field."""
    after = case.merged if case.merged is not None else case.records[-1].value
    diffs = field_diffs(case.records[0].value, after)
    more = len(case.records) - 2
    text = "\n".join(f"{each.field}: {written(each.parts)}" for each in diffs) or "the same value"
    return f"{text}\nand {more:,} more records" if more > 0 else text


def resolution_html(resolution: Resolution) -> str:
    """Returns a resolution as HTML: what becomes of the records, and the table."""
    table = resolution.table if resolution else None
    return folded_html("", escape(harmless(resolution.about)), table)
