"""Policies: versions with who, why and effect; what is refused; workarounds that come back."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from backups import operations, queries, runner
from backups.models import BackupPolicy, Database, PolicyChange
from backups.options.terms import Named, Window
from incidents.models import ActionItem
from incidents.values import ActionState
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
    StorageLocationFactory,
)
from tests.factories import HOUR, NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
GB = 10**9


@pytest.fixture
def responder() -> User:
    return ResponderFactory.create()


@pytest.fixture
def database() -> Database:
    database: Database = DatabaseFactory.create(name="shop", synced_at=NOON)
    BackupFactory.create(
        database=database, began_at=NOON - DAY, ended_at=NOON - DAY, stored_bytes=4 * GB,
        cluster_bytes=12 * GB, log_segments=4800, log_bytes=40 * GB, reaches_until_at=NOON,
    )  # fmt: skip
    RecoveryTargetFactory.create(write_bytes_per_second=4e8, server_version=170010)
    return database


def changed(database: Database, /, **given: Any) -> PolicyChange:
    wishes: dict[str, Any] = {"why": "because", "by": None, "at": NOON}
    wishes |= {name: given.pop(name) for name in list(given) if name in _DEED}
    return operations.change_policy(database_id=database.pk, changes=given, **wishes)


_DEED = {"why", "by", "at", "based_on", "review_on", "incident_id"}


class TestChange:
    def test_makes_the_policy_and_counts_its_versions(
        self, database: Database, responder: User
    ) -> None:
        first = changed(database, full_schedule="0 2 * * *", by=responder, why="agreed on Monday")
        second = changed(database, full_schedule="0 2 * * SUN", why="the nights are full")

        policy = queries.policy_of(database.pk)
        assert policy is not None
        assert (first.version, second.version, policy.version) == (1, 2, 2)
        assert (first.by, first.why) == (responder, "agreed on Monday")
        assert second.changes == {"full_schedule": ["every day at 02:00", "Sundays at 02:00"]}
        assert second.effect_words.startswith("daily → weekly fulls: replay grows from 1 to 7 days")
        assert second.effect["after"]["replay_seconds"] == 7 * DAY.total_seconds()
        assert second.effect["after"]["back"]["low"] > second.effect["before"]["back"]["low"]

    def test_says_when_it_is_due_next_in_its_own_zone(self, database: Database) -> None:
        changed(database, full_schedule="0 2 * * *", tz="Europe/Amsterdam")

        policy = BackupPolicy.objects.get(database=database)
        assert policy.full_due_at == NOON + 13 * HOUR
        assert policy.incremental_due_at is None

        # What does not touch the schedule leaves the moment as it is.
        changed(database, keep_for=30 * DAY, at=NOON + 14 * HOUR)
        policy.refresh_from_db()
        assert policy.full_due_at == NOON + 13 * HOUR

    def test_leaves_alone_what_a_beat_has_just_written(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changed(database, full_schedule="0 2 * * *")
        read = queries.policy_of

        def read_before_the_beat(database_id: int) -> BackupPolicy | None:
            policy = read(database_id)
            BackupPolicy.objects.update(full_due_at=NOON + 7 * DAY)
            return policy

        monkeypatch.setattr("backups.operations.policies.queries.policy_of", read_before_the_beat)
        changed(database, keep_for=30 * DAY)

        policy = BackupPolicy.objects.get()
        assert (policy.keep_for, policy.full_due_at) == (30 * DAY, NOON + 7 * DAY)

    def test_takes_objectives_and_windows_with_it(self, database: Database) -> None:
        window = Window(schedule="0 22 * * 6", lasts=4 * HOUR, reason="indexes are rebuilt")

        changed(database, may_lose=HOUR, windows=(window,))
        change = changed(database, windows=())

        database.refresh_from_db()
        assert database.recovery_point_objective == HOUR
        assert change.changes["windows"] == [
            "Saturdays at 22:00 for 4 h (indexes are rebuilt)", "none",
        ]  # fmt: skip

    def test_is_foreseen_without_being_made(self, database: Database) -> None:
        preview = operations.preview_policy(
            database_id=database.pk, changes={"full_schedule": "0 2 * * *"}, at=NOON
        )

        assert preview.version == 0
        assert "no → daily fulls: replay of up to 1 day of log, back in" in preview.effect.words
        assert queries.policy_of(database.pk) is None


class TestRefusals:
    def test_a_policy_that_contradicts_itself(self, database: Database) -> None:
        with pytest.raises(operations.PolicyContradicts, match="needs a place to restore to"):
            changed(database, drill_schedule="0 4 * * SUN")

        assert queries.policy_of(database.pk) is None

    def test_a_copy_in_the_same_bucket_by_another_name(self, database: Database) -> None:
        twin = StorageLocationFactory.create(
            bucket=database.storage.bucket, endpoint=database.storage.endpoint
        )

        with pytest.raises(operations.PolicyContradicts, match="already lie"):
            changed(database, replicate_to=Named(id=twin.pk, name=twin.name))

    def test_a_drill_where_the_database_itself_runs(self, database: Database) -> None:
        here = RecoveryTargetFactory.create(host="localhost", port=database.port)

        with pytest.raises(operations.PolicyContradicts, match="in its way"):
            changed(database, drill_target=Named(id=here.pk, name=here.name))

    @pytest.mark.parametrize("why", ["", "   ", "x" * 1001])
    def test_no_reason(self, database: Database, why: str) -> None:
        with pytest.raises(operations.PolicyReasonMissing):
            changed(database, full_schedule="0 2 * * *", why=why)

    def test_nothing_new(self, database: Database) -> None:
        changed(database, full_schedule="0 2 * * *")

        with pytest.raises(operations.PolicyUnchanged):
            changed(database, full_schedule="0 2 * * *")

    def test_what_somebody_else_changed_meanwhile(self, database: Database) -> None:
        changed(database, full_schedule="0 2 * * *")
        changed(database, keep_fulls=3)

        with pytest.raises(operations.PolicyMoved):
            changed(database, full_schedule="0 2 * * SUN", based_on=1)

    def test_a_review_that_is_past(self, database: Database) -> None:
        with pytest.raises(operations.ReviewNotAhead):
            changed(database, full_schedule="0 2 * * *", review_on=NOON.date())

    def test_an_incident_that_is_not_there(self, database: Database) -> None:
        with pytest.raises(operations.NoSuchIncident):
            changed(database, full_schedule="0 2 * * *", incident_id=404)

    def test_the_table_refuses_a_change_without_a_reason(self, database: Database) -> None:
        changed(database, full_schedule="0 2 * * *")

        with pytest.raises(IntegrityError), transaction.atomic():
            PolicyChange.objects.update(why="")


class TestWorkarounds:
    REVIEW = date(2026, 2, 1)

    def _workaround(self, database: Database, **given: Any) -> PolicyChange:
        changed(database, full_schedule="0 2 * * *", tz="Pacific/Auckland")
        return changed(database, full_schedule="0 2 * * SUN", review_on=self.REVIEW, **given)

    def test_come_back_on_their_day_in_the_zone_of_the_policy(self, database: Database) -> None:
        change = self._workaround(database)
        # In Auckland it is the first of February thirteen hours earlier.
        begins = NOON.replace(month=1, day=31, hour=11)

        assert queries.workarounds_due(at=begins - HOUR) == []
        assert queries.workarounds_due(at=begins) == [change]
        assert queries.workarounds_due(at=begins + 90 * DAY) == [change]

    def test_stand_on_an_incident_from_the_beginning_where_one_is_named(
        self, database: Database, responder: User
    ) -> None:
        incident = IncidentFactory.create()

        change = self._workaround(database, incident_id=incident.pk, by=responder)

        item = ActionItem.objects.get(incident=incident)
        assert change.action == item
        assert not item.is_overdue(at=NOON)
        assert item.is_overdue(at=NOON.replace(month=2, day=3))

    def test_are_hung_on_the_last_restores_incident_on_their_day(self, database: Database) -> None:
        incident = IncidentFactory.create()
        RestoreJobFactory.create(database=database, incident=incident)
        change = self._workaround(database)
        day = NOON.replace(month=2, day=1)

        assert runner.hang_reviews(at=NOON) == 0
        assert [runner.hang_reviews(at=day), runner.hang_reviews(at=day)] == [1, 0]

        change.refresh_from_db()
        assert change.action is not None
        assert change.action.incident == incident
        assert "shop" in change.action.text

    def test_that_stumble_do_not_keep_the_others_waiting(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for each in (database, DatabaseFactory.create(name="ledger")):
            RestoreJobFactory.create(database=each, incident=IncidentFactory.create())
            self._workaround(each)
        hang = runner.hang_review

        def stumble(change: PolicyChange, **given: Any) -> ActionItem:
            if change.policy.database == database:
                message = "no such table"
                raise LookupError(message)
            return hang(change, **given)

        monkeypatch.setattr("backups.runner.reviews.hang_review", stumble)

        assert runner.hang_reviews(at=NOON.replace(month=2, day=1)) == 1
        assert "ledger" in ActionItem.objects.get().text

    def test_without_an_incident_wait_in_the_policy_alone(self, database: Database) -> None:
        self._workaround(database)
        IncidentFactory.create()

        assert runner.hang_reviews(at=NOON + 90 * DAY) == 0

    def test_are_reviewed_once_with_words(self, database: Database, responder: User) -> None:
        incident = IncidentFactory.create()
        change = self._workaround(database, incident_id=incident.pk)
        later = NOON + 30 * DAY

        with pytest.raises(operations.ReviewWordsMissing):
            operations.review_workaround(change_id=change.pk, words=" ", by=responder, at=later)
        operations.review_workaround(
            change_id=change.pk, words="Daily again.", by=responder, at=later
        )
        with pytest.raises(operations.NothingToReview):
            operations.review_workaround(change_id=change.pk, words="x", by=responder, at=later)

        assert queries.workarounds_due(at=later) == []
        assert ActionItem.objects.get(incident=incident).state == ActionState.DONE

    def test_a_plain_change_is_not_reviewed(self, database: Database) -> None:
        change = changed(database, full_schedule="0 2 * * *")

        with pytest.raises(operations.NothingToReview):
            operations.review_workaround(change_id=change.pk, words="x", by=None, at=NOON)


class TestRetention:
    def test_is_told_of_the_catalogue(self, database: Database) -> None:
        old = BackupFactory.create(
            database=database, label="old", began_at=NOON - 90 * DAY, ended_at=NOON - 90 * DAY,
            reaches_until_at=NOON - 80 * DAY,
        )  # fmt: skip
        BackupFactory.create(database=database, label="gone", vanished_at=NOON)
        changed(database, full_schedule="0 2 * * *", keep_for=10 * DAY, archives_log=False)

        found = queries.retention_of(database, at=NOON)

        assert [(each.held.name, each.is_kept) for each in found] == [
            ("nightly", True), (old.label, False),
        ]  # fmt: skip
