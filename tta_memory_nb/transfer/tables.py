"""Tables: CSV, Parquet, and the DataFrames of any library.

All of them are flattened and read by the rules of `tta_memory_nb.table`. A CSV cell means:

    empty               the record lacks the field
    valid JSON          the JSON value: 3, true, null, [1, 2], "text"
    any other text      the text itself: Hello, 007, NaN

Text that is valid JSON is therefore written in JSON quotes. So is text that a spreadsheet would run as a
formula or that UTF-8 cannot encode. The columns of `META` and the key are plain text; a key is in JSON
quotes only for the last two reasons.

A Parquet column has the type of its leaves if they share one; otherwise its cells are text, as in CSV.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..codec import MAX_DEPTH
from ..errors import InvalidArgument, MissingPackage, TransferError
from ..record import MemoryRecord
from ..table import (
    ABSENT,
    FORMULA_STARTS,
    INSTANTS,
    META,
    PATHS_ATTR,
    RowReader,
    flat_table,
    instants_of,
    is_utf8,
    moment,
    portable,
    unportable,
)
from .files import open_for_reading
from .items import Item, Options, attempt
from .jsonl import json_text

# ---------------------------------------------------------------- cells of text


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


_parse = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite).decode

# The characters that JSON can begin with. Most text begins with another one and need not be parsed.
_JSON_STARTS = frozenset(' \t\r\n"[{-0123456789tfn')


def _cell_leaf(text: str) -> Any:
    if not text:
        return ABSENT
    if text[0] not in _JSON_STARTS:
        return text
    try:
        return _parse(text)
    except (ValueError, RecursionError):
        return text


def _cell_text(leaf: Any) -> str:
    if (
        isinstance(leaf, str)
        and is_utf8(leaf)
        and not leaf.startswith(FORMULA_STARTS)
        and _cell_leaf(leaf) is leaf
    ):
        return leaf
    return json_text(leaf)


def _name_text(name: str | None) -> str:
    """Returns a key, user or session as text, in quotes only if that is necessary."""
    if not name:
        return ""
    if is_utf8(name) and not name.startswith(('"', *FORMULA_STARTS)):
        return name
    return json.dumps(name)


def _name_leaf(text: str) -> Any:
    if not text:
        return ABSENT
    leaf = _cell_leaf(text) if text.startswith('"') else text
    return leaf if isinstance(leaf, str) else text


def _rows(
    name: str, columns: Sequence[str], options: Options, paths: dict[str, tuple[str, ...]] | None
) -> RowReader:
    try:
        return RowReader(columns, options.key, paths)
    except InvalidArgument as error:
        raise TransferError(f"{name}: {error}") from None


# ---------------------------------------------------------------- CSV

_LONGEST_CELL = 2**31 - 1


def read_csv(path: Path, options: Options) -> Iterator[Item]:
    """Yields the records of a file with a header line."""
    # The csv module limits cells to less than a long document. The limit applies to the whole process and
    # stays raised, because lowering it again would affect an import in another thread.
    if csv.field_size_limit() < _LONGEST_CELL:
        csv.field_size_limit(_LONGEST_CELL)
    with open_for_reading(path) as file:
        yield from _read_csv(path.name, file, options)


def _read_csv(name: str, file: BinaryIO, options: Options) -> Iterator[Item]:
    lines = _csv_rows(file)
    place, header = next(
        lines, ("line 1", InvalidArgument("no header; the first line must name the columns"))
    )
    if isinstance(header, InvalidArgument):
        raise TransferError(f"{name}, {place}: {header}")
    rows = _rows(name, header, options, None)
    texts = {rows.key, *META} if rows.is_own else {rows.key}
    leaves: list[Callable[[str], Any]] = [
        _name_leaf if column in texts else _cell_leaf for column in rows.columns
    ]
    for place, row in lines:
        if isinstance(row, InvalidArgument):
            yield place, row
        else:
            yield place, attempt(_from_row, row, rows, leaves)


def _csv_rows(file: BinaryIO) -> Iterator[tuple[str, list[str] | InvalidArgument]]:
    """Yields rows that are not empty, or the error in them, with the line on which they end."""
    wrong: list[str] = []
    lines = csv.reader(_decoded(file, wrong), strict=True)
    while True:
        row: list[str] | None = []
        try:
            row = next(lines, None)
        except csv.Error as error:
            # The text after the dash is advice for programmers.
            wrong.append(f"not CSV: {str(error).partition(' - ')[0]}")
        if row is None:
            return
        if wrong:
            # The reader consumes only the lines of this row, so the problems belong to it.
            yield f"line {lines.line_num}", InvalidArgument(wrong[0])
            wrong.clear()
        elif row:
            yield f"line {lines.line_num}", row


def _decoded(file: BinaryIO, wrong: list[str]) -> Iterator[str]:
    for line in file:
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            wrong.append(f"not UTF-8 at byte {error.start + 1}")
            yield line.decode(errors="replace")


def _from_row(
    row: Sequence[str], rows: RowReader, leaves: Sequence[Callable[[str], Any]]
) -> MemoryRecord:
    if len(row) != len(leaves):
        raise InvalidArgument(
            f"the row has {len(row)} cells, but the header has {len(leaves)} columns"
        )
    return rows.record([leaf(text) for leaf, text in zip(leaves, row, strict=True)])


def write_csv(file: BinaryIO, records: Iterable[MemoryRecord]) -> int:
    """Writes a header line and a row for each record, and returns the number of records."""
    table = flat_table(records, for_file=True)
    text = io.TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(["key", *META, *table.columns])
    for record, row in zip(table.records, table.rows, strict=True):
        names = map(_name_text, (record.key, record.user, record.session))
        times = ("" if at is None else moment(at).isoformat() for at in instants_of(record))
        cells = (_cell_text(row[path]) if path in row else "" for path in table.columns.values())
        writer.writerow([*names, *times, *cells])
    text.flush()
    text.detach()
    return len(table.records)


# ---------------------------------------------------------------- Parquet and Arrow

_JSON_COLUMNS = b"tta_memory_nb.json_columns"


def read_parquet(path: Path, options: Options) -> Iterator[Item]:
    """Yields the records of a file."""
    pyarrow = _pyarrow()
    with open_for_reading(path) as file:
        try:
            table = pyarrow.parquet.read_table(file)
        except (pyarrow.ArrowException, ValueError, OverflowError) as error:
            raise TransferError(f"cannot read {str(path)!r}: {error}") from None
    yield from _from_arrow(path.name, table, options)


def read_arrow(source: Any, options: Options) -> Iterator[Item]:
    """Yields the records of a table with an Arrow interface, such as one of Polars, DuckDB or PyArrow."""
    pyarrow, name = _pyarrow(), type(source).__name__
    try:
        table = pyarrow.table(source)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise TransferError(f"cannot import from <{name}>: it is no table: {error}") from None
    return _from_arrow(name, table, options)


def _from_arrow(name: str, table: Any, options: Options) -> Iterator[Item]:
    rows = _rows(name, table.column_names, options, None)
    noted = (table.schema.metadata or {}).get(_JSON_COLUMNS) if rows.is_own else None
    as_json = set(json.loads(noted)) if noted else set()
    leaves: list[Callable[[Any], Any]] = [
        _arrow_json if column in as_json else _arrow_text if noted else _arrow_leaf
        for column in rows.columns
    ]
    numbers = itertools.count(1)
    for batch in table.to_batches():
        columns = [
            map(leaf, _arrow_cells(name, column_name, column))
            for leaf, column_name, column in zip(leaves, rows.columns, batch.columns, strict=True)
        ]
        for cells in zip(*columns, strict=True):
            yield f"row {next(numbers)}", attempt(rows.record, cells)


def _arrow_cells(name: str, column_name: str, column: Any) -> Any:
    try:
        return column.to_pylist()
    # Arrow can hold values that Python cannot: the year 20000, text that is not UTF-8.
    except (_pyarrow().ArrowException, ValueError, OverflowError) as error:
        raise TransferError(f"{name}: cannot read column {column_name!r}: {error}") from None


def _arrow_leaf(cell: Any) -> Any:
    # Libraries without nulls leave a cell empty by NaN, and some use NaN beside nulls.
    return ABSENT if cell is None or _is_missing(cell) else cell


def _arrow_text(cell: Any) -> Any:
    return ABSENT if cell is None or _is_missing(cell) else unportable(cell)


def _arrow_json(cell: Any) -> Any:
    return ABSENT if cell is None else _cell_leaf(cell)


def write_parquet(file: BinaryIO, records: Iterable[MemoryRecord]) -> int:
    """Writes a row for each record, and returns the number of records."""
    pyarrow = _pyarrow()
    table = flat_table(records, for_file=True)
    kept = table.records
    text, stamp = pyarrow.string(), pyarrow.timestamp("us", "UTC")
    arrays = {
        name: pyarrow.array([portable(getattr(record, name)) for record in kept], text)
        for name in ("key", "user", "session")
    }
    instants = [instants_of(record) for record in kept]
    for position, name in enumerate(INSTANTS):
        column = (row[position] for row in instants)
        moments = [None if at is None else moment(at) for at in column]
        arrays[name] = pyarrow.array(moments, stamp)
    as_json = []
    for name, path in table.columns.items():
        cells = table.cells(path)
        if _has_one_type(cells):
            arrays[name] = pyarrow.array([None if c is ABSENT else portable(c) for c in cells])
        else:
            arrays[name] = pyarrow.array([None if c is ABSENT else _cell_text(c) for c in cells])
            as_json.append(name)
    arrow = pyarrow.table(arrays).replace_schema_metadata({_JSON_COLUMNS: json.dumps(as_json)})
    pyarrow.parquet.write_table(arrow, file)
    return len(kept)


def _has_one_type(cells: Sequence[Any]) -> bool:
    """Returns whether all leaves have the same type and Parquet has that type."""
    kinds = {type(cell) for cell in cells if cell is not ABSENT}
    if kinds == {int}:
        return all(cell is ABSENT or -(2**63) <= cell < 2**63 for cell in cells)
    return len(kinds) == 1 and kinds <= {str, bool, float}


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingPackage(
            "Parquet and Arrow need pyarrow: pip install 'tta-memory-nb[parquet]'"
        ) from None
    return pyarrow


# ---------------------------------------------------------------- pandas


class DataFrame(Protocol):
    """The attributes of a pandas DataFrame that this module uses; it does not import pandas."""

    attrs: dict[Any, Any]
    index: Any

    def __len__(self) -> int: ...

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Yields the columns with their names."""
        ...


def read_frame(frame: DataFrame, options: Options) -> Iterator[Item]:
    """Yields the records of a pandas DataFrame, whose key may be the index.

    NaN, NA and NaT mean that the record lacks the field. None is JSON's null in a column of type object,
    the only type that preserves None. The package's own tables show the newest record first, so their rows are
    read in reverse, and the first row becomes the newest record again.
    """
    noted = frame.attrs.get(PATHS_ATTR)
    paths = None
    if isinstance(noted, dict):
        paths = {name: tuple(path) for name, path in noted.items()}
    columns = [(str(name), column) for name, column in frame.items()]
    if frame.index.name == options.key and options.key not in dict(columns):
        columns.insert(0, (options.key, frame.index))
    rows = _rows("DataFrame", [name for name, _ in columns], options, paths)
    change = unportable if rows.is_own else _same
    cells = [_pandas_cells(column, change) for _, column in columns]
    placed = list(enumerate(zip(*cells, strict=True), start=1))
    for number, row in reversed(placed) if rows.is_own else placed:
        yield f"row {number}", attempt(rows.record, row)


def _same(leaf: Any) -> Any:
    return leaf


def _pandas_cells(column: Any, change: Callable[[Any], Any]) -> Iterator[Any]:
    cells = column.tolist()
    null = None if column.dtype == object else ABSENT
    if str(column.dtype) in ("float64", "float32") and _were_integers(cells):
        cells = [cell if math.isnan(cell) else int(cell) for cell in cells]
    for cell in cells:
        if cell is None:
            yield null
        elif _is_missing(cell):
            yield ABSENT
        else:
            yield change(_plain(cell))


def _were_integers(cells: Sequence[float]) -> bool:
    """Returns whether pandas turned integers into floats because other cells are missing.

    pandas does so in columns without a nullable type; `records_frame` uses only nullable types. Every
    float beyond 2**53 is whole, so such floats prove nothing.
    """
    present = [cell for cell in cells if not math.isnan(cell)]
    return len(present) < len(cells) and all(
        cell.is_integer() and abs(cell) <= 2**53 for cell in present
    )


def _is_missing(cell: Any) -> bool:
    if isinstance(cell, float):
        return math.isnan(cell)
    return type(cell).__name__ in ("NAType", "NaTType")


def _plain(cell: Any, depth: int = 0) -> Any:
    """Returns a cell with lists in place of NumPy arrays, which pandas makes of lists in Parquet files."""
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    if depth > MAX_DEPTH:
        return cell  # too deep to be stored, which is said when it is
    if isinstance(cell, list):
        return [_plain(child, depth + 1) for child in cell]
    if isinstance(cell, dict):
        return {name: _plain(child, depth + 1) for name, child in cell.items()}
    return cell
