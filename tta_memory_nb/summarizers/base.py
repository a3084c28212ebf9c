"""The protocol of summarizers, the one table of their names, and the summarizer that a name means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import NamedTuple, TypeAlias

from ..errors import InvalidArgument
from ..record import MemoryRecord

Summarizer: TypeAlias = Callable[[Sequence[MemoryRecord]], str | Awaitable[str]]
"""Turns records, oldest first, into one text; may be async. The first record may be an earlier summary, to be continued."""

SummarizerLike: TypeAlias = str | Summarizer
"""A summarizer, or a name such as ``"extractive"`` or ``"openai:MODEL"``."""


class Named(NamedTuple):
    """What a name of the table means.

    Attributes:
        module: the module of this package that has the summarizer.
        maker: the name of its class there. The class takes what follows the colon of a name.
        takes: what that is, for messages; empty if the name takes nothing.
    """

    module: str
    maker: str
    takes: str = ""


SUMMARIZERS: dict[str, Named] = {
    "extractive": Named(".extractive", "Extractive"),
    "openai": Named(".endpoint", "ChatEndpoint", "MODEL"),
}
"""Every summarizer that has a name: what stands before the colon of ``"openai:MODEL"``."""

DEFAULT = "extractive"
"""The summarizer of a memory that was given none."""


def check_summarizer(given: SummarizerLike) -> SummarizerLike:
    """Returns what was given as a summarizer itself; nothing is imported or loaded.

    Raises:
        InvalidArgument: it is neither a known name nor a callable.
    """
    if isinstance(given, str):
        name, _, model = given.partition(":")
        named = SUMMARIZERS.get(name)
        if named is not None and bool(model) is bool(named.takes):
            return given
    elif callable(given):
        return given
    raise InvalidArgument.about(
        "summarizer", given, f"give {known_names()}, or a function from records to text"
    )


def open_summarizer(given: SummarizerLike, language: str = "english") -> Summarizer:
    """Returns the summarizer that a name means, or the given one itself.

    Args:
        given: a summarizer, or a name.
        language: of the texts, for a summarizer that looks at words.

    Raises:
        InvalidArgument: it means none.
    """
    given = check_summarizer(given)
    if not isinstance(given, str):
        return given
    name, _, model = given.partition(":")
    named = SUMMARIZERS[name]
    maker = getattr(import_module(named.module, __package__), named.maker)
    made: Summarizer = maker(model) if model else maker(language=language)
    return made


def known_names() -> str:
    """Returns the names of the table as an error message lists them."""
    shown = (f"{name}:{each.takes}" if each.takes else name for name, each in SUMMARIZERS.items())
    return ", ".join(map(repr, shown))
