"""Earlier versions of records: what was known at an instant, what a record was, and who changed it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from backends import EVERY_BACKEND, ONE_SERVER, WITH_A_STAND_IN, Clock, examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_memory_nb import Conflict, InvalidArgument, MemoryPrimitive, SyncMemory
from tta_memory_nb.authorship import begin_cell
from tta_memory_nb.stores.history.bounds import History, read_history

KEEPERS = ("in-memory", "file", "stand-in", ONE_SERVER)
"""One backend of each kind that keeps changes in its own way."""

MANY = 100_000
"""More changes than any test makes."""


_opened: list[SyncMemory] = []


def memory_on(backend: str, clock: Clock, history: Any = MANY, **arguments: Any) -> SyncMemory:
    _close_all()
    made: MemoryPrimitive = WITH_A_STAND_IN[backend](clock=clock, history=history, **arguments)
    _opened.append(made.sync)
    return made.sync


@pytest.fixture(autouse=True)
def closes_what_it_has_opened() -> Iterator[None]:
    yield
    _close_all()


def _close_all() -> None:
    while _opened:
        _opened.pop().close()


# ---- the answer as of then is the answer given then

keys = st.sampled_from(["ann:1", "ann:2", "bob:1", "x"])
values = st.sampled_from([{"text": "rain"}, {"text": "Rain in Málaga", "turn": 1}, {}, {"n": None}])
ttls = st.none() | st.sampled_from([1, 2, 5])

Op = Callable[[SyncMemory, list[Any]], Any]


def _undo(memory: SyncMemory, changes: list[Any]) -> None:
    if changes:
        changes.append(memory.undo(changes.pop()))


ops: st.SearchStrategy[Op] = st.one_of(
    st.builds(lambda k, v, t: lambda m, _: m.add(k, v, t), keys, values, ttls),
    st.builds(lambda k, v: lambda m, _: m.add(k, v, 2, sliding=True), keys, values),
    st.builds(lambda k: lambda m, _: m.get(k), keys),
    st.builds(lambda k: lambda m, _: m.delete(k), keys),
    st.builds(lambda k, t: lambda m, _: m.touch([k], t), keys, ttls),
    st.builds(lambda v: lambda m, _: m.append("ann", "1", [v, v]), values),
    st.builds(
        lambda a, b, v: lambda m, c: c.append(m.apply({a: v}, [b] if a != b else [])),
        keys,
        keys,
        values,
    ),
    st.builds(lambda k: lambda m, c: c.append(m.remove([k])), keys),
    st.builds(lambda n: lambda m, c: c.append(m.resize(n)), st.integers(0, 4)),
    st.builds(lambda v: lambda m, _: m.add_many([("x", v), ("y", v), ("x", {})]), values),
    st.just(lambda m, c: c.append(m.take_all())),
    st.just(lambda m, _: m.clear()),
    st.just(_undo),
)
programs = st.lists(st.tuples(ops, st.sampled_from([0, 0.25, 1, 3])), max_size=25)


def answers(memory: SyncMemory, **as_of: Any) -> Any:
    """Returns what a memory says now, or as of an instant, with the records in the order in which they were written."""
    records = memory.records(order="written", **as_of)
    listed = [(r.key, r.value, r.created_at, r.updated_at) for r in records]
    # Reading a record that slides is no change, so the expiry of such a record is the last one.
    expiries = [None if r.sliding is not None else r.expires_at for r in records]
    found = memory.search_records("RAIN", 2, order="written", **as_of)
    values = {record.key: memory.get(record.key, **as_of) for record in records if as_of}
    assert not as_of or values == {record.key: record.value for record in records}
    return listed, expiries, [r.key for r in found], memory.count("rain", **as_of)


@pytest.mark.backends(*EVERY_BACKEND)
def test_the_answer_as_of_an_instant_is_the_one_that_was_given_then(backend):
    @settings(max_examples=examples(backend, 150), deadline=None)
    @given(programs)
    def check(program):
        clock, changes, given_then = Clock(), [], {}
        memory = memory_on(backend, clock, max_size=4)
        given_then[clock()] = answers(memory)
        for op, seconds in program:
            op(memory, changes)
            given_then[clock()] = answers(memory)
            clock.tick(seconds)
            given_then[clock()] = answers(memory)
        clock.tick(10)
        for instant, answer in given_then.items():
            assert answers(memory, as_of=instant) == answer

    check()


@pytest.mark.backends(*KEEPERS)
def test_what_is_done_to_a_restored_record_leaves_its_past_alone(backend):
    clock = Clock()
    memory = memory_on(backend, clock, max_size=4)
    memory.add("a", {"text": "rain"})
    deleted = memory.remove(["a"])
    memory.undo(deleted)
    before = clock()
    clock.tick()
    memory.touch(["a"], 5)
    assert [r.expires_at for r in memory.records()] == [clock() + 5]
    assert [r.expires_at for r in memory.records(as_of=before)] == [None]
    assert [entry.expires_at for entry in deleted.removed] == [None]


@pytest.mark.backends(*KEEPERS)
def test_all_that_happens_to_a_record_is_in_its_log(backend):
    clock = Clock()
    memory = memory_on(backend, clock, max_size=2)
    memory.add("a", {"text": "rain", "n": 1})
    clock.tick()
    memory.add("a", {"text": "sun"}, ttl=100)
    clock.tick()
    memory.touch(["a"], 50)
    clock.tick()
    change = memory.remove(["a"])
    clock.tick()
    memory.undo(change)
    clock.tick()
    memory.add_many({"b": {}, "c": {}})
    log = memory.log("a")
    assert [v.what for v in log] == [
        "evicted",
        "restored",
        "deleted",
        "touched",
        "changed",
        "added",
    ]
    assert [v.at - 1_800_000_000 for v in log] == [5, 4, 3, 2, 1, 0]
    assert [v.record and v.record.value for v in log] == [
        None, {"text": "sun"}, None, {"text": "sun"}, {"text": "sun"}, {"text": "rain", "n": 1},
    ]  # fmt: skip
    changed = {change.path: (change.before, change.after) for change in log[4].fields}
    assert changed["text",] == ("rain", "sun")
    assert log[3].fields[0].after == 1_800_000_052.0
    assert log[0].fields == log[1].fields == []
    assert log[1].author.action == "undo"
    assert memory.keys() == ["b", "c"]  # the log has read nothing


@pytest.mark.backends(*KEEPERS)
def test_an_expired_record_ends_when_it_expires_and_nobody_has_done_it(backend):
    clock = Clock()
    memory = memory_on(backend, clock)
    memory.add("a", {"text": "rain"}, ttl=5)
    clock.tick(60)
    newest, first = memory.log("a")
    assert (newest.what, newest.at, str(newest.author)) == ("expired", 1_800_000_005.0, "")
    assert first.what == "added"
    assert memory.get("a", as_of=1_800_000_004.5) == {"text": "rain"}
    assert memory.get("a", as_of=1_800_000_005.0) is None


@pytest.mark.backends(*KEEPERS)
def test_the_past_is_searched_in_every_mode_and_cannot_be_changed(backend):
    clock = Clock()
    memory = memory_on(backend, clock)
    memory.add("ann:1", {"text": "Ana moved to Lisbon"})
    memory.add("ann:2", {"text": "It rains"})
    clock.tick(60)
    memory.add("ann:1", {"text": "Ana moved to Porto"})
    memory.delete("ann:2")
    clock.tick(60)
    past = memory.as_of("90s")
    [hit] = past.hits("where did ana move", 1, "ranked")
    assert hit.entry.value() == {"text": "Ana moved to Lisbon"}
    assert past.search("rains") == memory.search("rains", as_of="90s") == [{"text": "It rains"}]
    assert past.size() == 2
    assert (len(past.records(since="40s")), len(past.records(since="20s"))) == (
        2,
        0,
    )  # from then on
    for change in (
        lambda: past.add("x", {}),
        lambda: past.delete("ann:1"),
        past.clear,
        lambda: past.touch(["ann:1"], 5),
        lambda: past.import_([{"key": "x"}]),
        lambda: past.append("ann", "1", [{}]),
    ):
        with pytest.raises(InvalidArgument, match=r"as of 2027-01-15 08:00:30Z.*cannot be changed"):
            change()
    assert memory.get("ann:1") == {"text": "Ana moved to Porto"}


@pytest.mark.backends(*KEEPERS)
def test_what_is_deleted_for_good_is_in_no_history(backend):
    clock = Clock()
    memory = memory_on(backend, clock)
    memory.add("a", {"text": "a secret that has to go"})
    memory.add("b", {"text": "rain"})
    clock.tick()
    memory.add("a", {"text": "a secret that has to go at once"})
    clock.tick()
    memory.delete("a", for_good=True)
    assert not memory.log("a")
    assert memory.keys(as_of=clock() - 2) == ["b"]


# ---- bounds

MEANT = [
    (None, None),
    (5, History(5)),
    ("7d", History(100_000, 7 * 86_400)),
    (timedelta(hours=1), History(100_000, 3600)),
]


@pytest.mark.parametrize(("given_", "expected"), MEANT)
def test_a_history_is_a_number_of_changes_or_a_time(given_, expected):
    assert read_history(given_) == expected


def test_a_history_says_what_it_keeps_in_words():
    said = {asked: str(read_history(asked)) for asked in ("7d", "1d", "90m", 5000)}
    assert said == {
        "7d": "changes of the last 7 days, at most 100,000",
        "1d": "changes of the last day, at most 100,000",
        "90m": "changes of the last 1:30:00, at most 100,000",
        5000: "the last 5,000 changes",
    }


@pytest.mark.parametrize("wrong", [0, -1, True, 2.5, "", "soon", 10**9, timedelta(0), [3]])
def test_anything_else_is_no_history(wrong):
    with pytest.raises(InvalidArgument, match="history="):
        MemoryPrimitive(history=wrong)


@pytest.mark.backends(*KEEPERS)
@pytest.mark.parametrize("history", [300, "300s"])
def test_what_has_been_dropped_is_said_and_not_guessed(backend, history):
    clock = Clock()
    memory = memory_on(backend, clock, history)
    for number in range(600):
        memory.add("a", {"n": number})
        clock.tick()
    assert memory.get("a", as_of="250s") == {"n": 350}
    assert len(memory.log("a")) == 301  # the oldest is what the first kept change has replaced
    assert memory.log("a")[-1].what == "known"
    with pytest.raises(InvalidArgument, match=r"as_of=.* since .*are kept.*larger history"):
        memory.get("a", as_of="400s")


@pytest.mark.backends(*KEEPERS)
def test_a_clock_that_is_set_back_leaves_the_order_of_changes(backend):
    clock = Clock()
    memory = memory_on(backend, clock)
    memory.add("a", {"n": 1})
    clock.tick(-100)
    memory.add("a", {"n": 2})
    clock.tick(200)
    memory.add("a", {"n": 3})
    assert [v.record.value["n"] for v in memory.log("a") if v.record] == [3, 2, 1]
    assert memory.get("a", as_of=1_800_000_000) == {"n": 2}


# ---- a file


def test_all_processes_that_share_a_file_keep_changes_once_one_has_asked(tmp_path):
    clock, place = Clock(), f"file:{tmp_path / 'shared.db'}"
    first = MemoryPrimitive(place, clock=clock).sync
    second = MemoryPrimitive(place, clock=clock).sync
    second.add("a", {"n": 0})
    first.keep_history(5000)
    clock.tick()
    second.add("a", {"n": 1})
    second.add("gone", {"n": 1}, ttl=5)
    clock.tick()
    first.add("a", {"n": 2})
    clock.tick(60)
    second.delete("a")
    for memory in (first, second):
        assert [v.what for v in memory.log("a")] == ["deleted", "changed", "changed", "known"]
        assert [v.what for v in memory.log("gone")] == ["expired", "added"]
        assert memory.get("a", as_of="60.5s") == {"n": 1}
        assert memory.as_of("59s").keys() == ["gone", "a"]
        memory.close()
    third = MemoryPrimitive(place, clock=clock).sync
    assert third.get_backend_info()["history"] == "the last 5,000 changes"
    assert [v.record and v.record.value["n"] for v in third.log("a")] == [None, 2, 1, 0]
    third.keep_history(None)
    with pytest.raises(InvalidArgument, match="keeps no earlier versions"):
        third.log("a")
    third.keep_history("1d")
    assert len(third.log("a")) == 0


def test_a_write_that_fails_leaves_no_change_behind(tmp_path):
    memory = MemoryPrimitive(f"file:{tmp_path / 'a.db'}", history=50).sync
    memory.add("a", {"n": 1})
    with pytest.raises(Conflict):
        memory.apply({"a": {"n": 2}}, ["b"], expect={"a": None})
    memory.add("c", {})
    assert [v.what for v in memory.log("a")] == ["added"]
    assert len(memory.log("b")) == 0


# ---- refusals

WRONG_INSTANTS = [
    ("yesterday-ish", "give a datetime"),
    ("2099-01-01", "in the future"),
    (True, "give"),
]


@pytest.mark.parametrize(("as_of", "message"), WRONG_INSTANTS)
def test_what_is_no_instant_of_the_past_is_refused(as_of, message):
    memory = MemoryPrimitive(history=5).sync
    for ask in (memory.get, memory.search):
        with pytest.raises(InvalidArgument, match=rf"as_of=.*{message}"):
            ask("x", as_of=as_of)


def test_a_memory_without_history_says_how_to_get_one():
    memory = MemoryPrimitive().sync
    for ask in (
        lambda: memory.log("a"),
        lambda: memory.get("a", as_of="1h"),
        lambda: memory.as_of(0),
    ):
        with pytest.raises(InvalidArgument, match="history='7d'"):
            ask()


# ---- who


@pytest.fixture(autouse=True)
def outside_of_cells() -> None:
    """Notebooks that other tests have run in this process leave the number of their last cell."""
    begin_cell(None)


@pytest.mark.parametrize("place", [None, "file"])
def test_both_faces_name_the_function_that_wrote(place, tmp_path):
    memory = MemoryPrimitive(place and f"file:{tmp_path / 'who.db'}", history=100)

    async def remember(key: str) -> None:
        await memory.add(key, {})
        await memory.add_many({"many": {}})

    def note(key: str) -> None:
        memory.sync.add(key, {})
        memory.sync.add(key, {"n": 1})

    asyncio.run(remember("a"))
    note("b")
    by = {key: [v.author.function for v in memory.sync.log(key)] for key in ("a", "many", "b")}
    assert by == {"a": ["remember"], "many": ["remember"], "b": ["note", "note"]}
    assert str(memory.sync.log("b")[0].author) == "note() in test_versions.py"


@pytest.mark.parametrize("backend", ["in-memory", "file"])
def test_the_author_is_a_function_of_the_user_and_not_of_the_library_that_it_calls(backend):
    memory = memory_on(backend, Clock())

    def tool() -> None:
        with contextlib.ExitStack() as framework:
            framework.callback(memory.add, "a", {"n": 1})
            framework.callback(memory.delete, "b")

    memory.add("b", {"n": 1})
    tool()
    assert [str(memory.log(key)[0].author) for key in "ab"] == ["tool() in test_versions.py"] * 2


def test_actions_and_cells_are_named_also_in_tasks_that_a_cell_has_started():
    memory = MemoryPrimitive(history=100)

    async def main() -> None:
        begin_cell(7)
        task = asyncio.create_task(memory.add("a", {"text": "one " * 20}))
        begin_cell(8)
        await task
        await memory.import_([{"key": "b", "value": {}}])
        await memory.undo(await memory.remove(["b"]))

    asyncio.run(main())
    assert str(memory.sync.log("a")[0].author).endswith("cell 7")
    by = [(v.author.action, v.author.cell) for v in memory.sync.log("b")]
    assert by == [("undo", 8), (None, 8), ("import", 8)]


def test_what_a_person_approves_and_what_is_resolved_is_named_as_that():
    memory = MemoryPrimitive(history=100).sync
    proposal = memory.propose("add", "a", {"text": "rain"})
    memory.approve(proposal.id)
    memory.add("b", {"text": "rain"})
    memory.carry_out(memory.resolve([("a", "b")], rule="newest"))
    done = {key: memory.log(key)[0] for key in ("a", "b")}
    assert "resolve" in {version.author.action for version in done.values()}
    assert memory.log("a")[-1].author.action == "proposal"


# ---- tables


def test_the_table_has_a_row_for_each_field_and_is_escaped():
    memory = MemoryPrimitive(history=100).sync
    memory.add("<k>", {"text": "<b>", "n": 1})
    memory.add("<k>", {"text": "<i>&", "n": 1})
    log = memory.log("<k>")
    table = log.table
    assert list(table["what"]) == ["changed", "added", "added"]
    assert list(table["field"]) == ["text", "text", "n"]
    assert list(table["after"]) == ["<i>&", "<b>", 1]
    html = log._repr_html_() or ""
    assert "<b>" not in html
    assert "&lt;i&gt;&amp;" in html
    assert "&lt;k&gt;" in html
    assert len(memory.log("nothing").table) == 0


async def test_who_has_made_a_single_write_is_found_by_one_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = MemoryPrimitive(history=100)
    await memory.add("first", {"n": 0})  # from which file this comes is known from now on

    def search_for_it(depth: int) -> None:
        raise AssertionError("the depth that the store gives is that of another road")

    monkeypatch.setattr("tta_memory_nb.stores.history.log.calling", search_for_it)
    for n in range(2):  # a new record, and one that is there
        await memory.add("awaited", {"n": n})
        memory.sync.add("called", {"n": n})
    log = await memory.log("called")
    assert {each.author.function for each in log} == {
        "test_who_has_made_a_single_write_is_found_by_one_look"
    }
