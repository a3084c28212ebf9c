"""`allow_nested_asyncio`, the only function of the package that changes the user's event loop."""

from __future__ import annotations

from .errors import MissingPackage


def allow_nested_asyncio() -> None:
    """Lets code in a cell call ``asyncio.run`` while the notebook's event loop is running.

    Scripts that are pasted into a notebook may need this. This package does not: cells can
    ``await`` a memory, and ``memory.sync`` works everywhere. The function patches asyncio for the
    whole process; only a restart undoes it.

    Raises:
        MissingPackage: nest-asyncio2 is not installed.
    """
    try:
        import nest_asyncio2
    except ImportError:
        raise MissingPackage("nested loops need nest-asyncio2: pip install nest-asyncio2") from None
    nest_asyncio2.apply()
