"""How far a restore is, in a line on the command line."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backups.management.waiting import told
from backups.models import AttemptOutcome, JobState, RestoreAttempt, RestoreJob, RestorePhase
from tests.backups.factories import RestoreJobFactory
from tests.factories import HOUR, MINUTE, NOON

pytestmark = pytest.mark.django_db


def running(**values: Any) -> RestoreJob:
    now = timezone.now()
    lease = {"leased_by": "one:1:a", "leased_until": now + MINUTE, "heartbeat_at": now}
    made: RestoreJob = RestoreJobFactory.create(**{"state": JobState.RUNNING, **lease, **values})
    return made


@pytest.mark.parametrize(
    ("ends_after", "words"),
    [
        (2 * HOUR, "done between 2026-01-12 13:00 and 14:00 UTC"),
        (timedelta(hours=57), "done between 2026-01-12 13:00 and 2026-01-14 21:00 UTC"),
    ],
)
def test_says_the_days_of_an_estimate(ends_after: timedelta, words: str) -> None:
    job = running(eta_low_at=NOON + HOUR, eta_high_at=NOON + ends_after)

    assert words in told(job)


@pytest.mark.parametrize(
    "why",
    [
        {"waiting_for": "storage"},
        {"waiting_for": "credentials"},
        {"heartbeat_at": NOON},
        {"state": JobState.QUEUED, "leased_by": "", "leased_until": None},
    ],
)
def test_says_no_end_where_nobody_knows_one_and_neither_does_the_desk(
    why: dict[str, Any], admin_client: Client
) -> None:
    job = running(eta_low_at=NOON + HOUR, eta_high_at=NOON + 2 * HOUR, **why)
    address = reverse("backups:restore-live", args=[job.pk])

    assert "done between" not in told(job)
    assert "Ends between" not in admin_client.get(address).content.decode()
    if "heartbeat_at" in why:
        assert "no news of its worker since 12:00:00 UTC" in told(job)


def test_says_that_another_worker_has_only_just_taken_over() -> None:
    now = timezone.now()
    job = running(phase=RestorePhase.FETCH, done=60, total=100)
    common = {"job": job, "worker": "one:1:a", "phase": RestorePhase.FETCH}
    RestoreAttempt.objects.create(
        number=1, began_at=now - HOUR, ended_at=now, outcome=AttemptOutcome.LOST, **common
    )
    attempt = RestoreAttempt.objects.create(
        number=2, began_at=now - timedelta(seconds=20), **common
    )

    assert "attempt 2 began 20 s ago and takes up what was there" in told(job)

    job.rate = 4e5
    assert "takes up" not in told(job)
    job.rate = None
    attempt.began_at = now - 2 * MINUTE
    attempt.save()
    assert "takes up" not in told(job)


def test_names_a_pause_before_and_while_it_rests() -> None:
    now = timezone.now()
    begins, ends = now + HOUR, now + 2 * HOUR
    spoken = f"{ends:%Y-%m-%d %H:%M} UTC"

    planned = running(pause_at=begins, resume_at=ends)
    rests = RestoreJobFactory.create(state=JobState.PAUSED, pause_at=now - HOUR, resume_at=ends)
    endless = RestoreJobFactory.create(state=JobState.PAUSED, pause_at=now - HOUR)
    later = RestoreJobFactory.create(
        state=JobState.PAUSED, pause_at=now - HOUR, brings_forward=endless
    )

    assert f"to pause from {begins:%Y-%m-%d %H:%M} UTC until {spoken}" in told(planned)
    assert told(rests).endswith(f", until {spoken}")
    assert told(endless).endswith(", until it is resumed")
    assert told(later).endswith(f", until {endless} is open")
