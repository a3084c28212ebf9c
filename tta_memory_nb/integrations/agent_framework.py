"""A history provider of Microsoft's Agent Framework that keeps messages in a memory (extra ``agent-framework``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..conversation import Said
from ..memory.faces import MemoryPrimitive
from ..times import Duration
from .adapting import awaited
from .messages import NOBODY, MessageLog, call_of, missing, shown

try:
    from agent_framework import HistoryProvider, Message
except ImportError:
    raise missing("agent-framework-core", "agent-framework") from None


class Messages:
    """Messages of the Agent Framework as JSON objects."""

    name = "agent_framework"

    def said(self, message: dict[str, Any]) -> Said:
        """Returns who says what: the text of all contents, and calls and answers of tools."""
        lines = []
        for content in message.get("contents", ()):
            kind = content.get("type")
            if kind == "function_call":
                lines.append(call_of(content.get("name"), content.get("arguments")))
            elif kind == "function_result":
                lines.append(shown(content.get("result")))
            else:
                lines.append(content.get("text") or f"[{kind}]")
        return Said(str(message.get("role") or ""), "\n".join(lines))

    def plain(self, role: str, content: str) -> dict[str, Any]:
        """Returns a message that is text alone."""
        return Message(role=role, contents=[content]).to_dict()


class TTAHistoryProvider(HistoryProvider):
    """A history provider of Microsoft's Agent Framework.

    For example::

        agent = Agent(client=client, context_providers=[TTAHistoryProvider(memory, user="alice")])

    Messages that an agent sends again are not stored again: those with the id of a stored message, and a transcript that begins with
    all that is stored.

    Source: ``agent_framework.HistoryProvider``, version 1.23.

    Args:
        memory: where the messages are kept; one that evicts nothing, such as ``MemoryPrimitive(max_size=None)``.
        source_id: what the framework calls this provider.
        user: whose sessions they are.
        ttl: time until each message expires, as in `MemoryPrimitive.add`.
        evict: allow a memory that evicts records when it is full.
        skip_excluded: leave out messages that a compaction has marked as excluded.
        **flags: ``load_messages``, ``store_inputs``, ``store_outputs``, ``store_context_messages`` and ``store_context_from`` of
            the framework.

    Raises:
        InvalidArgument: the memory evicts records; the user is empty.
    """

    def __init__(
        self,
        memory: MemoryPrimitive,
        source_id: str = "tta_memory",
        *,
        user: str = NOBODY,
        ttl: Duration | None = None,
        evict: bool = False,
        skip_excluded: bool = False,
        **flags: Any,
    ) -> None:
        super().__init__(source_id, **flags)
        self.skip_excluded = skip_excluded
        self._log = MessageLog.of(memory, Messages(), user, ttl, evict=evict)

    async def get_messages(
        self,
        session_id: str | None,
        *,
        state: dict[str, Any] | None = None,  # noqa: ARG002  the framework gives it
        **kwargs: Any,  # noqa: ARG002
    ) -> list[Message]:
        """Returns the messages of a session, in order.

        Args:
            session_id: the name of the session.
            state: not used: the messages are in the memory.
            **kwargs: not used.

        Raises:
            InvalidArgument: a session without a name.
        """
        stored = await awaited(self._log.memory, self._log.read(_named(session_id)))
        messages = [Message.from_dict(message) for message in stored]
        if self.skip_excluded:
            return [each for each in messages if not each.additional_properties.get("_excluded")]
        return messages

    async def save_messages(
        self,
        session_id: str | None,
        messages: Sequence[Message],
        *,
        state: dict[str, Any] | None = None,  # noqa: ARG002  the framework gives it
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Appends messages to a session, in one step.

        Args:
            session_id: the name of the session.
            messages: in order.
            state: not used: the messages are in the memory.
            **kwargs: not used.

        Raises:
            InvalidArgument: a session without a name; a message without a role.
        """
        session = _named(session_id)
        given = [message.to_dict() for message in messages]
        stored = await awaited(self._log.memory, self._log.read(session))
        await awaited(self._log.memory, self._log.append(session, _new_ones(stored, given)))

    async def clear(self, session_id: str | None) -> None:
        """Deletes the messages of a session.

        Args:
            session_id: the name of the session.
        """
        await awaited(self._log.memory, self._log.clear(_named(session_id)))


def _named(session_id: str | None) -> str:
    return session_id or ""  # the log refuses an empty name


def _new_ones(stored: list[dict[str, Any]], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages that are not stored yet. Equal texts alone prove nothing: people repeat themselves."""
    if 1 < len(stored) < len(given) and given[: len(stored)] == stored:
        given = given[len(stored) :]
    ids = {message["message_id"] for message in stored if message.get("message_id")}
    return [message for message in given if message.get("message_id") not in ids]
