"""Requests to a server that speaks the protocol of OpenAI: a service, or one of your own."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import urlsplit

from .errors import InvalidArgument, harmless
from .urls import masked_url

SERVICE = "https://api.openai.com/v1"


class Refused(Exception):
    """A server cannot be reached, refuses, or gives another answer; the message holds no key."""


class Service:
    """A server with paths below one address. Ollama, vLLM, LM Studio, llama.cpp and most services are such.

    Args:
        base_url: address of the server; None: the environment variable ``OPENAI_BASE_URL``, or the
            service of OpenAI.
        api_key: the secret that the server asks for; None: the environment variable
            ``OPENAI_API_KEY``, or none. It is never shown, and goes to no other server: redirects are refused.
        timeout: seconds that the server may be silent.

    Attributes:
        place: host and port of a server; empty for the service of OpenAI.

    Raises:
        InvalidArgument: the address or the key is none.
    """

    def __init__(self, base_url: str | None, api_key: str | None, timeout: float) -> None:
        address = base_url or os.environ.get("OPENAI_BASE_URL") or SERVICE
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise InvalidArgument(
                f"base_url={masked_url(address)!r}: give an address that begins with http:// or "
                "https:// and holds no password; a key goes into api_key"
            )
        self._address = address.rstrip("/")
        self._key = api_key or os.environ.get("OPENAI_API_KEY")
        if self._key and not (self._key.isascii() and self._key.isprintable()):
            raise InvalidArgument("api_key: it holds characters that no HTTP header can have")
        self._timeout = timeout
        self.place = "" if address == SERVICE else parts.netloc

    def post(self, path: str, body: dict[str, Any], most_bytes: int) -> Any:
        """Returns the JSON of an answer; the calling thread waits for the server.

        Args:
            path: below the address.
            body: the JSON of the question.
            most_bytes: a longer answer is cut off.

        Raises:
            Refused: the server cannot be reached, refuses, or gives no JSON.
        """
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import HTTPRedirectHandler, Request, build_opener

        class NoRedirect(HTTPRedirectHandler):
            """Refuses redirects: the key would go to wherever a server says."""

            def redirect_request(self, *_: Any) -> None:
                """Returns None, so that the redirect is an `HTTPError`."""

        headers = {"Content-Type": "application/json", "User-Agent": "tta-memory-nb"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        text = json.dumps(body).encode()
        request = Request(f"{self._address}/{path}", text, headers)  # noqa: S310  checked
        try:
            with build_opener(NoRedirect).open(request, timeout=self._timeout) as answer:
                return json.loads(answer.read(most_bytes))
        except HTTPError as error:
            with error:
                said = error.read(2000).decode("utf-8", "replace")
            raise self._refused(f"HTTP {error.code} {error.reason}: {said}") from None
        except (OSError, HTTPException) as error:
            raise self._refused(f"no answer: {error}") from None
        except ValueError as error:
            raise self._refused(f"no JSON in the answer ({type(error).__name__})") from None

    def _refused(self, reason: str) -> Refused:
        """Returns the error that says what went wrong, without the key, which servers like to quote."""
        if self._key:
            reason = reason.replace(self._key, "***")
        return Refused(harmless(" ".join(reason.split())[:300]))
