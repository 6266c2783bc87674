"""What the desk says of the times of planned work: of its reminder, and of those there are not."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import operations
from incidents.operations import Plan
from tests.factories import HOUR

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


class TestReminder:
    def test_is_not_said_to_be_done_when_it_was_planned_too_late(self, desk: Client) -> None:
        now = timezone.now()
        maintenance = operations.schedule_maintenance(
            plan=Plan(title="New disks", remind_before=DAY),
            scheduled_for=now + HOUR,
            scheduled_until=now + 2 * HOUR,
            at=now,
            author=None,
        )

        page = desk.get(maintenance.get_absolute_url()).content.decode()

        assert "not sent, it was scheduled later than that" in page
        assert (
            desk.get(f"/api/desk/v1/maintenances/{maintenance.pk}/").json()["reminded_at"] is None
        )

    def test_is_said_to_be_done_when_it_went_out(self, desk: Client) -> None:
        now = timezone.now()
        maintenance = operations.schedule_maintenance(
            plan=Plan(title="New disks", remind_before=DAY),
            scheduled_for=now + DAY + HOUR,
            scheduled_until=now + DAY + 2 * HOUR,
            at=now,
            author=None,
        )
        operations.advance_maintenances(at=now + HOUR)

        page = desk.get(maintenance.get_absolute_url()).content.decode()

        assert "before, done" in page
        assert "not sent" not in page


class TestTimesThatAreSkipped:
    @pytest.mark.parametrize("named", ["scheduled_for", "scheduled_until"])
    def test_bring_one_complaint_and_no_second(self, desk: Client, named: str) -> None:
        typed = {
            "title": "New disks",
            "tz": "Europe/Amsterdam",
            "scheduled_for": "2031-03-30T01:00",
            "minutes": "60" if named == "scheduled_for" else "",
        } | {named: "2031-03-30T02:30"}

        page = desk.post(reverse("incidents:maintenance-schedule"), typed).content.decode()

        assert page.count("There is no such time on that day") == 1
        assert "Say when it ends" not in page
