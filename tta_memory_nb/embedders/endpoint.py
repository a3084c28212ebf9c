"""Embeddings from a server that speaks the protocol of OpenAI: a service, or one of your own."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import numpy as np

from ..errors import EmbedderError, InvalidArgument, harmless
from ..urls import masked_url

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SERVICE = "https://api.openai.com/v1"

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
        address = base_url or os.environ.get("OPENAI_BASE_URL") or _SERVICE
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise InvalidArgument(
                f"base_url={masked_url(address)!r}: give an address that begins with http:// or "
                "https:// and holds no password; a key goes into api_key"
            )
        self._address = address.rstrip("/") + "/embeddings"
        self._key = api_key or os.environ.get("OPENAI_API_KEY")
        if self._key and not (self._key.isascii() and self._key.isprintable()):
            raise InvalidArgument("api_key: it holds characters that no HTTP header can have")
        self._model = model
        self._prefixes = text_prefix, query_prefix
        self._timeout = timeout
        self.name = f"openai:{model}" if address == _SERVICE else f"openai:{model}@{parts.netloc}"
        self.dim = dim
        self._asked_dim = dim
        self.version = f"{version}{text_prefix}" if text_prefix else version
        self._open = build_opener(_NoRedirect).open

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
        headers = {"Content-Type": "application/json", "User-Agent": "tta-memory-nb"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = Request(self._address, json.dumps(body).encode(), headers)  # noqa: S310  checked
        try:
            with self._open(request, timeout=self._timeout) as answer:
                text = answer.read(_MOST_BYTES)
        except HTTPError as error:
            with error:
                said = error.read(2000).decode("utf-8", "replace")
            self._refuse(f"HTTP {error.code} {error.reason}: {said}")
        except (OSError, HTTPException) as error:
            self._refuse(f"no answer: {error}")
        try:
            rows = sorted(json.loads(text)["data"], key=lambda row: row.get("index", 0))
            return np.array([row["embedding"] for row in rows], np.float64)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._refuse(f"no embeddings in the answer ({type(error).__name__})")

    def _refuse(self, reason: str) -> NoReturn:
        """Raises the error that says what went wrong, without the key, which servers like to quote."""
        if self._key:
            reason = reason.replace(self._key, "***")
        reason = harmless(" ".join(reason.split())[:300])
        raise EmbedderError(f"{self.name}: {reason}") from None


class _NoRedirect(HTTPRedirectHandler):
    """Refuses redirects: the key would go to wherever a server says."""

    def redirect_request(self, *_: Any) -> None:
        """Returns None, so that the redirect is an `HTTPError`."""
