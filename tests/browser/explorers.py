"""What the tests of the explorer have in common: cells, front ends, and what they do and check in a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from browsing import choose, take_screenshot
from jupyter import LabServer, NotebookServer

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

OPEN = "explorer = %memory explore\nexplorer"
GATED = "explorer.observe(lambda change: change.new == 'deploy' and gate.set(), 'query')"
FILL = """
sync.add("bob:mon", {"text": "Deploy failed", "turn": 1})
sync.add("ann:mon:00000001", {"text": "I forgot my umbrella", "turn": 2})
sync.add("ann:mon", {"text": "It rains in Málaga", "turn": 3, "tags": ["rain", {"deep": None}]})
"""
MANY = """
sync.resize(5000)
sync.add_many((f"user{n % 3}:s{n % 40}:{n:08x}", {"text": f"note {n}", "turn": n}) for n in range(5000))
"""
MOODS = """
for n, mood in enumerate(["low", "high", "high", "low", "low", "calm"]):
    sync.add(f"ann:s{n}", {"text": f"note {n}", "mood": mood, "points": n * n})
"""
FRONT_ENDS: dict[str, type[LabServer]] = {"lab": LabServer, "notebook7": NotebookServer}

# What may differ between the two is tested in both; what depends only on the browser, in one.
everywhere = pytest.mark.parametrize("open_page", FRONT_ENDS, indirect=True)


def picture(target: Locator, name: str) -> None:
    take_screenshot(target, f"explorer-{name}.png")


def save(page: Page, root: Path) -> Path:
    """Saves the notebook, and returns the file."""
    is_writing = lambda answer: answer.request.method == "PUT" and "/api/contents/" in answer.url  # noqa: E731
    with page.expect_response(is_writing) as writing:
        choose(page, "File", "Save Notebook")
    assert writing.value.ok
    return root / writing.value.json()["path"]


def saved_widgets(page: Page, root: Path) -> dict[str, Any]:
    """Saves the notebook, and returns the state of its widgets that was written."""
    return json.loads(save(page, root).read_text())["metadata"]["widgets"]


def check_accessible(page: Page, **options: Any) -> None:
    """Lets axe-core look at the widgets of a page.

    Args:
        page: with the widgets.
        **options: of ``axe.run``; without any, all rules are checked.
    """
    if not page.evaluate("'axe' in window"):  # half a megabyte of code, which the page keeps
        page.evaluate(AXE_SCRIPT)
    violations = page.evaluate(
        "options => axe.run('.tta-explorer', options).then(found => found.violations)",
        {"resultTypes": ["violations"], **options},
    )
    grave = [each for each in violations if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in grave] == []
