"""Indexes over the folded text of records."""
