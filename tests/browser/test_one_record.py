"""One record: read, edited, kept, brought back, and where it belongs."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.explorers import FILL, OPEN, check_accessible, everywhere, picture

pytestmark = pytest.mark.browser


def test_a_summary_leads_to_its_sources_and_back(open_page):
    here = open_page(
        FILL,
        "summary = sync.summarize(0, user='ann', session='mon', summarizer=lambda _: '<b>rain</b>')",
        OPEN,
    )
    detail = here.open_record("ann:mon:00000001")
    expect(detail.locator(".tta-summaries")).to_contain_text("<b>rain</b>")
    detail.locator(".tta-summaries button").click()
    expect(detail.locator(".tta-sources li")).to_have_count(2)
    detail.locator(".tta-sources").scroll_into_view_if_needed()
    picture(here.widget, "summary")
    detail.locator(".tta-sources button", has_text="It rains").click()
    expect(detail.locator("h3")).to_have_text("ann:mon")


@everywhere
def test_the_open_record_and_typed_text_stay_while_others_write(open_page):
    here = open_page(
        FILL, "sync.add('ann:mon:00000002', {'n': 2**53 + 1, 'deep': {'a': {'b': 'c'}}})", OPEN
    )
    detail = here.open_record("ann:mon:00000002")
    # JavaScript itself has no such integer.
    expect(detail.locator(".tta-tree")).to_contain_text("n: 9007199254740993")
    detail.locator(".tta-branch", has_text="a: ").last.click()
    expect(detail.locator(".tta-tree")).to_contain_text("b: c")
    expect(detail.get_by_text("b: c")).to_be_visible()
    here.at("duplicate").click()
    field = detail.get_by_label("New key")
    field.fill("ann:mon:00000003")
    here.start("sync.add('ann:mon:00000004', {'text': 'a neighbour'})")
    expect(detail.locator(".tta-neighbours")).to_contain_text("a neighbour")
    expect(field).to_have_value("ann:mon:00000003")
    expect(detail.get_by_text("b: c")).to_be_visible()
    field.focus()
    later = "threading.Timer(1, sync.add, ['ann:mon:00000005', {'text': 'another'}]).start()"
    here.start(f"import threading\n{later}")
    field.focus()
    expect(detail.locator(".tta-neighbours")).to_contain_text("another")
    expect(field).to_be_focused()
    here.page.keyboard.press("Enter")
    expect(detail.locator("h3")).to_have_text("ann:mon:00000003")
    here.at("detail-history").focus()
    here.page.keyboard.press("Enter")
    expect(here.at("detail-history")).to_have_attribute("aria-selected", "true")
    expect(here.at("detail-history")).to_be_focused()


def test_a_message_is_read_within_its_conversation(open_page):
    here = open_page(
        """
chat = [
    {"role": "user", "content": "Where is my order?"},
    {"role": "assistant", "content": 'find_order({"user":"alice"})'},
    {"role": "tool", "content": "shipped"},
    {"role": "assistant", "content": "It was shipped today.\\nIt arrives <b>tomorrow</b>."},
]
keys = sync.append("alice", "monday", chat)""",
        OPEN,
    )
    detail = here.open_record(here.value("keys")[1])
    messages = detail.locator(".tta-conversation li")
    expect(messages).to_have_count(4)
    expect(messages.locator(".tta-role")).to_have_text(["user", "assistant", "tool", "assistant"])
    expect(messages.last).to_contain_text("It arrives <b>tomorrow</b>.")
    expect(messages.nth(1).locator("button")).to_have_attribute("aria-current", "true")
    picture(here.widget, "conversation")
    messages.last.locator("button").click()
    expect(detail.locator("h3")).to_have_text(here.value("keys")[3])
    expect(messages.last.locator("button")).to_have_attribute("aria-current", "true")


MOVED = """
sync.keep_history(100)

def move(city):
    sync.add("ana:home", {"text": f"<b>Ana</b> lives in {city}"})

for city in ("Lyon", "Marseille", "Paris"):
    move(city)
"""


def test_the_versions_that_a_memory_keeps_are_shown_with_who_made_them(open_page):
    here = open_page(MOVED, OPEN)
    detail = here.open_record("ana:home")
    here.at("detail-history").click()
    expect(detail).to_contain_text("The memory keeps all changes since")
    versions = detail.locator("ol li")
    expect(versions).to_have_count(3)
    expect(versions.first).to_contain_text("changed")
    expect(versions.first).to_contain_text("move(), cell")
    expect(versions.first.locator("del")).to_have_text("Marseille")
    expect(versions.first.locator("ins")).to_have_text("Paris")
    versions.last.locator("button").click()
    expect(detail.locator("pre")).to_contain_text("<b>Ana</b> lives in Lyon")
    check_accessible(here.widget.page)
    picture(here.widget, "versions")


def test_an_explorer_of_the_past_says_of_when_it_is_and_changes_nothing(open_page):
    # The cell may take less time than any that could be written here.
    here = open_page(
        MOVED, "import time\nnow = time.time()\nexplorer = %memory explore --as-of $now\nexplorer"
    )
    expect(here.widget.locator(".tta-foot")).to_contain_text("as of 20")
    here.open_record("ana:home")
    expect(here.at("delete-record")).to_have_count(0)
    picture(here.widget, "past")


@everywhere
def test_a_record_is_read_edited_kept_and_brought_back(open_page):
    here = open_page(FILL, OPEN)
    detail = here.open_record("ann:mon")
    expect(detail.locator(".tta-tree")).to_contain_text("It rains in Málaga")
    expect(detail.locator(".tta-neighbours li")).to_have_count(2)
    picture(here.widget, "detail-light")

    here.at("detail-edit").click()
    editor = detail.locator(".tta-editor")
    editor.fill('{"text": ')
    expect(detail.locator(".tta-problem")).to_contain_text("Not JSON yet")
    expect(here.at("save")).to_be_disabled()
    editor.fill('{"text": "It is dry"}')
    here.at("save").click()
    expect(detail.locator(".tta-tree")).to_contain_text("It is dry")
    assert here.value("sync.get('ann:mon')") == {"text": "It is dry"}

    here.at("detail-history").click()
    expect(detail.locator(".tta-neighbours li")).to_have_count(2)
    detail.locator(".tta-neighbours button").last.click()
    expect(detail.locator(".tta-gone").first).to_contain_text("rains")
    here.at("restore").click()
    here.at("save").click()
    expect(detail.locator(".tta-tree")).to_contain_text("It rains")

    here.at("expire").click()
    detail.get_by_label("Expires in").fill("90s")
    here.at("ok").click()
    expect(detail.locator(".tta-facts")).to_contain_text("in 1 min")
    assert 0 < here.value("sync.ttl('ann:mon')") <= 90

    here.at("duplicate").click()
    detail.get_by_label("New key").fill("ann:copy")
    here.at("ok").click()
    expect(detail.locator("h3")).to_have_text("ann:copy")

    here.at("delete-record").click()
    expect(here.widget.locator(".tta-toast")).to_have_text("Deleted ann:copyUndo")
    expect(detail).to_contain_text("is gone")
    here.at("undo").click()
    expect(detail.locator(".tta-tree")).to_contain_text("It rains")


@everywhere
def test_a_record_changed_meanwhile_is_overwritten_only_on_request(open_page):
    here = open_page(FILL, OPEN)
    detail = here.open_record("bob:mon")
    here.at("detail-edit").click()
    detail.locator(".tta-editor").fill('{"text": "mine"}')
    assert here.value("sync.add('bob:mon', {'text': 'theirs'})") is None
    here.at("save").click()
    expect(detail.locator(".tta-conflict")).to_contain_text("theirs")
    picture(here.widget, "conflict-light")
    here.at("theirs").click()
    expect(detail.locator(".tta-editor")).to_have_value('{\n  "text": "theirs"\n}')

    detail.locator(".tta-editor").fill('{"text": "mine"}')
    assert here.value("sync.add('bob:mon', {'text': 'theirs again'})") is None
    here.at("save").click()
    here.at("mine").click()
    expect(detail.locator(".tta-tree")).to_contain_text("mine")
    assert here.value("sync.get('bob:mon')") == {"text": "mine"}
