"""The magics in a real kernel: cells that wait, errors, imports, completion."""

from __future__ import annotations

import json
import os
import re
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jupyter import PATIENCE, Kernel, Reply, running_kernel

pytestmark = pytest.mark.kernel

QUEUED = 48
LOAD = "%load_ext tta_memory_nb"
# Makes `memory` the one that the magics work on.
SHARE = "memory = %memory use --max-size 100000"


@pytest.fixture
def new_kernel(tmp_path) -> Iterator[Kernel]:
    """A kernel of the test's own, with the extension."""
    with running_kernel(tmp_path, tmp_path / "home") as kernel:
        assert kernel.run(LOAD).status == "ok"
        yield kernel


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    """Where the kernels work that several tests use."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def shared_kernel(directory, tmp_path_factory) -> Iterator[Kernel]:
    """A kernel with the extension, for one test after the other, because a kernel starts slowly."""
    with running_kernel(directory, tmp_path_factory.mktemp("home")) as kernel:
        assert kernel.run(LOAD).status == "ok"
        yield kernel


@pytest.fixture
def kernel(shared_kernel, request) -> Kernel:
    """The shared kernel, with an empty memory of the usual capacity."""
    namespace = re.sub(r"\W", "-", request.node.name)
    assert (
        shared_kernel.run(f"memory = %memory use --namespace {namespace} --max-size 1000").status
        == "ok"
    )
    return shared_kernel


@pytest.fixture(scope="module")
def nested_kernel(directory, tmp_path_factory) -> Iterator[Kernel]:
    """A kernel in which cells may call `asyncio.run`; nothing takes that back."""
    with running_kernel(directory, tmp_path_factory.mktemp("home")) as kernel:
        for cell in (LOAD, SHARE, "%memory nest"):
            assert kernel.run(cell).status == "ok"
        yield kernel


class SlowFile:
    """A JSONL file whose end a test writes when it is ready.

    It is a named pipe: a magic that imports it waits for more lines for as long as needed, so
    that the cells behind it are queued while it runs, on every machine.
    """

    LINES = 20_000  # more than a pipe can buffer, so that writing them all needs a reader

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        # Open for reading, too, so that there is always a reader and opening does not block.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def finish(self) -> None:
        """Writes all lines and the end of the file."""
        data = b"".join(
            json.dumps({"key": f"slow:{number}", "value": {"n": number}}).encode() + b"\n"
            for number in range(self.LINES)
        )
        deadline = time.monotonic() + PATIENCE
        while data:
            _, writable, _ = select.select([], [self._pipe], [], deadline - time.monotonic())
            assert writable, "nobody reads the file"
            data = data[os.write(self._pipe, data) :]
        self.close()

    def close(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


@pytest.fixture
def slow_file(directory) -> Iterator[SlowFile]:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    file = SlowFile(directory / "slow.jsonl")
    yield file
    file.close()
    file.path.unlink()


def run_behind(kernel: Kernel, slow_file: SlowFile, slow: str, cells: list[str]) -> list[Reply]:
    """Queues cells while one reads the slow file, lets it end, and returns all replies."""
    first = kernel.send(slow)
    kernel.wait_until_started(first)
    queued = [kernel.send(cell) for cell in cells]
    assert not kernel.has_answered()
    slow_file.finish()
    return kernel.collect([first, *queued])


def assert_answered_in_order(replies: list[Reply], printed: list[str]) -> None:
    assert [reply.printed.strip() for reply in replies] == printed
    assert {reply.status for reply in replies} == {"ok"}
    counts = [reply.content["execution_count"] for reply in replies]
    assert counts == list(range(counts[0], counts[0] + len(printed)))


IMPORT = "%memory import slow.jsonl"
IMPORTED = f"imported {SlowFile.LINES:,} records"


def test_cells_sent_while_a_magic_runs_are_all_answered_in_order(kernel, slow_file):
    kernel.run(SHARE)
    numbers = [str(number) for number in range(QUEUED)]

    imported, *replies = run_behind(
        kernel, slow_file, IMPORT, [f"print({number})" for number in numbers]
    )

    assert IMPORTED in imported.printed
    assert_answered_in_order(replies, numbers)


def alternating_cells(waiting: str) -> tuple[list[str], list[str]]:
    """Returns cells that alternate between waiting for a call and a magic, and their output."""
    cells = []
    printed = []
    for number in range(0, QUEUED, 2):
        key = f"turn:{number}"
        cells.append(waiting.format(f"memory.add({key!r}, {{'n': {number}}})"))
        printed.append("")
        cells.append(f"value = %memory get {key} --json\nprint(value)")
        printed.append(f"{{'n': {number}}}")
    return cells, printed


def test_cells_that_await_the_memory_between_magics_are_all_answered_in_order(kernel, slow_file):
    kernel.run(SHARE)
    cells, printed = alternating_cells("await {}")

    imported, *replies = run_behind(kernel, slow_file, IMPORT, cells)

    assert IMPORTED in imported.printed
    assert_answered_in_order(replies, printed)


@pytest.mark.parametrize(
    "slow",
    [
        IMPORT,
        # The loop runs inside a cell meanwhile, which must not disturb the kernel's own loop.
        "import asyncio\nasyncio.run(asyncio.to_thread(open('slow.jsonl').read))",
        "import asyncio\nawait asyncio.to_thread(open('slow.jsonl').read)",
    ],
    ids=["import", "asyncio.run", "await"],
)
def test_no_cell_is_lost_when_cells_call_asyncio_run_after_nest(nested_kernel, slow_file, slow):
    cells, printed = alternating_cells("import asyncio\nasyncio.run({})")

    first, *replies = run_behind(nested_kernel, slow_file, slow, cells)

    assert first.status == "ok"
    assert_answered_in_order(replies, printed)


def test_a_whole_dataset_can_be_imported_while_cells_wait(kernel):
    pytest.importorskip("chitchat_dataset")
    first = kernel.send("%memory import chitchat --grow")
    kernel.wait_until_started(first)
    numbers = [str(number) for number in range(QUEUED)]
    queued = [kernel.send(f"print({number})") for number in numbers]

    imported, *replies = kernel.collect([first, *queued])

    assert "imported 258,145 records" in imported.printed
    assert_answered_in_order(replies, numbers)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%memory serch rain", "did you mean 'search'?"),
        ("%memory get nobody:nowhere", "nobody:nowhere"),
        ("%memory list --limit many", "--limit 'many'"),
        ("%memory import missing.jsonl", "missing.jsonl"),
        ("df = %memory search rain --since yesterdayish", "yesterdayish"),
        ('%%memory add broken\n{"a": }', "column 7"),
        ('%%memory add\n{"a": 1}', "missing argument KEY"),
    ],
)
def test_a_magic_that_fails_says_so_in_one_line_and_the_next_cell_runs(kernel, cell, message):
    failed, after = kernel.collect([kernel.send(cell), kernel.send("print('still here')")])

    assert failed.status == "error"
    assert [kind for kind, _ in failed.outputs] == ["error"]
    assert message in failed.printed
    assert "Traceback" not in failed.printed
    assert "File " not in failed.printed
    assert len(failed.printed.splitlines()) == 1
    assert after.status == "ok"
    assert after.printed.strip() == "still here"


def test_a_magic_that_fails_stops_the_cells_queued_behind_it_as_any_error_does(kernel, slow_file):
    # The capacity is 1,000 records, so the import fails once it knows how many there are.
    failing = kernel.send(f"%memory import {slow_file.path.name}", stop_on_error=True)
    kernel.wait_until_started(failing)
    queued = kernel.send("print('not run')")
    slow_file.finish()

    failed, after = kernel.collect([failing, queued])

    assert failed.status == "error"
    assert "grow" in failed.printed
    assert after.status == "aborted"
    assert kernel.run("print('still here')").printed.strip() == "still here"


MODULES = "sorted({name.partition('.')[0] for name in __import__('sys').modules})"
NAMES = "sorted(globals())"


@dataclass(frozen=True)
class Loaded:
    """A kernel in which nothing but the extension was loaded.

    Attributes:
        modules: packages that this has imported.
        names: variables that this has added.
    """

    kernel: Kernel
    modules: set[str]
    names: set[str]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Iterator[Loaded]:
    with running_kernel(tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("home")) as kernel:
        modules, names = set(kernel.value(MODULES)), set(kernel.value(NAMES))
        assert kernel.run(LOAD).status == "ok"
        names = set(kernel.value(NAMES)) - names
        yield Loaded(kernel, set(kernel.value(MODULES)) - modules, names)


def test_loading_the_extension_imports_none_of_the_heavy_packages(loaded):
    assert "tta_memory_nb" in loaded.modules
    heavy = {"pandas", "numpy", "pyarrow", "redis", "ipywidgets", "anywidget", "tqdm", "asyncio"}
    assert not loaded.modules & heavy


def test_loading_the_extension_leaves_only_the_magic_in_the_users_namespace(loaded):
    # IPython adds numbered variables for inputs and outputs.
    assert not {name for name in loaded.names if not name.startswith("_")}


def test_the_first_command_imports_the_packages_of_the_explorer_in_the_background(loaded):
    explorer = "'tta_memory_nb.notebook.explorer.widget' in __import__('sys').modules"
    assert not loaded.kernel.value(explorer)
    assert loaded.kernel.run("%memory add alice:monday It rains").status == "ok"
    imports = "[each for each in threading.enumerate() if each.name == 'tta-memory-imports']"
    loaded.kernel.run(f"import threading\nfor each in {imports}: each.join()")
    assert loaded.kernel.value(explorer)


@pytest.fixture(scope="module")
def filled_kernel(tmp_path_factory) -> Iterator[Kernel]:
    """A kernel whose memory holds two users' records; for tests that change nothing."""
    with running_kernel(tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("home")) as kernel:
        for cell in (
            LOAD,
            '%memory add alice:monday {"text": "rain"}',
            '%memory add alice:tuesday {"text": "sun"}',
            '%memory add bob:monday {"text": "snow"}',
        ):
            assert kernel.run(cell).status == "ok"
        yield kernel


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("%memory sea", ["%memory search"]),
        ("x = %memory sea", ["x = %memory search"]),
        ("%memory get al", ["%memory get alice:tuesday", "%memory get alice:monday"]),
        ("x = %memory get alice:m", ["x = %memory get alice:monday"]),
        ("%memory search --us", ["%memory search --user"]),
        ("%memory list --user ", ["%memory list --user bob", "%memory list --user alice"]),
        ("%memory list --session m", ["%memory list --session monday"]),
        ("%memory import x.txt --format c", ["%memory import x.txt --format csv"]),
        ("%%memory ad", ["%%memory add"]),
        ("%%memory add bob", ["%%memory add bob:monday"]),
    ],
)
def test_tab_offers_exactly_what_fits(filled_kernel, typed, offered):
    assert filled_kernel.complete(typed) == offered


def test_tab_does_not_affect_other_code(filled_kernel):
    filled_kernel.run("search_engine = 1")
    assert "search_engine" in filled_kernel.complete("search_en")
    assert filled_kernel.complete("%memory get alice:monday\nsearch_en") == [
        "%memory get alice:monday\nsearch_engine"
    ]


@pytest.mark.parametrize("first", ["", "%matplotlib inline", "import matplotlib.pyplot"])
def test_a_plot_is_shown_once_whatever_backend_matplotlib_uses(new_kernel, first):
    assert new_kernel.run(first).status == "ok"
    new_kernel.run("%memory add alice:monday rain")
    for kind in ("timeline", "sessions", "ttl", "sizes"):
        shown = new_kernel.run(f"%memory plot {kind}")
        assert shown.status == "ok", shown.printed
        [(message, content)] = shown.outputs
        assert message == "execute_result"
        assert set(content["data"]) == {"image/png", "text/plain"}
        kept = new_kernel.run(f"figure = %memory plot {kind}")
        assert (kept.status, kept.outputs) == ("ok", [])
    saved = new_kernel.run(
        "figure.savefig('plot.png')\nimport os\nos.path.getsize('plot.png') > 1000"
    )
    assert saved.printed == "True"
    [(message, content)] = new_kernel.run("display(figure)").outputs
    assert (message, "image/png" in content["data"]) == ("display_data", True)
    # A figure of the user's own is drawn as usual, without ours.
    if first == "%matplotlib inline":
        own = new_kernel.run("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])").outputs
        assert [kind for kind, _ in own] == ["display_data"]


def test_a_traced_cell_says_what_it_and_its_tasks_and_threads_have_asked(kernel):
    """Tasks and threads go on after their cell has ended, and still belong to it."""

    def line(code: str) -> str:
        reply = kernel.run(code)
        assert reply.status == "ok", reply.printed
        *_, last = reply.outputs
        assert "<details" in last[1]["data"]["text/html"]
        return re.sub(r"[\d.]+ (µs|ms|s)\b", "TIME", last[1]["data"]["text/plain"])

    assert kernel.run("%memory trace on").printed.startswith("the trace is on")
    started = """
import asyncio, threading
memory.sync.add("a", {"text": "rain"})
gate, go = asyncio.Event(), threading.Event()
async def later():
    await gate.wait()
    await memory.get("a")
def work():
    go.wait()
    memory.sync.search("rain")
task, thread = asyncio.create_task(later()), threading.Thread(target=work)
thread.start()
await memory.get("none")
"""
    assert line(started) == "1 read (1 miss), 1 write, TIME"
    assert kernel.run("x = 1").outputs == []
    ended = "gate.set(); go.set(); await task; thread.join(); memory.sync.add('b', {});"
    assert re.fullmatch(r"1 write, TIME; meanwhile 2 more of \[\d+\]", line(ended))
    assert line("%memory search rain") == "1 search (1 record), TIME"
    table = kernel.run(
        "operations = %memory trace show\n"
        "cell = operations['cell'].iloc[0]\n"
        "[list(operations.query('cell == @cell')['verb']), list(operations['caller'])]"
    ).printed
    assert (
        "[['add', 'get', 'search', 'get']," in table or "[['add', 'get', 'get', 'search']," in table
    )
    assert "'%memory search'" in table
    assert kernel.run("%memory trace off").status == "ok"
    assert kernel.run("memory.sync.get('a');").outputs == []
