"""Commands that look for records, and say why they are found: search, why, suggest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import perf_counter
from typing import Unpack, cast

from ...filters import FilterArgs, fixed
from ...memory.why import Why
from ...search.indexes import INDEXES, check_mode
from ...search.request import Found, Hit, Reading, SearchMode
from ...times import Instant
from ..arguments import Limit, Text, Word
from .base import Notebook, Reply, as_it_was, count_records, is_quoted, shown, some_of, text_of

_MOST_MARKED = 100
"""Hits whose explanations are worked out to mark their words, which takes about 0.1 ms for each."""
# Characters. A sentence about a cause ends with the way out.
_MOST_OF_A_CAUSE = 400


def search(
    nb: Notebook,
    words: Text,
    *,
    limit: Limit = 10,
    mode: str | None = None,
    explain: bool = False,
    expect: str | None = None,
    as_of: Instant | None = None,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Find records by words in their fields, or by a question.

    The mode keyword finds exact text: a record is found if the words occur in the name or the value of one
    of its fields; upper and lower case are the same, and the newest come first. The mode ranked understands
    the words as a question, and gives the best answers first; its words may be apart, in another form, or in
    the records around. The mode semantic compares meanings, and hybrid adds them to the ranking; they need an
    embedder.

      %memory search what's the weather
      %memory search --mode ranked when did Ana move
      %memory search --mode ranked --explain when did Ana move
      %memory search rain --user alice --since 2h --limit 3
      %memory search rain --as-of 7d
      df = %memory search error --where {"turn": {"$gt": 3}}

    Flags:
        limit: how many records at most; all for every one
        mode: keyword, ranked, semantic or hybrid; if left out, as %memory use --mode has chosen
        explain: show where each score comes from, signal by signal
        expect: key of a record that should be found: say at which rank it is, or what keeps it out
        as_of: search the records of this instant, if the memory keeps its changes: 2h, 7d, 2026-11-22T15:00Z
    """
    query = text_of(words, "WORDS")
    memory = nb.seen(as_of)
    chosen = memory.default_mode if mode is None else check_mode(cast("SearchMode", mode))
    filters = fixed(filters, memory.clock())
    began = perf_counter()
    hits = memory.hits(query, limit, chosen, **filters)
    took = perf_counter() - began
    reading = hits.reading if isinstance(hits, Found) else None
    if reading is None:
        matching = f" matching '{shown(query)}'"
        total = len(hits)
        if limit is not None and len(hits) == limit:
            total = memory.count(query, chosen, **filters)
        text = some_of(len(hits), total, matching)
    else:
        text = f"{len(hits):,} of {count_records(reading.records)} for '{shown(query)}', best first"
    text += f"{as_it_was(memory, as_of)}, in {_duration(took)}"
    if not hits and is_quoted(query):
        text += (
            "; the quotes are part of the words, so they were searched for as well"
            if reading is None
            else "; words in quotes are searched for as one phrase"
        )
    if not hits and re.fullmatch(r"\$\w+|\{.*\}", query):
        text += "; there is no such variable, so this text itself was searched for"
    lines = [text]
    if reading is not None:
        from ...frames import understood

        lines += understood(reading, in_full=explain, shown=shown)
    if expect is not None:
        told = memory.why(query, text_of(expect, "--expect"), limit, chosen, **filters)
        lines += _told(told)
    if not hits and as_of is None:
        from ..next_steps import next_steps

        lines += next_steps(nb, query, filters, chosen)
    return Reply("\n  ".join(lines), _table(nb, hits, query, reading, explain))


def _table(
    nb: Notebook, hits: Sequence[Hit], query: str, reading: Reading | None, explain: bool
) -> object:
    from ...frames import explained_frame, hits_frame, matched_words

    if explain:
        return explained_frame(hits)
    marked: str | list[str] = query
    if reading is not None and hits:
        marked = matched_words([hit.explanation for hit in hits[:_MOST_MARKED]])
    records = [hit.record(nb.memory.namespace) for hit in hits]
    frame = hits_frame(records, query=marked, now=nb.clock(), ranked=reading is not None)
    if reading is not None and reading.note is not None:
        frame.attrs["note"] = reading.note
    return frame


def why(
    nb: Notebook,
    query: Word,
    key: Word,
    *,
    limit: Limit = 10,
    mode: str | None = None,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Say why a search does not find a record, or not sooner, and the smallest change that finds it.

    Shows the rank of the record, what keeps it out (a filter, a condition in the query, the limit, its words, or that it was deleted or has
    expired), and signal by signal what the best record has that it lacks.

      %memory why "which pet does Ben have" chat:may --mode ranked
      %memory why "rain" alice:mon --user bob --limit 3

    Flags:
        limit: how many records the search may give; all for every one
        mode: keyword, ranked, semantic or hybrid; if left out, as %memory use --mode has chosen
    """
    from ...frames import why_frame

    told = nb.memory.sync.why(
        text_of(query, "QUERY"),
        text_of(key, "KEY"),
        limit,
        None if mode is None else check_mode(cast("SearchMode", mode)),
        **nb.fixed(filters),
    )
    return Reply("\n  ".join(_told(told)), why_frame(told))


def _told(told: Why) -> list[str]:
    """Returns lines that say where a record stands, what keeps it out, and what would find it."""
    asked = f"for '{shown(told.query)}' in the mode {told.mode}"
    if told.rank is None:
        lines = [f"{shown(told.key)} does not answer {asked}"]
    else:
        lines = [f"{shown(told.key)} is number {told.rank:,} of {told.answers:,} {asked}"]
    lines += [f"because {shown(cause.text, _MOST_OF_A_CAUSE)}" for cause in told.causes]
    if told.remedy is not None:
        lines.append(f"to find it: {shown(told.remedy.text, _MOST_OF_A_CAUSE)}")
    return lines


def suggest(nb: Notebook, words: Text, **filters: Unpack[FilterArgs]) -> Reply:
    """Say what to search for instead, for a search that has found nothing or too little.

    Everything that is suggested was tried, so it finds something: the single words, words that are spelled
    alike, other search modes, no filters, other namespaces.

      %memory suggest when did Ana moove
      %memory suggest rain --user alice
    """
    from ..next_steps import next_steps

    query = text_of(words, "WORDS")
    filters = nb.fixed(filters)
    memory = nb.memory.sync
    found = memory.count(query, "keyword", **filters)
    lines = [f"{count_records(found)} matching '{shown(query)}' as exact text"]
    steps = next_steps(nb, query, filters, thorough=True)
    if not steps:
        modes = ", ".join(INDEXES)
        steps = [f"nothing else finds more, with the modes {modes}: try other words"]
    return Reply("\n  ".join([*lines, *steps]))


def _duration(seconds: float) -> str:
    """``0.2 ms``, ``35 ms``, ``1.4 s``."""
    millis = seconds * 1000
    if millis < 1000:
        return f"{millis:.1f} ms" if millis < 10 else f"{millis:.0f} ms"
    return f"{seconds:.1f} s"
