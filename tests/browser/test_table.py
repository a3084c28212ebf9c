"""The table of the explorer: rows, columns, headings and charts, by mouse and keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from browser.explorers import FILL, MANY, MOODS, OPEN, check_accessible, everywhere, picture

pytestmark = pytest.mark.browser


@everywhere
def test_thousands_of_records_scroll_sort_and_filter(open_page):
    here = open_page(MANY, OPEN)
    expect(here.widget.locator(".tta-counts")).to_have_text("5,000 records")
    assert here.keys()[0] == "user1:s39:00001387"
    assert here.grid.get_attribute("aria-rowcount") == "5001"

    here.grid.evaluate("grid => { grid.scrollTop = grid.scrollHeight; }")
    expect(here.rows.last).to_have_attribute("aria-rowindex", "5001")
    expect(here.rows.last.locator(".tta-is-key")).to_have_text("user0:s0:00000000")

    turn = here.widget.locator(".tta-heading", has_text="turn")
    turn.click()
    expect(turn).to_have_attribute("aria-sort", "descending")
    turn.click()
    expect(turn).to_have_attribute("aria-sort", "ascending")
    expect(here.rows.first.locator(".tta-is-key")).to_have_text("user0:s0:00000000")
    turn.click()
    expect(turn).to_have_attribute("aria-sort", "none")

    here.search.fill("note 49")
    expect(here.widget.locator(".tta-counts")).to_have_text("111 of 5,000 records")
    expect(here.rows.first.locator("mark")).to_have_text("note 49")

    here.at("facet-user").click()
    choices = here.widget.locator(".tta-popover li button")
    expect(choices).to_have_count(3)
    expect(choices.first).to_contain_text("1,667")
    choices.get_by_text("user1").click()
    expect(here.widget.locator(".tta-chip")).to_have_text("user user1✕")
    expect(here.widget.locator(".tta-counts")).to_have_text("39 of 5,000 records")
    here.widget.locator(".tta-chip button").click()
    expect(here.widget.locator(".tta-counts")).to_have_text("111 of 5,000 records")


@everywhere
def test_columns_are_chosen_and_resized(open_page):
    here = open_page(FILL, OPEN)
    here.at("columns").click()
    here.widget.locator(".tta-popover label", has_text="size").click()
    expect(here.widget.locator(".tta-heading", has_text="size")).to_be_visible()
    here.widget.locator(".tta-popover label", has_text="text").click()
    expect(here.widget.locator(".tta-heading", has_text="text")).to_have_count(0)
    assert "text" not in here.value("explorer.columns")
    here.page.mouse.move(0, 0)
    turn = here.widget.locator(".tta-heading", has_text="turn")
    before = turn.bounding_box()["width"]
    grip = turn.locator(".tta-grip").bounding_box()
    here.page.mouse.move(grip["x"] + 3, grip["y"] + 8)
    here.page.mouse.down()
    here.page.mouse.move(grip["x"] + 63, grip["y"] + 8, steps=3)
    here.page.mouse.up()
    assert turn.bounding_box()["width"] == pytest.approx(before + 60, abs=3)


@everywhere
def test_the_chooser_keeps_the_keyboard_and_a_drag_does_not_sort(open_page):
    here = open_page(FILL, OPEN)
    here.at("columns").click()
    box = here.widget.locator(".tta-popover label", has_text="session").locator("input")
    box.focus()
    here.page.keyboard.press("Space")
    expect(here.widget.locator(".tta-heading", has_text="session")).to_be_visible()
    expect(box).to_be_focused()
    expect(box).to_be_checked()
    here.page.keyboard.press("Escape")
    expect(here.at("columns")).to_be_focused()

    # The last column fills the table, so that it is as wide as before however far it is dragged.
    here.page.evaluate("document.activeElement.blur()")
    here.start("explorer.columns = ['turn', 'tags']")
    tags = here.widget.locator(".tta-heading").last
    expect(tags).to_have_text("tags")
    box = tags.bounding_box()
    here.page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 8)
    here.page.mouse.down()
    here.page.mouse.move(box["x"] + box["width"] - 63, box["y"] + 8, steps=3)
    here.page.mouse.up()
    assert here.value("explorer.sort_by") == "recency"
    expect(tags).to_have_attribute("aria-sort", "none")


@everywhere
def test_an_opened_facet_shows_the_newest_counts(open_page):
    here = open_page(FILL, OPEN)
    choices = here.widget.locator(".tta-popover li button")
    here.at("facet-user").click()
    expect(choices).to_have_text(["ann2", "bob1"])
    here.page.keyboard.press("Escape")
    here.start("sync.add('cid:mon', {'text': 'hi'})\nsync.add('bob:tue', {'text': 'ho'})")
    expect(here.rows).to_have_count(5)
    here.at("facet-user").click()
    expect(choices).to_have_count(3)
    expect(choices.filter(has_text="bob")).to_have_text("bob2")
    expect(here.widget.locator(".tta-popover input")).to_be_focused()


def test_the_header_shows_what_the_columns_hold_and_filters_by_a_click(open_page):
    here = open_page(MOODS, OPEN)
    page, counts = here.page, here.widget.locator(".tta-counts")

    def heading(name: str) -> Locator:
        return here.widget.locator(f".tta-heading[data-column={name}]")

    mood, points = heading("mood"), heading("points")
    expect(mood.locator(".tta-value")).to_have_text(["low", "high", "calm"])
    expect(points.locator(".tta-bin")).to_have_count(6)
    # Each text occurs once, so nothing is said of them.
    expect(heading("text").locator(".tta-summary")).to_be_empty()
    picture(here.widget, "header-light")

    mood.locator(".tta-value", has_text="high").click()
    expect(counts).to_have_text("2 of 6 records")
    expect(mood.locator(".tta-on")).to_have_text("high")
    assert here.value("explorer.filters") == {"where": {"mood": "high"}}
    mood.locator(".tta-value", has_text="high").click()
    expect(counts).to_have_text("6 records")
    points.locator(".tta-bin").first.click()
    expect(counts).to_have_text("3 of 6 records")
    expect(points.locator(".tta-on")).to_have_count(1)
    expect(points).to_have_attribute("aria-sort", "none")
    here.widget.locator(".tta-chip button").click()
    expect(counts).to_have_text("6 records")
    expect(points.locator(".tta-on")).to_have_count(0)

    # By keyboard: to the heading, and into the list of its values.
    here.grid.focus()
    page.keyboard.press("ArrowUp")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    active = page.locator(f"[id='{here.grid.get_attribute('aria-activedescendant')}']")
    expect(active).to_have_attribute("aria-label", "text")
    page.keyboard.press("Alt+ArrowDown")
    expect(here.widget.locator(".tta-popover")).to_have_count(0)
    while here.widget.locator(".tta-heading.tta-active[data-column=mood]").count() == 0:
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+ArrowDown")
    choices = here.widget.locator(".tta-popover li button")
    expect(choices).to_have_text(["low3 records", "high2 records", "calm1 record"])
    expect(choices.first).to_be_focused()
    check_accessible(page)
    page.keyboard.press("Escape")
    expect(here.grid).to_be_focused()
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(counts).to_have_text("2 of 6 records")
    expect(here.grid).to_be_focused()
    page.keyboard.press("Alt+ArrowDown")
    expect(choices.filter(has_text="high")).to_have_attribute("aria-pressed", "true")
    picture(here.widget, "header-values-light")
    page.keyboard.press("Escape")


@everywhere
def test_a_brush_over_the_timeline_filters(open_page):
    here = open_page(
        "import time\n"
        "from tta_memory_nb import MemoryRecord\n"
        "now = time.time()\n"
        "sync.import_([MemoryRecord(f'k{n}', {'n': n}, updated_at=now - 86400 * n) for n in range(20)])",
        OPEN,
    )
    here.at("tab-timeline").click()
    box = here.widget.locator(".tta-brushed .tta-chart").bounding_box()
    middle = box["y"] + box["height"] / 2
    here.page.mouse.move(box["x"] + box["width"] * 0.6, middle)
    here.page.mouse.down()
    here.page.mouse.move(box["x"] + box["width"] + 5, middle, steps=4)
    here.page.mouse.up()
    expect(here.widget.locator(".tta-chip")).to_have_count(2)
    here.at("tab-table").click()
    here.expect_keys(*(f"k{n}" for n in reversed(range(8))))
    assert here.value("len(explorer.records)") == 8


@everywhere
def test_a_narrow_cell_has_all_of_it(open_page):
    here = open_page(FILL, OPEN)
    here.widget.evaluate("widget => { widget.style.width = '320px'; }")
    expect(here.widget).not_to_have_class(re.compile("tta-wide"))
    here.open_record("bob:mon")
    widths = here.widget.evaluate("widget => [widget.scrollWidth, widget.clientWidth]")
    assert widths[0] <= widths[1]
    detail, grid = here.widget.locator(".tta-detail").bounding_box(), here.grid.bounding_box()
    assert detail["y"] >= grid["y"] + grid["height"] - 1
    picture(here.widget, "narrow-light")
    here.start("explorer.compare(['bob:mon', 'ann:mon'])")
    expect(here.widget.locator(".tta-sides")).to_contain_text("Deploy failed")
    assert here.widget.locator(".tta-pair").bounding_box()["height"] >= 130
    picture(here.widget, "narrow-resolve-light")
