"""Server addresses without their secrets, for messages and logs."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[a-zA-Z0-9+.-]+://")
_USER = re.compile(r"[\w.~+%-]*", re.ASCII)
_HOST = r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?"
_LOCATION = re.compile(rf"(?:{_HOST}(?:,{_HOST})*)?(?:/[\w./-]*)?", re.ASCII)
_PARAMETER = re.compile(r"([\w.-]+)=(.*)", re.ASCII | re.DOTALL)
_SECRET = re.compile(r"(?i)pass|pwd|secret|token|auth|cred|key")
_HARMLESS = re.compile(r"(?i)[0-9]*|true|false|none|required|optional")
# The beginning of a parameter, after any of the characters that may separate it from the text before it.
_ASSIGNED = re.compile(r"[?&;,][^@=]*=")


# A path that was made of an address has one slash; the letter of a drive is no scheme.
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/{1,2}(?=[^/])")


def address_in(path: str) -> str | None:
    """Returns the masked address that somebody has given for a path; None for a path."""
    found = _ADDRESS.match(path)
    if found is None:
        return None
    return masked_url(f"{found[0].rstrip('/')}//{path[found.end() :]}")


def masked_url(url: str) -> str:
    """Returns the address with every password in it replaced by ``***``.

    Everything before the last ``@`` counts as credentials, so that a password that contains ``@`` or
    ``/`` is masked completely. A user name without a password may be a token and is masked as well. Of
    the rest, only text that is known to be harmless is shown: hosts with ports, a plain path, and
    parameters whose value is a number or a switch. In doubt, the function hides a host rather than
    show a part of a password.
    """
    found = _SCHEME.match(url)
    scheme = found[0] if found else ""
    credentials, at, location = url[len(scheme) :].rpartition("@")
    if not at:
        return scheme + _masked_location(location)
    user, colon, _ = credentials.partition(":")
    shown = user if colon and _USER.fullmatch(user) else ""
    # An @ after a parameter may belong to it, and the text after the @ may be the rest of a password.
    location = "***" if _ASSIGNED.search(credentials) else _masked_location(location)
    return f"{scheme}{shown}:***@{location}"


def _masked_location(location: str) -> str:
    """Masks the text after the credentials: hosts, path and parameters."""
    hosts, mark, query = location.partition("?")
    if not _LOCATION.fullmatch(hosts):
        hosts = "***"
    return hosts + mark + "&".join(map(_masked_parameter, query.split("&")))


def _masked_parameter(parameter: str) -> str:
    found = _PARAMETER.fullmatch(parameter)
    if not found:
        return "***" if parameter else ""
    name, value = found.groups()
    harmless = _HARMLESS.fullmatch(value) and not _SECRET.search(name)
    return f"{name}={value if harmless else '***'}"
