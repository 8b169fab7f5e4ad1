"""The project's own files, read and written for people: paths in dvc.yaml, the list of corpora, corpus files."""
