"""Writing a past incident down at the desk, and by a program."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import User
from incidents import operations
from incidents.models import Incident, StatusInterval
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

ADDRESS = reverse("incidents:incident-backfill")
INVALID = 422


def _typed(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Tours did not open",
        "severity": "sev1",
        "began": "2026-01-12T13:00",
        "ended": "2026-01-12T15:00",
        "tz": "Europe/Amsterdam",
        "visibility": "public",
        "corrects_history": "on",
        "told-TOTAL_FORMS": "3",
        "told-INITIAL_FORMS": "3",
        "told-0-at": "2026-01-12T13:05",
        "told-0-phase": "investigating",
        "told-0-body": "We look.",
        "told-1-phase": "monitoring",
        "told-2-at": "2026-01-12T15:00",
        "told-2-phase": "resolved",
        "told-2-body": "It is over.",
    } | changes


def test_an_incident_is_written_down_with_its_updates(desk: Client) -> None:
    tours = operations.add_component(name="Tours", at=NOON - 100 * HOUR)

    answer = desk.post(ADDRESS, _typed() | {f"component_{tours.pk}": "partial_outage"})

    incident = Incident.objects.get()
    assert answer.headers["Location"] == incident.get_absolute_url()
    assert incident.started_at == datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
    assert sorted(incident.updates.values_list("body", flat=True)) == ["It is over.", "We look."]
    assert StatusInterval.objects.filter(component=tours, status="partial_outage").count() == 1


def test_says_of_which_history_what_was_not_corrected_and_why(desk: Client) -> None:
    part = operations.add_component(name="Tours", at=NOON + HOUR)
    nothing = operations.add_component(name="Uploads", at=NOON + 10 * HOUR)
    chosen = {f"component_{row.pk}": "major_outage" for row in (part, nothing)}

    page = desk.post(ADDRESS, _typed() | chosen, follow=True).content.decode()

    assert "is on record" in page
    assert "The history of Tours begins only on 2026-01-12, 14:00 (Europe/Amsterdam)" in page
    assert "The history of Uploads begins only after this, so nothing was corrected" in page
    assert StatusInterval.objects.filter(status="major_outage").count() == 1


def test_one_update_more_keeps_what_was_typed_and_judges_nothing(desk: Client) -> None:
    answer = desk.post(ADDRESS, _typed(more="1", ended=""))
    page = answer.content.decode()

    assert answer.status_code == 200
    assert 'name="told-3-body"' in page
    assert "We look." in page
    assert "This field is required" not in page
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"told-0-at": ""}, "Say when this was."),
        ({"told-0-body": ""}, "Say what they were told then."),
        ({"ended": "2026-01-12T12:00"}, "The end is before the start."),
        ({"ended": "2126-01-12T12:00"}, "This is still to come."),
        ({"tz": "Europe/Nowhere"}, "There is no time zone"),
    ],
)
def test_what_cannot_be_meant_is_said(desk: Client, changes: dict[str, str], says: str) -> None:
    answer = desk.post(ADDRESS, _typed(**changes))

    assert answer.status_code == INVALID
    assert says in answer.content.decode()
    assert not Incident.objects.exists()


def test_a_program_writes_one_down(responder: User) -> None:
    api = APIClient()
    api.force_authenticate(responder)
    tours = operations.add_component(name="Tours", at=NOON - 100 * HOUR)

    answer = api.post(
        "/api/desk/v1/incidents/backfill/",
        {
            "title": "Tours did not open",
            "severity": "sev2",
            "began_at": "2026-01-12T12:00:00Z",
            "ended_at": "2026-01-12T14:00:00Z",
            "updates": [{"at": "2026-01-12T14:00:00Z", "phase": "resolved", "body": "Over."}],
            "components": {tours.public_id: "major_outage"},
        },
        format="json",
    )

    assert answer.status_code == 201
    assert answer.json()["kind"] == "backfilled"
    assert answer.json()["resolved_at"] == "2026-01-12T14:00:00Z"
    assert StatusInterval.objects.filter(component=tours, status="major_outage").count() == 1
