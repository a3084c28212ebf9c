"""The tutorials as a newcomer runs them: JupyterLab, a browser, and no request to other hosts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from browsing import (
    ERRORS,
    WARNINGS,
    all_traffic,
    one_page,
    open_notebook,
    read_table,
    run_all,
    take_pictures,
)
from jupyter import NOTEBOOKS
from playwright.sync_api import expect
from run_notebooks import without_outputs

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.frames import frame_html, records_frame

if TYPE_CHECKING:
    from jupyter import LabServer

pytestmark = pytest.mark.browser

QUICKSTART = "01_quickstart.ipynb"
SERVERS = "02_redis.ipynb"
EXPLORER = "03_explorer.ipynb"
AGENT = "04_agent.ipynb"
DEBUGGING = "05_debugging.ipynb"
FINDING = "06_finding.ipynb"
REPAIR = "07_repair.ipynb"
FRAMEWORKS = "08_frameworks.ipynb"
FOLDER = "tutorials"
SCRATCH = "scratch.ipynb"
DOWNLOADED = "downloaded.ipynb"


@pytest.fixture(scope="module")
def lab(root: Path, server: Callable[[str], LabServer]) -> LabServer:
    """JupyterLab, with the tutorials in a folder."""
    folder = root / FOLDER
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".*"))
    for path in folder.glob("*.ipynb"):
        # Without outputs, a cell that shows a number was run by this test.
        nbformat.write(without_outputs(path), path)
    # Completion also offers words of the notebook; this one contains none that matters.
    cells = [nbformat.v4.new_code_cell(code) for code in ("%load_ext tta_memory_nb", "pass")]
    scratch = nbformat.v4.new_notebook(cells=cells)
    scratch.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(scratch, folder / SCRATCH)
    nbformat.write(downloaded_notebook(), folder / DOWNLOADED)
    return server("lab")


def downloaded_notebook() -> nbformat.NotebookNode:
    """Returns a notebook with the table of a search, which JupyterLab does not trust: it has not run here."""
    memory = MemoryPrimitive().sync
    for key, text in {"ana:1": "It rains in Málaga", "dana:1": "יורד rain גשם"}.items():
        memory.add(key, {"text": text})
    found = records_frame(memory.search_records("rain"), query="rain")
    table = nbformat.v4.new_output("display_data", {"text/html": frame_html(found)})
    cell = nbformat.v4.new_code_cell("%memory search rain", outputs=[table])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    return notebook


page = pytest.fixture(scope="module")(one_page)
traffic = pytest.fixture(scope="module")(all_traffic)


def test_the_quickstart_runs_to_its_end_and_shows_its_tables(page, lab, traffic):
    panel = open_notebook(page, lab, f"{FOLDER}/{QUICKSTART}")
    run_all(page, panel)

    headings, *rows = read_table(panel.locator("table.dataframe", has_text="alice:wednesday").first)
    assert headings[0] == "text"
    texts = {row[headings.index("key")]: row[0] for row in rows}
    assert list(texts) == ["alice:wednesday", "alice:tuesday", "bob:monday", "alice:monday"]
    assert texts["alice:monday"] == "It's raining in Málaga"

    take_pictures(page, panel, "quickstart")
    assert traffic.hosts() == {"127.0.0.1"}


def test_the_tutorial_on_servers_runs_to_its_end_and_reports_an_unreachable_server(
    page, lab, traffic
):
    panel = open_notebook(page, lab, f"{FOLDER}/{SERVERS}")
    run_all(page, panel, ERRORS)
    warnings = panel.locator(WARNINGS).all_text_contents()
    assert ["has not answered" in text or "cannot be reached" in text for text in warnings] == [
        True
    ] * 2

    facts = [
        dict(read_table(table))
        for table in panel.locator("table.dataframe", has_text="state").all()
    ]
    assert [each["state"] for each in facts] == ["connected"] * 3
    assert panel.get_by_text("degraded since").count() >= 2
    assert "a-secret" not in "".join(panel.locator(".jp-OutputArea").all_inner_texts())

    take_pictures(page, panel, "servers")
    assert traffic.hosts() == {"127.0.0.1"}


def test_the_tutorial_on_the_explorer_runs_to_its_end_and_its_widget_responds(page, lab, traffic):
    panel = open_notebook(page, lab, f"{FOLDER}/{EXPLORER}")
    run_all(page, panel)
    explorer = panel.locator(".tta-explorer")
    # The last query and filters of the notebook are what the widget shows.
    expect(explorer.locator(".tta-chip")).to_have_count(2)
    expect(explorer.locator(".tta-left")).to_contain_text("2 selected")
    take_pictures(page, panel, "explorer")
    assert traffic.hosts() == {"127.0.0.1"}


def test_the_tutorial_on_agents_runs_to_its_end_and_the_agent_remembers(page, lab, traffic):
    panel = open_notebook(page, lab, f"{FOLDER}/{AGENT}")
    run_all(page, panel)

    outputs = "\n".join(panel.locator(".jp-OutputArea").all_inner_texts())
    assert "bob - You have not told me." in outputs
    assert "You told me: I prefer trains to planes." in outputs  # after the restart
    facts = page.locator("th", has_text="facts.budget")
    headings, *rows = read_table(panel.locator("table.dataframe", has=facts))
    budgets = {row[headings.index("task")]: row[headings.index("facts.budget")] for row in rows}
    assert budgets == {"trip": "900 euros", "party": "150 euros"}

    take_pictures(page, panel, "agent")
    assert traffic.hosts() == {"127.0.0.1"}


def test_the_tutorial_on_wrong_answers_runs_to_its_end_and_the_answer_is_right(page, lab, traffic):
    panel = open_notebook(page, lab, f"{FOLDER}/{DEBUGGING}")
    run_all(page, panel)

    answers = [
        text.splitlines()[-1]
        for text in panel.locator(".jp-OutputArea").all_inner_texts()
        if "Ana:" in text
    ]
    assert ["900 euros" in answer for answer in answers] == [True, False, False]
    assert "120 euros a night" in answers[1]
    assert "The hotel is 120 euros" in answers[2]
    before, after = (
        [row[2] for row in read_table(table)[1:]]
        for table in panel.locator("table.dataframe", has_text="before").all()
    )
    assert ("facts.budget" in before, "facts.budget" in after) == (True, False)
    # The record in question, beside the turns of its session.
    explorer = panel.locator(".tta-explorer")
    explorer.locator(".tta-canvas .tta-row", has_text="trip").click()
    expect(explorer.locator(".tta-detail")).to_contain_text("museum")

    take_pictures(page, panel, "debugging")
    assert traffic.hosts() == {"127.0.0.1"}


def test_the_questions_of_a_conversation_are_answered_explained_and_measured(page, lab, traffic):
    panel = open_notebook(page, lab, f"{FOLDER}/{FINDING}")
    run_all(page, panel)

    explained = panel.locator("table.dataframe", has_text="around").first
    expect(explained.locator("mark").first).to_have_text("cake")
    widths = explained.locator(".tta-bar").evaluate_all(
        "bars => bars.map(bar => [...bar.children].reduce((sum, part) => sum + part.offsetWidth, 0))"
    )
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > 0
    measured = panel.locator("table.dataframe", has_text="mrr@10").first
    rows = {row[0]: [float(cell) for cell in row[1:]] for row in read_table(measured)[1:]}
    assert rows["ranked"][0] > rows["keyword"][0]
    expect(panel.locator(".jp-OutputArea img")).to_have_count(1)
    take_pictures(page, panel, "finding")
    assert traffic.hosts() == {"127.0.0.1"}


def test_a_memory_gone_bad_is_examined_and_mended(page, lab, traffic):
    panel = open_notebook(page, lab, f"{FOLDER}/{REPAIR}")
    run_all(page, panel)

    found = panel.locator("table.dataframe", has_text="injections").first
    expect(found.locator("mark").first).to_have_text("Ignore all previous instructions")
    findings = panel.get_by_role(
        "region", name="findings"
    )  # of two explorers, only one shows its own
    expect(findings).to_contain_text("near-duplicates")
    expect(panel.locator(".jp-OutputArea img")).to_have_count(1)
    # What is shown of a secret does not give it away.
    assert "sk-proj" not in found.inner_text()
    take_pictures(page, panel, "repair")
    assert traffic.hosts() == {"127.0.0.1"}


def test_an_agent_of_another_framework_is_seen_at_work(page, lab, traffic):
    panel = open_notebook(page, lab, f"{FOLDER}/{FRAMEWORKS}")
    run_all(page, panel)

    explorer = panel.locator(".tta-explorer").first
    explorer.locator("[data-do=search]").fill("peanuts")
    expect(explorer.locator("mark").first).to_be_visible()
    expect(explorer).to_contain_text("/users/ana/food")
    expect(explorer).to_contain_text("threads/monday//b/messages/")
    take_pictures(page, panel, "frameworks")
    assert traffic.hosts() == {"127.0.0.1"}


def test_a_downloaded_notebook_shows_texts_where_they_begin(page, lab, traffic):
    panel = open_notebook(page, lab, f"{FOLDER}/{DOWNLOADED}")
    table = panel.locator("table.tta-memory")
    expect(table.locator("mark")).to_have_count(2)
    # Otherwise the notebook is trusted, and this test of no worth.
    assert panel.locator(".jp-OutputArea style").count() == 0
    sides = table.locator("tr > *").evaluate_all(
        """cells => cells.map(cell => {
            const text = document.createRange();
            text.selectNodeContents(cell);
            const room = cell.getBoundingClientRect(), line = text.getBoundingClientRect();
            const before = line.left - room.left, after = room.right - line.right;
            return line.width === 0 || Math.abs(before - after) < 2 ? "full" : before < after ? "left" : "right";
        })"""
    )
    expected = table.locator("tr > *").evaluate_all(
        "cells => cells.map(cell => getComputedStyle(cell).direction === 'rtl' ? 'right' : 'left')"
    )
    assert "right" in expected
    assert [
        side for side in zip(sides, expected, strict=True) if side[0] not in ("full", side[1])
    ] == []
    take_pictures(page, panel, "downloaded")
    assert traffic.hosts() == {"127.0.0.1"}


def test_every_tutorial_is_run_in_the_browser():
    covered = {QUICKSTART, SERVERS, EXPLORER, AGENT, DEBUGGING, FINDING, REPAIR, FRAMEWORKS}
    assert covered == {path.name for path in NOTEBOOKS.glob("*.ipynb")}


def test_tab_completes_a_subcommand(page, lab, traffic):
    panel = open_notebook(page, lab, f"{FOLDER}/{SCRATCH}")
    run_all(page, panel)

    editor = panel.locator(".jp-CodeCell").last.locator(".cm-content")
    editor.click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("%memory se")
    page.keyboard.press("Tab")

    # One match is filled in at once; several are offered in a list.
    offered = page.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-match")
    filled = editor.get_by_text("%memory search")
    expect(offered.first.or_(filled)).to_be_visible()
    if offered.count():
        assert offered.all_text_contents()[0] == "search"
        page.keyboard.press("Enter")
    expect(editor).to_have_text("%memory search")
    assert traffic.hosts() == {"127.0.0.1"}
