"""What an error of SQLite or of the operating system means for a memory in a file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ...errors import InvalidArgument, ServerError, StoreUnavailable, TTAMemoryError, brief

_RULES = {
    sqlite3.SQLITE_FULL: (
        "FULL",
        "the disk is full; make room by other files, because deleting records needs some as well",
    ),
    sqlite3.SQLITE_READONLY: ("READONLY", "the file or its folder may not be written to"),
    sqlite3.SQLITE_CORRUPT: (
        "CORRUPT",
        "the file is damaged; restore a copy, or try the command: sqlite3 FILE .recover",
    ),
    sqlite3.SQLITE_NOTADB: ("CORRUPT", "the file is damaged: it is no database any more"),
    sqlite3.SQLITE_TOOBIG: ("TOOBIG", "a record is larger than SQLite takes, which is about 1 GB"),
}

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_busy(error: sqlite3.Error) -> bool:
    """Returns whether an error says that another process is using the file at this moment."""
    return _code(error) in _BUSY


def fault(path: Path, error: sqlite3.Error) -> TTAMemoryError:
    """Returns the error that a memory raises for an error of SQLite."""
    code, rule = _RULES.get(
        _code(error), ("IOERR", f"SQLite cannot use the file ({brief(str(error))})")
    )
    return ServerError(f"{named(path)}: {rule}; nothing was changed", code)


def occupied(path: Path, seconds: float) -> StoreUnavailable:
    """Returns the error of a file that other processes have used for longer than the timeout."""
    return StoreUnavailable(
        f"{named(path)}: another process has been writing to it for {seconds:g} s; try again, or make the "
        "memory with a longer timeout="
    )


def nested(path: Path) -> ServerError:
    """Returns the error of a write in the middle of another one of the same thread."""
    return ServerError(
        f"{named(path)}: a signal handler, a `__del__` or a clock has written to the memory while this very thread "
        "was writing to it; write from another thread, or afterwards",
        "NESTED",
    )


def gone(path: Path) -> ServerError:
    """Returns the error of a file that was deleted, moved or replaced while it was open."""
    return ServerError(
        f"{named(path)}: the file was deleted, moved or replaced since it was opened, so nothing can be "
        "written to it; put it back, or make a new MemoryPrimitive",
        "GONE",
    )


def unusable(path: Path, rule: str) -> InvalidArgument:
    """Returns the error of a path at which no memory can be."""
    return InvalidArgument(f"{named(path)}: {rule}")


def named(path: Path) -> str:
    """Returns what errors call a file."""
    return f"file:{str(path)!r}"


def _code(error: sqlite3.Error) -> int:
    """Returns the primary code of an error; 0 if SQLite has not raised it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
