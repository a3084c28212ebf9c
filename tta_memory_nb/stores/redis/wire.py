"""Commands and replies, as plans know them and as they go over the wire (the protocols RESP2 and RESP3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from redis.exceptions import InvalidResponse, ResponseError


class Prepared:
    """Arguments of a command, encoded once to be sent many times, or encoded ahead of time.

    Args:
        arguments: the arguments that it stands for.
    """

    __slots__ = ("arguments", "wire")

    def __init__(self, arguments: Sequence[bytes]) -> None:
        self.arguments = arguments
        self.wire = bulk_strings(arguments)


class AtSending:
    """An argument of a command that is worked out when the command is sent, each time that it is sent.

    A command may wait for its turn. What depends on the time at which the server gets it, such as the
    deadline of a write, would be out of date by then.

    Args:
        value: returns the argument.
    """

    __slots__ = ("value",)

    def __init__(self, value: Callable[[], int | str]) -> None:
        self.value = value


Command: TypeAlias = tuple[bytes | str | float | Prepared | AtSending, ...]
"""A request for the reply to a command: its name and its arguments."""


class Meanwhile(NamedTuple):
    """A request for the reply to a command, with work to do while the server carries it out.

    Attributes:
        command: what is sent.
        work: called once, after the command was sent and before its reply is read.
    """

    command: Command
    work: Callable[[], None]


class Pipelined(NamedTuple):
    """A request for the replies to several commands, which are sent together on one connection.

    The reply is a list. Where the server refuses a command, the list has the error, which is not raised.

    Attributes:
        commands: what is sent.
        may_block: whether the server may wait before it replies. Then nothing else is sent on this
            connection meanwhile, as far as the address allows another one.
    """

    commands: tuple[Command, ...]
    may_block: bool = False


Message: TypeAlias = Command | Pipelined
"""What is sent in one piece, and sent again as a whole if its connection is lost."""


def bulk_strings(arguments: Iterable[bytes | str | float]) -> bytes:
    """Encodes arguments as bulk strings."""
    parts = []
    for argument in arguments:
        data = argument if type(argument) is bytes else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def packed(command: Message) -> bytes:
    """Encodes what is sent, as it is sent now."""
    if type(command) is Pipelined:
        return b"".join(map(packed, command.commands))
    count, parts = 0, []
    for part in command:
        if type(part) is bytes:
            data = part
        elif type(part) is Prepared:
            count += len(part.arguments)
            parts.append(part.wire)
            continue
        else:
            data = str(part.value() if type(part) is AtSending else part).encode()
        count += 1
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"*%d\r\n%b" % (count, b"".join(parts))


def is_in_order(command: Message) -> bool:
    """Returns whether a command should reach the server in the order in which commands were asked.

    The server does less work for writes whose ids come in order.
    """
    return any(isinstance(part, AtSending) for part in command)


class _Open:
    """A collection of which some items have not been received yet.

    Attributes:
        kind: the byte that it begins with.
        missing: how many items have not been received.
        items: the others.
    """

    __slots__ = ("items", "kind", "missing")

    def __init__(self, kind: int, missing: int) -> None:
        self.kind = kind
        self.missing = missing
        self.items: list[Any] = []

    def closed(self) -> Any:
        """Returns the value of the collection, now that all items are there."""
        if self.kind in b"%":
            return dict(zip(self.items[::2], self.items[1::2], strict=True))
        return self.items


class Replies:
    """Takes replies out of the bytes that a server sends.

    Each byte is looked at once, however the replies are cut into pieces: a reply that is not complete
    is kept with what has been understood of it so far.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        # So many bytes are needed before anything more can be understood.
        self._needed = 1
        self._open: list[_Open] = []

    def feed(self, data: bytes) -> list[Any]:
        """Takes in bytes, and returns the replies that they complete.

        An error that the server replies is returned as a `ResponseError`.

        Raises:
            InvalidResponse: the bytes are no replies.
        """
        if self._pieces:
            self._pieces.append(data)
            self._size += len(data)
            if self._size < self._needed:
                return []
            data = b"".join(self._pieces)
        done: list[Any] = []
        at, size, find, opened = 0, len(data), data.find, self._open
        while at < size:
            end = find(b"\r\n", at)
            if end < 0:
                break
            kind, word = data[at], data[at + 1 : end]
            value: Any
            try:
                if kind == _BULK or kind in b"=!":
                    length = int(word)
                    if length < 0:
                        value, at = None, end + 2
                    else:
                        stop = end + 2 + length
                        if size < stop + 2:
                            self._wait(data[at:], stop + 2 - at)
                            return done
                        value, at = data[end + 2 : stop], stop + 2
                        if kind != _BULK:
                            value = _error(value) if kind in b"!" else value[4:]
                elif kind == _INTEGER:
                    value, at = int(word), end + 2
                elif kind in b"*~%>|":
                    at = end + 2
                    items = int(word) * (2 if kind in b"%|" else 1)
                    if items > 0:
                        opened.append(_Open(kind, items))
                        continue
                    value = None if items < 0 else _Open(kind, 0).closed()
                    if kind in b">|":
                        continue
                else:
                    value, at = _SIMPLE[kind](word), end + 2
            except (KeyError, ValueError):
                raise InvalidResponse(f"no reply begins with {data[at : at + 40]!r}") from None
            if opened and (last := opened[-1]).missing > 1:
                last.items.append(value)
                last.missing -= 1
            else:
                self._add(value, done)
        if at < size or self._pieces:
            self._wait(data[at:], size - at + 1)
        return done

    def _wait(self, rest: bytes, needed: int) -> None:
        self._pieces = [rest] if rest else []
        self._size, self._needed = len(rest), needed

    def _add(self, value: Any, done: list[Any]) -> None:
        """Adds a value to the collection that it belongs to, and closes those that are complete."""
        while self._open:
            last = self._open[-1]
            last.items.append(value)
            last.missing -= 1
            if last.missing:
                return
            self._open.pop()
            if last.kind in b">|":  # what nobody has asked for, and notes about the next value
                return
            value = last.closed()
        done.append(value)


def _error(word: bytes) -> ResponseError:
    return ResponseError(word.decode("utf-8", "replace").removeprefix("ERR "))


_BULK, _INTEGER = b"$:"  # nearly all of what a server sends

_SIMPLE: dict[int, Callable[[bytes], Any]] = {
    ord("+"): bytes,
    ord("-"): _error,
    ord("_"): lambda _: None,
    ord("#"): b"t".__eq__,
    ord(","): float,
    ord("("): int,
}


def flat(command: Command) -> Iterator[bytes | str | float]:
    """The arguments of a command one by one, as redis-py takes them."""
    for part in command:
        if isinstance(part, Prepared):
            yield from part.arguments
        elif isinstance(part, AtSending):
            yield part.value()
        else:
            yield part
