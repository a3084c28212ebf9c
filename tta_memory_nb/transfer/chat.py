"""Chat transcripts: a list of messages, or conversations by name.

    [{"role": "user", "content": "Hi"}, ...]          one conversation
    {"messages": [...], ...}                          the same
    {"monday": [...], "tuesday": {"messages": [...]}} conversations
    [{"id": "monday", "messages": [...]}, ...]        the same; without ids they are numbered

"messages" may be called "conversations". Messages that one person sends in a row may stand in a
list of their own. An object of a list that has a key, and is no message, is a record.

The key of a message is made of its sender, its conversation and its turn, so importing a
transcript again, or a longer version of it, writes the same records. Its value is the whole
message and its ``turn``.
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
from .files import opened
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
_SAID = {"role", "content"}  # what only messages have
_MESSAGES = ("messages", "conversations")
_TIME = ("timestamp", "created_at", "create_time", "time", "ts", "date")

# Before this, in 1973, a number counts something else, such as seconds into a recording.
_EARLIEST = 1e8


def read_json(path: Path, options: Options) -> Iterator[Item]:
    """Messages of a file; a conversation without a name is called as the file."""
    with opened(path) as file:
        data = file.read().removeprefix(b"\xef\xbb\xbf")
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
            f"{path.name}: expected a list of messages or conversations by name, "
            f"found {brief(content)}"
        )


def read_list(items: Iterable[Any], options: Options) -> Iterator[Item]:
    """Records, objects that stand for them, conversations, or the messages of one."""
    session = options.session or "chat"
    taken: set[str] = set()
    unnamed = Unnamed(session, options, taken)
    turn = 0
    for number, item in enumerate(_unfolded(items), start=1):
        if isinstance(item, MemoryRecord):
            yield f"record {number}", attempt(_checked, item)
        elif isinstance(item, Mapping) and _is_record(item, options.key):
            yield f"record {number}", attempt(record_from_object, item, options.key)
        elif (
            isinstance(item, Mapping)
            and not item.keys() & _SAID
            and (messages := messages_of(item)) is not None
        ):
            yield from unnamed.items(item, messages, f"conversation {number}")
        else:
            made = attempt(_from_message, item, turn, session, options, taken)
            yield f"message {number}", made
            turn += 1


def _is_record(item: Mapping[Any, Any], key: str) -> bool:
    """Whether an object of a list is a record, and no message that has such a field as well."""
    if is_lossless(item) or key != DEFAULT_KEY:  # who names a field means it
        return True
    return key in item and not item.keys() & _SAID


def _checked(record: MemoryRecord) -> MemoryRecord:
    """The record with the numbers its instants mean, for a memory compares them."""

    def numbered(name: Literal["created_at", "updated_at"]) -> float:
        at = getattr(record, name)
        return NOT_YET if at is None or at == NOT_YET else instant(at, 0.0, name)

    expires = record.expires_at
    return replace(
        record,
        created_at=numbered("created_at"),
        updated_at=numbered("updated_at"),
        expires_at=None if expires is None else instant(expires, 0.0, "expires_at"),
    )


def messages_of(conversation: Mapping[Any, Any]) -> Sequence[Any] | None:
    """The messages of an object that holds a conversation, or None."""
    for name in _MESSAGES:
        messages = conversation.get(name)
        if isinstance(messages, (list, tuple)):
            return messages
    return None


class Unnamed:
    """Conversations of a list: called by their ids, else numbered.

    Args:
        name: what the number is added to.
        options: how the source is to be understood.
        taken: keys that are no longer free; grows.
    """

    def __init__(self, name: str, options: Options, taken: set[str]) -> None:
        self._name = name
        self._options = options
        self._taken = taken
        self._count = 0

    def items(
        self, conversation: Mapping[Any, Any], messages: Sequence[Any], place: str
    ) -> Iterator[Item]:
        """The messages of the next conversation."""
        self._count += 1
        written = conversation.get("id")
        named = isinstance(written, (str, int)) and written != ""
        session = str(written) if named else f"{self._name}-{self._count}"
        yield from _conversation(messages, session, self._options, self._taken, place)


def _conversation(
    messages: Iterable[Any], session: str, options: Options, taken: set[str], place: str
) -> Iterator[Item]:
    for turn, message in enumerate(_unfolded(messages)):
        made = attempt(_from_message, message, turn, session, options, taken)
        yield f"{place}, message {turn + 1}", made


def read_conversations(content: Mapping[Any, Any], options: Options) -> Iterator[Item]:
    """The messages of one conversation, or of several by their names."""
    if (only := messages_of(content)) is not None:
        yield from read_list(only, options)
        return
    taken: set[str] = set()
    for name, conversation in content.items():
        session = str(name)
        messages = conversation
        if isinstance(conversation, Mapping):
            messages = messages_of(conversation)
        if not isinstance(messages, (list, tuple)):
            wrong = f"expected a list of messages, found {brief(conversation)}"
            yield f"conversation {session!r}", InvalidArgument(wrong)
            continue
        place = f"conversation {session!r}"
        yield from _conversation(messages, session, options, taken, place)


def _unfolded(messages: Iterable[Any]) -> Iterator[Any]:
    """Messages in turn; some formats group what one person says at a time in a list."""
    for message in messages:
        if isinstance(message, (list, tuple)):
            yield from message
        else:
            yield message


def _from_message(
    message: Any, turn: int, session: str, options: Options, taken: set[str]
) -> MemoryRecord:
    if hasattr(type(message), "model_dump"):  # of pydantic, as LangChain's messages are
        message = to_plain(message, "message")
    if not isinstance(message, Mapping):
        raise InvalidArgument(
            f"expected a message such as {{'role': ..., 'content': ...}}, found {brief(message)}"
        )
    sender = options.user or _sender(message)
    at = next((at for name in _TIME if (at := _instant(message.get(name)))), NOT_YET)
    key = _new_key(sender, session, turn, taken)
    return MemoryRecord(key, {"turn": turn, **message}, created_at=at, updated_at=at)


def _sender(message: Mapping[str, Any]) -> str:
    for name in _SENDER:
        sender = message.get(name)
        if isinstance(sender, str) and sender:
            return sender
    raise InvalidArgument(
        f"no sender: none of {', '.join(_SENDER)} holds a name; give one with user="
    )


def _new_key(user: str, session: str, turn: int, taken: set[str]) -> str:
    if not session:
        raise InvalidArgument("the name of the conversation is empty; give it one")
    # Ids with ':' would make a key that cannot be taken apart again.
    user, session = user.replace(":", "_"), session.replace(":", "_")
    context = {"turn": turn}
    # Eight hex digits can be the same for two turns; neither may overwrite the other.
    while (key := create_memory_key(user, session, context)) in taken:
        context["again"] = context.get("again", 0) + 1
    taken.add(key)
    return key


def _instant(written: Any) -> float | None:
    """When a message was sent; what tells no time stays in the value and says nothing."""
    try:
        at = instant(written, 0.0)
    except InvalidArgument:
        try:
            at = instant(float(written) / 1000, 0.0)  # JavaScript counts milliseconds
        except (TypeError, ValueError, OverflowError):
            return None
    return at if at >= _EARLIEST else None
