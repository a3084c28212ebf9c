"""One log of messages for adapters of several frameworks, over `append` and `history`.

A message is a record ``{"role": ..., "content": ...}`` that people can read. If the framework has more to say of it, such as the call of a
tool, the record also holds the whole message under the framework's name, and it comes back as it was. So every framework
reads messages that are text alone, whoever has appended them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ..codec import to_json
from ..conversation import Said, said
from ..errors import InvalidArgument, MissingPackage, brief
from ..memory.faces import MemoryPrimitive
from ..record import MemoryRecord
from ..stores.plan import Plan
from ..times import Duration
from .adapting import Ask, lasting

FORMATS = ("openai_agents", "pydantic_ai", "agent_framework", "llama_index", "google_adk")
"""Names of the frameworks, under which records hold their whole messages."""

NOBODY = "anonymous"
"""The user of adapters that are not told one."""


class Format(Protocol):
    """How the messages of a framework are read and written, as JSON objects."""

    name: str
    """One of `FORMATS`."""

    def said(self, message: dict[str, Any]) -> Said:
        """Returns who says what in a message of the framework; an empty role if none can be told."""
        ...

    def plain(self, role: str, content: str) -> dict[str, Any]:
        """Returns the framework's message that is text alone.

        Raises:
            ValueError: the framework has no such role.
        """
        ...


@dataclass(frozen=True, slots=True)
class MessageLog:
    """The messages of a user's sessions, as one framework reads and writes them.

    The verbs are plans, which `adapting.called` and `adapting.awaited` carry out.

    Attributes:
        memory: where the messages are.
        format: how the framework reads and writes them.
        user: first part of their keys.
        ttl: time until each message expires; None for never.
    """

    memory: MemoryPrimitive
    format: Format
    user: str = NOBODY
    ttl: Duration | None = None

    @classmethod
    def of(
        cls,
        memory: MemoryPrimitive,
        format: Format,
        user: str = NOBODY,
        ttl: Duration | None = None,
        *,
        evict: bool = False,
    ) -> MessageLog:
        """Returns a log in a memory that loses no messages.

        Raises:
            InvalidArgument: the memory evicts records, and ``evict`` is False; the user is no text, or empty.
        """
        return cls(lasting(memory, evict, "messages"), format, escaped("user", user), ttl)

    def append(self, session: str, messages: Iterable[dict[str, Any]]) -> Plan[list[str]]:
        """Appends messages of the framework in one step, and returns their keys.

        Raises:
            InvalidArgument: a message without a role; a session that is no text, or empty.
            NotStorable: a message is no JSON.
        """
        name = escaped("session", session)
        values = [
            value_of(self.format, message, f"message {n}") for n, message in enumerate(messages)
        ]
        keys: list[str] = yield Ask("append", self.user, name, values, self.ttl)
        return keys

    def records(self, session: str, last: int | None = None) -> Plan[list[MemoryRecord]]:
        """Returns the records of a session's messages in order, or of so many of the last ones."""
        found: list[MemoryRecord] = yield Ask(
            "history", self.user, escaped("session", session), last
        )
        return found

    def read(self, session: str, last: int | None = None) -> Plan[list[dict[str, Any]]]:
        """Returns the messages of a session as the framework writes them.

        Raises:
            InvalidArgument: a message that this framework cannot read; a number below 0.
        """
        found = yield from self.records(session, last)
        return [message_of(self.format, record) for record in found]

    def take(self, session: str, place: int) -> Plan[dict[str, Any] | None]:
        """Deletes one message of a session, and returns it; None if there is none at this place.

        Two clients never take the same message.

        Args:
            session: its name.
            place: as the index of a list; -1 for the last one.
        """
        while True:
            found = yield from self.records(session, 1 if place == -1 else None)
            if not -len(found) <= place < len(found):
                return None
            message = message_of(self.format, found[place])
            deleted: bool = yield Ask("delete", found[place].key)
            if deleted:
                return message

    def clear(self, session: str) -> Plan[list[MemoryRecord]]:
        """Deletes the messages that a session has now, and returns their records; later ones stay."""
        found = yield from self.records(session)
        if found:
            yield Ask("remove", [record.key for record in found])
        return found

    def replace(self, session: str, messages: Iterable[dict[str, Any]]) -> Plan[None]:
        """Appends messages and then deletes the ones before them, so that no failure in between loses any."""
        before = yield from self.records(session)
        yield from self.append(session, messages)
        if before:
            yield Ask("remove", [record.key for record in before])


def value_of(format: Format, message: dict[str, Any], place: str) -> dict[str, Any]:
    """Returns the record's value for a message of a framework.

    Args:
        format: of the framework.
        message: as a JSON object.
        place: what an error calls the message.

    Raises:
        InvalidArgument: the message has no role.
    """
    if not isinstance(message, dict):
        raise InvalidArgument(f"{place}: {brief(message)} is no message; give a JSON object")
    role, content = format.said(message)
    if not role:
        raise InvalidArgument(
            f"{place}: {brief(message)} has no role; say who speaks, for example 'user' or 'assistant'"
        )
    value: dict[str, Any] = {"role": role, "content": content}
    if _plain(format, role, content) != message:
        value[format.name] = message
    return value


def message_of(format: Format, record: MemoryRecord) -> dict[str, Any]:
    """Returns the message of a framework that a record holds.

    Raises:
        InvalidArgument: the record has no role, or none that the framework knows, or another framework has written more than text.
    """
    value = record.value
    whole = value.get(format.name)
    if isinstance(whole, dict):
        return whole
    other = next((name for name in FORMATS if name in value), None)
    if other is not None:
        raise InvalidArgument(
            f"message {brief(record.key)}: {other} has written more than text, such as the call of a tool, which "
            f"{format.name} cannot read; read this session with {other}, or give {format.name} another session"
        )
    role, text = said(value)
    if not role:
        raise InvalidArgument(
            f"message {brief(record.key)}: it has no role; append messages with a field 'role', such as 'user'"
        )
    content = value.get("content")
    message = _plain(format, role, content if isinstance(content, str) else text)
    if message is None:
        raise InvalidArgument(
            f"message {brief(record.key)}: its role {brief(role)} is none that {format.name} takes for text alone, such as 'user' "
            f"and 'assistant'; write another role, or give {format.name} another session"
        )
    return message


def _plain(format: Format, role: str, content: str) -> dict[str, Any] | None:
    """Returns the framework's message that is text alone; None if it has no such role."""
    try:
        return format.plain(role, content)
    except ValueError:
        return None


def call_of(name: Any, arguments: Any) -> str:
    """Returns the call of a tool as a person reads it: ``find_order({"user":"alice"})``."""
    return f"{name}({arguments if isinstance(arguments, str) else shown(arguments)})"


def shown(content: Any) -> str:
    """Returns what a tool has answered, or any other content, as text."""
    return content if isinstance(content, str) else to_json(content)


def escaped(name: str, text: str) -> str:
    """Returns the name of a user or a session as a part of a key: ``:`` becomes ``%3A``, and ``%`` becomes ``%25``.

    Raises:
        InvalidArgument: it is no text, or empty.
    """
    if not isinstance(text, str) or not text:
        raise InvalidArgument.about(name, text, f"a {name} is a non-empty str")
    return text.replace("%", "%25").replace(":", "%3A")


def unescaped(text: str) -> str:
    """Returns the name that `escaped` was given."""
    return text.replace("%3A", ":").replace("%25", "%")


def suffix_of(identity: str) -> str:
    """Returns what tells the key of a message with an id of its own from others of the same instant, such as ``-0f3a77c1``."""
    return f"-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def missing(package: str, extra: str) -> MissingPackage:
    """Returns the error that says how to install the framework of an adapter."""
    return MissingPackage(f"{package} is not installed; run: pip install 'tta-memory-nb[{extra}]'")
