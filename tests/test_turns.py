"""Tasks and threads that take turns."""

from __future__ import annotations

import os
from typing import Any
from unittest.mock import patch

import pytest

from tta_memory_nb import StoreUnavailable
from tta_memory_nb.stores.turns import Turns


def finished(plan: Any) -> Any:
    with pytest.raises(StopIteration) as done:
        plan.send(None)
    return done.value.value


def test_turns_come_in_their_order_and_those_who_left_are_passed_over():
    turns = Turns()
    held = finished(turns.wait(1.0))
    second, third, fourth = (turns.wait(1.0) for _ in range(3))
    [waits_2, waits_3, waits_4] = [next(each) for each in (second, third, fourth)]
    second.close()  # cancelled while it waited
    turns.leave(held)
    assert [w.done.done() for w in (waits_2, waits_3, waits_4)] == [False, True, False]
    turn = finished(third)
    turns.leave(turn)
    turns.leave(turn)  # twice is no harm
    assert waits_4.done.done()
    fourth.close()  # cancelled before it knew
    assert finished(turns.wait(1.0)).done()


def test_who_waits_in_vain_goes_ahead():
    turns = Turns()
    finished(turns.wait(1.0))  # never ends
    waiting = turns.wait(1.0)
    next(waiting)
    turn = finished(waiting)  # nothing has moved
    assert not turn.done()
    turns.leave(turn)
    assert not turns._waiting


def test_who_waits_behind_an_outage_hears_of_it():
    turns = Turns()
    held = finished(turns.wait(1.0))
    waiting = turns.wait(1.0)
    request = next(waiting)
    turns.fail(held, StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable, match="away"):
        request.done.result(0)
    turns.leave(held)
    with pytest.raises(StoreUnavailable, match="away"):
        waiting.send(None)


def test_who_gets_on_is_waited_for():
    turns = Turns()
    held = finished(turns.wait(1.0))
    waiting = turns.wait(1.0)
    next(waiting)
    for _ in range(3):
        turns.get_on()
        assert next(waiting).thread == held.thread
    turns.leave(held)
    assert finished(waiting).done()


def test_a_turn_that_was_taken_before_a_fork_is_nobodys_after_it():
    turns = Turns()
    finished(turns.wait(1.0))
    with patch.object(os, "getpid", return_value=os.getpid() + 1):
        assert finished(turns.wait(1.0)).done()
