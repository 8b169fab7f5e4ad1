"""The report as a page: a document of plain values, charts, templates, style and script."""
