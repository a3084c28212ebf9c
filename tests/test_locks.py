"""The advisory lock of tasks and threads."""

from __future__ import annotations

import os
from typing import Any
from unittest.mock import patch

import pytest

from tta_memory_nb.stores.locks import AdvisoryLock


def finished(plan: Any) -> Any:
    with pytest.raises(StopIteration) as done:
        plan.send(None)
    return done.value.value


def test_the_lock_is_granted_in_order_and_cancelled_waiters_are_passed_over():
    lock = AdvisoryLock()
    held = finished(lock.acquire(1.0))
    second, third, fourth = (lock.acquire(1.0) for _ in range(3))
    waits: list[Any] = [next(each) for each in (second, third, fourth)]
    second.close()  # cancelled while it waited
    lock.release(held)
    assert [wait.done.done() for wait in waits] == [False, True, False]
    ticket = finished(third)
    lock.release(ticket)
    lock.release(ticket)  # a second time does nothing
    assert waits[2].done.done()
    fourth.close()  # cancelled before it received the lock
    assert finished(lock.acquire(1.0)).done()


def test_a_waiter_proceeds_without_the_lock_when_there_is_no_progress():
    lock = AdvisoryLock()
    finished(lock.acquire(1.0))  # is never released
    waiting = lock.acquire(1.0)
    next(waiting)
    ticket = finished(waiting)  # the wait has timed out
    assert not ticket.done()
    lock.release(ticket)
    assert not lock._queue


def test_a_holder_that_reports_progress_is_waited_for():
    lock = AdvisoryLock()
    held = finished(lock.acquire(1.0))
    waiting = lock.acquire(1.0)
    next(waiting)
    for _ in range(3):
        lock.progress()
        request: Any = next(waiting)
        assert request.thread == held.thread
    lock.release(held)
    assert finished(waiting).done()


def test_a_lock_that_was_held_before_a_fork_is_free_after_it():
    lock = AdvisoryLock()
    finished(lock.acquire(1.0))
    with patch.object(os, "getpid", return_value=os.getpid() + 1):
        assert finished(lock.acquire(1.0)).done()
