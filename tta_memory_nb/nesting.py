"""The one opt-in that changes the user's event loop."""

from __future__ import annotations

from .errors import MissingPackage


def allow_nested_asyncio() -> None:
    """Lets code in a cell call ``asyncio.run`` although the notebook's loop is running.

    For scripts pasted into a notebook. Nothing in this package needs it: cells can ``await``
    a memory, and ``memory.sync`` works everywhere. It patches asyncio for the whole process and
    cannot be taken back without a restart.

    Raises:
        MissingPackage: nest-asyncio2 is not installed.
    """
    try:
        import nest_asyncio2
    except ImportError:
        raise MissingPackage("nested loops need nest-asyncio2: pip install nest-asyncio2") from None
    nest_asyncio2.apply()
