"""What a difference may be trusted for: intervals of every headline figure, and tests between systems, by subject."""
