"""Annotated sentences: reading, checking, selecting and auditing them. No torch and no tokenizer.

What compares predicted with gold tags belongs in `ner/scoring`.
"""
