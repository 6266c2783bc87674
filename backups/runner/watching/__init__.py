"""Watching backups: checks, each a question with an answer that is kept."""

from backups.runner.watching.archives import read_archive, unread_archives
from backups.runner.watching.look import CHECKS, check_database, check_databases

__all__ = ["CHECKS", "check_database", "check_databases", "read_archive", "unread_archives"]
