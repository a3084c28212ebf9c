"""The code that an explorer gives for its view finds the same records, whatever text and types are in it."""

from __future__ import annotations

import ast
import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from backends import Clock
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import MemoryExplorer, MemoryPrimitive
from tta_memory_nb.notebook.explorer.code import search_call, text_literal

NOW = 1_764_500_000.0


class Mood(Enum):
    LOW = "low"


class Colour(StrEnum):
    RED = "red"


@dataclass
class Price:
    amount: Decimal


def run(code: str, memory: MemoryPrimitive) -> list[str]:
    """Runs the code as a cell that knows nothing but the memory."""
    *imports, call = ast.parse(code).body
    assert all(isinstance(each, ast.Import) for each in imports)
    assert isinstance(call, ast.Expr)
    names = {"memory": memory}
    exec(compile(ast.Module(imports, []), "", "exec"), names)
    return [record.key for record in eval(ast.unparse(call), names)]


def shown(explorer: MemoryExplorer) -> list[str]:
    return [entry.key for entry in explorer._lister.listing().entries]


def check_same(memory: MemoryPrimitive, **traits: Any) -> str:
    """Checks that the code of an explorer finds what it lists, and returns the code."""
    explorer = MemoryExplorer(memory, **traits)
    try:
        code = explorer.state()["code"]
        assert run(code, memory) == shown(explorer)
        return code
    finally:
        explorer.close()


def test_the_call_names_query_limit_and_filters():
    filters = {"user": "ann", "since": "1h", "where": {"turn": {"$gt": 2**70}}}
    assert search_call("it's rain", "keyword", filters) == (
        'memory.sync.search_records("it\'s rain", limit=None, user="ann", since="1h", '
        'where={"turn": {"$gt": 1180591620717411303424}})'
    )
    assert search_call("", "keyword", {}) == "memory.sync.records(limit=None)"
    assert search_call("a", "keyword", {"since": NOW}, 7) == (
        'memory.sync.search_records("a", limit=7, since=1764500000.0)'
    )


BERLIN = dt.timezone(dt.timedelta(hours=1, minutes=30, seconds=7))


@pytest.mark.parametrize(
    "value",
    [
        Decimal("10.50"),
        Decimal("1E+3"),
        2**64,
        pytest.param(-(10**4100), id="an integer of 4,100 digits"),
        1e300,
        -0.0,
        True,
        None,
        dt.datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN),
        dt.datetime(2026, 11, 30, 12, 0, 0, 123456, dt.timezone.utc),
        dt.datetime(2026, 10, 25, 2, 30, fold=1),  # noqa: DTZ001  local time is meant
        dt.date(2026, 11, 30),
        pd.Timestamp("2026-11-30T12:00:00.123456789+01:00"),
        pd.Timestamp("2026-11-30"),
        np.datetime64("2026-11-30T12:00:00.123456789"),
        np.int64(7),
        np.float32(0.1),
        np.bool_(1),
        np.str_("text"),
        UUID(int=7),
        PurePosixPath("a/b"),
        b"\x00bytes",
        Mood.LOW,
        Colour.RED,
        Price(Decimal("2.0")),
        {"a": [1, (Decimal("2.5"), None)], 1: {"b": dt.date(2026, 1, 1)}},
    ],
)
def test_operands_keep_their_type(value):
    memory = MemoryPrimitive(clock=lambda: NOW)
    memory.sync.add("same", {"f": value})
    memory.sync.add("other", {"f": "another"})
    memory.sync.add("ten", {"f": "10.5"})
    memory.sync.add("noon", {"f": "2026-11-30T12:00:00Z"})
    explorer = MemoryExplorer(memory, filters={"where": {"f": value}})
    assert "same" in run(explorer.state()["code"], memory)
    for operator in ("$eq", "$ne"):
        check_same(memory, filters={"where": {"f": {operator: value}}})
    check_same(memory, filters={"where": {"f": {"$in": [value, "another"]}}})
    explorer.close()


@pytest.mark.parametrize("operand", [Decimal(9), dt.date(2026, 11, 30), 2**65, "10"])
def test_an_order_stays_that_of_the_type(operand):
    memory = MemoryPrimitive(clock=lambda: NOW)
    for at, value in enumerate(["10", "9.5", "2026-12-01T00:00Z", "2026-11-29", 2**66, 3]):
        memory.sync.add(f"k{at}", {"f": value})
    for operator in ("$gt", "$gte", "$lt", "$lte"):
        check_same(memory, filters={"where": {"f": {operator: operand}}})


@pytest.mark.parametrize(
    "value",
    [
        NOW - 30,
        int(NOW) - 30,
        Fraction(int(NOW * 2) - 61, 2),
        "30s",
        "2025-11-30T10:53Z",
        dt.timedelta(seconds=30, microseconds=5),
        dt.timedelta(0),
        dt.datetime.fromtimestamp(NOW - 30, BERLIN),
        dt.datetime.fromtimestamp(NOW - 30),  # noqa: DTZ006  local time is meant
        pd.Timedelta(seconds=30),
        pd.Timestamp(NOW - 30, unit="s"),
        np.float64(NOW - 31),
    ],
)
def test_instants_stay_what_they_are(value):
    clock = Clock(NOW - 90)
    memory = MemoryPrimitive(clock=clock)
    for number in range(7):
        memory.sync.add(f"k{number}", {})
        clock.tick(15)
    for name in ("since", "until"):
        check_same(memory, filters={name: value})


TEXTS = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\"'\\{}\n\r\t\x00\u202e\u2066\u200d\ufe0f\u0301\u3164\u2028\ud83d%$!?;#"),
    ),
    max_size=12,
)
OPERANDS = st.recursive(
    st.one_of(
        TEXTS,
        st.integers(),
        st.booleans(),
        st.none(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.dates(),
        st.datetimes(),
        st.datetimes(timezones=st.timezones()),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(
    st.one_of(st.just(""), TEXTS),
    st.fixed_dictionaries(
        {},
        optional={
            "user": TEXTS,
            "session": TEXTS,
            "prefix": TEXTS,
            "where": st.dictionaries(
                TEXTS.filter(lambda name: name and not name.startswith("$")), OPERANDS, max_size=2
            ),
        },
    ),
    st.lists(st.tuples(TEXTS.filter(bool), st.dictionaries(TEXTS, OPERANDS, max_size=2))),
)
def test_the_code_finds_the_records_of_the_view(query, filters, records):
    memory = MemoryPrimitive(clock=lambda: NOW)
    where = dict(filters.get("where", {}))
    for key, value in [*records, ("a:b", where), ("c:d", {"text": query})]:
        memory.sync.add(key, value)
    code = check_same(memory, query=query, filters=filters)
    assert "\n" not in code.split("memory.sync", 1)[1]


@given(TEXTS)
def test_a_text_as_code_is_that_text_and_hides_nothing(text):
    code = text_literal(text)
    assert ast.literal_eval(code) == text
    assert code.isprintable()
    assert not set(code) & set("\u3164\ufe0f\u2800")
    # Text in every script stays readable.
    assert text_literal("हिन्दी, Málaga") == '"हिन्दी, Málaga"'
    assert text_literal("\u0301a\u202e") == '"\\u0301a\\u202e"'
