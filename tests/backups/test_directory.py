from pathlib import Path

import pytest

from backups.engines.directory import TargetDirectory
from backups.errors import DirectoryForeign


@pytest.fixture
def directory(tmp_path: Path) -> TargetDirectory:
    return TargetDirectory(path=tmp_path / "data", token="restore-1")


class TestTargetDirectory:
    def test_is_made_private(self, directory: TargetDirectory) -> None:
        directory.prepare()

        assert directory.path.stat().st_mode & 0o777 == 0o700

    def test_is_wiped_when_an_earlier_attempt_left_it_half_full(
        self, directory: TargetDirectory
    ) -> None:
        directory.prepare()
        (directory.path / "base").mkdir()
        (directory.path / "base" / "1").write_text("half")

        directory.prepare()

        assert not (directory.path / "base").exists()
        assert not directory.is_filled()

    def test_is_taken_when_death_came_before_the_mark_was_set(
        self, directory: TargetDirectory
    ) -> None:
        directory.path.mkdir()
        (directory.path / ".highwater-restore.part").write_text("")

        directory.prepare()

        assert [path.name for path in directory.path.iterdir()] == [".highwater-restore"]

    def test_is_refused_when_it_holds_anything_else(self, directory: TargetDirectory) -> None:
        directory.path.mkdir()
        (directory.path / "PG_VERSION").write_text("17")

        with pytest.raises(DirectoryForeign):
            directory.prepare()
        directory.remove()

        assert (directory.path / "PG_VERSION").exists()

    def test_is_refused_when_it_is_another_restores(self, directory: TargetDirectory) -> None:
        TargetDirectory(path=directory.path, token="restore-2").prepare()

        with pytest.raises(DirectoryForeign):
            directory.prepare()

    def test_is_nobodys_to_wipe_once_it_is_handed_over(self, directory: TargetDirectory) -> None:
        directory.prepare()
        (directory.path / "PG_VERSION").write_text("17")
        directory.set_filled()
        directory.hand_over()

        with pytest.raises(DirectoryForeign):
            directory.prepare()
