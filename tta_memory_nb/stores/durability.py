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


def read_durability(text: object) -> Durability:
    """Returns what the argument ``durability`` of a memory means.

    Raises:
        InvalidArgument: it means nothing.
    """
    if text in ("memory", "disk"):
        return Durability("disk") if text == "disk" else IN_MEMORY
    if isinstance(text, str) and (found := _REPLICAS.fullmatch(text)):
        return Durability("replicas", int(found[1]))
    raise InvalidArgument.about(
        "durability", text, "give 'memory', 'disk' or 'replicas:N', with N from 1 to 999"
    )


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
