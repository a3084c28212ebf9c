"""Outages, long work and errors, as the explorer shows them."""

from __future__ import annotations

import pytest
from jupyter import PATIENCE
from playwright.sync_api import expect

from browser.explorers import FILL, OPEN, everywhere, picture

pytestmark = pytest.mark.browser


@everywhere
def test_an_outage_is_shown_and_the_server_can_be_tried_again(open_page):
    here = open_page(
        "from tta_memory_nb import MemoryExplorer, MemoryPrimitive\n"
        "import logging; logging.getLogger('tta_memory_nb').setLevel(logging.ERROR)\n"
        "away = MemoryPrimitive('redis://:a-secret@127.0.0.1:9', timeout=0.2)\n"
        "away.sync.add('k', {'text': 'kept'})",
        "explorer = MemoryExplorer(away, read_only=True)\nexplorer",
    )
    degraded = here.widget.locator(".tta-degraded")
    expect(degraded).to_contain_text("degraded since")
    expect(degraded).to_contain_text("1 write waiting")
    expect(here.widget.get_by_text("read-only")).to_be_visible()
    assert "a-secret" not in here.widget.evaluate("widget => widget.outerHTML")
    picture(here.widget, "degraded-light")
    here.at("reconnect").click()
    expect(here.widget.locator(".tta-toast")).to_contain_text("still does not answer")
    detail = here.open_record("k")
    for writing in ("detail-edit", "duplicate", "delete-record", "expire"):
        expect(here.at(writing)).to_have_count(0)
    expect(detail.locator(".tta-tree")).to_contain_text("kept")


@everywhere
def test_long_work_shows_its_progress_and_can_be_cancelled(open_page):
    here = open_page(
        FILL,
        "import tta_memory_nb.notebook.explorer.lister as module, threading\n"
        "real, cancelled = module.whole_listing, threading.Event()\n"
        "def slowly(request, on_progress):\n"
        "    if request.sort_by == 'turn':\n"
        "        on_progress('sorting', 50, 100)\n"
        f"        assert cancelled.wait({PATIENCE})\n"
        "        on_progress('sorting', 51, 100)\n"
        "    return real(request, on_progress)\n"
        "module.whole_listing = slowly",
        "explorer = %memory explore\n"
        "explorer.observe(lambda change: change.new == 'recency' and cancelled.set(), 'sort_by')\n"
        "explorer",
    )
    heading = here.widget.locator(".tta-heading", has_text="turn")
    heading.click()
    expect(here.widget.locator(".tta-progress")).to_contain_text("sorting 50 of 100")
    picture(here.widget, "progress-light")
    here.at("cancel").click()
    expect(here.widget.locator(".tta-progress")).to_be_hidden()
    expect(heading).to_have_attribute("aria-sort", "none")
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")


def test_charts_without_records_say_so_once_and_nothing_lies_over_charts_that_have_some(open_page):
    here = open_page(FILL, "%memory use --namespace other", OPEN)
    empty, pictures = here.widget.locator(".tta-empty"), here.widget.locator(".tta-pictures")
    for tab in ("timeline", "distributions"):
        here.at(f"tab-{tab}").click()
        expect(empty).to_contain_text("This memory is empty")
        expect(pictures).to_have_text("")
    picture(here.widget, "empty-timeline-light")
    here = open_page(FILL, "explorer = %memory explore --until 2020-01-01\nexplorer")
    expect(empty).to_contain_text("No record passes the filters")
    here.at("tab-timeline").click()
    expect(pictures).to_contain_text("Chosen: the beginning to 2020-01-01")
    expect(empty).to_be_hidden()
    here.at("all-time").click()
    here.at("tab-table").click()
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")


@everywhere
def test_errors_and_empty_results_are_shown_and_the_namespace_can_be_switched(open_page):
    here = open_page(FILL, "%memory use --namespace other", OPEN)
    expect(here.widget.locator(".tta-empty")).to_contain_text("This memory is empty")
    picture(here.widget, "empty-light")
    here.at("facet-namespace").click()
    here.widget.locator(".tta-popover button", has_text="default").click()
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")
    here.search.fill("nowhere to be found")
    expect(here.widget.locator(".tta-empty")).to_contain_text("Nothing matches")
    here.at("clear").click()
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")

    break_it = "explorer._lister._look = lambda *a, **k: 1 / 0"
    assert here.value(f"exec({break_it!r}, globals())") is None
    here.search.fill("rain")
    expect(here.widget.locator(".tta-banner")).to_contain_text("ZeroDivisionError")
    picture(here.widget, "error-light")
    here.at("dismiss").click()
    expect(here.widget.locator(".tta-banner")).to_be_hidden()


def test_the_widget_shows_that_a_memory_cannot_be_read(open_page):
    here = open_page(
        FILL,
        "explorer = %memory explore\n"
        "explorer._lister.list_first = explorer._lister._look = lambda *a, **k: 1 / 0\n"
        "explorer",
        shows=False,
    )
    expect(here.widget).to_have_count(1)
    expect(here.widget.locator(".tta-banner")).to_contain_text("ZeroDivisionError")
    expect(here.widget).to_contain_text("There is nothing to show yet")
    picture(here.widget, "unreadable-light")
