"""Keeps room on the disk for what the server of a directory has acknowledged; part of the supervisor.

A server that cannot append to its file has acknowledged the writes of that moment already, and keeps them in
its memory. It refuses further writes until it can append these. A reserve, a file that takes some of the disk, is
given up then, first one half: the server appends what it has acknowledged. From then on, and as soon as the disk is nearly full,
the server may delete but not write, and its file is written anew so that what is deleted frees its room. When
there is room again, the reserve is made again and everything is allowed.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock

RESERVE = "reserve"
"""Name of the file that keeps room."""

# The reserve is this share of the free disk, and no larger than this many bytes. A server can have acknowledged
# as much as its clients can send at once.
_SHARE = 4
_LARGEST = 16 << 20

# A limit of memory under which the server refuses to write and still deletes, as on a server without memory.
_NO_WRITES = "1"

# The file grows with each deletion before it is written anew. Seconds between two attempts.
_PAUSE = 2.0


class Room:
    """Looks after the disk for one server that is about to start, in whose directory this process is.

    Args:
        socket_path: path of the Unix socket that the server listens on.
    """

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._lock = Lock()
        self._is_closed = False
        self._limit: str | None = (
            None  # the limit of memory to restore; None while writes are allowed
        )
        self._size = 0  # bytes of the reserve when it was made
        self._file_size = ""
        self._next_rewrite = 0.0
        _remove()
        self._make()

    def look(self, now: float) -> None:
        """Makes the reserve, gives it up, or allows writes again; to be called about once a second.

        Args:
            now: seconds of a monotonic clock.
        """
        with self._lock:
            if not self._is_closed:
                self._look(now)

    def close(self) -> None:
        """Gives the reserve up for good, so that a server that stops can write what it has acknowledged.

        The file stays, without a byte: whoever deletes the directory now must not find it gone in the middle.
        """
        with self._lock:
            self._is_closed = True
            _resize(0)

    def _look(self, now: float) -> None:
        about = self._persistence()
        if about is None:  # starting, busy or with a password that the user has set
            return
        has_failed = about.get("aof_last_write_status") == "err"
        if self._limit is None:
            if not has_failed and _reserved() and _free() >= self._size // 2:
                return
            if not has_failed and self._make():
                return
            self._refuse_writes()
        if has_failed:
            if _shrink(self._size // 2):
                say("the disk is full: the server writes what it has acknowledged into the reserve")
        elif not self._has_room():
            self._write_file_anew(about, now)
        elif self._make():
            self._ask("CONFIG", "SET", "maxmemory", self._limit or "0")
            self._limit = None
            say("there is room on the disk again: writes are allowed")

    def _refuse_writes(self) -> None:
        reply = self._ask("CONFIG", "GET", "maxmemory").split(b"\r\n")
        limit = reply[-2].decode() if len(reply) > 1 else "0"
        self._limit = limit if limit.isdecimal() and limit != _NO_WRITES else "0"
        self._ask("CONFIG", "SET", "maxmemory", _NO_WRITES)
        say("the disk is full, or nearly: writes are refused, deletions are allowed")

    def _write_file_anew(self, about: dict[str, str], now: float) -> None:
        if about.get("aof_rewrite_in_progress") != "0":
            return
        size = about.get("aof_current_size", "")
        if now >= self._next_rewrite and size != self._file_size:
            self._file_size, self._next_rewrite = size, now + _PAUSE
            # Nothing but deletions is written now, so the reserve may serve as room for the new file.
            _remove()
            self._ask("BGREWRITEAOF")
        elif not _reserved():
            _reserve(min(self._size, _free()) // 2)

    def _has_room(self) -> bool:
        """Whether there is room for the reserve and as much again."""
        wanted = self._size or _wanted()
        return _free() + _reserved() >= 2 * wanted > 0

    def _make(self) -> bool:
        """Makes the reserve unless there is one, and returns whether there is one and room beside it."""
        if not self._has_room():
            return False
        size = self._size or _wanted()
        if _reserved() < size:
            _remove()
            if not _reserve(size):
                return False
        self._size = size
        return True

    # ---- the server

    def _persistence(self) -> dict[str, str] | None:
        return persistence(self._socket_path)

    def _ask(self, *words: str) -> bytes:
        return ask(self._socket_path, *words)


def persistence(socket_path: str) -> dict[str, str] | None:
    """Returns what a server says of its file; None if it says nothing, for example since it starts."""
    lines = ask(socket_path, "INFO", "persistence").decode(errors="replace").splitlines()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    return facts if facts.get("loading") == "0" else None


def has_unwritten(socket_path: str) -> bool:
    """Returns whether a server has acknowledged writes that it could not append to its file yet."""
    about = persistence(socket_path)
    return about is not None and about.get("aof_last_write_status") == "err"


def ask(socket_path: str, *words: str) -> bytes:
    """Sends a command and returns its whole reply; nothing if there is none within a second."""
    request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    reply = b""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        connection.connect(socket_path)
        # A second command ends the connection, and with it the reply.
        connection.sendall(request.encode() + b"*1\r\n$4\r\nQUIT\r\n")
        while part := connection.recv(1 << 16):
            reply += part
    return reply.removesuffix(b"+OK\r\n")


def _reserved() -> int:
    """Returns the bytes of the reserve; 0 for none."""
    try:
        return Path(RESERVE).lstat().st_size
    except OSError:
        return 0


def _reserve(size: int) -> bool:
    """Makes the reserve, and returns whether there was room for it."""
    try:
        file = os.open(RESERVE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _allocate(file, size)
        finally:
            os.close(file)
    except OSError:
        _remove()
        return False
    return True


def _shrink(size: int) -> bool:
    """Gives up the reserve down to a size, or all that is left of it; returns whether there was any."""
    now = _reserved()
    if now > size > 0:
        _resize(size)
    else:
        _remove()
    return now > 0


def _resize(size: int) -> None:
    with suppress(OSError):
        file = os.open(RESERVE, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.ftruncate(file, size)
        finally:
            os.close(file)


def _remove() -> None:
    with suppress(OSError):
        Path(RESERVE).unlink()


def _allocate(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    block = b"\1" * (1 << 16)  # macOS
    for _ in range(-(-size // len(block))):
        os.write(file, block)


def _free() -> int:
    found = os.statvfs(".")
    return found.f_bavail * found.f_frsize


def _wanted() -> int:
    return min(_LARGEST, _free() // _SHARE)


def say(text: str) -> None:
    """Writes a line to the server's log, if the disk has room for it."""
    with suppress(OSError):
        sys.stderr.write(f"tta_memory_nb: {text}\n")
        sys.stderr.flush()
