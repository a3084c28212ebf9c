"""Parses the address of a server.

    redis://[[user]:password@]host[:port][/db][?option=value]       one server
    rediss://...                                                    one server, by TLS with a verified certificate
    unix://[[user]:password@]/path/of/socket[?db=0]                 one server, by a Unix socket
    redis+cluster://[...@]host[:port][,host[:port]...]              a Cluster, by some of its nodes
    redis+sentinel://[...@]host[:port][,...]/service[/db]           the primary that the Sentinels name
    embedded:[directory]                                            a server of this user's own

``rediss+cluster`` and ``rediss+sentinel`` use TLS. `options` has the options; any other one is refused by its name.
Nothing is guessed: a host is never taken from a part of a password, and a database is a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from ...errors import InvalidArgument
from ...urls import address_in, masked_url
from ..schemes import EMBEDDED, SCHEMES, Kind, scheme_of
from .options import read_options

_PORTS: dict[Kind, int] = {"single": 6379, "cluster": 6379, "sentinel": 26379}

# Characters that end the part of an address in which the password is.
_ENDS = "/?#"


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

    @property
    def place(self) -> str:
        """A name of the server that is the same for each address of it, whatever its user, options and encryption."""
        if self.kind == "embedded":
            return f"{EMBEDDED}:{Path(self.directory).expanduser().absolute() if self.directory else ''}"
        parts = urlsplit(self.url)
        database = parse_qs(parts.query).get("db", ["0"])[0]
        if parts.scheme == "unix":
            return f"unix://{parts.path}/{database}"
        known = self.hosts or ((parts.hostname or "", parts.port or 0),)
        hosts = ",".join(sorted(f"{host.lower()}:{port}" for host, port in known))
        if self.kind == "single":
            return f"redis://{hosts}/{database}"
        return f"redis+{self.kind}://{hosts}/{self.service}/{database}"


def parse_address(text: str) -> Address:
    """Parses an address with one of the schemes in `stores.schemes`.

    Raises:
        InvalidArgument: the text is not the address of a server; the message holds no password.
    """
    scheme = scheme_of(text)
    if scheme == EMBEDDED:
        if server := address_in(text[len(EMBEDDED) + 1 :].strip()):
            raise InvalidArgument(
                f"redis_url={f'{EMBEDDED}:{server}'!r}: this is an address and no directory; leave out 'embedded:'"
            )
        return Address("embedded", text, directory=text[len(EMBEDDED) + 1 :] or None)
    return _Parser(scheme, text.strip()).address()


class _Parser:
    """Parses an address; every error shows it without any password.

    Args:
        scheme: one of `SCHEMES`, not that of an embedded server.
        text: the address.
    """

    def __init__(self, scheme: str, text: str) -> None:
        self.kind = SCHEMES[scheme].kind
        self.base, _, _ = scheme.partition("+")  # redis, rediss or unix
        self.shown = masked_url(text)
        self.rest = text[len(scheme) + len("://") :]

    def error(self, rule: str) -> InvalidArgument:
        return InvalidArgument(f"redis_url={self.shown!r}: {rule}")

    def address(self) -> Address:
        self._check_quoting()
        before, mark, query = self.rest.partition("?")
        credentials, hosts, path = self._split(before)
        try:
            options = read_options(query if mark else "", self.kind, self.base)
        except InvalidArgument as error:
            raise self.error(str(error)) from None
        credentials = self._login(credentials, options)
        sentinel = (options.pop("sentinel_username", None), options.pop("sentinel_password", None))
        if self.base == "unix":
            return Address(self.kind, self.shown, f"unix://{credentials}{path}{_query(options)}")
        service, _, database = path.partition("/") if self.kind == "sentinel" else ("", "", path)
        if self.kind == "sentinel" and not service:
            raise self.error(
                "name the service behind the hosts, as in redis+sentinel://host:26379/mymaster"
            )
        if self.kind == "cluster" and path:
            raise self.error("a Cluster has one database, so leave out what is behind the hosts")
        self._take_database(unquote(database).rstrip("/"), options)
        places = tuple(self._host(place) for place in hosts.split(","))
        if self.kind == "single" and len(places) > 1:
            raise self.error("name one host, or begin with redis+cluster:// or redis+sentinel://")
        host, port = places[0]
        written = f"[{host}]" if ":" in host else quote(host)
        url = f"{self.base}://{credentials}{written}:{port}{_query(options)}"
        known = () if self.kind == "single" else places
        return Address(self.kind, self.shown, url, known, unquote(service), sentinel)

    def _check_quoting(self) -> None:
        # Where the part with the password ends, only options may have an @, which is %40 there.
        end = min((at for at in map(self.rest.find, _ENDS) if at >= 0), default=len(self.rest))
        is_path = self.base == "unix" and self.rest.startswith("/")
        if "@" in (self.rest.partition("?")[2] if is_path else self.rest[end:]):
            raise self.error(
                "it is not clear where the password ends; write @ / ? # in a user name, a password or an "
                "option as %40 %2F %3F %23 (urllib.parse.quote(password, safe='') does that)"
            )
        if "#" in self.rest:
            raise self.error("write # as %23; nothing follows the options of an address")

    def _split(self, before: str) -> tuple[str, str, str]:
        """Returns the credentials without their @, the hosts, and the path."""
        authority, slash, path = before.partition("/")
        credentials, _, hosts = authority.rpartition("@")
        if self.base == "unix":
            if hosts or not path:
                raise self.error(
                    "write the path of the socket behind unix://, as in unix:///run/redis.sock"
                )
            path = quote(unquote(f"{slash}{path}"))
        return credentials, hosts, path

    def _login(self, credentials: str, options: dict[str, Any]) -> str:
        """Returns the user name and the password as a URL has them, also if they are options."""
        written: dict[str, str] = {}
        user, _, password = credentials.partition(":")
        for name, text in (("username", user), ("password", password)):
            before = unquote(text)
            option = options.pop(name, before)
            if before and option != before:
                raise self.error(f"it has two different {name}s; leave one of them out")
            written[name] = quote(option, safe="")
        return "{username}:{password}@".format(**written) if any(written.values()) else ""

    def _take_database(self, database: str, options: dict[str, Any]) -> None:
        if not database:
            return
        if not (database.isdecimal() and database.isascii()):
            raise self.error(
                "a database is a number, as in redis://host:6379/0; records are kept apart by namespace="
            )
        if options.setdefault("db", int(database)) != int(database):
            raise self.error("it names two databases; leave one of them out")

    def _host(self, place: str) -> tuple[str, int]:
        host, bracket, rest = place.rpartition("]")
        if bracket:  # an IPv6 address
            host, colon, number = host.removeprefix("["), rest[:1], rest[1:]
        else:
            host, colon, number = place.partition(":")
        if not host and self.kind == "single":
            host = "localhost"
        is_port = number.isdecimal() and number.isascii() and 0 < int(number[:6]) < 65536
        if not host or not (is_port or not (number or colon)):
            raise self.error(
                "write the port as a number, as in redis://host:6379"
                if self.kind == "single"
                else "write the hosts as host:port,host:port"
            )
        return unquote(host), int(number) if number else _PORTS[self.kind]


def _query(options: dict[str, Any]) -> str:
    return f"?{urlencode(options)}" if options else ""
