"""The doctor: looks at a whole memory and says what is wrong with its records. It changes nothing.

    checks.py        the one table of checks, and their parameters
    finding.py       Finding, Evidence, Repair, Diagnosis
    examined.py      records, taken apart once for all checks
    run.py           carries checks out in slices
    duplicates.py    equal and nearly equal records; nearness.py groups them
    contradictions.py statements.py   other values of one fact; facts in sentences
    loops.py         texts that come back
    injections.py    instructions to the agent; instructions.py has the patterns, languages.py those of other languages
    disguises.py ciphers.py   undo what hides them
    hidden.py        characters that nobody sees, and links that carry data
    credentials.py personal.py masking.py   keys, passwords and personal data, shown masked
    upkeep.py        unread, stale, oversized and orphaned records
    fields.py        fields of several types, texts that are empty, cut off or garbled

A check is a generator function. It takes the records and its parameters as keywords, and yields its findings,
and None now and then, where the runner may show progress and stop it.
"""
