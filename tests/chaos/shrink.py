"""Finds the smallest schedule that still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .schedule import Schedule, Step


def smallest(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """Returns a schedule that fails, and of which no part can be left out.

    Args:
        schedule: one that fails.
        fails: carries a schedule out, and returns whether it fails.
    """
    size = len(schedule.steps)
    while size:
        at = 0
        while at < len(schedule.steps):
            shorter = schedule.with_steps(schedule.steps[:at] + schedule.steps[at + size :])
            if fails(shorter):
                schedule = shorter
            else:
                at += size
        size //= 2
    for at, step in enumerate(schedule.steps):
        for simpler in _simpler(step):
            other = schedule.with_steps((*schedule.steps[:at], simpler, *schedule.steps[at + 1 :]))
            if fails(other):
                schedule = other
                break
    return schedule


def _simpler(step: Step) -> Iterator[Step]:
    if step.stop_at:
        yield replace(step, stop_at=0)
    if step.aside:
        yield replace(step, aside=False)
    yield from step.parts
    for number in range(len(step.parts)):
        yield replace(step, parts=step.parts[:number] + step.parts[number + 1 :])
