"""The explorer's kernel side: what it lists, sends, takes and repairs."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from backends import ALL_BUT_THE_STAND_IN, BACKENDS, Clock
from hypothesis import given, settings
from hypothesis import strategies as st

import tta_memory_nb.notebook.explorer as explorer_module
from tta_memory_nb import InvalidArgument, MemoryExplorer, MemoryPrimitive
from tta_memory_nb.notebook.explorer.cells import MOST_CHARACTERS, MOST_FIELDS
from tta_memory_nb.notebook.explorer.worker import Worker

PATIENCE = 60.0  # seconds; nobody waits for it unless something is broken


class FrontEnd:
    """What a browser would be told, and what it would say."""

    def __init__(self, explorer: MemoryExplorer, view: int = 1) -> None:
        self.explorer = explorer
        self.state: dict[str, Any] = {}
        self.messages: list[dict[str, Any]] = []
        self._number = view * 1_000_000
        self._told = threading.Condition()
        explorer.send = self._take

    def _take(self, content: dict[str, Any], buffers: Any = None) -> None:
        content = json.loads(json.dumps(content, allow_nan=False).encode())
        with self._told:
            self.messages.append(content)
            if content["kind"] == "state":
                self.state |= content["state"]
            self._told.notify_all()

    def tell(self, verb: str, **content: Any) -> int:
        self._number += 1
        self.explorer._received(None, {"id": self._number, "do": verb, **content}, [])
        return self._number

    def ask(self, verb: str, **content: Any) -> dict[str, Any]:
        """Says something, and waits for the answer."""
        number = self.tell(verb, **content)
        return self.when(lambda: self.answer_to(number))

    def answer_to(self, number: int) -> dict[str, Any] | None:
        return next((each for each in self.messages if each.get("for") == number), None)

    def when(self, condition: Callable[[], Any]) -> Any:
        """Waits until the kernel has said so much that a condition holds."""
        with self._told:
            assert self._told.wait_for(condition, PATIENCE), self.messages[-3:]
            return condition()

    def keys(self) -> list[str]:
        return [row["key"] for row in self.state["rows"]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=clock)
    for key, text in (("ann:mon", "It rains"), ("bob:mon", "sun"), ("ann:tue", "More rain")):
        memory.sync.add(key, {"text": text, "n": len(text)})
        clock.tick()
    return memory


@pytest.fixture
def explore(memory, clock) -> Iterator[Callable[..., MemoryExplorer]]:
    made: list[MemoryExplorer] = []

    def make(**traits: Any) -> MemoryExplorer:
        made.append(MemoryExplorer(traits.pop("memory", memory), clock=clock, **traits))
        return made[-1]

    yield make
    for explorer in made:
        explorer.close()


@pytest.fixture
def front(explore) -> FrontEnd:
    front = FrontEnd(explore())
    front.ask("hello")
    return front


def keys_of(explorer: MemoryExplorer) -> list[str]:
    return [record.key for record in explorer.records]


# ---- driven by code


def test_it_shows_the_newest_first_and_leaves_them_where_they_are(explore, memory):
    explorer = explore()
    assert keys_of(explorer) == ["ann:tue", "bob:mon", "ann:mon"]
    assert memory.sync.keys() == ["ann:mon", "bob:mon", "ann:tue"]


def test_query_filters_and_sort_are_traits(explore):
    explorer = explore(query="rain")
    assert keys_of(explorer) == ["ann:tue", "ann:mon"]
    assert explorer.records[0].matches == ("text",)
    explorer.sort_by, explorer.descending = "n", False
    assert keys_of(explorer) == ["ann:mon", "ann:tue"]
    explorer.query, explorer.sort_by = "", "key"
    assert keys_of(explorer) == ["ann:mon", "ann:tue", "bob:mon"]
    explorer.descending = True
    assert keys_of(explorer) == ["bob:mon", "ann:tue", "ann:mon"]
    explorer.query, explorer.filters = "", {"user": "bob", "session": None}
    assert keys_of(explorer) == ["bob:mon"]
    assert explorer.filters == {"user": "bob"}


def test_selection_is_a_table_of_what_is_there(explore, memory):
    explorer = explore(selected=("ann:tue", "nobody", "ann:mon"))
    assert list(explorer.selection.index) == ["ann:tue", "ann:mon"]
    memory.sync.delete("ann:tue")
    assert list(explorer.selection["text"]) == ["It rains"]


def test_derived_traits_can_be_observed_but_not_set(explore):
    explorer = explore()
    seen: list[Any] = []
    explorer.observe(lambda change: seen.append(list(change["new"].index)), "selection")
    explorer.observe(lambda change: seen.append([r.key for r in change["new"]]), "records")
    explorer.selected = ("bob:mon",)
    explorer.query = "more"
    assert seen == [["bob:mon"], ["ann:tue"]]
    with pytest.raises(Exception, match="read-only"):
        explorer.records = []


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"filters": {"usr": "ann"}}, "no filter"),
        ({"filters": {"since": "whenever"}}, "since"),
        ({"filters": {"where": {"n": {"$over": 1}}}}, "unknown operator"),
        ({"selected": (1,)}, "no key"),
    ],
)
def test_bad_values_are_refused_and_change_nothing(explore, traits, message):
    with pytest.raises(InvalidArgument, match=message):
        explore(**traits)
    explorer = explore()
    for name, value in traits.items():
        before = getattr(explorer, name)
        with pytest.raises(InvalidArgument, match=message):
            setattr(explorer, name, value)
        assert getattr(explorer, name) == before


def test_only_a_memory_can_be_explored():
    with pytest.raises(InvalidArgument, match="<dict>"):
        MemoryExplorer({})


def test_repr_is_the_same_each_time(explore):
    assert repr(explore()) == "MemoryExplorer(namespace='default')"
    explorer = explore(query="rain", filters={"user": "ann"}, sort_by="n")
    assert repr(explorer) == (
        "MemoryExplorer(namespace='default', query='rain', filters={'user': 'ann'}, sort_by='n')"
    )


def test_another_memory_can_be_looked_at(explore):
    other = MemoryPrimitive(namespace="other")
    other.sync.add("k", {})
    explorer = explore(memories={"other": other})
    explorer.memory = other
    assert keys_of(explorer) == ["k"]
    front = FrontEnd(explorer)
    front.ask("hello")
    assert front.state["namespaces"] == ["default", "other"]
    front.tell("set", namespace="default")
    front.when(lambda: front.keys() == ["ann:tue", "bob:mon", "ann:mon"])


# ---- driven by the front end


def test_a_view_is_told_everything_when_it_opens(front):
    assert front.keys() == ["ann:tue", "bob:mon", "ann:mon"]
    assert front.state["total"] == 3
    assert front.state["status"]["backend"] == "in-memory"
    names = [column["name"] for column in front.state["columns"] if column["shown"]]
    assert names == ["key", "text", "n", "updated", "expires"]
    assert front.state["rows"][0]["cells"]["n"] == {"k": "num", "t": "9", "v": 9}


def test_a_shown_widget_brings_its_first_rows_until_a_view_has_been_heard(explore):
    explorer = explore()
    explorer._ipython_display_()
    opening = dict(explorer._opening)
    # It is sent as it is: as JSON.
    assert json.loads(json.dumps(opening, allow_nan=False)) == opening
    front = FrontEnd(explorer)
    front.ask("hello")
    assert front.state == opening
    # What is saved from now on has no rows in it.
    assert explorer._opening is None
    assert explorer.get_state()["_opening"] is None
    explorer._ipython_display_()
    assert explorer._opening is None


def test_what_comes_later_than_the_greeting_after_it_has_had_its_time(front, memory):
    late = front.tell("cancel") + 1
    front._number += 2
    front.ask("hello")
    newest = front.tell("set", query="rain")
    front.when(lambda: front.keys() == ["ann:tue", "ann:mon"])
    for content in ({"do": "set", "query": "sun"}, {"do": "delete", "keys": ["ann:mon"]}):
        front.explorer._received(None, {"id": late, **content}, [])
    assert front.explorer.query == "rain"
    assert memory.sync.keys() == ["ann:mon", "bob:mon", "ann:tue"]
    # So has what comes from a view that is no more.
    front.tell("bye")
    front.explorer._received(None, {"id": newest, "do": "set", "query": "", "window": [0, 9]}, [])
    assert front.explorer.query == "rain"
    assert front.explorer._windows == {}


def test_views_hear_that_the_kernel_is_alive(explore, monkeypatch):
    monkeypatch.setattr(explorer_module, "_BEAT", 0.01)
    front = FrontEnd(explore())
    front.ask("hello")
    front.when(lambda: sum(each["kind"] == "alive" for each in front.messages) > 2)


def test_a_search_marks_what_matches(front):
    front.ask("set", query="RAIN")
    front.when(lambda: front.keys() == ["ann:tue", "ann:mon"])
    assert front.state["rows"][0]["cells"]["text"]["m"] == [[5, 9]]
    assert front.state["rows"][0]["cells"]["matches"]["t"] == "text"
    assert front.explorer.query == "RAIN"


def test_a_window_of_many(explore):
    memory = MemoryPrimitive(max_size=3000)
    memory.sync.add_many((f"k{n:04}", {"n": n}) for n in range(3000))
    front = FrontEnd(explore(memory=memory))
    front.ask("hello")
    front.ask("set", window=[2000, 2003])
    front.when(lambda: front.keys() == ["k0999", "k0998", "k0997"])
    assert front.state["start"] == 2000
    front.ask("set", sort={"by": "n", "descending": False})
    front.when(lambda: front.keys() == ["k2000", "k2001", "k2002"])


def test_what_others_write_appears_without_being_asked_for(front, memory):
    memory.sync.add("new:one", {"text": "just now"})
    front.when(lambda: front.keys()[0] == "new:one")
    memory.sync.delete("new:one")
    front.when(lambda: front.keys()[0] == "ann:tue")


def test_a_view_that_is_not_live_stays_as_it_is(front, memory):
    front.ask("set", live=False)
    memory.sync.add("new:one", {})
    front.ask("set", window=[0, 60])
    assert front.keys()[0] == "ann:tue"
    front.ask("set", live=True)
    front.when(lambda: front.keys()[0] == "new:one")


def test_the_anchor_tells_where_its_row_is_now(front, memory):
    memory.sync.add("new:one", {})
    front.when(lambda: front.state["total"] == 4)
    answer = front.ask("set", window=[0, 60], anchor="bob:mon")
    assert answer["state"]["anchor"] == {"key": "bob:mon", "index": 2}


def test_selecting_rows_ranges_and_all(front):
    front.ask("select", keys=["bob:mon"])
    assert front.explorer.selected == ("bob:mon",)
    front.ask("select", range=[0, 2])
    assert front.explorer.selected == ("bob:mon", "ann:tue")
    front.ask("select", keys=["bob:mon"], on=False)
    assert front.explorer.selected == ("ann:tue",)
    front.ask("select", all=True)
    assert front.state["selected"] == 3
    front.ask("select", none=True)
    assert front.explorer.selected == ()


def test_facets_count_users_and_sessions(front):
    front.ask("facets")
    assert front.state["facets"]["users"] == [["ann", 2], ["bob", 1]]
    assert front.state["facets"]["sessions"] == [["mon", 2], ["tue", 1]]


def test_charts_come_with_their_view(front):
    front.tell("set", view="timeline")
    front.when(lambda: front.state["charts"])
    assert sum(front.state["charts"]["timeline"]["counts"]) == 3
    assert front.state["charts"]["ttl"]["never"] == 3
    front.ask("set", view="table")
    assert front.state["charts"] is None


def test_an_error_is_shown_and_never_swallowed(front):
    assert "cannot" in front.ask("explode")["message"]
    assert front.ask("set", filters={"since": "whenever"})["kind"] == "error"
    assert front.ask("undo")["message"].startswith("nothing to undo")
    front.ask("set", query="rain")
    front.when(lambda: front.state["total"] == 2)


def test_two_views_have_windows_of_their_own(front):
    second = FrontEnd.__new__(FrontEnd)
    second.__dict__ |= {**front.__dict__, "_number": 2_000_000}
    second.ask("hello")
    second.ask("set", window=[1, 2])
    front.tell("set", window=[0, 1])
    assert front.explorer._windows == {1: (0, 1), 2: (1, 2)}
    second.tell("bye")
    assert front.explorer._windows == {1: (0, 1)}


# ---- one record


def test_a_record_is_shown_whole_with_its_neighbours(front, memory):
    memory.sync.add("ann:mon:00000001", {"text": "later"})
    told = front.ask("record", key="ann:mon")
    assert json.loads(told["text"]) == {"text": "It rains", "n": 8}
    assert [each["key"] for each in told["neighbours"]] == ["ann:mon", "ann:mon:00000001"]
    assert [each["current"] for each in told["neighbours"]] == [True, False]
    assert front.ask("record", key="nobody")["gone"] is True


def test_an_edit_keeps_when_it_was_created_and_when_it_expires(front, memory, clock):
    memory.sync.add("k", {"n": 1}, ttl=60)
    clock.tick(10)
    told = front.ask("record", key="k")
    assert front.ask("edit", key="k", text='{"n": 2}', base=told["base"])["ok"] is True
    [record] = memory.sync.get_records(["k"])
    assert record.value == {"n": 2}
    assert record.created_at == told["created"]
    assert record.updated_at == told["updated"] + 10
    assert record.expires_at == told["expires"]
    history = front.ask("record", key="k")["history"]
    assert [(json.loads(each["text"]), each["what"]) for each in history] == [
        ({"n": 2}, "now"),
        ({"n": 1}, "seen"),
    ]
    front.ask("undo")
    assert memory.sync.get("k") == {"n": 1}
    # The same value as at first, which is the past all the same.
    history = front.ask("record", key="k")["history"]
    assert [each["what"] for each in history] == ["now", "edited", "seen"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"n": }', "not JSON"),
        ("[1]", "JSON object"),
        ('{"a": 1, "a": 2}', "a"),
        ('{"a": NaN}', "NaN|nan|not"),
        ("[" * 5000, "deep|JSON"),
    ],
)
def test_what_is_no_value_is_refused(front, memory, text, problem):
    base = front.ask("record", key="bob:mon")["base"]
    reply = front.ask("edit", key="bob:mon", text=text, base=base)
    assert reply["ok"] is False
    assert memory.sync.peek(["bob:mon"])[0].value() == {"text": "sun", "n": 3}


def test_a_record_that_has_changed_meanwhile_is_not_overwritten(front, memory):
    base = front.ask("record", key="bob:mon")["base"]
    memory.sync.add("bob:mon", {"text": "hail"})
    reply = front.ask("edit", key="bob:mon", text="{}", base=base)
    assert json.loads(reply["conflict"]["text"]) == {"text": "hail"}
    assert memory.sync.get("bob:mon") == {"text": "hail"}
    again = front.ask("edit", key="bob:mon", text="{}", base=reply["conflict"]["base"])
    assert again["ok"] is True
    memory.sync.delete("bob:mon")
    gone = front.ask("edit", key="bob:mon", text="{}", base=base)
    assert gone["conflict"]["text"] is None
    assert memory.sync.get("bob:mon") is None


def test_expiry_can_be_set_and_taken_off(front, memory, clock):
    base = front.ask("record", key="bob:mon")["base"]
    assert front.ask("expire", key="bob:mon", ttl="15m", base=base)["ok"] is True
    assert memory.sync.ttl("bob:mon") == 900
    told = front.ask("record", key="bob:mon")
    assert front.ask("expire", key="bob:mon", ttl="soon", base=told["base"])["ok"] is False
    assert front.ask("expire", key="bob:mon", ttl=None, base=told["base"])["ok"] is True
    assert memory.sync.ttl("bob:mon") is None


def test_a_duplicate_never_replaces_another_record(front, memory):
    assert front.ask("duplicate", key="bob:mon", **{"as": "ann:mon"})["ok"] is False
    assert front.ask("duplicate", key="bob:mon", **{"as": "bob:copy"})["ok"] is True
    assert memory.sync.get("bob:copy") == {"text": "sun", "n": 3}


def test_what_was_done_is_said_in_words(front):
    def said(verb: str, **content: Any) -> str:
        before = len(front.messages)
        front.tell(verb, **content)
        return front.when(
            lambda: next(
                (each["text"] for each in front.messages[before:] if each["kind"] == "said"), None
            )
        )

    base = front.ask("record", key="bob:mon")["base"]
    assert said("edit", key="bob:mon", base=base, text='{"n": 2}') == "Saved bob:mon"
    assert said("undo") == "Undone: bob:mon as before"
    base = front.ask("record", key="bob:mon")["base"]
    assert said("expire", key="bob:mon", base=base, ttl="1h") == "New expiry of bob:mon"
    assert said("duplicate", key="bob:mon", **{"as": "bob:new"}) == "Copied to bob:new"
    assert said("undo") == "Undone: duplicate"
    assert said("delete", keys=["bob:mon"]) == "Deleted bob:mon"


def test_deleting_the_selection_and_undoing_it(front, memory):
    front.ask("select", keys=["ann:mon", "bob:mon"])
    front.tell("delete", selected=True)
    front.when(lambda: any(m.get("text") == "Deleted 2 records" for m in front.messages))
    assert memory.sync.keys() == ["ann:tue"]
    assert front.explorer.selected == ()
    front.tell("undo")
    front.when(lambda: any("Undone: 2 records" in m.get("text", "") for m in front.messages))
    assert memory.sync.keys() == ["ann:mon", "bob:mon", "ann:tue"]


def test_an_export_is_what_export_writes(front, memory, tmp_path):
    front.ask("select", keys=["ann:tue"])
    file = front.ask("export", selected=True)
    memory.sync.remove(["ann:mon", "bob:mon"])
    memory.sync.export(tmp_path / "records.jsonl")
    assert file["text"] == (tmp_path / "records.jsonl").read_text()


def test_a_read_only_explorer_changes_nothing(explore, memory):
    front = FrontEnd(explore(read_only=True))
    front.ask("hello")
    before = memory.sync.mark()
    for verb in ("edit", "expire", "duplicate", "delete", "undo"):
        reply = front.ask(verb, key="bob:mon", keys=["bob:mon"], text="{}", base="", **{"as": "x"})
        assert reply["message"] == "this explorer is read-only"
    assert memory.sync.mark() == before


# ---- hostile records


@pytest.mark.parametrize(
    "value",
    [
        {"x" * 1000: "y" * 5_000_000},
        {f"field{n}": n for n in range(10_000)},
        {"half": "\ud83d", "\udc00": 1},
        {"esc": "\x1b[31m\u202e\x00", "<b>": "<script>alert(1)</script>"},
        {"big": 10**400, "list": [[]] * 1000, "null": None},
    ],
    ids=["long", "wide", "halves", "controls", "big"],
)
def test_whatever_a_record_holds_it_can_be_sent_and_is_short(explore, value):
    memory = MemoryPrimitive()
    memory.sync.add("\ud800<img>\x00", value)
    front = FrontEnd(explore(memory=memory))
    message = front.ask("hello")
    assert len(json.dumps(message)) < 200_000
    assert len(front.state["columns"]) <= MOST_FIELDS + 10
    [row] = front.state["rows"]
    for cell in row["cells"].values():
        assert cell is None or len(cell["t"]) <= MOST_CHARACTERS + 1
    front.ask("set", query="y")
    told = front.ask("record", key=row["key"])
    assert len(told["text"]) <= 200_000
    assert front.ask("duplicate", key=row["key"], **{"as": "copy"})["ok"] is True


def test_a_match_far_into_a_long_text_is_shown(explore):
    memory = MemoryPrimitive()
    memory.sync.add("k", {"text": "😀" * 1000 + "needle" + "x" * 1000})
    front = FrontEnd(explore(memory=memory, query="needle"))
    front.ask("hello")
    cell = front.state["rows"][0]["cells"]["text"]
    [[start, end]] = cell["m"]
    assert cell["t"].encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le") == "needle"


# ---- update equals rebuild

KEYS = st.sampled_from(["ann:mon", "ann:tue", "bob:mon", "note"])
TRAITS = st.fixed_dictionaries(
    {},
    optional={
        "query": st.sampled_from(["", "a", "rain", "zzz"]),
        "filters": st.sampled_from([{}, {"user": "ann"}, {"session": "mon"}, {"prefix": "n"}]),
        "sort_by": st.sampled_from(["recency", "key", "text", "n", "updated", "nothing"]),
        "descending": st.booleans(),
        "columns": st.sampled_from([None, ["text"], ["n", "user"], []]),
        "selected": st.sampled_from([(), ("ann:mon",), ("note", "bob:mon")]),
        "live": st.booleans(),
    },
)
RECORDS = st.lists(
    st.tuples(
        KEYS,
        st.fixed_dictionaries(
            {},
            optional={
                "text": st.sampled_from(["rain", "Ärger a", ""]),
                "n": st.integers(0, 3),
                "deep": st.just({"x": [1]}),
            },
        ),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(RECORDS, TRAITS, RECORDS, TRAITS)
def test_a_widget_taken_from_one_state_to_another_is_as_a_fresh_one(first, before, second, after):
    clock = Clock()
    memory = MemoryPrimitive(clock=clock)
    memory.sync.add_many(first)
    explorer = MemoryExplorer(memory, clock=clock, **before)
    front = FrontEnd(explorer)
    front.ask("hello")
    memory.sync.add_many(second)
    for name, value in after.items():
        setattr(explorer, name, value)
    explorer.refresh()
    fresh = MemoryExplorer(memory, clock=clock, **(before | after))
    other = FrontEnd(fresh)
    other.ask("hello")
    fresh.refresh()
    try:
        assert explorer.state() == fresh.state()
        told = {name: front.state[name] for name in other.state if name not in ("now", "anchor")}
        assert told == {name: other.state[name] for name in told}
    finally:
        explorer.close()
        fresh.close()


# ---- threads


def test_callbacks_on_other_threads_while_a_cell_runs(explore, memory):
    explorer = explore()
    front = FrontEnd(explorer)
    front.ask("hello")
    barrier = threading.Barrier(5)
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            barrier.wait()
            for turn in range(30):
                if number == 0:
                    explorer.query = ("rain", "")[turn % 2]
                    _ = explorer.records
                elif number == 1:
                    memory.sync.add(f"k{turn}", {"text": "rain"})
                else:
                    front.tell("set", query=("", "sun")[turn % 2], window=[turn, turn + 5])
                    front.tell("select", all=True)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert failed == []
    assert [each for each in front.messages if each["kind"] == "error"] == []
    explorer.query = ""
    explorer.selected = ()
    front.ask("set", window=[0, 60])
    assert front.state["total"] == memory.size()


def test_closing_ends_the_thread(explore):
    front = FrontEnd(explore())
    front.ask("hello")
    thread = front.explorer._worker._thread
    front.explorer.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_worker_does_jobs_in_turn_and_looks_in_between():
    done: list[str] = []
    looked = threading.Event()

    def look() -> float:
        done.append("look")
        looked.set()
        return PATIENCE

    worker = Worker(look, lambda: None, PATIENCE)
    may_begin = threading.Event()
    worker.do(may_begin.wait)  # else it may look between two of them
    for name in "abc":
        worker.do(functools.partial(done.append, name))
    worker.wake()
    may_begin.set()
    assert looked.wait(PATIENCE)
    assert done == ["a", "b", "c", "look"]
    worker.stop()


def test_a_worker_gives_signs_of_life_however_seldom_it_looks():
    beats = threading.Semaphore(0)
    looks: list[None] = []
    worker = Worker(lambda: looks.append(None) or PATIENCE, beats.release, 0.01)
    worker.wake()
    for _ in range(3):
        assert beats.acquire(timeout=PATIENCE)
    assert len(looks) == 1
    worker.stop()


# ---- on servers


@pytest.mark.backends(*ALL_BUT_THE_STAND_IN)
def test_it_shows_what_other_processes_write(backend, request):
    make = BACKENDS[backend]
    one, other = (make(namespace=request.node.name, max_size=100) for _ in range(2))
    one.sync.add("a", {"text": "rain"})
    explorer = MemoryExplorer(one)
    front = FrontEnd(explorer)
    try:
        front.ask("hello")
        assert front.keys() == ["a"]
        (other if one.is_using_redis() else one).sync.add("b", {"text": "more rain"})
        front.when(lambda: front.keys() == ["b", "a"])
        front.tell("set", query="more")
        front.when(lambda: front.keys() == ["b"])
    finally:
        explorer.close()
        one.sync.clear()
        one.sync.close()
        other.sync.close()


def test_what_takes_long_can_be_cancelled(front, monkeypatch):
    begun, may_go_on = threading.Event(), threading.Event()

    def slowly(wanted, told):
        begun.set()
        assert may_go_on.wait(PATIENCE)
        told("sorting", 1, 2)
        raise AssertionError("nobody waits for this any more")

    monkeypatch.setattr(explorer_module, "whole", slowly)
    front.tell("set", sort={"by": "n", "descending": False})
    assert begun.wait(PATIENCE)
    front.tell("cancel")
    may_go_on.set()
    front.when(lambda: front.state["sort"] == {"by": "recency", "descending": True})
    assert front.explorer.sort_by == "recency"
    assert front.keys() == ["ann:tue", "bob:mon", "ann:mon"]
    monkeypatch.undo()
    front.ask("set", sort={"by": "n", "descending": False})
    front.when(lambda: front.keys() == ["bob:mon", "ann:mon", "ann:tue"])


def test_what_has_been_overtaken_is_dropped(front, monkeypatch):
    begun, may_go_on = threading.Event(), threading.Event()
    real = explorer_module.whole  # type: ignore[attr-defined]

    def slowly(wanted, told):
        if wanted.sort_by == "text":
            begun.set()
            assert may_go_on.wait(PATIENCE)
        told("sorting", 1, 2)
        return real(wanted, told)

    monkeypatch.setattr(explorer_module, "whole", slowly)
    stale = front.tell("set", sort={"by": "text", "descending": False})
    assert begun.wait(PATIENCE)
    newest = front.tell("set", sort={"by": "n", "descending": False})
    may_go_on.set()
    front.when(lambda: front.answer_to(newest))
    assert front.keys() == ["bob:mon", "ann:mon", "ann:tue"]
    assert front.answer_to(stale) == {"kind": "dropped", "for": stale}


def test_who_chooses_another_memory_waits_for_neither_of_them(explore, monkeypatch):
    other = MemoryPrimitive(namespace="other")
    other.sync.add("k", {"n": 1})
    front = FrontEnd(explore(memories={"other": other}))
    front.ask("hello")
    begun, may_go_on, is_chosen = (threading.Event() for _ in range(3))
    real = explorer_module.whole  # type: ignore[attr-defined]

    def slowly(wanted, told):
        if wanted.memory is other:
            assert is_chosen.wait(PATIENCE)
        elif wanted.sort_by == "n":
            begun.set()
            assert may_go_on.wait(PATIENCE)
        return real(wanted, told)

    monkeypatch.setattr(explorer_module, "whole", slowly)
    front.tell("set", sort={"by": "n", "descending": False})
    assert begun.wait(PATIENCE)
    front.tell("set", namespace="other")
    # Rows of the one must not be taken for the other's, whose listing is still being worked out.
    assert (front.state["namespace"], front.keys(), front.state["loading"]) == ("other", [], True)
    may_go_on.set()
    is_chosen.set()
    front.when(lambda: front.keys() == ["k"])
    assert front.explorer.memory is other
    assert keys_of(front.explorer) == ["k"]
