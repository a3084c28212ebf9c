"""A memory in one file: SQLite on the disk, and in this process the records that searches need.

`address` finds the path in an address, `database` opens the file and carries out transactions, `users` knows which
processes have it open, `rows` has the tables, `mirror` follows what other processes have written,
`transactions` change records and file in one step, and `store` has the verbs.
"""
