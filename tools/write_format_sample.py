"""Writes a file with all data that the installed version stores on a server, for the upgrade test.

    python tools/write_format_sample.py redis://localhost:6379 tests/data/format-1.json

Each namespace is written through the public verbs and then read back raw: fields of hashes, members and scores of
sorted sets. `tests/test_upgrade.py` loads the file into a server and reads it with the version under test. Write a
new file for each new format number, and keep those of the old ones.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import redis

from tta_memory_nb import MemoryPrimitive, SyncMemory
from tta_memory_nb.stores.redis import payload

NOW = 1_800_000_000.0
LONG_NAME = "tenant/ü*{}:" + "x" * 300
LONG_TEXT = "It rains in Málaga. " * 40


def main() -> None:
    """Writes the file."""
    url, target = sys.argv[1:]
    now = [NOW]

    def tick() -> None:
        now[0] += 1

    def memory(namespace: str, **arguments: Any) -> SyncMemory:
        return MemoryPrimitive(
            url, namespace=namespace, clock=lambda: now[0], compress_over=200, **arguments
        ).sync

    expected: dict[str, Any] = {}

    # All kinds of records.
    it = memory("various")
    it.add("plain", {"text": "It rains in Málaga", "n": 1, "list": [1, 2.5, None, True]})
    tick()
    it.add("zstd", {"text": LONG_TEXT, "by": "zstd"})
    with patch.object(payload, "_engine", [None]):  # as where zstandard is not installed
        it.add("zlib", {"text": LONG_TEXT, "by": "zlib"})
        it.add("zlib surrogate", {"text": LONG_TEXT, "half": "\ud83d"})
    tick()
    it.add("surrogate", {"half": "\ud83d"})
    it.add("key \ud83d {*}\n", {"hostile": "key"})
    it.add("expires late", {"text": "rain"}, ttl=1e9)
    it.add("expires soon", {"text": "rain"}, ttl=5)
    it.add_many({f"user:session-{n}": {"text": f"note {n}", "n": n} for n in range(20)})
    tick()
    it.add("plain", {"text": "It rains in Málaga again", "n": 2})  # keeps created_at
    it.delete("user:session-3")  # a tombstone
    it.delete("user:session-4")
    it.add("user:session-4", {"text": "note 4, written after its deletion"})
    it.undo(it.remove(["user:session-5"]))
    it.get("user:session-0")  # the newest by use
    it.get_many(["user:session-1", "zstd"])
    tick()
    expected["various"] = everything(it)

    # Evicted records, and the capacity.
    it = memory("evicting")
    it.resize(5)
    it.add_many({f"k{n}": {"n": n} for n in range(9)})
    expected["evicting"] = everything(it)

    # Cleared and written to again.
    it = memory("cleared")
    it.add_many({f"old{n}": {"n": n} for n in range(3)})
    it.clear()
    tick()
    it.add("new", {"text": "after"})
    expected["cleared"] = everything(it)

    it = memory(LONG_NAME)
    it.add("k", {"text": "in a long namespace"})
    expected[LONG_NAME] = everything(it)

    with redis.Redis.from_url(url, protocol=2) as client:
        stored = {name.decode(): contents(client, name) for name in sorted(client.keys("tta:*"))}
        client.unlink(*stored)
    sample = {"now": now[0], "expected": expected, "stored": stored}
    Path(target).write_text(json.dumps(sample, indent=0, sort_keys=True) + "\n", "utf-8")


def everything(memory: SyncMemory) -> dict[str, Any]:
    """Returns the records that the version under test has to find."""
    return {
        "max_size": memory.max_size,
        "evictions": memory.evictions,
        "keys": memory.keys(),
        "records": [
            [r.key, r.value, r.created_at, r.updated_at, r.expires_at] for r in memory.records()
        ],
    }


def contents(client: redis.Redis, name: bytes) -> dict[str, Any]:
    """Returns the contents of a key, in a form that JSON can represent."""
    kind = client.type(name)
    if kind == b"hash":
        found = client.hgetall(name)
        return {"hash": [[encoded(field), encoded(value)] for field, value in found.items()]}
    assert kind == b"zset", kind
    rows = client.zrange(name, 0, -1, withscores=True)
    return {"zset": [[encoded(row[0]), row[1]] for row in rows]}


def encoded(data: bytes) -> str:
    """Returns bytes as text."""
    return base64.b64encode(data).decode()


main()
