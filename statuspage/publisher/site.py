"""The folder PUBLIC_ROOT: one writer at a time, a revision as a whole, and no half file."""

import fcntl
import gzip
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from statuspage.documents.clauses import Edition
from statuspage.publisher.compressing import (
    compressed,
    compressed_for_good,
    compressed_for_later,
)
from statuspage.serving import manifest
from statuspage.serving.manifest import EditionFile, Manifest, Published, Unreadable
from statuspage.serving.memory import ENCODINGS, digest

_FRONT = f"site/{manifest.file_of('/')}"
_KEPT_REVISIONS = 3
# The folders of the archive whose files are named by the ids of incidents and maintenances.
_BY_ID = {"incidents": ".html", "maintenances": ".html", "api/v2/incidents": ".json"}
_LOCK_SECONDS = 20.0
# Compressing, hashing and writing let other threads run; more than two gain little.
_WRITERS = 2


class SiteBusy(Exception):
    """Another publisher has held the site for longer than anybody waits."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder: across threads and processes there is one holder at a time.

    :raises SiteBusy: if another holder does not let go in time
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Opened anew each time: a lock belongs to the opened file, so threads exclude each other.
    with (folder / "lock").open("w") as lock:
        deadline = time.monotonic() + _LOCK_SECONDS
        pause = 0.001
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SiteBusy("Another process is publishing and does not finish.") from None
                time.sleep(pause)
                pause = min(pause * 1.5, 0.01)
        yield


@dataclass(slots=True, kw_only=True)
class Draft:
    """What the next revision shall consist of. Documents not named here go, or to the archive."""

    documents: dict[str, list[Edition]] = field(default_factory=dict)
    # Documents of the revision before that stay as they are.
    keep: set[str] = field(default_factory=set)
    # Documents written into the archive, and those taken out of it.
    archived: dict[str, bytes] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    # What the next publish wants to know of this one.
    state: dict[str, Any] = field(default_factory=dict)


class Site:
    """PUBLIC_ROOT, as its writers see it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.archive = root / "archive"
        self._marks = root / "wanted"

    def alone(self) -> AbstractContextManager[None]:
        """Hold the site: across threads and processes there is one holder at a time.

        :raises SiteBusy: if another holder does not let go in time
        """
        return alone(self.root)

    def mark(self, incident_id: int | None) -> Path:
        """Leave a mark that something is to be published. It outlives a failed publish."""
        self._marks.mkdir(parents=True, exist_ok=True)
        mark = self._marks / f"{incident_id or 0}.{secrets.token_hex(8)}"
        mark.touch()
        return mark

    def marks(self) -> list[Path]:
        """Return the marks that wait, in no order."""
        with suppress(FileNotFoundError):
            return list(self._marks.iterdir())
        return []

    def published(self) -> Manifest | None:
        """Return what is published now; None if nothing is, or if it is not there as a whole."""
        try:
            found = manifest.read(self.current)
            return found if _is_whole(self.current, found) else None
        except (OSError, Unreadable):
            return None

    def state(self) -> dict[str, Any]:
        """Return what the last publish left for the next; empty if that cannot be read."""
        try:
            found: dict[str, Any] = json.loads((self.current / "state.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    @property
    def current(self) -> Path:
        """The folder of the revision that is served.

        :raises OSError: if nothing is published
        """
        return self.root / (self.root / manifest.CURRENT).readlink()

    def read(self, edition: EditionFile) -> bytes:
        """Return an edition of the revision that is served."""
        file = self.current / edition.file
        if edition.file.startswith(manifest.LATER):
            return gzip.decompress(Path(f"{file}.gz").read_bytes())
        return file.read_bytes()

    def next_revision(self) -> int:
        """Return a number above that of every revision that lies here."""
        numbers = [0]
        with suppress(FileNotFoundError):
            numbers += [
                int(folder.name)
                for folder in (self.root / "revisions").iterdir()
                if folder.name.isdecimal()
            ]
        return max(numbers) + 1

    def put(self, draft: Draft, *, revision: int, generated_at: float) -> None:
        """Publish a draft as one revision. The caller holds the site.

        Archived documents are replaced or taken away one by one just before the switch;
        everything else appears at the switch, in one step.
        """
        folder = self.root / "revisions" / str(revision)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            self._fill(folder, draft, revision=revision, generated_at=generated_at)
            for path, body in draft.archived.items():
                self.replace_archived(path, body, lasting=True)
            # Before the switch: nobody can then read, as of the new revision, what is gone.
            self._withdraw(draft.withdrawn)
            self._switch(folder)
        except BaseException:
            # Half a revision is of use to nobody, and on a full disk it is in the way.
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._forget_old(revision)

    def _fill(self, folder: Path, draft: Draft, *, revision: int, generated_at: float) -> None:
        """Write a revision that nobody is served yet."""
        before = self.published()
        writer = _Writer(folder, self.current if before else None, before)

        def put(path: str) -> Published:
            return writer.put(path, draft.documents[path], at=generated_at)

        with ThreadPoolExecutor(_WRITERS) as threads:
            documents = dict(zip(draft.documents, threads.map(put, draft.documents), strict=True))
        for path in draft.keep:
            if before and path in before.documents:
                documents[path] = writer.keep(before.documents[path])
        (folder / "state.json").write_text(json.dumps(draft.state), encoding="utf-8")
        manifest.write(
            folder,
            Manifest(revision=revision, generated_at=generated_at, documents=documents),
        )

    def replace_archived(self, path: str, body: bytes, *, lasting: bool = False) -> None:
        """Write one document of the archive, each file in one step.

        What is ``lasting`` survives a power cut from now on; many at once would take long.
        """
        file = manifest.archived_file(path)
        if file is None:
            raise ValueError(f"{path} has no place in the archive.")
        target = self.archive / file
        target.parent.mkdir(parents=True, exist_ok=True)
        # A picture is compressed already.
        is_asset = path.startswith("/assets/")
        bodies = (
            (body,)
            if manifest.type_of(file) == manifest.PNG
            else (compressed_for_good(body) if is_asset else compressed(body))
        )
        for suffix, content in zip(ENCODINGS.values(), bodies, strict=False):
            replace_file(target.with_name(target.name + suffix), content, lasting=lasting)

    def keep_archived(self, shown: set[str], *, months: set[str]) -> None:
        """Take out every incident and maintenance but those of these ids, and all other months."""
        for folder, ending in _BY_ID.items():
            self._keep(folder, ending, shown)
        self._keep("history", ".html", months)

    def _keep(self, folder: str, ending: str, names: set[str]) -> None:
        for file in (self.archive / folder).glob("*"):
            if file.name.partition(ending)[0] in names:
                continue
            if file.is_dir():
                # What stands below a page: the postmortem of an incident.
                shutil.rmtree(file, ignore_errors=True)
            else:
                file.unlink(missing_ok=True)

    def archived_ids(self) -> set[str]:
        """Return the ids of the incidents and maintenances of which anything is in the archive."""
        return {
            file.name.partition(ending)[0]
            for folder, ending in _BY_ID.items()
            for file in (self.archive / folder).glob("[!.]*")
        }

    def has_archived(self, path: str) -> bool:
        file = manifest.archived_file(path)
        return file is not None and (self.archive / file).exists()

    def _switch(self, folder: Path) -> None:
        ahead = self.root / f".{manifest.CURRENT}.{secrets.token_hex(4)}"
        ahead.symlink_to(folder.relative_to(self.root))
        ahead.replace(self.root / manifest.CURRENT)

    def _withdraw(self, paths: set[str]) -> None:
        for path in paths:
            if file := manifest.archived_file(path):
                for suffix in ENCODINGS.values():
                    (self.archive / f"{file}{suffix}").unlink(missing_ok=True)

    def _forget_old(self, revision: int) -> None:
        for folder in (self.root / "revisions").iterdir():
            if not folder.name.isdecimal() or int(folder.name) <= revision - _KEPT_REVISIONS:
                shutil.rmtree(folder, ignore_errors=True)


def _is_whole(folder: Path, found: Manifest) -> bool:
    """Whether every file has its size. A power cut may leave files empty that were written."""
    for published in found.documents.values():
        for edition in published.editions:
            is_later = edition.file.startswith(manifest.LATER)
            for suffix, size in zip(ENCODINGS.values(), edition.sizes, strict=True):
                if is_later and suffix != ".gz":
                    continue
                if (folder / f"{edition.file}{suffix}").stat().st_size != size:
                    return False
    return True


class _Writer:
    """Fills the folder of a revision; what is unchanged is linked to the revision before.

    Several threads may put documents at once.
    """

    def __init__(self, folder: Path, before_dir: Path | None, before: Manifest | None) -> None:
        self._folder = folder
        self._before_dir = before_dir
        known: Mapping[str, Published] = before.documents if before else {}
        self._modified = {entry.editions[0].digest: entry.modified_at for entry in known.values()}
        self._files = {entry.editions[0].digest: entry.editions[0] for entry in known.values()}
        self._made: set[Path] = set()
        self._later = count(1)
        folder.mkdir(parents=True)

    def put(self, path: str, editions: Sequence[Edition], *, at: float) -> Published:
        first = self._write(f"site/{manifest.file_of(path)}", editions[0])
        later = tuple(self._write_later(path, edition) for edition in editions[1:])
        return Published(modified_at=self._modified.get(first.digest, at), editions=(first, *later))

    def keep(self, published: Published) -> Published:
        """Take a document over as it is. Only those without later editions are kept so."""
        self._link(published.editions[0], published.editions[0].file)
        return Published(modified_at=published.modified_at, editions=published.editions[:1])

    def _write(self, name: str, edition: Edition) -> EditionFile:
        named = digest(edition.body)
        known = self._files.get(named)
        valid_from = edition.valid_from.timestamp()
        if known is not None and Path(known.file).suffix == Path(name).suffix:
            self._link(known, name)
            return EditionFile(valid_from=valid_from, file=name, digest=named, sizes=known.sizes)
        target = self._place(name)
        bodies = compressed(edition.body, is_front=name == _FRONT)
        for suffix, body in zip(ENCODINGS.values(), bodies, strict=True):
            Path(f"{target}{suffix}").write_bytes(body)
        sizes = (len(bodies[0]), len(bodies[1]), len(bodies[2]))
        return EditionFile(valid_from=valid_from, file=name, digest=named, sizes=sizes)

    def _write_later(self, path: str, edition: Edition) -> EditionFile:
        """Write an edition that most probably nobody will read: one file, as gzip."""
        name = f"{manifest.LATER}{next(self._later)}{Path(manifest.file_of(path)).suffix}"
        body = compressed_for_later(edition.body)
        Path(f"{self._place(name)}.gz").write_bytes(body)
        return EditionFile(
            valid_from=edition.valid_from.timestamp(),
            file=name,
            digest=digest(edition.body),
            sizes=(len(edition.body), len(body), 0),
        )

    def _link(self, known: EditionFile, name: str) -> None:
        if self._before_dir is None:
            raise Unreadable("There is no revision before this one.")
        target = self._place(name)
        for suffix in ENCODINGS.values():
            _link(self._before_dir / f"{known.file}{suffix}", Path(f"{target}{suffix}"))

    def _place(self, name: str) -> Path:
        """Return where a file goes, its folder made."""
        target = self._folder / name
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        return target


def replace_file(target: Path, content: bytes, *, lasting: bool) -> None:
    """Write a file in one step: readers meet the one before or this one, never a part."""
    ahead = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with ahead.open("wb") as file:
            file.write(content)
            if lasting:
                # Else a power cut may leave an empty file under the new name.
                file.flush()
                os.fsync(file.fileno())
        ahead.replace(target)
    finally:
        ahead.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # A file system without hard links.
        shutil.copyfile(source, target)
