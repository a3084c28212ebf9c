"""Every error this package raises on purpose.

    TTAMemoryError
    ├── InvalidArgument (also a ValueError)   a key, limit, TTL, filter, ... that means nothing
    │   └── NotStorable                       a value that JSON cannot hold; `path` says where
    ├── StoreUnavailable                      a server that cannot be had, with on_outage="raise"
    ├── ServerError                           a server that refuses: wrong password, no memory left, ...
    ├── CapacityExceeded                      more records than the memory may hold
    ├── TransferError                         a file that cannot be read or written; `problems` lists why
    └── MissingPackage (also an ImportError)  an optional package is needed for this

An error names the offending value, the rule it broke and the way out, and the memory is
as it was before the call. No message ever holds a password.

    AmbiguousKeyWarning (a UserWarning)       an id is empty or contains ':', so its key is ambiguous
"""

from __future__ import annotations

from collections.abc import Sequence


def brief(value: object) -> str:
    """A value as it stands in a message: on one line, and no longer than one can read."""
    try:
        text = repr(value)  # escapes line breaks and whatever else is not printable
    except Exception:  # whatever a broken object raises; Python itself for huge integers
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."


def harmless(text: str) -> str:
    """Text without control characters, line breaks or colours, which are spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class TTAMemoryError(Exception):
    """Root of all errors raised by tta_memory_nb."""


class InvalidArgument(TTAMemoryError, ValueError):
    """An argument that has no meaning, such as ``limit=0`` or ``ttl=-1``."""


class NotStorable(InvalidArgument):
    """A value that is not a JSON object.

    Attributes:
        path: where in the value, as Python would write it: ``value['agent']['client']``.
        reason: what was found there, without the path.
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
    """The server cannot be had: none there, no answer in time, busy starting, read-only, ...

    Raised when the memory was made with ``on_outage="raise"``, and when so many writes wait for
    the server that no more can be kept for it.
    """


class ServerError(TTAMemoryError):
    """The server can be had, but refuses: a wrong password, no memory left, no permission, ...

    Attributes:
        code: the word by which the server calls the error, such as ``"OOM"``; may be empty.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CapacityExceeded(TTAMemoryError):
    """More records at once than ``max_size`` allows: some would be evicted unseen."""


class TransferError(TTAMemoryError):
    """An import or export that could not be done.

    Attributes:
        problems: one sentence for each broken record, naming its line or position.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class MissingPackage(TTAMemoryError, ImportError):
    """An optional package is not installed; the message holds the pip command."""


class AmbiguousKeyWarning(UserWarning):
    """A user or session id is empty or contains ``:``: other ids may give the same key."""
