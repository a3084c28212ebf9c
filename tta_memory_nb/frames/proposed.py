"""Proposals as a pandas DataFrame, with what each would change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import harmless
from ..memory.word_diff import field_diffs, written
from ..table import PATHS_ATTR, portable
from .layout import Cell, Column, cut

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.proposing.proposal import Proposal

_COLUMNS = (
    *("action", "key", "change", "reason", "proposed_by", "proposed"),
    *("status", "decided_by", "decided", "note"),
)
_WIDTH, _NARROW = 320, 60
_CHANGED = re.compile(r"\[-.*?-\]|\{\+.*?\+\}", re.DOTALL)


def proposals_frame(proposals: Sequence[Proposal]) -> pd.DataFrame:
    """Returns a table with a row for each proposal.

    The index is ``proposal``, the id. The columns are ``action`` (add or delete), ``key``, ``change`` (the fields that it would
    change now, word by word: ``[-gone-]{+came+}``), ``reason``, ``proposed_by``, ``proposed`` (in UTC), ``status`` (pending,
    conflict, approved or rejected; conflict says that the record has changed since), ``decided_by``, ``decided`` and ``note``.
    """
    import pandas as pd

    index = pd.Index([portable(each.id) for each in proposals], dtype=object, name="proposal")
    cells: dict[str, list[Any]] = {
        "action": [each.action for each in proposals],
        "key": [portable(each.key) for each in proposals],
        "change": [portable(change_text(each)) for each in proposals],
        "reason": [portable(each.reason) for each in proposals],
        "proposed_by": [portable(each.proposed_by) for each in proposals],
        "status": ["conflict" if each.has_changed else each.status for each in proposals],
        "decided_by": [portable(each.decided_by) for each in proposals],
        "note": [portable(each.note) for each in proposals],
    }
    columns: dict[str, pd.Series[Any]] = {
        name: pd.Series(values, index, dtype=object) for name, values in cells.items()
    }
    for name, instants in (
        ("proposed", [each.proposed_at for each in proposals]),
        ("decided", [each.decided_at for each in proposals]),
    ):
        made = pd.to_datetime(pd.Series(instants, index, dtype="float64"), unit="s", utc=True)
        columns[name] = made.dt.as_unit("us")
    frame = pd.DataFrame({name: columns[name] for name in _COLUMNS}, index)
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def change_text(proposal: Proposal) -> str:
    """Returns what a proposal would change in its record, or has changed, as one text with a line for each field."""
    before = proposal.now if proposal.status == "pending" else proposal.before
    diffs = field_diffs(before, proposal.value)
    return "\n".join(f"{each.field}: {written(each.parts)}" for each in diffs)


def is_proposals(frame: pd.DataFrame) -> bool:
    """Returns whether a frame is a table of proposals, with all of its columns."""
    return frame.index.name == "proposal" and tuple(frame.columns) == _COLUMNS


def lay_out_proposals(ids: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> list[Column]:
    """Returns the columns to show of proposals: what changes, in which record, why, who says so, and what was decided."""
    decided = any(by is not None for by in columns["decided_by"])
    return [
        Column("change", "main", [_marked(text) for text in columns["change"]]),
        Column("proposal", "number", [Cell(name) for name in ids]),
        Column("status", "number", [Cell(status) for status in columns["status"]]),
        Column("action", "number", [Cell(action) for action in columns["action"]]),
        Column("key", "key", [cut(key, (), _NARROW) for key in columns["key"]]),
        Column("reason", "text", [cut(text, (), _NARROW) for text in columns["reason"]]),
        Column("proposed_by", "text", [cut(by, (), _NARROW) for by in columns["proposed_by"]]),
        *(
            Column(name, "text", [cut(text or "", (), _NARROW) for text in columns[name]])
            for name in ("decided_by", "note")
            if decided
        ),
    ]


def _marked(text: str) -> Cell:
    """Returns a cell in which what is gone and what came are marked."""
    line = harmless(text.replace("\n", " · "))
    return cut(line, [found.span() for found in _CHANGED.finditer(line)], _WIDTH)
