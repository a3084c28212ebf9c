"""Every command has help, a row in the reference of `%memory` and a cell in a tutorial."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

import tta_memory_nb
from tta_memory_nb.notebook.commands import COMMANDS, syntax

ROOT = Path(__file__).parent.parent
REFERENCE = (ROOT / "docs" / "reference" / "magics.md").read_text(encoding="utf-8")
CELLS = [
    cell.source
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    for cell in nbformat.read(path, as_version=4).cells
    if cell.cell_type == "code"
]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_a_row_in_the_reference_and_a_tutorial_cell(name):
    described = syntax(name)
    assert described.summary
    assert f"| `{described.usage}` |" in REFERENCE
    assert any(re.search(rf"%memory {name}\b", cell) for cell in CELLS)


def test_the_reference_has_a_row_for_no_other_command():
    rows = re.findall(r"^\| `%memory (\w+)", REFERENCE, re.MULTILINE)
    assert set(rows) == set(COMMANDS)


def test_the_readme_reaches_its_first_code_within_90_words():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before = re.sub(r"<!--.*?-->", "", readme.partition("\n```")[0])
    assert 0 < len(before.split()) <= 90


def test_the_readme_names_the_commands_of_a_contributor_in_its_first_block():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = readme.split("\n```")[1]
    for command in ("pip install .", "make lab", "make test"):
        assert re.search(rf"^{re.escape(command)}(?=\s)", first, re.MULTILINE), command


def public_functions() -> Iterator[tuple[str, object]]:
    """Yields the functions that users call: those of the package itself, and the methods of its classes."""
    for name in tta_memory_nb.__all__:
        found = getattr(tta_memory_nb, name)
        if inspect.isfunction(found):
            yield name, found
        elif inspect.isclass(found):
            for method in filter(re.compile("[^_]").match, dir(found)):
                function = inspect.getattr_static(found, method)
                function = getattr(function, "__func__", function)
                home = getattr(function, "__module__", None) or ""
                if inspect.isfunction(function) and home.startswith(tta_memory_nb.__name__):
                    yield f"{name}.{method}", function


def test_what_a_user_calls_says_what_it_returns():
    said, silent = 0, []
    for name, function in public_functions():
        result = inspect.signature(function).return_annotation
        if result in (None, "None", "NoReturn") or "[None]" in str(result):
            continue
        text = inspect.getdoc(function) or ""
        if re.search(r"\b(Returns?|returns|Yields|Whether)\b", text) or re.match("As `", text):
            said += 1
        else:
            silent.append(name)
    assert not silent
    assert said > 100
