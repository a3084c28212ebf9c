"""Threads that dial at the same time do not disturb each other in what they know of Sentinels and nodes."""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from threading import Event, current_thread, main_thread
from typing import Any

import pytest
from outages import PATIENT

from tta_memory_nb.stores.redis.addresses import parse_address
from tta_memory_nb.stores.redis.dialing import Dialer

HOSTS = "host-1:1,host-2:1,host-3:1"


class Factory:
    """Makes connections that answer as a Sentinel and as a node of a Cluster, all of which agree.

    Attributes:
        asks: set when a thread other than the main one waits for an answer.
        go_on: set when that thread may have it.
    """

    def __init__(self) -> None:
        self.connection_kwargs: dict[str, Any] = {}
        self.asks, self.go_on = Event(), Event()

    def settings(self, *, awaited: bool) -> Any:
        assert not awaited
        return self

    def connection_class(self, **_: object) -> Connection:
        return Connection(self)


class Connection:
    """Answers at once in the main thread, and when it is told to in another one."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._words: tuple[Any, ...] = ()

    def connect(self) -> None: ...

    def disconnect(self) -> None: ...

    def send_command(self, *words: Any) -> None:
        self._words = words

    def read_response(self) -> Any:
        if current_thread() is not main_thread():
            self._factory.asks.set()
            assert self._factory.go_on.wait(PATIENT)
        if self._words[0] == "SENTINEL":
            return [b"primary", b"1"]
        return [[0, 16383, *([b"host-%d" % number, 1] for number in (1, 2, 3))]]


def happens_at(event: int, dialer: Dialer, factory: Factory, other: Future[Any]) -> bool:
    """Dials, and has another thread finish what it does at an event of that; returns whether it came so far.

    Args:
        event: which call of a function, or return from one that is written in C, in the order in which they come.
        dialer: what both threads use.
        factory: of its connections.
        other: what the other thread does.
    """
    left, lock = event, dialer._lock

    def see(_: object, kind: str, __: object) -> None:
        nonlocal left
        if kind in ("call", "c_call", "c_return"):
            left -= 1
            if left <= 0 and not lock.locked():  # which the other thread may wait for
                sys.setprofile(None)
                factory.go_on.set()
                other.exception(PATIENT)

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        dialer.dial()
        dialer.redirect("MOVED 1 host-2:1")
        assert not dialer.has_moved()
    finally:
        sys.setprofile(before)
        factory.go_on.set()
    return left <= 0


@pytest.mark.parametrize("scheme", ["redis+sentinel", "redis+cluster"])
@pytest.mark.parametrize("verb", ["dial", "has_moved"])
def test_a_dial_may_end_at_any_moment_of_another_one(scheme, verb):
    address = parse_address(f"{scheme}://{HOSTS}" + "/main" * (scheme == "redis+sentinel"))
    with ThreadPoolExecutor(1) as threads:
        for event in count(1):
            factory: Any = Factory()
            dialer = Dialer(factory, address, b"key")
            other = threads.submit(getattr(dialer, verb))
            assert factory.asks.wait(PATIENT)
            came_so_far = happens_at(event, dialer, factory, other)
            other.result(PATIENT)
            assert sorted(dialer._known) == [(f"host-{number}", 1) for number in (1, 2, 3)]
            if not came_so_far:
                break
    assert event > 20
