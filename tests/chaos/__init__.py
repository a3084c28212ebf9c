"""Random schedules of verbs and faults on a real server, and a judge of what came of them.

`schedule` makes a schedule from a seed, `machine` carries it out, `clients` are its clients and
`world` the server and the network, `history` keeps what they did, and `judge` says what was wrong.
``python -m chaos`` runs many schedules, and prints the smallest one that fails.
"""
