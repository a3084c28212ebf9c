"""Asks an embedder, within a time limit, and checks what it answers.

An embedder is foreign code: it may raise, hang, give other numbers than it should, or be another
one from one call to the next. None of that may reach the vectors that a memory keeps.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from ..errors import EmbedderError, brief, harmless

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from .base import Embedder


def takes_query(function: Callable[..., Any]) -> bool:
    """Whether a function has a parameter ``query``."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a function of C without a signature
        return False
    return any(each.name == "query" or each.kind is each.VAR_KEYWORD for each in parameters)


class Asked:
    """An embedder whose answers are checked.

    Args:
        embedder: the embedder.
        timeout: seconds that it may take for one call.

    Attributes:
        is_quick: whether a text takes less than about 1 ms, see `Embedder`.
        has_words: whether vectors of single words can be compared.
        weight: how much similar meaning counts in a hybrid search.
    """

    def __init__(self, embedder: Embedder, timeout: float) -> None:
        self._embedder = embedder
        self._timeout = timeout
        self._takes_query = takes_query(embedder.embed)
        self._is_async = inspect.iscoroutinefunction(embedder.embed) or bool(
            getattr(embedder, "is_async", False)
        )
        self._dim = embedder.dim
        self.is_quick = not self._is_async and bool(getattr(embedder, "is_quick", False))
        self.has_words = bool(getattr(embedder, "has_words", False))
        self.weight = float(getattr(embedder, "weight", 2.0))

    @property
    def name(self) -> str:
        """The name of the embedder."""
        return self._embedder.name

    @property
    def dim(self) -> int | None:
        """How many numbers a vector has; None until the first text was embedded."""
        return self._dim

    @property
    def identity(self) -> tuple[str, str, int]:
        """Name, version and size of the vectors; vectors of different identities are never compared.

        An embedder that has become another one, by what it says of itself, has another identity.
        """
        embedder = self._embedder
        if embedder.dim is not None:
            self._dim = embedder.dim
        return embedder.name, embedder.version, self._dim or 0

    @property
    def caller(self) -> Callable[[Sequence[str], bool], Any]:
        """What a runner calls or awaits for the vectors of texts: `embed` or `embed_async`."""
        return self.embed_async if self._is_async else self.embed

    def embed_now(self, texts: Sequence[str], query: bool) -> NDArray[float32]:
        """Returns the unit vectors of texts from a quick embedder, in the calling thread.

        Raises:
            EmbedderError: the embedder raises, or gives something else.
        """
        return self._checked(self._call(texts, query), len(texts))

    async def embed_async(self, texts: Sequence[str], query: bool) -> NDArray[float32]:
        """Returns the unit vectors of texts from an async embedder, awaited on the running loop.

        Raises:
            EmbedderError: as `embed`.
        """
        import asyncio

        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._ask(texts, query)
        except EmbedderError:
            raise
        except TimeoutError:
            raise self._late() from None
        except Exception as error:  # whatever the embedder raises: searches by words go on
            raise self._error(_said(error)) from error
        return self._checked(answer, len(texts))

    def embed(self, texts: Sequence[str], query: bool) -> NDArray[float32]:
        """Returns the unit vectors of texts; the calling thread waits, at most for the time limit.

        Raises:
            EmbedderError: the embedder raises, takes too long, or gives something else.
        """
        answers: list[Any] = []
        done = Lock()
        done.acquire()

        def ask() -> None:
            try:
                answers.append(self._call(texts, query))
            except BaseException as error:  # a thread of its own must not end with a traceback
                answers.append(error)
            done.release()

        # Not a pool: a call that hangs would keep one of its threads, and the process, for ever.
        Thread(target=ask, name="tta-memory-embedder", daemon=True).start()
        if not done.acquire(timeout=self._timeout):
            raise self._late()
        answer = answers[0]
        if isinstance(answer, EmbedderError):
            raise answer
        if isinstance(answer, BaseException):
            raise self._error(_said(answer)) from answer
        return self._checked(answer, len(texts))

    def _ask(self, texts: Sequence[str], query: bool) -> Any:
        """Returns what the embedder answers, or an awaitable."""
        clean = [_without_surrogates(text) for text in texts]
        embed = self._embedder.embed
        return embed(clean, query=query) if self._takes_query else embed(clean)

    def _call(self, texts: Sequence[str], query: bool) -> Any:
        """Returns what the embedder answers, awaited."""
        try:
            answer = self._ask(texts, query)
            return _awaited(answer) if inspect.isawaitable(answer) else answer
        except EmbedderError:
            raise
        except Exception as error:  # whatever the embedder raises: searches by words go on
            raise self._error(_said(error)) from error

    def _checked(self, answer: Any, count: int) -> NDArray[float32]:
        """Returns vectors of length 1, or of zeros where the embedder has nothing to say.

        Raises:
            EmbedderError: the answer has another shape, or holds something else than numbers.
        """
        import numpy as np

        try:
            given = answer if hasattr(answer, "__array__") else list(answer)
            if np.iscomplexobj(given):
                raise TypeError("complex")  # noqa: TRY301  half of each number would be lost
            vectors = np.array(given, np.float64)
        except (TypeError, ValueError) as error:
            raise self._error(f"it gave {brief(answer)}, which is no matrix of numbers") from error
        if vectors.ndim != 2 or len(vectors) != count or not vectors.shape[1]:
            raise self._error(
                f"it gave an array of shape {vectors.shape} for {count} texts; the shape has to be "
                f"({count}, dim)"
            )
        if self._dim is None:
            self._dim = vectors.shape[1]
        elif vectors.shape[1] != self._dim:
            raise self._error(
                f"it gave vectors of {vectors.shape[1]} numbers, and not of {self._dim}; give an "
                "embedder with another version if its model has changed"
            )
        if not np.isfinite(vectors).all():
            raise self._error("it gave numbers that are infinite or NaN")
        # Numbers beyond 1e150 would overflow when they are squared.
        vectors /= np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-300)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
        return vectors.astype(np.float32)

    def _late(self) -> EmbedderError:
        error = self._error(f"no answer within {self._timeout:g} s")
        error.is_late = True
        return error

    def _error(self, reason: str) -> EmbedderError:
        return EmbedderError(f"the embedder {brief(self.name)} failed: {reason}")


def _said(error: BaseException) -> str:
    """Returns an error as part of another message, on one line."""
    said = harmless(" ".join(f"{type(error).__name__}: {error}".split()))
    return said if len(said) <= 300 else f"{said[:297]}..."


def _without_surrogates(text: str) -> str:
    """Returns text that UTF-8 can hold, which tokenizers insist on."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _awaited(awaitable: Awaitable[Any]) -> Any:
    """Awaits in the calling thread, in a loop of its own."""
    import asyncio

    async def wait() -> Any:
        return await awaitable

    return asyncio.run(wait())
