"""Embeddings from a server that speaks the protocol of OpenAI: a service, or one of your own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import EmbedderError
from ..services import Refused, Service

if TYPE_CHECKING:
    from numpy.typing import NDArray

# An answer of so many bytes is cut off: 2,048 vectors of 3,072 numbers take 130 MB of JSON.
_MOST_BYTES = 256 << 20


class Endpoint:
    """An `Embedder` over ``POST {base_url}/embeddings``.

    Source: https://platform.openai.com/docs/api-reference/embeddings. Ollama, vLLM, LM Studio, llama.cpp and
    most services have the same endpoint.

    Args:
        model: the name of the model, as the server knows it.
        base_url: address of the server; None: the environment variable ``OPENAI_BASE_URL``, or the
            service of OpenAI.
        api_key: the secret that the server asks for; None: the environment variable
            ``OPENAI_API_KEY``, or none. It is never shown, and goes to no other server: redirects are refused.
        dim: asks the server for vectors of so many numbers; None: as many as the model has.
        version: of the model. Give another one when the server has another model under this name.
        text_prefix: goes in front of each text that is searched, for models that want one.
        query_prefix: goes in front of each question.
        timeout: seconds that the server may be silent.

    Raises:
        InvalidArgument: the address is none.
    """

    weight = 2.0

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        dim: int | None = None,
        *,
        version: str = "",
        text_prefix: str = "",
        query_prefix: str = "",
        timeout: float = 30.0,
    ) -> None:
        self._service = Service(base_url, api_key, timeout)
        self._model = model
        self._prefixes = text_prefix, query_prefix
        place = self._service.place
        self.name = f"openai:{model}@{place}" if place else f"openai:{model}"
        self.dim = dim
        self._asked_dim = dim
        self.version = f"{version}{text_prefix}" if text_prefix else version

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r})"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[Any]:
        """Returns the vectors of texts; the calling thread waits for the server.

        Raises:
            EmbedderError: the server cannot be reached, refuses, or gives another answer.
        """
        prefix = self._prefixes[query]
        body: dict[str, Any] = {"model": self._model, "input": [prefix + text for text in texts]}
        if self._asked_dim is not None:
            body["dimensions"] = self._asked_dim
        try:
            answer = self._service.post("embeddings", body, _MOST_BYTES)
        except Refused as error:
            raise EmbedderError(f"{self.name}: {error}") from None
        try:
            rows = sorted(answer["data"], key=lambda row: row.get("index", 0))
            return np.array([row["embedding"] for row in rows], np.float64)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"no embeddings in the answer ({type(error).__name__})"
            raise EmbedderError(f"{self.name}: {reason}") from None
