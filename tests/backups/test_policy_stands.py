"""The check of the policy: what it promises is told for as long as it is less than was decided."""

from datetime import timedelta

import pytest

from backups.models import BackupCheckName, CheckState, Database, PolicyChange
from tests.backups.factories import BackupFactory, RecoveryTargetFactory
from tests.backups.test_watching import daily, looked, read
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OK, WARNING, CRITICAL = CheckState.OK, CheckState.WARNING, CheckState.CRITICAL


def test_a_workarounds_day_begins_where_the_policy_is() -> None:
    database = read()
    change = PolicyChange.objects.create(
        policy=daily(database, tz="Asia/Tokyo"), version=2, at=NOON - DAY, why="slow " * 150,
        review_on=(NOON + DAY).date(),
    )  # fmt: skip

    # Noon in UTC is nine in the evening in Tokyo.
    name = BackupCheckName.POLICY
    assert looked(database, name, later=3 * HOUR - MINUTE).state == OK
    assert looked(database, name, later=3 * HOUR).state == WARNING
    change.reviewed_at, change.review_words = NOON, "It stays."
    change.save()
    assert looked(database, name, later=3 * HOUR).state == OK


def test_a_policy_that_promises_less_than_was_decided_is_told_for_as_long() -> None:
    database = read(recovery_time_objective=2 * HOUR)
    RecoveryTargetFactory.create(write_bytes_per_second=4e8, server_version=170010)
    BackupFactory.create(
        database=database, began_at=NOON - DAY, ended_at=NOON - DAY, stored_bytes=4 * 10**9,
        cluster_bytes=12 * 10**9, log_segments=4800, log_bytes=40 * 10**9,
        reaches_until_at=NOON,
    )  # fmt: skip
    policy = daily(database, full_schedule="0 2 * * SUN")

    plain = looked(database, BackupCheckName.POLICY)
    change = PolicyChange.objects.create(
        policy=policy, version=2, at=NOON - DAY, why="slow nights " * 80,
        review_on=(NOON + 2 * DAY).date(),
    )  # fmt: skip
    standing = looked(database, BackupCheckName.POLICY)
    due = looked(database, BackupCheckName.POLICY, later=2 * DAY)

    assert [each.state for each in (plain, standing, due)] == [WARNING, WARNING, CRITICAL]
    for found in (plain, standing, due):
        words = found.words[:500]
        assert "replay of up to 7 days of log" in words
        assert "beyond your RTO of 2 h" in words
    assert str(change.review_on) in standing.words
    Database.objects.update(recovery_time_objective=None)
    assert looked(database, BackupCheckName.POLICY).state == OK


def test_a_workaround_of_which_nobody_knows_what_it_costs_is_not_called_well() -> None:
    database = read(recovery_time_objective=2 * HOUR)
    PolicyChange.objects.create(
        policy=daily(database), version=2, at=NOON - DAY, why="slow nights",
        review_on=(NOON + DAY).date(),
    )  # fmt: skip

    found = looked(database, BackupCheckName.POLICY)

    assert found.state == CheckState.UNKNOWN
    assert "Whether it is back within 2 h is not known" in found.words
