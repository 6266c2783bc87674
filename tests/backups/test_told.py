"""How far a restore is, in a line on the command line."""

from datetime import timedelta

import pytest

from backups.management.waiting import told
from backups.models import JobState
from tests.backups.factories import RestoreJobFactory
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("ends_after", "words"),
    [
        (2 * HOUR, "done between 2026-01-12 13:00 and 14:00 UTC"),
        (timedelta(hours=57), "done between 2026-01-12 13:00 and 2026-01-14 21:00 UTC"),
    ],
)
def test_says_the_days_of_an_estimate(ends_after: timedelta, words: str) -> None:
    job = RestoreJobFactory.create(
        state=JobState.QUEUED, eta_low_at=NOON + HOUR, eta_high_at=NOON + ends_after
    )

    assert words in told(job)
