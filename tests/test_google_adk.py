"""The memory service of Google's Agent Development Kit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from backends import ONE_SERVER, Clock
from histories import need_package
from real_servers import need

from tta_memory_nb import InvalidArgument, MemoryPrimitive

pytestmark = pytest.mark.usefixtures("installed")


@pytest.fixture(scope="module")
def installed() -> None:
    need_package("google.adk", "google-adk")


@pytest.fixture
def memory(backend: str, request: pytest.FixtureRequest, clock: Clock) -> Iterator[MemoryPrimitive]:
    url = need(backend).url if backend == ONE_SERVER else None
    name = request.node.name
    it = MemoryPrimitive(url, namespace=name, max_size=None, clock=clock, timeout=60.0)
    yield it
    it.sync.clear()
    it.sync.close()


@pytest.fixture
def service(memory):
    from tta_memory_nb.integrations.google_adk import TTAMemoryService

    return TTAMemoryService(memory, mode="ranked")


def event(text, author="user", at=1_700_000_000.0, **parts):
    from google.adk.events import Event
    from google.genai.types import Content, Part

    made = [Part(text=text)] if text else [Part(**parts)]
    role = "user" if author == "user" else "model"
    return Event(
        author=author, invocation_id="i", timestamp=at, content=Content(role=role, parts=made)
    )


def session(*events, user="ann", name="mon", app="shop"):
    from google.adk.sessions import Session

    return Session(id=name, app_name=app, user_id=user, events=list(events))


async def found(service, query, user="ann", app="shop"):
    answer = await service.search_memory(app_name=app, user_id=user, query=query)
    return answer.memories


def texts(memories):
    return [part.text for each in memories for part in each.content.parts]


@pytest.mark.backends("in-memory", ONE_SERVER)
async def test_a_session_is_found_by_sentences_of_its_user_alone(service, memory):
    events = [
        event("My sister Eva is allergic to peanuts.", at=1_700_000_001.0),
        event("I will remember that. 🥜", "agent", at=1_700_000_002.0),
        event("The parcel goes to Málaga.", at=1_700_000_003.0),
    ]
    await service.add_session_to_memory(session(*events))
    await service.add_session_to_memory(session(event("Bob loves peanuts."), user="bob"))
    await service.add_session_to_memory(session(event("peanuts"), app="other"))
    best, *_ = await found(service, "What is my sister allergic to?")
    assert texts([best]) == ["My sister Eva is allergic to peanuts."]
    assert (best.author, best.timestamp) == ("user", "2023-11-14T22:13:21+00:00")
    assert best.content == events[0].content
    assert texts(await found(service, "peanuts", user="bob")) == ["Bob loves peanuts."]
    assert await found(service, "peanuts", user="nobody") == []
    assert await found(service, "  ") == []
    log = [record.value for record in await memory.history("shop/ann", "mon")]
    assert [value["role"] for value in log] == ["user", "agent", "user"]
    assert log[2]["content"] == "The parcel goes to Málaga."


@pytest.mark.backends("in-memory", ONE_SERVER)
async def test_a_session_that_is_added_again_adds_what_is_new(service, memory):
    first, second = event("It rains.", at=1.5), event("The sun is back.", at=2.5)
    await service.add_session_to_memory(session(first))
    before = await memory.records()
    empty = event("it has no content")
    empty.content = None
    await service.add_session_to_memory(session(first, second, empty))
    await service.add_session_to_memory(session(first, second))
    after = await memory.history("shop/ann", "mon")
    assert [each.value["content"] for each in after] == ["It rains.", "The sun is back."]
    assert after[0] == before[0]
    await service.add_events_to_memory(
        app_name="shop", user_id="ann", events=[second], custom_metadata={"topic": "weather"}
    )
    [alone] = await memory.history("shop/ann", "no session")
    assert alone.value["google_adk"]["custom_metadata"] == {"topic": "weather"}
    assert any(each.custom_metadata == {"topic": "weather"} for each in await found(service, "sun"))


@pytest.mark.backends("in-memory", ONE_SERVER)
async def test_what_a_user_has_deleted_stays_deleted(service, memory):
    events = [event("The code is 4711.", at=1.5), event("It rains.", at=2.5)]
    await service.add_session_to_memory(session(*events))
    code, *_ = await found(service, "code")
    assert texts([code]) == ["The code is 4711."]
    await service.delete_memory(app_name="shop", user_id="bob", memory_id=code.id)
    await service.delete_memory(app_name="shop", user_id="ann")
    await service.delete_memory(app_name="shop", user_id="ann", memory_id="shop/ann:mon:no")
    assert code in await found(service, "code")
    await service.delete_memory(app_name="shop", user_id="ann", memory_id=code.id)
    await service.add_session_to_memory(session(*events))
    assert "4711" not in str(await found(service, "code deleted"))
    assert not await memory.count("4711")
    assert texts(await found(service, "rain")) == ["It rains."]


@pytest.mark.backends("in-memory")
async def test_a_call_of_a_tool_comes_back_whole(service, memory):
    call = {"name": "find_order", "args": {"user": "ann"}, "id": "c1"}
    answer = {"name": "find_order", "response": {"state": "verschickt 🚚"}, "id": "c1"}
    events = [
        event(None, "agent", at=1.5, function_call=call),
        event(None, at=2.5, function_response=answer),
        event(None, at=3.5, inline_data={"data": b"\x00\xff", "mime_type": "image/png"}),
    ]
    await service.add_session_to_memory(session(*events))
    log = [record.value["content"] for record in await memory.history("shop/ann", "mon")]
    assert log == ['find_order({"user":"ann"})', '{"state":"verschickt 🚚"}', "[file]"]
    contents = [each.content for each in await found(service, "find_order verschickt file")]
    for each in events:
        assert each.content in contents


@pytest.mark.backends("in-memory")
async def test_records_of_other_frameworks_are_found_and_names_are_any_text(service, memory):
    await memory.append("shop/ann", "tue", [{"role": "assistant", "content": "Eva likes tea."}])
    [tea] = await found(service, "What does Eva like?")
    assert (tea.author, texts([tea])) == ("assistant", ["Eva likes tea."])
    await service.add_session_to_memory(session(event("hello"), user="x/y:z", app="a/b", name="%"))
    assert texts(await found(service, "hello", user="x/y:z", app="a/b")) == ["hello"]
    assert await found(service, "hello", user="z", app="a/b/x/y") == []
    for bad in ({"app": ""}, {"user": ""}):
        with pytest.raises(InvalidArgument, match="non-empty"):
            await service.add_session_to_memory(session(event("hi"), **bad))


async def test_a_memory_that_evicts_is_refused_unless_that_is_allowed():
    from tta_memory_nb.integrations.google_adk import TTAMemoryService

    memory = MemoryPrimitive(max_size=10)
    with pytest.raises(InvalidArgument, match="memories would be lost"):
        TTAMemoryService(memory)
    TTAMemoryService(memory, evict=True)
    for bad in ({"limit": 0}, {"mode": "psychic"}):
        with pytest.raises(InvalidArgument, match=next(iter(bad))):
            TTAMemoryService(memory, evict=True, **bad)


@pytest.mark.backends("in-memory")
async def test_an_agent_recalls_an_earlier_session(service):
    from google.adk.agents import LlmAgent
    from google.adk.models.base_llm import BaseLlm
    from google.adk.models.llm_response import LlmResponse
    from google.adk.runners import Runner
    from google.adk.sessions import InMemorySessionService
    from google.adk.tools.preload_memory_tool import PreloadMemoryTool
    from google.genai.types import Content, Part

    heard = []

    class Scripted(BaseLlm):
        async def generate_content_async(self, llm_request, stream=False):
            heard.append(str(llm_request))
            yield LlmResponse(content=Content(role="model", parts=[Part(text="Peanuts.")]))

    agent = LlmAgent(name="shop", model=Scripted(model="scripted"), tools=[PreloadMemoryTool()])
    sessions = InMemorySessionService()
    runner = Runner(agent=agent, app_name="shop", session_service=sessions, memory_service=service)
    await service.add_session_to_memory(session(event("My sister is allergic to peanuts.")))
    await sessions.create_session(app_name="shop", user_id="ann", session_id="tue")
    message = Content(role="user", parts=[Part(text="What is my sister allergic to?")])
    async for _ in runner.run_async(user_id="ann", session_id="tue", new_message=message):
        pass
    assert "My sister is allergic to peanuts." in heard[0]
