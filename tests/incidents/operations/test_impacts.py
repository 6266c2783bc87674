"""What customers went without: of whom, from when until when, said otherwise and taken back."""

from typing import Any

import pytest

from incidents import operations, queries
from incidents.models import Incident, Tenant
from incidents.values import ImpactKind
from tests.factories import HOUR, NOON, IncidentFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident() -> Incident:
    found: Incident = IncidentFactory.create()
    return found


@pytest.fixture
def tenant() -> Tenant:
    return operations.register_tenant(key="main:acme", name="Acme Zoo", at=NOON)


def _record(incident: Incident, **more: Any) -> Any:
    asked: dict[str, Any] = {
        "kind": ImpactKind.DATA_UNAVAILABLE, "began_at": NOON, "data_from_at": NOON - HOUR
    }  # fmt: skip
    return operations.record_impact(
        incident_id=incident.pk, at=NOON + HOUR, author=None, **asked | more
    )


def _missing() -> list[Any]:
    return [impact.pk for impact in queries.public_incidents().get().missing]


class TestRecordImpact:
    def test_one_that_is_over_has_its_end(self, incident: Incident) -> None:
        impact = _record(incident, ended_at=NOON + HOUR)

        assert impact.until == NOON + HOUR
        assert _missing() == []

    def test_what_one_tenant_went_without_is_on_no_page(
        self, incident: Incident, tenant: Tenant
    ) -> None:
        alone = _record(incident, tenant_id=tenant.pk)
        of_all = _record(incident)

        assert _missing() == [of_all.pk]
        assert [impact.pk for impact in queries.impacts(incident.pk)] == [alone.pk, of_all.pk]

    def test_is_refused_if_it_ends_before_it_begins(self, incident: Incident) -> None:
        with pytest.raises(operations.ImpactEndsBeforeStart):
            _record(incident, ended_at=NOON - HOUR)


class TestEditImpact:
    def test_keeps_what_it_said_and_moves_the_horizon(self, incident: Incident) -> None:
        impact = _record(incident)

        operations.edit_impact(
            impact_id=impact.pk, kind=ImpactKind.DATA_LOST, began_at=NOON, ended_at=None, at=NOON,
            author=None, data_from_at=NOON - 2 * HOUR, version=1,
        )  # fmt: skip

        impact.refresh_from_db()
        assert (impact.kind, impact.version, impact.edited_at) == ("data_lost", 2, NOON)
        assert queries.revisions(impact).get().data["kind"] == "data_unavailable"
        assert queries.public_incidents().get().missing[0].data_from_at == NOON - 2 * HOUR

    def test_nobodys_edit_is_overwritten_unread(self, incident: Incident) -> None:
        impact = _record(incident)
        operations.end_impact(impact_id=impact.pk, at=NOON + HOUR)

        with pytest.raises(operations.EditedMeanwhile):
            operations.edit_impact(
                impact_id=impact.pk, kind=ImpactKind.OUTAGE, began_at=NOON, ended_at=None,
                at=NOON, author=None, version=1,
            )  # fmt: skip

    def test_nor_is_its_end_with_the_incident(self, incident: Incident) -> None:
        impact = _record(incident)
        operations.resolve_incident(
            incident_id=incident.pk, body="It is over.", at=NOON + HOUR, author=None
        )

        with pytest.raises(operations.EditedMeanwhile):
            operations.edit_impact(
                impact_id=impact.pk, kind=ImpactKind.OUTAGE, began_at=NOON, ended_at=None,
                at=NOON, author=None, version=1,
            )  # fmt: skip


class TestRemoveImpact:
    def test_takes_it_off_the_page_until_it_is_brought_back(self, incident: Incident) -> None:
        impact = _record(incident)

        operations.remove_impact(impact_id=impact.pk, at=NOON, author=None)
        assert _missing() == []
        with pytest.raises(operations.ImpactRemoved):
            operations.edit_impact(
                impact_id=impact.pk, kind=ImpactKind.OUTAGE, began_at=NOON, ended_at=None,
                at=NOON, author=None,
            )  # fmt: skip

        operations.restore_impact(impact_id=impact.pk, at=NOON, author=None)
        assert _missing() == [impact.pk]

    def test_the_end_of_the_incident_leaves_what_was_removed(self, incident: Incident) -> None:
        impact = _record(incident)
        operations.remove_impact(impact_id=impact.pk, at=NOON, author=None)

        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=NOON + HOUR, author=None
        )

        impact.refresh_from_db()
        assert impact.until is None


class TestTenantsLike:
    def test_finds_a_few_by_a_part_of_the_name_or_by_the_key(self, tenant: Tenant) -> None:
        for number in range(12):
            operations.register_tenant(key=f"main:zoo{number}", name=f"Zoo {number}", at=NOON)

        assert queries.tenants_like("acme") == [tenant]
        assert queries.tenants_like("main:acme") == [tenant]
        assert len(queries.tenants_like("zoo")) == 10
        assert queries.tenants_like(" ") == []

    def test_a_tenant_that_leaves_takes_its_impacts_along(
        self, incident: Incident, tenant: Tenant
    ) -> None:
        _record(incident, tenant_id=tenant.pk)

        operations.remove_tenant(key=tenant.key)

        assert not incident.impacts.exists()
