"""The explorer in the kernel: listings, messages and traits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from backends import Clock
from front_end import FrontEnd
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_memory_nb import InvalidArgument, MemoryExplorer, MemoryPrimitive
from tta_memory_nb.notebook.explorer import widget
from tta_memory_nb.notebook.explorer.cells import MOST_CHARACTERS, MOST_FIELDS


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


# ---- hostile records


@pytest.mark.parametrize(
    "value",
    [
        {"x" * 1000: "y" * 1_000_000},
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
