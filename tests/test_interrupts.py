"""Ctrl-C, and cancelled tasks, at every instant of a verb: nothing stays taken, and nothing is half done."""

from __future__ import annotations

import asyncio
import dis
import sys
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Thread
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pytest
from backends import DEEP, calls
from outages import PATIENT, everything

import tta_memory_nb
from tta_memory_nb.entry import new_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tta_memory_nb import MemoryPrimitive

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")

PLACES = (str(Path(tta_memory_nb.__file__).parent / "stores"), threading.__file__)
"""Code that is interrupted: that of stores, and the locks of Python that are written in Python."""


def instants_of(code: CodeType) -> set[int]:
    """Returns the offsets at which a function can be interrupted.

    Python looks for signals at the beginning of a function and at the end of each call, where what
    guards the call still does.
    """
    guards = dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]

    def guard_of(offset: int) -> int | None:
        inner = [each for each in guards if each.start <= offset < each.end]
        return inner[-1].target if inner else None

    before, found = None, set()
    for each in dis.get_instructions(code):
        is_one = before is not None and before.opname.startswith(("CALL", "RESUME"))
        if before is not None and is_one and guard_of(before.offset) == guard_of(each.offset):
            found.add(each.offset)
        before = each
    return found


class Interrupt:
    """Raises `KeyboardInterrupt` at one instant of the code of stores, each place counted once.

    Args:
        number: at which instant.

    Attributes:
        place: where it was raised; None if there were fewer instants.
    """

    known: ClassVar[dict[CodeType, set[int]]] = {}

    def __init__(self, number: int) -> None:
        self.number = number
        self.place: str | None = None
        self._seen: set[tuple[CodeType, int]] = set()

    def __enter__(self) -> Self:
        self._before = sys.gettrace()  # of a debugger, or of a measurement of coverage
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(PLACES):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _step(self, frame: FrameType, event: str, arg: object) -> Any:
        code, at = frame.f_code, frame.f_lasti
        if event == "opcode" and self.place is None and (code, at) not in self._seen:
            if code not in self.known:
                self.known[code] = instants_of(code)
            if at in self.known[code]:
                self._seen.add((code, at))
                if len(self._seen) == self.number:
                    self.place = f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name}"
                    raise KeyboardInterrupt
        return self._step


def in_time(work: Callable[[], Any], what: str) -> Any:
    """Returns what a function does, in a thread of its own, which must not wait for ever."""
    result: list[Any] = []
    thread = Thread(target=lambda: result.append(work()), daemon=True)
    thread.start()
    thread.join(PATIENT)
    assert result, f"{what}: the next call never returns"
    return result[0]


def nothing_is_taken(memory: MemoryPrimitive, place: str) -> None:
    store: Any = memory._store
    assert not store.runner._pool._slots.taken, place
    assert not store.commands.write_ids._open, place
    assert not store.outages._recovering.held, place
    assert not store._replicas.whole.loading.held, place


OLD, NEW = {"text": "note", "n": 1}, {"text": "note", "n": 2}

VERBS: dict[str, Callable[[Any], Any]] = {
    "add": lambda memory: memory.sync.add("k", NEW),
    "add_many": lambda memory: memory.sync.add_many({"k": NEW, "new": NEW}),
    "get": lambda memory: memory.sync.get("k"),
    "delete": lambda memory: memory.sync.delete("k"),
    "clear": lambda memory: memory.sync.clear(),
    "search": lambda memory: memory.sync.search("note", None),
    "search of a prefix": lambda memory: memory.sync.search_records("note", None, prefix="k"),
    "resize": lambda memory: memory.sync.resize(100),
    "undo": lambda memory: memory.sync.undo(
        calls(memory).put([new_entry("k", NEW, memory.clock(), None)])
    ),
    "reconnect": lambda memory: memory.sync.reconnect(),
}


STRIDE = 1 if DEEP > 1 else 11


def numbers(verb: str) -> Iterator[int]:
    """Returns at which instants to interrupt a verb: at each, if random programs are to be many."""
    return count(1 + list(VERBS).index(verb) % STRIDE, STRIDE)


def prepare(memory: MemoryPrimitive, other: MemoryPrimitive) -> None:
    """Makes the records the same each time, some of them by another client."""
    other.sync.clear()
    memory.sync.add_many({"k": OLD, "j": OLD, "kept": OLD})
    other.sync.add("others", OLD)
    other.sync.delete("j")


@pytest.mark.parametrize("verb", VERBS)
def test_an_interrupt_at_any_instant_leaves_nothing_taken_and_nothing_half_done(
    verb, open_memory, database, other
):
    memory = open_memory(database.url)
    for number in numbers(verb):
        prepare(memory, other)
        with Interrupt(number) as interrupt, suppress(KeyboardInterrupt):
            VERBS[verb](memory)
        place = f"{verb}, interrupted at {interrupt.place}"
        found = in_time(lambda: everything(memory), place)
        nothing_is_taken(memory, place)
        assert memory.outage() is None, place
        there = everything(other)
        assert found == there, place
        assert found.get("k") in (OLD, NEW, None), place
        assert everything(memory) == there, place
        in_time(lambda: memory.sync.add("after", {}) or True, place)
        nothing_is_taken(memory, place)
        if interrupt.place is None:
            break
    assert number > STRIDE


@pytest.mark.parametrize("verb", VERBS)
def test_an_interrupt_at_any_instant_of_an_outage_leaves_memory_and_server_the_same(
    verb, open_memory, proxy, other
):
    memory = open_memory(proxy.url)
    for number in numbers(verb):
        prepare(memory, other)
        everything(memory)
        proxy.refuse()
        if number % 2:  # every other time the outage begins in the middle of the verb
            memory.sync.size()
        with Interrupt(number) as interrupt, suppress(KeyboardInterrupt):
            VERBS[verb](memory)
        place = f"{verb}, interrupted at {interrupt.place}"
        found = in_time(lambda: everything(memory), place)
        assert memory.outage() is not None, place
        proxy.heal()
        assert in_time(memory.sync.reconnect, place) is True, place
        assert memory.outage() is None
        nothing_is_taken(memory, place)
        assert everything(memory) == everything(other) == found, place
        in_time(lambda: memory.sync.close() or True, place)
        if interrupt.place is None:
            break
    assert number > STRIDE


@pytest.mark.parametrize("verb", ["add", "delete", "undo"])
def test_an_interrupt_at_any_instant_of_the_recovery_loses_nothing(verb, open_memory, proxy, other):
    memory = open_memory(proxy.url)
    for number in numbers(verb):
        prepare(memory, other)
        everything(memory)
        proxy.refuse()
        VERBS[verb](memory)
        found = everything(memory)
        proxy.heal()
        with Interrupt(number) as interrupt, suppress(KeyboardInterrupt):
            memory.sync.reconnect()
        place = f"recovery, interrupted at {interrupt.place}"
        assert everything(memory) == found, place
        assert in_time(memory.sync.reconnect, place) is True, place
        nothing_is_taken(memory, place)
        assert everything(memory) == everything(other) == found, place
        if interrupt.place is None:
            break
    assert number > STRIDE


# ---- tasks


AWAITED: dict[str, Callable[[Any], Any]] = {
    "add": lambda memory: memory.add("k", NEW),
    "get": lambda memory: memory.get("k"),
    "delete": lambda memory: memory.delete("k"),
    "search": lambda memory: memory.search("note", None),
    "resize": lambda memory: memory.resize(100),
    "reconnect": lambda memory: memory.reconnect(),
}


@pytest.mark.parametrize("verb", AWAITED)
async def test_a_task_that_is_cancelled_at_any_await_leaves_nothing_taken(
    verb, open_memory, database, other
):
    memory = open_memory(database.url)
    for steps in range(12):
        prepare(memory, other)
        task = asyncio.ensure_future(AWAITED[verb](memory))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        place = f"{verb}, cancelled after {steps} turns of the loop"
        async with asyncio.timeout(PATIENT):
            found = {record.key: record.value for record in await memory.records()}
        nothing_is_taken(memory, place)
        assert memory.outage() is None, place
        assert found == everything(other), place
        assert found.get("k") in (OLD, NEW, None), place
    await memory.aclose()
