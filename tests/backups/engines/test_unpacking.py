"""From barman's archives to a directory: nothing left out in silence, nothing led outside."""

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backups.engines.arriving import STAGED
from backups.engines.barman_cloud.unpacking import unpack_archives
from backups.engines.base import BackupRecord
from backups.errors import ObjectDamaged

NOON = datetime(2026, 1, 12, 12, tzinfo=UTC)
BACKUP = BackupRecord(
    backup_id="b1", label="", is_finished=True, began_at=NOON, ended_at=NOON, begin_lsn=0,
    end_lsn=0, begin_wal="", end_wal="", timeline=1, system_id=1, server_version=170010,
    cluster_bytes=1, segment_bytes=1, data_checksums=False,
)  # fmt: skip


def archive(staged: Path, *members: tarfile.TarInfo) -> None:
    staged.mkdir(exist_ok=True)
    with tarfile.open(staged / "data.tar", mode="w") as tar:
        content = tarfile.TarInfo("PG_VERSION")
        content.size = 3
        tar.addfile(content, io.BytesIO(b"17\n"))
        for member in members:
            tar.addfile(member)


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def unpacked(tmp_path: Path, *members: tarfile.TarInfo) -> Path:
    archive(tmp_path / "staged", *members)
    directory = tmp_path / "data"
    list(unpack_archives(BACKUP, tmp_path / "staged", directory, STAGED))
    return directory


def test_the_log_has_its_folder_also_where_the_source_had_it_elsewhere(tmp_path: Path) -> None:
    assert (unpacked(tmp_path) / "pg_wal").is_dir()


def test_the_log_is_not_linked_to_where_it_was(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()

    directory = unpacked(tmp_path, special("pg_wal", tarfile.SYMTYPE, str(live)))

    assert not (directory / "pg_wal").is_symlink()
    assert (directory / "pg_wal").is_dir()


@pytest.mark.parametrize(
    "member",
    [
        special("b", tarfile.LNKTYPE, "PG_VERSION"),
        special("pipe", tarfile.FIFOTYPE),
        special("b", tarfile.SYMTYPE, "/etc/passwd"),
        special("b", tarfile.SYMTYPE, "../outside"),
    ],
    ids=["hard link", "pipe", "absolute link", "link outside"],
)
def test_what_a_backup_never_holds_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    with pytest.raises(ObjectDamaged):
        unpacked(tmp_path, member)


def test_a_link_within_is_kept(tmp_path: Path) -> None:
    directory = unpacked(tmp_path, special("current", tarfile.SYMTYPE, "PG_VERSION"))

    assert (directory / "current").read_text() == "17\n"
