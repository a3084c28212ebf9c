"""Files on disk: opened packed or not, replaced in one step."""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import TransferError

_GZIP = b"\x1f\x8b"


def path_of(written: str | os.PathLike[str]) -> Path:
    """The path as its user wrote it, ``~`` expanded.

    Raises:
        TransferError: text that names no file.
    """
    path = Path(written).expanduser()
    if "\0" in str(path) or not path.name:
        raise TransferError(f"{os.fspath(written)!r} does not name a file")
    return path


def format_of(path: Path, format: str | None, known: Iterable[str]) -> str:
    """The format asked for, else the one the suffix tells.

    Raises:
        TransferError: none of the known ones.
    """
    suffixes = [suffix.lower().removeprefix(".") for suffix in path.suffixes]
    if suffixes and suffixes[-1] == "gz":
        suffixes.pop()
    chosen = format or (suffixes[-1] if suffixes else "")
    chosen = "jsonl" if chosen == "ndjson" else chosen
    if chosen in known:
        return chosen
    if format:
        wrong = f"format={format!r} is not known"
    elif chosen:
        wrong = f"{path.name!r}: the suffix .{chosen} tells no known format"
    else:
        wrong = f"{path.name!r} has no suffix that tells its format"
    raise TransferError(
        f"{wrong}; give format= (in %memory: --format) one of {', '.join(map(repr, known))}"
    )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where they are gzip, whatever the file is called.

    Raises:
        TransferError: a file that cannot be read to its end.
    """
    try:
        with path.open("rb") as file:
            if file.peek(len(_GZIP)).startswith(_GZIP):
                with gzip.open(file, "rb") as unpacked:
                    yield cast("BinaryIO", unpacked)
            else:
                yield file
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise TransferError(f"cannot read {str(path)!r}: {reason}") from None


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of the old one when everything has been written.

    Packed when the path ends in ``.gz``. A link stays a link, and keeps pointing to the file.

    Raises:
        TransferError: a file that cannot be written; the old one is as it was.
    """
    target = Path(os.path.realpath(path))
    # Beside the target: a rename is atomic only within one file system.
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with scratch.open("xb") as file:
            if path.suffix.lower() == ".gz":
                # Neither name nor time inside: equal records make equal files.
                with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield file
        if target.is_file():
            shutil.copymode(target, scratch)
        scratch.replace(target)
    except OSError as error:
        raise TransferError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
