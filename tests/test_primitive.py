"""The public class of a memory: original signatures, two faces with the same verbs, policies."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import pandas as pd
import pytest
from backends import BATCH, Clock, on_a_stand_in
from embedding import Toy

from tta_memory_nb import (
    ForgetPolicy,
    InMemoryStore,
    InvalidArgument,
    MemoryPrimitive,
    MemoryRecord,
    NotStorable,
    StoreUnavailable,
    SyncMemory,
    create_memory_key,
)
from tta_memory_nb.entry import Entry
from tta_memory_nb.filters import FilterArgs
from tta_memory_nb.memory.proposing.proposal import Proposal
from tta_memory_nb.memory.resolving.resolution import Resolution, Resolved
from tta_memory_nb.memory.verbs import Verbs
from tta_memory_nb.memory.versions import RecordLog
from tta_memory_nb.search.request import Hit, Search
from tta_memory_nb.stores.base import Change
from tta_memory_nb.stores.local import Local
from tta_memory_nb.stores.plan import InProcessRunner, Plan
from tta_memory_nb.times import Instant
from tta_memory_nb.transfer import ImportReport

EMPTY = inspect.Parameter.empty
PLAIN = ("size", "is_using_redis", "get_backend_info", "outage", "trace")
OF_THE_ORIGINAL = ("fallback", "using_redis", "redis_client")
UNREACHABLE = "redis://alice:s3cret@invalid:9999/0?password=s3cret"


def joined(records: Sequence[MemoryRecord]) -> str:
    return "; ".join(record.value["text"] for record in records)


async def joined_later(records: Sequence[MemoryRecord]) -> str:
    await asyncio.sleep(0)  # yields to the loop once, as a call over the network would
    return joined(records)


STREAMS = ("search_records", "stream_records")
"""Verbs that are iterated over; the first of them is awaited as well."""


def public(face: type) -> dict[str, Any]:
    names = [name for name in dir(face) if not name.startswith("_")]
    return {name: inspect.getattr_static(face, name) for name in names}


# ---- signatures


@pytest.mark.parametrize(
    ("verb", "parameters"),
    [
        (MemoryPrimitive, {"redis_url": None, "max_size": 1000, "enable_redis": True}),
        (MemoryPrimitive.add, {"self": EMPTY, "key": EMPTY, "value": EMPTY, "ttl": None}),
        (MemoryPrimitive.get, {"self": EMPTY, "key": EMPTY}),
        (MemoryPrimitive.search, {"self": EMPTY, "query": EMPTY, "limit": 5}),
        (MemoryPrimitive.clear, {"self": EMPTY}),
        (MemoryPrimitive.size, {"self": EMPTY}),
        (MemoryPrimitive.is_using_redis, {"self": EMPTY}),
        (MemoryPrimitive.get_backend_info, {"self": EMPTY}),
        (InMemoryStore, {"max_size": 1000}),
        (InMemoryStore.add, {"self": EMPTY, "key": EMPTY, "value": EMPTY}),
        (InMemoryStore.get, {"self": EMPTY, "key": EMPTY}),
        (InMemoryStore.search, {"self": EMPTY, "query": EMPTY, "limit": 5}),
        (InMemoryStore.clear, {"self": EMPTY}),
        (InMemoryStore.size, {"self": EMPTY}),
        (InMemoryStore.keys, {"self": EMPTY}),
        (create_memory_key, {"user_id": EMPTY, "session_id": EMPTY, "context": None}),
    ],
    ids=lambda case: case.__qualname__ if callable(case) else "",
)
def test_the_signatures_of_the_original_stay(verb, parameters):
    found = list(inspect.signature(verb).parameters.values())
    positional = found[: len(parameters)]
    assert {parameter.name: parameter.default for parameter in positional} == parameters
    assert {parameter.kind for parameter in positional} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    # Parameters that were added later must be optional for code written for the original.
    assert all(parameter.default is not EMPTY for parameter in found[len(parameters) :])


def test_the_attributes_of_the_original_stay():
    memory = MemoryPrimitive()
    memory.sync.add("k", {"n": 1})
    assert isinstance(memory.fallback, InMemoryStore)
    assert memory.fallback.get("k") == {"n": 1}
    assert memory.using_redis is False
    assert memory.redis_client is None


def test_additional_arguments_of_the_constructor_are_keyword_only():
    found = list(inspect.signature(MemoryPrimitive).parameters.values())[3:]
    assert [(parameter.name, parameter.default) for parameter in found[:-1]] == [
        ("namespace", "default"),
        ("on_outage", "fallback"),
        ("timeout", 2.0),
        ("durability", None),
        ("server_search", None),
        ("journal", None),
        ("embedder", None),
        ("summarizer", None),
        ("summarize_when", None),
        ("default_mode", "keyword"),
        ("language", "english"),
        ("weights", None),
        ("embedder_timeout", 30.0),
        ("compress_over", 4096),
        ("tombstones", "refuse"),
        ("history", None),
    ]
    assert {parameter.kind for parameter in found} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("face", [MemoryPrimitive, SyncMemory])
def test_synchronous_members_of_the_original_stay_synchronous_on_both_faces(face, name):
    assert not inspect.iscoroutinefunction(getattr(face, name))


# ---- the two faces


def test_every_verb_is_on_both_faces():
    assert public(Verbs).keys() <= public(MemoryPrimitive).keys() & public(SyncMemory).keys()


def test_both_faces_offer_the_same_verbs():
    awaited, called = public(MemoryPrimitive), public(SyncMemory)
    # Each face has its own name for closing, as files and sockets do.
    own = {"over", "store", "aclose", "close", *OF_THE_ORIGINAL}
    assert set(awaited) ^ set(called) == own


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, member in public(SyncMemory).items()
        if inspect.isfunction(member) and name not in ("close", *PLAIN, *STREAMS)
    ),
)
def test_each_verb_has_the_same_signature_on_both_faces(name):
    awaited, called = getattr(MemoryPrimitive, name), getattr(SyncMemory, name)
    assert inspect.iscoroutinefunction(awaited)
    assert not inspect.iscoroutinefunction(called)
    assert inspect.signature(awaited) == inspect.signature(called)
    assert awaited.__doc__
    assert awaited.__qualname__ == f"MemoryPrimitive.{name}"


@pytest.mark.parametrize("name", public(Verbs))
def test_each_called_verb_has_the_docstring_and_parameters_of_its_plan(name):
    called, verb = getattr(SyncMemory, name), getattr(Verbs, name)
    assert called.__doc__ == verb.__doc__
    assert inspect.signature(called).parameters == inspect.signature(verb).parameters
    assert (called.__name__, called.__qualname__) == (name, f"SyncMemory.{name}")
    assert called.__module__ == SyncMemory.__module__


@pytest.mark.parametrize("face", [MemoryPrimitive, SyncMemory])
@pytest.mark.parametrize("name", public(Verbs))
def test_a_face_returns_the_result_of_a_plan_and_no_plan(face, name):
    method = getattr(face, name)
    returns = inspect.signature(method).return_annotation
    assert "Plan" not in returns
    assert method.__annotations__["return"] == returns


@pytest.mark.parametrize("face", [MemoryPrimitive, SyncMemory])
def test_the_annotations_of_a_face_can_be_resolved(face):
    assert get_type_hints(face.get) == {
        "key": str,
        "as_of": Instant | None,
        "return": dict[str, Any] | None,
    }
    assert get_type_hints(face.delete) == {"key": str, "for_good": bool, "return": bool}
    assert get_type_hints(face.records)["return"] == list[MemoryRecord]


@pytest.mark.parametrize("name", STREAMS)
def test_streaming_verbs_take_the_same_arguments_on_both_faces(name):
    awaited, called = (
        inspect.signature(getattr(face, name)) for face in (MemoryPrimitive, SyncMemory)
    )
    assert awaited.parameters == called.parameters


async def test_a_search_can_be_awaited_run_as_a_task_and_streamed():
    memory = MemoryPrimitive()
    for n in range(200):
        await memory.add(f"ann:{n}", {"text": f"rain {n}"})
    everything = memory.sync.search_records("rain", None)
    assert await memory.search_records("rain", None) == everything
    assert await asyncio.create_task(memory.search_records("rain", None)) == everything
    assert [hit async for hit in memory.stream_records("rain")] == everything
    assert [hit async for hit in memory.stream_records("rain", 5)] == everything[:5]
    assert [hit async for hit in memory.stream_records("rain", user="ann")] == everything
    assert [record async for record in memory.stream_records()] == memory.sync.records()
    assert [hit async for hit in memory.stream_records("")] == []
    with pytest.raises(InvalidArgument, match="query=None"):
        await memory.search_records(None)
    with pytest.raises(InvalidArgument, match="query=None"):
        memory.sync.search_records(None)


async def test_a_long_stream_lets_other_tasks_run():
    memory = MemoryPrimitive()
    await memory.add_many({f"k{n}": {"text": "rain"} for n in range(500)})
    switches = 0

    async def other() -> None:
        nonlocal switches
        while True:
            switches += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert len([hit async for hit in memory.stream_records("rain")]) == 500
    task.cancel()
    assert switches >= 5


def test_a_stream_reads_each_record_when_it_is_reached():
    clock = Clock()
    sync = MemoryPrimitive(clock=clock).sync
    for key in ("last", "read", "deleted", "expires", "overwritten", "changed", "first"):
        sync.add(key, {"text": "rain"}, ttl=5 if key == "expires" else None)
    stream = sync.stream_records("rain")
    assert next(stream).key == "first"
    sync.delete("deleted")
    sync.get("read")
    sync.add("overwritten", {"text": "sun"})
    sync.add("changed", {"text": "more rain"})
    sync.add("new", {"text": "rain"})
    clock.tick(5)
    assert [(hit.key, hit.value["text"]) for hit in stream] == [
        ("changed", "more rain"),
        ("read", "rain"),
        ("last", "rain"),
    ]


@pytest.mark.parametrize(
    "verb",
    [
        *("keys", "records", "search_records", "stream_records", "count"),
        *("remove", "export", "summarize", "pack"),
    ],
)
@pytest.mark.parametrize("face", [MemoryPrimitive, SyncMemory])
def test_filters_are_spelled_out_for_completion(face, verb):
    parameters = inspect.signature(getattr(face, verb)).parameters
    spelled = {name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert spelled - {"offset", "order", "for_good", "as_of"} == set(FilterArgs.__annotations__)
    assert not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def test_a_filter_that_does_not_exist_is_a_type_error():
    with pytest.raises(TypeError, match="usr"):
        MemoryPrimitive().sync.records(usr="alice")  # type: ignore[call-arg]


async def test_every_verb_can_be_awaited():
    clock = Clock()
    memory = MemoryPrimitive(max_size=3, namespace="tenant", summarizer=joined, clock=clock)
    await memory.add("ann:1", {"text": "rain"}, ttl=60)
    assert await memory.get("ann:1") == {"text": "rain"}
    assert await memory.ttl("ann:1") == 60
    assert await memory.add_many({"ann:2": {"text": "sun"}, "bob:1": {"text": "rain"}}) == 2
    assert await memory.get_many(["bob:1"]) == {"bob:1": {"text": "rain"}}
    assert [record.key for record in await memory.get_records(["ann:2"])] == ["ann:2"]
    assert await memory.keys(user="ann") == ["ann:1", "ann:2"]
    assert [record.namespace for record in await memory.records(1)] == ["tenant"]
    assert await memory.search("RAIN", 1) == [{"text": "rain"}]
    assert [hit.key for hit in await memory.search_records("rain", user="ann")] == ["ann:1"]
    assert await memory.count("rain") == 2
    assert str(await memory.summarize(1, dry_run=True)) == "rain; sun"
    assert (await memory.stats())["expiring"] == 1
    change = await memory.remove(["ann:1"])
    assert await memory.delete("ann:1") is False
    await memory.undo(change)
    assert len((await memory.take_all()).removed) == 3
    await memory.add("x", {})
    await memory.resize(0)
    await memory.clear()
    assert (memory.size(), memory.max_size, memory.evictions) == (0, 0, 1)


async def test_both_faces_are_one_memory():
    memory = MemoryPrimitive()
    memory.sync.add("k", {"text": "called"})
    assert await memory.get("k") == {"text": "called"}
    await memory.add("k", {"text": "awaited"})
    assert memory.sync.get("k") == {"text": "awaited"}
    assert memory.size() == memory.sync.size() == 1


async def test_a_memory_is_an_async_context_manager_that_lets_errors_through():
    memory = MemoryPrimitive()

    async def fail_inside() -> None:
        async with memory as entered:
            assert entered is memory
            await memory.add("k", {"n": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_inside()
    # There are no connections of a server that could be left open.
    assert await memory.get("k") == {"n": 1}


def test_a_memory_outlives_the_loops_it_was_used_on():
    memory = MemoryPrimitive()
    asyncio.run(memory.add("k", {"n": 1}))
    assert asyncio.run(memory.get("k")) == {"n": 1}


async def test_a_refusal_reaches_the_awaiting_caller():
    with pytest.raises(InvalidArgument, match="limit=0"):
        await MemoryPrimitive().search("a", limit=0)


# ---- a reachable server


class Scene(NamedTuple):
    """A memory with records, a change that removed one, a path for a file, a proposal that is pending, and a decision."""

    memory: MemoryPrimitive
    gone: Change
    path: Path
    proposal: Proposal
    resolution: Resolution


@pytest.fixture
def scene(tmp_path: Path) -> Callable[..., Scene]:
    """Returns a function that prepares any memory in the same way."""

    def make_scene(make: Callable[..., MemoryPrimitive]) -> Scene:
        memory = make(
            max_size=50,
            namespace="tenant",
            embedder=Toy(),
            summarizer=joined,
            history=100,
            clock=Clock(),
        )
        memory.sync.add_many({f"ann:{n}": {"text": f"rain {n}"} for n in range(8)}, ttl=60)
        proposal = memory.sync.propose("add", "ann:1", {"text": "hail"})
        removed = memory.sync.remove(["ann:7"])
        resolution = memory.sync.resolve([("ann:1", "ann:2")], "newest")
        return Scene(memory, removed, tmp_path / "records.jsonl", proposal, resolution)

    return make_scene


WORK: dict[str, Callable[[Any, Scene], Any]] = {
    "add": lambda face, _: face.add("ann:9", {"text": "snow"}, ttl=60),
    "get": lambda face, _: face.get("ann:1"),
    "delete": lambda face, _: face.delete("ann:1"),
    "ttl": lambda face, _: face.ttl("ann:1"),
    "touch": lambda face, _: face.touch(["ann:1", "nobody"], 90),
    "add_many": lambda face, _: face.add_many({"bob:1": {"text": "hail"}, "bob:2": {}}),
    "apply": lambda face, _: face.apply({"bob:1": {}}, ["ann:1"], expect={"bob:1": None}),
    "append": lambda face, _: face.append("ann", "s", [{"text": "hail"}, {}]),
    "folders": lambda face, _: face.folders("", 1),
    "history": lambda face, _: face.history("ann", "s", 1),
    "keep_history": lambda face, _: face.keep_history(50),
    "log": lambda face, _: face.log("ann:7"),
    "get_many": lambda face, _: face.get_many(["ann:2", "nobody"]),
    "get_records": lambda face, _: face.get_records(["ann:2", "nobody"]),
    "keys": lambda face, _: face.keys(),
    "records": lambda face, _: face.records(2, user="ann"),
    "entries": lambda face, _: face.entries("rain", 3, user="ann"),
    "hits": lambda face, _: face.hits("rain", 3, user="ann"),
    "peek": lambda face, _: face.peek(["ann:2", "nobody", "ann:1"]),
    "change_token": lambda face, _: face.change_token(),
    "search": lambda face, _: face.search("rain", limit=2),
    "search_records": lambda face, _: face.search_records("RAIN", user="ann"),
    "stream_records": lambda face, _: face.stream_records("rain", limit=5),
    "count": lambda face, _: face.count("rain"),
    "why": lambda face, _: face.why("rain", "ann:1", 1, user="bob"),
    "forget": lambda face, _: face.forget(ForgetPolicy(max_records=3), True, user="ann"),
    "propose": lambda face, _: face.propose("delete", "ann:2", reason="dull"),
    "proposals": lambda face, _: face.proposals(),
    "approve": lambda face, scene: face.approve(scene.proposal),
    "reject": lambda face, scene: face.reject(scene.proposal.id, by="ann"),
    "diagnose": lambda face, _: face.diagnose("exact-duplicates"),
    "pack": lambda face, _: face.pack("rain", 60, user="ann"),
    "build_index": lambda face, _: face.build_index(),
    "embed": lambda face, _: face.embed(),
    "clear": lambda face, _: face.clear(),
    "remove": lambda face, _: face.remove(prefix="ann", for_good=True),
    "resolve": lambda face, _: face.resolve([("ann:1", "ann:2")]),
    "carry_out": lambda face, scene: face.carry_out(scene.resolution),
    "tombstones": lambda face, _: face.tombstones(),
    "lift_tombstones": lambda face, _: face.lift_tombstones(["nobody"]),
    "quarantined": lambda face, _: face.quarantined(),
    "release": lambda face, _: face.release(["nobody"]),
    "take_all": lambda face, _: face.take_all(),
    "resize": lambda face, _: face.resize(3),
    "undo": lambda face, scene: face.undo(scene.gone),
    "export": lambda face, scene: face.export(scene.path),
    "import_": lambda face, _: face.import_([MemoryRecord("new", {"text": "fog"})], grow=True),
    "summarize": lambda face, _: face.summarize(3, dry_run=True),
    "size": lambda face, _: face.size(),
    "stats": lambda face, _: face.stats(),
    "get_backend_info": lambda face, _: face.get_backend_info(),
    "reconnect": lambda face, _: face.reconnect(),
}
"""A call of each verb, for either face."""


def plain(result: Any) -> Any:
    """Returns the result of a verb in a form that can be compared."""
    if isinstance(result, Change):
        return [sorted(e.key for e in entries) for entries in (result.written, result.removed)]
    if isinstance(result, Resolution):
        return [case.keys for case in result]
    if isinstance(result, Resolved):
        return result.about, plain(result.change)
    if isinstance(result, ImportReport):
        return replace(result, change=Change()), plain(result.change)
    if isinstance(result, RecordLog):
        return [(version.at, version.what) for version in result]
    if isinstance(result, Iterator):
        return list(result)
    if isinstance(result, list) and result and isinstance(result[0], Entry):
        return [(entry.key, entry.value()) for entry in result]
    if isinstance(result, list) and result and isinstance(result[0], Hit):
        return [(hit.entry.key, hit.score, hit.spans, hit.explanation) for hit in result]
    return result


async def resolved(result: Any) -> Any:
    if isinstance(result, AsyncIterator):
        return [record async for record in result]
    return await result if inspect.isawaitable(result) else result


def test_there_is_a_use_of_each_verb():
    assert WORK.keys() == public(Verbs).keys()


@pytest.mark.parametrize("verb", WORK)
async def test_both_faces_carry_out_the_plans_of_a_server(scene, verb):
    local, called, awaited = scene(MemoryPrimitive), scene(on_a_stand_in), scene(on_a_stand_in)
    use = WORK[verb]
    expected = plain(use(local.memory.sync, local))
    for memory in (called.memory, awaited.memory):
        memory._runner.log.clear()

    assert plain(use(called.memory.sync, called)) == expected
    # The called face needed no loop, and did not use the running one.
    assert {how for how, _ in called.memory._runner.log} == {"called"}

    assert plain(await resolved(use(awaited.memory, awaited))) == expected
    hows = {how for how, _ in awaited.memory._runner.log}
    assert hows == ({"called"} if verb in PLAIN else {"awaited", "replied"})
    assert called.memory.sync.records() == awaited.memory.sync.records()
    assert called.memory.sync.records() == local.memory.sync.records()


async def test_other_tasks_run_while_one_task_waits_for_the_server():
    memory = on_a_stand_in()
    await memory.add_many({"a": {"n": 1}, "b": {"n": 2}})
    memory._runner.log.clear()
    a, b = await asyncio.gather(memory.get("a"), memory.get("b"))
    assert (a, b) == ({"n": 1}, {"n": 2})
    assert [how for how, _ in memory._runner.log] == ["awaited", "awaited", "replied", "replied"]


@pytest.mark.parametrize(
    ("limit", "taken", "batches"),
    [(None, 1, 1), (None, BATCH, 1), (None, BATCH + 1, 2), (BATCH, 99, 1), (BATCH + 1, 99, 2)],
)
async def test_a_stream_requests_no_batch_before_it_is_needed(limit, taken, batches):
    memory = on_a_stand_in()
    memory.sync.add_many({f"k{n}": {"text": "rain"} for n in range(3 * BATCH)})
    expected = memory.sync.records()[:limit][:taken]

    memory._runner.log.clear()
    found = list(islice(memory.sync.stream_records(limit=limit), taken))
    assert found == expected
    assert memory._runner.log == [("called", "stream")] * batches

    memory._runner.log.clear()
    found = []
    async for record in memory.stream_records(limit=limit):
        found.append(record)
        if len(found) == taken:
            break
    assert found == expected
    assert memory._runner.log == [("awaited", "stream"), ("replied", "stream")] * batches


async def test_a_summarizer_is_called_once_the_server_has_answered():
    def look(records: Sequence[MemoryRecord]) -> str:
        # A summarizer may use the memory, and may be slow.
        return f"{len(records)} of {memory.size()}: {memory._runner.log[0][0]}"

    memory = on_a_stand_in(summarizer=look)
    memory.sync.add_many({"a": {}, "b": {}})
    for how, summarize in (("called", memory.sync.summarize), ("awaited", memory.summarize)):
        memory._runner.log.clear()
        assert str(await resolved(summarize(1, dry_run=True))) == f"1 of 2: {how}"


async def test_closing_a_memory_closes_the_runner_of_its_plans():
    async with on_a_stand_in() as memory:
        memory.sync.close()
        assert memory._runner.log == [("called", "before_close"), ("called", "close")]
    assert memory._runner.log[2:] == [
        ("awaited", "before_close"),
        ("replied", "before_close"),
        ("awaited", "close"),
    ]
    assert memory.sync.close() is None


def test_the_repr_of_a_memory_on_a_server_sends_no_request():
    memory = on_a_stand_in(namespace="tenant")
    assert repr(memory) == ("MemoryPrimitive(backend='redis', namespace='tenant', store=StandIn())")
    assert repr(memory.sync) == "SyncMemory(namespace='tenant', store=StandIn())"
    assert memory._runner.log == []


def test_is_using_redis_sends_no_request():
    memory = on_a_stand_in()
    assert memory.is_using_redis() is memory.using_redis is memory.sync.is_using_redis() is True
    assert memory._runner.log == []


async def test_in_memory_there_is_no_server_to_reconnect_to():
    memory = MemoryPrimitive()
    assert memory.sync.reconnect() is False
    assert await memory.reconnect() is False


def test_a_plan_that_needs_a_server_is_refused_without_one():
    with pytest.raises(AssertionError, match="needs a server"):
        InProcessRunner().run(on_a_stand_in()._verbs.get("k"))


# ---- an unreachable server


def test_an_unreachable_server_leaves_a_memory_that_works_and_one_warning(caplog):
    with caplog.at_level(logging.DEBUG):
        memory = MemoryPrimitive(redis_url=UNREACHABLE)
        memory.sync.add("k", {"text": "rain"})
        assert memory.sync.search("rain") == [{"text": "rain"}]
        assert memory.is_using_redis() is False
    [record] = caplog.records
    assert (record.name, record.levelname) == ("tta_memory_nb", "WARNING")
    assert "redis://alice:***@invalid:9999" in record.getMessage()
    memory.sync.close()
    assert "s3cret" not in caplog.text


def test_an_outage_raises_if_the_memory_is_configured_so():
    with pytest.raises(StoreUnavailable, match=r"redis://alice:\*\*\*@invalid:9999") as raised:
        MemoryPrimitive(UNREACHABLE, on_outage="raise")
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"redis_url": None, "on_outage": "raise"},
        {"redis_url": ""},
        {"redis_url": UNREACHABLE, "enable_redis": False},
        {"redis_url": UNREACHABLE, "enable_redis": False, "on_outage": "raise"},
    ],
    ids=["nothing", "None", "empty", "switched off", "switched off, raise"],
)
def test_a_memory_without_a_server_logs_nothing(caplog, arguments):
    with caplog.at_level(logging.DEBUG):
        memory = MemoryPrimitive(**arguments)
    assert caplog.records == []
    assert memory.is_using_redis() is False


def test_the_backend_info_names_the_backend_and_no_password():
    memory = MemoryPrimitive(UNREACHABLE, 1, namespace="tenant")
    memory.sync.add_many({"a": {}, "b": {}})
    info = memory.get_backend_info()
    assert "s3cret" not in str(info)
    assert info.pop("degraded_since") == pytest.approx(time.time(), abs=60)
    assert info.pop("degraded_because").startswith("redis://alice:***@invalid:9999/0?password=***")
    assert info == {
        "backend": "in-memory",
        "fallback_available": True,
        "namespace": "tenant",
        "size": 2,
        "max_size": None,
        "evictions": 0,
        "reads_not_noted": 0,
        "clock_skew": None,
        "lost_on_server": 0,
        "redis_url": "redis://alice:***@invalid:9999/0?password=***",
        "server": None,
        "durability": "memory",
        "persistence": {
            "aof": None,
            "fsync": None,
            "aof_status": None,
            "snapshots": None,
            "last_save": None,
            "last_save_status": None,
        },
        "replicas": None,
        "eviction_policy": None,
        "max_memory": None,
        "journal": None,
        "server_search": None,
        "history": None,
        "last_failover": None,
        "promised_at": None,
        "dangers": [],
        "degraded": True,
        "writes_waiting": 2,
        "writes_refused": {},
        "embedder": "wordllama",
        "embedder_dim": None,
        "embedder_failed": None,
        "vectors": 0,
    }
    memory.sync.close()


# ---- arguments


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"max_size": -1}, "max_size=-1"),
        ({"max_size": True}, "max_size=True"),
        ({"namespace": ""}, "namespace=''"),
        ({"on_outage": "ignore"}, "on_outage='ignore'"),
        ({"on_outage": []}, r"on_outage=\[\]"),
        ({"embedder": "word2vec"}, "embedder='word2vec'"),
        ({"embedder_timeout": 0}, "embedder_timeout=0"),
        ({"summarizer": "short"}, "summarizer='short'"),
        ({"compress_over": -1}, "compress_over=-1"),
        ({"compress_over": True}, "compress_over=True"),
        ({"compress_over": 1.5}, r"compress_over=1\.5"),
        ({"redis_url": 7}, "redis_url: <int>"),
    ],
)
def test_a_memory_is_not_made_with_invalid_arguments(arguments, named):
    with pytest.raises(InvalidArgument, match=named):
        MemoryPrimitive(**arguments)


def test_an_address_in_bytes_is_refused_without_showing_its_password():
    with pytest.raises(InvalidArgument, match="redis_url: <bytes>") as refused:
        MemoryPrimitive(UNREACHABLE.encode())
    assert "s3cret" not in str(refused.value)


def test_the_repr_of_a_record_has_its_instants_as_dates():
    memory = MemoryPrimitive(clock=Clock())
    memory.sync.add("a:b", {"text": "fog"}, ttl=60)
    [record] = memory.sync.records()
    assert repr(record) == (
        "MemoryRecord('a:b', {'text': 'fog'}, namespace='default', created_at='2027-01-15 08:00:00Z', "
        "updated_at='2027-01-15 08:00:00Z', expires_at='2027-01-15 08:01:00Z')"
    )
    [hit] = memory.sync.search_records("fog")
    assert repr(hit).endswith(", score=1.0, matches=('text',))")
    assert repr(MemoryRecord("k", {})) == "MemoryRecord('k', {}, namespace='default')"


def test_reprs_show_namespace_and_sizes_and_are_the_same_each_time():
    memory = MemoryPrimitive(max_size=7, namespace="it's")
    memory.sync.add("k", {})
    assert repr(memory) == (
        "MemoryPrimitive(backend='in-memory', namespace=\"it's\", size=1, max_size=7)"
    )
    assert repr(memory.sync) == 'SyncMemory(namespace="it\'s", size=1, max_size=7)'


# ---- stores of one's own


class Recording(Local):
    """An in-memory store that records the calls of its verbs for records."""

    def __init__(self) -> None:
        super().__init__(InMemoryStore(max_size=10))
        self.requests: list[str] = []

    def write(self, entry: Entry) -> Plan[None]:
        self.requests.append("write")
        return super().write(entry)

    def read(self, key: str) -> Plan[Entry | None]:
        self.requests.append("read")
        return super().read(key)

    def find(self, search: Search) -> Plan[list[Hit]]:
        self.requests.append(f"find {search.text}")
        return super().find(search)


class Wrapper:
    """A store that forwards all other verbs to another store."""

    def __init__(self, store: Any) -> None:
        self._wrapped = store
        self.requests: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.requests.append(name)
        return getattr(self._wrapped, name)


async def test_a_store_sees_every_verb_of_the_memory_that_is_made_over_it():
    store = Recording()
    memory = MemoryPrimitive.over(store)
    await memory.add("a", {"text": "rain"})
    memory.sync.add("b", {"text": "sun"})
    assert await memory.get("a") == {"text": "rain"}
    assert memory.sync.get("b") == {"text": "sun"}
    assert await memory.search("rain") == memory.sync.search("RAIN") == [{"text": "rain"}]
    assert store.requests == ["write", "write", "read", "read", "find rain", "find RAIN"]
    assert memory.max_size == 10


async def test_a_wrapper_around_a_store_sees_the_requests_of_both_faces():
    wrapper = Wrapper(MemoryPrimitive().store)
    memory = MemoryPrimitive.over(wrapper)
    wrapper.requests.clear()
    memory.sync.add("a", {"n": 1})
    assert await memory.get("a") == memory.sync.get("a") == {"n": 1}
    assert await memory.search("1") == [{"n": 1}]
    assert wrapper.requests == ["write", "read", "read", "find"]


def test_a_memory_can_be_made_over_an_in_memory_store():
    store = InMemoryStore(max_size=2, namespace="tenant")
    memory = MemoryPrimitive.over(store)
    memory.sync.add("k", {"n": 1})
    assert (store.get("k"), memory.namespace, memory.max_size) == ({"n": 1}, "tenant", 2)
    assert memory.fallback is store
    assert repr(memory) == (
        "MemoryPrimitive(backend='in-memory', namespace='tenant', size=1, max_size=2)"
    )


def test_an_object_that_is_no_store_is_refused_with_the_verbs_that_it_lacks():
    with pytest.raises(InvalidArgument, match=r"store=\{\}: it lacks about, append,.* write;"):
        MemoryPrimitive.over({})
    with pytest.raises(
        InvalidArgument, match="summarizer=3: give 'extractive', 'openai:MODEL', or a function"
    ):
        MemoryPrimitive.over(InMemoryStore(), summarizer=3)


async def test_a_watch_sees_verbs_arguments_results_and_errors_of_both_faces():
    seen: list[Any] = []

    def watch(verb: str, plan: Plan[Any], *args: Any, **kwargs: Any) -> Plan[Any]:
        try:
            result = yield from plan
        except InvalidArgument as error:
            seen.append((verb, args, kwargs, type(error)))
            raise
        seen.append((verb, args, kwargs, result))
        return result

    memory = MemoryPrimitive()
    assert memory.watch is memory.sync.watch is None
    memory.sync.add("a", {"n": 1})
    memory.watch = watch
    await memory.add("b", {"n": 2}, ttl=60)
    memory.sync.get("a")
    await memory.get("b")
    assert memory.sync.count(prefix="a") == 1
    assert [record.key async for record in memory.stream_records("2")] == ["b"]
    memory.sync.watch = None
    memory.sync.get("a")
    *others, streamed = seen
    assert others == [
        ("add", ("b", {"n": 2}, 60), {}, None),
        ("get", ("a",), {}, {"n": 1}),
        ("get", ("b",), {}, {"n": 2}),
        ("count", (), {"prefix": "a"}, 1),
    ]
    assert streamed[:2] == ("stream_records", ("2", None, None))
    memory.watch = watch
    with pytest.raises(InvalidArgument):
        memory.sync.get("")
    assert seen[-1] == ("get", ("",), {}, InvalidArgument)


# ---- summaries


def test_keys_in_errors_of_add_many_are_checked_and_shortened():
    memory = MemoryPrimitive()
    with pytest.raises(InvalidArgument, match=r"key=<int>: a key is a non-empty str"):
        memory.sync.add_many([(10**5000, {})])
    with pytest.raises(InvalidArgument, match=r"items\['x{76}\.\.\.\]: <int>"):
        memory.sync.add_many({"x" * 1000: 7})


def test_the_error_for_an_unknown_filter_lists_the_known_ones():
    with pytest.raises(TypeError, match=r"'usr' is no argument and no filter; .* user, session"):
        MemoryPrimitive().sync.records(usr="alice")  # type: ignore[call-arg]


@pytest.mark.parametrize("given", [None, 5, "x", b"y", ["x", 3], {"x": 3}, object(), float("nan")])
def test_what_another_verb_has_to_return_is_refused_by_name_if_it_is_something_else(given):
    memory = MemoryPrimitive().sync
    memory.add("a", {"text": "b"})
    for verb, name in (
        (memory.undo, "change"),
        (memory.carry_out, "resolution"),
        (memory.add_many, "items"),
        (memory.apply, "puts"),
        (memory.diagnose, "checks"),
        (lambda rule: memory.resolve([("a", "a")], rule), "rule"),
        (lambda field: ForgetPolicy(max_records=1, type_field=field), "type_field"),
    ):
        if (given is None and name in ("checks", "rule")) or (
            given == "x" and name == "type_field"
        ):
            continue  # these have a meaning
        with pytest.raises(InvalidArgument, match=rf"^{name}"):
            verb(given)
    assert [record.value for record in memory.records()] == [{"text": "b"}]


def test_a_table_is_not_taken_for_the_names_of_its_columns():
    memory = MemoryPrimitive().sync
    memory.add("text", {"text": "b"})
    table = pd.DataFrame({"text": ["a"]}, index=["k"])
    for verb in (memory.remove, memory.get_many, memory.get_records, memory.touch, memory.release):
        with pytest.raises(InvalidArgument, match=r"^keys: a table .* table\.index"):
            verb(table)
    for writing in (memory.add_many, memory.apply):
        with pytest.raises(InvalidArgument, match="import_"):
            writing(table)
    for value, way_out in ((pd.NA, "None"), (table["text"], "tolist"), (np.eye(2), "tolist")):
        with pytest.raises(NotStorable, match=way_out):
            memory.add("k", {"field": value})
    assert memory.keys() == ["text"]
    assert memory.remove(pd.Index(["text"])).removed[0].key == "text"


def test_the_class_of_the_called_face_says_how_to_get_one():
    with pytest.raises(TypeError, match=r"MemoryPrimitive\(\.\.\.\)\.sync"):
        SyncMemory()
