"""The pages on which an incident is opened again, or ends without a word: what they ask and say."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents import operations
from incidents.models import Component, Incident
from incidents.values import ComponentStatus, Milestone, Severity, Visibility
from tests.factories import HOUR

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


@pytest.fixture
def tours() -> Component:
    return operations.add_component(name="Tours", at=timezone.now() - 2 * HOUR)


@pytest.fixture
def over(responder: User, tours: Component) -> Incident:
    """Give a grave incident that customers knew of, and that is over."""
    incident = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV1, at=timezone.now() - HOUR,
        author=responder, body="Down.", components={tours.pk: ComponentStatus.PARTIAL_OUTAGE},
    )  # fmt: skip
    return operations.resolve_incident(
        incident_id=incident.pk, body="Over.", at=timezone.now(), author=responder
    )


@pytest.fixture
def untold(responder: User) -> Incident:
    incident = operations.declare_incident(
        title="A probe is red", severity=Severity.SEV2, at=timezone.now() - HOUR, author=responder
    )
    return operations.close_untold(
        incident_id=incident.pk, reason="The probe.", at=timezone.now(), author=responder
    )


@pytest.fixture
def staffs_own(responder: User) -> Incident:
    return operations.declare_incident(
        title="A probe is red", severity=Severity.SEV2, at=timezone.now() - HOUR,
        author=responder, visibility=Visibility.INTERNAL,
    )  # fmt: skip


def _status(component: Component) -> str:
    component.refresh_from_db()
    return component.status


class TestReopening:
    def test_offers_how_components_were_and_does_what_is_chosen(
        self, desk: Client, over: Incident, tours: Component
    ) -> None:
        form = desk.get(_url("incident-reopen", over.pk)).content.decode()
        assert '<option value="partial_outage" selected>' in form
        assert "As they were until the incident was resolved." in form

        answer = desk.post(
            _url("incident-reopen", over.pk),
            {"reason": "Worse than before.", f"component_{tours.pk}": "major_outage"},
            follow=True,
        )

        over.refresh_from_db()
        assert not over.is_resolved
        assert _status(tours) == ComponentStatus.MAJOR_OUTAGE
        assert "is open again, and customers read so." in answer.content.decode()

    def test_asks_before_all_is_said_to_work(
        self, desk: Client, over: Incident, tours: Component
    ) -> None:
        typed = {"reason": "It is back.", f"component_{tours.pk}": ""}

        refused = desk.post(_url("incident-reopen", over.pk), typed)

        over.refresh_from_db()
        assert refused.status_code == INVALID
        assert over.is_resolved
        assert "The page would say that all works." in refused.content.decode()
        assert "Reopen it with all components operational" in refused.content.decode()
        desk.post(_url("incident-reopen", over.pk), typed | {"works": "on"})
        assert Incident.objects.open().get() == over
        assert _status(tours) == ComponentStatus.OPERATIONAL

    @pytest.mark.parametrize("severity", [Severity.SEV3, Severity.SEV4])
    def test_asks_nothing_of_what_is_less_grave(
        self, desk: Client, over: Incident, severity: Severity
    ) -> None:
        Incident.objects.filter(pk=over.pk).update(severity=severity)

        desk.post(_url("incident-reopen", over.pk), {"reason": "It is back."})

        over.refresh_from_db()
        assert not over.is_resolved

    def test_tells_nobody_to_tell_what_was_never_told(self, desk: Client, untold: Incident) -> None:
        form = desk.get(_url("incident-reopen", untold.pk)).content.decode()
        answer = desk.post(
            _url("incident-reopen", untold.pk), {"reason": "It was none."}, follow=True
        )

        assert "for all to see" not in form
        assert "Customers were never told of it" in form
        assert "Tell customers" not in form
        assert f"{untold.ref} is open again." in answer.content.decode()

    def test_of_staffs_own_speaks_of_staff(
        self, desk: Client, staffs_own: Incident, responder: User
    ) -> None:
        operations.resolve_incident(
            incident_id=staffs_own.pk, body="Over.", at=timezone.now(), author=responder
        )

        form = desk.get(_url("incident-reopen", staffs_own.pk)).content.decode()

        assert "for staff alone" in form
        assert "for all to see" not in form
        assert "See the whole page" not in form

    def test_of_a_private_one_asks_for_no_states(
        self, desk: Client, over: Incident, responder: User
    ) -> None:
        Incident.objects.filter(pk=over.pk).update(visibility=Visibility.PRIVATE)
        over.members.add(responder)

        form = desk.get(_url("incident-reopen", over.pk)).content.decode()

        assert "its members alone" in form
        assert "component_" not in form


class TestEndingUntold:
    def test_the_head_says_never_instead_of_not_yet(self, desk: Client, untold: Incident) -> None:
        page = desk.get(untold.get_absolute_url()).content.decode()

        assert "Never on the status page: customers were not told" in page
        assert "Not on the status page yet" not in page

    def test_of_staffs_own_is_a_false_alarm_in_staffs_words(
        self, desk: Client, staffs_own: Incident
    ) -> None:
        form = desk.get(_url("incident-resolve", staffs_own.pk)).content.decode()
        answer = desk.post(
            _url("incident-close", staffs_own.pk), {"reason": "A cable was loose."}, follow=True
        )

        assert "Or close it as a false alarm" in form
        assert "Why it is a false alarm" in form
        assert "without telling customers" not in form
        entry = staffs_own.entries.get(milestone=Milestone.RESOLVED)
        assert entry.text == "Closed as a false alarm: A cable was loose."
        page = answer.content.decode()
        assert f"{staffs_own.ref} is closed as a false alarm." in page
        assert "Customers" not in page.split('id="head"')[1].split("</header>")[0]


class TestDeclaring:
    def _declare(self, desk: Client, **more: str) -> Any:
        typed = {"title": "Tours", "severity": "sev2", "tz": "UTC", "visibility": "public"}
        return desk.post(_url("incident-declare"), typed | {"body": "We look."} | more)

    def test_asks_what_suffers_before_customers_read_of_it(
        self, desk: Client, tours: Component
    ) -> None:
        refused = self._declare(desk)

        assert refused.status_code == INVALID
        assert "Choose what suffers, or say that no component does." in refused.content.decode()
        assert "It affects no component" in refused.content.decode()
        assert not Incident.objects.exists()
        self._declare(desk, works="on")
        assert Incident.objects.get().is_public

    @pytest.mark.parametrize(
        "more",
        [
            {"body": ""}, {"severity": "sev4"}, {"visibility": "internal"}, {"kind": "drill"},
        ],
    )  # fmt: skip
    def test_asks_nothing_where_customers_read_no_such_thing(
        self, desk: Client, tours: Component, more: dict[str, str]
    ) -> None:
        assert self._declare(desk, **more).status_code == 302

    def test_asks_nothing_of_what_is_said(self, desk: Client, tours: Component) -> None:
        self._declare(desk, **{f"component_{tours.pk}": "major_outage"})

        assert _status(tours) == ComponentStatus.MAJOR_OUTAGE

    def test_asks_nothing_where_no_component_is_set_up(self, desk: Client) -> None:
        assert self._declare(desk).status_code == 302

    def test_is_shown_beforehand_without_an_answer(self, desk: Client, tours: Component) -> None:
        typed = {"title": "Tours", "severity": "sev2", "tz": "UTC", "visibility": "public"}

        shown = desk.post(reverse("statuspage:preview-declare"), typed | {"body": "We look."})

        assert shown.status_code == 200
