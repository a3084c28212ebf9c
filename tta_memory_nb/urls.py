"""Server addresses as they may be shown."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[a-zA-Z0-9+.-]+://")
_PARAMETER = re.compile(r"(?i)([?&][^=&#]*(?:pass|pwd|secret|token|auth)[^=&#]*=)([^&]*)")


def masked_url(url: str) -> str:
    """The address with every password in it replaced by ``***``.

    Everything before the last ``@`` counts as credentials, so that a password holding ``@`` or
    ``/`` is masked whole; a user name without a password may be a token and is masked too.
    Rather is a host hidden than a part of a password shown.
    """
    # What looks like a parameter may be the end of the credentials: their ``@`` has to stay.
    url = _PARAMETER.sub(lambda found: found[1] + ("***@***" if "@" in found[2] else "***"), url)
    found = _SCHEME.match(url)
    scheme = found[0] if found else ""
    credentials, at, place = url[len(scheme) :].rpartition("@")
    if not at:
        return url
    user, colon, _ = credentials.partition(":")
    # A name with one of these is the beginning of a password that holds a colon.
    shown = user if colon and not re.search("[/?#@]", user) else ""
    return f"{scheme}{shown}:***@{place}"
