"""Server addresses as they may be shown."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[a-zA-Z0-9+.-]+://")
_USER = re.compile(r"[\w.~+%-]*", re.ASCII)
_HOST = r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?"
_PLACE = re.compile(rf"(?:{_HOST}(?:,{_HOST})*)?(?:/[\w./-]*)?", re.ASCII)
_PARAMETER = re.compile(r"([\w.-]+)=(.*)", re.ASCII | re.DOTALL)
_SECRET = re.compile(r"(?i)pass|pwd|secret|token|auth|cred|key")
_HARMLESS = re.compile(r"(?i)[0-9]*|true|false|none|required|optional")
# The beginning of a parameter, in any of the ways to set it apart from what stands before.
_ASSIGNED = re.compile(r"[?&;,][^@=]*=")


def masked_url(url: str) -> str:
    """The address with every password in it replaced by ``***``.

    Everything before the last ``@`` counts as credentials, so that a password holding ``@`` or
    ``/`` is masked whole; a user name without a password may be a token and is masked too. Of
    the rest only what is known to be harmless is shown: hosts with ports, a plain path, and
    parameters that are a number or a switch. Rather is a host hidden than a part of a password
    shown.
    """
    found = _SCHEME.match(url)
    scheme = found[0] if found else ""
    credentials, at, place = url[len(scheme) :].rpartition("@")
    if not at:
        return scheme + _masked_place(place)
    user, colon, _ = credentials.partition(":")
    shown = user if colon and _USER.fullmatch(user) else ""
    # An @ behind a parameter may be a part of it, and what follows the rest of a password.
    place = "***" if _ASSIGNED.search(credentials) else _masked_place(place)
    return f"{scheme}{shown}:***@{place}"


def _masked_place(place: str) -> str:
    """What stands behind the credentials: hosts, path and parameters."""
    hosts, mark, query = place.partition("?")
    if not _PLACE.fullmatch(hosts):
        hosts = "***"
    return hosts + mark + "&".join(map(_masked_parameter, query.split("&")))


def _masked_parameter(parameter: str) -> str:
    found = _PARAMETER.fullmatch(parameter)
    if not found:
        return "***" if parameter else ""
    name, value = found.groups()
    harmless = _HARMLESS.fullmatch(value) and not _SECRET.search(name)
    return f"{name}={value if harmless else '***'}"
