"""Records on a server: Redis, Valkey, a Cluster, Sentinel, or one of this user's own.

    addresses.py   which server a URL means
    remote.py      the verbs, as plans: commands out, replies in
    scripts.py     what the server carries out in one step; lua/ has the sources
    payload.py     a record as bytes: header and text, compressed or not
    keys.py        names of a namespace's keys on the server
    mirror.py      the part of a namespace that this process knows, to search in
    drivers.py     carry plans out, with await or without; the importer of redis
    embedded.py    a server of this user's own, in a directory

docs/architecture.md draws how they work together.
"""
