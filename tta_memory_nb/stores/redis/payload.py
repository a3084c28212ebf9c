"""Encodes a record as the bytes that a server keeps: a header of 37 bytes, followed by the text.

The header is big-endian: flags (1 byte); created_at, updated_at, expires_at (doubles, Unix seconds; 0 for
never); version (a double: the recency that the record got when it was written); size of the text in bytes before
compression (4 bytes). With the flag `SLIDING` the text follows 8 bytes more: the seconds after a read at which the record
expires (a double; 0 for a record that only `touch` has changed). The scripts in `lua/` read and write the same header, and
write the expiry anew without the text being sent.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from enum import IntFlag
from struct import Struct
from typing import Any, TypeAlias

from ...codec import check_json, to_json
from ...entry import Entry, Unreadable
from ...errors import MissingPackage, harmless
from ...text import to_utf8
from .keys import is_foreign

_HEADER = Struct(">BddddI")
HEADER_SIZE = _HEADER.size
assert HEADER_SIZE == 37

# A text is kept compressed if that leaves at most this share of it; less is not worth the time of reading.
_WORTH = 0.9

_ZSTD_LEVEL = 3
_ZLIB_LEVEL = 6


class Flag(IntFlag):
    """How the text of a record is encoded.

    A record with a flag that a version does not know is unreadable to that version, which says so and leaves it alone. A
    flag that an earlier version would misread needs a new format number, see `keys.FORMAT`.
    """

    DELETED = 1
    """A tombstone in place of a record; its updated_at is the instant of the deletion."""
    ZLIB = 2
    ZSTD = 4
    SURROGATES = 8
    """UTF-8 but for lone surrogates, which UTF-8 does not allow."""
    NEW = 16
    """Only sent, never kept: the server finds out created_at, which the client does not know."""
    SLIDING = 32
    """The text follows 8 bytes more. The expiry may be another one than at the time of the write."""


# Plain integers: combining or testing members of an IntFlag takes a microsecond.
_DELETED, _SURROGATES, _NEW = int(Flag.DELETED), int(Flag.SURROGATES), int(Flag.NEW)
_SLIDING = int(Flag.SLIDING)
_COMPRESSED = int(Flag.ZLIB | Flag.ZSTD)

# What an instant of a header may be, in Unix seconds: the years 1 to 9999.
_FIRST, _LAST = -62_135_596_800.0, 253_402_300_799.0

MOST_SEQ = 1 << 53
"""No number of the server's counter comes up to this; a double holds all integers below it."""

# The most bytes of one value on a server, unless it is configured otherwise.
_MOST_BYTES = 512 << 20

# zstd sets so many bytes aside before it reads the first one; its level 19 needs as many.
_MOST_WINDOW = 8 << 20

# All flags of records that are kept; the scripts know the same number.
_KNOWN = int(Flag.DELETED | Flag.ZLIB | Flag.ZSTD | Flag.SURROGATES | Flag.SLIDING)

_SPAN = Struct(">d")
_SLIDING_SIZE = HEADER_SIZE + _SPAN.size


class Payloads:
    """Encodes records.

    Args:
        compress_over: texts of more than this many bytes are compressed, if that makes them smaller.
    """

    def __init__(self, compress_over: int) -> None:
        self._compress_over = compress_over

    def pack(self, entry: Entry) -> tuple[bytes, bytes]:
        """Encodes header and text of a record; the server replaces the version in the header."""
        if isinstance(entry, Unreadable):
            if len(entry.raw) < HEADER_SIZE:
                return bytes(HEADER_SIZE), entry.raw
            return entry.raw[:HEADER_SIZE], entry.raw[HEADER_SIZE:]
        text, flags = entry.text, 0
        if type(text) is not bytes:
            text, flags = to_utf8(text), _SURROGATES  # type: ignore[arg-type]
        size = len(text)
        if size > self._compress_over:
            compressed, kind = _compress(text)
            if len(compressed) <= size * _WORTH:
                text, flags = compressed, flags | kind
        if entry.sliding is not None:
            text, flags = _SPAN.pack(entry.sliding) + text, flags | _SLIDING
        created = entry.created_at
        if created is None:
            flags, created = flags | _NEW, 0.0
        header = _HEADER.pack(
            flags, created, entry.updated_at, entry.expires_at or 0.0, entry._write_seq, size
        )
        return header, text


def unpack(key: str, blob: bytes, recency: int = 0) -> Entry | None:
    """Decodes a record; returns None for a tombstone.

    Whatever is kept under a key of the namespace, no error is raised and no more memory is taken than the
    header declares: what cannot be read becomes an `Unreadable` that says why.

    Args:
        key: key of the record.
        blob: header and text.
        recency: recency of the record; 0 if it is not known, then its version takes its place.
    """
    if len(blob) < HEADER_SIZE:
        return _unreadable(key, blob, recency, "its header is cut short")
    flags, created, updated, expires, version, size = _HEADER.unpack_from(blob)
    if flags & ~_KNOWN:
        reason = (
            f"it has the flags {flags & ~_KNOWN:#04x}, which this version of tta-memory-nb does not "
            "know: pip install --upgrade tta-memory-nb"
        )
        return _unreadable(key, blob, recency, reason, "FORMAT")
    if flags & _DELETED:
        return None
    # NaN is in no range.
    if not (
        _FIRST <= created <= _LAST
        and _FIRST <= updated <= _LAST
        and _FIRST <= expires <= _LAST
        and 0 <= version <= MOST_SEQ
    ):
        return _unreadable(key, blob, recency, "its header holds an impossible instant or number")
    sliding = None
    text: bytes | str = blob[HEADER_SIZE:]
    if flags & _SLIDING:
        if len(blob) < _SLIDING_SIZE:
            return _unreadable(key, blob, recency, "its header is cut short")
        expires, sliding = expiry_of(blob)
        text = blob[_SLIDING_SIZE:]
    try:
        if flags & _COMPRESSED:
            text = _decompress(text, flags, size)  # type: ignore[arg-type]
        if flags & _SURROGATES:
            text = text.decode("utf-8", "surrogatepass")  # type: ignore[union-attr]
        check_json(text)
    except MissingPackage as error:
        return _unreadable(key, blob, recency, str(error), "PACKAGE")
    except ValueError as error:
        return _unreadable(key, blob, recency, harmless(str(error)))
    if is_foreign(key):
        return _unreadable(key, blob, recency, "its key is no text in UTF-8")
    write_seq = int(version)
    entry = Entry(key, text, created, updated, expires or None, recency or write_seq, write_seq)
    if sliding is not None:
        entry.sliding = sliding
    return entry


def expiry_of(blob: bytes) -> tuple[float | None, float | None]:
    """Returns expiry and time to slide by, of a record with the flag `SLIDING`; None for none."""
    expires, span = _HEADER.unpack_from(blob)[3], _SPAN.unpack_from(blob, HEADER_SIZE)[0]
    return expires or None, span if span > 0 and expires else None


def _unreadable(
    key: str, blob: bytes, recency: int, reason: str, code: str = "UNREADABLE"
) -> Unreadable:
    created = updated = version = expires = 0.0
    if len(blob) >= HEADER_SIZE:
        _, created, updated, expires, version, _ = _HEADER.unpack_from(blob)
    write_seq = int(version) if 0 <= version <= MOST_SEQ else 0
    return Unreadable(
        key,
        to_json({"unreadable": reason}).encode(),
        _shown(created),
        _shown(updated),
        _shown(expires) or None,
        recency or write_seq,
        write_seq,
        reason=reason,
        code=code,
        raw=blob,
    )


def _shown(at: float) -> float:
    """Returns an instant of a header that may hold anything; 0 for none that can be shown."""
    return at if _FIRST <= at <= _LAST else 0.0


def _compress(text: bytes) -> tuple[bytes, int]:
    zstd = _zstd()
    if zstd is None:
        return zlib.compress(text, _ZLIB_LEVEL), int(Flag.ZLIB)
    return zstd[0](text), int(Flag.ZSTD)


def _decompress(text: bytes, flags: int, size: int) -> bytes:
    """Decompresses a text.

    Args:
        text: the compressed text.
        flags: of the record.
        size: the bytes that its header declares; no more are made.

    Raises:
        ValueError: the text is damaged, or is not of that size.
        MissingPackage: the text is compressed with zstd, which this process cannot read.
    """
    if size > _MOST_BYTES:
        raise ValueError(f"it declares {size:,} bytes, more than a server keeps in one value")
    if flags & Flag.ZLIB:
        try:
            found = zlib.decompressobj().decompress(text, size + 1)
        except zlib.error as error:
            raise ValueError(f"its text cannot be decompressed: {error}") from None
    else:
        zstd = _zstd()
        if zstd is None:
            raise MissingPackage(
                "it was compressed with zstd by another client of this server; to read it: "
                "pip install zstandard"
            )
        try:
            found = zstd[1](text, size + 1)
        except Exception as error:  # of a class that only the package has
            raise ValueError(f"its text cannot be decompressed: {error}") from None
    if len(found) != size:
        raise ValueError(f"its text is not of the {size:,} bytes that its header declares")
    return found


_Zstd: TypeAlias = tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]
"""Compresses; and decompresses at most so many bytes."""

_engine: list[Any] = []


def _zstd() -> _Zstd | None:
    """The functions that compress and decompress; None where zstd is not installed."""
    if not _engine:
        _engine.append(_find_zstd())
    found: _Zstd | None = _engine[0]
    return found


def _find_zstd() -> _Zstd | None:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return (
            lambda text: zstd.compress(text, _ZSTD_LEVEL),
            lambda text, most: zstd.ZstdDecompressor().decompress(text, most),
        )
    try:
        import zstandard
    except ImportError:
        return None
    # Threads cannot share a compressor; to make one takes a microsecond or two.
    return (
        lambda text: zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(text),
        lambda text, most: _read_zstd(zstandard, text, most),
    )


def _read_zstd(zstandard: Any, text: bytes, most: int) -> bytes:
    # The size that a frame declares is what decompressing it at once would take.
    engine = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
    if 0 <= zstandard.frame_content_size(text) < most:
        found: bytes = engine.decompress(text)
        return found
    with engine.stream_reader(text) as reader:
        part: bytes = reader.read(most)
    return part
