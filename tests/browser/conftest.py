"""Fixtures of the tests in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import Traffic, browser_of, page_of
from jupyter import LabServer, running_lab
from notebook_pages import NotebookPage, SharedNotebook

from browser.explorers import FRONT_ENDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """One browser for all of these tests that a worker runs."""
    with browser_of(request.config) as browser:
        yield browser


@pytest.fixture(scope="package")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the notebooks that the servers show."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="package")
def server(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], LabServer]]:
    """The server of a front end, started for the first test that needs it."""
    running: dict[str, LabServer] = {}
    with ExitStack() as stack:

        def server_of(name: str) -> LabServer:
            if name not in running:
                home = tmp_path_factory.mktemp("home")
                running[name] = stack.enter_context(running_lab(root, home, FRONT_ENDS[name]))
            return running[name]

        yield server_of


@pytest.fixture(scope="package")
def shared(
    browser: Browser, server: Callable[[str], LabServer]
) -> Iterator[Callable[[str], SharedNotebook]]:
    """The notebook of a front end, opened for the first test that needs it."""
    opened: dict[str, SharedNotebook] = {}

    def notebook_of(name: str) -> SharedNotebook:
        if name not in opened:
            traffic = Traffic()
            page = stack.enter_context(page_of(browser, traffic))
            opened[name] = SharedNotebook(page, traffic, server(name), f"shared-{name}.ipynb")
        return opened[name]

    with ExitStack() as stack:
        yield notebook_of


@pytest.fixture
def open_page(
    request: pytest.FixtureRequest, shared: Callable[[str], SharedNotebook]
) -> Iterator[Callable[..., NotebookPage]]:
    """Runs some cells in the notebook of JupyterLab, or of the front ends of `everywhere`."""
    notebook: SharedNotebook = shared(getattr(request, "param", "lab"))
    yield notebook.open_page
    notebook.watch.check()
