"""Forgetting: what a policy lets go, why, and that nothing else is lost."""

from __future__ import annotations

import re
from typing import Any

import pytest
from backends import EVERY_BACKEND, Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_memory_nb import ForgetPolicy, InvalidArgument, MemoryPrimitive
from tta_memory_nb.entry import Entry
from tta_memory_nb.memory.forgetting.choose import chosen, last_uses
from tta_memory_nb.notebook.commands import Notebook, digesting, writing

HOUR, DAY = 3600.0, 86400.0


@pytest.fixture
def memory():
    """Six records of two sessions, written a day apart."""
    clock = Clock()
    memory = MemoryPrimitive(clock=clock).sync
    for number in range(6):
        session = ("mon", "tue")[number % 2]
        memory.add(
            f"ann:{session}:{number:08x}",
            {"text": f"note {number}", "type": ("chat", "fact")[number % 2]},
        )
        clock.tick(DAY)
    return memory


def numbers(result: Any) -> list[int]:
    return [int(key[-8:], 16) for key in result.keys]


RULES: list[tuple[dict[str, Any], list[int]]] = [
    ({"older_than": "4d"}, [0, 1]),
    ({"keep_per_session": 2}, [0, 1]),
    ({"keep_per_session": 0}, [0, 1, 2, 3, 4, 5]),
    ({"max_records": 4}, [0, 1]),
    ({"max_bytes": 100}, [0, 1, 2]),
    ({"max_tokens": 10, "tokens": lambda _: 5}, [0, 1, 2, 3]),
    ({"max_age_of": {"chat": "3d", "fact": None}}, [0, 2]),
    ({"max_age_of": {"fact": "3d"}, "type_field": "type"}, [1]),
    ({"older_than": "5d", "keep_per_session": 2}, [0, 1]),
    ({"max_records": 4, "keep": ["ann:mon:00000000"]}, [1, 2]),
    ({"keep_per_session": 2, "keep": ["ann:mon:00000000"]}, [1, 2]),
    ({"unused_for": "4d"}, [0, 1]),
    ({"older_than": "30d"}, []),
]


@pytest.mark.parametrize(("rules", "expected"), RULES, ids=lambda each: str(each)[:40])
def test_each_rule_lets_go_what_it_says(memory, rules, expected):
    preview = memory.forget(ForgetPolicy(**rules), dry_run=True)
    assert numbers(preview) == expected
    assert memory.size() == 6
    assert all(each.reason for each in preview.forgotten)
    assert len(preview.table) == len(expected)
    done = memory.forget(ForgetPolicy(**rules), everything=True)
    assert numbers(done) == expected
    assert memory.size() == 6 - len(expected)


def test_pinned_records_stay_and_count(memory):
    memory.add("ann:mon:00000000", {"text": "the name of Ana's doctor", "pinned": True})
    memory.add("ann:mon:00000002", {"text": "no pin", "pinned": "yes"})
    assert numbers(memory.forget(ForgetPolicy(max_records=1), dry_run=True)) == [1, 3, 4, 5, 2]
    assert numbers(memory.forget(ForgetPolicy(max_records=0))) == [1, 3, 4, 5, 2]
    assert memory.keys() == ["ann:mon:00000000"]


def test_reasons_are_sentences_about_the_record(memory):
    policy = ForgetPolicy(
        older_than="4d", keep_per_session=2, max_records=3, max_age_of={"chat": "3d"}
    )
    reasons = {each.key[-1]: each.reason for each in memory.forget(policy, dry_run=True).forgotten}
    assert reasons == {
        "0": "last written 6 days ago, more than 4 days",
        "1": "last written 5 days ago, more than 4 days",
        "2": "type=chat, last written 4 days ago, more than 3 days",
    }
    [first, *_] = memory.forget(ForgetPolicy(max_records=1), dry_run=True).forgotten
    assert first.reason == "least recently used, and there are more than 1 records"
    [first, *_] = memory.forget(ForgetPolicy(keep_per_session=1), dry_run=True).forgotten
    assert first.reason == "not among the 1 newest records of ann:mon"


@pytest.mark.backends(*EVERY_BACKEND)
def test_what_is_forgotten_is_brought_back_by_undo(make):
    memory = make().sync
    memory.add_many({f"ann:mon:{number:08x}": {"text": f"note {number}"} for number in range(4)})
    done = memory.forget(ForgetPolicy(max_records=1), prefix="ann:")
    assert numbers(done) == [0, 1, 2]
    assert memory.keys() == ["ann:mon:00000003"]
    memory.undo(done.change)
    assert memory.keys() == [f"ann:mon:{number:08x}" for number in range(4)]


def test_a_record_that_is_written_meanwhile_stays(memory):
    def tokens(text: str) -> int:
        if "note 1" in text:
            memory.add("ann:tue:00000001", {"text": "changed"})
        return 5

    done = memory.forget(ForgetPolicy(max_tokens=10, tokens=tokens))
    assert numbers(done) == [0, 2, 3]
    assert memory.get("ann:tue:00000001") == {"text": "changed"}


def test_a_policy_that_would_delete_everything_asks(memory):
    policy = ForgetPolicy(older_than="1h")
    with pytest.raises(
        InvalidArgument, match=r"policy: it would delete every record, all 6 of them"
    ):
        memory.forget(policy)
    with pytest.raises(InvalidArgument, match=r"all 3 of them"):
        memory.forget(policy, session="mon")
    assert memory.size() == 6
    assert len(memory.forget(policy, everything=True)) == 6
    assert memory.size() == 0
    assert not memory.forget(policy)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({}, "policy: it has no rule, so nothing would be forgotten; give one of older_than"),
        ({"keep": ["k"]}, "policy: it has no rule"),
        ({"older_than": "soon"}, "older_than='soon'"),
        ({"unused_for": 0}, "unused_for=0"),
        ({"max_records": -1}, "max_records=-1: give an int of at least 0"),
        ({"max_bytes": True}, "max_bytes=True: give an int of at least 0"),
        ({"max_age_of": ["chat"]}, "max_age_of=['chat']: give a dict"),
        ({"max_age_of": {"chat": "x"}}, "max_age_of['chat']='x'"),
        ({"max_tokens": 5, "tokens": "gpt"}, "tokens='gpt': give a function"),
        ({"max_records": 5, "keep": "k"}, "keep='k': give a list of keys"),
        ({"max_records": 5, "keep": 7}, "keep=7: give a list of keys"),
        ({"max_records": 5, "keep": ["k", 1]}, "key=1: a key is a non-empty str"),
    ],
)
def test_bad_policies_are_named(rules, message):
    with pytest.raises(InvalidArgument, match=re.escape(message)):
        ForgetPolicy(**rules)


def test_something_else_is_no_policy(memory):
    with pytest.raises(InvalidArgument, match="policy='30d': give a ForgetPolicy"):
        memory.forget("30d")


def test_a_policy_can_be_applied_at_writes_every_so_often(memory, caplog):
    clock = memory.clock
    done = memory.forget(ForgetPolicy(max_records=4), every="1h")
    assert numbers(done) == [0, 1]
    memory.add("ann:mon:00000006", {"text": "note 6"})
    assert memory.size() == 5
    clock.tick(HOUR)
    assert memory.size() == 5
    memory.add("ann:mon:00000007", {"text": "note 7"})
    assert memory.size() == 4
    memory.add_many({f"ann:mon:{number:08x}": {} for number in (8, 9)})
    assert memory.size() == 6
    clock.tick(HOUR)
    memory.add_many({"ann:mon:0000000a": {}})
    assert memory.keys() == [f"ann:mon:{number:08x}" for number in (7, 8, 9, 10)]
    clock.tick(HOUR)
    memory.append("ann", "wed", [{}])
    assert memory.size() == 4
    memory.forget(None)
    clock.tick(HOUR)
    memory.add("ann:mon:0000000b", {})
    assert memory.size() == 5
    assert not caplog.records


def test_a_policy_at_writes_deletes_not_everything_and_fails_no_write(memory, caplog):
    memory.forget(ForgetPolicy(older_than="30d"), every="1h", dry_run=True)
    memory.forget(ForgetPolicy(older_than="1s"), every="1h", prefix="ann:mon:0000001")
    memory.add("ann:mon:00000010", {"text": "new"})
    memory.clock.tick(60 * DAY)
    memory.add("ann:tue:00000009", {"text": "new"})
    assert memory.size() == 8
    assert (
        "the policy for forgetting was not applied: policy: it would delete every record"
        in caplog.text
    )


# ---- what was read after it was due


def _note(number: int) -> str:
    return f"ann:{('mon', 'tue')[number % 2]}:{number:08x}"


@pytest.mark.parametrize(
    ("rules", "due"),
    [
        # The notes are a day apart; the days from the first one on after which each is due.
        ({"older_than": "3d"}, {0: 3, 1: 4, 2: 5}),
        ({"max_age_of": {"chat": "2.5d"}}, {0: 2.5, 2: 4.5}),
        ({"unused_for": "3d"}, {0: 3, 1: 4, 2: 5}),
        ({"keep_per_session": 2}, {0: 4, 1: 5}),
        ({"keep_per_session": 0}, {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5}),
        ({"max_records": 4}, {0: 4, 1: 5}),
        ({"max_tokens": 10, "tokens": lambda _: 5}, {0: 2, 1: 3, 2: 4, 3: 5}),
        ({"older_than": "3d", "max_records": 1}, {0: 1, 1: 2, 2: 3, 3: 4, 4: 5}),
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_record_is_due_from_the_instant_at_which_the_policy_would_have_deleted_it(
    memory, rules, due
):
    start = memory.clock() - 6 * DAY
    preview = memory.forget(ForgetPolicy(**rules), dry_run=True)
    found = {int(each.key[-8:], 16): (each.due_at - start) / DAY for each in preview.forgotten}
    if rules == {"older_than": "3d", "max_records": 1}:
        # What is deleted by its age leaves room to the others.
        assert set(found) == set(due)
        assert (found[0], found[1], found[2]) == (3, 4, 5)
    else:
        assert found == pytest.approx(due)


def test_a_preview_says_what_was_read_after_it_was_due(memory):
    policy = ForgetPolicy(older_than="3d")
    preview = memory.forget(policy, dry_run=True)
    assert preview.traced_since is None
    assert preview.read_later.endswith("is unknown, since no trace was on")
    assert "reads_since" not in preview.table
    with memory.trace():
        assert "none of them was read" in memory.forget(policy, dry_run=True).read_later
        memory.get(_note(0))
        memory.search("note 0")
        memory.search("note 3")
        memory.get("nobody")
        memory.clock.tick(DAY)
        preview = memory.forget(policy, dry_run=True)
        # The note that was read before it was due is none of those that were missed.
        assert {int(each.key[-8:], 16): each.reads_since for each in preview.forgotten} == {
            0: 2,
            1: 0,
            2: 0,
            3: 0,
        }
        assert preview.read_later.startswith(
            "1 of them was read after it was due, by the trace since"
        )
        assert "by test_a_preview" in preview.table["last_read"].loc[_note(0)]
        assert sum(preview.table["reads_since"]) == 2
        done = memory.forget(policy)
        assert sum(each.reads_since for each in done.forgotten) == 2


# ---- the order of use

operations = st.lists(
    st.tuples(st.sampled_from(("write", "read")), st.integers(0, 5), st.integers(1, 5)), max_size=25
)


@settings(max_examples=200, deadline=None)
@given(operations)
def test_no_record_is_called_unused_that_was_read_among_later_writes(steps):
    """Compares with a memory that notes each use: what is said to be unused was unused, or its read left no trace."""
    used: dict[int, float] = {}
    written: dict[int, float] = {}
    order: list[int] = []
    now = 0.0
    for what, number, pause in steps:
        now += pause
        if what == "read" and number not in written:
            continue
        if what == "write":
            written[number] = now
        used[number] = now
        order = [each for each in order if each != number] + [number]
    entries = [
        Entry(str(number), b"{}", written[number], written[number], None) for number in order
    ]
    for place, (number, said) in enumerate(zip(order, last_uses(entries, now), strict=True)):
        assert written[number] <= said <= now
        behind = max((written[each] for each in order[:place]), default=float("-inf"))
        if written[number] < behind:  # it was read: its place shows that
            assert said >= behind


@settings(max_examples=100, deadline=None)
@given(
    ages=st.lists(st.integers(0, 100), max_size=12),
    most=st.integers(0, 12),
    older=st.integers(1, 100),
    pins=st.sets(st.integers(0, 11)),
)
def test_what_stays_is_within_the_limits_or_pinned(ages, most, older, pins):
    now = 1_000.0
    entries = [
        Entry(
            f"k{number}",
            b'{"pinned":true}' if number in pins else b"{}",
            now - age,
            now - age,
            None,
        )
        for number, age in enumerate(ages)
    ]
    policy = ForgetPolicy(max_records=most, older_than=older)
    gone = {each.key for each in chosen(policy, entries, now)}
    left = [entry for entry in entries if entry.key not in gone]
    free = [entry for entry in left if entry.text == b"{}"]
    assert all(now - entry.updated_at <= older for entry in free)
    assert len(left) <= most or not free
    assert not gone & {f"k{number}" for number in pins}


# ---- in a notebook


def test_the_command_shows_first_and_deletes_with_yes(memory):
    nb = Notebook(MemoryPrimitive())
    nb.memory.sync.add_many(
        {f"ann:mon:{number:08x}": {"text": f"note {number}"} for number in range(4)}
    )
    reply = digesting.forget(nb, keep_per_session=1)
    assert re.fullmatch(
        r"would forget 3 of 4 records, \d+ bytes; nothing is deleted yet: add --yes to do it\n"
        r"whether any .* is unknown, since no trace was on; %memory trace on begins one",
        reply.text,
    )
    assert list(reply.value.table.columns) == ["reason", "updated", "bytes", "text"]
    assert "not among the 1 newest" in reply.value._repr_html_()
    reply = digesting.forget(nb, policy=ForgetPolicy(keep_per_session=1), yes=True)
    assert reply.text.startswith("forgot 3 of 4 records")
    assert nb.memory.sync.size() == 1
    assert writing.undo(nb).text == "forget undone: 3 records brought back"
    assert (
        digesting.forget(nb, older_than="1d").text
        == "nothing to forget: no rule lets any of 4 records go"
    )
    with pytest.raises(InvalidArgument, match="--policy: give either a policy or rules"):
        digesting.forget(nb, policy=ForgetPolicy(max_records=1), max_records=1)
    with pytest.raises(InvalidArgument, match="policy: it has no rule"):
        digesting.forget(nb)
