"""Indexes over the folded text of records.

    records.py     what a store asks: newest first
    query.py       what is looked for
    waiting.py     records that have no column yet
    columns.py     which record has which column
    signature.py   the matrix of bits                   needs numpy
    grams.py       n-grams -> rows                      needs numpy

docs/architecture.md draws how they work together.
"""
