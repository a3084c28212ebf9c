"""A test run that leaves temporary files behind fails and names them; their folder is removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

MODULE = """
import tempfile

def test_that_makes_a_folder():
    folder = tempfile.{make}(prefix="tta-example-")
    {end}
"""

RUN = """
import sys
import leftovers, pytest
leftovers.PATIENCE = 0
sys.exit(pytest.main(["-q", "-s", "-p", "leftovers", "-p", "no:cacheprovider", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(
    ("make", "end", "options", "status", "named"),
    [
        ("mkdtemp", "", ("-p", "xdist", "-n1"), pytest.ExitCode.TESTS_FAILED, "1 left behind"),
        ("TemporaryDirectory", "folder.cleanup()", (), pytest.ExitCode.OK, ""),
    ],
)
def test_a_run_that_leaves_files_fails_and_removes_them(
    tmp_path, monkeypatch, make, end, options, status, named
):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_example.py").write_text(MODULE.format(make=make, end=end))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # most of them take long to import
    run = subprocess.run(
        [sys.executable, "-c", RUN, *options, str(tmp_path / "test_example.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status, run.stdout + run.stderr
    assert named in run.stdout
    assert ("tta-example-" in run.stdout) is bool(named)
    assert list(temporary.iterdir()) == []
