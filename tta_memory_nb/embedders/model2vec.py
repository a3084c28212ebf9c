"""Models of Model2Vec: static vectors of tokens, distilled from a sentence encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import EmbedderError
from .packages import missing


class Model2Vec:
    """An `Embedder` over ``model2vec.StaticModel``.

    Source: https://minish.ai/packages/model2vec/.

    Args:
        model: a folder, or a name on the Hugging Face Hub, which the package then downloads.
        version: of the model. Give another one when the files in the folder change.

    Raises:
        MissingPackage: model2vec is not installed.
        EmbedderError: the model cannot be loaded.
    """

    is_quick = True
    has_words = True
    weight = 1.0

    def __init__(self, model: str, version: str = "") -> None:
        try:
            from model2vec import StaticModel
        except ImportError:
            raise missing("model2vec", "model2vec") from None
        try:
            self._model = StaticModel.from_pretrained(model)
        except Exception as error:  # a file, a network or a hub: the package passes all errors on
            raise EmbedderError(f"model2vec: cannot load {model!r}: {error}") from error
        self.name = f"model2vec:{model}"
        self.dim: int = self._model.dim
        self.version = version

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:  # noqa: ARG002
        """Returns the vectors of texts."""
        return self._model.encode(list(texts))
