"""Annotated sentences: reading, checking, selecting and auditing them, and the cache of prepared tables.

What needs torch or a tokenizer belongs in `ner/model`; what compares tags with gold tags belongs in `ner/scoring`.
"""
