"""The errors and warnings of this package.

    TTAMemoryError
    ├── InvalidArgument (also a ValueError)   a key, limit, TTL, filter, ... is invalid
    │   └── NotStorable                       a value cannot be stored as JSON; `path` says where
    ├── StoreUnavailable                      the server is away, with on_outage="raise"
    ├── ServerError                           the server refuses: wrong password, no memory left, ...
    ├── CapacityExceeded                      more records than the memory may hold
    ├── TransferError                         a file cannot be read or written; `problems` lists why
    └── MissingPackage (also an ImportError)  an optional package is not installed

    AmbiguousKeyWarning (a UserWarning)       an id is empty or contains ':', so its key is ambiguous

An error names the value, the rule that it breaks, and a way out. The memory is unchanged after an error. No message
contains a password.
"""

from __future__ import annotations

from collections.abc import Sequence


def brief(value: object) -> str:
    """Returns the repr of a value for a message, on one line and of at most 80 characters."""
    try:
        text = repr(value)  # escapes line breaks and whatever else is not printable
    except Exception:  # whatever a broken object raises; Python itself for huge integers
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."


def harmless(text: str) -> str:
    """Returns text with control characters, line breaks and colour codes escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class TTAMemoryError(Exception):
    """Base class of all errors that tta_memory_nb raises."""


class InvalidArgument(TTAMemoryError, ValueError):
    """An argument is invalid, such as ``limit=0`` or ``ttl=-1``."""


class NotStorable(InvalidArgument):
    """A value is not a JSON object.

    Attributes:
        path: the place in the value, as Python writes it: ``value['agent']['client']``.
        reason: the problem at that place, without the path.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[NotStorable], tuple[str, str]]:
        # Exceptions are rebuilt from `args`, which holds the joined message: name both parts,
        # so that the error survives a process boundary.
        return type(self), (self.path, self.reason)


class StoreUnavailable(TTAMemoryError):
    """The server is away: it is unreachable, too slow to answer, starting, read-only, ...

    Raised if the memory was made with ``on_outage="raise"``, and if the journal of writes that are queued for
    the server is full.
    """


class ServerError(TTAMemoryError):
    """The server answers and refuses: a wrong password, no memory left, a missing right, ...

    Attributes:
        code: the server's own code for the error, such as ``"OOM"``; may be empty.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CapacityExceeded(TTAMemoryError):
    """More records at once than ``max_size`` allows, so that some would be evicted unnoticed."""


class TransferError(TTAMemoryError):
    """An import or export failed.

    Attributes:
        problems: one sentence for each broken record, which names its line or position.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class MissingPackage(TTAMemoryError, ImportError):
    """An optional package is not installed; the message contains the pip command."""


class AmbiguousKeyWarning(UserWarning):
    """A user or session id is empty or contains ``:``: other ids may give the same key."""
