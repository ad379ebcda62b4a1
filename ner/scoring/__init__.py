"""From gold and predicted tags to scores, intervals, tests and kinds of error. NumPy and SciPy only, no files."""
