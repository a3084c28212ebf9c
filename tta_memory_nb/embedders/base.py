"""The protocol of embedders, the one table of their names, and the embedder that a name means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from ..errors import InvalidArgument, brief

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class Embedder(Protocol):
    """Turns texts into vectors.

    Three more attributes are looked at where an embedder has them. ``is_quick`` says that a text
    takes less than about 1 ms; the vectors of a quick embedder are not kept on a server. ``has_words``
    says that vectors of single words can be compared as well, so that a hybrid search can look for
    words of similar meaning. ``weight`` is how much similar meaning counts in a hybrid search, beside
    1.0 for the rarest word.

    Attributes:
        name: identifies the embedder and its model, such as ``"openai:text-embedding-3-small"``.
        dim: how many numbers a vector has; None until the first text was embedded.
        version: of the model; vectors of different versions are never compared.
    """

    @property
    def name(self) -> str:
        """Identifies the embedder and its model."""
        ...

    @property
    def dim(self) -> int | None:
        """How many numbers a vector has; None until the first text was embedded."""
        ...

    @property
    def version(self) -> str:
        """The version of the model."""
        ...

    def embed(
        self, texts: Sequence[str], *, query: bool = False
    ) -> NDArray[float32] | Awaitable[NDArray[float32]]:
        """Returns the vectors of texts, of shape ``(len(texts), dim)``; may be async.

        Args:
            texts: at least one, none of them empty.
            query: whether the texts are questions, which some models treat in another way than
                texts that are searched. An embedder that makes no difference may leave this
                parameter out.
        """
        ...


EmbedderLike: TypeAlias = str | Embedder | Callable[[Sequence[str]], Any]
"""An embedder, the name of one, or a function from texts to vectors."""


class Named(NamedTuple):
    """What a name of the table means.

    Attributes:
        module: the module of this package that has the embedder.
        maker: the name of its class there. The class takes what follows the colon of a name.
        takes: what that is, for messages; empty if the name takes nothing.
        needs: whether the name means nothing without it.
        pip: what installs the packages that the embedder imports.
    """

    module: str
    maker: str
    takes: str
    needs: bool
    pip: str


EMBEDDERS: dict[str, Named] = {
    "wordllama": Named(".wordllama", "WordLlama", "", False, "'tta-memory-nb[semantic]'"),
    "minilm": Named(".minilm", "MiniLM", "FOLDER", False, "onnxruntime tokenizers"),
    "model2vec": Named(".model2vec", "Model2Vec", "MODEL", True, "model2vec"),
    "sentence-transformers": Named(
        ".sentence_transformers", "SentenceTransformers", "MODEL", True, "sentence-transformers"
    ),
    "fastembed": Named(".fastembed", "FastEmbed", "MODEL", True, "fastembed"),
    "openai": Named(".endpoint", "Endpoint", "MODEL", True, ""),
}
"""Every embedder that has a name: what stands before the colon of ``"model2vec:MODEL"``."""

DEFAULT = "wordllama"
"""The embedder of a memory that was given none."""


def check_embedder(given: EmbedderLike) -> EmbedderLike:
    """Returns what was given as an embedder itself; nothing is imported or loaded.

    Raises:
        InvalidArgument: it is neither a known name nor an object with ``embed`` nor a callable.
    """
    if isinstance(given, str):
        named, model = _parsed(given)
        if named is None or bool(model) < named.needs or bool(model) > bool(named.takes):
            raise InvalidArgument.about(
                "embedder", given, f"give {known_names()}, an object with embed(), or a function"
            )
        return given
    if callable(getattr(given, "embed", None)) or _is_encoder(given) or callable(given):
        return given
    raise InvalidArgument.about(
        "embedder", given, f"give {known_names()}, an object with embed(), or a function"
    )


def open_embedder(given: EmbedderLike) -> Embedder:
    """Returns the embedder that a name or an object means, loaded.

    Raises:
        InvalidArgument: it means none.
        MissingPackage: a package is not installed; the message has the pip command.
        EmbedderError: the model cannot be loaded.
    """
    given = check_embedder(given)
    if isinstance(given, str):
        named, model = _parsed(given)
        assert named is not None
        maker = getattr(import_module(named.module, __package__), named.maker)
        made: Embedder = maker(model) if model else maker()
        return made
    if _is_encoder(given):
        from .sentence_transformers import SentenceTransformers

        return SentenceTransformers(given)
    if callable(getattr(given, "query_embed", None)):
        from .fastembed import FastEmbed

        return FastEmbed(given)
    if not isinstance(given, type) and callable(getattr(given, "embed", None)):
        return _complete(given)
    from .function import Function

    return Function(given)  # type: ignore[arg-type]  # check_embedder has seen that it is callable


def known_names() -> str:
    """Returns the names of the table as an error message lists them."""
    shown = []
    for name, named in EMBEDDERS.items():
        shown.append(repr(f"{name}:{named.takes}" if named.needs else name))
    return ", ".join(shown)


def _parsed(given: str) -> tuple[Named | None, str]:
    """Returns the row of the table that a name means, and what follows the colon."""
    name, _, model = given.partition(":")
    return EMBEDDERS.get(name), model


def _is_encoder(given: object) -> bool:
    """Whether an object is a model of Sentence Transformers or of Model2Vec, or works like one."""
    return not hasattr(given, "embed") and callable(getattr(given, "encode", None))


def _complete(given: Any) -> Embedder:
    """Returns the object itself, which has ``embed``, if it has the attributes of an embedder.

    Raises:
        InvalidArgument: an attribute is missing or is of another type.
    """
    kinds: dict[str, tuple[type, ...]] = {
        "name": (str,),
        "version": (str,),
        "dim": (int, type(None)),
    }
    for attribute, allowed in kinds.items():
        if not isinstance(getattr(given, attribute, Ellipsis), allowed):
            raise InvalidArgument(
                f"embedder={brief(given)}: an object with embed() also needs the attributes name "
                "(text), version (text) and dim (a number, or None while it is not known); "
                f"{attribute!r} is missing or is something else"
            )
    embedder: Embedder = given
    return embedder
