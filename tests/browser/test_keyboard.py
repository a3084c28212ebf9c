"""The keyboard, input methods, and what people need who see or hear the explorer in another way."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browsing import choose
from notebook_pages import LOST
from playwright.sync_api import Page, expect

from browser.explorers import FILL, OPEN, check_accessible, everywhere, picture

pytestmark = pytest.mark.browser


def test_an_input_method_keeps_its_keys_and_no_click_discards_what_was_written(open_page):
    here = open_page(FILL, OPEN)
    press = (
        "(field, key) => field.dispatchEvent(new KeyboardEvent('keydown',"
        " {key, keyCode: 229, isComposing: true, bubbles: true, cancelable: true}))"
    )
    here.search.fill("rains")
    here.expect_keys("ann:mon")
    for key in ("Enter", "Escape", "ArrowDown"):
        here.search.evaluate(press, key)
        expect(here.search).to_be_focused()
        expect(here.search).to_have_value("rains")
    here.search.fill("")
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")

    detail = here.open_record("bob:mon")
    here.at("detail-edit").click()
    editor = detail.locator(".tta-editor")
    editor.fill('{"text": "half an hour of work"}')
    here.open_record("ann:mon:00000001")
    expect(editor).to_have_value(re.compile("umbrella"))
    here.at("close-detail").click()
    here.open_record("bob:mon")
    expect(here.at("detail-edit")).to_have_text("Edit (not saved)")
    expect(editor).to_have_value('{"text": "half an hour of work"}')
    here.at("reset").click()
    expect(editor).to_have_value(re.compile("Deploy failed"))


@everywhere
def test_the_keyboard_reaches_everything_and_changes_no_cells(open_page):
    here = open_page(FILL, OPEN)
    cells = here.panel.locator(".jp-Cell").count()
    here.grid.focus()
    page = here.page

    def active() -> str:
        cell = here.grid.get_attribute("aria-activedescendant")
        return here.page.locator(f"[id='{cell}']").inner_text()

    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert active() == "key"
    page.keyboard.press("Enter")
    key = here.widget.locator(".tta-heading", has_text="key")
    expect(key).to_have_attribute("aria-sort", "ascending")
    page.keyboard.press("Enter")
    expect(key).to_have_attribute("aria-sort", "descending")
    here.expect_keys("bob:mon", "ann:mon:00000001", "ann:mon")
    page.keyboard.press("Enter")
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")
    page.keyboard.press("ArrowDown")
    assert active() == "ann:mon"
    page.keyboard.press("ArrowDown")
    assert active() == "ann:mon:00000001"
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.keyboard.press("x")
    page.keyboard.press("Space")
    expect(here.widget.locator(".tta-left")).to_contain_text("1 selected")
    page.keyboard.press("Shift+ArrowDown")
    expect(here.widget.locator(".tta-left")).to_contain_text("2 selected")
    page.keyboard.press("Escape")
    expect(here.widget.locator(".tta-counts")).to_have_text("3 records")
    page.keyboard.press("Enter")
    expect(here.widget.locator(".tta-detail h3")).to_have_text("bob:mon")
    page.keyboard.press("Escape")
    expect(here.widget.locator(".tta-detail")).to_be_hidden()
    page.keyboard.press("Delete")
    here.expect_keys("ann:mon", "ann:mon:00000001")
    page.keyboard.press("/")
    expect(here.search).to_be_focused()
    page.keyboard.type("umbrella")
    here.expect_keys("ann:mon:00000001")
    page.keyboard.press("Escape")
    expect(here.search).to_have_value("")
    assert here.panel.locator(".jp-Cell").count() == cells


def choose_theme(page: Page, theme: str) -> None:
    choose(page, "Settings", "Theme", f"JupyterLab {theme}")
    is_light = "true" if theme == "Light" else "false"
    expect(page.locator(f"body[data-jp-theme-light='{is_light}']")).to_be_attached()
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)


def test_there_are_no_serious_accessibility_violations(open_page):
    here = open_page(
        FILL,
        "sync.add('soon:gone', {'text': 'bye'}, ttl=50_000)\n"
        "sync.add('bob:mon', {'text': 'old'})\nold = sync.get('bob:mon')",
        "%memory use --namespace other\n%memory use --namespace default",
        OPEN,
    )
    page = here.page
    # The last theme is the light one, which later tests expect.
    # Of all rules only the one about contrast depends on the theme.
    for theme, options in (("Dark", {}), ("Light", {"runOnly": ["color-contrast"]})):
        choose_theme(page, theme)

        def look(name: str, theme: str = theme, options: dict[str, Any] = options) -> None:
            picture(here.widget, f"{name}-{theme.lower()}")
            check_accessible(page, **options)

        here.search.fill("rain")
        here.expect_keys("ann:mon")
        look("search")
        here.search.fill("")
        here.rows.filter(has_text="soon:gone").locator("input").click()
        here.open_record("ann:mon")
        look("record")
        here.at("expire").click()
        look("expire")
        here.at("detail-edit").click()
        look("edit")
        here.at("close-detail").click()

        detail = here.open_record("bob:mon")
        here.at("detail-edit").click()
        detail.locator(".tta-editor").fill('{"text": "mine"}')
        assert here.value(f"sync.add('bob:mon', {{'text': 'theirs, {theme}'}})") is None
        here.at("save").click()
        expect(detail.locator(".tta-conflict")).to_be_visible()
        look("conflict")
        here.at("mine").click()
        expect(here.widget.locator(".tta-toast")).to_be_visible()
        look("saved")
        here.at("detail-history").click()
        detail.locator(".tta-neighbours button").last.click()
        expect(detail.locator(".tta-gone").first).to_be_visible()
        look("history")
        here.at("detail-record").click()
        here.at("close-detail").click()
        here.at("clear-selection").click()

        for popover in ("facet-user", "facet-session", "facet-time", "facet-namespace", "columns"):
            here.at(popover).click()
            expect(here.widget.locator(".tta-popover :is(li, label)").first).to_be_visible()
            look(popover)
            page.keyboard.press("Escape")
        for tab in ("timeline", "distributions"):
            here.at(f"tab-{tab}").click()
            expect(here.widget.locator(".tta-chart").first).to_be_visible()
            look(tab)
        here.at("tab-table").click()
    here.open_record("ann:mon")
    choose(page, "Kernel", "Restart Kernel…")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(here.widget).to_have_class(LOST)
    for theme in ("Dark", "Light"):
        choose_theme(page, theme)
        picture(here.widget, f"lost-record-{theme.lower()}")
        check_accessible(page)
