"""What the tests of the desk's pages share: somebody who is signed in, and an open incident."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from incidents import operations
from incidents.models import Incident
from incidents.values import Severity
from tests.factories import HOUR, NOON, ResponderFactory
from tests.incidents.noticing import person


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
