"""One thin command per DVC stage, and the commands people type."""
