"""The explorer while a cell runs, and messages that are lost or late."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browsing import choose
from jupyter import PATIENCE
from playwright.sync_api import expect

from browser.explorers import FILL, GATED, OPEN, everywhere, picture

pytestmark = pytest.mark.browser


@everywhere
def test_changes_of_a_running_cell_appear(open_page):
    here = open_page(FILL, "import threading\ngate = threading.Event()", OPEN)
    output = here.start(
        "sync.add('new:one', {'text': 'one'})\n"
        f"gate.wait({PATIENCE})\n"
        "sync.add('new:two', {'text': 'two'}); print('ended')"
    )
    here.expect_keys("new:one", "ann:mon", "ann:mon:00000001", "bob:mon")
    expect(output).to_have_count(0)
    choose(here.page, "Kernel", "Interrupt Kernel")
    expect(here.panel.locator(".jp-CodeCell").last).to_contain_text("KeyboardInterrupt")


@everywhere
def test_the_widget_can_be_searched_while_a_cell_runs(open_page):
    here = open_page(
        FILL,
        "import threading\ngate = threading.Event()",
        f"{OPEN.splitlines()[0]}\n{GATED}\nexplorer",
    )
    # The cell ends only if the widget's messages arrive meanwhile.
    output = here.start(f"assert gate.wait({PATIENCE})\nprint('ended')")
    here.search.fill("deploy")
    expect(output.last).to_contain_text("ended")
    here.expect_keys("bob:mon")


@everywhere
def test_the_kernel_receives_messages_at_once_from_a_widget_in_a_running_cell(open_page):
    here = open_page(FILL, "import threading\ngate = threading.Event()", shows=False)
    output = here.start(
        f"{OPEN.splitlines()[0]}\n{GATED}\n"
        "display(explorer)\n"
        f"assert gate.wait({PATIENCE})\nprint('ended')"
    )
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")
    # The cell ends only if the widget's messages arrive meanwhile.
    here.search.fill("deploy")
    expect(output.filter(has_text="ended")).to_have_count(1)
    here.expect_keys("bob:mon")


def test_messages_sent_before_the_kernel_listens_are_sent_again_and_count_once(open_page):
    # Early messages may be delivered only after a running cell, later ones during it.
    here = open_page(
        FILL,
        f"{OPEN.splitlines()[0]}\n"
        "late, receive = [], explorer._received\n"
        "def receive_late(*message):\n"
        "    is_typed = any(each[1]['do'] == 'set' for each in late)\n"
        "    (receive if is_typed else lambda *message: late.append(message))(*message)\n"
        "explorer.on_msg(receive, remove=True)\n"
        "explorer.on_msg(receive_late)\n"
        "explorer",
        shows=False,
    )
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")
    here.search.fill("deploy")
    here.expect_keys("bob:mon")
    here.search.fill("umbrella")
    here.expect_keys("ann:mon:00000001")
    sent = here.value("[receive(*message) or message[1]['do'] for message in late]")
    assert next(verb for verb in sent if verb != "load") == "hello"
    assert sent[-1] == "set"
    assert here.value("explorer.query") == "umbrella"
    here.expect_keys("ann:mon:00000001")


@everywhere
def test_the_code_of_the_explorer_comes_unasked_where_the_kernel_hears_nothing(open_page):
    here = open_page(FILL, shows=False)
    here.page.evaluate("delete globalThis.ttaMemoryExplorers")
    here.start(
        f"{OPEN.splitlines()[0]}\n"
        "explorer.on_msg(explorer._received, remove=True)\n"
        "display(explorer)"
    )
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")
    assert here.page.evaluate("Object.keys(globalThis.ttaMemoryExplorers).length") == 1


def test_a_view_notices_that_a_message_was_lost_and_asks_again(open_page):
    # A Jupyter server discards messages while a cell prints much.
    here = open_page(FILL, OPEN)
    counts = here.widget.locator(".tta-counts")
    expect(counts).to_have_text("3 records")
    here.start(
        "import threading\n"
        "lost, send = threading.Event(), explorer.send\n"
        "def lose(message, *rest):\n"
        "    lost.set() if message['kind'] == 'state' else send(message, *rest)\n"
        "explorer.send = lose\n"
        "sync.add('new:one', {'text': 'lost'})\n"
        f"assert lost.wait({PATIENCE})\n"
        "del explorer.send\n"
    )
    expect(counts).to_have_text("4 records")
    here.expect_keys("new:one", "ann:mon", "ann:mon:00000001", "bob:mon")


@everywhere
def test_the_widget_says_that_it_waits_for_a_running_cell(open_page):
    # Kernels without subshells receive messages only after a cell, and so does this one.
    here = open_page(
        FILL,
        OPEN.splitlines()[0],
        "explorer._forget_reply_route = lambda: None",
        "explorer",
    )
    assert here.value("explorer.send({'kind': 'alive', 'sent': {}})") is None
    here.start(f"import threading\nthreading.Event().wait({PATIENCE})")
    here.search.fill("deploy")
    waiting = here.widget.get_by_text("Waiting for the kernel")
    expect(waiting).to_be_visible()
    picture(here.widget, "waiting-light")
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")
    choose(here.page, "Kernel", "Interrupt Kernel")
    here.expect_keys("bob:mon")
    expect(waiting).to_be_hidden()


@everywhere
def test_code_and_widget_see_one_state(open_page):
    here = open_page(FILL, OPEN)
    here.start("explorer.query = 'umbrella'")
    here.expect_keys("ann:mon:00000001")
    expect(here.search).to_have_value("umbrella")
    here.search.fill("rain")
    here.expect_keys("ann:mon")
    assert here.value("explorer.query") == "rain"
    here.search.fill("")
    here.expect_keys("ann:mon", "ann:mon:00000001", "bob:mon")
    here.rows.nth(0).locator("input").click()
    here.rows.nth(2).locator("input").click()
    expect(here.widget.locator(".tta-left")).to_contain_text("2 selected")
    assert here.value("explorer.selection['turn'].tolist()") == [3, 1]
    with here.page.expect_download() as download:
        here.at("export").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["ann:mon", "bob:mon"]
    here.at("delete").click()
    here.expect_keys("ann:mon:00000001")
    assert here.value("sync.keys()") == ["ann:mon:00000001"]
