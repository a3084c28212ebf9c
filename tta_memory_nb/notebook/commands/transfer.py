"""Commands that exchange records with files and other tools: import, export."""

from __future__ import annotations

import os
from typing import Unpack

from ...errors import InvalidArgument
from ...filters import FilterArgs
from ..arguments import Word
from .base import Notebook, Reply, count_records, shown

_MOST_PROBLEMS = 10


def import_(
    nb: Notebook,
    source: Word,
    *,
    format: str | None = None,
    key: str = "key",
    user: str | None = None,
    session: str | None = None,
    on_error: str = "raise",
    grow: bool = False,
    anyway: bool = False,
) -> Reply:
    """Import a file, a DataFrame, chat messages or a dataset.

    SOURCE is a .jsonl, .csv, .parquet or .json file (chat messages or conversations), also with .gz;
    or a variable that holds a DataFrame, a list of messages or a mapping of conversations; or the
    dataset chitchat (258,145 real utterances). If a record is broken, nothing is imported. %memory
    undo takes an import back.

      %memory import notes.jsonl
      %memory import $df --key id
      %memory import chitchat --grow

    Flags:
        format: jsonl, csv, parquet or json, if the file has no such suffix
        key: in tables, the column that contains the key
        user: user in the keys made for messages; the default is the sender of each message
        session: session in the keys made for a list of messages
        on_error: raise (import nothing), or skip (leave out broken records and list them)
        grow: raise the capacity as far as needed
        anyway: import also what was deleted for good
    """
    if on_error not in ("raise", "skip"):
        raise InvalidArgument.about("on_error", on_error, "give raise or skip")
    if isinstance(source, str) and source.isidentifier() and _is_variable(nb, source):
        raise InvalidArgument(
            f"SOURCE: {source!r} is a variable: type %memory import ${source}, or ./{source} for "
            "the file"
        )
    report = nb.memory.sync.import_(
        source,
        format,
        key=key,
        user=user,
        session=session,
        on_error="skip" if on_error == "skip" else "raise",
        grow=grow,
        progress=nb.progress,
        anyway=anyway,
    )
    nb.remember("import", report.change)
    parts = [f"imported {count_records(report.added + report.updated)}"]
    parts += [
        f"{count:,} {what}"
        for count, what in (
            (report.updated, "of them replacing older ones"),
            (report.repeated, "earlier ones of the same key left out"),
            (report.evicted, "older ones evicted"),
            (report.expired, "left out as expired"),
            (len(report.problems), "skipped"),
        )
        if count
    ]
    lines = [", ".join(parts)]
    lines += [f"  {shown(problem)}" for problem in report.problems[:_MOST_PROBLEMS]]
    if (more := len(report.problems) - _MOST_PROBLEMS) > 0:
        lines.append(f"  ... and {more:,} more")
    return Reply("\n".join(lines))


def export(
    nb: Notebook, path: Word, *, format: str | None = None, **filters: Unpack[FilterArgs]
) -> Reply:
    """Write records to a .jsonl, .csv or .parquet file.

    .jsonl loses nothing. .csv and .parquet contain the same tables as the notebook, for other tools.

      %memory export notes.jsonl
      %memory export alice.csv --user alice

    Flags:
        format: jsonl, csv or parquet, if the file has no such suffix
    """
    count = nb.memory.sync.export(path, format, nb.progress, **filters)
    return Reply(f"wrote {count_records(count)} to {shown(os.fspath(path))}")


def _is_variable(nb: Notebook, name: str) -> bool:
    try:
        nb.lookup(name)
    except Exception:  # a lookup may raise anything for an unknown name
        return False
    return not os.path.lexists(name)
