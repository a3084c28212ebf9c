"""Frameworks that keep their conversations in the shared log: one contract over the table of adapters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from backends import ONE_SERVER
from histories import ADAPTERS, Chats, need_package
from real_servers import need

from tta_memory_nb import InvalidArgument, MemoryPrimitive, StoreUnavailable
from tta_memory_nb.integrations.messages import FORMATS

Open = Callable[..., MemoryPrimitive]


@pytest.fixture
def make(backend: str, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Makes memories of one backend; each test has a namespace of its own."""
    made: list[MemoryPrimitive] = []

    def open_memory() -> MemoryPrimitive:
        url = need(backend).url if backend == ONE_SERVER else None
        made.append(MemoryPrimitive(url, namespace=request.node.name, max_size=None, timeout=60.0))
        return made[-1]

    yield open_memory
    for memory in made:
        memory.sync.clear()
        memory.sync.close()


@pytest.fixture(params=list(ADAPTERS))
def adapter(request: pytest.FixtureRequest) -> type[Chats]:
    adapter: type[Chats] = ADAPTERS[request.param]
    need_package(*adapter.needed)
    return adapter


@pytest.mark.backends("in-memory", ONE_SERVER)
async def test_a_conversation_comes_back_whole_and_people_can_read_it(make, adapter):
    memory = make()
    chats = adapter(memory, user="ann")
    whole = chats.whole
    await chats.add("mon", whole)
    assert await chats.read("mon") == whole
    again = adapter(make() if memory.is_using_redis() else memory, user="ann")
    assert await again.read("mon") == whole
    values = [record.value for record in await memory.history("ann", "mon")]
    assert tuple(value["role"] for value in values) == chats.roles
    assert all(type(value["content"]) is str and value["content"] for value in values)
    assert "find_order(" in values[1]["content"]
    assert await memory.count("verschickt 🚚", user="ann", session="mon")
    await chats.add("mon", [chats.text("Thank you!")])
    assert len(await again.read("mon")) == 5
    await chats.clear("mon")
    assert await again.read("mon") == []
    assert await memory.history("ann", "mon") == []
    hello = [chats.text("Hello again")]
    await chats.add("mon", hello)
    assert await again.read("mon") == hello


@pytest.mark.backends("in-memory", ONE_SERVER)
async def test_concurrent_writers_lose_nothing(make, adapter):
    first = make()
    second = make() if first.is_using_redis() else first
    chats = [adapter(memory, user="ann") for memory in (first, second)]
    texts = [[f"{who} {turn}" for turn in range(5)] for who in range(4)]

    async def write(number):
        for text in texts[number]:
            await chats[number % 2].add("mon", [chats[0].text(text)])

    await asyncio.gather(*map(write, range(4)))
    found = [record.value["content"] for record in await first.history("ann", "mon")]
    assert sorted(found) == sorted(text for mine in texts for text in mine)
    for mine in texts:
        assert [text for text in found if text in mine] == mine
    assert len(await chats[1].read("mon")) == 20


@pytest.mark.backends("in-memory")
async def test_names_are_any_text_and_users_and_sessions_are_apart(make, adapter):
    memory = make()
    names = ["a:b", "a%3Ab", "a", "%", "ünï 📦", "a/b", " "]
    for name in names:
        await adapter(memory, user="ann").add(name, [adapter(memory).text(name)])
        await adapter(memory, user=f"{name}:x").add("s", [adapter(memory).text(f"s {name}")])
    for name in names:
        [one] = await adapter(memory, user="ann").read(name)
        [other] = await adapter(memory, user=f"{name}:x").read("s")
        assert name in str(one) or name in repr(one)
        assert f"s {name}" in str(other) or f"s {name}" in repr(other)
        assert await adapter(memory, user=name).read("s") == []


@pytest.mark.backends("in-memory")
@pytest.mark.parametrize("name", ["", None, 7])
async def test_a_session_without_a_name_is_refused(make, adapter, name):
    chats = adapter(make())
    with pytest.raises((InvalidArgument, ValueError), match=r"session|conversation_id"):
        await chats.add(name, [chats.text("hi")])
    assert chats.memory.sync.size() == 0
    with pytest.raises(InvalidArgument, match="user"):
        adapter(chats.memory, user=name or "")


async def test_a_memory_that_evicts_is_refused_unless_that_is_allowed(adapter):
    memory = MemoryPrimitive(max_size=10)
    with pytest.raises(InvalidArgument, match=r"at most 10 records.*max_size=None.*evict=True"):
        adapter(memory)
    chats = adapter(memory, evict=True)
    await chats.add("mon", [chats.text("hi")])
    assert len(await chats.read("mon")) == 1


LOGS = [name for name in ADAPTERS if name != "pydantic_ai"]
"""Adapters that read what others have appended; a conversation of Pydantic AI has a record of its own."""


@pytest.mark.parametrize("name", LOGS)
async def test_text_is_shared_and_calls_of_tools_are_not(name):
    need_package(*ADAPTERS[name].needed)
    memory = MemoryPrimitive(max_size=None)
    chats = ADAPTERS[name](memory, user="ann")
    await memory.append(
        "ann", "mon", [{"role": "user", "content": "by hand"}, {"role": "assistant", "text": "ok"}]
    )
    await chats.add("mon", [chats.text("by a framework")])
    assert await chats.read("mon") == [
        chats.text("by hand"),
        chats.text("ok", "assistant"),
        chats.text("by a framework"),
    ]
    last = (await memory.history("ann", "mon"))[-1]
    assert last.value == {"role": "user", "content": "by a framework"}
    other = next(each for each in FORMATS if each != name)
    await memory.append("ann", "tue", [{"role": "assistant", "content": "f()", other: {"a": 1}}])
    with pytest.raises(InvalidArgument, match=rf"ann:tue:.*{other} has written more than text"):
        await chats.read("tue")
    await memory.append("ann", "thu", [{"role": "a stranger", "content": "hi"}])
    if name != "agent_framework":  # which takes any role
        with pytest.raises(InvalidArgument, match=r"ann:thu:.*its role 'a stranger' is none"):
            await chats.read("thu")
    await memory.append("ann", "wed", [{"content": "who says that?"}])
    with pytest.raises(InvalidArgument, match=r"ann:wed:.*no role"):
        await chats.read("wed")


# ---- what one framework alone promises


@pytest.fixture
def memory():
    return MemoryPrimitive(max_size=None)


class TestOpenAI:
    @pytest.fixture(autouse=True)
    def installed(self):
        need_package(*ADAPTERS["openai_agents"].needed)

    @pytest.fixture
    def session(self, memory):
        from tta_memory_nb.integrations.openai_agents import TTASession

        return TTASession("mon", memory, user="ann", session_settings={"limit": 3})

    async def test_a_session_keeps_the_protocol_and_its_limits(self, session):
        from agents.memory import Session

        assert isinstance(session, Session)
        items = [{"role": "user", "content": str(number)} for number in range(5)]
        await session.add_items(items)
        await session.add_items([])
        assert await session.get_items() == items[2:]
        assert await session.get_items(limit=9) == items
        assert await session.get_items(limit=0) == []
        with pytest.raises(InvalidArgument, match="limit=-1"):
            await session.get_items(limit=-1)
        assert await session.pop_item() == items[4]
        assert await session.get_items(2) == items[2:4]
        await session.clear_session()
        assert await session.pop_item() is None

    async def test_an_item_without_a_role_is_refused_and_changes_nothing(self, session, memory):
        good = {"role": "user", "content": "hi"}
        with pytest.raises(InvalidArgument, match=r"message 1: .* has no role"):
            await session.add_items([good, {"content": "hi"}])
        with pytest.raises(InvalidArgument, match=r"message 0: 'hi' is no message"):
            await session.add_items(["hi"])
        assert memory.sync.size() == 0

    async def test_no_item_is_popped_twice(self, session):
        items = [{"role": "user", "content": str(number)} for number in range(8)]
        await session.add_items(items)
        popped = await asyncio.gather(*(session.pop_item() for _ in range(10)))
        assert sorted(each["content"] for each in popped if each) == [str(n) for n in range(8)]

    async def test_an_agent_remembers_between_runs(self, session):
        from agents import Agent, RunConfig, Runner, function_tool
        from agents.testing import ScriptedModel
        from openai.types.responses import ResponseFunctionToolCall as Call
        from openai.types.responses import ResponseOutputMessage as Answer
        from openai.types.responses import ResponseOutputText as Text

        @function_tool
        def find_order(user: str) -> str:
            """Finds an order."""
            return f"shipped to {user}"

        def says(text):
            part = Text(text=text, type="output_text", annotations=[], logprobs=[])
            return Answer(
                id="m", content=[part], role="assistant", status="completed", type="message"
            )

        call = Call(
            arguments='{"user": "ann"}', call_id="c", name="find_order", type="function_call"
        )
        model = ScriptedModel()
        agent = Agent(name="shop", model=model, tools=[find_order])
        quiet = RunConfig(tracing_disabled=True)
        model.enqueue([call])
        model.enqueue([says("It was shipped.")])
        await Runner.run(agent, "Where is my order?", session=session, run_config=quiet)
        model.enqueue([says("You are welcome.")])
        await Runner.run(agent, "Thank you!", session=session, run_config=quiet)
        history = await session._log.memory.history("ann", "mon")
        assert [(each.value["role"], each.value["content"]) for each in history] == [
            ("user", "Where is my order?"),
            ("assistant", 'find_order({"user": "ann"})'),
            ("tool", "shipped to ann"),
            ("assistant", "It was shipped."),
            ("user", "Thank you!"),
            ("assistant", "You are welcome."),
        ]


@pytest.mark.server
@pytest.mark.usefixtures("no_automatic_reconnect")
@pytest.mark.parametrize("name", LOGS)
async def test_two_machines_append_to_one_session_in_an_outage(
    name, open_memory, proxy, database, clock
):
    need_package(*ADAPTERS[name].needed)
    machines = [open_memory(proxy.url) for _ in "12"]
    online = open_memory(database.url)
    chats = [ADAPTERS[name](memory, user="ann") for memory in (*machines, online)]
    await chats[0].add("mon", chats[0].whole)
    assert len(await chats[1].read("mon")) == 4
    proxy.refuse()
    for turn in range(6):
        clock.tick()
        await chats[turn % 3].add("mon", [chats[0].text(f"turn {turn}")])
    assert not any(memory.is_using_redis() for memory in machines)
    proxy.heal()
    assert all([await memory.reconnect() for memory in reversed(machines)])
    expected = [*chats[0].whole, *(chats[0].text(f"turn {turn}") for turn in range(6))]
    for each in chats:
        assert await each.read("mon") == expected


@pytest.mark.server
@pytest.mark.usefixtures("no_automatic_reconnect")
async def test_a_save_with_a_condition_is_refused_in_an_outage(open_memory, proxy, database):
    need_package(*ADAPTERS["pydantic_ai"].needed)
    memory, online = open_memory(proxy.url), open_memory(database.url)
    chats = ADAPTERS["pydantic_ai"](memory, user="ann")
    await chats.add("mon", [chats.text("before")])
    proxy.refuse()
    with pytest.raises(StoreUnavailable, match="only the server can tell"):
        await chats.add("mon", [chats.text("in the outage")])
    assert len(await chats.read("mon")) == 1
    proxy.heal()
    assert await memory.reconnect()
    await chats.add("mon", [chats.text("after")])
    found = [each.value["content"] for each in await online.history("ann", "mon")]
    assert found == ["before", "after"]


class TestAgentFramework:
    @pytest.fixture
    def provider(self, memory):
        need_package(*ADAPTERS["agent_framework"].needed)
        from tta_memory_nb.integrations.agent_framework import TTAHistoryProvider

        return TTAHistoryProvider(memory, user="ann", skip_excluded=True)

    async def test_messages_that_are_sent_again_are_stored_once(self, provider):
        from agent_framework import Message

        turns = [Message(role="user", contents=["yes"]), Message(role="assistant", contents=["ok"])]
        await provider.save_messages("mon", turns)
        await provider.save_messages("mon", turns)  # people repeat themselves
        assert [each.text for each in await provider.get_messages("mon")] == ["yes", "ok"] * 2
        more = [
            Message(role="user", contents=["now"]),
            Message(role="assistant", contents=["done"], message_id="m1"),
        ]
        await provider.save_messages("mon", [*turns, *turns, *more])  # the whole transcript
        await provider.save_messages("mon", more[1:])
        texts = [each.text for each in await provider.get_messages("mon")]
        assert texts == [*["yes", "ok"] * 2, "now", "done"]

    async def test_what_a_compaction_has_excluded_is_left_out(self, provider):
        from agent_framework import Message

        kept = Message(role="user", contents=["kept"])
        left_out = Message(role="user", contents=["old"], additional_properties={"_excluded": True})
        await provider.save_messages("mon", [left_out, kept])
        assert [each.text for each in await provider.get_messages("mon")] == ["kept"]

    async def test_an_agent_remembers_between_runs(self, provider):
        from agent_framework import Agent, BaseChatClient, ChatResponse, Message

        heard = []

        class Scripted(BaseChatClient):
            async def _inner_get_response(self, *, messages, **_):
                heard.append([each.text for each in messages])
                return ChatResponse(messages=[Message(role="assistant", contents=["Hello Ann"])])

        agent = Agent(client=Scripted(), context_providers=[provider])
        session = agent.create_session(session_id="mon")
        await agent.run("I am Ann", session=session)
        await agent.run("Who am I?", session=agent.create_session(session_id="mon"))
        assert heard[1] == ["I am Ann", "Hello Ann", "Who am I?"]


class TestLlamaIndex:
    @pytest.fixture
    def store(self, memory):
        need_package(*ADAPTERS["llama_index"].needed)
        from tta_memory_nb.integrations.llama_index import TTAChatStore

        return TTAChatStore(memory, user="ann")

    def messages(self, *texts):
        from llama_index.core.llms import ChatMessage

        return [ChatMessage(text, role="user") for text in texts]

    async def test_called_and_awaited_verbs_do_the_same(self, store):
        one, two, three, four = self.messages("1", "2", "3", "4")
        store.set_messages("a:b", [one, two])
        store.add_message("a:b", three)
        assert store.get_keys() == await store.aget_keys() == ["a:b"]
        assert store.delete_message("a:b", 1) == two
        assert store.delete_message("a:b", 2) is None
        assert store.delete_last_message("a:b") == three
        await store.aset_messages("a:b", [two, three, four])
        assert store.get_messages("a:b") == [two, three, four]
        assert await store.adelete_message("a:b", -3) == two
        assert await store.adelete_message("a:b", -3) is None
        assert await store.adelete_last_message("a:b") == four
        assert store.delete_messages("a:b") == [three]
        assert store.delete_messages("a:b") is None
        assert await store.adelete_messages("nobody") is None
        store.set_messages("a:b", [])
        assert store.get_keys() == store.get_messages("a:b") == []

    def test_nothing_of_the_memory_is_serialised(self, store):
        assert store.to_dict() == {"class_name": "TTAChatStore"}

    def test_a_buffer_reads_and_writes_it(self, store):
        from llama_index.core.memory import ChatSummaryMemoryBuffer

        buffer = ChatSummaryMemoryBuffer.from_defaults(
            chat_store=store, chat_store_key="mon", tokenizer_fn=str.split, token_limit=50
        )
        for message in self.messages("Where is my order?", "Thank you!"):
            buffer.put(message)
        assert [each.content for each in buffer.get()] == ["Where is my order?", "Thank you!"]


class TestPydanticAI:
    @pytest.fixture
    def store(self, memory):
        need_package(*ADAPTERS["pydantic_ai"].needed)
        from tta_memory_nb.integrations.pydantic_ai import TTAConversationStore

        return TTAConversationStore(memory, user="ann")

    async def test_an_agent_remembers_between_runs(self, store, memory):
        from pydantic_ai import Agent
        from pydantic_ai.conversation import Conversation
        from pydantic_ai.models.test import TestModel

        agent = Agent(TestModel())

        @agent.tool_plain
        def find_order(user: str) -> dict[str, str]:
            return {"state": "shipped"}

        for prompt in ("Where is my order?", "Thank you!"):
            known = await store.load("mon") or Conversation(conversation_id="mon")
            await store.save(await agent.run(prompt, conversation=known), scope="shop")
        history = await memory.history("ann", "mon")
        assert [each.value["role"] for each in history][:4] == [
            "user",
            "assistant",
            "tool",
            "assistant",
        ]
        assert history[2].value["content"] == '{"state":"shipped"}'
        assert (await store.load("mon")).usage.requests > 2
        assert [each.conversation_id for each in await store.list_conversations(scope="shop")] == [
            "mon"
        ]
        assert await store.list_conversations(scope="other") == []

    async def test_ids_and_records_of_others_are_no_obstacle(self, store, memory):
        from pydantic_ai.conversation_store import ConversationEntry, ConversationRecord

        chats = ADAPTERS["pydantic_ai"](memory, user="ann")
        await memory.add("ann:mon", {"text": "a note of somebody"})
        entry = ConversationEntry(id="Ünï id", parent_id=None, message=chats.text("hi"))
        record = ConversationRecord(conversation_id="mon", head_id="Ünï id")
        await store.write_record(record, new_entries=[entry], expected_revision=None)
        assert await store.read_entry("Ünï id") == entry
        assert await chats.read("mon") == [entry.message]
        await store.delete("mon")
        assert memory.sync.keys() == ["ann:mon"]

    async def test_an_overtaken_save_is_refused_and_changes_nothing(self, store, memory):
        from pydantic_ai.conversation import Conversation
        from pydantic_ai.conversation_store import ConversationConflict

        chats = ADAPTERS["pydantic_ai"](memory, user="ann")
        await chats.add("mon", [chats.text("1")])
        one, two = await store.load("mon"), await store.load("mon")
        one.messages.append(chats.text("2"))
        two.messages.append(chats.text("3"))
        await store.save(one)
        before = await memory.records()
        with pytest.raises(ConversationConflict):
            await store.save(two)
        with pytest.raises(ConversationConflict):
            await store.save(Conversation(conversation_id="mon"))
        with pytest.raises(ConversationConflict):
            await store.delete_record("mon", expected_revision=two.revision)
        assert await memory.records() == before

    async def test_forks_share_messages_until_nobody_needs_them(self, store, memory):
        chats = ADAPTERS["pydantic_ai"](memory, user="ann")
        await chats.add("mon", [chats.text(each) for each in "123"])
        fork = await store.fork("mon", at=2, new_conversation_id="fork")
        fork.messages.append(chats.text("4"))
        await store.save(fork)
        assert len(await memory.records()) == 6
        loaded = await store.load("fork")
        assert [each.parts[0].content for each in loaded.messages] == ["1", "2", "4"]
        assert [each.message for each in await store.load_entries("fork", limit=2)] == [
            loaded.messages[1],
            loaded.messages[2],
        ]
        await store.delete("mon")
        assert (await store.load("fork")).messages == loaded.messages
        assert len(await memory.records()) == 4
        branched = await store.branch("fork", at=1, expected_revision=loaded.revision)
        branched.messages.append(chats.text("5"))
        await store.save(branched)
        [record] = await store.list_conversations()
        assert len(record.branches) == 1
        back = await store.branch(
            "fork", from_entry=record.branches[0], expected_revision=branched.revision
        )
        assert [each.parts[0].content for each in back.messages] == ["1", "2", "4"]
        await store.delete("fork")
        assert await memory.records() == []
        with pytest.raises(LookupError):
            await store.read_entry("no such entry")

    async def test_a_fork_keeps_what_is_deleted_at_the_same_time(self, store, memory, monkeypatch):
        from pydantic_ai.conversation_store import ConversationConflict

        chats = ADAPTERS["pydantic_ai"](memory, user="ann")
        await chats.add("mon", [chats.text(each) for each in "12"])
        apply = memory.apply
        raced = []

        async def apply_after_a_fork(puts, deletes=(), *, expect=None):
            if deletes and not raced:
                raced.append(await store.fork("mon", at=2, new_conversation_id="fork"))
            return await apply(puts, deletes, expect=expect)

        monkeypatch.setattr(memory, "apply", apply_after_a_fork)
        await store.delete("mon")
        assert raced
        assert len((await store.load("fork")).messages) == 2

        async def apply_after_a_delete(puts, deletes=(), *, expect=None):
            monkeypatch.setattr(memory, "apply", apply)
            await store.delete("fork")
            return await apply(puts, deletes, expect=expect)

        monkeypatch.setattr(memory, "apply", apply_after_a_delete)
        with pytest.raises(ConversationConflict):
            await store.fork("fork", new_conversation_id="late")
        assert await memory.records() == []
