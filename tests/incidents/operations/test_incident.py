"""Declaring, resolving, reopening."""

import pytest
from django.db import IntegrityError, transaction

from incidents import operations, queries
from incidents.models import Incident, TimelineEntry
from incidents.values import (
    ComponentStatus,
    ImpactLevel,
    Milestone,
    Phase,
    PromiseKind,
    PromiseOutcome,
    Role,
    Severity,
    Visibility,
    When,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, IncidentFactory, ResponderFactory
from tests.incidents.promised import open_promise

pytestmark = pytest.mark.django_db


class TestDeclareIncident:
    def test_writes_its_beginning_on_the_timeline(self) -> None:
        author = ResponderFactory.create()

        incident = operations.declare_incident(
            title="The cluster is gone",
            severity=Severity.SEV1,
            at=NOON,
            author=author,
            started=When(at=NOON - 30 * MINUTE),
            detected=When(at=NOON - 14 * MINUTE),
        )

        entries = queries.timeline(incident.pk)
        assert [entry.milestone for entry in entries] == ["started", "detected", "declared"]
        incident.refresh_from_db()
        assert incident.started_at == NOON - 30 * MINUTE
        assert incident.detected_at == NOON - 14 * MINUTE
        assert incident.declared_at == NOON
        assert incident.roles.get().role == Role.COMMANDER
        assert incident.impact == ImpactLevel.CRITICAL

    def test_tells_nobody_without_a_message(self) -> None:
        incident = operations.declare_incident(
            title="Slow", severity=Severity.SEV3, at=NOON, author=None
        )

        assert incident.published_at is None
        assert not queries.public_incidents().exists()

    def test_with_a_message_customers_are_told_and_the_next_update_is_promised(self) -> None:
        component = ComponentFactory.create()

        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV1,
            at=NOON,
            author=None,
            body="We are looking into it.",
            components={component.pk: ComponentStatus.MAJOR_OUTAGE},
        )

        shown = queries.public_incidents().get()
        assert shown.told[0].body == "We are looking into it."
        assert shown.told[0].changes[0].new_status == ComponentStatus.MAJOR_OUTAGE
        promise = open_promise(incident.pk, PromiseKind.NEXT_UPDATE)
        assert promise is not None
        assert promise.due_at == NOON + 10 * MINUTE
        component.refresh_from_db()
        assert component.status == ComponentStatus.MAJOR_OUTAGE

    def test_is_refused_while_one_with_the_same_key_is_open(self) -> None:
        IncidentFactory.create(dedup_key="pg-main")

        with pytest.raises(operations.AlreadyDeclared):
            operations.declare_incident(
                title="Again", severity=Severity.SEV2, at=NOON, author=None, dedup_key="pg-main"
            )

    def test_of_a_private_one_with_the_same_key_no_more_is_said_than_that(self) -> None:
        member, other = (ResponderFactory.create(username=name) for name in ("member", "other"))
        private = IncidentFactory.create(
            title="A key has leaked", dedup_key="pg-main", visibility=Visibility.PRIVATE
        )
        private.members.add(member)
        said = []

        for author in (other, None, member):
            with pytest.raises(operations.AlreadyDeclared) as refusal:
                operations.declare_incident(
                    title="Again", severity=Severity.SEV2, at=NOON, author=author,
                    dedup_key="pg-main",
                )  # fmt: skip
            said.append(str(refusal.value))

        assert said[0] == said[1]
        assert said[0].startswith("A private incident with this key is open already. Ask one")
        assert said[2] == f"{private} is open already with this key. Add to that one."

    def test_may_take_the_key_of_one_that_is_over(self) -> None:
        IncidentFactory.create(dedup_key="pg-main", over=True)

        operations.declare_incident(
            title="Again", severity=Severity.SEV2, at=NOON, author=None, dedup_key="pg-main"
        )

        assert Incident.objects.filter(dedup_key="pg-main").count() == 2


class TestResolveIncident:
    def test_ends_it_with_its_components_working_and_its_promises_settled(self) -> None:
        component = ComponentFactory.create()
        incident = operations.declare_incident(
            title="Down",
            severity=Severity.SEV2,
            at=NOON,
            author=None,
            body="Down.",
            components={component.pk: ComponentStatus.MAJOR_OUTAGE},
        )

        operations.resolve_incident(
            incident_id=incident.pk, body="All data is back.", at=NOON + 5 * MINUTE, author=None
        )

        incident.refresh_from_db()
        component.refresh_from_db()
        assert incident.phase == Phase.RESOLVED
        assert incident.resolved_at == NOON + 5 * MINUTE
        assert component.status == ComponentStatus.OPERATIONAL
        assert not incident.promises.open().exists()
        assert incident.promises.get().outcome == PromiseOutcome.MET
        assert queries.timeline(incident.pk)[-1].milestone == Milestone.RESOLVED

    def test_is_refused_twice(self) -> None:
        incident = IncidentFactory.create(over=True)

        with pytest.raises(operations.IncidentResolved):
            operations.resolve_incident(incident_id=incident.pk, body="Over.", at=NOON, author=None)


class TestReopenIncident:
    def test_lets_it_be_resolved_again(self) -> None:
        incident = operations.declare_incident(
            title="Down", severity=Severity.SEV2, at=NOON, author=None
        )
        for hour in (1, 3):
            operations.resolve_incident(
                incident_id=incident.pk, body="Over.", at=NOON + hour * HOUR, author=None
            )
            if hour == 1:
                operations.reopen_incident(
                    incident_id=incident.pk,
                    reason="it is back",
                    at=NOON + 2 * HOUR,
                    author=None,
                )

        incident.refresh_from_db()
        assert incident.resolved_at == NOON + 3 * HOUR
        assert (
            TimelineEntry.objects.live()
            .filter(incident=incident, milestone=Milestone.RESOLVED)
            .count()
            == 1
        )

    def test_is_refused_while_it_is_open(self) -> None:
        incident = IncidentFactory.create()

        with pytest.raises(operations.NotResolved):
            operations.reopen_incident(
                incident_id=incident.pk, reason="why not", at=NOON, author=None
            )


class TestAssignRole:
    def test_hands_over_from_whoever_held_it(self) -> None:
        incident = IncidentFactory.create()
        first = ResponderFactory.create()
        second = ResponderFactory.create(username="second")
        for holder, at in ((first, NOON), (second, NOON + HOUR)):
            operations.assign_role(
                incident_id=incident.pk, role=Role.COMMANDER, holder=holder, at=at, author=holder
            )

        held = incident.roles.order_by("from_at")
        assert [role.until_at for role in held] == [NOON + HOUR, None]


class TestConstraints:
    @pytest.mark.parametrize(
        "broken",
        [
            {"phase": "resolved"},
            {"resolved_at": NOON},
            {"phase": "thinking"},
            {"severity": "sev9"},
            {"visibility": "secret"},
        ],
    )
    def test_the_database_refuses(self, broken: dict[str, object]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            IncidentFactory.create(**broken)
