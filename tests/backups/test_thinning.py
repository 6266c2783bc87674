"""What was written down long ago goes; what says since when something is so stays."""

from datetime import timedelta

import pytest

from backups import runner
from backups.models import (
    BackupCheckChange,
    BackupCheckName,
    CheckState,
    Database,
    StorageMeasurement,
)
from tests.backups.factories import DatabaseFactory, StorageLocationFactory
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def turned(database: Database, state: CheckState, *, ago: timedelta) -> BackupCheckChange:
    return BackupCheckChange.objects.create(
        database=database, name=BackupCheckName.SIZE, state=state, at=NOON - ago, words="x"
    )


class TestTurnsOfChecks:
    def test_are_kept_whole_then_once_a_day_and_state_and_then_not_at_all(self) -> None:
        database = DatabaseFactory.create()
        old, older = timedelta(days=100), timedelta(days=500)
        for minute in range(60):
            state = CheckState.OK if minute % 2 else CheckState.WARNING
            for ago in (timedelta(days=1), old, old + DAY, older):
                turned(database, state, ago=ago - minute * MINUTE)

        gone = runner.thin_check_changes(at=NOON)

        left = BackupCheckChange.objects.all()
        assert left.filter(at__gt=NOON - 2 * DAY).count() == 60
        assert left.filter(at__lt=NOON - 2 * DAY).count() == 4
        assert left.filter(at__lt=NOON - 400 * DAY).count() == 0
        assert gone == 240 - 64
        assert runner.thin_check_changes(at=NOON) == 0

    def test_keep_the_last_one_of_each_check_however_old(self) -> None:
        one, other = DatabaseFactory.create(), DatabaseFactory.create()
        turned(one, CheckState.OK, ago=700 * DAY)
        last = turned(one, CheckState.WARNING, ago=600 * DAY)
        only = turned(other, CheckState.OK, ago=800 * DAY)

        assert runner.thin_check_changes(at=NOON) == 1

        assert set(BackupCheckChange.objects.all()) == {last, only}


class TestMeasurements:
    def test_are_kept_whole_then_once_an_hour_and_then_not_at_all(self) -> None:
        one, other = StorageLocationFactory.create(), StorageLocationFactory.create()
        StorageMeasurement.objects.bulk_create(
            StorageMeasurement(
                location=location, measured_at=NOON - ago + second * timedelta(seconds=30),
                seconds=30, bytes=10, requests=1, errors=0,
            )
            for location in (one, other)
            for ago in (DAY, 100 * DAY, 100 * DAY - 3 * HOUR, 401 * DAY)
            for second in range(20)
        )  # fmt: skip

        gone = runner.thin_measurements(at=NOON)

        left = StorageMeasurement.objects.filter(location=one)
        assert left.filter(measured_at__gt=NOON - 2 * DAY).count() == 20
        assert left.filter(measured_at__lt=NOON - 2 * DAY).count() == 2
        assert StorageMeasurement.objects.count() == 44
        assert gone == 160 - 44
        assert runner.thin_measurements(at=NOON) == 0
