"""The desk: who may in, the list, the page of an incident, its beginning and its end."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from incidents import operations
from incidents.models import (
    Incident,
)
from incidents.values import (
    CauseKind,
    ComponentStatus,
    ProgressPolicy,
    PromiseKind,
    Severity,
    When,
)
from tests.factories import (
    HOUR,
    ComponentFactory,
    ProgressReportFactory,
    TimelineEntryFactory,
)

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


class TestAccess:
    @pytest.mark.parametrize(
        "name",
        ["incident-list", "incident-declare", "action-list", "template-list", "postmortem-review"],
    )
    def test_whoever_is_not_signed_in_is_asked_to(self, client: Client, name: str) -> None:
        answer = client.get(_url(name))

        assert answer.status_code == 302
        assert answer["Location"].startswith("/desk/login/?next=/desk/")

    def test_every_page_of_an_incident_asks_too(self, client: Client, incident: Incident) -> None:
        for name in ("incident-detail", "head-live", "timeline-live", "progress-live",
                     "promises-live", "drafts-live", "entry-read", "entry-deleted",
                     "incident-resolve", "incident-reopen"):  # fmt: skip
            assert client.get(_url(name, incident.pk)).status_code == 302, name
        for name in ("entry-add", "update-post", "update-preview", "promise-make", "cause-add",
                     "action-add", "incident-policy", "role-assign"):  # fmt: skip
            assert client.post(_url(name, incident.pk)).status_code == 302, name

    def test_an_outsider_with_a_login_is_sent_away(self, client: Client) -> None:
        client.force_login(User.objects.create_user("outsider"))

        answer = client.get(_url("incident-list"))

        assert answer.status_code == 403
        assert "not yours to open" in answer.content.decode()

    def test_signing_in_leads_to_the_incidents(self, client: Client) -> None:
        user = User.objects.create_user("robin", password="high water", is_staff=True)

        answer = client.post("/desk/login/", {"username": user.username, "password": "high water"})

        assert answer["Location"] == "/desk/"

    def test_deeds_are_not_done_by_looking(self, desk: Client, incident: Incident) -> None:
        assert desk.get(_url("entry-add", incident.pk)).status_code == 405
        assert desk.get(_url("update-post", incident.pk)).status_code == 405

    def test_deeds_need_the_token_of_the_form(self, responder: User, incident: Incident) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(responder)

        assert strict.post(_url("entry-add", incident.pk), {"line": "x"}).status_code == 403


class TestIncidentList:
    def test_says_what_to_do_when_there_is_none(self, desk: Client) -> None:
        page = desk.get(_url("incident-list")).content.decode()

        assert "No incident so far" in page
        assert _url("incident-declare") in page

    def test_open_ones_stand_first(self, desk: Client, incident: Incident) -> None:
        later = operations.declare_incident(
            title="Exports are slow", severity=Severity.SEV3, at=timezone.now(), author=None
        )
        operations.resolve_incident(
            incident_id=later.pk, body="Over.", at=timezone.now(), author=None
        )

        page = desk.get(_url("incident-list")).content.decode()

        assert page.index("Tours do not open") < page.index("Exports are slow")

    def test_is_narrowed_by_words_and_state(self, desk: Client, incident: Incident) -> None:
        found = desk.get(_url("incident-list"), {"q": "tours", "state": "open"}).content.decode()
        missed = desk.get(_url("incident-list"), {"state": "resolved"}).content.decode()

        assert "Tours do not open" in found
        assert "No incident fits" in missed

    def test_costs_the_same_for_one_incident_or_ten(
        self,
        desk: Client,
        incident: Incident,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(10):
            if number:
                operations.declare_incident(
                    title=f"Slow {number}", severity=Severity.SEV4, at=timezone.now(), author=None
                )
            with django_assert_max_num_queries(7):
                desk.get(_url("incident-list"))


class TestDeclare:
    def test_opens_an_incident_and_tells_customers(self, desk: Client, responder: User) -> None:
        tours = ComponentFactory.create()

        answer = desk.post(
            _url("incident-declare"),
            {
                "title": "Tours do not open",
                "severity": "sev1",
                "body": "We are looking into it.",
                "started": "2026-01-12T00:14",
                "tz": "Europe/Amsterdam",
                "visibility": "public",
                f"component_{tours.pk}": "major_outage",
            },
        )

        incident = Incident.objects.get()
        assert answer["Location"] == incident.get_absolute_url()
        assert incident.is_public
        assert incident.started_at is not None
        assert incident.started_at.isoformat() == "2026-01-11T23:14:00+00:00"
        assert incident.roles.get().holder == responder
        tours.refresh_from_db()
        assert tours.status == ComponentStatus.MAJOR_OUTAGE

    def test_says_beside_the_field_what_is_wrong(self, desk: Client) -> None:
        answer = desk.post(
            _url("incident-declare"),
            {"title": "", "severity": "sev1", "tz": "Mars/Base", "visibility": "public"},
        )

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert "no time zone “Mars/Base”" in page
        assert 'aria-invalid="true"' in page
        assert not Incident.objects.exists()

    def test_a_beginning_in_the_future_is_not_believed(self, desk: Client) -> None:
        answer = desk.post(
            _url("incident-declare"),
            {"title": "X", "severity": "sev1", "tz": "UTC", "visibility": "public",
             "started": "2099-01-12T00:14"},
        )  # fmt: skip

        assert answer.status_code == INVALID
        assert "still to come" in answer.content.decode()


class TestIncidentPage:
    def test_shows_head_timeline_and_forms(self, desk: Client, incident: Incident) -> None:
        page = desk.get(incident.get_absolute_url()).content.decode()

        assert incident.ref in page
        assert "SEV2: major" in page
        assert f"/incidents/{incident.public_id}" in page
        assert 'name="line"' in page
        assert "The incident began." in page

    def test_shows_utc_behind_the_zone_of_the_incident(
        self, desk: Client, incident: Incident
    ) -> None:
        at = timezone.now().replace(year=2026, month=1, day=12, hour=23, minute=30)
        TimelineEntryFactory.create(incident=incident, at=at)

        page = desk.get(incident.get_absolute_url()).content.decode()

        assert 'title="2026-01-12 23:30 UTC">00:30</time>' in page
        assert "Tuesday, 13 January 2026" in page

    def test_costs_the_same_for_one_entry_or_ten(
        self,
        desk: Client,
        incident: Incident,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        def add() -> None:
            now = timezone.now()
            entry = operations.add_entry(
                incident_id=incident.pk, text="x", when=When(at=now), at=now, author=None
            )
            cause = operations.record_root_cause(
                incident_id=incident.pk, kind=CauseKind.RISK, text="y", at=now, author=None,
                evidence=[entry.pk],
            )  # fmt: skip
            operations.add_action_item(
                incident_id=incident.pk, text="z", at=now, author=None, addresses=[cause.pk]
            )
            operations.make_promise(
                incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=now + HOUR), at=now,
                author=None,
            )  # fmt: skip

        for _again in range(10):
            add()
            with django_assert_max_num_queries(36):
                desk.get(incident.get_absolute_url())

    def test_a_page_that_is_not_there_is_a_404(self, desk: Client) -> None:
        answer = desk.get(_url("incident-detail", 4711))

        assert answer.status_code == 404
        assert "There is nothing here" in answer.content.decode()


class TestEdit:
    def test_title_severity_and_who_may_know_are_changed(
        self, desk: Client, incident: Incident
    ) -> None:
        url = _url("incident-edit", incident.pk)

        typed = {"version": 1, "severity": "sev1", "visibility": "internal", "tz": "UTC"}
        desk.post(url, typed | {"title": "No tour opens"})
        bad = desk.post(url, typed | {"version": 2, "title": ""})

        incident.refresh_from_db()
        assert (incident.title, incident.severity, incident.impact, incident.is_public) == (
            "No tour opens",
            "sev1",
            "critical",
            False,
        )
        assert incident.entries.filter(text__contains="SEV1: critical").count() == 1
        assert bad.status_code == INVALID

    def test_what_somebody_else_has_changed_is_shown_and_overwritten_only_knowingly(
        self, desk: Client, incident: Incident
    ) -> None:
        url = _url("incident-edit", incident.pk)
        typed = {"version": 1, "severity": "sev2", "visibility": "public", "tz": "UTC"}
        typed |= {"title": "Mine"}
        desk.post(url, typed | {"title": "Theirs"})

        refused = desk.post(url, typed)

        incident.refresh_from_db()
        said = refused.content.decode()
        assert (refused.status_code, incident.title) == (INVALID, "Theirs")
        assert "What it says now" in said
        assert 'value="Mine"' in said

        desk.post(url, typed | {"version": refused.context["form"]["version"].value()})

        incident.refresh_from_db()
        assert incident.title == "Mine"


class TestEnding:
    def test_is_resolved_with_a_word_to_customers(self, desk: Client, incident: Incident) -> None:
        ProgressReportFactory.create(incident=incident)

        shown = desk.get(_url("incident-resolve", incident.pk)).content.decode()
        empty = desk.post(_url("incident-resolve", incident.pk), {"body": ""})
        desk.post(_url("incident-resolve", incident.pk), {"body": "All is back. Nothing was lost."})

        incident.refresh_from_db()
        assert "has not ended" in shown
        assert "These promises are settled with it" in shown
        assert empty.status_code == INVALID
        assert incident.is_resolved

    def test_is_reopened_with_a_reason(self, desk: Client, incident: Incident) -> None:
        refused = desk.post(_url("incident-reopen", incident.pk), {"reason": "x"})
        desk.post(_url("incident-resolve", incident.pk), {"body": "Over."})
        desk.post(_url("incident-reopen", incident.pk), {"reason": "tours fail again"})

        incident.refresh_from_db()
        assert refused.status_code == INVALID
        assert "nothing to reopen" in refused.content.decode()
        assert not incident.is_resolved


class TestPeopleAndSettings:
    def test_the_policy_for_jobs_is_set_and_noted(self, desk: Client, incident: Incident) -> None:
        desk.post(_url("incident-policy", incident.pk), {"policy": "draft"})
        bad = desk.post(_url("incident-policy", incident.pk), {"policy": "maybe"})

        incident.refresh_from_db()
        assert incident.progress_policy == ProgressPolicy.DRAFT
        assert incident.entries.filter(text__startswith="Updates that jobs propose").count() == 1
        assert bad.status_code == INVALID

    def test_a_role_is_handed_over(self, desk: Client, incident: Incident) -> None:
        olive = User.objects.create_user("olive", is_staff=True)

        desk.post(
            _url("role-assign", incident.pk),
            {"role": "commander", "holder": olive.pk, "reason": "fatigue"},
        )

        held = incident.roles.filter(until_at=None)
        assert [role.holder for role in held] == [olive]
