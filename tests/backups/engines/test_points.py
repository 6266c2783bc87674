"""Without a log a restore goes to the moments of the backups, and to no other."""

from datetime import UTC, datetime, timedelta

import pytest

from backups.engines.base import BackupRecord, Kind
from backups.engines.points import destination_without_log, point_of
from backups.errors import BackupMissing, TargetOutOfReach

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def backup_at(at: datetime, *, is_finished: bool = True) -> BackupRecord:
    return BackupRecord(
        backup_id=f"{at:%H}",
        label="",
        is_finished=is_finished,
        began_at=at,
        ended_at=at + timedelta(minutes=5),
        begin_lsn=100,
        end_lsn=200,
        begin_wal="",
        end_wal="",
        timeline=0,
        system_id=7,
        server_version=170010,
        cluster_bytes=1,
        segment_bytes=1,
        data_checksums=True,
        kind=Kind.LOGICAL,
    )


BACKUPS = [backup_at(NOON + HOUR), backup_at(NOON), backup_at(NOON + 2 * HOUR, is_finished=False)]


class TestDestinationWithoutLog:
    def test_is_the_newest_finished_backup(self) -> None:
        destination = destination_without_log(BACKUPS, None)

        assert destination.backup.backup_id == "13"
        # Every database has its own moment after this one.
        assert destination.data_until_at == NOON + HOUR
        assert destination.segments == ()

    def test_is_the_backup_that_was_named(self) -> None:
        assert destination_without_log(BACKUPS, None, backup_id="12").data_until_at == NOON

    @pytest.mark.parametrize("moment", [NOON, NOON + timedelta(minutes=5)])
    def test_is_the_backup_of_the_moment(self, moment: datetime) -> None:
        assert destination_without_log(BACKUPS, moment).backup.backup_id == "12"

    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            (NOON + HOUR / 2, "2026-11-22 12:00:00.000000 UTC and 2026-11-22 13:00:00.000000 UTC"),
            (NOON - HOUR, "The nearest are 2026-11-22 12:00:00.000000 UTC. "),
            (NOON + 9 * HOUR, "The nearest are 2026-11-22 13:00:00.000000 UTC. "),
        ],
    )
    def test_names_what_is_nearest_to_any_other(self, asked: datetime, told: str) -> None:
        with pytest.raises(TargetOutOfReach) as refusal:
            destination_without_log(BACKUPS, asked)

        assert told in refusal.value.advice

    @pytest.mark.parametrize(("backups", "name"), [([], ""), (BACKUPS, "20"), (BACKUPS, "14")])
    def test_refuses_where_there_is_none(self, backups: list[BackupRecord], name: str) -> None:
        with pytest.raises(BackupMissing):
            destination_without_log(backups, None, backup_id=name)

    def test_a_moment_that_is_told_can_be_asked_for(self) -> None:
        for backup in BACKUPS[:2]:
            assert destination_without_log(BACKUPS, point_of(backup)).backup is backup
