"""Forgetting: which records a policy lets go, and why each.

policy.py   what may be forgotten
choose.py   which records that are, each with its reason
forget.py   the verb: a preview, or one deletion that can be undone; policies that are applied at writes
"""
