"""Runs the notebooks and writes them back with their outputs: ``make notebooks``.

    python tests/run_notebooks.py [NAME.ipynb ...]

`normalised` defines what a committed notebook contains; the tests apply the same function.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter import NOTEBOOKS, private_environment
from nbclient import NotebookClient
from nbformat import NotebookNode

# As JupyterLab writes it, without the versions of the machine that ran the notebook last.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_KEPT_CELL_METADATA = ("tags",)
WIDGET = "application/vnd.jupyter.widget-view+json"


def without_outputs(path: Path) -> NotebookNode:
    """Returns a notebook as if none of its cells had ever been run; the file stays as it is."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def executed(path: Path, home: Path) -> NotebookNode:
    """Returns a notebook after all its cells were run in a new kernel; the file stays as it is.

    Args:
        path: of the notebook; its directory is where the kernel works.
        home: an empty directory to use as the user's home, where settings are.

    Raises:
        CellExecutionError: a cell failed. A cell tagged ``raises-exception`` may.
    """
    notebook = without_outputs(path)
    client = NotebookClient(
        notebook,
        kernel_name=METADATA["kernelspec"]["name"],
        timeout=600,
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        coalesce_streams=True,
    )
    client.execute(env=private_environment(home))
    return notebook


def normalised(notebook: NotebookNode) -> NotebookNode:
    """Returns a copy without what differs from machine to machine and from run to run.

    Kept: the cells, their ids, tags and outputs, and execution counts from 1.
    """
    copy = nbformat.from_dict(notebook)
    copy.nbformat, copy.nbformat_minor = 4, 5
    copy.metadata = nbformat.from_dict(METADATA)
    count = 0
    for cell in copy.cells:
        kept = {name: cell.metadata[name] for name in _KEPT_CELL_METADATA if name in cell.metadata}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type != "code":
            continue
        if cell.execution_count is not None:
            count += 1
            cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
            # The id of a widget, which ended with its kernel; the table beside it stays.
            output.get("data", {}).pop(WIDGET, None)
    return copy


def main(names: list[str]) -> int:
    """Runs the named notebooks, or all."""
    paths = [NOTEBOOKS / Path(name).name for name in names] or sorted(NOTEBOOKS.glob("*.ipynb"))
    for path in paths:
        sys.stdout.write(f"{path.name}\n")
        with tempfile.TemporaryDirectory() as home:
            nbformat.write(normalised(executed(path, Path(home))), path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
