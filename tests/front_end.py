"""A view of an explorer without a browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from tta_memory_nb import MemoryExplorer

PATIENCE = 60.0  # seconds; a test waits that long only if something is broken


class FrontEnd:
    """A view without a browser: it sends messages to the kernel and keeps those of the kernel."""

    def __init__(self, explorer: MemoryExplorer, view: int = 1) -> None:
        self.explorer = explorer
        self.state: dict[str, Any] = {}
        self.messages: list[dict[str, Any]] = []
        self.view = view
        self._number = view * 1_000_000
        self._changed = threading.Condition()
        explorer.send = self._take

    def _take(self, content: dict[str, Any], buffers: Any = None) -> None:
        content = json.loads(json.dumps(content, allow_nan=False).encode())
        with self._changed:
            self.messages.append(content)
            if content["kind"] == "state" and content["view"] == self.view:
                self.state |= content["state"]
            self._changed.notify_all()

    def send(self, verb: str, **content: Any) -> int:
        self._number += 1
        self.explorer._received(None, {"id": self._number, "do": verb, **content}, [])
        return self._number

    def ask(self, verb: str, **content: Any) -> dict[str, Any]:
        """Sends a message, and waits for the answer."""
        number = self.send(verb, **content)
        return self.when(lambda: self.answer_to(number))

    def answer_to(self, number: int) -> dict[str, Any] | None:
        return next((each for each in self.messages if each.get("for") == number), None)

    def when(self, condition: Callable[[], Any]) -> Any:
        """Waits until the kernel has sent what makes a condition hold."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), self.messages[-3:]
            return condition()

    def keys(self) -> list[str]:
        return [row["key"] for row in self.state["rows"]]

    def settle(self) -> None:
        """Waits until each view has received all that was published before."""
        for view in self.explorer._views.opened():
            is_done = threading.Event()
            view.do(is_done.set, 0)
            assert is_done.wait(PATIENCE)
