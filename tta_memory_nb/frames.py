"""Records as pandas DataFrames. The one module that imports pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .record import NOT_YET, MemoryRecord
from .table import HIT_META, META, flat_table

if TYPE_CHECKING:
    import pandas as pd


def records_frame(records: Iterable[MemoryRecord]) -> pd.DataFrame:
    """A table with a row for each record, in the order given.

    Index: ``key``. Columns: ``user`` and ``session`` (None where the key does not tell them),
    ``created``, ``updated``, ``expires`` (``datetime64[us, UTC]``, NaT for never), then the
    fields, nested ones under their path: ``agent.name``. A field called like one of these
    columns is named ``value.user``. A field that a record lacks is NaN.
    """
    return _frame(records, META)


def hits_frame(hits: Iterable[MemoryRecord]) -> pd.DataFrame:
    """As `records_frame` for search hits, with a column ``matches``: where each one matched."""
    return _frame(hits, HIT_META)


def facts_frame(facts: Mapping[str, Any], name: str) -> pd.DataFrame:
    """A table of one column ``value``, indexed by the names of some facts.

    Args:
        facts: value by name.
        name: what the facts are about; the name of the index.
    """
    import pandas as pd

    # dtype=object keeps 1000 an integer beside text.
    index = pd.Index(list(facts), name=name)
    return pd.DataFrame({"value": pd.Series(list(facts.values()), index, dtype=object)})


def _frame(records: Iterable[MemoryRecord], reserved: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    table = flat_table(records, reserved)
    rows = table.records
    data: dict[str, Any] = {
        "user": pd.Series([record.user for record in rows], dtype=object),
        "session": pd.Series([record.session for record in rows], dtype=object),
        "created": _instants([record.created_at for record in rows]),
        "updated": _instants([record.updated_at for record in rows]),
        "expires": _instants([record.expires_at for record in rows]),
    }
    if "matches" in reserved:
        matches = [", ".join(record.matches) for record in rows]
        data["matches"] = pd.Series(matches, dtype=object)
    for name, path in table.columns.items():
        cells = [row.get(path) for row in table.rows]
        # Numbers become numeric columns where all are numbers; lists and mixtures stay objects.
        data[name] = pd.Series(cells, dtype=object).infer_objects()
    frame = pd.DataFrame(data)
    frame.index = pd.Index([record.key for record in rows], dtype=object, name="key")
    return frame


def _instants(seconds: Sequence[float | None]) -> pd.Series[Any]:
    import pandas as pd

    whole = [None if at is None or at == NOT_YET else round(at * 1_000_000) for at in seconds]
    series = pd.Series(whole, dtype="Int64")
    return pd.to_datetime(series, unit="us", utc=True).astype("datetime64[us, UTC]")
