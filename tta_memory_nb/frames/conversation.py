"""The messages of a session as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..conversation import said
from ..record import MemoryRecord
from ..table import PATHS_ATTR, portable
from ..times import microseconds, shown_instant
from .layout import Cell, Column, cut

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("role", "text", "written")
_WIDTH, _NARROW = 400, 40


def conversation_frame(messages: Sequence[MemoryRecord]) -> pd.DataFrame:
    """Returns a table with a row for each message, in the order given.

    The index is ``key``. The columns are ``role`` (who speaks; empty if no field says so), ``text`` (what is said, or the JSON of a
    message without text) and ``written`` (``datetime64[us, UTC]``).

    Args:
        messages: the records of a session, as `SyncMemory.history` gives them.
    """
    import pandas as pd

    read = [said(message.value) for message in messages]
    index = pd.Index([portable(each.key) for each in messages], dtype=object, name="key")
    written = pd.to_datetime(
        [microseconds(each.created_at) for each in messages], unit="us", utc=True
    )
    frame = pd.DataFrame(
        {
            "role": pd.Series([portable(each.role) for each in read], index, dtype=object),
            "text": pd.Series([portable(each.text) for each in read], index, dtype=object),
            "written": pd.Series(written.astype("datetime64[us, UTC]"), index),
        },
        index,
    )
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def is_conversation(frame: pd.DataFrame) -> bool:
    """Returns whether a frame is a table of messages, with all of its columns."""
    return (
        frame.index.name == "key"
        and tuple(frame.columns) == _COLUMNS
        and str(frame["written"].dtype) == "datetime64[us, UTC]"
    )


def lay_out_conversation(keys: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> list[Column]:
    """Returns the columns to show of messages: who says what, then when, and the key. In a terminal, the text has a line of its own."""
    return [
        Column("role", "number", [cut(role, (), _NARROW) for role in columns["role"]]),
        Column("text", "why", [cut(text, (), _WIDTH) for text in columns["text"]]),
        Column(
            "written", "time", [Cell(shown_instant(at.timestamp())) for at in columns["written"]]
        ),
        Column("key", "key", [cut(key, (), _NARROW) for key in keys]),
    ]
