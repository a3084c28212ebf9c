"""A chat store of LlamaIndex that is kept in a memory (extra ``llama-index``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..conversation import Said
from ..keys import MESSAGE_KEY
from ..memory.faces import MemoryPrimitive
from ..record import MemoryRecord
from ..stores.plan import Plan
from ..times import Duration
from .adapting import Ask, awaited, called
from .messages import NOBODY, MessageLog, call_of, message_of, missing, unescaped

try:
    from llama_index.core.bridge.pydantic import PrivateAttr
    from llama_index.core.llms import ChatMessage
    from llama_index.core.storage.chat_store import BaseChatStore
except ImportError:
    raise missing("llama-index-core", "llama-index") from None


class ChatMessages:
    """Chat messages of LlamaIndex as JSON objects."""

    name = "llama_index"

    def said(self, message: dict[str, Any]) -> Said:
        """Returns who says what: the text of all blocks, and calls of tools."""
        lines = []
        for block in message["blocks"]:
            kind = block.get("block_type")
            if kind == "text":
                lines.append(block["text"])
            elif kind == "tool_call":
                lines.append(call_of(block["tool_name"], block["tool_kwargs"]))
            else:
                lines.append(f"[{kind}]")
        return Said(message["role"], "\n".join(lines))

    def plain(self, role: str, content: str) -> dict[str, Any]:
        """Returns a message that is text alone."""
        return _dumped(ChatMessage.from_str(content, role))


class TTAChatStore(BaseChatStore):
    """A chat store of LlamaIndex; each key of it is a session of the memory.

    For example::

        ChatMemoryBuffer.from_defaults(chat_store=TTAChatStore(memory), chat_store_key="alice")

    Source: ``llama_index.core.storage.chat_store.base``, version 0.14.

    Args:
        memory: where the messages are kept; one that evicts nothing, such as ``MemoryPrimitive(max_size=None)``.
        user: whose sessions they are.
        ttl: time until each message expires, as in `MemoryPrimitive.add`.
        evict: allow a memory that evicts records when it is full.

    Raises:
        InvalidArgument: the memory evicts records; the user is empty.
    """

    _log: MessageLog = PrivateAttr()

    def __init__(
        self,
        memory: MemoryPrimitive,
        *,
        user: str = NOBODY,
        ttl: Duration | None = None,
        evict: bool = False,
    ) -> None:
        super().__init__()
        self._log = MessageLog.of(memory, ChatMessages(), user, ttl, evict=evict)

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which LlamaIndex knows this class."""
        return "TTAChatStore"

    # ---- called

    def set_messages(self, key: str, messages: list[ChatMessage]) -> None:
        """Replaces the messages of a key."""
        called(self._log.memory, self._log.replace(key, map(_dumped, messages)))

    def get_messages(self, key: str) -> list[ChatMessage]:
        """Returns the messages of a key, in order."""
        return [*map(_loaded, called(self._log.memory, self._log.read(key)))]

    def add_message(self, key: str, message: ChatMessage) -> None:
        """Appends a message."""
        called(self._log.memory, self._log.append(key, [_dumped(message)]))

    def delete_messages(self, key: str) -> list[ChatMessage] | None:
        """Deletes the messages of a key, and returns them; None if there are none."""
        return self._read(called(self._log.memory, self._log.clear(key)))

    def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Deletes the message at an index, and returns it; None if there is none."""
        taken = called(self._log.memory, self._log.take(key, idx))
        return None if taken is None else _loaded(taken)

    def delete_last_message(self, key: str) -> ChatMessage | None:
        """Deletes the last message, and returns it; None if there is none."""
        return self.delete_message(key, -1)

    def get_keys(self) -> list[str]:
        """Returns the keys that have messages, in alphabetical order."""
        return called(self._log.memory, self._keys())

    # ---- awaited

    async def aset_messages(self, key: str, messages: list[ChatMessage]) -> None:
        """Replaces the messages of a key."""
        await awaited(self._log.memory, self._log.replace(key, map(_dumped, messages)))

    async def aget_messages(self, key: str) -> list[ChatMessage]:
        """Returns the messages of a key, in order."""
        return [*map(_loaded, await awaited(self._log.memory, self._log.read(key)))]

    async def async_add_message(self, key: str, message: ChatMessage) -> None:
        """Appends a message."""
        await awaited(self._log.memory, self._log.append(key, [_dumped(message)]))

    async def adelete_messages(self, key: str) -> list[ChatMessage] | None:
        """Deletes the messages of a key, and returns them; None if there are none."""
        return self._read(await awaited(self._log.memory, self._log.clear(key)))

    async def adelete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Deletes the message at an index, and returns it; None if there is none."""
        taken = await awaited(self._log.memory, self._log.take(key, idx))
        return None if taken is None else _loaded(taken)

    async def adelete_last_message(self, key: str) -> ChatMessage | None:
        """Deletes the last message, and returns it; None if there is none."""
        return await self.adelete_message(key, -1)

    async def aget_keys(self) -> list[str]:
        """Returns the keys that have messages, in alphabetical order."""
        return await awaited(self._log.memory, self._keys())

    def _read(self, records: Sequence[MemoryRecord]) -> list[ChatMessage] | None:
        return [_loaded(message_of(self._log.format, each)) for each in records] or None

    def _keys(self) -> Plan[list[str]]:
        keys: list[str] = yield Ask("keys", user=self._log.user)
        sessions = {key.split(":")[1] for key in keys if MESSAGE_KEY.fullmatch(key)}
        return sorted(map(unescaped, sessions))


def _dumped(message: ChatMessage) -> dict[str, Any]:
    return message.model_dump(mode="json")


def _loaded(message: dict[str, Any]) -> ChatMessage:
    return ChatMessage.model_validate(message)
