"""A commander's hour: declared, written down, told, promised, ended, learnt from."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents.models import Incident, Promise
from incidents.values import Phase, PromiseKind, PromiseOutcome
from tests.factories import HOUR, ComponentFactory, ResponderFactory


@pytest.mark.django_db
def test_a_commander_leads_an_incident_from_the_desk(client: Client) -> None:
    tours = ComponentFactory.create()
    client.force_login(ResponderFactory.create())

    # Something is wrong. The commander declares it, and customers read of it at once.
    client.post(
        reverse("incidents:incident-declare"),
        {
            "title": "Tours do not open",
            "severity": "sev1",
            "body": "Tours do not open. We are on it.",
            "tz": "Europe/Amsterdam",
            "visibility": "public",
            f"component_{tours.pk}": "major_outage",
        },
    )
    incident = Incident.objects.get()
    page = incident.get_absolute_url()
    here = [incident.pk]

    # What happens is written down as it happens.
    for line in (
        "-5m the database cluster failed #database *detected",
        "restarted the cluster #attempt !failed",
        "decided to restore from the backup #decision",
    ):
        client.post(reverse("incidents:entry-add", args=here), {"line": line})

    # Customers hear what is known, and until when it will be so.
    back = timezone.now() + 3 * HOUR
    client.post(
        reverse("incidents:update-post", args=here),
        {
            "phase": "identified",
            "body": "The database is lost. We are bringing it back from a backup.",
            "next_minutes": 30,
            "eta_from": f"{back:%Y-%m-%dT%H:%M}",
            "eta_until": f"{back + HOUR:%Y-%m-%dT%H:%M}",
            "eta_basis": "the speed of the copy",
        },
    )
    shown = client.get(page).content.decode()
    assert "restarted the cluster" in shown
    assert "in 29 min" in shown or "in 30 min" in shown
    assert "the speed of the copy" in shown

    # It is back before the time that was given.
    client.post(
        reverse("incidents:incident-resolve", args=here),
        {"body": "All tours open again. No data was lost."},
    )
    incident.refresh_from_db()
    assert incident.phase == Phase.RESOLVED
    assert Promise.objects.get(kind=PromiseKind.ETA).outcome == PromiseOutcome.MET
    tours.refresh_from_db()
    assert tours.status == "operational"

    # And it is learnt from.
    failed = incident.entries.get(outcome="failed")
    client.post(
        reverse("incidents:cause-add", args=here),
        {"kind": "primary", "text": "Maintenance broke the cluster", "evidence": [failed.pk]},
    )
    client.post(
        reverse("incidents:action-add", args=here),
        {
            "text": "Try maintenance on a copy first",
            "priority": "high",
            "due": "Q1 2027",
            "addresses": [incident.causes.get().pk],
        },
    )
    shown = client.get(page).content.decode()
    assert "Maintenance broke the cluster" in shown
    assert "due <span" in shown
    assert "Q1 2027" in shown
