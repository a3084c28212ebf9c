"""When a connection counts as silent, and what a silent connection means.

**Silence** is time in which no byte was sent or received on a connection that owes a reply. Time in which a
command waits for its turn here, or in which a long reply is under way, is none.

A silent connection may be dead while the server is well: firewalls and NAT gateways forget connections
without a word. And a single command may take long. So the server is asked by a new connection: if it does
not answer there either, it is away. If it does, a command that was sent on an old connection is sent once
more on the new one, and a command that was sent on a new one is waited for.
"""

from __future__ import annotations

import array
import sys
from typing import Any

from .wire import Command

PROBE: Command = ("ECHO", "tta-memory-nb")
"""A command that every server answers, if only by an error."""

PATIENCE = 30
"""So many times the limit of silence a command may take, or may wait for its turn, on a server that answers
others."""


class Silence(Exception):
    """No byte was sent or received for too long."""


if sys.platform == "linux":
    from fcntl import ioctl
    from termios import TIOCOUTQ

    def unacknowledged(sock: Any) -> int:
        """Returns how many bytes of a socket the other end has not acknowledged yet."""
        count = array.array("i", [0])
        try:
            ioctl(sock.fileno(), TIOCOUTQ, count)
        except (OSError, ValueError):  # closed, or no such socket
            return 0
        return count[0]

else:

    def unacknowledged(_: Any) -> int:
        """Returns 0: this platform does not say how many bytes are on their way."""
        return 0
