"""The tombstones of a companion store, a page at a time: there may be a million of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import pack
from typing import Any

import msgspec

from ...entry import Entry, Unreadable, write_seq
from ...filters import Filters
from ...stores.base import Dump, Store
from .tombstone import ID_DIGITS, PREFIX, Kind, Tombstone, tombstone_of

_PAGE = 500


class _Shown(msgspec.Struct, gc=False):
    """What the record of a tombstone says that people are shown."""

    key: str
    at: float
    kind: Kind


_read = msgspec.json.Decoder(list[_Shown]).decode


def pages_of(there: Store, now: float) -> Iterator[Dump]:
    """Yields all tombstones, the oldest first, a page at a time; waits for the store in the calling thread.

    Args:
        there: the store of the tombstones.
        now: Unix seconds.

    Raises:
        StoreUnavailable: the server is away.
    """
    # The class is asked, as for every verb that only some stores have.
    if hasattr(type(there), "dump"):
        on_server: Any = there
        yield from map(there.runner.run, on_server.dump(PREFIX, ID_DIGITS))
        return
    keys = there.runner.run(there.keys(Filters.build(now, prefix=PREFIX)))
    for start in range(0, len(keys), _PAGE):
        yield dumped(there.runner.run(there.peek(keys[start : start + _PAGE])))


def dumped(entries: Sequence[Entry]) -> Dump:
    """Returns entries of tombstones as a page."""
    plain = [each for each in entries if _is_plain(each)]
    return Dump(
        "".join([each.key[len(PREFIX) :] for each in plain]).encode(),
        pack(f">{len(plain)}d", *map(write_seq, plain)),
        b"[%b]" % b",".join([text for each in plain if type(text := each.text) is bytes]),
        [] if len(plain) == len(entries) else [each for each in entries if not _is_plain(each)],
    )


def _is_plain(entry: Entry) -> bool:
    return (
        type(entry.text) is bytes
        and len(entry.key) == len(PREFIX) + ID_DIGITS
        and entry.key.isascii()
        and not isinstance(entry, Unreadable)
    )


def tombstones_of(dump: Dump, there: Store) -> list[Tombstone]:
    """Returns the tombstones of a page; waits for their store in the calling thread if a value is not that of a tombstone."""
    digits = dump.keys.decode("utf-8", "replace")
    try:
        shown = _read(dump.values)
        ids = [digits[at : at + ID_DIGITS] for at in range(0, len(digits), ID_DIGITS)]
        stones = [
            Tombstone(id_, each.key, each.at, each.kind)
            for id_, each in zip(ids, shown, strict=True)
        ]
        odd = dump.others
    except (ValueError, msgspec.MsgspecError):
        stones, odd = [], [*entries_of(dump, there), *dump.others]
    return stones + [stone for stone in map(tombstone_of, odd) if stone is not None]


def entries_of(dump: Dump, there: Store) -> list[Entry]:
    """Returns the entries of a page of which a value cannot be read, so that they have to be looked at one by one."""
    digits = dump.keys.decode("utf-8", "replace")
    ids = [digits[at : at + ID_DIGITS] for at in range(0, len(digits), ID_DIGITS)]
    found: list[Entry] = there.runner.run(there.peek([PREFIX + each for each in ids]))
    return found
