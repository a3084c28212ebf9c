"""Summaries: old records become one that lists where it comes from.

summary.py   what a summary is, and what was or would be done
summarize.py which records are summarized, and the one step in which that is written
"""
