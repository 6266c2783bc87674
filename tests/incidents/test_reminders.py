"""The clock tells staff what falls due, stands empty or is late: each thing once."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from config.celery import app
from incidents import operations, reminders, tasks
from incidents.models import Incident, Notice, SeverityRule
from incidents.values import (
    ActionState,
    IncidentKind,
    NoticeKind,
    Phase,
    Precision,
    PromiseKind,
    Role,
    Severity,
    When,
)
from notifications.models import Delivery
from tests.factories import (
    HOUR,
    MINUTE,
    NOON,
    IncidentFactory,
)
from tests.incidents.noticing import channel, person, told

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def _promise(incident: Incident, *, minutes: int, kind: PromiseKind, at: datetime = NOON) -> None:
    operations.make_promise(
        incident_id=incident.pk,
        kind=kind,
        due=When(at=at + minutes * MINUTE),
        at=at,
        author=None,
    )


class TestEmptyRoles:
    def test_a_channel_hears_that_nobody_commands(self, declare: Callable[..., Incident]) -> None:
        channel()
        declare(author=None, severity=Severity.SEV3)

        assert reminders.tell_what_is_due(at=NOON + 9 * MINUTE) == 0
        assert reminders.tell_what_is_due(at=NOON + 11 * MINUTE) == 1
        assert reminders.tell_what_is_due(at=NOON + HOUR) == 0

        subject = Notice.objects.get(kind=NoticeKind.ROLE_EMPTY).subject
        assert "No incident commander" in subject

    def test_the_commander_hears_that_nobody_speaks(self, declare: Callable[..., Incident]) -> None:
        declare(severity=Severity.SEV1)

        assert reminders.tell_what_is_due(at=NOON + 11 * MINUTE) == 1
        assert told(NoticeKind.ROLE_EMPTY) == ["cara@example.org"]

    def test_a_role_that_empties_again_is_told_again(
        self, declare: Callable[..., Incident], cara: User
    ) -> None:
        incident = declare(author=None, severity=Severity.SEV3)
        reminders.tell_what_is_due(at=NOON + 11 * MINUTE)
        incident.roles.create(
            role=Role.COMMANDER,
            holder=cara,
            from_at=NOON + 20 * MINUTE,
            until_at=NOON + 30 * MINUTE,
        )

        assert reminders.tell_what_is_due(at=NOON + 35 * MINUTE) == 0
        assert reminders.tell_what_is_due(at=NOON + 41 * MINUTE) == 1

    @pytest.mark.parametrize(
        "fields",
        [
            {"phase": Phase.RESOLVED, "resolved_at": NOON + MINUTE},
            {"kind": IncidentKind.BACKFILLED},
        ],
    )
    def test_what_is_over_needs_nobody(self, fields: dict[str, Any]) -> None:
        IncidentFactory.create(severity=Severity.SEV1, **fields)

        assert reminders.tell_what_is_due(at=NOON + HOUR) == 0

    def test_a_part_of_another_needs_nobody(self, declare: Callable[..., Incident]) -> None:
        whole = declare(severity=Severity.SEV3)
        IncidentFactory.create(parent=whole)
        IncidentFactory.create(duplicate_of=whole)

        assert reminders.tell_what_is_due(at=NOON + HOUR) == 0


class TestLongDuty:
    def test_the_person_and_the_commander_are_told_every_two_hours(
        self, declare: Callable[..., Incident], colin: User
    ) -> None:
        incident = declare(severity=Severity.SEV3)
        incident.roles.update(from_at=NOON + 7 * HOUR)
        incident.roles.create(role=Role.COMMUNICATIONS, holder=colin, from_at=NOON)

        answers = [
            reminders.tell_what_is_due(at=NOON + hours * HOUR + MINUTE)
            for hours in (7, 8, 9, 10, 11, 12)
        ]

        assert answers == [0, 1, 0, 1, 0, 1]
        assert Counter(told(NoticeKind.DUTY_LONG)) == {
            "colin@example.org": 3, "cara@example.org": 3,
        }  # fmt: skip
        subjects = Notice.objects.filter(kind=NoticeKind.DUTY_LONG).order_by("pk")
        assert "Colin has been on duty for 8 h 01 min" in subjects[0].subject

    def test_who_was_missed_for_hours_is_told_once(self, declare: Callable[..., Incident]) -> None:
        declare(severity=Severity.SEV3)

        assert reminders.tell_what_is_due(at=NOON + 20 * HOUR) == 1

    def test_a_handover_between_roles_is_no_rest(
        self, declare: Callable[..., Incident], cara: User
    ) -> None:
        incident = declare(severity=Severity.SEV3)
        incident.roles.update(until_at=NOON + 5 * HOUR)
        incident.roles.create(role=Role.DEPUTY, holder=cara, from_at=NOON + 5 * HOUR)
        Notice.objects.all().delete()

        reminders.tell_what_is_due(at=NOON + 8 * HOUR + MINUTE)

        assert Notice.objects.filter(kind=NoticeKind.DUTY_LONG).count() == 1


class TestOverdueActions:
    @pytest.fixture
    def incident(self, declare: Callable[..., Incident]) -> Incident:
        channel()
        incident = declare(severity=Severity.SEV3)
        Notice.objects.all().delete()
        return incident

    def _add(self, incident: Incident, owner: User | None, **fields: Any) -> None:
        due = When(at=datetime(2026, 2, 10, tzinfo=UTC), precision=Precision.DAY)
        operations.add_action_item(
            incident_id=incident.pk,
            text="Try a restore every week",
            author=None,
            owner=owner,
            **{"at": NOON, "due": due, **fields},
        )

    def test_the_owner_hears_on_the_day_and_weekly_the_commander_and_the_team_after_a_week(
        self, incident: Incident, colin: User
    ) -> None:
        self._add(incident, colin)
        nine = datetime(2026, 2, 10, 9, tzinfo=UTC)

        assert reminders.tell_what_is_overdue(at=nine - MINUTE) == 0
        assert reminders.tell_what_is_overdue(at=nine) == 1
        assert reminders.tell_what_is_overdue(at=nine + 6 * DAY) == 0
        assert told(NoticeKind.ACTION_OVERDUE) == ["colin@example.org"]
        assert "due today" in Notice.objects.latest("pk").subject

        assert reminders.tell_what_is_overdue(at=nine + 7 * DAY) == 1
        assert told(NoticeKind.ACTION_OVERDUE)[1:] == [
            "colin@example.org", "cara@example.org", "https://chat.example.org/hooks/#incidents",
        ]  # fmt: skip
        assert "7 days overdue" in Notice.objects.latest("pk").subject
        assert reminders.tell_what_is_overdue(at=nine + 14 * DAY) == 1

    def test_what_was_late_when_it_was_written_down_begins_with_the_next_week(
        self, incident: Incident, colin: User
    ) -> None:
        Incident.objects.filter(pk=incident.pk).update(kind=IncidentKind.BACKFILLED)
        self._add(incident, colin, at=datetime(2026, 3, 2, 12, tzinfo=UTC))

        assert reminders.tell_what_is_overdue(at=datetime(2026, 3, 2, 13, tzinfo=UTC)) == 0
        assert reminders.tell_what_is_overdue(at=datetime(2026, 3, 3, 9, tzinfo=UTC)) == 1

    @pytest.mark.parametrize("email", [None, ""])
    def test_without_an_owner_who_can_be_told_the_channels_hear_at_once(
        self, incident: Incident, email: str | None
    ) -> None:
        self._add(incident, None if email is None else person("mute", email=""))

        reminders.tell_what_is_overdue(at=datetime(2026, 2, 10, 9, tzinfo=UTC))

        assert told(NoticeKind.ACTION_OVERDUE) == ["https://chat.example.org/hooks/#incidents"]

    def test_a_month_is_due_on_its_last_day(self, incident: Incident, colin: User) -> None:
        due = When(at=datetime(2026, 2, 1, tzinfo=UTC), precision=Precision.MONTH)
        self._add(incident, colin, due=due)

        assert reminders.tell_what_is_overdue(at=datetime(2026, 2, 27, 12, tzinfo=UTC)) == 0
        assert reminders.tell_what_is_overdue(at=datetime(2026, 2, 28, 9, tzinfo=UTC)) == 1

    def test_another_day_is_told_anew_and_what_is_done_is_not(
        self, incident: Incident, colin: User
    ) -> None:
        self._add(incident, colin)
        nine = datetime(2026, 2, 10, 9, tzinfo=UTC)
        reminders.tell_what_is_overdue(at=nine)
        action = incident.actions.get()
        due = When(at=datetime(2026, 2, 12, tzinfo=UTC), precision=Precision.DAY)
        operations.edit_action_item(action_id=action.pk, at=nine, author=None, due=due)

        assert reminders.tell_what_is_overdue(at=nine + DAY) == 0
        assert reminders.tell_what_is_overdue(at=nine + 2 * DAY) == 1
        operations.move_action_item(
            action_id=action.pk, state=ActionState.DONE, at=nine + 3 * DAY, author=None
        )
        assert reminders.tell_what_is_overdue(at=nine + 30 * DAY) == 0


class TestPostmortems:
    def _ended(self, declare: Callable[..., Incident], **fields: Any) -> Incident:
        incident = declare(**fields)
        Incident.objects.filter(pk=incident.pk).update(phase=Phase.RESOLVED, resolved_at=NOON)
        Notice.objects.all().delete()
        return incident

    def test_the_commander_is_told_when_it_is_due_and_two_days_later(
        self, declare: Callable[..., Incident]
    ) -> None:
        self._ended(declare, severity=Severity.SEV1)
        nine = NOON.replace(hour=9) + 3 * DAY

        answers = [reminders.tell_what_is_overdue(at=nine + days * DAY) for days in range(-1, 9)]

        assert answers == [0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
        assert set(told(NoticeKind.POSTMORTEM_DUE)) == {"cara@example.org"}

    def test_nobody_asks_for_one_after_a_drill_or_of_a_mild_one(
        self, declare: Callable[..., Incident]
    ) -> None:
        self._ended(declare, severity=Severity.SEV1, kind=IncidentKind.DRILL)
        self._ended(declare, severity=Severity.SEV4)

        assert reminders.tell_what_is_overdue(at=NOON + 10 * DAY) == 0

    def test_what_staff_have_agreed_on_counts(self, declare: Callable[..., Incident]) -> None:
        SeverityRule.objects.create(severity=Severity.SEV4, postmortem_days=1)
        SeverityRule.objects.create(severity=Severity.SEV1, postmortem_days=None)
        self._ended(declare, severity=Severity.SEV4)
        self._ended(declare, severity=Severity.SEV1)

        assert reminders.tell_what_is_overdue(at=NOON + 2 * DAY) == 1

    def test_one_that_is_written_is_not_asked_for(self, declare: Callable[..., Incident]) -> None:
        incident = self._ended(declare, severity=Severity.SEV1)
        type(incident).postmortem.related.related_model.objects.create(  # type: ignore[attr-defined]
            incident=incident, document="It was the cable.", created_at=NOON
        )

        assert reminders.tell_what_is_overdue(at=NOON + 4 * DAY) == 0

    def test_one_that_is_only_begun_is_still_due(self, declare: Callable[..., Incident]) -> None:
        incident = self._ended(declare, severity=Severity.SEV1)
        operations.begin_postmortem(incident_id=incident.pk, at=NOON, author=None)

        assert reminders.tell_what_is_overdue(at=NOON + 4 * DAY) == 1


class TestClock:
    def test_the_beat_asks_for_it(self) -> None:
        beaten = {entry["task"] for entry in app.conf.beat_schedule.values()}
        wanted = {
            "incidents.tasks.tell_what_is_due",
            "incidents.tasks.tell_what_is_overdue",
            "notifications.tasks.send_due",
        }

        app.loader.import_default_modules()
        assert wanted <= beaten
        assert wanted <= set(app.tasks)

    def test_the_tasks_are_its_ticks(self, declare: Callable[..., Incident]) -> None:
        incident = declare(severity=Severity.SEV1)
        Incident.objects.filter(pk=incident.pk).update(
            phase=Phase.RESOLVED, resolved_at=timezone.now() - 4 * DAY
        )

        tasks.tell_what_is_overdue()
        tasks.tell_what_is_due()

        kinds = Notice.objects.exclude(kind=NoticeKind.DECLARED).values_list("kind", flat=True)
        assert list(kinds) == [NoticeKind.POSTMORTEM_DUE]

    def test_asks_the_same_of_the_database_for_one_or_ten(
        self, declare: Callable[..., Incident], django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        def look() -> None:
            # The rules, by each who asks; promises; two roles that may be empty; who is on duty;
            # what is told already.
            with django_assert_num_queries(9):
                reminders.tell_what_is_due(at=NOON + 9 * HOUR)

        declare(severity=Severity.SEV1)
        reminders.tell_what_is_due(at=NOON + 9 * HOUR)
        look()
        for _number in range(9):
            declare(severity=Severity.SEV1)
        reminders.tell_what_is_due(at=NOON + 9 * HOUR)
        look()


@pytest.mark.django_db(transaction=True)
def test_two_workers_tell_it_once(declare: Callable[..., Incident]) -> None:
    channel()
    incident = declare(severity=Severity.SEV1)
    _promise(incident, minutes=30, kind=PromiseKind.NEXT_UPDATE)
    Notice.objects.all().delete()
    Delivery.objects.all().delete()
    answers: list[int] = []
    start = threading.Barrier(4)

    def tick() -> None:
        start.wait(timeout=10)
        try:
            answers.append(reminders.tell_what_is_due(at=NOON + 26 * MINUTE))
        finally:
            connection.close()

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    # The reminder, and that nobody speaks: each to the commander and the channel.
    assert sum(answers) == Notice.objects.count() == 2
    assert Delivery.objects.count() == 4
