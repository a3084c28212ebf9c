"""What a policy lets go, in notebooks: a table with the reason for each record."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..errors import harmless
from ..table import PATHS_ATTR, portable
from .packed import folded_html

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.forgetting.choose import Forgotten
    from ..memory.forgetting.forget import Forgetting


def forgotten_frame(forgotten: Sequence[Forgotten]) -> pd.DataFrame:
    """Returns a table with a row for each record, the least recently used first.

    The index is ``key``. The columns are ``reason``, ``updated`` (in UTC), ``bytes`` and ``text``; with a trace also
    ``reads_since`` and ``last_read``.
    """
    import pandas as pd

    index = pd.Index([portable(each.key) for each in forgotten], dtype=object, name="key")
    updated = pd.to_datetime([each.updated_at for each in forgotten], unit="s", utc=True)
    frame = pd.DataFrame(
        {
            "reason": pd.Series([portable(each.reason) for each in forgotten], index, dtype=object),
            "updated": pd.Series(updated.as_unit("us"), index),
            "bytes": pd.Series([each.bytes for each in forgotten], index, dtype=int),
            "text": pd.Series([portable(each.text) for each in forgotten], index, dtype=object),
        },
        index,
    )
    if any(each.reads_since is not None for each in forgotten):
        frame["reads_since"] = pd.Series([each.reads_since for each in forgotten], index, "Int64")
        last = [portable(each.last_read) for each in forgotten]
        frame["last_read"] = pd.Series(last, index, dtype=object)
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def forgetting_html(forgetting: Forgetting) -> str:
    """Returns what a policy lets go as HTML: the figures, and the table."""
    table = forgetting.table if forgetting else None
    return folded_html("", escape(harmless(forgetting.about)), table)
