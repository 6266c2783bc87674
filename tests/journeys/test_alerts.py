"""A night of monitoring: an alert declares an incident, repeats do nothing, its end is noted."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents.models import AlertHook, Incident
from incidents.values import Phase, Severity
from tests.factories import ResponderFactory
from tests.incidents.payloads import alert, group


@pytest.mark.django_db
def test_monitoring_declares_and_people_end(client: Client) -> None:
    # By day somebody opens a hook, and copies the address that is shown once.
    client.force_login(ResponderFactory.create())
    opened = client.post(
        reverse("incidents:alert-hook-add"),
        {
            "name": "Prometheus Frankfurt",
            "provider": "alertmanager",
            "severity": "sev2",
            "visibility": "public",
        },
        follow=True,
    )
    address = f"/api/alerts/{opened.context['token']}/"
    began = timezone.now().replace(microsecond=0)
    monitoring = Client()

    def sends(payload: dict[str, Any]) -> list[str]:
        answer = monitoring.post(address, json.dumps(payload), content_type="application/json")
        assert answer.status_code == 200
        return [one["did"] for one in answer.json()["alerts"]]

    # At night it fires. An incident is there, and customers have not been told of it.
    fires = alert(startsAt=began.isoformat())
    assert sends(group(fires)) == ["declared"]
    incident = Incident.objects.get()
    assert (incident.severity, incident.phase) == (Severity.SEV1, Phase.INVESTIGATING)
    assert incident.started_at == began
    assert not incident.is_public
    page = client.get(incident.get_absolute_url()).content.decode()
    assert "Alert: No full backup for 26 h (critical)" in page
    assert "Prometheus Frankfurt" in page

    # It is delivered twice, and repeated; a second alert of its group joins.
    before = incident.entries.count()
    assert sends(group(fires)) == ["repeated"]
    assert sends(group(fires)) == ["repeated"]
    assert incident.entries.count() == before
    second = alert("Replica", startsAt=began.isoformat())
    assert sends(group(fires, second)) == ["repeated", "added"]

    # Both end. Monitoring says so, and leaves the rest to people.
    over = {"status": "resolved", "endsAt": timezone.now().isoformat()}
    assert sends(group(fires | over, second | over, status="resolved")) == ["ended", "ended"]
    assert Incident.objects.open().get() == incident
    page = client.get(incident.get_absolute_url()).content.decode()
    assert "Monitoring sees it recovered: all 2 alerts of this incident have ended." in page

    # Somebody looks, and ends it.
    client.post(
        reverse("incidents:incident-resolve", args=[incident.pk]),
        {"body": "Backups run again. Nothing was lost."},
    )
    incident.refresh_from_db()
    assert incident.is_resolved

    # It comes back: another incident, and the first one stays as it was.
    again = alert(startsAt=timezone.now().isoformat())
    assert sends(group(again)) == ["declared"]
    assert Incident.objects.count() == 2

    # The hook's page tells what came, and what did not.
    monitoring.post(address, b"{oops", content_type="application/json")
    page = client.get(AlertHook.objects.get().get_absolute_url()).content.decode()
    assert "This is not JSON" in page
    assert "{oops" in page
