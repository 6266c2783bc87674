"""One page as the server holds it: the latest revision that could be read as a whole."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from statuspage.serving.directory import PageEntry, folder_of
from statuspage.serving.manifest import CURRENT, Unreadable
from statuspage.serving.memory import LOOK_EVERY_SECONDS, Archive, Document, Held, Variant, load

logger = logging.getLogger(__name__)


class ServedPage:
    """A page's documents.

    While a newer revision is missing, broken or half written, the one in memory is served on; after
    a start, when there is none in memory, the newest that can be read.
    """

    def __init__(self, root: Path, entry: PageEntry, *, clock: Callable[[], float]) -> None:
        self.entry = entry
        self.held: Held | None = None
        self.look_at = 0.0
        self._root = folder_of(root, entry.slug)
        self._archive = Archive(self._root / "archive", is_private=entry.gate is not None)
        self._clock = clock
        self._looking = Lock()
        self._complained_of = ""

    def look(self) -> None:
        """Take over a new revision, if there is one. One thread looks, the others go on."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            self.look_at = time.monotonic() + LOOK_EVERY_SECONDS
            # Where the switch points; the directory itself, so that what is read is one revision.
            target = (self._root / CURRENT).readlink()
            if self.held is None or target.name != self.held.name:
                self._take_over(self._root / target)
        except (OSError, Unreadable) as fault:
            if str(fault) != self._complained_of:
                self._complained_of = str(fault)
                logger.warning("page %s cannot be read: %s", self.entry.slug, fault)
        finally:
            self._looking.release()

    def _take_over(self, folder: Path) -> None:
        try:
            self.held = self._load(folder)
            self._complained_of = ""
        except (OSError, Unreadable):
            if self.held is None:
                self.held = self._newest_before(folder)
            raise

    def _load(self, folder: Path) -> Held:
        return load(folder, before=self.held, is_private=self.entry.gate is not None)

    def _newest_before(self, broken: Path) -> Held | None:
        """Return the newest earlier revision that is whole: better old news than none."""
        earlier = [
            int(folder.name)
            for folder in broken.parent.iterdir()
            if folder.name.isdecimal() and int(folder.name) < int(broken.name)
        ]
        for number in sorted(earlier, reverse=True):
            with suppress(OSError, Unreadable):
                return self._load(broken.with_name(str(number)))
        return None

    def find(self, path: str) -> Document | None:
        """Return the document of a path, of the revision or of the archive."""
        if self.held is None:
            return None
        return self.held.documents.get(path) or self._archive.get(path, self.held)

    def choose(self, document: Document, choice: str) -> Variant:
        """Return the document's edition of now, in the best encoding that is accepted."""
        return document.at(self._clock())[choice]
