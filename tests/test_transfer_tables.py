"""CSV, Parquet, Arrow and DataFrames: round trips, and tables of other programs."""

from __future__ import annotations

import csv
import io
import sys

import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from importing import imported, new_memory, refused, values_of, written
from json_values import any_text
from record_values import exact, facts, stored

from tta_memory_nb import (
    MemoryRecord,
    MissingPackage,
)
from tta_memory_nb.frames import records_frame
from tta_memory_nb.transfer.items import Options
from tta_memory_nb.transfer.tables import read_csv, write_csv


def test_a_csv_cell_is_parsed_as_json_if_it_reads_as_json(tmp_path):
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


def test_an_import_that_ends_keeps_the_cell_limit_of_concurrent_imports(tmp_path):
    csv.field_size_limit(131_072)
    path = written(tmp_path / "a.csv", f"key,x\na,1\nb,{'x' * 200_000}\n")
    first, second = read_csv(path, Options()), read_csv(path, Options())
    next(first), next(second)
    assert [type(record) for _, record in [*first, *second]] == [MemoryRecord, MemoryRecord]


def test_broken_csv_rows_are_reported_by_their_lines(tmp_path):
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
        "line 3: the row has 2 cells, but the header has 3 columns",
        "line 4: the row has 4 cells, but the header has 3 columns",
        "line 5: not UTF-8 at byte 6",
        "line 6: no key: the cell in column 'key' is empty",
        "line 7: not CSV: ',' expected after '\"'",
        "line 10: not CSV: unexpected end of data",
    )
    memory, report = imported(tmp_path / "a.csv", on_error="skip")
    assert (memory.sync.keys(), report.problems) == (["good", "two\nlines"], error.problems)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.csv, line 1: no header; the first line must name the columns"),
        (b"\n\n", "a.csv, line 1: no header; the first line must name the columns"),
        (b"a,b\n1,2\n", "a.csv: no column 'key' among 'a', 'b'; name the one that holds the keys"),
        (b"key;a\n1;2\n", "';' seems to separate the columns; separate them by commas"),
        (b"key\ta\n1\t2\n", r"pandas.read_csv(file, sep='\t')"),
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


def test_a_foreign_dataframe_is_imported_with_its_key_column_or_named_index():
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


def test_broken_rows_of_a_dataframe_are_reported_by_their_positions():
    frame = pd.DataFrame({"key": ["a", None, "c"], "x": [1, 2, {3}]}, dtype=object)
    assert refused(frame).problems[0] == "row 2: no key: the cell in column 'key' is empty"
    assert refused(frame).problems[1].startswith("row 3: value['x']: <set> is not JSON")


def test_broken_rows_of_parquet_are_reported_by_their_positions(tmp_path):
    table = pyarrow.table({"key": ["a", None], "x": [1, 2]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    problem = "row 2: no key: the cell in column 'key' is empty"
    assert refused(tmp_path / "a.parquet").problems == (problem,)


@pytest.mark.parametrize(
    "column",
    [
        pyarrow.array([10**12], pyarrow.timestamp("s")),
        pyarrow.array([b"\xff"]).view(pyarrow.string()),
    ],
    ids=["year", "text"],
)
def test_arrow_values_that_python_cannot_hold_are_refused_with_their_column(column, tmp_path):
    table = pyarrow.table({"key": ["a"], "odd": column})
    assert "Table: cannot read column 'odd'" in str(refused(table))
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert "a.parquet" in str(refused(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.Series([1]), "cannot import from <Series>: it is no table; use .to_frame()"),
        (pyarrow.array([1]), "cannot import from <Int64Array>: it is no table"),
        (pyarrow.chunked_array([[1]]), "cannot import from <ChunkedArray>: it is no table"),
    ],
    ids=["pandas", "array", "chunks"],
)
def test_a_single_column_is_refused(column, message):
    assert message in str(refused(column))


def test_nan_in_arrow_is_treated_as_in_a_dataframe(tmp_path):
    table = pyarrow.table({"key": ["a", "b"], "x": [float("nan"), 0.5]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    expected = {"a": {}, "b": {"x": 0.5}}
    assert values_of(table) == values_of(tmp_path / "a.parquet") == expected
    assert values_of(table.to_pandas()) == expected


def test_only_numbers_that_were_integers_become_integers_again():
    frame = pd.DataFrame({"key": ["a", "b"], "x": [1e300, None], "n": [3.0, None]})
    memory, _ = imported(frame)
    assert exact(memory.sync.get("a")) == '{"n": 3, "x": 1e+300}'


def test_the_error_without_pyarrow_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match=r"pip install 'tta-memory-nb\[parquet\]'"):
        new_memory().sync.export(tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []
