"""The subcommands of ``%memory``, one function each. No IPython here.

A command takes the `Notebook` and what its line says (see `arguments`), and gives a `Reply`. Its
docstring is its help. To add one, write a function and name it in `COMMANDS`.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from ..errors import InvalidArgument, brief, harmless
from ..filters import FilterArgs
from ..memory.compare import Snapshot, compare, summary
from ..memory.faces import MemoryPrimitive
from ..stores.base import Change, Clock
from ..stores.redis.addresses import is_address
from ..times import Duration, duration
from .arguments import Limit, Payload, Syntax, Text, Word, Words, did_you_mean
from .changes import Changes
from .parsing import Lookup, object_at, unique_fields

if TYPE_CHECKING:
    from ..transfer import Progress

_SHOWN_PROBLEMS = 10
_SHOWN_CHARACTERS = 120
IN_MEMORY = "in-memory"
LAST = Word("last")
DEFAULT_CAPACITY = 1000
PLOTS = ("timeline", "sessions", "ttl", "sizes")


def _no_variables(expression: str) -> Any:
    raise NameError(f"there are no variables here, so no {expression!r}")


@dataclass(slots=True)
class Notebook:
    """What the commands of one notebook work on.

    Attributes:
        memory: the memory in use.
        backend: what ``use`` was told: ``in-memory``, a URL, or which memory of a variable.
        lookup: gives the notebook's global variables.
        progress: wraps long work in a progress bar, or False.
        memories: those made by ``use``, by backend and namespace.
        changes: what ``undo`` can take back.
        snapshots: what ``diff`` can compare with, by name, and the memory it was taken of.
        clock: gives Unix seconds; for tests.
    """

    memory: MemoryPrimitive = field(default_factory=MemoryPrimitive)
    backend: str = IN_MEMORY
    lookup: Lookup = _no_variables
    progress: Progress | bool = False
    memories: dict[tuple[str, str], MemoryPrimitive] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)
    snapshots: dict[str, tuple[MemoryPrimitive, Snapshot]] = field(default_factory=dict)
    clock: Clock = time.time

    def __post_init__(self) -> None:
        self.memories[self.backend, self.memory.namespace] = self.memory

    def remember(self, verb: str, change: Change) -> None:
        """Keeps a change for ``undo``."""
        self.changes.add(self.memory, verb, change)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command gives back.

    Attributes:
        text: printed; one or more lines.
        value: result of the cell, most often a DataFrame; None for none.
    """

    text: str = ""
    value: Any = None


Command: TypeAlias = Callable[..., Reply]


# ---------------------------------------------------------------- one record


def add(nb: Notebook, key: Word, value: Payload, *, ttl: Duration | None = None) -> Reply:
    """Add a record, or replace the one under this key.

    The value is a JSON object; other text is stored as {"text": ...}; $name or {name} stores
    the notebook's variable itself. As a cell magic the cell's body is the value.

      %memory add alice:monday {"text": "It's raining", "mood": "low"}
      %memory add alice:monday --ttl 1h remember the umbrella
      %memory add alice:monday $context

    Flags:
        ttl: time until it expires: 3600 (seconds), 15m, 2h, 7d
    """
    seconds = None if ttl is None else duration(ttl, "--ttl")
    nb.memory.sync.add(key, _value(value), seconds)
    expiry = "" if seconds is None else f", expires in {seconds:,.12g} s"
    return Reply(f"stored {shown(key)}{expiry}")


def get(nb: Notebook, keys: Words, *, json: bool = False) -> Reply:
    """Get records by their keys, and make them the newest.

      %memory get alice:monday
      %memory get alice:monday alice:tuesday
      context = %memory get alice:monday --json

    Flags:
        json: give the value itself (a dict, or a dict by key) in place of a table
    """
    wanted = _existing(nb, keys)
    records = nb.memory.sync.get_records(wanted)
    if not records:
        raise InvalidArgument("no record is left under these keys: they expired just now")
    if json:
        values = {record.key: record.value for record in records}
        return Reply(value=values if len(wanted) > 1 else records[0].value)
    from ..frames import records_frame

    return Reply(value=records_frame(records))


def delete(nb: Notebook, keys: Words) -> Reply:
    """Delete records by their keys; %memory undo brings them back.

    %memory delete alice:monday
    %memory delete {df.index}
    """
    wanted = _existing(nb, keys)
    change = nb.memory.sync.remove(wanted)
    nb.remember("delete", change)
    return Reply(f"deleted {_records(len(change.removed))}; %memory undo brings them back")


# ---------------------------------------------------------------- many records


def search(nb: Notebook, words: Text, *, limit: Limit = 10, **filters: Unpack[FilterArgs]) -> Reply:
    """Find records by words in their fields, newest first.

    A record is found when a field's name or value contains the words, in any case.

      %memory search what's the weather
      %memory search rain --user alice --since 2h --limit 3
      df = %memory search error --where {"turn": {"$gt": 3}}

    Flags:
        limit: how many at most; all for all of them
    """
    query = _text(words, "WORDS")
    memory = nb.memory.sync
    hits = memory.search_records(query, limit, **filters)
    from ..frames import hits_frame

    total = len(hits) if limit is None or len(hits) < limit else memory.count(query, **filters)
    text = _counted(len(hits), total, f" matching '{shown(query)}'")
    if not hits and len(query) > 1 and query[0] == query[-1] and query[0] in "\"'":
        text += "; words are taken as they are, so the quotes were searched for as well"
    if not hits and re.fullmatch(r"\$\w+|\{.*\}", query):
        text += "; there is no such variable, so the words were searched for as they are"
    return Reply(text, hits_frame(hits))


def list_(nb: Notebook, *, limit: Limit = 10, **filters: Unpack[FilterArgs]) -> Reply:
    """List records, newest first.

      %memory list
      %memory list --user alice --limit all
      df = %memory list --where {"mood": "low"}

    Flags:
        limit: how many at most; all for all of them
    """
    memory = nb.memory.sync
    records = memory.records(limit, **filters)
    from ..frames import records_frame

    total = len(records) if limit is None or len(records) < limit else memory.count(**filters)
    return Reply(_counted(len(records), total), records_frame(records))


def explore(
    nb: Notebook,
    words: Text | None = None,
    *,
    read_only: bool = False,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Open the memory as a table to search, sort, filter and repair.

    What is set in the table can be read by code, and the other way round.

      %memory explore
      %memory explore rain --user alice
      explorer = %memory explore --read-only

    Flags:
        read_only: change nothing from the table
    """
    from .explorer import MemoryExplorer

    explorer = MemoryExplorer(
        nb.memory,
        memories={
            namespace: memory
            for (backend, namespace), memory in nb.memories.items()
            if backend == nb.backend
        },
        changes=nb.changes,
        query="" if words is None else _text(words, "WORDS"),
        filters=filters,
        read_only=read_only,
    )
    return Reply(value=explorer)


def clear(nb: Notebook, *, yes: bool = False, **filters: Unpack[FilterArgs]) -> Reply:
    """Delete all records, or those the filters accept; first shows which.

      %memory clear
      %memory clear --user alice --until 30d --yes

    Flags:
        yes: do it; without it, only show what would be deleted
    """
    memory = nb.memory.sync
    if not yes:
        from ..frames import records_frame

        total = memory.count(**filters)
        return Reply(
            f"would delete {_records(total)} of {memory.size():,} in namespace "
            f"'{shown(memory.namespace)}'; nothing is deleted yet: add --yes to do it",
            records_frame(memory.records(5, **filters)),
        )
    change = memory.remove(**filters) if filters else memory.take_all()
    if not change.removed:
        return Reply("there was nothing to delete")
    nb.remember("clear", change)
    return Reply(f"deleted {_records(len(change.removed))}; %memory undo brings them back")


def undo(nb: Notebook) -> Reply:
    """Take back the last clear, delete or import of this session.

    What has been written under the same keys since then stays. Can be repeated.
    """
    undone = nb.changes.undo()
    memory, verb, change, back = undone.memory, undone.verb, undone.change, undone.back
    parts = []
    if back.written:
        parts.append(f"{_records(len(back.written))} brought back")
    if taken := len(back.removed) - back.evicted:
        parts.append(f"{_records(taken)} taken out")
    if kept := len(change.removed) - len(back.written):
        parts.append(f"{_records(kept)} not brought back: rewritten or expired since")
    place = "" if memory is nb.memory else f" in namespace '{shown(memory.namespace)}'"
    return Reply(f"{verb} undone{place}: {', '.join(parts) or 'nothing had changed'}")


# ---------------------------------------------------------------- in and out


def import_(
    nb: Notebook,
    source: Word,
    *,
    format: str | None = None,
    key: str = "key",
    user: str | None = None,
    session: str | None = None,
    on_error: str = "raise",
    grow: bool = False,
) -> Reply:
    """Import a file, a DataFrame, chat messages or a dataset.

    Reads .jsonl, .csv, .parquet and .json (chat messages or conversations), also .gz; a variable
    with a DataFrame, a list of messages or a mapping of conversations; or the dataset chitchat
    (258,145 real utterances). If anything is broken, nothing is imported. %memory undo takes
    an import back.

      %memory import notes.jsonl
      %memory import $df --key id
      %memory import chitchat --grow

    Flags:
        format: jsonl, csv, parquet or json, when the file's suffix does not say it
        key: the column that holds the key, in tables
        user: user of the keys made for messages; otherwise each message's sender
        session: session of the keys made for a list of messages
        on_error: raise (change nothing), or skip (leave out and list what is broken)
        grow: raise the capacity as far as needed
    """
    if on_error not in ("raise", "skip"):
        raise InvalidArgument(f"--on-error {on_error!r}: write raise or skip")
    if isinstance(source, str) and source.isidentifier() and _is_variable(nb, source):
        raise InvalidArgument(
            f"SOURCE: {source!r} is a variable: write %memory import ${source}, or ./{source} for "
            "the file"
        )
    report = nb.memory.sync.import_(
        source,
        format,
        key=key,
        user=user,
        session=session,
        on_error="skip" if on_error == "skip" else "raise",
        grow=grow,
        progress=nb.progress,
    )
    nb.remember("import", report.change)
    parts = [f"imported {_records(report.added + report.updated)}"]
    parts += [
        f"{count:,} {what}"
        for count, what in (
            (report.updated, "of them replacing older ones"),
            (report.repeated, "earlier ones of the same key left out"),
            (report.evicted, "older ones evicted"),
            (report.expired, "left out as expired"),
            (len(report.problems), "skipped"),
        )
        if count
    ]
    lines = [", ".join(parts)]
    lines += [f"  {shown(problem)}" for problem in report.problems[:_SHOWN_PROBLEMS]]
    if (more := len(report.problems) - _SHOWN_PROBLEMS) > 0:
        lines.append(f"  ... and {more:,} more")
    return Reply("\n".join(lines))


def export(
    nb: Notebook, path: Word, *, format: str | None = None, **filters: Unpack[FilterArgs]
) -> Reply:
    """Write records to a .jsonl, .csv or .parquet file.

    .jsonl loses nothing; .csv and .parquet hold the same tables as the notebook, for other tools.

      %memory export notes.jsonl
      %memory export alice.csv --user alice

    Flags:
        format: jsonl, csv or parquet, when the file's suffix does not say it
    """
    count = nb.memory.sync.export(path, format, nb.progress, **filters)
    return Reply(f"wrote {_records(count)} to {shown(os.fspath(path))}")


# ---------------------------------------------------------------- seen and compared


def plot(nb: Notebook, kind: Word, **filters: Unpack[FilterArgs]) -> Reply:
    """Draw records over time, by session, by time to live or by size.

    KIND is timeline (when they were last written), sessions (when each was active), ttl (when
    they expire) or sizes (bytes of the values). The result is a matplotlib Figure of its own.

      %memory plot timeline
      %memory plot sessions --user alice --since 7d
      figure = %memory plot ttl
    """
    if kind not in PLOTS:
        known = ", ".join(PLOTS)
        near = did_you_mean(kind, PLOTS) if isinstance(kind, str) else ""
        raise InvalidArgument(f"KIND {brief(kind)}: write one of {known}{near}")
    from .. import plots

    entries = nb.memory.sync.entries(**filters)
    if kind == "timeline":
        return Reply(value=plots.plot_timeline(entries))
    if kind == "sessions":
        return Reply(value=plots.plot_sessions(entries))
    if kind == "ttl":
        return Reply(value=plots.plot_ttl(entries, nb.clock()))
    return Reply(value=plots.plot_sizes(entries))


def snapshot(nb: Notebook, name: Word = LAST) -> Reply:
    """Remember what the memory holds now, for %memory diff.

    Nothing is copied, but what is overwritten or deleted later stays in this process until a
    snapshot of the same name is taken. Without NAME it is called last.

      %memory snapshot
      %memory snapshot before-import
    """
    name = Word(_text(name, "NAME"))
    memory = nb.memory
    # Counted first: an eviction in between counts as one after it, or what it took would never be
    # called evicted.
    evictions = _evictions(memory)
    entries = memory.sync.entries()
    taken = Snapshot.of(name, nb.clock(), memory.namespace, entries, evictions)
    nb.snapshots[name] = memory, taken
    call = "%memory diff" if name == LAST else f"%memory diff '{shown(name)}'"
    return Reply(
        f"snapshot '{shown(name)}' of {_records(len(entries))} in namespace "
        f"'{shown(memory.namespace)}'; {call} shows what changes from now on"
    )


def diff(nb: Notebook, name: Word = LAST, *, limit: Limit = 10) -> Reply:
    """Show what has been added, changed, deleted, evicted or has expired since a snapshot.

    Compares in the memory and namespace that the snapshot was taken of, whichever is in use. There
    is a row for each field. Whether a record that is gone was deleted or evicted is concluded from
    the order of use and the number of evictions; where both happened, it may be the other one.

      %memory diff
      %memory diff before-import --limit all

    Flags:
        limit: of how many records at most; all for all of them
    """
    name = Word(_text(name, "NAME"))
    if name not in nb.snapshots:
        return _other_snapshots(nb, name)
    memory, before = nb.snapshots[name]
    entries = memory.sync.entries()
    found = compare(before, entries, nb.clock(), _evictions(memory))
    from ..frames import differences_frame

    place = "" if memory is nb.memory else f" in namespace '{shown(before.namespace)}'"
    since = f"since snapshot '{shown(name)}' of {_time_of(before.taken_at)}{place}"
    text = f"{summary(found) or 'nothing has changed'} {since}"
    some = found[:limit]
    if len(some) < len(found):
        text += f"; showing {len(some):,} of {_records(len(found))}"
    return Reply(text, differences_frame(some))


def _other_snapshots(nb: Notebook, name: str) -> Reply:
    """What there is in place of a snapshot that was asked for.

    Raises:
        InvalidArgument: there is none at all, or one was asked for by a name of its own.
    """
    if not nb.snapshots:
        raise InvalidArgument("there is no snapshot yet: %memory snapshot takes one")
    if name != LAST:
        near = did_you_mean(name, list(nb.snapshots))
        raise InvalidArgument(
            f"no snapshot '{shown(name)}'{near}; there are {', '.join(map(shown, nb.snapshots))}"
        )
    lines = [f"no snapshot is called '{LAST}'; write %memory diff and the name of one of these:"]
    lines += [
        f"  {shown(each)}: {_records(len(taken.entries))} in namespace "
        f"'{shown(taken.namespace)}', {_time_of(taken.taken_at)}"
        for each, (_, taken) in nb.snapshots.items()
    ]
    return Reply("\n".join(lines))


def _evictions(memory: MemoryPrimitive) -> int:
    """How many records were evicted until now; on a server, by anybody."""
    evicted: int = memory.get_backend_info()["evictions"]
    return evicted


# ---------------------------------------------------------------- about the memory


def info(nb: Notebook) -> Reply:
    """Show backend, namespace, size, capacity, evictions and more.

    When the server is away, it is tried now.
    """
    from ..frames import facts_frame

    memory = nb.memory.sync
    memory.reconnect()
    facts = _facts(nb.memory)
    stats = memory.stats()
    facts["size in bytes"] = stats["bytes"]
    if saved := stats["bytes"] - stats["stored"]:
        share = saved / stats["bytes"]
        facts["saved by compression"] = f"{saved:,} bytes ({share:.0%})"
    facts["expiring"] = stats["expiring"]
    facts["undoable"] = ", ".join(nb.changes.verbs()) or "nothing"
    return Reply(value=facts_frame(facts, "memory"))


def status(nb: Notebook) -> Reply:
    """What ``%memory`` alone shows: backend, namespace, size, capacity, evictions."""
    from ..frames import facts_frame

    return Reply("%memory help lists what it can do", facts_frame(_facts(nb.memory), "memory"))


def use(
    nb: Notebook,
    memory: Word | None = None,
    *,
    namespace: str | None = None,
    max_size: int | None = None,
    yes: bool = False,
) -> Reply:
    """Choose the memory to work on, its namespace or its capacity.

    MEMORY is a variable that holds a MemoryPrimitive or an address, in-memory, an address such as
    redis://host:6379, or embedded: a server of your own, which keeps its records in a directory.
    $REDIS_URL takes the address from the environment where there is no such variable, so that no
    password stands in a notebook. Gives the memory back, so that code can use the same one.

      %memory use $agent_memory
      %memory use $REDIS_URL
      %memory use embedded
      %memory use --namespace experiment-2
      %memory use --max-size 300000
      memory = %memory use

    Flags:
        namespace: name of the tenant; each has records of its own
        max_size: capacity in records
        yes: evict what a smaller capacity has no room for
    """
    chosen = _chosen(nb, memory, namespace, max_size)
    if max_size is not None and max_size != chosen.max_size:
        excess = chosen.size() - max_size
        if excess > 0 and max_size >= 0 and not yes:
            raise InvalidArgument(
                f"--max-size {max_size}: {_records(excess)} would be evicted for good; delete or "
                "export some first, or add --yes"
            )
        chosen.sync.resize(max_size)
    nb.memory = chosen
    return Reply(value=chosen)


def nest(_nb: Notebook) -> Reply:
    """Let code in cells call asyncio.run, as scripts do.

    Patches asyncio for the whole kernel; only a restart takes it back. Nothing else here needs
    it: in cells, plain await works.
    """
    from ..nesting import allow_nested_asyncio

    allow_nested_asyncio()
    return Reply("asyncio.run works in cells now, until the kernel restarts")


def help_(_nb: Notebook, command: Word | None = None) -> Reply:
    """Show all commands, or the help of one."""
    if command is None:
        return Reply(overview())
    return Reply(syntax(str(command)).help())


COMMANDS: dict[str, Command] = {
    "add": add,
    "get": get,
    "search": search,
    "list": list_,
    "explore": explore,
    "delete": delete,
    "clear": clear,
    "undo": undo,
    "plot": plot,
    "snapshot": snapshot,
    "diff": diff,
    "info": info,
    "use": use,
    "import": import_,
    "export": export,
    "nest": nest,
    "help": help_,
}


def syntax(name: str) -> Syntax:
    """The syntax of a subcommand.

    Raises:
        InvalidArgument: there is none of this name; the message has the nearest one.
    """
    if name not in COMMANDS:
        raise InvalidArgument(
            f"no subcommand '{shown(name)}'{did_you_mean(name, list(COMMANDS))}; "
            "%memory help lists them"
        )
    return Syntax.of(name, COMMANDS[name])


def overview() -> str:
    """One line for each subcommand."""
    syntaxes = [syntax(name) for name in COMMANDS]
    width = max(len(each.usage) for each in syntaxes)
    lines = [f"  {each.usage:<{width}}  {each.summary}" for each in syntaxes]
    return "\n".join(
        [
            "See, search and repair what an agent remembers.",
            "",
            f"  {'%memory':<{width}}  Show backend, namespace, size, capacity and evictions.",
            *lines,
            "",
            "%memory help search, or %memory search -h, shows the flags of one. As a cell magic,",
            "%%memory add KEY, the value stands in the cell. -o NAME keeps the result in NAME.",
        ]
    )


# ---------------------------------------------------------------- shared


def shown(text: str) -> str:
    """Text from a memory in a printed line: harmless, and no longer than one can read."""
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}..."
    return harmless(text)


def _records(count: int) -> str:
    return f"{count:,} record" if count == 1 else f"{count:,} records"


def _counted(shown_count: int, total: int, what: str = "") -> str:
    if shown_count == total:
        return f"{_records(total)}{what}"
    return f"{shown_count:,} of {_records(total)}{what}, newest first"


def _facts(memory: MemoryPrimitive) -> dict[str, Any]:
    about = memory.get_backend_info()
    facts = {"backend": about["backend"]}
    if "redis_url" in about:
        facts["server"] = harmless(about["redis_url"])
        facts["version"] = about["server"] or "unknown"
        facts["state"] = "degraded: works in memory" if about["degraded"] else "connected"
    facts |= {
        "namespace": about["namespace"],
        "size": about["size"],
        "capacity": "no limit" if about["max_size"] is None else about["max_size"],
        "evictions": about["evictions"],
    }
    if about.get("degraded"):
        facts["degraded since"] = _time_of(about["degraded_since"])
        facts["degraded because"] = harmless(about["degraded_because"])
        facts["writes waiting"] = about["writes_waiting"]
    return facts


def outage_of(nb: Notebook) -> str:
    """A line on the outage of the server in use; empty when there is none."""
    outage = nb.memory.outage()
    if outage is None:
        return ""
    count = outage["writes_waiting"]
    waiting = f", {count:,} {'write waits' if count == 1 else 'writes wait'}" if count else ""
    return (
        f"degraded since {_time_of(outage['degraded_since'])}: working in memory{waiting}; "
        "%memory info tries the server"
    )


def _time_of(instant: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(instant, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")


def _text(words: object, name: str) -> str:
    if isinstance(words, str):
        return words
    raise InvalidArgument(f"{name}: expected text, found <{type(words).__name__}>")


def _value(value: Any) -> Any:
    """The object to store: text is JSON when it looks like an object, else plain text."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        raise InvalidArgument('the value is empty; write {} for an empty one, or {"text": ...}')
    if not text.startswith("{"):
        _refuse_json_list(text)
        return {"text": text}
    try:
        return json.loads(text, object_pairs_hook=unique_fields)
    except json.JSONDecodeError as error:
        literal = object_at(text)
        if literal is not None and not text[literal[1] :].strip():
            return literal[0]
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}"
        raise InvalidArgument(
            f"the value is not JSON: {error.msg.removesuffix(' at')} at {place}; $name stores a "
            "variable, and text that does not begin with a brace is stored as text"
        ) from None
    except InvalidArgument:
        raise
    except ValueError as error:  # an integer longer than Python reads
        raise InvalidArgument(f"the value cannot be read: {error}") from None
    except RecursionError:
        raise InvalidArgument("the value is nested too deeply to be read") from None


def _refuse_json_list(text: str) -> None:
    if not text.startswith("["):
        return
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return  # text that begins with a bracket
    raise InvalidArgument(
        'a list is not a value: write {"items": [...]}, or %memory import $messages for a chat'
    )


def _existing(nb: Notebook, words: Words) -> list[str]:
    """Keys as written or held by variables; refused when one of them has no record."""
    keys: list[Any] = []
    for word in words:
        keys.extend([word] if isinstance(word, str) else _keys_in(word))
    for key in keys:
        if not isinstance(key, str):
            raise InvalidArgument(f"KEYS: {brief(key)} is no key")
    known = nb.memory.sync.keys()
    present = set(known)
    for key in keys:
        if key not in present:
            # A close match in a large memory would take seconds; its newest records will do.
            near = did_you_mean(str(key), known[-5000:])
            raise InvalidArgument(f"no record under '{shown(str(key))}'{near}")
    if not keys:
        raise InvalidArgument("KEYS: the list of keys is empty")
    return list(dict.fromkeys(keys))


def _keys_in(held: Any) -> Iterable[Any]:
    """The keys that a variable holds: a list or index of them, or a table of records."""
    if hasattr(held, "columns") and hasattr(held, "index"):
        if held.index.name != "key":
            raise InvalidArgument("KEYS: the index of this DataFrame is not called 'key'")
        return list(held.index)
    if isinstance(held, Iterable) and not isinstance(held, (bytes, Mapping)):
        return held
    raise InvalidArgument(f"KEYS: expected keys, found <{type(held).__name__}>")


def _is_variable(nb: Notebook, name: str) -> bool:
    try:
        nb.lookup(name)
    except Exception:  # whatever the lookup of an unknown name raises
        return False
    return not os.path.lexists(name)


def _chosen(
    nb: Notebook, memory: object, namespace: str | None, max_size: int | None
) -> MemoryPrimitive:
    """The memory that ``use`` asks for, made when it is new."""
    if memory is None and namespace in (None, nb.memory.namespace):
        return nb.memory
    if isinstance(memory, str) and memory != IN_MEMORY and not is_address(memory):
        memory = _memory_called(nb, memory)
    backend = nb.backend
    if isinstance(memory, MemoryPrimitive):
        if namespace not in (None, memory.namespace):
            raise InvalidArgument(
                f"--namespace {brief(namespace)}: this memory's namespace is "
                f"{brief(memory.namespace)}; make another MemoryPrimitive for another namespace"
            )
        namespace = memory.namespace
        # A name of its own, under which `use --namespace` finds it again.
        backend = f"variable {id(memory)}"
        nb.memories[backend, namespace] = memory
    elif isinstance(memory, str):
        backend = memory
    elif memory is not None:
        raise InvalidArgument(
            f"MEMORY: <{type(memory).__name__}> is no MemoryPrimitive, 'in-memory' or URL"
        )
    place = (backend, nb.memory.namespace if namespace is None else namespace)
    if place not in nb.memories:
        nb.memories[place] = MemoryPrimitive(
            backend if is_address(backend) else None,
            _capacity(nb, max_size),
            namespace=place[1],
        )
    nb.backend = backend
    return nb.memories[place]


def _capacity(nb: Notebook, max_size: int | None) -> int:
    """The capacity of a new memory: as asked for, or as that of the one in use."""
    if max_size is None:
        max_size = nb.memory.max_size
    return DEFAULT_CAPACITY if max_size is None else max_size


def or_environment(lookup: Lookup) -> Lookup:
    """A lookup that takes what the notebook has no variable for from the environment."""

    def look(expression: str) -> Any:
        try:
            return lookup(expression)
        except NameError:
            if expression in os.environ:
                return os.environ[expression]
            raise

    return look


def _memory_called(nb: Notebook, name: str) -> MemoryPrimitive | str:
    try:
        found = nb.lookup(name)
    except Exception:  # whatever the lookup of an unknown name raises
        found = None
    if isinstance(found, MemoryPrimitive):
        return found
    if isinstance(found, str) and is_address(found):
        return found
    raise InvalidArgument(
        f"MEMORY: '{shown(name)}' is no MemoryPrimitive, 'in-memory', 'embedded' or address such "
        "as redis://localhost:6379"
    )
