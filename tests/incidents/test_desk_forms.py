"""What the forms of the desk share: the order of components, and an empty list of choices."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents import operations, queries
from incidents.models import Incident
from incidents.spans import Span
from incidents.values import Phase, Severity, When
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db


def _named(page: str) -> list[str]:
    """Return the names of components on a page, in its order, each once."""
    found = re.findall(r"\b(?:Web|Tours|Uploads|Api|Login|Status)\b(?=\s*<)", page)
    return list(dict.fromkeys(found))


@pytest.fixture
def tree() -> list[str]:
    """Set up two groups with members whose positions begin anew, and one component beside them."""
    web = operations.add_component(name="Web", is_group=True, at=NOON)
    api = operations.add_component(name="Api", is_group=True, at=NOON)
    operations.add_component(name="Login", group_id=api.pk, at=NOON)
    operations.add_component(name="Tours", group_id=web.pk, at=NOON)
    operations.add_component(name="Uploads", group_id=web.pk, at=NOON)
    operations.add_component(name="Status", at=NOON)
    return ["Web", "Tours", "Uploads", "Api", "Login", "Status"]


def test_the_tree_has_members_right_behind_their_group(tree: list[str]) -> None:
    assert [row.name for row in queries.component_tree()] == tree


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("incident-declare", []),
        ("incident-backfill", []),
        ("maintenance-schedule", []),
        ("maintenance-template-add", []),
        ("ready-add", ["incident"]),
    ],
)
def test_forms_list_components_as_the_tree_does(
    desk: Client, tree: list[str], name: str, arguments: list[str]
) -> None:
    page = desk.get(reverse(f"incidents:{name}", args=arguments)).content.decode()

    assert _named(page) == ["Tours", "Uploads", "Login", "Status"]


def test_a_list_without_choices_says_so(desk: Client) -> None:
    page = desk.get(reverse("incidents:maintenance-template-add")).content.decode()

    assert "There is nothing to choose from yet." in page


class TestSilence:
    def test_before_the_first_word_counts_from_the_start(self, responder: User) -> None:
        now = timezone.now()
        untold = operations.declare_incident(
            title="Tours do not open", severity=Severity.SEV2, at=now - HOUR, author=responder,
            started=When(at=now - 3 * HOUR),
        )  # fmt: skip
        assert queries.figures(untold, at=now).longest_silence == Span.exactly(3 * HOUR)

        operations.post_status_update(
            incident_id=untold.pk, body="We look.", phase=Phase.INVESTIGATING, at=now,
            author=responder,
        )  # fmt: skip
        untold.refresh_from_db()
        assert queries.figures(untold, at=now + HOUR).longest_silence == Span.exactly(3 * HOUR)
        assert queries.figures(untold, at=now + 9 * HOUR).longest_silence == Span.exactly(9 * HOUR)

    def test_that_goes_on_counts(self, incident: Incident) -> None:
        told = incident.first_update_at
        assert told is not None

        assert queries.figures(incident, at=told + 5 * HOUR).longest_silence == Span.exactly(
            5 * HOUR
        )

    def test_is_over_with_the_incident(self, incident: Incident) -> None:
        told, now = incident.first_update_at, timezone.now()
        assert told is not None
        over = operations.resolve_incident(
            incident_id=incident.pk, body="It works again.", at=now, author=None
        )

        assert queries.figures(over, at=now + 9 * HOUR).longest_silence == Span.exactly(now - told)
