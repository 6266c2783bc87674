"""What is private, and what is a drill: who knows, and what the page never shows."""

import pytest

from accounts.models import User
from incidents import operations, queries
from incidents.models import Component, Incident
from incidents.values import (
    ComponentStatus,
    IncidentKind,
    Role,
    Severity,
    Visibility,
)
from tests.factories import (
    HOUR,
    MINUTE,
    NOON,
    ComponentFactory,
    IncidentFactory,
    ResponderFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def robin() -> User:
    return ResponderFactory.create()


@pytest.fixture
def sam() -> User:
    return ResponderFactory.create(username="sam")


@pytest.fixture
def private(robin: User) -> Incident:
    return operations.declare_incident(
        title="A key has leaked",
        severity=Severity.SEV1,
        visibility=Visibility.PRIVATE,
        at=NOON,
        author=robin,
    )


def _edit(incident: Incident, author: User, visibility: Visibility, hours: int = 1) -> Incident:
    return operations.edit_incident(
        incident_id=incident.pk,
        title=incident.title,
        summary="",
        severity=Severity(incident.severity),
        visibility=visibility,
        at=NOON + hours * HOUR,
        author=author,
    )


def _seen(user: User) -> list[Incident]:
    return list(queries.incidents_seen_by(user))


class TestMembers:
    def test_whoever_declares_it_is_the_first(
        self, private: Incident, robin: User, sam: User
    ) -> None:
        assert _seen(robin) == [private]
        assert _seen(sam) == []

    def test_those_who_may_know_everything_do(self, private: Incident) -> None:
        chief = ResponderFactory.create(username="chief", is_superuser=True)

        assert _seen(chief) == [private]

    def test_are_added_and_removed_in_writing(
        self, private: Incident, robin: User, sam: User
    ) -> None:
        operations.add_member(incident_id=private.pk, user=sam, at=NOON, author=robin)
        operations.add_member(incident_id=private.pk, user=sam, at=NOON, author=robin)
        assert _seen(sam) == [private]

        operations.remove_member(incident_id=private.pk, user=sam, at=NOON, author=robin)

        assert _seen(sam) == []
        texts = private.entries.filter(tags=["members"]).order_by("pk")
        assert [entry.text for entry in texts] == [
            "Added: Robin Responder may know of it",
            "Removed: Robin Responder",
        ]

    def test_whoever_gets_a_role_is_one(self, private: Incident, robin: User, sam: User) -> None:
        operations.assign_role(
            incident_id=private.pk, role=Role.SCRIBE, holder=sam, at=NOON, author=robin
        )

        assert _seen(sam) == [private]

    def test_whoever_has_work_to_do_stays(self, private: Incident, robin: User) -> None:
        with pytest.raises(operations.HoldsARole):
            operations.remove_member(incident_id=private.pk, user=robin, at=NOON, author=robin)

    def test_somebody_always_knows(self, private: Incident, robin: User) -> None:
        private.roles.update(until_at=NOON)

        with pytest.raises(operations.LastMember):
            operations.remove_member(incident_id=private.pk, user=robin, at=NOON, author=robin)

    def test_what_everybody_knows_has_none(self, robin: User) -> None:
        with pytest.raises(operations.NotPrivate):
            operations.add_member(
                incident_id=IncidentFactory.create().pk, user=robin, at=NOON, author=robin
            )


class TestVisibility:
    def test_becoming_private_keeps_those_who_work_on_it(self, robin: User, sam: User) -> None:
        incident = operations.declare_incident(
            title="Slow", severity=Severity.SEV3, at=NOON, author=robin, body="We are on it."
        )

        _edit(incident, sam, Visibility.PRIVATE)

        assert set(incident.members.all()) == {robin, sam}
        assert not queries.public_incidents().exists()
        assert incident.entries.filter(text="Who may know: Private: its members only").exists()

    def test_what_was_said_in_private_is_never_shown(self, private: Incident, robin: User) -> None:
        operations.resolve_incident(
            incident_id=private.pk, body="The key is renewed.", at=NOON + MINUTE, author=robin
        )

        with pytest.raises(operations.ToldInPrivate):
            _edit(private, robin, Visibility.PUBLIC)
        _edit(private, robin, Visibility.INTERNAL)
        with pytest.raises(operations.ToldInPrivate):
            _edit(private, robin, Visibility.PUBLIC, hours=2)

    def test_a_mistaken_choice_can_be_taken_back(self, private: Incident, robin: User) -> None:
        assert _edit(private, robin, Visibility.PUBLIC).visibility == Visibility.PUBLIC

    def test_what_was_said_in_public_can_be_shown_again(self, robin: User) -> None:
        incident = operations.declare_incident(
            title="Slow", severity=Severity.SEV3, at=NOON, author=robin, body="We are on it."
        )

        _edit(incident, robin, Visibility.PRIVATE)
        shown = _edit(incident, robin, Visibility.PUBLIC, hours=2)

        assert shown.is_public


@pytest.mark.parametrize(
    "kept_apart",
    [{"visibility": Visibility.PRIVATE}, {"kind": IncidentKind.DRILL}],
    ids=["private", "drill"],
)
class TestComponents:
    @pytest.fixture
    def tours(self) -> Component:
        return ComponentFactory.create()

    def _declare(
        self, robin: User, tours: Component, body: str, kept_apart: dict[str, str]
    ) -> Incident:
        return operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV1,
            at=NOON,
            author=robin,
            body=body,
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
            **kept_apart,  # type: ignore[arg-type]
        )

    @pytest.mark.parametrize("body", ["", "We are on it."])
    def test_stay_as_they_are(
        self, robin: User, tours: Component, body: str, kept_apart: dict[str, str]
    ) -> None:
        incident = self._declare(robin, tours, body, kept_apart)

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.OPERATIONAL
        assert list(incident.components.all()) == [tours]
        assert not queries.public_incidents().exists()

    def test_its_end_repairs_nothing(
        self, robin: User, tours: Component, kept_apart: dict[str, str]
    ) -> None:
        operations.set_component_status(
            component_id=tours.pk, status=ComponentStatus.PARTIAL_OUTAGE, at=NOON
        )
        incident = self._declare(robin, tours, "We are on it.", kept_apart)

        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=NOON + HOUR, author=robin
        )

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.PARTIAL_OUTAGE

    def test_it_keeps_nobody_else_from_repairing(
        self, robin: User, tours: Component, kept_apart: dict[str, str]
    ) -> None:
        real = self._declare(robin, tours, "We are on it.", {})
        self._declare(robin, tours, "", kept_apart)

        operations.resolve_incident(incident_id=real.pk, body="Over.", at=NOON + HOUR, author=robin)

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.OPERATIONAL
