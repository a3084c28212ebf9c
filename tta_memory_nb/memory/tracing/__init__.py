"""What was asked of memories: by which cell, task and function, how long it took, and which records it touched.

trace.py      the trace: a bounded list of operations, of one memory or several
operation.py  one operation
cells.py      which cell has started the work that is going on; threads
callers.py    which function has asked
tap.py        tells which records a verb has touched
"""

from .trace import Trace

__all__ = ["Trace"]
