"""Traces: what was asked of memories, by which cell, task and function, and that tracing changes nothing else."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import permutations
from threading import Event, Thread
from typing import Any

import pytest
from backends import EVERY_BACKEND
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from tta_memory_nb import Conflict, InvalidArgument, MemoryPrimitive, NotStorable
from tta_memory_nb.frames import cell_html, operations_frame
from tta_memory_nb.integrations.otel import observe
from tta_memory_nb.memory.tracing import Trace, trace
from tta_memory_nb.memory.tracing.cells import (
    Cell,
    follow_threads,
    leave_threads,
    set_cell,
)
from tta_memory_nb.memory.tracing.counting import counted
from tta_memory_nb.memory.tracing.operation import Operation
from tta_memory_nb.notebook.commands import COMMANDS, Notebook, memories, searching, tracing
from tta_memory_nb.notebook.explorer.worker import Worker
from tta_memory_nb.plots import plot_trace


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    return MemoryPrimitive(clock=clock)


def seen(trace: Trace) -> list[tuple[str, int, int]]:
    """Returns verb, records and misses of each operation."""
    return [(each.verb, each.records, each.misses) for each in trace.operations]


def work(memory: MemoryPrimitive) -> list[Any]:
    """Asks a memory for all kinds of things; returns the answers."""
    sync = memory.sync
    answers: list[Any] = [
        sync.add("ann:mon:1", {"text": "rain in Lyon"}),
        sync.add_many({"ann:mon:2": {"text": "rain"}, "ann:mon:3": {"text": "sun"}}),
        asyncio.run(memory.get("ann:mon:1")),
        sync.get("nobody"),
        sync.get_many(["ann:mon:1", "nobody", "ann:mon:2"]),
        asyncio.run(memory.search("rain", limit=None)),
        [record.key for record in sync.search_records("rain", prefix="ann:")],
        [record.key for record in sync.stream_records("rain")],
        [record.key for record in sync.records(limit=1)],
        len(sync.append("ann", "tue", [{"text": "one"}, {"text": "two"}])),
        [record.value for record in sync.history("ann", "tue", last=1)],
        bool(sync.apply({"k": {"n": 1}}, ["ann:mon:3"])),
        sync.delete("ann:mon:2"),
        bool(sync.undo(sync.remove(["k"]))),
        sync.count(),
        sync.keys(prefix="ann:"),
    ]
    return answers


@pytest.mark.backends(*EVERY_BACKEND)
def test_a_trace_notes_what_every_backend_has_answered_and_changes_no_answer(make):
    plain = work(make())
    memory = make()
    with memory.trace() as traced:
        assert work(memory) == plain
    noted = [each for each in seen(traced) if each[0] != "stream_records"]
    streamed = [each for each in seen(traced) if each[0] == "stream_records"]
    assert sum(records for _, records, _ in streamed) == 2
    assert noted == [
        ("add", 1, 0),
        ("add_many", 2, 0),
        ("get", 1, 0),
        ("get", 0, 1),
        ("get_many", 2, 1),
        ("search", 2, 0),
        ("search_records", 2, 0),
        ("records", 1, 0),
        ("append", 2, 0),
        ("history", 1, 0),
        ("apply", 2, 0),
        ("delete", 1, 0),
        ("remove", 1, 0),
        ("undo", 1, 0),
        ("count", 0, 0),
        ("keys", 0, 0),
    ]
    assert traced.operations[0].keys == ("ann:mon:1",)
    assert traced.operations[0].bytes == len('{"text":"rain in Lyon"}')
    assert memory.watch is None
    before = len(traced)
    memory.sync.get("ann:mon:1")
    assert len(traced) == before
    memory.sync.close()


class Agent:
    def __init__(self, memory: MemoryPrimitive) -> None:
        self.memory = memory

    async def recall(self) -> None:
        await self.memory.search("rain")

    def remember(self) -> None:
        self.memory.sync.add("k", {"text": "rain"})


def test_the_caller_is_the_nearest_function_of_the_user(memory):
    agent = Agent(memory)
    nb = Notebook(memory)
    with memory.trace() as traced:
        agent.remember()
        asyncio.run(agent.recall())
        # What is installed between the memory and the function of the user does not count.
        sorted([2, 1], key=lambda _: memory.sync.get("k") is None)
        list(map(memory.sync.get, ["k"]))
        COMMANDS["search"](nb, "rain")
    names = [each.called_by for each in traced.operations]
    this = "test_the_caller_is_the_nearest_function_of_the_user"
    assert names == [
        "Agent.remember",
        "Agent.recall",
        *[f"{this}.<lambda>"] * 2,
        this,
        "%memory search",
    ]


def test_a_pack_counts_the_records_in_its_text_alone(memory):
    for number in range(30):
        memory.sync.add(f"ann:mon:{number:08x}", {"text": f"It rains in town number {number}."})
    with memory.trace() as traced:
        pack = memory.sync.pack("Where does it rain?", budget=60, threshold=0)
    [operation] = traced.operations
    assert 0 < len(pack.records) < 30
    assert sorted(operation.keys) == sorted(pack.keys)


def test_an_error_is_noted_by_its_kind_and_raised(memory):
    memory.sync.add("k", {})
    with memory.trace() as traced, pytest.raises(NotStorable):
        memory.sync.add("k", {"x": object()})
    assert traced.operations == []  # what is refused at once never begins
    with memory.trace() as traced, pytest.raises(Conflict):
        memory.sync.apply({"k": {}}, expect={"k": None})
    [operation] = traced.operations
    assert operation.error == "Conflict"
    assert "1 failed" in traced.about
    assert memory.sync.get("k") == {}


def test_what_needs_no_plan_is_noted_as_well(memory):
    with memory.trace() as traced:
        memory.sync.add("k", {"text": "rain"})
        asyncio.run(memory.get("k"))
        memory.sync.get("nobody")
        with pytest.raises(InvalidArgument):
            memory.sync.get("")
    assert seen(traced) == [("add", 1, 0), ("get", 1, 0), ("get", 0, 1), ("get", 0, 0)]
    assert [each.about for each in traced.operations] == ["k", "k", "nobody", ""]
    assert [each.error for each in traced.operations] == [None, None, None, "InvalidArgument"]
    assert [each.keys for each in traced.operations] == [("k",), ("k",), (), ()]
    assert all(each.called_by.startswith("test_what_needs") for each in traced.operations[2:])


def test_a_verb_that_has_to_wait_after_all_is_noted_once(tmp_path):
    memory = MemoryPrimitive(f"file:{tmp_path / 'traced.db'}", durability="memory")
    other = MemoryPrimitive(f"file:{tmp_path / 'traced.db'}", durability="memory")
    with memory.trace() as traced:
        for n in range(3):
            memory.sync.add("k", {"n": n})
            other.sync.add("k", {"n": -n})  # so that the memory has to look at the file again
            assert memory.sync.get("k") == {"n": -n}
    assert [each.verb for each in traced.operations] == 3 * ["add", "get"]
    assert [each.records for each in traced.operations] == 6 * [1]


# ---- several at once


def test_traces_and_observers_come_and_go_in_any_order(memory):
    """Whatever ends first, the others go on; after the last, nothing is left in the way of the memory."""
    store = memory._verbs._store
    for order in permutations(range(3)):
        begun: list[Any] = [
            memory.trace(),
            observe(memory, TracerProvider(), MeterProvider([])),
            memory.trace(),
        ]
        traces = {0: begun[0], 2: begun[2]}
        left = {0, 1, 2}
        for number in order:
            memory.sync.get("k")
            for each in left & {0, 2}:
                assert traces[each].operations[-1].verb == "get"
            counts = {each: len(traces[each]) for each in (0, 2)}
            begun[number].stop()
            left.remove(number)
            memory.sync.get("k")
            for each in (0, 2):
                assert len(traces[each]) == counts[each] + (each in left)
        assert memory.watch is None
        assert memory._verbs._store is store


def test_one_trace_sees_several_memories(memory):
    other = MemoryPrimitive(namespace="other")
    with Trace().add(memory).add(other.sync).add(other) as traced:
        memory.sync.add("a", {})
        other.sync.add("b", {})
    assert [(each.memory, each.keys) for each in traced.operations] == [
        ("default", ("a",)),
        ("other", ("b",)),
    ]
    with pytest.raises(InvalidArgument, match="memory='x': give a MemoryPrimitive"):
        Trace().add("x")
    with pytest.raises(InvalidArgument, match="size=0: give an int of at least 1"):
        memory.trace(0)


def test_a_trace_holds_so_many_operations_and_so_many_bytes(memory, monkeypatch):
    monkeypatch.setattr(trace, "_MOST_HELD", 1_200)
    with memory.trace(size=5) as traced:
        for number in range(9):
            memory.sync.add(f"k{number}", {"text": "x" * 300})
        assert [each.number for each in traced.operations] == [5, 6, 7, 8, 9]
        assert "4 older ones were dropped" in traced.about
        # How large a record was stays known, and of the latest ones the records themselves.
        assert [bool(each.entries) for each in traced.operations] == [
            False,
            False,
            True,
            True,
            True,
        ]
        assert {each.bytes for each in traced.operations} == {len('{"text":""}') + 300}
        assert [each.keys for each in traced.operations[1:3]] == [(), ("k6",)]
        assert [each.number for each in traced.since(7)] == [8, 9]
        traced.clear()
        assert (len(traced), traced.about) == (0, "on: nothing")
        memory.sync.get("k1")
        assert len(traced) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(("add", "get", "delete", "search")), st.integers(0, 3)),
        max_size=20,
    ),
    st.integers(1, 12),
)
def test_a_trace_is_the_list_of_what_was_asked(steps, size):
    """Compares with a list, and with a dict that says what each step finds."""
    memory = MemoryPrimitive()
    expected: list[tuple[str, int, int]] = []
    there: set[int] = set()
    with memory.trace(size) as traced:
        for verb, number in steps:
            key = f"k{number}"
            if verb == "add":
                memory.sync.add(key, {"text": key})
                expected.append(("add", 1, 0))
                there.add(number)
            elif verb == "get":
                memory.sync.get(key)
                expected.append(("get", int(number in there), int(number not in there)))
            elif verb == "delete":
                memory.sync.delete(key)
                expected.append(("delete", int(number in there), 0))
                there.discard(number)
            else:
                memory.sync.search(key)
                expected.append(("search", int(number in there), 0))
    assert seen(traced) == expected[-size:]
    assert traced.dropped == max(0, len(steps) - size)


# ---- cells, tasks and threads


def test_tasks_and_threads_belong_to_the_cell_that_has_started_them(memory):
    async def notebook() -> tuple[Cell, Cell]:
        set_cell(first := Cell(1))
        gate, go = asyncio.Event(), Event()

        async def tool(number: int) -> None:
            await gate.wait()
            await memory.add(f"k{number}", {})

        def in_thread() -> None:
            go.wait()
            memory.sync.get("in thread")

        tasks = [asyncio.create_task(tool(number)) for number in range(2)]
        thread = Thread(target=in_thread, name="worker")
        thread.start()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(memory.sync.get, "pool, first").result()
            set_cell(second := Cell(2))
            gate.set()
            go.set()
            await asyncio.gather(*tasks, memory.search("x"))
            await asyncio.to_thread(memory.sync.get, "to_thread")
            pool.submit(memory.sync.get, "pool, second").result()
            thread.join()
        return first, second

    start, submit = Thread.start, ThreadPoolExecutor.submit
    follow_threads()
    try:
        with memory.trace() as traced:
            first, second = asyncio.run(notebook())
    finally:
        leave_threads()
    assert (Thread.start, ThreadPoolExecutor.submit) == (start, submit)
    by_cell = {number: {each.about for each in traced.of(number)} for number in (1, 2)}
    assert by_cell == {
        1: {"k0", "k1", "in thread", "pool, first"},
        2: {"x", "to_thread", "pool, second"},
    }
    assert re.fullmatch(r"2 reads \(2 misses\), 2 writes, [\d.]+ (µs|ms)", first.about)
    assert second.counts == {"read": 2, "misses": 2, "search": 1, "found": 0}
    [in_thread] = [each for each in traced.operations if each.about == "in thread"]
    assert in_thread.task == "worker"


def test_what_overlaps_is_not_counted_twice():
    cell = Cell(1)
    now = 100.0
    operation = Operation(0, "default", "get", "read", None, cell, "", None, now, now)
    cell.begin(now)
    cell.begin(now + 1)
    cell.end(operation, now + 3)
    cell.end(operation, now + 4)
    cell.begin(now + 10)
    cell.end(operation, now + 11)
    assert cell.busy == 5
    assert cell.about == "3 reads, 5.0 s"


def test_looks_of_the_explorer_are_in_no_trace(memory):
    done = Event()
    worker = Worker()

    def job() -> None:
        memory.sync.entries()
        done.set()

    with memory.trace() as traced:
        memory.sync.change_token()
        copy_context().run(worker.do, job)
        assert done.wait(60)
        worker.stop()
    assert traced.operations == []


# ---- shown


def test_a_line_counts_in_words():
    counts = {"read": 3, "misses": 1, "search": 1, "found": 5, "write": 2, "delete": 1, "other": 1}
    assert counted({**counts, "failed": 2}, 0.00412) == (
        "3 reads (1 miss), 1 search (5 records), 2 writes, 1 delete, 1 other, 4.1 ms, 2 failed"
    )
    assert counted({"read": 1, "misses": 0}, 1.25) == "1 read, 1.2 s"


def test_text_of_records_keys_queries_and_names_is_escaped(memory):
    hostile = "<img src=x onerror=alert(1)>\u202e"
    with memory.trace() as traced:
        memory.sync.add(hostile, {"text": hostile})
        memory.sync.search(hostile)
        memory.sync.get(f"{hostile}!")
    frame = operations_frame(traced.operations)
    for html in (cell_html("about", traced.operations), traced._repr_html_()):
        assert "<img" not in html
        assert "\u202e" not in html
        assert "&lt;img src=x" in html
    assert list(frame["verb"]) == ["add", "search", "get"]
    assert "no record" in cell_html("", traced.operations)
    figure: Any = plot_trace(traced.operations)
    assert "elsewhere" in figure._repr_mimebundle_()["text/plain"]
    assert figure._repr_png_()[0].startswith(b"\x89PNG")


def test_the_plot_has_a_row_for_each_cell_and_a_line_for_each_task(memory):
    async def agents() -> None:
        for number in range(1, 11):
            set_cell(Cell(number))
            await asyncio.gather(*(memory.add(f"k{task}", {}) for task in range(number)))

    with memory.trace() as traced:
        asyncio.run(agents())
    figure: Any = plot_trace(traced.operations)
    assert [axes.get_title(loc="left").split()[0] for axes in figure.axes] == [
        f"[{number}]" for number in range(3, 11)
    ]
    lines = [len(axes.get_yticks()) for axes in figure.axes]
    assert lines == [3, 4, 5, 6, 6, 6, 6, 6]
    assert "nothing to show" in plot_trace([])._repr_mimebundle_()["text/plain"]  # type: ignore[attr-defined]


# ---- the command


def test_the_command_begins_shows_and_ends_a_trace(memory):
    nb = Notebook(memory)
    assert tracing.trace(nb).text == "the trace is off; %memory trace on begins one"
    with pytest.raises(InvalidArgument, match="nothing was traced yet"):
        tracing.trace(nb, "plot")
    assert tracing.trace(nb, "on").text.startswith("the trace is on")
    memory.sync.add("a", {"text": "rain"})
    searching.search(nb, "rain")
    other = MemoryPrimitive(namespace="other")
    memories.use(nb, other)
    other.sync.get("b")
    reply = tracing.trace(nb)
    assert re.fullmatch(
        r"the trace is on: 1 read \(1 miss\), 1 search \(1 record\), 1 write, [\d.]+ (µs|ms)",
        reply.text,
    )
    assert list(reply.value["memory"]) == ["default", "default", "other"]
    assert tracing.trace(nb, "show", limit=1).text.endswith("showing the latest 1")
    with pytest.raises(InvalidArgument, match="--cell 7: this cell has asked nothing"):
        tracing.trace(nb, "show", cell=7)
    with pytest.raises(InvalidArgument, match=r"WHAT 'of': give one of on, off, .*did you mean"):
        tracing.trace(nb, "of")
    with pytest.raises(InvalidArgument, match="MEMORY: only %memory trace on takes a memory"):
        tracing.trace(nb, "show", other)
    with pytest.raises(InvalidArgument, match="MEMORY 3: give a variable"):
        tracing.trace(nb, "on", 3)
    assert tracing.trace(nb, "clear").text.startswith("cleared")
    third = MemoryPrimitive(namespace="third")
    tracing.trace(nb, "on", third)
    third.sync.get("c")
    assert tracing.trace(nb, "off").text.startswith("the trace is off: 1 read (1 miss)")
    assert (memory.watch, other.watch, third.watch) == (None, None, None)
    tracing.trace(nb, "on")
    nb.memory.sync.get("d")
    assert nb.trace is not None
    assert len(nb.trace) == 2


def test_what_carries_decisions_out_counts_as_a_write(memory):
    sync = memory.sync
    sync.add_many({"a": {"n": 1}, "b": {"n": 1}})
    with memory.trace() as traced:
        sync.carry_out(sync.resolve([("a", "b")], "merge"))
    kinds = {each.verb: (each.kind, each.records) for each in traced.operations}
    assert kinds == {"resolve": ("read", 0), "carry_out": ("write", 2)}
