"""What a memory promises of a write when it acknowledges the write: the argument ``durability``."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ..errors import InvalidArgument

_REPLICAS = re.compile(r"replicas:([1-9][0-9]{0,2})", re.ASCII)


class Durability(NamedTuple):
    """What must hold before a write to a server is acknowledged.

    Attributes:
        kind: ``"memory"``: the server has the write in its memory. ``"disk"``: it has it in its append-only
            file on the disk. ``"replicas"``: replicas have it in their memory as well.
        replicas: how many.
    """

    kind: Literal["memory", "disk", "replicas"] = "memory"
    replicas: int = 0

    def __str__(self) -> str:
        return f"replicas:{self.replicas}" if self.kind == "replicas" else self.kind


IN_MEMORY = Durability()

OF_FILES = {"full": "disk", "normal": "memory"}
"""The words of SQLite for what a file can promise, and ours."""


def read_durability(text: object) -> Durability:
    """Returns what the argument ``durability`` of a memory means.

    Of a file, the words of `OF_FILES` mean the same.

    Raises:
        InvalidArgument: it means nothing.
    """
    if text in ("memory", "disk"):
        return Durability("disk") if text == "disk" else IN_MEMORY
    if isinstance(text, str) and (found := _REPLICAS.fullmatch(text)):
        return Durability("replicas", int(found[1]))
    if isinstance(text, str) and text in OF_FILES:
        raise InvalidArgument.about(
            "durability",
            text,
            f"this is the word of SQLite, for a memory in a file; give {OF_FILES[text]!r}",
        )
    raise InvalidArgument.about(
        "durability",
        text,
        "give 'memory', 'disk' or 'replicas:N', with N from 1 to 999; for a file also 'full' or 'normal'",
    )


def named_durability(text: str | None) -> str | None:
    """Returns the name of a durability that `get_backend_info` has, for one that may have another name."""
    return OF_FILES.get(text, text) if isinstance(text, str) else text


def check_attainable(durability: Durability, place: str, attainable: tuple[str, ...]) -> None:
    """Makes sure that a place of records can promise what is asked.

    Args:
        durability: what is asked.
        place: what the records are kept in, as the subject of a sentence.
        attainable: the kinds that it can promise.

    Raises:
        InvalidArgument: it cannot.
    """
    if durability.kind not in attainable:
        named = " or ".join(map(repr, attainable))
        raise InvalidArgument.about(
            "durability",
            str(durability),
            f"{place} cannot promise it; give {named}, or the address of a server that can",
        )
