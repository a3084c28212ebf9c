"""Parses the address of a server.

    redis://[[user]:password@]host[:port][/db][?option=value]       one server
    rediss://...                                                    one server, by TLS with a verified certificate
    unix://[[user]:password@]/path/of/socket[?db=0]                 one server, by a Unix socket
    redis+cluster://[...@]host[:port][,host[:port]...]              a Cluster, by some of its nodes
    redis+sentinel://[...@]host[:port][,...]/service[/db]           the primary that the Sentinels name
    embedded:[directory]                                            a server of this user's own

``rediss+cluster`` and ``rediss+sentinel`` use TLS. The options are those of redis-py's ``from_url``; Sentinel
also has ``sentinel_username`` and ``sentinel_password``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlencode

from ...errors import InvalidArgument
from ...urls import masked_url

Kind = Literal["single", "cluster", "sentinel", "embedded"]

EMBEDDED = "embedded"

_SCHEMES: dict[str, Kind] = {
    "redis": "single",
    "rediss": "single",
    "unix": "single",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
}

_PORTS = {"cluster": 6379, "sentinel": 26379}


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server, of a Cluster, or of the Sentinels that name a server.

    Attributes:
        kind: how the server is reached.
        shown: the address without any password, for messages.
        url: URL that redis-py reads: of the server, of the Cluster's first node, or of the first Sentinel with
            the options for the primary; empty for an embedded server.
        hosts: host and port of the Cluster's nodes, or of the Sentinels.
        service: name that the Sentinels use for the primary.
        sentinel: user name and password for the Sentinels themselves.
        directory: directory of an embedded server; None for the default one.
    """

    kind: Kind
    shown: str
    url: str = field(default="", repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel: tuple[str | None, str | None] = field(default=(None, None), repr=False)
    directory: str | None = None


def is_address(text: str) -> bool:
    """Whether a text is meant as an address, as opposed to the name of a variable."""
    return "://" in text or text == EMBEDDED or text.startswith(f"{EMBEDDED}:")


def parse_address(text: str) -> Address:
    """Parses an address.

    Raises:
        InvalidArgument: the text is not the address of a server; the message holds no password.
    """
    if text == EMBEDDED or text.startswith(f"{EMBEDDED}:"):
        directory = text[len(EMBEDDED) + 1 :]
        return Address("embedded", text, directory=directory or None)
    shown = masked_url(text)
    scheme, separator, rest = text.partition("://")
    kind = _SCHEMES.get(scheme.lower())
    if not separator or kind is None:
        known = ", ".join(f"{name}://" for name in _SCHEMES if not name.startswith("rediss+"))
        raise InvalidArgument(
            f"redis_url={shown!r}: give an address that begins with {known} or 'embedded:'"
        )
    if kind == "single":
        return Address(kind, shown, text)
    rest, _, query = rest.partition("?")
    credentials, at, rest = rest.rpartition("@")
    places, _, path = rest.partition("/")
    hosts = tuple(_host(place, _PORTS[kind], shown) for place in places.split(","))
    options = dict(parse_qsl(query))
    sentinel = (options.pop("sentinel_username", None), options.pop("sentinel_password", None))
    service, _, database = path.partition("/")
    if kind == "sentinel":
        if not service:
            raise InvalidArgument(
                f"redis_url={shown!r}: name the service behind the hosts, as in "
                "redis+sentinel://host:26379/mymaster"
            )
    elif path:
        raise InvalidArgument(
            f"redis_url={shown!r}: a Cluster has one database, so leave out what is behind the hosts"
        )
    host, port = hosts[0]
    written = f"[{host}]" if ":" in host else host
    url = f"{scheme.lower().partition('+')[0]}://{credentials}{at}{written}:{port}"
    url += f"/{database}" if database else ""
    url += f"?{urlencode(options)}" if options else ""
    return Address(kind, shown, url, hosts, unquote(service), sentinel)


def _host(place: str, port: int, shown: str) -> tuple[str, int]:
    host, bracket, rest = place.rpartition("]")
    if bracket:  # an IPv6 address
        host, number = host.removeprefix("["), rest.removeprefix(":")
    else:
        host, _, number = place.partition(":")
    if not host or not (number.isdecimal() or not number):
        raise InvalidArgument(f"redis_url={shown!r}: write the hosts as host:port,host:port")
    return host, int(number or port)
