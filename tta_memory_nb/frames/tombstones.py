"""Tombstones in notebooks: a table of what was deleted for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..table import PATHS_ATTR, portable

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.tombstones.tombstone import Tombstone

_REFUSES = {
    "like": "the same and nearly the same",
    "value": "the same value",
    "key": "the same value under this key",
}


def tombstones_frame(stones: Sequence[Tombstone]) -> pd.DataFrame:
    """Returns a table with a row for each tombstone, the newest first.

    The index is ``key``. The columns are ``deleted`` (in UTC) and ``refuses``.
    """
    import pandas as pd

    index = pd.Index([portable(stone.key) for stone in stones], dtype=object, name="key")
    deleted = pd.to_datetime([stone.at for stone in stones], unit="s", utc=True)
    frame = pd.DataFrame(
        {
            "deleted": pd.Series(deleted.as_unit("us"), index),
            "refuses": pd.Series([_REFUSES[stone.kind] for stone in stones], index, dtype=object),
        },
        index,
    )
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame
