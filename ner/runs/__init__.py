"""A run folder: its files and records, who may write there, its manifest and model card, and what is pushed of it.

Training, scoring and exporting write here; this package imports none of them, and no torch until a function needs it.
"""
