"""The explorer in the kernel: listings, messages, traits and actions."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import Any

import pytest
from backends import ALL_BUT_THE_STAND_IN, BACKENDS, Clock
from front_end import PATIENCE, FrontEnd
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_memory_nb import InvalidArgument, MemoryExplorer, MemoryPrimitive
from tta_memory_nb.notebook.explorer import lister, listing, messages, widget
from tta_memory_nb.notebook.explorer.actions import Actions, Outcome
from tta_memory_nb.notebook.explorer.cells import MOST_CHARACTERS, MOST_FIELDS
from tta_memory_nb.notebook.explorer.state import ExplorerState, status_of
from tta_memory_nb.notebook.explorer.worker import Worker


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=clock)
    for key, text in (("ann:mon", "It rains"), ("bob:mon", "sun"), ("ann:tue", "More rain")):
        memory.sync.add(key, {"text": text, "n": len(text)})
        clock.tick()
    return memory


@pytest.fixture
def front(explore) -> FrontEnd:
    front = FrontEnd(explore())
    front.ask("hello")
    return front


def keys_of(explorer: MemoryExplorer) -> list[str]:
    return [record.key for record in explorer.records]


def windows(explorer: MemoryExplorer) -> dict[int, tuple[int, int]]:
    return {view.number: view.window for view in explorer._views.opened()}


# ---- driven by code


def test_records_are_listed_newest_first_without_changing_their_recency(explore, memory):
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


def test_the_selection_is_a_table_of_records_that_still_exist(explore, memory):
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
        ({"filters": {"usr": "ann"}}, "not a filter; the filters are user, session"),
        ({"filters": {"since": "whenever"}}, "since"),
        ({"filters": {"where": {"n": {"$over": 1}}}}, "unknown operator"),
        ({"selected": (1,)}, "not a key"),
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


def test_another_memory_can_be_chosen(explore):
    other = MemoryPrimitive(namespace="other")
    other.sync.add("k", {})
    explorer = explore(memories={"other": other})
    explorer.memory = other
    assert keys_of(explorer) == ["k"]
    front = FrontEnd(explorer)
    front.ask("hello")
    assert front.state["namespaces"] == ["default", "other"]
    front.send("set", namespace="default")
    front.when(lambda: front.keys() == ["ann:tue", "bob:mon", "ann:mon"])


# ---- driven by the front end


def test_a_view_gets_the_whole_state_when_it_opens(front):
    assert front.keys() == ["ann:tue", "bob:mon", "ann:mon"]
    assert front.state["total"] == 3
    assert front.state["status"]["backend"] == "in-memory"
    names = [column["name"] for column in front.state["columns"] if column["shown"]]
    assert names == ["key", "text", "n", "updated"]
    assert front.state["rows"][0]["cells"]["n"] == {"k": "num", "t": "9", "v": 9}


def test_a_displayed_widget_sends_its_first_rows_until_a_view_has_greeted(explore, monkeypatch):
    monkeypatch.setattr(widget, "_OFFER_PAUSE", 0.01)
    explorer = explore()
    front = FrontEnd(explorer)
    explorer._ipython_display_()
    offers = lambda: [each for each in front.messages if each["kind"] == "opening"]  # noqa: E731
    front.when(lambda: len(offers()) > 2)
    front.ask("hello")
    front.when(lambda: front.state["headings"] or front.messages[-1]["kind"] == "alive")
    sent = len(offers())
    assert offers()[0]["state"]["rows"] == front.state["rows"]
    explorer._look_around()
    assert len(offers()) == sent


def test_a_widget_that_nobody_opens_is_at_rest_after_a_while(explore, monkeypatch):
    monkeypatch.setattr(widget, "_OFFER_PAUSE", 0.0)
    monkeypatch.setattr(widget, "_OFFERS", 3)
    explorer = explore()
    front = FrontEnd(explorer)
    explorer._ipython_display_()
    front.when(lambda: [each["kind"] for each in front.messages].count("opening") == 3)
    assert explorer._look_around() == float("inf")


def test_the_state_of_a_widget_which_a_notebook_saves_holds_no_record(explore):
    explorer = explore(query="rain", filters={"user": "ann"}, selected=("ann:mon",))
    explorer._ipython_display_()
    state = repr(explorer.get_state())
    assert not [word for word in ("rain", "ann:mon", "'ann'") if word in state]
    assert len(state) < 3000


def test_a_message_that_arrives_after_a_later_greeting_is_ignored(front, memory):
    late = front.send("cancel") + 1
    front._number += 2
    front.ask("hello")
    newest = front.send("set", query="rain")
    front.when(lambda: front.keys() == ["ann:tue", "ann:mon"])
    for content in ({"do": "set", "query": "sun"}, {"do": "delete", "keys": ["ann:mon"]}):
        front.explorer._received(None, {"id": late, **content}, [])
    assert front.explorer.query == "rain"
    assert memory.sync.keys() == ["ann:mon", "bob:mon", "ann:tue"]
    # A message of a closed view is ignored as well.
    front.send("bye")
    front.explorer._received(None, {"id": newest, "do": "set", "query": "", "window": [0, 9]}, [])
    assert front.explorer.query == "rain"
    assert windows(front.explorer) == {}


def test_views_receive_heartbeats_from_the_kernel(explore, monkeypatch):
    monkeypatch.setattr(widget, "_BEAT", 0.01)
    front = FrontEnd(explore())
    front.ask("hello")
    front.when(lambda: sum(each["kind"] == "alive" for each in front.messages) > 2)


def test_a_search_highlights_its_matches(front):
    front.ask("set", query="RAIN")
    front.when(lambda: front.keys() == ["ann:tue", "ann:mon"])
    assert front.state["rows"][0]["cells"]["text"]["m"] == [[5, 9]]
    assert front.explorer.query == "RAIN"


def shown_columns(front):
    return [(each["name"], each["kind"]) for each in front.state["columns"] if each["shown"]]


def test_columns_are_shown_that_say_something_and_the_text_is_the_first_of_them(explore):
    memory = MemoryPrimitive()
    memory.sync.add("a:b", {"turn": 1, "rain": 0, "text": "rain"})
    front = FrontEnd(explore(memory=memory))
    front.ask("hello")
    front.when(lambda: front.keys() == ["a:b"])
    assert shown_columns(front) == [
        *(("key", "key"), ("text", "main"), ("turn", "number"), ("rain", "number")),
        ("updated", "time"),
    ]
    front.ask("set", query="rain")
    front.when(lambda: ("matches", "matches") in shown_columns(front))
    assert front.state["rows"][0]["cells"]["matches"]["t"] == "rain, text"
    memory.sync.add("a:c", {"text": "more rain"}, ttl=60)
    front.when(lambda: ("expires", "expiry") in shown_columns(front))


def test_a_view_receives_only_its_window_of_many_records(explore):
    memory = MemoryPrimitive(max_size=3000)
    memory.sync.add_many((f"k{n:04}", {"n": n}) for n in range(3000))
    front = FrontEnd(explore(memory=memory))
    front.ask("hello")
    front.ask("set", window=[2000, 2003])
    front.when(lambda: front.keys() == ["k0999", "k0998", "k0997"])
    assert front.state["start"] == 2000
    front.ask("set", sort={"by": "n", "descending": False})
    front.when(lambda: front.keys() == ["k2000", "k2001", "k2002"])


def test_writes_of_other_clients_appear_without_a_request(front, memory):
    memory.sync.add("new:one", {"text": "just now"})
    front.when(lambda: front.keys()[0] == "new:one")
    memory.sync.delete("new:one")
    front.when(lambda: front.keys()[0] == "ann:tue")


def test_a_view_that_is_not_live_does_not_update(front, memory):
    front.ask("set", live=False)
    memory.sync.add("new:one", {})
    front.ask("set", window=[0, 60])
    assert front.keys()[0] == "ann:tue"
    front.ask("set", live=True)
    front.when(lambda: front.keys()[0] == "new:one")


def test_an_explorer_that_is_not_live_lists_all_records_all_the_same(explore):
    memory = MemoryPrimitive(max_size=100)
    memory.sync.add_many((f"k{n:02}", {"n": n}) for n in range(100))
    front = FrontEnd(explore(memory=memory, live=False))
    front.ask("hello")
    front.when(lambda: front.state["loading"] is False)
    front.ask("set", window=[97, 100])
    assert front.keys() == ["k02", "k01", "k00"]


def test_the_answer_says_where_the_row_of_the_anchor_is_now(front, memory):
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
    front.send("set", view="timeline")
    front.when(lambda: front.state["charts"])
    assert sum(front.state["charts"]["timeline"]["counts"]) == 3
    assert front.state["charts"]["ttl"]["never"] == 3
    front.ask("set", view="table")
    assert front.state["charts"] is None


def test_errors_are_shown(front):
    assert "cannot" in front.ask("explode")["message"]
    assert front.ask("set", filters={"since": "whenever"})["kind"] == "error"
    assert front.ask("undo")["message"].startswith("nothing to undo")
    front.ask("set", query="rain")
    front.when(lambda: front.state["total"] == 2)


# ---- several views


@pytest.fixture
def both(explore) -> tuple[FrontEnd, FrontEnd]:
    """Two views of one explorer. Each receives every message, and uses only its own states."""
    explorer = explore()
    first, second = FrontEnd(explorer, 1), FrontEnd(explorer, 2)

    def send(content: dict[str, Any], buffers: Any = None) -> None:
        first._take(content)
        second._take(content)

    explorer.send = send
    first.ask("hello")
    second.ask("hello")
    return first, second


class Gate:
    """A point at which a thread stops until a test opens the gate."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def stop_here(self) -> None:
        self._reached.set()
        assert self._opened.wait(PATIENCE)

    def wait_until_reached(self) -> None:
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        self._opened.set()


def expect_all_served(front: FrontEnd, memory: MemoryPrimitive) -> None:
    """Checks that every request of a view is answered, and that writes of others appear."""
    front.ask("set", window=[1, 2])
    assert front.keys() == ["bob:mon"]
    memory.sync.add("new:one", {"text": "rain just now"})
    front.when(lambda: front.keys() == ["ann:tue"])
    front.ask("set", query="rain", window=[0, 60])
    assert front.keys() == ["new:one", "ann:tue", "ann:mon"]
    front.ask("set", sort={"by": "key", "descending": False})
    assert front.keys() == ["ann:mon", "ann:tue", "new:one"]
    front.ask("select", range=[0, 2])
    assert front.state["selected"] == 2
    front.ask("facets")
    assert front.state["facets"]["users"][0] == ["ann", 2]
    base = front.ask("record", key="bob:mon")["base"]
    assert front.ask("edit", key="bob:mon", text='{"text": "hail"}', base=base)["ok"] is True
    assert '"hail"' in front.ask("export", keys=["bob:mon"])["text"]


def test_two_views_have_windows_of_their_own(both):
    first, second = both
    second.ask("set", window=[1, 2])
    first.ask("set", window=[0, 1])
    assert windows(first.explorer) == {1: (0, 1), 2: (1, 2)}
    assert (first.keys(), second.keys()) == (["ann:tue"], ["bob:mon"])
    second.send("bye")
    assert windows(first.explorer) == {1: (0, 1)}


def test_a_view_that_is_slow_to_take_its_states_delays_no_other(both, memory):
    slow, other = both
    gate, send = Gate(), slow.explorer.send

    def send_slowly(content: dict[str, Any], buffers: Any = None) -> None:
        if content.get("view") == slow.view:
            gate.stop_here()
        send(content)

    slow.explorer.send = send_slowly
    slow.send("set", window=[0, 2])
    gate.wait_until_reached()
    before = len(slow.messages)
    expect_all_served(other, memory)
    assert [each for each in slow.messages[before:] if each.get("view") == slow.view] == []
    slow.explorer.live = False  # from now on, only requests publish states
    gate.open()
    slow.when(lambda: slow.state["live"] is False)
    # One state combines all that happened meanwhile; another one was being sent.
    states = [each for each in slow.messages[before:] if each.get("view") == slow.view]
    assert len(states) == 2
    assert slow.state["total"] == other.state["total"] == 3
    assert slow.keys() == other.keys()[:2] == ["ann:mon", "ann:tue"]


def test_a_view_whose_window_takes_long_to_make_delays_no_other(both, memory, monkeypatch):
    slow, other = both
    gate, describe = Gate(), ExplorerState.describe

    def describe_slowly(state: ExplorerState, window: tuple[int, int]) -> dict[str, Any]:
        if window == (0, 500):
            gate.stop_here()
        return describe(state, window)

    monkeypatch.setattr(ExplorerState, "describe", describe_slowly)
    large = slow.send("set", window=[0, 100_000])
    gate.wait_until_reached()
    expect_all_served(other, memory)
    assert slow.answer_to(large) is None
    gate.open()
    slow.when(lambda: slow.answer_to(large))
    slow.when(lambda: slow.keys() == other.keys())


def test_a_view_that_asks_for_much_work_delays_no_other(both, memory, monkeypatch):
    slow, other = both
    gate, write = Gate(), Actions.export

    def export_slowly(actions: Actions, content: dict[str, Any]) -> Outcome:
        if content["keys"] == ["ann:mon", "ann:tue"]:
            gate.stop_here()
        return write(actions, content)

    monkeypatch.setitem(messages._ACTIONS, "export", export_slowly)
    large = slow.send("export", keys=["ann:mon", "ann:tue"])
    gate.wait_until_reached()
    expect_all_served(other, memory)
    assert slow.answer_to(large) is None
    gate.open()
    slow.when(lambda: slow.answer_to(large))


def test_requests_of_a_view_are_carried_out_after_it_has_closed(both, memory):
    first, second = both
    gate = Gate()
    view = first.explorer._views.of(1_000_000)
    view.do(gate.stop_here, 1_000_001)
    gate.wait_until_reached()
    first.send("delete", keys=["bob:mon"])
    first.send("bye")
    thread = view._worker._thread
    gate.open()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert memory.sync.keys() == ["ann:mon", "ann:tue"]
    second.when(lambda: second.keys() == ["ann:tue", "ann:mon"])
    # A view that opens again receives the whole state.
    first.state.clear()
    first.ask("hello")
    assert first.keys() == ["ann:tue", "ann:mon"]
    assert first.state.keys() == second.state.keys()


# ---- one record


def test_a_record_is_shown_whole_with_its_neighbours(front, memory):
    memory.sync.add("ann:mon:00000001", {"text": "later"})
    shown = front.ask("record", key="ann:mon")
    assert json.loads(shown["text"]) == {"text": "It rains", "n": 8}
    assert [each["key"] for each in shown["neighbours"]] == ["ann:mon", "ann:mon:00000001"]
    assert [each["current"] for each in shown["neighbours"]] == [True, False]
    assert front.ask("record", key="nobody")["gone"] is True


def test_a_message_is_shown_in_its_conversation(front, memory):
    said = [{"role": "user", "content": f"{n} {'long ' * 200}"} for n in range(50)]
    keys = memory.sync.append("ann", "chat", [*said, {"text": "nobody's"}])
    memory.sync.add("ann:chat", {"text": "no message"})
    shown = front.ask("record", key=keys[30])
    messages = shown["conversation"]
    assert shown["neighbours"] == []
    assert [each["key"] for each in messages] == keys[10:]
    assert [each["key"] for each in messages if each["current"]] == [keys[30]]
    assert messages[0]["t"].startswith("10 long")
    assert len(messages[0]["t"]) == 601
    assert [each["role"] for each in messages[-2:]] == ["user", ""]
    assert messages[-1]["t"] == "nobody's"
    assert front.ask("record", key="ann:chat")["conversation"] == []


def test_a_summary_is_shown_with_its_sources_and_a_source_with_its_summary(front, memory):
    memory.sync.add("ann:mon:00000001", {"text": "later"})
    summary = memory.sync.summarize(0, user="ann", session="mon", summarizer=lambda _: "all of it")
    shown = front.ask("record", key=summary.key)
    assert [each["key"] for each in shown["sources"]] == ["ann:mon", "ann:mon:00000001"]
    assert shown["summaries"] == []
    shown = front.ask("record", key="ann:mon")
    assert [(each["key"], each["t"]) for each in shown["summaries"]] == [(summary.key, "all of it")]
    assert shown["sources"] == []


def test_the_history_of_a_record_is_what_the_memory_keeps_if_it_keeps_its_changes(
    front, memory, clock
):
    memory.sync.keep_history(50)
    memory.sync.add("kept", {"n": 1})
    clock.tick(10)
    memory.sync.add("kept", {"n": 2})
    shown = front.ask("record", key="kept")
    assert shown["kept_since"] == memory.sync.log("kept").since
    told = [(json.loads(each["text"]), each["what"]) for each in shown["history"]]
    assert told == [({"n": 2}, "changed"), ({"n": 1}, "added")]
    assert all("in test_explorer.py" in each["by"] for each in shown["history"])


def test_an_edit_keeps_when_it_was_created_and_when_it_expires(front, memory, clock):
    memory.sync.add("k", {"n": 1}, ttl=60)
    clock.tick(10)
    shown = front.ask("record", key="k")
    assert front.ask("edit", key="k", text='{"n": 2}', base=shown["base"])["ok"] is True
    [record] = memory.sync.get_records(["k"])
    assert record.value == {"n": 2}
    assert record.created_at == shown["created"]
    assert record.updated_at == shown["updated"] + 10
    assert record.expires_at == shown["expires"]
    history = front.ask("record", key="k")["history"]
    assert [(json.loads(each["text"]), each["what"]) for each in history] == [
        ({"n": 2}, "now"),
        ({"n": 1}, "seen"),
    ]
    front.ask("undo")
    assert memory.sync.get("k") == {"n": 1}
    # The same value as at first, but in an earlier version.
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
def test_an_invalid_value_is_refused(front, memory, text, problem):
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
    shown = front.ask("record", key="bob:mon")
    assert front.ask("expire", key="bob:mon", ttl="soon", base=shown["base"])["ok"] is False
    assert front.ask("expire", key="bob:mon", ttl=None, base=shown["base"])["ok"] is True
    assert memory.sync.ttl("bob:mon") is None


def test_a_duplicate_never_replaces_another_record(front, memory):
    assert front.ask("duplicate", key="bob:mon", **{"as": "ann:mon"})["ok"] is False
    assert front.ask("duplicate", key="bob:mon", **{"as": "bob:copy"})["ok"] is True
    assert memory.sync.get("bob:copy") == {"text": "sun", "n": 3}


def test_each_action_is_described_in_words(front):
    def notice_of(verb: str, **content: Any) -> str:
        before = len(front.messages)
        front.send(verb, **content)
        return front.when(
            lambda: next(
                (each["text"] for each in front.messages[before:] if each["kind"] == "said"), None
            )
        )

    base = front.ask("record", key="bob:mon")["base"]
    assert notice_of("edit", key="bob:mon", base=base, text='{"n": 2}') == "Saved bob:mon"
    assert notice_of("undo") == "Undone: bob:mon as before"
    base = front.ask("record", key="bob:mon")["base"]
    assert notice_of("expire", key="bob:mon", base=base, ttl="1h") == "New expiry of bob:mon"
    assert notice_of("duplicate", key="bob:mon", **{"as": "bob:new"}) == "Copied to bob:new"
    assert notice_of("undo") == "Undone: duplicate"
    assert notice_of("delete", keys=["bob:mon"]) == "Deleted bob:mon"


def test_deleting_the_selection_and_undoing_it(front, memory):
    front.ask("select", keys=["ann:mon", "bob:mon"])
    front.send("delete", selected=True)
    front.when(lambda: any(m.get("text") == "Deleted 2 records" for m in front.messages))
    assert memory.sync.keys() == ["ann:tue"]
    assert front.explorer.selected == ()
    front.send("undo")
    front.when(lambda: any("Undone: 2 records" in m.get("text", "") for m in front.messages))
    assert memory.sync.keys() == ["ann:mon", "bob:mon", "ann:tue"]


def test_the_exported_file_equals_that_of_the_verb_export(front, memory, tmp_path):
    front.ask("select", keys=["ann:tue"])
    file = front.ask("export", selected=True)
    memory.sync.remove(["ann:mon", "bob:mon"])
    memory.sync.export(tmp_path / "records.jsonl")
    assert file["text"] == (tmp_path / "records.jsonl").read_text()


def test_a_read_only_explorer_changes_nothing(explore, memory):
    front = FrontEnd(explore(read_only=True))
    front.ask("hello")
    before = memory.sync.change_token()
    for verb in ("edit", "expire", "duplicate", "delete", "undo"):
        reply = front.ask(verb, key="bob:mon", keys=["bob:mon"], text="{}", base="", **{"as": "x"})
        assert reply["message"] == "this explorer is read-only"
    assert memory.sync.change_token() == before


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
def test_messages_about_hostile_records_are_valid_and_short(explore, value):
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
    shown = front.ask("record", key=row["key"])
    assert len(shown["text"]) <= 200_000
    assert front.ask("duplicate", key=row["key"], **{"as": "copy"})["ok"] is True


def test_a_match_deep_inside_a_long_text_is_shown(explore):
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


def summarize(explorer: MemoryExplorer) -> None:
    """Has the header say of all columns what it says when its thread has had time."""
    explorer._lister.summarize()
    explorer._views.publish()


@settings(deadline=None)
@given(RECORDS, TRAITS, RECORDS, TRAITS)
def test_a_widget_that_changed_its_state_equals_a_new_widget(first, before, second, after):
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
    summarize(explorer)
    front.settle()
    fresh = MemoryExplorer(memory, clock=clock, **(before | after))
    other = FrontEnd(fresh)
    other.ask("hello")
    fresh.refresh()
    summarize(fresh)
    other.settle()
    try:
        assert explorer.state() == fresh.state()
        shown = {name: front.state[name] for name in other.state if name not in ("now", "anchor")}
        assert shown == {name: other.state[name] for name in shown}
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
            for step in range(30):
                if number == 0:
                    explorer.query = ("rain", "")[step % 2]
                    _ = explorer.records
                elif number == 1:
                    memory.sync.add(f"k{step}", {"text": "rain"})
                else:
                    front.send("set", query=("", "sun")[step % 2], window=[step, step + 5])
                    front.send("select", all=True)
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


def test_closing_ends_the_threads(explore):
    front = FrontEnd(explore())
    front.ask("hello")
    [view] = front.explorer._views.opened()
    threads = [front.explorer._worker._thread, view._worker._thread]
    front.explorer.close()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_worker_runs_jobs_in_order_and_polls_in_between():
    done: list[str] = []
    looked = threading.Event()

    def look() -> float:
        done.append("look")
        looked.set()
        return PATIENCE

    worker = Worker(look, lambda: None, PATIENCE)
    may_begin = threading.Event()
    worker.do(may_begin.wait)  # else it may poll between two jobs
    for name in "abc":
        worker.do(partial(done.append, name))
    worker.wake()
    may_begin.set()
    assert looked.wait(PATIENCE)
    assert done == ["a", "b", "c", "look"]
    worker.stop()


def test_a_worker_sends_heartbeats_even_if_it_polls_rarely():
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
def test_writes_of_other_processes_are_shown(backend, request):
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
        front.send("set", query="more")
        front.when(lambda: front.keys() == ["b"])
    finally:
        explorer.close()
        one.sync.clear()
        one.sync.close()
        other.sync.close()


def test_long_work_can_be_cancelled(front, monkeypatch):
    begun, may_go_on = threading.Event(), threading.Event()

    def slowly(request, on_progress):
        begun.set()
        assert may_go_on.wait(PATIENCE)
        on_progress("sorting", 1, 2)
        raise AssertionError("this listing is no longer needed")

    monkeypatch.setattr(lister, "whole_listing", slowly)
    front.send("set", sort={"by": "n", "descending": False})
    assert begun.wait(PATIENCE)
    front.send("cancel")
    may_go_on.set()
    front.when(lambda: front.state["sort"] == {"by": "recency", "descending": True})
    assert front.explorer.sort_by == "recency"
    assert front.keys() == ["ann:tue", "bob:mon", "ann:mon"]
    monkeypatch.undo()
    front.ask("set", sort={"by": "n", "descending": False})
    front.when(lambda: front.keys() == ["bob:mon", "ann:mon", "ann:tue"])


def test_an_outdated_listing_is_dropped(front, monkeypatch):
    begun, may_go_on = threading.Event(), threading.Event()
    real = listing.whole_listing

    def slowly(request, on_progress):
        if request.sort_by == "text":
            begun.set()
            assert may_go_on.wait(PATIENCE)
        on_progress("sorting", 1, 2)
        return real(request, on_progress)

    monkeypatch.setattr(lister, "whole_listing", slowly)
    stale = front.send("set", sort={"by": "text", "descending": False})
    assert begun.wait(PATIENCE)
    newest = front.send("set", sort={"by": "n", "descending": False})
    may_go_on.set()
    front.when(lambda: front.answer_to(newest))
    assert front.keys() == ["bob:mon", "ann:mon", "ann:tue"]
    front.when(lambda: front.answer_to(stale))
    answer = front.answer_to(stale)
    # The explorer may have begun this listing by itself; then the newest one answers both messages.
    if answer["kind"] != "dropped":
        assert answer["state"]["sort"] == {"by": "n", "descending": False}
    shown = [each["state"]["rows"] for each in front.messages if "rows" in each.get("state", {})]
    by_text = ["ann:mon", "ann:tue", "bob:mon"]
    assert by_text not in [[row["key"] for row in rows] for rows in shown]


def test_choosing_another_memory_waits_for_no_listing(explore, monkeypatch):
    other = MemoryPrimitive(namespace="other")
    other.sync.add("k", {"n": 1})
    front = FrontEnd(explore(memories={"other": other}))
    front.ask("hello")
    begun, may_go_on, is_chosen = (threading.Event() for _ in range(3))
    real = listing.whole_listing

    def slowly(request, on_progress):
        if request.memory is other:
            assert is_chosen.wait(PATIENCE)
        elif request.sort_by == "n":
            begun.set()
            assert may_go_on.wait(PATIENCE)
        return real(request, on_progress)

    monkeypatch.setattr(lister, "whole_listing", slowly)
    front.send("set", sort={"by": "n", "descending": False})
    assert begun.wait(PATIENCE)
    front.send("set", namespace="other")
    front.when(lambda: front.state["namespace"] == "other")
    # Rows of one memory must not appear for the other, which is still being listed.
    assert (front.keys(), front.state["loading"]) == ([], True)
    may_go_on.set()
    is_chosen.set()
    front.when(lambda: front.keys() == ["k"])
    assert front.explorer.memory is other
    assert keys_of(front.explorer) == ["k"]


def test_the_status_names_the_file_that_keeps_the_records(tmp_path):
    path = tmp_path / "notes.db"
    memory = MemoryPrimitive(f"file:{path}")
    assert status_of(memory)["path"] == str(path)
    assert status_of(memory)["backend"] == "file"
    memory.sync.close()
    assert status_of(MemoryPrimitive())["path"] is None
