"""Whose code a file is: this package's, an installed library's, the user's, or nobody's."""

from __future__ import annotations

import os
import sysconfig
import threading
from pathlib import Path
from typing import Final

PACKAGE = str(Path(__file__).parent) + os.sep
"""What the file names of the code of this package begin with."""

OURS: Final = 0
LIBRARY: Final = 1
USERS: Final = 2
NOBODYS: Final = 3
"""Code that carries out whatever a thread or a loop is given. It says nothing about who wanted that."""

MOST_FRAMES = 200
"""How far up a stack to look for a function of the user's: it is mostly near, but an agent's framework takes some dozens of frames."""

_LIBRARIES = tuple(
    {
        path
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_path(name))
    }
)

_RUNNERS = {
    str(Path(threading.__file__).parent / name)
    for name in ("threading.py", "concurrent/futures/thread.py", "asyncio/events.py")
}

known: dict[str, int] = {}
"""File name -> whose code it is, of files that were asked for; a look at it takes less time than a call of `origin_of`."""


def origin_of(file: str) -> int:
    """Returns `OURS`, `LIBRARY`, `USERS` or `NOBODYS` for the file name of a code object."""
    if file.startswith(PACKAGE):
        origin = OURS
    elif file in _RUNNERS:
        origin = NOBODYS
    elif file.startswith((*_LIBRARIES, "<frozen")):
        origin = LIBRARY
    else:
        origin = USERS
    if len(known) < 10_000:  # each cell is a file of its own
        known[file] = origin
    return origin


def is_cell(file: str) -> bool:
    """Returns whether code was typed and is in no file: IPython names it <ipython-input-...>, ipykernel by a file never written."""
    return file.startswith(("<ipython-input", "<stdin>", "<python-input")) or "ipykernel_" in file
