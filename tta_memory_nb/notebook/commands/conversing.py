"""Commands for the messages of a session: append, history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import InvalidArgument, brief
from ...times import Duration, duration
from ..arguments import Payload, Word
from .base import Notebook, Reply, shown, text_of


def append(
    nb: Notebook,
    user: Word,
    session: Word,
    value: Payload,
    *,
    role: str | None = None,
    ttl: Duration | None = None,
) -> Reply:
    """Append a message to the end of a session, or a list of messages.

    The memory gives each message a number, so that messages which are appended at the same time are all kept.
    With --role, text is stored as {"role": ..., "content": ...}; without it, as {"text": ...}. In a cell magic, the
    body of the cell is the message.

      %memory append alice monday --role user Where is my order?
      %memory append alice monday {"role": "assistant", "content": "It was shipped today."}
      %memory append alice monday --ttl 30d $messages

    Flags:
        role: who speaks: user, assistant, tool, ...
        ttl: time until the messages expire: 3600 (seconds), 15m, 2h, 7d
    """
    spoken_by = None if role is None else text_of(role, "--role")
    seconds = None if ttl is None else duration(ttl)
    values: Any = [value] if isinstance(value, Mapping) else value
    if spoken_by is not None and isinstance(values, list):
        values = [_spoken(each, spoken_by) for each in values]
    keys = nb.memory.sync.append(user, session, values, seconds)
    expiry = "" if seconds is None else f", expires in {seconds:,.12g} s"
    count = "1 message" if len(keys) == 1 else f"{len(keys):,} messages"
    return Reply(f"appended {count} to {shown(f'{user}:{session}')}{expiry}")


def history(
    nb: Notebook, user: Word, session: Word, *, last: int | None = None, json: bool = False
) -> Reply:
    """Show the messages that were appended to a session, the first one first.

      %memory history alice monday
      %memory history alice monday --last 10
      messages = %memory history alice monday --json

    Flags:
        last: only so many of the last messages
        json: return the messages themselves, as a list of dicts, instead of a table
    """
    messages = nb.memory.sync.history(user, session, last)
    if json:
        return Reply(value=[message.value for message in messages])
    if not messages:
        return Reply(f"no messages were appended to {shown(f'{user}:{session}')}")
    from ...frames import conversation_frame

    count = "1 message" if len(messages) == 1 else f"{len(messages):,} messages"
    return Reply(count, conversation_frame(messages))


def _spoken(value: Any, role: str) -> Any:
    """Returns a message with the field ``role``; text alone becomes its content.

    Raises:
        InvalidArgument: the message has a role already.
    """
    if not isinstance(value, Mapping):
        return value  # the memory refuses it
    if "role" in value:
        raise InvalidArgument(
            f"--role {brief(role)}: the message says already that its role is {brief(value['role'])}; leave --role out"
        )
    if value.keys() == {"text"}:
        return {"role": role, "content": value["text"]}
    return {"role": role, **value}
