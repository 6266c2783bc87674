"""Keeping standbys warm: looked after in short rounds, beside their recovery targets."""

from backups.runner.standbys.placing import base_of, newest_backup
from backups.runner.standbys.tending import standbys_by_queue, tend_standby

__all__ = ["base_of", "newest_backup", "standbys_by_queue", "tend_standby"]
