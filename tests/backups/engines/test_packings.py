"""Every packing that the tools write is read, whole and as a stream."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import lz4.frame  # type: ignore[import-untyped]
import pytest
import snappy  # type: ignore[import-untyped]
import zstandard

from backups.engines.arriving import STAGED
from backups.engines.barman_cloud.unpacking import unpack_archives
from backups.engines.base import BackupRecord
from backups.engines.packings import PACKINGS, UNPACKING_ERRORS, stream_of, unpacked
from backups.errors import EngineFailed, ObjectDamaged
from tests.protected import Protected

CONTENT = b"".join(b"%d of the rows\n" % number for number in range(300_000))


def packed_by_zstd(content: bytes) -> bytes:
    """Pack as a stream is packed: without its size in the header."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(content) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lambda content: lzma.compress(content, preset=0),
    "zst": packed_by_zstd,
    "lz4": lz4.frame.compress,
    "snappy": lambda content: bytes(snappy.StreamCompressor().add_chunk(content)),
}


def packed(content: bytes, packing: str) -> bytes:
    return PACKERS[packing](content)


@pytest.mark.parametrize("packing", ["", *PACKINGS])
class TestPackings:
    def test_are_read_whole(self, packing: str) -> None:
        assert unpacked(packed(CONTENT, packing), packing) == CONTENT

    def test_are_read_as_streams(self, packing: str, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(packed(CONTENT, packing))

        with (tmp_path / "file").open("rb") as file:
            stream = stream_of(file, packing)
            pieces = list(iter(lambda: stream.read(100_000), b""))
            assert file.tell() == (tmp_path / "file").stat().st_size

        assert b"".join(pieces) == CONTENT

    def test_never_give_the_whole_when_cut_off(self, packing: str) -> None:
        half = packed(CONTENT, packing)[:-5]

        try:
            assert unpacked(half, packing) != CONTENT
        except UNPACKING_ERRORS:
            return

    def test_hold_barman_s_archives(
        self, packing: str, tmp_path: Path, protected: Protected
    ) -> None:
        backup: BackupRecord = protected.backup
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            member = tarfile.TarInfo("base/1/1259")
            member.size = len(CONTENT)
            tar.addfile(member, io.BytesIO(CONTENT))
        name = ".".join(filter(None, ("data", "tar", packing)))
        staged = tmp_path / "staged"
        staged.mkdir()
        (staged / name).write_bytes(packed(archive.getvalue(), packing))

        steps = list(unpack_archives(backup, staged, tmp_path / "data", STAGED))

        assert (tmp_path / "data" / "base" / "1" / "1259").read_bytes() == CONTENT
        assert steps[-1].done == steps[-1].total
        whole = (staged / name).read_bytes()
        (staged / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ObjectDamaged):
            list(unpack_archives(backup, staged, tmp_path / "again", STAGED))


def test_an_unknown_one_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(EngineFailed) as told:
        unpacked(b"", "rar")

    assert "packed as one of gz, bz2, xz, zst, lz4, snappy" in told.value.advice
