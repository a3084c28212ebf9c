"""Import and export: what comes back, what is refused and why, and what undo restores."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.parquet
import pydantic
import pytest
from backends import Clock
from hypothesis import given
from json_values import any_text, pieces
from record_values import NOW, exact, facts, records, stored

from tta_memory_nb import (
    CapacityExceeded,
    InvalidArgument,
    MemoryPrimitive,
    MemoryRecord,
    MissingPackage,
    TransferError,
    create_memory_key,
    parse_memory_key,
)
from tta_memory_nb.frames import records_frame
from tta_memory_nb.text import fold
from tta_memory_nb.transfer import ImportReport, write_file
from tta_memory_nb.transfer.items import Options
from tta_memory_nb.transfer.tables import read_csv, write_csv

FORMATS = ["jsonl", "csv", "parquet"]


def new_memory(max_size: int = 100, namespace: str = "default") -> MemoryPrimitive:
    return MemoryPrimitive(max_size=max_size, namespace=namespace, clock=Clock(NOW))


def imported(source: Any, *args: Any, **options: Any) -> tuple[MemoryPrimitive, ImportReport]:
    memory = new_memory()
    return memory, memory.sync.import_(source, *args, **options)


def values_of(source: Any, *args: Any, **options: Any) -> dict[str, Any]:
    memory, _ = imported(source, *args, **options)
    return {record.key: record.value for record in memory.sync.records()}


def refused(source: Any, *args: Any, **options: Any) -> TransferError:
    """The error of an import that must leave the memory as it was."""
    memory = new_memory()
    memory.sync.add("before", {"x": 1})
    before = stored(memory)
    with pytest.raises(TransferError) as caught:
        memory.sync.import_(source, *args, **options)
    assert stored(memory) == before
    return caught.value


def written(path: Path, content: bytes | str | dict | list) -> Path:
    """A file with bytes, with text, or with JSON."""
    if not isinstance(content, (bytes, str)):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# ---------------------------------------------------------------- round trips


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_exported_is_imported_again_exactly(suffix, tmp_path):
    path = tmp_path / f"memory.{suffix}"

    @given(records())
    def check(made):
        memory, _ = imported(made)
        assert memory.sync.export(path) == len(made)
        again, report = imported(path)
        assert report.added == len(made)
        assert stored(again) == stored(memory) == facts(made)

    check()


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_export_is_packed_when_its_name_ends_in_gz(suffix, tmp_path):
    made = [MemoryRecord("ann:mon", {"text": "x", "list": [1]}, "n", 1.5, 2.5)]
    path = tmp_path / f"memory.{suffix}.gz"
    write_file(path, None, made)
    assert path.read_bytes().startswith(b"\x1f\x8b")
    assert stored(imported(path)[0]) == facts(made)


def test_jsonl_keeps_instants_that_are_finer_than_a_microsecond(tmp_path):
    record = MemoryRecord("k", {"x": 1}, "n", 0.1 + 0.2, 1 / 3, NOW + 1 / 7)
    memory, _ = imported([record])
    memory.sync.export(tmp_path / "a.jsonl")
    assert stored(imported(tmp_path / "a.jsonl")[0]) == facts([record])


def test_jsonl_tells_the_namespace_and_a_record_goes_where_it_is_imported(tmp_path):
    memory = new_memory(namespace="tenant")
    memory.sync.add("k", {"x": 1})
    memory.sync.export(tmp_path / "a.jsonl")
    assert json.loads((tmp_path / "a.jsonl").read_text())["namespace"] == "tenant"
    again, _ = imported(tmp_path / "a.jsonl")
    assert [record.namespace for record in again.sync.records()] == ["default"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_of_nothing_imports_as_nothing(format, tmp_path):
    path = tmp_path / f"a.{format}"
    assert new_memory().sync.export(path) == 0
    memory, report = imported(path)
    assert (report.added, report.problems, memory.size()) == (0, (), 0)


@pytest.mark.parametrize("format", FORMATS)
def test_records_that_were_in_no_memory_are_written_without_instants(format, tmp_path):
    path = tmp_path / f"a.{format}"
    assert write_file(path, None, [MemoryRecord("k", {"x": 1})]) == 1
    memory, _ = imported(path)
    assert stored(memory) == facts([MemoryRecord("k", {"x": 1}, "n", NOW, NOW)])


def test_equal_memories_make_equal_files(tmp_path):
    memory, _ = imported([{"role": "user", "content": "hi"}])
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        memory.sync.export(tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_the_order_of_recency_survives(tmp_path):
    memory = new_memory()
    memory.sync.add_many({"a": {}, "b": {}, "c": {}})
    memory.sync.get("a")
    memory.sync.export(tmp_path / "a.jsonl")
    assert imported(tmp_path / "a.jsonl")[0].sync.keys() == ["b", "c", "a"]


# ---------------------------------------------------------------- CSV


def test_a_csv_cell_means_what_it_reads_as(tmp_path):
    text = 'key,a,b,c,d,e,f,g\n007,3,"""3""",007,,null,"[1, {""x"": 2}]",NaN\n'
    assert values_of(written(tmp_path / "a.csv", text)) == {
        "007": {"a": 3, "b": "3", "c": "007", "e": None, "f": [1, {"x": 2}], "g": "NaN"}
    }


@pytest.mark.parametrize("text", ["1e999", "-1e999", "[1e999]", "Infinity", "-Infinity", "[1", "-"])
def test_a_csv_cell_that_json_cannot_hold_is_text(text, tmp_path):
    assert values_of(written(tmp_path / "a.csv", f"key,x\nk,{text}\n")) == {"k": {"x": text}}


@given(any_text, any_text.filter(bool))
def test_a_spreadsheet_finds_no_formula_in_an_export(start, user):
    made = [
        MemoryRecord(f"{formula}{user}:s", {f"{formula}{start}": f"{formula}{start}"})
        for formula in "=+-@\t\r"
    ]
    file = io.BytesIO()
    write_csv(file, made)
    for row in csv.reader(io.StringIO(file.getvalue().decode(), newline="")):
        assert not [cell for cell in row if cell.startswith(tuple("=+-@\t\r"))]


def test_csv_of_other_programs_is_read(tmp_path):
    table = b'\xef\xbb\xbfid,agent.name,note\r\n7,Ann,"two\r\nlines"\r\n\r\n8,Bob,\r\n'
    assert values_of(written(tmp_path / "a.csv", table), key="id") == {
        "7": {"agent": {"name": "Ann"}, "note": "two\r\nlines"},
        "8": {"agent": {"name": "Bob"}},
    }


def test_a_csv_cell_may_be_longer_than_the_csv_module_likes(tmp_path):
    long = "x" * 200_000
    assert values_of(written(tmp_path / "a.csv", f"key,x\nk,{long}\n")) == {"k": {"x": long}}


def test_an_import_that_ends_leaves_long_cells_to_the_others(tmp_path):
    csv.field_size_limit(131_072)
    path = written(tmp_path / "a.csv", f"key,x\na,1\nb,{'x' * 200_000}\n")
    first, second = read_csv(path, Options()), read_csv(path, Options())
    next(first), next(second)
    assert [type(record) for _, record in [*first, *second]] == [MemoryRecord, MemoryRecord]


def test_broken_csv_rows_are_told_by_their_lines(tmp_path):
    rows = [
        b"key,a,b",
        b"good,1,2",
        b'"k",1',
        b"k,1,2,3",
        b"k,caf\xe9,2",
        b",1,2",
        b'k,"x"y,2',
        b'"two\nlines",1,2',
        b'k,"never closed,2',
    ]
    error = refused(written(tmp_path / "a.csv", b"\n".join(rows)))
    assert error.problems == (
        "line 3: 2 cells, but the header has 3 columns",
        "line 4: 4 cells, but the header has 3 columns",
        "line 5: not UTF-8 at byte 6",
        "line 6: nothing in column 'key', so it has no key",
        "line 7: not CSV: ',' expected after '\"'",
        "line 10: not CSV: unexpected end of data",
    )
    memory, report = imported(tmp_path / "a.csv", on_error="skip")
    assert (memory.sync.keys(), report.problems) == (["good", "two\nlines"], error.problems)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.csv, line 1: no header with names of columns"),
        (b"\n\n", "a.csv, line 1: no header with names of columns"),
        (b"a,b\n1,2\n", "a.csv: no column 'key' among 'a', 'b'; name the one that holds the keys"),
        (b"key,a,a\n1,2,3\n", "a.csv: the column 'a' appears twice"),
        (b"\xff\xfek\x00e\x00", "a.csv, line 1: not UTF-8 at byte 1"),
        (b'"key\n', "a.csv, line 1: not CSV: unexpected end of data"),
    ],
)
def test_a_csv_file_without_a_usable_header_is_refused(content, message, tmp_path):
    assert message in str(refused(written(tmp_path / "a.csv", content)))


# ---------------------------------------------------------------- Parquet, Arrow, DataFrames


def test_parquet_keeps_the_types_of_columns_for_other_tools(tmp_path):
    memory = new_memory()
    memory.sync.add("ann:mon", {"i": 1, "f": 1.5, "b": True, "t": "3", "mixed": 1, "l": [1]})
    memory.sync.add("ann:tue", {"i": 2, "mixed": "x"})
    memory.sync.export(tmp_path / "a.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    texts = ("key", "user", "session", "t", "mixed", "l")
    assert types == {
        **dict.fromkeys(texts, "string"),
        **dict.fromkeys(("created", "updated", "expires"), "timestamp[us, tz=UTC]"),
        "i": "int64",
        "f": "double",
        "b": "bool",
    }
    assert table.column("i").to_pylist() == [1, 2]


def test_parquet_written_by_pandas_from_an_edited_frame_is_imported(tmp_path):
    from tta_memory_nb.frames import records_frame

    made = [
        MemoryRecord("ann:mon", {"turn": 1, "text": "x"}, "n", 1.5, 2.5),
        MemoryRecord("ann:tue", {"text": "y"}, "n", 1.5, 2.5),
    ]
    records_frame(made).to_parquet(tmp_path / "a.parquet")
    assert stored(imported(tmp_path / "a.parquet")[0]) == facts(made)
    frame = pd.read_parquet(tmp_path / "a.parquet")
    # A frame shows the newest record first, a file the oldest.
    assert stored(imported(frame)[0]) == facts(made[::-1])


def test_lists_that_pandas_reads_as_arrays_are_lists_again(tmp_path):
    table = pyarrow.table({"key": ["a"], "tags": [["x", "y"]], "deep": [[{"n": [1, 2]}]]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    expected = {"a": {"tags": ["x", "y"], "deep": [{"n": [1, 2]}]}}
    assert values_of(pd.read_parquet(tmp_path / "a.parquet")) == expected
    assert values_of(tmp_path / "a.parquet") == expected


def test_a_table_of_any_library_that_speaks_arrow_is_imported():
    table = pyarrow.table({"id": [1, 2], "x": [None, 3]})
    assert values_of(table, key="id") == {"1": {}, "2": {"x": 3}}


def test_a_dataframe_of_others_is_imported_with_its_key_column_or_named_index():
    frame = pd.DataFrame({"id": [1, 2], "text": ["x", None], "at": pd.Timestamp("2026-01-02")})
    expected = {
        "1": {"text": "x", "at": "2026-01-02T00:00:00"},
        "2": {"at": "2026-01-02T00:00:00"},
    }
    assert values_of(frame, key="id") == expected
    assert values_of(frame.set_index("id"), key="id") == expected


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1]}), "DataFrame: no column 'key' among 'a'; name the one"),
        (
            pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="id")),
            "DataFrame: no column 'key' among 'a'; name the one",
        ),
        (pd.DataFrame([[1, 2, 3]], columns=["key", "a", "a"]), "the column 'a' appears twice"),
        (pd.DataFrame([[1, 2, 3]], columns=["key", "1", 1]), "the column '1' appears twice"),
        (pyarrow.table({"a": [1]}), "Table: no column 'key' among 'a'"),
    ],
)
def test_a_table_without_a_usable_header_is_refused(frame, message):
    assert message in str(refused(frame))


def test_broken_rows_of_a_dataframe_are_told_by_their_places():
    frame = pd.DataFrame({"key": ["a", None, "c"], "x": [1, 2, {3}]}, dtype=object)
    assert refused(frame).problems[0] == "row 2: nothing in column 'key', so it has no key"
    assert refused(frame).problems[1].startswith("row 3: value['x']: <set> is not JSON")


def test_broken_rows_of_parquet_are_told_by_their_places(tmp_path):
    table = pyarrow.table({"key": ["a", None], "x": [1, 2]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    problem = "row 2: nothing in column 'key', so it has no key"
    assert refused(tmp_path / "a.parquet").problems == (problem,)


@pytest.mark.parametrize(
    "column",
    [
        pyarrow.array([10**12], pyarrow.timestamp("s")),
        pyarrow.array([b"\xff"]).view(pyarrow.string()),
    ],
    ids=["year", "text"],
)
def test_what_arrow_holds_and_python_cannot_is_refused_by_its_column(column, tmp_path):
    table = pyarrow.table({"key": ["a"], "odd": column})
    assert "Table: cannot read column 'odd'" in str(refused(table))
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert "a.parquet" in str(refused(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.Series([1]), "<Series> is no table; use .to_frame()"),
        (pyarrow.array([1]), "cannot import from <Int64Array>: it is no table"),
        (pyarrow.chunked_array([[1]]), "cannot import from <ChunkedArray>: it is no table"),
    ],
    ids=["pandas", "array", "chunks"],
)
def test_a_single_column_is_refused_as_no_table(column, message):
    assert message in str(refused(column))


def test_nan_in_arrow_means_what_it_means_in_a_dataframe(tmp_path):
    table = pyarrow.table({"key": ["a", "b"], "x": [float("nan"), 0.5]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    expected = {"a": {}, "b": {"x": 0.5}}
    assert values_of(table) == values_of(tmp_path / "a.parquet") == expected
    assert values_of(table.to_pandas()) == expected


def test_only_numbers_that_were_integers_become_integers_again():
    frame = pd.DataFrame({"key": ["a", "b"], "x": [1e300, None], "n": [3.0, None]})
    memory, _ = imported(frame)
    assert exact(memory.sync.get("a")) == '{"n": 3, "x": 1e+300}'


def test_parquet_without_pyarrow_names_the_way_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match=r"pip install 'tta-memory-nb\[parquet\]'"):
        new_memory().sync.export(tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- JSON Lines


def test_any_object_with_a_key_is_a_record(tmp_path):
    lines = '\ufeff{"id": "a", "x": 1, "value": {}}\n\n  {"id": 7, "y": 2}\n'
    assert values_of(written(tmp_path / "a.jsonl", lines), key="id") == {
        "a": {"x": 1, "value": {}},
        "7": {"y": 2},
    }


def test_an_expiry_a_key_or_instants_can_be_left_out_of_a_record(tmp_path):
    lines = (
        '{"key": "a", "value": {}}\n'
        '{"key": "b", "value": {}, "created_at": 1}\n'
        '{"key": "c", "value": {}, "updated_at": "1970-01-01T00:00:02Z"}\n'
        '{"key": "d", "value": {}, "created_at": 0, "updated_at": 0}\n'
    )
    memory, _ = imported(written(tmp_path / "a.ndjson", lines))
    times = {record.key: (record.created_at, record.updated_at) for record in memory.sync.records()}
    assert times == {"a": (NOW, NOW), "b": (1, 1), "c": (2, 2), "d": (0, 0)}


def test_broken_lines_are_told_by_their_numbers(tmp_path):
    lines = [
        b'{"key": "a", "value": {"x": 1}}',
        b'{"key": "b", "value": {"x": 1}',
        b"",
        b"[1]",
        b'{"x": 1}',
        b'{"key": "", "value": {}}',
        b'{"key": "c", "value": {"x": NaN}}',
        b'{"key": "d", "value": "text"}',
        b'{"key": "e", "value": {}, "updated_at": "soon"}',
        b'{"key": "caf\xe9", "value": {}}',
        b'{"key": ' + b"1" * 5000 + b"}",
        b"[" * 100_000,
    ]
    error = refused(written(tmp_path / "a.jsonl", b"\n".join(lines)))
    starts = [
        "line 2: not JSON: Expecting ',' delimiter at column 31",
        "line 4: expected an object, found [1]",
        "line 5: no 'key' in this object; it has 'x'",
        "line 6: key='': a key is a non-empty str",
        "line 7: value['x']: nan is not JSON",
        "line 8: value: <str> is not a JSON object",
        "line 9: updated_at='soon': give a datetime",
        "line 10: not UTF-8 at byte 13",
        "line 11: not JSON that can be read: Exceeds the limit",
        "line 12: not JSON that can be read: maximum recursion depth",
    ]
    assert [p[: len(s)] for p, s in zip(error.problems, starts, strict=True)] == starts
    assert "a.jsonl: 10 of 11 records cannot be read, so nothing was imported" in str(error)
    memory, report = imported(tmp_path / "a.jsonl", on_error="skip")
    assert (report.added, report.problems, memory.sync.keys()) == (1, error.problems, ["a"])


def test_of_many_problems_the_message_shows_the_first_and_the_error_holds_all(tmp_path):
    error = refused(written(tmp_path / "a.jsonl", "x\n" * 1234))
    assert "1,234 of 1,234 records" in str(error)
    assert str(error).count("\n  line ") == 10
    assert "\n  ... and 1,224 more\n" in str(error)
    assert len(error.problems) == 1234


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "json", "parquet"])
def test_garbage_is_refused_in_every_format(suffix, tmp_path):
    error = refused(written(tmp_path / f"a.{suffix}", bytes(range(255, 0, -1)) * 20))
    assert f"a.{suffix}" in str(error)
    assert "not UTF-8 at byte 1" in str(error) or "Parquet magic bytes not found" in str(error)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "json", "parquet"])
@pytest.mark.parametrize("damage", ["cut", "spoilt"])
def test_a_damaged_gzip_is_refused_in_every_format(suffix, damage, tmp_path):
    data = bytearray(gzip.compress(os.urandom(5000)))
    if damage == "cut":
        del data[2000:]
    else:
        data[1500:1600] = b"\xff" * 100
    error = refused(written(tmp_path / f"a.{suffix}.gz", bytes(data)))
    assert f"a.{suffix}.gz" in str(error)


def test_a_cut_gzip_is_told_as_such(tmp_path):
    lines = b'{"key": "a", "value": {}}\n' * 1000
    error = refused(written(tmp_path / "a.jsonl.gz", gzip.compress(lines)[:-20]), on_error="skip")
    assert "cannot read" in str(error)
    assert "ended before the end-of-stream marker" in str(error)


def test_gzip_is_told_by_its_content_and_not_by_its_name(tmp_path):
    line = b'{"key": "a", "value": {}}\n'
    assert values_of(written(tmp_path / "a.jsonl", gzip.compress(line))) == {"a": {}}
    assert values_of(written(tmp_path / "b.jsonl.gz", line)) == {"a": {}}


@pytest.mark.parametrize("suffix", ["json", "parquet", "csv"])
def test_an_empty_file_is_refused_where_it_is_no_file_of_its_format(suffix, tmp_path):
    error = refused(written(tmp_path / f"a.{suffix}", b""))
    assert any(word in str(error) for word in ("is empty", "0 bytes", "no header"))


def test_an_empty_jsonl_file_holds_no_records(tmp_path):
    assert imported(written(tmp_path / "a.jsonl", b""))[1] == ImportReport(0, 0)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.jsonl", "cannot read 'missing.jsonl': no such file, nor a dataset of that name"),
        ("chitchatt", "nor a dataset of that name (chitchat)"),
        ("folder.csv", "cannot read 'folder.csv': it is a directory"),
        (
            "notes.txt",
            "'notes.txt': the suffix .txt tells no known format; give format= (in %memory: --format) one of",
        ),
        ("notes", "'notes' has no suffix that tells its format"),
        ("", "'' does not name a file"),
        (".", "'.' does not name a file"),
        ("a\0b.csv", "'a\\x00b.csv' does not name a file"),
        (b"bytes", "cannot import from <bytes>"),
        (5, "cannot import from <int>"),
        ("~nobody-here/a.csv", "'~nobody-here/a.csv': no such user, or no home directory"),
        (None, "cannot import from <NoneType>"),
    ],
)
def test_a_source_that_cannot_be_is_refused_by_name(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder.csv").mkdir()
    written(Path("notes.txt"), "x")
    written(Path("notes"), "x")
    assert message in str(refused(source))


def test_a_format_can_be_named_and_must_be_known(tmp_path):
    path = written(tmp_path / "notes.txt", '{"key": "a", "value": {}}')
    assert values_of(path, "jsonl") == {"a": {}}
    assert "format='xml' is not known; give format= (in %memory: --format) one of 'jsonl'" in str(
        refused(path, "xml")
    )
    for wrong in (5, ["jsonl"], {}, ""):
        assert f"format={wrong!r} is not known" in str(refused(path, wrong))
    with pytest.raises(TransferError, match=r"suffix \.json tells no known format"):
        new_memory().sync.export(tmp_path / "a.json")


def test_a_file_of_the_name_of_a_dataset_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(Path("chitchat"), "key,x\na,1\n")
    assert values_of("chitchat", "csv") == {"a": {"x": 1}}


def test_a_folder_of_the_name_of_a_dataset_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("chitchat").mkdir()
    with pytest.raises(CapacityExceeded, match="258,145 records do not fit"):
        imported("chitchat")


@pytest.mark.parametrize("path", [None, 5, b"a.jsonl"])
def test_what_is_no_path_is_refused_by_name(path):
    with pytest.raises(TransferError, match=f"{path!r} does not name a file"):
        new_memory().sync.export(path, "jsonl")


def test_a_home_directory_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    memory, _ = imported([MemoryRecord("a", {"x": 1})])
    memory.sync.export("~/a.jsonl")
    assert values_of("~/a.jsonl") == {"a": {"x": 1}}


def disk_full(*_: object) -> None:
    raise OSError(28, "disk full")


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(format, tmp_path, monkeypatch):
    path = written(tmp_path / f"a.{format}", "old")
    monkeypatch.setattr(Path, "replace", disk_full)
    with pytest.raises(TransferError, match=r"cannot write .*: disk full"):
        write_file(path, None, [MemoryRecord("k", {"x": 1})])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_value_that_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path):
    path = written(tmp_path / "a.jsonl", "old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_file(path, None, [MemoryRecord("k", {"x": float("nan")})])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv.gz"])
def test_an_export_goes_into_a_pipe_and_leaves_it_in_its_place(name, tmp_path):
    path = tmp_path / name
    os.mkfifo(path)
    # Open for both, so that neither side waits for the other.
    end = os.open(path, os.O_RDWR)
    try:
        made = [MemoryRecord("a", {"x": 1})]
        assert write_file(path, None, made) == 1
        assert path.is_fifo()
        content = os.read(end, 10_000)
    finally:
        os.close(end)
    assert list(tmp_path.iterdir()) == [path]
    path.unlink()
    assert values_of(written(path, content)) == {"a": {"x": 1}}


def test_a_file_name_may_be_as_long_as_names_can_be(tmp_path):
    path = tmp_path / f"{'a' * 249}.jsonl"
    write_file(path, None, [MemoryRecord("a", {"x": 1})])
    assert values_of(path) == {"a": {"x": 1}}


@pytest.mark.parametrize("target", ["missing/a.jsonl", "file/a.jsonl", "folder.jsonl"])
def test_a_file_that_cannot_be_written_is_refused_by_name(target, tmp_path):
    written(tmp_path / "file", "x")
    (tmp_path / "folder.jsonl").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TransferError, match=f"cannot write .*{target}"):
        new_memory().sync.export(tmp_path / target)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_export_keeps_the_link_and_the_permissions_it_finds(tmp_path):
    real = written(tmp_path / "real.jsonl", "old")
    real.chmod(0o640)
    link = tmp_path / "link.jsonl"
    link.symlink_to(real)
    new_memory().sync.export(link)
    assert link.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("", 0o640)


# ---------------------------------------------------------------- chat


def test_a_list_of_messages_is_one_conversation():
    messages = [
        {"role": "user", "content": "Hi", "timestamp": "2026-01-02T03:04:05Z"},
        {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
    ]
    memory, report = imported(messages, session="mon")
    assert report.added == 2
    hello, hi = memory.sync.records()
    assert hi.key == create_memory_key("user", "mon", {"turn": 0})
    assert hi.value == {"turn": 0, **messages[0]}
    assert (
        hi.created_at == hi.updated_at == datetime.fromisoformat("2026-01-02T03:04:05Z").timestamp()
    )
    assert (hello.user, hello.session, hello.updated_at) == ("assistant", "mon", NOW)


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_with_a_conversation_gives_it_its_name(suffix, wrapped, tmp_path):
    messages = [{"role": "user", "content": "Hi"}]
    data = json.dumps({"messages": messages, "model": "m"} if wrapped else messages).encode()
    path = tmp_path / f"2026.01.02 call{suffix}"
    memory, _ = imported(written(path, gzip.compress(data) if "gz" in suffix else data))
    assert [record.session for record in memory.sync.records()] == ["2026.01.02 call"]
    memory, _ = imported(path, session="mon", user="ann")
    assert [(record.user, record.session) for record in memory.sync.records()] == [("ann", "mon")]


def test_conversations_by_name_come_in_every_form_that_is_about(tmp_path):
    def said(text):
        return {"sender": "ann", "text": text}

    content = {
        "list": [said("a"), said("b")],
        "object": {"messages": [said("c")], "rating": 5},
        "grouped": {"messages": [[said("d"), said("e")], [said("f")]]},
    }
    for source in (content, written(tmp_path / "a.json", content)):
        memory, report = imported(source)
        assert report.added == 6
        found = [(r.session, r.value["turn"], r.value["text"]) for r in memory.sync.records()]
        assert found[::-1] == [
            *(("list", 0, "a"), ("list", 1, "b"), ("object", 0, "c")),
            *(("grouped", 0, "d"), ("grouped", 1, "e"), ("grouped", 2, "f")),
        ]


def test_a_transcript_imported_again_and_longer_only_adds_what_is_new():
    messages = [{"role": "user", "content": str(turn)} for turn in range(3)]
    memory, _ = imported(messages)
    report = memory.sync.import_([*messages, {"role": "user", "content": "3"}])
    assert (report.added, report.updated, memory.size()) == (1, 3, 4)


@pytest.mark.parametrize("name", ["messages", "conversations"])
def test_conversations_in_a_list_are_called_by_their_ids_or_numbered(name, tmp_path):
    said = {"from": "human", "value": "Hi"}
    content = [{name: [said]}, {"id": "mon", name: (said,)}, {"id": 7, name: [[said], said]}]
    expected = ["a-1", "mon", "7", "7"]
    lines = "\n".join(map(json.dumps, content))
    for source, options in (
        (content, {"session": "a"}),
        (written(tmp_path / "a.json", content), {}),
        (written(tmp_path / "a.jsonl", lines), {}),
        (written(tmp_path / "a.jsonl.gz", gzip.compress(lines.encode())), {}),
        ({name: content}, {"session": "a"}),
    ):
        memory, report = imported(source, **options)
        assert report.added == 4
        found = memory.sync.records()[::-1]
        assert [record.session for record in found] == expected
        assert found[-1].value == {"turn": 1, **said}


def test_broken_messages_of_conversations_in_a_list_are_told_by_their_places(tmp_path):
    content = [{"messages": [{"role": "user"}, 5]}]
    assert refused(content).problems[0].startswith("conversation 1, message 2: expected")
    path = written(tmp_path / "a.jsonl", json.dumps(content[0]))
    assert refused(path).problems[0].startswith("line 1, message 2: expected")


def test_a_conversation_under_its_other_name_is_one(tmp_path):
    memory, _ = imported({"conversations": [{"from": "human", "value": "Hi"}]}, session="mon")
    assert [(r.user, r.session) for r in memory.sync.records()] == [("human", "mon")]


def test_message_objects_are_taken_as_the_json_they_stand_for():
    class Said(pydantic.BaseModel):
        type: str
        content: str

    memory, _ = imported([Said(type="human", content="Hi"), (Said(type="ai", content="Yes"),)])
    assert [(r.user, r.value) for r in memory.sync.records()] == [
        ("ai", {"turn": 1, "type": "ai", "content": "Yes"}),
        ("human", {"turn": 0, "type": "human", "content": "Hi"}),
    ]


def test_an_object_of_a_list_comes_under_the_key_it_has(tmp_path):
    row = {"key": "mykey", "user": "bob", "text": "hi"}
    expected = {"mykey": {"user": "bob", "text": "hi"}}
    assert values_of([row]) == values_of(written(tmp_path / "a.json", [row])) == expected
    # A message may have a field of that name; who names one means it.
    message = {"key": 1, "role": "user"}
    assert list(values_of([message])) == [create_memory_key("user", "chat", {"turn": 0})]
    assert values_of([{"id": 1, "role": "user"}], key="id") == {"1": {"role": "user"}}
    assert "no 'id' in this object" in refused([message], key="id").problems[0]


def test_a_table_as_json_comes_back_under_its_own_keys(tmp_path):
    memory, _ = imported([MemoryRecord("ann:mon", {"x": 1}), MemoryRecord("b", {"y": "z"})])
    path = tmp_path / "a.json"
    records_frame(memory.sync.records()).reset_index().to_json(
        path, orient="records", date_format="iso"
    )
    assert sorted(values_of(path)) == ["ann:mon", "b"]


@pytest.mark.parametrize(
    "field", ["user", "user_id", "sender", "speaker", "name", "role", "author", "from", "type"]
)
def test_the_sender_is_found_under_its_usual_names(field):
    memory, _ = imported([{field: "ann", "text": "x"}])
    assert [record.user for record in memory.sync.records()] == ["ann"]


def test_ids_with_colons_make_keys_that_can_be_taken_apart():
    memory, _ = imported({"2026-01-02 10:30": [{"role": "a:b", "text": "x"}]})
    assert [(r.user, r.session) for r in memory.sync.records()] == [("a_b", "2026-01-02 10_30")]


def test_turns_whose_keys_would_be_equal_are_kept_apart():
    # "a:b" and "a_b" become one user, and their messages meet in the same turns.
    memory, report = imported({"x:y": [{"role": "a", "n": 1}], "x_y": [{"role": "a", "n": 2}]})
    assert (report.added, report.repeated) == (2, 0)
    assert [record.value["n"] for record in memory.sync.records()] == [2, 1]


@pytest.mark.parametrize(
    ("written_time", "at"),
    [
        ("2018-05-02T19:38:15Z", 1525289895.0),
        (1525289895, 1525289895.0),
        (1525289895.25, 1525289895.25),
        ("1525289895.000200", 1525289895.0002),
        (1525289895250, 1525289895.25),
        ("1525289895250", 1525289895.25),
        (12.5, NOW),
        ("15m", NOW),
        ("1:56 pm on 8 May, 2023", NOW),
        (True, NOW),
        ({"seconds": 1}, NOW),
        (None, NOW),
        (10**400, NOW),
    ],
    ids=repr,
)
def test_the_instant_of_a_message_is_taken_where_one_is_written(written_time, at):
    memory, _ = imported([{"role": "user", "ts": written_time}])
    assert [record.updated_at for record in memory.sync.records()] == [at]


def test_the_first_field_that_tells_a_time_counts():
    memory, _ = imported([{"role": "user", "timestamp": "soon", "date": "2026-01-02"}])
    assert (
        memory.sync.records()[0].updated_at == datetime.fromisoformat("2026-01-02T00Z").timestamp()
    )


def test_broken_messages_are_told_by_their_places():
    content = {
        "mon": [{"role": "user", "text": "x"}, "hello", {"text": "y"}],
        "tue": "no list",
        "wed": {"title": "x"},
        "": [{"role": "user"}],
    }
    user = "give one with user="
    senders = "user, user_id, sender, speaker, name, role, author, from, type"
    hint = "{'role': ..., 'content': ...}"
    assert refused(content).problems == (
        f"conversation 'mon', message 2: expected a message such as {hint}, found 'hello'",
        f"conversation 'mon', message 3: no sender: none of {senders} holds a name; {user}",
        "conversation 'tue': expected a list of messages, found 'no list'",
        "conversation 'wed': expected a list of messages, found {'title': 'x'}",
        "conversation '', message 1: the name of the conversation is empty; give it one",
    )
    memory, report = imported(content, on_error="skip")
    assert (memory.size(), len(report.problems)) == (1, 5)
    named, _ = imported(content["mon"][2:], user="ann")
    assert [record.user for record in named.sync.records()] == ["ann"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.json: the file is empty"),
        (b" \n", "a.json: the file is empty"),
        (b"5", "a.json: expected a list of messages or conversations by name, found 5"),
        (b"[1,\n2", "a.json: not JSON: Expecting ',' delimiter at line 2"),
        (b'"\xff"', "a.json: not UTF-8 at byte 2"),
    ],
)
def test_a_json_file_that_holds_no_chat_is_refused(content, message, tmp_path):
    assert message in str(refused(written(tmp_path / "a.json", content)))


# ---------------------------------------------------------------- records and options


def test_records_and_their_own_form_can_be_mixed_in_a_list(tmp_path):
    memory = new_memory()
    memory.sync.add("a", {"text": "x"})
    (hit,) = memory.sync.search_records("x")
    as_object = {name: getattr(hit, name) for name in ("value", "score", "matches", "updated_at")}
    content = [hit, {"key": "b", **as_object}, {"role": "user"}, [{"role": "user"}]]
    again, _ = imported(iter(content))
    assert [(r.key.split(":")[0], r.value) for r in reversed(again.sync.records())] == [
        *(("a", {"text": "x"}), ("b", {"text": "x"})),
        *(("user", {"turn": 0, "role": "user"}), ("user", {"turn": 1, "role": "user"})),
    ]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (MemoryRecord("", {}), "record 1: key=''"),
        (MemoryRecord("k", {"x": {1}}), "record 1: value['x']: <set> is not JSON"),
        (MemoryRecord("k", {}, updated_at=float("nan")), "record 1: updated_at=nan"),
        (MemoryRecord("k", {}, expires_at=1e20), "record 1: expires_at=1e+20"),
    ],
)
def test_a_record_that_no_memory_could_hold_is_refused(record, problem):
    assert refused([record]).problems[0].startswith(problem)


def test_the_instants_of_a_record_may_be_written_in_any_way():
    at = datetime(2026, 1, 2, tzinfo=timezone.utc)
    made = MemoryRecord("a", {}, "n", at, "2026-01-02", "2100-01-01")
    memory, _ = imported([made, MemoryRecord("b", {}, "n", None, None)])
    later = datetime(2100, 1, 1, tzinfo=timezone.utc).timestamp()
    assert stored(memory) == facts(
        [
            MemoryRecord("a", {}, "n", at.timestamp(), at.timestamp(), later),
            MemoryRecord("b", {}, "n", NOW, NOW),
        ]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "ignore"}, "on_error='ignore': give 'raise' or 'skip'"),
        ({"key": ""}, "key='': give non-empty text"),
        ({"key": None}, "key=None: give non-empty text"),
        ({"user": 5}, "user=5: give non-empty text"),
        ({"session": ""}, "session='': give non-empty text"),
    ],
)
def test_an_option_that_means_nothing_is_refused(options, message):
    with pytest.raises(InvalidArgument) as caught:
        imported([], **options)
    assert str(caught.value) == message


def test_an_import_never_brings_back_what_has_expired():
    made = [
        MemoryRecord("over", {}, "n", 1.0, 1.0, NOW),
        MemoryRecord("still", {}, "n", 1.0, 1.0, NOW + 0.001),
        MemoryRecord("replaced, then over", {"x": 1}, "n", 1.0, 1.0),
        MemoryRecord("replaced, then over", {"x": 2}, "n", 1.0, 2.0, 3.0),
    ]
    memory, report = imported(made)
    assert memory.sync.keys() == ["still"]
    assert (report.added, report.expired, report.repeated) == (1, 2, 1)


def test_of_records_with_one_key_the_later_counts():
    made = [MemoryRecord(key, {"n": n}) for n, key in enumerate("aba")]
    memory, report = imported(made)
    assert [(r.key, r.value["n"]) for r in reversed(memory.sync.records())] == [("b", 1), ("a", 2)]
    assert (report.added, report.updated, report.repeated) == (2, 0, 1)


def test_an_update_without_instants_keeps_when_the_record_was_made():
    memory, _ = imported([MemoryRecord("k", {"x": 1}, "n", 5.0, 6.0)])
    memory.sync.import_(pd.DataFrame({"key": ["k"], "x": [2]}))
    assert stored(memory) == facts([MemoryRecord("k", {"x": 2}, "n", 5.0, NOW)])


def test_an_import_that_does_not_fit_is_refused_unless_it_may_grow():
    memory = new_memory(max_size=3)
    memory.sync.add_many({"old": {}, "k1": {}})
    before = stored(memory)
    made = [MemoryRecord(f"k{n}", {}) for n in range(4)]
    with pytest.raises(CapacityExceeded, match="4 records do not fit in max_size=3"):
        memory.sync.import_(made)
    assert (stored(memory), memory.max_size) == (before, 3)
    report = memory.sync.import_(made, grow=True)
    assert (memory.max_size, memory.size()) == (5, 5)
    assert (report.added, report.updated, report.evicted) == (3, 1, 0)


def test_growing_makes_room_for_what_is_there_already():
    memory = new_memory(max_size=3)
    memory.sync.add_many({"a": {}, "b": {}})
    report = memory.sync.import_([MemoryRecord("c", {}), MemoryRecord("d", {})], grow=True)
    assert (memory.sync.keys(), report.evicted) == (["a", "b", "c", "d"], 0)


def test_undo_takes_back_the_growth_as_well():
    memory = new_memory(max_size=3)
    memory.sync.add_many({"a": {}, "b": {}})
    before = stored(memory)
    report = memory.sync.import_([MemoryRecord("c", {}), MemoryRecord("d", {})], grow=True)
    undone = memory.sync.undo(report.change)
    assert (stored(memory), memory.max_size) == (before, 3)
    memory.sync.undo(undone)
    assert (memory.sync.keys(), memory.max_size) == (["a", "b", "c", "d"], 4)


def test_a_dataset_that_does_not_fit_is_refused_before_it_is_read():
    def bar(items, total, what):
        raise AssertionError("read")

    with pytest.raises(CapacityExceeded, match="258,145 records do not fit in max_size=100"):
        imported("chitchat", progress=bar)


def test_without_growing_the_oldest_make_room():
    memory = new_memory(max_size=3)
    memory.sync.add_many({"a": {}, "b": {}})
    report = memory.sync.import_([MemoryRecord("c", {}), MemoryRecord("d", {})])
    assert (memory.sync.keys(), report.evicted) == (["b", "c", "d"], 1)
    assert (report.added, report.updated) == (2, 0)


def test_undo_restores_values_instants_and_the_order_of_recency():
    memory = new_memory(max_size=4)
    made = [MemoryRecord(key, {"n": n}, "n", n, n + 0.5, NOW + 9) for n, key in enumerate("abcd")]
    memory.sync.import_(made)
    memory.sync.get("a")
    before = stored(memory)
    report = memory.sync.import_([MemoryRecord(key, {"new": 1}) for key in "cxy"])
    assert (report.added, report.updated, report.evicted) == (2, 1, 2)
    assert stored(memory) != before
    memory.sync.undo(report.change)
    assert stored(memory) == before


def test_progress_is_told_of_every_record():
    calls = []

    def bar(items, total, what):
        calls.append((total, what))
        for item in items:
            calls.append(item[0])
            yield item

    frame = pd.DataFrame({"key": ["a", "b"]})
    assert imported(frame, progress=bar)[1].added == 2
    assert calls == [(2, "import DataFrame"), "row 1", "row 2"]


def test_progress_can_be_shown_by_tqdm(capsys):
    imported([{"role": "user"}], progress=True)
    assert "import list" in capsys.readouterr().err


# ---------------------------------------------------------------- real conversations


@pytest.fixture(scope="module")
def chitchat() -> list[tuple[str, dict[str, Any]]]:
    """Key and value of each utterance, oldest first, read without the importer."""
    text = files("chitchat_dataset").joinpath("dataset.json").read_text(encoding="utf-8")
    utterances = [
        (said["timestamp"], name, turn, said)
        for name, conversation in json.loads(text).items()
        for turn, said in enumerate(s for part in conversation["messages"] for s in part)
    ]
    utterances.sort(key=lambda utterance: utterance[0])
    return [
        (
            create_memory_key(said["sender"], name, {"turn": turn}),
            {"turn": turn, "text": said["text"], "timestamp": at},
        )
        for at, name, turn, said in utterances
    ]


@pytest.fixture(scope="module")
def folded(chitchat) -> list[str]:
    """What a search looks at in each utterance."""
    return ["\n".join(map(fold, pieces(value))) for _, value in chitchat]


@pytest.fixture(scope="module")
def loaded() -> tuple[MemoryPrimitive, ImportReport]:
    memory = MemoryPrimitive(max_size=300_000)
    return memory, memory.sync.import_("chitchat")


def test_no_utterance_is_lost(loaded, chitchat):
    memory, report = loaded
    assert (memory.size(), report.added, report.problems) == (258_145, 258_145, ())
    keys = [key for key, _ in chitchat]
    assert memory.sync.keys() == keys
    parts = [parse_memory_key(key) for key in keys]
    assert len({part.user for part in parts}) == 1_315
    assert len({part.session for part in parts}) == 7_168


def test_every_utterance_keeps_its_words_and_its_instant(loaded, chitchat):
    found = loaded[0].sync.records()
    assert [record.value for record in found] == [value for _, value in reversed(chitchat)]
    sent = [datetime.fromisoformat(record.value["timestamp"]).timestamp() for record in found]
    assert [record.created_at for record in found] == sent
    assert [record.updated_at for record in found] == sent


@pytest.mark.parametrize(
    "query", ["the", "Umbrella", "what's your name", "ß", "2018-05-02T19:38:15", "no such words"]
)
def test_searches_of_real_conversations_agree_with_a_plain_scan(query, loaded, chitchat, folded):
    search = loaded[0].sync.search
    needle = fold(query)
    matching = [
        value
        for (_, value), text in zip(reversed(chitchat), reversed(folded), strict=True)
        if needle in text
    ]
    assert search(query, limit=5) == matching[:5]
    assert search(query, limit=None) == matching
    assert loaded[0].sync.count(query) == len(matching)


def test_the_dataset_can_be_taken_back_and_put_back(loaded):
    memory, report = loaded
    before = memory.sync.keys()
    undone = memory.sync.undo(report.change)
    assert memory.size() == 0
    memory.sync.undo(undone)
    assert memory.sync.keys() == before


def test_a_missing_dataset_names_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "chitchat_dataset", None)
    with pytest.raises(MissingPackage, match=r"pip install 'tta-memory-nb\[tutorials\]'"):
        imported("chitchat")


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_an_export_goes_through_the_progress_bar_it_is_given(tmp_path, suffix):
    seen = []

    def bar(items, total, what):
        seen.append((total, what))
        for item in items:
            seen.append(item.key)
            yield item

    memory = MemoryPrimitive()
    memory.sync.add_many({"a": {"x": 1}, "b": {"x": 2}})
    assert memory.sync.export(tmp_path / f"all.{suffix}", progress=bar) == 2
    assert seen == [(2, f"export all.{suffix}"), "a", "b"]
