"""What can be a file of an archived log under its name, and what cannot."""

import gzip
import hashlib
import struct

import pytest

from backups.engines.archived import fault_of_archived, is_of_the_log

NAME = "000000010000000000000003"
MIB = 1024 * 1024


def segment(number: int = 3, size: int = MIB) -> bytes:
    header = struct.pack("<HHIQI4xQII", 0xD116, 2, 1, number * size, 0, 7, size, 8192)
    return header.ljust(size, b"\0")


class TestASegment:
    def test_is_told_by_every_engines_name(self) -> None:
        digest = hashlib.sha1(segment(), usedforsecurity=False).hexdigest()

        assert fault_of_archived(NAME, segment()) == ""
        assert fault_of_archived(f"{NAME}.gz", gzip.compress(segment())) == ""
        assert fault_of_archived(f"{NAME}-{digest}.gz", gzip.compress(segment())) == ""

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            (f"{NAME}.gz", gzip.compress(segment())[:-9], "cannot be unpacked"),
            (f"{NAME}.gz", segment(), "cannot be unpacked"),
            (NAME, segment()[:-1], "bytes instead of"),
            (NAME, segment(4), "its first page belongs at"),
            (f"{NAME}-{'0' * 40}", segment(), "not what its name says"),
        ],
        ids=["cut off", "not packed", "short", "of another place", "other bytes"],
    )
    def test_is_refused_with_the_reason(self, name: str, content: bytes, words: str) -> None:
        assert words in fault_of_archived(name, content)


def test_histories_and_labels_have_to_say_something() -> None:
    for name in ("00000002.history", f"{NAME}.00000028.backup"):
        assert fault_of_archived(name, b"1\t0/3000000\tno recovery target") == ""
        assert fault_of_archived(name, b"") == "empty"


def test_other_objects_are_not_of_the_log() -> None:
    assert not is_of_the_log("data.tar")
    with pytest.raises(ValueError, match=r"data\.tar"):
        fault_of_archived("data.tar", b"x")
