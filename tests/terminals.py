"""Programs in a terminal of their own: what is typed into them, and what their screens show."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
from jupyter import PATIENCE, private_environment

COLUMNS, LINES = 100, 50
ENTER, TAB, CTRL_C, CTRL_L, CTRL_U = "\r", "\t", "\x03", "\x0c", "\x15"

_CONTINUED = re.compile(r" *(?:\.\.\.:|⋮)")  # the cell itself


class _Screen(pyte.Screen):
    """A screen that answers a program's questions, such as where the cursor is."""

    def __init__(self, answer: Callable[[str], object]) -> None:
        super().__init__(COLUMNS, LINES)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)


def _as_from_a_terminal() -> None:
    """Heeds Ctrl-C also where what has started the tests ignores it, as a shell does for background jobs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A running IPython, of this process's Python or of a kernel, in a terminal.

    Args:
        arguments: of Python, which start the program.
        home: a directory for its settings.
    """

    def __init__(self, arguments: list[str], home: Path) -> None:
        env = private_environment(home) | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # a kernel would warn on the screen
        env.pop("COLUMNS", None)
        self.process = pexpect.spawn(
            *(sys.executable, arguments),
            cwd=str(home),
            env=env,
            dimensions=(LINES, COLUMNS),
            timeout=PATIENCE,
            encoding="utf-8",
            preexec_fn=_as_from_a_terminal,
        )
        self.arguments = arguments
        self._screen = _Screen(self.process.send)
        self._stream = pyte.Stream(self._screen)
        self._number = 1
        self.wait_for(lambda shown: f"\n{self._prompt}" in f"\n{shown}")

    @property
    def _prompt(self) -> str:
        return f"In [{self._number}]:"

    def shown(self) -> str:
        """Returns the screen, without empty lines at its end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def wait_for(self, condition: Callable[[str], bool]) -> str:
        """Returns the screen as soon as the condition holds for it."""
        while not condition(shown := self.shown()):
            try:
                self._stream.feed(self.process.read_nonblocking(65_536, PATIENCE))
            except (pexpect.TIMEOUT, pexpect.EOF):
                raise AssertionError(f"the terminal still shows:\n{shown}") from None
        return shown

    def press(self, keys: str) -> None:
        """Sends keys, or text as if it were typed."""
        self.process.send(keys)

    def run(self, cell: str) -> str:
        """Runs a cell to its end; returns what is shown below it."""
        self.begin(cell)
        return self.result()

    def begin(self, cell: str) -> None:
        """Pastes a cell on an empty screen and runs it, without waiting for its end."""
        self.press(CTRL_L)
        self.wait_for(lambda shown: shown == self._prompt)
        self.press(f"\x1b[200~{cell}\x1b[201~")
        self.press(ENTER)
        self._number += 1

    def result(self) -> str:
        """Waits for the end of a cell; returns what is shown below it."""
        shown = self.wait_for(lambda shown: f"\n{self._prompt}" in shown)
        _, *below = shown.partition(f"\n{self._prompt}")[0].split("\n")
        while below and _CONTINUED.match(below[0]):
            below.pop(0)
        return "\n".join(below).strip()

    def close(self) -> None:
        """Ends the program at once.

        Nothing of it is of use any more. A polite end, as `pexpect` offers, takes longer than `pexpect` waits
        for it on a busy machine. A kernel ends by itself when the console that started it is gone.
        """
        with contextlib.suppress(ProcessLookupError):
            # The first program of a terminal leads its process group.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.close()


@contextlib.contextmanager
def running_terminal(arguments: list[str], home: Path) -> Iterator[Terminal]:
    """Runs a program in a terminal while the block lasts."""
    terminal = Terminal(arguments, home)
    try:
        yield terminal
    finally:
        terminal.close()
