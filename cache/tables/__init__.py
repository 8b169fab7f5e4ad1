"""Tables in Parquet and CSV: videos, expressions, detections, the audit, failures."""
