"""Files on disk: reading plain and gzipped ones, and replacing a file atomically."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import secrets
import shutil
import stat
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ..access import is_read_only, why_not
from ..errors import TransferError, brief
from ..urls import address_in

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # which editors on Windows put before UTF-8
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write other line ends


def path_of(written: str | os.PathLike[str]) -> Path:
    """Returns the path that the user has written, with ``~`` expanded.

    Raises:
        TransferError: the text names no file.
    """
    if isinstance(written, str | os.PathLike) and (address := address_in(str(written))):
        raise TransferError(
            f"{address!r} is an address and no path; name a file here, or open a server by %memory use or "
            "MemoryPrimitive(address)"
        )
    try:
        path = Path(written).expanduser()
    except RuntimeError:
        raise TransferError(
            f"cannot expand {os.fspath(written)!r}: no such user, or no home directory"
        ) from None
    except TypeError:
        raise TransferError(f"{brief(written)} does not name a file; give a path") from None
    if "\0" in str(path) or not path.name:
        raise TransferError(f"{os.fspath(written)!r} does not name a file")
    return path


def format_of(path: Path, format: str | None, known: Iterable[str]) -> str:
    """Returns the given format, or the one that the suffix of the path names.

    Raises:
        TransferError: the format is not among the known ones.
    """
    suffixes = [suffix.lower().removeprefix(".") for suffix in path.suffixes]
    if suffixes and suffixes[-1] == "gz":
        suffixes.pop()
    by_suffix = suffixes[-1] if suffixes else ""
    chosen = by_suffix if format is None else format
    chosen = "jsonl" if chosen == "ndjson" else chosen
    # Compared one by one, because an argument that is no text may be unhashable.
    if any(chosen == name for name in known):
        return chosen
    if format is not None:
        wrong = f"format={brief(format)} is not known"
    elif chosen:
        wrong = f"{path.name!r}: the suffix .{chosen} names no known format"
    else:
        wrong = f"{path.name!r} has no suffix that names its format"
    error = TransferError(
        f"{wrong}; give format= (in %memory: --format) one of {', '.join(map(repr, known))}"
    )
    error.parameter = None if format is None else "format"
    raise error


@contextlib.contextmanager
def open_for_reading(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for reading, and decompresses it if its content is gzip, whatever its name.

    A byte order mark at its beginning is left out.

    Raises:
        TransferError: the file cannot be read to its end.
    """
    try:
        with path.open("rb") as file:
            if file.peek(len(_GZIP)).startswith(_GZIP):
                with gzip.open(file, "rb") as decompressed:
                    _skip_mark(decompressed)
                    yield cast("BinaryIO", decompressed)
            else:
                _skip_mark(file)
                yield file
    except OSError as error:
        raise _unreadable(path, why_not(path, error, writing=False)) from None
    except (EOFError, zlib.error) as error:
        raise _unreadable(path, f"{error}; name a whole copy of it") from None


def _unreadable(path: Path, reason: str) -> TransferError:
    return TransferError(f"cannot read {str(path)!r}: {reason}")


def unwritable(path: Path, error: OSError) -> TransferError:
    """Returns the error of a file that cannot be written, with the reason and what to do about it."""
    return TransferError(f"cannot write {str(path)!r}: {why_not(path, error, writing=True)}")


def _skip_mark(file: io.BufferedReader | gzip.GzipFile) -> None:
    if file.peek(len(_BYTE_ORDER_MARK)).startswith(_BYTE_ORDER_MARK):
        file.read(len(_BYTE_ORDER_MARK))


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Opens a new file that replaces the old one once all of it has been written.

    The file is compressed if the path ends in ``.gz``. A symbolic link is kept, and its target is
    replaced. A pipe or a device is written to directly, because replacing it with a file would take it
    away from all its other users. No other user can read the new file before it is complete, and
    then those whom the permissions of the old one allow.

    Raises:
        TransferError: the file cannot be written or may only be read, or the path is a link of another user; the
            old file is unchanged.
    """
    _check_link(path)
    target = Path(os.path.realpath(path))
    # In the directory of the target, because a rename is atomic only within one file system. The name does
    # not contain the target's, which may have the greatest possible length.
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        check_not_read_only(path)
        # Through the path itself, because the target of /dev/stdout may have no name.
        if path.exists() and not path.is_file():
            with path.open("wb") as file, _compressed(path, file) as compressed:
                yield compressed
            return
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        with os.fdopen(descriptor, "wb") as file, _compressed(path, file) as compressed:
            yield compressed
        if target.is_file():
            shutil.copymode(target, temporary)
        else:
            temporary.chmod(_mode_of_new_files(target.parent))
        temporary.replace(target)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_not_read_only(path: Path) -> None:
    """Refuses a file that is kept from being written, which a rename over it and root would both ignore.

    Raises:
        OSError: the path cannot be looked up.
        TransferError: its permissions do not let this user write to it.
    """
    if is_read_only(path) or (path.is_file() and not os.access(path, os.W_OK)):
        raise TransferError(
            f"cannot write {str(path)!r}: the file is read-only; name another file, or let it be written to "
            "(chmod u+w)"
        )


def _check_link(path: Path) -> None:
    """Refuses a link that another user has made, which may lead to any file that only this user may write."""
    if not hasattr(os, "geteuid"):
        return
    try:
        found = path.lstat()
    except OSError:
        return
    if stat.S_ISLNK(found.st_mode) and found.st_uid not in (os.geteuid(), 0):
        raise TransferError(
            f"cannot write {str(path)!r}: it is a link that another user has made; name the file itself"
        )


def _mode_of_new_files(folder: Path) -> int:
    """Returns the permissions that a file gets which is made in a folder without any in particular."""
    try:
        # Asking the process itself would change its umask for a moment, for all threads.
        status = Path("/proc/self/status").read_text()
        return 0o666 & ~int(status.partition("\nUmask:")[2].split()[0], 8)
    except (OSError, IndexError, ValueError):
        pass
    probe = folder / f".{secrets.token_hex(8)}.tmp"
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        return stat.S_IMODE(probe.stat().st_mode)
    finally:
        probe.unlink()


@contextlib.contextmanager
def _compressed(path: Path, file: BinaryIO) -> Iterator[BinaryIO]:
    if path.suffix.lower() == ".gz":
        # The file contains neither name nor time, so that equal records make equal files.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as compressed:
            yield cast("BinaryIO", compressed)
    else:
        yield file
