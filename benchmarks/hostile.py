"""The time that one hostile record costs everybody who searches, lists or exports the memory that holds it.

    python benchmarks/hostile.py [--size 100000]

Each record is measured at a size and at twice the size, beside 1,000 plain notes. A ratio of about 2 means linear
time; a quadratic place would show 4. The time of a place that takes less than 20 ms is not compared.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.frames import differences_frame, frame_html, hits_frame, records_frame
from tta_memory_nb.memory.compare import Snapshot, compare
from tta_memory_nb.notebook.explorer.cells import Fields, Rows
from tta_memory_nb.notebook.explorer.detail import describe
from tta_memory_nb.notebook.explorer.versions import Versions

_LEAST = 0.02  # seconds
_DEPTH = 190


def _deep(leaf: Any) -> dict[str, Any]:
    for _ in range(_DEPTH):
        leaf = {"n": leaf}
    return leaf


RECORDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "combining marks": lambda size: {"text": "a" + "\u0301\u0316" * size},
    "marks of marks": lambda size: {"text": "\u0f73\u0316" * size},
    "jamo": lambda size: {"text": "\u1100\u1161\u11a8" * size},
    "matches everywhere": lambda size: {"text": "ab" * size, "list": ["a"] * size},
    "many fields": lambda size: {f"f{number}": "a" for number in range(size)},
    "many deep fields": lambda size: _deep({f"f{number}": "a" for number in range(size // 10)}),
    "a long name": lambda size: {"n" * size: {f"f{number}": "a" for number in range(size // 100)}},
    "deep lists": lambda size: {"list": [_deep(1) for _ in range(size // 1000)]},
    "long numbers": lambda size: {"list": [10**4200] * (size // 100)},
    "quotes and escapes": lambda size: {"text": '"' + "\\" * size + '"'},
    "line breaks": lambda size: {"text": "a\n\r\x1b[31m" * size},
}


def _measured(value: dict[str, Any]) -> dict[str, float]:
    memory = MemoryPrimitive(max_size=2000).sync
    memory.add_many((f"u:{number}", {"text": "plain note", "n": number}) for number in range(1000))
    before = Snapshot.of("before", 0.0, "default", memory.entries())
    memory.add("eve:1", value)
    entry = memory.entries(limit=1)[0]
    frame = records_frame(memory.records(None))
    times: dict[str, float] = {}

    def timed(place: str, work: Callable[[], object]) -> None:
        start = time.process_time()
        work()
        times[place] = time.process_time() - start

    timed("search", lambda: memory.search_records("nothing like it"))
    timed("matches", lambda: hits_frame(memory.search_records("a", 20)))
    timed("table", lambda: records_frame(memory.records(None)))
    timed("html", lambda: frame_html(frame))
    timed("diff", lambda: differences_frame(compare(before, memory.entries(), 1.0)))
    timed(
        "cells",
        lambda: Rows(Fields.of(memory.entries(), "").columns, "a").row(entry, selected=False),
    )
    timed("doctor", lambda: memory.diagnose(user="eve"))
    timed("detail", lambda: describe(memory, entry, "a", Versions(), whole=False))
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("jsonl", "csv"):
            path = Path(folder, f"records.{ending}")
            timed(f"export {ending}", lambda path=path: memory.export(path))
            again = MemoryPrimitive(max_size=2000).sync
            timed(f"import {ending}", lambda path=path, again=again: again.import_(path))
    return times


def main() -> None:
    """Prints the time of each place in seconds, and the ratio for twice the size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=100_000)
    size = parser.parse_args().size
    for name, make in RECORDS.items():
        once, twice = _measured(make(size)), _measured(make(2 * size))
        shown = [
            f"{place} {seconds:.2f}"
            + (f" (x{twice[place] / seconds:.1f})" if seconds > _LEAST else "")
            for place, seconds in once.items()
        ]
        print(f"{name:20} " + ", ".join(shown), flush=True)


if __name__ == "__main__":
    main()
