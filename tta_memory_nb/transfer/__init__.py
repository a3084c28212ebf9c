"""Import and export: files, DataFrames, chat transcripts and the sample dataset.

    .jsonl     one record per line; lossless: value, instants, expiry, namespace  jsonl.py
    .csv       one row per record, flattened like the tables in a notebook        tables.py
    .parquet   the same rows with typed columns, for other tools                  tables.py
    .json      chats: a list of messages, or conversations (import only)          chat.py

Any of these files may be gzipped. An import reads and checks the whole source before it changes the
memory. A record goes into the namespace of the memory that imports it, whatever namespace it comes
from. It keeps its instants and its expiry; an expired record is left out. If two records have the same
key, the later one is imported.
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
from .files import atomic_writer, format_of, path_of
from .items import Item, Options, Source
from .jsonl import read_jsonl, write_jsonl
from .tables import read_arrow, read_csv, read_frame, read_parquet, write_csv, write_parquet

ImportSource: TypeAlias = Any
"""A path, a dataset's name, a DataFrame, records, messages, or a mapping of conversations."""

Progress: TypeAlias = Callable[[Iterable[Any], int | None, str], Iterable[Any]]
"""Wraps an iterable in a progress bar, given the iterable, its length (or None) and a label."""

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
    """The result of an import.

    Attributes:
        added: number of records whose key is new.
        updated: number of records that replaced one with the same key in the memory.
        repeated: number of records left out because a later record of the source has the same key.
        expired: number of records left out because their expiry had passed.
        evicted: number of older records that the memory evicted to make room.
        problems: a sentence for each broken record that was skipped.
        change: the argument with which `SyncMemory.undo` takes the import back.
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
    put: Callable[[Iterable[Entry]], Plan[Change]],
    refused: Callable[[Sequence[Entry]], Plan[dict[int, str]]] | None,
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
    """Imports a source into a store; `SyncMemory.import_` explains the other arguments.

    ``put`` writes the records, or refuses them. ``refused`` says of some entries, by place, which would be refused and why,
    so that they are left out; None to have ``put`` decide.
    """
    if on_error not in ("raise", "skip"):
        raise InvalidArgument(f"on_error={brief(on_error)}: unknown policy; give 'raise' or 'skip'")
    opened = _open_source(source, format, Options(key, user, session))
    if opened.distinct and opened.total is not None and not grow:
        # The number is known before the source is read, which may take long.
        _check_room(store, opened.total)
    items = with_progress(opened.items, opened.total, f"import {opened.name}", progress)
    found = _Collector(now)
    for place, record in items:
        found.add(place, record)
    if found.problems and on_error == "raise":
        raise _error_of(opened.name, found.problems, found.total)
    if refused is not None:
        entries = list(found.entries.values())
        why = yield from refused(entries)
        found.problems += why.values()
        for number in why:
            del found.entries[entries[number].key]
    old_size = yield from _make_room(store, found.entries.keys(), grow)
    change = yield from put(found.entries.values())
    change = replace(change, max_size=old_size)
    updated = len(change.removed) - change.evicted
    return ImportReport(
        added=len(change.written) - updated if change.written else len(found.entries) - updated,
        updated=updated,
        repeated=found.repeated,
        expired=found.expired,
        evicted=change.evicted,
        problems=tuple(found.problems),
        change=change,
    )


class _Collector:
    """Collects the records and the problems of a source while it is read.

    Args:
        now: Unix seconds, which become the instant of records that have none.
    """

    def __init__(self, now: float) -> None:
        self.entries: dict[str, Entry] = {}
        self.problems: list[str] = []
        self.total = self.repeated = self.expired = 0
        self._now = now

    def add(self, place: str, record: MemoryRecord | InvalidArgument) -> None:
        self.total += 1
        try:
            if isinstance(record, InvalidArgument):
                raise record
            entry = entry_of(record)
        except InvalidArgument as error:
            self.problems.append(f"{place}: {error}")
            return
        # The earlier record is removed first, so that the later one also follows in the order of recency.
        # An expired record removes it as well: the earlier one was replaced before the expiry.
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


def _error_of(name: str, problems: Sequence[str], total: int) -> TransferError:
    shown = "".join(f"\n  {problem}" for problem in problems[:_SHOWN_PROBLEMS])
    more = len(problems) - _SHOWN_PROBLEMS
    rest = f"\n  ... and {more:,} more" if more > 0 else ""
    return TransferError(
        f"{name}: {len(problems):,} of {total:,} records cannot be read, so nothing was "
        f"imported:{shown}{rest}\nRepair the source, or import the other records with "
        "on_error='skip' (in %memory: --on-error skip).",
        problems,
    )


def _make_room(store: Store, keys: Collection[str], grow: bool) -> Plan[int | None]:
    """Makes room for the records; returns the previous capacity if it had to grow, else None."""
    if not grow:
        _check_room(store, len(keys))
    elif store.max_size is not None:
        # The present records need room as well: a memory that may grow must not evict any.
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


def _open_source(source: ImportSource, format: str | None, options: Options) -> Source:
    if isinstance(source, (str, os.PathLike)):
        return _open_named(source, format, options)
    if hasattr(source, "attrs") and hasattr(source, "columns"):
        return Source("DataFrame", read_frame(source, options), len(source))
    if hasattr(source, "to_frame"):
        raise TransferError(
            f"cannot import from <{type(source).__name__}>: it is no table; use .to_frame()"
        )
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return Source(type(source).__name__, read_arrow(source, options))
    if isinstance(source, Mapping):
        return Source("conversations", read_conversations(source, options))
    if isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray)):
        return Source("list", read_list(source, options))
    raise TransferError(
        f"cannot import from <{type(source).__name__}>; give a path, a DataFrame, records, a list "
        "of messages or a mapping of conversations"
    )


def _open_named(source: str | os.PathLike[str], format: str | None, options: Options) -> Source:
    path = path_of(source)
    # A directory is no source, so one with the name of a dataset does not hide the dataset.
    if source in DATASETS and not path.is_file():
        return DATASETS[source]()
    if not os.path.lexists(path):
        raise TransferError(
            f"cannot read {str(path)!r}: there is no such file and no such dataset; give a path, or "
            f"a dataset: {', '.join(DATASETS)}"
        )
    if path.is_dir():
        raise TransferError(f"cannot read {str(path)!r}: it is a directory; give a file")
    return Source(path.name, _READERS[format_of(path, format, _READERS)](path, options))


def with_progress(
    items: Iterable[Any], total: int | None, what: str, progress: Progress | bool
) -> Iterable[Any]:
    """Returns the items, wrapped in a progress bar if one is wanted."""
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
    """Writes records in the given order and replaces the file atomically.

    Args:
        path: the file.
        format: ``"jsonl"``, ``"csv"`` or ``"parquet"``; None chooses by the suffix.
        records: the records; consumed one by one, so that they need not all be decoded at once.
        total: the number of records for the progress bar, or None.
        progress: as in `SyncMemory.export`.

    Returns:
        The number of records written.

    Raises:
        TransferError: the format is unknown, or the file cannot be written.
        MissingPackage: the format is ``parquet`` and pyarrow is not installed.
    """
    target = path_of(path)
    write = _WRITERS[format_of(target, format, _WRITERS)]
    with atomic_writer(target) as file:
        return write(file, with_progress(records, total, f"export {target.name}", progress))
