"""What the tests of the desk's pages share: somebody who is signed in, and an open incident."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from incidents import operations
from incidents.models import ActionItem, Incident, Tracker
from incidents.values import Severity
from tests.factories import HOUR, NOON, ResponderFactory
from tests.incidents.noticing import person
from tests.incidents.synced import act
from tests.incidents.trackers import FAKES, FakeGitHub, FakeTracker, open_tracker


@pytest.fixture
def responder() -> User:
    return ResponderFactory.create()


@pytest.fixture
def desk(client: Client, responder: User) -> Client:
    client.force_login(responder)
    return client


@pytest.fixture
def incident(responder: User) -> Incident:
    now = timezone.now()
    return operations.declare_incident(
        title="Tours do not open",
        severity=Severity.SEV2,
        at=now - HOUR,
        author=responder,
        body="We are looking into it.",
        tz="Europe/Amsterdam",
    )


@pytest.fixture
def cara() -> User:
    """Give the commander."""
    return person("cara")


@pytest.fixture
def colin() -> User:
    """Give who speaks to customers."""
    return person("colin")


@pytest.fixture
def declare(cara: User) -> Callable[..., Incident]:
    def declared(**fields: Any) -> Incident:
        named = {"title": "Tours do not open", "severity": Severity.SEV2, "author": cara}
        return operations.declare_incident(at=NOON, **{**named, **fields})

    return declared


@pytest.fixture(params=FAKES, ids=lambda kind: kind.kind)
def fake(request: pytest.FixtureRequest) -> Iterator[FakeTracker]:
    """Give each kind of tracker in turn, on this machine."""
    with open_tracker(request.param) as tracker:
        yield tracker


@pytest.fixture
def github() -> Iterator[FakeTracker]:
    """Give a GitHub on this machine."""
    with open_tracker(FakeGitHub) as tracker:
        yield tracker


@pytest.fixture
def connect(settings: Settings) -> Callable[..., Tracker]:
    """Give the deed that writes a tracker down, with its secrets where it says."""

    def connected(fake: FakeTracker, **changes: Any) -> Tracker:
        settings.CREDENTIALS = {
            "tracker": {"password": fake.secret},
            "hook": {"password": "what-webhooks-are-signed-with"},
        }
        said = {
            "name": "The shop",
            "kind": fake.kind,
            "address": fake.address + "/",
            "project": fake.project,
            "labels": ["incident"],
            "issue_type": "Task" if "jira" in fake.kind else "",
            "secret": "settings:tracker",
            "webhook_secret": "settings:hook",
        }
        return operations.connect_tracker(at=NOON, author=None, **said | changes)[0]

    return connected


@pytest.fixture
def action(incident: Incident) -> ActionItem:
    """Give an action item that is planned."""
    return act(incident)
