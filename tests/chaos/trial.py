"""Tries the schedule of a seed, and makes it smaller if it fails."""

from __future__ import annotations

import logging

from real_servers import valkey

from .machine import problems_of
from .schedule import Schedule, schedule_of
from .shrink import smallest
from .world import World

_TRIES = 2
"""How often a smaller schedule is tried, because threads take turns in another way each time."""

_world: World | None = None


def failure_of(seed: int) -> str | None:
    """Returns the smallest schedule of a seed that fails, with what was wrong; None if none does."""
    found = _run(schedule_of(seed))
    if not found:
        return None

    def fails(shorter: Schedule) -> bool:
        for _ in range(_TRIES):
            now = _run(shorter)
            if now:
                found[:] = now
                return True
        return False

    schedule = smallest(schedule_of(seed), fails)
    return "\n".join([str(schedule), *(f"  wrong: {each}" for each in found)])


def _run(schedule: Schedule) -> list[str]:
    global _world  # noqa: PLW0603  one server for all schedules of a worker
    if _world is None:
        logging.getLogger("tta_memory_nb").addHandler(logging.NullHandler())
        logging.getLogger("tta_memory_nb").propagate = False
        _world = World(valkey())
    found = problems_of(schedule, _world)
    if any("hangs" in each for each in found):
        _world = None  # its threads may never end
    return found
