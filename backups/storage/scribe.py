"""Forces what came to the disk, beside the fetch, and writes down that it is there for good."""

import logging
import os
import threading
from pathlib import Path

from backups.storage.holes import sync_file_system
from backups.storage.journal import Journal

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5
# With so many files at once, one call for the whole file system is cheaper than one for each.
MANY_FILES = 16


class Scribe:
    """A thread that runs between ``start`` and ``stop``. ``wrote`` may come from any thread."""

    def __init__(self, journal: Journal, stage: Path) -> None:
        self._journal = journal
        self._stage = stage
        self._dirty: set[Path] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scribe", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End it, without waiting for a disk that is slow: what counts is that nothing is lost."""
        with self._lock:
            self._ended.set()

    def wrote(self, path: Path) -> None:
        with self._lock:
            self._dirty.add(path)

    def _run(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            with self._lock:
                dirty, self._dirty = self._dirty, set()
            if not dirty:
                continue
            position = self._journal.position()
            try:
                self._force(dirty)
            except OSError:
                # Durable or not, each block is looked at again; the disk's own trouble shows there.
                logger.warning("fetched files could not be forced to the disk", exc_info=True)
            else:
                with self._lock:
                    if not self._ended.is_set():
                        self._journal.durable(position)

    def _force(self, dirty: set[Path]) -> None:
        paths = [self._stage] if len(dirty) > MANY_FILES else dirty
        for path in paths:
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                if len(dirty) > MANY_FILES:
                    sync_file_system(descriptor)
                else:
                    os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
