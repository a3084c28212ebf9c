"""Opens, runs, reads and photographs notebooks in a browser, and records their requests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from jupyter import ARTEFACTS, PATIENCE, LabServer, chromium
from playwright.sync_api import Browser, Error, Locator, Page, expect, sync_playwright

MILLISECONDS = 1000
WIDTH, HEIGHT = 1280, 1000
# JupyterLab shows errors and output to stderr alike: on red. Even an empty one is a red bar, so
# that none is allowed.
ERRORS = ".jp-CodeCell [data-mime-type$='.error']"
WARNINGS = ".jp-CodeCell [data-mime-type$='.stderr']"
COMPLAINTS = f"{ERRORS}, {WARNINGS}"
# Chromium paints no taller page than its textures allow.
TALLEST = 16_000

expect.set_options(timeout=PATIENCE * MILLISECONDS)


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Runs a headless Chromium while the block lasts."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",  # Chromium refuses its sandbox to root, as in most containers
                "--disable-gpu",
                "--disable-background-networking",
                # The names of other hosts do not resolve, so no request can leave this machine.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


OPEN = pytest.StashKey[Browser]()
"""The browser that a fixture keeps open."""


@contextlib.contextmanager
def browser_of(config: pytest.Config) -> Iterator[Browser]:
    """Runs a browser whose pages are pictured when a test fails."""
    with running_browser() as browser:
        config.stash[OPEN] = browser
        yield browser
        del config.stash[OPEN]


def picture_all(browser: Browser, name: str) -> None:
    """Takes a picture of each open page, to find out why a test has failed."""
    pages = [page for context in browser.contexts for page in context.pages]
    for number, page in enumerate(pages):
        take_screenshot(page, f"{name}-{number}.png")


def take_screenshot(target: Page | Locator, name: str) -> None:
    """Takes a picture of what a browser shows, for people to look at. No test depends on it.

    A page that has crashed cannot be pictured, and the browser of a busy machine now and then never
    finishes a picture.
    """
    ARTEFACTS.mkdir(exist_ok=True)
    with contextlib.suppress(Error):
        target.screenshot(path=ARTEFACTS / name, timeout=10 * MILLISECONDS)


@dataclass
class Traffic:
    """The addresses that a page has requested."""

    urls: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("websocket", lambda socket: self.urls.append(socket.url))

    def hosts(self) -> set[str | None]:
        """Every requested host. Addresses that carry their content (data:, blob:) have none."""
        return {
            urlsplit(url).hostname
            for url in self.urls
            if urlsplit(url).scheme in ("http", "https", "ws", "wss")
        }


@contextlib.contextmanager
def page_of(browser: Browser, traffic: Traffic) -> Iterator[Page]:
    """Opens an empty page, whose traffic is watched, while the block lasts."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(PATIENCE * MILLISECONDS)
    traffic.watch(page)
    yield page
    page.close()


def all_traffic() -> Traffic:
    """For a module whose tests share `one_page`: a fixture with the requests of that page."""
    return Traffic()


def one_page(browser: Browser, traffic: Traffic) -> Iterator[Page]:
    """For a module: a fixture with one page for all its notebooks, since JupyterLab takes long to load."""
    with page_of(browser, traffic) as page:
        yield page


def open_notebook(page: Page, lab: LabServer, name: str) -> Locator:
    """Opens a notebook, waits until its kernel is ready, and returns its panel.

    The page is loaded for the first notebook only. For the next one, the one before is closed without
    being saved, and its kernel is ended.
    """
    if lab.url and page.url.startswith(lab.url):
        page.evaluate(_OPEN_NEXT, name)
    else:
        page.goto(lab.page(name))
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(panel.locator(".jp-Cell").first).to_be_visible()
    # Only the status bar waits for the kernel itself; a restart before that is lost.
    expect(
        page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle")
    ).to_be_visible()
    return panel


# To close a changed notebook is to be asked first whether to save it, and the end of its kernel changes it;
# nobody is asked when it is disposed of.
_OPEN_NEXT = """async path => {
    for (const widget of [...jupyterapp.shell.widgets("main")]) {
        if (widget.context) {
            await widget.sessionContext.shutdown();
        }
        widget.dispose();
    }
    await jupyterapp.commands.execute("docmanager:open", { path });
}"""


def choose(page: Page, *path: str) -> None:
    """Clicks through the main menu."""
    menu, *items = path
    page.locator(".lm-MenuBar-itemLabel", has_text=menu).first.click()
    for item in items:
        page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()


def run_all(page: Page, panel: Locator, complaints: str = COMPLAINTS) -> None:
    """Runs every cell to its end; fails when one complains."""
    choose(page, "Run", "Run All Cells")
    wait_until_run(page, panel, complaints)


def wait_until_run(page: Page, panel: Locator, complaints: str = COMPLAINTS) -> None:
    """Waits until every cell has run to its end; fails when one complains."""
    # An error stops the run, so that the cells after it would be pending for ever.
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
    """Returns the cells of a rendered table, row by row, headings first."""
    return table.evaluate(
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )


def take_picture(page: Page, panel: Locator, name: str) -> None:
    """Takes a picture of JupyterLab, made tall enough for the whole notebook. No test depends on it."""
    notebook = panel.locator(".jp-WindowedPanel-outer")
    hidden = notebook.evaluate("outer => outer.scrollHeight - outer.clientHeight")
    page.set_viewport_size({"width": WIDTH, "height": min(HEIGHT + hidden, TALLEST)})
    if HEIGHT + hidden <= TALLEST:
        with contextlib.suppress(Error):
            page.wait_for_function(
                "outer => outer.scrollHeight <= outer.clientHeight",
                arg=notebook.element_handle(),
                timeout=10 * MILLISECONDS,
            )
    take_screenshot(page, name)
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def take_pictures(page: Page, panel: Locator, name: str) -> None:
    """Takes a picture in each theme: first in the present one, since JupyterLab takes long to load a theme."""
    is_light = page.locator("body").get_attribute("data-jp-theme-light") == "true"
    themes = ("light", "dark") if is_light else ("dark", "light")
    take_picture(page, panel, f"{name}-{themes[0]}.png")
    choose(page, "Settings", "Theme", f"JupyterLab {themes[1].capitalize()}")
    other = "false" if is_light else "true"
    expect(page.locator(f"body[data-jp-theme-light='{other}']")).to_be_attached()
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    take_picture(page, panel, f"{name}-{themes[1]}.png")
