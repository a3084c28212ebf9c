"""Runs the tests of the OpenAI Agents SDK for its sessions against `TTASession`.

    python tools/openai_agents_suite.py [--url redis://localhost:6379] [FOLDER]

Their tests come from PyPI, in the source distribution, and are not part of this repository. FOLDER has it unpacked; without it, pip downloads it. ``SQLiteSession``
is replaced, before a test imports it, by a session in a memory; with ``--url`` in a namespace of that server. Tests of SQLite's own files, connections, locks and
damaged rows are left out. It prints how many tests pass, and which do not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

from sdists import unpacked

PACKAGE = "openai-agents"
FILES = ("test_session.py", "test_session_limit.py", "test_session_context_wrapper.py")

INTERNALS = ("close", "connection", "corrupt", "lock", "roll", "post_commit")
"""Parts of the names of tests that look into SQLite."""

URL = "TTA_SUITE_URL"


def main() -> None:
    """Runs the suite; ends with an error if a test fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--url", default="", help="a server for the sessions; in memory without it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = unpacked(PACKAGE, options.folder or Path(temporary))
        files = [f"tests/memory/{name}" for name in FILES]
        left_out = " and ".join(f"not {part}" for part in INTERNALS)
        settings = ("-q", "--tb=short", "-ra", "-p", "no:cacheprovider", "-p", Path(__file__).stem)
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *settings, *files, "-k", left_out],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), URL: options.url},
            check=False,
        )
    raise SystemExit(ran.returncode)


# ---- the plugin of pytest


def pytest_configure() -> None:
    """Puts a session in a memory in the place of ``SQLiteSession``."""
    import agents

    from tta_memory_nb import MemoryPrimitive
    from tta_memory_nb.integrations.openai_agents import TTASession

    memories: dict[str, MemoryPrimitive] = {}
    numbers = count()

    class Session(TTASession):
        def __init__(
            self, session_id: str, db_path: str | Path = ":memory:", session_settings: Any = None
        ) -> None:
            path = str(db_path)
            name = f"suite-{os.getpid()}-{next(numbers)}" if path == ":memory:" else path
            if name not in memories:
                url = os.environ.get(URL) or None
                memories[name] = MemoryPrimitive(url, max_size=None, namespace=name)
            super().__init__(session_id, memories[name], session_settings=session_settings)

        def close(self) -> None: ...

    agents.SQLiteSession = Session  # type: ignore[misc, assignment]


if __name__ == "__main__":
    main()
