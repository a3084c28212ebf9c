"""Exact substring search by n-gram signatures.

    index.py       the index of one store: the newest by looking, the others by signatures
    unindexed.py   entries without a column yet
    columns.py     which entry has which column
    signature.py   the matrix of bits                   needs numpy
    grams.py       n-grams -> rows                      needs numpy
    matching.py    where a value matches

docs/architecture.md draws how they work together.
"""
