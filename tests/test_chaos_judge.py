"""The judge of random schedules finds what is wrong in a history, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from chaos.history import Call, History, Mark
from chaos.judge import Judge
from chaos.schedule import Schedule, Step, schedule_of
from chaos.shrink import smallest

K = "k"


class Told:
    """Writes a history down, call by call."""

    def __init__(self) -> None:
        self.history = History()

    def call(
        self,
        client: str,
        verb: str,
        *,
        sets: int | None = None,
        ttl: float | None = None,
        deletes: bool = False,
        online: tuple[bool, bool] = (True, True),
        outcome: Any = "ok",
        at: float | None = None,
        **result: Any,
    ) -> Call:
        """Adds a call that begins and ends before the next one."""
        call = self.begin(
            client, verb, sets=sets, ttl=ttl, deletes=deletes, online=online[0], at=at
        )
        return self.end(call, online=online[1], outcome=outcome, **result)

    def begin(
        self,
        client: str,
        verb: str,
        *,
        sets: int | None = None,
        ttl: float | None = None,
        deletes: bool = False,
        online: bool = True,
        at: float | None = None,
    ) -> Call:
        call = Call(client, verb, was_online=online, is_online=online)
        if sets is not None:
            call.sets = {K: (sets, ttl)}
        call.deletes = (K,) if deletes else ()
        call.begin = self.history.see(client, online)
        call.at = call.until = call.begin if at is None else at
        self.history.calls.append(call)
        return call

    def end(self, call: Call, *, online: bool = True, outcome: Any = "ok", **result: Any) -> Call:
        call.is_online, call.outcome = online, outcome
        call.result = {name: {K: told} for name, told in result.items()}
        call.end = self.history.see(call.client, online)
        return call

    def mark(self, kind: Any) -> None:
        self.history.marks.append(Mark(kind, self.history.time(), self.history.time()))

    def back(self, client: str) -> None:
        self.history.see(client, True)

    def problems(self, truth: int | None, now: float = 10_000.0) -> list[str]:
        """Returns what the judge says when the server has a number in the end."""
        self.history.truth = {} if truth is None else {K: truth}
        self.history.now = now
        return Judge(self.history, [K]).problems()


OFF = (False, False)


@pytest.fixture
def told() -> Told:
    return Told()


# ---- connected


def test_an_acknowledged_write_has_to_be_there(told):
    told.call("a", "add", sets=1)
    assert told.problems(None)
    assert not told.problems(1)


def test_a_deleted_record_stays_deleted(told):
    told.call("a", "add", sets=1)
    told.call("b", "delete", deletes=True, deleted=True)
    assert told.problems(1)
    assert not told.problems(None)


def test_a_delete_has_to_say_whether_there_was_a_record(told):
    told.call("a", "add", sets=1)
    told.call("b", "delete", deletes=True, deleted=False)
    assert told.problems(None)
    assert told.problems(1)


def test_a_later_write_replaces_an_earlier_one(told):
    told.call("a", "add", sets=1)
    told.call("b", "add", sets=2)
    assert told.problems(1)
    assert not told.problems(2)


def test_of_two_writes_at_once_either_may_be_the_last(told):
    first, second = told.begin("a", "add", sets=1), told.begin("b", "add", sets=2)
    told.end(first)
    told.end(second)
    assert not told.problems(1)
    assert not told.problems(2)
    assert told.problems(None)


def test_a_read_gives_the_last_write(told):
    told.call("a", "add", sets=1)
    told.call("a", "add", sets=2)
    told.call("b", "get", reads=1)
    assert told.problems(2)


def test_two_readers_see_two_writes_at_once_in_the_same_order(told):
    writes = [told.begin("a", "add", sets=1), told.begin("b", "add", sets=2)]
    for client, number in (("c", 1), ("c", 2), ("d", 1)):
        told.call(client, "get", reads=number)
    for write in writes:
        told.end(write)
    assert told.problems(2)


def test_a_write_that_a_read_has_seen_stays(told):
    write = told.begin("a", "add", sets=1)
    told.call("b", "get", reads=1)
    told.call("b", "get", reads=None)
    told.end(write)
    assert told.problems(1)


def test_a_key_that_is_listed_exists(told):
    told.call("a", "keys", exists=True)
    assert told.problems(None)


def test_a_refused_write_changes_nothing(told):
    told.call("a", "add", sets=1, outcome="refused")
    assert told.problems(1)
    assert not told.problems(None)


@pytest.mark.parametrize("outcome", ["raised", "open"])
def test_an_interrupted_write_may_have_been_done_or_may_still_be_but_once(told, outcome):
    told.call("a", "add", sets=1, outcome=outcome)
    told.call("b", "get", reads=None)
    assert not told.problems(1)
    assert not told.problems(None)
    told.call("b", "get", reads=1)
    told.call("b", "delete", deletes=True, deleted=True)
    assert told.problems(1)
    assert not told.problems(None)


# ---- in outages


def test_a_write_in_an_outage_arrives_when_its_client_is_back(told):
    told.call("a", "add", sets=1, online=OFF)
    told.call("b", "get", reads=None)
    told.back("a")
    assert told.problems(None)
    assert not told.problems(1)
    told.call("b", "get", reads=None)
    assert told.problems(1)


@pytest.mark.parametrize("kind", ["add", "delete"])
def test_of_a_write_in_an_outage_and_others_the_newest_instant_wins(told, kind):
    told.call("a", "add", sets=1)
    told.call("a", "add", sets=2, online=OFF)
    what = {"sets": 3} if kind == "add" else {"deletes": True, "deleted": True}
    told.call("b", kind, **what)
    told.back("a")
    assert told.problems(2)
    assert not told.problems(3 if kind == "add" else None)


def test_the_newest_instant_wins_whoever_is_back_first(told):
    told.call("a", "add", sets=1, online=OFF)
    told.call("b", "delete", deletes=True, online=OFF, deleted=False)
    told.back("b")
    told.back("a")
    assert told.problems(1)
    assert not told.problems(None)


def test_a_write_in_flight_when_an_outage_begins_may_be_seen_at_once_or_later(told):
    told.call("a", "add", sets=1, online=(True, False))
    told.call("b", "get", reads=1)
    told.back("a")
    assert not told.problems(1)
    assert told.problems(None)


def test_what_waits_in_a_killed_process_may_be_lost_and_may_have_arrived(told):
    told.call("a", "add", sets=1, online=OFF)
    told.history.ended["a"] = told.history.time()
    assert not told.problems(None)
    assert not told.problems(1)


def test_what_a_replica_has_acknowledged_outlives_its_client(told):
    told.history.has_failovers = True
    told.call("a", "add", sets=1)
    told.history.ended["a"] = told.history.time()
    assert not told.problems(None)
    told.history.durable.add("a")
    assert told.problems(None)
    assert not told.problems(1)


def test_a_client_reads_its_own_writes_in_an_outage(told):
    told.call("a", "add", sets=1)
    told.call("a", "add", sets=2)
    told.call("a", "get", online=OFF, reads=1)
    told.back("a")
    assert told.problems(2)


def test_a_client_does_not_read_in_an_outage_what_it_has_deleted(told):
    told.call("a", "add", sets=1)
    told.call("a", "delete", deletes=True, deleted=True)
    told.call("a", "get", online=OFF, reads=1)
    told.back("a")
    assert told.problems(None)


def test_a_client_may_read_in_an_outage_what_others_wrote_after_it(told):
    told.call("a", "add", sets=1)
    told.call("b", "add", sets=2)
    told.call("a", "get", online=OFF, reads=2)
    told.back("a")
    assert not told.problems(2)


def test_a_client_may_find_nothing_in_an_outage_where_a_record_of_others_has_expired(told):
    told.call("a", "add", sets=1, at=100.0)
    told.call("b", "add", sets=2, at=101.0, ttl=5)
    told.call("a", "get", online=OFF, at=107.0, reads=None)
    told.back("a")
    assert not told.problems(None)


def test_a_deletion_that_has_found_nothing_may_have_left_nothing_behind(told):
    told.history.watched = frozenset({"b"})  # it may have been connected for a moment
    told.call("a", "add", sets=1, online=OFF)
    told.call("b", "delete", deletes=True, online=OFF, deleted=False)
    told.back("b")
    told.back("a")
    assert not told.problems(1)
    assert not told.problems(None)
    told.history.watched = frozenset()
    assert told.problems(1)


# ---- expiry, eviction, a server that is older


def test_a_record_is_there_until_it_expires(told):
    told.call("a", "add", sets=1, ttl=10, at=100.0)
    told.call("b", "get", at=109.0, reads=1)
    told.call("b", "get", at=110.0, reads=None)
    assert not told.problems(None)
    assert told.problems(1)
    told.call("b", "get", at=109.0, reads=None)
    assert told.problems(None)


def test_a_record_may_be_missing_only_if_records_were_evicted(told):
    told.call("a", "add", sets=1)
    assert told.problems(None)
    told.history.evictions = 1
    assert not told.problems(None)


def test_a_rollback_loses_what_came_after_the_snapshot_and_nothing_else(told):
    told.call("a", "add", sets=1)
    told.mark("snapshot")
    told.call("a", "add", sets=2)
    told.mark("rollback")
    assert not told.problems(1)
    assert told.problems(2)
    assert told.problems(None)


def test_a_server_that_lost_everything_has_nothing(told):
    told.call("a", "add", sets=1)
    told.mark("lost")
    assert not told.problems(None)
    assert told.problems(1)


@pytest.mark.parametrize("kind", ["rollback", "lost"])
def test_a_write_without_an_answer_may_be_seen_then_lost_and_then_be_there_again(told, kind):
    told.mark("snapshot")
    told.call("a", "add", sets=1, online=(True, False))
    told.call("b", "get", reads=1)
    told.mark(kind)
    told.call("b", "delete", deletes=True, deleted=False)
    told.back("a")
    assert not told.problems(1)
    told.call("b", "delete", deletes=True, deleted=True)
    assert told.problems(1)
    assert not told.problems(None)


@pytest.mark.parametrize("kind", ["rollback", "lost"])
def test_a_client_has_to_know_which_of_its_last_writes_the_server_has_lost(told, kind):
    told.call("a", "add", sets=1)
    told.mark("snapshot")
    told.call("a", "add", sets=2)
    told.mark(kind)
    told.history.now = 10_000.0
    assert Judge(told.history, [K]).known_losses("a") == {K: 2}
    assert Judge(told.history, [K]).known_losses("b") == {}


def test_a_client_need_not_know_what_others_have_written(told):
    told.call("a", "add", sets=1)
    told.mark("lost")
    told.call("b", "add", sets=2)
    told.history.now = 10_000.0
    assert Judge(told.history, [K]).known_losses("a") == {}
    assert Judge(told.history, [K]).known_losses("b") == {}


def test_a_rollback_brings_back_what_was_lost_since_the_snapshot(told):
    told.call("a", "add", sets=1)
    told.mark("snapshot")
    told.mark("lost")
    assert Judge(told.history, [K]).known_losses("a") == {K: 1}
    told.mark("rollback")
    assert Judge(told.history, [K]).known_losses("a") == {}


def test_a_rollback_brings_nothing_back_that_was_lost_before_the_snapshot(told):
    told.call("a", "add", sets=1)
    told.mark("lost")
    told.mark("snapshot")
    told.mark("rollback")
    assert Judge(told.history, [K]).known_losses("a") == {K: 1}


# ---- undo


def test_an_undone_delete_brings_the_record_back_unless_another_was_written(told):
    told.call("a", "add", sets=1)
    told.call("a", "remove", deletes=True, deleted=True)
    undo = told.begin("a", "undo")
    undo.removed = {K: 1}
    told.end(undo, restored=1)
    assert not told.problems(1)
    assert told.problems(None)


def test_an_undo_that_restores_says_so(told):
    told.call("a", "add", sets=1)
    told.call("a", "remove", deletes=True, deleted=True)
    undo = told.begin("a", "undo")
    undo.removed = {K: 1}
    told.end(undo)
    assert told.problems(1)
    assert told.problems(None)


def test_an_undone_write_goes_unless_another_was_written(told):
    told.call("a", "put", sets=1)
    undo = told.begin("a", "undo")
    undo.written = {K: 1}
    told.end(undo, taken=True)
    assert not told.problems(None)
    assert told.problems(1)


# ---- schedules


def test_a_seed_determines_its_schedule():
    assert [str(schedule_of(seed)) for seed in range(50)] == [
        str(schedule_of(seed)) for seed in range(50)
    ]
    assert len({str(schedule_of(seed)) for seed in range(50)}) == 50


def test_a_failing_schedule_is_made_as_small_as_possible():
    needed = {"full", "kill the process"}
    steps = [Step("world", f"step {number}") for number in range(20)]
    steps[3:3] = [Step("world", "full")]
    steps[15:15] = [Step("", "", parts=(Step("world", "x"), Step("world", "kill the process")))]

    def fails(schedule: Schedule) -> bool:
        flat = [part for step in schedule.steps for part in (step.parts or (step,))]
        return needed <= {step.what for step in flat}

    found = smallest(Schedule(0, frozenset(), {}, tuple(steps)), fails)
    assert [step.what for step in found.steps] == ["full", "kill the process"]


# ---- writes on condition, expiries that are put off, messages


def test_a_write_on_condition_is_made_if_nothing_has_changed(told):
    told.call("a", "add", sets=1)
    told.call("b", "swap", sets=2, swapped=(1, True, True))
    assert told.problems(2) == []


def test_a_write_on_condition_that_ignores_a_change_is_wrong(told):
    told.call("a", "add", sets=1)
    told.call("a", "add", sets=2)
    told.call("b", "swap", sets=3, swapped=(1, True, True))
    assert "swap of 1 writes 3" in told.problems(3)[0]


def test_two_writes_on_the_same_condition_are_wrong(told):
    told.call("a", "add", sets=1)
    one = told.begin("a", "swap", sets=2)
    other = told.begin("b", "swap", sets=3)
    told.end(one, swapped=(1, True, True))
    told.end(other, swapped=(1, True, True))
    assert told.problems(3) != []


def test_a_conflict_without_a_change_is_wrong(told):
    told.call("a", "add", sets=1)
    told.call("b", "swap", swapped=(1, False, True))
    assert "finds another one" in told.problems(1)[0]


def test_a_conflict_with_a_change_in_the_middle_is_right(told):
    told.call("a", "add", sets=1)
    swap = told.begin("b", "swap")
    told.call("a", "add", sets=2)
    told.end(swap, swapped=(1, False, True))
    assert told.problems(2) == []


@pytest.mark.parametrize(("ttl", "is_wrong"), [(5.0, True), (10_000_000.0, False)])
def test_a_record_lives_as_long_as_it_was_touched_for(told, ttl, is_wrong):
    told.call("a", "add", sets=1, ttl=100.0, at=0.0)
    call = told.begin("b", "touch", at=1.0)
    call.touches, call.ttl = (K,), ttl
    told.end(call)
    assert bool(told.problems(1)) is is_wrong


def appended(told: Told, client: str, *numbers: int) -> Call:
    call = told.begin(client, "append")
    call.appends = numbers
    told.end(call)
    call.result = {"appended": [f"log:{number}" for number in numbers]}
    return call


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ([1, 2, 3], ""),
        ([1, 2], "lacks the messages"),
        ([1, 3], "some messages"),
        ([1, 3, 2], "in another order"),
        ([2, 3, 1], "before"),
        ([1, 2, 3, 3], "more than once"),
    ],
)
def test_each_message_is_there_once_and_in_order(told, numbers, wrong):
    appended(told, "a", 1)
    if wrong == "lacks the messages":
        appended(told, "b", 2)
        appended(told, "b", 3)
    else:
        appended(told, "b", 2, 3)
    told.history.log = [(f"log:{number}", number) for number in numbers]
    problems = told.problems(None)
    assert wrong in " ".join(problems) if wrong else problems == []


def test_a_message_of_another_key_is_wrong(told):
    appended(told, "a", 1)
    told.history.log = [("log:other", 1)]
    assert "other keys" in told.problems(None)[0]
