"""A night with a handover: one goes to sleep, another wakes up, reads, and goes on."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents.models import Incident
from incidents.values import Role
from tests.factories import HOUR, ProgressReportFactory, ResponderFactory


@pytest.mark.django_db
def test_an_incident_changes_hands_in_the_night(client: Client) -> None:
    robin = ResponderFactory.create()
    olive = ResponderFactory.create(username="olive", first_name="Olive", last_name="Operator")

    # Robin declares it in the evening, and writes down what happens.
    client.force_login(robin)
    client.post(
        reverse("incidents:incident-declare"),
        {
            "title": "Tours do not open",
            "severity": "sev1",
            "body": "Tours do not open. We are on it.",
            "tz": "Europe/Amsterdam",
            "visibility": "public",
        },
    )
    incident = Incident.objects.get()
    here = [incident.pk]
    client.post(reverse("incidents:role-take", args=here), {"role": "communications", "seen": ""})
    for line in (
        "restarted the cluster #attempt !failed",
        "the copy goes through the proxy !worked",
        "restore the older backup first #decision",
        "is the log of Friday complete? #question",
    ):
        client.post(reverse("incidents:entry-add", args=here), {"line": line})
    ProgressReportFactory.create(
        incident=incident,
        key="restore-41",
        title="Restore of main",
        heartbeat_at=timezone.now(),
        eta_low_at=timezone.now() + 3 * HOUR,
        eta_high_at=timezone.now() + 5 * HOUR,
    )

    # Nine hours later the desk says that it has been long.
    incident.roles.update(from_at=timezone.now() - 9 * HOUR)
    page = reverse("incidents:incident-handover", args=here)
    assert "longer than the 8 h 00 min" in client.get(incident.get_absolute_url()).content.decode()

    # Robin hands everything over, and goes to sleep.
    form = client.get(page).context["form"]
    client.post(
        page,
        {
            "roles": form.fields["roles"].initial,
            "holder": olive.pk,
            "reason": "fatigue",
            "handover": "Do not touch the proxy. Wake me only if the copy stops.",
            "resting_until_at": f"{timezone.now() + 10 * HOUR:%Y-%m-%dT%H:%M}",
        },
    )

    # Olive wakes up and reads one page. All of it is there.
    client.force_login(olive)
    shown = client.get(page).content.decode()
    for words in (
        "Do not touch the proxy.",
        "Tours do not open. We are on it.",
        "restarted the cluster",
        "the copy goes through the proxy",
        "restore the older backup first",
        "is the log of Friday complete?",
        "Restore of main",
        "do not wake them before",
    ):
        assert words in shown
    held = incident.roles.filter(until_at=None)
    assert {(row.role, row.holder) for row in held} == {
        (Role.COMMANDER, olive),
        (Role.COMMUNICATIONS, olive),
    }

    # She takes one role more by mistake, and undoes it.
    client.post(reverse("incidents:role-take", args=here), {"role": "scribe", "seen": ""})
    scribe = incident.roles.get(role=Role.SCRIBE)
    client.post(reverse("incidents:role-undo", args=[scribe.pk]))
    assert not incident.roles.filter(role=Role.SCRIBE).exists()
    client.post(reverse("incidents:entry-add", args=here), {"line": "the copy is through !worked"})

    # Robin wakes up, and reads what happened since.
    client.force_login(robin)
    shown = client.get(page).content.decode()
    assert "Since you handed over" in shown
    since = shown.split("Since you handed over")[1].split("</details>")[0]
    assert "the copy is through" in since
    assert "restarted the cluster" not in since

    # The timeline has the handover with its note, once.
    told = incident.entries.get(kind="role", text__startswith="Handed over to Olive Operator")
    assert "Do not touch the proxy." in told.text
