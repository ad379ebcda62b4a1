"""The comparison of runs for a reader: run folders are read, compared, put into words, tables and pictures.

What a person sees of `report.py` belongs here, and the pictures of `data.py`. Computing a score or a test does not (see
`ner.scoring`), nor does anything that needs a model.
"""
