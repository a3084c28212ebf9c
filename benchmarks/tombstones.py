"""What a list of tombstones costs a process that writes.

    python benchmarks/tombstones.py [--sizes 1000,100000,1000000] [--stores in-memory,file,server]

The server is Redis 8, started from a PyPI wheel. For each store and size, in a process of its own that comes to a list that is there already:

    take in   processor time of this process for the first `add`, which reads the list and arranges it; for each tombstone
    bytes     of memory that the process takes for each tombstone
    pause     the longest time that an event loop works on such an `add` without looking at another task; processor time of its thread
    longer    how much longer than in a memory without tombstones the `add` of a text of 14 words takes, and that of a text of 3 words.
              Adds of the two memories alternate in batches, and the figure is the median over the batches, in processor time
    all       processor time of `tombstones()`, which lists all of them
    lift      processor time of `lift_tombstones` for one of them, and of the next `add`
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from statistics import median
from time import process_time, thread_time
from typing import Any

from measuring import resident

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.memory.tombstones.fingerprint import HASHES, Fingerprint
from tta_memory_nb.memory.tombstones.kept import TOMBSTONES
from tta_memory_nb.memory.tombstones.tombstone import entry_of_tombstone

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from real_servers import Server, redis_8

BATCH, BATCHES = 100, 30
PAGE = 10_000
LONG, SHORT = 14, 3


def fill(memory: MemoryPrimitive, size: int) -> None:
    """Makes so many tombstones of texts that nobody has written."""
    chance = Random(size)
    here = memory.sync
    here.add("gone", {"text": "one more thing that everybody is to forget"})
    here.delete("gone", for_good=True)
    store: Any = memory.store
    companion = here._verbs.companions.of(TOMBSTONES)  # noqa: SLF001  its users know nothing of it
    for start in range(0, size, PAGE):
        page = []
        for number in range(start, min(start + PAGE, size)):
            exact, text, stated = (chance.randbytes(16).hex() for _ in range(3))
            print_ = Fingerprint(exact, "", text, chance.randbytes(HASHES), stated)
            page.append(entry_of_tombstone(f"key:{number}", print_, "like", 1.7e9 + number))
        companion.store.runner.run(companion.store.put_for_good(page))
    store.runner.run(store.note_tombstones())


async def longest_pause(memory: MemoryPrimitive) -> float:
    """Writes a record, and returns for how many seconds at most the loop works on that before it looks at another task."""
    longest, is_done = 0.0, False

    async def tick() -> None:
        nonlocal longest
        while not is_done:
            before = thread_time()
            await asyncio.sleep(0)
            longest = max(longest, thread_time() - before)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await memory.add("first", {"text": "something that nobody has said before"})
    is_done = True
    await ticking
    await memory.aclose()
    return longest


def longer(memories: dict[str, MemoryPrimitive], words: int) -> float:
    """Returns how many seconds longer an `add` takes in the memory that has tombstones."""
    chance = Random(words)
    vocabulary = ["".join(chance.choices("abcdefghijklmnop", k=7)) for _ in range(5000)]
    values = [{"text": " ".join(chance.choices(vocabulary, k=words)), "n": n} for n in range(1000)]
    times: dict[str, list[float]] = {name: [] for name in memories}
    for batch in range(BATCHES):
        some = [values[(batch * BATCH + n) % len(values)] for n in range(BATCH)]
        for name, memory in memories.items():
            add = memory.sync.add
            started = process_time()
            for value in some:
                add("key", value)
            times[name].append((process_time() - started) / BATCH)
    return median(times["some"]) - median(times["none"])


def measure(address: str, size: int) -> str:
    """Returns a line of the table, of a list that is there already; in this process there is none, so it is made first."""
    arguments: dict[str, Any] = {"max_size": None, "history": None}
    if address == "in-memory":
        made = MemoryPrimitive(**arguments)
        fill(made, size)
        memories = {
            "none": MemoryPrimitive(**arguments),
            "some": MemoryPrimitive.over(made.store),
            "awaited": MemoryPrimitive.over(made.store),
        }
    else:
        arguments = {"durability": "memory"} if address.startswith("file:") else {}
        memories = {
            "none": MemoryPrimitive(address, namespace="none", **arguments),
            "some": MemoryPrimitive(address, namespace="some", **arguments),
            "awaited": MemoryPrimitive(address, namespace="some", **arguments),
        }
    for memory in memories.values():
        memory.sync.size()
    memories["none"].sync.add("first", {"text": "something that nobody has said before"})
    import numpy  # noqa: F401  its memory is not that of tombstones

    before, started = resident() or 0.0, process_time()
    memories["some"].sync.add("first", {"text": "something that nobody has said before"})
    taken_in = process_time() - started
    bytes_each = ((resident() or 0.0) - before) / size
    pause = asyncio.run(longest_pause(memories.pop("awaited")))
    some = memories["some"].sync
    long, short = longer(memories, LONG), longer(memories, SHORT)
    started = process_time()
    stones = some.tombstones()
    listing = process_time() - started
    count, middle = len(stones), stones[len(stones) // 2].key
    assert count == size + 1, count
    del stones
    started = process_time()
    assert some.lift_tombstones([middle]) == 1
    some.add("first", {"text": "something else that nobody has said before"})
    lifting = process_time() - started
    return (
        f"{1e6 * taken_in / size:>8.1f} us {bytes_each:>6.0f} {1e3 * pause:>7.0f} ms {1e6 * long:>6.0f} / {1e6 * short:.0f} us"
        f" {listing:>7.1f} s {lifting:>6.1f} s"
    )


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,100000,1000000", help="how many tombstones")
    parser.add_argument("--stores", default="in-memory,file,server", help="where they are kept")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        print(measure(given.work[0], int(given.work[1])), flush=True)
        return
    print("store      tombstones     take in  bytes      pause   longer          all    lift")
    for name in given.stores.split(","):
        for size in given.sizes.split(","):
            with tempfile.TemporaryDirectory() as folder:
                server = Server(redis_8()) if name == "server" else None
                address = server.url if server else name
                if name == "file":
                    address = f"file:{Path(folder) / 'notes.db'}"
                if name != "in-memory":
                    filled = MemoryPrimitive(address, namespace="some")
                    fill(filled, int(size))
                    filled.sync.close()
                print(f"{name:<10} {int(size):>10,} ", end="", flush=True)
                command = [sys.executable, str(Path(__file__).resolve()), "--work", address, size]
                subprocess.run(command, check=True)
                if server:
                    server.stop()


if __name__ == "__main__":
    main()
