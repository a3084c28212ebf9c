"""Names of the keys of one namespace on a server.

    tta:{namespace}:values     hash: key -> header and text of a record, or a tombstone
    tta:{namespace}:order      sorted set: key by recency
    tta:{namespace}:expiries   sorted set: key by the instant of its expiry, in Unix seconds
    tta:{namespace}:meta       hash: format, counter of recencies, capacity, evictions, number of the list of tombstones, last writes of clients, ...
    tta:{namespace}:log        sorted set: key by the counter at its deletion or restoration
    tta:{namespace}:answers:*  hash: answer by write id, of the last writes of one client; expires soon
    tta:{namespace}:v:*        hash: key -> digest of a text and its vector, of one slow embedder
    tta:{namespace}:vectors    set: what the names of these hashes end with
    tta:{namespace}:i*:*       hash: what an index on the server sees of one record, see redisearch/shadows.py
    tta:{namespace}:pending    set: keys of records that such an index does not have as they are now
    tta:{namespace}:bare       set: keys of records that it has without a vector
    tta:{namespace}:changes    hash: number -> a change of a record that is kept, and the record before it, see lua/changes.lua

The namespace is the hash tag. So all keys of a namespace are in one slot of a Cluster, and one script may use them
all.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from ...text import to_utf8

FORMAT = 1
"""The layout of records, keys and fields that this version reads and writes.

The field ``format`` of a namespace's meta hash holds this number. A namespace without that field has format 1. A
version that stores anything which this one would misread, such as a new flag of a payload, raises the number; the
scripts compare it as well, as a text.
"""

INDEXED_FORMATS = (b"1+index", b"1+index+history")
"""The formats of a namespace with an index on the server (`redisearch`).

Its records are those of format 1. A version that does not know it would write records and not list them for the index, so
it has to refuse the namespace, which it does with every format but its own.
"""

KEEPING_FORMATS = (b"1+history", b"1+index+history")
"""The formats of a namespace that keeps changes of its records, which such a version would not write."""

FORMATS = (b"%d" % FORMAT, *INDEXED_FORMATS, *KEEPING_FORMATS)
"""All formats that this version knows."""

# Every command sends the name of the namespace five times, so a longer name is abbreviated.
_LONGEST = 200


class Keys(NamedTuple):
    """The keys of a namespace, in the order in which every script gets them."""

    values: str
    order: str
    expiries: str
    meta: str
    log: str


def keys_of(namespace: str) -> Keys:
    """The keys of a namespace, whose name may be any text."""
    prefix = _prefix(namespace)
    return Keys(*(f"{prefix}{name}" for name in Keys._fields))


# Keys that other programs have put into a namespace and that are no text: as they are shown -> their bytes.
_foreign: dict[str, bytes] = {}
_MOST_FOREIGN = 10_000


def decode_key(raw: bytes) -> str:
    """Returns the key of a record as text; bytes that are no text are spelled out."""
    try:
        key = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        key = raw.decode("utf-8", "backslashreplace")
    else:
        if key:
            return key
        key = "(empty key)"
    if len(_foreign) < _MOST_FOREIGN:
        _foreign[key] = raw
    return key


def encode_key(key: str) -> bytes:
    """Returns a key as the server has it; also one that `decode_key` has spelled out."""
    return to_utf8(key) if key not in _foreign else _foreign[key]


def is_foreign(key: str) -> bool:
    """Returns whether a key was spelled out by `decode_key`."""
    return key in _foreign


def answers_of(namespace: str) -> str:
    """What the names of the keys begin with that keep answers; the name of the client follows."""
    return f"{_prefix(namespace)}answers:"


def vectors_of(namespace: str) -> tuple[bytes, bytes]:
    """The key of the set of hashes with vectors, and what the names of these hashes begin with."""
    prefix = _prefix(namespace)
    return f"{prefix}vectors".encode(), f"{prefix}v:".encode()


class IndexKeys(NamedTuple):
    """The keys of an index on the server.

    Attributes:
        pending: set of the keys that it lacks.
        bare: set of the keys that it has without a vector.
        prefix: what the names of indexes and of shadows begin with; the generation follows.
    """

    pending: bytes
    bare: bytes
    prefix: bytes


def index_of(namespace: str) -> IndexKeys:
    """The keys of an index on the server for a namespace."""
    prefix = _prefix(namespace)
    return IndexKeys(*(f"{prefix}{name}".encode() for name in ("pending", "bare", "i")))


def _prefix(namespace: str) -> str:
    # All characters but ASCII letters, digits and "_.-~" become %XX. So no brace ends the hash tag, no
    # asterisk acts as a pattern, and two names never get the same keys.
    name = quote(namespace, safe="", errors="surrogatepass")
    if len(name) > _LONGEST:
        # No quoted name contains "=", so no other namespace has this name.
        name = f"{name[:_LONGEST]}={sha256(name.encode()).hexdigest()}"
    return f"tta:{{{name}}}:"
