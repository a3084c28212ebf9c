"""The code of the front end, and how it reaches a page.

The state of a widget is saved with its notebook and is sent for every explorer. It therefore holds only a
loader. The loader asks for the code by a message, once in a page, however many explorers the page shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from math import inf
from time import monotonic
from typing import Any

from .esm import DOC_COMMENT, join

_FOLDER = files(__package__) / "frontend"

MODULE = join(_FOLDER, "widget.js")
STYLE = (_FOLDER / "widget.css").read_text("utf-8")
VERSION = sha256(f"{MODULE}\n{STYLE}".encode()).hexdigest()[:16]

_COMMENT = re.compile(r"/\*\*.*?\*/|^[ \t]*//.*$| // .*$", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n\s*")


def _loader() -> str:
    text = (_FOLDER / "loader.js").read_text("utf-8")
    text = _COMMENT.sub("", DOC_COMMENT.sub("", text)).replace("version of the code", VERSION)
    return _EMPTY_LINES.sub("\n", text).lstrip()


LOADER = _loader()

_CODE = {"kind": "code", "version": VERSION, "module": MODULE, "style": STYLE}

_BACKLOG = 0.2
"""Seconds. The requests of one loader are further apart, unless a running cell has held them up."""


class Delivery:
    """Sends the code of the front end to the pages that show an explorer.

    Args:
        send: sends a message to every page.
        clock: gives seconds.
    """

    def __init__(
        self, send: Callable[[dict[str, Any]], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._send = send
        self._clock = clock
        self._answered_at = -inf

    def answer(self, content: Any) -> bool:
        """Sends the code if a message asks for it.

        The requests that a running cell has held up come all at once, and one answer serves all of them. A page that
        has missed the answer asks again.

        Args:
            content: the content of any message of the front end.

        Returns:
            Whether the code was sent.
        """
        if not isinstance(content, dict) or content.get("do") != "load":
            return False
        if self._clock() - self._answered_at < _BACKLOG:
            return False
        self._send(_CODE)
        self._answered_at = self._clock()
        return True

    def offer(self, number: int) -> None:
        """Sends the code to loaders whose requests may be held up by a running cell.

        Args:
            number: how many offers of rows there were before. The code is many times as large as the rows, and
                is offered with the second, third, fifth, ninth ... of them. At the first, no loader listens yet.
        """
        if number and not number & (number - 1):
            self._send(_CODE)
