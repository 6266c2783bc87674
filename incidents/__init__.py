"""What happened, and what customers were told."""
