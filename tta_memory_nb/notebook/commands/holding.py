"""The command about deletions that hold: tombstones."""

from __future__ import annotations

from ...errors import InvalidArgument
from ..arguments import Words
from .base import Notebook, Reply, count_records, shown
from .keys import keys_of


def tombstones(
    nb: Notebook,
    keys: Words = (),
    *,
    lift: bool = False,
    quarantine: bool = False,
    release: bool = False,
) -> Reply:
    """List what was deleted for good and is refused when it comes again; lift tombstones.

    A tombstone keeps the key, the instant and a salted fingerprint of a record, never its text. What a memory with
    tombstones="quarantine" has put aside is listed by --quarantine.

      %memory tombstones
      %memory tombstones --lift alice:monday
      %memory tombstones --quarantine
      %memory tombstones --release alice:monday

    Flags:
        lift: allow what was deleted under these keys to be added again; also takes ids
        quarantine: list the records that were put aside in place of being written
        release: write these records that are in quarantine, which lifts the tombstones in their way
    """
    memory = nb.memory.sync
    if lift + quarantine + release > 1:
        raise InvalidArgument("--lift, --quarantine and --release: give one of them")
    if (lift or release) != bool(keys):
        way = "name the keys" if lift or release else "give --lift or --release with keys"
        raise InvalidArgument(f"KEYS: {way}; %memory tombstones lists them")
    if lift:
        count = memory.lift_tombstones(keys_of(keys))
        if not count:
            raise InvalidArgument(
                f"KEYS: no tombstone for '{shown(keys_of(keys)[0])}'; %memory tombstones lists them"
            )
        return Reply(f"lifted {_count(count)}")
    if release:
        change = memory.release(keys_of(keys))
        if not change.written:
            raise InvalidArgument(
                f"KEYS: '{shown(keys_of(keys)[0])}' is not in quarantine; %memory tombstones --quarantine lists what is"
            )
        nb.remember("release", change)
        return Reply(f"released {count_records(len(change.written))}; %memory undo takes it back")
    if quarantine:
        from ...frames import records_frame

        records = memory.quarantined()
        return Reply(
            f"{count_records(len(records))} in quarantine", records_frame(records, now=nb.clock())
        )
    from ...frames import tombstones_frame

    stones = memory.tombstones()
    return Reply(_count(len(stones)), tombstones_frame(stones))


def _count(count: int) -> str:
    return f"{count:,} tombstone{'s' * (count != 1)}"
