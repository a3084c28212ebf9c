"""Records as DataFrames, and DataFrames edited by people who know pandas."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import pandas as pd
import pytest
from backends import Clock
from hypothesis import given, settings
from hypothesis import strategies as st
from json_values import any_text, json_objects
from record_values import FEW, NOW, exact, facts, records, stored

from tta_memory_nb import MemoryPrimitive, MemoryRecord
from tta_memory_nb.entry import entry_of
from tta_memory_nb.frames import (
    differences_frame,
    facts_frame,
    frame_html,
    hits_frame,
    records_frame,
)
from tta_memory_nb.memory.compare import Difference

# Integers in a column of fractions become fractions, so random values have one or the other.
integers = json_objects(st.none() | st.booleans() | st.integers(-(10**30), 10**30) | any_text)
fractions = json_objects(st.none() | st.floats(allow_nan=False, allow_infinity=False) | any_text)


def memory_of(*made: MemoryRecord) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=Clock(NOW))
    memory.sync.import_(list(made))
    return memory


def frame_of(**values: dict) -> pd.DataFrame:
    return records_frame(MemoryRecord(key, value, "n", 1.0, 2.0) for key, value in values.items())


def imported(frame: pd.DataFrame, **options) -> dict[str, str]:
    """Returns the result of importing the frame: exact values by key."""
    memory = MemoryPrimitive(clock=Clock(NOW))
    memory.sync.import_(frame, **options)
    return {record.key: exact(record.value) for record in memory.sync.records()}


def values(**expected: dict) -> dict[str, str]:
    return {key: exact(value) for key, value in expected.items()}


def came(made: list[MemoryRecord]) -> list[Difference]:
    """Returns the values as records that were added."""
    return [Difference(record.key, "added", None, entry_of(record)) for record in made]


# ---------------------------------------------------------------- round trips


@settings(max_examples=FEW)
@given(records(integers) | records(fractions))
def test_an_unedited_frame_changes_nothing(made):
    memory = memory_of(*made)
    before = stored(memory)
    memory.sync.import_(records_frame(memory.sync.records()))
    assert stored(memory) == before
    assert before == facts(made)


EDITS = {
    "reset index": lambda frame: frame.reset_index(),
    "mask": lambda frame: frame[frame["turn"] > 0],
    "sort": lambda frame: frame.sort_values("turn"),
    "drop meta": lambda frame: frame.drop(columns=["user", "session", "created", "expires"]),
    "reindex": lambda frame: frame.reindex(["b", "a"]),
    "query": lambda frame: frame.query("turn == 3"),
    "concat": lambda frame: pd.concat([frame.iloc[:1], frame.iloc[1:]]),
    "assign": lambda frame: frame.assign(turn=frame["turn"] + 0),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_common_pandas_operations_keep_the_values(edit):
    frame = frame_of(a={"turn": 3, "ok": True, "a.b": {"c": 1.5}}, b={"turn": 0, "x": [1]})
    after = imported(edit(frame))
    assert after["a"] == exact({"turn": 3, "ok": True, "a.b": {"c": 1.5}})
    assert after.get("b", exact({"turn": 0, "x": [1]})) == exact({"turn": 0, "x": [1]})


def test_a_merge_keeps_types_and_forgets_only_which_dots_are_part_of_a_name():
    frame = frame_of(a={"turn": 3}, b={"ok": True, "a.b": 1})
    ratings = pd.DataFrame({"key": ["a", "c"], "rating": [5, 6]})
    assert imported(frame.merge(ratings, on="key", how="outer")) == values(
        a={"turn": 3, "rating": 5}, b={"ok": True, "a": {"b": 1}}, c={"rating": 6}
    )


def test_integers_stay_integers_beside_rows_that_lack_them():
    frame = frame_of(a={"turn": 3, "big": 2**63 - 1}, b={"ok": False})
    assert [str(frame[name].dtype) for name in ("turn", "big", "ok")] == [
        *("Int64", "Int64"),
        "boolean",
    ]
    joined = pd.concat([frame, frame_of(c={"other": 1})])
    assert imported(joined) == values(
        a={"turn": 3, "big": 2**63 - 1}, b={"ok": False}, c={"other": 1}
    )


def test_a_column_that_a_user_adds_to_some_rows_holds_the_integers_they_wrote():
    frame = frame_of(a={"x": 2.0}, b={"y": "t"})
    frame.loc["a", "rating"] = 3
    assert str(frame["rating"].dtype) == "float64"
    assert imported(frame) == values(a={"x": 2.0, "rating": 3}, b={"y": "t"})


def test_foreign_floats_are_integers_only_when_a_missing_cell_explains_them():
    frame = pd.DataFrame(
        {"key": ["a", "b"], "whole": [1.0, 2.0], "gaps": [1.0, None], "half": [0.5, None]}
    )
    assert imported(frame) == values(a={"whole": 1.0, "gaps": 1, "half": 0.5}, b={"whole": 2.0})


@pytest.mark.parametrize("missing", [math.nan, pd.NA, None])
def test_an_emptied_cell_takes_the_field_out(missing):
    frame = frame_of(a={"text": "x", "n": 1, "f": 1.5, "b": True}, b={"text": "y"})
    for name in ("text", "n", "f", "b"):
        frame.loc["a", name] = missing
    assert imported(frame) == values(a={}, b={"text": "y"})


def test_null_is_none_in_a_column_of_objects_and_nan_is_nothing():
    frame = frame_of(a={"x": None, "n": 1}, b={"n": None}, c={"x": "t"})
    assert frame.loc["a", "x"] is None
    assert math.isnan(frame.loc["b", "x"])
    frame.loc["c", "x"] = None
    assert imported(frame) == values(a={"x": None, "n": 1}, b={"n": None}, c={"x": None})


def test_an_edit_changes_its_cell_and_keeps_the_instants():
    memory = memory_of(
        MemoryRecord("ann:mon", {"text": "rian", "turn": 1}, created_at=1.25, updated_at=2.5),
        MemoryRecord("ann:tue", {"text": "sun"}, created_at=3, updated_at=4, expires_at=NOW + 1),
    )
    frame = records_frame(memory.sync.records())
    frame.loc["ann:mon", "text"] = "rain"
    report = memory.sync.import_(frame)
    assert (report.added, report.updated) == (0, 2)
    after = {record.key: record for record in memory.sync.records()}
    assert after["ann:mon"].value == {"text": "rain", "turn": 1}
    assert (after["ann:mon"].created_at, after["ann:mon"].updated_at) == (1.25, 2.5)
    assert after["ann:tue"].expires_at == NOW + 1


def test_a_renamed_index_makes_a_record_under_the_new_key():
    frame = frame_of(**{"ann:mon": {"x": 1}}).rename(index={"ann:mon": "bob:mon"})
    assert imported(frame) == values(**{"bob:mon": {"x": 1}})


# ---------------------------------------------------------------- columns and types


def test_meta_columns_come_first_and_describe_the_record():
    made = [
        MemoryRecord("ann:mon:0123abcd", {"x": 1}, "n", 1.000001, 2.0, 3.0),
        MemoryRecord("loose", {"y": "t"}, "n", 4.0, 5.5),
    ]
    frame = records_frame(made)
    assert list(frame.columns) == ["user", "session", "created", "updated", "expires", "x", "y"]
    assert list(frame.index) == ["ann:mon:0123abcd", "loose"]
    assert frame.index.name == "key"
    assert frame.loc["ann:mon:0123abcd", ["user", "session"]].tolist() == ["ann", "mon"]
    assert frame.loc["loose", ["user", "session", "expires", "x"]].isna().all()


@pytest.mark.parametrize("at", [0.0, 0.000001, 1_699_999_999.999999, 1_795_000_000.123457])
def test_instants_are_utc_and_exact_to_the_microsecond(at):
    frame = records_frame([MemoryRecord("k", {}, "n", at, at, at)])
    for name in ("created", "updated", "expires"):
        assert str(frame[name].dtype) == "datetime64[us, UTC]"
        assert frame.loc["k", name] == datetime.fromtimestamp(at, timezone.utc)
        assert frame.loc["k", name].timestamp() == at


def test_a_record_that_has_not_been_in_a_memory_has_no_instants():
    frame = records_frame([MemoryRecord("k", {"x": 1})])
    assert frame.loc["k", ["created", "updated", "expires"]].isna().all()


def test_no_field_takes_the_place_of_a_meta_column():
    value = {
        name: f"my {name}"
        for name in (
            *("key", "user", "session", "created", "updated", "expires", "score", "matches"),
            "value.user",
        )
    } | {"a.b": 1, "a": {"b": 2}}
    made = [MemoryRecord("ann:mon", value, "n", 1.0, 2.0)]
    frame = records_frame(made)
    assert frame.loc["ann:mon", "user"] == "ann"
    assert frame.loc["ann:mon", "value.user"] == "my user"
    assert frame.loc["ann:mon", "value.score"] == "my score"
    assert (frame.loc["ann:mon", "a.b"], frame.loc["ann:mon", '["a.b"]']) == (2, 1)
    assert frame.columns.is_unique
    for table in (frame, hits_frame(made)):
        assert imported(table) == {"ann:mon": exact(value)}


def test_the_column_of_matches_comes_before_the_fields():
    memory = memory_of(MemoryRecord("ann:mon", {"text": "Rain", "rain": {"mm": "rain"}}))
    frame = hits_frame(memory.sync.search_records("rain"))
    assert list(frame.columns[4:7]) == ["expires", "matches", "text"]
    assert frame.loc["ann:mon", "matches"] == "text, rain, rain.mm"


def test_types_are_the_narrowest_that_keep_every_leaf():
    frame = frame_of(
        a={"i": 1, "f": 1.5, "m": 1, "b": True, "t": "x", "o": 1, "huge": 2**63, "l": [1]},
        b={"m": 0.5, "o": "x", "huge": 1},
    )
    assert frame.dtypes.loc[["i", "f", "m", "b", "o", "huge", "l"]].astype(str).tolist() == [
        *("Int64", "Float64", "Float64", "boolean"),
        *("object", "object", "object"),
    ]
    assert frame["t"].dtype == pd.Series(["x"]).dtype
    assert frame.loc["a", "huge"] == 2**63


def test_integers_too_large_for_a_fraction_do_not_become_one():
    value = {"n": 2**53 + 1}
    assert imported(frame_of(a=value, b={"n": 0.5})) == values(a=value, b={"n": 0.5})


@pytest.mark.parametrize("make", [records_frame, hits_frame])
def test_an_empty_frame_has_the_meta_columns(make):
    frame = make([])
    assert len(frame) == 0
    assert set(frame.columns) - {"matches"} == {
        *("user", "session", "created", "updated", "expires"),
    }
    assert str(frame["created"].dtype) == "datetime64[us, UTC]"


# ---------------------------------------------------------------- hostile text


def test_html_escapes_column_names_keys_and_cells():
    attack = "<script>alert(1)</script>"
    made = [MemoryRecord(f"{attack}:{attack}", {attack: attack, "list": [attack]}, "n", 1.0, 2.0)]
    frames = (
        *(records_frame(made), hits_frame(made), facts_frame({attack: attack}, attack)),
        differences_frame(came(made)),
    )
    for frame in frames:
        html = frame._repr_html_()
        assert "<script>" not in html
        assert "&lt;script&gt;" in html


@settings(max_examples=FEW)
@given(records())
def test_every_frame_can_be_shown_and_sent(made):
    for frame in (records_frame(made), differences_frame(came(made))):
        assert (repr(frame) + frame._repr_html_()).encode()


def test_half_a_surrogate_pair_is_shown_spelled_and_survives_an_edit():
    value = {"text": "cut \ud83d", "list": ["\udead"], "\ud83d": 1, "n": 1}
    frame = frame_of(**{"k\ud83d": value})
    assert list(frame.index) == [r'"k\ud83d"']
    assert frame["text"].tolist() == [r'"cut \ud83d"']
    frame["n"] = 2
    assert imported(frame) == {"k\ud83d": exact(value | {"n": 2})}


def test_facts_keep_their_types():
    frame = facts_frame({"size": 1000, "backend": "in-memory"}, "memory")
    assert frame["value"].tolist() == [1000, "in-memory"]
    assert (frame.index.name, list(frame.index)) == ("memory", ["size", "backend"])


def test_differences_have_a_row_a_field_and_one_for_an_empty_value():
    old = entry_of(MemoryRecord("k", {"a.b": 1, "a": {"b": True}, "user": "x"}, "n", 1.0, 1.0))
    new = entry_of(MemoryRecord("k", {"a": {"b": 1.0}}, "n", 1.0, 2.0, NOW))
    empty = entry_of(MemoryRecord("empty", {}, "n", 1.0, 1.0))
    frame = differences_frame(
        [Difference("k", "changed", old, new), Difference("empty", "deleted", empty, None)]
    )
    assert list(frame.index) == ["k"] * 4 + ["empty"]
    assert frame["field"].tolist()[:4] == ['["a.b"]', "a.b", "value.user", "expires"]
    assert frame["before"].map(type).tolist() == [int, bool, str, float, float]
    assert frame["after"].tolist()[1:4:2] == [1.0, datetime.fromtimestamp(NOW, timezone.utc)]
    assert frame.iloc[4, 1:].isna().all()
    assert "tta-memory" in frame_html(frame)
    nothing = differences_frame([])
    assert list(nothing.columns) == ["what", "field", "before", "after"]
    assert (len(nothing), nothing.index.name) == (0, "key")
