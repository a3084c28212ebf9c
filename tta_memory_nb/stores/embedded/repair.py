"""Takes the gaps out of a server's append-only files; part of the supervisor.

When the disk is full, Valkey has written a part of its buffer, and means to cut this part off before it writes the
buffer again. After it has written its file anew, it cuts at a place behind the end of the new file: the file then
has the part, a gap of zeros, and the whole buffer. Valkey cannot read such a file, though everything is in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from .room import say

_CHUNK = 1 << 16
_LONGEST_LINE = 64


def repaired(folder: Path) -> bool:
    """Takes the gaps out of the append-only files in a folder, and returns whether there was one."""
    found = False
    for path in sorted(folder.glob("*.incr.aof")):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        # Not mapped into memory: to look at a gap would fill it, on some file systems.
        with os.fdopen(descriptor, "r+b") as file:
            while gap := _gap_in(file):
                _close(file.fileno(), *gap)
                found = True
                say(f"{path.name} had a gap at byte {gap[0]} and is repaired")
    return found


def _gap_in(file: BinaryIO) -> tuple[int, int] | None:
    """Returns where a gap and the part before it begin, and where the gap ends."""
    file.seek(0)
    whole = 0  # behind the last command, or the last transaction, that is complete
    in_transaction = False
    while name := _command(file):
        in_transaction = name == b"MULTI" or (in_transaction and name != b"EXEC")
        if not in_transaction:
            whole = file.tell()
    at = whole
    while (zeros := _next(file, at, lambda part: part.find(b"\0"))) is not None:
        end = _next(file, zeros, lambda part: len(part) - len(part.lstrip(b"\0")))
        if end is None:
            return whole, os.fstat(file.fileno()).st_size
        file.seek(end)
        if _command(file):
            return whole, end
        at = end  # these zeros are in a value
    return None


def _next(file: BinaryIO, at: int, find: Callable[[bytes], int]) -> int | None:
    """Returns the first place from a place on at which something is found, or None."""
    file.seek(at)
    while part := file.read(_CHUNK):
        found = find(part)
        if 0 <= found < len(part):
            return at + found
        at += len(part)
    return None


def _command(file: BinaryIO) -> bytes:
    """Reads a command and returns its name; nothing if there is no whole command."""
    with suppress(ValueError):
        line = file.readline(_LONGEST_LINE)
        if line.startswith(b"#") and line.endswith(b"\n"):
            return b"#"  # an annotation
        name = b""
        for _ in range(_number(line, b"*")):
            length = _number(file.readline(_LONGEST_LINE), b"$")
            read = b"" if name else file.read(min(length, _LONGEST_LINE))
            name = name or read
            file.seek(length - len(read), os.SEEK_CUR)
            if file.read(2) != b"\r\n":
                return b""
        return name.upper()
    return b""


def _number(line: bytes, kind: bytes) -> int:
    """Returns the number in a line that begins with a character.

    Raises:
        ValueError: this is no such line.
    """
    if not line.startswith(kind) or not line.endswith(b"\r\n"):
        raise ValueError(line)
    return int(line[1:])


def _close(file: int, start: int, end: int) -> None:
    """Moves what is behind a gap to its beginning, on a disk that may have almost no room."""
    size = os.fstat(file).st_size
    if size - end > end - start:  # what is behind the gap does not fit into it
        while part := os.pread(file, _CHUNK, end):
            os.pwrite(file, part, start)
            end, start = end + len(part), start + len(part)
        os.ftruncate(file, start)
    else:
        # From the last chunk on: the room of each is free again before the next one is moved.
        at = size
        while at > end:
            before = max(end, at - _CHUNK)
            os.pwrite(file, os.pread(file, at - before, before), start + before - end)
            os.fsync(file)
            os.ftruncate(file, before)
            at = before
        os.ftruncate(file, start + size - end)
    os.fsync(file)
