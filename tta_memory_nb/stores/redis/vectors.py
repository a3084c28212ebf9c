"""Vectors that a slow embedder has made, kept on the server once for all clients.

They are a cache. A vector carries the digest of its text, so a client uses only one that belongs to the
text that it has; writing a record, an outage, or a client that knows no vectors needs no coordination. What is
missing or damaged is embedded again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote

from ...errors import ServerError
from ...filters import EVERYTHING
from ..plan import Plan
from .commands import Commands
from .keys import encode_key, vectors_of
from .operations import pages

# A longer name of an embedder is abbreviated.
_LONGEST = 100

# Fields of records that are gone are dropped when they are more than all others, and than so many.
_SPARE = 1000


class VectorHashes:
    """The vectors of one namespace on a server, as plans: a hash for each embedder.

    Args:
        namespace: name of the tenant.
        commands: what asks the server.
    """

    def __init__(self, namespace: str, commands: Commands) -> None:
        self._names, self._prefix = vectors_of(namespace)
        self._commands = commands

    def load(self, identity: tuple[str, str, int], keys: Sequence[str]) -> Plan[dict[str, bytes]]:
        """Returns what the server has of the vectors of some records, as bytes by key.

        Args:
            identity: of the embedder.
            keys: of the records.
        """
        found: dict[str, bytes] = {}
        name = self._hash_of(identity)
        for page in pages(keys):
            try:
                values = yield ("HMGET", self._prefix + name, *map(encode_key, page))
            except ServerError:  # a right is missing, or another program uses the name
                return found
            found.update(
                (key, value)
                for key, value in zip(page, values, strict=True)
                if isinstance(value, bytes)
            )
        return found

    def save(self, identity: tuple[str, str, int], vectors: Mapping[str, bytes]) -> Plan[None]:
        """Keeps the vectors of some records, by key. A server that refuses keeps none of them.

        Args:
            identity: of the embedder.
            vectors: as bytes by key.
        """
        name = self._hash_of(identity)
        try:
            # The name first: `clear` must know of every hash.
            yield ("SADD", self._names, name)
            for page in pages(list(vectors)):
                fields: list[bytes] = []
                for key in page:
                    fields += (encode_key(key), vectors[key])
                yield ("HSET", self._prefix + name, *fields)
            yield from self._sweep(self._prefix + name)
        except ServerError:  # out of memory, read-only, or a right is missing
            return

    def _sweep(self, name: bytes) -> Plan[None]:
        """Drops the vectors of records that are gone, when these are the most."""
        fields = yield ("HLEN", name)
        size = yield from self._commands.size()
        if fields <= 2 * size + _SPARE:
            return
        there = set(map(encode_key, (yield from self._commands.list_keys(EVERYTHING))))
        cursor = b"0"
        while True:
            cursor, found = yield ("HSCAN", name, cursor, "COUNT", "500")
            gone = [field for field in found[::2] if field not in there]
            if gone:
                yield ("HDEL", name, *gone)
            if cursor == b"0":
                return

    @staticmethod
    def _hash_of(identity: tuple[str, str, int]) -> bytes:
        """Returns the end of the name of the hash that has the vectors of an embedder."""
        name = "/".join(quote(str(part), safe="") for part in identity)
        if len(name) > _LONGEST:
            name = f"{name[:_LONGEST]}={sha256(name.encode()).hexdigest()}"
        return name.encode()
