"""The versions of a record in notebooks: a table of what each has changed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ..errors import harmless
from ..table import ABSENT, PATHS_ATTR, portable
from .build import leaf_of, name_of_field
from .packed import folded_html

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.compare import FieldChange
    from ..memory.versions import RecordLog, RecordVersion


def versions_frame(versions: Sequence[RecordVersion]) -> pd.DataFrame:
    """Returns a table with a row for each field that a version has changed, and at least one for each version.

    The index is ``version``, a number that counts from 1. The columns are ``at`` (in UTC), ``what``, ``by``, ``field`` (named as in a table of records), ``before`` and
    ``after``, which hold the leaf, or NaN if there is none.
    """
    import pandas as pd

    rows: list[tuple[RecordVersion, FieldChange | None]] = [
        (version, change) for version in versions for change in (version.fields or (None,))
    ]
    numbers = {id(version): len(versions) - place for place, version in enumerate(versions)}
    index = pd.Index([numbers[id(version)] for version, _ in rows], dtype=int, name="version")
    instants = pd.to_datetime([version.at for version, _ in rows], unit="s", utc=True)
    cells: dict[str, list[Any]] = {
        "what": [version.what for version, _ in rows],
        "by": [portable(str(version.author)) for version, _ in rows],
        "field": [ABSENT if change is None else name_of_field(change) for _, change in rows],
        "before": [leaf_of(change, "before") for _, change in rows],
        "after": [leaf_of(change, "after") for _, change in rows],
    }
    columns: dict[str, pd.Series[Any]] = {"at": pd.Series(instants.as_unit("us"), index)}
    for name, column in cells.items():
        shown = [float("nan") if cell is ABSENT else portable(cell) for cell in column]
        columns[name] = pd.Series(shown, index, dtype=object)
    frame = pd.DataFrame(columns, index)
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def log_html(log: RecordLog) -> str:
    """Returns the versions of a record as HTML: how many there are, and the table."""
    about = escape(harmless(f"{log.key}: {log.about}"))
    return folded_html("", about, log.table if log else None)
