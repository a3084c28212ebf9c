"""A Valkey server of this user's own, which keeps its records in a directory.

    client.py      starts the server, or joins the processes that already use it
    users.py       lock files, and the leases of this process
    places.py      where the program, the directory and the socket are
    files.py       the files of the directory, and what errors say of it
    supervisor.py  the child process that runs the server and stops it after the last user
    room.py        keeps room on the disk for what the server has acknowledged

All processes of the user that open the directory share one server. The server stops when the last of these
processes has ended, however it ended. Locks on files in the directory say who uses the server, who starts it and
whether it runs; the kernel releases the locks of a process that has ended:

    start.lock        held while a process starts or stops the server, and by everything that depends on it
    users.lock        shared by all processes that use the server
    supervisor.lock   held by the supervisor as long as it lives
    server.lock       held by the supervisor and by the server, so that a directory never has two servers
    socket.path       path of the Unix socket that the server listens on, if it is outside the directory
    reserve           takes some of the disk; given up when the disk is full, so that no acknowledged write is lost
    server.log        output of the server and of the supervisor

The supervisor is a small process in a session of its own. It starts the server, restarts it when it dies, and waits
for `users.lock`: once it gets that lock, no user is left.

A process releases its locks when it ends. This package releases none earlier, because writes that are still queued
may need the server until then.
"""
