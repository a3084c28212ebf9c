"""Every error that this package raises on purpose.

    TTAMemoryError
    ├── InvalidArgument (also a ValueError)   an argument without a meaning: a key, a limit, a TTL, a filter, ...
    │   └── NotStorable                       a value that JSON cannot hold; `path` says where
    ├── StoreUnavailable                      the server cannot be reached, with on_outage="raise"
    ├── ServerError                           the server answers, but refuses: wrong password, out of memory, ...
    ├── NotDurable                            a write is on the server, but not as safe as `durability` asks
    ├── Conflict                              records are not as a write expects them; `keys` names them
    ├── Tombstoned                            a write says again what was deleted for good
    ├── CapacityExceeded                      more records than the memory may hold
    ├── TransferError                         a file that cannot be read or written; `problems` lists why
    ├── EmbedderError                         an embedder that fails, or answers what is no vector
    ├── SummarizerError                       a summarizer that fails, takes too long, or gives no text
    ├── QualityTooLow                         judged searches are answered less well than was asked for
    └── MissingPackage (also an ImportError)  the call needs an optional package that is not installed

A message names the offending value, the rule that the value breaks, and the way out. The failed call has changed
nothing in the memory; only of `NotDurable` the write stays. No message contains a password.

    AmbiguousKeyWarning (a UserWarning)       an id is empty or contains ':', so its key is ambiguous

An error names the value, the rule that it breaks, and a way out. The memory is unchanged after an error. No message
contains a password.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self
from unicodedata import category

JOINERS = "\u200c\u200d"
"""Join or separate the letters around them, in the words of many scripts and in emoji."""


_CREDENTIALS = re.compile(r"(://)\S*@")


def brief(value: object) -> str:
    """A value as an error message shows it: on one line, at most 80 characters, without the credentials of an address."""
    try:
        text = repr(value)  # escapes line breaks and other characters that cannot be printed
    except Exception:  # a broken __repr__ may raise anything; Python itself refuses huge integers
        text = f"<{type(value).__name__}>"
    if "\n" in text:  # of a table, or of an object with such a repr
        text = " ".join(text.split())
    if "://" in text:  # an address given for another argument is no reason to show its password
        text = _CREDENTIALS.sub(r"\1***@", text)
    return text if len(text) <= 80 else f"{text[:77]}..."


def harmless(text: str) -> str:
    """The text with all that steers a terminal or turns text round written as escape sequences.

    Control characters, line breaks, colours, marks of direction and unassigned characters are escaped. Spaces
    of every kind, and the joiners that many scripts and emoji need inside words, are kept.
    """
    if text.isprintable():
        return text
    before = ("", *text)
    return "".join(
        each if _is_harmless(each, last) else each.encode("unicode_escape").decode()
        for each, last in zip(text, before, strict=False)
    )


def _is_harmless(character: str, before: str) -> bool:
    if character.isprintable() or category(character) == "Zs":
        return True
    # A joiner between letters of ASCII, or in front of a word, only makes two texts look the same.
    return (
        character in JOINERS
        and not before.isascii()
        and (category(before)[0] in "LM" or category(before) in ("So", "Sk"))
    )


class TTAMemoryError(Exception):
    """Base class of all errors raised by tta_memory_nb.

    Attributes:
        parameter: name of the argument that was refused, such as ``"since"``; None when the error
            is not about one argument. ``%memory`` uses it to name the flag that was typed, ``--since``.
        other_parameter: name of a second argument, with which the first one does not go together.
    """

    parameter: str | None = None
    other_parameter: str | None = None

    @classmethod
    def about(cls, parameter: str, value: object, rule: str) -> Self:
        """An error about one argument, with the message ``parameter=value: rule``.

        Args:
            parameter: name of the argument.
            value: what the caller passed.
            rule: what the caller should pass instead.

        Returns:
            The error; its ``parameter`` is the name.
        """
        error = cls(f"{parameter}={brief(value)}: {rule}")
        error.parameter = parameter
        return error


class InvalidArgument(TTAMemoryError, ValueError):
    """An argument is invalid, such as ``limit=0`` or ``ttl=-1``."""


class NotStorable(InvalidArgument):
    """A value is not a JSON object.

    Attributes:
        path: where in the value, in Python's notation: ``value['agent']['client']``.
        reason: what was found at the path.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[NotStorable], tuple[str, str], dict[str, object]]:
        # Exceptions are rebuilt from `args`, which holds only the joined message. Both arguments are
        # named here, so that the error survives a process boundary.
        return type(self), (self.path, self.reason), self.__dict__


class StoreUnavailable(TTAMemoryError):
    """The server cannot be used: unreachable, too slow to answer, still loading, read-only, ...

    Raised by memories made with ``on_outage="raise"``. Other memories raise it when so many writes
    are pending during an outage that no more can be kept.
    """


class ServerError(TTAMemoryError):
    """The server answers, but refuses: a wrong password, no memory left, a missing permission, ...

    Attributes:
        code: the server's own word for the error, such as ``"OOM"``; may be empty.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class NotDurable(TTAMemoryError):
    """A write is on the server, but was not on its disk, or on enough replicas, within the time.

    The write stays, and is not sent again. It may become as durable as asked later, and is lost if the server
    loses it before that. In an outage: the file of the journal could not be written, so the write is lost if
    the process ends before the server is back.

    Attributes:
        durability: what the memory was asked to promise, such as ``"replicas:2"``.
        on_disk: whether the server has the write on its disk; None if it did not say.
        replicas: how many replicas have the write; None if the server did not say.
        change: what the memory's ``undo`` takes back; None if the write cannot be taken back.
    """

    def __init__(
        self,
        message: str,
        *,
        durability: str = "",
        on_disk: bool | None = None,
        replicas: int | None = None,
    ) -> None:
        super().__init__(message)
        self.durability = durability
        self.on_disk = on_disk
        self.replicas = replicas
        self.change: Any = None


class Conflict(TTAMemoryError):
    """A write expects records that have been changed, deleted or written meanwhile; nothing was written.

    Attributes:
        keys: the keys of these records, in the order in which they were expected.
    """

    def __init__(self, message: str, keys: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.keys = tuple(keys)


class Tombstoned(TTAMemoryError):
    """A write says the same, or nearly the same, as what was deleted for good; nothing was written.

    Attributes:
        keys: the keys of what was to be written.
        deleted: for each, the key under which it was deleted.
    """

    def __init__(self, message: str, keys: Sequence[str] = (), deleted: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.keys = tuple(keys)
        self.deleted = tuple(deleted)


class CapacityExceeded(TTAMemoryError):
    """More records at once than ``max_size`` allows: some would be evicted before they are read."""


class TransferError(TTAMemoryError):
    """An import or export that failed.

    Attributes:
        problems: one sentence for each broken record, with its line or position.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class EmbedderError(TTAMemoryError):
    """An embedder cannot be loaded, raises, takes too long, or gives something other than vectors.

    Only searches of the mode ``"semantic"`` raise it. Other searches go on without the embedder.

    Attributes:
        is_late: whether the embedder has taken too long.
    """

    is_late = False


class SummarizerError(TTAMemoryError):
    """A summarizer raises, takes too long, or gives something other than a text; nothing was written."""


class QualityTooLow(TTAMemoryError):
    """An evaluation of judged searches is below a threshold, such as ``--fail-under recall@5=0.7``."""


class MissingPackage(TTAMemoryError, ImportError):
    """An optional package is not installed; the message contains the pip command."""


class AmbiguousKeyWarning(UserWarning):
    """A user or session id is empty or contains ``:``, so other ids may give the same key."""
