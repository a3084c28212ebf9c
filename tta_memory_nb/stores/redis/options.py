"""The options of an address, behind its ``?``: each one is honoured, or refused by its name."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

from ...errors import InvalidArgument, brief, harmless

Reader: TypeAlias = Callable[[str], Any]
"""Makes the value of an option; its ValueError says what to give instead."""

_TRUE, _FALSE = ("true", "yes", "y", "on", "1"), ("false", "no", "n", "off", "0")


def _switch(text: str) -> bool:
    if text.lower() in (*_TRUE, *_FALSE):
        return text.lower() in _TRUE
    raise ValueError("true or false")


def _seconds(text: str) -> float:
    number = _float(text)
    if number is None or not 0 < number < 1e9:
        raise ValueError("a positive number of seconds")
    return number


def _whole(least: int, what: str) -> Reader:
    def read(text: str) -> int:
        if not (text.isdecimal() and text.isascii() and len(text) < 10 and int(text) >= least):
            raise ValueError(what)
        return int(text)

    return read


def _protocol(text: str) -> int:
    if text not in ("2", "3"):
        raise ValueError("2 or 3")
    return int(text)


def _certificates(text: str) -> str:
    if text not in ("none", "optional", "required"):
        raise ValueError("none, optional or required")
    return text


def _text(text: str) -> str:
    if not text:
        raise ValueError("some text")
    return text


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_ANY: dict[str, Reader] = {
    "db": _whole(0, "the number of a database"),
    "username": _text,
    "password": _text,
    "client_name": _text,
    "protocol": _protocol,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "health_check_interval": _whole(0, "a whole number of seconds"),
    "max_connections": _whole(1, "a whole number of at least 1"),
}
_TCP: dict[str, Reader] = {"socket_keepalive": _switch}
_TLS: dict[str, Reader] = {
    "ssl_cert_reqs": _certificates,
    "ssl_check_hostname": _switch,
    **dict.fromkeys(("ssl_keyfile", "ssl_certfile", "ssl_ca_certs", "ssl_ca_path"), _text),
    **dict.fromkeys(("ssl_ca_data", "ssl_password", "ssl_ciphers"), _text),
}
_SENTINEL: dict[str, Reader] = {"sentinel_username": _text, "sentinel_password": _text}

# Options that redis-py has, or that people expect, and that a memory decides itself.
DECIDED = {
    "decode_responses": "a memory reads bytes and decodes them itself; leave it out",
    "encoding": "a memory writes UTF-8; leave it out",
    "encoding_errors": "a memory writes UTF-8; leave it out",
    "timeout": "give timeout= to the memory, or write socket_timeout",
    "durability": "give durability= to the memory, or --durability to %memory use",
    "retry_on_timeout": "a memory decides when a command may be sent again; leave it out",
    "retry_on_error": "a memory decides when a command may be sent again; leave it out",
    "single_connection_client": "a memory has connections of its own; write max_connections=1",
    "ssl": "begin the address with rediss:// for TLS",
    "tls": "begin the address with rediss:// for TLS",
    "host": "write the host behind the ://",
    "port": "write the port behind the host",
    "path": "write the path behind unix://",
}


def read_options(query: str, kind: str, base: str) -> dict[str, Any]:
    """Reads the options of an address.

    Args:
        query: the text behind the ``?``.
        kind: how the server is reached, see `addresses.Kind`.
        base: ``redis``, ``rediss`` for TLS, or ``unix``.

    Returns:
        Values by name, of the types that redis-py expects.

    Raises:
        InvalidArgument: an option that is unknown, has no meaning for such an address, is given twice, or
            has a value that it cannot have. The message names the option, and never holds the value of one
            that may be a secret.
    """
    known = {**_ANY, **({} if base == "unix" else _TCP), **(_tls() if base == "rediss" else {})}
    if kind == "sentinel":
        known |= _SENTINEL
    if kind == "cluster":
        del known["db"]
    found: dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        name, equals, text = map(unquote_plus, part.partition("="))
        read = known.get(name)
        if read is None:
            # Text that is not even an assignment may be a part of a password that was not quoted.
            shown = brief(harmless(name)) if equals else "***"
            raise InvalidArgument(f"the option {shown}: {_way_out(name, kind, base, known)}")
        if name in found:
            raise InvalidArgument(f"the option {name} is given twice; leave one of them out")
        try:
            found[name] = read(text)
        except ValueError as error:
            raise InvalidArgument(f"the option {name}: give {error}") from None
    return found


def _tls() -> dict[str, Reader]:
    """Returns the options of TLS that the installed version of redis-py has for both of its faces."""
    from redis import SSLConnection
    from redis.asyncio import SSLConnection as AsyncSSLConnection

    known = set(signature(SSLConnection.__init__).parameters)
    known &= signature(AsyncSSLConnection.__init__).parameters.keys()
    return {name: read for name, read in _TLS.items() if name in known}


def _way_out(name: str, kind: str, base: str, known: dict[str, Reader]) -> str:
    if name in DECIDED:
        return DECIDED[name]
    if name in _TLS:
        return "it is for TLS, so begin the address with rediss://"
    if name in _SENTINEL:
        return "it is for Sentinels, so begin the address with redis+sentinel://"
    if name == "db" and kind == "cluster":
        return "a Cluster has one database; leave it out"
    if name in _TCP and base == "unix":
        return "a Unix socket does not have it; leave it out"
    return f"a memory does not know it; there are {', '.join(known)}"
