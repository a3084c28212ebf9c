"""Texts that say nearly the same: among very many, for the doctor, and among those that one search has found, for a pack.

among_many.py    pairs that share more than chance explains, by sketches; a word in the place of another is still a pair
among_few.py     records of which a prompt needs one; a number or a name in the place of another tells something else
"""
