"""Commands that change records: add, touch, delete, clear, undo."""

from __future__ import annotations

from typing import Any, Unpack

from ...errors import InvalidArgument
from ...filters import FilterArgs
from ...stores.base import Change
from ...times import Duration, duration
from ..arguments import Payload, Word, Words
from .base import Notebook, Reply, count_records, shown
from .keys import check_all_exist, keys_of, no_record


def add(
    nb: Notebook,
    key: Word,
    value: Payload,
    *,
    ttl: Duration | None = None,
    sliding: bool = False,
    anyway: bool = False,
) -> Reply:
    """Add a record, or replace the one under this key.

    The value is a JSON object. Other text is stored as {"text": ...}; $name or {name} stores the
    notebook's variable itself. In a cell magic, the body of the cell is the value.

      %memory add alice:monday {"text": "It's raining", "mood": "low"}
      %memory add alice:monday --ttl 1h remember the umbrella
      %memory add alice:draft --ttl 7d --sliding kept as long as it is read
      %memory add alice:monday $context

    Flags:
        ttl: time until the record expires: 3600 (seconds), 15m, 2h, 7d
        sliding: let that time begin again each time the record is read by its key
        anyway: add it on purpose, though the same was deleted for good
    """
    seconds = None if ttl is None else duration(ttl)
    stored: Any = value  # the memory checks it
    nb.memory.sync.add(key, stored, seconds, sliding=sliding, anyway=anyway)
    if nb.memory.put_aside == key:
        return Reply(
            f"not stored: {shown(key)} says what was deleted for good and is in quarantine; "
            "%memory tombstones --quarantine lists what is"
        )
    unless = " unless it is read" if sliding else ""
    expiry = "" if seconds is None else f", expires in {seconds:,.12g} s{unless}"
    return Reply(f"stored {shown(key)}{expiry}")


def touch(nb: Notebook, keys: Words, *, ttl: Duration | None = None) -> Reply:
    """Let records expire later, and make them the newest, without writing them again.

      %memory touch alice:monday --ttl 7d
      %memory touch {df.index}

    Flags:
        ttl: time from now until the records expire; without it, only the time of records that slide begins again
    """
    wanted = keys_of(keys)
    seconds = None if ttl is None else duration(ttl)
    check_all_exist(nb, wanted)
    touched = nb.memory.sync.touch(wanted, seconds)
    if not touched:
        raise no_record(nb, wanted[0])
    expiry = "" if seconds is None else f", expires in {seconds:,.12g} s"
    return Reply(f"touched {count_records(touched)}{expiry}")


def delete(nb: Notebook, keys: Words, *, for_good: bool = False) -> Reply:
    """Delete records by their keys; %memory undo brings them back.

      %memory delete alice:monday
      %memory delete {df.index}
      %memory delete --for-good alice:monday

    Flags:
        for_good: leave tombstones, so that the same or nearly the same is refused when it is added or imported again
    """
    wanted = keys_of(keys)
    check_all_exist(nb, wanted)
    change = nb.memory.sync.remove(wanted, for_good=for_good)
    if not change.removed:
        raise no_record(nb, wanted[0])
    return _deleted(nb, "delete", change, for_good)


def clear(
    nb: Notebook, *, yes: bool = False, for_good: bool = False, **filters: Unpack[FilterArgs]
) -> Reply:
    """Delete all records, or those that match the filters; shows them first.

      %memory clear
      %memory clear --user alice --until 30d --yes

    Flags:
        yes: delete the records; without it, only show which would be deleted
        for_good: leave tombstones, as %memory delete does; needs a filter
    """
    memory = nb.memory.sync
    filters = nb.fixed(filters)
    if for_good and not filters:
        raise InvalidArgument(
            "--for-good: say which records by a filter, such as --user or --prefix; without one, clear deletes all"
        )
    if not yes:
        from ...frames import records_frame

        total = memory.count(**filters)
        return Reply(
            f"would delete {count_records(total)} of {memory.size():,} in namespace "
            f"'{shown(memory.namespace)}'; nothing is deleted yet: add --yes to do it",
            records_frame(memory.records(5, **filters), now=nb.clock()),
        )
    change = memory.remove(for_good=for_good, **filters) if filters else memory.take_all()
    if not change.removed:
        return Reply("there was nothing to delete")
    return _deleted(nb, "clear", change, for_good)


def undo(nb: Notebook) -> Reply:
    """Undo the last clear, delete or import of this session.

    Records written under the same keys since then are kept. Can be repeated, one change at a time.
    """
    undone = nb.undo_stack.undo()
    memory, verb, change, back = undone.memory, undone.verb, undone.change, undone.back
    parts = []
    if back.written:
        parts.append(f"{count_records(len(back.written))} brought back")
    if taken := len(back.removed) - back.evicted:
        parts.append(f"{count_records(taken)} taken out")
    if kept := len(change.removed) - len(back.written):
        parts.append(f"{count_records(kept)} not brought back: rewritten or expired since")
    place = "" if memory is nb.memory else f" in namespace '{shown(memory.namespace)}'"
    return Reply(f"{verb} undone{place}: {', '.join(parts) or 'nothing had changed'}")


def _deleted(nb: Notebook, verb: str, change: Change, for_good: bool) -> Reply:
    nb.remember(verb, change)
    count = count_records(len(change.removed))
    held = " for good: the same is refused from now on" if for_good else ""
    return Reply(f"deleted {count}{held}; %memory undo takes it back")
