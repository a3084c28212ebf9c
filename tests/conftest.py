"""Settings and fixtures that tests share."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import pytest
from backends import BACKENDS, Clock
from browsing import HEIGHT, MILLISECONDS, WIDTH, Traffic, picture_all, running_browser
from hypothesis import settings
from jupyter import PATIENCE

from tta_memory_nb import MemoryPrimitive

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# A busy machine is no bug, so no example has a deadline. People explore new examples with each
# run; a change is judged by the same ones every time, so that it is not blamed for another's bug.
settings.register_profile("tta", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("tta")

OPEN_BROWSER = pytest.StashKey["Browser"]()


@pytest.fixture
def threads_take_turns_often() -> Iterator[None]:
    """Switches threads after microseconds, so that a missing lock shows in a short run."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def clock() -> Clock:
    """Ticked by tests: nothing expires between two looks."""
    return Clock()


@pytest.fixture(params=BACKENDS)
def make(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Callable[..., MemoryPrimitive]]:
    """Makes memories of one backend, each test's in a namespace of its own."""
    made: list[MemoryPrimitive] = []

    def make_memory(max_size: int) -> MemoryPrimitive:
        made.append(
            BACKENDS[request.param](max_size=max_size, namespace=request.node.name, clock=clock)
        )
        return made[-1]

    yield make_memory
    for memory in made:
        memory.sync.close()


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A browser that knows no address but this machine's."""
    with running_browser() as browser:
        request.config.stash[OPEN_BROWSER] = browser
        yield browser
        del request.config.stash[OPEN_BROWSER]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keeps a picture of every page that a failed test leaves open."""
    report = yield
    browser = item.config.stash.get(OPEN_BROWSER, None)
    if browser is not None and report.failed:
        picture_all(browser, "failed-" + re.sub(r"[^\w.-]+", "-", item.name))
    return report


@pytest.fixture
def traffic() -> Traffic:
    """What the page asks for."""
    return Traffic()


@pytest.fixture
def page(browser: Browser, traffic: Traffic) -> Iterator[Page]:
    """An empty page, whose traffic is watched."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(PATIENCE * MILLISECONDS)
    traffic.watch(page)
    yield page
    page.close()
