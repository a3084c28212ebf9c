"""Commands that read records and their keys: get, list, log, folders."""

from __future__ import annotations

from typing import Unpack, cast

from ...errors import InvalidArgument
from ...filters import FilterArgs, fixed
from ...search.paging import ListOrder
from ...times import Instant
from ..arguments import Limit, Word, Words
from ..words import as_typed
from .base import Notebook, Reply, as_it_was, count_records, shown, some_of, text_of
from .keys import check_all_exist, keys_of, no_record


def get(nb: Notebook, keys: Words, *, json: bool = False, as_of: Instant | None = None) -> Reply:
    """Get records by their keys, and make them the newest.

      %memory get alice:monday
      %memory get alice:monday alice:tuesday
      %memory get alice:monday --as-of 2h
      context = %memory get alice:monday --json

    Flags:
        json: return the value itself (a dict, or a dict by key) instead of a table
        as_of: show the records as they were at this instant, if the memory keeps its changes: 2h, 2026-11-22T15:00Z
    """
    wanted = keys_of(keys)
    if as_of is None:
        check_all_exist(nb, wanted)
    memory = nb.seen(as_of)
    records = memory.get_records(wanted)
    if len(records) < len(wanted) and as_of is not None:
        there = {record.key for record in records}
        lacking = next(key for key in wanted if key not in there)
        raise InvalidArgument(
            f"no record under '{shown(lacking)}'{as_it_was(memory, as_of)}; %memory log {as_typed(lacking)} shows "
            "when there was one"
        )
    if not records:
        if len(wanted) == 1:
            raise no_record(nb, wanted[0])
        raise InvalidArgument("the records under these keys expired a moment ago")
    if json:
        values = {record.key: record.value for record in records}
        return Reply(value=values if len(wanted) > 1 else records[0].value)
    from ...frames import records_frame

    text = "" if as_of is None else f"{count_records(len(records))}{as_it_was(memory, as_of)}"
    return Reply(text, records_frame(records, now=nb.clock()))


def list_(
    nb: Notebook,
    *,
    limit: Limit = 10,
    offset: int | None = None,
    order: str | None = None,
    as_of: Instant | None = None,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """List records, the most recently used first.

      %memory list
      %memory list --user alice --limit all
      %memory list --order written --offset 10
      %memory list --as-of 2026-11-22T15:00Z
      df = %memory list --where {"mood": "low"}

    Flags:
        limit: how many records at most; all for every one
        offset: how many of the first records to leave out
        order: used, written or key; reading a record between two pages moves it in the order used alone
        as_of: list the records of this instant, the last written first, if the memory keeps its changes: 2h, 7d
    """
    memory = nb.seen(as_of)
    filters = fixed(filters, memory.clock())
    skipped = 0 if offset is None else offset
    chosen = cast("ListOrder | None", order)
    records = memory.records(limit, offset=skipped, order=chosen, **filters)
    from ...frames import records_frame

    is_rest = limit is None or len(records) < limit
    total = len(records) if is_rest and not skipped else memory.count(**filters)
    lines = [f"{some_of(len(records), total)}{as_it_was(memory, as_of)}"]
    if not total:
        from ..next_steps import other_keys

        lines += other_keys(memory, filters)
    return Reply("\n  ".join(lines), records_frame(records, now=nb.clock()))


def log(nb: Notebook, key: Word, *, limit: Limit = 10) -> Reply:
    """Show the versions of a record: when each came to be, who made it, and which fields it changed.

    The memory must keep its changes, see the flag --history of %memory use. A record that was deleted, evicted or
    has expired has a log as well. The newest version comes first.

      %memory log alice:monday
      %memory log alice:monday --limit all

    Flags:
        limit: how many versions at most; all for every one
    """
    name = text_of(key, "KEY")
    found = nb.memory.sync.log(name)
    if not found:
        raise no_record(nb, name)
    from ...frames import versions_frame

    some = found.versions[:limit]
    text = f"{shown(name)}: {found.about}"
    if len(some) < len(found):
        text += f"; showing the last {len(some):,}"
    return Reply(text, versions_frame(some))


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
