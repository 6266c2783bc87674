"""Updates over the desk's API: put aside, changed, handed in, approved, corrected."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from incidents.models import Incident, SeverityRule, StatusUpdate
from incidents.values import Severity, UpdateState, Visibility
from tests.factories import ComponentFactory, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

ADDRESS = "/api/desk/v1/updates/"


def _api(name: str) -> APIClient:
    client = APIClient()
    client.force_authenticate(ResponderFactory.create(username=name))
    return client


@pytest.fixture
def api() -> APIClient:
    return _api("author")


@pytest.fixture
def grave() -> Incident:
    SeverityRule.objects.create(severity=Severity.SEV1, needs_approval=True)
    found: Incident = IncidentFactory.create(severity=Severity.SEV1)
    return found


def _draft(incident: Incident, **more: Any) -> dict[str, Any]:
    return {"incident": incident.pk, "body": "We found it.", "phase": "identified"} | more


def _post(client: APIClient, path: str, **asked: Any) -> Any:
    return client.post(f"{ADDRESS}{path}", asked, format="json")


def test_one_is_put_aside_changed_handed_in_and_approved(api: APIClient, grave: Incident) -> None:
    tours = ComponentFactory.create()
    made = _post(
        api, "", **_draft(grave), component_statuses={tours.public_id: "major_outage"},
        next_update_minutes=30, eta_from="2099-01-12T12:00:00Z", eta_confidence="low",
    ).json()  # fmt: skip
    assert made["state"] == UpdateState.DRAFT
    assert made["plan"]["component_statuses"] == {tours.public_id: "major_outage"}
    assert made["plan"]["next_update_minutes"] == 30
    path = f"{made['id']}/"

    changed = api.put(
        f"{ADDRESS}{path}",
        {"body": "It is the disk.", "phase": "identified", "version": 1},
        format="json",
    )
    assert changed.json()["version"] == 2
    assert _post(api, f"{path}submit/").json()["state"] == UpdateState.IN_REVIEW

    own = _post(api, f"{path}approve/", version=2)
    assert (own.status_code, own.json()["code"]) == (409, "approves-own")
    approved = _post(_api("approver"), f"{path}approve/", version=2).json()
    assert approved["state"] == UpdateState.PUBLISHED
    assert approved["approver"] is not None

    corrected = _post(api, f"{path}correct/", body="It is the other disk.", version=2)
    assert corrected.json()["body"] == "It is the other disk."
    late = _post(api, f"{path}correct/", body="No.", version=2)
    assert (late.status_code, late.json()["code"]) == (409, "edited-meanwhile")


@pytest.mark.parametrize("deed", ["approve", "publish-unapproved"])
def test_nothing_goes_out_that_was_not_read(api: APIClient, grave: Incident, deed: str) -> None:
    path = f"{_post(api, '', **_draft(grave)).json()['id']}/"
    _post(api, f"{path}submit/")
    edited = _draft(grave, body="It is the disk.", version=1)
    api.put(f"{ADDRESS}{path}", edited, format="json")
    other = _api("approver") if deed == "approve" else api

    unread = _post(other, f"{path}{deed}/", reason="Now.")
    stale = _post(other, f"{path}{deed}/", reason="Now.", version=1)

    assert unread.status_code == 400
    assert "version" in unread.json()
    assert (stale.status_code, stale.json()["code"]) == (409, "edited-meanwhile")


def test_posting_to_such_an_incident_says_that_it_waits(api: APIClient, grave: Incident) -> None:
    answer = api.post(
        f"/api/desk/v1/incidents/{grave.pk}/updates/",
        {"body": "We found it.", "phase": "identified"},
        format="json",
    )

    assert answer.json()["state"] == UpdateState.IN_REVIEW
    assert api.get(f"{ADDRESS}?state=in_review&incident={grave.pk}").json()["results"]


def test_is_given_back_published_without_put_away_and_brought_back(
    api: APIClient, grave: Incident
) -> None:
    path = f"{_post(api, '', **_draft(grave)).json()['id']}/"
    _post(api, f"{path}publish/", version=1)

    back = _post(api, f"{path}return/", reason="Name the tours.").json()
    assert (back["state"], back["returned_reason"]) == (UpdateState.DRAFT, "Name the tours.")
    assert _post(api, f"{path}discard/").json()["state"] == UpdateState.DISCARDED
    assert _post(api, f"{path}restore/").json()["state"] == UpdateState.DRAFT
    _post(api, f"{path}submit/")
    assert _post(api, f"{path}publish-unapproved/").status_code == 400
    out = _post(api, f"{path}publish-unapproved/", reason="Nobody is awake.", version=1).json()
    assert (out["state"], out["unapproved_reason"]) == (UpdateState.PUBLISHED, "Nobody is awake.")


@pytest.mark.parametrize(
    "broken",
    [
        {"incident": 0},
        {"phase": "over"},
        {"body": ""},
        {"component_statuses": {"nonsense": "operational"}},
        {"eta_until": "2099-01-12T12:00:00Z"},
        {"eta_from": "2099-01-12T12:00:00Z", "eta_until": "2099-01-12T11:00:00Z"},
    ],
)
def test_what_is_not_well_formed_is_answered(
    api: APIClient, grave: Incident, broken: dict[str, Any]
) -> None:
    assert _post(api, "", **_draft(grave) | broken).status_code == 400
    assert not StatusUpdate.objects.exists()


def test_a_number_that_is_none_of_ours_narrows_nothing(api: APIClient, grave: Incident) -> None:
    _post(api, "", **_draft(grave))

    assert len(api.get(f"{ADDRESS}?incident={'9' * 5000}").json()["results"]) == 1


def test_what_is_private_is_not_there(api: APIClient, grave: Incident) -> None:
    update = _post(api, "", **_draft(grave)).json()
    Incident.objects.update(visibility=Visibility.PRIVATE)

    assert api.get(f"{ADDRESS}{update['id']}/").status_code == 404
    assert api.get(ADDRESS).json()["results"] == []
    assert _post(api, "", **_draft(grave)).status_code == 400
