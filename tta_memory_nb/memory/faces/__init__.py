"""The two faces of a memory, which carry out the same plans.

Every verb is written once, as a plan, in `verbs`. `MemoryPrimitive` awaits it, `SyncMemory` waits in
the calling thread. No loop, thread or bridge lies between the two.
"""

from __future__ import annotations

from .primitive import MemoryPrimitive, past_of
from .sync import SyncMemory

__all__ = ["MemoryPrimitive", "SyncMemory", "past_of"]
