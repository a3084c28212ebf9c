"""`make binder-link` writes the link to Binder into its placeholders, and changes nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from jupyter import ROOT

BEGIN, END = "<!-- binder -->", "<!-- /binder -->"
PLACE = f"{BEGIN}*Launch on Binder: this link appears once the repository has an address.*{END}"
README = f"# A project\r\n\r\n{PLACE}\n\nMálaga, and no line end at the end"
# Neither indented nor escaped as nbformat would.
NOTEBOOK = (
    '{"cells": [\n {"cell_type":"markdown","source":["# \\u00c4 title\\n",\n"' + PLACE + '\\n"]},'
    '\n   {"cell_type":"code","source":["\\"<b>\\""]}],\n"nbformat":4 }\n\n'
)
PYPROJECT = '[project]\nname = "a"\n# Málaga\n[project.urls]\n\n[tool.x]\ny = 1\r\n'


@pytest.fixture
def project(tmp_path) -> Path:
    """A project with two notebooks, one of them without a placeholder for the link."""
    for folder in ("tools", "notebooks"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "tools" / "binder_link.py", tmp_path / "tools")
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "README.md").write_bytes(README.encode())
    (tmp_path / "notebooks" / "02_redis.ipynb").write_bytes(NOTEBOOK.encode())
    (tmp_path / "notebooks" / "other.ipynb").write_text('{"cells": []}')
    (tmp_path / "pyproject.toml").write_bytes(PYPROJECT.encode())
    return tmp_path


def link(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "make",
            "--silent",
            "-C",
            str(project),
            "binder-link",
            f"PYTHON={sys.executable}",
            *arguments,
        ],
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )


def contents(project: Path) -> dict[str, bytes]:
    files = [project / "README.md", project / "pyproject.toml", *project.glob("notebooks/*")]
    return {path.name: path.read_bytes() for path in files}


def test_the_readme_gets_a_badge_that_opens_the_first_tutorial(project):
    done = link(project, "REPO=ada/memories")
    assert done.returncode == 0, done.stderr
    url = "https://mybinder.org/v2/gh/ada/memories/main?urlpath=lab%2Ftree%2Fnotebooks%2F01_quickstart.ipynb"
    badge = f"[![Launch on Binder](docs/binder.svg)]({url})"
    assert contents(project)["README.md"].decode() == README.replace(PLACE, BEGIN + badge + END)


def test_a_notebook_gets_a_link_to_itself_without_a_picture_and_keeps_every_other_byte(project):
    link(project, "REPO=ada/memories", "BRANCH=drafts/näxt")
    url = (
        "https://mybinder.org/v2/gh/ada/memories/drafts%2Fn%C3%A4xt"
        "?urlpath=lab%2Ftree%2Fnotebooks%2F02_redis.ipynb"
    )
    assert parse_qs(urlsplit(url).query) == {"urlpath": ["lab/tree/notebooks/02_redis.ipynb"]}
    text = contents(project)["02_redis.ipynb"].decode()
    assert text == NOTEBOOK.replace(PLACE, f"{BEGIN}[Launch on Binder]({url}){END}")
    assert url in json.loads(text)["cells"][0]["source"][1]


def test_a_notebook_without_a_placeholder_is_reported_and_not_changed(project):
    before = contents(project)["other.ipynb"]
    done = link(project, "REPO=ada/memories")
    assert "notebooks/other.ipynb has no place for it" in done.stdout
    assert contents(project)["other.ipynb"] == before


def test_the_project_file_gets_the_addresses_that_pypi_shows_and_keeps_every_other_byte(project):
    link(project, "REPO=ada/memories", "BRANCH=drafts/next")
    text = contents(project)["pyproject.toml"].decode()
    assert tomllib.loads(text)["project"]["urls"] == {
        "Repository": "https://github.com/ada/memories",
        "Documentation": "https://github.com/ada/memories/tree/drafts/next/docs",
        "Changelog": "https://github.com/ada/memories/blob/drafts/next/CHANGELOG.md",
        "Issues": "https://github.com/ada/memories/issues",
    }
    before, after = PYPROJECT.split("[project.urls]\n")
    assert text.startswith(before)
    assert text.endswith(after)


def test_the_project_has_a_table_for_its_addresses():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert all(url.startswith("https://") for url in project["urls"].values())


def test_another_repository_replaces_the_first(project):
    link(project, "REPO=ada/memories")
    first = contents(project)
    link(project, "REPO=Bob-2/other.memories", "BRANCH=dev")
    assert b"ada" not in b"".join(contents(project).values())
    link(project, "REPO=ada/memories")
    assert contents(project) == first


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["REPO="],
        ["REPO=memories"],
        ["REPO=ada/memories/main"],
        ["REPO=https://github.com/ada/memories"],
        ["REPO=git@github.com:ada/memories.git"],
        ["REPO=ada/memories.git"],
        ["REPO=ada/.."],
        ["REPO=-ada/memories"],
        ["REPO=ada/memo ries"],
        ['REPO=ada/"memories'],
        ["REPO=ada/memories)"],
        ["REPO=ada/memories", "BRANCH="],
        ["REPO=ada/memories", "BRANCH=a b"],
        ["REPO=ada/memories", "BRANCH=../main"],
        ["REPO=ada/memories", "BRANCH=-x"],
    ],
)
def test_an_invalid_repository_or_branch_is_reported_and_changes_nothing(project, arguments):
    before = contents(project)
    done = link(project, *arguments)
    assert done.returncode != 0
    name, _, value = arguments[-1].partition("=") if arguments else ("REPO", "=", "")
    assert f"{name}={value!r} is no" in done.stderr
    assert "make binder-link REPO=" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(project) == before


@pytest.mark.parametrize("broken", [PLACE.replace(END, ""), PLACE.replace(BEGIN, ""), END + BEGIN])
def test_a_placeholder_without_beginning_or_end_is_reported_and_no_file_changes(project, broken):
    path = project / "notebooks" / "02_redis.ipynb"
    path.write_bytes(NOTEBOOK.replace(PLACE, broken).encode())
    before = contents(project)
    done = link(project, "REPO=ada/memories")
    assert done.returncode != 0
    assert "notebooks/02_redis.ipynb: each" in done.stderr
    assert contents(project) == before


def test_a_project_without_placeholders_is_reported(project):
    for path in (project / "README.md", project / "notebooks" / "02_redis.ipynb"):
        path.write_text(path.read_text(encoding="utf-8").replace(PLACE, ""), encoding="utf-8")
    (project / "pyproject.toml").write_text('[project]\nname = "a"\n')
    before = contents(project)
    done = link(project, "REPO=ada/memories")
    assert done.returncode != 0
    assert "no file has a place for the address" in done.stderr
    assert contents(project) == before


def test_the_readme_has_a_placeholder_for_the_link_and_contributing_says_how_to_fill_it():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    # A line that begins with the comment is an HTML block, and Markdown renders no link inside one.
    [link] = re.findall(f"^[^<\n].*{BEGIN}(.*){END}$", readme, re.MULTILINE)
    # Before the repository has an address, the placeholder is empty and invisible to readers.
    assert link == "" or link.startswith("[![Launch on Binder]")
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "`make binder-link REPO=owner/name`" in contributing


def test_an_empty_placeholder_gets_the_link_as_well(project):
    path = project / "README.md"
    path.write_text(f"# A project\n\nWhat it is. {BEGIN}{END}\n", encoding="utf-8")
    assert link(project, "REPO=ada/memories").returncode == 0
    assert f"What it is. {BEGIN}[![Launch on Binder](" in path.read_text(encoding="utf-8")
