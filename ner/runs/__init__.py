"""A run folder: the names of its files, its records, who may write there, its model card. No training, no torch."""
