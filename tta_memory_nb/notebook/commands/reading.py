"""Commands that read records: get, list."""

from __future__ import annotations

from typing import Unpack

from ...errors import InvalidArgument
from ...filters import FilterArgs
from ..arguments import Limit, Words
from .base import Notebook, Reply, some_of
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
    return Reply(some_of(len(records), total), records_frame(records, now=nb.clock()))
