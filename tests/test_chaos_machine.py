"""The machine of random schedules finds faults that are planted into the package."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from chaos import machine
from chaos.clients import Process
from chaos.machine import problems_of
from chaos.schedule import WORLD, Schedule, Step
from chaos.world import OneServer
from real_servers import need, valkey

from tta_memory_nb import ServerError
from tta_memory_nb.stores.redis.commands import Commands
from tta_memory_nb.stores.redis.outage import Outages

SAYS_NOTHING = """
from tta_memory_nb.stores.redis.outage import Outages
Outages.at_exit = Outages.say_what_is_lost = lambda _: None
"""

LOSES_IN_CHILDREN = """
import os
from tta_memory_nb.stores.redis.commands import Commands
parent, add = os.getpid(), Commands.set
def set_in_parent(*args):
    if os.getpid() == parent:
        yield from add(*args)
Commands.set = set_in_parent
"""


@pytest.fixture(scope="module")
def world() -> Iterator[OneServer]:
    need("valkey")
    it = OneServer(valkey())
    yield it
    it.close()


def problems(world: OneServer, *steps: Step, traits: set[str], before: str = "") -> str:
    """Carries steps out; returns what was wrong.

    Args:
        world: a server.
        *steps: what happens.
        traits: of the schedule.
        before: code that the process of a client runs first.
    """
    if before:
        world._process = Process(before)
    skews = dict.fromkeys(("called", "awaited", "direct", "process"), 0.0)
    found = problems_of(Schedule(0, frozenset(traits), skews, steps), world)
    if world._process:
        world._process.kill()
    return "\n".join(found)


def test_a_process_that_loses_writes_without_a_word_is_found(world, caplog):
    caplog.set_level(logging.CRITICAL, "tta_memory_nb")
    steps = (
        Step("process", "add", ("w", 1, None)),
        Step(WORLD, "down"),
        Step("process", "add", ("w", 2, None)),
        Step(WORLD, "end the process"),
        Step("direct", "size"),
    )
    assert "w: no order explains" in problems(
        world, *steps, traits={"process", "ended", "restarted"}, before=SAYS_NOTHING
    )


def test_a_child_of_a_fork_that_loses_writes_is_found(world, caplog):
    caplog.set_level(logging.CRITICAL, "tta_memory_nb")
    steps = (
        Step("process", "add", ("w", 1, None)),
        Step("process", "in a fork", ("add", "w", 2, None)),
        Step("direct", "size"),
    )
    found = problems(world, *steps, traits={"process", "forked"}, before=LOSES_IN_CHILDREN)
    assert "w: no order explains" in found


def test_a_memory_that_cannot_be_closed_is_found(world, caplog, monkeypatch):
    caplog.set_level(logging.CRITICAL, "tta_memory_nb")
    released = threading.Event()

    def wait_for_ever(_: object) -> Any:
        released.wait()
        yield from ()

    monkeypatch.setattr(Outages, "before_close", wait_for_ever)
    monkeypatch.setattr(machine, "PATIENCE", 1.0)
    try:
        assert "closing a new client hangs" in problems(
            world, Step("called", "add", ("w", 1, None)), traits=set()
        )
    finally:
        released.set()


def test_a_refusal_by_a_full_disk_that_is_not_said_is_found(world, caplog, monkeypatch):
    caplog.set_level(logging.CRITICAL, "tta_memory_nb")
    add: Any = Commands.set

    def swallow(*args: Any) -> Any:
        try:
            return (yield from add(*args))
        except ServerError:
            return None

    monkeypatch.setattr(Commands, "set", swallow)
    steps = (
        Step("called", "add", ("w", 1, None)),
        Step(WORLD, "fill the disk"),
        Step("called", "add", ("w", 2, None)),
    )
    assert "w: no order explains" in problems(world, *steps, traits={"disk"})
