"""Training: transformers' Trainer with this project's batches, losses and callbacks, and resuming."""
