"""A conversation store of Pydantic AI that is kept in a memory (extra ``pydantic-ai``).

A conversation is a session of the memory. One record of it, under ``user:conversation:hash``, says where its history ends; its messages have the keys of
messages, so that `MemoryPrimitive.history` and the explorer show them. Each write is one step, which compares that record with what the writer
has read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..codec import to_json
from ..conversation import Said
from ..errors import Conflict
from ..keys import MESSAGE_KEY, create_memory_key, message_key
from ..memory.faces import MemoryPrimitive
from ..record import MemoryRecord
from ..times import microseconds
from .adapting import lasting
from .messages import NOBODY, call_of, escaped, missing, shown, suffix_of

try:
    from pydantic import TypeAdapter
    from pydantic_ai.conversation_store import (
        ConversationConflict,
        ConversationEntry,
        ConversationRecord,
        ConversationStore,
    )
    from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter
except ImportError:
    raise missing("pydantic-ai-slim", "pydantic-ai") from None

_RECORDS = TypeAdapter(ConversationRecord)

_NAME = "pydantic_ai"
_RECORD = "pydantic_ai_conversation"
_LAST = "last_number"


class TTAConversationStore(ConversationStore):
    """A conversation store of Pydantic AI.

    For example::

        store = TTAConversationStore(memory, user="alice")
        conversation = await store.load("monday") or Conversation(conversation_id="monday")
        result = await agent.run("Where is my order?", conversation=conversation)
        await store.save(result)

    A save that another writer has overtaken raises ``ConversationConflict``, also if it comes from another machine. In an outage of the server, in which
    nobody can tell what others have written, saves raise `StoreUnavailable` and change nothing. ``delete`` also deletes the messages that no other
    conversation of the user reaches.

    Source: ``pydantic_ai.conversation_store``, version 2.68.

    Args:
        memory: where conversations are kept; one that evicts nothing, such as ``MemoryPrimitive(max_size=None)``.
        user: whose conversations they are.
        evict: allow a memory that evicts records when it is full.

    Raises:
        InvalidArgument: the memory evicts records; the user is empty.
    """

    def __init__(self, memory: MemoryPrimitive, *, user: str = NOBODY, evict: bool = False) -> None:
        self._memory = lasting(memory, evict, "conversations")
        self._user = escaped("user", user)

    def __repr__(self) -> str:
        return f"TTAConversationStore({self._memory!r}, user={self._user!r})"

    # ---- what Pydantic AI asks for

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        """Returns the record of a conversation; None if there is none."""
        stored = await self._stored(conversation_id)
        return None if stored is None else _record_of(stored)

    async def read_records(
        self, *, scope: str | None = None, limit: int | None = None
    ) -> Sequence[ConversationRecord]:
        """Returns the records of the user's conversations, the one that was saved last first."""
        stored = await self._memory.records(user=self._user, where={_RECORD: {"$exists": True}})
        records = [each for each in map(_record_of, stored) if scope in (None, each.scope)]
        records.sort(key=lambda record: record.updated_at, reverse=True)
        return records[:limit]

    async def write_record(
        self,
        record: ConversationRecord,
        *,
        new_entries: Sequence[ConversationEntry] = (),
        expected_revision: str | None,
    ) -> None:
        """Writes a record and the new messages of its conversation in one step.

        Raises:
            ConversationConflict: the conversation is another one than the writer has read.
            StoreUnavailable: the server is away.
        """
        key = self._key(record.conversation_id)
        stored = await self._stored(record.conversation_id)
        if _revision_of(stored) != expected_revision:
            raise ConversationConflict(record.conversation_id)
        expect = {key: None if stored is None else stored.version}
        puts = {}
        if record.head_id not in {None, *(entry.id for entry in new_entries)}:
            head = await self._find(str(record.head_id))
            if head is None:
                raise ConversationConflict(record.conversation_id)
            # Written again as it is, so that nobody deletes it at the same time: see `delete_record`.
            expect[head.key], puts[head.key] = head.version, head.value
        last = 0 if stored is None else stored.value[_LAST]
        number = max(microseconds(record.updated_at.timestamp()), last + 1)
        owner = f"{self._user}:{escaped('conversation_id', record.conversation_id)}"
        for number, entry in enumerate(new_entries, number):  # noqa: B020  the last number stays
            puts[message_key(owner, number, suffix_of(entry.id))] = _value_of(entry)
        puts[key] = {_RECORD: _RECORDS.dump_python(record, mode="json"), _LAST: number}
        try:
            await self._memory.apply(puts, expect=expect)
        except Conflict:
            raise ConversationConflict(record.conversation_id) from None

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        """Deletes a record in one step, with the messages that no other conversation of the user reaches.

        Raises:
            ConversationConflict: the conversation is another one than the caller has read.
            StoreUnavailable: the server is away.
        """
        key = self._key(conversation_id)
        while True:
            everything = await self._memory.records(user=self._user)
            stored = next((each for each in everything if each.key == key), None)
            if stored is None or _revision_of(stored) != expected_revision:
                raise ConversationConflict(conversation_id)
            entries = {each.value[_NAME]["id"]: each for each in everything if _is_entry(each)}
            others = [each for each in everything if _RECORD in each.value and each is not stored]
            unused = _reached([stored], entries) - _reached(others, entries)
            expect = {key: stored.version}
            expect |= {entries[entry].key: entries[entry].version for entry in unused}
            try:
                await self._memory.apply({}, expect, expect=expect)
            except Conflict:
                continue  # somebody has saved or forked meanwhile: look again
            return

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        """Returns a message by its id.

        Raises:
            LookupError: there is none.
        """
        found = await self._find(entry_id)
        if found is None:
            raise LookupError(entry_id)
        return _entry_of(found)

    async def read_history(
        self, head_id: str | None, *, limit: int | None = None
    ) -> list[ConversationEntry]:
        """Returns the messages up to one of them, in order, or only the last ones.

        All messages of a conversation are read at once, and those of the ones that it was forked from.

        Raises:
            LookupError: a message is gone.
        """
        known: dict[str, MemoryRecord] = {}
        chain: list[MemoryRecord] = []
        entry_id = head_id
        while entry_id is not None and (limit is None or len(chain) < limit):
            if entry_id not in known:
                found = await self._find(entry_id)
                if found is None:
                    raise LookupError(entry_id)
                session = found.key.split(":")[1]
                same = await self._memory.history(self._user, session)
                known |= {each.value[_NAME]["id"]: each for each in same if _is_entry(each)}
                known.setdefault(entry_id, found)
            chain.append(known[entry_id])
            entry_id = chain[-1].value[_NAME]["parent_id"]
        return [_entry_of(each) for each in reversed(chain)]

    # ---- where things are

    def _key(self, conversation_id: str) -> str:
        # Not the key of the session alone, which others may use for a record of their own.
        name = escaped("conversation_id", conversation_id)
        return create_memory_key(self._user, name, {_NAME: "conversation"})

    async def _stored(self, conversation_id: str) -> MemoryRecord | None:
        found = await self._memory.get_records([self._key(conversation_id)])
        return next((each for each in found if _RECORD in each.value), None)

    async def _find(self, entry_id: str) -> MemoryRecord | None:
        """Returns the record of a message, whichever conversation it belongs to."""
        where = {f"{_NAME}.id": entry_id}
        found = await self._memory.search_records(
            entry_id, None, "keyword", user=self._user, where=where
        )
        return next(filter(_is_entry, found), None)


def _record_of(stored: MemoryRecord) -> ConversationRecord:
    return _RECORDS.validate_json(to_json(stored.value[_RECORD]))


def _revision_of(stored: MemoryRecord | None) -> str | None:
    return None if stored is None else stored.value[_RECORD]["revision"]


def _is_entry(record: MemoryRecord) -> bool:
    return isinstance(record.value.get(_NAME), dict) and bool(MESSAGE_KEY.fullmatch(record.key))


def _value_of(entry: ConversationEntry) -> dict[str, Any]:
    role, content = _said(entry.message)
    [message] = ModelMessagesTypeAdapter.dump_python([entry.message], mode="json")
    whole = {"id": entry.id, "parent_id": entry.parent_id, "message": message}
    return {"role": role, "content": content, _NAME: whole}


def _entry_of(record: MemoryRecord) -> ConversationEntry:
    whole = record.value[_NAME]
    [message] = ModelMessagesTypeAdapter.validate_json(to_json([whole["message"]]))
    return ConversationEntry(id=whole["id"], parent_id=whole["parent_id"], message=message)


def _reached(records: list[MemoryRecord], entries: dict[str, MemoryRecord]) -> set[str]:
    """Returns the ids of the messages that the histories of some conversations consist of, and the branches they have left."""
    reached: set[str] = set()
    for record in records:
        value = record.value[_RECORD]
        for entry_id in (value["head_id"], *value["branches"]):
            while entry_id in entries and entry_id not in reached:
                reached.add(entry_id)
                entry_id = entries[entry_id].value[_NAME]["parent_id"]
    return reached


_ROLES = {"user-prompt": "user", "tool-return": "tool", "retry-prompt": "tool"}


def _said(message: ModelMessage) -> Said:
    """Returns who says what: the text of all parts, and calls and answers of tools."""
    lines: list[str] = []
    roles: list[str] = []
    for part in message.parts:
        kind = part.part_kind
        roles.append(_ROLES.get(kind, "system") if message.kind == "request" else "assistant")
        if kind in ("tool-call", "builtin-tool-call"):
            lines.append(call_of(part.tool_name, part.args))  # type: ignore[union-attr]
        else:
            lines.append(_text_of(part))
    first = next((role for role in roles if role != "system"), "")
    return Said(first or ("system" if message.kind == "request" else "assistant"), "\n".join(lines))


def _text_of(part: Any) -> str:
    content = getattr(part, "content", None)
    if isinstance(content, str):
        return content
    if isinstance(content, (list, tuple)):  # text among images and other files
        return "\n".join(each if isinstance(each, str) else f"[{each.kind}]" for each in content)
    return shown(content) if isinstance(content, dict) else f"[{part.part_kind}]"
