"""A command that waits for its own restore leaves no other behind."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from backups import tasks
from backups.models import JobState
from tests.backups.factories import RestoreJobFactory
from tests.factories import MINUTE

pytestmark = pytest.mark.django_db(transaction=True)


def test_lost_restores_of_others_are_sent_to_their_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    lost = RestoreJobFactory.create(
        state=JobState.RUNNING, leased_by="elsewhere:1:x", leased_until=now - MINUTE,
        target__queue="other",
    )  # fmt: skip
    own = RestoreJobFactory.create(state=JobState.PAUSED, pause_at=now)
    sent = []
    monkeypatch.setattr(
        tasks.advance_restore,
        "apply_async",
        lambda *, kwargs, queue: sent.append((kwargs["restore_id"], queue)),
    )

    # It has nothing to restore from, and stops.
    with pytest.raises(CommandError):
        call_command("resume_restore", str(own.pk), "--wait")

    assert sent == [(lost.pk, "other")]
