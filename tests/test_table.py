"""Conversion of records to flat rows and back."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pandas as pd
import pytest
from hypothesis import given, settings
from json_values import any_text, json_objects
from record_values import FEW, NOW, exact, records

from tta_memory_nb import InvalidArgument, MemoryRecord
from tta_memory_nb.record import NOT_YET
from tta_memory_nb.table import (
    ABSENT,
    HIT_META,
    META,
    RowReader,
    column_path,
    flat_table,
    flatten,
    instants_of,
    is_utf8,
    moment,
    portable,
    unportable,
)

RESERVED = {"key", *HIT_META}


def columns_of(*values, for_file=False):
    table = flat_table([MemoryRecord("k", value) for value in values], for_file=for_file)
    return table.columns


def read_back(table, paths=None):
    reader = RowReader(["key", *META, *table.columns], paths=paths)
    for number, record in enumerate(table.records):
        times = instants_of(record)
        cells = [table.cells(path)[number] for path in table.columns.values()]
        yield reader.record([record.key, None, None, *times, *cells])


@settings(max_examples=FEW)
@given(records())
def test_a_table_for_a_file_gives_back_every_record_whatever_its_fields_are_called(made):
    table = flat_table(made, for_file=True)
    for before, after in zip(made, read_back(table), strict=True):
        assert exact(after.value) == exact(before.value)
        assert (after.key, after.created_at, after.updated_at, after.expires_at) == (
            *(before.key, before.created_at, before.updated_at),
            before.expires_at,
        )


@settings(max_examples=FEW)
@given(records())
def test_a_table_for_people_gives_back_every_record_with_the_paths_beside_it(made):
    table = flat_table(made)
    for before, after in zip(made, read_back(table, table.columns), strict=True):
        assert exact(after.value) == exact(before.value)


@given(json_objects(), json_objects())
def test_columns_are_named_apart_in_words_that_utf8_can_carry_and_never_as_meta(one, other):
    for for_file in (False, True):
        columns = columns_of(one, other, for_file=for_file)
        paths = {*flatten(one), *flatten(other)}
        assert len(columns) == len(paths)
        assert set(columns.values()) == paths
        assert not RESERVED & set(columns)
        assert all(map(is_utf8, columns))


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"agent": {"name": "ann"}, "tags": [1, {"a": 2}]}, ["agent.name", "tags"]),
        ({"user": 1, "score": 2, "matches": 3}, ["value.user", "value.score", "value.matches"]),
        ({"value": {"user": 1, "mood": 2}}, ["value.value.user", "value.mood"]),
        ({"user": 1, "value": {"user": 2}}, ["value.user", "value.value.user"]),
        ({"user": 1, "value.user": 2}, ["value.user", "value.value.user"]),
        ({"user": {"name": 1}}, ["user.name"]),
        ({"a.b": 1}, ["a.b"]),
        ({"a.b": 1, "a": {"b": 2}}, ['["a.b"]', "a.b"]),
        ({"a": {"b": 2}, "a.b": 1}, ["a.b", '["a.b"]']),
        ({"a.b": {"c": 1}, "a": {"b.c": 2}}, ["a.b.c", '["a", "b.c"]']),
        ({"": 1, "x": {"": 2}, "empty": {}}, ["", "x.", "empty"]),
        ({'["a"]': 1, "[b": 2}, ['["[\\"a\\"]"]', "[b"]),
        ({"\ud83d": 1}, ['["\\ud83d"]']),
        ({"=1+1": 1}, ["=1+1"]),
    ],
)
def test_columns_are_named_by_their_path(value, names):
    assert list(columns_of(value)) == names


def test_a_file_has_no_name_that_hides_its_path_or_is_a_formula():
    value = {"a.b": 1, "=1+1": 2, "@x": {"y": 3}, "plain": 4}
    names = list(columns_of(value, for_file=True))
    assert names == ['["a.b"]', '["=1+1"]', '["@x", "y"]', "plain"]
    assert [column_path(name) for name in names] == list(flatten(value))


def test_fields_come_in_the_order_of_their_first_appearance():
    assert list(columns_of({"b": 1}, {"a": 1, "b": 2}, {"c": 1})) == ["b", "a", "c"]


def test_a_row_distinguishes_null_from_absent():
    table = flat_table([MemoryRecord("a", {"x": None}), MemoryRecord("b", {})])
    assert table.cells(("x",)) == [None, ABSENT]
    assert [record.value for record in read_back(table)] == [{"x": None}, {}]


def test_a_table_without_all_meta_columns_keeps_them_as_fields():
    reader = RowReader(["key", "user", "created", "value.user"])
    record = reader.record(["k", "ann", "today", 1])
    assert record.value == {"user": "ann", "created": "today", "value": {"user": 1}}
    assert record.updated_at == record.created_at == NOT_YET


def test_a_marked_table_may_lack_meta_columns():
    record = RowReader(["key", "user", "updated", "text"], paths={}).record(["k", "u", NOW, "hi"])
    assert (record.value, record.updated_at) == ({"text": "hi"}, NOW)


def test_foreign_column_names_are_nested_if_they_read_as_paths():
    reader = RowReader(["id", "agent.name", "No. of people", "a", "a.1", ".5", "x..y"], key="id")
    assert reader.record([7, "ann", 3, "one", "two", 0, 1]) == MemoryRecord(
        "7",
        {
            "agent": {"name": "ann"},
            "No. of people": 3,
            "a": "one",
            "a.1": "two",
            ".5": 0,
            "x..y": 1,
        },
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["key", "a", "a"], "the column 'a' appears twice"),
        (["id", "a"], "no column 'key' among 'id', 'a'; name the one that holds the keys"),
        ([], "no column 'key' among no columns"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_at_once(columns, message):
    with pytest.raises(InvalidArgument, match=message):
        RowReader(columns)


@pytest.mark.parametrize("nothing", [None, ABSENT])
def test_a_row_without_a_key_is_refused(nothing):
    with pytest.raises(InvalidArgument, match="no key: the cell in column 'id' is empty"):
        RowReader(["id", "a"], key="id").record([nothing, 1])


def test_an_invalid_instant_is_refused_with_its_column():
    with pytest.raises(InvalidArgument, match="updated='yesterday'"):
        RowReader(["key", *META]).record(["k", None, None, None, "yesterday", None])


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_an_instant_without_a_zone_is_utc_wherever_the_reader_is(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        at = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001
        reader = RowReader(["key", *META])
        record = reader.record(["k", None, None, at, pd.Timestamp(at), at.isoformat()])
    finally:
        monkeypatch.undo()
        time.tzset()
    expected = at.replace(tzinfo=timezone.utc).timestamp()
    assert {record.created_at, record.updated_at, record.expires_at} == {expected}


def test_a_field_inside_a_leaf_is_refused():
    reader = RowReader(["key", "a", "a.b"], paths={})
    with pytest.raises(InvalidArgument, match="is a field inside 'a', which already has"):
        reader.record(["k", 1, 2])
    assert reader.record(["k", ABSENT, 2]).value == {"a": {"b": 2}}


def test_two_columns_for_one_field_are_refused():
    reader = RowReader(["key", "a.b", '["a", "b"]'], paths={})
    with pytest.raises(InvalidArgument, match="two columns of this row give a value"):
        reader.record(["k", 1, 2])


def test_a_cell_that_is_an_object_is_copied_before_other_columns_go_into_it():
    cell = {"x": {"y": 1}}
    reader = RowReader(["key", "a", "a.x.z"], paths={})
    assert reader.record(["k", cell, 2]).value == {"a": {"x": {"y": 1, "z": 2}}}
    assert cell == {"x": {"y": 1}}


@given(any_text)
def test_portable_text_is_utf8_and_reads_back(text):
    spelled = portable(text)
    assert spelled.encode().decode() == spelled
    assert exact(unportable(spelled)) == exact(text)


@given(json_objects())
def test_portable_values_are_utf8_and_read_back(value):
    spelled = portable(value)
    assert is_utf8(repr(spelled))
    assert exact(unportable(spelled)) == exact(value)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Málaga 😀", "Málaga 😀"),
        ('"quoted"', '"quoted"'),
        (r'"a\nb"', r'"a\nb"'),
        ("half \ud83d", r'"half \ud83d"'),
        ("\ud83d\ude00", "😀"),
        (r'"half \ud83d"', r'"\"half \\ud83d\""'),
    ],
)
def test_only_text_that_needs_it_is_spelled(text, spelled):
    assert portable(text) == spelled
    assert portable([{"x": text}]) == [{"x": spelled}]


@pytest.mark.parametrize("at", [0.0, 1.5, -0.000001, 1_699_999_999.999999, 101_700_000_000.5])
def test_moments_are_exact_to_the_microsecond(at):
    assert moment(at).timestamp() == at
    assert moment(at).utcoffset().total_seconds() == 0
