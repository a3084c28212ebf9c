"""Items ranked by the meaning of their fields: several vectors an item, of which the nearest counts."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from langgraph.store.base import get_text_at_path, tokenize_path

from ...embedders.base import DEFAULT, EmbedderLike, check_embedder, open_embedder
from ...entry import Entry
from ...errors import InvalidArgument
from ...stores.plan import Call, Plan
from .items import item_of

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from ...embedders.checking import Asked

# Vectors of so many items are kept in this process.
_KEPT = 200_000

# Seconds that an embedder may take for one call.
_TIMEOUT = 30.0


class OfLangChain:
    """An `Embedder` of LangChain's ``Embeddings``.

    Source: https://reference.langchain.com/python/langchain_core/embeddings.
    """

    dim = None
    version = ""

    def __init__(self, embeddings: Embeddings) -> None:
        self.name = f"{type(embeddings).__module__}.{type(embeddings).__qualname__}"
        self._embeddings = embeddings

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        """Returns the vectors of texts."""
        if query:
            return [self._embeddings.embed_query(text) for text in texts]
        return self._embeddings.embed_documents(list(texts))


class Vectors:
    """The vectors of items, made when a search first needs them, and kept in this process.

    Args:
        embed: an embedder, the name of one, a function, or LangChain's ``Embeddings``; None for ``"wordllama"``.
        fields: paths of the fields that are embedded, such as ``"chapters[*].text"``; ``"$"`` is the whole item.
        dims: how many numbers a vector must have; None for any.

    Raises:
        InvalidArgument: no embedder.
    """

    def __init__(self, embed: Any, fields: Sequence[str], dims: int | None) -> None:
        given = OfLangChain(embed) if isinstance(embed, Embeddings) else embed
        self._given: EmbedderLike = DEFAULT if given is None else check_embedder(given)
        self._paths = _paths(fields)
        self._dims = dims
        self._asked: Asked | None = None
        self._known: dict[bytes, NDArray[float32]] = {}

    def scores(self, query: str, entries: Sequence[Entry]) -> Plan[list[float | None]]:
        """Returns how near each item is to a question: the cosine of its nearest vector; None if it has no vector.

        Raises:
            EmbedderError: the embedder fails.
            MissingPackage: it is not installed.
            InvalidArgument: its vectors have another size than the index was given.
        """
        import numpy as np

        if self._asked is None:
            self._asked = yield Call(self._open)
        asked = self._asked
        [question] = yield from self._embedded(asked, [query], is_query=True)
        digests = [blake2b(str(entry.text).encode(), digest_size=16).digest() for entry in entries]
        missing = {
            digest: self._texts(entry)
            for digest, entry in zip(digests, entries, strict=True)
            if digest not in self._known
        }
        texts = list(dict.fromkeys(text for several in missing.values() for text in several))
        vectors: dict[str, Any] = {}
        left = iter(texts)
        while batch := list(islice(left, 512 if asked.is_quick else 32)):
            made = yield from self._embedded(asked, batch, is_query=False)
            vectors |= zip(batch, made, strict=True)
        none = np.zeros((0, len(question)), np.float32)
        new = {
            digest: np.stack([vectors[text] for text in several]) if several else none
            for digest, several in missing.items()
        }
        tables = [new[each] if each in new else self._known[each] for each in digests]
        self._keep(new)
        return _nearest(question, tables)

    def _keep(self, new: dict[bytes, NDArray[float32]]) -> None:
        self._known |= new
        while len(self._known) > _KEPT:
            self._known.pop(next(iter(self._known)), None)

    def _texts(self, entry: Entry) -> list[str]:
        """Returns the texts of an item that are embedded."""
        value, fields = item_of(entry.value())
        if fields is False:
            return []
        paths = self._paths if fields is None else _paths(fields)
        found = [text for path in paths for text in get_text_at_path(value, path)]
        return [text for text in dict.fromkeys(found) if text]

    def _open(self) -> Asked:
        from ...embedders.checking import Asked

        return Asked(open_embedder(self._given), _TIMEOUT)

    def _embedded(self, asked: Asked, texts: list[str], *, is_query: bool) -> Plan[Any]:
        if asked.is_quick and is_query:
            vectors = asked.embed_now(texts, is_query)
        else:
            vectors = yield Call(asked.caller, texts, is_query)
        if self._dims is not None and vectors.shape[1] != self._dims:
            raise InvalidArgument(
                f"index['dims']={self._dims}: the vectors of the embedder {asked.name!r} have "
                f"{vectors.shape[1]} numbers; give dims={vectors.shape[1]}, or another embedder"
            )
        return vectors


def _paths(fields: Sequence[str]) -> list[Any]:
    """Returns paths of fields as LangGraph reads them."""
    return [field if field == "$" else tokenize_path(field) for field in fields]


def _nearest(question: Any, tables: Sequence[Any]) -> list[float | None]:
    """Returns the greatest product of each table's rows with the question; None for an empty table."""
    import numpy as np

    filled = [table for table in tables if len(table)]
    if not filled:
        return [None] * len(tables)
    products = np.concatenate(filled) @ question
    starts = np.cumsum([0, *(len(table) for table in filled[:-1])])
    best = iter(np.maximum.reduceat(products, starts).tolist())
    return [next(best) if len(table) else None for table in tables]
