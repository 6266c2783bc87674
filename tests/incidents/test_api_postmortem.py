"""Programs read a postmortem, and the document that brings the record back."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from incidents import account, operations
from incidents.models import Incident

pytestmark = pytest.mark.django_db


def test_programs_read_it(desk: Client, incident: Incident, responder: User) -> None:
    address = f"/api/desk/v1/incidents/{incident.pk}/postmortem/"
    assert desk.get(address).status_code == 404

    operations.begin_postmortem(incident_id=incident.pk, at=timezone.now(), author=responder)
    told = desk.get(f"{address}?export=md").json()

    assert told["state"] == "draft"
    assert "We are looking into it." in told["sections"][2]["html"]
    assert account.read_account(told["document"]).title == incident.title
