"""Random schedules of verbs and faults lose no acknowledged write and undo no deletion; see ``chaos``.

``make chaos`` runs thousands of them. One that fails here is run again, and made smaller, by
``make chaos SEED=... SCHEDULES=1``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
from chaos.schedule import schedule_of
from chaos.trial import found_by, side_by_side
from real_servers import need

MANY = 200
TOGETHER = 100
"""So many schedules are one test, of which each worker of pytest takes some."""

AT_THE_SAME_TIME = 3
"""So many schedules a worker carries out at the same time, since each mostly waits."""

KEPT_OUT: dict[str, str] = {}
"""Traits that no schedule has here, each with the fault of the package that is the reason."""

FAILING: dict[int, str] = {}
"""Seeds that are left out, each with the fault of the package that is the reason."""


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    need("valkey")
    with side_by_side(AT_THE_SAME_TIME) as processes:
        yield processes


@pytest.mark.parametrize("first", range(0, MANY, TOGETHER))
def test_random_schedules_lose_no_acknowledged_write_and_undo_no_deletion(processes, first):
    seeds = sorted({*range(first, first + TOGETHER)} - {*FAILING})
    schedules = [schedule_of(seed, KEPT_OUT) for seed in seeds]
    schedules.sort(key=lambda each: each.failovers is None)  # those that take longest first
    for schedule, found in zip(schedules, processes.map(found_by, schedules), strict=True):
        assert not found, "\n".join([str(schedule), *found])
