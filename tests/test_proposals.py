"""Changes that an agent proposes, and a person approves or rejects: the contract, a model, and what a person sees."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Thread
from typing import Any

import pytest
from backends import ONE_SERVER, Clock
from hypothesis import given, settings
from hypothesis import strategies as st
from real_servers import need

from tta_memory_nb import (
    CapacityExceeded,
    Conflict,
    InvalidArgument,
    MemoryPrimitive,
    NotStorable,
    StoreUnavailable,
)
from tta_memory_nb.frames import frame_html, frame_text, proposals_frame
from tta_memory_nb.memory.proposing import propose
from tta_memory_nb.memory.proposing.proposal import Proposals
from tta_memory_nb.memory.word_diff import field_diffs, word_diff, written
from tta_memory_nb.notebook.commands import COMMANDS, Notebook

pytestmark = pytest.mark.backends("in-memory", "file", ONE_SERVER)

KEY = "ann:monday"
BEFORE = {"text": "Ann lives in Lyon", "n": 1}
AFTER = {"text": "Ann lives in Paris", "n": 1}


@pytest.fixture
def memory(make) -> Iterator[MemoryPrimitive]:
    memory = make()
    memory.sync.add(KEY, BEFORE)
    yield memory
    memory.sync.clear()
    memory._verbs.companions.of("proposals").sync.clear()


@pytest.fixture
def local(clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=clock)
    memory.sync.add(KEY, BEFORE)
    return memory


def records(memory: MemoryPrimitive) -> dict[str, Any]:
    return {record.key: record.value for record in memory.sync.records()}


# ---- the contract


def test_nothing_changes_before_a_proposal_is_approved_and_the_decision_is_recorded(memory, clock):
    sync = memory.sync
    proposal = sync.propose("add", KEY, AFTER, ttl="1h", reason="she moved", by="agent 1.0")
    unseen = sync.propose("add", "ann:unseen", {"text": "Ann lives on Mars"})
    assert records(memory) == {KEY: BEFORE}
    assert sync.search("Paris") == sync.search("Mars") == []
    assert sync.size() == sync.count() == 1
    assert [each.id for each in sync.proposals()] == [proposal.id, unseen.id]
    clock.tick(60)
    change = sync.approve(proposal, by="ben")
    assert records(memory) == {KEY: AFTER}
    assert sync.ttl(KEY) == 3600
    [approved] = sync.proposals("approved")
    assert (approved.id, approved.decided_by, approved.decided_at) == (proposal.id, "ben", clock())
    assert (approved.proposed_by, approved.reason) == ("agent 1.0", "she moved")
    sync.undo(change)
    assert records(memory) == {KEY: BEFORE}

    rejected = sync.reject(unseen.id, by="ben", note="no")
    assert records(memory) == {KEY: BEFORE}
    assert (rejected.status, rejected.note) == ("rejected", "no")
    assert sync.proposals() == []
    assert {each.status for each in sync.proposals(None)} == {"approved", "rejected"}
    with pytest.raises(Conflict, match="'ben' has rejected it"):
        sync.approve(unseen)
    with pytest.raises(Conflict, match="'ben' has approved it"):
        sync.reject(proposal)
    clock.tick(propose.KEPT_FOR + 1)
    assert sync.proposals(None) == []


@pytest.mark.backends("in-memory", "file", ONE_SERVER, "cluster")  # where they are on two nodes
async def test_a_deletion_is_proposed_and_carried_out_by_the_awaited_face_as_well(memory):
    proposal = await memory.propose("delete", KEY)
    assert await memory.get(KEY) == BEFORE
    [seen] = await memory.proposals()
    assert (seen.id, seen.value, seen.before, seen.now) == (proposal.id, None, BEFORE, BEFORE)
    change = await memory.approve(seen)
    assert await memory.get(KEY) is None
    await memory.undo(change)
    assert await memory.get(KEY) == BEFORE


def test_a_record_that_has_changed_is_a_conflict_which_can_be_overruled(memory):
    sync = memory.sync
    proposal, deletion = sync.propose("add", KEY, AFTER), sync.propose("delete", KEY)
    new = sync.propose("add", "ann:new", AFTER)
    sync.add(KEY, {"text": "Ann lives in Rome"})
    sync.add("ann:new", {})
    for each, what in (
        (proposal, "has changed"),
        (deletion, "has changed"),
        (new, "exists by now"),
    ):
        with pytest.raises(Conflict, match=what) as failed:
            sync.approve(each)
        assert failed.value.keys == (each.key,)
    assert records(memory) == {KEY: {"text": "Ann lives in Rome"}, "ann:new": {}}
    assert all(each.has_changed for each in sync.proposals())
    sync.delete(KEY)
    with pytest.raises(Conflict, match="does not exist any more"):
        sync.approve(proposal)
    sync.approve(proposal, anyway=True)
    assert records(memory)[KEY] == AFTER
    # The value counts and not the write: what is again as it was can be approved.
    sync.add(KEY, BEFORE)
    sync.approve(deletion)
    assert KEY not in records(memory)


def test_of_several_who_decide_at_once_one_succeeds(memory):
    proposal = memory.sync.propose("add", KEY, AFTER)
    barrier, outcomes = Barrier(4), list[str]()

    def decide(verb: str) -> None:
        barrier.wait()
        try:
            getattr(memory.sync, verb)(proposal)
            outcomes.append(verb)
        except Conflict:
            outcomes.append("conflict")

    threads = [Thread(target=decide, args=(verb,)) for verb in ("approve", "reject") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("conflict") == 3
    [decided] = memory.sync.proposals(None)
    assert (records(memory) == {KEY: AFTER}) == (decided.status == "approved")


@pytest.mark.backends("file", ONE_SERVER)
def test_another_process_sees_the_proposals_and_can_decide(memory, backend):
    address = f"file:{memory.store._path}" if backend == "file" else need(backend).url
    other = MemoryPrimitive(address, namespace=memory.namespace, clock=memory.clock)
    proposal = other.sync.propose("add", KEY, AFTER)
    memory.sync.approve(proposal.id)
    assert other.sync.get(KEY) == AFTER
    assert other.sync.proposals() == []
    other.sync.close()


# ---- what may go wrong in between


def interrupted(monkeypatch, name: str) -> None:
    """Has a step of an approval end its process, as far as this test goes."""

    def end(*_args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(propose.Proposing, name, end)


@pytest.mark.backends("in-memory")
def test_an_approval_that_ends_before_the_record_is_written_can_be_repeated(
    local, clock, monkeypatch
):
    proposal = local.sync.propose("add", KEY, AFTER)
    with monkeypatch.context() as patch:
        interrupted(patch, "_carry_out")
        with pytest.raises(KeyboardInterrupt):
            local.sync.approve(proposal, by="ben")
    assert records(local) == {KEY: BEFORE}
    for decide in (local.sync.approve, local.sync.reject):
        with pytest.raises(Conflict, match="'ben' is approving it at this moment"):
            decide(proposal)
    clock.tick(propose.CLAIMED_FOR)
    local.sync.approve(proposal, by="cleo")
    assert records(local) == {KEY: AFTER}
    assert [each.decided_by for each in local.sync.proposals("approved")] == ["cleo"]


@pytest.mark.backends("in-memory")
def test_an_approval_that_ends_after_the_record_is_written_is_not_carried_out_twice(
    local, clock, monkeypatch
):
    proposal = local.sync.propose("add", KEY, AFTER)
    with monkeypatch.context() as patch:
        interrupted(patch, "_decide")
        with pytest.raises(KeyboardInterrupt):
            local.sync.approve(proposal, by="ben")
    assert records(local) == {KEY: AFTER}
    clock.tick(propose.CLAIMED_FOR)
    with pytest.raises(Conflict, match="the record is as proposed"):
        local.sync.reject(proposal)
    token = local.sync.change_token()
    assert not local.sync.approve(proposal, by="cleo").written
    assert local.sync.change_token() == token
    assert [each.decided_by for each in local.sync.proposals("approved")] == ["ben"]


@pytest.mark.backends("in-memory")
def test_a_write_that_fails_leaves_the_proposal_pending(local, monkeypatch):
    proposal = local.sync.propose("add", KEY, AFTER)

    def away(*_args: Any, **_options: Any) -> None:
        raise StoreUnavailable("the server is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(local._verbs), "apply", away)
        with pytest.raises(StoreUnavailable):
            local.sync.approve(proposal)
    assert [each.being_approved_by for each in local.sync.proposals()] == [None]
    local.sync.approve(proposal)
    assert records(local) == {KEY: AFTER}


@pytest.mark.backends("in-memory")
def test_the_same_proposal_is_kept_once_and_at_most_a_number_of_them(local, monkeypatch):
    sync = local.sync
    assert sync.propose("add", KEY, AFTER) == sync.propose("add", KEY, AFTER, reason="again")
    # Decided and proposed again, it is another one.
    first = sync.proposals()[0]
    sync.reject(first)
    assert sync.propose("add", KEY, AFTER).id != first.id
    monkeypatch.setattr(propose, "MOST_PENDING", 1)
    with pytest.raises(CapacityExceeded, match="1 proposals wait"):
        sync.propose("delete", KEY)


@pytest.mark.backends("in-memory")
@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("edit", KEY, {}), {}, InvalidArgument, "action='edit'"),
        (("add", "", {}), {}, InvalidArgument, "key=''"),
        (("add", KEY), {}, NotStorable, "value"),
        (("add", KEY, {}), {"reason": 3}, InvalidArgument, "reason=3"),
        (("add", KEY, {"n": object()}), {}, NotStorable, "n"),
        (("add", KEY, {}), {"ttl": -1}, InvalidArgument, "ttl=-1"),
        (("delete", KEY, {}), {}, InvalidArgument, "neither a value nor a ttl"),
        (("delete", "nobody"), {}, InvalidArgument, "no such record"),
    ],
)
def test_a_proposal_that_means_nothing_is_refused(local, arguments, options, error, message):
    with pytest.raises(error, match=message):
        local.sync.propose(*arguments, **options)
    assert local.sync.proposals(None) == []


@pytest.mark.backends("in-memory")
def test_decisions_about_nothing_are_refused(local):
    for decide in (local.sync.approve, local.sync.reject):
        with pytest.raises(InvalidArgument, match="no such proposal"):
            decide("00000000")
        with pytest.raises(InvalidArgument, match="proposal=3"):
            decide(3)
    with pytest.raises(InvalidArgument, match="status='open'"):
        local.sync.proposals("open")


@pytest.mark.backends("in-memory")
def test_what_others_write_beside_a_memory_is_no_proposal(local):
    beside = local._verbs.companions.of("proposals").sync
    beside.add("pending/x", {"text": "no proposal"})
    beside.add(
        "pending/y",
        {"id": "y", "action": "drop", "key": 1, "value": 1, "proposed_at": 1, "status": "x"},
    )
    assert local.sync.proposals(None) == []
    with pytest.raises(InvalidArgument, match="no such proposal"):
        local.sync.approve("x")


# ---- a model

KEYS = st.sampled_from(["a", "b"])
VALUES = st.sampled_from([{"n": 1}, {"n": 1.0}, {"n": True}, {"m": 1, "n": 2}, {"n": 2, "m": 1}])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["write", "propose add"]), KEYS, VALUES),
    st.tuples(st.sampled_from(["delete", "propose delete"]), KEYS, st.none()),
    st.tuples(st.sampled_from(["approve", "reject"]), st.integers(0, 5), st.booleans()),
)


@pytest.mark.backends("in-memory")
@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_proposals_do_what_a_model_of_dicts_does(steps):
    memory = MemoryPrimitive(clock=Clock()).sync
    there: dict[str, Any] = {}
    made: list[tuple[Any, str, Any, Any]] = []  # the proposal, its key, its value, the value before
    open_: set[str] = set()
    for what, first, second in steps:
        if what == "write":
            memory.add(first, second)
            there[first] = second
        elif what == "delete":
            memory.delete(first)
            there.pop(first, None)
        elif what == "propose delete" and first not in there:
            with pytest.raises(InvalidArgument):
                memory.propose("delete", first)
        elif what.startswith("propose"):
            action: Any = what.split()[1]
            proposal = memory.propose(action, first, second)
            open_.add(proposal.id)
            made.append((proposal, first, second, there.get(first)))
        elif made:
            proposal, key, value, before = made[first % len(made)]
            # 1, 1.0 and true are different values, and so are fields in another order.
            may = proposal.id in open_ and (
                what == "reject" or second or repr(there.get(key)) == repr(before)
            )
            if not may:
                with pytest.raises(Conflict):
                    memory.reject(proposal) if what == "reject" else memory.approve(proposal)
                continue
            open_.discard(proposal.id)
            if what == "reject":
                memory.reject(proposal)
                continue
            memory.approve(proposal, anyway=second)
            there.pop(key, None)
            if value is not None:
                there[key] = value
        found = {record.key: record.value for record in memory.records()}
        assert repr(sorted(found.items())) == repr(sorted(there.items()))
        assert {each.id for each in memory.proposals()} == open_


# ---- differences


@given(st.text("ab c\n.é", max_size=30), st.text("ab c\n.é", max_size=30))
def test_the_pieces_of_a_difference_make_both_texts(before, after):
    parts = word_diff(before, after)
    assert "".join(text for sign, text in parts if sign != "+") == before
    assert "".join(text for sign, text in parts if sign != "-") == after
    assert all(text for _, text in parts)


def test_a_difference_is_one_of_words():
    parts = word_diff("It rains in Lyon, Ann says", "It snows in Paris, Ann says")
    assert written(parts) == "It [-rains-]{+snows+} in [-Lyon-]{+Paris+}, Ann says"
    assert written(word_diff("a b c", "x y z")) == "[-a b c-]{+x y z+}"
    long = "a b " * 2000
    assert written(word_diff(f"{long}end", f"new {long}end")).endswith("end")


def test_fields_are_compared_one_by_one():
    diffs = field_diffs(
        {"text": "a b", "n": 1, "same": [1], "agent": {"name": "x"}},
        {"text": "a c", "n": 1.5, "same": [1], "agent": {"name": "y"}, "new": True},
    )
    assert {each.field: written(each.parts) for each in diffs} == {
        "text": "a [-b-]{+c+}",
        "n": "[-1-]{+1.5+}",
        "agent.name": "[-x-]{+y+}",
        "new": "{+true+}",
    }
    assert [each.field for each in field_diffs(None, {"a": 1})] == ["a"]


# ---- in a notebook


@pytest.fixture
def nb(local) -> Notebook:
    return Notebook(local)


def run(nb: Notebook, *ids: str, **flags: Any) -> Any:
    return COMMANDS["proposals"](nb, ids, **flags)


@pytest.mark.backends("in-memory")
def test_the_command_shows_and_decides(nb):
    sync = nb.memory.sync
    moved = sync.propose("add", KEY, AFTER, by="agent 1.0")
    deleted = sync.propose("delete", KEY)
    reply = run(nb)
    assert reply.text.startswith("2 proposals wait for a decision")
    assert next(iter(reply.value["change"])) == "text: Ann lives in [-Lyon-]{+Paris+}"
    assert "text: Ann lives in [-Lyon-]{+" in frame_text(reply.value)
    assert "<mark>[-Lyon-]</mark>" in frame_html(reply.value)

    reply = run(nb, "all", approve=True)
    assert f"approved {moved.id} (add {KEY}); %memory undo takes it back" in reply.text
    assert f"not approved: proposal {deleted.id}" in reply.text
    assert sync.get(KEY) == AFTER
    assert list(run(nb, deleted.id).value["status"]) == ["conflict"]
    with pytest.raises(Conflict, match="nothing was approved"):
        run(nb, deleted.id, approve=True)
    COMMANDS["undo"](nb)
    assert sync.get(KEY) == BEFORE
    assert run(nb, deleted.id, reject=True, note="no").text.startswith("rejected")
    assert list(run(nb, status="all").value["note"]) == ["", "no"]
    assert run(nb).text == "no proposal waits for a decision"
    assert frame_html(run(nb).value) is not None
    assert "No proposals" in frame_text(run(nb).value)


@pytest.mark.backends("in-memory")
@pytest.mark.parametrize(
    ("ids", "flags", "message"),
    [
        ((), {"approve": True}, "IDS: give the proposals"),
        (("all",), {"approve": True}, "no proposal is pending"),
        (("x",), {"reject": True}, "no such pending proposal"),
        (("x",), {"reject": True, "approve": True}, "give one of the two"),
        ((), {"note": "x"}, "belongs to a decision"),
        (("x",), {"approve": True, "note": "x"}, "why a proposal is rejected"),
        ((), {"status": "open"}, "status='open'"),
    ],
)
def test_a_command_without_meaning_is_refused(nb, ids, flags, message):
    with pytest.raises(InvalidArgument, match=message):
        run(nb, *ids, **flags)


@pytest.mark.backends("in-memory")
def test_hostile_proposals_are_shown_escaped(local):
    hostile = "<img src=x onerror=alert(1)>\x1b[31m\n=cmd|"
    local.sync.propose("add", f"k{hostile}", {hostile: hostile}, reason=hostile, by=hostile)
    proposals = local.sync.proposals()
    html, text = frame_html(proposals_frame(proposals)), frame_text(proposals.table)
    assert "<img" not in html
    assert "\x1b" not in text
    assert "&lt;img" in html
    assert proposals._repr_html_() == html
    assert repr(Proposals()) == "[]"
