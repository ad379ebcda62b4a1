"""Annotated sentences: reading, checking, choosing and auditing them, and the cache. No torch, no model."""
