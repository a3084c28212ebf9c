"""Decisions about records that say the same, nearly the same, or opposite things: one is kept, all are, or they become one."""
