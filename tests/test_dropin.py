"""Code for `tta_dev_primitives.performance.memory` runs when only its import line is changed.

The scenarios use that package as its README, its example and the page of its primitives document
it: the same calls with the same arguments and results. They are source code in which only the
import lines are replaced. They end with assertions of the documented results.

Each runs in memory, and again with a ``redis_url`` in the call that makes the memory, as that
README recommends. This address is that of a real server.
"""

from __future__ import annotations

import ast
import inspect
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from real_servers import Server, need, redis_8

import tta_memory_nb

pytestmark = pytest.mark.usefixtures("patient")

IMPORT = re.compile(r"from tta_dev_primitives\.performance(\.memory)? import ")
MADE_WITHOUT_ADDRESS = re.compile(r"MemoryPrimitive\((?!redis_url)")
DOCUMENTED_ADDRESS = "redis://localhost:6379"

QUICK_START = """
from tta_dev_primitives.performance.memory import MemoryPrimitive

memory = MemoryPrimitive()

stored = await memory.add("user:123:session:abc", {
    "conversation": "User wants to know whether it will rain",
    "intent": "weather_query",
})
context = await memory.get("user:123:session:abc")
results = await memory.search("weather")

assert stored is None
assert context == {
    "conversation": "User wants to know whether it will rain",
    "intent": "weather_query",
}
assert results == [context]
assert await memory.get("user:123:session:nobody") is None
assert await memory.search("") == []
"""

CONVERSATION = """
from datetime import datetime

from tta_dev_primitives.performance.memory import MemoryPrimitive, create_memory_key

memory = MemoryPrimitive()

said = ["Is the weather good?", "And tomorrow?", "Then the weather can wait"]
for turn_num, text in enumerate(said, 1):
    key = create_memory_key(
        user_id="user_123", session_id="session_abc", context={"turn": turn_num}
    )
    await memory.add(key, {
        "user_message": text,
        "assistant_response": f"Response {turn_num}",
        "timestamp": datetime.now().isoformat(),
    })

weather_context = await memory.search("weather")

assert [found["user_message"] for found in weather_context] == [said[2], said[0]]
assert len(await memory.search("response", limit=2)) == 2
assert memory.size() == 3
"""

CONVERSATION_WITH_KEYS_OF_ITS_OWN = """
from tta_dev_primitives.performance import MemoryPrimitive

memory = MemoryPrimitive(max_size=100)
session_id = "s1"

for i in range(12):
    await memory.add(f"conv:{session_id}:turn:{i}", {"role": "user", "content": f"turn number {i}"})

history = await memory.search("turn number")

assert [turn["content"] for turn in history] == [f"turn number {i}" for i in (11, 10, 9, 8, 7)]
assert (await memory.get(f"conv:{session_id}:turn:0"))["content"] == "turn number 0"
"""

UTTERANCE_AS_KEY = """
from tta_dev_primitives.performance import MemoryPrimitive, InMemoryStore, create_memory_key

memory = MemoryPrimitive(max_size=100)

await memory.add("What is a primitive?", {"role": "user"})
await memory.add("A primitive is...", {"role": "assistant", "about": "primitives"})

assert await memory.get("What is a primitive?") == {"role": "user"}
assert await memory.search("primitive") == [{"role": "assistant", "about": "primitives"}]
"""

AGENT = """
import time

from tta_dev_primitives.performance import MemoryPrimitive, create_memory_key

memory = MemoryPrimitive(max_size=1000)


async def llm_generate(user_input, context):
    return f"{len(context)} memories about {user_input.split()[0]}"


async def handle_conversation(user_id, session_id, user_input):
    timestamp = str(int(time.time()))
    user_key = create_memory_key(user_id, session_id, {"turn": user_input, "ts": timestamp})
    await memory.add(user_key, {"role": "user", "content": user_input, "timestamp": timestamp})
    history = await memory.search(user_input.split()[0], limit=5)
    response = await llm_generate(user_input, context=history)
    assistant_key = create_memory_key(user_id, session_id, {"turn": response, "ts": timestamp})
    await memory.add(
        assistant_key, {"role": "assistant", "content": response, "timestamp": timestamp}
    )
    return response


first = await handle_conversation("u1", "s1", "Primitives are what?")
second = await handle_conversation("u1", "s1", "Primitives again")

assert first == "1 memories about Primitives"
assert second == "3 memories about Primitives"
"""

TASK = """
from tta_dev_primitives.performance.memory import MemoryPrimitive, create_memory_key

memory = MemoryPrimitive()

task_key = create_memory_key(
    user_id="user_123",
    session_id="session_abc",
    context={"task": "code_review", "file": "main.py"},
)
await memory.add(task_key, {
    "file_path": "main.py",
    "review_notes": ["Line 42: an error nobody handles"],
    "status": "in_progress",
})
await memory.add(
    create_memory_key("user_123", "session_abc", {"task": "translate"}),
    {"context": {"task": "translate"}, "status": "completed"},
)

task_context = await memory.get(task_key)

assert task_context["review_notes"] == ["Line 42: an error nobody handles"]
assert [task["status"] for task in await memory.search("translate", limit=5)] == ["completed"]
task_context["status"] = "done"
await memory.add(task_key, task_context)
assert (await memory.get(task_key))["status"] == "done"
assert memory.size() == 2
"""

PERSONALITY = """
from tta_dev_primitives.performance.memory import MemoryPrimitive

memory = MemoryPrimitive(max_size=1000, enable_redis=True)

await memory.add("agent:personality", {"tone": "calm", "likes": ["tea", "trains"]})
await memory.add(key="temp_context", value={"data": "temporary"}, ttl=3600)

assert (await memory.get("agent:personality"))["likes"] == ["tea", "trains"]
assert await memory.get("temp_context") == {"data": "temporary"}
await memory.clear()
assert memory.size() == 0
assert await memory.get("agent:personality") is None
assert await memory.search("calm") == []
"""

BACKEND = """
from tta_dev_primitives.performance.memory import MemoryPrimitive

memory = MemoryPrimitive(max_size=100)
await memory.add("key1", {"data": "value1"})

info = memory.get_backend_info()

assert info["backend"] == ("redis" if on_server else "in-memory")
assert info["fallback_available"] is True
assert info["size"] == memory.size() == 1
assert memory.is_using_redis() is on_server
assert memory.using_redis is on_server
assert (memory.redis_client is not None) is on_server
assert memory.fallback is not None
"""

STORE = """
from tta_dev_primitives.performance.memory import InMemoryStore

store = InMemoryStore(max_size=3)
assert (store.max_size, store.size(), InMemoryStore().max_size) == (3, 0, 1000)

assert store.add("key1", {"content": "hello world", "order": 1}) is None
store.add("key2", {"content": "goodbye world"})
store.add("key3", {"content": "Hello universe"})
assert store.keys() == ["key1", "key2", "key3"]
assert store.get("key1") == {"content": "hello world", "order": 1}
assert store.get("missing") is None

store.add("key4", {"content": "hello again"})  # key1 was used last, so key2 has to go
assert store.get("key2") is None
assert store.size() == 3
assert [found["content"] for found in store.search("hello")] == [
    "hello again", "hello world", "Hello universe"
]
assert len(store.search("hello", limit=2)) == 2

store.clear()
assert (store.size(), store.keys()) == (0, [])
"""

KEYS = """
import hashlib
import json

from tta_dev_primitives.performance.memory import create_memory_key

assert create_memory_key("user123", "session456") == "user123:session456"
assert create_memory_key("user123", "session456", {}) == "user123:session456"

context = {"turn": 1, "task": "summarize"}
key = create_memory_key(user_id="user123", session_id="session456", context=context)

# Keys that were made there have to be found here.
digest = hashlib.md5(json.dumps(context, sort_keys=True, default=str).encode()).hexdigest()
assert key == f"user123:session456:{digest[:8]}"
assert key == create_memory_key("user123", "session456", {"task": "summarize", "turn": 1})
assert key != create_memory_key("user123", "session456", {"turn": 2, "task": "summarize"})
"""

UNREACHABLE = """
from tta_dev_primitives.performance.memory import MemoryPrimitive

memory = MemoryPrimitive(redis_url="redis://127.0.0.1:1")

await memory.add("key", {"data": "value"})

assert not memory.is_using_redis()
assert await memory.get("key") == {"data": "value"}
assert await memory.search("value") == [{"data": "value"}]
assert memory.size() == 1
assert memory.get_backend_info()["backend"] == "in-memory"
"""

SWITCHED_OFF = """
from tta_dev_primitives.performance.memory import MemoryPrimitive

memory = MemoryPrimitive(redis_url="redis://localhost:6379", max_size=1000, enable_redis=False)

await memory.add("key", {"data": "value"})

assert not memory.is_using_redis()
assert memory.get_backend_info()["backend"] == "in-memory"
"""

each_memory = pytest.mark.parametrize(
    "source",
    [
        pytest.param(source, id=name)
        for name, source in {
            "quick start": QUICK_START,
            "conversation": CONVERSATION,
            "conversation with keys of its own": CONVERSATION_WITH_KEYS_OF_ITS_OWN,
            "what was said as key": UTTERANCE_AS_KEY,
            "agent": AGENT,
            "task": TASK,
            "personality": PERSONALITY,
            "backend": BACKEND,
        }.items()
    ],
)


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    """A server for these tests alone, because they use the default namespace."""
    need("redis")
    server = Server(redis_8())
    yield server
    server.stop()


@pytest.fixture
def empty_database(database: Server) -> Server:
    with database.client() as client:
        client.flushall()
    return database


async def carry_out(source: str, **names: Any) -> dict[str, Any]:
    """Runs code for the other package with its import lines replaced, and returns its variables."""
    replaced, count = IMPORT.subn("from tta_memory_nb import ", source)
    assert count == 1
    code = compile(replaced, "<drop-in>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    ran = eval(code, names)
    if inspect.isawaitable(ran):
        await ran
    if isinstance(memory := names.get("memory"), tta_memory_nb.MemoryPrimitive):
        await memory.aclose()
    return names


@each_memory
async def test_documented_code_runs_in_memory(source):
    await carry_out(source, on_server=False)


@each_memory
async def test_documented_code_runs_on_a_server(source, empty_database):
    with_address = f'MemoryPrimitive(redis_url="{empty_database.url}", '
    source, count = MADE_WITHOUT_ADDRESS.subn(with_address, source)
    assert count == 1
    names = await carry_out(source, on_server=True)
    assert names["memory"].is_using_redis()


async def test_records_are_there_for_the_next_process(empty_database):
    source = QUICK_START.replace(
        "MemoryPrimitive()", f'MemoryPrimitive(redis_url="{DOCUMENTED_ADDRESS}")'
    ).replace(DOCUMENTED_ADDRESS, empty_database.url)
    await carry_out(source)
    async with tta_memory_nb.MemoryPrimitive(redis_url=empty_database.url) as another:
        assert len(await another.search("rain")) == 1


@pytest.mark.parametrize(
    "source", [STORE, KEYS, SWITCHED_OFF], ids=["store", "keys", "switched off"]
)
async def test_documented_code_that_needs_no_server_runs(source):
    await carry_out(source)


async def test_an_unreachable_server_causes_a_warning_and_the_memory_still_works(caplog):
    with caplog.at_level(logging.WARNING):
        await carry_out(UNREACHABLE)
    assert [record.levelname for record in caplog.records].count("WARNING") >= 1
    assert "127.0.0.1:1" in caplog.text


def test_signatures_accept_the_arguments_of_the_original():
    taken = {
        "MemoryPrimitive": ["redis_url", "max_size", "enable_redis"],
        "InMemoryStore": ["max_size"],
        "create_memory_key": ["user_id", "session_id", "context"],
    }
    for name, arguments in taken.items():
        signature = inspect.signature(getattr(tta_memory_nb, name))
        assert list(signature.parameters)[: len(arguments)] == arguments
    methods = {"add": ["key", "value", "ttl"], "get": ["key"], "search": ["query", "limit"]}
    for name, arguments in methods.items():
        signature = inspect.signature(getattr(tta_memory_nb.MemoryPrimitive, name))
        assert list(signature.parameters)[1 : len(arguments) + 1] == arguments
