"""The pages of the desk that show backups and restores, and ask for them."""
