"""The relay's fetcher, which knows how much the disk can hold."""

import os

from backups.storage.fetcher import Fetcher
from backups.storage.items import MIB, PART_BYTES

# What is left free for everybody else on the disk, and for the journal.
RESERVE_BYTES = 64 * MIB


class Cache(Fetcher):
    """A fetcher whose stage need not have room for everything. Safe to use from many threads."""

    def room(self) -> int:
        """Return how many bytes of objects the disk can hold now, those that it holds included."""
        held = self.bytes_held()
        if self._workers.is_disk_full:
            # Whatever the file system says: there may be a quota. Something has to go.
            return max(held - 2 * PART_BYTES, 0)
        disk = os.statvfs(self._stage)
        return max(held + disk.f_bavail * disk.f_frsize - RESERVE_BYTES, 0)
