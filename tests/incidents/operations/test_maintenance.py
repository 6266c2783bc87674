"""Planned work: scheduled, recalled, begun, extended, ended and called off; components follow."""

from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from config.celery import app
from incidents import operations, queries, tasks
from incidents.models import Component, Maintenance, MaintenanceTemplate, Revision
from incidents.operations import Plan
from incidents.values import (
    ComponentStatus,
    MaintenanceState,
    Severity,
    Visibility,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, MaintenanceFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
BEGINS, ENDS = NOON + HOUR, NOON + 3 * HOUR


def _schedule(
    *,
    at: datetime = NOON,
    scheduled_for: datetime = BEGINS,
    scheduled_until: datetime = ENDS,
    body: str = "",
    is_long_meant: bool = False,
    **plan: Any,
) -> Maintenance:
    return operations.schedule_maintenance(
        plan=Plan(**{"title": "Database upgrade"} | plan),
        scheduled_for=scheduled_for,
        scheduled_until=scheduled_until,
        at=at,
        author=None,
        body=body,
        is_long_meant=is_long_meant,
    )


def _advance(*moments: datetime) -> list[int]:
    return [operations.advance_maintenances(at=at) for at in moments]


def _told(maintenance: Maintenance) -> list[str]:
    return [update.state for update in maintenance.updates.order_by("published_at", "pk")]


def _status(component: Component) -> str:
    component.refresh_from_db()
    return component.status


class TestSchedule:
    def test_tells_customers_when_and_what(self) -> None:
        tours = ComponentFactory.create()

        maintenance = _schedule(components=[tours.pk], title="  Database \n upgrade ")

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
        usual = _schedule().updates.get()
        own = _schedule(body="We replace a disk.").updates.get()

        assert set(usual.translations) <= {"nl", "de", "fr"}
        assert own.translations == {}
        assert own.body == "We replace a disk."

    def test_takes_groups_for_what_they_are(self) -> None:
        group = ComponentFactory.create(is_group=True)

        assert not _schedule(components=[group.pk]).components.exists()

    def test_of_what_is_over_is_a_record_and_no_news(self) -> None:
        tours = ComponentFactory.create()

        maintenance = _schedule(
            at=NOON,
            scheduled_for=NOON - 3 * HOUR,
            scheduled_until=NOON - HOUR,
            components=[tours.pk],
        )

        assert maintenance.state == MaintenanceState.COMPLETED
        assert maintenance.was_written_afterwards
        assert (maintenance.began_at, maintenance.ended_at) == (NOON - 3 * HOUR, NOON - HOUR)
        assert not maintenance.updates.get().deliver_notifications
        assert _status(tours) == "operational"

    def test_without_notification_notifies_nobody_at_any_time(self) -> None:
        maintenance = _schedule(deliver_notifications=False)
        _advance(BEGINS, ENDS)

        assert _told(maintenance) == ["scheduled", "in_progress", "completed"]
        assert not maintenance.updates.filter(deliver_notifications=True).exists()

    @pytest.mark.parametrize("until", [BEGINS, BEGINS - MINUTE])
    def test_is_refused_if_it_does_not_end_after_its_start(self, until: datetime) -> None:
        with pytest.raises(operations.MaintenanceEndsBeforeStart):
            _schedule(scheduled_until=until)

    def test_longer_than_a_year_asks(self) -> None:
        with pytest.raises(operations.MaintenanceIsLong):
            _schedule(scheduled_until=BEGINS + 400 * DAY)

        assert _schedule(scheduled_until=BEGINS + 400 * DAY, is_long_meant=True).pk


class TestCourse:
    def test_components_follow_from_start_to_finish(self) -> None:
        tours, uploads = ComponentFactory.create(), ComponentFactory.create(name="Uploads")
        maintenance = _schedule(components=[tours.pk])

        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        assert (_status(tours), _status(uploads)) == ("under_maintenance", "operational")

        operations.verify_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)
        assert _status(tours) == "under_maintenance"

        operations.finish_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)
        assert _status(tours) == "operational"
        assert _told(maintenance) == ["scheduled", "in_progress", "verifying", "completed"]
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
        maintenance = _schedule(components=[tours.pk])
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        operations.finish_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)

        spans = [
            (interval.status, interval.began_at, interval.ended_at)
            for interval in tours.intervals.oldest_first()
        ]

        assert ("under_maintenance", BEGINS, ENDS) in spans

    def test_may_begin_early_and_end_early(self) -> None:
        maintenance = _schedule()

        operations.start_maintenance(maintenance_id=maintenance.pk, at=NOON + MINUTE, author=None)
        done = operations.finish_maintenance(
            maintenance_id=maintenance.pk, at=NOON + 2 * MINUTE, author=None
        )

        assert (done.began_at, done.ended_at) == (NOON + MINUTE, NOON + 2 * MINUTE)
        assert (done.scheduled_for, done.scheduled_until) == (BEGINS, ENDS)

    def test_what_is_worse_by_an_incident_stays_so(self) -> None:
        tours = ComponentFactory.create()
        maintenance = _schedule(components=[tours.pk])
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV1,
            at=NOON,
            author=None,
            body="Looking.",
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        )

        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        assert _status(tours) == "major_outage"

        # The incident ends while the work goes on: the component goes back to that.
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=BEGINS + MINUTE, author=None
        )
        assert _status(tours) == "under_maintenance"

        operations.finish_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)
        assert _status(tours) == "operational"

    def test_an_incident_that_comes_meanwhile_outlasts_it(self) -> None:
        tours = ComponentFactory.create()
        maintenance = _schedule(components=[tours.pk])
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        operations.declare_incident(
            title="It went wrong",
            severity=Severity.SEV2,
            at=BEGINS + MINUTE,
            author=None,
            components={tours.pk: ComponentStatus.PARTIAL_OUTAGE},
        )

        operations.finish_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)

        assert _status(tours) == "partial_outage"

    def test_of_two_on_one_component_the_last_lets_it_go(self) -> None:
        tours = ComponentFactory.create()
        first, second = (_schedule(components=[tours.pk]) for _ in range(2))
        for maintenance in (first, second):
            operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)

        operations.finish_maintenance(maintenance_id=first.pk, at=ENDS, author=None)
        assert _status(tours) == "under_maintenance"
        operations.cancel_maintenance(maintenance_id=second.pk, at=ENDS, author=None)
        assert _status(tours) == "operational"

    def test_customers_who_notice_nothing_see_nothing(self) -> None:
        tours = ComponentFactory.create()
        maintenance = _schedule(components=[tours.pk], component_status=ComponentStatus.OPERATIONAL)

        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)

        assert _status(tours) == "operational"

    def test_verifying_twice_is_once(self) -> None:
        maintenance = _schedule()
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        for _ in range(2):
            operations.verify_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)

        assert _told(maintenance) == ["scheduled", "in_progress", "verifying"]

    def test_refuses_what_does_not_follow(self) -> None:
        maintenance = _schedule()
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
        maintenance = _schedule(at=NOON)

        operations.start_maintenance(maintenance_id=maintenance.pk, at=NOON - MINUTE, author=None)

        assert list(maintenance.updates.values_list("published_at", flat=True)) == [NOON, NOON]


class TestCancel:
    def test_of_what_has_not_begun_strikes_it_out(self) -> None:
        maintenance = operations.cancel_maintenance(
            maintenance_id=_schedule().pk, at=NOON + MINUTE, author=None, body="Not needed."
        )

        assert (maintenance.state, maintenance.sequence) == ("cancelled", 1)
        assert maintenance.began_at is None
        assert _told(maintenance) == ["scheduled", "cancelled"]
        assert _advance(BEGINS, ENDS) == [0, 0]


class TestChanges:
    def test_another_time_is_told_and_numbered(self) -> None:
        maintenance = _schedule(remind_before=HOUR / 2)
        _advance(BEGINS - 20 * MINUTE)

        moved = operations.reschedule_maintenance(
            maintenance_id=maintenance.pk,
            scheduled_for=BEGINS + DAY,
            scheduled_until=ENDS + DAY,
            at=BEGINS - 10 * MINUTE,
            author=None,
        )

        assert moved.sequence == 1
        assert moved.reminded_at is None
        assert "13 January 13:00 UTC" in moved.updates.newest_first()[0].body
        assert queries.revisions(moved).get().data["scheduled_for"].startswith("2026-01-12T13")

    def test_the_same_time_again_says_nothing(self) -> None:
        maintenance = _schedule()

        operations.reschedule_maintenance(
            maintenance_id=maintenance.pk,
            scheduled_for=BEGINS,
            scheduled_until=ENDS,
            at=NOON,
            author=None,
        )

        assert _told(maintenance) == ["scheduled"]
        assert not Revision.objects.exists()

    def test_what_runs_is_extended_and_not_moved(self) -> None:
        maintenance = _schedule()
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)

        with pytest.raises(operations.MaintenanceHasBegun):
            operations.reschedule_maintenance(
                maintenance_id=maintenance.pk,
                scheduled_for=BEGINS + HOUR,
                scheduled_until=ENDS + HOUR,
                at=BEGINS,
                author=None,
            )
        longer = operations.extend_maintenance(
            maintenance_id=maintenance.pk, until=ENDS + HOUR, at=ENDS + MINUTE, author=None
        )

        assert (longer.scheduled_until, longer.sequence) == (ENDS + HOUR, 1)
        assert "until 12 January 16:00 UTC" in longer.updates.newest_first()[0].body

    @pytest.mark.parametrize("until", [ENDS, ENDS - MINUTE, ENDS + MINUTE])
    def test_an_extension_is_later_than_the_plan_and_than_now(self, until: datetime) -> None:
        maintenance = _schedule()

        with pytest.raises(operations.ExtensionIsNoLater):
            operations.extend_maintenance(
                maintenance_id=maintenance.pk, until=until, at=ENDS + MINUTE, author=None
            )

    def test_nothing_is_moved_into_the_past(self) -> None:
        with pytest.raises(operations.MaintenanceInThePast):
            operations.reschedule_maintenance(
                maintenance_id=_schedule().pk,
                scheduled_for=NOON - 2 * HOUR,
                scheduled_until=NOON - HOUR,
                at=NOON,
                author=None,
            )

    def test_components_join_and_leave_what_runs(self) -> None:
        tours, uploads = ComponentFactory.create(), ComponentFactory.create(name="Uploads")
        maintenance = _schedule(components=[tours.pk])
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)

        edited = operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(title="Storage upgrade", components=[uploads.pk]),
            at=BEGINS + MINUTE,
            author=None,
        )

        assert (_status(tours), _status(uploads)) == ("operational", "under_maintenance")
        assert edited.sequence == 1
        assert queries.revisions(edited).get().data["title"] == "Database upgrade"

    def test_made_public_it_is_told(self) -> None:
        maintenance = _schedule(visibility=Visibility.INTERNAL)
        assert not queries.public_maintenances().exists()

        operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(title=maintenance.title),
            at=NOON + MINUTE,
            author=None,
        )

        shown = queries.public_maintenances().get()
        assert shown.published_at == NOON + MINUTE
        assert [update.published_at for update in shown.told] == [NOON + MINUTE, NOON]

    def test_an_update_that_is_sent_twice_is_one(self) -> None:
        maintenance = _schedule()
        posted = {
            operations.post_maintenance_update(
                maintenance_id=maintenance.pk,
                body="Half done.",
                at=NOON,
                author=None,
                idempotency_key="k",
            ).pk
            for _ in range(2)
        }

        assert len(posted) == 1

    def test_a_correction_keeps_what_it_said(self) -> None:
        maintenance = _schedule(body="At two.")
        update = maintenance.updates.get()

        corrected = operations.correct_maintenance_update(
            update_id=update.pk, body="At one.", at=NOON + MINUTE, author=None, reason="typo"
        )

        assert corrected.edited_at == NOON + MINUTE
        assert queries.revisions(corrected).get().data["body"] == "At two."


class TestClock:
    def test_reminds_begins_and_ends_once(self) -> None:
        tours = ComponentFactory.create()
        maintenance = _schedule(components=[tours.pk], remind_before=HOUR / 2)
        reminder = BEGINS - HOUR / 2

        counts = _advance(
            reminder - MINUTE, reminder, reminder, BEGINS, BEGINS, ENDS - MINUTE, ENDS, ENDS
        )

        assert counts == [0, 1, 0, 1, 0, 0, 1, 0]
        assert _told(maintenance) == ["scheduled", "scheduled", "in_progress", "completed"]
        maintenance.refresh_from_db()
        assert (maintenance.began_at, maintenance.ended_at) == (BEGINS, ENDS)

    def test_is_wound_up_by_the_beat(self) -> None:
        now = timezone.now()
        maintenance = _schedule(scheduled_for=now - MINUTE, scheduled_until=now + HOUR, at=now)
        beaten = {entry["task"] for entry in app.conf.beat_schedule.values()}
        assert tasks.advance_maintenances.name in beaten

        tasks.advance_maintenances()

        maintenance.refresh_from_db()
        assert maintenance.is_running

    def test_leaves_alone_what_does_not_go_by_itself(self) -> None:
        maintenance = _schedule(starts_by_itself=False, ends_by_itself=False)

        assert _advance(BEGINS, ENDS) == [0, 0]
        operations.start_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)
        assert _advance(ENDS + HOUR) == [0]

    def test_recalls_nothing_that_was_told_within_the_notice(self) -> None:
        maintenance = _schedule(at=BEGINS - MINUTE, remind_before=HOUR)

        assert _advance(BEGINS - MINUTE / 2) == [0]
        assert _told(maintenance) == ["scheduled"]

    def test_a_late_worker_begins_at_its_real_time(self) -> None:
        maintenance = _schedule(remind_before=HOUR / 2)

        assert _advance(BEGINS + HOUR) == [1]

        maintenance.refresh_from_db()
        assert maintenance.began_at == BEGINS + HOUR
        assert _told(maintenance) == ["scheduled", "in_progress"]

    def test_a_time_that_nobody_followed_is_owned_up_to(self) -> None:
        tours = ComponentFactory.create()
        maintenance = _schedule(components=[tours.pk])

        assert _advance(ENDS + DAY, ENDS + DAY) == [1, 0]

        maintenance.refresh_from_db()
        assert maintenance.state == MaintenanceState.COMPLETED
        assert maintenance.ended_at == ENDS + DAY
        said = maintenance.updates.newest_first()[0].body
        assert "could not follow" in said
        assert "13:00 UTC" in said
        assert not tours.intervals.filter(status="under_maintenance").exists()

    def test_a_fault_in_one_keeps_no_other_from_its_time(self) -> None:
        broken, whole = _schedule(tz="UTC"), _schedule(scheduled_for=BEGINS + MINUTE)
        Maintenance.objects.filter(pk=broken.pk).update(tz="Mars/Olympus")

        with pytest.raises(ValueError, match="Mars"):
            operations.advance_maintenances(at=BEGINS + MINUTE)

        broken.refresh_from_db()
        whole.refresh_from_db()
        assert (broken.state, whole.state) == ("scheduled", "in_progress")

    def test_what_began_by_itself_and_is_ended_by_hand_overruns(self) -> None:
        maintenance = _schedule(ends_by_itself=False)

        _advance(BEGINS, ENDS + HOUR)

        maintenance.refresh_from_db()
        assert maintenance.is_running


class TestTemplates:
    def test_keeps_a_plan_under_a_name(self) -> None:
        tours = ComponentFactory.create()
        plan = Plan(title="Upgrade", components=[tours.pk], remind_before=DAY)

        template = operations.add_maintenance_template(
            name="Monthly upgrade", plan=plan, duration=2 * HOUR, body="As every month."
        )

        assert template.duration == 2 * HOUR
        assert list(template.components.all()) == [tours]
        with pytest.raises(operations.MaintenanceTemplateNameTaken):
            operations.add_maintenance_template(name="Monthly  upgrade", plan=plan, duration=HOUR)

    def test_is_edited_and_put_away(self) -> None:
        template = operations.add_maintenance_template(
            name="A", plan=Plan(title="A"), duration=HOUR
        )
        operations.edit_maintenance_template(
            template_id=template.pk, name="B", plan=Plan(title="B"), duration=HOUR
        )
        assert MaintenanceTemplate.objects.get().name == "B"

        for _ in range(2):
            operations.remove_maintenance_template(template_id=template.pk)

        assert not MaintenanceTemplate.objects.exists()


class TestConstraints:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"state": "postponed"},
            {"visibility": "secret"},
            {"component_status": "major_outage"},
            {"scheduled_until": BEGINS},
            {"state": "in_progress"},
            {"began_at": NOON},
            {"state": "completed", "began_at": NOON},
            {"state": "completed", "began_at": NOON, "ended_at": NOON - MINUTE},
            {"state": "cancelled"},
            {"remind_before": timedelta(0)},
        ],
        ids=str,
    )
    def test_the_database_keeps_out_what_cannot_be(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            MaintenanceFactory.create(**wrong)

    def test_an_update_says_something(self) -> None:
        maintenance = MaintenanceFactory.create()

        with pytest.raises(IntegrityError), transaction.atomic():
            maintenance.updates.create(state="scheduled", body="", published_at=NOON)


class TestOthers:
    def test_a_component_on_record_is_not_removed(self) -> None:
        tours = ComponentFactory.create()
        _schedule(components=[tours.pk])

        with pytest.raises(operations.ComponentOnRecord):
            operations.remove_component(component_id=tours.pk)

    def test_those_that_share_time_are_named(self) -> None:
        first = _schedule()
        _schedule(scheduled_for=ENDS, scheduled_until=ENDS + HOUR)

        beside = queries.maintenances_beside(BEGINS + MINUTE, ENDS)

        assert list(beside) == [first]
        assert not queries.maintenances_beside(BEGINS, ENDS, except_for=first.pk)

    def test_the_page_reads_few_rows_however_many_there_are(
        self, django_assert_num_queries: Any
    ) -> None:
        tours = ComponentFactory.create()
        for _ in range(3):
            _schedule(components=[tours.pk])

        with django_assert_num_queries(4):
            found = list(queries.public_maintenances())

        assert [len(maintenance.told) for maintenance in found] == [1, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_two_that_end_at_once_let_go_of_their_component() -> None:
    tours = ComponentFactory.create()
    ids = [_schedule(components=[tours.pk]).pk for _ in range(2)]
    for pk in ids:
        operations.start_maintenance(maintenance_id=pk, at=BEGINS, author=None)
    together = Barrier(2)

    def finish(pk: int) -> None:
        together.wait()
        operations.finish_maintenance(maintenance_id=pk, at=ENDS, author=None)
        connection.close()

    threads = [Thread(target=finish, args=[pk]) for pk in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert _status(tours) == "operational"


@pytest.mark.django_db(transaction=True)
def test_two_clocks_begin_it_once() -> None:
    maintenance = _schedule()
    together, counts = Barrier(2), list[int]()

    def tick() -> None:
        together.wait()
        counts.append(operations.advance_maintenances(at=BEGINS))
        connection.close()

    threads = [Thread(target=tick) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == 1
    assert _told(maintenance) == ["scheduled", "in_progress"]
