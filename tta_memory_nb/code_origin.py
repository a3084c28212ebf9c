"""Whose code a file is: this package's, an installed library's, the user's, or nobody's."""

from __future__ import annotations

import os
import sysconfig
import threading
from pathlib import Path
from typing import Final

PACKAGE = str(Path(__file__).parent) + os.sep
"""The beginning of the file names of this package's code."""

OURS: Final = 0
LIBRARY: Final = 1
USERS: Final = 2
NOBODYS: Final = 3
"""Code of Python that runs whatever function a thread or an event loop is given, and so tells nothing about who has called it."""

MOST_FRAMES = 200
"""How many frames of a stack are searched for a function of the user's. Most often it is near, but an agent's framework takes some dozens of frames."""

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
"""Results of `origin_of` by file name. To look one up takes less time than a call."""


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
    """Returns whether code was typed and is in no file.

    IPython names such code <ipython-input-...>, and ipykernel names a file that does not exist.
    """
    return file.startswith(("<ipython-input", "<stdin>", "<python-input")) or "ipykernel_" in file
