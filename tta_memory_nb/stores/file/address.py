"""The path in the address of a file: ``file:notes.db`` or ``file:///home/ann/notes.db``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from ...errors import InvalidArgument, brief
from ...urls import address_in
from ..schemes import FILE

_DRIVE = re.compile(r"/[A-Za-z]:[/\\]")


def path_of(address: str, argument: str = "redis_url") -> Path:
    """Returns the absolute path that an address means.

    A relative path is relative to the working directory of this moment, and ``~`` is the home directory. Only in
    an address that begins with ``file://``, percent signs encode characters, as in every URL.

    Args:
        address: begins with ``file:``.
        argument: what an error calls the address.

    Raises:
        InvalidArgument: the address names no file.
    """
    text = text_of(address, argument, is_windows=os.name == "nt")
    try:
        return Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100  links stay links
    except RuntimeError:
        raise _unusable(
            argument, address, "there is no such home directory; give the whole path"
        ) from None


def text_of(address: str, argument: str, *, is_windows: bool) -> str:
    """Returns the path in an address, as it is written there but for percent signs.

    Args:
        address: begins with ``file:``.
        argument: what an error calls the address.
        is_windows: whether the path is one of Windows, so that ``/C:/`` means the drive.

    Raises:
        InvalidArgument: the address names no file.
    """
    text = address.strip()[len(FILE) + 1 :]
    if text.startswith("//"):
        host, slash, rest = text[2:].partition("/")
        if host not in ("", "localhost"):
            raise _unusable(
                argument,
                address,
                "a URL of a file has three slashes, as in file:///home/ann/notes.db",
            )
        text = unquote(slash + rest)
        if is_windows and _DRIVE.match(text):
            text = text[1:]
    if server := address_in(text):
        raise _unusable(
            argument,
            FILE + ":" + server,
            "this is an address and no path; leave out 'file:', or name a file",
        )
    if not text or "\0" in text:
        raise _unusable(argument, address, "name a file, as in file:notes.db")
    return text


def absolute(address: str, argument: str = "redis_url") -> str:
    """Returns an address of the same file that means the same in every working directory."""
    return f"{FILE}:{path_of(address, argument)}"


def _unusable(argument: str, address: str, rule: str) -> InvalidArgument:
    return InvalidArgument(f"{argument}={brief(address)}: {rule}")
