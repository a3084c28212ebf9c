"""Records that try to run something in the page."""

from __future__ import annotations

import subprocess
import sys

import pytest
from playwright.sync_api import expect

from browser.explorers import OPEN, everywhere, picture, save

pytestmark = pytest.mark.browser

HOSTILE = r"""
bad = "<script>window.pwned=1</script><img src=x onerror='window.pwned=2'><style>*{display:none}</style>"
sync.add("z:long", {"text": "A" * 5_000_000})
sync.add("z:wide", {f"field {n}": n for n in range(10_000)})
deep = {"leaf": bad}
for _ in range(150):
    deep = {"in": deep}
sync.add("z:deep", deep)
sync.add("z:esc", {"text": "\x1b[31mred\x07\u202egnp.exe\u2066", "link": "javascript:window.pwned=3", "lines": "a\nb\r\nc"})
for n, evil in enumerate(["javascript:window.pwned=4", "\x1b]0;pwned\x07", "\u202egnp.exe", "url(x);}*{display:none}", "__proto__"]):
    sync.add(f"{evil}:s:{n}", {evil: {evil: [evil]}, "text": f"<a href='javascript:window.pwned=5'>{evil}</a>"})
sync.add(bad, {bad: bad, "css": "</style><style>.tta-grid{display:none!important}"})
"""


@everywhere
def test_hostile_records_run_nothing_and_keep_their_place(open_page):
    here = open_page(HOSTILE, OPEN)
    expect(here.rows).to_have_count(10)
    width = here.panel.locator(".jp-WindowedPanel-outer").evaluate(
        "e => [e.scrollWidth, e.clientWidth]"
    )
    assert width[0] == width[1]
    boxes = here.rows.evaluate_all("rows => rows.map(row => row.getBoundingClientRect().height)")
    assert set(boxes) == {28}
    for number in range(10):
        here.rows.nth(number).locator(".tta-is-key").click()
        expect(here.widget.locator(".tta-detail h3")).to_have_text(here.keys()[number])
        expect(here.widget.locator(".tta-detail-body")).to_be_visible()
        closed = here.widget.locator("[aria-expanded=false] > .tta-branch")
        closed.evaluate_all("all => all.forEach(each => each.click())")
    expect(here.widget.locator("a, script, iframe, img, style")).to_have_count(0)
    here.search.fill("pwned")
    expect(here.rows).to_have_count(8)
    assert here.page.evaluate("window.pwned") is None
    picture(here.widget, "hostile-light")
    assert "\u202e" not in here.widget.inner_text()


def test_hostile_records_run_nothing_in_an_exported_page(open_page, root):
    here = open_page(HOSTILE, OPEN)
    path = save(here.page, root)
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", str(path)],
        check=True,
        capture_output=True,
    )
    static = here.page.context.browser.new_page()
    dialogs: list[str] = []
    static.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    static.goto(path.with_suffix(".html").as_uri())
    table = static.locator(".tta-explorer-static")
    expect(table.locator("table")).to_be_visible()
    expect(table.locator("a, script, iframe, img")).to_have_count(0)
    assert static.evaluate("window.pwned") is None
    widths = static.evaluate("() => [document.body.scrollWidth, document.body.clientWidth]")
    assert widths[0] == widths[1]
    assert dialogs == []
    static.close()
