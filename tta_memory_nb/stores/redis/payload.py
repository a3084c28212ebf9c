"""Encodes a record as the bytes that a server keeps: a header of 37 bytes, followed by the text.

The header is big-endian: flags (1 byte); created_at, updated_at, expires_at (doubles, Unix seconds; 0 for
never); version (a double: the recency that the record got when it was written); size of the text in bytes before
compression (4 bytes). The scripts in `lua/` read and write the same header.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from enum import IntFlag
from struct import Struct
from typing import Any

from ...entry import Entry
from ...errors import MissingPackage, ServerError, brief
from ...text import to_utf8

_HEADER = Struct(">BddddI")
HEADER_SIZE = _HEADER.size
assert HEADER_SIZE == 37

# A text is kept compressed if that leaves at most this share of it; less is not worth the time of reading.
_WORTH = 0.9

_ZSTD_LEVEL = 3
_ZLIB_LEVEL = 6


class Flag(IntFlag):
    """How the text of a record is encoded.

    A new flag needs a new format number, see `keys.FORMAT`: earlier versions cannot read the text.
    """

    DELETED = 1
    """A tombstone in place of a record; its updated_at is the instant of the deletion."""
    ZLIB = 2
    ZSTD = 4
    SURROGATES = 8
    """UTF-8 but for lone surrogates, which UTF-8 does not allow."""
    NEW = 16
    """Only sent, never kept: the server finds out created_at, which the client does not know."""


# Plain integers: combining or testing members of an IntFlag takes a microsecond.
_DELETED, _SURROGATES, _NEW = int(Flag.DELETED), int(Flag.SURROGATES), int(Flag.NEW)
_COMPRESSED = int(Flag.ZLIB | Flag.ZSTD)

# All flags of records that are kept; the scripts know the same number.
_KNOWN = int(Flag.DELETED | Flag.ZLIB | Flag.ZSTD | Flag.SURROGATES)


class Payloads:
    """Encodes records.

    Args:
        compress_over: texts of more than this many bytes are compressed, if that makes them smaller.
    """

    def __init__(self, compress_over: int) -> None:
        self._compress_over = compress_over

    def pack(self, entry: Entry) -> tuple[bytes, bytes]:
        """Encodes header and text of a record; the server replaces the version in the header."""
        text, flags = entry.text, 0
        if type(text) is not bytes:
            text, flags = to_utf8(text), _SURROGATES  # type: ignore[arg-type]
        size = len(text)
        if size > self._compress_over:
            compressed, kind = _compress(text)
            if len(compressed) <= size * _WORTH:
                text, flags = compressed, flags | kind
        created = entry.created_at
        if created is None:
            flags, created = flags | _NEW, 0.0
        header = _HEADER.pack(
            flags, created, entry.updated_at, entry.expires_at or 0.0, entry._write_seq, size
        )
        return header, text


def unpack(key: str, blob: bytes, recency: int = 0) -> Entry | None:
    """Decodes a record; returns None for a tombstone.

    Args:
        key: key of the record.
        blob: header and text.
        recency: recency of the record; 0 if it is not known, then its version takes its place.

    Raises:
        MissingPackage: the text is compressed with zstd, which this process cannot read.
        ServerError: a later version of this package has written the record.
    """
    flags, created, updated, expires, version, _ = _HEADER.unpack_from(blob)
    if flags > _KNOWN:
        raise ServerError(
            f"the record {brief(key)} has the flags {flags & ~_KNOWN:#04x}, which this version of "
            "tta-memory-nb does not know: pip install --upgrade tta-memory-nb",
            "FORMAT",
        )
    if flags & _DELETED:
        return None
    text: bytes | str = blob[HEADER_SIZE:]
    if flags & _COMPRESSED:
        text = _decompress(text, flags)  # type: ignore[arg-type]
    if flags & _SURROGATES:
        assert isinstance(text, bytes)
        text = text.decode("utf-8", "surrogatepass")
    write_seq = int(version)
    return Entry(key, text, created, updated, expires or None, recency or write_seq, write_seq)


def _compress(text: bytes) -> tuple[bytes, int]:
    zstd = _zstd()
    if zstd is None:
        return zlib.compress(text, _ZLIB_LEVEL), int(Flag.ZLIB)
    return zstd[0](text), int(Flag.ZSTD)


def _decompress(text: bytes, flags: int) -> bytes:
    if flags & Flag.ZLIB:
        return zlib.decompress(text)
    zstd = _zstd()
    if zstd is None:
        raise MissingPackage(
            "a record was compressed with zstd by another client of this server; to read it: "
            "pip install zstandard"
        )
    return zstd[1](text)


_engine: list[Any] = []


def _zstd() -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]] | None:
    """The functions that compress and decompress; None where zstd is not installed."""
    if not _engine:
        _engine.append(_find_zstd())
    found: tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]] | None = _engine[0]
    return found


def _find_zstd() -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]] | None:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return lambda text: zstd.compress(text, _ZSTD_LEVEL), zstd.decompress
    try:
        import zstandard
    except ImportError:
        return None
    # Threads cannot share a compressor; to make one takes a microsecond or two.
    return (
        lambda text: zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(text),
        lambda text: zstandard.ZstdDecompressor().decompress(text),
    )
