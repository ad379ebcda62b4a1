"""From gold and predicted tags to scores, intervals, significance tests and kinds of error.

What computes a number from tags belongs here, with NumPy and SciPy only. Reading and writing files, models and the
sentences of a report do not.
"""
