"""The vectors of records in the index of a server: made by the embedder of this process, compared by the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from ....errors import ServerError
from ....search.meaning import Lacking, Meaning
from ....search.ranked.similarity import text_of
from ....search.vectors import digest_of
from ...plan import Plan
from .. import scripts
from ..commands import Commands
from ..keys import decode_key
from ..payload import unpack
from ..wire import Command
from .asking import Fields
from .index import ServerIndex, version_of

if TYPE_CHECKING:
    from ....search.vectors import Floats, Identity, Vectors

# Two bytes a number. The difference to four is smaller than what vectors lose in `search.vectors`.
_NUMBER = "<f2"

# How many candidates a search in a graph keeps: more find more of the nearest and take longer.
_EF = 200


@dataclass(frozen=True, slots=True)
class Near:
    """Compares the vectors of records with that of a question.

    Attributes:
        field: the field of shadows that has the vectors.
        vector: of the question.
        weight: how much similarity counts.
    """

    field: str
    vector: Floats
    weight: float

    def of(self, shadow: Fields) -> float:
        """Returns what similarity adds to the score of a record; 0 for one without a vector."""
        packed = shadow.get(self.field.encode(), b"")
        if len(packed) != 2 * len(self.vector):
            return 0.0
        vector = np.frombuffer(packed, _NUMBER).astype(np.float32)
        return self.weight * float(vector @ self.vector)

    def asked(
        self, index: ServerIndex, narrow: str, count: int, fields: tuple[str, ...]
    ) -> Command:
        """Returns the command that asks for the nearest records.

        Args:
            index: of the namespace.
            narrow: the query for what passes the filters; empty for all.
            count: how many to return.
            fields: which fields of their shadows to return.
        """
        effort = f" EF_RUNTIME {max(_EF, count)}" if self.field.startswith("eh") else ""
        query = f"({narrow or '*'})=>[KNN {count} @{self.field} $v{effort} AS d]"
        vector = self.vector.astype(_NUMBER).tobytes()
        head: Command = ("FT.SEARCH", index.name, query, "PARAMS", 2, "v", vector, "SORTBY", "d")
        tail: Command = ("RETURN", len(fields), *fields, "LIMIT", 0, count)
        return (*head, *tail, "TIMEOUT", max(1, int(index.timeout * 1000)), "DIALECT", 2)


class Embedding:
    """Has the shadows of all records get vectors, as plans.

    Args:
        commands: what asks the server.
        index: of the namespace.
        by_graph: find vectors by a graph (HNSW) in place of comparing all of them.
    """

    def __init__(self, commands: Commands, index: ServerIndex, *, by_graph: bool) -> None:
        self._commands = commands
        self._index = index
        self._by_graph = by_graph
        # Records whose texts this process is embedding: key -> version and digest of the text.
        self._waiting: dict[bytes, tuple[bytes, int]] = {}
        self._known: tuple[bytes, str] | None = None

    def near(self, text: str, meaning: Meaning, weight: float) -> Plan[Near | None]:
        """Returns what compares records with a question; None if vectors are missing, which is noted.

        Args:
            text: of the question.
            meaning: has the vectors of this process, and gets notes of those that are missing.
            weight: how much similarity counts.
        """
        vectors = meaning.vectors
        # A first question tells how many numbers a vector has.
        is_needed = vectors is None or not meaning.is_rehearsal
        vector = meaning.question(text) if is_needed else None
        if vectors is None or (is_needed and vector is None):
            return None
        field = self._field(vectors.identity)
        yield from self._begin(field, vectors.identity[2])
        yield from self._send(field, vectors)
        while (yield from self._look(field, meaning)):
            pass
        return Near(field, vector, weight) if meaning.is_complete and vector is not None else None

    def _field(self, identity: Identity) -> str:
        """Returns the field of shadows for the vectors of an embedder."""
        spelled = "\0".join(map(str, identity)).encode("utf-8", "surrogatepass")
        return f"e{'h' if self._by_graph else 'f'}{blake2b(spelled, digest_size=6).hexdigest()}"

    def _begin(self, field: str, dim: int) -> Plan[None]:
        """Has the index know the field, and lists all records as lacking a vector if it is new."""
        index = self._index
        current = (index.name, field)
        if self._known != current:
            kind: Command = ("HNSW", 8, "EF_CONSTRUCTION", 200) if self._by_graph else ("FLAT", 6)
            shape: Command = ("TYPE", "FLOAT16", "DIM", dim, "DISTANCE_METRIC", "COSINE")
            try:
                yield ("FT.ALTER", index.name, "SCHEMA", "ADD", field, "VECTOR", *kind, *shape)
            except ServerError as error:
                if "uplicate" not in str(error):
                    raise
            self._waiting.clear()
        while (yield from self._commands.run(scripts.INDEX_MARK, index.generation, field)):
            pass
        self._known = current

    def _look(self, field: str, meaning: Meaning) -> Plan[bool]:
        """Looks at some of the records without a vector; returns whether there may be more.

        Their vectors are sent if they are known here; if not, that is noted, and they wait.
        """
        rows = yield from self._index.listed(b"bare")
        vectors = meaning.vectors
        assert vectors is not None
        gone: list[tuple[bytes, bytes]] = []
        it = iter(rows)
        for key, blob in zip(it, it, strict=True):
            text = text_of(unpack(decode_key(key), blob)) if blob else ""
            if not text:
                gone.append((key, version_of(blob)))
                continue
            digest = digest_of(text)
            self._waiting[key] = (version_of(blob), digest)
            if vectors.row(digest) < 0:
                meaning.lacks[digest] = Lacking(text, decode_key(key))
        sent = yield from self._send(field, vectors, gone)
        if meaning.lacks:
            meaning.waiting = yield ("SCARD", self._index.bare)
            return False
        return bool(rows) and sent > 0

    def _send(
        self, field: str, vectors: Vectors, gone: Sequence[tuple[bytes, bytes]] = ()
    ) -> Plan[int]:
        """Sends the vectors that are known of records that wait; returns how many records are done."""
        args: list[bytes] = []
        for key, version in gone:
            args += (key, version, b"")
        for key, (version, digest) in list(self._waiting.items()):
            vector = vectors.vector(digest)
            if vector is not None:
                args += (key, version, vector.astype(_NUMBER).tobytes())
                self._waiting.pop(key, None)
        if not args:
            return 0
        done: int = yield from self._commands.run(
            scripts.INDEX_EMBED, self._index.generation, field, *args
        )
        # The server has them now.
        vectors.sweep(np.empty(0, np.uint64))
        return max(0, done)
