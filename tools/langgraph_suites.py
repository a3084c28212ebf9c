"""Runs the tests of LangGraph's own stores against `TTAStore`.

    python -m pip install pytest-mock langgraph-checkpoint-sqlite langgraph-checkpoint-postgres psycopg-binary
    python tools/langgraph_suites.py [--url redis://localhost:6379] [--redis CLONE] [FOLDER]

Their tests come from PyPI, in the source distributions, and are not part of this repository. FOLDER has these unpacked; without it,
pip downloads them. Each of their stores is replaced, before a test imports it, by one over a new memory; with ``--url`` over a new namespace of
that server. It prints how many tests pass, and which do not.

The source distribution of langgraph-checkpoint-redis has no tests. To run these as well, install that package and clone them:

    python -m pip install langgraph-checkpoint-redis
    git clone https://github.com/redis-developer/langgraph-redis
    python tools/langgraph_suites.py --redis langgraph-redis

Their conftest.py, which starts a server in a container, is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from sdists import unpacked

REDIS = "langgraph-checkpoint-redis"
"""The package whose tests are in a clone only."""

SUITES = {
    "langgraph-checkpoint": ("test_store.py",),
    "langgraph-checkpoint-sqlite": ("test_store.py", "test_async_store.py", "test_ttl.py"),
    "langgraph-checkpoint-postgres": ("test_store.py", "test_async_store.py"),
    REDIS: ("test_store.py", "test_async_store.py"),
}
"""Package -> files of tests of a store."""

URL = "TTA_SUITES_URL"


def run(package: str, root: Path) -> tuple[int, int]:
    """Runs the tests of a package; returns how many have passed, and how many there were.

    Args:
        package: whose tests.
        root: the folder that has its tests in ``tests``.
    """
    (root / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\npythonpath = .\nmarkers = flaky\n"
    )
    files = [f"tests/{name}" for name in SUITES[package]]
    options = ["-q", "--tb=line", "-ra", "-p", "no:cacheprovider", "-p", "langgraph_suites"]
    if package == REDIS:
        options.append("--noconftest")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    print(*re.findall(r"^(?:FAILED|ERROR) .*", ran.stdout, re.MULTILINE), sep="\n")
    last = ran.stdout.strip().rpartition("\n")[2]
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", last)}
    return counts.get("passed", 0), sum(counts.values())


# ---- the plugin of pytest

numbers = count()


@pytest.fixture
def redis_url() -> str:
    """Returns an address that no other test has, and that leads to no server, which a test might clear."""
    return f"redis://suites.invalid/{next(numbers)}"


def replace_stores() -> None:
    """Puts a store over a memory in the place of each store of LangGraph that is installed."""
    from tta_memory_nb import MemoryPrimitive
    from tta_memory_nb.integrations.langgraph import TTAStore

    memories: dict[str, MemoryPrimitive] = {}
    url = os.environ.get(URL)

    def memory_of(address: str) -> MemoryPrimitive:
        """Returns the memory of an address; each in-memory address is a new one."""
        name = f"suites-{os.getpid()}-{next(numbers)}" if address == ":memory:" else address
        if name not in memories:
            memories[name] = MemoryPrimitive(url, max_size=None, namespace=name)
            memories[name].sync.clear()
        return memories[name]

    class Store(TTAStore):
        MIGRATIONS: tuple[str, ...] = ()

        def __init__(
            self, address: Any = ":memory:", *, index: Any = None, ttl: Any = None
        ) -> None:
            if not isinstance(address, str):  # a client of a server
                address = ":memory:"
            index = dict(index or {})
            if "text_fields" in index:
                index["fields"] = index.pop("text_fields")
            for name in ("distance_type", "ann_index_config", "vector_storage_type"):
                index.pop(name, None)
            super().__init__(memory_of(address), index=index or None, ttl=ttl)

        def setup(self) -> None: ...

        def _cursor(self) -> NoDatabase:
            return NoDatabase()

        def sweep_ttl(self) -> int:
            return 0

        def start_ttl_sweeper(self, *_: Any) -> None: ...

        def stop_ttl_sweeper(self, *_: Any, **__: Any) -> bool:
            return True

        @classmethod
        @contextmanager
        def from_conn_string(cls, address: str, **options: Any) -> Iterator[Store]:
            for name in ("pipeline", "pool_config"):
                options.pop(name, None)
            yield cls(address, **options)

    class AsyncStore(Store):
        async def setup(self) -> None:  # type: ignore[override]
            ...

        async def sweep_ttl(self) -> int:  # type: ignore[override]
            return 0

        async def start_ttl_sweeper(self, *_: Any) -> Any:  # type: ignore[override]
            return asyncio.ensure_future(asyncio.sleep(0))

        async def stop_ttl_sweeper(self, *_: Any, **__: Any) -> bool:  # type: ignore[override]
            return True

        @classmethod
        @asynccontextmanager
        async def from_conn_string(  # type: ignore[override]
            cls, address: str, **options: Any
        ) -> AsyncIterator[AsyncStore]:
            for name in ("pipeline", "pool_config"):
                options.pop(name, None)
            yield cls(address, **options)

    sqlite = {"SqliteStore": Store, "AsyncSqliteStore": AsyncStore}
    redis = {"RedisStore": Store, "AsyncRedisStore": AsyncStore}
    replaced: dict[str, dict[str, type]] = {
        "langgraph.store.memory": {"InMemoryStore": Store},
        "langgraph.store.sqlite": sqlite,
        "langgraph.store.sqlite.aio": sqlite,
        "langgraph.store.postgres": {"PostgresStore": Store, "AsyncPostgresStore": AsyncStore},
        "psycopg": {"Connection": NoDatabase, "AsyncConnection": NoDatabase},
        "langgraph.store.redis": redis,
        "langgraph.store.redis.aio": redis,
    }
    for module, classes in replaced.items():
        with suppress(ImportError):
            vars(importlib.import_module(module)).update(classes)


class NoDatabase(MagicMock):
    """Stands in for a connection to a database, which the tests create and drop, called or awaited."""

    def __class_getitem__(cls, _: object) -> type:
        return cls

    @classmethod
    def connect(cls, *_: Any, **__: Any) -> NoDatabase:
        """Returns a connection."""
        return cls()

    def __await__(self) -> Generator[Any, Any, NoDatabase]:
        return _itself(self).__await__()


async def _itself(database: NoDatabase) -> NoDatabase:
    return database


def main() -> None:
    """Runs all suites and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="with the unpacked distributions")
    parser.add_argument("--url", help="of a server")
    parser.add_argument("--redis", type=Path, metavar="CLONE", help="of langgraph-redis")
    options = parser.parse_args()
    if options.url:
        os.environ[URL] = options.url
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        roots = {package: unpacked(package, folder) for package in SUITES if package != REDIS}
        if options.redis:
            roots[REDIS] = options.redis.resolve()
        rows = [(package, *run(package, root)) for package, root in roots.items()]
    for package, passed, total in rows:
        print(f"{package:32} {passed:4} of {total}")


if __name__ == "__main__":
    main()
else:  # the plugin, which is imported before their conftest.py
    replace_stores()
