"""Single entries by the desk's API: changed only in the version that was read."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from incidents import operations, queries
from incidents.models import Incident, TimelineEntry
from tests.factories import NOON, ResponderFactory, StatusUpdateFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def responder() -> User:
    return ResponderFactory.create()


@pytest.fixture
def api(responder: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(responder)
    return client


@pytest.fixture
def entry() -> TimelineEntry:
    return TimelineEntryFactory.create(text="Restarted the proxy", tags=["proxy"])


def _address(entry: TimelineEntry, more: str = "") -> str:
    return f"/api/desk/v1/entries/{entry.pk}/{more}"


def test_what_is_sent_is_changed_and_nothing_else(
    api: APIClient, entry: TimelineEntry, responder: User
) -> None:
    answer = api.patch(
        _address(entry),
        {"version": 1, "text": "Restarted both", "is_pinned": True, "reason": "two of them"},
        format="json",
    )

    said = answer.json()
    kept = queries.revisions(entry).get()
    assert answer.status_code == 200
    assert (said["text"], said["tags"], said["is_pinned"]) == ("Restarted both", ["proxy"], True)
    assert (said["version"], said["at"]) == (2, "2026-01-12T12:00:00Z")
    assert (kept.reason, kept.replaced_by) == ("two of them", responder)


def test_a_time_is_sent_whole(api: APIClient, entry: TimelineEntry) -> None:
    moved = api.patch(
        _address(entry),
        {"version": 1, "at": "2026-01-12T13:00:00+01:00", "until": "2026-01-12T14:00:00+01:00"},
        format="json",
    )
    half = api.patch(
        _address(entry), {"version": 2, "until": "2026-01-12T15:00:00Z"}, format="json"
    )
    unknown = api.patch(
        _address(entry), {"version": 2, "precision": "unknown", "said": "that night"}, format="json"
    )

    assert moved.json()["until"] == "2026-01-12T13:00:00Z"
    assert (half.status_code, list(half.json())) == (400, ["at"])
    assert (unknown.json()["at"], unknown.json()["said"]) == (None, "that night")


def test_a_version_that_was_not_read_is_not_overwritten(
    api: APIClient, entry: TimelineEntry
) -> None:
    operations.edit_entry(entry_id=entry.pk, at=NOON, author=None, text="Restarted both")

    edited = api.patch(_address(entry), {"version": 1, "text": "Mine"}, format="json")
    deleted = api.delete(_address(entry, "?version=1"))
    blind = api.patch(_address(entry), {"text": "Mine"}, format="json")

    entry.refresh_from_db()
    assert (edited.status_code, edited.json()["code"]) == (409, "edited-meanwhile")
    assert (deleted.status_code, blind.status_code) == (409, 400)
    assert (entry.text, entry.deleted_at) == ("Restarted both", None)


def test_what_customers_are_told_is_no_entry_of_ones_own(
    api: APIClient, entry: TimelineEntry
) -> None:
    incident = f"/api/desk/v1/incidents/{entry.incident_id}/entries/"

    added = api.post(incident, {"text": "All is well.", "kind": "update"}, format="json")
    changed = api.patch(_address(entry), {"version": 1, "kind": "update"}, format="json")

    assert (added.status_code, changed.status_code) == (400, 400)


def test_what_customers_were_told_stays_with_its_time(api: APIClient) -> None:
    entry = StatusUpdateFactory.create().entry
    assert entry is not None
    changes: list[dict[str, Any]] = [
        {"is_public": not entry.is_public},
        {"at": "2026-01-12T09:00:00Z"},
        {"text": "No."},
    ]

    for change in changes:
        assert api.patch(_address(entry), {"version": 1} | change, format="json").status_code == 409
    assert api.delete(_address(entry, "?version=1")).status_code == 409
    pinned = api.patch(_address(entry), {"version": 1, "is_pinned": True}, format="json")
    assert pinned.status_code == 200


def test_another_time_is_of_the_same_zone(api: APIClient) -> None:
    entry = TimelineEntryFactory.create(tz="Europe/Amsterdam")

    asked = {"version": 1, "at": NOON.isoformat(), "precision": "day"}
    assert api.patch(_address(entry), asked, format="json").status_code == 200

    entry.refresh_from_db()
    assert (entry.precision, entry.tz) == ("day", "Europe/Amsterdam")


def test_an_entry_is_taken_off_and_brought_back(api: APIClient, entry: TimelineEntry) -> None:
    gone = api.delete(_address(entry, "?version=1"))
    seen = api.get(_address(entry)).json()
    back = api.post(_address(entry, "restore/"))

    assert (gone.status_code, seen["deleted_at"] is None) == (204, False)
    assert (back.status_code, back.json()["deleted_at"]) == (200, None)


def test_an_entry_shows_its_live_evidence(api: APIClient, entry: TimelineEntry) -> None:
    for url in ("https://a.example/1", "https://a.example/2"):
        last = operations.add_link(entry_id=entry.pk, url=url, caption="", at=NOON, author=None)
    operations.remove_evidence(evidence_id=last.pk, at=NOON)

    shown = api.get(_address(entry)).json()["evidence"]

    assert [piece["url"] for piece in shown] == ["https://a.example/1"]


def test_an_entry_of_a_private_incident_is_for_its_members(
    api: APIClient, entry: TimelineEntry, responder: User
) -> None:
    Incident.objects.filter(pk=entry.incident_id).update(visibility="private")

    assert api.get(_address(entry)).status_code == 404
    assert api.patch(_address(entry), {"version": 1, "text": "x"}).status_code == 404
    entry.incident.members.add(responder)
    assert api.get(_address(entry)).status_code == 200
