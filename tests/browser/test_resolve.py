"""Records that should perhaps be one, decided about in JupyterLab by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from browsing import HEIGHT, WIDTH, choose
from playwright.sync_api import expect

from browser.explorers import check_accessible, picture

if TYPE_CHECKING:
    from notebook_pages import NotebookPage

pytestmark = pytest.mark.browser

FILL = """
sync.import_([MemoryRecord(key, value, created_at=at, updated_at=at) for at, (key, value) in enumerate({
    "ana:trip:1": {"text": "Peter wants to meet at the old harbour after lunch, he brings the tickets for the ferry.", "day": 3, "by": "agent"},
    "ana:trip:2": {"text": "Maria wants to meet at the old harbour after lunch, she brings the tickets for the ferry.", "day": 4, "by": "agent", "seat": 12},
    "ana:home:1": {"text": "I live in Lyon.", "day": 1},
    "ana:home:2": {"text": "I live in Marseille.", "day": 11},
    "ana:web:1": {"text": "<img src=x onerror=alert(1)> \\u202e says the page about the ferry to the island", "day": 5},
    "ana:web:2": {"text": "<img src=x onerror=alert(1)> \\u202e says the page about the ferry to the island", "day": 6},
}.items(), 1_700_000_000)])
""".replace("\n", "", 1)
ORDER = ("ana:trip:1", "ana:trip:2", "ana:home:1", "ana:home:2", "ana:web:1", "ana:web:2")
OPEN = (
    "from tta_memory_nb import MemoryRecord\nsync.lift_tombstones([each.key for each in sync.tombstones()])\n"
    + FILL
    + "explorer = %memory explore --resolve\nexplorer"
)


@pytest.fixture
def here(open_page: Callable[..., NotebookPage]) -> NotebookPage:
    """The notebook with an explorer that begins with the cases."""
    here = open_page(OPEN)
    expect(here.widget.locator(".tta-sides")).to_be_visible()
    return here


def test_all_cases_are_decided_carried_out_and_undone_by_keyboard_alone(here: NotebookPage):
    page, keyboard = here.page, here.page.keyboard
    pair = here.widget.locator(".tta-pair")
    top = here.widget.locator(".tta-resolve > header")
    preview = here.widget.locator(".tta-preview")
    expect(top).to_contain_text("Case 1 of 3")
    # The pair and what can be done with it are in sight without scrolling.
    for target in (pair, here.at("keep-old"), here.at("merge"), preview, here.at("carry-out")):
        expect(target).to_be_in_viewport(ratio=1)
    picture(here.widget, "resolve")
    check_accessible(here.page)
    pair.focus()
    keyboard.press("j")
    expect(top).to_contain_text("Case 2 of 3")
    keyboard.press("j")
    expect(pair.locator("del")).to_have_text(["Lyon", "1"])
    expect(pair.locator("ins")).to_have_text(["Marseille", "11"])
    keyboard.press("2")
    expect(preview).to_contain_text("2 records become 1; 1 of 3 cases decided")
    expect(top).to_contain_text("Case 1 of 3")
    keyboard.press("u")
    expect(preview).to_contain_text("Nothing is planned yet")
    expect(top).to_contain_text("Case 3 of 3")
    keyboard.press("2")
    expect(top).to_contain_text("Case 1 of 3")
    keyboard.press("j")
    expect(pair).to_contain_text("ana:trip:1")
    keyboard.press("m")
    expect(here.at("merge")).to_have_attribute("aria-pressed", "true")
    taken = pair.locator("tbody input:checked")
    expect(taken).to_have_count(3)
    keyboard.press("Tab")
    expect(here.at("into-old")).to_be_focused()
    keyboard.press("Tab")
    expect(taken.first).to_be_focused()
    keyboard.press("ArrowLeft")
    expect(pair.get_by_label("text: take the old one")).to_be_checked()
    expect(pair.get_by_label("text: take the old one")).to_be_focused()
    keyboard.press("e")
    editor = here.at("field-text")
    expect(editor).to_be_focused()
    keyboard.press("End")
    keyboard.insert_text(" Bring 1 umbrella.")
    keyboard.press("Control+Enter")
    expect(editor).to_have_count(0)
    expect(pair).to_contain_text("edited:")
    expect(pair).to_contain_text("merged_from")
    picture(here.widget, "resolve-merge")

    keyboard.press("g")
    expect(here.at("for-good")).to_be_checked()
    here.at("rest").focus()
    here.at("rest").select_option("oldest")
    expect(preview).to_contain_text("6 records become 3; 3 of 3 cases decided")
    assert here.value("len(sync.keys())") == 6
    pair.focus()
    keyboard.press("c")
    expect(here.widget.get_by_text("Nothing is left to decide here")).to_be_visible()
    expect(here.widget.locator(".tta-toast")).to_contain_text("6 records became 3")
    picture(here.widget, "resolve-done")
    assert here.value("sorted(sync.keys())") == ["ana:home:2", "ana:trip:1", "ana:web:1"]
    assert here.value("sync.get('ana:trip:1')") == {
        "text": "Peter wants to meet at the old harbour after lunch, he brings the tickets for the ferry. Bring 1 umbrella.",
        "day": 4,
        "by": "agent",
        "seat": 12,
        "merged_from": ["ana:trip:1", "ana:trip:2"],
    }
    assert here.value("len(sync.tombstones())") == 3
    here.widget.locator(".tta-pair").focus()
    keyboard.press("u")
    expect(preview).to_contain_text("3 of 3 cases decided")
    assert here.value("[len(sync.keys()), len(sync.tombstones())]") == [6, 0]
    pair.focus()
    keyboard.press("?")
    expect(here.widget.locator(".tta-keys")).to_contain_text("carry out what is planned")
    page.mouse.move(0, 0)


def test_two_selected_records_are_compared_and_become_one_under_the_chosen_key(
    here: NotebookPage,
):
    page, keyboard = here.page, here.page.keyboard
    here.at("tab-table").click()
    here.rows.locator(".tta-is-key", has_text="ana:home:2").click()
    for key in (" ", "ArrowDown", "ArrowDown", " "):
        here.grid.press(key)
    expect(here.at("compare-selected")).to_be_visible()
    chosen = here.value("list(explorer.selected)")
    assert len(chosen) == 2
    here.grid.press("=")
    pair = here.widget.locator(".tta-pair")
    expect(pair).to_be_focused()
    expect(here.at("choose-check")).to_have_value("/")
    expect(here.widget.locator(".tta-resolve > header")).to_contain_text("Case 1 of 1")
    old, new = sorted(chosen, key=ORDER.index)
    keyboard.press("i")
    preview = here.widget.locator(".tta-preview")
    expect(preview).to_contain_text(f"The merged record will have the key {new}.")
    here.at("into-old").check()
    expect(preview).to_contain_text(f"The merged record will have the key {old}.")
    here.at("into-old").press("i")
    expect(here.at("into-new")).to_be_checked()
    expect(preview).to_contain_text(f"The merged record will have the key {new}.")
    check_accessible(page)
    picture(here.widget, "resolve-compared")
    here.at("carry-out").click()
    expect(here.widget.get_by_text("Nothing is left to decide here")).to_be_visible()
    assert here.value(f"sync.get({new!r})['merged_from']") == [old, new]
    assert here.value(f"sync.get({old!r})") is None
    here.at("to-table").click()
    expect(here.rows.locator(".tta-is-key", has_text=new)).to_be_visible()


def test_records_kept_side_by_side_are_shown_again_after_an_undo_in_a_cell(here: NotebookPage):
    top = here.widget.locator(".tta-resolve > header")
    here.at("keep-both").click()
    expect(here.widget.locator(".tta-preview")).to_contain_text("stay side by side")
    here.at("carry-out").click()
    expect(top).to_contain_text("Case 1 of 2")
    here.start("%memory undo")
    expect(top).to_contain_text("of 3")
    expect(here.widget.locator(".tta-preview")).to_contain_text("Nothing is planned yet")


@pytest.fixture
def in_the_dark(here: NotebookPage) -> Iterator[NotebookPage]:
    """The same in the dark theme, in a window of 900 pixels."""
    page = here.page
    choose(page, "Settings", "Theme", "JupyterLab Dark")
    expect(page.locator("body[data-jp-theme-light='false']")).to_be_attached()
    page.set_viewport_size({"width": 900, "height": HEIGHT})
    yield here
    choose(page, "Settings", "Theme", "JupyterLab Light")
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def test_a_conflict_is_shown_and_hostile_texts_stay_texts_in_the_dark(in_the_dark: NotebookPage):
    here, keyboard = in_the_dark, in_the_dark.page.keyboard
    pair = here.widget.locator(".tta-pair")
    expect(pair).to_contain_text("<img src=x onerror=alert(1)> ⟨RLO⟩ says the page")
    expect(pair.locator("img")).to_have_count(0)
    check_accessible(here.page)
    picture(here.widget, "resolve-dark")
    pair.focus()
    keyboard.press("1")
    expect(here.widget.locator(".tta-preview")).to_contain_text("2 records become 1")
    here.value("sync.add('ana:web:1', {'text': 'The ferry does not run.'})")
    expect(here.widget.locator(".tta-preview")).to_contain_text("Nothing is planned yet")
    pair.focus()
    keyboard.press("k")
    expect(pair.get_by_role("alert")).to_contain_text("have changed since you looked")


def test_a_finding_leads_to_its_pairs(here: NotebookPage):
    here.at("tab-table").click()
    here.at("doctor").click()
    here.at("resolve-exact-duplicates").click()
    expect(here.widget.locator(".tta-resolve > header")).to_contain_text("Case 1 of 1")
    expect(here.widget.locator(".tta-pair")).to_contain_text("ana:web:1")
