"""The quickstart as a newcomer meets it: JupyterLab, a browser, and nothing from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import nbformat
import pytest
from jupyter import ARTEFACTS, NOTEBOOKS, PATIENCE, LabServer, chromium, running_lab
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

pytestmark = pytest.mark.browser

QUICKSTART = "01_quickstart.ipynb"
SERVERS = "02_redis.ipynb"
SCRATCH = "scratch.ipynb"
MILLISECONDS = 1000
WIDTH, HEIGHT = 1280, 1000
# JupyterLab shows an error as it shows what is written to stderr: on red. Even an empty one is a
# red bar, so that none is allowed.
ERRORS = ".jp-CodeCell [data-mime-type$='.error']"
WARNINGS = ".jp-CodeCell [data-mime-type$='.stderr']"
COMPLAINTS = f"{ERRORS}, {WARNINGS}"
# Chromium paints no taller page than its textures allow.
TALLEST = 16_000

expect.set_options(timeout=PATIENCE * MILLISECONDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",  # Chromium refuses its sandbox to root, as in most containers
                "--disable-gpu",
                "--disable-background-networking",
                # What is not ours has no address, so that it cannot even be asked.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[LabServer]:
    root = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, root, ignore=shutil.ignore_patterns(".*"))
    for path in root.glob("*.ipynb"):
        # A cell that shows a number has then been run here, and not by whoever committed it.
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, path)
    # Completion also offers words that stand in the notebook; here stands none that matters.
    cells = [nbformat.v4.new_code_cell(code) for code in ("%load_ext tta_memory_nb", "pass")]
    scratch = nbformat.v4.new_notebook(cells=cells)
    scratch.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(scratch, root / SCRATCH)
    with running_lab(root, tmp_path_factory.mktemp("home")) as server:
        yield server


@dataclass
class Traffic:
    """The addresses a page has asked for."""

    urls: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("websocket", lambda socket: self.urls.append(socket.url))

    def hosts(self) -> set[str | None]:
        """Every host but those of addresses that carry their content: data:, blob:."""
        return {
            urlsplit(url).hostname
            for url in self.urls
            if urlsplit(url).scheme in ("http", "https", "ws", "wss")
        }


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def page(browser, traffic) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(PATIENCE * MILLISECONDS)
    traffic.watch(page)
    yield page
    page.close()


def open_notebook(page: Page, lab: LabServer, name: str) -> Locator:
    """Opens a notebook, waits until its kernel is ready, and returns its panel."""
    page.goto(lab.page(name))
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(panel.locator(".jp-Cell").first).to_be_visible()
    # Only the status bar waits for the kernel's own word; a restart before it is lost.
    expect(
        page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle")
    ).to_be_visible()
    return panel


def choose(page: Page, *path: str) -> None:
    """Clicks through the main menu."""
    menu, *items = path
    page.locator(".lm-MenuBar-itemLabel", has_text=menu).first.click()
    for item in items:
        page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()


def run_all(page: Page, panel: Locator, complaints: str = COMPLAINTS) -> None:
    """Restarts the kernel and runs every cell to its end; fails when one complains."""
    choose(page, "Run", "Restart Kernel and Run All Cells…")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    # An error stops the run, and would leave the cells after it waiting for ever.
    page.wait_for_function(
        """([prompts, complaints]) => {
            const all = [...document.querySelectorAll(prompts)];
            return document.querySelector(complaints)
                || (all.length && all.every(prompt => /^\\[\\d+\\]:$/.test(prompt.textContent)));
        }""",
        arg=[".jp-CodeCell .jp-InputPrompt", complaints],
    )
    assert panel.locator(complaints).all_text_contents() == []


def read_table(table: Locator) -> list[list[str]]:
    """The cells of a rendered table, row by row, headings first."""
    return table.evaluate(
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )


def take_picture(page: Page, panel: Locator, name: str) -> None:
    """A picture of JupyterLab, made tall enough for the whole notebook."""
    notebook = panel.locator(".jp-WindowedPanel-outer")
    hidden = notebook.evaluate("outer => outer.scrollHeight - outer.clientHeight")
    page.set_viewport_size({"width": WIDTH, "height": min(HEIGHT + hidden, TALLEST)})
    if HEIGHT + hidden <= TALLEST:
        page.wait_for_function(
            "outer => outer.scrollHeight <= outer.clientHeight", arg=notebook.element_handle()
        )
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / name)
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def take_pictures(page: Page, panel: Locator, name: str) -> None:
    """A picture in each theme."""
    for theme, is_light in (("Light", "true"), ("Dark", "false")):
        choose(page, "Settings", "Theme", f"JupyterLab {theme}")
        expect(page.locator(f"body[data-jp-theme-light='{is_light}']")).to_be_attached()
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)
        take_picture(page, panel, f"{name}-{theme.lower()}.png")


def test_the_quickstart_runs_to_its_end_and_shows_its_tables(page, lab, traffic):
    panel = open_notebook(page, lab, QUICKSTART)
    run_all(page, panel)

    headings, *rows = read_table(panel.locator("table.dataframe", has_text="alice:wednesday").first)
    assert headings[:6] == ["key", "user", "session", "created", "updated", "expires"]
    texts = {row[0]: row[headings.index("text")] for row in rows}
    assert list(texts) == ["alice:wednesday", "alice:tuesday", "bob:monday", "alice:monday"]
    assert texts["alice:monday"] == "It's raining in Málaga"

    take_pictures(page, panel, "quickstart")
    assert traffic.hosts() == {"127.0.0.1"}


def test_the_tutorial_on_servers_runs_to_its_end_and_says_when_the_server_is_away(
    page, lab, traffic
):
    panel = open_notebook(page, lab, SERVERS)
    run_all(page, panel, ERRORS)
    warnings = panel.locator(WARNINGS).all_text_contents()
    assert ["has not answered" in text or "cannot be had" in text for text in warnings] == [
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


def test_tab_completes_a_subcommand(page, lab, traffic):
    panel = open_notebook(page, lab, SCRATCH)
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
