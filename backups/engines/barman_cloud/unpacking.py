"""From barman's archives to a data directory, copied by the kernel where it can."""

import errno
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from backups.engines.arriving import Arrival, Arriving
from backups.engines.base import BackupRecord, Step
from backups.engines.filling import tablespaces_beside
from backups.engines.packings import UNPACKING_ERRORS, stream_of
from backups.errors import DiskTooSmall, EngineFailed, ObjectDamaged

MIB = 1024 * 1024
STEP_BYTES = 32 * MIB


def unpack_archives(
    backup: BackupRecord, staged: Path, directory: Path, arrival: Arrival
) -> Iterator[Step]:
    """Unpack a backup: ``data*`` into the directory, ``OID*`` beside it as tablespaces.

    :raises ObjectDamaged: if an archive cannot be read
    :raises EngineFailed: if an archive is packed in a way that is not known here
    """
    archives = sorted(path for path in staged.iterdir() if ".tar" in path.name)
    total = sum(path.stat().st_size for path in archives)
    before = 0
    for path in archives:
        into = _destination(path, backup, directory)
        for done in _unpack(path, into, arrival):
            yield Step(done=min(before + done, total), total=total)
        before += path.stat().st_size
    # Where the source had it elsewhere, behind a link, it is in no archive.
    (directory / "pg_wal").mkdir(mode=0o700, exist_ok=True)
    _link_tablespaces(backup, directory)
    yield Step(done=total, total=total)


def _destination(path: Path, backup: BackupRecord, directory: Path) -> Path:
    stem = path.name.split(".", 1)[0].split("_", 1)[0]
    if stem == "data":
        return directory
    if stem not in backup.tablespaces:
        raise EngineFailed(f"{path.name} belongs to no tablespace that the backup names")
    return tablespaces_beside(directory) / stem


def _link_tablespaces(backup: BackupRecord, directory: Path) -> None:
    for oid in backup.tablespaces:
        link = directory / "pg_tblspc" / oid
        link.parent.mkdir(mode=0o700, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(tablespaces_beside(directory) / oid)


def _unpack(path: Path, into: Path, arrival: Arrival) -> Iterator[int]:
    packing = path.name.split(".", 1)[1].removeprefix("tar").removeprefix(".")
    plain = not packing
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    told = 0
    try:
        with (
            Arriving(path, arrival) as raw,
            io.BufferedReader(raw, MIB) as file,
            tarfile.open(fileobj=stream_of(file, packing), mode="r:" if plain else "r|") as archive,  # type: ignore[call-overload]
        ):
            for member in archive:
                for moved in _place(member, archive, raw, into, plain=plain):
                    told += moved
                    if told >= STEP_BYTES:
                        told = 0
                        yield member.offset_data + moved if plain else file.tell()
                raw.used(member.offset_data + member.size if plain else file.tell())
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskTooSmall(str(error)) from error
        if error.errno is not None:
            raise
        # What gzip and bz2 say of content that is not theirs.
        raise ObjectDamaged(f"{path.name}: {error}") from error
    except (tarfile.TarError, *UNPACKING_ERRORS) as error:
        raise ObjectDamaged(f"{path.name}: {error}") from error


def _place(
    member: tarfile.TarInfo, archive: tarfile.TarFile, file: Arriving, into: Path, *, plain: bool
) -> Iterator[int]:
    target = into / member.name
    if not target.resolve().is_relative_to(into.resolve()):
        raise ValueError(f"{member.name} leads outside")
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.chmod(0o700)
    elif member.isfile():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as copy:
            if plain:
                yield from _copy_inside_kernel(file, copy.fileno(), member)
            else:
                content = archive.extractfile(member)
                assert content is not None
                shutil.copyfileobj(content, copy, MIB)
                yield member.size
    elif member.issym():
        # Tablespaces and the log may be linked to where they were, which is somebody else's now.
        if member.name.removeprefix("./").split("/")[0] not in {"pg_tblspc", "pg_wal"}:
            if not (target.parent / member.linkname).resolve().is_relative_to(into.resolve()):
                raise ValueError(f"{member.name} links to {member.linkname}, outside")
            target.unlink(missing_ok=True)
            target.symlink_to(member.linkname)
    else:
        raise ValueError(f"{member.name} is neither a file nor a directory nor a link")


def _copy_inside_kernel(source: Arriving, copy: int, member: tarfile.TarInfo) -> Iterator[int]:
    at, end = member.offset_data, member.offset_data + member.size
    while at < end:
        length = min(STEP_BYTES, end - at)
        source.come(at, at + length)
        moved = _move(source.fileno(), copy, at, length)
        if moved == 0:
            raise ValueError(f"{member.name} is cut off")
        at += moved
        yield moved


def _move(source: int, copy: int, at: int, length: int) -> int:
    try:
        return os.copy_file_range(source, copy, length, at)
    except OSError as error:
        # Between file systems, or on one that cannot: the other call of the kernel that copies.
        if error.errno not in {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise
        return os.sendfile(copy, source, at, length)
