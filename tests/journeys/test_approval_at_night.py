"""An update that needs approval at night: sent out alone once, given back once, then approved."""

import html
import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents.models import Incident
from incidents.values import Phase, UpdateState
from tests.factories import HOUR, ComponentFactory, ResponderFactory


@pytest.mark.django_db
def test_an_update_that_needs_approval_at_night() -> None:
    tours = ComponentFactory.create()
    commander, lead = Client(), Client()
    commander.force_login(ResponderFactory.create())
    lead.force_login(ResponderFactory.create(username="lead", first_name="Lou", last_name="Lead"))

    # By day the team agrees that what customers read of a SEV1 is read by two.
    rules = lead.get(reverse("incidents:rules")).content.decode()
    agreed = dict(
        re.findall(r'<input type="(?:number|time|hidden)" name="(\w+)" value="([^"]*)"', rules)
    )
    lead.post(reverse("incidents:rules"), agreed | {"approval_sev1": "on"})

    # At night the commander declares. What is down shows at once; the words wait.
    commander.post(
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
    tours.refresh_from_db()
    assert tours.status == "major_outage"
    assert not Incident.objects.public().exists()
    first = incident.updates.get()

    # Nobody else is awake: it goes out, with the reason on record.
    commander.post(
        reverse("incidents:update-unapproved", args=[first.pk]), {"reason": "Nobody is awake."}
    )
    first.refresh_from_db()
    assert Incident.objects.public().exists()
    assert first.unapproved_reason == "Nobody is awake."

    # What was tried is written down, and a proposal makes the next update of it, with blanks.
    commander.post(
        reverse("incidents:entry-add", args=[incident.pk]),
        {"line": "-5m restarted db-7.internal #attempt !failed"},
    )
    page = commander.post(
        reverse("incidents:update-propose", args=[incident.pk]), {"phase": "identified"}
    ).content.decode()
    body = _typed(page)
    assert "db-7" not in body
    blanks = re.findall(r'name="(blank_\w+)"', page)
    assert len(blanks) == 1

    # Filled in, it waits; the lead wakes up, gives it back once, and approves it.
    until = timezone.now() + 4 * HOUR
    commander.post(
        reverse("incidents:update-post", args=[incident.pk]),
        {
            "phase": "identified",
            "body": body,
            blanks[0]: "a restart",
            "next_minutes": "30",
            "eta_from": f"{until:%Y-%m-%dT%H:%M}",
            "eta_confidence": "low",
        },
    )
    waiting = incident.updates.get(state=UpdateState.IN_REVIEW)
    assert "We tried a restart, and it did not help." in waiting.body
    lead.post(reverse("incidents:update-return", args=[waiting.pk]), {"reason": "Say sorry."})
    shown = commander.get(incident.get_absolute_url()).content.decode()
    assert "Given back: Say sorry." in shown
    commander.post(
        reverse("incidents:draft-edit", args=[waiting.pk]),
        {"phase": "identified", "body": f"{waiting.body} We are sorry.", "version": "1"},
    )
    commander.post(reverse("incidents:draft-publish", args=[waiting.pk]))
    waiting.refresh_from_db()
    assert waiting.state == UpdateState.IN_REVIEW
    lead.post(reverse("incidents:update-approve", args=[waiting.pk]), {"version": waiting.version})

    # Customers read it now, and the record knows who read it first.
    waiting.refresh_from_db()
    incident.refresh_from_db()
    assert incident.phase == Phase.IDENTIFIED
    assert waiting.approver is not None
    assert waiting.approver.label() == "Lou Lead"

    # The end is approved as well.
    commander.post(
        reverse("incidents:incident-resolve", args=[incident.pk]),
        {"body": "All tours open again. No data was lost."},
    )
    incident.refresh_from_db()
    assert not incident.is_resolved
    last = incident.updates.get(state=UpdateState.IN_REVIEW)
    lead.post(reverse("incidents:update-approve", args=[last.pk]), {"version": last.version})
    incident.refresh_from_db()
    tours.refresh_from_db()
    assert incident.phase == Phase.RESOLVED
    assert tours.status == "operational"


def _typed(page: str) -> str:
    """Return what stands in the message that a page shows."""
    found = re.search(r'<textarea name="body"[^>]*>\s*(.*?)</textarea>', page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])
