"""Disks under folders that may not be there yet, and work that waits for room on them."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings

from backups.errors import DiskTooSmall
from backups.steps import Step

# So much more than was not enough is worth another try.
MORE_BYTES = 64 * 1024 * 1024


def disk_under(path: Path) -> int:
    """Return a number that two folders share if they lie on one disk."""
    return _existing(path).stat().st_dev


def free_on(path: Path) -> int:
    """Return the bytes that are free for us on the disk of a folder."""
    disk = os.statvfs(_existing(path))
    return disk.f_bavail * disk.f_frsize


def with_room(
    work: Callable[[], Iterator[Step]], *, before: Callable[[], None], path: Path
) -> Iterator[Step]:
    """Do work that fills a disk; when that is full, wait for more room and do it once more.

    ``before`` makes ready for it and gives back what an earlier try took.

    :raises DiskTooSmall: if nobody makes room for as long as an outage is waited out
    """
    while True:
        before()
        last = Step(done=0)
        try:
            for last in work():
                yield last
        except DiskTooSmall:
            before()
            enough = free_on(path) + MORE_BYTES
            deadline = time.monotonic() + settings.STORAGE_OUTAGE_SECONDS
            while free_on(path) < enough:
                if time.monotonic() > deadline:
                    raise
                yield Step(done=0, total=last.total, waiting="disk")
                time.sleep(1)
        else:
            return


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
