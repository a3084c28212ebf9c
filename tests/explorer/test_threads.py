"""The threads of explorers, and changes that other processes make."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from backends import ALL_BUT_THE_STAND_IN, BACKENDS
from front_end import PATIENCE, FrontEnd

from tta_memory_nb import MemoryExplorer, MemoryPrimitive
from tta_memory_nb.notebook.explorer import lister, listing
from tta_memory_nb.notebook.explorer.state import status_of
from tta_memory_nb.notebook.explorer.worker import Worker


def keys_of(explorer: MemoryExplorer) -> list[str]:
    return [record.key for record in explorer.records]


# ---- threads


def test_callbacks_on_other_threads_while_a_cell_runs(explore, memory):
    explorer = explore()
    front = FrontEnd(explorer)
    front.ask("hello")
    barrier = threading.Barrier(5)
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            barrier.wait()
            for step in range(30):
                if number == 0:
                    explorer.query = ("rain", "")[step % 2]
                    _ = explorer.records
                elif number == 1:
                    memory.sync.add(f"k{step}", {"text": "rain"})
                else:
                    front.send("set", query=("", "sun")[step % 2], window=[step, step + 5])
                    front.send("select", all=True)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert failed == []
    assert [each for each in front.messages if each["kind"] == "error"] == []
    front.ask("hello")  # what was sent before is done now, so that it sets no query later
    explorer.query = ""
    explorer.selected = ()
    front.ask("set", window=[0, 60])
    assert front.state["total"] == memory.size()


def test_closing_ends_the_threads(explore):
    front = FrontEnd(explore())
    front.ask("hello")
    [view] = front.explorer._views.opened()
    threads = [front.explorer._worker._thread, view._worker._thread]
    front.explorer.close()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_worker_runs_jobs_in_order_and_polls_in_between():
    done: list[str] = []
    looked = threading.Event()

    def look() -> float:
        done.append("look")
        looked.set()
        return PATIENCE

    worker = Worker(look, lambda: None, PATIENCE)
    may_begin = threading.Event()
    worker.do(may_begin.wait)  # else it may poll between two jobs
    for name in "abc":
        worker.do(partial(done.append, name))
    worker.wake()
    may_begin.set()
    assert looked.wait(PATIENCE)
    assert done == ["a", "b", "c", "look"]
    worker.stop()


def test_a_worker_sends_heartbeats_even_if_it_polls_rarely():
    beats = threading.Semaphore(0)
    looks: list[None] = []
    worker = Worker(lambda: looks.append(None) or PATIENCE, beats.release, 0.01)
    worker.wake()
    for _ in range(3):
        assert beats.acquire(timeout=PATIENCE)
    assert len(looks) == 1
    worker.stop()


# ---- on servers


@pytest.mark.backends(*ALL_BUT_THE_STAND_IN)
def test_writes_of_other_processes_are_shown(backend, request):
    make = BACKENDS[backend]
    one, other = (make(namespace=request.node.name, max_size=100) for _ in range(2))
    one.sync.add("a", {"text": "rain"})
    explorer = MemoryExplorer(one)
    front = FrontEnd(explorer)
    try:
        front.ask("hello")
        assert front.keys() == ["a"]
        (other if one.is_using_redis() else one).sync.add("b", {"text": "more rain"})
        front.when(lambda: front.keys() == ["b", "a"])
        front.send("set", query="more")
        front.when(lambda: front.keys() == ["b"])
    finally:
        explorer.close()
        one.sync.clear()
        one.sync.close()
        other.sync.close()


def test_long_work_can_be_cancelled(front, monkeypatch):
    begun, may_go_on = threading.Event(), threading.Event()

    def slowly(request, on_progress):
        begun.set()
        assert may_go_on.wait(PATIENCE)
        on_progress("sorting", 1, 2)
        raise AssertionError("this listing is no longer needed")

    monkeypatch.setattr(lister, "whole_listing", slowly)
    front.send("set", sort={"by": "n", "descending": False})
    assert begun.wait(PATIENCE)
    front.send("cancel")
    may_go_on.set()
    front.when(lambda: front.state["sort"] == {"by": "recency", "descending": True})
    assert front.explorer.sort_by == "recency"
    assert front.keys() == ["ann:tue", "bob:mon", "ann:mon"]
    monkeypatch.undo()
    front.ask("set", sort={"by": "n", "descending": False})
    front.when(lambda: front.keys() == ["bob:mon", "ann:mon", "ann:tue"])


def test_an_outdated_listing_is_dropped(front, monkeypatch):
    begun, may_go_on = threading.Event(), threading.Event()
    real = listing.whole_listing

    def slowly(request, on_progress):
        if request.sort_by == "text":
            begun.set()
            assert may_go_on.wait(PATIENCE)
        on_progress("sorting", 1, 2)
        return real(request, on_progress)

    monkeypatch.setattr(lister, "whole_listing", slowly)
    stale = front.send("set", sort={"by": "text", "descending": False})
    assert begun.wait(PATIENCE)
    newest = front.send("set", sort={"by": "n", "descending": False})
    may_go_on.set()
    front.when(lambda: front.answer_to(newest))
    assert front.keys() == ["bob:mon", "ann:mon", "ann:tue"]
    front.when(lambda: front.answer_to(stale))
    answer = front.answer_to(stale)
    # The explorer may have begun this listing by itself; then the newest one answers both messages.
    if answer["kind"] != "dropped":
        assert answer["state"]["sort"] == {"by": "n", "descending": False}
    shown = [each["state"]["rows"] for each in front.messages if "rows" in each.get("state", {})]
    by_text = ["ann:mon", "ann:tue", "bob:mon"]
    assert by_text not in [[row["key"] for row in rows] for rows in shown]


def test_choosing_another_memory_waits_for_no_listing(explore, monkeypatch):
    other = MemoryPrimitive(namespace="other")
    other.sync.add("k", {"n": 1})
    front = FrontEnd(explore(memories={"other": other}))
    front.ask("hello")
    begun, may_go_on, is_chosen = (threading.Event() for _ in range(3))
    real = listing.whole_listing

    def slowly(request, on_progress):
        if request.memory is other:
            assert is_chosen.wait(PATIENCE)
        elif request.sort_by == "n":
            begun.set()
            assert may_go_on.wait(PATIENCE)
        return real(request, on_progress)

    monkeypatch.setattr(lister, "whole_listing", slowly)
    front.send("set", sort={"by": "n", "descending": False})
    assert begun.wait(PATIENCE)
    front.send("set", namespace="other")
    front.when(lambda: front.state["namespace"] == "other")
    # Rows of one memory must not appear for the other, which is still being listed.
    assert (front.keys(), front.state["loading"]) == ([], True)
    may_go_on.set()
    is_chosen.set()
    front.when(lambda: front.keys() == ["k"])
    assert front.explorer.memory is other
    assert keys_of(front.explorer) == ["k"]


def test_the_status_names_the_file_that_keeps_the_records(tmp_path):
    path = tmp_path / "notes.db"
    memory = MemoryPrimitive(f"file:{path}")
    assert status_of(memory)["path"] == str(path)
    assert status_of(memory)["backend"] == "file"
    memory.sync.close()
    assert status_of(MemoryPrimitive())["path"] is None
