"""Filters are validated when they are built, and then only match."""

from __future__ import annotations

import pickle
from datetime import date
from decimal import Decimal
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from json_values import any_text, json_objects, leaves

from tta_memory_nb import InvalidArgument
from tta_memory_nb.codec import from_json, snapshot, to_json, to_plain
from tta_memory_nb.filters import EVERYTHING, Filters, fixed
from tta_memory_nb.filters.fields import reader_of
from tta_memory_nb.text import BORDER, fold, searchable_json, to_utf8
from tta_memory_nb.times import instant

NOW = 1_800_000_000.0

# Values of all kinds that are often equal, or equal in Python only.
few = st.sampled_from(
    [None, True, False, 0, 1, 1.0, 2, "", "1", "a", [], [1], [True], {}, {"a": 1}]
)
plain_text = any_text.filter(lambda text: not text.startswith("$"))


def holds(condition: Any, value: dict[str, Any], field: str = "x") -> bool:
    return Filters.build(NOW, where={field: condition}).accept("k", NOW, lambda: value)


def same_json(left: Any, right: Any) -> bool:
    """Returns whether two values are equal as JSON: 1 and 1.0 are, True and 1 are not."""

    def normal(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, list):
            return [normal(item) for item in value]
        if isinstance(value, dict):
            return {name: normal(item) for name, item in sorted(value.items())}
        return value

    return to_json(normal(left)) == to_json(normal(right))


@given(few | leaves, few | leaves)
def test_equality_is_that_of_json(left, right):
    assume(not isinstance(right, dict))
    assert holds(right, {"x": left}) is same_json(left, right)
    assert holds({"$eq": right}, {"x": left}) is same_json(left, right)
    assert holds({"$in": [right]}, {"x": left}) is same_json(left, right)
    assert holds({"$contains": right}, {"x": [left]}) is same_json(left, right)


@given(few | leaves, few | leaves, st.booleans())
def test_each_negation_is_the_opposite_also_of_an_absent_field(left, right, there):
    value = {"x": left} if there else {}
    assert holds({"$ne": right}, value) is not holds({"$eq": right}, value)
    assert holds({"$nin": [right]}, value) is not holds({"$in": [right]}, value)
    assert holds({"$exists": there}, value)
    assert not holds({"$exists": not there}, value)


numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.tuples(numbers, numbers) | st.tuples(any_text, any_text))
def test_numbers_and_texts_are_ordered_among_themselves(pair):
    left, right = pair
    value = {"x": left}
    assert holds({"$lt": right}, value) is (left < right)
    assert holds({"$lte": right}, value) is (left <= right)
    assert holds({"$gt": right}, value) is (left > right)
    assert holds({"$gte": right}, value) is (left >= right)


@pytest.mark.parametrize("operator", ["$gt", "$gte", "$lt", "$lte"])
@pytest.mark.parametrize(
    ("left", "right"),
    [("1", 1), (1, "1"), (True, 0), (None, 0), ([1], 0), ({"a": 1}, 0), (None, "a"), (False, "a")],
    ids=repr,
)
def test_unlike_kinds_have_no_order(operator, left, right):
    assert not holds({operator: right}, {"x": left})
    assert not holds({operator: right}, {})


@given(json_objects(), st.lists(plain_text.filter(bool), min_size=1, max_size=4))
def test_a_dotted_field_is_found_by_its_path(value, names):
    field = ".".join(names)
    assume("" not in field.split("."))
    inner: Any = 7
    for name in reversed(names):
        inner = {name: inner}
    assert holds(7, {**value, **inner}, field)


def test_a_field_is_looked_up_by_its_own_name_first():
    value = {"a.b": 1, "a": {"b": 2, "c.d": 3}, "e.f": {"g": 4}, "h": {"i": None}}
    assert holds(1, value, "a.b")
    assert not holds(2, value, "a.b")
    assert holds(3, value, "a.c.d")
    assert holds(4, value, "e.f.g")
    assert holds(None, value, "h.i")
    assert holds({"$exists": False}, value, "h.i.j")
    assert holds({"$exists": False}, value, "a.")


def test_a_dotted_name_is_found_when_its_first_path_leads_nowhere():
    value = {"a": {"b": 1}, "a.b": {"c": 2}}
    assert holds(2, value, "a.b.c")


def test_operands_are_encoded_as_values_are():
    stored = to_plain({"x": date(2026, 11, 22)})
    assert holds(date(2026, 11, 22), stored)
    assert holds({"$gte": date(2026, 11, 1), "$lt": date(2026, 12, 1)}, stored)
    assert holds({"$in": (date(2026, 11, 22),)}, stored)


def test_both_ends_of_a_span_belong_to_it():
    span = Filters.build(NOW, since=NOW - 60, until=NOW)
    inside = [NOW - 60, NOW - 30, NOW]
    outside = [NOW - 60.001, NOW + 0.001]
    assert [span.accept("k", instant, dict) for instant in inside] == [True] * 3
    assert [span.accept("k", instant, dict) for instant in outside] == [False] * 2


def test_a_value_is_only_read_when_a_condition_needs_it():
    reads: list[int] = []

    def value() -> dict[str, Any]:
        reads.append(1)
        return {"x": 1, "y": 2}

    assert Filters.build(NOW, user="alice", prefix="a").accept("alice:monday", NOW, value)
    assert not Filters.build(NOW, user="bob", where={"x": 1}).accept("alice:monday", NOW, value)
    assert reads == []
    assert Filters.build(NOW, where={"x": 1, "y": {"$gt": 1, "$lt": 3}}).accept("k", NOW, value)
    assert reads == [1]


def test_no_filters_let_everything_pass():
    assert Filters.build(NOW) == EVERYTHING
    assert Filters.build(NOW, user=None, since=None, where={}) == EVERYTHING
    assert EVERYTHING.accept("k", NOW, dict)


@pytest.mark.parametrize(
    ("condition", "fulfilled"),
    [
        ({"$lt": inf}, [1, -2.5]),
        ({"$gte": -inf}, [1, -2.5]),
        ({"$gt": np.float32("inf")}, []),
        ({"$lt": Decimal("Infinity")}, [1, -2.5, "9.5"]),
        ({"$eq": inf}, []),
        ({"$ne": inf}, [1, -2.5, "9.5", None]),
        *(
            ({name: value}, [])
            for name in ("$eq", "$lt", "$lte", "$gt", "$gte")
            for value in (nan, Decimal("NaN"))
        ),
        ({"$ne": nan}, [1, -2.5, "9.5", None]),
        ({"$in": [nan, 1, inf]}, [1]),
        ({"$nin": [nan, 1]}, [-2.5, "9.5", None]),
        (nan, []),
        ({"$eq": None}, [None]),
    ],
    ids=str,
)
def test_infinity_is_above_all_numbers_and_nan_equals_nothing(condition, fulfilled):
    assert [n for n in (1, -2.5, "9.5", None) if holds(condition, {"x": n})] == fulfilled


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"user": 7}, "user=7: give text"),
        ({"session": b"s"}, "session=b's': give text"),
        ({"prefix": ["a"]}, "prefix=['a']: give text"),
        ({"since": "whenever"}, "since='whenever'"),
        ({"until": float("nan")}, "until=nan"),
        (
            {"since": "2h", "until": "3d"},
            "since='2h' is later than until='3d', so that no record can be between them; exchange",
        ),
        (
            {"since": "2026-11-23", "until": "2026-11-22T23:59:59Z"},
            "since='2026-11-23' is later than until='2026-11-22T23:59:59Z'",
        ),
        ({"where": "turn"}, "where='turn': give a dict"),
        ({"where": [("turn", 1)]}, "where=[('turn', 1)]: give a dict"),
        ({"where": {7: 1}}, "7 is not a field name, which is text; write '7'"),
        ({"where": {"$or": [{"a": 1}]}}, "an operator belongs inside a field"),
        ({"where": {"turn": {"$like": "a"}}}, "where['turn']['$like']='a': unknown operator"),
        ({"where": {"turn": {"$gt": 1, "lt": 2}}}, "where['turn']['lt']=2: unknown operator"),
        ({"where": {"turn": {"$in": "abc"}}}, "where['turn']['$in']='abc': give a list"),
        ({"where": {"turn": {"$nin": 7}}}, "where['turn']['$nin']=7: give a list"),
        ({"where": {"turn": {"$exists": 1}}}, "where['turn']['$exists']=1: give True or False"),
        ({"where": {"turn": {"$gt": None}}}, "where['turn']['$gt']=None: only numbers and text"),
        ({"where": {"turn": {"$lte": True}}}, "where['turn']['$lte']=True: only numbers and text"),
        ({"where": {"turn": {"$lt": [1]}}}, "where['turn']['$lt']=[1]: only numbers and text"),
        ({"where": {"turn": {"$in": {1}}}}, "where['turn']['$in']: <set> is not JSON"),
        ({"where": {"turn": object()}}, "where['turn']: <object> is not JSON"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_an_invalid_filter_is_refused_with_its_name_and_value(filters, named):
    with pytest.raises(InvalidArgument) as refused:
        Filters.build(NOW, **filters)
    assert named in str(refused.value)
    assert refused.value.parameter == next(iter(filters))


@pytest.mark.parametrize(
    "text", ["2026-11-22", "2026-11-22T15:00:00Z", "2026-11-22T15:00:00.25Z", "2h"]
)
def test_a_span_may_begin_and_end_at_one_instant(text):
    at = instant(text, NOW)
    assert Filters.build(NOW, since=text, until=text).accept("k", at, dict)
    assert fixed({"since": text, "until": text}, NOW)["since"] == at


def test_limits_that_are_fixed_in_advance_are_compared_as_they_were_written():
    with pytest.raises(InvalidArgument, match="since='1h' is later than until='2h'") as refused:
        fixed({"since": "1h", "until": "2h"}, NOW)
    assert (refused.value.parameter, refused.value.other_parameter) == ("since", "until")


def test_an_error_keeps_its_parameter_across_processes():
    for filters in ({"since": "whenever"}, {"where": {"turn": object()}}):
        with pytest.raises(InvalidArgument) as refused:
            Filters.build(NOW, **filters)
        again = pickle.loads(pickle.dumps(refused.value))
        assert (str(again), again.parameter) == (str(refused.value), next(iter(filters)))


def test_the_error_for_an_unknown_operator_lists_the_known_ones():
    with pytest.raises(InvalidArgument, match=r"\$eq \$ne \$gt \$gte \$lt \$lte \$in \$nin"):
        Filters.build(NOW, where={"turn": {"$regex": "a"}})


@st.composite
def filtered_values(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draws a value, and conditions on fields that it has or might have."""
    value = draw(json_objects(few | leaves))
    paths = [""]
    node: Any = value
    while isinstance(node, dict) and node:
        name = draw(st.sampled_from(sorted(node)))
        paths.append(f"{paths[-1]}.{name}" if len(paths) > 1 else name)
        node = node[name]
    names = st.sampled_from([path for path in paths if path] or ["a"]) | plain_text.filter(bool)
    operands = few | leaves | st.just(node)
    conditions = st.one_of(
        operands.filter(lambda operand: not isinstance(operand, dict)),
        st.fixed_dictionaries({"$eq": operands}),
        st.fixed_dictionaries({"$ne": operands}),
        st.fixed_dictionaries({"$exists": st.booleans()}),
        st.fixed_dictionaries(
            {"$gt": st.integers() | st.floats(allow_nan=False, allow_infinity=False)}
        ),
        st.fixed_dictionaries({"$in": st.lists(operands, max_size=2)}),
        st.fixed_dictionaries({"$contains": operands}),
    )
    where = draw(st.dictionaries(names, conditions, min_size=1, max_size=3))
    assume(not any(name.startswith("$") for name in where))
    return value, where


@given(filtered_values())
def test_a_value_that_is_read_in_part_passes_as_the_whole_does(drawn):
    value, where = drawn
    text = snapshot(value)
    filters = Filters.build(NOW, where=where)
    whole = from_json(text)
    part = reader_of(filters.fields())(text)
    assert part == {name: whole[name] for name in part}
    assert filters.holds(part) is filters.holds(whole)
    assert filters.held_by([text, text]) == [filters.holds(whole)] * 2
    if filters.holds(whole):
        # What an index looks for: the folded text has it wherever the filters accept a value.
        searchable = searchable_json(text)
        for part_of_it in (*filters.implied_parts(), *filters.implied_texts()):
            assert to_utf8(fold(part_of_it)) in searchable
        for beginning in filters.implied_beginnings():
            assert to_utf8(BORDER + fold(beginning)) in searchable


def test_a_name_of_a_field_may_be_empty():
    value = {"": {"": 3}, "a": {"": 4}}
    for field, wanted in (("", {"": 3}), (".", 3), ("a.", 4)):
        assert holds(wanted, value, field) is True
        assert holds(wanted, {"a": 3, "b": {"": {"": 3}}}, field) is False


@pytest.mark.parametrize(
    ("wanted", "stored"), [(5, 5.0), (0, -0.0), (1000, 1e3), (-7, -7.0), (10**16, 1e16), ("É", "É")]
)
def test_an_index_looks_for_no_text_that_an_equal_value_lacks(wanted, stored):
    filters = Filters.build(NOW, where={"a": wanted})
    assert filters.holds({"a": stored})
    text = searchable_json(snapshot({"a": stored}))
    for beginning in filters.implied_beginnings():
        assert to_utf8(BORDER + fold(beginning)) in text
