"""Ranked search: reads a query as a question, and gives the records that answer it best.

    words.py       the terms of a text, in every script
    stop_words.py  words that say nothing about the subject
    dates.py       instants and temporal expressions in texts
    parts.py       a record, taken apart: people, dates, text, session
    lists.py       which records have which terms, kept up to date record by record
    views.py       the records that pass a filter, in the order of their sessions
    spelling.py    words of a memory that are spelt like an unknown one
    question.py    a query, read
    demands.py     phrases, excluded words, words in fields
    scoring.py     the signals, and their sum
    best.py        the best of a ranking, without the scores of all records
    explain.py     where a score comes from
    relevance.py   how much of a question a record answers
    index.py       the index of a store

docs/explanation/finding.md explains the ranking.
"""
