"""People who work here, and what they may do."""
