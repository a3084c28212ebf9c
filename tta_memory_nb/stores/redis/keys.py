"""Names of the keys of one namespace on a server.

    tta:{namespace}:values     hash: key -> header and text; tombstones of what was deleted as well
    tta:{namespace}:order      sorted set: key by its place in the order of recency
    tta:{namespace}:expiries   sorted set: key by the instant of its expiry
    tta:{namespace}:meta       hash: format, the counter of places, capacity, evictions, clients' last writes, ...
    tta:{namespace}:log        sorted set: key by the place of its deletion or of its return

The namespace is the hash tag, so all of them live in one slot of a Cluster and a script may touch
them together.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

FORMAT = 1
"""The layout of records, keys and fields that this version reads and writes.

The field ``format`` of a namespace's meta hash holds this number. A namespace without that field has format 1. A
version that stores anything which this one would misread, such as a new flag of a payload, raises the number; the
scripts compare it as well, as a text.
"""

# Longer names would be sent five times with each command.
_LONGEST = 200


class Keys(NamedTuple):
    """The keys that every script gets, in this order."""

    values: str
    order: str
    expiries: str
    meta: str
    log: str


def keys_of(namespace: str) -> Keys:
    """The keys of a namespace, whatever stands in its name."""
    prefix = _prefix(namespace)
    return Keys(*(f"{prefix}{name}" for name in Keys._fields))


def _prefix(namespace: str) -> str:
    # Everything but ASCII letters, digits and "_.-~" becomes %XX: no brace ends the hash tag, no
    # asterisk is a pattern, and two names never become one.
    name = quote(namespace, safe="", errors="surrogatepass")
    if len(name) > _LONGEST:
        # "=" is in no quoted name, so this is no other namespace's.
        name = f"{name[:_LONGEST]}={sha256(name.encode()).hexdigest()}"
    return f"tta:{{{name}}}:"
