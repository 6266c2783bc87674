"""A target that is a directory: a copy of the page's folder, switched in one step like it."""

import json
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from statuspage.publisher.targets.stock import Stock, archive_files, has_name_of_ours
from statuspage.publisher.targets.trouble import TargetFailed
from statuspage.serving import manifest
from statuspage.serving.manifest import Unreadable
from statuspage.serving.memory import digest

_LOOK_EVERY = 100
_KEPT_REVISIONS = 3
_MANIFEST = "manifest.json"
_MARKER = ".highwater"
# A disk that was made just now has it, and it is nobody's.
_NOBODYS = "lost+found"
_REVISION = re.compile(r"[0-9]+\.[0-9a-f]{8}")


@dataclass(slots=True)
class Ours:
    """What we put into a directory: nothing else is ever deleted there.

    It lies in the directory itself and marks it as ours. Files of the archive are written down by
    the digests of their names, for a list of tenants' addresses would be worth stealing.
    """

    files: set[str] = field(default_factory=set)
    revisions: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, target: Path) -> "Ours":
        """Return what we put there so far; nothing if the directory is empty.

        :raises TargetFailed: if it is not there, or if it is not ours
        :raises OSError: if it cannot be read
        """
        if not target.is_dir():
            raise TargetFailed(f"The folder {target} is not there. Is its disk mounted?")
        try:
            found = json.loads((target / _MARKER).read_bytes())
            return cls(set(found["files"]), set(found["revisions"]))
        except FileNotFoundError:
            names = {entry.name for entry in target.iterdir()} - {_NOBODYS}
        except (ValueError, KeyError, TypeError) as fault:
            raise TargetFailed(f"{target / _MARKER} is broken. Empty the folder.") from fault
        # One that was about to become ours has no more than a marker half written.
        if any(not name.startswith(_MARKER) for name in names):
            raise TargetFailed(f"The folder {target} holds other things. Give an empty one.")
        return cls()

    def write(self, target: Path) -> None:
        text = json.dumps({"files": sorted(self.files), "revisions": sorted(self.revisions)})
        _write(target / _MARKER, text.encode())

    def has(self, file: str) -> bool:
        """Whether we put a file into the archive."""
        return has_name_of_ours(file) and _named(file) in self.files


def push(stock: Stock, target: Path, *, look: Callable[[], None]) -> int:
    """Bring what differs into a directory that is there; return how many files were copied.

    Archived files are replaced one by one before the switch, as the page's own are. A push that
    was cut short leaves the revision before it in place. ``look`` is called now and then, and may
    raise what ends the push.

    :raises TargetFailed: if the directory is not there, or holds what is not ours
    :raises Unreadable: if the revision is overtaken meanwhile
    :raises OSError: if it cannot be written
    """
    ours = Ours.read(target)
    wanted = _archive_of(stock)
    # A name that nothing has, not even a revision of the same number that was cut short.
    folder = target / "revisions" / f"{stock.revision}.{secrets.token_hex(4)}"
    before = _current(target)
    is_new = before is None or not _same(stock.folder / _MANIFEST, before / _MANIFEST)
    # Written down before anything is put there: a push may be killed between any two files.
    ours.files |= {_named(file) for file in wanted}
    ours.revisions |= {folder.name} if is_new else set()
    ours.write(target)
    count = _bring_archive(stock, target / "archive", wanted, look=look)
    if is_new:
        count += _bring_revision(stock, folder, before)
        _switch(target, folder)
    _remove_strays(target / "archive", ours, wanted)
    _forget_old(target, ours)
    ours.write(target)
    return count


def probe(target: Path) -> None:
    """Write a file and delete it again.

    :raises TargetFailed: if the directory is not there, or holds what is not ours
    :raises OSError: if it cannot be written
    """
    Ours.read(target)
    file = target / f"{_MARKER}-probe-{secrets.token_hex(8)}"
    try:
        file.write_bytes(b"Highwater tries whether it may write here.\n")
    finally:
        file.unlink(missing_ok=True)


def _archive_of(stock: Stock) -> set[str]:
    """Return the files of the archive that belong there."""
    copied = {
        str(Path(entry.path).relative_to(stock.archive)) for entry in archive_files(stock.archive)
    }
    if not stock.personal:
        return {file for file in copied if not manifest.is_personal(file)}
    return copied | {parcel.file for parcel in stock.personal}


def _bring_archive(
    stock: Stock, target: Path, wanted: set[str], *, look: Callable[[], None]
) -> int:
    """Copy the archived files that differ."""
    # What their script finds where no server of ours picks the editions.
    made = {parcel.file: parcel for parcel in stock.personal if not isinstance(parcel.source, Path)}
    count = 0
    for place, file in enumerate(sorted(wanted)):
        if place % _LOOK_EVERY == 0:
            look()
        if file not in made:
            count += _copy(stock.archive / file, target / file)
        elif (body := made[file].body()) is not None:
            count += _write(target / file, body)
    return count


def _write(target: Path, body: bytes) -> bool:
    """Write a file in one step; False if it is there already."""
    with suppress(FileNotFoundError):
        if target.read_bytes() == body:
            return False
    target.parent.mkdir(parents=True, exist_ok=True)
    ahead = target.with_name(f".{target.name.lstrip('.')}.{secrets.token_hex(4)}")
    try:
        ahead.write_bytes(body)
        ahead.replace(target)
    finally:
        ahead.unlink(missing_ok=True)
    return True


def _bring_revision(stock: Stock, folder: Path, before: Path | None) -> int:
    """Fill the folder of a revision; what the one before has already is linked to it."""
    count = 0
    for entry in archive_files(stock.folder):
        name = Path(entry.path).relative_to(stock.folder)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if before is None or not _same(Path(entry.path), before / name):
            try:
                shutil.copy2(entry.path, folder / name)
            except FileNotFoundError as fault:
                if Path(entry.path).exists():
                    raise
                raise Unreadable("The revision has been overtaken.") from fault
            count += 1
        else:
            _link(before / name, folder / name)
    for parcel in stock.documents:
        # What a script looks for where no server of ours picks the editions.
        if isinstance(parcel.source, bytes):
            file = folder / "site" / parcel.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(parcel.source)
            count += 1
    return count


def _copy(source: Path, target: Path) -> bool:
    """Copy a file in one step; False if it is there already, or was withdrawn meanwhile."""
    if _same(source, target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    ahead = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        shutil.copy2(source, ahead)
        ahead.replace(target)
    except FileNotFoundError:
        return False
    finally:
        ahead.unlink(missing_ok=True)
    return True


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        # A file system without hard links.
        shutil.copy2(source, target)


def _same(source: Path, target: Path) -> bool:
    try:
        here, there = source.stat(), target.stat()
    except FileNotFoundError:
        return False
    return (here.st_mtime_ns, here.st_size) == (there.st_mtime_ns, there.st_size)


def _current(target: Path) -> Path | None:
    try:
        return target / (target / manifest.CURRENT).readlink()
    except OSError:
        return None


def _switch(target: Path, folder: Path) -> None:
    ahead = target / f".{manifest.CURRENT}.{secrets.token_hex(4)}"
    ahead.symlink_to(folder.relative_to(target))
    ahead.replace(target / manifest.CURRENT)


def _remove_strays(archive: Path, ours: Ours, wanted: set[str]) -> None:
    """Remove what we put into the archive and what does not belong there any more."""
    for entry in archive_files(archive):
        file = str(Path(entry.path).relative_to(archive))
        if file not in wanted and ours.has(file):
            Path(entry.path).unlink(missing_ok=True)
    ours.files = {_named(file) for file in wanted}


def _forget_old(target: Path, ours: Ours) -> None:
    """Remove our revisions that nobody is being served any more, and those cut short."""
    current = _current(target)
    folders = [
        folder
        for folder in (target / "revisions").iterdir()
        if folder != current and folder.name in ours.revisions and _REVISION.fullmatch(folder.name)
    ]
    folders.sort(key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    for folder in folders[_KEPT_REVISIONS - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
    ours.revisions &= {folder.name for folder in (target / "revisions").iterdir()}


def _named(file: str) -> str:
    return digest(file.encode())
