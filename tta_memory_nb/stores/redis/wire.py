"""Commands as plans yield them, and as they go over the wire (the Redis serialization protocol)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias


class Prepared:
    """Arguments of a command, encoded once to be sent many times, or encoded ahead of time.

    Args:
        arguments: the arguments that it stands for.
    """

    __slots__ = ("arguments", "wire")

    def __init__(self, arguments: Sequence[bytes]) -> None:
        self.arguments = arguments
        self.wire = bulk_strings(arguments)


Command: TypeAlias = tuple[bytes | str | float | Prepared, ...]
"""A request for the reply to a command: its name and its arguments."""


class Meanwhile(NamedTuple):
    """A request for the reply to a command, with work to do while the server carries it out.

    Attributes:
        command: what is sent.
        work: called once, after the command was sent and before its reply is read.
    """

    command: Command
    work: Callable[[], None]


def bulk_strings(arguments: Iterable[bytes | str | float]) -> bytes:
    """Encodes arguments as bulk strings."""
    parts = []
    for argument in arguments:
        data = argument if type(argument) is bytes else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def packed(command: Command) -> bytes:
    """Encodes a command."""
    count, parts = 0, []
    for part in command:
        if isinstance(part, Prepared):
            count += len(part.arguments)
            parts.append(part.wire)
        else:
            count += 1
            data = part if type(part) is bytes else str(part).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"*%d\r\n%b" % (count, b"".join(parts))


def flat(command: Command) -> Iterator[bytes | str | float]:
    """The arguments of a command one by one, as redis-py takes them."""
    for part in command:
        if isinstance(part, Prepared):
            yield from part.arguments
        else:
            yield part
