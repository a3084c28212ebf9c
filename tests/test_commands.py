"""The subcommands as plain functions: their effects, replies and errors."""

import re
from threading import Event
from typing import Any

import pandas as pd
import pytest
from backends import Clock, on_a_stand_in

from tta_memory_nb import GoldenSet, InvalidArgument, MemoryPrimitive, NotStorable
from tta_memory_nb.frames import frame_text
from tta_memory_nb.notebook import commands
from tta_memory_nb.notebook.commands import (
    COMMANDS,
    Notebook,
    memories,
    reading,
    searching,
    transfer,
    views,
    writing,
)
from tta_memory_nb.notebook.completion import complete
from tta_memory_nb.notebook.json_text import value_of


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def nb(clock):
    """A notebook with three records, written a minute apart."""
    notebook = Notebook(MemoryPrimitive(clock=clock))
    for key, text in (("alice:mon", "rain"), ("bob:mon", "sun"), ("alice:tue", "More rain")):
        notebook.memory.sync.add(key, {"text": text})
        clock.tick(60)
    return notebook


def keys(nb):
    return nb.memory.sync.keys()


def add(nb, key, value, **flags):
    """Adds a value as the parser of a line reads it."""
    return writing.add(nb, key, value_of(value) if isinstance(value, str) else value, **flags)


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
    reply = add(nb, "k", written)
    assert reply.text == "stored k"
    assert nb.memory.sync.get("k") == stored


def test_add_takes_a_ttl_as_people_write_it(nb, clock):
    assert add(nb, "k", "x", ttl="1h30m").text == "stored k, expires in 5,400 s"
    clock.tick(5400)
    assert nb.memory.sync.get("k") is None


@pytest.mark.parametrize(
    ("written", "error", "message"),
    [
        ("", InvalidArgument, "the value is empty"),
        ('{"a": }', InvalidArgument, "not JSON: .* at column 7; \\$name stores a variable"),
        ('{"a":\n x}', InvalidArgument, "at line 2"),
        ('{"a": 1, "a": 2}', InvalidArgument, "duplicate field 'a'"),
        ('[{"role": "user"}]', InvalidArgument, "a list is not a value"),
        ('{"a": {"b": NaN}}', NotStorable, r"value\['a'\]\['b'\]: nan is not JSON"),
        ([1, 2], NotStorable, "value: <list> is not a JSON object"),
    ],
)
def test_add_refuses_an_invalid_value_and_changes_nothing(nb, written, error, message):
    before = nb.memory.sync.records()
    with pytest.raises(error, match=message):
        add(nb, "alice:mon", written)
    assert nb.memory.sync.records() == before


def test_get_gives_a_table_in_the_order_asked_and_refreshes_recency(nb):
    table = reading.get(nb, ("bob:mon", "alice:mon")).value
    assert list(table.index) == ["bob:mon", "alice:mon"]
    assert list(table["text"]) == ["sun", "rain"]
    assert keys(nb) == ["alice:tue", "bob:mon", "alice:mon"]


def test_get_gives_values_for_code(nb):
    assert reading.get(nb, ("bob:mon",), json=True).value == {"text": "sun"}
    assert reading.get(nb, (["bob:mon", "alice:mon"],), json=True).value == {
        "bob:mon": {"text": "sun"},
        "alice:mon": {"text": "rain"},
    }


@pytest.mark.parametrize("command", [reading.get, writing.delete])
def test_a_missing_key_is_named_with_the_most_similar_one_and_nothing_changes(nb, command):
    before = keys(nb)
    with pytest.raises(InvalidArgument, match=r"no record under 'bob:mn' \(did you mean 'bob:mon'"):
        command(nb, ("alice:mon", "bob:mn"))
    assert keys(nb) == before


def test_search_reports_how_many_records_match(nb):
    reply = searching.search(nb, "RAIN", limit=1)
    assert re.fullmatch(r"1 of 2 records matching 'RAIN', newest first, in [\d.]+ m?s", reply.text)
    assert list(reply.value.index) == ["alice:tue"]
    assert list(reply.value["matches"]) == ["text"]
    assert re.fullmatch(
        r"2 records matching 'rain', in [\d.]+ m?s", searching.search(nb, "rain").text
    )
    assert searching.search(nb, "snow").value.empty


def test_search_and_list_take_filters(nb):
    assert list(searching.search(nb, "rain", user="alice", since="90s").value.index) == [
        "alice:tue"
    ]
    assert list(reading.list_(nb, where={"text": "sun"}).value.index) == ["bob:mon"]
    assert list(reading.list_(nb, session="mon", limit=None).value.index) == [
        "bob:mon",
        "alice:mon",
    ]


def test_list_is_newest_first(nb):
    reply = reading.list_(nb, limit=2)
    assert reply.text == "2 of 3 records, newest first"
    assert list(reply.value.index) == ["alice:tue", "bob:mon"]


def test_delete_is_undone_at_the_same_place(nb):
    before = keys(nb), nb.memory.sync.records()
    assert writing.delete(nb, (pd.Index(["bob:mon"]), "alice:mon")).text.startswith(
        "deleted 2 records"
    )
    assert keys(nb) == ["alice:tue"]
    assert writing.undo(nb).text == "delete undone: 2 records brought back"
    assert (keys(nb), nb.memory.sync.records()) == before


def test_clear_only_previews_without_yes(nb):
    reply = writing.clear(nb, user="alice")
    assert reply.text.startswith("would delete 2 records of 3 in namespace 'default'; nothing")
    assert list(reply.value.index) == ["alice:tue", "alice:mon"]
    assert len(keys(nb)) == 3
    writing.clear(nb, user="alice", yes=True)
    assert keys(nb) == ["bob:mon"]
    writing.clear(nb, yes=True)
    assert keys(nb) == []
    writing.undo(nb)
    writing.undo(nb)
    assert keys(nb) == ["alice:mon", "bob:mon", "alice:tue"]


def test_undo_keeps_later_writes(nb):
    writing.clear(nb, yes=True)
    nb.memory.sync.add("bob:mon", {"text": "new"})
    assert writing.undo(nb).text == (
        "clear undone: 2 records brought back, 1 record not brought back: rewritten or expired since"
    )
    assert nb.memory.sync.get("bob:mon") == {"text": "new"}


def test_undo_without_a_change_says_so(nb):
    with pytest.raises(InvalidArgument, match="nothing to undo"):
        writing.undo(nb)


def test_undo_restores_the_memory_that_was_changed(nb):
    first = nb.memory
    writing.clear(nb, yes=True)
    memories.use(nb, namespace="other")
    writing.undo(nb)
    assert first.size() == 3
    assert nb.memory.size() == 0


def test_export_and_import_bring_everything_back(nb, tmp_path):
    path = str(tmp_path / "all.jsonl")
    before = nb.memory.sync.records()
    assert transfer.export(nb, path).text == f"wrote 3 records to {path}"
    writing.clear(nb, yes=True)
    assert transfer.import_(nb, path).text == "imported 3 records"
    assert nb.memory.sync.records() == before
    writing.undo(nb)
    assert keys(nb) == []


def test_import_lists_skipped_records(nb, tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_text('{"key": "ok", "value": {"a": 1}}\nnot json\n{"value": {}}\n')
    before = nb.memory.sync.records()
    with pytest.raises(Exception, match="2 of 3 records cannot be read, so nothing was imported"):
        transfer.import_(nb, str(path))
    assert nb.memory.sync.records() == before
    lines = transfer.import_(nb, str(path), on_error="skip").text.splitlines()
    assert lines[0] == "imported 1 record, 2 skipped"
    assert lines[1].startswith("  line 2: not JSON")
    assert lines[2].startswith("  line 3: the object has no field 'key'")
    with pytest.raises(InvalidArgument, match="on_error='ignore': give raise or skip"):
        transfer.import_(nb, str(path), on_error="ignore")


def test_status_and_info_describe_the_memory(nb):
    facts = memories.status(nb).value["value"]
    assert facts.to_dict() == {
        "backend": "in-memory",
        "namespace": "default",
        "size": 3,
        "capacity": 1000,
        "evictions": 0,
    }
    more = memories.info(nb).value["value"]
    assert more["size in bytes"] == sum(
        len(f'{{"text":"{t}"}}') for t in ("rain", "sun", "More rain")
    )
    assert more["undoable"] == "nothing"


def test_use_switches_between_namespaces_that_keep_their_records(nb):
    home = nb.memory
    assert memories.use(nb, namespace="lab").value is nb.memory
    assert nb.memory.namespace == "lab"
    add(nb, "k", "x")
    assert memories.use(nb, namespace="default").value is home
    assert memories.use(nb, "in-memory", namespace="lab").value.size() == 1


def test_use_takes_the_memory_of_an_agent(nb):
    home, mine = nb.memory, MemoryPrimitive(namespace="mine")
    memories.use(nb, mine)
    assert nb.memory is mine
    with pytest.raises(InvalidArgument, match="this memory's namespace is 'mine'"):
        memories.use(nb, mine, namespace="other")
    assert memories.use(nb, "in-memory", namespace="default").value is home


def test_use_says_that_the_memory_is_asked_for_and_not_what_calls_it(nb):
    for what in (nb.memory.sync, "called"):
        nb.lookup = {"called": nb.memory.sync}.__getitem__
        with pytest.raises(
            InvalidArgument, match=r"<SyncMemory> is no .*; give the memory that has it"
        ):
            memories.use(nb, what)


@pytest.mark.parametrize("what", ["nonsense", 42, {"a": 1}])
def test_use_refuses_anything_but_a_memory(nb, what):
    home = nb.memory
    with pytest.raises(InvalidArgument, match=r"MEMORY: .* no MemoryPrimitive"):
        memories.use(nb, what)
    assert nb.memory is home


def test_a_smaller_capacity_must_be_confirmed(nb):
    with pytest.raises(InvalidArgument, match="1 record would be evicted for good"):
        memories.use(nb, max_size=2)
    assert len(keys(nb)) == 3
    memories.use(nb, max_size=2, yes=True)
    assert keys(nb) == ["bob:mon", "alice:tue"]


def test_help_has_one_line_for_each_command():
    overview = commands.help_(Notebook()).text
    for name in commands.COMMANDS:
        assert f"%memory {name}" in overview
    assert commands.help_(Notebook(), "search").text.startswith("%memory search WORDS")


def test_a_mistyped_command_suggests_the_most_similar_one():
    with pytest.raises(InvalidArgument, match=r"no subcommand 'serch' \(did you mean 'search'\?\)"):
        commands.help_(Notebook(), "serch")


def test_hostile_text_is_printed_on_one_line(nb):
    hostile = "k\x1b[31m\nINJECTED\u202e"
    reply = add(nb, hostile, "x")
    assert reply.text == r"stored k\x1b[31m\nINJECTED\u202e"
    assert nb.memory.sync.get(hostile) == {"text": "x"}


def test_a_search_in_quotes_that_finds_nothing_explains_itself(nb):
    first, second, _ = searching.search(nb, '"rain"').text.split("\n")
    assert first.startswith("0 records matching '\"rain\"', in ")
    assert first.endswith("; the quotes are part of the words, so they were searched for as well")
    assert second == "  all of it is searched for as one text; alone, 'rain' is in 2 records"


def test_a_question_in_quotes_that_finds_nothing_is_offered_without_them(nb):
    reply = searching.search(nb, '"how much does it rain"', mode="ranked")
    first, *_, last = reply.text.split("\n")
    assert first.endswith("; words in quotes are searched for as one phrase")
    assert last.startswith("  without the quotes, --mode ranked finds ")
    assert last.endswith(": %memory search --mode ranked how much does it rain")
    assert frame_text(reply.value).startswith('No record matches “"how much does it rain"”.')
    explained = searching.search(nb, "umbrella", mode="ranked", explain=True)
    assert frame_text(explained.value) == "No record matches. Try other words."


def after_nothing(nb: Notebook, query: str, **filters: Any) -> list[str]:
    """Searches for what is not there, and returns the lines that say what to try."""
    reply = searching.search(nb, query, **filters)
    assert reply.value.empty
    return reply.text.split("\n")[1:]


def test_a_search_that_finds_nothing_offers_the_nearest_spelling(nb):
    nb.memory.sync.add("cid:1", {"text": "My favorite book is Emma"})
    assert after_nothing(nb, "favorit bok") == ["  did you mean: %memory search favorite book"]
    assert after_nothing(nb, "Emna")[0] == "  did you mean: %memory search emma"
    assert after_nothing(nb, "quite unheard of") == []


def test_a_search_that_finds_nothing_offers_single_words_other_filters_and_other_namespaces(nb):
    nb.memory.sync.add("cid:1", {"text": "My favorite book"})
    assert after_nothing(nb, "book favorite") == [
        "  all of it is searched for as one text; alone, 'book' is in 1 record, 'favorite' is in 1 record",
        "  --mode ranked finds cid:1: %memory search --mode ranked book favorite",
    ]
    assert after_nothing(nb, "book", user="bob") == ["  without the filters, 1 record would match"]
    for namespace in ("other", "a b; !rm"):
        memory = nb.memories[nb.backend, namespace] = MemoryPrimitive(namespace=namespace)
        memory.sync.add("k", {"text": "snow"})
    assert after_nothing(nb, "snow") == [
        "  namespace 'other' has 1 record: %memory use --namespace other",
        "  namespace 'a b; !rm' has 1 record",
    ]


def test_only_letters_and_digits_of_a_memory_are_offered_as_a_command(nb):
    nb.memory.sync.add("cid:1", {"text": "umbrella{__import__('os').system('x')} $HOME `id`"})
    [line] = after_nothing(nb, "umbrela")
    assert line == "  did you mean: %memory search umbrella"


def test_clearing_nothing_leaves_nothing_to_undo(nb):
    assert writing.clear(nb, user="nobody", yes=True).text == "there was nothing to delete"
    assert list(nb.undo_stack.verbs()) == []


def test_use_without_a_memory_keeps_the_current_one(nb):
    home, mine = nb.memory, MemoryPrimitive(max_size=50, namespace="mine")
    memories.use(nb, mine)
    assert memories.use(nb).value is mine
    assert memories.use(nb, max_size=20).value is mine
    assert (mine.max_size, home.max_size) == (20, 1000)
    other = memories.use(nb, namespace="other").value
    assert other not in (mine, home)
    assert memories.use(nb, namespace="mine").value is mine
    assert memories.use(nb, "in-memory", namespace="default").value is home


def test_a_use_that_fails_changes_nothing(nb):
    with pytest.raises(InvalidArgument, match="namespace"):
        memories.use(nb, "redis://h:1", namespace="")
    assert nb.backend == "in-memory"


def test_delete_takes_the_keys_of_a_table(nb):
    table = reading.list_(nb, user="alice").value
    writing.delete(nb, (table,))
    assert keys(nb) == ["bob:mon"]
    with pytest.raises(InvalidArgument, match="index of this DataFrame is not called 'key'"):
        writing.delete(nb, (table.reset_index(),))
    with pytest.raises(InvalidArgument, match=r"KEYS: \[1\] is not a key"):
        writing.delete(nb, ([[1]],))


def test_the_name_of_a_variable_is_not_taken_for_a_file(nb):
    nb.lookup = {"df": 1}.__getitem__
    with pytest.raises(InvalidArgument, match=r"'df' is a variable: type %memory import \$df"):
        transfer.import_(nb, "df")


def test_undo_names_the_namespace_when_it_is_another(nb):
    writing.clear(nb, yes=True)
    memories.use(nb, namespace="other")
    assert writing.undo(nb).text.startswith("clear undone in namespace 'default': 3 records")


def test_an_import_of_nothing_leaves_the_last_change_undoable(nb):
    writing.clear(nb, yes=True)
    transfer.import_(nb, [])
    writing.undo(nb)
    assert len(keys(nb)) == 3


def test_a_long_key_is_printed_short(nb):
    assert len(add(nb, "k" * 1_000_000, "x").text) < 200


def test_a_long_ttl_is_printed_in_full(nb):
    assert add(nb, "k", "x", ttl="30d").text == "stored k, expires in 2,592,000 s"


@pytest.mark.parametrize("value", ['{"a": ' + "1" * 5000 + "}", '{"a":' * 5000])
def test_a_value_that_python_cannot_read_is_refused_in_one_line(nb, value):
    with pytest.raises(InvalidArgument, match="the value "):
        add(nb, "k", value)


def test_text_that_begins_with_many_brackets_is_text(nb):
    add(nb, "k", "[" * 100_000)
    assert nb.memory.sync.get("k") == {"text": "[" * 100_000}


def test_keys_that_expire_between_the_check_and_the_read_cause_no_crash(nb, clock):
    nb.memory.sync.add_many({"brief": {"x": 1}, "short": {"x": 2}}, ttl=1)
    peek = nb.memory.sync.peek

    def peek_then_later(wanted):
        found = peek(wanted)
        clock.tick(1)
        return found

    nb.memory.sync.peek = peek_then_later
    with pytest.raises(InvalidArgument, match="expired a moment ago"):
        reading.get(nb, ("brief", "short"), json=True)
    nb.memory.sync.add_many({"brief": {"x": 1}, "short": {"x": 2}}, ttl=1)
    with pytest.raises(InvalidArgument, match="no record under 'brief'"):
        writing.delete(nb, ("brief", "short"))


# ---------------------------------------------------------------- requests to the store


@pytest.fixture
def remote():
    """A notebook with a memory on the stand-in for a server."""
    notebook = Notebook(on_a_stand_in(max_size=5000, history=10))
    notebook.memory.sync.add_many({f"user{n}:s": {"n": n} for n in range(3000)})
    return notebook


@pytest.fixture
def requests(remote):
    """The log of the requests to the store after the records were added."""
    log = remote.memory._runner.log
    log.clear()
    return RequestLog(log)


class RequestLog:
    """The log of the requests to a stand-in."""

    def __init__(self, log):
        self._log = log

    def verbs(self):
        """Returns the verbs requested since the last call."""
        names = [name for _, name in self._log]
        self._log.clear()
        return names


@pytest.fixture
def listings(remote, monkeypatch):
    """Records the requested listings; one with neither a limit nor a prefix is an error."""
    found = []
    entries, keys = remote.memory.sync.entries, remote.memory.sync.keys

    def limited(*, limit, **filters):
        assert limit <= 1000
        found.append(limit)
        return entries(limit=limit, **filters)

    def with_prefix(*, prefix):
        assert len(prefix) >= 3
        found.append(prefix)
        return keys(prefix=prefix)

    monkeypatch.setattr(remote.memory.sync, "entries", limited)
    monkeypatch.setattr(remote.memory.sync, "keys", with_prefix)
    return found


@pytest.mark.parametrize(
    ("command", "words", "verbs"),
    [
        (reading.get, ("user7:s",), ["fetch"]),
        (reading.get, ("user7:s", "user8:s"), ["peek", "fetch"]),
        (writing.delete, ("user7:s",), ["remove"]),
        (writing.delete, ("user7:s", "user8:s"), ["peek", "remove"]),
    ],
)
def test_keys_that_exist_are_read_without_listing_others(remote, requests, command, words, verbs):
    command(remote, words)
    assert requests.verbs() == verbs


@pytest.mark.parametrize("command", [reading.get, writing.delete])
@pytest.mark.parametrize("words", [("user2999:z",), ("user7:s", "user2999:z")])
def test_a_missing_key_is_compared_with_a_limited_number_of_others(
    remote, requests, listings, command, words
):
    message = r"no record under 'user2999:z' \(did you mean 'user2999:s'"
    with pytest.raises(InvalidArgument, match=message):
        command(remote, words)
    assert listings == ["user2999:"]
    assert len(requests.verbs()) == 2
    with pytest.raises(InvalidArgument, match=r"no record under 'qqq:qqq'$"):
        command(remote, ("qqq:qqq",))
    assert listings == ["user2999:", "qqq:", 1000]


# `nest` uses no memory, and would patch asyncio for all other tests.
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "nest"])
def test_no_other_command_lists_all_keys(remote, requests, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    operands = {
        "add": ("user7:s", {"n": 1}),
        "get": (("user7:s",),),
        "log": ("user7:s",),
        "search": ("nothing of this",),
        "why": ("nothing of this", "user7:s"),
        "suggest": ("nothing of this",),
        "pack": ("nothing of this",),
        "judge": ("nothing of this", ("user7:s",)),
        "evaluate": (GoldenSet.of({"nothing of this": ["user7:s"]}),),
        "tune": (GoldenSet.of({f"nothing of this {n}": ["user7:s"] for n in range(10)}),),
        "touch": (("user7:s",),),
        "append": ("user7", "s", {"n": 1}),
        "history": ("user7", "s"),
        "delete": (("user7:s",),),
        "plot": ("sizes",),
        "import": ({"talk": [{"role": "user", "content": "hi"}]},),
        "export": ("out.jsonl",),
    }
    if name == "undo":
        writing.delete(remote, ("user7:s",))
    if name == "diff":
        views.snapshot(remote)
    flags = {"max_records": 1} if name == "forget" else {}
    reply = COMMANDS[name](remote, *operands.get(name, ()), **flags)
    if name == "explore":
        reply.value.close()
    if remote.served is not None:
        remote.served.stop()
    assert "keys" not in requests.verbs()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("get user2999:", ["user2999:s"]),
        ("delete user2999:", ["user2999:s"]),
        ("add user2999:", ["user2999:s"]),
        ("list --prefix user2999:", ["user2999:s"]),
        ("list --user user2999", ["user2999"]),
        ("list --session ", ["s"]),
        ("list --user user7 --session ", ["s"]),
        ("get ", [f"user{n}:s" for n in range(2999, 2799, -1)]),
        ("get us", [f"user{n}:s" for n in range(2999, 2799, -1)]),
    ],
)
def test_tab_requests_one_listing_with_a_limit_or_a_prefix(
    remote, requests, listings, line, offered
):
    assert complete(f"%memory {line}", remote)[1] == offered
    assert len(requests.verbs()) == len(listings) == 1


@pytest.mark.parametrize(
    "line",
    [
        "ge",
        "get $na",
        "get {na",
        "get -",
        "get user7:s -o ",
        "add k us",
        "search us",
        "search us --limit ",
        "list --since ",
        "list --where ",
        "use --namespace ",
        "import --format ",
        "get -- us",
    ],
)
def test_tab_requests_nothing_when_the_word_cannot_be_a_key(remote, requests, line):
    complete(f"%memory {line}", remote)
    assert requests.verbs() == []


# ---------------------------------------------------------------- views


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("timeline", "2 records by last write"),
        ("sessions", "2 sessions"),
        ("ttl", "2 records by time to live"),
        ("sizes", "2 records by size"),
    ],
)
def test_plot_draws_the_records_that_the_filters_accept(nb, kind, title):
    reply = views.plot(nb, kind, user="alice")
    assert reply.text == ""
    assert reply.value.axes[0].get_title(loc="left") == title


def test_plot_measures_times_to_live_by_the_notebooks_clock(nb, clock):
    add(nb, "brief", "x", ttl="1h")
    clock.tick(3000)
    bars = views.plot(nb, "ttl").value.axes[0].patches
    assert [bar.get_height() for bar in bars] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 3]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("timelin", r"KIND 'timelin': give one of timeline, .* \(did you mean 'timeline'\?\)"),
        (["ttl"], r"KIND \['ttl'\]: give one of timeline, sessions, ttl, sizes"),
    ],
)
def test_plot_lists_the_charts_it_can_draw(nb, kind, message):
    with pytest.raises(InvalidArgument, match=message):
        views.plot(nb, kind)


def test_diff_shows_the_changes_since_the_snapshot(nb, clock):
    nb.memory.sync.add("brief", {"x": 1}, ttl=60)
    assert views.snapshot(nb).text == (
        "snapshot 'last' of 4 records in namespace 'default'; %memory diff shows what changes "
        "from now on"
    )
    assert views.diff(nb).text.startswith("nothing has changed since snapshot 'last' of 20")
    add(nb, "new", '{"n": 1, "expires": null}')
    add(nb, "alice:mon", '{"text": "snow"}', ttl="1d")
    writing.delete(nb, ("bob:mon",))
    clock.tick(60)
    reply = views.diff(nb)
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


def test_diff_distinguishes_evictions_from_deletions(nb):
    views.snapshot(nb)
    memories.use(nb, max_size=2, yes=True)
    assert views.diff(nb).text.startswith("1 evicted since")


def test_diff_shows_some_of_many_and_all_when_asked(nb):
    views.snapshot(nb)
    nb.memory.sync.add_many({f"k{n}": {"n": n, "m": n} for n in range(25)})
    reply = views.diff(nb)
    assert reply.text.startswith("25 added since")
    assert reply.text.endswith("; showing 10 of 25 records")
    assert len(reply.value) == 20
    assert len(views.diff(nb, limit=None).value) == 50


def test_diff_reads_the_namespace_of_the_snapshot(nb):
    views.snapshot(nb, "before")
    writing.delete(nb, ("bob:mon",))
    memories.use(nb, namespace="other")
    add(nb, "elsewhere", "x")
    reply = views.diff(nb, "before")
    assert reply.text.endswith("of 2027-01-15 08:03:00Z in namespace 'default'")
    assert list(reply.value.index) == ["bob:mon"]


def test_diff_without_a_name_lists_the_snapshots(nb):
    with pytest.raises(InvalidArgument, match="no snapshot yet: %memory snapshot takes one"):
        views.diff(nb)
    views.snapshot(nb, "before-\nimport")
    reply = views.diff(nb)
    assert reply.value is None
    assert reply.text == (
        "no snapshot is called 'last'; type %memory diff and one of these names:\n"
        "  {'before-\\nimport'}: 3 records in namespace 'default', 2027-01-15 08:03:00Z"
    )
    with pytest.raises(
        InvalidArgument, match=r"'before-imprt' \(did you mean \{'before-\\nimport'\}"
    ):
        views.diff(nb, "before-imprt")
    with pytest.raises(InvalidArgument, match="NAME: expected text, found <int>"):
        views.snapshot(nb, 3)


def test_a_snapshot_of_the_same_name_replaces_the_first(nb):
    assert "%memory diff 'mine' shows" in views.snapshot(nb, "mine").text
    writing.clear(nb, yes=True)
    views.snapshot(nb, "mine")
    assert views.diff(nb, "mine").text.startswith("nothing has changed")
    writing.undo(nb)
    assert views.diff(nb, "mine").text.startswith("3 added since")


def test_explore_searches_in_the_mode_that_it_is_told(nb):
    explorer = views.explore(nb, "is there any rain", mode="ranked").value
    assert explorer.mode == "ranked"
    assert {record.key for record in explorer.records} == {"alice:tue", "alice:mon"}
    with pytest.raises(InvalidArgument, match="mode='rank'"):
        views.explore(nb, mode="rank")


def test_explore_shows_the_current_memory_and_shares_its_undo_stack(nb):
    explorer = views.explore(nb, "rain", user="alice").value
    assert explorer.memory is nb.memory
    assert [record.key for record in explorer.records] == ["alice:tue", "alice:mon"]
    is_deleted = Event()
    explorer._received(None, {"id": 1, "do": "delete", "keys": ["alice:mon"]}, [])
    explorer._views.of(1).do(is_deleted.set, 2)
    assert is_deleted.wait(60)  # seconds; it takes that long only if something is broken
    assert keys(nb) == ["bob:mon", "alice:tue"]
    assert writing.undo(nb).text == "delete undone: 1 record brought back"
    explorer.close()
