"""Durations and instants in all accepted forms."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import InvalidArgument
from tta_memory_nb.errors import brief
from tta_memory_nb.times import duration, instant, shown_instant

NOW = 1_800_000_000.0
DAY = 86_400.0
NO_DURATIONS = ["", " ", "s", "10 s", "10x", "-5s", "5s ago", "1h-30m", "nan", "inf", "0", "0s"]
NO_DURATIONS += ["٣s", "9" * 400, None, True, False, b"10s", [10], pd.NaT, timedelta.max]
# Numbers without a unit, of units of no fixed length, and so large that NumPy would wrap them around.
NO_SPANS = [
    np.timedelta64(5),
    np.timedelta64(1, "M"),
    np.timedelta64("NaT"),
    np.timedelta64(10**18, "s"),
]
NO_DURATIONS += [np.True_, np.float64("nan"), np.datetime64("2026-11-22"), np.timedelta64(0, "s")]
NO_DURATIONS += [*NO_SPANS, np.timedelta64(2**62, "W")]
NO_INSTANTS = ["", "whenever", "2026-13-01", "99999999", "²²²²²²²²", "24:00", "nan", "inf", "-15m"]
NO_INSTANTS += ["9999999999999", None, True, b"2026", [1], pd.NaT, 1e300, 10**400, 253_402_300_800]
NO_INSTANTS += ["0000", "²²²²", np.True_, *NO_SPANS, np.datetime64("NaT")]
NO_INSTANTS += [np.datetime64("99999-01-01"), np.datetime64("-99999999-01-01")]
LOCAL = datetime.fromisoformat("2026-11-22T15:00")
NOON = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1, 1.0),
        (0.25, 0.25),
        (np.int64(5), 5.0),
        (np.float32(0.5), 0.5),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        (pd.Timedelta("2h"), 7200.0),
        (np.timedelta64(2, "D"), 2 * DAY),
        (np.timedelta64(1_500_000_000, "ns"), 1.5),
        ("90", 90.0),
        ("1.5", 1.5),
        ("90s", 90.0),
        ("15m", 900.0),
        ("2h", 7200.0),
        ("7d", 7 * DAY),
        ("2w", 14 * DAY),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (" 10s\n", 10.0),
        (1e11, 1e11),
        (100_000_000_000, 1e11),
    ],
    ids=repr,
)
def test_a_duration_is_read_in_every_form(value, seconds):
    found = duration(value)
    assert found == seconds
    assert type(found) is float


@given(
    st.integers(-(10**400), 0)
    | st.integers(10**11 + 1, 10**400)
    | st.floats(max_value=0)
    | st.floats(min_value=1e11, exclude_min=True)
    | st.timedeltas(max_value=timedelta(0))
)
def test_numbers_that_are_no_duration_are_refused(value):
    with pytest.raises(InvalidArgument, match="ttl="):
        duration(value)


@pytest.mark.parametrize(
    "value",
    NO_DURATIONS,
    ids=lambda value: repr(value)[:20],
)
def test_an_invalid_duration_is_refused_with_its_name_and_value(value):
    with pytest.raises(InvalidArgument) as refused:
        duration(value, "--ttl")
    assert f"--ttl={brief(value)}" in str(refused.value)


@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=1_000_000)))
def test_a_timedelta_is_its_seconds(value):
    assert duration(value) == value.total_seconds()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (NOW, NOW),
        (0, 0.0),
        (-1, -1.0),
        (str(NOW), NOW),
        ("2026", datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()),
        ("20260", 20260.0),
        (np.int64(5), 5.0),
        (np.float32(0.5), 0.5),
        (NOON, NOON.timestamp()),
        (pd.Timestamp(NOON), NOON.timestamp()),
        (pd.Series([NOON]).to_numpy("datetime64[ns]")[0], NOON.timestamp()),
        (np.timedelta64(2, "h"), NOW - 7200),
        # Without a zone: local time as a datetime, UTC as a date and as text.
        (LOCAL, LOCAL.timestamp()),
        (date(2026, 11, 22), NOON.timestamp() - DAY / 2),
        ("2026-11-22", NOON.timestamp() - DAY / 2),
        ("20261122", NOON.timestamp() - DAY / 2),
        ("2026-11-22T12:00", NOON.timestamp()),
        ("2026-11-22 12:00:00", NOON.timestamp()),
        ("2026-11-22T12:00Z", NOON.timestamp()),
        ("2026-11-22T13:00+01:00", NOON.timestamp()),
        # A duration is that long ago.
        ("15m", NOW - 900),
        ("1h30m", NOW - 5400),
        (timedelta(days=1), NOW - DAY),
        (timedelta(days=-1), NOW + DAY),
        ("0s", NOW),
    ],
    ids=repr,
)
def test_an_instant_is_read_in_every_form(value, seconds):
    assert instant(value, NOW) == seconds


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_a_datetime_its_text_and_its_seconds_are_the_same_instant(moment):
    assert instant(moment, NOW) == instant(moment.isoformat(), NOW)
    assert instant(moment.timestamp(), NOW) == moment.timestamp()


@pytest.mark.parametrize(
    "value",
    NO_INSTANTS,
    ids=lambda value: repr(value)[:20],
)
def test_an_invalid_instant_is_refused_with_its_name_and_value(value):
    with pytest.raises(InvalidArgument) as refused:
        instant(value, NOW, "since")
    assert f"since={brief(value)}" in str(refused.value)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "1970-01-01 00:00:00Z"),
        (NOON.timestamp(), "2026-11-22 12:00:00Z"),
        (NOON.timestamp() + 0.999, "2026-11-22 12:00:00Z"),
        (-0.5, "1969-12-31 23:59:59Z"),
        (-62_135_596_800, "0001-01-01 00:00:00Z"),
        (253_402_300_799, "9999-12-31 23:59:59Z"),
        (1e12, "1000000000000 (Unix seconds)"),
        (float("inf"), "inf (Unix seconds)"),
        (float("nan"), "nan (Unix seconds)"),
    ],
)
def test_an_instant_is_shown_as_a_date_in_utc(seconds, shown):
    assert shown_instant(seconds) == shown


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_a_shown_instant_can_be_read_again(seconds):
    assert instant(shown_instant(seconds), NOW) == seconds
