"""Nothing that one record holds may stop the others: every place that works on its text takes linear time.

Time itself is measured by `benchmarks/hostile.py`. These tests look at what makes it grow: how much is moved,
made and returned.
"""

from __future__ import annotations

import json
import unicodedata
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import MemoryPrimitive, MemoryRecord, TransferError, text
from tta_memory_nb.codec import MAX_DEPTH
from tta_memory_nb.entry import new_entry
from tta_memory_nb.frames import differences_frame, records_frame
from tta_memory_nb.memory.compare import Snapshot, compare
from tta_memory_nb.notebook.commands import Notebook, syntax
from tta_memory_nb.notebook.completion import complete
from tta_memory_nb.notebook.explorer.cells import Fields, Rows
from tta_memory_nb.notebook.json_text import unique_fields
from tta_memory_nb.notebook.parsing import parse
from tta_memory_nb.search.query import Query
from tta_memory_nb.search.request import Search
from tta_memory_nb.table import MOST_FIELDS, WHOLE, RowReader, flat_table, flatten
from tta_memory_nb.text import MOST_PATHS, fold, matching_paths

# Marks of different classes, marks that consist of marks, and one that folds to a letter.
MARKS = "\u0301\u0316\u0344\u0f73\u0345\u0323\u05b0"


def unpatched_fold(value: str) -> str:
    """Canonical caseless matching, of The Unicode Standard 3.13 (D145), composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", value).casefold())


# ---- folding


@given(
    st.lists(
        st.tuples(st.text("aé ế\u1100", max_size=2), st.text(MARKS), st.integers(1, 80)), max_size=4
    )
)
def test_long_runs_of_marks_fold_as_the_standard_says(parts):
    value = "".join(letters + marks * times for letters, marks, times in parts)
    assert fold(value) == unpatched_fold(value)


@pytest.mark.parametrize("letters", ["a", "ế", ""])
@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0f73\u0316", "\u0345\u0316"])
def test_no_long_run_of_marks_is_left_to_be_moved_one_by_one(monkeypatch, letters, marks):
    lengths: list[int] = []

    def normalize(form: Any, value: str) -> str:
        decomposed = "".join(unicodedata.normalize("NFD", each) for each in value)
        for is_mark, run in groupby(map(unicodedata.combining, decomposed), bool):
            classes = list(run)
            if is_mark and form == "NFD" and len(value) > 1:
                lengths.append(len(classes))
                assert classes[600:] == sorted(classes[600:])
        return unicodedata.normalize(form, value)

    wanted = unpatched_fold(letters + marks * 500)
    monkeypatch.setattr(text, "normalize", normalize)
    assert fold(letters + marks * 500) == wanted
    fold((letters + marks * 5000 + " ") * 2)
    assert max(lengths) >= 10_000


# ---- paths of matches


def nested(leaf: Any, depth: int = MAX_DEPTH - 10) -> dict[str, Any]:
    for _ in range(depth):
        leaf = {"n": leaf}
    return leaf


def test_a_record_tells_no_more_paths_than_anybody_reads_and_none_of_them_is_huge():
    wide = {f"f{n}": "rain" for n in range(5 * MOST_PATHS)}
    assert matching_paths(wide, "rain") == tuple(wide)[:MOST_PATHS]
    long = {"x" * 100_000: {f"f{n}": "rain" for n in range(50)}}
    paths = matching_paths(long, "rain")
    assert paths == tuple(f"{'x' * 200}….f{n}" for n in range(50))
    assert len(matching_paths(nested(wide), "rain")) == MOST_PATHS
    spans = Query(Search("rain")).spans(long)
    assert [span.path for span in spans] == list(paths)


# ---- tables

WIDE: dict[str, dict[str, Any]] = {
    "many fields": {f"f{n}": n for n in range(3 * MOST_FIELDS)},
    "many fields inside": {
        "text": "rain",
        "inside": nested({f"f{n}": n for n in range(3 * MOST_FIELDS)}),
    },
    "a long name": {"text": "rain", "x" * 1000: {f"f{n}": n for n in range(MOST_FIELDS - 10)}},
    "a very long name": {"x" * 1_000_000: {"a": 1, "b": 2}},
}


@pytest.mark.parametrize("value", WIDE.values(), ids=WIDE)
@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl", "frame"])
def test_a_record_with_too_many_fields_widens_no_table_and_comes_back_whole(tmp_path, value, kind):
    records = {
        "eve:1": value,
        "ann:1": {"text": "sun", "a": {"b": 1}},
        "bob:1": {"[]": 3, "text": "x"},
    }
    memory, again = MemoryPrimitive(), MemoryPrimitive()
    memory.sync.add_many(records)
    table = flat_table(memory.sync.records())
    assert len(table.columns) <= 10
    source: Any = tmp_path / f"records.{kind}"
    if kind == "frame":
        source = records_frame(memory.sync.records())
    else:
        memory.sync.export(source)
    again.sync.import_(source)
    assert {record.key: record.value for record in again.sync.records()} == records


def test_a_table_takes_apart_all_that_is_not_too_wide():
    value: dict[str, Any] = {"a": {f"f{n}": n for n in range(MOST_FIELDS)}}
    assert list(flatten(value)) == [("a", f"f{n}") for n in range(MOST_FIELDS)]
    value["b"] = 1
    assert flatten(value) == {("a",): value["a"], ("b",): 1}
    assert flatten(WIDE["many fields"]) == {WHOLE: WIDE["many fields"]}


def test_a_column_that_holds_whole_values_is_read_beside_others():
    rows = RowReader(["key", "[]", "a"], paths={})
    record = rows.record(["k", {"b": 1, "c": {"d": 2}}, 3])
    assert record == MemoryRecord("k", {"b": 1, "c": {"d": 2}, "a": 3})
    assert rows.record(["k", 7, 3]).value == {"[]": 7, "a": 3}


def test_the_explorer_shows_a_record_with_too_many_fields_in_one_cell():
    entries = [
        new_entry("eve:1", WIDE["many fields"], 0.0, None),
        new_entry("ann:1", {"text": "sun"}, 0.0, None),
    ]
    fields = Fields.of(entries, "default")
    assert {column.name for column in fields.columns} == {"[]", "text"}
    cell = Rows(fields.columns, "").row(entries[0], selected=False)["cells"]["[]"]
    assert cell["k"] == "object"
    assert len(cell["t"]) <= 301


def test_a_diff_takes_apart_both_sides_or_neither():
    memory = MemoryPrimitive()
    memory.sync.add("eve:1", {"text": "rain", "inside": {"a": 1}})
    before = Snapshot.of("s", 0.0, "default", memory.sync.entries())
    memory.sync.add("eve:1", WIDE["many fields inside"])
    rows = differences_frame(compare(before, memory.sync.entries(), 1.0))
    assert rows["field"].tolist() == ["inside"]
    assert rows["before"].tolist() == [{"a": 1}]


# ---- depth and digits


@pytest.mark.parametrize("depth", [250, 600, 5000])
@pytest.mark.parametrize("inside", ["{%s}", "[%s]"])
def test_a_cell_that_is_too_deep_is_one_bad_record(tmp_path, depth, inside):
    opening, closing = ('{"a":', "}") if inside.startswith("{") else ("[", "]")
    deep = opening * depth + "1" + closing * depth
    path = tmp_path / "records.csv"
    quoted = deep.replace('"', '""')
    path.write_text(f'key,x\nann:1,1\neve:1,"{quoted}"\n')
    memory = MemoryPrimitive()
    memory.sync.import_(path, on_error="skip")
    assert memory.sync.get("ann:1") == {"x": 1}
    try:
        leaf = json.loads(deep)
    except RecursionError:
        return
    frame = records_frame([MemoryRecord("eve:1", {"x": 1})]).astype({"x": object})
    frame.at["eve:1", "x"] = leaf
    with pytest.raises(TransferError, match=r"row 1: value\['x'\]"):
        memory.sync.import_(frame)


@pytest.mark.parametrize("column", ["key", "x"])
def test_a_number_of_ten_thousand_digits_is_one_bad_record(column):
    rows = [{"key": "ann:1", "x": 1}, {"key": "eve:1", "x": 1, column: 10**10_000}]
    memory = MemoryPrimitive()
    with pytest.raises(TransferError, match="record 2"):
        memory.sync.import_(rows)
    memory.sync.import_(rows, on_error="skip")
    assert memory.sync.keys() == ["ann:1"]


def test_a_header_of_many_dots_is_a_name_and_no_path():
    name = "a." * 5000 + "b"
    assert RowReader(["key", name]).record(["k", 1]).value == {name: 1}


def test_a_duplicate_field_is_found_among_many():
    with pytest.raises(ValueError, match="duplicate field 'f99999'"):
        unique_fields([*((f"f{n}", n) for n in range(100_000)), ("f99999", 0)])


# ---- completion

KEYS = [
    "eve{open('/nowhere')}'",
    "eve' {open('/nowhere')}",
    "eve$mark' x",
    "eve\" $mark' {1/0} \\x41 \\",
    'eve\' "{mark}"',
    "eve ' \" '",
    "eve'\"",
    "eve\\' {x}",
    "eve {{x}}' ",
    "eve" + "' {x} $y " * 10,
]


@pytest.mark.parametrize("key", KEYS)
def test_what_tab_offers_for_a_hostile_key_means_that_key_and_evaluates_none_of_it(key):
    nb = Notebook()
    nb.memory.sync.add(key, {})
    found = complete("%memory get e", nb)
    assert found is not None
    (offered,) = found[1]
    asked: list[str] = []

    def lookup(expression: str) -> Any:
        asked.append(expression)
        return eval(expression, {"__builtins__": {}})

    assert parse(syntax("get"), offered, None, lookup).operands == [(key,)]
    assert all(compile(each, "", "eval").co_names == () for each in asked)


@given(st.text(st.sampled_from("ae '\"${}\\:x"), min_size=1, max_size=12))
def test_every_key_that_tab_offers_is_typed_as_itself(key):
    nb = Notebook()
    nb.memory.sync.add(key, {})
    found = complete("%memory get ", nb)
    assert found is not None
    assert [
        parse(
            syntax("get"), offered, None, lambda expression: eval(expression, {"__builtins__": {}})
        ).operands
        for offered in found[1]
    ] == [[(key,)]]


def test_tab_looks_at_no_line_that_nobody_types_and_offers_no_key_that_nobody_reads():
    nb = Notebook()
    nb.memory.sync.add("eve:" + "x" * 1000, {})
    nb.memory.sync.add("eve:1", {})
    assert complete("%memory get e", nb) == ("e", ["eve:1"])
    assert complete("%memory get " + "'a " * 10_000, nb) is None
