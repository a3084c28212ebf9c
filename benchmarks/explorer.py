"""The explorer beside two other tables for notebooks, in a real JupyterLab and a real browser.

    python benchmarks/explorer.py [--sizes 1000 100000 258145]

Measured in the page, as its user sees it, by a watcher that looks once a frame, and alike for every table:
milliseconds from the press of the keys that run the cell until the first rows are painted (the cell is run several
times: median and longest); from a click or a keystroke until the row that answers it is there; bytes that came over
the wire for the first rows; and what the kernel's memory grew by. Every table shows the same real utterances, in one
run. itables shows no more of them than its `maxBytes` lets it, unless it is told to send everything, which is measured
as well. ipydatagrid draws on a canvas: there it is text, dark on white below the headings, that is waited for.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import nbformat
from playwright.sync_api import Locator, Page, expect
from report import RESULTS, Json, heading, shown, surroundings, table, told, write

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from browsing import open_notebook, run_all, running_browser
from jupyter import PATIENCE, LabServer, running_lab

ROUNDS = 7

# Installed before the cell is run. It takes the time when the keys are pressed, and once more when the frame in
# which there are rows has been painted: what is there in an animation frame is painted in it, and the next message
# is handled after that. Open shadow roots are looked into as well.
WATCHER = """
([selector, isPicture]) => {
    const cells = document.querySelectorAll(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell");
    const cell = cells[cells.length - 1];
    const old = new Set(cell.querySelectorAll(".jp-OutputArea-output"));
    const each = function* (root) {
        yield* root.querySelectorAll(selector);
        for (const host of root.querySelectorAll("*")) if (host.shadowRoot) yield* each(host.shadowRoot);
    };
    const isDrawn = (element) => {
        const box = element.getBoundingClientRect();
        if (!box.width || !box.height) return false;
        if (!isPicture) return element.textContent.trim() !== "" && !/^Loading/.test(element.textContent.trim());
        const [width, height] = [Math.min(400, element.width), element.height - 40];
        if (width < 1 || height < 1) return false;
        const { data } = element.getContext("2d").getImageData(0, 40, width, height);
        let dark = 0;
        for (let at = 0; at < data.length; at += 4)
            if (data[at + 3] > 128 && data[at] + data[at + 1] + data[at + 2] < 300) dark += 1;
        return dark > 50;
    };
    window.watched = new Promise((done) => {
        let pressed = null;
        window.addEventListener("keydown", function press(event) {
            if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
            window.removeEventListener("keydown", press, true);
            pressed = performance.now();
            requestAnimationFrame(look);
        }, true);
        const look = () => {
            for (const output of cell.querySelectorAll(".jp-OutputArea-output")) {
                if (old.has(output)) continue;
                for (const element of each(output)) {
                    if (!isDrawn(element)) continue;
                    const channel = new MessageChannel();
                    channel.port1.onmessage = () => done(performance.now() - pressed);
                    channel.port2.postMessage(null);
                    return;
                }
            }
            requestAnimationFrame(look);
        };
    });
}
"""

SETUP = """
%load_ext tta_memory_nb
import gc, resource
from pathlib import Path
memory = %memory use --max-size 300000
%memory import chitchat
keys = memory.sync.keys()
_ = memory.sync.remove(keys[: len(keys) - {size}])
del keys

def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
"""
# Packages are there before the clock starts, for all alike; and so is the DataFrame, which the explorer does without.
FRAME = """
import time, pandas, anywidget
from tta_memory_nb.frames import records_frame
started = time.perf_counter()
frame = records_frame(memory.sync.records())
made = time.perf_counter() - started
"""


@dataclass(frozen=True)
class Rival:
    """A table and how it is used.

    Attributes:
        name: what the report calls it.
        needs: the package.
        before: a cell that makes ready what it shows; a DataFrame, which the explorer needs none of.
        show: the cell that shows it.
        row: what is there when the first rows are, as a selector.
    """

    name: str
    needs: str
    before: str
    show: str
    row: str


RIVALS = (
    Rival(
        "explorer",
        "anywidget",
        "import pandas, anywidget; made = 0.0",
        "explorer = %memory explore\nexplorer",
        ".tta-canvas .tta-text",
    ),
    Rival(
        "itables",
        "itables",
        f"{FRAME}\nimport itables\nitables.init_notebook_mode(connected=False)",
        "itables.show(frame)",
        "table.dataTable tbody td",
    ),
    Rival(
        "itables, all rows",
        "itables",
        f"{FRAME}\nimport itables\nitables.init_notebook_mode(connected=False)",
        "itables.show(frame, maxBytes=0)",
        "table.dataTable tbody td",
    ),
    Rival(
        "ipydatagrid",
        "ipydatagrid",
        f"{FRAME}\nfrom ipydatagrid import DataGrid",
        "grid = DataGrid(frame.reset_index().astype(str))\ngrid",
        ".ipydatagrid-wrapper canvas, .lm-DataGrid canvas, .p-DataGrid canvas",
    ),
)


class Wire:
    """Bytes that came over the page's websockets."""

    def __init__(self, page: Page) -> None:
        self.received = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, payload: str | bytes) -> None:
        self.received += len(payload)


@contextmanager
def opened(lab: LabServer, page: Page, name: str, cells: list[str]) -> Iterator[Locator]:
    """A notebook of some cells, all of them run but the last."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, lab.root / name)
    panel = open_notebook(page, lab, name)
    run_all(page, panel)
    yield panel


def run_last(page: Page, panel: Locator, code: str) -> None:
    """Begins to run code in the last cell."""
    cell = panel.locator(".jp-CodeCell").last.locator(".cm-content")
    cell.click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(code)
    page.keyboard.press("ControlOrMeta+Enter")


def printed(page: Page, panel: Locator, expression: str) -> str:
    """What an expression is worth in the kernel, as text."""
    run_last(page, panel, f"print('value:', {expression})")
    output = panel.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output").last
    expect(output).to_contain_text("value:")
    return output.inner_text().removeprefix("value:").strip()


def still(target: Locator) -> None:
    """Waits until a picture stays the same, and is not empty."""
    before = b""
    while (now := target.screenshot()) != before:
        before = now


def milliseconds(act: Callable[[], object], until: Callable[[], object]) -> float:
    """From an act of the user until its answer is there."""
    started = perf_counter()
    act()
    until()
    return round(1000 * (perf_counter() - started), 1)


def first_rows(
    lab: LabServer, page: Page, wire: Wire, rival: Rival, size: int
) -> tuple[Json, Locator]:
    """How long the first rows take, and what they cost."""
    cells = [SETUP.format(size=size), rival.before, "pass"]
    with opened(
        lab, page, f"{rival.name.replace(', ', '-').replace(' ', '-')}-{size}.ipynb", cells
    ) as panel:
        made = float(printed(page, panel, "made"))
        before = int(printed(page, panel, "resident()"))
        received = wire.received
        run_last(page, panel, rival.show)
        row = panel.locator(rival.row).first
        if rival.name == "ipydatagrid":

            def shown() -> None:
                expect(row).to_be_visible()
                still(row)
        else:

            def shown() -> None:
                expect(row).to_be_visible()

        spent = milliseconds(lambda: None, shown)
        got = wire.received - received
        # In a cell of its own, so that the table stays.
        page.keyboard.press("Escape")
        page.keyboard.press("b")
        grown = int(printed(page, panel, "resident()")) - before
    return {
        "DataFrame, ms": round(1000 * made),
        "first rows, ms": spent,
        "received, KB": round(got / 1024),
        "kernel, MB": round(grown / 2**20, 1),
    }, panel


def explorer_round_trips(panel: Locator, size: int) -> Json:
    """Page, sort and search, each from the act to the row that answers it."""
    widget = panel.locator(".tta-explorer")
    grid, search = widget.locator(".tta-grid"), widget.locator("[data-do=search]")
    expect(widget.locator(".tta-counts")).to_have_text(f"{size:,} records")

    def scroll(part: float) -> float:
        # In the page's own time: what a script that drives it from outside adds is not the table's.
        return float(
            grid.evaluate(
                """(grid, part) => new Promise((done) => {
                    const started = performance.now();
                    grid.scrollTop = part * (grid.scrollHeight - grid.clientHeight);
                    const look = () => {
                        const rows = [...grid.querySelectorAll(".tta-canvas .tta-row")];
                        const first = Math.floor(grid.scrollTop / 28) + 2;
                        const there = rows.some((row) => Number(row.getAttribute("aria-rowindex")) === first
                            && !row.querySelector(".tta-shimmer"));
                        there ? done(performance.now() - started) : requestAnimationFrame(look);
                    };
                    requestAnimationFrame(look);
                })""",
                part,
            )
        )

    pages = [scroll(part) for part in (0.2, 0.8, 0.35, 0.65, 0.5)]
    turn = widget.locator(".tta-heading", has_text="turn")
    mark = widget.locator("mark").first

    def sort(direction: str) -> float:
        def settled() -> None:
            expect(turn).to_have_attribute("aria-sort", direction)
            expect(widget.locator(".tta-counts")).not_to_contain_text("…")
            expect(widget.locator(".tta-progress")).to_be_hidden()

        return milliseconds(turn.click, settled)

    def find(words: str) -> float:
        return milliseconds(
            lambda: search.fill(words), lambda: expect(mark).to_have_text(words, ignore_case=True)
        )

    sorts = [sort(direction) for direction in ("descending", "ascending", "none")]
    return {
        "page, ms": round(median(pages), 1),
        "sort, ms": round(median(sorts[:2]), 1),
        "search, ms": round(median(map(find, ("hello", "today", "thanks"))), 1),
    }


def itables_round_trips(panel: Locator) -> Json:
    """Page, sort and search among the rows that it has in the page."""
    body = panel.locator("table.dataTable tbody td").first

    def changed(act: Callable[[], object]) -> float:
        before = panel.locator("table.dataTable tbody").first.inner_text()
        return milliseconds(
            act,
            lambda: expect(panel.locator("table.dataTable tbody").first).not_to_have_text(before),
        )

    expect(body).to_be_visible()
    times: Json = {}
    following = panel.locator("button.next, a.next, .dt-paging-button.next").first
    if following.is_enabled():
        times["page, ms"] = changed(following.click)
    heading = panel.locator("table.dataTable thead th", has_text="turn").first
    times["sort, ms"] = changed(heading.click)
    box = panel.locator(".dt-search input, .dataTables_filter input").first
    times["search, ms"] = changed(lambda: box.fill("hello"))
    return times


def main() -> None:
    """Runs all of it, prints a table and writes results/explorer.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000, 100_000, 258_145])
    sizes = parser.parse_args().sizes
    around = surroundings()
    told(heading(around))
    expect.set_options(timeout=PATIENCE * 1000)
    rows: list[Json] = []
    root = Path(tempfile.mkdtemp())
    try:
        with running_lab(root, Path(tempfile.mkdtemp())) as lab, running_browser() as browser:
            for size in sizes:
                for rival in RIVALS:
                    if find_spec(rival.needs) is None:
                        told(f"{rival.name}: left out, {rival.needs} is not installed")
                        continue
                    if rival.name == "itables, all rows" and size > 100_000:
                        continue  # the browser does not come back from it
                    page = browser.new_page(viewport={"width": 1280, "height": 1000})
                    page.set_default_timeout(PATIENCE * 1000)
                    wire = Wire(page)
                    cost, panel = first_rows(lab, page, wire, rival, size)
                    if rival.name == "explorer":
                        cost |= explorer_round_trips(panel, size)
                    elif rival.needs == "itables":
                        cost |= itables_round_trips(panel)
                    rows.append({"records": size, "table": rival.name, **cost})
                    told(str(rows[-1]))
                    page.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    names = [
        "DataFrame, ms",
        "first rows, ms",
        "page, ms",
        "sort, ms",
        "search, ms",
        "received, KB",
        "kernel, MB",
    ]
    lines = [
        [f"{row['records']:,}", row["table"], *(shown(row.get(name)) for name in names)]
        for row in rows
    ]
    told(table(["records", "table", *names], lines))
    write(RESULTS / "explorer.json", {**around, "rows": rows})


if __name__ == "__main__":
    main()
