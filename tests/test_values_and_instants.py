"""Values and instants are compared as what they are, and a context has one key in every process."""

from __future__ import annotations

import csv
import math
import os
import random
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from importlib.machinery import ModuleSpec
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pydantic
import pytest
from backends import ONE_OF_EACH_KIND
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import InvalidArgument, MemoryPrimitive, NotStorable, create_memory_key
from tta_memory_nb.codec import to_plain
from tta_memory_nb.filters import Filters
from tta_memory_nb.frames import records_frame
from tta_memory_nb.times import earliest, instant, latest, microseconds, shown_instant, span

NOW = 1_800_000_000.0
TICK = timedelta(microseconds=1)
NAN = float("nan")
OPERATORS: dict[str, Any] = {
    "$eq": lambda left, right: left == right,
    "$gt": lambda left, right: left > right,
    "$gte": lambda left, right: left >= right,
    "$lt": lambda left, right: left < right,
    "$lte": lambda left, right: left <= right,
}


def holds(condition: Any, stored: Any) -> bool:
    value = to_plain({"x": stored})
    return Filters.build(NOW, where={"x": condition}).accept("k", NOW, lambda: value)


# ---- the instant that is shown of a record is one at which the record counts


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_a_record_is_found_by_every_form_in_which_its_own_instant_is_shown(make, clock, tmp_path):
    memory = make().sync
    chance = random.Random(18)
    for number in range(40):
        clock.now += chance.uniform(1.0, 3.0)
        memory.add(f"u:{number}", {"n": number})
    memory.export(tmp_path / "memory.csv")
    with (tmp_path / "memory.csv").open(newline="") as file:
        texts = {row["key"]: row["updated"] for row in csv.DictReader(file)}
    cells = records_frame(memory.records())["updated"]
    for record in memory.records():
        key, at = record.key, record.updated_at
        moment = datetime.fromtimestamp(at, timezone.utc)
        for own in (at, moment, moment.timestamp(), cells[key], texts[key], shown_instant(at)):
            assert memory.keys(since=own, until=own) == [key], own
        for before, after in (
            (moment - TICK, moment + TICK),
            (cells[key] - TICK, cells[key] + TICK),
        ):
            assert memory.keys(since=before, until=after) == [key]
            assert key not in memory.keys(since=after)
            assert key not in memory.keys(until=before)


@given(st.floats(-62_135_596_800.0, 253_402_300_799.0))
def test_both_ends_of_a_span_are_the_microsecond_that_is_given(at):
    first, last = earliest(at), latest(at)
    assert first <= at <= last
    assert microseconds(first) == microseconds(at) == microseconds(last)
    assert microseconds(math.nextafter(first, -math.inf)) < microseconds(at)
    assert microseconds(math.nextafter(last, math.inf)) > microseconds(at)
    # The commands of a notebook pass on Unix seconds in place of what was typed.
    assert (earliest(first), latest(last)) == (first, last)


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("2026-11-22T15:00:00.123456Z", 0.0),
        ("2026-11-22T15:00:00.123Z", 0.000999),
        ("2026-11-22 15:00:00Z", 0.999999),
        ("2026-11-22T16:00:00+01:00", 0.999999),
        ("15m", 0.0),
        (NOW, 0.0),
        (date(2026, 11, 22), 0.0),
    ],
    ids=str,
)
def test_text_stands_for_as_much_time_as_its_last_digit(written, length):
    first, last = span(written, NOW)
    assert first == instant(written, NOW)
    assert last - first == pytest.approx(length, abs=3e-7)


# ---- naive instants


@pytest.fixture
def in_tokyo(monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process cannot be changed on this platform")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_a_naive_timestamp_of_pandas_is_local_time_as_a_datetime_is():
    naive = datetime.fromisoformat("2026-11-22T12:00")
    wanted = datetime(2026, 11, 22, 3, tzinfo=timezone.utc).timestamp()
    assert instant(naive, NOW) == instant(pd.Timestamp(naive), NOW) == wanted
    assert instant(pd.Timestamp(naive, tz="UTC"), NOW) == wanted + 9 * 3600
    with pytest.raises(InvalidArgument, match="NaT"):
        instant(pd.NaT, NOW)


@pytest.mark.usefixtures("in_tokyo")
def test_naive_operands_compare_as_written_with_naive_text_and_as_local_time_with_the_rest():
    naive = datetime.fromisoformat("2026-11-22T12:00")
    utc = datetime(2026, 11, 22, 3, tzinfo=timezone.utc)
    for operand in (naive, pd.Timestamp(naive)):
        assert holds(operand, naive)
        assert holds(operand, utc)
        assert not holds(operand, naive.replace(tzinfo=timezone.utc))
    # Text without a zone is UTC, and so are the instants of NumPy and days.
    noon = naive.replace(tzinfo=timezone.utc)
    for stored in (naive, np.datetime64(naive), "2026-11-22 12:00", "2026-11-22T12", noon):
        assert holds(noon, stored)
        assert holds(np.datetime64(naive), stored)
    assert holds({"$lt": date(2026, 11, 23), "$gte": date(2026, 11, 22)}, noon)
    assert holds({"$eq": date(2026, 11, 22)}, date(2026, 11, 22))


# ---- conditions on fields

decimals = st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from(
    list(map(Decimal, ["9", "10", "9.50", "1E+2", "100", "-0", "0.10", "0.1", "1E+999999"]))
)
zones = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
moments = st.datetimes(timezones=zones) | st.builds(
    lambda minute, zone: datetime(2026, 11, 1, 12, minute, tzinfo=timezone.utc).astimezone(zone),
    st.integers(0, 2),
    zones,
)


@given(decimals, decimals)
def test_decimals_compare_as_numbers(left, right):
    for operator, test in OPERATORS.items():
        assert holds({operator: right}, left) is test(left, right)
    assert holds({"$in": [right]}, left) is holds({"$contains": right}, [left]) is (left == right)


@given(st.integers(-(10**20), 10**20) | st.floats(-1e6, 1e6), decimals)
def test_a_decimal_compares_with_the_number_that_json_shows(number, right):
    for operator, test in OPERATORS.items():
        assert holds({operator: right}, number) is test(Decimal(repr(number)), right)


@given(moments, moments)
def test_instants_of_different_zones_compare_as_instants(left, right):
    class Event(pydantic.BaseModel):
        x: datetime

    for operator, test in OPERATORS.items():
        wanted = test(left, right)
        assert holds({operator: right}, left) is wanted
        assert holds({operator: right}, Event(x=left).model_dump(mode="json")["x"]) is wanted
        assert holds({operator: pd.Timestamp(right.isoformat())}, left) is wanted


@given(st.integers(-(10**18), 10**18), st.integers(0, 2))
def test_instants_of_numpy_keep_their_nanoseconds(at, later):
    left, right = np.datetime64(at, "ns"), np.datetime64(at + later, "ns")
    for operator, test in OPERATORS.items():
        assert holds({operator: right}, left) is bool(test(left, right))


@pytest.mark.parametrize(
    "stored", ["007", "ten", "", "1_000", "٣", True, None, [1], {"a": 1}, "1" * 20_001]
)
def test_what_is_no_number_is_neither_above_nor_below_a_decimal(stored):
    assert not any(holds({operator: Decimal(7)}, stored) for operator in OPERATORS)
    assert holds({"$ne": Decimal(7)}, stored)


@pytest.mark.parametrize(
    "stored", ["soon", "2026", "2026-13-01", "2026-11-22T25:00", 7, True, None]
)
def test_what_is_no_instant_is_neither_before_nor_after_one(stored):
    now = datetime.now(timezone.utc)
    assert not any(holds({operator: now}, stored) for operator in OPERATORS)


def test_operands_inside_lists_and_objects_are_compared_as_what_they_are():
    @dataclass
    class Price:
        amount: Decimal

    class Kind(Enum):
        CHEAP = Decimal("9.5")

    assert holds(Price(Decimal("9.5")), Price(Decimal("9.50")))
    assert holds({"a": [Decimal(10)]}, {"a": [Decimal("10.0")]})
    assert holds({"$in": [1, Kind.CHEAP]}, Decimal("9.50"))
    assert not holds({"$nin": (Decimal("9.5"),)}, Decimal("9.50"))


@pytest.mark.parametrize("operand", [b"\x00", bytearray(b"a"), PurePosixPath("a/b")], ids=repr)
def test_a_type_whose_text_has_another_order_is_refused(operand):
    assert holds(operand, operand)
    with pytest.raises(InvalidArgument, match=r"where\['x'\]\['\$lt'\].*another order") as refused:
        holds({"$lt": operand}, operand)
    assert refused.value.parameter == "where"


# ---- models


class Model(pydantic.BaseModel):
    x: Any = None


@pytest.mark.parametrize(
    "inside",
    [
        {1.0, NAN},
        frozenset([NAN]),
        deque([1, math.inf]),
        {NAN: 1},
        [{"a": ({"b": {-math.inf}},)}],
        Decimal("NaN"),
        Model(x={NAN}),
        iter([NAN]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_model_with_a_nan_anywhere_is_refused(inside):
    with pytest.raises(NotStorable, match=r"^value\['x'\]"):
        to_plain(Model(x=inside))


# ---- keys

CONTEXTS = """
import json, sys, types
from collections import deque
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from tta_memory_nb import InvalidArgument, create_memory_key

@dataclass
class Plan: tags: object
class Agent: pass
class Named:
    def __init__(self): self.tags = {"a", "b", "c"}
    def __str__(self): return "planner"
words = {"rain", "sun", "snow", "fog"}
ring = types.SimpleNamespace(words=words)
ring.self = ring
for value in (
    words, [frozenset(words)], {("a", 1), ("b", 2)}, {frozenset(words), "b"}, {"a", None, date(2026, 1, 1)},
    Plan(words), deque([words]), types.MappingProxyType({"a": words}), ring, Agent(), [Agent()], json.dumps,
    lambda: 1, Named(), {1}, {"a"}, timedelta(1), Decimal("1.50"), range(3), b"ab", Agent,
):
    try:
        print(create_memory_key("alice", "monday", {"x": value}))
    except InvalidArgument:
        print("refused")
"""


def test_a_context_has_the_same_key_in_every_process_or_is_refused():
    keys = {
        subprocess.run(
            [sys.executable, "-c", CONTEXTS],
            env={**os.environ, "PYTHONHASHSEED": seed, "PADDING": "y" * int(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3000")
    }
    assert len(keys) == 1
    lines = keys.pop().split()
    assert [number for number, line in enumerate(lines) if line == "refused"] == [
        5,
        6,
        7,
        8,
        9,
        10,
        11,
        12,
    ]
    assert len(lines) == 21


def test_sets_that_had_one_text_in_every_process_keep_their_key():
    assert create_memory_key("u", "s", {"x": {"a"}}) == "u:s:9c5f4f62"
    assert create_memory_key("u", "s", {"x": set()}) == "u:s:b2f85e77"
    assert create_memory_key("u", "s", {"x": {3, 1, 2}}) == "u:s:c40957c9"


def test_a_package_that_another_thread_is_importing_just_now_is_not_asked_for_its_types(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("numpy", "pandas", "trio"):
        unfinished = ModuleType(name)
        spec = unfinished.__spec__ = ModuleSpec(name, None)
        monkeypatch.setattr(spec, "_initializing", True, raising=False)  # as the import system does
        monkeypatch.setitem(sys.modules, name, unfinished)
    memory = MemoryPrimitive().sync
    memory.add("k", {"at": date(2026, 1, 2), "price": Decimal("1.5")}, ttl=timedelta(hours=1))
    memory.touch(["k"], "2h")
    where: Any = {"at": {"$gte": date(2026, 1, 1)}, "price": {"$lt": Decimal(2)}}
    assert memory.keys(since="1h", where=where) == ["k"]
    with pytest.raises(NotStorable, match="<object> is not JSON"):
        memory.add("other", {"x": object()})
