"""Server addresses as they may be shown."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)(?P<user>[^:@/?#]*):[^@]*(?=@)|(?<=://)[^:@/?#]+(?=@)")
_PARAMETER = re.compile(r"(?i)([?&][^=&#]*(?:password|passwd|secret|token)[^=&#]*=)[^&#]*")


def masked_url(url: str) -> str:
    """The address with every password in it replaced by ``***``.

    Everything before the last ``@`` counts as credentials, so that a password holding ``@`` or
    ``/`` is masked whole; a user name without a password may be a token and is masked too.
    """
    url = re.sub(r"(?<=://)[^@]*@.*(?=@)", lambda found: found[0].replace("@", "_"), url)
    url = _USERINFO.sub(lambda found: f"{found['user'] or ''}:***", url)
    return _PARAMETER.sub(r"\1***", url)
