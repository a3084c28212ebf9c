"""Measurement of the time of calls and of the memory of the process."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

ENOUGH = 0.25  # seconds for one figure if calls are fast
MOST_ROUNDS = 300


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Returns the seconds of one call, and its result."""
    started = perf_counter()
    result = call()
    return perf_counter() - started, result


def in_rotation(
    call: Callable[[T], object], arguments: Sequence[T], first: list[float]
) -> list[float]:
    """Returns the median seconds of a call with each argument.

    The arguments are called in rotation, so that a cache of the last answer gains nothing. Each gets at
    least 3 calls, and more if they are fast; 1 if a call takes more than a second.

    Args:
        call: the function to measure.
        arguments: its arguments, one per call.
        first: seconds of a first call with each argument. It counts if calls are slow, and is otherwise
            a warm-up.
    """
    mean = sum(first) / len(first)
    times = [[seconds] if mean > 0.05 else [] for seconds in first]
    needed = 1 if mean > 1 else 3
    spent = 0.0
    while len(times[0]) < needed or (
        spent < ENOUGH and len(times[0]) < MOST_ROUNDS and mean < 0.05
    ):
        for argument, so_far in zip(arguments, times, strict=True):
            started = perf_counter()
            call(argument)
            so_far.append(perf_counter() - started)
            spent += so_far[-1]
    return [median(so_far) for so_far in times]


def resident() -> float | None:
    """Returns the present memory of this process in bytes; None if the system does not report it."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    import resource

    return float(pages * resource.getpagesize())


def peak_resident() -> float | None:
    """Returns the peak memory of this process in bytes; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)  # bytes there, KB elsewhere
