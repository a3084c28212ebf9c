"""Records on a server: Redis, Valkey, a Cluster, Sentinel, or one of this user's own.

    addresses.py   which server a URL means
    remote.py      the verbs, as plans: commands out, replies in
    scripts.py     what the server carries out in one step; lua/ has the sources
    payload.py     a record as bytes: header and text, compressed or not
    keys.py        names of a namespace's keys on the server
    mirror.py      the part of a namespace that this process knows, to search in
    runner.py      carries plans out, with await or without
    connections.py clients of redis-py, and the pools that commands are sent over
    faults.py      what the errors of redis-py mean: an outage or a refusal
    wire.py        commands as plans yield them and as bytes

docs/architecture.md draws how they work together.
"""
