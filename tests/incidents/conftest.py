"""What the tests of the desk's pages share: somebody who is signed in, and an open incident."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from incidents import operations
from incidents.models import Incident
from incidents.values import Severity
from tests.factories import HOUR, ResponderFactory


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
