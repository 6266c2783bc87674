"""Backups for programs at the desk: parse, one operation, say what happened."""
