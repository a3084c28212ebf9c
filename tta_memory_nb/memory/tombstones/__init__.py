"""Deletions that hold: what was deleted for good, and what refuses it when it comes again."""
