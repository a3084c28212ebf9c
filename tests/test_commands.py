"""The subcommands as plain functions: what they do, say and refuse."""

from threading import Event

import pandas as pd
import pytest
from backends import Clock

from tta_memory_nb import InvalidArgument, MemoryPrimitive, NotStorable
from tta_memory_nb.notebook import commands
from tta_memory_nb.notebook.commands import Notebook


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def nb(clock):
    """A notebook with three records, written a minute apart."""
    notebook = Notebook(MemoryPrimitive(clock=clock), clock=clock)
    for key, text in (("alice:mon", "rain"), ("bob:mon", "sun"), ("alice:tue", "More rain")):
        notebook.memory.sync.add(key, {"text": text})
        clock.tick(60)
    return notebook


def keys(nb):
    return nb.memory.sync.keys()


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ('{"a": [1, "it\'s"]}', {"a": [1, "it's"]}),
        ("{'a': (1, None)}", {"a": [1, None]}),
        ("{}", {}),
        ("just text", {"text": "just text"}),
        ("[not json", {"text": "[not json"}),
        ("42", {"text": "42"}),
        ({"an": "object"}, {"an": "object"}),
    ],
)
def test_add_stores_json_text_or_the_object(nb, written, stored):
    reply = commands.add(nb, "k", written)
    assert reply.text == "stored k"
    assert nb.memory.sync.get("k") == stored


def test_add_takes_a_ttl_as_people_write_it(nb, clock):
    assert commands.add(nb, "k", "x", ttl="1h30m").text == "stored k, expires in 5,400 s"
    clock.tick(5400)
    assert nb.memory.sync.get("k") is None


@pytest.mark.parametrize(
    ("written", "error", "message"),
    [
        ("", InvalidArgument, "the value is empty"),
        ('{"a": }', InvalidArgument, "not JSON: .* at column 7; \\$name stores a variable"),
        ('{"a":\n x}', InvalidArgument, "at line 2"),
        ('{"a": 1, "a": 2}', InvalidArgument, "the field 'a' stands twice"),
        ('[{"role": "user"}]', InvalidArgument, "a list is not a value"),
        ('{"a": {"b": NaN}}', NotStorable, r"value\['a'\]\['b'\]: nan is not JSON"),
        ([1, 2], NotStorable, "value: <list> is not a JSON object"),
    ],
)
def test_add_refuses_what_is_no_value_and_changes_nothing(nb, written, error, message):
    before = nb.memory.sync.records()
    with pytest.raises(error, match=message):
        commands.add(nb, "alice:mon", written)
    assert nb.memory.sync.records() == before


def test_get_gives_a_table_in_the_order_asked_and_refreshes_recency(nb):
    table = commands.get(nb, ("bob:mon", "alice:mon")).value
    assert list(table.index) == ["bob:mon", "alice:mon"]
    assert list(table["text"]) == ["sun", "rain"]
    assert keys(nb) == ["alice:tue", "bob:mon", "alice:mon"]


def test_get_gives_values_for_code(nb):
    assert commands.get(nb, ("bob:mon",), json=True).value == {"text": "sun"}
    assert commands.get(nb, (["bob:mon", "alice:mon"],), json=True).value == {
        "bob:mon": {"text": "sun"},
        "alice:mon": {"text": "rain"},
    }


@pytest.mark.parametrize("command", [commands.get, commands.delete])
def test_a_missing_key_is_named_with_the_nearest_one_and_nothing_happens(nb, command):
    before = keys(nb)
    with pytest.raises(InvalidArgument, match=r"no record under 'bob:mn' \(did you mean 'bob:mon'"):
        command(nb, ("alice:mon", "bob:mn"))
    assert keys(nb) == before


def test_search_tells_how_many_there_are(nb):
    reply = commands.search(nb, "RAIN", limit=1)
    assert reply.text == "1 of 2 records matching 'RAIN', newest first"
    assert list(reply.value.index) == ["alice:tue"]
    assert list(reply.value["matches"]) == ["text"]
    assert commands.search(nb, "rain").text == "2 records matching 'rain'"
    assert commands.search(nb, "snow").value.empty


def test_search_and_list_take_filters(nb):
    assert list(commands.search(nb, "rain", user="alice", since="90s").value.index) == ["alice:tue"]
    assert list(commands.list_(nb, where={"text": "sun"}).value.index) == ["bob:mon"]
    assert list(commands.list_(nb, session="mon", limit=None).value.index) == [
        "bob:mon",
        "alice:mon",
    ]


def test_list_is_newest_first(nb):
    reply = commands.list_(nb, limit=2)
    assert reply.text == "2 of 3 records, newest first"
    assert list(reply.value.index) == ["alice:tue", "bob:mon"]


def test_delete_is_undone_at_the_same_place(nb):
    before = keys(nb), nb.memory.sync.records()
    assert commands.delete(nb, (pd.Index(["bob:mon"]), "alice:mon")).text.startswith(
        "deleted 2 records"
    )
    assert keys(nb) == ["alice:tue"]
    assert commands.undo(nb).text == "delete undone: 2 records brought back"
    assert (keys(nb), nb.memory.sync.records()) == before


def test_clear_only_shows_until_it_is_told_yes(nb):
    reply = commands.clear(nb, user="alice")
    assert reply.text.startswith("would delete 2 records of 3 in namespace 'default'; nothing")
    assert list(reply.value.index) == ["alice:tue", "alice:mon"]
    assert len(keys(nb)) == 3
    commands.clear(nb, user="alice", yes=True)
    assert keys(nb) == ["bob:mon"]
    commands.clear(nb, yes=True)
    assert keys(nb) == []
    commands.undo(nb)
    commands.undo(nb)
    assert keys(nb) == ["alice:mon", "bob:mon", "alice:tue"]


def test_undo_keeps_what_was_written_since(nb):
    commands.clear(nb, yes=True)
    nb.memory.sync.add("bob:mon", {"text": "new"})
    assert commands.undo(nb).text == (
        "clear undone: 2 records brought back, 1 record not brought back: rewritten or expired since"
    )
    assert nb.memory.sync.get("bob:mon") == {"text": "new"}


def test_undo_without_a_change_says_so(nb):
    with pytest.raises(InvalidArgument, match="nothing to undo"):
        commands.undo(nb)


def test_undo_belongs_to_the_memory_that_was_changed(nb):
    first = nb.memory
    commands.clear(nb, yes=True)
    commands.use(nb, namespace="other")
    commands.undo(nb)
    assert first.size() == 3
    assert nb.memory.size() == 0


def test_export_and_import_bring_everything_back(nb, tmp_path):
    path = str(tmp_path / "all.jsonl")
    before = nb.memory.sync.records()
    assert commands.export(nb, path).text == f"wrote 3 records to {path}"
    commands.clear(nb, yes=True)
    assert commands.import_(nb, path).text == "imported 3 records"
    assert nb.memory.sync.records() == before
    commands.undo(nb)
    assert keys(nb) == []


def test_import_lists_what_it_skips(nb, tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_text('{"key": "ok", "value": {"a": 1}}\nnot json\n{"value": {}}\n')
    before = nb.memory.sync.records()
    with pytest.raises(Exception, match="2 of 3 records cannot be read, so nothing was imported"):
        commands.import_(nb, str(path))
    assert nb.memory.sync.records() == before
    lines = commands.import_(nb, str(path), on_error="skip").text.splitlines()
    assert lines[0] == "imported 1 record, 2 skipped"
    assert lines[1].startswith("  line 2: not JSON")
    assert lines[2].startswith("  line 3: no 'key'")
    with pytest.raises(InvalidArgument, match="--on-error 'ignore': write raise or skip"):
        commands.import_(nb, str(path), on_error="ignore")


def test_status_and_info_tell_about_the_memory(nb):
    facts = commands.status(nb).value["value"]
    assert facts.to_dict() == {
        "backend": "in-memory",
        "namespace": "default",
        "size": 3,
        "capacity": 1000,
        "evictions": 0,
    }
    more = commands.info(nb).value["value"]
    assert more["size in bytes"] == sum(
        len(f'{{"text":"{t}"}}') for t in ("rain", "sun", "More rain")
    )
    assert more["undoable"] == "nothing"


def test_use_goes_between_namespaces_and_finds_them_again(nb):
    home = nb.memory
    assert commands.use(nb, namespace="lab").value is nb.memory
    assert nb.memory.namespace == "lab"
    commands.add(nb, "k", "x")
    assert commands.use(nb, namespace="default").value is home
    assert commands.use(nb, "in-memory", namespace="lab").value.size() == 1


def test_use_takes_the_memory_of_an_agent(nb):
    home, mine = nb.memory, MemoryPrimitive(namespace="mine")
    commands.use(nb, mine)
    assert nb.memory is mine
    with pytest.raises(InvalidArgument, match="this memory's namespace is 'mine'"):
        commands.use(nb, mine, namespace="other")
    assert commands.use(nb, "in-memory", namespace="default").value is home


@pytest.mark.parametrize("what", ["nonsense", 42, {"a": 1}])
def test_use_refuses_what_is_no_memory(nb, what):
    home = nb.memory
    with pytest.raises(InvalidArgument, match=r"MEMORY: .* no MemoryPrimitive"):
        commands.use(nb, what)
    assert nb.memory is home


def test_a_smaller_capacity_must_be_confirmed(nb):
    with pytest.raises(InvalidArgument, match="1 record would be evicted for good"):
        commands.use(nb, max_size=2)
    assert len(keys(nb)) == 3
    commands.use(nb, max_size=2, yes=True)
    assert keys(nb) == ["bob:mon", "alice:tue"]


def test_help_has_one_line_for_each_command():
    overview = commands.help_(Notebook()).text
    for name in commands.COMMANDS:
        assert f"%memory {name}" in overview
    assert commands.help_(Notebook(), "search").text.startswith("%memory search WORDS")


def test_a_mistyped_command_is_told_the_nearest():
    with pytest.raises(InvalidArgument, match=r"no subcommand 'serch' \(did you mean 'search'\?\)"):
        commands.help_(Notebook(), "serch")


def test_hostile_text_is_printed_on_one_line(nb):
    hostile = "k\x1b[31m\nINJECTED\u202e"
    reply = commands.add(nb, hostile, "x")
    assert reply.text == r"stored k\x1b[31m\nINJECTED\u202e"
    assert nb.memory.sync.get(hostile) == {"text": "x"}


def test_a_search_in_quotes_that_finds_nothing_explains_itself(nb):
    assert commands.search(nb, '"rain"').text == (
        "0 records matching '\"rain\"'; words are taken as they are, so the quotes were searched "
        "for as well"
    )


def test_clearing_nothing_leaves_nothing_to_undo(nb):
    assert commands.clear(nb, user="nobody", yes=True).text == "there was nothing to delete"
    assert list(nb.changes.verbs()) == []


def test_use_without_a_memory_stays_on_the_one_it_was_given(nb):
    home, mine = nb.memory, MemoryPrimitive(max_size=50, namespace="mine")
    commands.use(nb, mine)
    assert commands.use(nb).value is mine
    assert commands.use(nb, max_size=20).value is mine
    assert (mine.max_size, home.max_size) == (20, 1000)
    other = commands.use(nb, namespace="other").value
    assert other not in (mine, home)
    assert commands.use(nb, namespace="mine").value is mine
    assert commands.use(nb, "in-memory", namespace="default").value is home


def test_a_use_that_fails_changes_nothing(nb):
    with pytest.raises(InvalidArgument, match="namespace"):
        commands.use(nb, "redis://h:1", namespace="")
    assert nb.backend == "in-memory"


def test_delete_takes_the_keys_of_a_table(nb):
    table = commands.list_(nb, user="alice").value
    commands.delete(nb, (table,))
    assert keys(nb) == ["bob:mon"]
    with pytest.raises(InvalidArgument, match="index of this DataFrame is not called 'key'"):
        commands.delete(nb, (table.reset_index(),))
    with pytest.raises(InvalidArgument, match=r"KEYS: \[1\] is no key"):
        commands.delete(nb, ([[1]],))


def test_the_name_of_a_variable_is_not_taken_for_a_file(nb):
    nb.lookup = {"df": 1}.__getitem__
    with pytest.raises(InvalidArgument, match=r"'df' is a variable: write %memory import \$df"):
        commands.import_(nb, "df")


def test_undo_names_the_namespace_when_it_is_another(nb):
    commands.clear(nb, yes=True)
    commands.use(nb, namespace="other")
    assert commands.undo(nb).text.startswith("clear undone in namespace 'default': 3 records")


def test_an_import_of_nothing_leaves_the_last_change_undoable(nb):
    commands.clear(nb, yes=True)
    commands.import_(nb, [])
    commands.undo(nb)
    assert len(keys(nb)) == 3


def test_a_long_key_is_printed_short(nb):
    assert len(commands.add(nb, "k" * 1_000_000, "x").text) < 200


def test_a_long_ttl_is_told_in_full(nb):
    assert commands.add(nb, "k", "x", ttl="30d").text == "stored k, expires in 2,592,000 s"


@pytest.mark.parametrize("value", ['{"a": ' + "1" * 5000 + "}", '{"a":' * 5000])
def test_a_value_that_python_cannot_read_is_refused_in_one_line(nb, value):
    with pytest.raises(InvalidArgument, match="the value "):
        commands.add(nb, "k", value)


def test_text_that_begins_with_many_brackets_is_text(nb):
    commands.add(nb, "k", "[" * 100_000)
    assert nb.memory.sync.get("k") == {"text": "[" * 100_000}


def test_a_key_that_expires_while_it_is_looked_for_is_no_crash(nb, clock):
    nb.memory.sync.add("brief", {"x": 1}, ttl=1)
    keys_of = nb.memory.sync.keys

    def keys_then_later():
        found = keys_of()
        clock.tick(1)
        return found

    nb.memory.sync.keys = keys_then_later
    with pytest.raises(InvalidArgument, match="expired just now"):
        commands.get(nb, ("brief",), json=True)


# ---------------------------------------------------------------- seen and compared


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("timeline", "2 records by last write"),
        ("sessions", "2 sessions"),
        ("ttl", "2 records by time to live"),
        ("sizes", "2 records by size"),
    ],
)
def test_plot_draws_what_the_filters_accept(nb, kind, title):
    reply = commands.plot(nb, kind, user="alice")
    assert reply.text == ""
    assert reply.value.axes[0].get_title(loc="left") == title


def test_plot_tells_a_time_to_live_by_the_notebooks_clock(nb, clock):
    commands.add(nb, "brief", "x", ttl="1h")
    clock.tick(3000)
    bars = commands.plot(nb, "ttl").value.axes[0].patches
    assert [bar.get_height() for bar in bars] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 3]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("timelin", r"KIND 'timelin': write one of timeline, .* \(did you mean 'timeline'\?\)"),
        (["ttl"], r"KIND \['ttl'\]: write one of timeline, sessions, ttl, sizes"),
    ],
)
def test_plot_names_what_there_is_to_draw(nb, kind, message):
    with pytest.raises(InvalidArgument, match=message):
        commands.plot(nb, kind)


def test_diff_shows_what_has_changed_since_the_snapshot(nb, clock):
    nb.memory.sync.add("brief", {"x": 1}, ttl=60)
    assert commands.snapshot(nb).text == (
        "snapshot 'last' of 4 records in namespace 'default'; %memory diff shows what changes "
        "from now on"
    )
    assert commands.diff(nb).text.startswith("nothing has changed since snapshot 'last' of 20")
    commands.add(nb, "new", '{"n": 1, "expires": null}')
    commands.add(nb, "alice:mon", '{"text": "snow"}', ttl="1d")
    commands.delete(nb, ("bob:mon",))
    clock.tick(60)
    reply = commands.diff(nb)
    assert reply.text == (
        "1 added, 1 changed, 1 deleted, 1 expired since snapshot 'last' of 2027-01-15 08:03:00Z"
    )
    table = reply.value
    assert list(table.columns) == ["what", "field", "before", "after"]
    assert table.index.name == "key"
    rows = [
        (key, *("-" if isinstance(cell, float) else cell for cell in row))
        for key, *row in table.itertuples()
    ]
    expiry = rows[1][-1]
    assert expiry.timestamp() == clock() - 60 + 86400
    assert rows == [
        ("alice:mon", "changed", "text", "rain", "snow"),
        ("alice:mon", "changed", "expires", "-", expiry),
        ("new", "added", "n", "-", 1),
        ("new", "added", "value.expires", "-", None),
        ("brief", "expired", "x", 1, "-"),
        ("bob:mon", "deleted", "text", "sun", "-"),
    ]


def test_diff_tells_an_eviction_from_a_deletion(nb):
    commands.snapshot(nb)
    commands.use(nb, max_size=2, yes=True)
    assert commands.diff(nb).text.startswith("1 evicted since")


def test_diff_shows_some_of_many_and_all_when_asked(nb):
    commands.snapshot(nb)
    nb.memory.sync.add_many({f"k{n}": {"n": n, "m": n} for n in range(25)})
    reply = commands.diff(nb)
    assert reply.text.startswith("25 added since")
    assert reply.text.endswith("; showing 10 of 25 records")
    assert len(reply.value) == 20
    assert len(commands.diff(nb, limit=None).value) == 50


def test_diff_looks_where_the_snapshot_was_taken(nb):
    commands.snapshot(nb, "before")
    commands.delete(nb, ("bob:mon",))
    commands.use(nb, namespace="other")
    commands.add(nb, "elsewhere", "x")
    reply = commands.diff(nb, "before")
    assert reply.text.endswith("of 2027-01-15 08:03:00Z in namespace 'default'")
    assert list(reply.value.index) == ["bob:mon"]


def test_diff_without_a_name_lists_what_there_is(nb):
    with pytest.raises(InvalidArgument, match="no snapshot yet: %memory snapshot takes one"):
        commands.diff(nb)
    commands.snapshot(nb, "before-\nimport")
    reply = commands.diff(nb)
    assert reply.value is None
    assert reply.text == (
        "no snapshot is called 'last'; write %memory diff and the name of one of these:\n"
        "  before-\\nimport: 3 records in namespace 'default', 2027-01-15 08:03:00Z"
    )
    with pytest.raises(InvalidArgument, match=r"'before-imprt' \(did you mean 'before-\\nimport'"):
        commands.diff(nb, "before-imprt")
    with pytest.raises(InvalidArgument, match="NAME: expected text, found <int>"):
        commands.snapshot(nb, 3)


def test_a_snapshot_of_the_same_name_takes_the_place_of_the_first(nb):
    assert "%memory diff 'mine' shows" in commands.snapshot(nb, "mine").text
    commands.clear(nb, yes=True)
    commands.snapshot(nb, "mine")
    assert commands.diff(nb, "mine").text.startswith("nothing has changed")
    commands.undo(nb)
    assert commands.diff(nb, "mine").text.startswith("3 added since")


def test_explore_looks_at_the_memory_in_use_and_shares_what_can_be_undone(nb):
    explorer = commands.explore(nb, "rain", user="alice").value
    assert explorer.memory is nb.memory
    assert [record.key for record in explorer.records] == ["alice:tue", "alice:mon"]
    is_deleted = Event()
    explorer._received(None, {"id": 1, "do": "delete", "keys": ["alice:mon"]}, [])
    explorer._views.of(1).do(is_deleted.set, 2)
    assert is_deleted.wait(60)  # seconds; it takes that long only if something is broken
    assert keys(nb) == ["bob:mon", "alice:tue"]
    assert commands.undo(nb).text == "delete undone: 1 record brought back"
    explorer.close()
