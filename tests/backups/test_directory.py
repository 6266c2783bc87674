from pathlib import Path

import psycopg
import pytest
from django.conf import settings

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
        assert not directory.is_filled(backup_id="b1")

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
        directory.set_filled(backup_id="b1")
        directory.hand_over()

        with pytest.raises(DirectoryForeign):
            directory.prepare()


class TestMoveAside:
    @pytest.fixture
    def foreign(self, directory: TargetDirectory) -> TargetDirectory:
        """Give a directory with somebody's cluster in it, and a tablespace beside it."""
        spaces = directory.path.with_name("data.tablespaces")
        (directory.path / "pg_tblspc").mkdir(parents=True)
        (spaces / "16400").mkdir(parents=True)
        (spaces / "16400" / "rows").write_text("theirs")
        (directory.path / "pg_tblspc" / "16400").symlink_to(spaces / "16400")
        (directory.path / "PG_VERSION").write_text("17")
        return directory

    def test_keeps_everything(self, foreign: TargetDirectory) -> None:
        aside = foreign.move_aside()

        assert aside == foreign.path.with_name("data.before-restore-1")
        assert (aside / "PG_VERSION").read_text() == "17"
        # Also what is found through a link, under its new name.
        assert (aside / "pg_tblspc" / "16400" / "rows").read_text() == "theirs"
        assert not foreign.path.exists()
        assert not foreign.path.with_name("data.tablespaces").exists()

    def test_is_finished_after_a_death_in_between(self, foreign: TargetDirectory) -> None:
        foreign.path.with_name("data.tablespaces").rename(
            foreign.path.with_name("data.before-restore-1.tablespaces")
        )

        aside = foreign.move_aside()

        assert (aside / "pg_tblspc" / "16400" / "rows").read_text() == "theirs"

    def test_leaves_another_restores_work_alone(self, tmp_path: Path) -> None:
        TargetDirectory(path=tmp_path / "data", token="restore-7").prepare()
        mine = TargetDirectory(path=tmp_path / "data", token="restore-1")

        with pytest.raises(DirectoryForeign, match="another restore") as refusal:
            mine.move_aside()

        assert "Resume or cancel" in refusal.value.advice
        assert mine.path.exists()

    def test_overwrites_nothing_that_lies_aside_already(self, foreign: TargetDirectory) -> None:
        foreign.path.with_name("data.before-restore-1").mkdir()

        with pytest.raises(DirectoryForeign) as refusal:
            foreign.move_aside()

        assert "data.before-restore-1" in refusal.value.advice
        assert (foreign.path / "PG_VERSION").exists()

    def test_does_not_move_under_a_server_that_lives(self, foreign: TargetDirectory) -> None:
        postgres = settings.DATABASES["default"]
        with psycopg.connect(
            host=postgres["HOST"], port=postgres["PORT"], user=postgres["USER"],
            password=postgres["PASSWORD"], dbname="postgres",
        ) as connection:  # fmt: skip
            pid = connection.info.backend_pid
            (foreign.path / "postmaster.pid").write_text(f"{pid}\n{foreign.path}\n")

            with pytest.raises(DirectoryForeign) as refusal:
                foreign.move_aside()

        assert f"process {pid}" in refusal.value.advice
        assert (foreign.path / "PG_VERSION").exists()

    def test_takes_a_dead_servers_lock_for_nothing(self, foreign: TargetDirectory) -> None:
        (foreign.path / "postmaster.pid").write_text("4194000\n")

        assert foreign.move_aside().exists()
