"""A memory as the checkpointer of LangGraph: its own conformance suite, real graphs, and what must not happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from operator import add
from typing import Annotated, Any, TypedDict

import pytest
from backends import ONE_SERVER
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Command, interrupt

from tta_memory_nb import InvalidArgument, MemoryPrimitive, ServerError, StoreUnavailable
from tta_memory_nb.integrations.langgraph import TTASaver, TTAStore

pytestmark = pytest.mark.backends("in-memory", ONE_SERVER)

Open = Callable[..., TTASaver]
CONFIG: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}


@pytest.fixture
def make(make_large: Callable[[], MemoryPrimitive]) -> Open:
    return lambda **options: TTASaver(make_large(), evict=True, **options)


@pytest.fixture
def saver(make: Open) -> TTASaver:
    return make()


async def test_the_conformance_suite_of_langgraph_passes_whole(make):
    @checkpointer_test(name="TTASaver")
    async def checkpointer():
        yield make()

    report = await validate(checkpointer)
    failures = [failure for each in report.results.values() for failure in each.failures]
    assert not failures
    assert all(each.passed for each in report.results.values())
    assert sum(each.tests_passed for each in report.results.values()) >= 81


# ---- graphs


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    notes: Annotated[list[str], add]


def answer(state: State) -> dict[str, Any]:
    said = state["messages"][-1].content
    return {"messages": [AIMessage(f"You said: {said}")], "notes": [f"{len(state['messages'])}"]}


def ask(state: State) -> dict[str, Any]:
    return {"notes": [f"approved: {interrupt('May I?')}"]}


def graph(saver: BaseCheckpointSaver[Any], *nodes: Any) -> Any:
    builder = StateGraph(State)
    names = [START, *(node.__name__ for node in nodes), END]
    for node in nodes:
        builder.add_node(node)
    for before, after in pairwise(names):
        builder.add_edge(before, after)
    return builder.compile(checkpointer=saver)


def said(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


async def test_a_graph_goes_on_where_it_was_called_and_awaited(saver):
    chat = graph(saver, answer)
    chat.invoke(said("It rains"), CONFIG)
    again = graph(TTASaver(saver.memory, evict=True), answer)
    state = await again.ainvoke(said("And now?"), CONFIG)
    texts = [message.content for message in state["messages"]]
    assert texts == ["It rains", "You said: It rains", "And now?", "You said: And now?"]
    assert state["notes"] == ["1", "3"]
    history = list(again.get_state_history(CONFIG))
    assert [len(each.values.get("messages", [])) for each in history] == [4, 3, 2, 2, 1, 0]
    # From the past, along another branch: both branches stay as they are.
    fork = again.invoke(said("Or?"), history[3].config)
    assert [message.content for message in fork["messages"]][2:] == ["Or?", "You said: Or?"]
    first = again.get_state(history[0].config)
    assert [message.content for message in first.values["messages"]] == texts
    assert again.get_state(CONFIG).values["messages"][-1].content == "You said: Or?"


async def test_a_graph_waits_for_a_person_and_goes_on(saver):
    chat = graph(saver, answer, ask)
    state = await chat.ainvoke(said("Buy it"), CONFIG)
    assert state["__interrupt__"][0].value == "May I?"
    state = graph(saver, answer, ask).invoke(Command(resume="yes"), CONFIG)
    assert state["notes"] == ["1", "approved: yes"]


def test_messages_can_be_read_and_found(saver):
    graph(saver, answer).invoke(said("It rains in Málaga"), CONFIG)
    memory = saver.memory.sync
    found = memory.search_records("málaga", None, prefix="threads/t/")
    latest = max((record for record in found if "/b/messages/" in record.key), key=lambda r: r.key)
    assert latest.value["messages"] == [
        {"role": "user", "content": "It rains in Málaga"},
        {"role": "assistant", "content": "You said: It rains in Málaga"},
    ]
    assert latest.value["text"] == "assistant: You said: It rains in Málaga"
    steps = [record.value["metadata"]["step"] for record in memory.records(prefix="threads/t//cp/")]
    assert sorted(steps) == [-1, 0, 1]


class Reversed:
    """Stands for a cipher: nothing of the text can be read."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "reversed", plaintext[::-1]

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        return ciphertext[::-1]


def test_what_is_encrypted_is_nowhere_readable(make):
    saver = make(serde=EncryptedSerializer(Reversed()))
    chat = graph(saver, answer)
    chat.invoke(said("It rains in Málaga"), CONFIG)
    assert len(chat.get_state(CONFIG).values["messages"]) == 2
    assert saver.memory.sync.search("Málaga") == []
    assert not any("metadata" in record.value for record in saver.memory.sync.records())


def test_a_store_and_a_checkpointer_share_a_memory(saver):
    store = TTAStore(saver.memory, evict=True)
    store.put(("threads", "t"), "k", {"n": 1})
    graph(saver, answer).invoke(said("hello"), CONFIG)
    assert store.list_namespaces() == [("threads", "t")]
    saver.delete_thread("t")
    assert saver.get_tuple(CONFIG) is None
    assert saver.memory.sync.keys() == ["/threads/t/k"]


# ---- single checkpoints


def put(saver: TTASaver, thread: str = "t", **facts: Any) -> Any:
    """Puts a checkpoint with the channel ``n``, and returns the config that names it."""
    config = {"configurable": {"thread_id": thread, "checkpoint_ns": "", **facts}}
    version = saver.get_next_version(None, None)
    checkpoint = empty_checkpoint() | {
        "channel_values": {"n": 1},
        "channel_versions": {"n": version},
    }
    return saver.put(config, checkpoint, {"source": "loop", "step": 0}, {"n": version})


def test_threads_whose_names_begin_alike_or_have_slashes_are_kept_apart(saver):
    names = ["t", "t/", "t/cp", "t%2F", "ta"]
    configs = [put(saver, name) for name in names]
    saver.delete_thread("t")
    found = [saver.get_tuple(config) for config in configs]
    assert [each is not None for each in found] == [False, True, True, True, True]
    assert {each.config["configurable"]["thread_id"] for each in saver.list(None)} == set(names[1:])


@pytest.mark.backends("in-memory")
def test_a_number_is_the_name_of_a_thread_and_none_is_not(saver):
    saver.put({"configurable": {"thread_id": 7, "checkpoint_ns": ""}}, empty_checkpoint(), {}, {})
    assert saver.get_tuple({"configurable": {"thread_id": "7"}}) is not None
    for config in ({}, {"configurable": {}}, {"configurable": {"thread_id": ""}}):
        with pytest.raises(InvalidArgument, match="no thread_id"):
            saver.get_tuple(config)
    with pytest.raises(InvalidArgument, match="no checkpoint_id"):
        saver.put_writes({"configurable": {"thread_id": "t"}}, [("n", 1)], "task")
    with pytest.raises(InvalidArgument, match="strategy='all'"):
        saver.prune(["t"], strategy="all")
    with pytest.raises(InvalidArgument, match="limit=-1"):
        list(saver.list(None, limit=-1))
    assert list(saver.list(None, limit=0)) == []
    with pytest.raises(InvalidArgument, match="so checkpoints would be lost"):
        TTASaver(MemoryPrimitive())


def test_a_checkpoint_of_a_newer_version_is_refused_by_name(saver):
    config = put(saver)
    memory = saver.memory.sync
    [key] = memory.keys(prefix="threads/t//cp/")
    value = memory.get(key)
    for change, error, message in (
        ({"bytes": [2, "?"]}, InvalidArgument, "its format 2 is that of a newer version"),
        (
            {"bytes": [1, "msgpack9", ""]},
            InvalidArgument,
            "written by a newer version of LangGraph",
        ),
        ({"bytes": None}, ServerError, "this record is no checkpoint"),
    ):
        memory.add(key, value | change)
        with pytest.raises(error, match=message) as caught:
            saver.get_tuple(config)
        assert key in str(caught.value)
    memory.add(key, value)
    assert saver.get_tuple(config).checkpoint["channel_values"] == {"n": 1}


def test_what_a_task_has_written_stays_but_for_errors(saver):
    config = put(saver)
    saver.put_writes(config, [("n", 1), ("m", 2)], "task")
    saver.put_writes(config, [("n", 10), ("m", 20), ("o", 30)], "task")
    saver.put_writes(config, [("__error__", "first")], "task")
    saver.put_writes(config, [("__error__", "second")], "task")
    saver.put_writes(config, [("n", 0)], "other", "a path that sorts last")
    writes = saver.get_tuple(config).pending_writes
    assert writes == [
        ("task", "__error__", "second"),
        ("task", "n", 1),
        ("task", "m", 2),
        ("task", "o", 30),
        ("other", "n", 0),
    ]


def test_writes_are_kept_where_nobody_can_tell_what_others_have_written(saver):
    config = put(saver)
    saver.put_writes(config, [("n", 1)], "task")

    def watch(verb, plan, /, *args, **options):
        if options.get("expect") is None:
            return plan
        plan.close()

        def refused():
            raise StoreUnavailable("in an outage")
            yield

        return refused()

    saver.memory.watch = watch
    saver.put_writes(config, [("n", 10), ("m", 2)], "task")
    assert saver.get_tuple(config).pending_writes == [("task", "n", 1), ("task", "m", 2)]


async def test_tasks_that_write_at_the_same_time_lose_nothing(saver):
    config = put(saver)
    await asyncio.gather(
        *(saver.aput_writes(config, [("n", n)], f"task{n % 5}", "") for n in range(20))
    )
    found: CheckpointTuple | None = await saver.aget_tuple(config)
    assert found is not None
    assert [task for task, _, _ in found.pending_writes or ()] == [f"task{n}" for n in range(5)]


def test_pruning_keeps_what_deltas_continue_and_deleting_runs_keeps_shared_values(saver):
    version = saver.get_next_version(None, None)
    parent: dict[str, Any] = {}
    configs = []
    for step in range(4):
        metadata: Any = {"step": step, "run_id": f"run{step}"}
        if step:
            metadata["counters_since_delta_snapshot"] = {"log": (step, step)}
        # The channel `log` has a value at step 1 only, and is continued by writes.
        versions = {"n": version, "log": f"{step:03}"}
        new = {"n": version, "log": "000"} if step == 0 else {"log": f"{step:03}"}
        values = {"n": 1, "log": ["snapshot"]} if step <= 1 else {"n": 1}
        checkpoint = empty_checkpoint() | {"channel_values": values, "channel_versions": versions}
        config = {"configurable": {"thread_id": "t", "checkpoint_ns": "", **parent}}
        configs.append(saver.put(config, checkpoint, metadata, new))
        parent = {"checkpoint_id": checkpoint["id"]}
        saver.put_writes(configs[-1], [("log", step)], "task")
    saver.delete_for_runs(["run0"])
    assert saver.get_tuple(configs[0]) is None
    assert saver.get_tuple(configs[1]).checkpoint["channel_values"] == {
        "n": 1,
        "log": ["snapshot"],
    }
    saver.prune(["t"])
    assert len(list(saver.list(CONFIG))) == 3
    history = saver.get_delta_channel_history(config=configs[3], channels=["log"])
    assert history["log"]["seed"] == ["snapshot"]
    assert [value for _, _, value in history["log"]["writes"]] == [1, 2]


@pytest.mark.backends("in-memory")
def test_any_state_is_readable_without_an_error(saver):
    class Broken:
        def __repr__(self) -> str:
            raise ValueError

    from tta_memory_nb.integrations.langgraph.readable import shown

    deep: Any = []
    for _ in range(1_000):
        deep = [deep]
    hostile = {"n": float("nan"), "big": 10**400, "deep": deep, 3: b"\0" * 9, "set": {1}}
    told = shown([hostile, Broken(), "x" * 20_000, "\ud800"])["value"]
    assert told[0]["n"] == "nan"
    assert told[0]["3"] == "<9 bytes>"
    assert told[1] == "<Broken>"
    assert len(told[2]) == 10_001
    saver.memory.sync.add("k", {"told": told})
    assert shown([])["value"] == []
    parts: Any = [{"type": "text", "text": "Look"}, {"type": "image", "url": "x"}, "here"]
    assert shown(HumanMessage(parts))["text"] == "user: Look here"
