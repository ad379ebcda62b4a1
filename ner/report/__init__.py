"""The comparison of runs for a reader: reading run folders, text, tables, page, pictures. No torch."""
