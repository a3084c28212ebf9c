"""Several views of one explorer, of which none waits for another."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from front_end import PATIENCE, FrontEnd

from tta_memory_nb import MemoryExplorer, MemoryPrimitive
from tta_memory_nb.notebook.explorer import messages
from tta_memory_nb.notebook.explorer.actions import Actions, Outcome
from tta_memory_nb.notebook.explorer.state import ExplorerState


def windows(explorer: MemoryExplorer) -> dict[int, tuple[int, int]]:
    return {view.number: view.window for view in explorer._views.opened()}


@pytest.fixture
def both(explore) -> tuple[FrontEnd, FrontEnd]:
    """Two views of one explorer. Each receives every message, and uses only its own states."""
    explorer = explore()
    first, second = FrontEnd(explorer, 1), FrontEnd(explorer, 2)

    def send(content: dict[str, Any], buffers: Any = None) -> None:
        first._take(content)
        second._take(content)

    explorer.send = send
    first.ask("hello")
    second.ask("hello")
    return first, second


class Gate:
    """A point at which a thread stops until a test opens the gate."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def stop_here(self) -> None:
        self._reached.set()
        assert self._opened.wait(PATIENCE)

    def wait_until_reached(self) -> None:
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        self._opened.set()


def expect_all_served(front: FrontEnd, memory: MemoryPrimitive) -> None:
    """Checks that every request of a view is answered, and that writes of others appear."""
    front.ask("set", window=[1, 2])
    assert front.keys() == ["bob:mon"]
    memory.sync.add("new:one", {"text": "rain just now"})
    front.when(lambda: front.keys() == ["ann:tue"])
    front.ask("set", query="rain", window=[0, 60])
    assert front.keys() == ["new:one", "ann:tue", "ann:mon"]
    front.ask("set", sort={"by": "key", "descending": False})
    assert front.keys() == ["ann:mon", "ann:tue", "new:one"]
    front.ask("select", range=[0, 2])
    assert front.state["selected"] == 2
    front.ask("facets")
    assert front.state["facets"]["users"][0] == ["ann", 2]
    base = front.ask("record", key="bob:mon")["base"]
    assert front.ask("edit", key="bob:mon", text='{"text": "hail"}', base=base)["ok"] is True
    assert '"hail"' in front.ask("export", keys=["bob:mon"])["text"]


def test_two_views_have_windows_of_their_own(both):
    first, second = both
    second.ask("set", window=[1, 2])
    first.ask("set", window=[0, 1])
    assert windows(first.explorer) == {1: (0, 1), 2: (1, 2)}
    assert (first.keys(), second.keys()) == (["ann:tue"], ["bob:mon"])
    second.send("bye")
    assert windows(first.explorer) == {1: (0, 1)}


def test_a_view_that_is_slow_to_take_its_states_delays_no_other(both, memory):
    slow, other = both
    gate, send = Gate(), slow.explorer.send

    def send_slowly(content: dict[str, Any], buffers: Any = None) -> None:
        if content.get("view") == slow.view:
            gate.stop_here()
        send(content)

    slow.explorer.send = send_slowly
    slow.send("set", window=[0, 2])
    gate.wait_until_reached()
    before = len(slow.messages)
    expect_all_served(other, memory)
    assert [each for each in slow.messages[before:] if each.get("view") == slow.view] == []
    slow.explorer.live = False  # from now on, only requests publish states
    gate.open()
    slow.when(lambda: slow.state["live"] is False)
    # One state combines all that happened meanwhile; another one was being sent.
    states = [each for each in slow.messages[before:] if each.get("view") == slow.view]
    assert len(states) == 2
    assert slow.state["total"] == other.state["total"] == 3
    assert slow.keys() == other.keys()[:2] == ["ann:mon", "ann:tue"]


def test_a_view_whose_window_takes_long_to_make_delays_no_other(both, memory, monkeypatch):
    slow, other = both
    gate, describe = Gate(), ExplorerState.describe

    def describe_slowly(state: ExplorerState, window: tuple[int, int]) -> dict[str, Any]:
        if window == (0, 500):
            gate.stop_here()
        return describe(state, window)

    monkeypatch.setattr(ExplorerState, "describe", describe_slowly)
    large = slow.send("set", window=[0, 100_000])
    gate.wait_until_reached()
    expect_all_served(other, memory)
    assert slow.answer_to(large) is None
    gate.open()
    slow.when(lambda: slow.answer_to(large))
    slow.when(lambda: slow.keys() == other.keys())


def test_a_view_that_asks_for_much_work_delays_no_other(both, memory, monkeypatch):
    slow, other = both
    gate, write = Gate(), Actions.export

    def export_slowly(actions: Actions, content: dict[str, Any]) -> Outcome:
        if content["keys"] == ["ann:mon", "ann:tue"]:
            gate.stop_here()
        return write(actions, content)

    monkeypatch.setitem(messages._ACTIONS, "export", export_slowly)
    large = slow.send("export", keys=["ann:mon", "ann:tue"])
    gate.wait_until_reached()
    expect_all_served(other, memory)
    assert slow.answer_to(large) is None
    gate.open()
    slow.when(lambda: slow.answer_to(large))


def test_requests_of_a_view_are_carried_out_after_it_has_closed(both, memory):
    first, second = both
    gate = Gate()
    view = first.explorer._views.of(1_000_000)
    view.do(gate.stop_here, 1_000_001)
    gate.wait_until_reached()
    first.send("delete", keys=["bob:mon"])
    first.send("bye")
    thread = view._worker._thread
    gate.open()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert memory.sync.keys() == ["ann:mon", "ann:tue"]
    second.when(lambda: second.keys() == ["ann:tue", "ann:mon"])
    # A view that opens again receives the whole state.
    first.state.clear()
    first.ask("hello")
    assert first.keys() == ["ann:tue", "ann:mon"]
    assert first.state.keys() == second.state.keys()
