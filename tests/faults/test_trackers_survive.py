"""Workers that are killed while a tracker creates an issue: there is one in the end, not two."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from incidents import operations, syncing
from incidents.models import TrackerIssue
from incidents.values import Severity, SyncState
from tests.incidents.trackers import FAKES, FakeTracker, does_and_hangs, open_tracker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]


@pytest.fixture(params=FAKES, ids=lambda kind: kind.kind)
def fake(request: pytest.FixtureRequest) -> Iterator[FakeTracker]:
    with open_tracker(request.param) as tracker:
        yield tracker


@pytest.fixture
def links(fake: FakeTracker, settings: Settings) -> list[TrackerIssue]:
    """Give action items that wait for their issues."""
    settings.CREDENTIALS = {"tracker": {"password": fake.secret}}
    now = timezone.now()
    incident = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=now, author=None
    )
    tracker, _token = operations.connect_tracker(
        at=now,
        author=None,
        name="The shop",
        kind=fake.kind,
        address=fake.address,
        project=fake.project,
        issue_type="Task" if "jira" in fake.kind else "",
        secret="settings:tracker",
    )
    actions = [
        operations.add_action_item(incident_id=incident.pk, text=text, at=now, author=None)
        for text in ("Rehearse restores", "Alert on old backups", "Write the runbook")
    ]
    return [
        operations.send_action(action_id=action.pk, tracker_id=tracker.pk, at=now, author=None)
        for action in actions
    ]


@contextmanager
def worker(fake: FakeTracker) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a worker in a process of its own, like the one that Celery would run it in."""
    name = str(connection.settings_dict["NAME"])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.syncer", name, fake.secret],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def later(minutes: int) -> None:
    """Let a worker of our own look at what is due by then."""
    at = timezone.now() + timedelta(minutes=minutes)
    syncing.advance(now=lambda: at)


def creations(fake: FakeTracker) -> int:
    return len([call for call in fake.asked("POST") if "/issue" in call.path])


class TestAKilledWorker:
    def test_leaves_one_issue_behind(self, fake: FakeTracker, links: list[TrackerIssue]) -> None:
        # The tracker creates the issue, and the worker dies while it waits for the answer.
        fake.troubles = [does_and_hangs]
        with worker(fake) as process:
            assert fake.created.wait(60)
            process.kill()
        link = links[0]
        link.refresh_from_db()
        assert link.key == ""
        assert link.attempted_at is not None

        # Nobody asks while the dead one may be alive; then the issue is looked for, and found.
        later(1)
        assert creations(fake) == 1
        for minutes in (4, 10):
            later(minutes)

        assert len(fake.issues) == creations(fake) == len(links)
        link.refresh_from_db()
        assert (link.state, link.key) == (SyncState.IN_SYNC, fake.key_of(fake.issues[1]))


class TestSeveralWorkers:
    def test_create_each_issue_once(self, fake: FakeTracker, links: list[TrackerIssue]) -> None:
        with worker(fake) as one, worker(fake) as two, worker(fake) as three:
            assert [process.wait(60) for process in (one, two, three)] == [0, 0, 0]
        later(1)

        assert len(fake.issues) == creations(fake) == len(links)
        states = {link.state for link in TrackerIssue.objects.all()}
        assert states == {SyncState.IN_SYNC}
