"""The header of the table as it is sent: a summary of each column, with what is chosen in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from ...entry import Entry
from .cells import Column, sendable
from .listing import Listing
from .picks import Pick, Picks
from .summaries import Bar, Summary, sample_of, summarize

Headings: TypeAlias = "dict[str, dict[str, Any] | None]"
"""What the header shows of each column, by its name; None where that would say nothing."""

_MOST_CHARACTERS = 100


def headings_of(
    listing: Listing,
    columns: Iterable[Column],
    known: Iterable[Column],
    picks: Picks,
    check: Callable[[], None],
) -> Headings:
    """Returns what the header shows of some columns.

    All filters count, but for the one that was set in the column itself: its other bars stay, so that another
    one can be chosen.

    Args:
        listing: the records that are shown.
        columns: the columns to look at.
        known: the columns of all fields.
        picks: what is chosen in the header.
        check: called now and then; it may raise to stop the work.
    """
    names = Counter(".".join(column.path or ()) for column in known)
    filters = listing.request.filters
    headings: Headings = {}
    shared: tuple[list[Entry], list[dict[str, Any]]] | None = None
    for column in columns:
        check()
        pick = picks.of(column.name, filters)
        if pick is None:
            total = len(listing.entries)
            looked_at = shared = shared or _sample(listing.entries, check)
        else:
            without = replace(listing.request, filters=picks.without(column.name, filters))
            entries = without.entries()
            total = len(entries)
            looked_at = _sample(entries, check)
        # A dotted name of two fields means one field in some records and the other in others.
        is_clear = names[".".join(column.path or ())] <= 1
        summary = summarize(column, *looked_at, total, can_filter=is_clear)
        headings[column.name] = _described(
            _with_pick(summary, pick, len(listing.entries)), pick, len(looked_at[0]), total
        )
    return headings


def _with_pick(summary: Summary | None, pick: Pick | None, total: int) -> Summary | None:
    """Returns a summary in which the bar that was chosen can be seen, and be taken away."""
    if pick is None or (summary and any(bar.filter == pick.chosen for bar in summary.bars)):
        return summary
    return Summary("values", (Bar(pick.text, total, pick.chosen),))


def _sample(
    entries: Sequence[Entry], check: Callable[[], None]
) -> tuple[list[Entry], list[dict[str, Any]]]:
    sample = sample_of(entries)
    values = []
    for number, entry in enumerate(sample):
        if number % 1000 == 0:
            check()
        values.append(entry.value())
    return sample, values


def _described(
    summary: Summary | None, pick: Pick | None, counted: int, total: int
) -> dict[str, Any] | None:
    if summary is None:
        return None
    return {
        "kind": summary.kind,
        "bars": [_bar(bar, pick) for bar in summary.bars],
        "others": summary.others,
        "counted": counted,
        "total": total,
        "chosen": pick is not None,
    }


def _bar(bar: Bar, pick: Pick | None) -> dict[str, Any]:
    return {
        "t": sendable(bar.text)[:_MOST_CHARACTERS],
        "n": bar.count,
        # A text that the front end only sends back: it could not hold every number.
        "filter": None if bar.filter is None else json.dumps(bar.filter),
        "on": pick is not None and bar.filter == pick.chosen,
    }
