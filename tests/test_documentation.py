"""Nothing is undocumented: every command has help, a row in the README and a tutorial cell."""

import re
from pathlib import Path

import nbformat
import pytest

from tta_memory_nb.notebook.commands import COMMANDS, syntax

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CELLS = [
    cell.source
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    for cell in nbformat.read(path, as_version=4).cells
    if cell.cell_type == "code"
]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_a_readme_row_and_a_tutorial_cell(name):
    described = syntax(name)
    assert described.summary
    assert f"| `{described.usage}` |" in README
    assert any(re.search(rf"%memory {name}\b", cell) for cell in CELLS)


def test_the_readme_has_no_row_for_a_command_that_is_not():
    rows = re.findall(r"^\| `%memory (\w+)", README, re.MULTILINE)
    assert set(rows) == set(COMMANDS)
