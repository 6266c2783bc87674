"""The desk's deeds on people and on other incidents."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from incidents import operations
from incidents.models import Incident, RoleAssignment
from incidents.values import ComponentStatus, IncidentKind, Role, Severity, Visibility
from tests.factories import (
    HOUR,
    MINUTE,
    ComponentFactory,
    IncidentFactory,
    ResponderFactory,
)

pytestmark = pytest.mark.django_db

INVALID = 422


@pytest.fixture
def sam() -> User:
    return ResponderFactory.create(username="sam", first_name="Sam", last_name="Second")


@pytest.fixture
def private(responder: User) -> Incident:
    return operations.declare_incident(
        title="A key has leaked",
        severity=Severity.SEV1,
        visibility=Visibility.PRIVATE,
        at=timezone.now(),
        author=responder,
    )


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _held(incident: Incident) -> RoleAssignment:
    found: RoleAssignment = incident.roles.get(role=Role.COMMANDER, until_at=None)
    return found


def _words(client: Client, address: str) -> str:
    return client.get(address).content.decode()


class TestRoles:
    def test_an_empty_role_is_taken_with_one_button(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        answer = desk.post(
            _url("role-take", incident.pk), {"role": "scribe", "seen": ""}, follow=True
        )

        assert "You are: Scribe." in answer.content.decode()
        assert incident.roles.get(role=Role.SCRIBE).holder == responder

    def test_one_that_was_taken_meanwhile_is_not(
        self, desk: Client, incident: Incident, sam: User
    ) -> None:
        operations.assign_role(
            incident_id=incident.pk, role=Role.SCRIBE, holder=sam, at=timezone.now(), author=sam
        )

        answer = desk.post(
            _url("role-take", incident.pk), {"role": "scribe", "seen": ""}, follow=True
        )

        assert "has changed hands meanwhile" in answer.content.decode()
        assert incident.roles.get(role=Role.SCRIBE).holder == sam

    def test_there_is_no_such_role(self, desk: Client, incident: Incident) -> None:
        answer = desk.post(_url("role-take", incident.pk), {"role": "cook"}, follow=True)

        assert "There is no such role" in answer.content.decode()

    def test_a_mistake_is_undone_within_minutes(
        self, desk: Client, incident: Incident, responder: User, sam: User
    ) -> None:
        desk.post(_url("role-assign", incident.pk), {"role": "commander", "holder": sam.pk})
        assert "Undo" in _words(desk, incident.get_absolute_url())

        desk.post(_url("role-undo", _held(incident).pk))

        assert _held(incident).holder == responder

    def test_later_it_is_history(self, desk: Client, incident: Incident) -> None:
        incident.roles.update(from_at=timezone.now() - HOUR)
        held = _held(incident)

        assert _url("role-undo", held.pk) not in _words(desk, incident.get_absolute_url())
        answer = desk.post(_url("role-undo", held.pk), follow=True)
        assert "more than 15 minutes" in answer.content.decode()

    def test_is_left_empty_with_a_note(self, desk: Client, incident: Incident) -> None:
        held = _held(incident)

        desk.post(_url("role-leave", held.pk), {"handover": "Nobody can take over."})
        again = desk.post(_url("role-leave", held.pk), {})

        assert not incident.roles.filter(until_at=None).exists()
        assert again.status_code == INVALID
        assert "Nobody can take over." in _words(desk, incident.get_absolute_url())

    def test_its_times_are_corrected_with_history(self, desk: Client, incident: Incident) -> None:
        held = _held(incident)
        earlier = (timezone.now() - 3 * HOUR).replace(second=0, microsecond=0)
        Incident.objects.update(tz="UTC")

        desk.post(_url("role-correct", held.pk), {"from_at": f"{earlier:%Y-%m-%dT%H:%M}"})
        wrong = desk.post(_url("role-correct", held.pk), {"from_at": "2199-01-01T00:00"})

        held.refresh_from_db()
        assert held.from_at == earlier
        assert wrong.status_code == INVALID
        assert "What it said before" in _words(desk, _url("role-correct", held.pk))

    def test_what_nobody_changed_stays_to_the_second(
        self, desk: Client, incident: Incident
    ) -> None:
        held = _held(incident)
        shown = desk.get(_url("role-correct", held.pk)).context["form"]["from_at"].value()

        desk.post(_url("role-correct", held.pk), {"from_at": f"{shown:%Y-%m-%dT%H:%M}"})

        before = held.from_at
        held.refresh_from_db()
        assert held.from_at == before


class TestPrivate:
    def test_is_declared_and_says_so(self, desk: Client, responder: User) -> None:
        desk.post(
            _url("incident-declare"),
            {"title": "A key", "severity": "sev1", "tz": "UTC", "visibility": "private"},
        )

        incident = Incident.objects.get()
        assert list(incident.members.all()) == [responder]
        assert "Only its members know of it" in _words(desk, incident.get_absolute_url())

    def test_members_come_and_go(self, desk: Client, private: Incident, sam: User) -> None:
        desk.post(_url("member-add", private.pk), {"person": sam.pk})
        assert private.members.filter(pk=sam.pk).exists()
        unknown = desk.post(_url("member-add", private.pk), {"person": 0})

        desk.post(_url("member-remove", private.pk, sam.pk))

        assert unknown.status_code == INVALID
        assert not private.members.filter(pk=sam.pk).exists()

    def test_whoever_holds_a_role_stays(
        self, desk: Client, private: Incident, responder: User
    ) -> None:
        answer = desk.post(_url("member-remove", private.pk, responder.pk), follow=True)

        assert "They hold a role here" in answer.content.decode()

    def test_whoever_removes_themselves_is_back_at_the_list(
        self, desk: Client, private: Incident, responder: User, sam: User
    ) -> None:
        private.roles.update(until_at=timezone.now() + MINUTE)
        private.members.add(sam)

        answer = desk.post(_url("member-remove", private.pk, responder.pk))

        assert answer["Location"] == _url("incident-list")

    def test_what_was_said_in_private_is_not_made_public(
        self, desk: Client, private: Incident, responder: User
    ) -> None:
        operations.resolve_incident(
            incident_id=private.pk, body="Renewed.", at=timezone.now(), author=responder
        )

        answer = desk.post(
            _url("incident-edit", private.pk),
            {
                "version": private.version,
                "title": "A key",
                "severity": "sev1",
                "visibility": "public",
                "tz": "UTC",
            },
        )

        assert answer.status_code == INVALID
        assert "customers would read them" in answer.content.decode()

    def test_the_page_goes_on_showing_what_it_showed_and_staff_are_told(
        self, desk: Client, responder: User
    ) -> None:
        tours = ComponentFactory.create()
        incident = operations.declare_incident(
            title="Down",
            severity=Severity.SEV1,
            at=timezone.now(),
            author=responder,
            body="We are on it.",
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        )

        answer = desk.post(
            _url("incident-edit", incident.pk),
            {
                "version": incident.version,
                "title": "Down",
                "severity": "sev1",
                "visibility": "private",
                "tz": "UTC",
            },
            follow=True,
        )

        assert "something is wrong with Tours" in answer.content.decode()


class TestDrill:
    def test_is_declared_by_choice_and_marked(self, desk: Client) -> None:
        desk.post(
            _url("incident-declare"),
            {"title": "Fire", "severity": "sev1", "tz": "UTC", "visibility": "public",
             "kind": "drill", "body": "We are on it."},
        )  # fmt: skip

        incident = Incident.objects.get()
        assert incident.kind == IncidentKind.DRILL
        assert not incident.is_public
        assert "Drill" in _words(desk, _url("incident-list"))
        assert "Never on the status page" in _words(desk, incident.get_absolute_url())


class TestOtherIncidents:
    def test_a_part_is_declared_from_the_whole(self, desk: Client, incident: Incident) -> None:
        form = _words(desk, _url("incident-declare") + f"?parent={incident.pk}")
        assert f'It will be part of <a href="{incident.get_absolute_url()}"' in form

        desk.post(
            _url("incident-declare"),
            {"title": "Exports fail", "severity": "sev3", "tz": "UTC", "visibility": "public",
             "parent": incident.pk},
        )  # fmt: skip

        part = Incident.objects.get(title="Exports fail")
        assert part.parent == incident
        assert "Exports fail" in _words(desk, incident.get_absolute_url())
        assert f'Part of <a href="{incident.get_absolute_url()}"' in _words(
            desk, part.get_absolute_url()
        )

    @pytest.mark.parametrize("named", ["0", "x", "99999999999999999999"])
    def test_a_part_of_nothing_is_refused(self, desk: Client, named: str) -> None:
        answer = desk.post(
            _url("incident-declare"),
            {"title": "Exports fail", "severity": "sev3", "tz": "UTC", "visibility": "public",
             "parent": named},
        )  # fmt: skip

        assert answer.status_code == INVALID
        assert "no such incident" in answer.content.decode()

    def test_is_linked_and_unlinked(self, desk: Client, incident: Incident) -> None:
        part = IncidentFactory.create()

        desk.post(_url("parent-set", part.pk), {"other": incident.ref})
        assert list(incident.children.all()) == [part]
        circle = desk.post(_url("parent-set", incident.pk), {"other": part.ref})
        desk.post(_url("parent-remove", part.pk))

        assert not incident.children.exists()
        assert circle.status_code == INVALID

    @pytest.mark.parametrize("typed", ["INC-0", "what?", ""])
    def test_another_has_to_be_there(self, desk: Client, incident: Incident, typed: str) -> None:
        assert desk.post(_url("parent-set", incident.pk), {"other": typed}).status_code == INVALID

    def test_a_duplicate_ends_and_comes_back(self, desk: Client, incident: Incident) -> None:
        copy = IncidentFactory.create()
        asked = _words(desk, _url("duplicate-mark", copy.pk))
        assert "Customers read that it is the same" in asked

        desk.post(_url("duplicate-mark", copy.pk), {"other": str(incident.pk)})
        assert Incident.objects.get(pk=copy.pk).is_resolved
        assert "Duplicate of" in _words(desk, copy.get_absolute_url())
        desk.post(_url("duplicate-undo", copy.pk))

        assert not Incident.objects.get(pk=copy.pk).is_resolved
        refused = desk.post(_url("duplicate-undo", copy.pk), follow=True)
        assert "nothing to undo" in refused.content.decode()

    def test_what_somebody_may_not_know_of_is_not_named(
        self, client: Client, incident: Incident, private: Incident, sam: User
    ) -> None:
        Incident.objects.filter(pk=incident.pk).update(parent=private)
        client.force_login(sam)

        page = _words(client, incident.get_absolute_url())
        typed = client.post(_url("parent-set", incident.pk), {"other": private.ref})

        assert "an incident that you may not see" in page
        assert private.title not in page
        assert "There is no incident of this name" in typed.content.decode()


def test_people_cost_the_same_for_one_or_ten(
    desk: Client,
    incident: Incident,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    desk.get(incident.get_absolute_url())
    with django_assert_max_num_queries(100) as before:
        desk.get(incident.get_absolute_url())
    most = len(before)
    for number in range(10):
        operations.assign_role(
            incident_id=incident.pk,
            role=Role.SCRIBE,
            holder=ResponderFactory.create(username=f"scribe-{number}"),
            at=timezone.now(),
            author=None,
            handover="note",
        )
        IncidentFactory.create(parent=incident)

    # A timeline is read once after somebody has written to it.
    desk.get(incident.get_absolute_url())
    with django_assert_max_num_queries(most):
        desk.get(incident.get_absolute_url())
