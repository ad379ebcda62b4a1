"""Everything that loads torch: encoders, model inputs, prediction, training, export. No scores, no reports."""
