"""What needs Django: the pages' rooms at the desk, signing in to a page, leaving its followers."""
