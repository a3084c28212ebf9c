"""Search: what is asked, what comes back, and the indexes that find it.

    request.py     Search and Hit: what is asked, and what comes back
    query.py       a search as the indexes need it
    indexes.py     Index (the protocol) and Indexes (those that one store owns)
    orders.py      keys and instants in sorted order, for prefix, since and until
    options.py     language and weights of the modes that rank
    ranked/        ranked search, by words, context, people and dates
    substring/     exact substring search by signatures

docs/architecture.md explains how they work together.
"""
