"""The documentation built by ``make docs`` has no broken link and loads nothing from other hosts.

The links are checked here, because tools that know #anchors of files take longer than the whole
build of the documentation.
"""

from __future__ import annotations

import inspect
import os
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from jupyter import NOTEBOOKS, ROOT
from playwright.sync_api import expect

import tta_memory_nb
from tta_memory_nb.notebook.commands import COMMANDS

SITE = ROOT / "build" / "docs"

HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+|localhost|127\.0\.0\.1")
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
FOLLOWED = {("a", "href"), ("area", "href"), ("link", "href"), ("script", "src"), ("img", "src")}
NOT_FETCHED = {"canonical", "next", "prev", "search", "index", "author", "genindex"}
"""What a ``link`` may be that a browser only knows of."""
TOO_WIDE = """() => [...document.querySelectorAll(".bd-article :is(h1, h2, h3, p, li, dt)")]
    .filter(it => !it.closest(".output, .pst-scrollable-table-container"))
    .filter(it => it.scrollWidth > it.clientWidth + 1 && it.clientWidth > 0)
    .map(it => it.textContent.trim().slice(0, 60))
"""
"""Text that leaves the page on a narrow screen; code, outputs and tables scroll."""


@dataclass
class Html(HTMLParser):
    """The links and anchors of a page.

    Attributes:
        anchors: the ids of its elements.
        links: addresses as they are in the source.
        loads: those of them that a browser fetches with the page.
    """

    text: str = field(repr=False)
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        for name, value in given.items():
            if (tag, name) in FOLLOWED and value:
                self.links.append(value)
            if (tag, name) in LOADED and not NOT_FETCHED & set(given.get("rel", "").split()):
                self.loads.append(value)


def broken(pages: dict[Path, Html], site: Path) -> list[str]:
    """Yields the broken links of these pages, each with its page and the reason."""
    return [
        f"{path.relative_to(site)}: {link}: {why}"
        for path, page in pages.items()
        for link in page.links
        if (why := _wrong_with(link, path, pages, site))
    ]


def _wrong_with(link: str, path: Path, pages: dict[Path, Html], site: Path) -> str:
    url = urlsplit(link)
    if url.scheme in ("http", "https"):
        is_well_formed = HOST.fullmatch(url.hostname or "") and not re.search(r"[\s<>\"{}]", link)
        return "" if is_well_formed else "is no address"
    if url.scheme in ("data", "mailto"):
        return ""
    if url.scheme:
        return f"what is {url.scheme}:?"
    target = Path(unquote(urlsplit(urljoin(path.as_uri(), url.path)).path)) if url.path else path
    if not target.is_relative_to(site):
        return "leaves the site"
    if not target.is_file():
        return "there is no such file"
    if url.fragment and target in pages and unquote(url.fragment) not in pages[target].anchors:
        return "there is no such anchor"
    return ""


@pytest.fixture(scope="module")
def pages() -> dict[Path, Html]:
    """All pages of the site, by path."""
    if not (SITE / "index.html").is_file():
        reason = "the documentation is not built: make docs"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    paths = [path for path in sorted(SITE.rglob("*.html")) if "_static" not in path.parts]
    return {path: Html(path.read_text("utf-8")) for path in paths}


def test_every_link_leads_somewhere(pages):
    assert sum(len(page.links) for page in pages.values()) > 1000
    assert broken(pages, SITE) == []


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("b.html", ""),
        ("b.html#there", ""),
        ("#here", ""),
        ("b.html#here", "there is no such anchor"),
        ("#there", "there is no such anchor"),
        ("c.html", "there is no such file"),
        ("../secret.html", "leaves the site"),
        ("https://example.org/x?y=1#z", ""),
        ("https://example .org", "is no address"),
        ("https:///x", "is no address"),
        ("https://{host}/x", "is no address"),
        ("gopher://x", "what is gopher:?"),
    ],
)
def test_a_broken_link_is_found(link, why, tmp_path):
    for name, text in (("a.html", '<p id="here">'), ("b.html", '<p id="there">')):
        (tmp_path / name).write_text(text)
    (tmp_path / "a.html").write_text(f'<p id="here"><a href="{link}">x</a>')
    pages = {path: Html(path.read_text()) for path in tmp_path.glob("*.html")}
    assert broken(pages, tmp_path) == ([f"a.html: {link}: {why}"] if why else [])


def test_no_page_loads_anything_from_another_host(pages):
    loads = [load for page in pages.values() for load in page.loads]
    assert len(loads) > len(pages)
    assert [load for load in loads if urlsplit(load).scheme not in ("", "data")] == []
    assert [load for load in loads if load.startswith("//")] == []


@pytest.mark.browser
def test_pages_contact_no_other_host_and_nothing_overflows(browser, traffic, pages):
    page = browser.new_page(viewport={"width": 400, "height": 800})
    traffic.watch(page)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    for path in pages:
        page.goto(path.as_uri())
        expect(page.locator("body")).to_be_visible()
        wide = page.evaluate(TOO_WIDE)
        problems += [f"{path.relative_to(SITE)}: {text} is too wide" for text in wide]
    page.close()
    assert problems == []
    assert len(traffic.urls) > len(pages)
    assert {urlsplit(url).scheme for url in traffic.urls} <= {"file", "data", "blob"}


def test_every_notebook_is_a_tutorial_with_its_outputs(pages):
    contents = (SITE / "docs" / "tutorials.html").read_text("utf-8")
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        assert f"notebooks/{notebook.stem}.html" in contents
        rendered = (SITE / "notebooks" / f"{notebook.stem}.html").read_text("utf-8")
        assert 'class="cell_output' in rendered


def test_every_public_name_and_method_has_an_entry(pages):
    anchors = {anchor for page in pages.values() for anchor in page.anchors}
    missing = []
    for name in tta_memory_nb.__all__:
        it = getattr(tta_memory_nb, name)
        names = [name]
        if inspect.isclass(it):
            names += [
                f"{name}.{each}"
                for each, what in vars(it).items()
                if not each.startswith("_")
                and (inspect.isfunction(what) or isinstance(what, property | classmethod))
            ]
        missing += [each for each in names if f"tta_memory_nb.{each}" not in anchors]
    assert missing == []


def test_every_command_has_an_entry(pages):
    magics = pages[SITE / "docs" / "reference" / "magics.html"]
    assert {f"memory-{name}" for name in COMMANDS} <= magics.anchors
