"""What a loss would cost now: written down every few minutes, from what is on record."""

from datetime import timedelta
from typing import Any

import pytest

from backups import queries, runner
from backups.models import Backup, LossForecast, RecoveryTarget
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
)
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def restorable() -> Backup:
    """Return a backup that can be brought back, with a place for it."""
    RecoveryTargetFactory.create(
        free_bytes=10**12,
        server_version=170010,
        probed_at=NOON,
        write_bytes_per_second=1e8,
    )
    database = DatabaseFactory.create(
        synced_at=NOON,
        recovery_point_objective=15 * MINUTE,
        recovery_time_objective=4 * HOUR,
    )
    return BackupFactory.create(
        database=database, reaches_until_at=NOON - 10 * MINUTE, stored_bytes=10_000_000
    )


class TestForecast:
    def test_names_the_plan_with_its_loss_and_its_range(self) -> None:
        backup = restorable()

        runner.forecast_losses(at=NOON)

        row = LossForecast.objects.get()
        assert row.database == backup.database
        assert row.loss_seconds == 600
        assert row.low_seconds is not None
        assert row.middle_seconds is not None
        assert row.high_seconds is not None
        assert 0 < row.low_seconds <= row.middle_seconds <= row.high_seconds
        assert row.plan_code
        assert "nightly" in row.plan_words
        assert (row.point_objective_seconds, row.time_objective_seconds) == (900, 4 * 3600)

    def test_grows_while_nothing_new_is_archived(self) -> None:
        restorable()

        runner.forecast_losses(at=NOON)
        runner.forecast_losses(at=NOON + HOUR)

        losses = LossForecast.objects.order_by("at").values_list("loss_seconds", flat=True)
        assert list(losses) == [600, 4200]

    def test_without_a_way_back_says_why_and_gives_no_figure(self) -> None:
        DatabaseFactory.create()

        runner.forecast_losses(at=NOON)

        row = LossForecast.objects.get()
        assert (row.loss_seconds, row.middle_seconds, row.plan_code) == (None, None, "")
        assert "No recovery target is registered" in row.plan_words
        assert "No backup is known" in row.plan_words

    def test_while_something_is_in_the_way_says_what_it_is(self) -> None:
        database, target = restorable().database, RecoveryTarget.objects.get()
        job = RestoreJobFactory.create(target=target, database=database)

        runner.forecast_losses(at=NOON)

        row = LossForecast.objects.get()
        assert (row.loss_seconds, row.plan_code) == (None, "")
        assert f"{job} uses {target}. Wait for it" in row.plan_words

    def test_says_what_has_to_be_moved_aside_first(self) -> None:
        backup = restorable()
        RecoveryTarget.objects.update(occupied_by="running")

        row = runner.forecast_loss(database_id=backup.database_id, at=NOON)

        assert row.loss_seconds is not None
        assert "where the cluster that runs there has to be moved aside" in row.plan_words

    def test_a_drill_at_the_only_target_is_no_reason_to_have_no_way_back(self) -> None:
        backup = restorable()
        target = RecoveryTarget.objects.get()
        runner.begin_drill(database=backup.database, target=target, by_id=None, at=NOON)
        RecoveryTarget.objects.update(occupied_by="ours")

        runner.forecast_losses(at=NOON)

        row = LossForecast.objects.get()
        assert row.loss_seconds == 600
        assert row.plan_words.startswith("Once the drill there is called off. To the latest")

    def test_is_written_once_in_five_minutes_however_many_beats_run(self) -> None:
        DatabaseFactory.create()

        assert runner.forecast_losses(at=NOON + MINUTE) == 1
        assert runner.forecast_losses(at=NOON + 4 * MINUTE) == 0
        assert runner.forecast_losses(at=NOON + 5 * MINUTE) == 1
        DatabaseFactory.create()
        assert runner.forecast_losses(at=NOON + 6 * MINUTE) == 1

    def test_is_said_anew_once_more_is_known(self) -> None:
        backup = restorable()
        runner.forecast_losses(at=NOON)
        backup.delete()

        runner.renew_forecast(database_id=backup.database_id, at=NOON + MINUTE)

        row = LossForecast.objects.get()
        assert row.loss_seconds is None
        assert row.plan_code == ""

    def test_of_long_ago_is_kept_by_the_hour_and_then_by_the_day(self) -> None:
        database = DatabaseFactory.create()
        for span in (timedelta(days=1), timedelta(days=10), timedelta(days=200)):
            for minutes in (0, 5, 65):
                LossForecast.objects.create(
                    database=database, at=NOON - span + minutes * MINUTE, plan_words="none"
                )

        runner.thin_forecasts(at=NOON)

        left = LossForecast.objects.order_by("at").values_list("at", flat=True)
        assert sum(1 for at in left if at < NOON - timedelta(days=90)) == 1
        assert sum(1 for at in left if at > NOON - timedelta(days=2)) == 3


class TestReading:
    def test_gives_the_newest_of_each_database_in_one_question(
        self, django_assert_num_queries: Any
    ) -> None:
        one, other = DatabaseFactory.create(), DatabaseFactory.create()
        for minutes in (0, 5, 10):
            for database in (one, other):
                LossForecast.objects.create(
                    database=database, at=NOON + minutes * MINUTE, plan_words="none"
                )

        with django_assert_num_queries(1):
            newest = queries.losses_now()

        assert {pk: row.at for pk, row in newest.items()} == {
            one.pk: NOON + 10 * MINUTE,
            other.pk: NOON + 10 * MINUTE,
        }

    def test_spreads_a_long_history_evenly_and_keeps_its_end(self) -> None:
        database = DatabaseFactory.create()
        LossForecast.objects.bulk_create(
            LossForecast(database=database, at=NOON + number * MINUTE, plan_words="none")
            for number in range(50)
        )

        found = queries.losses_since(database.pk, since=NOON, most=10)

        assert len(found) == 10
        assert (found[0].at, found[-1].at) == (NOON, NOON + 49 * MINUTE)
