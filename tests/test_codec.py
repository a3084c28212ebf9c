"""Stored values read as after a round trip through JSON; errors name the path of other values."""

from __future__ import annotations

import base64
import json
import math
import pickle
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_values import any_text, json_objects, leaves
from pydantic import BaseModel, RootModel

from tta_memory_nb import NotStorable
from tta_memory_nb.codec import MAX_DEPTH, from_json, to_json, to_plain
from tta_memory_nb.errors import brief


class Color(Enum):
    RED = "red"


class Shade(Enum):
    LIGHT = Color.RED
    PAIR = (1, "b")


class Level(IntEnum):
    HIGH = 3


class Role(StrEnum):
    USER = "user"


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not the text"


class Count(int):
    pass


class Ratio(float):
    pass


Point = namedtuple("Point", "x y")  # noqa: PYI024  the untyped kind is one of the rules


@dataclass
class Place:
    name: str
    at: tuple[float, float]
    tags: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slotted:
    when: date


@dataclass
class Node:
    next: Any = None


class Message(BaseModel):
    role: Role
    sent: datetime
    place: Place | None = None


class Holder(BaseModel):
    it: Any


def nested(depth: int, leaf: Any = 1) -> dict[str, Any]:
    """Returns an object of so many levels, itself included."""
    value = leaf
    for _ in range(depth):
        value = {"a": value}
    return value


def ring() -> dict[str, Any]:
    value: dict[str, Any] = {"name": "x"}
    value["self"] = value
    return value


# ---- round trips through JSON

# Names of every type that JSON writes as text. Names that would collide are refused, see below.
names = (
    any_text
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
)
tuples_too = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4
)


@given(json_objects(tuples_too))
def test_a_stored_value_reads_as_after_a_round_trip_through_json(value):
    # repr distinguishes 1 from 1.0 and True, and 0.0 from -0.0; == does not.
    assert repr(from_json(to_json(to_plain(value)))) == repr(json.loads(json.dumps(value)))


@given(json_objects())
def test_a_plain_value_stays_as_it_is_and_is_a_copy(value):
    plain = to_plain(value)
    assert repr(plain) == repr(value)
    assert plain is not value
    assert to_plain(plain) == plain


@given(st.dictionaries(names, st.just(1)))
def test_field_names_become_what_json_writes_or_are_refused_when_they_collide(value):
    written = json.loads(json.dumps(value))
    if len(written) < len(value):
        with pytest.raises(NotStorable, match="two field names become the same JSON text"):
            to_plain(value)
    else:
        assert to_plain(value) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_every_bit(number):
    back = from_json(to_json(to_plain({"x": number})))["x"]
    assert back.hex() == number.hex()


@pytest.mark.parametrize("number", [2**63, -(2**64), 10**1000, 2**13_999])
def test_a_large_integer_keeps_every_digit(number):
    assert from_json(to_json(to_plain({"x": number}))) == {"x": number}


def test_json_text_is_compact_and_readable():
    assert to_json({"a": [1, None], "é": "天"}) == '{"a":[1,null],"é":"天"}'


# ---- the rules

PLAIN: list[tuple[Any, Any]] = [
    ((1, (2,)), [1, [2]]),
    (Point(1, "b"), [1, "b"]),
    (OrderedDict(b=1), {"b": 1}),
    (datetime.fromisoformat("2026-11-22T15:30"), "2026-11-22T15:30:00"),
    (datetime(2026, 11, 22, tzinfo=timezone.utc), "2026-11-22T00:00:00+00:00"),
    (date(2026, 11, 22), "2026-11-22"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Decimal("1.10"), "1.10"),
    (Path("data") / "a.txt", str(Path("data") / "a.txt")),
    (PurePosixPath("/a"), "/a"),
    (PureWindowsPath(r"C:\a"), r"C:\a"),
    (Color.RED, "red"),
    (Shade.LIGHT, "red"),
    (Shade.PAIR, [1, "b"]),
    (Level.HIGH, 3),
    (Role.USER, "user"),
    (b"\x00\xff", base64.b64encode(b"\x00\xff").decode()),
    (bytearray(b"ab"), "YWI="),
    (b"", ""),
    (Text("text"), "text"),
    (Count(3), 3),
    (Ratio(1.5), 1.5),
    (
        Place("Málaga", (1.5, 2.0), [Color.RED]),
        {"name": "Málaga", "at": [1.5, 2.0], "tags": ["red"]},
    ),
    (Slotted(date(2026, 11, 22)), {"when": "2026-11-22"}),
    (
        Message(role="user", sent=datetime.fromisoformat("2026-11-22"), place=Place("x", (1, 2))),
        {
            "role": "user",
            "sent": "2026-11-22T00:00:00",
            "place": {"name": "x", "at": [1.0, 2.0], "tags": []},
        },
    ),
    (RootModel[list[int]]([1, 2]), [1, 2]),
    (np.int8(-3), -3),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.float64(1.5), 1.5),
    (np.float32(0.5), 0.5),
    (np.float16(0.5), 0.5),
    (np.longdouble(0.5), 0.5),
    (np.bool_(True), True),
    (np.str_("text"), "text"),
    (np.bytes_(b"ab"), "YWI="),
    (np.datetime64("2026-11-22"), "2026-11-22"),
    (np.datetime64("2026-11-22T15:30"), "2026-11-22T15:30"),
    (pd.Timestamp("2026-11-22T15:30Z"), "2026-11-22T15:30:00+00:00"),
]


@pytest.mark.parametrize(
    ("value", "plain"), PLAIN, ids=[f"{type(case[0]).__name__} {case[0]}" for case in PLAIN]
)
def test_each_type_is_encoded_by_its_rule(value, plain):
    found = to_plain({"x": value, "in a list": [value]})
    assert repr(found) == repr({"x": plain, "in a list": [plain]})
    assert from_json(to_json(found)) == found


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Place("x", (1, 2)), {"name": "x", "at": [1, 2], "tags": []}),
        (Holder(it=1), {"it": 1}),
        (OrderedDict(a=1), {"a": 1}),
    ],
)
def test_everything_that_is_encoded_as_an_object_can_be_a_value(value, plain):
    assert to_plain(value) == plain


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        (Color.RED, "red"),
        (Level.HIGH, "3"),
        (Role.USER, "user"),
        (Text("text"), "text"),
        (date(2026, 11, 22), "2026-11-22"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (np.int64(3), "3"),
    ],
)
def test_field_names_follow_the_same_rules(name, text):
    plain = to_plain({name: 1})
    assert plain == {text: 1}
    assert [type(found) for found in plain] == [str]


def test_text_of_a_subclass_becomes_plain_text():
    plain = to_plain({"x": Text("a"), "y": np.str_("b")})
    assert [type(found) for found in plain.values()] == [str, str]


# ---- refused values and their paths


REFUSED: list[tuple[Any, str]] = [
    ({"agent": {"client": object()}}, "value['agent']['client']: <object> is not JSON"),
    ({"a": [1, (2, {3})]}, "value['a'][1][1]: <set> is not JSON"),
    ({"a": {"b.c": [{1: print}]}}, "value['a']['b.c'][0][1]: <builtin_function_or_method>"),
    ({"x": Place("x", (1, 2), [object()])}, "value['x']['tags'][0]: <object> is not JSON"),
    ({"x": float("nan")}, "value['x']: nan is not JSON; leave the field out or store None"),
    ({"x": float("-inf")}, "value['x']: -inf is not JSON"),
    ({"x": Ratio("inf")}, "value['x']: inf is not JSON"),
    ({"x": np.float32("nan")}, "value['x']: nan is not JSON"),
    ({"x": np.longdouble("inf")}, "value['x']: inf is not JSON"),
    ({"x": pd.NaT}, "value['x']: NaT is not JSON; leave the field out or store None"),
    ({"x": pd.NA}, "value['x']: NA is not JSON"),
    ({"x": np.datetime64("NaT")}, "value['x']: <datetime64> is not JSON"),
    ({"x": np.timedelta64(5, "ns")}, "value['x']: <timedelta64> is not JSON"),
    ({"x": np.timedelta64("NaT")}, "value['x']: <timedelta64> is not JSON"),
    ({"x": np.complex128(1)}, "value['x']: <complex128> is not JSON"),
    ({"x": np.array([1])}, "value['x']: <ndarray> is not JSON"),
    ({"x": Decimal("NaN")}, "value['x']: NaN is not JSON"),
    ({"x": Decimal("-Infinity")}, "value['x']: -Infinity is not JSON"),
    ({"x": 10**5000}, "value['x']: an integer of 16,610 bits is not JSON; store it as text"),
    ({"x": Count(10**5000)}, "value['x']: an integer of 16,610 bits"),
    ({"x": 1j}, "value['x']: <complex> is not JSON"),
    ({"x": Fraction(1, 2)}, "value['x']: <Fraction> is not JSON"),
    ({"x": timedelta(1)}, "value['x']: <timedelta> is not JSON"),
    ({"x": time(1)}, "value['x']: <time> is not JSON"),
    ({"x": memoryview(b"")}, "value['x']: <memoryview> is not JSON"),
    ({"x": MappingProxyType({})}, "value['x']: <mappingproxy> is not JSON"),
    ({"x": Place}, "value['x']: <type> is not JSON"),
    ({"x": Message}, "value['x']: <ModelMetaclass> is not JSON"),
    ({"x": (n for n in ())}, "value['x']: <generator> is not JSON"),
    ({"x": Holder(it=object())}, "value['x']: <Holder> cannot be dumped"),
    ({"x": Holder(it=b"\xff")}, "value['x']: <Holder> cannot be dumped"),
    ({(1, 2): 1}, "value[(1, 2)]: <tuple> cannot be a field name"),
    ({"x": {Slotted(1): 1}}, "value['x'][Slotted(when=1)]: <Slotted> cannot be a field name"),
    ({frozenset(): 1}, "value[frozenset()]: <frozenset> is not JSON"),
    ({float("nan"): 1}, "value[nan]: nan is not JSON"),
    ({"x": {1: "a", "1": "b"}}, "value['x']: two field names become the same JSON text"),
    (
        {"x": Slotted.__new__(Slotted)},
        "value['x']['when']: the field of <Slotted> has no value; set it",
    ),
    ({None: 1, "null": 2}, "value: two field names become the same JSON text"),
    ({Role.USER: {"user": {True: 1, "true": 2}}}, f"value[{Role.USER!r}]['user']: two field"),
    (7, "value: <int> is not a JSON object; store a dict"),
    ([{}], "value: <list> is not a JSON object"),
    ("text", "value: <str> is not a JSON object"),
    (None, "value: <NoneType> is not a JSON object"),
    (RootModel[list[int]]([1]), "is not a JSON object"),
    (Holder(it=[1.0, {"x": float("nan")}]), r"value['it'][1]['x']: nan is not JSON"),
    (object(), "value: <object> is not JSON"),
]


@pytest.mark.parametrize(
    ("value", "message"), REFUSED, ids=[f"{n} {case[1]}" for n, case in enumerate(REFUSED)]
)
def test_an_error_names_the_path_of_what_is_not_json(value, message):
    with pytest.raises(NotStorable) as refused:
        to_plain(value)
    assert message in str(refused.value)


def test_the_error_has_path_and_reason_as_separate_attributes():
    with pytest.raises(NotStorable) as refused:
        to_plain({"agent": {"client": object()}}, "items['k']")
    assert refused.value.path == "items['k']['agent']['client']"
    assert refused.value.reason.startswith("<object> is not JSON; store text")
    assert str(refused.value) == f"{refused.value.path}: {refused.value.reason}"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("it's", '["it\'s"]'),
        ("line\nbreak", "['line\\nbreak']"),
        ("\ud800", "['\\ud800']"),
        ("\u202e", "['\\u202e']"),
        ("天", "['天']"),
        ("x" * 1000, f"['{'x' * 76}...]"),
    ],
    ids=["quote", "line break", "surrogate", "bidi override", "CJK", "long"],
)
def test_hostile_names_stay_short_and_on_one_line_in_the_path(name, shown):
    with pytest.raises(NotStorable) as refused:
        to_plain({name: object()})
    assert refused.value.path == f"value{shown}"


def test_the_error_survives_a_process_boundary():
    error = NotStorable("value['a']", "<object> is not JSON")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is NotStorable
    assert (copy.path, copy.reason, str(copy)) == (error.path, error.reason, str(error))


# ---- cycles and depth


def in_a_list() -> dict[str, Any]:
    items: list[Any] = [0, {}]
    items[1]["items"] = items
    return {"items": items}


def through_a_dataclass() -> dict[str, Any]:
    node = Node()
    node.next = [node]
    return {"node": node}


def behind_a_long_list() -> dict[str, Any]:
    return {"many": list(range(1000)), "ring": ring()}


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (ring, "value['self']"),
        (in_a_list, "value['items'][1]['items']"),
        (through_a_dataclass, "value['node']['next'][0]"),
        (behind_a_long_list, "value['ring']['self']"),
    ],
)
def test_a_cycle_is_refused_at_its_shortest_path(make, path):
    with pytest.raises(NotStorable) as refused:
        to_plain(make())
    assert refused.value.path == path
    assert "contains itself" in refused.value.reason


def test_a_cycle_of_pydantic_models_is_refused():
    holder = Holder(it=None)
    holder.it = holder
    with pytest.raises(NotStorable, match=r"value\['x'\]: <Holder> cannot be dumped"):
        to_plain({"x": holder})


def test_a_cycle_is_found_from_deep_inside_a_program():
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        else:
            to_plain(through_a_dataclass())

    with pytest.raises(NotStorable, match="contains itself"):
        deep(200)


@dataclass(eq=False)
class Named:
    inner: Any = None


def test_a_cycle_through_a_field_name_is_refused():
    name = Named()
    name.inner = {name: 1}
    with pytest.raises(NotStorable, match="nested deeper than 200 levels"):
        to_plain(name.inner)


def test_a_cycle_beside_a_field_that_was_never_set_is_found():
    value = ring()
    unset = Slotted.__new__(Slotted)
    with pytest.raises(NotStorable, match="contains itself"):
        to_plain({"ring": value, "unset": unset})


@pytest.mark.parametrize(
    "change", [lambda d: d.pop("b"), lambda d: d.update(c=1)], ids=["less", "more"]
)
def test_a_dict_that_changes_while_it_is_stored_is_stored_as_it_was(change):
    class Changing(Enum):
        A = "a"

        @property
        def value(self):
            change(value)
            return "a"

    value = {"a": Changing.A, "b": 1}
    assert to_plain(value) == {"a": "a", "b": 1}


def test_the_same_object_twice_is_no_cycle():
    shared = {"a": [1]}
    assert to_plain({"x": shared, "y": [shared, shared]}) == {"x": shared, "y": [shared, shared]}


def test_the_deepest_value_is_stored_and_one_level_more_is_refused():
    assert from_json(to_json(to_plain(nested(MAX_DEPTH)))) == nested(MAX_DEPTH)
    for too_deep in (nested(MAX_DEPTH + 1), nested(MAX_DEPTH, []), nested(MAX_DEPTH, ())):
        with pytest.raises(NotStorable) as refused:
            to_plain(too_deep)
        assert refused.value.path == "value" + "['a']" * 8 + "..."
        assert refused.value.reason == "nested deeper than 200 levels"


def test_extremely_deep_values_are_refused_as_well():
    with pytest.raises(NotStorable, match="nested deeper than 200 levels"):
        to_plain(nested(50_000))


@given(json_objects(leaves | st.floats() | st.decimals() | st.timedeltas() | st.binary()))
def test_a_value_is_either_stored_or_refused(value):
    try:
        plain = to_plain(value)
    except NotStorable as refused:
        assert refused.path.startswith("value")  # noqa: PT017  both outcomes are valid
    else:
        assert from_json(to_json(plain)) == plain
        assert all(math.isfinite(leaf) for leaf in plain.values() if isinstance(leaf, float))


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\n\x1b[31m\u202e", r"'a\n\x1b[31m\u202e'"),
        ("x" * 1000, "'" + "x" * 76 + "..."),
        (Unshowable(), "<Unshowable>"),
        (10**5000, "<int>"),
    ],
    ids=["hostile", "long", "broken", "endless"],
)
def test_a_value_in_a_message_is_short_and_on_one_line(value, shown):
    assert brief(value) == shown
