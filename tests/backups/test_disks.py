"""Work that fills a disk waits for room, and begins again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from backups.errors import DiskTooSmall
from backups.runner import disks
from backups.runner.disks import with_room
from backups.steps import Step


class Disk:
    """A disk with so much room, in which a work needs so much."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, room: int, needed: int) -> None:
        self.room, self.needed, self.begun, self.cleared = room, needed, 0, 0
        monkeypatch.setattr(disks, "free_on", lambda _path: self.room)
        monkeypatch.setattr("time.sleep", lambda _seconds: None)

    def clear(self) -> None:
        self.cleared += 1

    def work(self) -> Iterator[Step]:
        self.begun += 1
        yield Step(done=1, total=10)
        if self.room < self.needed:
            raise DiskTooSmall
        yield Step(done=10, total=10)


def test_it_goes_on_as_soon_as_there_is_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, room=10, needed=disks.MORE_BYTES)
    seen = []

    for step in with_room(disk.work, before=disk.clear, path=tmp_path):
        seen.append(step.waiting)
        if seen.count("disk") == 3:
            disk.room += disks.MORE_BYTES

    assert seen == ["", "disk", "disk", "disk", "", ""]
    assert disk.begun == 2


def test_it_gives_up_when_nobody_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.STORAGE_OUTAGE_SECONDS = 0
    disk = Disk(monkeypatch, room=10, needed=20)

    with pytest.raises(DiskTooSmall):
        list(with_room(disk.work, before=disk.clear, path=tmp_path))

    assert disk.cleared == 2
