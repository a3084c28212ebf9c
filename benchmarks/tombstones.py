"""What a list of tombstones costs a process that writes.

    python benchmarks/tombstones.py [--sizes 1000,100000,1000000]

For each size, in a process of its own: the seconds to take the list in for the first time, without reading it from a server; the bytes of the
process that a tombstone takes; and how much longer the `add` of a text of 14 words takes than in a memory without tombstones. Adds of the two memories
alternate in batches, and the figure is the median over the batches, in processor time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from random import Random
from statistics import median
from time import process_time

from measuring import resident

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.memory.tombstones.fingerprint import HASHES, Fingerprint
from tta_memory_nb.memory.tombstones.tombstone import entry_of_tombstone

BATCH, BATCHES = 100, 30
PAGE = 10_000


def measure(size: int) -> str:
    """Returns a line of the table."""
    chance = Random(size)
    words = ["".join(chance.choices("abcdefghijklmnop", k=7)) for _ in range(5000)]
    values = [{"text": " ".join(chance.choices(words, k=14)), "n": n} for n in range(1000)]
    memories = {
        "none": MemoryPrimitive(max_size=None).sync,
        "some": MemoryPrimitive(max_size=None).sync,
    }
    memories["some"].add("gone", {"text": "one more thing that everybody is to forget"})
    memories["some"].delete("gone", for_good=True)
    for memory in memories.values():
        memory.add("first", values[1])
    listed = memories["some"]._verbs.guard._listed  # noqa: SLF001  its users know nothing of it
    before = resident() or 0.0
    seconds, number = 0.0, 10**9
    while number < 10**9 + size:
        page = []
        for _ in range(min(PAGE, 10**9 + size - number)):
            number += 1
            digests = [chance.randbytes(16).hex() for _ in range(3)]
            print_ = Fingerprint(digests[0], "", digests[1], chance.randbytes(HASHES), digests[2])
            page.append(entry_of_tombstone(f"key:{number}", print_, "like", 1.8e9))
            page[-1]._write_seq = number  # noqa: SLF001  as a store does
        started = process_time()
        listed.add(page)
        seconds += process_time() - started
        del page
    started = process_time()
    memories["some"].add("first", values[2])
    seconds += process_time() - started
    taken = (resident() or 0.0) - before
    times: dict[str, list[float]] = {name: [] for name in memories}
    for batch in range(BATCHES):
        some = [values[(batch * BATCH + n) % len(values)] for n in range(BATCH)]
        for name, memory in memories.items():
            started = process_time()
            for value in some:
                memory.add("key", value)
            times[name].append((process_time() - started) / BATCH)
    longer = median(times["some"]) - median(times["none"])
    return f"{size:>10,}  {seconds:>8.1f} s  {taken / size:>8.0f}  {1e6 * longer:>8.0f} us"


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,100000,1000000", help="how many tombstones")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        print(measure(given.work), flush=True)
        return
    print("tombstones    taken in    bytes  longer by")
    for size in given.sizes.split(","):
        command = [sys.executable, str(Path(__file__).resolve()), "--work", size]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
