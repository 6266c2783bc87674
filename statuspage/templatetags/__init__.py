"""What the desk shows exactly as the page does."""
