"""What survives a fork: books that no other thread was in the middle of changing.

A forked process has one thread, the one that called ``fork``. A lock that another thread held would stay
taken for ever in the child, and what it protects would be half changed. So all locks of all stores are
taken before a fork, and released after it on both sides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakMethod, ref

ThreadLock = TypeVar("ThreadLock", bound=AbstractContextManager[Any])

# Seconds to wait for a lock before a fork. A thread that holds one for so long waits for the forking thread.
_PATIENCE = 1.0

_registering = Lock()
_locks: list[tuple[int, ref[Any]]] = []
_in_child: list[WeakMethod[Callable[[], None]]] = []
_before_forks: list[WeakMethod[Callable[[], None]]] = []
_most = [64, 64, 64]
_taken: list[Any] = []
_missed: list[Any] = []


def guarded(lock: ThreadLock, level: int) -> ThreadLock:
    """Has a lock taken before each fork, as long as it exists; returns it.

    Args:
        lock: of `threading`.
        level: a thread that holds a lock may only wait for one of a higher level.
    """
    with _registering:
        if len(_locks) > _most[0]:
            _locks[:] = [each for each in _locks if each[1]() is not None]
            _most[0] = max(64, 2 * len(_locks))
        _locks.append((level, ref(lock)))
    return lock


def after_fork_in_child(method: Callable[[], None]) -> None:
    """Has a bound method called in each child, as long as its object exists."""
    _register(_in_child, 1, method)


def before_fork(method: Callable[[], None]) -> None:
    """Has a bound method called before each fork, as long as its object exists; all locks are taken then.

    A lock that could not be had in time may be in use; the method has to see to that itself.
    """
    _register(_before_forks, 2, method)


def _register(
    methods: list[WeakMethod[Callable[[], None]]], place: int, method: Callable[[], None]
) -> None:
    with _registering:
        if len(methods) > _most[place]:
            methods[:] = [each for each in methods if each() is not None]
            _most[place] = max(64, 2 * len(methods))
        methods.append(WeakMethod(method))


def _by_level() -> Iterator[Any]:
    for _, each in sorted(_locks, key=lambda pair: pair[0]):
        lock = each()
        if lock is not None:
            yield lock


def _before() -> None:
    _registering.acquire()
    for lock in _by_level():
        (_taken if lock.acquire(timeout=_PATIENCE) else _missed).append(lock)
    for method in [each() for each in _before_forks]:
        if method is not None:
            method()


def _release() -> None:
    while _taken:
        _taken.pop().release()
    _registering.release()


def _after_in_parent() -> None:
    _missed.clear()
    _release()


def _after_in_child() -> None:
    while _missed:
        _missed.pop()._at_fork_reinit()  # as the modules logging and threading do
    methods = [each() for each in _in_child]
    _release()
    for method in methods:
        if method is not None:
            method()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
