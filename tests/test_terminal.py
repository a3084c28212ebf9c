"""The magics in a terminal: text tables, errors, Tab and Ctrl-C, in IPython and in Jupyter's console."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from jupyter import PATIENCE
from terminals import COLUMNS, CTRL_C, CTRL_U, TAB, Terminal, running_terminal

pytestmark = pytest.mark.kernel

IPYTHON = [
    *("-m", "IPython", "--no-banner", "--no-confirm-exit"),
    "--TerminalInteractiveShell.autosuggestions_provider=None",  # what was typed before
]
CONSOLE = [
    *("-m", "jupyter_console", "--ZMQTerminalInteractiveShell.banner="),
    "--ZMQTerminalInteractiveShell.image_handler=None",  # no window with a plot
]
ASKED = [
    "Is it raining?",
    "really??",
    "a = !ls",
    "it's {open [ and \"unclosed",
    "I said -- well; yes",
]
FILL = """
sync = memory.sync
long = "nothing of it " * 20 + "an umbrella at last" + " and so on" * 20
sync.add("ann:mon", {"turn": 0, "text": long})
sync.add("bob:tue", {"turn": 1, "text": "the sun"});
""".strip()


@pytest.fixture(scope="module", params=[IPYTHON, CONSOLE], ids=["ipython", "console"])
def terminal(request, tmp_path_factory) -> Iterator[Terminal]:
    with running_terminal(request.param, tmp_path_factory.mktemp("home")) as terminal:
        assert terminal.run("%load_ext tta_memory_nb") == ""
        assert terminal.run("memory = %memory use") == ""
        assert terminal.run(FILL) == ""
        yield terminal


def width_of(terminal: Terminal) -> int:
    """Returns the width that tables may have: a kernel does not know in what terminal it is shown."""
    return COLUMNS if terminal.arguments == IPYTHON else 80


def test_text_with_marks_of_ipython_arrives_as_it_is_typed(terminal):
    for text in ASKED:
        assert terminal.run(f"%memory add asked {text}") == "stored asked"
        assert terminal.run("print(memory.sync.get('asked')['text'])") == text
    assert terminal.run("memory.sync.delete('asked')").endswith("True")


def test_a_table_has_the_order_of_a_notebook_and_the_width_of_the_terminal(terminal):
    lines = terminal.run("%memory search UMBRELLA").splitlines()
    assert lines[0].startswith("1 record matching 'UMBRELLA'")
    *_, heading, row = lines
    assert heading.split() == ["text", "user", "session", "updated", "key", "turn"]
    assert "an umbrella at last" in row
    assert row.startswith("…")
    assert width_of(terminal) - 3 <= len(row) <= width_of(terminal)
    listed = terminal.run("%memory list").splitlines()
    assert listed[-3].split() == heading.split()
    *_, updated, ago, key, turn = listed[-2].split()
    assert (updated, ago) in [("just", "now"), ("min", "ago")]
    assert (key, turn) == ("bob:tue", "1")


def test_every_command_says_something_without_a_browser(terminal):
    assert "capacity" in terminal.run("%memory info")
    assert "the sun" in terminal.run("%memory get bob:tue")
    explored = terminal.run("%memory explore sun")
    assert "1 record matching 'sun' in namespace 'default'" in explored
    assert "the sun" in explored
    assert "The explorer is a widget, which needs a notebook" in explored
    for kind, seen in [
        ("timeline", "2 records by last write"),
        ("sessions", "bob · tue  1  ██"),
        ("ttl", "never expire  2  ██"),
        ("sizes", "2 records by size"),
    ]:
        assert seen in terminal.run(f"%memory plot {kind}")


def test_an_error_is_one_line(terminal):
    said = "%memory get: no record under 'bob:tu' (did you mean 'bob:tue'?)"
    assert terminal.run("%memory get bob:tu") == said


def test_tab_completes_commands_and_keys(terminal):
    for typed, completed in [("%memory sea", "search"), ("%memory get bo", "bob:tue")]:
        terminal.press(typed + TAB)
        terminal.wait_for(lambda shown, completed=completed: shown.endswith(completed))
        terminal.press(CTRL_U)


def test_ctrl_c_ends_a_long_command_with_one_line(terminal, tmp_path: Path):
    pipe = tmp_path / "endless.jsonl"
    os.mkfifo(pipe)
    has_begun = Event()

    def feed() -> None:
        # The pipe must not run dry: Python can miss a signal that arrives just before a read that waits.
        with suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
            while True:
                file.write(b'{"key": "a", "value": {}}\n' * 100)
                has_begun.set()

    Thread(target=feed, daemon=True).start()
    terminal.begin(f"%memory import {pipe}")
    assert has_begun.wait(PATIENCE)
    terminal.press(CTRL_C)
    said = terminal.result()
    assert said.splitlines()[-1].endswith("%memory import: interrupted")
    assert "Traceback" not in said
    assert terminal.run("memory.size()").endswith("2")
