"""The advisory lock of tasks and threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest

from tta_memory_nb.stores.locks import AdvisoryLock, Slot, Slots, Ticket


def finished(plan: Any) -> Any:
    with pytest.raises(StopIteration) as done:
        plan.send(None)
    return done.value.value


def held(lock: AdvisoryLock) -> Ticket:
    """Takes a lock that is free."""
    ticket = Ticket()
    assert finished(lock.acquire(ticket, 1.0))
    return ticket


def waiting(lock: AdvisoryLock, seconds: float = 1.0) -> tuple[Ticket, Any, Any]:
    """Queues for a lock; returns the ticket, the plan that waits and what it waits for."""
    ticket = Ticket()
    plan = lock.acquire(ticket, seconds)
    return ticket, plan, next(plan)


def test_the_lock_is_granted_in_order_and_cancelled_waiters_are_passed_over():
    lock = AdvisoryLock()
    first = held(lock)
    (second, *_), (third, plan, request), (fourth, _, last) = (waiting(lock) for _ in range(3))
    lock.release(second)  # cancelled while it waited
    lock.release(first)
    assert (second.is_set, third.is_set, fourth.is_set) == (False, True, False)
    assert request.done is third
    assert finished(plan)
    lock.release(third)
    lock.release(third)  # a second time does nothing
    assert last.done.is_set
    lock.release(fourth)  # cancelled before it received the lock
    assert held(lock).is_set


def test_a_waiter_proceeds_without_the_lock_when_it_must_not_wait():
    lock = AdvisoryLock()
    held(lock)  # is never released
    ticket, plan, _ = waiting(lock)
    assert finished(plan) is False  # at once: the holder waits for this very thread
    lock.release(ticket)
    assert not lock._queue


def test_a_lock_that_nobody_will_release_is_taken_over():
    lock = AdvisoryLock()
    gone = held(lock)  # by a cell that was interrupted
    ticket, plan, _ = waiting(lock, 0.0)
    assert finished(plan) is True
    lock.release(gone)  # does nothing any more
    assert waiting(lock)[2].thread == ticket.thread
    lock.release(ticket)


def test_a_holder_that_reports_progress_is_waited_for():
    lock = AdvisoryLock()
    first = held(lock)
    ticket, plan, _ = waiting(lock)
    for _ in range(3):
        lock.progress()
        assert next(plan).thread == first.thread
    lock.release(first)
    assert finished(plan)
    assert ticket.is_set


def test_a_lock_that_was_held_before_a_fork_is_free_after_it():
    lock = AdvisoryLock()
    held(lock)
    with patch.object(os, "getpid", return_value=os.getpid() + 1):
        assert held(lock).is_set


def test_a_slot_is_for_one_thread_and_goes_to_one_that_waits():
    slots = Slots(1)
    first, second, third = Slot(), Slot(), Slot()
    assert slots.take(first, 0)
    assert not slots.take(second, 0)
    assert slots.taken == {first}
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(slots.take, third, 60)
        slots.taken.discard(first)
        slots.wake()
        assert waits.result(60)
    assert slots.taken == {third}
    slots.wake()  # nobody waits
