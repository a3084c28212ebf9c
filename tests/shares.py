"""The order in which several workers of pytest-xdist run the tests.

With ``--dist worksteal`` each worker is given an equal number of tests, in the order of collection. A
worker that has none left gets the later half of those of the worker with the most. So each share begins
with modules that take long, whole: their servers, kernels and pages start once, and no worker begins
with one of them when the others have ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

LONG = {
    "browser": 190,
    "test_chaos.py": 45,
    "test_notebooks.py": 45,
    "test_docs.py": 45,
    "test_search_model.py": 40,
    "test_outage.py": 20,
    "test_failover.py": 20,
    "test_embedded.py": 15,
    "test_chitchat.py": 15,
    "test_durability.py": 15,
    "test_terminal.py": 15,
    "test_kernel.py": 15,
    "test_server.py": 15,
    "test_interrupts.py": 10,
    "test_waiting.py": 10,
    "test_servers.py": 10,
}
"""Modules that take long, and folders of modules that share what takes long to start, with about how many seconds each takes."""

_HERE = Path(__file__).parent


def unit_of(path: Path) -> str:
    """Returns what stays whole: the folder in which a module is, or the module itself."""
    return path.relative_to(_HERE).parts[0] if path.is_relative_to(_HERE) else path.name


def in_shares(items: Iterable[pytest.Item], workers: int) -> list[pytest.Item]:
    """Returns the same tests in an order for so many workers."""
    units: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        units[unit_of(item.path)].append(item)
    left = sum(map(len, units.values()))
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    seconds = [0] * workers
    for name, many in sorted(LONG.items(), key=lambda row: -row[1]):
        if tests := units.pop(name, []):
            least = seconds.index(min(seconds))
            seconds[least] += many
            shares[least] += tests
    rest = chain.from_iterable(units.values())
    for number, share in enumerate(shares):
        size = left // (workers - number)
        share += islice(rest, max(0, size - len(share)))
        left -= size
    return [*chain.from_iterable(shares), *rest]
