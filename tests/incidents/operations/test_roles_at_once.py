"""Several people reach for one role, or for two incidents, at the same moment."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from accounts.models import User
from incidents import operations
from incidents.errors import Refused
from incidents.models import Incident
from incidents.values import Role
from tests.factories import NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db(transaction=True)


def _at_once(deeds: list[Callable[[], object]]) -> list[str]:
    """Do all of these from a thread each; return the codes of what was refused."""
    refused: list[str] = []
    ready = threading.Barrier(len(deeds))

    def work(deed: Callable[[], object]) -> None:
        try:
            ready.wait(timeout=20)
            deed()
        except Refused as refusal:
            refused.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[deed]) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return refused


@pytest.fixture
def people() -> list[User]:
    return [ResponderFactory.create(username=f"person-{number}") for number in range(4)]


def test_one_of_four_gets_an_empty_role_and_three_are_told(people: list[User]) -> None:
    incident = IncidentFactory.create()

    refused = _at_once(
        [
            lambda person=person: operations.take_role(  # type: ignore[misc]
                incident_id=incident.pk, role=Role.SCRIBE, seen_id=None, at=NOON, author=person
            )
            for person in people
        ]
    )

    assert refused == ["role-moved"] * 3
    assert incident.roles.count() == 1


def test_one_of_two_handovers_counts(people: list[User]) -> None:
    incident = IncidentFactory.create()
    held = operations.assign_role(
        incident_id=incident.pk, role=Role.COMMANDER, holder=people[0], at=NOON, author=None
    )

    refused = _at_once(
        [
            lambda person=person: operations.hand_over(  # type: ignore[misc]
                incident_id=incident.pk,
                assignment_ids=[held.pk],
                holder=person,
                at=NOON,
                author=None,
            )
            for person in people[1:3]
        ]
    )

    assert refused == ["role-moved"]
    assert incident.roles.filter(until_at=None).count() == 1


def test_two_incidents_do_not_become_parts_of_each_other() -> None:
    one, other = IncidentFactory.create_batch(2)

    def join(part: Incident, whole: Incident) -> Callable[[], object]:
        return lambda: operations.set_parent(
            incident_id=part.pk, parent_id=whole.pk, at=NOON, author=None
        )

    refused = _at_once([join(one, other), join(other, one)])

    assert refused == ["part-of-a-part"]
    assert Incident.objects.filter(parent__isnull=False).count() == 1


def test_two_incidents_do_not_become_duplicates_of_each_other() -> None:
    one, other = IncidentFactory.create_batch(2)

    def mark(copy: Incident, original: Incident) -> Callable[[], object]:
        return lambda: operations.mark_duplicate(
            incident_id=copy.pk, original_id=original.pk, at=NOON, author=None
        )

    refused = _at_once([mark(one, other), mark(other, one)])

    assert len(refused) == 1
    assert Incident.objects.filter(duplicate_of__isnull=False).count() == 1
