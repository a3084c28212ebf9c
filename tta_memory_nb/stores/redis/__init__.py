"""Records on a server: Redis, Valkey, a Cluster, what Sentinels name, or an embedded server.

    addresses.py   which server a URL means
    options.py     the options of a URL, honoured or refused by name
    store.py       opens the store, and says what it runs on
    wiring.py      its parts, and how they work together
    reading.py     verbs that read and find, on the server or in an outage
    writing.py     verbs that write
    removing.py    verbs that delete, and take changes back
    outage.py      when an outage begins, and how it ends
    ends.py        the end of the process in an outage
    journal.py     the writes of an outage, and how they reach the server
    commands.py    what the server is asked about records, and what its replies mean
    namespace.py   the same about the namespace as a whole
    calls.py       how scripts are called, and how the time is asked for
    failover.py    what a server has acknowledged last, and another primary may lack
    retrying.py    a thread that tries to reach a server that is away
    operations.py  writes and their ids
    lost.py        writes that were applied although their replies were lost
    gone.py        keys that are known to be missing
    sync.py        searches: bring a replica up to date, then look there
    scripts.py     what the server carries out in one step; lua/ has the sources
    rows.py        what replies say: records, and facts about a server
    payload.py     a record as bytes: header and text, compressed or not
    keys.py        names of a namespace's keys on the server
    replica.py     a copy of the namespace in this process
    knowledge.py   what it knows, and the single steps that change it
    position.py    how far a replica knows the server
    partial.py     replicas of what filters name
    runner.py      carries plans out, with await or without
    lines.py       the connections of an event loop
    line.py        one of them, with many commands at a time
    pool.py        the connections that threads take turns with
    dialing.py     opens connections to the server that has the namespace
    silence.py     when a connection counts as silent, and what that means
    connections.py settings of connections, and clients of redis-py for the user
    faults.py      what the errors of redis-py mean: an outage or a refusal
    wire.py        commands and replies, as plans know them and as bytes

docs/architecture.md draws how they work together.
"""
