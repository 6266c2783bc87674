"""The public page: what is shown, how it is published, who is told."""
