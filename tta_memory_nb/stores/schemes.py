"""The schemes of addresses: the one table of backends."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["single", "cluster", "sentinel", "embedded", "file"]


class Scheme(NamedTuple):
    """What the beginning of an address says.

    Attributes:
        module: the module of this package whose ``open_store(address, settings)`` makes the store. It is
            imported when the first address asks for it.
        kind: how the server is reached, or that it is a file.
    """

    module: str
    kind: Kind


EMBEDDED = "embedded"
FILE = "file"

SCHEMES: dict[str, Scheme] = {
    "redis": Scheme(".redis.store", "single"),
    "rediss": Scheme(".redis.store", "single"),
    "unix": Scheme(".redis.store", "single"),
    "redis+cluster": Scheme(".redis.store", "cluster"),
    "rediss+cluster": Scheme(".redis.store", "cluster"),
    "redis+sentinel": Scheme(".redis.store", "sentinel"),
    "rediss+sentinel": Scheme(".redis.store", "sentinel"),
    EMBEDDED: Scheme(".redis.store", "embedded"),
    FILE: Scheme(".file.store", "file"),
}


def scheme_of(address: str) -> str:
    """Returns the scheme of an address in small letters, empty for a text without one."""
    scheme, separator, rest = address.strip().partition(":")
    if scheme in (EMBEDDED, FILE):
        return scheme
    return scheme.lower() if separator and rest.startswith("//") else ""


def is_address(text: str) -> bool:
    """Whether a text is meant as an address, as opposed to the name of a variable."""
    return "://" in text or scheme_of(text) in (EMBEDDED, FILE)
