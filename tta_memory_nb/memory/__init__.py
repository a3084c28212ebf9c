"""The memory of an agent: every verb once, and the two faces that carry it out.

verbs/            every verb, as a plan
faces/            MemoryPrimitive (awaited) and SyncMemory (called)
compare.py        snapshots, and what has changed since one
distributions.py  entries counted over time, sessions, sizes and times to live
"""
