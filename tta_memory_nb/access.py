"""What a user can do about a file that the system does not open."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_NO_RIGHT = {errno.EACCES, errno.EPERM}


def why_not(path: Path, error: OSError, *, writing: bool) -> str:
    """Returns why the system does not open, read or write a file, and what to do about it.

    Args:
        path: the file that was asked for.
        error: what the system has said.
        writing: whether the file was to be written, and not read.

    Returns:
        The system's own words, and behind them a way out where there is a known one, without a full stop.
    """
    reason = error.strerror or str(error)
    way_out = _way_out(path, error.errno, writing=writing)
    return f"{reason}; {way_out}" if way_out else reason


def is_read_only(path: Path) -> bool:
    """Returns whether a file exists that no user is permitted to write to.

    The permissions are looked at, because the system lets root write to such a file, too.
    """
    try:
        found = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(found) and not found & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


def _way_out(path: Path, number: int | None, *, writing: bool) -> str:
    folder = str(path.parent)
    if number == errno.ENOENT:
        if not _is_there(path.parent):
            return f"there is no folder {folder!r}: make it, or name another file"
        return "name another file"
    if number == errno.ENOTDIR:
        return f"{folder!r} is not a folder, or is inside of a file: name another file"
    if number == errno.EISDIR:
        return "this is a folder: name a file in it"
    if number in _NO_ROOM:
        return "make room on its disk, or name a file on another one"
    if number == errno.EROFS:
        return "its disk can only be read: name a file on another one"
    if number == errno.ENAMETOOLONG:
        return "give it a shorter name"
    if number in _NO_RIGHT:
        if not writing:
            return "let this user read it (chmod u+r, and x for its folders), or name a copy of it"
        if _is_there(path):
            return "let this user write to it and to its folder (chmod u+w), or name another file"
        return f"let this user write to the folder {folder!r} (chmod u+w), or name a file in another one"
    return ""


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # its folder may not be looked into
        return True
