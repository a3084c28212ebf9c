"""A notebook in a browser with an explorer in it, as tests drive it: in JupyterLab or Notebook 7."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from browsing import Traffic
from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from jupyter import LabServer

LOAD = "%load_ext tta_memory_nb\nmemory = %memory use\nsync = memory.sync"
AGAIN = """
%reload_ext tta_memory_nb
memory = %memory use --namespace default
sync = memory.sync
sync.clear()
"""
# Beside the row of headings.
ROWS = ".tta-canvas .tta-row"
LIVE, LOST = re.compile(r"\btta-live\b"), re.compile(r"\btta-lost\b")


class Desk:
    """An open notebook, the widget in it, and a last cell to run code in."""

    def __init__(self, page: Page, panel: Locator, run_again: Callable[[], None]) -> None:
        self.page = page
        self.panel = panel
        self.run_again = run_again
        self.widget = panel.locator(".tta-explorer")
        self.rows = self.widget.locator(ROWS)
        self.grid = self.widget.locator(".tta-grid")
        self.search = self.at("search")

    def at(self, name: str) -> Locator:
        """What the front end calls so."""
        return self.widget.locator(f"[data-do={name}]")

    def keys(self) -> list[str]:
        return self.rows.locator(".tta-is-key .tta-text").all_inner_texts()

    def expect_keys(self, *keys: str) -> None:
        expect(self.rows.locator(".tta-is-key .tta-text")).to_have_text(list(keys))

    def start(self, code: str) -> Locator:
        """Runs code in the last cell; gives its output."""
        return write_and_run(self.page, self.panel.locator(".jp-CodeCell").last, code)

    def value(self, expression: str) -> Any:
        """What an expression is worth in the kernel."""
        mark = f"value of {expression!r}: "
        output = self.start(f"import json\nprint({mark!r} + json.dumps({expression}))")
        expect(output.last).to_contain_text(mark)
        return json.loads(output.last.inner_text().removeprefix(mark))

    def open_record(self, key: str) -> Locator:
        self.rows.locator(".tta-is-key", has_text=key).first.click()
        detail = self.widget.locator(".tta-detail")
        expect(detail.locator("h3")).to_have_text(key)
        return detail


def write_and_run(page: Page, cell: Locator, code: str) -> Locator:
    """Runs code in a cell; gives its output."""
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(code)
    page.keyboard.press("ControlOrMeta+Enter")
    return cell.locator(".jp-OutputArea-output")


class Watch:
    """What must not happen in a page."""

    def __init__(self, page: Page, traffic: Traffic, source: str = "") -> None:
        self.traffic = traffic
        self.errors: list[str] = []
        self.dialogs: list[str] = []
        page.on(
            "pageerror", lambda error: source in error.stack and self.errors.append(error.stack)
        )
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    def check(self) -> None:
        assert self.errors == []
        assert self.dialogs == []
        assert self.traffic.hosts() == {"127.0.0.1"}


class SharedNotebook:
    """One notebook in one page of Notebook 7, for all tests: each begins with an empty memory."""

    def __init__(self, page: Page, server: LabServer) -> None:
        self.page = page
        traffic = Traffic()
        traffic.watch(page)
        # Notebook 7 has errors of its own as it starts; a widget's code comes from a blob.
        self.watch = Watch(page, traffic, source="blob:")
        write_notebook(server.root / "shared.ipynb", ())
        page.goto(server.page("shared.ipynb"))
        self.panel = page.locator(".jp-NotebookPanel")
        expect(self.panel.locator(".jp-Cell")).to_have_count(2)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        # The indicator beside the kernel's name is no witness: it says idle before there is a kernel.
        self.page.wait_for_function(
            """() => {
                const session = jupyterapp.shell.currentWidget.context.sessionContext;
                return session.isReady && session.kernelDisplayStatus === "idle";
            }"""
        )

    def open_desk(self, *cells: str, shows: bool = True) -> Desk:
        code = "\n".join([AGAIN, *cells])
        here = Desk(self.page, self.panel, lambda: self.run(code))
        self.wait_for_kernel()
        here.start("pass")  # nothing that the last test has shown there stays
        self.run(code)
        if shows:
            expect(here.widget).to_have_class(LIVE)
        return here

    def run(self, code: str) -> None:
        cell = self.panel.locator(".jp-CodeCell").first
        before = cell.locator(".jp-InputPrompt").inner_text()
        write_and_run(self.page, cell, code)
        expect(cell.locator(".jp-InputPrompt")).not_to_have_text(before)
        expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))


def write_notebook(path: Path, cells: tuple[str, ...]) -> None:
    made = [nbformat.v4.new_code_cell(code) for code in (LOAD, *cells, "pass")]
    notebook = nbformat.v4.new_notebook(cells=made)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)
