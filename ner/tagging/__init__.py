"""Tagging: from a checkpoint and words to logits, tags, entities and the scores of a split."""
