"""Builds the wheel and the sdist, and checks their contents: ``make dist-check``.

This takes a minute and fetches packages, and so is no part of ``make test``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jupyter import ROOT
from programs import output_of

from tta_memory_nb import __version__

KILOBYTE = 1_000
NAME = f"tta_memory_nb-{__version__}"

# Tests of files in the repository, which need neither a kernel nor a browser nor a server.
OF_FILES = [
    "tests/test_architecture.py",
    "tests/test_binder.py",
    "tests/test_binder_link.py",
    "tests/test_documentation.py",
    "tests/test_notebooks.py",
]

LOADED = """
import sys
%load_ext tta_memory_nb
%memory add alice:monday It rains
df = %memory search RAINS
print(df.index.tolist(), df["text"].tolist())
import tta_memory_nb
from tta_memory_nb import MemoryExplorer
print(tta_memory_nb.__file__.startswith(sys.prefix), tta_memory_nb.__version__)
print(MemoryExplorer(tta_memory_nb.MemoryPrimitive()).records)
"""


def run(*command: object, cwd: Path, **env: str) -> str:
    """Runs a program, which has to succeed, and returns its output."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return output_of(command, cwd, kept | env)


@dataclass
class Built:
    """The sdist and the wheel of `python -m build`, and a wheel built from the repository."""

    sdist: Path
    wheel: Path
    direct: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Iterator[Built]:
    out = tmp_path_factory.mktemp("dist")
    # With no option the wheel is built from the sdist, as pip does where there is no wheel.
    run(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=out)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out / "direct", ROOT, cwd=out)
    wheel = f"{NAME}-py3-none-any.whl"
    yield Built(out / f"{NAME}.tar.gz", out / wheel, out / "direct" / wheel)
    shutil.rmtree(out)


def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_package_and_nothing_else(built, capsys):
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tta_memory_nb").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {Path(name).name for name in package} >= {"widget.js", "widget.css", "py.typed"}
    assert [name for name in package if name.endswith(".lua")]
    inside = set(files(built.wheel))
    assert {name for name in inside if ".dist-info/" not in name} == package
    assert f"{NAME}.dist-info/licenses/LICENSE" in inside

    with capsys.disabled():
        for path in (built.wheel, built.sdist):
            print(f"\n{path.name}: {path.stat().st_size / KILOBYTE:,.0f} kB", end="")
    assert built.wheel.stat().st_size < 1_200 * KILOBYTE


def test_the_wheel_from_the_sdist_is_the_one_from_the_repository(built):
    assert files(built.wheel) == files(built.direct)


def test_package_indexes_accept_both_files_and_render_the_readme(built):
    run(sys.executable, "-m", "twine", "check", "--strict", built.sdist, built.wheel, cwd=ROOT)


def test_the_wheel_has_no_known_packaging_mistakes(built):
    run(sys.executable, "-m", "check_wheel_contents", "--no-config", built.wheel, cwd=ROOT)


def test_the_wheel_works_in_a_new_environment(built, tmp_path):
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", built.wheel, cwd=tmp_path)
    run(sys.executable, "-m", "pip", "--python", python, "check", cwd=tmp_path)
    (tmp_path / "session.ipy").write_text(LOADED)
    printed = run(
        *(python, "-m", "IPython", "--colors=NoColor", "session.ipy"),
        cwd=tmp_path,
        HOME=str(tmp_path / "home"),
        IPYTHONDIR=str(tmp_path / "ipython"),
    )
    assert "['alice:monday'] ['It rains']" in printed
    assert f"True {__version__}" in printed
    assert printed.endswith("\n[]\n")
    shutil.rmtree(tmp_path / "env")


def test_the_sdist_has_all_that_its_tests_need(built, tmp_path):
    with tarfile.open(built.sdist) as archive:
        # Python has an argument for it from 3.11.4 on.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)
    unpacked = tmp_path / NAME
    front_end = ("*.json", "*.js", "tests/frontend/*.js")
    for pattern in (
        *front_end,
        "tests/*.*",
        "tests/*/*.py",
        "notebooks/*.ipynb",
        "binder/*",
        "tools/*.*",
        "docs/*.*",
    ):
        wanted = {path.relative_to(ROOT) for path in ROOT.glob(pattern) if path.is_file()}
        assert wanted
        assert wanted - {path.relative_to(unpacked) for path in unpacked.glob(pattern)} == set()
    run(
        *(sys.executable, "-m", "pytest", "-q", "-m", "not kernel", *OF_FILES),
        cwd=unpacked,
        PYTHONPATH=str(unpacked),
    )
