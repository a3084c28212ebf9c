"""Several views of one explorer, and views that are hidden or out of sight."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jupyter import PATIENCE
from notebook_pages import LIVE, ROWS
from playwright.sync_api import Locator, Page, expect

from browser.explorers import MANY, OPEN, save

pytestmark = pytest.mark.browser


def test_a_view_that_went_through_other_states_equals_a_new_view(open_page):
    here = open_page(MANY, OPEN)
    counts = here.widget.locator(".tta-counts")
    turn = here.widget.locator(".tta-heading", has_text="turn")
    here.search.fill("note 12")
    expect(counts).to_have_text("111 of 5,000 records")
    turn.locator(".tta-title").click()  # a click on the bars below filters
    expect(turn).to_have_attribute("aria-sort", "descending")
    here.at("facet-user").click()
    here.widget.locator(".tta-popover li button").get_by_text("user0").click()
    expect(here.widget.locator(".tta-chip")).to_have_count(1)
    here.rows.nth(2).locator("input").click()
    here.at("delete").click()
    expect(counts).to_have_text("38 of 4,999 records")
    here.search.fill("note 4")
    expect(counts).to_have_text("369 of 4,999 records")
    turn.locator(".tta-title").click()
    expect(turn).to_have_attribute("aria-sort", "ascending")
    here.grid.evaluate("grid => { grid.scrollTop = 3000; }")
    here.search.fill("note 12")
    expect(counts).to_have_text("38 of 4,999 records")
    here.start(
        "from tta_memory_nb import MemoryExplorer\n"
        "MemoryExplorer(memory, query=explorer.query, filters=explorer.filters,\n"
        "    sort_by=explorer.sort_by, descending=explorer.descending)"
    )
    first, fresh = (here.panel.locator(".tta-explorer").nth(number) for number in (0, 1))
    expect(fresh.locator(".tta-counts")).to_have_text("38 of 4,999 records")

    def texts(widget: Locator) -> list[list[str]]:
        # Relative times depend on the clock.
        return widget.locator(ROWS).evaluate_all(
            "rows => rows.map(row => [...row.querySelectorAll('.tta-cell:not(.tta-is-time)')]"
            ".map(cell => cell.innerText))"
        )

    expect(fresh.locator(ROWS).first).to_contain_text("note 12")
    count = min(len(texts(first)), len(texts(fresh)))
    assert count > 10
    assert texts(first)[:count] == texts(fresh)[:count]


THIS = "jupyterapp.shell.currentWidget"


def in_kernel(page: Page, expression: str) -> Any:
    """Returns the value of an expression in the kernel, asked for beside the notebook, which may be hidden."""
    printed = page.evaluate(
        """async code => {
            const kernel = window.book.context.sessionContext.session.kernel;
            const future = kernel.requestExecute({code, store_history: false});
            const texts = [];
            future.onIOPub = message => texts.push(message.content.text ?? message.content.evalue ?? '');
            await future.done;
            return texts.join('');
        }""",
        f"import json\nprint(json.dumps({expression}))",
    )
    return json.loads(printed)


def wait_in_kernel(page: Page, condition: str) -> None:
    """Waits until a condition holds in the kernel."""
    tries = int(PATIENCE * 100)
    assert in_kernel(
        page, f"any({condition} or __import__('time').sleep(0.01) for _ in range({tries}))"
    ), condition


def scroll_down(page: Page, grid: Locator, window: str) -> None:
    """Scrolls to about the thousandth row until the kernel knows: a view is live before it has its rows."""
    for attempt in range(60):
        grid.scroll_into_view_if_needed()
        grid.evaluate("(grid, row) => { grid.scrollTop = row * 28; }", 1000 + attempt % 2)
        if in_kernel(page, f"any({window} or __import__('time').sleep(0.01) for _ in range(300))"):
            return
    raise AssertionError(window)


def look_at(page: Page, condition: str, *places: Locator) -> None:
    """Scrolls to places in turn, until a condition holds in the kernel at the last one."""
    for _ in range(60):
        for place in places:
            place.scroll_into_view_if_needed()
        if in_kernel(
            page, f"any({condition} or __import__('time').sleep(0.01) for _ in range(300))"
        ):
            return
    raise AssertionError(condition)


def hide_output(page: Page, cell: int, *, is_hidden: bool) -> None:
    page.evaluate(f"book.content.widgets[{cell}].outputHidden = {json.dumps(is_hidden)}")


def test_records_stay_those_that_were_seen_last_while_the_view_is_hidden(open_page):
    here = open_page(MANY, OPEN)
    page = here.page
    page.evaluate(f"void (window.book = {THIS})")
    scroll_down(page, here.grid, "explorer._views.window()[0] > 900")
    looked_at = "[*explorer._views.window(), len(explorer.records), explorer.records[0].key]"
    before = in_kernel(page, looked_at)
    in_sight = "any(view.is_in_sight for view in explorer._views.opened())"
    ways = {
        "in a collapsed output": (
            lambda: hide_output(page, 0, is_hidden=True),
            lambda: hide_output(page, 0, is_hidden=False),
        ),
        "behind another tab": (
            lambda: page.evaluate(
                "jupyterapp.commands.execute('launcher:create').then(() => null)"
            ),
            lambda: page.evaluate("void jupyterapp.shell.activateById(book.id)"),
        ),
    }
    for name, (hide, show) in ways.items():
        hide()
        wait_in_kernel(page, f"not {in_sight}")
        assert in_kernel(page, looked_at) == before, name
        show()
        wait_in_kernel(page, in_sight)
        expect(here.grid).to_be_visible()
        assert in_kernel(page, looked_at) == before, name


def test_records_are_those_of_the_view_on_the_screen(open_page, root):
    here = open_page(MANY, OPEN)
    page = here.page
    page.evaluate(f"void (window.book = {THIS})")
    here.start("explorer")
    second = here.panel.locator(".jp-CodeCell").last.locator(".tta-explorer")
    expect(second).to_have_class(LIVE)
    starts = {1: "explorer._views.window()[0] == 0", 2: "explorer._views.window()[0] > 900"}
    scroll_down(page, second.locator(".tta-grid"), starts[2])
    hide_output(page, 1, is_hidden=True)
    first = here.panel.locator(".tta-explorer").first
    look_at(page, starts[1], first)
    hide_output(page, 1, is_hidden=False)
    look_at(page, starts[2], first, second)
    # The rows of a page that was loaded again are those of its new view, whether or not its farewell has come.
    save(page, root)
    page.reload()
    expect(here.panel.locator(".jp-Cell")).to_have_count(2)
    page.wait_for_function(
        "() => (window.book = window.jupyterapp?.shell?.currentWidget)?.context?.sessionContext?.isReady"
    )
    here.start("explorer")
    wait_in_kernel(page, starts[1])
    again = here.panel.locator(".jp-CodeCell").last.locator(".tta-explorer")
    expect(again).to_have_class(LIVE)
    scroll_down(page, again.locator(".tta-grid"), starts[2])


def test_records_are_those_of_the_view_in_which_a_person_scrolls(open_page):
    here = open_page(MANY, OPEN)
    page = here.page
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.evaluate(f"void (window.book = {THIS})")
    here.start("explorer")
    views = [
        here.panel.locator(".jp-CodeCell").nth(number).locator(".tta-explorer") for number in (0, 1)
    ]
    for view in views:
        expect(view).to_be_in_viewport(ratio=1)
        expect(view).to_have_class(LIVE)
        expect(view.locator(ROWS).first).to_be_visible()
    scrolled = [0, 0]
    for number, pixels in ((0, 2000), (1, 4000), (0, 6000), (1, 8000)):
        views[number].locator(".tta-grid").hover()
        page.mouse.wheel(0, pixels)
        scrolled[number] += pixels
        wait_in_kernel(page, f"abs(explorer._views.window()[0] - {scrolled[number] // 28}) < 30")
