"""Commands that read records and their keys: get, list, folders."""

from __future__ import annotations

from typing import Unpack, cast

from ...errors import InvalidArgument
from ...filters import FilterArgs
from ...search.paging import ListOrder
from ..arguments import Limit, Word, Words
from .base import Notebook, Reply, shown, some_of
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


def list_(
    nb: Notebook,
    *,
    limit: Limit = 10,
    offset: int | None = None,
    order: str | None = None,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """List records, the most recently used first.

      %memory list
      %memory list --user alice --limit all
      %memory list --order written --offset 10
      df = %memory list --where {"mood": "low"}

    Flags:
        limit: how many records at most; all for every one
        offset: how many of the first records to leave out
        order: used, written or key; reading a record between two pages moves it in the order used alone
    """
    memory = nb.memory.sync
    filters = nb.fixed(filters)
    skipped = 0 if offset is None else offset
    chosen = cast("ListOrder | None", order)
    records = memory.records(limit, offset=skipped, order=chosen, **filters)
    from ...frames import records_frame

    is_rest = limit is None or len(records) < limit
    total = len(records) if is_rest and not skipped else memory.count(**filters)
    return Reply(some_of(len(records), total), records_frame(records, now=nb.clock()))


def folders(nb: Notebook, prefix: Word | None = None, *, depth: int | None = None) -> Reply:
    """List the folders of keys: what stands before the last / of each, every folder once.

      %memory folders
      %memory folders /users/ --depth 2

    Flags:
        depth: only so many parts of each folder; /users/alice has two
    """
    found = nb.memory.sync.folders("" if prefix is None else prefix, depth)
    if not found:
        within = "" if prefix is None else f" that begins with {shown(prefix)}"
        return Reply(f"no key{within} has a folder: a part before a /")
    from ...frames import folders_frame

    return Reply("1 folder" if len(found) == 1 else f"{len(found):,} folders", folders_frame(found))
