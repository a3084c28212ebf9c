"""Adapters with which other frameworks use a memory: one module each, imported only when it is used."""
