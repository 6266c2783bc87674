"""A milestone that another entry marks: which one is said, with a way to move it in one deed."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import User
from incidents import operations, queries
from incidents.models import Incident, TimelineEntry
from incidents.values import Milestone, Severity, When
from tests.factories import HOUR, NOON, IncidentFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


@pytest.fixture
def alarm(responder: User) -> TimelineEntry:
    """Give the entry of an incident that was declared with its detection, as an alert does."""
    incident = operations.declare_incident(
        title="Disk full", severity=Severity.SEV2, at=NOON, author=responder,
        started=When(at=NOON - HOUR), detected=When(at=NOON - HOUR),
    )  # fmt: skip
    return incident.entries.get(milestone=Milestone.DETECTED)


def test_it_is_named_and_moved_in_one_deed(alarm: TimelineEntry, responder: User) -> None:
    said: dict[str, Any] = {
        "incident_id": alarm.incident_id, "text": "A customer called", "at": NOON,
        "when": When(at=NOON - 2 * HOUR), "author": responder, "milestone": Milestone.DETECTED,
    }  # fmt: skip
    with pytest.raises(operations.MilestoneTaken, match=r"“It was noticed\.” \(entry \d+\) marks"):
        operations.add_entry(**said)
    # Another entry than that which was named keeps its milestone.
    with pytest.raises(operations.MilestoneTaken):
        operations.add_entry(**said, moves_from=alarm.pk + 1000)

    entry = operations.add_entry(**said, moves_from=alarm.pk)

    alarm.refresh_from_db()
    assert (alarm.milestone, alarm.version, entry.milestone) == ("", 2, Milestone.DETECTED)
    revision = queries.revisions(alarm).get()
    assert revision.data["milestone"] == Milestone.DETECTED
    assert Incident.objects.get(pk=alarm.incident_id).detected_at == NOON - 2 * HOUR

    # And back, by an edit.
    operations.edit_entry(
        entry_id=alarm.pk, at=NOON, author=responder, milestone=Milestone.DETECTED,
        moves_from=entry.pk,
    )  # fmt: skip
    assert Incident.objects.get(pk=alarm.incident_id).detected_at == NOON - HOUR


def test_the_desk_links_it_before_and_after_enter(desk: Client, alarm: TimelineEntry) -> None:
    line = {"line": "2026-01-12 00:30 a customer called *detected"}
    link, move = f'href="[^"]*#e{alarm.pk}"', f'name="moves_from" value="{alarm.pk}"'

    read = desk.post(_url("entry-read", alarm.incident_id), line).content.decode()
    refused = desk.post(_url("entry-line", alarm.incident_id), line)
    without_script = desk.post(_url("entry-add", alarm.incident_id), line)

    assert (refused.status_code, without_script.status_code) == (INVALID, INVALID)
    for page in (read, refused.content.decode(), without_script.content.decode()):
        assert "It was noticed." in page
        assert re.search(link, page)
        assert move in page

    moved = desk.post(_url("entry-line", alarm.incident_id), line | {"moves_from": str(alarm.pk)})
    assert moved.status_code == 200
    entry = TimelineEntry.objects.get(text="a customer called")
    assert entry.milestone == Milestone.DETECTED
    assert (
        "moves_from"
        not in desk.post(
            _url("entry-read", alarm.incident_id), {"line": "it holds *mitigated"}
        ).content.decode()
    )


def test_so_does_the_form_of_an_entry(desk: Client, alarm: TimelineEntry) -> None:
    entry = TimelineEntryFactory.create(incident=alarm.incident, text="A customer called")
    typed = {
        "text": entry.text, "precision": "minute", "starts": "2026-01-12T00:30",
        "milestone": "detected", "version": "1",
    }  # fmt: skip

    refused = desk.post(_url("entry-edit", entry.pk), typed)
    assert refused.status_code == INVALID
    assert f'#e{alarm.pk}">Look at it</a>' in refused.content.decode()
    assert f'name="moves_from" value="{alarm.pk}"' in refused.content.decode()

    desk.post(_url("entry-edit", entry.pk), typed | {"moves_from": str(alarm.pk)})
    entry.refresh_from_db()
    assert entry.milestone == Milestone.DETECTED


def test_programs_read_where_it_is_and_move_it(alarm: TimelineEntry, responder: User) -> None:
    api = APIClient()
    api.force_authenticate(responder)
    address = f"/api/desk/v1/incidents/{alarm.incident_id}/entries/"
    said = {"text": "A customer called", "milestone": "detected"}

    refused = api.post(address, said)
    assert refused.status_code == 409
    assert refused.json()["where"] == f"{alarm.incident.get_absolute_url()}#e{alarm.pk}"
    assert api.post(address, said | {"moves_from": alarm.pk}).status_code == 201


def test_what_is_open_with_the_key_is_named(desk: Client, responder: User) -> None:
    over = IncidentFactory.create(over=True, dedup_key="pg")
    standing = IncidentFactory.create(dedup_key="pg", title="Disk <full>")

    page = desk.post(_url("incident-reopen", over.pk), {"reason": "It is back."}).content.decode()

    assert f"{standing.ref} Disk &lt;full&gt; is open already with this key." in page
    assert f'<a href="{standing.get_absolute_url()}">Look at it</a>' in page
