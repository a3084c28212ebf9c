"""Chat transcripts: a list of messages, or conversations by name.

    [{"role": "user", "content": "Hi"}, ...]          one conversation
    {"messages": [...], ...}                          the same
    {"monday": [...], "tuesday": {"messages": [...]}} conversations

Messages that one person sends in a row may stand in a list of their own. The key of a message
is made of its sender, its conversation and its turn, so importing a transcript again, or a
longer version of it, writes the same records. Its value is the whole message and its ``turn``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InvalidArgument, TransferError, brief
from ..keys import create_memory_key
from ..record import NOT_YET, MemoryRecord
from ..times import instant
from .files import opened
from .items import Item, Options, attempt, is_lossless, parsed_json, record_from_object

_SENDER = ("user", "user_id", "sender", "speaker", "name", "role", "author", "from")
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
    """Records, their own form as objects, or the messages of one conversation."""
    session = options.session or "chat"
    taken: set[str] = set()
    turn = 0
    for number, item in enumerate(_unfolded(items), start=1):
        if isinstance(item, MemoryRecord):
            yield f"record {number}", attempt(_checked, item)
        elif isinstance(item, Mapping) and is_lossless(item):
            yield f"record {number}", attempt(record_from_object, item, options.key)
        else:
            made = attempt(_from_message, item, turn, session, options, taken)
            yield f"message {number}", made
            turn += 1


def _checked(record: MemoryRecord) -> MemoryRecord:
    for name in ("created_at", "updated_at", "expires_at"):
        at = getattr(record, name)
        if at is not None and at != NOT_YET:
            instant(at, 0.0, name)
    return record


def read_conversations(content: Mapping[Any, Any], options: Options) -> Iterator[Item]:
    """The messages of one conversation, or of several by their names."""
    if isinstance(content.get("messages"), list):
        yield from read_list(content["messages"], options)
        return
    taken: set[str] = set()
    for name, conversation in content.items():
        session = str(name)
        messages = conversation
        if isinstance(conversation, Mapping):
            messages = conversation.get("messages")
        if not isinstance(messages, list):
            wrong = f"expected a list of messages, found {brief(conversation)}"
            yield f"conversation {session!r}", InvalidArgument(wrong)
            continue
        for turn, message in enumerate(_unfolded(messages)):
            made = attempt(_from_message, message, turn, session, options, taken)
            yield f"conversation {session!r}, message {turn + 1}", made


def _unfolded(messages: Iterable[Any]) -> Iterator[Any]:
    """Messages in turn; some formats group what one person says at a time in a list."""
    for message in messages:
        if isinstance(message, list):
            yield from message
        else:
            yield message


def _from_message(
    message: Any, turn: int, session: str, options: Options, taken: set[str]
) -> MemoryRecord:
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
