"""What the first word to customers says of components and title, and ends without any word."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from incidents import operations, queries, reminders
from incidents.models import Component, Incident, SeverityRule
from incidents.values import (
    ComponentStatus,
    Milestone,
    Phase,
    Severity,
    Source,
    Visibility,
)
from tests.factories import HOUR, ComponentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422
OPERATIONAL = "All Systems Operational"


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _page(desk: Client, incident: Incident) -> str:
    return desk.get(incident.get_absolute_url()).content.decode()


def _typed(**more: Any) -> dict[str, Any]:
    return {"phase": "investigating", "body": "We are looking into it.", "next_minutes": 20} | more


@pytest.fixture
def tours() -> Component:
    return ComponentFactory.create()


@pytest.fixture
def alarm(tours: Component) -> Incident:
    """Give what an alert has declared: a component is named, and nothing is said."""
    now = timezone.now() - HOUR
    incident = operations.declare_incident(
        title="[FIRING:1] TourProbeDown", severity=Severity.SEV1, at=now, author=None,
        source=Source.WEBHOOK,
    )  # fmt: skip
    incident.components.set([tours])
    return incident


def _status(tours: Component) -> str:
    tours.refresh_from_db()
    return tours.status


class TestTheFirstWord:
    def test_is_offered_with_the_state_that_the_severity_suggests(
        self, desk: Client, alarm: Incident, tours: Component
    ) -> None:
        page = _page(desk, alarm)

        assert '<option value="major_outage" selected>' in page
        assert "Proposed for SEV1" in page

    @pytest.mark.parametrize(
        ("severity", "state"), [("sev2", "partial_outage"), ("sev3", None), ("sev4", None)]
    )
    def test_by_severity(
        self, desk: Client, alarm: Incident, tours: Component, severity: str, state: str | None
    ) -> None:
        Incident.objects.filter(pk=alarm.pk).update(severity=severity)

        alarm.refresh_from_db()

        assert queries.proposed_states(alarm) == ({tours.pk: state} if state else {})

    def test_asks_once_before_all_is_said_to_work(
        self, desk: Client, alarm: Incident, tours: Component
    ) -> None:
        typed = _typed(**{f"component_{tours.pk}": ""})

        refused = desk.post(_url("update-post", alarm.pk), typed)

        assert refused.status_code == INVALID
        assert "The page would say that all works." in refused.content.decode()
        assert "Publish it with all components operational" in refused.content.decode()
        assert not queries.public_incidents().exists()
        desk.post(_url("update-post", alarm.pk), typed | {"works": "on"})
        assert queries.public_incidents().get() == alarm
        assert _status(tours) == ComponentStatus.OPERATIONAL

    def test_asks_nothing_of_what_is_said_to_suffer_or_to_be_mended(
        self, desk: Client, alarm: Incident, tours: Component
    ) -> None:
        suffers = _typed(**{f"component_{tours.pk}": "degraded_performance"})
        desk.post(_url("update-post", alarm.pk), suffers)
        assert _status(tours) == ComponentStatus.DEGRADED_PERFORMANCE

        # Not again at the second one, whatever that says.
        desk.post(_url("update-post", alarm.pk), _typed())

        assert alarm.updates.published().count() == 2

    def test_may_be_put_aside_without_an_answer(self, desk: Client, alarm: Incident) -> None:
        desk.post(_url("update-save", alarm.pk), _typed())

        assert alarm.updates.count() == 1
        assert "With it the page goes on saying that the components work." in _page(desk, alarm)

    def test_of_an_incident_that_customers_do_not_see_proposes_nothing(
        self, desk: Client, alarm: Incident
    ) -> None:
        Incident.objects.filter(pk=alarm.pk).update(visibility=Visibility.INTERNAL)

        page = _page(desk, alarm)

        assert "Proposed for" not in page
        assert 'name="public_title"' not in page

    def test_says_where_no_component_is_named(self, desk: Client, alarm: Incident) -> None:
        alarm.components.clear()

        assert "No component is named" in _page(desk, alarm)


class TestAfterReopening:
    def test_it_is_proposed_again_until_people_have_said_something(
        self, desk: Client, responder: User, tours: Component
    ) -> None:
        incident = operations.declare_incident(
            title="Tours", severity=Severity.SEV1, at=timezone.now() - HOUR, author=responder,
            body="Down.", components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        )  # fmt: skip
        assert "Proposed for" not in _page(desk, incident)
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=timezone.now(), author=responder
        )
        # Nobody knew how it was.
        unknown = {"reason": "It is down again.", "works": "on"}
        desk.post(_url("incident-reopen", incident.pk), unknown)

        page = _page(desk, incident)

        assert '<option value="major_outage" selected>' in page
        assert 'name="public_title"' not in page
        desk.post(
            _url("update-post", incident.pk),
            _typed(**{f"component_{tours.pk}": "major_outage"}),
        )
        assert _status(tours) == ComponentStatus.MAJOR_OUTAGE
        assert "Proposed for" not in _page(desk, incident)


class TestTitle:
    def test_is_shown_and_changed_with_the_first_word(
        self, desk: Client, alarm: Incident, tours: Component
    ) -> None:
        assert 'name="public_title" value="[FIRING:1] TourProbeDown"' in _page(desk, alarm)

        desk.post(
            _url("update-post", alarm.pk),
            _typed(
                **{
                    f"component_{tours.pk}": "major_outage",
                    "public_title": "Tours do not open",
                    "initial-public_title": "[FIRING:1] TourProbeDown",
                }
            ),
        )

        alarm.refresh_from_db()
        assert queries.public_incidents().get().title == "Tours do not open"
        assert queries.revisions(alarm).get().data["title"] == "[FIRING:1] TourProbeDown"
        assert 'name="public_title"' not in _page(desk, alarm)

    def test_what_nobody_typed_overwrites_nothing(
        self, desk: Client, alarm: Incident, tours: Component
    ) -> None:
        Incident.objects.filter(pk=alarm.pk).update(title="Said meanwhile")
        seen = "[FIRING:1] TourProbeDown"

        desk.post(
            _url("update-save", alarm.pk),
            _typed(**{"public_title": seen, "initial-public_title": seen}),
        )

        alarm.refresh_from_db()
        assert alarm.title == "Said meanwhile"

    def test_is_read_by_whoever_approves(
        self, desk: Client, alarm: Incident, tours: Component
    ) -> None:
        SeverityRule.objects.create(severity=Severity.SEV1, needs_approval=True)
        desk.post(
            _url("update-post", alarm.pk),
            _typed(**{f"component_{tours.pk}": "major_outage", "public_title": "Tours are gone"}),
        )

        assert "Title on the page: <strong>Tours are gone</strong>" in _page(desk, alarm)


class TestPrograms:
    def _post(self, alarm: Incident, user: User, **more: Any) -> Any:
        client = APIClient()
        client.force_authenticate(user)
        return client.post(
            f"/api/desk/v1/incidents/{alarm.pk}/updates/",
            {"body": "We know.", "phase": "investigating"} | more,
            format="json",
        ).json()

    def test_are_warned_that_all_shows_as_working(
        self, alarm: Incident, responder: User, tours: Component
    ) -> None:
        said = self._post(alarm, responder)
        (warning,) = said["warnings"]
        assert warning["code"] == "shows-as-working"

        mended = self._post(alarm, responder, component_statuses={tours.public_id: "major_outage"})

        assert mended["warnings"] == []


class TestClosingQuietly:
    def test_leaves_the_reason_and_nothing_for_customers(
        self, desk: Client, alarm: Incident, tours: Component
    ) -> None:
        page = desk.get(_url("incident-resolve", alarm.pk)).content.decode()
        assert "Close it without telling customers" in page

        desk.post(_url("incident-close", alarm.pk), {"reason": "The probe was down."})

        alarm.refresh_from_db()
        assert (alarm.phase, alarm.published_at) == (Phase.RESOLVED, None)
        entry = alarm.entries.get(milestone=Milestone.RESOLVED)
        assert entry.text == "Closed without telling customers: The probe was down."
        assert not entry.is_public
        assert not alarm.updates.exists()
        assert not queries.public_incidents().exists()
        figures = queries.figures(alarm, at=timezone.now())
        assert (figures.is_false_alarm, figures.resolve) == (True, None)
        assert "False alarm" in _page(desk, alarm)

    def test_needs_a_reason(self, desk: Client, alarm: Incident) -> None:
        refused = desk.post(_url("incident-close", alarm.pk), {"reason": " "})

        alarm.refresh_from_db()
        assert refused.status_code == INVALID
        assert not alarm.is_resolved

    def test_is_no_way_out_of_telling_those_who_were_told(
        self, desk: Client, incident: Incident
    ) -> None:
        page = desk.get(_url("incident-resolve", incident.pk)).content.decode()
        assert "without telling customers" not in page

        answer = desk.post(_url("incident-close", incident.pk), {"reason": "Oh."}, follow=True)

        incident.refresh_from_db()
        assert not incident.is_resolved
        assert "Customers were told of this incident." in answer.content.decode()

    def test_of_one_that_is_over_is_refused(self, desk: Client, alarm: Incident) -> None:
        for _twice in range(2):
            answer = desk.post(_url("incident-close", alarm.pk), {"reason": "Oh."}, follow=True)

        assert "The incident is resolved." in answer.content.decode()

    def test_is_no_false_alarm_any_more_once_it_is_open_again(
        self, desk: Client, alarm: Incident, responder: User
    ) -> None:
        desk.post(_url("incident-close", alarm.pk), {"reason": "Oh."})
        desk.post(_url("incident-reopen", alarm.pk), {"reason": "It was none."})
        operations.resolve_incident(
            incident_id=alarm.pk, body="Over.", at=timezone.now(), author=responder
        )

        alarm.refresh_from_db()
        assert not queries.figures(alarm, at=timezone.now()).is_false_alarm

    def test_asks_for_no_postmortem(self, desk: Client, alarm: Incident) -> None:
        desk.post(_url("incident-close", alarm.pk), {"reason": "Oh."})
        later = timezone.now() + timedelta(days=8)

        assert list(reminders._postmortems(later)) == []

    def test_of_staffs_own_is_offered_beside_a_last_word_that_tells_nobody(
        self, desk: Client, alarm: Incident
    ) -> None:
        Incident.objects.filter(pk=alarm.pk).update(visibility=Visibility.INTERNAL)

        page = desk.get(_url("incident-resolve", alarm.pk)).content.decode()

        assert "Message to customers" not in page
        assert "tell customers</button>" not in page
        assert "Send no messages" not in page
        desk.post(_url("incident-resolve", alarm.pk), {"body": "It was the probe."})
        alarm.refresh_from_db()
        assert alarm.is_resolved


class TestWhoElseHoldsAComponent:
    @pytest.fixture
    def both(self, responder: User, tours: Component) -> tuple[Incident, Incident]:
        first, second = (
            operations.declare_incident(
                title=title, severity=Severity.SEV2, at=timezone.now() - HOUR, author=responder,
                body="Down.", components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
            )
            for title in ("Tours", "Database")
        )  # fmt: skip
        return first, second

    def test_is_said_where_one_resolves_and_after(
        self, desk: Client, both: tuple[Incident, Incident]
    ) -> None:
        first, second = both

        form = desk.get(_url("incident-resolve", first.pk)).content.decode()
        answer = desk.post(_url("incident-resolve", first.pk), {"body": "Over."}, follow=True)

        assert f"As it is: {second.ref} has it, too" in form
        words = f"Tours stays as it is, “Major outage”: {second.ref} has it, too."
        assert words in answer.content.decode()

    def test_and_to_whoever_approves_the_last_word(
        self, desk: Client, both: tuple[Incident, Incident]
    ) -> None:
        first, second = both
        SeverityRule.objects.create(severity=Severity.SEV2, needs_approval=True)
        update = operations.post_status_update(
            incident_id=first.pk, body="Over.", phase=Phase.RESOLVED, at=timezone.now(),
            author=ResponderFactory.create(username="writer"),
        )  # fmt: skip
        words = f"Tours stays as it is, “Major outage”: {second.ref} has it, too."
        assert words in _page(desk, first)

        answer = desk.post(
            _url("update-approve", update.pk), {"version": update.version}, follow=True
        )

        assert words in answer.content.decode()
