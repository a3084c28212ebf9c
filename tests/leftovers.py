"""Fails a test run that leaves files in the folder for temporary files.

The run, its workers and all programs that they start get a folder of their own for temporary files, by ``TMPDIR``. At its
end nothing may be in it. Only the folders of `tmp_path` are elsewhere, since pytest keeps those of the last three runs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import backends
import pytest
import real_servers

FOLDER = pytest.StashKey[Path]()
LEFT = pytest.StashKey[list[str]]()

PATIENCE = 30.0
"""Seconds that other processes have to end, and to remove their files."""


def entries(folder: Path) -> list[str]:
    """Returns the names of what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def pytest_configure(config: pytest.Config) -> None:
    """Makes the folder, unless this is a worker, which has it from the process that started it."""
    if hasattr(config, "workerinput"):
        return
    usual = tempfile.gettempdir()
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", usual)
    config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="tta-tests-"))
    os.environ["TMPDIR"] = tempfile.tempdir = str(config.stash[FOLDER])


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Ends the servers of this process; then looks, unless this is a worker, for what is left."""
    # Not only when the process ends: xdist kills workers that take long for that.
    real_servers.stop_all()
    backends.remove_files()
    yield  # the workers end
    folder = session.config.stash.get(FOLDER, None)
    if folder is None:
        return
    try:
        real_servers.until(lambda: not entries(folder), patience=PATIENCE)
    except AssertionError:
        session.config.stash[LEFT] = entries(folder)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Names what was left."""
    if left := config.stash.get(LEFT, []):
        terminalreporter.section("temporary files", red=True)
        terminalreporter.line(
            f"{len(left)} left behind, by tests or by programs that tests have started: {', '.join(left)}"
        )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Removes the folder."""
    if folder := config.stash.get(FOLDER, None):
        shutil.rmtree(folder, ignore_errors=True)
