"""The handover page: what whoever takes over reads first, and the handover itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from incidents import operations, queries
from incidents.models import AlertHook, Incident
from incidents.values import (
    AlertProvider,
    AlertState,
    ImpactKind,
    PromiseKind,
    Role,
    Severity,
    Visibility,
    When,
)
from tests.factories import HOUR, MINUTE, ProgressReportFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422


@pytest.fixture
def sam() -> User:
    return ResponderFactory.create(username="sam", first_name="Sam", last_name="Second")


def _url(incident: Incident) -> str:
    return reverse("incidents:incident-handover", args=[incident.pk])


def _write(incident: Incident, text: str, **more: Any) -> None:
    now = timezone.now()
    operations.add_entry(
        incident_id=incident.pk, text=text, when=When(at=now), at=now, author=None, **more
    )


def _commander(incident: Incident) -> int:
    found: int = incident.roles.get(role=Role.COMMANDER, until_at=None).pk
    return found


class TestHandoverOf:
    def _of(self, incident: Incident, reader: User, **later: float) -> queries.Handover:
        incident.refresh_from_db()
        return queries.handover_of(incident, reader=reader, at=timezone.now() + timedelta(**later))

    def test_says_what_was_tried_decided_and_asked(
        self, incident: Incident, responder: User
    ) -> None:
        _write(incident, "restarted", tags=["attempt"], outcome="failed")
        _write(incident, "went on by another way", outcome="abandoned")
        _write(incident, "copying", tags=["attempt"])
        _write(incident, "the proxy helped", outcome="worked")
        _write(incident, "we restore", tags=["decision"])
        _write(incident, "who has the key?", tags=["question"])

        shown = self._of(incident, responder)

        assert [entry.text for entry in shown.failed] == ["restarted", "went on by another way"]
        assert [entry.text for entry in shown.tried] == ["copying"]
        assert [entry.text for entry in shown.worked] == ["the proxy helped"]
        assert [entry.text for entry in shown.decisions] == ["we restore"]
        assert [entry.text for entry in shown.questions] == ["who has the key?"]

    def test_says_what_customers_know_and_wait_for(
        self, incident: Incident, responder: User
    ) -> None:
        shown = self._of(incident, responder)

        assert shown.last_told is not None
        assert shown.last_told.body == "We are looking into it."
        assert shown.next_update is not None
        assert shown.promises == [shown.next_update]

    def test_says_since_when(self, incident: Incident, responder: User) -> None:
        before = self._of(incident, responder)
        assert before.phase_since == before.severity_since == incident.declared_at
        now = timezone.now()
        operations.edit_incident(
            incident_id=incident.pk,
            title=incident.title,
            summary="",
            severity=Severity.SEV1,
            visibility=Visibility.PUBLIC,
            at=now,
            author=responder,
        )

        assert self._of(incident, responder).severity_since == now

    def test_says_what_is_missing_and_what_runs(self, incident: Incident, responder: User) -> None:
        missing = timezone.now() - 5 * HOUR
        operations.record_impact(
            incident_id=incident.pk,
            kind=ImpactKind.DATA_UNAVAILABLE,
            began_at=missing,
            data_from_at=missing,
            at=timezone.now(),
            author=responder,
        )
        report = ProgressReportFactory.create(incident=incident, key="restore-7")

        shown = self._of(incident, responder)

        assert shown.horizon == missing
        assert shown.reports == [report]

    def test_says_what_was_missed_what_fires_and_what_one_tenant_goes_without(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        now = timezone.now()
        promise = operations.make_promise(
            incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=now - MINUTE),
            at=now - HOUR, author=responder, basis="the pace of the copy",
        )  # fmt: skip
        operations.settle_due_promises(at=now)
        hook = AlertHook.objects.create(
            name="Prometheus", provider=AlertProvider.ALERTMANAGER, token_digest="0" * 64,
            created_at=now,
        )  # fmt: skip
        for state in (AlertState.FIRING, AlertState.RESOLVED):
            hook.alerts.create(
                fingerprint=state, dedup_key=state, state=state, title=f"Disk {state}", payload={},
                starts_at=now, received_at=now, told_at=now, incident=incident,
                ends_at=now if state == AlertState.RESOLVED else None,
            )  # fmt: skip
        tenant = operations.register_tenant(key="main:1", name="Acme Zoo", at=now)
        operations.record_impact(
            incident_id=incident.pk, kind=ImpactKind.DATA_UNAVAILABLE, began_at=now - HOUR,
            data_from_at=now - 2 * HOUR, tenant_id=tenant.pk, at=now, author=responder,
        )  # fmt: skip

        shown = self._of(incident, responder)
        page = desk.get(_url(incident)).content.decode()

        assert promise in shown.missed
        assert [alert.title for alert in shown.alerts] == ["Disk firing"]
        # What is one tenant's is not the horizon of all.
        assert shown.horizon is None
        for said in ("Promises that were missed", "the pace of the copy", "Alerts that fire",
                     "Disk firing", "Acme Zoo</span> alone", "data is there up to"):  # fmt: skip
            assert said in page
        assert "Disk resolved" not in page

    def test_says_who_has_what_and_who_sleeps(
        self, incident: Incident, responder: User, sam: User
    ) -> None:
        operations.hand_over(
            incident_id=incident.pk,
            assignment_ids=[_commander(incident)],
            holder=sam,
            at=timezone.now(),
            author=responder,
            handover="The copy runs.",
            resting_until_at=timezone.now() + 6 * HOUR,
        )
        _write(incident, "it goes on")

        shown = self._of(incident, responder, hours=1)

        assert [(row.role, row.holder) for row in shown.held] == [("commander", sam)]
        assert Role.SCRIBE in shown.empty
        assert [each.person for each in shown.on_duty] == [sam, responder]
        assert [each.person for each in shown.resting] == [responder]
        assert [row.handover for row in shown.notes] == ["The copy runs."]
        assert [entry.text for entry in shown.since_left] == ["it goes on"]
        assert self._of(incident, sam).left_at is None
        assert self._of(incident, responder, hours=7).resting == []

    def test_costs_the_same_however_long_it_lasts(
        self,
        incident: Incident,
        responder: User,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        queries.handover_of(incident, reader=responder, at=timezone.now())
        with CaptureQueriesContext(connection) as before:
            queries.handover_of(incident, reader=responder, at=timezone.now())
        for number in range(10):
            _write(incident, f"tried {number}", tags=["attempt"], outcome="failed")
            ProgressReportFactory.create(incident=incident, key=f"restore-{number}")
            operations.assign_role(
                incident_id=incident.pk,
                role=Role.SCRIBE,
                holder=ResponderFactory.create(username=f"scribe-{number}"),
                at=timezone.now(),
                author=None,
                handover=f"note {number}",
            )

        with django_assert_num_queries(len(before)):
            queries.handover_of(incident, reader=responder, at=timezone.now())


class TestHandoverPage:
    def test_is_read_on_waking(self, desk: Client, incident: Incident) -> None:
        _write(incident, "restarted the cluster", tags=["attempt"], outcome="failed")
        ProgressReportFactory.create(
            incident=incident,
            key="restore-7",
            title="Restore of main",
            heartbeat_at=timezone.now(),
            eta_low_at=timezone.now() + HOUR,
            eta_high_at=timezone.now() + 2 * HOUR,
        )

        page = desk.get(_url(incident)).content.decode()

        assert "We are looking into it." in page
        assert "restarted the cluster" in page
        assert reverse("backups:restore-detail", args=[7]) in page
        assert "Ends between" in page
        assert "in 14 min" in page or "late, due" in page

    def test_hands_everything_over(
        self, desk: Client, incident: Incident, responder: User, sam: User
    ) -> None:
        operations.assign_role(
            incident_id=incident.pk,
            role=Role.SCRIBE,
            holder=responder,
            at=timezone.now(),
            author=responder,
        )
        offered = desk.get(_url(incident)).context["form"]
        rest = timezone.now() + 8 * HOUR

        answer = desk.post(
            _url(incident),
            {
                "roles": offered.fields["roles"].initial,
                "holder": sam.pk,
                "reason": "fatigue",
                "handover": "The copy runs.",
                "resting_until_at": f"{rest:%Y-%m-%dT%H:%M}",
            },
            follow=True,
        )

        page = answer.content.decode()
        assert "Sam Second has it now" in page
        assert "The copy runs." in page
        assert "do not wake them before" in page
        assert {row.holder for row in incident.roles.filter(until_at=None)} == {sam}

    def test_says_what_is_wrong_with_it(self, desk: Client, incident: Incident, sam: User) -> None:
        held = _commander(incident)
        past = timezone.now() - 2 * HOUR

        nobody = desk.post(_url(incident), {"roles": [held]})
        nothing = desk.post(_url(incident), {"holder": sam.pk})
        slept = desk.post(
            _url(incident),
            {"roles": [held], "holder": sam.pk, "resting_until_at": f"{past:%Y-%m-%dT%H:%M}"},
        )
        operations.leave_role(assignment_id=held, at=timezone.now(), author=None)
        moved = desk.post(_url(incident), {"roles": [held], "holder": sam.pk})

        for answer, words in (
            (nobody, "This field is required"),
            (nothing, "Choose at least one role"),
            (slept, "would be over already"),
        ):
            assert answer.status_code == INVALID
            assert words in answer.content.decode()
        assert moved.status_code == INVALID
        assert not incident.roles.filter(holder=sam).exists()

    def test_says_who_has_been_at_it_for_too_long(self, desk: Client, incident: Incident) -> None:
        incident.roles.update(from_at=timezone.now() - 9 * HOUR - MINUTE)

        handover = desk.get(_url(incident)).content.decode()
        page = desk.get(incident.get_absolute_url()).content.decode()

        assert "on duty for 9 h 01 min" in handover
        assert "longer than the 8 h 00 min that you agreed on" in handover
        assert "longer than the 8 h 00 min that you agreed on" in page

    def test_a_drill_says_so(self, desk: Client, incident: Incident) -> None:
        Incident.objects.update(kind="drill")

        assert "Nothing of it is real" in desk.get(_url(incident)).content.decode()
        assert "Nothing of it is real" in desk.get(incident.get_absolute_url()).content.decode()
