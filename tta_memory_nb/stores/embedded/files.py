"""The files of a server's directory, of which none is a link, and what errors say of the directory."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path

from ...errors import InvalidArgument, brief

NO_LINK = getattr(os, "O_NOFOLLOW", 0)

LOG = "server.log"

# The address of a Unix socket holds 104 bytes on macOS and 108 on Linux, with the zero byte at the end.
_LONGEST_SOCKET_PATH = 103


def opened(home: str, name: str, flags: int) -> FileIO:
    """Opens a file of a server's directory for writing; no other user can read or write it."""

    def private(path: str, _: int) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | NO_LINK | flags, 0o600)

    try:
        return FileIO(str(Path(home, name)), "w", opener=private)
    except OSError as error:
        raise unwritable(home, name, error) from None


def content(home: str, name: str) -> bytes:
    """Returns what is in a file of a server's directory, unless it is a link.

    Raises:
        OSError: the file cannot be read.
    """

    def no_link(path: str, flags: int) -> int:
        return os.open(path, flags | NO_LINK | os.O_NONBLOCK)

    with FileIO(str(Path(home, name)), opener=no_link) as file:
        return file.readall()


def check_links(path: str, home: str) -> None:
    """Refuses a directory of others with a link in it, by which the server would write elsewhere."""
    for folder, folders, files in list(os.walk(home)):
        for name in (*folders, *files):
            found = Path(folder, name).lstat()
            if stat.S_ISLNK(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink > 1):
                raise unusable(path, f"others may write there, and {brief(name)} in it is a link")


def is_socket_path(path: str) -> bool:
    """Returns whether a Unix socket can have this path, and a URL can hold it."""
    name = os.fsencode(path)
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return len(name) <= _LONGEST_SOCKET_PATH


def named(home: str) -> str:
    """Returns what messages call the server of a directory."""
    return f"the embedded server in {brief(home)}"


def unusable(directory: str, why: str) -> InvalidArgument:
    """Returns the error of a directory that cannot be used."""
    return InvalidArgument(
        f"embedded:{brief(directory)}: {why}; name a directory of yours on a local disk, as in "
        "embedded:~/memory"
    )


def unwritable(home: str, name: str, error: OSError) -> InvalidArgument:
    """Returns the error of a file in a directory that cannot be opened or written."""
    if error.errno == errno.ELOOP:
        return unusable(home, f"{name} in it is a link, and no link is followed")
    return unusable(home, f"nothing can be written there ({error.strerror})")


def log_tail(home: str, start: int) -> str:
    """Returns the last lines of the log after its first ``start`` bytes, joined to one line."""
    try:
        log = content(home, LOG)[start:].decode(errors="replace")
    except OSError:
        log = ""
    lines = [line for line in map(on_one_line, log.splitlines()) if line]
    return " / ".join(lines[-3:])[-400:] or f"nothing is said in {LOG}"


def on_one_line(text: str) -> str:
    """Returns a text without line breaks and other characters that cannot be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
