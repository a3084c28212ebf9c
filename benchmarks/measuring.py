"""Clocks and scales: how long a call takes, how much memory there is."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

ENOUGH = 0.25  # seconds for one figure, where calls are quick
MOST_ROUNDS = 300


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Seconds of one call, and what it gave."""
    started = perf_counter()
    result = call()
    return perf_counter() - started, result


def in_turn(call: Callable[[T], object], arguments: Sequence[T], first: list[float]) -> list[float]:
    """The median seconds for each argument, called in turn, over and over.

    In turn, so that who remembers only the last answer gains nothing. At least 3 calls each, more
    as long as they are quick; 1 where they take more than a second.

    Args:
        call: what is measured.
        arguments: one after the other.
        first: seconds of a first call with each. It stands for itself where calls are slow, and
            is otherwise the one that warmed up.
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
    """Bytes of memory this process has now; None where the system does not say."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    import resource

    return float(pages * resource.getpagesize())


def peak_resident() -> float | None:
    """The most bytes this process has had; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)  # bytes there, KB elsewhere
