"""Planned work: scheduled, recalled, begun, extended, ended and called off; components follow."""

from datetime import UTC, datetime
from typing import Any

import pytest

from incidents import operations, queries
from incidents.values import (
    ComponentStatus,
    MaintenanceState,
    Phase,
    Severity,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory
from tests.incidents.operations.planned import BEGINS, DAY, ENDS, advance, schedule, status, told

pytestmark = pytest.mark.django_db


# How work comes to be in a state.


class TestSchedule:
    def test_tells_customers_when_and_what(self) -> None:
        tours = ComponentFactory.create()

        maintenance = schedule(components=[tours.pk], title="  Database \n upgrade ")

        assert maintenance.title == "Database upgrade"
        assert maintenance.is_public
        update = maintenance.updates.get()
        assert update.body == (
            "This maintenance is planned from 12 January 13:00 UTC until 12 January 15:00 UTC."
        )
        assert update.deliver_notifications
        change = update.component_changes.get()
        assert (change.old_status, change.new_status) == ("operational", "operational")

    def test_says_its_usual_words_in_every_language_and_staffs_words_as_they_are(self) -> None:
        usual = schedule().updates.get()
        own = schedule(body="We replace a disk.").updates.get()

        assert set(usual.translations) <= {"nl", "de", "fr"}
        assert own.translations == {}
        assert own.body == "We replace a disk."

    def test_takes_groups_for_what_they_are(self) -> None:
        group = ComponentFactory.create(is_group=True)

        assert not schedule(components=[group.pk]).components.exists()

    def test_of_what_is_over_is_a_record_and_no_news(self) -> None:
        tours = ComponentFactory.create()

        maintenance = schedule(
            at=NOON,
            scheduled_for=NOON - 3 * HOUR,
            scheduled_until=NOON - HOUR,
            components=[tours.pk],
        )

        assert maintenance.state == MaintenanceState.COMPLETED
        assert maintenance.was_written_afterwards
        assert (maintenance.began_at, maintenance.ended_at) == (NOON - 3 * HOUR, NOON - HOUR)
        assert not maintenance.updates.get().deliver_notifications
        assert status(tours) == "operational"

    def test_without_notification_notifies_nobody_at_any_time(self) -> None:
        maintenance = schedule(deliver_notifications=False)
        advance(BEGINS, ENDS)

        assert told(maintenance) == ["scheduled", "in_progress", "completed"]
        assert not maintenance.updates.filter(deliver_notifications=True).exists()

    @pytest.mark.parametrize("until", [BEGINS, BEGINS - MINUTE])
    def test_is_refused_if_it_does_not_end_after_its_start(self, until: datetime) -> None:
        with pytest.raises(operations.MaintenanceEndsBeforeStart):
            schedule(scheduled_until=until)

    def test_longer_than_a_year_asks(self) -> None:
        with pytest.raises(operations.MaintenanceIsLong):
            schedule(scheduled_until=BEGINS + 400 * DAY)

        assert schedule(scheduled_until=BEGINS + 400 * DAY, is_long_meant=True).pk

    @pytest.mark.parametrize("year", [1, 202, 2201, 9999])
    def test_in_a_year_that_cannot_be_meant_is_refused(self, year: int) -> None:
        begins, maintenance = datetime(year, 12, 31, 23, tzinfo=UTC), schedule()
        until = begins + 59 * MINUTE

        with pytest.raises(operations.OutOfTime):
            schedule(scheduled_for=begins, scheduled_until=until, remind_before=DAY)
        with pytest.raises(operations.OutOfTime):
            operations.reschedule_maintenance(
                maintenance_id=maintenance.pk,
                scheduled_for=begins,
                scheduled_until=until,
                at=NOON,
                author=None,
                is_long_meant=True,
            )
        with pytest.raises((operations.OutOfTime, operations.ExtensionIsNoLater)):
            operations.extend_maintenance(
                maintenance_id=maintenance.pk,
                until=until,
                at=NOON,
                author=None,
                is_long_meant=True,
            )


class TestCourse:
    def test_begun_by_hand_after_its_planned_end_it_overruns_until_somebody_ends_it(self) -> None:
        tours = ComponentFactory.create()
        maintenance = schedule(components=[tours.pk], starts_by_itself=False)
        late = ENDS + 10 * MINUTE
        operations.start_maintenance(maintenance_id=maintenance.pk, at=late, author=None)

        assert advance(late + MINUTE, late + DAY) == [0, 0]

        assert status(tours) == "under_maintenance"
        operations.extend_maintenance(
            maintenance_id=maintenance.pk, until=late + 2 * DAY, at=late + DAY, author=None
        )
        assert advance(late + 2 * DAY) == [1]
        assert status(tours) == "operational"

    @pytest.mark.parametrize("told", ["", "We replace the disk at once."])
    def test_what_an_open_incident_has_under_maintenance_stays_so(self, told: str) -> None:
        tours = ComponentFactory.create()
        maintenance = schedule(components=[tours.pk])
        advance(BEGINS)
        incident = operations.declare_incident(
            title="A disk is dying",
            severity=Severity.SEV2,
            at=BEGINS,
            author=None,
            body=told,
            components={tours.pk: ComponentStatus.UNDER_MAINTENANCE},
        )

        operations.finish_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)
        assert status(tours) == "under_maintenance"

        operations.resolve_incident(incident_id=incident.pk, body="Done", at=ENDS, author=None)
        assert status(tours) == "operational"

    def test_what_an_open_incident_said_works_is_let_go(self) -> None:
        tours = ComponentFactory.create()
        schedule(components=[tours.pk])
        incident = operations.declare_incident(
            title="Tours are slow",
            severity=Severity.SEV3,
            at=NOON,
            author=None,
            body="We look.",
            components={tours.pk: ComponentStatus.DEGRADED_PERFORMANCE},
        )
        operations.post_status_update(
            incident_id=incident.pk,
            body="We watch it.",
            phase=Phase.MONITORING,
            at=NOON + MINUTE,
            author=None,
            component_statuses={tours.pk: ComponentStatus.OPERATIONAL},
        )

        advance(BEGINS)
        assert status(tours) == "under_maintenance"
        advance(ENDS)
        assert status(tours) == "operational"

    def test_what_was_missed_is_no_cause_of_anything(self) -> None:
        tours = ComponentFactory.create()
        schedule(components=[tours.pk])
        held = schedule(components=[tours.pk], ends_by_itself=False)
        advance(ENDS + DAY)

        assert list(queries.public_touches([tours.pk], since=NOON)) == [(tours.pk, held)]

    def test_components_follow_from_start_to_finish(self) -> None:
        tours, uploads = ComponentFactory.create(), ComponentFactory.create(name="Uploads")
        maintenance = schedule(components=[tours.pk])

        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        assert (status(tours), status(uploads)) == ("under_maintenance", "operational")

        operations.verify_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)
        assert status(tours) == "under_maintenance"

        operations.finish_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)
        assert status(tours) == "operational"
        assert told(maintenance) == ["scheduled", "in_progress", "verifying", "completed"]
        changes = [
            (change.old_status, change.new_status)
            for update in maintenance.updates.order_by("pk")
            for change in update.component_changes.all()
        ]
        assert changes == [
            ("operational", "operational"),
            ("operational", "under_maintenance"),
            ("under_maintenance", "operational"),
        ]

    def test_the_bars_know_the_time_as_maintenance(self) -> None:
        tours = ComponentFactory.create()
        maintenance = schedule(components=[tours.pk])
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        operations.finish_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)

        spans = [
            (interval.status, interval.began_at, interval.ended_at)
            for interval in tours.intervals.oldest_first()
        ]

        assert ("under_maintenance", BEGINS, ENDS) in spans

    def test_may_begin_early_and_end_early(self) -> None:
        maintenance = schedule()

        operations.start_maintenance(maintenance_id=maintenance.pk, at=NOON + MINUTE, author=None)
        done = operations.finish_maintenance(
            maintenance_id=maintenance.pk, at=NOON + 2 * MINUTE, author=None
        )

        assert (done.began_at, done.ended_at) == (NOON + MINUTE, NOON + 2 * MINUTE)
        assert (done.scheduled_for, done.scheduled_until) == (BEGINS, ENDS)

    def test_what_is_worse_by_an_incident_stays_so(self) -> None:
        tours = ComponentFactory.create()
        maintenance = schedule(components=[tours.pk])
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV1,
            at=NOON,
            author=None,
            body="Looking.",
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        )

        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        assert status(tours) == "major_outage"

        # The incident ends while the work goes on: the component goes back to that.
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=BEGINS + MINUTE, author=None
        )
        assert status(tours) == "under_maintenance"

        operations.finish_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)
        assert status(tours) == "operational"

    def test_an_incident_that_comes_meanwhile_outlasts_it(self) -> None:
        tours = ComponentFactory.create()
        maintenance = schedule(components=[tours.pk])
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        operations.declare_incident(
            title="It went wrong",
            severity=Severity.SEV2,
            at=BEGINS + MINUTE,
            author=None,
            components={tours.pk: ComponentStatus.PARTIAL_OUTAGE},
        )

        operations.finish_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)

        assert status(tours) == "partial_outage"

    def test_of_two_on_one_component_the_last_lets_it_go(self) -> None:
        tours = ComponentFactory.create()
        first, second = (schedule(components=[tours.pk]) for _ in range(2))
        for maintenance in (first, second):
            operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)

        operations.finish_maintenance(maintenance_id=first.pk, at=ENDS, author=None)
        assert status(tours) == "under_maintenance"
        operations.cancel_maintenance(maintenance_id=second.pk, at=ENDS, author=None)
        assert status(tours) == "operational"

    def test_customers_who_notice_nothing_see_nothing(self) -> None:
        tours = ComponentFactory.create()
        maintenance = schedule(components=[tours.pk], component_status=ComponentStatus.OPERATIONAL)

        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)

        assert status(tours) == "operational"

    def test_verifying_twice_is_once(self) -> None:
        maintenance = schedule()
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        for _ in range(2):
            operations.verify_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)

        assert told(maintenance) == ["scheduled", "in_progress", "verifying"]

    def test_refuses_what_does_not_follow(self) -> None:
        maintenance = schedule()
        named: dict[str, Any] = {"maintenance_id": maintenance.pk, "at": BEGINS, "author": None}

        for deed in (operations.verify_maintenance, operations.finish_maintenance):
            with pytest.raises(operations.MaintenanceNotRunning):
                deed(**named)
        operations.start_maintenance(**named)
        with pytest.raises(operations.MaintenanceHasBegun):
            operations.start_maintenance(**named)
        operations.finish_maintenance(**named)
        for deed in (
            operations.start_maintenance,
            operations.verify_maintenance,
            operations.finish_maintenance,
            operations.cancel_maintenance,
        ):
            with pytest.raises(operations.MaintenanceOver):
                deed(**named)
        with pytest.raises(operations.MaintenanceOver):
            operations.extend_maintenance(until=ENDS + HOUR, **named)
        with pytest.raises(operations.MaintenanceOver):
            operations.post_maintenance_update(body="More.", **named)

    def test_what_is_told_later_is_later(self) -> None:
        maintenance = schedule(at=NOON)

        operations.start_maintenance(maintenance_id=maintenance.pk, at=NOON - MINUTE, author=None)

        assert list(maintenance.updates.values_list("published_at", flat=True)) == [NOON, NOON]


class TestCancel:
    def test_of_what_has_not_begun_strikes_it_out(self) -> None:
        maintenance = operations.cancel_maintenance(
            maintenance_id=schedule().pk, at=NOON + MINUTE, author=None, body="Not needed."
        )

        assert (maintenance.state, maintenance.sequence) == ("cancelled", 1)
        assert maintenance.began_at is None
        assert told(maintenance) == ["scheduled", "cancelled"]
        assert advance(BEGINS, ENDS) == [0, 0]
