"""Context packs: what a memory puts into a prompt for a question.

pack.py        the pack, and how its records are chosen
lines.py       records as lines of text, by time within their session
budget.py      tokens, and what fits
relevance.py   whether a memory knows anything about a question at all
"""
