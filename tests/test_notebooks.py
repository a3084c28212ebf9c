"""The committed notebooks run from a clean kernel, and their files hold what they should.

Whether they still give the outputs they show is compared by nbval (see the Makefile). It takes
a cell whose magic raised a UsageError for a good one, so that no cell fails is checked here.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from jupyter import NOTEBOOKS
from run_notebooks import executed, normalised

# Homes, temporary directories and drives; a path such as /api/contents names no machine.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|Users|root|tmp|private|var|opt|usr|mnt|work|srv)/[\w.-]+"
    r"|(?<!\w)[A-Za-z]:\\\\(?:\\\\)?\w"
)

each_notebook = pytest.mark.parametrize(
    "path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name
)


def committed(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_is_a_quickstart():
    assert (NOTEBOOKS / "01_quickstart.ipynb").is_file()


@each_notebook
@pytest.mark.kernel
def test_every_cell_succeeds_in_a_clean_kernel_and_leaves_no_files(path, tmp_path):
    copies = shutil.copytree(
        path.parent, tmp_path / "notebooks", ignore=shutil.ignore_patterns(".*")
    )
    before = sorted(copies.rglob("*"))

    notebook = executed(copies / path.name, tmp_path / "home")

    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sorted(copies.rglob("*")) == before


@each_notebook
def test_every_cell_of_the_file_has_been_run_in_order(path):
    cells = code_cells(committed(path))
    assert cells
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.get("execution_count", cell.execution_count) == cell.execution_count


@each_notebook
def test_no_cell_of_the_file_is_empty(path):
    assert all(cell.source.strip() for cell in committed(path).cells)


@each_notebook
def test_the_file_holds_nothing_of_the_machine_that_ran_it(path):
    notebook = committed(path)
    assert notebook == normalised(notebook), "run `make notebooks`"
    outputs = json.dumps(
        [cell.outputs for cell in code_cells(notebook)], ensure_ascii=False, sort_keys=True
    )
    assert not MACHINE_PATH.findall(outputs)
    assert "application/vnd.jupyter.widget-state+json" not in outputs


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("read /home/ada/notes.jsonl", True),
        ("<td>/tmp/x1/notes.csv</td>", True),
        (r"C:\\Users\\ada", True),
        ("GET https://example.org/home/page", False),
        ("see notebooks/tmp/x", False),
    ],
)
def test_paths_of_machines_are_recognised(text, found):
    assert bool(MACHINE_PATH.search(text)) is found
