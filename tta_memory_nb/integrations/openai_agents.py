"""Sessions of the OpenAI Agents SDK that are kept in a memory (extra ``openai-agents``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..conversation import Said, said
from ..memory.faces import MemoryPrimitive
from ..times import Duration
from .adapting import awaited, limit_of
from .messages import NOBODY, MessageLog, call_of, missing, shown

try:
    from agents.memory.session_settings import (
        SessionSettings,
        coerce_session_settings,
        resolve_session_limit,
    )
except ImportError:
    raise missing("openai-agents", "openai-agents") from None

if TYPE_CHECKING:
    from agents.items import TResponseInputItem

_SPEAKERS = ("user", "assistant", "system", "developer")


class Items:
    """The items of the Responses API, which are JSON objects already."""

    name = "openai_agents"

    def said(self, message: dict[str, Any]) -> Said:
        """Returns who says what in an item; calls and answers of tools have no role of their own."""
        kind = str(message.get("type", ""))
        if "role" in message:
            return said(message)
        if kind.endswith("_output"):
            return Said("tool", shown(message.get("output")))
        if kind.endswith("_call") and "name" in message:
            return Said("assistant", call_of(message["name"], message.get("arguments")))
        return Said("assistant" if kind else "", said(message).text)

    def plain(self, role: str, content: str) -> dict[str, Any]:
        """Returns an item that is text alone.

        Raises:
            ValueError: another role; the answer of a tool, for example, also names the call.
        """
        if role not in _SPEAKERS:
            raise ValueError(role)
        return {"role": role, "content": content}


class TTASession:
    """A session of the OpenAI Agents SDK; it keeps the protocol ``agents.memory.Session``.

    For example::

        Runner.run(agent, "Where is my order?", session=TTASession("monday", memory, user="alice"))

    Source: the sessions page of the SDK's documentation, and its ``agents.memory.session``, version 0.24.

    Args:
        session_id: the name of the session, any text.
        memory: where the items are kept; one that evicts nothing, such as ``MemoryPrimitive(max_size=None)``.
        user: whose session it is. Sessions of the same name are different ones for different users.
        session_settings: how many of the last items `get_items` returns if it is not told.
        ttl: time until each item expires, as in `MemoryPrimitive.add`.
        evict: allow a memory that evicts records when it is full.

    Raises:
        InvalidArgument: the memory evicts records; a name is empty.
    """

    def __init__(
        self,
        session_id: str,
        memory: MemoryPrimitive,
        *,
        user: str = NOBODY,
        session_settings: SessionSettings | dict[str, Any] | None = None,
        ttl: Duration | None = None,
        evict: bool = False,
    ) -> None:
        self.session_id = session_id
        self.session_settings: SessionSettings | None = coerce_session_settings(
            SessionSettings() if session_settings is None else session_settings
        )
        self._log = MessageLog.of(memory, Items(), user, ttl, evict=evict)

    def __repr__(self) -> str:
        return f"TTASession({self.session_id!r}, {self._log.memory!r}, user={self._log.user!r})"

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Returns the items of the session in order.

        Args:
            limit: only so many of the last ones, 0 for none; None for as many as the settings of the session say.

        Raises:
            InvalidArgument: a limit below 0; an item that this SDK cannot read.
        """
        last = limit_of(resolve_session_limit(limit, self.session_settings))
        items = await awaited(self._log.memory, self._log.read(self.session_id, last))
        return cast("list[TResponseInputItem]", items)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Adds items to the end of the session, in one step.

        Raises:
            InvalidArgument: an item without a role and a type; nothing is added then.
        """
        given = cast("list[dict[str, Any]]", items)
        await awaited(self._log.memory, self._log.append(self.session_id, given))

    async def pop_item(self) -> TResponseInputItem | None:
        """Removes the last item, and returns it; None if the session is empty."""
        item = await awaited(self._log.memory, self._log.take(self.session_id, -1))
        return cast("TResponseInputItem | None", item)

    async def clear_session(self) -> None:
        """Removes all items of the session."""
        await awaited(self._log.memory, self._log.clear(self.session_id))
