"""The code in the documentation gives the output on its pages (see `pages`)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
from jupyter import ROOT
from pages import Shown, run
from real_servers import Missing, Server, modules, need, redis_8

from tta_memory_nb.filters import _OPERATORS, FilterArgs

DOCS = ROOT / "docs"
PAGES = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if Shown.of(page.read_text(encoding="utf-8")).examples
]

# Addresses of servers on pages. At others, such as localhost:1, there is no server on purpose.
ADDRESS = re.compile(
    r"(?P<scheme>rediss?(?:\+\w+)?)://(?:\w*:(?P<password>[^@/\s]*)@)?"
    r"(?P<hosts>(?:[\w.-]+\.example\.org|localhost):\d{4,}(?:,[\w.-]+:\d+)*)"
)

HOSTS_OF = re.compile(r"[\w+]+://(?:[^@/]*@)?([^/]+)(?:/\w+)?")
SHARED = {"redis+cluster": "cluster", "redis+sentinel": "sentinel"}
"""Those that take long to start; a page has a namespace of its own there."""


@contextmanager
def servers_of(text: str) -> Iterator[dict[str, str]]:
    """Returns hosts on a page -> those of a real server of the same kind and password."""
    with ExitStack() as stack:
        places: dict[str, str] = {}
        for scheme, password, hosts in ADDRESS.findall(text):
            if hosts in places:
                continue
            if scheme in SHARED:
                url = need(SHARED[scheme]).url
            else:
                extra = modules() if "server_search" in text else []
                url = stack.enter_context(_one_server(password or None, extra)).url
            places[hosts] = HOSTS_OF.fullmatch(url)[1]
        yield places


@contextmanager
def _one_server(password: str | None, extra: Sequence[str]) -> Iterator[Server]:
    try:
        server = Server(redis_8(), *extra, password=password)
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.kernel
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_code_of_a_page_runs_and_gives_the_output_on_the_page(page, tmp_path):
    shown = Shown.of(page.read_text(encoding="utf-8"))
    code = [example.code for example in shown.examples]
    with servers_of("\n".join([*code, *shown.exports.values()])) as places:
        run(page, tmp_path, places)


def rows(page: str) -> set[str]:
    """Returns the code in the first cells of a page's tables."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {found[1] for found in re.finditer(r"^\| `([^`]+)` \|", text, re.MULTILINE)}


def test_every_filter_and_operator_has_a_row():
    assert rows("reference/filters.md") == {*FilterArgs.__annotations__, *_OPERATORS}


def test_every_page_is_run_that_shows_code():
    assert {str(page.relative_to(DOCS)) for page in PAGES} >= {
        "migration.md",
        "explanation/outages.md",
        "explanation/search.md",
        "how-to/choose-a-backend.md",
        "how-to/cluster-and-sentinel.md",
        "how-to/expire-records.md",
        "how-to/move-records.md",
        "how-to/other-places.md",
        "how-to/share-a-server.md",
        "reference/explorer.md",
        "reference/filters.md",
        "reference/values.md",
    }
