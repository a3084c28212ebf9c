"""The adapters that keep messages in the shared log, each with a conversation of its framework."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

import pytest

from tta_memory_nb import MemoryPrimitive


def need_package(name: str, distribution: str) -> None:
    """Skips the test if a framework is not installed; fails in CI."""
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # not even the package that it belongs to
        found = None
    if found is None:
        reason = f"{distribution} is not installed: pip install --group frameworks"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class Chats:
    """An adapter over a memory: what it reads is compared with what it was given.

    Attributes:
        whole: a conversation with the call of a tool and its answer, in the framework's types.
        roles: who speaks in its messages.
        extra: the extra that installs the framework.
        needed: its module and its distribution.
    """

    extra: str
    needed: tuple[str, str]
    roles = ("user", "assistant", "tool", "assistant")

    def __init__(self, memory: MemoryPrimitive, **options: Any) -> None:
        self.memory = memory
        self.options = options
        self.start()

    def start(self) -> None: ...

    @property
    def whole(self) -> list[Any]:
        raise NotImplementedError

    def text(self, text: str, role: str = "user") -> Any:
        raise NotImplementedError

    async def add(self, session: str, messages: list[Any]) -> None:
        raise NotImplementedError

    async def read(self, session: str) -> list[Any]:
        raise NotImplementedError

    async def clear(self, session: str) -> None:
        raise NotImplementedError


class OpenAI(Chats):
    extra, needed = "openai-agents", ("agents", "openai-agents")

    def start(self) -> None:
        from tta_memory_nb.integrations.openai_agents import TTASession

        self.session: Callable[[str], Any] = lambda name: TTASession(
            name, self.memory, **self.options
        )
        self.session("s")

    @property
    def whole(self) -> list[Any]:
        return [
            {"role": "user", "content": "Où est ma commande ? 📦"},
            {
                "type": "function_call",
                "call_id": "c1",
                "name": "find_order",
                "arguments": '{"user": "ann"}',
                "status": "completed",
            },
            {
                "type": "function_call_output",
                "call_id": "c1",
                "output": [{"type": "input_text", "text": "verschickt 🚚"}],
            },
            {
                "type": "message",
                "role": "assistant",
                "id": "m1",
                "content": [{"type": "output_text", "text": "It was shipped.", "annotations": []}],
            },
        ]

    def text(self, text: str, role: str = "user") -> Any:
        return {"role": role, "content": text}

    async def add(self, session: str, messages: list[Any]) -> None:
        await self.session(session).add_items(messages)

    async def read(self, session: str) -> list[Any]:
        found: list[Any] = await self.session(session).get_items()
        return found

    async def clear(self, session: str) -> None:
        await self.session(session).clear_session()


class AgentFramework(Chats):
    extra, needed = "agent-framework", ("agent_framework", "agent-framework-core")

    def start(self) -> None:
        from tta_memory_nb.integrations.agent_framework import TTAHistoryProvider

        self.provider = TTAHistoryProvider(self.memory, **self.options)

    @property
    def whole(self) -> list[Any]:
        from agent_framework import Content, Message

        call = Content.from_function_call(
            call_id="c1", name="find_order", arguments={"user": "ann"}
        )
        answer = Content.from_function_result(call_id="c1", result="verschickt 🚚")
        messages = [
            Message(role="user", contents=["Où est ma commande ? 📦"]),
            Message(role="assistant", contents=["Let me see.", call]),
            Message(role="tool", contents=[answer]),
            Message(role="assistant", contents=["It was shipped."], message_id="m1"),
        ]
        return [each.to_dict() for each in messages]

    def text(self, text: str, role: str = "user") -> Any:
        from agent_framework import Message

        return Message(role=role, contents=[text]).to_dict()

    async def add(self, session: str, messages: list[Any]) -> None:
        from agent_framework import Message

        given = [Message.from_dict(each) for each in messages]
        await self.provider.save_messages(session, given)

    async def read(self, session: str) -> list[Any]:
        return [each.to_dict() for each in await self.provider.get_messages(session)]

    async def clear(self, session: str) -> None:
        await self.provider.clear(session)


class LlamaIndex(Chats):
    extra, needed = "llama-index", ("llama_index.core", "llama-index-core")

    def start(self) -> None:
        from tta_memory_nb.integrations.llama_index import TTAChatStore

        self.store = TTAChatStore(self.memory, **self.options)

    @property
    def whole(self) -> list[Any]:
        from llama_index.core.base.llms.types import ImageBlock, TextBlock, ToolCallBlock
        from llama_index.core.llms import ChatMessage

        call = ToolCallBlock(tool_call_id="c1", tool_name="find_order", tool_kwargs={"user": "ann"})
        picture = ImageBlock(image=b"\x00\xff", image_mimetype="image/png")
        return [
            ChatMessage(role="user", blocks=[TextBlock(text="Où est ma commande ? 📦"), picture]),
            ChatMessage(role="assistant", blocks=[call]),
            ChatMessage("verschickt 🚚", role="tool", additional_kwargs={"tool_call_id": "c1"}),
            ChatMessage("It was shipped.", role="assistant"),
        ]

    def text(self, text: str, role: str = "user") -> Any:
        from llama_index.core.llms import ChatMessage

        return ChatMessage(text, role=role)

    async def add(self, session: str, messages: list[Any]) -> None:
        for message in messages:
            await self.store.async_add_message(session, message)

    async def read(self, session: str) -> list[Any]:
        return list(await self.store.aget_messages(session))

    async def clear(self, session: str) -> None:
        await self.store.adelete_messages(session)


class PydanticAI(Chats):
    extra, needed = "pydantic-ai", ("pydantic_ai", "pydantic-ai-slim")

    def start(self) -> None:
        from tta_memory_nb.integrations.pydantic_ai import TTAConversationStore

        self.store = TTAConversationStore(self.memory, **self.options)

    @property
    def whole(self) -> list[Any]:
        from pydantic_ai.messages import (
            BinaryContent,
            ModelRequest,
            ModelResponse,
            SystemPromptPart,
            TextPart,
            ToolCallPart,
            ToolReturnPart,
            UserPromptPart,
        )

        file = BinaryContent(data=b"\x00\xff", media_type="application/pdf")
        call = ToolCallPart("find_order", {"user": "ann"}, tool_call_id="c1")
        question = UserPromptPart(["Où est ma commande ? 📦", file])
        return [
            ModelRequest(parts=[SystemPromptPart("Be kind."), question]),
            ModelResponse(parts=[TextPart("Let me see."), call]),
            ModelRequest(
                parts=[ToolReturnPart("find_order", {"state": "verschickt 🚚"}, tool_call_id="c1")]
            ),
            ModelResponse(parts=[TextPart("It was shipped.")]),
        ]

    def text(self, text: str, role: str = "user") -> Any:
        from pydantic_ai.messages import ModelRequest, UserPromptPart

        return ModelRequest(parts=[UserPromptPart(text)])

    async def add(self, session: str, messages: list[Any]) -> None:
        from pydantic_ai.conversation import Conversation
        from pydantic_ai.conversation_store import ConversationConflict

        while True:
            found = await self.store.load(session)
            conversation = found or Conversation(conversation_id=session)
            conversation.messages.extend(messages)
            try:
                await self.store.save(conversation)
            except ConversationConflict:
                continue
            return

    async def read(self, session: str) -> list[Any]:
        found = await self.store.load(session)
        return [] if found is None else found.messages

    async def clear(self, session: str) -> None:
        await self.store.delete(session)


ADAPTERS: dict[str, type[Chats]] = {
    "openai_agents": OpenAI,
    "agent_framework": AgentFramework,
    "llama_index": LlamaIndex,
    "pydantic_ai": PydanticAI,
}
"""Every adapter that keeps conversations, by its module."""
