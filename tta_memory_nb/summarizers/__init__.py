"""Summarizers: records -> one text.

base.py        the protocol, and the one table of names
checking.py    asks a summarizer within a time limit, and checks what it answers
extractive.py  chooses sentences, without a model
endpoint.py    asks a model over the protocol of OpenAI
"""
