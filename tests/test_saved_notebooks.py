"""A notebook whose outputs are removed holds nothing of the memory any more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter import private_environment
from nbclient import NotebookClient

pytestmark = pytest.mark.kernel

SECRET = "plum" + "tree"
CELLS = [
    "%load_ext tta_memory_nb\nmemory = %memory use",
    "memory.sync.add('ann:mon', {'text': 'plum' + 'tree', 'n': 1})",
    "%memory explore",
    "%memory list",
    "%memory search plum",
    "%memory get ann:mon",
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A notebook that was run without a browser, with the state of its widgets."""
    home = tmp_path_factory.mktemp("home")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        store_widget_state=True,
        resources={"metadata": {"path": home}},
    )
    client.execute(env=private_environment(home))
    path = home / "saved.ipynb"
    nbformat.write(notebook, path)
    return path


def widgets_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))["metadata"].get("widgets", {})


def test_each_table_is_saved_in_its_place_and_none_in_the_state_of_a_widget(saved):
    cells = nbformat.read(saved, 4).cells
    assert [SECRET in json.dumps(cell.outputs) for cell in cells] == [False, False, *[True] * 4]
    assert "_esm" in json.dumps(widgets_of(saved))
    assert SECRET not in json.dumps(widgets_of(saved))


def test_the_state_of_a_saved_widget_takes_next_to_no_bytes(saved):
    (states,) = (each["state"] for each in widgets_of(saved).values())
    assert len(states) == 2  # the explorer, and the layout that every widget has
    assert len(json.dumps(states)) < 4000


@pytest.mark.parametrize(
    "command",
    [
        ["nbconvert", "--clear-output", "--to", "notebook", "--inplace"],
        ["nbstripout"],
    ],
    ids=lambda command: command[0],
)
def test_tools_that_remove_outputs_leave_nothing_behind(saved, tmp_path, command):
    path = tmp_path / "stripped.ipynb"
    path.write_bytes(saved.read_bytes())
    subprocess.run([sys.executable, "-m", *command, str(path)], check=True, capture_output=True)
    stripped = path.read_text("utf-8")
    assert all(cell.outputs == [] for cell in nbformat.reads(stripped, 4).cells)
    assert SECRET not in stripped
