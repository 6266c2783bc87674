"""Databases and their tenants, their backups, and the restores that bring them back."""
