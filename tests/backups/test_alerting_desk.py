"""Alerts at the desk: taken, silenced, rules written, the heartbeat set."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backups import operations, runner
from backups.models import (
    AlertRule,
    BackupAlert,
    BackupCheck,
    BackupCheckName,
    CheckState,
    Heartbeat,
    Silence,
)
from incidents.models import NoticeChannel
from notifications.models import Channel, Delivery
from tests.backups.factories import DatabaseFactory
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db


def opened() -> BackupAlert:
    """Return an alert that is open."""
    AlertRule.objects.create(name="grave", states=[CheckState.CRITICAL], created_at=NOON)
    BackupCheck.objects.create(
        database=DatabaseFactory.create(), name="DRILL", state=CheckState.CRITICAL,
        since_at=NOON, looked_at=NOON, words="It failed.", advice="Hold it again.",
    )  # fmt: skip
    runner.follow_findings(at=NOON)
    return BackupAlert.objects.get()


def said(**values: Any) -> dict[str, Any]:
    return {
        "name": "night",
        "states": ["CRITICAL"],
        "lasts_minutes": 10,
        "severity": "sev2",
        "is_enabled": "on",
        **values,
    }


class TestAlerts:
    def test_is_taken_by_somebody_and_stays_open(self, admin_client: Client) -> None:
        alert = opened()
        assert "I know of it" in admin_client.get("/desk/backups/alerts/").content.decode()

        page = admin_client.post(f"/desk/backups/alerts/{alert.pk}/known/", follow=True)

        alert.refresh_from_db()
        assert alert.acknowledged_by is not None
        assert alert.closed_at is None
        assert "knows" in page.content.decode()

    def test_all_that_were_shown_are_taken_at_once_and_what_came_since_is_not(
        self, admin_client: Client
    ) -> None:
        alert = opened()
        AlertRule.objects.create(name="again", states=[CheckState.CRITICAL], created_at=NOON)
        runner.follow_findings(at=NOON)
        page = admin_client.get("/desk/backups/alerts/").content.decode()
        found = alert.database
        assert found is not None
        BackupCheck.objects.create(
            database=found, name="SCHEDULE", state=CheckState.CRITICAL,
            since_at=NOON, looked_at=NOON, words="None was taken.", advice="See why.",
        )  # fmt: skip
        runner.follow_findings(at=NOON)

        shown = re.findall(r'name="alert" value="(\d+)"', page)
        admin_client.post("/desk/backups/alerts/known/", {"alert": [*shown, "x"]})

        # Two rules tell of one finding, which stands there once.
        assert page.count("It failed.") == 1
        assert len(shown) == 2
        left = BackupAlert.objects.filter(acknowledged_by=None)
        assert {row.about for row in left} == {"SCHEDULE"}

    def test_that_is_over_cannot_be_taken(self, admin_client: Client) -> None:
        alert = opened()
        BackupCheck.objects.update(state=CheckState.OK, looked_at=NOON + HOUR)
        runner.follow_findings(at=NOON + HOUR)

        page = admin_client.post(f"/desk/backups/alerts/{alert.pk}/known/", follow=True)

        assert "over already" in page.content.decode()
        assert BackupAlert.objects.get().acknowledged_at is None

    def test_findings_are_silenced_with_a_reason_and_the_silence_ended(
        self, admin_client: Client
    ) -> None:
        refused = admin_client.post("/desk/backups/alerts/silence/", {"hours": 4, "reason": ""})
        assert refused.status_code == 422
        database = DatabaseFactory.create()

        admin_client.post(
            "/desk/backups/alerts/silence/",
            {"database": database.pk, "checks": ["DRILL"], "hours": 4, "reason": "Vendor"},
        )

        silence = Silence.objects.get()
        assert (silence.database, silence.checks) == (database, [BackupCheckName.DRILL])
        assert silence.ends_at - silence.begins_at == 4 * HOUR
        admin_client.post(f"/desk/backups/silences/{silence.pk}/end/")
        silence.refresh_from_db()
        assert silence.ends_at < timezone.now() + timedelta(minutes=1)

    def test_a_silence_of_a_year_is_refused(self) -> None:
        with pytest.raises(operations.SilenceTooLong):
            operations.silence_findings(
                until=NOON + timedelta(days=365), reason="Away", by=None, at=NOON
            )


class TestRules:
    def test_are_written_changed_and_removed(self, admin_client: Client) -> None:
        room = NoticeChannel.objects.create(
            name="room", channel=Channel.EMAIL, address="room@example.org", created_at=NOON
        )

        admin_client.post(
            "/desk/backups/rules/add/",
            said(channels=[room.pk], remind_hours=4, escalate_minutes=30, escalate_to=[room.pk]),
        )

        rule = AlertRule.objects.get(name="night")
        assert (rule.lasts, rule.remind_every) == (timedelta(minutes=10), 4 * HOUR)
        assert list(rule.channels.all()) == list(rule.escalate_to.all()) == [room]
        # Beside those that hold from the beginning.
        assert AlertRule.objects.count() == 4
        admin_client.post(f"/desk/backups/rules/{rule.pk}/", said(states=["UNKNOWN", "WARNING"]))
        rule.refresh_from_db()
        assert rule.states == ["UNKNOWN", "WARNING"]
        assert not rule.channels.exists()
        assert "night" in admin_client.get("/desk/backups/rules/").content.decode()
        admin_client.post(f"/desk/backups/rules/{rule.pk}/remove/")
        assert not AlertRule.objects.filter(name="night").exists()

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"states": []}, "Choose at least one."),
            ({"lasts_minutes": -1}, "greater than or equal to 0"),
            ({"name": "What is critical"}, "Another rule has this name"),
        ],
    )
    def test_that_say_nothing_sensible_are_refused(
        self, admin_client: Client, values: dict[str, Any], words: str
    ) -> None:
        answer = admin_client.post("/desk/backups/rules/add/", said(**values))

        assert answer.status_code == 422
        assert words in answer.content.decode()

    def test_the_last_one_is_switched_off_and_not_removed(self, admin_client: Client) -> None:
        rule = opened().rule

        page = admin_client.post(f"/desk/backups/rules/{rule.pk}/remove/", follow=True)

        assert "Switch it off instead" in page.content.decode()
        assert AlertRule.objects.filter(pk=rule.pk).exists()


class TestHeartbeat:
    def test_its_address_is_kept_and_never_shown_again(self, admin_client: Client) -> None:
        admin_client.post(
            "/desk/backups/heartbeat/",
            {"url": "https://watch.example.org/ping/0123456789abcdef", "every_seconds": 60},
        )

        assert Heartbeat.objects.get().every == timedelta(minutes=1)
        Heartbeat.objects.update(sent_at=timezone.now())
        page = admin_client.get("/desk/backups/rules/").content.decode()
        assert "watch.example.org/…cdef" in page
        assert "0123456789" not in page

    def test_an_address_that_can_never_be_posted_to_is_refused(self, admin_client: Client) -> None:
        answer = admin_client.post(
            "/desk/backups/heartbeat/", {"url": "ftp://example.org", "every_seconds": 60}
        )

        assert answer.status_code == 422
        assert not Heartbeat.objects.exclude(url="").exists()


def test_nobody_but_staff_reads_or_changes_anything(client: Client) -> None:
    alert = opened()

    for path in (
        "/desk/backups/alerts/",
        "/desk/backups/rules/",
        "/desk/backups/rules/add/",
        f"/desk/backups/alerts/{alert.pk}/known/",
        "/desk/backups/heartbeat/",
    ):
        assert client.post(path).status_code in (302, 405)
    assert Delivery.objects.count() == 0
    assert BackupAlert.objects.get().acknowledged_at is None
