"""The committed notebooks run in a clean kernel, and their files are in the required form.

Each notebook is run once: its cells give the outputs that they show, as nbval compares them, and the solution of its
exercise holds. By itself, ``pytest --nbval`` accepts a cell whose magic raised a UsageError, so no cell may fail here.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from jupyter import NOTEBOOKS, Kernel, Reply, running_kernel
from nbval.plugin import IPyNbFile, coalesce_streams, get_sanitize_patterns
from run_notebooks import normalised

SANITIZE = Path(__file__).parent / "nbval_sanitize.cfg"

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


# ---------------------------------------------------------------- the shape of a tutorial

# A line that begins with the comment is an HTML block, and Markdown renders no link inside one.
BINDER = re.compile(r"^[^<\n].*<!-- binder -->(.*)<!-- /binder -->$", re.MULTILINE)


@each_notebook
def test_a_tutorial_begins_with_its_title_its_binder_link_and_its_goals(path):
    cell = committed(path).cells[0]
    assert cell.cell_type == "markdown"
    assert cell.source.startswith(f"# {int(path.name[:2])} · ")
    [badge] = BINDER.findall(cell.source)
    # Before the repository has an address, the placeholder is empty and invisible to readers.
    assert badge == "" or path.name in badge
    goals = re.split(r"you\s+learn\s+to", cell.source, maxsplit=1)[1]
    assert re.findall(r"^(\d)\. ", goals, re.MULTILINE)[:3] == ["1", "2", "3"]
    assert "It takes five minutes." in goals


@each_notebook
def test_a_tutorial_ends_with_an_exercise_its_folded_solution_and_further_links(path):
    cell = committed(path).cells[-1]
    assert cell.cell_type == "markdown"
    exercise, _, rest = cell.source.partition("<details><summary>Solution</summary>\n\n")
    solution, _, onward = rest.partition("\n</details>\n\n")
    assert exercise.startswith("## Exercise\n\n")
    assert solution_blocks(path), solution
    names = [each.name for each in sorted(NOTEBOOKS.glob("*.ipynb"))]
    following = names[(names.index(path.name) + 1) % len(names)]
    assert f"]({following})" in onward
    assert (f"**Next:** [{int(following[:2])} · " in onward) is (following != names[0])


@each_notebook
def test_links_of_a_tutorial_lead_to_existing_files(path):
    prose = "\n".join(c.source for c in committed(path).cells if c.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)#]+)", prose):
        assert "://" in target or (NOTEBOOKS / target).is_file(), target


# ---------------------------------------------------------------- solutions


def solution_blocks(path: Path) -> list[str]:
    """Returns the blocks of code in the folded solution, in order."""
    folded = committed(path).cells[-1].source.partition("<details>")[2].partition("</details>")[0]
    return re.findall(r"^```python\n(.*?)^```$", folded, re.MULTILINE | re.DOTALL)


class Solver:
    """A kernel in which a notebook has been run, and the solution of its exercise."""

    def __init__(self, kernel: Kernel, folder: Path, home: Path, blocks: list[str]) -> None:
        self.kernel = kernel
        self.folder = folder
        self.home = home
        self.blocks = blocks

    def run_all(self, *blocks: str, kernel: Kernel | None = None) -> list[Reply]:
        """Runs the blocks, which must all succeed; returns the replies."""
        replies = [(kernel or self.kernel).run(block) for block in blocks]
        for block, reply in zip(blocks, replies, strict=True):
            assert reply.status == "ok", f"{block}\n{reply.printed}"
        return replies

    def run(self, *blocks: str, kernel: Kernel | None = None) -> Reply:
        """Runs the blocks, which must all succeed; returns the reply to the last one."""
        return self.run_all(*blocks, kernel=kernel)[-1]

    def value(self, *blocks: str, kernel: Kernel | None = None) -> Any:
        """Runs the blocks; returns the value of the last one, which must be a literal."""
        outputs = self.run(*blocks, kernel=kernel).outputs
        [result] = [content for kind, content in outputs if kind == "execute_result"]
        return ast.literal_eval(result["data"]["text/plain"])


def bob_is_saved_and_all_others_are_kept(solver: Solver) -> None:
    before = solver.value("dict(sorted((r.key, r.value) for r in memory.sync.records()))")
    solver.run(*solver.blocks)
    after = solver.value("dict(sorted((r.key, r.value) for r in memory.sync.records()))")
    lines = (solver.folder / "bob.jsonl").read_text("utf-8").splitlines()
    saved = {record["key"]: record["value"] for record in map(json.loads, lines) if "key" in record}
    assert set(saved) == {key for key in before if key.startswith("bob:")} != set()
    assert after == {key: value for key, value in before.items() if key not in saved}
    assert saved == {key: before[key] for key in saved}


def another_kernel_sees_the_seconds_left(solver: Solver) -> None:
    first, second = solver.blocks
    solver.run(first)
    with running_kernel(solver.folder, solver.home) as kernel:
        left = solver.value(second, kernel=kernel)
    assert set(left) == {"alice:now", "bob:now"}
    assert all(0 < seconds <= 60 for seconds in left.values())


def the_longest_text_is_found(solver: Solver) -> None:
    found = solver.value(*solver.blocks)
    texts = solver.value(
        "[r.value['text'] for r in explorer.memory.sync.search_records('umbrella', limit=None)]"
    )
    assert len(texts) > 1
    assert len(found.encode()) == max(len(text.encode()) for text in texts)
    assert "umbrella" in found.casefold()


def the_model_answers_with_every_line(solver: Solver) -> None:
    answer = solver.value(*solver.blocks)
    assert answer == "You told me: I am allergic to nuts. I am allergic to cats as well."


def both_departures_are_known(solver: Solver) -> None:
    assert "on Friday at 8:12" in solver.run(solver.blocks[0]).printed  # as it was before
    printed = solver.run(*solver.blocks[1:]).printed
    assert "The departure is on Friday at 8:12." in printed
    assert "The return is on Sunday at 18:20." in printed
    facts = solver.value("memory.sync.get(trip.key)['facts']")
    assert facts["departure"] == "on Friday at 8:12"
    assert facts["return"] == "on Sunday at 18:20"
    assert facts["budget"] == "900 euros"


def the_question_is_answered(solver: Solver) -> None:
    assert solver.value(*solver.blocks) == 1.0


def one_note_about_the_harbour_is_left(solver: Solver) -> None:
    solver.run(*solver.blocks)
    assert solver.kernel.value(
        "[r.key for r in memory.sync.search_records('old harbour', None)]"
    ) == ["ana:trip:0000000d"]


def the_conversation_is_gone_and_its_facts_are_not(solver: Solver) -> None:
    assert solver.value(*solver.blocks) == ["/users/ana", "threads/tuesday"]
    facts = solver.value("sorted(item.value['text'] for item in store.search(('users',)))")
    assert facts == ["Ana is allergic to peanuts", "Ana lives in Lyon"]


SOLVED: dict[str, Callable[[Solver], None]] = {
    "01_quickstart.ipynb": bob_is_saved_and_all_others_are_kept,
    "02_redis.ipynb": another_kernel_sees_the_seconds_left,
    "03_explorer.ipynb": the_longest_text_is_found,
    "04_agent.ipynb": the_model_answers_with_every_line,
    "05_debugging.ipynb": both_departures_are_known,
    "06_finding.ipynb": the_question_is_answered,
    "07_repair.ipynb": one_note_about_the_harbour_is_left,
    "08_frameworks.ipynb": the_conversation_is_gone_and_its_facts_are_not,
}
"""What has to be true of each solution: it is run by this, after the cells of its notebook."""


# ---------------------------------------------------------------- outputs

KEPT = {
    "stream": ("name", "text"),
    "display_data": ("data", "metadata"),
    "execute_result": ("data", "metadata", "execution_count"),
}
"""The messages of a kernel that are outputs of a cell, and what a notebook keeps of each."""


def outputs_of(reply: Reply) -> list[nbformat.NotebookNode]:
    """Returns the outputs that a notebook would keep."""
    return [
        nbformat.NotebookNode(output_type=kind, **{name: content[name] for name in KEPT[kind]})
        for kind, content in reply.outputs
        if kind in KEPT
    ]


def differences(node: pytest.Item, path: Path, replies: list[Reply]) -> list[str]:
    """Returns how the outputs of cells differ from those in the file, as nbval says it."""
    # Its plugin, which is not loaded, would set these two.
    vars(node.config.option).update(nbval_lax=False, nbdime=False)
    file = IPyNbFile.from_parent(node.parent, path=path)
    file.sanitize_patterns.update(get_sanitize_patterns(SANITIZE.read_text("utf-8")))
    lines = []
    for cell, reply in zip(file.collect(), replies, strict=True):
        shown = coalesce_streams(cell.cell.outputs)
        if not cell.compare_outputs(coalesce_streams(outputs_of(reply)), shown):
            lines += [f"{path.name}, {cell.name}: {cell.cell.source}", *cell.comparison_traceback]
    return lines


@pytest.mark.parametrize(
    ("text", "difference"),
    [("rain, in 3 ms\n", ""), ("rain, in 20 ms\n", ""), ("sun, in 3 ms\n", "sun, in TIME")],
)
def test_another_output_is_a_difference_but_not_another_time(request, tmp_path, text, difference):
    output = nbformat.v4.new_output("stream", name="stdout", text="rain, in 3 ms\n")
    cell = nbformat.v4.new_code_cell("print()", outputs=[output], execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "n.ipynb")
    half = len(text) // 2
    streams = [("stream", {"name": "stdout", "text": part}) for part in (text[:half], text[half:])]
    found = differences(request.node, tmp_path / "n.ipynb", [Reply({}, streams)])
    assert bool(found) is bool(difference)
    assert difference in "\n".join(found)


@each_notebook
@pytest.mark.kernel
def test_every_cell_gives_its_output_and_leaves_no_files_and_the_solution_solves_the_exercise(
    path, tmp_path, request
):
    folder = shutil.copytree(
        path.parent, tmp_path / "notebooks", ignore=shutil.ignore_patterns(".*")
    )
    before = sorted(folder.rglob("*"))
    with running_kernel(folder, tmp_path / "home") as kernel:
        solver = Solver(kernel, folder, tmp_path / "home-of-another", solution_blocks(path))
        replies = solver.run_all(*(cell.source for cell in code_cells(committed(path))))
        assert sorted(folder.rglob("*")) == before
        found = differences(request.node, path, replies)
        assert not found, "\n".join(found)
        SOLVED[path.name](solver)


# ---------------------------------------------------------------- the agent


def agent_cells(name: str) -> list[str]:
    """Returns the cells that define the model and the agents."""
    cells = code_cells(committed(NOTEBOOKS / name))
    return [
        cell.source
        for cell in cells
        if re.search(r"^(def model|class \w*Agent)\b", cell.source, re.MULTILINE)
    ]


def test_both_tutorials_on_the_agent_have_the_same_one():
    [agent] = agent_cells("05_debugging.ipynb")
    assert agent == "\n\n\n".join(agent_cells("04_agent.ipynb"))


def test_the_one_commented_line_plugs_in_a_real_model(monkeypatch):
    cell = agent_cells("04_agent.ipynb")[0]
    assert cell.count("openai.") == 1
    requests: list[dict[str, Any]] = []

    def create(**request):
        requests.append(request)
        return SimpleNamespace(output_text="Nuts.")

    client = SimpleNamespace(responses=SimpleNamespace(create=create))
    monkeypatch.setitem(sys.modules, "openai", SimpleNamespace(OpenAI=lambda: client))
    scope: dict[str, Any] = {}
    exec(cell.replace("# import openai", "import openai"), scope)
    assert scope["model"](["I am allergic to nuts."], "What am I allergic to?") == "Nuts."
    [request] = requests
    assert request["input"] == "What am I allergic to?"
    assert "I am allergic to nuts." in request["instructions"]
