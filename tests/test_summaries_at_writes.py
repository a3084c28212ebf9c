"""Sessions that are summarized after writes: when, what is left, and that no write is ever lost or refused for it."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from backends import ONE_SERVER, Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_memory_nb import (
    ForgetPolicy,
    InvalidArgument,
    MemoryPrimitive,
    MemoryRecord,
    SummaryPolicy,
)
from tta_memory_nb.memory.summarizing.upkeep import AT_ONCE, SHORTEST_BREAK
from tta_memory_nb.notebook.commands import Notebook, digesting, memories


def joined(records: Sequence[MemoryRecord]) -> str:
    return ";".join(record.value["text"] for record in records)


async def joined_later(records: Sequence[MemoryRecord]) -> str:
    await asyncio.sleep(0)
    return joined(records)


def made(when: Any = None, **arguments: Any) -> Any:
    """Returns a memory that summarizes sessions of more than 4 records, the newest 2 left alone."""
    when = {"records": 4} if when is None else when
    arguments = {"summarizer": joined, "clock": Clock(), **arguments}
    return MemoryPrimitive(summarize_when=when, **arguments).sync


def say(memory: Any, *texts: str, session: str = "mon") -> None:
    for text in texts:
        memory.append("ann", session, [{"text": text}])
        if isinstance(memory.clock, Clock):
            memory.clock.tick(1)


def summaries(memory: Any) -> list[str]:
    return sorted(
        each.value["text"] for each in memory.records() if each.value.get("type") == "summary"
    )


# ---- when


@pytest.mark.backends("in-memory", "file", ONE_SERVER)
async def test_a_session_is_summarized_and_continued_on_both_faces(make):
    memory = make(summarizer=joined_later, summarize_when={"records": 4, "originals": "delete"})
    for number in range(4):
        await memory.append("ann", "mon", [{"text": f"t{number}"}])
        memory.sync.add(f"ann:tue:{number:08x}", {"text": f"u{number}"})
    await memory.add("bob:mon", {"text": "of another user"})
    await memory.add("no session", {"text": "of nobody"})
    assert summaries(memory.sync) == []
    await memory.append("ann", "mon", [{"text": "t4"}])
    memory.sync.add("ann:tue:00000004", {"text": "u4"})
    assert summaries(memory.sync) == ["t0;t1;t2", "u0;u1;u2"]
    memory.sync.append("ann", "mon", [{"text": "t5"}, {"text": "t6"}, {"text": "t7"}])
    await memory.add_many({f"ann:tue:{number:08x}": {"text": f"u{number}"} for number in (5, 6, 7)})
    assert summaries(memory.sync) == ["t0;t1;t2;t3;t4;t5", "u0;u1;u2;u3;u4;u5"]
    assert [each.value["text"] for each in await memory.history("ann", "mon")] == ["t6", "t7"]
    assert memory.summarized == (4, None)


@pytest.mark.backends("file", ONE_SERVER)
def test_what_an_earlier_process_has_written_counts(make):
    first = make(namespace="shared")
    for number in range(4):
        first.sync.add(f"ann:mon:{number:08x}", {"text": f"t{number}"})
    second = MemoryPrimitive.over(
        first.store, summarizer=joined, summarize_when={"records": 4}, clock=first.clock
    )
    second.sync.add("ann:mon:00000004", {"text": "t4"})
    assert summaries(first.sync) == ["t0;t1;t2"]


def test_originals_stay_and_do_not_count_again():
    memory = made()
    say(memory, *map(str, range(5)))
    assert summaries(memory) == ["0;1;2"]
    say(memory, "5", "6")
    assert (memory.summarized[0], memory.size()) == (1, 8)
    say(memory, "7")
    assert summaries(memory) == ["0;1;2;3;4;5"]


def test_bytes_are_counted_as_well_and_half_of_them_are_left_alone():
    memory = made({"bytes": 1_000, "originals": "delete"})
    say(memory, "a" * 300, "b" * 300, "c" * 300)
    assert summaries(memory) == []
    say(memory, "d" * 300)
    assert summaries(memory) == [";".join(letter * 300 for letter in "abc")]
    say(memory, "e" * 2_000)
    assert memory.size() == 1
    assert summaries(memory)[0].endswith("e" * 2_000)


def test_a_record_that_is_written_again_is_no_further_record():
    memory = made()
    for number in range(50):
        memory.add("ann:mon", {"text": str(number)})
    assert memory.summarized == (0, None)
    say(memory, "a", "b", "c", "d")
    assert memory.summarized == (1, None)


def test_young_records_are_left_alone():
    memory = made(SummaryPolicy(records=4, older_than="1h"))
    say(memory, *map(str, range(20)))
    assert summaries(memory) == []
    memory.clock.tick(3_600)
    say(memory, *map(str, range(20, 24)))
    assert summaries(memory) == [";".join(map(str, range(20)))]


def test_an_import_does_not_wait_for_all_of_its_sessions():
    memory = made()
    memory.add_many(
        {
            f"user{user}:mon:{number:08x}": {"text": f"{user}.{number}"}
            for user in range(10)
            for number in range(5)
        }
    )
    assert memory.summarized[0] == AT_ONCE
    for number in range(4):
        memory.add(f"note {number}", {"text": "x"})
    assert memory.summarized[0] == 10


def test_it_can_be_begun_and_ended_and_forgetting_goes_on_beside_it():
    memory = made({"records": 4, "originals": "delete"})
    memory.forget(ForgetPolicy(max_records=3), every="1h")
    memory.clock.tick(3_600)
    say(memory, *map(str, range(5)))
    assert (memory.size(), summaries(memory)) == (3, ["0;1;2"])
    memory.clock.tick(3_600)
    say(memory, "5")
    assert memory.size() == 3
    memory.forget(None)
    say(memory, "6", "7", "8")
    assert (memory.size(), memory.summarized) == (3, (2, None))
    memory.summarize_when = None
    assert (memory.summarize_when, memory.summarized) == (None, (0, None))
    say(memory, *map(str, range(9, 20)))
    assert memory.size() == 3 + 11
    memory.summarize_when = SummaryPolicy(records=4, keep_last=1)
    say(memory, "20")
    assert summaries(memory)[0].endswith("18;19")


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["append", "add", "many", "delete", "undo"]),
            st.sampled_from(["mon", "tue"]),
        ),
        max_size=60,
    ),
    st.integers(1, 6),
)
def test_nothing_that_was_written_is_lost(steps, most):
    memory = made({"records": most, "originals": "delete"})
    said: list[str] = []
    deleted: set[str] = set()
    for number, (step, session) in enumerate(steps):
        memory.clock.tick(1)
        text = f"<{number}>"
        if step == "delete":
            left = [each for each in memory.records() if each.value.get("type") != "summary"]
            for each in left[:1]:
                memory.delete(each.key)
                deleted.add(each.value["text"])
            continue
        if step == "undo":
            change = memory.apply({f"ann:{session}:{number:08x}": {"text": text}})
            memory.undo(change)
            # A summary may have covered it by then.
            deleted.add(text)
            continue
        if step == "append":
            memory.append("ann", session, [{"text": text}])
        elif step == "add":
            memory.add(f"ann:{session}:{number:08x}", {"text": text})
        else:
            memory.add_many({f"ann:{session}:{number:08x}": {"text": text}})
        said.append(text)
        records = memory.records(user="ann", session=session)
        assert sum(each.value.get("type") != "summary" for each in records) <= most
    there = ";".join(each.value["text"] for each in memory.records())
    for text in said:
        assert there.count(text) == 1 or (text in deleted and text not in there)
    assert memory.summarized[1] is None


# ---- what goes wrong


def _fails(_: Any) -> str:
    raise KeyError("quota")


def _hangs(_: Any) -> str:
    threading.Event().wait(60)
    return "late"


@pytest.mark.parametrize(
    ("summarizer", "reason"),
    [
        (_fails, "it failed"),
        (_hangs, "no answer within 0.05 s"),
        (lambda _: "", "it gave an empty text"),
        (lambda _: "x" * 10_000_000, "it gave 10,000,000 characters"),
        (lambda _: 7, "it gave <int>"),
    ],
)
async def test_a_bad_summarizer_fails_no_write_and_is_left_in_peace(summarizer, reason, caplog):
    asked: list[int] = []

    def counted(records: Sequence[MemoryRecord]) -> str:
        asked.append(len(records))
        return summarizer(records) if len(asked) <= 2 else joined(records)

    memory = MemoryPrimitive(
        summarizer=counted,
        summarize_when=SummaryPolicy(records=4, timeout=0.05),
        clock=(clock := Clock()),
    )
    for number in range(8):
        await memory.append("ann", "mon", [{"text": str(number)}])
    assert (memory.size(), asked) == (8, [3])
    assert reason in memory.summarized[1]
    [logged] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "the session 'ann:mon' was not summarized, and is tried again" in logged.getMessage()
    clock.tick(SHORTEST_BREAK)
    memory.sync.add("bob:x", {"text": "of somebody else"})
    clock.tick(SHORTEST_BREAK)
    memory.sync.add("bob:x", {"text": "the break is longer now"})
    assert asked == [3, 6]
    clock.tick(SHORTEST_BREAK)
    await memory.add("bob:x", {"text": "again"})
    assert asked == [3, 6, 6]
    assert summaries(memory.sync) == ["0;1;2;3;4;5"]
    assert memory.summarized == (1, None)


def test_a_record_that_changes_meanwhile_is_summarized_as_it_is_now():
    def slow(records: Sequence[MemoryRecord]) -> str:
        if memory.summarized[0] == 0 and records[0].value["text"] == "0":
            memory.add(records[0].key, {"text": "changed"})
        return joined(records)

    memory = made(summarizer=slow)
    say(memory, *map(str, range(5)))
    assert summaries(memory) == ["changed;1;2"]
    assert memory.summarized == (1, None)


async def test_writers_at_the_same_time_make_one_summary():
    async def slow(records: Sequence[MemoryRecord]) -> str:
        await asyncio.sleep(0.01)
        return joined(records)

    memory = MemoryPrimitive(summarizer=slow, summarize_when={"records": 20})
    await asyncio.gather(
        *(memory.append("ann", "mon", [{"text": str(number)}]) for number in range(30))
    )
    assert memory.summarized == (1, None)
    assert memory.size() == 31


def test_a_summarizer_may_write_to_the_memory_itself():
    def noting(records: Sequence[MemoryRecord]) -> str:
        memory.append("ann", "mon", [{"text": f"summarized {len(records)}"}])
        return joined(records)

    memory = made(summarizer=noting)
    say(memory, *map(str, range(5)))
    assert summaries(memory) == ["0;1;2"]


@pytest.mark.usefixtures("no_automatic_reconnect")
def test_a_session_that_is_due_in_an_outage_is_summarized_afterwards(memory, proxy, clock):
    memory.summarize_when = {"records": 2, "summarizer": joined, "originals": "delete"}
    memory.sync.add("ann:mon:00000000", {"text": "0"})
    proxy.refuse()
    for number in range(1, 4):
        clock.tick()
        memory.sync.add(f"ann:mon:{number:08x}", {"text": str(number)})
    assert (memory.summarized, memory.size()) == ((0, None), 4)
    proxy.heal()
    assert memory.sync.reconnect()
    clock.tick()
    memory.sync.add("note", {"text": "the server is back"})
    [summary] = memory.sync.records(where={"type": "summary"})
    assert summary.value["text"] == "0;1;2"
    assert memory.size() == 3


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({}, "summarize_when: it does not say when; give records=, bytes= or both"),
        (50, "summarize_when=50: give a SummaryPolicy, or a dict such as {'records': 50}"),
        ({"turns": 5}, "summarize_when: 'turns' is no argument of a SummaryPolicy; it takes rec"),
        ({"records": 0}, "records=0: give an int of at least 1, at most 20,000"),
        ({"records": 10**6}, "records=1000000: give an int of at least 1, at most 20,000"),
        ({"bytes": "1k"}, "bytes='1k': give an int of at least 1"),
        ({"records": 5, "keep_last": 5}, "keep_last=5: give fewer than records=5"),
        ({"records": 5, "originals": "burn"}, "originals='burn': give 'keep'"),
        ({"records": 5, "timeout": 0}, "timeout=0"),
        ({"records": 5, "summarizer": "short"}, "summarizer='short': give 'extractive'"),
    ],
)
def test_bad_policies_are_named(when, message):
    with pytest.raises(InvalidArgument, match=re.escape(message)):
        MemoryPrimitive(summarize_when=when)
    memory = made()
    with pytest.raises(InvalidArgument, match=re.escape(message)):
        memory.summarize_when = when
    assert memory.summarize_when == SummaryPolicy(records=4)


# ---- in a notebook


def test_the_command_begins_and_ends_it():
    nb = Notebook(MemoryPrimitive(summarizer=joined, clock=Clock()))
    reply = digesting.summarize(nb, when="4", originals="expire", keep_last=1)
    assert reply.text == (
        "from now on, sessions of more than 4 records are summarized after a write of this kernel"
    )
    assert nb.memory.summarize_when == SummaryPolicy(records=4, originals="expire", keep_last=1)
    say(nb.memory.sync, *map(str, range(5)))
    facts = memories.info(nb).value["value"]
    assert facts["summarized after writes"] == "sessions of more than 4 records; 1 so far"
    assert digesting.summarize(nb, when="64kB").text.startswith(
        "from now on, sessions of more than 64,000 bytes are"
    )
    policy: Any = SummaryPolicy(records=9)
    digesting.summarize(nb, when=policy)
    assert nb.memory.summarize_when is policy
    ended = "sessions are not summarized after writes any more"
    assert digesting.summarize(nb, when="off").text == ended
    assert "summarized after writes" not in memories.status(nb).value.index


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"when": "often"}, "when='often': give a number of records such as 50, of bytes such"),
        ({"when": "5", "user": "ann"}, "--when: it is about every session"),
        ({"when": "off", "keep_last": 3}, "--keep-last: it has no meaning with --when off"),
    ],
)
def test_bad_flags_are_named(flags, message):
    nb = Notebook(MemoryPrimitive())
    with pytest.raises(InvalidArgument, match=re.escape(message)):
        digesting.summarize(nb, **flags)
    assert nb.memory.summarize_when is None
