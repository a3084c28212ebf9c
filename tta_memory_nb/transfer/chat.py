"""Import of chat transcripts: a list of messages, or conversations by name.

    [{"role": "user", "content": "Hi"}, ...]          one conversation
    {"messages": [...], ...}                          one conversation
    {"monday": [...], "tuesday": {"messages": [...]}} conversations
    [{"id": "monday", "messages": [...]}, ...]        conversations; numbered if they have no ids

The field "messages" may be named "conversations". Consecutive messages of one person may form a nested
list. An object in a list that has a key and is no message is a record.

The key of a message consists of its sender, its conversation and its turn. Importing a transcript
again, or a longer version of it, therefore writes the same records. The value is the whole message with
the additional field ``turn``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..codec import to_plain
from ..errors import InvalidArgument, TransferError, brief
from ..keys import create_memory_key
from ..record import NOT_YET, MemoryRecord
from ..times import instant
from .files import open_for_reading
from .items import (
    DEFAULT_KEY,
    Item,
    Options,
    attempt,
    is_lossless,
    parsed_json,
    record_from_object,
)

_SENDER = ("user", "user_id", "sender", "speaker", "name", "role", "author", "from", "type")
_MESSAGE_FIELDS = {"role", "content"}  # fields that only messages have
_LISTS_OF_MESSAGES = ("messages", "conversations")
_TIME = ("timestamp", "created_at", "create_time", "time", "ts", "date")

# In 1973. A smaller number is no date but, for example, seconds since the start of a recording.
_EARLIEST = 1e8


def read_json(path: Path, options: Options) -> Iterator[Item]:
    """Yields the messages of a file. A conversation without a name gets the name of the file."""
    with open_for_reading(path) as file:
        data = file.read()
    if not data.strip():
        raise TransferError(f"{path.name}: the file is empty")
    try:
        content = parsed_json(data)
    except InvalidArgument as error:
        raise TransferError(f"{path.name}: {error}") from None
    name = path.name.removesuffix(".gz").removesuffix(".json")
    options = replace(options, session=options.session or name)
    if isinstance(content, list):
        yield from read_list(content, options)
    elif isinstance(content, dict):
        yield from read_conversations(content, options)
    else:
        raise TransferError(
            f"{path.name}: found {brief(content)}; expected a list of messages, or an object of "
            "conversations by name"
        )


def read_list(items: Iterable[Any], options: Options) -> Iterator[Item]:
    """Yields records from records, from their objects, from conversations, or from messages of one."""
    session = options.session or "chat"
    used_keys: set[str] = set()
    numbered = NumberedConversations(session, options, used_keys)
    turn = 0
    for number, item in enumerate(_flattened(items), start=1):
        if isinstance(item, MemoryRecord):
            yield f"record {number}", attempt(_with_numeric_instants, item)
        elif isinstance(item, Mapping) and _is_record(item, options.key):
            yield f"record {number}", attempt(record_from_object, item, options.key)
        elif (
            isinstance(item, Mapping)
            and not item.keys() & _MESSAGE_FIELDS
            and (messages := messages_of(item)) is not None
        ):
            yield from numbered.items(item, messages, f"conversation {number}")
        else:
            made = attempt(_from_message, item, turn, session, options, used_keys)
            yield f"message {number}", made
            turn += 1


def _is_record(item: Mapping[Any, Any], key: str) -> bool:
    """Returns whether an object in a list is a record, rather than a message with a field of that name."""
    if is_lossless(item) or key != DEFAULT_KEY:  # a named field is meant to be the key
        return True
    return key in item and not item.keys() & _MESSAGE_FIELDS


def _with_numeric_instants(record: MemoryRecord) -> MemoryRecord:
    """Returns the record with its instants as numbers, because a memory compares them."""

    def number_of(name: Literal["created_at", "updated_at"]) -> float:
        at = getattr(record, name)
        return NOT_YET if at is None or at == NOT_YET else instant(at, 0.0, name)

    expires = record.expires_at
    return replace(
        record,
        created_at=number_of("created_at"),
        updated_at=number_of("updated_at"),
        expires_at=None if expires is None else instant(expires, 0.0, "expires_at"),
    )


def messages_of(conversation: Mapping[Any, Any]) -> Sequence[Any] | None:
    """Returns the messages of an object that holds a conversation, or None if it holds none."""
    for name in _LISTS_OF_MESSAGES:
        messages = conversation.get(name)
        if isinstance(messages, (list, tuple)):
            return messages
    return None


class NumberedConversations:
    """Names the conversations of a list by their ids, or by numbers if they have none.

    Args:
        name: the name to which a number is added.
        options: the options of the import.
        used_keys: keys of the messages so far; this class adds to it.
    """

    def __init__(self, name: str, options: Options, used_keys: set[str]) -> None:
        self._name = name
        self._options = options
        self._used_keys = used_keys
        self._count = 0

    def items(
        self, conversation: Mapping[Any, Any], messages: Sequence[Any], place: str
    ) -> Iterator[Item]:
        """Yields the messages of the next conversation."""
        self._count += 1
        written = conversation.get("id")
        named = isinstance(written, (str, int)) and written != ""
        session = str(written) if named else f"{self._name}-{self._count}"
        yield from _conversation(messages, session, self._options, self._used_keys, place)


def _conversation(
    messages: Iterable[Any], session: str, options: Options, used_keys: set[str], place: str
) -> Iterator[Item]:
    for turn, message in enumerate(_flattened(messages)):
        made = attempt(_from_message, message, turn, session, options, used_keys)
        yield f"{place}, message {turn + 1}", made


def read_conversations(content: Mapping[Any, Any], options: Options) -> Iterator[Item]:
    """Yields the messages of one conversation, or of several conversations by name."""
    if (only := messages_of(content)) is not None:
        yield from read_list(only, options)
        return
    used_keys: set[str] = set()
    for name, conversation in content.items():
        session = str(name)
        messages = conversation
        if isinstance(conversation, Mapping):
            messages = messages_of(conversation)
        if not isinstance(messages, (list, tuple)):
            wrong = f"found {brief(conversation)}; expected a list of messages"
            yield f"conversation {session!r}", InvalidArgument(wrong)
            continue
        place = f"conversation {session!r}"
        yield from _conversation(messages, session, options, used_keys, place)


def _flattened(messages: Iterable[Any]) -> Iterator[Any]:
    """Yields messages one by one; some formats nest consecutive messages of one person in a list."""
    for message in messages:
        if isinstance(message, (list, tuple)):
            yield from message
        else:
            yield message


def _from_message(
    message: Any, turn: int, session: str, options: Options, used_keys: set[str]
) -> MemoryRecord:
    if hasattr(type(message), "model_dump"):  # a pydantic model, such as a message of LangChain
        message = to_plain(message, "message")
    if not isinstance(message, Mapping):
        raise InvalidArgument(
            f"found {brief(message)}; expected a message such as {{'role': ..., 'content': ...}}"
        )
    sender = options.user or _sender(message)
    at = next((at for name in _TIME if (at := _instant(message.get(name)))), NOT_YET)
    key = _new_key(sender, session, turn, used_keys)
    return MemoryRecord(key, {"turn": turn, **message}, created_at=at, updated_at=at)


def _sender(message: Mapping[str, Any]) -> str:
    for name in _SENDER:
        sender = message.get(name)
        if isinstance(sender, str) and sender:
            return sender
    raise InvalidArgument(
        f"no sender: none of the fields {', '.join(_SENDER)} holds a name; give one with user= (in %memory: --user)"
    )


def _new_key(user: str, session: str, turn: int, used_keys: set[str]) -> str:
    if not session:
        raise InvalidArgument(
            "the name of the conversation is empty; give one with session= (in %memory: --session)"
        )
    # A key made from ids with ':' could not be parsed again.
    user, session = user.replace(":", "_"), session.replace(":", "_")
    context = {"turn": turn}
    # The eight hex digits of two turns may be equal; neither turn may overwrite the other.
    while (key := create_memory_key(user, session, context)) in used_keys:
        context["again"] = context.get("again", 0) + 1
    used_keys.add(key)
    return key


def _instant(written: Any) -> float | None:
    """Returns when a message was sent, or None for a text or number that is no instant."""
    try:
        at = instant(written, 0.0)
    except InvalidArgument:
        try:
            at = instant(float(written) / 1000, 0.0)  # milliseconds, as in JavaScript
        except (TypeError, ValueError, OverflowError):
            return None
    return at if at >= _EARLIEST else None
