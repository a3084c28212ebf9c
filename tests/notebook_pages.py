"""Notebooks with an explorer, opened in a browser and driven by tests, in JupyterLab or Notebook 7."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from playwright.sync_api import Dialog, Error, Locator, Page, expect

if TYPE_CHECKING:
    from browsing import Traffic
    from jupyter import LabServer

LOAD = "%load_ext tta_memory_nb\nmemory = %memory use\nsync = memory.sync"
AGAIN = """
%reload_ext tta_memory_nb
memory = %memory use --namespace default
sync = memory.sync
sync.clear()
"""
# The rows of the table without the row of headings.
ROWS = ".tta-canvas .tta-row"
LIVE, LOST = re.compile(r"\btta-live\b"), re.compile(r"\btta-lost\b")


class NotebookPage:
    """An open notebook with one explorer and a last cell, in which tests run code.

    Args:
        page: the browser's page.
        panel: the notebook's panel in that page.
        run_again: runs the cells of the notebook again.
    """

    def __init__(self, page: Page, panel: Locator, run_again: Callable[[], None]) -> None:
        self.page = page
        self.panel = panel
        self.run_again = run_again
        self.widget = panel.locator(".tta-explorer")
        self.rows = self.widget.locator(ROWS)
        self.grid = self.widget.locator(".tta-grid")
        self.search = self.at("search")

    def at(self, name: str) -> Locator:
        """Returns the element whose ``data-do`` attribute has this name."""
        return self.widget.locator(f"[data-do={name}]")

    def keys(self) -> list[str]:
        """Returns the keys that the table shows, from the top."""
        return self.rows.locator(".tta-is-key .tta-text").all_inner_texts()

    def expect_keys(self, *keys: str) -> None:
        """Waits until the table shows these keys."""
        expect(self.rows.locator(".tta-is-key .tta-text")).to_have_text(list(keys))

    def start(self, code: str) -> Locator:
        """Runs code in the last cell and returns the cell's output."""
        return write_and_run(self.page, self.panel.locator(".jp-CodeCell").last, code)

    def value(self, expression: str) -> Any:
        """Returns the value of an expression in the kernel; the value must be JSON."""
        label = f"value of {expression!r}: "
        output = self.start(f"import json\nprint({label!r} + json.dumps({expression}))")
        expect(output.last).to_contain_text(label)
        return json.loads(output.last.inner_text().removeprefix(label))

    def open_record(self, key: str) -> Locator:
        """Selects a record in the table and returns the detail pane, which shows the record."""
        self.rows.locator(".tta-is-key", has_text=key).first.click()
        detail = self.widget.locator(".tta-detail")
        expect(detail.locator("h3")).to_have_text(key)
        return detail


def write_and_run(page: Page, cell: Locator, code: str) -> Locator:
    """Runs code in a cell and returns the cell's output."""
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(code)
    page.keyboard.press("ControlOrMeta+Enter")
    return cell.locator(".jp-OutputArea-output")


class Watch:
    """Records what must not happen in a page: script errors, dialogs, and requests to other hosts.

    Args:
        page: the browser's page.
        traffic: the addresses that the page asks for.
        source: only errors whose stack holds this text count.
    """

    def __init__(self, page: Page, traffic: Traffic, source: str = "") -> None:
        self.traffic = traffic
        self.errors: list[str] = []
        self.dialogs: list[str] = []

        def note_error(error: Error) -> None:
            if source in (error.stack or ""):
                self.errors.append(error.stack or str(error))

        def note_dialog(dialog: Dialog) -> None:
            if dialog.type == "beforeunload":  # JupyterLab asks whether to leave a changed notebook
                dialog.accept()
                return
            self.dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("pageerror", note_error)
        page.on("dialog", note_dialog)

    def check(self) -> None:
        """Fails if any of it has happened since the last check."""
        errors, dialogs = self.errors.copy(), self.dialogs.copy()
        self.errors.clear()
        self.dialogs.clear()
        assert errors == []
        assert dialogs == []
        assert self.traffic.hosts() == {"127.0.0.1"}


class SharedNotebook:
    """One notebook in one page, which all tests of a front end share, since a page takes long to load.

    Each test begins with an empty memory.

    Args:
        page: an empty page of the browser.
        traffic: watches the page.
        server: serves the notebook, and runs its kernel.
        name: the file name of the notebook, which is written.
    """

    def __init__(self, page: Page, traffic: Traffic, server: LabServer, name: str) -> None:
        self.page = page
        # Notebook 7 has errors of its own as it starts; a widget's code comes from a blob.
        self.watch = Watch(page, traffic, source="blob:")
        self.path = server.root / name
        write_notebook(self.path, ())
        page.goto(server.page(name))
        self.panel = page.locator(".jp-NotebookPanel")
        expect(self.panel.locator(".jp-Cell")).to_have_count(2)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Waits until the kernel has nothing to do."""
        # The indicator beside the kernel's name proves nothing: it is idle before a kernel exists.
        self.page.wait_for_function(
            """() => {
                const session = jupyterapp.shell.currentWidget?.context?.sessionContext;
                return session?.isReady && session.kernelDisplayStatus === "idle";
            }"""
        )

    def open_page(self, *cells: str, shows: bool = True) -> NotebookPage:
        """Empties the memory, runs cells and returns the page.

        Args:
            cells: code to run in one cell.
            shows: whether the cells show an explorer, which is waited for.
        """
        self.page.bring_to_front()  # what is on no screen is not drawn, and nothing of it is in sight
        code = "\n".join([AGAIN, *cells])
        here = NotebookPage(self.page, self.panel, lambda: self.run(code))
        self.wait_for_kernel()
        here.start("pass")  # removes the output of the last test
        self.run(code)
        if shows:
            expect(here.widget).to_have_class(LIVE)
        return here

    def run(self, code: str) -> None:
        """Runs code in the first cell and waits until the cell has ended."""
        cell = self.panel.locator(".jp-CodeCell").first
        before = cell.locator(".jp-InputPrompt").inner_text()
        write_and_run(self.page, cell, code)
        expect(cell.locator(".jp-InputPrompt")).not_to_have_text(before)
        expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))


def write_notebook(path: Path, cells: tuple[str, ...]) -> None:
    """Writes a notebook that loads the extension, has these cells, and ends with a cell for tests."""
    made = [nbformat.v4.new_code_cell(code) for code in (LOAD, *cells, "pass")]
    notebook = nbformat.v4.new_notebook(cells=made)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)
