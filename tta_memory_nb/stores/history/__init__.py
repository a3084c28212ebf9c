"""Versions of records: what is kept of changes, and the records as of an instant."""
