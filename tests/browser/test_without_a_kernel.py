"""Saved notebooks, and explorers whose kernel is gone."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from browsing import choose
from notebook_pages import LIVE, LOST, NotebookPage
from playwright.sync_api import expect

from browser.explorers import FILL, OPEN, everywhere, picture, save, saved_widgets

pytestmark = pytest.mark.browser


@everywhere
def test_a_saved_notebook_shows_the_static_table_and_no_lost_widget(open_page, root):
    here = open_page(FILL, OPEN)
    page = here.page
    static = here.panel.locator(".tta-explorer-static")
    expect(static).to_have_count(1)
    expect(static).to_be_hidden()
    save(page, root)
    choose(page, "Kernel", "Shut Down Kernel")
    expect(here.widget).to_have_class(LOST)
    page.reload()
    expect(static.locator("table")).to_be_visible()
    expect(static).to_contain_text("3 records in namespace 'default'")
    expect(here.panel.get_by_text("model not found")).to_be_hidden()


def test_a_saved_widget_holds_nothing_of_the_records(open_page, root):
    here = open_page(FILL, OPEN)
    page = here.page
    choose(page, "Settings", "Save Widget State Automatically")
    widgets = saved_widgets(page, root)
    (states,) = (each["state"] for each in widgets.values())
    (state,) = (each["state"] for each in states.values() if "_esm" in each["state"])
    assert len(json.dumps(state)) < 3000
    assert "umbrella" not in json.dumps(widgets)
    choose(page, "Kernel", "Shut Down Kernel")
    page.reload()
    expect(here.panel.locator(".tta-explorer-static table")).to_be_visible()
    waiting = here.panel.get_by_text("No kernel answers, so the explorer cannot start")
    expect(waiting).to_have_count(1)
    expect(waiting).to_be_hidden()
    expect(here.widget).to_have_count(0)
    choose(page, "Settings", "Save Widget State Automatically")


def expect_lost(here: NotebookPage) -> None:
    """Checks that the widget says it has lost its kernel, and that its controls are disabled."""
    lost = here.widget.locator(".tta-warning")
    expect(here.widget).to_have_class(LOST)
    expect(lost).to_have_text(
        re.compile(
            r"The kernel has gone, or does not answer\. "
            r"What you see is from \d\d:\d\d.*\. Run the cell again to go on\."
        )
    )
    for name in ("search", "facet-user", "columns", "tab-timeline", "live", "select-all"):
        expect(here.at(name)).to_be_disabled()
    expect(here.rows.first.locator("input")).to_be_disabled()


@everywhere
def test_a_widget_whose_kernel_was_restarted_says_so_until_it_is_run_again(open_page):
    here = open_page(FILL, OPEN)
    page = here.page
    detail = here.open_record("bob:mon")
    here.at("detail-edit").click()
    detail.locator(".tta-editor").fill('{"text": "not saved yet"}')
    choose(page, "Kernel", "Restart Kernel…")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect_lost(here)
    picture(here.widget, "lost-light")
    # Typed text is not lost with the kernel, but it can only be copied.
    expect(detail.locator(".tta-editor")).to_have_value('{"text": "not saved yet"}')
    expect(detail.locator(".tta-editor")).not_to_be_editable()
    for name in ("save", "reset"):
        expect(here.at(name)).to_be_disabled()
    here.at("close-detail").click()
    here.rows.first.locator(".tta-is-key").click()
    here.widget.locator(".tta-heading", has_text="turn").click()
    here.grid.press("Delete")
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")
    expect(detail).to_be_hidden()
    here.run_again()
    expect(here.widget).to_have_count(1)
    expect(here.widget).to_have_class(LIVE)
    expect(here.widget).not_to_have_class(LOST)
    expect(here.widget.locator(".tta-warning")).to_be_hidden()
    here.search.fill("umbrella")
    here.expect_keys("ann:mon:00000001")


def test_a_widget_whose_kernel_was_killed_says_so(open_page):
    here = open_page(FILL, OPEN)
    os.kill(here.value("__import__('os').getpid()"), signal.SIGKILL)
    expect_lost(here)
    here.page.locator(".jp-Dialog .jp-mod-accept").click()
    here.run_again()
    expect(here.widget).not_to_have_class(LOST)
    here.search.fill("umbrella")
    here.expect_keys("ann:mon:00000001")


def test_a_widget_resumes_when_the_kernel_answers_again(open_page):
    here = open_page(FILL, OPEN)
    # As after a lost connection, or when the system suspends the kernel.
    kernel = here.value("__import__('os').getpid()")
    os.kill(kernel, signal.SIGSTOP)
    try:
        expect_lost(here)
    finally:
        os.kill(kernel, signal.SIGCONT)
    expect(here.widget).not_to_have_class(LOST)
    here.search.fill("umbrella")
    here.expect_keys("ann:mon:00000001")
