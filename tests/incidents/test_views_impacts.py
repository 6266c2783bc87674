"""What customers go without, written down at the desk; and the data horizon that follows."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from incidents import operations
from incidents.models import Impact, Incident
from incidents.values import ImpactKind
from tests.factories import HOUR, NOON, ComponentFactory, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(ResponderFactory.create())
    return client


@pytest.fixture
def incident() -> Incident:
    found: Incident = IncidentFactory.create(tz="Europe/Amsterdam")
    return found


def record(desk: Client, incident: Incident, **fields: Any) -> Any:
    form = {"kind": "data_unavailable", "began_at": "2026-01-12T12:00"}
    form |= {"data_from_at": "2026-01-09T12:00"}
    return desk.post(reverse("incidents:impact-record", args=[incident.pk]), form | fields)


class TestRecordImpact:
    def test_writes_it_down_in_the_incidents_zone(self, desk: Client, incident: Incident) -> None:
        answer = record(desk, incident)

        assert answer.status_code == 302
        impact = Impact.objects.get()
        assert impact.kind == ImpactKind.DATA_UNAVAILABLE
        assert impact.data_from_at == NOON - 73 * HOUR

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"data_from_at": ""}, "Say up to which moment the data is there."),
            ({"kind": "outage"}, "This is for missing or lost data alone."),
            ({"began_at": "2199-01-01T00:00"}, "This moment is still to come."),
        ],
    )
    def test_asks_again_for_what_cannot_be_meant(
        self, fields: dict[str, str], said: str, desk: Client, incident: Incident
    ) -> None:
        answer = record(desk, incident, **fields)

        assert answer.status_code == INVALID
        assert said in answer.content.decode()
        assert not Impact.objects.exists()


class TestEndImpact:
    def test_says_that_customers_have_it_again_once(self, desk: Client, incident: Incident) -> None:
        component = ComponentFactory.create()
        record(desk, incident, component=str(component.pk))
        impact = Impact.objects.get()
        page = desk.get(incident.get_absolute_url()).content.decode()
        assert "still so" in page

        desk.post(reverse("incidents:impact-end", args=[impact.pk]))

        impact.refresh_from_db()
        ended = impact.until
        assert ended is not None
        operations.end_impact(impact_id=impact.pk, at=ended + HOUR)
        impact.refresh_from_db()
        assert impact.until == ended


class TestEditImpact:
    def test_is_changed_and_keeps_its_history(self, desk: Client, incident: Incident) -> None:
        record(desk, incident)
        impact = Impact.objects.get()
        url = reverse("incidents:impact-edit", args=[impact.pk])
        assert "2026-01-09T12:00" in desk.get(url).content.decode()

        desk.post(
            url,
            {
                "kind": "data_lost",
                "began_at": "2026-01-12T12:00",
                "data_from_at": "2026-01-10T12:00",
                "version": "1",
            },
        )

        impact.refresh_from_db()
        assert impact.kind == ImpactKind.DATA_LOST
        assert "Data unavailable" in desk.get(url).content.decode()

    def test_shows_that_somebody_else_was_there(self, desk: Client, incident: Incident) -> None:
        record(desk, incident)
        impact = Impact.objects.get()
        operations.end_impact(impact_id=impact.pk, at=NOON + HOUR)

        answer = desk.post(
            reverse("incidents:impact-edit", args=[impact.pk]),
            {"kind": "outage", "began_at": "2026-01-12T12:00", "version": "1"},
        )

        assert answer.status_code == INVALID
        assert "Somebody else has changed this meanwhile" in answer.content.decode()

    def test_is_removed_and_brought_back(self, desk: Client, incident: Incident) -> None:
        record(desk, incident)
        impact = Impact.objects.get()

        page = desk.post(
            reverse("incidents:impact-remove", args=[impact.pk]), follow=True
        ).content.decode()
        assert "Taken off the record: Data unavailable" in page
        desk.post(reverse("incidents:impact-restore", args=[impact.pk]))

        assert Impact.objects.live().get() == impact


class TestTenants:
    def test_one_is_named_by_a_part_of_its_name(self, desk: Client, incident: Incident) -> None:
        operations.register_tenant(key="main:acme", name="Acme Zoo", at=NOON)

        record(desk, incident, tenant="acme")

        impact = Impact.objects.get()
        assert impact.tenant is not None
        assert impact.tenant.name == "Acme Zoo"
        assert "Acme Zoo</span> alone" in desk.get(incident.get_absolute_url()).content.decode()

    @pytest.mark.parametrize(
        ("typed", "said"), [("nobody", "No tenant is called so"), ("zoo", "Several are called so")]
    )
    def test_asks_again_for_one_that_is_not_clear(
        self, typed: str, said: str, desk: Client, incident: Incident
    ) -> None:
        for name in ("Acme Zoo", "Other Zoo"):
            operations.register_tenant(key=f"main:{name}", name=name, at=NOON)

        answer = record(desk, incident, tenant=typed)

        assert answer.status_code == INVALID
        assert said in answer.content.decode()

    def test_the_browser_is_offered_a_few(self, desk: Client) -> None:
        operations.register_tenant(key="main:acme", name="Acme Zoo", at=NOON)

        page = desk.get(reverse("incidents:tenant-search"), {"tenant": "zoo"}).content.decode()

        assert '<option value="Acme Zoo"></option>' in page
        assert "main:acme" not in page

    def test_of_two_with_one_name_the_key_says_which(
        self, desk: Client, incident: Incident
    ) -> None:
        for key in ("main:1", "main:2"):
            operations.register_tenant(key=key, name="Zoo", at=NOON)
        operations.register_tenant(key="main:3", name="A Zoo", at=NOON)

        page = desk.get(reverse("incidents:tenant-search"), {"tenant": "zoo"}).content.decode()
        record(desk, incident, tenant="Zoo (main:2)")

        assert re.findall('<option value="([^"]*)"', page) == [
            "A Zoo",
            "Zoo (main:1)",
            "Zoo (main:2)",
        ]
        impact = Impact.objects.get()
        assert impact.tenant is not None
        assert impact.tenant.key == "main:2"
        edit = desk.get(reverse("incidents:impact-edit", args=[impact.pk])).content.decode()
        assert 'value="Zoo (main:2)"' in edit
