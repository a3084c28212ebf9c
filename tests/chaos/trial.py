"""Tries the schedule of a seed, and makes it smaller if it fails."""

from __future__ import annotations

import atexit
import logging
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from real_servers import valkey

from .failovers import ClusterFailovers, SentinelFailovers
from .machine import problems_of
from .schedule import Schedule, schedule_of
from .shrink import smallest
from .world import OneServer, World

_WORLDS: dict[str | None, Callable[[str], World]] = {
    None: OneServer,
    "sentinels": SentinelFailovers,
    "cluster": ClusterFailovers,
}

_TRIES = 2
"""How often a smaller schedule is tried, because threads take turns in another way each time."""


class Worlds:
    """The worlds of one process: each is made when a schedule needs it, and used again."""

    def __init__(self) -> None:
        self._worlds: dict[str | None, World] = {}

    def problems_of(self, schedule: Schedule) -> list[str]:
        """Carries a schedule out; returns what was wrong."""
        kind = schedule.failovers
        if kind not in self._worlds:
            self._worlds[kind] = _WORLDS[kind](valkey())
        found = problems_of(schedule, self._worlds[kind])
        if any("hangs" in each for each in found):
            del self._worlds[kind]  # its threads may never end
        return found

    def close(self) -> None:
        """Ends all servers."""
        for world in self._worlds.values():
            world.close()


_worlds = Worlds()
atexit.register(_worlds.close)


def begin() -> None:
    """Has this process raise what Python warns about, such as an open connection; only the schedules' findings are shown."""
    warnings.simplefilter("error")
    logging.getLogger("tta_memory_nb").setLevel(logging.CRITICAL)


def side_by_side(processes: int) -> ProcessPoolExecutor:
    """Returns processes that carry schedules out at the same time, each in worlds of its own.

    A schedule mostly waits for timers of servers. Not threads: a schedule forks, collects garbage, and looks for threads
    and errors that are left.
    """
    return ProcessPoolExecutor(processes, get_context("spawn"), begin)


def found_by(schedule: Schedule) -> list[str]:
    """Carries a schedule out in the worlds of this process; returns what was wrong."""
    return _worlds.problems_of(schedule)


def failure_of(seed: int) -> str | None:
    """Returns the smallest schedule of a seed that fails, with what was wrong; None if none does."""
    found = _worlds.problems_of(schedule_of(seed))
    if not found:
        return None

    def fails(shorter: Schedule) -> bool:
        for _ in range(_TRIES):
            now = _worlds.problems_of(shorter)
            if now:
                found[:] = now
                return True
        return False

    schedule = smallest(schedule_of(seed), fails)
    return "\n".join([str(schedule), *(f"  wrong: {each}" for each in found)])
