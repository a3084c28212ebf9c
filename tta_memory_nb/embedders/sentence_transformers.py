"""Models of Sentence Transformers, and objects that encode as they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import EmbedderError
from .packages import missing


class SentenceTransformers:
    """An `Embedder` over ``sentence_transformers.SentenceTransformer``.

    Questions go to ``encode_query`` and other texts to ``encode_document``, where the model has these
    methods. Source: https://sbert.net/docs/package_reference/SentenceTransformer.html.

    Args:
        model: a folder, a name on the Hugging Face Hub, which the package then downloads, or a
            model that is loaded already.
        version: of the model. Give another one when the files in the folder change.

    Raises:
        MissingPackage: sentence-transformers is not installed.
        EmbedderError: the model cannot be loaded.
    """

    weight = 2.0

    def __init__(self, model: Any, version: str = "") -> None:
        if isinstance(model, str):
            self.name = f"sentence-transformers:{model}"
            model = _loaded(model)
        else:
            self.name = f"{type(model).__module__}.{type(model).__qualname__}"
        self._model = model
        self.version = version
        # Newer versions of the package have given the method another name.
        size = getattr(model, "get_embedding_dimension", None) or getattr(
            model, "get_sentence_embedding_dimension", None
        )
        self.dim: int | None = size() if size else getattr(model, "dim", None)
        encode = model.encode
        self._encode_query = getattr(model, "encode_query", encode)
        self._encode_text = getattr(model, "encode_document", encode)

    def __repr__(self) -> str:
        return f"SentenceTransformers({self.name!r})"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        """Returns the vectors of texts."""
        return (self._encode_query if query else self._encode_text)(list(texts))


def _loaded(model: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise missing("sentence-transformers", "sentence-transformers") from None
    try:
        return SentenceTransformer(model)
    except Exception as error:  # a file, a network or a hub: the package passes all errors on
        raise EmbedderError(f"sentence-transformers: cannot load {model!r}: {error}") from error
