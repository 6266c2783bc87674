"""A target that is a directory: a copy of the page's folder, switched in one step like it."""

import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from statuspage.publisher.targets.stock import Stock, archive_files
from statuspage.publisher.targets.trouble import OutOfTime, TargetFailed
from statuspage.serving import manifest
from statuspage.serving.manifest import Unreadable

_LOOK_EVERY = 100
_KEPT_REVISIONS = 3
_MANIFEST = "manifest.json"


def push(stock: Stock, target: Path, *, until: float) -> int:
    """Bring what differs into a directory that is there; return how many files were copied.

    Archived files are replaced one by one before the switch, as the page's own are. A push that
    was cut short leaves the revision before it in place.

    :raises TargetFailed: if the directory is not there
    :raises OutOfTime: if ``until`` (of the monotonic clock) passes
    :raises Unreadable: if the revision is overtaken meanwhile
    :raises OSError: if it cannot be written
    """
    if not target.is_dir():
        raise TargetFailed(f"The folder {target} is not there. Is its disk mounted?")
    count, wanted = _bring_archive(stock, target / "archive", until=until)
    before = _current(target)
    if before is None or not _same(stock.folder / _MANIFEST, before / _MANIFEST):
        # A name that nothing has, not even a revision of the same number that was cut short.
        folder = target / "revisions" / f"{stock.revision}.{secrets.token_hex(4)}"
        count += _bring_revision(stock, folder, before)
        _switch(target, folder)
    _remove_strays(target / "archive", wanted)
    _forget_old(target)
    return count


def probe(target: Path) -> None:
    """Write a file and delete it again.

    :raises TargetFailed: if the directory is not there
    :raises OSError: if it cannot be written
    """
    if not target.is_dir():
        raise TargetFailed(f"The folder {target} is not there. Is its disk mounted?")
    file = target / f".probe-{secrets.token_hex(8)}"
    try:
        file.write_bytes(b"Highwater tries whether it may write here.\n")
    finally:
        file.unlink(missing_ok=True)


def _bring_archive(stock: Stock, target: Path, *, until: float) -> tuple[int, set[str]]:
    """Copy the archived files that differ, and return all that belong there."""
    count, wanted = 0, set()
    for entry in archive_files(stock.archive):
        name = str(Path(entry.path).relative_to(stock.archive))
        if manifest.is_personal(name) and not stock.personal:
            continue
        wanted.add(name)
        if not _same(Path(entry.path), target / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            count += _copy(Path(entry.path), target / name)
            _look_at_the_clock(count, until)
    for parcel in stock.personal:
        # What their script finds where no server of ours picks the editions.
        body = None if isinstance(parcel.source, Path) else parcel.body()
        if body is not None:
            wanted.add(parcel.file)
            count += _write(target / parcel.file, body)
            _look_at_the_clock(count, until)
    return count, wanted


def _look_at_the_clock(count: int, until: float) -> None:
    if count % _LOOK_EVERY == 0 and time.monotonic() > until:
        raise OutOfTime


def _write(target: Path, body: bytes) -> bool:
    """Write a file in one step; False if it is there already."""
    with suppress(FileNotFoundError):
        if target.read_bytes() == body:
            return False
    ahead = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
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
    """Copy a file in one step; False if it was withdrawn meanwhile."""
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


def _remove_strays(archive: Path, wanted: set[str]) -> None:
    for entry in archive_files(archive):
        if str(Path(entry.path).relative_to(archive)) not in wanted:
            Path(entry.path).unlink(missing_ok=True)


def _forget_old(target: Path) -> None:
    """Remove the revisions that nobody is being served any more, and those cut short."""
    current = _current(target)
    folders = [folder for folder in (target / "revisions").iterdir() if folder != current]
    folders.sort(key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    for folder in folders[_KEPT_REVISIONS - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
