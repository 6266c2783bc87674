"""What a restore may be asked for: the refusals, each with what to do."""

from typing import Any

import pytest

from backups.models import Backup, BackupKind, Database, RecoveryTarget
from backups.operations import (
    BackupNotUsable,
    LogHasHole,
    NoBackup,
    PointOutOfReach,
    TargetNotReady,
    TargetOccupied,
    VersionDiffers,
)
from backups.operations.wishes import chosen_backup, require_point, require_ready
from tests.backups.factories import DatabaseFactory, RecoveryTargetFactory
from tests.factories import HOUR, MINUTE, NOON

pytestmark = pytest.mark.django_db

HOLE = "00000001000000000000002A"


@pytest.fixture
def database() -> Database:
    return DatabaseFactory.create()


def backup(database: Database, **fields: Any) -> Backup:
    given = {
        "engine_id": f"b{Backup.objects.count()}", "label": "nightly", "is_finished": True,
        "began_at": NOON - 2 * MINUTE, "ended_at": NOON, "timeline": 1, "server_version": 170010,
        "cluster_bytes": 1, "reaches_until_at": NOON + HOUR,
    }  # fmt: skip
    return Backup.objects.create(database=database, **(given | fields))


def target(**fields: Any) -> RecoveryTarget:
    row: RecoveryTarget = RecoveryTargetFactory.create(probed_at=NOON, **fields)
    return row


class TestPoints:
    def test_without_a_backup_there_is_none(self, database: Database) -> None:
        with pytest.raises(NoBackup):
            require_point(database, None)

    def test_between_the_first_backup_and_the_end_of_the_log_all_is_well(
        self, database: Database
    ) -> None:
        backup(database)

        for moment in (None, NOON, NOON + 30 * MINUTE, NOON + HOUR):
            require_point(database, moment)

    @pytest.mark.parametrize("away", [-MINUTE, 61 * MINUTE])
    def test_outside_the_nearest_is_named(self, database: Database, away: Any) -> None:
        backup(database)

        with pytest.raises(PointOutOfReach, match=r"2026-01-12 1[23]:00:00"):
            require_point(database, NOON + away)

    def test_a_hole_behind_an_older_backup_does_not_touch_the_newer(
        self, database: Database
    ) -> None:
        backup(database, log_missing=HOLE, reaches_until_at=NOON + 10 * MINUTE)
        backup(database, ended_at=NOON + 30 * MINUTE)

        require_point(database, None)
        require_point(database, NOON + 5 * MINUTE)
        with pytest.raises(LogHasHole, match=f"{HOLE} is missing"):
            require_point(database, NOON + 20 * MINUTE)

    def test_without_a_log_only_the_moments_of_backups_are_there(self, database: Database) -> None:
        dump = backup(database, kind=BackupKind.LOGICAL, reaches_until_at=NOON - 2 * MINUTE)

        for moment in (None, dump.began_at, dump.ended_at):
            require_point(database, moment)
        with pytest.raises(PointOutOfReach, match="11:58:00"):
            require_point(database, NOON + MINUTE)


class TestBackups:
    def test_the_newest_that_can_be_used_is_taken(self, database: Database) -> None:
        sound = backup(database)
        backup(database, ended_at=NOON + MINUTE, log_missing=HOLE, reaches_until_at=None)

        assert chosen_backup(database, None) == sound

    def test_one_with_a_hole_inside_is_refused_by_the_name_of_the_file(
        self, database: Database
    ) -> None:
        broken = backup(database, log_missing=HOLE, reaches_until_at=None)

        with pytest.raises(BackupNotUsable, match=HOLE):
            chosen_backup(database, broken.pk)

    def test_one_of_another_database_is_refused(self, database: Database) -> None:
        with pytest.raises(BackupNotUsable):
            chosen_backup(database, backup(DatabaseFactory.create(archive_name="other")).pk)


class TestTargets:
    @pytest.mark.parametrize("held", ["running", "foreign"])
    def test_what_holds_a_directory_is_said(self, database: Database, held: str) -> None:
        with pytest.raises(TargetOccupied):
            require_ready(target(occupied_by=held), None, replaces="", at=NOON)

    @pytest.mark.parametrize("held", ["port", "programs", "disk", "ours"])
    def test_what_a_machine_lacks_is_said(self, database: Database, held: str) -> None:
        with pytest.raises(TargetNotReady):
            require_ready(target(occupied_by=held), None, replaces="", at=NOON)

    def test_what_was_seen_long_ago_is_left_to_the_worker(self, database: Database) -> None:
        require_ready(target(occupied_by="port"), None, replaces="", at=NOON + HOUR)

    def test_a_dump_can_go_to_newer_programs_and_files_cannot(self, database: Database) -> None:
        files, dump = backup(database), backup(database, kind=BackupKind.LOGICAL)
        newer = target(server_version=180003)

        require_ready(newer, dump, replaces="", at=NOON)
        with pytest.raises(VersionDiffers, match="PostgreSQL 18"):
            require_ready(newer, files, replaces="", at=NOON)
