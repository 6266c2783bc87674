"""What customers are told from the desk: updates, promises, progress, and the words of jobs."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents import operations
from incidents.models import (
    Incident,
    Promise,
    StatusUpdate,
    UpdateTemplate,
)
from incidents.values import (
    Phase,
    PromiseKind,
    PromiseOutcome,
    Severity,
    UpdateState,
    Visibility,
)
from tests.factories import (
    HOUR,
    MINUTE,
    ComponentFactory,
    ProgressReportFactory,
)

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _update(**changes: Any) -> dict[str, Any]:
    return {"phase": "identified", "body": "It is the **database**.", "next_minutes": 20} | changes


class TestUpdates:
    def test_a_preview_shows_what_customers_would_see_and_sends_nothing(
        self, desk: Client, incident: Incident
    ) -> None:
        tours = ComponentFactory.create()

        page = desk.post(
            _url("update-preview", incident.pk),
            _update(body="It is the **database**. <script>alert(1)</script>")
            | {f"component_{tours.pk}": "partial_outage"},
        ).content.decode()

        assert "nothing has been sent" in page
        assert "<strong>database</strong>" in page
        assert "<script>alert" not in page
        assert "<bdi>Tours</bdi>: Partial outage" in page
        assert incident.updates.count() == 1

    def test_an_update_moves_the_phase_and_makes_its_promises(
        self, desk: Client, incident: Incident
    ) -> None:
        eta = timezone.now() + 3 * HOUR

        desk.post(
            _url("update-post", incident.pk),
            _update(eta_from=f"{eta:%Y-%m-%dT%H:%M}", eta_basis="the pace of the copy"),
        )

        incident.refresh_from_db()
        assert incident.phase == Phase.IDENTIFIED
        assert Promise.objects.open().get(kind=PromiseKind.ETA).basis == "the pace of the copy"
        due = Promise.objects.open().get(kind=PromiseKind.NEXT_UPDATE).due_at
        assert due is not None
        assert abs(due - timezone.now() - 20 * MINUTE) < MINUTE

    def test_the_form_proposes_the_usual_time(self, desk: Client, incident: Incident) -> None:
        page = desk.get(incident.get_absolute_url()).content.decode()

        assert re.search(r'name="next_minutes" value="15"', page)

    def test_a_form_that_is_sent_twice_tells_customers_once(
        self, desk: Client, incident: Incident
    ) -> None:
        for _again in range(2):
            desk.post(_url("update-post", incident.pk), _update(key="k1"))

        assert incident.updates.count() == 2

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"body": ""}, "This field is required"),
            ({"next_at": "2020-01-01T00:00"}, "This time has passed already"),
            ({"eta_from": "2020-01-01T00:00"}, "This time has passed already"),
            ({"eta_until": "2099-01-01T00:00"}, "A range needs its beginning"),
            ({"eta_from": "2099-01-02T00:00", "eta_until": "2099-01-01T00:00"}, "before the start"),
            ({"phase": "resolved"}, "Select a valid choice"),
        ],
    )
    def test_says_what_is_wrong_and_keeps_what_was_typed(
        self, desk: Client, incident: Incident, changes: dict[str, str], sentence: str
    ) -> None:
        answer = desk.post(_url("update-post", incident.pk), _update() | changes)

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert sentence in page
        assert changes.get("body") == "" or "It is the **database**." in page
        assert incident.updates.count() == 1

    def test_a_resolved_incident_refuses_with_its_sentence(
        self, desk: Client, incident: Incident
    ) -> None:
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=timezone.now(), author=None
        )

        answer = desk.post(_url("update-post", incident.pk), _update())

        assert answer.status_code == INVALID

    def test_an_internal_incident_is_not_said_to_be_on_the_page(self, desk: Client) -> None:
        hidden = operations.declare_incident(
            title="Disk is filling",
            severity=Severity.SEV4,
            at=timezone.now(),
            author=None,
            visibility=Visibility.INTERNAL,
        )

        page = desk.post(_url("update-post", hidden.pk), _update(), follow=True).content.decode()

        assert "The status page does not show this incident" in page

    def test_a_draft_is_approved_or_put_away_once(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        drafts = [
            operations.draft_status_update(
                incident_id=incident.pk, body=f"Draft {n}", phase=Phase.IDENTIFIED,
                at=timezone.now(), author=None, author_label="restore 4",
            )
            for n in range(2)
        ]  # fmt: skip

        shown = desk.get(_url("drafts-live", incident.pk)).content.decode()
        desk.post(_url("draft-publish", drafts[0].pk))
        desk.post(_url("draft-discard", drafts[1].pk))
        again = desk.post(_url("draft-publish", drafts[1].pk), follow=True).content.decode()

        assert "restore 4" in shown
        states = dict(incident.updates.values_list("body", "state"))
        assert states["Draft 0"] == UpdateState.PUBLISHED
        assert states["Draft 1"] == UpdateState.DISCARDED
        assert StatusUpdate.objects.get(body="Draft 0").approver == responder
        assert "no draft any more" in again

    def test_an_update_is_corrected(self, desk: Client, incident: Incident) -> None:
        update = StatusUpdate.objects.get()

        desk.post(_url("update-correct", update.pk), {"body": "We look into it.", "reason": "x"})

        update.refresh_from_db()
        assert update.body == "We look into it."
        assert update.edited_at is not None


class TestPromises:
    def test_is_made_withdrawn_and_settled(self, desk: Client, incident: Incident) -> None:
        due = f"{timezone.now() + 5 * HOUR:%Y-%m-%dT%H:%M}"
        make = {"kind": "eta", "due_from": due, "text": "All tours open again"}

        desk.post(_url("promise-make", incident.pk), make)
        first = Promise.objects.open().get(kind=PromiseKind.ETA)
        desk.post(_url("promise-withdraw", first.pk), {"reason": "the copy broke off"})
        desk.post(_url("promise-make", incident.pk), make)
        second = Promise.objects.open().get(kind=PromiseKind.ETA)
        desk.post(_url("promise-settle", second.pk), {"outcome": "met"})
        late = desk.post(_url("promise-settle", second.pk), {"outcome": "missed"})

        first.refresh_from_db()
        second.refresh_from_db()
        assert first.outcome == PromiseOutcome.WITHDRAWN
        assert second.outcome == PromiseOutcome.MET
        assert late.status_code == INVALID
        assert "settled already" in late.content.decode()

    def test_one_that_is_late_says_so(self, desk: Client, incident: Incident) -> None:
        page = desk.get(_url("promises-live", incident.pk)).content.decode()

        assert "late, due 45 min ago" in page

    def test_a_time_that_has_passed_is_not_promised(self, desk: Client, incident: Incident) -> None:
        answer = desk.post(
            _url("promise-make", incident.pk), {"kind": "eta", "due_from": "2020-01-01T00:00"}
        )

        assert answer.status_code == INVALID
        assert "passed already" in answer.content.decode()


class TestProgress:
    def test_shows_how_far_and_how_old_the_news_is(self, desk: Client, incident: Incident) -> None:
        now = timezone.now()
        ProgressReportFactory.create(
            incident=incident, key="restore-41", heartbeat_at=now, eta_low_at=now + HOUR,
            eta_high_at=now + 2 * HOUR, eta_basis="the last 60 s",
        )  # fmt: skip

        page = desk.get(_url("progress-live", incident.pk)).content.decode()

        assert '<progress max="100" value="50"' in page
        assert "the last 60 s" in page
        assert "/desk/restores/41/" in page

    def test_a_job_that_is_silent_is_said_to_be(self, desk: Client, incident: Incident) -> None:
        ProgressReportFactory.create(incident=incident, heartbeat_at=timezone.now() - 5 * MINUTE)

        page = desk.get(_url("progress-live", incident.pk)).content.decode()

        assert "No news since" in page
        assert "Ends between" not in page


class TestTemplates:
    def test_staff_put_their_own_words_and_go_back(self, desk: Client) -> None:
        url = _url("template-edit", "restore_finished")

        looked = desk.post(url, {"body": "Back up to {data_until}!", "preview": "1"})
        assert "Back up to 12 Jan 2026" in looked.content.decode()
        assert not UpdateTemplate.objects.exists()

        desk.post(url, {"body": "Back up to {data_until}!"})
        assert "your words" in desk.get(_url("template-list")).content.decode()

        desk.post(_url("template-reset", "restore_finished"))
        assert not UpdateTemplate.objects.exists()

    @pytest.mark.parametrize("body", ["{host} is back", "{percent", "{0}", "{phase.__class__}"])
    def test_a_name_that_is_not_there_is_answered(self, desk: Client, body: str) -> None:
        answer = desk.post(_url("template-edit", "restore_finished"), {"body": body})

        assert answer.status_code == INVALID
        assert not UpdateTemplate.objects.exists()

    def test_there_is_no_other_template(self, desk: Client) -> None:
        assert desk.get(_url("template-edit", "nonsense")).status_code == 404
