"""A memory service of Google's Agent Development Kit that is kept in a memory (extra ``google-adk``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..conversation import role_of, said
from ..keys import message_key
from ..memory.faces import MemoryPrimitive
from ..record import MemoryRecord
from ..search.indexes import check_mode
from ..search.request import SearchMode, check_limit
from ..times import Duration, microseconds
from .adapting import lasting
from .messages import call_of, escaped, missing, shown, suffix_of

try:
    from google.adk.memory.base_memory_service import BaseMemoryService, SearchMemoryResponse
    from google.adk.memory.memory_entry import MemoryEntry
    from google.genai.types import Content, Part
except ImportError:
    raise missing("google-adk", "google-adk") from None

if TYPE_CHECKING:
    from google.adk.events import Event
    from google.adk.sessions import Session

_NAME = "google_adk"
_DELETED = "deleted"
_NO_SESSION = "no session"


class TTAMemoryService(BaseMemoryService):
    """A memory service of Google's Agent Development Kit.

    For example::

        runner = Runner(agent=agent, app_name="shop", session_service=sessions, memory_service=TTAMemoryService(memory))

    Agents ask it in sentences, so it searches by words and by meaning: the mode ``"hybrid"``. It finds all records of a user of an
    app, also those that others have added under ``app/user:...``. What was deleted does not come back when its session is added again.

    Source: ``google.adk.memory.base_memory_service``, version 2.13.

    Args:
        memory: where events are kept; one that evicts nothing, such as ``MemoryPrimitive(max_size=None)``.
        limit: how many memories a search returns at most; None for all.
        mode: how to search.
        ttl: time until each event expires, as in `MemoryPrimitive.add`.
        evict: allow a memory that evicts records when it is full.

    Raises:
        InvalidArgument: the memory evicts records; the limit, or the mode.
    """

    def __init__(
        self,
        memory: MemoryPrimitive,
        *,
        limit: int | None = 10,
        mode: SearchMode = "hybrid",
        ttl: Duration | None = None,
        evict: bool = False,
    ) -> None:
        self._memory = lasting(memory, evict, "memories")
        self._limit = check_limit(limit)
        self._mode: SearchMode = check_mode(mode)
        self._ttl = ttl

    def __repr__(self) -> str:
        return f"TTAMemoryService({self._memory!r})"

    async def add_session_to_memory(self, session: Session) -> None:
        """Adds the events of a session that are not there yet."""
        await self._add(session.app_name, session.user_id, session.id, session.events)

    async def add_events_to_memory(
        self,
        *,
        app_name: str,
        user_id: str,
        events: Sequence[Event],
        session_id: str | None = None,
        custom_metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Adds events that are not there yet.

        Args:
            app_name: the app.
            user_id: its user.
            events: those without content are left out.
            session_id: the session; None for none.
            custom_metadata: JSON that is kept with each event.
        """
        await self._add(app_name, user_id, session_id, events, custom_metadata)

    async def search_memory(
        self, *, app_name: str, user_id: str, query: str
    ) -> SearchMemoryResponse:
        """Returns what answers a query best, the best first.

        Args:
            app_name: the app.
            user_id: its user, whose records alone are searched.
            query: a sentence, or words.
        """
        if not query.strip():
            return SearchMemoryResponse()
        found = await self._memory.search_records(
            query,
            self._limit,
            self._mode,
            user=_user_of(app_name, user_id),
            where={_DELETED: {"$exists": False}},
        )
        return SearchMemoryResponse(memories=[*map(_memory_of, found)])

    async def delete_memory(
        self, *, app_name: str, user_id: str, memory_id: str | None = None
    ) -> None:
        """Deletes what a search has found.

        Args:
            app_name: the app.
            user_id: its user; the memory of another user stays.
            memory_id: the ``id`` of the memory.
        """
        if not memory_id or not memory_id.startswith(f"{_user_of(app_name, user_id)}:"):
            return
        for entry in await self._memory.peek([memory_id]):
            # The empty record keeps the event from coming back with its session.
            await self._memory.add(entry.key, {_DELETED: True}, self._ttl)

    async def _add(
        self,
        app_name: str,
        user_id: str,
        session_id: str | None,
        events: Iterable[Event],
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        owner = f"{_user_of(app_name, user_id)}:{escaped('session_id', session_id or _NO_SESSION)}"
        values = {
            _key_of(owner, event): _value_of(event, metadata)
            for event in events
            if event.content and event.content.parts
        }
        there = {entry.key for entry in await self._memory.peek(list(values))}
        new = {key: value for key, value in values.items() if key not in there}
        if new:
            await self._memory.apply([(key, value, self._ttl) for key, value in new.items()])


def _user_of(app_name: str, user_id: str) -> str:
    """Returns an app and its user as one user of the memory."""
    parts = (escaped("app_name", app_name), escaped("user_id", user_id))
    return "/".join(part.replace("/", "%2F") for part in parts)


def _key_of(owner: str, event: Event) -> str:
    """Returns the key of an event, the same whenever it is added: its instant, and a hash of its id."""
    return message_key(owner, microseconds(event.timestamp), suffix_of(event.id))


def _value_of(event: Event, metadata: Mapping[str, object] | None) -> dict[str, Any]:
    assert event.content is not None
    lines = [_text_of(part) for part in event.content.parts or ()]
    whole: dict[str, Any] = {
        "id": event.id,
        "timestamp": datetime.fromtimestamp(event.timestamp, timezone.utc).isoformat(),
        "content": event.content.model_dump(mode="json", exclude_none=True),
    }
    if metadata:
        whole["custom_metadata"] = dict(metadata)
    role = event.author or event.content.role or "user"
    return {"role": role, "content": "\n".join(lines), _NAME: whole}


def _text_of(part: Part) -> str:
    if part.text is not None:
        return part.text
    if part.function_call is not None:
        return call_of(part.function_call.name, part.function_call.args)
    if part.function_response is not None:
        return shown(part.function_response.response)
    return "[file]"


def _memory_of(record: MemoryRecord) -> MemoryEntry:
    whole = record.value.get(_NAME)
    if isinstance(whole, dict):
        content = Content.model_validate(whole["content"])
        at = whole["timestamp"]
    else:
        content = Content(role="user", parts=[Part(text=said(record.value).text)])
        at = datetime.fromtimestamp(record.created_at, timezone.utc).isoformat()
    return MemoryEntry(
        id=record.key,
        content=content,
        author=role_of(record.value) or None,
        timestamp=at,
        custom_metadata=(whole or {}).get("custom_metadata", {}),
    )
