"""The comparison of runs for a reader: run folders are read, compared, put into words, tables and pictures.

What `report.py` shows is here, and the pictures of `data.py`. Scores and tests are computed in `ner/scoring`.
"""
