"""What came out of a run: detections beside expressions, as rows that people read, and from any revision."""
