"""Import and export: files, DataFrames, chat transcripts and the sample dataset.

    .jsonl     one record a line; lossless: value, instants, expiry, namespace
    .csv       one row a record, flattened as the tables in a notebook
    .parquet   the same, typed, for other tools
    .json      chat: a list of messages, or a mapping of conversations (read only)

A cell of a CSV file is JSON when it reads as JSON and text when it does not; text that would
read as JSON is written in JSON quotes. So ``3`` is a number, ``"3"`` and ``007`` are text, and an
empty cell is a field that is not there. Parquet columns of one type keep it; mixed ones are
written by the rule for CSV.

A source is read and checked as a whole before the memory is touched.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, Literal, ParamSpec, Protocol, TypeAlias, cast

from .codec import to_json
from .errors import CapacityExceeded, InvalidArgument, MissingPackage, TransferError
from .keys import create_memory_key
from .record import NOT_YET, MemoryRecord
from .stores.base import Change, Entry, Store, entry_of
from .table import META, NULL, FlatTable, flat_table, record_from_row
from .times import instant

ImportSource: TypeAlias = Any
"""A path, a dataset's name, a DataFrame, records, messages, or a mapping of conversations."""

Progress: TypeAlias = Callable[[Iterable[Any], int | None, str], Iterable[Any]]
"""Wraps an iterable in a progress bar, given its length (or None) and what it is."""

P = ParamSpec("P")

_SHOWN_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        added: records whose key is new.
        updated: records that replaced one under the same key.
        expired: records left out because their expiry had passed.
        evicted: older records that fell out of the memory to make room.
        problems: a sentence for each broken record that was skipped.
        change: what `SyncMemory.undo` needs to take the import back.
    """

    added: int
    updated: int
    expired: int = 0
    evicted: int = 0
    problems: tuple[str, ...] = ()
    change: Change = field(default_factory=Change, repr=False)


class _Frame(Protocol):
    """The part of a pandas DataFrame that is used; pandas itself is not imported here."""

    columns: Any
    index: Any

    def __len__(self) -> int: ...

    def to_dict(self, orient: Literal["records"]) -> list[dict[Any, Any]]: ...


@dataclass(frozen=True, slots=True)
class _Options:
    """How a source is to be understood."""

    format: str | None
    key: str
    user: str | None
    session: str | None


# What a reader yields: where in the source, and the record or what is wrong with it.
_Item: TypeAlias = tuple[str, MemoryRecord | InvalidArgument]


@dataclass(frozen=True, slots=True)
class _Reading:
    """A source being read."""

    name: str
    items: Iterable[_Item]
    total: int | None = None


# ---------------------------------------------------------------- import


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
) -> ImportReport:
    """Reads a source into a store; see `SyncMemory.import_` for the arguments."""
    if on_error not in ("raise", "skip"):
        raise InvalidArgument(f"on_error={on_error!r}: give 'raise' or 'skip'")
    reading = _read(source, _Options(format, key, user, session))
    items = reading.items
    if progress:
        bar = _tqdm if progress is True else progress
        items = bar(items, reading.total, f"import {reading.name}")
    entries, expired, problems = _collect(items, now)
    if problems and on_error == "raise":
        raise _broken(reading.name, problems, len(entries) + expired + len(problems))
    _make_room(store, len({entry.key for entry in entries}), grow)
    change = store.put(entries)
    updated = len(change.removed) - change.evicted
    return ImportReport(
        added=len({entry.key for entry in entries}) - updated,
        updated=updated,
        expired=expired,
        evicted=change.evicted,
        problems=tuple(problems),
        change=change,
    )


def _collect(items: Iterable[_Item], now: float) -> tuple[list[Entry], int, list[str]]:
    entries: list[Entry] = []
    problems: list[str] = []
    expired = 0
    for place, record in items:
        if isinstance(record, InvalidArgument):
            problems.append(f"{place}: {record}")
            continue
        try:
            entry = entry_of(record)
        except InvalidArgument as error:
            problems.append(f"{place}: {error}")
            continue
        if entry.updated_at == NOT_YET:
            entry.created_at, entry.updated_at = None, now
        if entry.expires_at is not None and entry.expires_at <= now:
            expired += 1
        else:
            entries.append(entry)
    return entries, expired, problems


def _broken(name: str, problems: Sequence[str], total: int) -> TransferError:
    shown = "".join(f"\n  {problem}" for problem in problems[:_SHOWN_PROBLEMS])
    more = len(problems) - _SHOWN_PROBLEMS
    rest = f"\n  ... and {more:,} more" if more > 0 else ""
    return TransferError(
        f"{name}: {len(problems):,} of {total:,} records cannot be read, so nothing was "
        f"imported:{shown}{rest}\nRepair the source, or import the others with on_error='skip'.",
        problems,
    )


def _make_room(store: Store, count: int, grow: bool) -> None:
    if count <= store.max_size:
        return
    if not grow:
        raise CapacityExceeded(
            f"{count:,} records do not fit in max_size={store.max_size:,}, so most of them would "
            "be evicted at once; import with grow=True, or make the memory larger"
        )
    store.resize(count)


def _read(source: ImportSource, options: _Options) -> _Reading:
    if isinstance(source, (str, os.PathLike)):
        text = os.fspath(source)
        path = Path(text).expanduser()
        if text in _DATASETS and not path.exists():
            return _DATASETS[text]()
        return _read_file(path, options)
    if hasattr(source, "columns") and hasattr(source, "to_dict"):
        return _Reading("DataFrame", _from_frame(source, options), len(source))
    if isinstance(source, Mapping):
        return _Reading("conversations", _from_conversations(source, options))
    if isinstance(source, Iterable):
        return _Reading("list", _from_list(list(source), options))
    raise TransferError(
        f"cannot import from <{type(source).__name__}>; give a path, a DataFrame, records, a list "
        "of messages or a mapping of conversations"
    )


def _read_file(path: Path, options: _Options) -> _Reading:
    chosen = _format_of(path, options.format, _READERS)
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise TransferError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
    return _Reading(path.name, _READERS[chosen](path, options))


def _format_of(path: Path, format: str | None, known: Iterable[str]) -> str:
    suffixes = [suffix.lower().removeprefix(".") for suffix in path.suffixes]
    if suffixes and suffixes[-1] == "gz":
        suffixes.pop()
    guessed = suffixes[-1] if suffixes else ""
    chosen = format or ("jsonl" if guessed == "ndjson" else guessed)
    if chosen not in known:
        raise TransferError(
            f"{path.name!r}: {chosen or 'no suffix'!r} is not a known format; "
            f"there are {', '.join(known)}; name one with format="
        )
    return chosen


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            if path.suffix.lower() != ".gz":
                yield file
            else:
                with gzip.open(file, "rb") as unpacked:
                    yield cast("BinaryIO", unpacked)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TransferError(f"cannot read {str(path)!r}: {reason}") from None


def _from_jsonl(path: Path, options: _Options) -> Iterator[_Item]:
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                yield f"line {number}", _attempt(_from_line, line, options)


def _from_line(line: bytes, options: _Options) -> MemoryRecord:
    row = _parsed(line)
    if not isinstance(row, dict):
        raise InvalidArgument(f"expected an object, found {_brief(row)}")
    return _from_object(row, options)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}"
        raise InvalidArgument(f"not JSON: {error.msg} at {place}") from None
    except (ValueError, RecursionError) as error:  # an endless integer, endless nesting
        raise InvalidArgument(f"not JSON that can be read: {error}") from None


_RECORD_FIELDS = {"key", "value", "namespace", "created_at", "updated_at", "expires_at"}


def _from_object(row: dict[str, Any], options: _Options) -> MemoryRecord:
    """A record from its own lossless form, or from any object with a key."""
    if not (row.keys() <= _RECORD_FIELDS and {"key", "value"} <= row.keys()):
        if options.key not in row:
            names = ", ".join(map(repr, row)) or "nothing"
            raise InvalidArgument(f"no {options.key!r} in this object; it has {names}")
        fields = dict(row)
        return MemoryRecord(fields.pop(options.key), fields)
    times = {}
    for name in ("created_at", "updated_at", "expires_at"):
        if row.get(name) is not None:
            times[name] = instant(row[name], 0.0, name)
    updated = times.get("updated_at", times.get("created_at", NOT_YET))
    return MemoryRecord(
        key=row["key"],
        value=row["value"],
        created_at=times.get("created_at", updated),
        updated_at=updated,
        expires_at=times.get("expires_at"),
    )


def _attempt(
    make: Callable[P, MemoryRecord], *args: P.args, **kwargs: P.kwargs
) -> MemoryRecord | InvalidArgument:
    try:
        return make(*args, **kwargs)
    except InvalidArgument as error:
        return error


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _from_csv(path: Path, options: _Options) -> Iterator[_Item]:
    # The limit of the csv module is for the whole process, and far below one long document.
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with (
            _opened(path) as binary,
            io.TextIOWrapper(binary, "utf-8-sig", "surrogatepass", newline="") as file,
        ):
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or ()
            twice = [name for name, times in Counter(header).items() if times > 1]
            if twice:
                raise TransferError(f"{path.name}: the column {twice[0]!r} appears twice")
            for row in reader:
                place = f"line {reader.line_num}"
                yield place, _attempt(_from_cells, row, options)
    except UnicodeDecodeError as error:
        raise TransferError(f"{path.name}: not UTF-8 at byte {error.start + 1}") from None
    except csv.Error as error:
        raise TransferError(f"{path.name}, line {reader.line_num}: {error}") from None
    finally:
        csv.field_size_limit(limit)


def _from_cells(row: dict[Any, Any], options: _Options) -> MemoryRecord:
    if None in row:
        raise InvalidArgument(f"{len(row[None])} more cells than the header has columns")
    raw = {options.key, *META} if row.keys() >= set(META) else {options.key}
    cells = {
        # An empty cell is a field that is not there.
        name: (text if name in raw else _cell_value(text)) if text else None
        for name, text in row.items()
    }
    return record_from_row(cells, options.key)


def _cell_value(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text
    return NULL if value is None else value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _from_parquet(path: Path, options: _Options) -> Iterator[_Item]:
    parquet = _pyarrow()
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are subclasses of these
        raise TransferError(f"cannot read {str(path)!r}: {error}") from None
    as_json = set(json.loads((table.schema.metadata or {}).get(_JSON_COLUMNS, b"[]")))
    for number, row in enumerate(table.to_pylist(), start=1):
        cells = {
            name: _cell_value(cell) if name in as_json and cell is not None else cell
            for name, cell in row.items()
        }
        yield f"row {number}", _attempt(record_from_row, cells, options.key)


def _from_frame(frame: _Frame, options: _Options) -> Iterator[_Item]:
    names = [str(name) for name in frame.columns]
    keys: Sequence[Any] | None = None
    if options.key not in names:
        if frame.index.name is None and options.key == "key":
            raise TransferError(
                f"no column 'key' among {', '.join(map(repr, names)) or 'no columns'}, and the "
                "index has no name; name the column that holds the keys with key="
            )
        if frame.index.name not in (options.key, "key"):
            raise TransferError(
                f"no column {options.key!r} among {', '.join(map(repr, names)) or 'no columns'}"
            )
        keys = list(frame.index)
    for number, row in enumerate(frame.to_dict("records")):
        cells = {str(name): cell for name, cell in row.items()}
        if keys is not None:
            cells[options.key] = keys[number]
        yield f"row {number}", _attempt(record_from_row, cells, options.key)


# ---------------------------------------------------------------- chat


_SENDER = ("user", "user_id", "sender", "name", "role", "author")
_TIME = ("timestamp", "created_at", "create_time", "time", "ts", "date")


def _from_json(path: Path, options: _Options) -> Iterator[_Item]:
    with _opened(path) as file:
        data = file.read().removeprefix(b"\xef\xbb\xbf")
    try:
        content = _parsed(data)
    except InvalidArgument as error:
        raise TransferError(f"{path.name}: {error}") from None
    if isinstance(content, list):
        name = path.name.split(".")[0]
        yield from _from_list(
            content,
            _Options(options.format, options.key, options.user, options.session or name),
        )
    elif isinstance(content, dict):
        yield from _from_conversations(content, options)
    else:
        raise TransferError(
            f"{path.name}: expected a list of messages or a mapping of conversations, "
            f"found {_brief(content)}"
        )


def _from_list(items: list[Any], options: _Options) -> Iterator[_Item]:
    """Records, their lossless dict form, or the messages of one conversation."""
    messages = []
    for number, item in enumerate(items, start=1):
        if isinstance(item, MemoryRecord):
            yield f"record {number}", item
        elif isinstance(item, dict) and _RECORD_FIELDS & item.keys() >= {"key", "value"}:
            yield f"record {number}", _attempt(_from_object, item, options)
        else:
            messages.append((f"message {number}", item))
    yield from _from_messages(messages, options, options.session or "chat", Counter())


def _from_conversations(conversations: Mapping[Any, Any], options: _Options) -> Iterator[_Item]:
    seen: Counter[str] = Counter()
    for name, content in conversations.items():
        session = str(name)
        messages = content.get("messages") if isinstance(content, Mapping) else content
        if not isinstance(messages, list):
            yield (
                f"conversation {session!r}",
                InvalidArgument(f"expected a list of messages, found {_brief(content)}"),
            )
            continue
        placed = [
            (f"conversation {session!r}, message {number}", message)
            for number, message in enumerate(_unfolded(messages), start=1)
        ]
        yield from _from_messages(placed, options, session, seen)


def _unfolded(messages: list[Any]) -> Iterator[Any]:
    """Messages in turn; some formats group what one person says at a time in a list."""
    for message in messages:
        if isinstance(message, list):
            yield from message
        else:
            yield message


def _from_messages(
    messages: Iterable[tuple[str, Any]], options: _Options, session: str, seen: Counter[str]
) -> Iterator[_Item]:
    for turn, (place, message) in enumerate(messages):
        yield place, _attempt(_from_message, message, turn, options, session, seen)


def _from_message(
    message: Any, turn: int, options: _Options, session: str, seen: Counter[str]
) -> MemoryRecord:
    if not isinstance(message, dict):
        raise InvalidArgument(
            f"expected a message such as {{'role': ..., 'content': ...}}, found {_brief(message)}"
        )
    sender = options.user or next(
        (message[name] for name in _SENDER if isinstance(message.get(name), str) and message[name]),
        None,
    )
    if sender is None:
        raise InvalidArgument(f"no sender: none of {', '.join(_SENDER)} holds a name")
    # Ids with ':' would make a key that cannot be taken apart again.
    user, session = sender.replace(":", "_"), session.replace(":", "_")
    key = create_memory_key(user, session, {"turn": turn})
    # Eight hex digits can be the same for two turns; neither may overwrite the other.
    seen[key] += 1
    if seen[key] > 1:
        key = create_memory_key(user, session, {"turn": turn, "again": seen[key]})
    at = next((_message_time(message[name]) for name in _TIME if message.get(name)), NOT_YET)
    return MemoryRecord(key, {"turn": turn, **message}, created_at=at, updated_at=at)


def _message_time(written: Any) -> float:
    try:
        return instant(written, 0.0)
    except InvalidArgument:
        return NOT_YET  # it stays in the value, but says nothing about when


def _chitchat() -> _Reading:
    """258,145 utterances of 7,168 real conversations in the order they were sent.

    Key: sender, conversation and turn. Value: turn, text and timestamp. The record's instants
    are the timestamp. Data: BYU Perception, Control & Cognition Lab, MIT license.
    """
    try:
        # Not through the package's own classes, which leave the file open.
        data = resources.files("chitchat_dataset").joinpath("dataset.json").read_bytes()
    except ModuleNotFoundError:
        raise MissingPackage(
            "the chitchat dataset is not installed: pip install 'tta-memory-nb[tutorials]'"
        ) from None
    utterances = [
        (utterance, conversation, turn)
        for conversation, content in json.loads(data).items()
        for turn, utterance in enumerate(_unfolded(content["messages"]))
    ]
    del data
    utterances.sort(key=lambda item: item[0]["timestamp"])

    def items() -> Iterator[_Item]:
        for utterance, conversation, turn in utterances:
            at = instant(utterance["timestamp"], 0.0)
            value = {
                "turn": turn,
                "text": utterance["text"],
                "timestamp": utterance["timestamp"],
            }
            key = create_memory_key(utterance["sender"], conversation, {"turn": turn})
            yield (
                f"turn {turn} of {conversation}",
                MemoryRecord(key, value, created_at=at, updated_at=at),
            )

    return _Reading("chitchat", items(), len(utterances))


_READERS: dict[str, Callable[[Path, _Options], Iterator[_Item]]] = {
    "jsonl": _from_jsonl,
    "csv": _from_csv,
    "parquet": _from_parquet,
    "json": _from_json,
}

_DATASETS: dict[str, Callable[[], _Reading]] = {"chitchat": _chitchat}


def _tqdm(items: Iterable[Any], total: int | None, what: str) -> Iterable[Any]:
    from tqdm.auto import tqdm

    bar: Iterable[Any] = tqdm(items, what, total, leave=False, unit=" records")
    return bar


# ---------------------------------------------------------------- export


def write_file(
    path: str | os.PathLike[str], format: str | None, records: Sequence[MemoryRecord]
) -> int:
    """Writes records in the order given, replacing the file in one step.

    Returns:
        How many records were written.

    Raises:
        TransferError: an unknown format, a file that cannot be written.
        MissingPackage: ``parquet`` without pyarrow.
    """
    target = Path(path).expanduser()
    write = _WRITERS[_format_of(target, format, _WRITERS)]
    # Beside the target: a rename is atomic only within one file system.
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with scratch.open("xb") as file:
            if target.suffix.lower() == ".gz":
                with gzip.GzipFile(filename="", fileobj=file, mode="wb") as packed:
                    write(cast("BinaryIO", packed), records)
            else:
                write(file, records)
        scratch.replace(target)
    except OSError as error:
        raise TransferError(f"cannot write {str(target)!r}: {error.strerror or error}") from None
    except UnicodeEncodeError:
        raise TransferError(
            f"cannot write {str(target)!r}: a record holds half a surrogate pair, which only "
            "jsonl and csv can carry"
        ) from None
    finally:
        scratch.unlink(missing_ok=True)
    return len(records)


def _to_jsonl(file: BinaryIO, records: Sequence[MemoryRecord]) -> None:
    for record in records:
        line = to_json(
            {
                "key": record.key,
                "value": record.value,
                "namespace": record.namespace,
                "created_at": record.created_at,
                "updated_at": record.updated_at,
                "expires_at": record.expires_at,
            }
        )
        try:
            data = line.encode()
        except UnicodeEncodeError:  # half a surrogate pair: only an escape can carry it
            data = json.dumps(json.loads(line)).encode()
        file.write(data + b"\n")


def _to_csv(file: BinaryIO, records: Sequence[MemoryRecord]) -> None:
    table = flat_table(records)
    text = io.TextIOWrapper(file, "utf-8", "surrogatepass", newline="")
    writer = csv.writer(text)
    writer.writerow(["key", *META, *table.columns])
    for record, row in zip(table.records, table.rows, strict=True):
        cells = [_cell_text(row[path]) if path in row else "" for path in table.columns.values()]
        writer.writerow([record.key, *_meta_cells(record), *cells])
    text.flush()
    text.detach()


def _meta_cells(record: MemoryRecord) -> list[str]:
    times = (record.created_at, record.updated_at, record.expires_at)
    return [record.user or "", record.session or "", *map(_iso, times)]


def _iso(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, timezone.utc).isoformat()


def _cell_text(leaf: Any) -> str:
    if isinstance(leaf, str) and leaf and _cell_value(leaf) is leaf:
        return leaf
    return to_json(leaf)


_JSON_COLUMNS = b"tta_memory_nb.json_columns"
_NATIVE = (str, bool, int, float)


def _to_parquet(file: BinaryIO, records: Sequence[MemoryRecord]) -> None:
    parquet = _pyarrow()
    import pyarrow

    table = flat_table(records)
    columns: dict[str, list[Any]] = {
        "key": [record.key for record in records],
        "user": [record.user for record in records],
        "session": [record.session for record in records],
    }
    for name in META[2:]:
        columns[name] = [
            at if at is None else datetime.fromtimestamp(at, timezone.utc)
            for at in (getattr(record, f"{name}_at") for record in records)
        ]
    as_json = []
    for name, path in table.columns.items():
        column, native = _parquet_column(table, path)
        columns[name] = column
        if not native:
            as_json.append(name)
    stamp = pyarrow.timestamp("us", "UTC")
    arrays = {
        name: pyarrow.array(column, stamp if name in META[2:] else None)
        for name, column in columns.items()
    }
    arrow = pyarrow.table(arrays).replace_schema_metadata({_JSON_COLUMNS: json.dumps(as_json)})
    parquet.write_table(arrow, file)


def _parquet_column(table: FlatTable, path: tuple[str, ...]) -> tuple[list[Any], bool]:
    """The cells of a field, and whether they all have one type that Parquet knows."""
    cells = [row[path] for row in table.rows if path in row]
    kinds = {type(cell) for cell in cells}
    native = len(kinds) == 1 and kinds <= set(_NATIVE)
    if native and int in kinds:
        native = all(-(2**63) <= cell < 2**63 for cell in cells)
    if native:
        return [row.get(path) for row in table.rows], True
    return [_cell_text(row[path]) if path in row else None for row in table.rows], False


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingPackage(
            "Parquet files need pyarrow: pip install 'tta-memory-nb[parquet]'"
        ) from None
    return pyarrow.parquet


_WRITERS: dict[str, Callable[[BinaryIO, Sequence[MemoryRecord]], None]] = {
    "jsonl": _to_jsonl,
    "csv": _to_csv,
    "parquet": _to_parquet,
}
