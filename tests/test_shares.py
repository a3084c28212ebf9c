"""Each worker's share of the tests begins with modules that take long, and each test is in one share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from shares import LONG, in_shares, unit_of


@dataclass(frozen=True)
class Item:
    path: Path
    number: int


def items(**counts: int) -> list[Any]:
    return [
        Item(Path(f"{name}.py"), number)
        for name, count in counts.items()
        for number in range(count)
    ]


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("count", [0, 1, 100])
def test_each_test_is_run_once_and_long_modules_stay_whole_and_come_first(workers, count):
    long = dict.fromkeys((name.removesuffix(".py") for name in LONG), 3)
    made = items(test_a=count, **long, test_z=count)
    ordered = in_shares(made, workers)
    assert sorted(ordered, key=made.index) == made
    at = [number for number, item in enumerate(ordered) if item.path.name in LONG]
    names = [ordered[number].path.name for number in at]
    assert names == [name for name in dict.fromkeys(names) for _ in range(3)]
    if workers <= 3 and count == 100:  # each share has room for its long modules
        size = len(made) // workers
        assert {number // size for number in at} == set(range(workers))
        assert all(number % size < 3 * len(LONG) for number in at)


def test_the_modules_that_take_long_exist():
    here = Path(__file__).parent
    assert [name for name in LONG if not (here / name).exists()] == []


def test_the_modules_of_a_folder_stay_together():
    here = Path(__file__).parent
    assert unit_of(here / "browser" / "test_table.py") == "browser"
    assert unit_of(here / "test_table.py") == "test_table.py"
