"""Searches that a server answers by itself, with its module RediSearch: for memories larger than a process."""
