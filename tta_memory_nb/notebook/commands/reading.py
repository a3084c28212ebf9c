"""Commands that read records: get, search, list."""

from __future__ import annotations

import re
from time import perf_counter
from typing import Unpack

from ...errors import InvalidArgument
from ...filters import FilterArgs
from ..arguments import Limit, Text, Words
from .base import Notebook, Reply, count_records, shown, text_of
from .keys import check_all_exist, keys_of, no_record


def get(nb: Notebook, keys: Words, *, json: bool = False) -> Reply:
    """Get records by their keys, and make them the newest.

      %memory get alice:monday
      %memory get alice:monday alice:tuesday
      context = %memory get alice:monday --json

    Flags:
        json: return the value itself (a dict, or a dict by key) instead of a table
    """
    wanted = keys_of(keys)
    check_all_exist(nb, wanted)
    records = nb.memory.sync.get_records(wanted)
    if not records:
        if len(wanted) == 1:
            raise no_record(nb, wanted[0])
        raise InvalidArgument("the records under these keys expired a moment ago")
    if json:
        values = {record.key: record.value for record in records}
        return Reply(value=values if len(wanted) > 1 else records[0].value)
    from ...frames import records_frame

    return Reply(value=records_frame(records, now=nb.clock()))


def search(nb: Notebook, words: Text, *, limit: Limit = 10, **filters: Unpack[FilterArgs]) -> Reply:
    """Find records by words in their fields, newest first.

    A record is found if the words occur in the name or the value of one of its fields. Upper and lower
    case are the same.

      %memory search what's the weather
      %memory search rain --user alice --since 2h --limit 3
      df = %memory search error --where {"turn": {"$gt": 3}}

    Flags:
        limit: how many records at most; all for every one
    """
    query = text_of(words, "WORDS")
    memory = nb.memory.sync
    filters = nb.fixed(filters)
    began = perf_counter()
    hits = memory.search_records(query, limit, **filters)
    took = perf_counter() - began
    from ...frames import hits_frame

    total = len(hits) if limit is None or len(hits) < limit else memory.count(query, **filters)
    text = _some_of(len(hits), total, f" matching '{shown(query)}'") + f", in {_duration(took)}"
    if not hits and len(query) > 1 and query[0] == query[-1] and query[0] in "\"'":
        text += "; the quotes are part of the words, so they were searched for as well"
    if not hits and re.fullmatch(r"\$\w+|\{.*\}", query):
        text += "; there is no such variable, so this text itself was searched for"
    if not total:
        from ..next_steps import next_steps

        text = "\n  ".join([text, *next_steps(nb, query, filters)])
    return Reply(text, hits_frame(hits, query=query, now=nb.clock()))


def _duration(seconds: float) -> str:
    """``0.2 ms``, ``35 ms``, ``1.4 s``."""
    millis = seconds * 1000
    if millis < 1000:
        return f"{millis:.1f} ms" if millis < 10 else f"{millis:.0f} ms"
    return f"{seconds:.1f} s"


def list_(nb: Notebook, *, limit: Limit = 10, **filters: Unpack[FilterArgs]) -> Reply:
    """List records, newest first.

      %memory list
      %memory list --user alice --limit all
      df = %memory list --where {"mood": "low"}

    Flags:
        limit: how many records at most; all for every one
    """
    memory = nb.memory.sync
    filters = nb.fixed(filters)
    records = memory.records(limit, **filters)
    from ...frames import records_frame

    total = len(records) if limit is None or len(records) < limit else memory.count(**filters)
    return Reply(_some_of(len(records), total), records_frame(records, now=nb.clock()))


def _some_of(count: int, total: int, what: str = "") -> str:
    if count == total:
        return f"{count_records(total)}{what}"
    return f"{count:,} of {count_records(total)}{what}, newest first"
