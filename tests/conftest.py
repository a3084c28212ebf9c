"""Settings and fixtures that tests share."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import real_servers
from backends import WITH_A_STAND_IN, Clock, marks_of
from hypothesis import settings
from shares import in_shares

from tta_memory_nb import MemoryPrimitive

if TYPE_CHECKING:
    from browsing import Traffic
    from playwright.sync_api import Browser, Page

    from tta_memory_nb import MemoryExplorer

# A busy machine is no bug, so no example has a deadline. Local runs explore new examples each
# time. CI runs the same examples every time, so that a change does not fail because of an older
# bug.
settings.register_profile("tta", deadline=None, derandomize=os.environ.get("CI") == "true")
# Ten times as many random programs (`backends.DEEP`), always new ones: HYPOTHESIS_PROFILE=deep.
settings.register_profile("deep", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tta"))

pytest_plugins = ("leftovers", "outages")

# When nbformat is imported, this package builds 38 parsers of addresses, which takes longer than all of pytest. They check
# formats that no notebook has, and jsonschema does without.
sys.modules.setdefault("rfc3987_syntax", None)

# ---- tests that need nothing but this process

NEED_MORE = {
    "test_binder.py": "the files of the repository",
    "test_binder_link.py": "make",
    "browser": "a browser",
    "test_chaos.py": "servers",
    "test_docs.py": "kernels and servers",
    "test_documentation.py": "the files of the repository",
    "test_dropin.py": "servers",
    "test_embedded.py": "servers",
    "test_ends_of_a_process.py": "servers",
    "test_examples.py": "servers",
    "test_interrupts.py": "servers",
    "test_journal.py": "servers",
    "test_kernel.py": "kernels",
    "test_newest_wins.py": "servers",
    "test_notebooks.py": "kernels",
    "test_late_answers.py": "servers",
    "test_older_servers.py": "servers",
    "test_outage.py": "servers",
    "test_outages_in_a_row.py": "servers",
    "test_ranked_outages.py": "servers",
    "test_google_adk.py": "frameworks",
    "test_histories.py": "frameworks",
    "test_readme.py": "kernels",
    "test_saved_notebooks.py": "kernels",
    "test_server.py": "servers",
    "test_server_clock.py": "servers",
    "test_server_magics.py": "servers",
    "test_server_search.py": "servers",
    "test_servers.py": "servers",
    "test_site.py": "the pages that Sphinx has built, and a browser",
    "test_transactions.py": "servers",
    "test_unreadable_records.py": "servers",
    "test_unwritable_servers.py": "servers",
}
"""Modules and folders that ``--local`` leaves out, and what they need. Of all other modules ``--local`` leaves
out only the tests that run on a server: those that have the mark `server`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--local``: only tests without a server, a kernel or a browser, for any platform."""
    parser.addoption("--local", action="store_true", help="leave out what needs other programs")


def pytest_configure(config: pytest.Config) -> None:
    """Makes a test fail that starts a server in a local run unnoticed."""
    real_servers.may_start = not config.getoption("--local")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """In a local run, leaves out the modules of `NEED_MORE`, whose imports may be missing."""
    return True if config.getoption("--local") and collection_path.name in NEED_MORE else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a local run, leaves out the tests on servers; puts the tests in order for several workers."""
    if config.getoption("--local"):
        left_out = {item for item in items if item.get_closest_marker("server")}
        config.hook.pytest_deselected(items=[*left_out])
        items[:] = [item for item in items if item not in left_out]
    workers: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workers is not None:
        items[:] = in_shares(items, workers["workercount"])


def pytest_collection_finish() -> None:
    """Takes what there is before the first test out of the garbage collector.

    These are millions of objects: imported packages and thousands of tests. Each full collection would visit them, by
    itself and in the many tests that ask for one.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def threads_take_turns_often() -> Iterator[None]:
    """Switches threads after microseconds, so that a missing lock shows in a short run."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives memories a timeout that no busy machine reaches, unless a test passes another one."""
    defaults: Any = MemoryPrimitive.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "timeout", 60.0)


@pytest.fixture
def clock() -> Clock:
    """A clock that only tests move, so that nothing expires between two reads."""
    return Clock()


@pytest.fixture
def explore(memory: MemoryPrimitive, clock: Clock) -> Iterator[Callable[..., MemoryExplorer]]:
    """Makes explorers of the memory that the test module defines, or of another one."""
    from tta_memory_nb import MemoryExplorer

    made: list[MemoryExplorer] = []

    def make(**traits: Any) -> MemoryExplorer:
        made.append(MemoryExplorer(traits.pop("memory", memory), clock=clock, **traits))
        return made[-1]

    yield make
    for explorer in made:
        explorer.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test on the backends that its mark `backends` names; see ``backends.py``."""
    parametrized = {
        name.strip()
        for mark in metafunc.definition.iter_markers("parametrize")
        for name in (mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0])
    }
    if "backend" in metafunc.fixturenames and "backend" not in parametrized:
        mark = metafunc.definition.get_closest_marker("backends")
        if mark is None:
            pytest.fail(
                f"{metafunc.definition.nodeid} does not say on which backends it runs; "
                "mark it, for example with @pytest.mark.backends(*EVERY_BACKEND)",
                pytrace=False,
            )
        metafunc.parametrize(
            "backend",
            [pytest.param(name, marks=marks_of(name)) for name in mark.args],
        )


@pytest.fixture
def make(
    backend: str, request: pytest.FixtureRequest, clock: Clock
) -> Iterator[Callable[..., MemoryPrimitive]]:
    """Makes memories of one backend, in a namespace of the test's own unless it names one."""
    made: list[MemoryPrimitive] = []

    def make_memory(
        max_size: int = 1000, namespace: str = request.node.name, **arguments: Any
    ) -> MemoryPrimitive:
        open_memory = WITH_A_STAND_IN[backend]
        made.append(open_memory(max_size=max_size, namespace=namespace, clock=clock, **arguments))
        return made[-1]

    yield make_memory
    for memory in made:
        memory.sync.close()


@pytest.fixture
def make_large(
    make: Callable[..., MemoryPrimitive], request: pytest.FixtureRequest
) -> Callable[[], MemoryPrimitive]:
    """Makes memories of one backend that a test does not fill, each in a namespace of its own."""
    numbers = count()
    return lambda: make(50_000, f"{request.node.name}-{next(numbers)}")


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A browser that can reach no address but those of this machine."""
    from browsing import browser_of

    with browser_of(request.config) as browser:
        yield browser


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Takes a picture of every page that a failed test leaves open."""
    report = yield
    if report.failed and "browsing" in sys.modules:
        from browsing import OPEN, picture_all

        if browser := item.config.stash.get(OPEN, None):
            picture_all(browser, "failed-" + re.sub(r"[^\w.-]+", "-", item.name))
    return report


@pytest.fixture
def traffic() -> Traffic:
    """The requests of the page."""
    from browsing import Traffic

    return Traffic()


@pytest.fixture
def page(browser: Browser, traffic: Traffic) -> Iterator[Page]:
    """An empty page, whose traffic is watched."""
    from browsing import page_of

    with page_of(browser, traffic) as page:
        yield page


# ---- disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB, for tests that fill it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a small disk")
    yield disk
    real_servers.until(
        lambda: (
            subprocess.run(["umount", str(disk)], capture_output=True, check=False).returncode == 0
        ),
        "the disk is not used any more",
    )
