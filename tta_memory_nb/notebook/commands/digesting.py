"""Commands that keep a memory small: summarize."""

from __future__ import annotations

from typing import Any, Unpack, cast

from ...filters import FilterArgs
from ...memory.summarizing.summary import Originals
from ...times import Duration
from .base import Notebook, Reply, shown


def summarize(
    nb: Notebook,
    *,
    keep_last: int | None = None,
    older_than: Duration | None = None,
    into: str | None = None,
    originals: str | None = None,
    expire_in: Duration | None = None,
    summarizer: str | None = None,
    yes: bool = False,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Make old records one summary, which lists the keys it comes from; shows it first.

    The summary is a record of its own. Called again, it is continued with what was said since. %memory undo
    takes it back.

      %memory summarize --user alice --session monday
      %memory summarize --user alice --session monday --keep-last 20 --originals expire --yes
      %memory summarize --older-than 30d --summarizer openai:gpt-4o-mini --yes

    Flags:
        keep_last: so many of the newest records are left alone; 10 if left out
        older_than: records that were written within this time are left alone as well: 2h, 7d
        into: key of the summary; if left out, one that the user and the session give
        originals: what becomes of the records: keep, expire or delete; keep if left out
        expire_in: when they expire, with --originals expire; 7d if left out
        summarizer: extractive, openai:MODEL, or a variable that holds a function; if left out, the memory's own
        yes: write the summary; without it, only show it
    """
    given: Any = summarizer
    summary = nb.memory.sync.summarize(
        10 if keep_last is None else keep_last,
        older_than,
        into,
        cast("Originals", "keep" if originals is None else originals),
        "7d" if expire_in is None else expire_in,
        not yes,
        given,
        **nb.fixed(filters),
    )
    if not summary:
        return Reply(summary.about, summary)
    if summary.change is None:
        return Reply(f"{summary.about}; add --yes to do it", summary)
    nb.remember("summarize", summary.change)
    return Reply(
        f"stored {shown(summary.key)}: {summary.about}; %memory undo takes it back", summary
    )
