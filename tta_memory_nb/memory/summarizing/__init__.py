"""Summaries: old records become one that lists where it comes from.

summary.py   what a summary is, and what was or would be done
policy.py    when a session is summarized by itself, and how
summarize.py which records are summarized, and the one step in which that is written
upkeep.py    sessions that are summarized after writes
"""
