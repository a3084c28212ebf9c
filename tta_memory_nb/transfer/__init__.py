"""Import and export: files, DataFrames, chat transcripts and the sample dataset.

    .jsonl     one record a line; lossless: value, instants, expiry, namespace    jsonl.py
    .csv       one row a record, flattened as the tables in a notebook            tables.py
    .parquet   the same, typed, for other tools                                   tables.py
    .json      chat: a list of messages, or conversations (read only)             chat.py

Each may be gzipped. A source is read and checked as a whole before the memory is touched. A
record goes into the memory that imports it, whatever namespace it comes from; it keeps its
instants and its expiry, and one that has expired is left out. Of two records with the same key
the later one counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from ..entry import Entry, entry_of
from ..errors import CapacityExceeded, InvalidArgument, TransferError, brief
from ..record import NOT_YET, MemoryRecord
from ..stores.base import Change, Store
from ..stores.plan import Plan
from .chat import read_conversations, read_json, read_list
from .datasets import DATASETS
from .files import format_of, path_of, replaced
from .items import Item, Options, Reading
from .jsonl import read_jsonl, write_jsonl
from .tables import read_arrow, read_csv, read_frame, read_parquet, write_csv, write_parquet

ImportSource: TypeAlias = Any
"""A path, a dataset's name, a DataFrame, records, messages, or a mapping of conversations."""

Progress: TypeAlias = Callable[[Iterable[Any], int | None, str], Iterable[Any]]
"""Wraps an iterable in a progress bar, given its length (or None) and what it is."""

_READERS: dict[str, Callable[[Path, Options], Iterator[Item]]] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
    "parquet": read_parquet,
    "json": read_json,
}

_WRITERS: dict[str, Callable[[BinaryIO, Iterable[MemoryRecord]], int]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}

_SHOWN_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        added: records whose key is new.
        updated: records that replaced one of the memory under the same key.
        repeated: records whose key came again later in the source, where the later one counts.
        expired: records left out because their expiry had passed.
        evicted: older records that fell out of the memory to make room.
        problems: a sentence for each broken record that was skipped.
        change: what `SyncMemory.undo` needs to take the import back.
    """

    added: int
    updated: int
    repeated: int = 0
    expired: int = 0
    evicted: int = 0
    problems: tuple[str, ...] = ()
    change: Change = field(default_factory=Change, repr=False)


def import_into(
    store: Store,
    source: ImportSource,
    format: str | None,
    *,
    key: str,
    user: str | None,
    session: str | None,
    on_error: Literal["raise", "skip"],
    grow: bool,
    progress: Progress | bool,
    now: float,
) -> Plan[ImportReport]:
    """Reads a source into a store; see `SyncMemory.import_` for the arguments."""
    if on_error not in ("raise", "skip"):
        raise InvalidArgument(f"on_error={brief(on_error)}: give 'raise' or 'skip'")
    reading = _read(source, format, Options(key, user, session))
    if reading.distinct and reading.total is not None and not grow:
        # Known before anything is read, which can take long.
        _check_room(store, reading.total)
    items = _watched(reading.items, reading.total, f"import {reading.name}", progress)
    found = _Found(now)
    for place, record in items:
        found.take(place, record)
    if found.problems and on_error == "raise":
        raise _broken(reading.name, found.problems, found.total)
    old_size = yield from _make_room(store, found.entries.keys(), grow)
    change = yield from store.put(found.entries.values())
    change = replace(change, max_size=old_size)
    updated = len(change.removed) - change.evicted
    return ImportReport(
        added=len(found.entries) - updated,
        updated=updated,
        repeated=found.repeated,
        expired=found.expired,
        evicted=change.evicted,
        problems=tuple(found.problems),
        change=change,
    )


class _Found:
    """What a source has turned out to hold, until the whole of it is known.

    Args:
        now: Unix seconds; the instant of records that have none.
    """

    def __init__(self, now: float) -> None:
        self.entries: dict[str, Entry] = {}
        self.problems: list[str] = []
        self.total = self.repeated = self.expired = 0
        self._now = now

    def take(self, place: str, record: MemoryRecord | InvalidArgument) -> None:
        self.total += 1
        try:
            if isinstance(record, InvalidArgument):
                raise record
            entry = entry_of(record)
        except InvalidArgument as error:
            self.problems.append(f"{place}: {error}")
            return
        # Taken out first: the later one also comes later in the order of recency. An expired
        # one takes out as well, for the earlier one had been replaced when that expired.
        if self.entries.pop(entry.key, None):
            self.repeated += 1
        if entry.expires_at is not None and entry.expires_at <= self._now:
            self.expired += 1
            return
        if entry.updated_at == NOT_YET:
            entry.updated_at = self._now if record.created_at == NOT_YET else record.created_at
        if entry.created_at == NOT_YET:
            entry.created_at = None
        self.entries[entry.key] = entry


def _broken(name: str, problems: Sequence[str], total: int) -> TransferError:
    shown = "".join(f"\n  {problem}" for problem in problems[:_SHOWN_PROBLEMS])
    more = len(problems) - _SHOWN_PROBLEMS
    rest = f"\n  ... and {more:,} more" if more > 0 else ""
    return TransferError(
        f"{name}: {len(problems):,} of {total:,} records cannot be read, so nothing was "
        f"imported:{shown}{rest}\nRepair the source, or import the others with on_error='skip' "
        "(in %memory: --on-error skip).",
        problems,
    )


def _make_room(store: Store, keys: Collection[str], grow: bool) -> Plan[int | None]:
    """Makes sure that the records fit; gives the capacity there was, if it had to grow."""
    if not grow:
        _check_room(store, len(keys))
    elif store.max_size is not None:
        # Room for what is there as well: who lets it grow wants nothing evicted.
        present = yield from store.keys()
        needed = len({*keys, *present})
        if needed > store.max_size:
            change = yield from store.resize(needed)
            return change.max_size
    return None


def _check_room(store: Store, count: int) -> None:
    if store.max_size is not None and count > store.max_size:
        raise CapacityExceeded(
            f"{count:,} records do not fit in max_size={store.max_size:,}, so most of them "
            "would be evicted at once; import with grow=True (in %memory: --grow), or make the "
            "memory larger"
        )


def _read(source: ImportSource, format: str | None, options: Options) -> Reading:
    if isinstance(source, (str, os.PathLike)):
        return _read_named(source, format, options)
    if hasattr(source, "attrs") and hasattr(source, "columns"):
        return Reading("DataFrame", read_frame(source, options), len(source))
    if hasattr(source, "to_frame"):
        raise TransferError(f"<{type(source).__name__}> is no table; use .to_frame()")
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return Reading(type(source).__name__, read_arrow(source, options))
    if isinstance(source, Mapping):
        return Reading("conversations", read_conversations(source, options))
    if isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray)):
        return Reading("list", read_list(source, options))
    raise TransferError(
        f"cannot import from <{type(source).__name__}>; give a path, a DataFrame, records, a list "
        "of messages or a mapping of conversations"
    )


def _read_named(source: str | os.PathLike[str], format: str | None, options: Options) -> Reading:
    path = path_of(source)
    # A folder of that name is no source, so it does not stand in the way of the dataset.
    if source in DATASETS and not path.is_file():
        return DATASETS[source]()
    if not os.path.lexists(path):
        raise TransferError(
            f"cannot read {str(path)!r}: no such file, nor a dataset of that name "
            f"({', '.join(DATASETS)})"
        )
    if path.is_dir():
        raise TransferError(f"cannot read {str(path)!r}: it is a directory")
    return Reading(path.name, _READERS[format_of(path, format, _READERS)](path, options))


def _watched(
    items: Iterable[Any], total: int | None, what: str, progress: Progress | bool
) -> Iterable[Any]:
    """The items, with the progress bar that was asked for."""
    if not progress:
        return items
    return (_tqdm if progress is True else progress)(items, total, what)


def _tqdm(items: Iterable[Any], total: int | None, what: str) -> Iterable[Any]:
    from tqdm.auto import tqdm

    bar: Iterable[Any] = tqdm(items, what, total, leave=False, unit=" records")
    return bar


def write_file(
    path: str | os.PathLike[str],
    format: str | None,
    records: Iterable[MemoryRecord],
    total: int | None = None,
    progress: Progress | bool = False,
) -> int:
    """Writes records in the order given, replacing the file in one step.

    Args:
        path: the file.
        format: ``"jsonl"``, ``"csv"`` or ``"parquet"``; None: by the suffix.
        records: taken one by one, so that they need not all be decoded at once.
        total: how many there are, for the progress bar.
        progress: as in `SyncMemory.export`.

    Returns:
        How many records were written.

    Raises:
        TransferError: an unknown format, a file that cannot be written.
        MissingPackage: ``parquet`` without pyarrow.
    """
    target = path_of(path)
    write = _WRITERS[format_of(target, format, _WRITERS)]
    with replaced(target) as file:
        return write(file, _watched(records, total, f"export {target.name}", progress))
