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

from ..errors import TransferError, brief

_GZIP = b"\x1f\x8b"


def path_of(written: str | os.PathLike[str]) -> Path:
    """The path as its user wrote it, ``~`` expanded.

    Raises:
        TransferError: text that names no file.
    """
    try:
        path = Path(written).expanduser()
    except RuntimeError:
        raise TransferError(f"{os.fspath(written)!r}: no such user, or no home directory") from None
    except TypeError:
        raise TransferError(f"{brief(written)} does not name a file; give a path") from None
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
    by_suffix = suffixes[-1] if suffixes else ""
    chosen = by_suffix if format is None else format
    chosen = "jsonl" if chosen == "ndjson" else chosen
    # Looked at one by one: what is no text may have no hash.
    if any(chosen == name for name in known):
        return chosen
    if format is not None:
        wrong = f"format={brief(format)} is not known"
    elif chosen:
        wrong = f"{path.name!r}: the suffix .{chosen} tells no known format"
    else:
        wrong = f"{path.name!r} has no suffix that tells its format"
    error = TransferError(
        f"{wrong}; give format= (in %memory: --format) one of {', '.join(map(repr, known))}"
    )
    error.parameter = None if format is None else "format"
    raise error


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

    Packed when the path ends in ``.gz``. A link stays a link, and keeps pointing to the file. A
    pipe or a device is written into: in its place, a file would take it from everybody else.

    Raises:
        TransferError: a file that cannot be written; the old one is as it was.
    """
    target = Path(os.path.realpath(path))
    # Beside the target: a rename is atomic only within one file system. Not called after it,
    # whose name may be as long as names can be.
    scratch = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        # Through the path itself: where /dev/stdout leads may have no name.
        if path.exists() and not path.is_file():
            with path.open("wb") as file, _packed(path, file) as packed:
                yield packed
            return
        with scratch.open("xb") as file, _packed(path, file) as packed:
            yield packed
        if target.is_file():
            shutil.copymode(target, scratch)
        scratch.replace(target)
    except OSError as error:
        raise TransferError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def _packed(path: Path, file: BinaryIO) -> Iterator[BinaryIO]:
    if path.suffix.lower() == ".gz":
        # Neither name nor time inside: equal records make equal files.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
            yield cast("BinaryIO", packed)
    else:
        yield file
