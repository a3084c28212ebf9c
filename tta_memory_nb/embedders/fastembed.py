"""Models of FastEmbed, which run on onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import EmbedderError
from .packages import missing

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FastEmbed:
    """An `Embedder` over ``fastembed.TextEmbedding``.

    Questions go to ``query_embed`` and other texts to ``passage_embed``. Source:
    https://qdrant.github.io/fastembed/.

    Args:
        model: a name of the package's list, which the package then downloads, or a model that is
            loaded already.
        version: of the model. Give another one when the files of the model change.

    Raises:
        MissingPackage: fastembed is not installed.
        EmbedderError: the model cannot be loaded.
    """

    weight = 2.0
    dim = None

    def __init__(self, model: Any, version: str = "") -> None:
        if isinstance(model, str):
            self.name = f"fastembed:{model}"
            model = _loaded(model)
        else:
            self.name = f"fastembed:{getattr(model, 'model_name', type(model).__qualname__)}"
        self._model = model
        self.version = version

    def __repr__(self) -> str:
        return f"FastEmbed({self.name!r})"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[Any]:
        """Returns the vectors of texts."""
        embed = self._model.query_embed if query else self._model.passage_embed
        return np.array(list(embed(list(texts))))


def _loaded(model: str) -> Any:
    try:
        from fastembed import TextEmbedding
    except ImportError:
        raise missing("fastembed", "fastembed") from None
    try:
        return TextEmbedding(model_name=model)
    except Exception as error:  # a file, a network or a hub: the package passes all errors on
        raise EmbedderError(f"fastembed: cannot load {model!r}: {error}") from error
