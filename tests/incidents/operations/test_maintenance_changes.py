"""What is changed of a maintenance while it is planned or runs, and what the clock does."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from config.celery import app
from incidents import operations, queries, tasks
from incidents.models import Maintenance, MaintenanceTemplate, Revision
from incidents.operations import Plan
from incidents.values import (
    ComponentStatus,
    MaintenanceState,
    Visibility,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, MaintenanceFactory
from tests.incidents.operations.planned import BEGINS, DAY, ENDS, advance, schedule, status, told

pytestmark = pytest.mark.django_db

_COURSE: dict[MaintenanceState, list[Callable[..., Any]]] = {
    MaintenanceState.SCHEDULED: [],
    MaintenanceState.IN_PROGRESS: [operations.start_maintenance],
    MaintenanceState.VERIFYING: [operations.start_maintenance, operations.verify_maintenance],
    MaintenanceState.COMPLETED: [operations.start_maintenance, operations.finish_maintenance],
    MaintenanceState.CANCELLED: [operations.cancel_maintenance],
}


class TestChanges:
    def test_another_time_is_told_and_numbered(self) -> None:
        maintenance = schedule(remind_before=HOUR / 2)
        advance(BEGINS - 20 * MINUTE)

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
        maintenance = schedule()

        operations.reschedule_maintenance(
            maintenance_id=maintenance.pk,
            scheduled_for=BEGINS,
            scheduled_until=ENDS,
            at=NOON,
            author=None,
        )

        assert told(maintenance) == ["scheduled"]
        assert not Revision.objects.exists()

    def test_what_runs_is_extended_and_not_moved(self) -> None:
        maintenance = schedule()
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
        maintenance = schedule()

        with pytest.raises(operations.ExtensionIsNoLater):
            operations.extend_maintenance(
                maintenance_id=maintenance.pk, until=until, at=ENDS + MINUTE, author=None
            )

    def test_nothing_is_moved_into_the_past(self) -> None:
        with pytest.raises(operations.MaintenanceInThePast):
            operations.reschedule_maintenance(
                maintenance_id=schedule().pk,
                scheduled_for=NOON - 2 * HOUR,
                scheduled_until=NOON - HOUR,
                at=NOON,
                author=None,
            )

    def test_components_join_and_leave_what_runs(self) -> None:
        tours, uploads = ComponentFactory.create(), ComponentFactory.create(name="Uploads")
        maintenance = schedule(components=[tours.pk])
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)

        edited = operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(title="Storage upgrade", components=[uploads.pk]),
            at=BEGINS + MINUTE,
            author=None,
        )

        assert (status(tours), status(uploads)) == ("operational", "under_maintenance")
        assert edited.sequence == 1
        assert queries.revisions(edited).get().data["title"] == "Database upgrade"

    def test_made_public_it_is_told(self) -> None:
        maintenance = schedule(visibility=Visibility.INTERNAL)
        assert not queries.public_maintenances().exists()

        operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(title=maintenance.title),
            at=NOON + MINUTE,
            author=None,
        )

        shown = queries.public_maintenances().get()
        assert shown.published_at == NOON + MINUTE
        # Not the one that was written for staff.
        assert [update.published_at for update in shown.told] == [NOON + MINUTE]

    @pytest.mark.parametrize("state", list(MaintenanceState))
    def test_made_public_late_or_again_customers_read_how_far_it_is_and_nothing_older(
        self, state: MaintenanceState
    ) -> None:
        maintenance, deeds = schedule(body="First words"), _COURSE[state]
        for number, deed in enumerate(deeds):
            deed(maintenance_id=maintenance.pk, at=BEGINS + number * MINUTE, author=None)
        for visibility in (Visibility.INTERNAL, Visibility.PUBLIC):
            operations.edit_maintenance(
                maintenance_id=maintenance.pk,
                plan=Plan(title="Upgrade", visibility=visibility),
                at=ENDS,
                author=None,
            )

        told = queries.public_maintenances().get().told
        assert [(update.state, update.published_at) for update in told] == [(state, ENDS)]
        assert told[0].deliver_notifications == (not state.is_over)

    def test_a_component_that_somebody_took_out_stays_out_of_it(self) -> None:
        tours, uploads = ComponentFactory.create(), ComponentFactory.create(name="Uploads")
        maintenance = schedule(components=[tours.pk])
        advance(BEGINS)
        operations.set_component_status(
            component_id=tours.pk, status=ComponentStatus.OPERATIONAL, at=BEGINS + MINUTE
        )

        def edit(**plan: Any) -> tuple[str, str]:
            operations.edit_maintenance(
                maintenance_id=maintenance.pk,
                plan=Plan(**{"title": "A typo less", "components": [tours.pk]} | plan),
                at=BEGINS + HOUR,
                author=None,
            )
            return status(tours), status(uploads)

        assert edit() == ("operational", "operational")
        assert edit(components=[tours.pk, uploads.pk]) == ("operational", "under_maintenance")
        assert edit(component_status=ComponentStatus.OPERATIONAL)[0] == "operational"
        assert edit()[0] == "under_maintenance"

    def test_an_update_that_is_sent_twice_is_one(self) -> None:
        maintenance = schedule()
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
        maintenance = schedule(body="At two.")
        update = maintenance.updates.get()

        corrected = operations.correct_maintenance_update(
            update_id=update.pk, body="At one.", at=NOON + MINUTE, author=None, reason="typo"
        )

        assert corrected.edited_at == NOON + MINUTE
        assert queries.revisions(corrected).get().data["body"] == "At two."


class TestClock:
    def test_reminds_begins_and_ends_once(self) -> None:
        tours = ComponentFactory.create()
        maintenance = schedule(components=[tours.pk], remind_before=HOUR / 2)
        reminder = BEGINS - HOUR / 2

        counts = advance(
            reminder - MINUTE, reminder, reminder, BEGINS, BEGINS, ENDS - MINUTE, ENDS, ENDS
        )

        assert counts == [0, 1, 0, 1, 0, 0, 1, 0]
        assert told(maintenance) == ["scheduled", "scheduled", "in_progress", "completed"]
        maintenance.refresh_from_db()
        assert (maintenance.began_at, maintenance.ended_at) == (BEGINS, ENDS)

    def test_is_wound_up_by_the_beat(self) -> None:
        now = timezone.now()
        maintenance = schedule(scheduled_for=now - MINUTE, scheduled_until=now + HOUR, at=now)
        beaten = {entry["task"] for entry in app.conf.beat_schedule.values()}
        assert tasks.advance_maintenances.name in beaten

        tasks.advance_maintenances()

        maintenance.refresh_from_db()
        assert maintenance.is_running

    def test_leaves_alone_what_does_not_go_by_itself(self) -> None:
        maintenance = schedule(starts_by_itself=False, ends_by_itself=False)

        assert advance(BEGINS, ENDS) == [0, 0]
        operations.start_maintenance(maintenance_id=maintenance.pk, at=ENDS, author=None)
        assert advance(ENDS + HOUR) == [0]

    def test_recalls_nothing_that_was_told_within_the_notice(self) -> None:
        maintenance = schedule(at=BEGINS - MINUTE, remind_before=HOUR)

        assert advance(BEGINS - MINUTE / 2) == [0]
        assert told(maintenance) == ["scheduled"]

    def test_a_late_worker_begins_at_its_real_time(self) -> None:
        maintenance = schedule(remind_before=HOUR / 2)

        assert advance(BEGINS + HOUR) == [1]

        maintenance.refresh_from_db()
        assert maintenance.began_at == BEGINS + HOUR
        assert told(maintenance) == ["scheduled", "in_progress"]

    def test_a_time_that_nobody_followed_is_owned_up_to(self) -> None:
        tours = ComponentFactory.create()
        maintenance = schedule(components=[tours.pk])

        assert advance(ENDS + DAY, ENDS + DAY) == [1, 0]

        maintenance.refresh_from_db()
        assert maintenance.state == MaintenanceState.COMPLETED
        assert maintenance.ended_at == ENDS + DAY
        said = maintenance.updates.newest_first()[0].body
        assert "could not follow" in said
        assert "13:00 UTC" in said
        assert not tours.intervals.filter(status="under_maintenance").exists()

    def test_a_fault_in_one_keeps_no_other_from_its_time(self) -> None:
        broken, whole = schedule(tz="UTC"), schedule(scheduled_for=BEGINS + MINUTE)
        Maintenance.objects.filter(pk=broken.pk).update(tz="Mars/Olympus")

        with pytest.raises(ValueError, match="Mars"):
            operations.advance_maintenances(at=BEGINS + MINUTE)

        broken.refresh_from_db()
        whole.refresh_from_db()
        assert (broken.state, whole.state) == ("scheduled", "in_progress")

    def test_what_began_by_itself_and_is_ended_by_hand_overruns(self) -> None:
        maintenance = schedule(ends_by_itself=False)

        advance(BEGINS, ENDS + HOUR)

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
        schedule(components=[tours.pk])

        with pytest.raises(operations.ComponentOnRecord):
            operations.remove_component(component_id=tours.pk)

    def test_those_that_share_time_are_named(self) -> None:
        first = schedule()
        schedule(scheduled_for=ENDS, scheduled_until=ENDS + HOUR)

        beside = queries.maintenances_beside(BEGINS + MINUTE, ENDS)

        assert list(beside) == [first]
        assert not queries.maintenances_beside(BEGINS, ENDS, except_for=first.pk)

    def test_the_page_reads_few_rows_however_many_there_are(
        self, django_assert_num_queries: Any
    ) -> None:
        tours = ComponentFactory.create()
        for _ in range(3):
            schedule(components=[tours.pk])

        with django_assert_num_queries(4):
            found = list(queries.public_maintenances())

        assert [len(maintenance.told) for maintenance in found] == [1, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_two_that_end_at_once_let_go_of_their_component() -> None:
    tours = ComponentFactory.create()
    ids = [schedule(components=[tours.pk]).pk for _ in range(2)]
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

    assert status(tours) == "operational"


@pytest.mark.django_db(transaction=True)
def test_two_clocks_begin_it_once() -> None:
    maintenance = schedule()
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
    assert told(maintenance) == ["scheduled", "in_progress"]
