"""The desk's API: the same deeds, the same refusals."""

import pytest
from rest_framework.test import APIClient

from incidents.models import Component, Incident
from tests.factories import NOON, ComponentFactory, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

ADDRESS = "/api/desk/v1/incidents/"


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.force_authenticate(ResponderFactory.create())
    return client


def test_nobody_gets_in_without_a_name() -> None:
    assert APIClient().get(ADDRESS).status_code == 401


def test_an_incident_is_declared_written_down_and_told(api: APIClient) -> None:
    component = ComponentFactory.create()

    declared = api.post(ADDRESS, {"title": "Down", "severity": "sev1"}, format="json")
    address = f"{ADDRESS}{declared.json()['id']}/"
    entry = api.post(
        f"{address}entries/",
        {"text": "Attempts failed", "at": "2026-01-12T00:30:00+01:00",
         "until": "2026-01-12T06:00:00+01:00", "outcome": "failed"},
        format="json",
    )  # fmt: skip
    update = api.post(
        f"{address}updates/",
        {
            "body": "We know the cause.",
            "phase": "identified",
            "component_statuses": {component.public_id: "major_outage"},
        },
        format="json",
    )

    assert (declared.status_code, entry.status_code, update.status_code) == (201, 201, 201)
    assert entry.json()["at"] == "2026-01-11T23:30:00Z"
    texts = [shown["text"] for shown in api.get(f"{address}entries/").json()["results"]]
    assert "Attempts failed" in texts
    assert "We know the cause." in texts
    component.refresh_from_db()
    assert component.status == "major_outage"


def test_a_declaration_says_what_suffers_or_is_warned(api: APIClient) -> None:
    component = ComponentFactory.create()
    said = {"title": "Down", "severity": "sev1", "body": "We are on it."}

    warned = api.post(ADDRESS, said, format="json").json()
    whole = said | {"component_statuses": {component.public_id: "major_outage"}}
    declared = api.post(ADDRESS, whole, format="json").json()

    assert [warning["code"] for warning in warned["warnings"]] == ["shows-as-working"]
    assert declared["warnings"] == []
    component.refresh_from_db()
    assert component.status == "major_outage"


class TestReopening:
    def _over(self, api: APIClient, component: Component) -> str:
        declared = api.post(
            ADDRESS,
            {"title": "Down", "severity": "sev1", "body": "We are on it.",
             "component_statuses": {component.public_id: "partial_outage"}},
            format="json",
        )  # fmt: skip
        address = f"{ADDRESS}{declared.json()['id']}/"
        api.post(f"{address}updates/", {"body": "Over.", "phase": "resolved"}, format="json")
        component.refresh_from_db()
        assert component.status == "operational"
        return address

    @pytest.mark.parametrize(
        ("asked", "status", "warnings"),
        [
            (None, "partial_outage", []),
            ("major_outage", "major_outage", []),
            ("", "operational", ["shows-as-working"]),
        ],
    )
    def test_brings_states_with_it(
        self, api: APIClient, asked: str | None, status: str, warnings: list[str]
    ) -> None:
        component = ComponentFactory.create()
        address = self._over(api, component)
        said: dict[str, object] = {"reason": "It is back."}
        if asked is not None:
            said["component_statuses"] = {component.public_id: asked} if asked else {}

        answer = api.post(f"{address}reopen/", said, format="json")

        component.refresh_from_db()
        assert (answer.status_code, answer.json()["phase"]) == (200, "investigating")
        assert [warning["code"] for warning in answer.json()["warnings"]] == warnings
        assert component.status == status

    def test_is_refused_where_it_cannot_be(self, api: APIClient) -> None:
        address = f"{ADDRESS}{IncidentFactory.create().pk}/reopen/"

        still_open = api.post(address, {"reason": "?"}, format="json")
        nowhere = api.post(
            address, {"reason": "?", "component_statuses": {"nope": "operational"}}, format="json"
        )

        assert (still_open.status_code, still_open.json()["code"]) == (409, "not-resolved")
        assert api.post(address, {}, format="json").json() == {
            "reason": ["This field is required."]
        }
        assert nowhere.status_code == 400


def test_an_entry_may_bring_its_evidence(api: APIClient) -> None:
    incident = IncidentFactory.create()
    link = "https://graphs.example.org/night"

    answer = api.post(
        f"{ADDRESS}{incident.pk}/entries/",
        {"text": "The storage was slow", "evidence_url": link},
        format="json",
    )
    refused = api.post(
        f"{ADDRESS}{incident.pk}/entries/",
        {"text": "?", "evidence_url": "javascript:alert(1)"},
        format="json",
    )

    assert (answer.status_code, refused.status_code) == (201, 400)
    assert incident.entries.get().evidence.get().url == link


def test_a_refusal_is_409_with_its_code(api: APIClient) -> None:
    incident = IncidentFactory.create(over=True)

    answer = api.post(
        f"{ADDRESS}{incident.pk}/updates/",
        {"body": "?", "phase": "monitoring"},
        format="json",
    )

    assert answer.status_code == 409
    assert answer.json() == {
        "code": "incident-resolved",
        "detail": "The incident is resolved. Reopen it first.",
    }


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"phase": "identified"}, "body"),
        ({"body": "x", "phase": "thinking"}, "phase"),
        (
            {"body": "x", "phase": "identified", "component_statuses": {"nope": "operational"}},
            "component_statuses",
        ),
    ],
)
def test_what_is_not_well_formed_is_400_by_field(
    api: APIClient, sent: dict[str, object], field: str
) -> None:
    incident = IncidentFactory.create()

    answer = api.post(f"{ADDRESS}{incident.pk}/updates/", sent, format="json")

    assert answer.status_code == 400
    assert field in answer.json()


def test_an_entry_without_a_known_time_is_taken(api: APIClient) -> None:
    incident = IncidentFactory.create(created_at=NOON)

    answer = api.post(
        f"{ADDRESS}{incident.pk}/entries/",
        {"text": "Support case opened", "precision": "unknown", "said": "in the days before"},
        format="json",
    )

    assert answer.status_code == 201
    assert answer.json()["at"] is None


def test_a_program_may_tell_customers_without_a_message(api: APIClient) -> None:
    declared = api.post(
        ADDRESS,
        {"title": "Slow", "severity": "sev3", "body": "We see it.", "deliver_notifications": False},
        format="json",
    )
    incident = Incident.objects.get(pk=declared.json()["id"])
    api.post(
        f"{ADDRESS}{incident.pk}/updates/",
        {"body": "It is the disk.", "phase": "identified", "deliver_notifications": False},
        format="json",
    )

    assert list(incident.updates.values_list("deliver_notifications", flat=True)) == [False, False]
