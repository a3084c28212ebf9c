"""The explorer beside two other tables for notebooks, in a real JupyterLab and a real browser.

    python benchmarks/explorer.py [--sizes 1000 100000 258145]

A watcher in the page checks once per frame what the user sees, in the same way for every table. It measures the milliseconds
from the key press that runs the cell until the first rows are painted (over several runs: the median and the longest), and from
a click or a keystroke until the row that answers it is painted. For itables, the browser's driver checks instead, about every
0.1 s, so a figure may be that much too large. The benchmark also reports the bytes sent over the wire for the first rows, and the
growth of the kernel's memory. Every table shows the same real utterances, in one run. itables shows only as many of them as its
`maxBytes` allows; with that limit removed, it is measured as well. ipydatagrid draws on a canvas, where the watcher waits for
text, dark on white below the headings.
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
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page, expect
from report import RESULTS, Json, heading, log_progress, shown, surroundings, table, write

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from browsing import open_notebook, run_all, running_browser
from jupyter import PATIENCE, LabServer, running_lab

ROUNDS, SLOW_ROUNDS = 7, 3

# Runs in the page before the cell does. What exists in an animation frame is painted in that frame, and the next message
# is handled after the paint; the watcher takes the time then. It also searches open shadow roots.
WATCHER = r"""
window.bench = {
    * each(root, selector) {
        yield* root.querySelectorAll(selector);
        for (const host of root.querySelectorAll("*")) if (host.shadowRoot) yield* this.each(host.shadowRoot, selector);
    },
    first(root, selector) {
        return this.each(root, selector).next().value ?? null;
    },
    isDrawn(element, isPicture) {
        const box = element.getBoundingClientRect();
        if (!box.width || !box.height) return false;
        const text = element.textContent.trim();
        if (!isPicture) return text !== "" && !text.startsWith("Loading");
        const [width, height] = [Math.min(400, element.width), element.height - 40];
        if (width < 1 || height < 1) return false;
        const { data } = element.getContext("2d").getImageData(0, 40, width, height);
        let dark = 0;
        for (let at = 0; at < data.length; at += 4)
            if (data[at + 3] > 128 && data[at] + data[at + 1] + data[at + 2] < 300) dark += 1;
        return dark > 50;
    },
    /** The milliseconds from a moment until the frame is painted in which something is so. */
    until(started, isSo) {
        return new Promise((done, fail) => {
            const look = () => {
                if (performance.now() - started > 120_000) return void fail(new Error(`never: ${isSo}`));
                if (!isSo()) return void requestAnimationFrame(look);
                const channel = new MessageChannel();
                channel.port1.onmessage = () => done(performance.now() - started);
                channel.port2.postMessage(null);
            };
            requestAnimationFrame(look);
        });
    },
    get cell() {
        return [...document.querySelectorAll(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")].at(-1);
    },
    /** Waits for the keys that run the last cell, and then for rows in a new output of it. */
    watch(selector, isPicture) {
        const { cell } = this;
        const old = new Set(cell.querySelectorAll(".jp-OutputArea-output"));
        const isThere = () => [...cell.querySelectorAll(".jp-OutputArea-output")].some((output) =>
            !old.has(output) && [...this.each(output, selector)].some((element) => this.isDrawn(element, isPicture)));
        this.watched = new Promise((done) => {
            const press = (event) => {
                if (event.key !== "Enter") return;
                window.removeEventListener("keydown", press, true);
                done(this.until(performance.now(), isThere));
            };
            window.addEventListener("keydown", press, true);
        });
    },
    type(input, text) {
        input.value = text;
        input.dispatchEvent(new Event("input", { bubbles: true }));
    },
};
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
# The peers' packages are imported before the clock starts, and so is their DataFrame made, which the explorer does not
# need. The explorer is opened as a user opens it, and the time includes its remaining imports.
FRAME = """
import time, pandas, anywidget
from tta_memory_nb.frames import records_frame
started = time.perf_counter()
frame = records_frame(memory.sync.records())
made = time.perf_counter() - started
"""


@dataclass(frozen=True)
class Rival:
    """A table and how to use it.

    Attributes:
        name: the name in the report.
        needs: the package that it needs.
        before: a cell that prepares the DataFrame; the explorer needs none.
        show: the cell that shows the table.
        row: a selector that matches once the first rows exist.
        is_picture: whether the selector matches a canvas, which has to contain text.
        is_slow: whether the table is so slow for many records that it runs less often.
    """

    name: str
    needs: str
    before: str
    show: str
    row: str
    is_picture: bool = False
    is_slow: bool = False


RIVALS = (
    Rival(
        "explorer",
        "anywidget",
        "made = 0.0",
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
        is_slow=True,
    ),
    Rival(
        "ipydatagrid",
        "ipydatagrid",
        f"{FRAME}\nfrom ipydatagrid import DataGrid",
        "grid = DataGrid(frame.reset_index().astype(str))\ngrid",
        ".lm-DataGrid canvas, .p-DataGrid canvas",
        is_picture=True,
        is_slow=True,
    ),
)


class Wire:
    """Counts the bytes received over the page's websockets."""

    def __init__(self, page: Page) -> None:
        self.received = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, payload: str | bytes) -> None:
        self.received += len(payload)


@contextmanager
def opened(lab: LabServer, page: Page, name: str, cells: list[str]) -> Iterator[Locator]:
    """Opens a notebook of some cells and runs all except the last one."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, lab.root / name)
    panel = open_notebook(page, lab, name)
    run_all(page, panel)
    yield panel


def run_last(page: Page, panel: Locator, code: str, *, watch: Rival | None = None) -> None:
    """Starts code in the last cell, where the page may watch for the rows of a table."""
    cell = panel.locator(".jp-CodeCell").last.locator(".cm-content")
    cell.click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(code)
    if watch:
        page.evaluate(
            "([row, isPicture]) => bench.watch(row, isPicture)", [watch.row, watch.is_picture]
        )
    page.keyboard.press("ControlOrMeta+Enter")


def printed(page: Page, panel: Locator, expression: str) -> str:
    """Returns the value of an expression in the kernel, as text."""
    run_last(page, panel, f"print('value:', {expression})")
    output = panel.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output").last
    expect(output).to_contain_text("value:")
    return output.inner_text().removeprefix("value:").strip()


def first_rows(
    lab: LabServer, page: Page, wire: Wire, rival: Rival, size: int
) -> tuple[Json, Locator]:
    """Measures the time and the cost of the first rows."""
    cells = [SETUP.format(size=size), rival.before, "pass"]
    name = f"{rival.name.replace(', ', '-').replace(' ', '-')}-{size}.ipynb"
    with opened(lab, page, name, cells) as panel:
        page.evaluate(WATCHER)
        made = float(printed(page, panel, "made"))
        before = int(printed(page, panel, "resident()"))
        received, got, spent = wire.received, 0, []
        for _ in range(ROUNDS if size <= 1_000 or not rival.is_slow else SLOW_ROUNDS):
            run_last(page, panel, rival.show, watch=rival)
            spent.append(float(page.evaluate("bench.watched")))
            settle(page, panel)
            got = got or wire.received - received
        # In a cell of its own, so that the table stays displayed.
        page.keyboard.press("Escape")
        page.keyboard.press("b")
        grown = int(printed(page, panel, "resident()")) - before
        # Deletes that cell, so that the table's cell is the last one again.
        page.keyboard.press("Escape")
        page.keyboard.press("d")
        page.keyboard.press("d")
    return {
        "DataFrame, ms": round(1000 * made),
        "first rows, ms": round(median(spent)),
        "longest, ms": round(max(spent)),
        "each, ms": [round(each) for each in spent],
        "received, KB": round(got / 1024),
        "kernel, MB": round(grown / 2**20, 1),
    }, panel


def settle(page: Page, panel: Locator) -> None:
    """Waits until the kernel is idle."""
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Idle")
    expect(panel.locator(".tta-explorer .tta-counts").filter(has_text="…")).to_have_count(0)


def timed(page: Page, act: str, is_there: str, *given: Any) -> float:
    """Measures the milliseconds in the page from an act until the frame that answers it is painted.

    Args:
        page: the page of the notebook.
        act: a JavaScript function of the table's output and the further arguments; returns the state before the act.
        is_there: a function of the same arguments and that state; returns whether the answer is present.
        given: further arguments.
    """
    return float(
        page.evaluate(
            f"""(given) => {{
                const output = bench.cell;
                const started = performance.now();
                const before = ({act})(output, ...given);
                return bench.until(started, () => ({is_there})(output, ...given, before));
            }}""",
            list(given),
        )
    )


def explorer_round_trips(page: Page, panel: Locator, size: int) -> Json:
    """Measures paging, sorting and searching, each from the act to the row that answers it."""
    widget = panel.locator(".tta-explorer")
    expect(widget.locator(".tta-counts")).to_have_text(f"{size:,} records")

    def scroll(part: float) -> float:
        return timed(
            page,
            """(output, part) => {
                const grid = output.querySelector(".tta-grid");
                grid.scrollTop = part * (grid.scrollHeight - grid.clientHeight);
            }""",
            """(output) => {
                const first = Math.floor(output.querySelector(".tta-grid").scrollTop / 28) + 2;
                return [...output.querySelectorAll(".tta-canvas .tta-row")].some((row) =>
                    Number(row.getAttribute("aria-rowindex")) === first && !row.querySelector(".tta-shimmer"));
            }""",
            part,
        )

    def sort(direction: str) -> float:
        return timed(
            page,
            "(output) => output.querySelector(\"[data-column='turn']\").click()",
            """(output, direction) =>
                output.querySelector("[data-column='turn']").getAttribute("aria-sort") === direction
                && !output.querySelector(".tta-counts").textContent.includes("…")
                && output.querySelector(".tta-progress").hidden""",
            direction,
        )

    def find(words: str) -> float:
        return timed(
            page,
            "(output, words) => bench.type(output.querySelector('.tta-search'), words)",
            "(output, words) => output.querySelector('.tta-canvas mark')?.textContent.toLowerCase() === words",
            words,
        )

    pages = [scroll(part) for part in (0.2, 0.8, 0.35, 0.65, 0.5)]
    sorts = [sort(direction) for direction in ("descending", "ascending", "none")]
    return {
        "page, ms": round(median(pages), 1),
        "sort, ms": round(median(sorts[:2]), 1),
        "search, ms": round(median(map(find, ("hello", "today", "thanks"))), 1),
    }


def itables_round_trips(panel: Locator) -> Json:
    """Measures paging, sorting and searching in the page's rows, timed by the browser's driver."""
    body = panel.locator("table.dataTable tbody").first

    def changed(act: Callable[[], object]) -> float:
        before = body.inner_text()
        started = perf_counter()
        act()
        expect(body).not_to_have_text(before)
        return round(1000 * (perf_counter() - started), 1)

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
    """Measures all tables, prints the figures and writes results/explorer.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000, 100_000, 258_145])
    sizes = parser.parse_args().sizes
    around = surroundings()
    log_progress(heading(around))
    expect.set_options(timeout=PATIENCE * 1000)
    rows: list[Json] = []
    root = Path(tempfile.mkdtemp())
    try:
        with running_lab(root, Path(tempfile.mkdtemp())) as lab, running_browser() as browser:
            for size in sizes:
                for rival in RIVALS:
                    if find_spec(rival.needs) is None:
                        log_progress(f"{rival.name}: left out, {rival.needs} is not installed")
                        continue
                    if rival.name == "itables, all rows" and size > 100_000:
                        continue  # the browser does not recover from it
                    page = browser.new_page(viewport={"width": 1280, "height": 1000})
                    page.set_default_timeout(PATIENCE * 1000)
                    wire = Wire(page)
                    cost, panel = first_rows(lab, page, wire, rival, size)
                    if rival.name == "explorer":
                        cost |= explorer_round_trips(page, panel, size)
                    elif rival.needs == "itables":
                        cost |= itables_round_trips(panel)
                    rows.append({"records": size, "table": rival.name, **cost})
                    log_progress(str(rows[-1]))
                    page.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    names = [
        "DataFrame, ms",
        "first rows, ms",
        "longest, ms",
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
    log_progress(table(["records", "table", *names], lines))
    write(RESULTS / "explorer.json", {**around, "rows": rows})


if __name__ == "__main__":
    main()
