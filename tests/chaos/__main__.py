"""Runs many schedules: ``SEED=1 SCHEDULES=2000 WORKERS=2 python -m chaos``, in the folder of the tests."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator

from .trial import failure_of, side_by_side


def _results(seeds: range, workers: int) -> Iterator[str | None]:
    with side_by_side(workers) as pool:
        yield from pool.map(failure_of, seeds)


def main() -> int:
    """Runs schedules as the environment says, and returns how many failed."""
    number = lambda name, default: int(os.environ.get(name) or default)  # noqa: E731
    first, many = number("SEED", random.randrange(10**6)), number("SCHEDULES", 2000)
    failed = 0
    print(f"{many} schedules from SEED={first}", flush=True)
    for done, failure in enumerate(_results(range(first, first + many), number("WORKERS", 2)), 1):
        if failure:
            failed += 1
            print(failure, flush=True)
        if done % 100 == 0 or done == many:
            print(f"{done} of {many} schedules, {failed} failed", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
