"""Updates that customers have not read, at the desk: saved, proposed, handed in, approved."""

import re
from datetime import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents import operations
from incidents.models import Incident, MessageTemplate, SeverityRule, StatusUpdate
from incidents.values import Phase, PromiseKind, UpdateState, Visibility, When
from tests.factories import HOUR, MINUTE, ComponentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422


@pytest.fixture
def rule(incident: Incident) -> SeverityRule:
    return SeverityRule.objects.create(severity=incident.severity, needs_approval=True)


@pytest.fixture
def other() -> Client:
    client = Client()
    client.force_login(ResponderFactory.create(username="other"))
    return client


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _update(**changes: Any) -> dict[str, Any]:
    return {"phase": "identified", "body": "It is the database.", "next_minutes": 20} | changes


def _unsent(incident: Incident) -> StatusUpdate:
    return incident.updates.exclude(state=UpdateState.PUBLISHED).get()


class TestSaving:
    def test_keeps_it_with_blanks_and_plan_and_shows_it_to_nobody(
        self, desk: Client, incident: Incident
    ) -> None:
        tours = ComponentFactory.create()

        answer = desk.post(
            _url("update-save", incident.pk),
            _update(body="Since [time] it is down.") | {f"component_{tours.pk}": "major_outage"},
            follow=True,
        )

        draft = _unsent(incident)
        page = answer.content.decode()
        assert draft.state == UpdateState.DRAFT
        assert "saved as a draft" in page
        assert "With it: Tours major outage." in page
        assert "Next update 20 min after it is published" in page

    def test_what_is_saved_is_changed_and_published(self, desk: Client, incident: Incident) -> None:
        desk.post(_url("update-save", incident.pk), _update())
        draft = _unsent(incident)
        form = desk.get(_url("draft-edit", draft.pk)).content.decode()
        assert re.search(r'name="next_minutes" value="20"', form)

        desk.post(_url("draft-edit", draft.pk), _update(body="It is the disk.", version=1))
        desk.post(_url("draft-publish", draft.pk))

        draft.refresh_from_db()
        assert (draft.state, draft.body) == (UpdateState.PUBLISHED, "It is the disk.")
        due = incident.promises.open().get(kind=PromiseKind.NEXT_UPDATE).due_at
        assert due is not None
        assert abs(due - timezone.now() - 20 * MINUTE) < MINUTE

    def test_the_form_that_was_saved_can_still_be_posted(
        self, desk: Client, incident: Incident
    ) -> None:
        desk.post(_url("update-save", incident.pk), _update(key="one-form"))

        desk.post(_url("update-post", incident.pk), _update(key="one-form", body="It is the disk."))

        newest = incident.updates.published().newest_first().first()
        assert newest is not None
        assert newest.body == "It is the disk."

    def test_a_form_that_says_something_else_by_now_is_another_update(
        self, desk: Client, incident: Incident
    ) -> None:
        for body in ("It is the database.", "It is the disk.", "It is the disk."):
            desk.post(_url("update-post", incident.pk), _update(key="one-form", body=body))
            desk.post(_url("update-save", incident.pk), _update(key="one-form", body=body))

        told = incident.updates.published().filter(phase="identified")
        assert sorted(told.values_list("body", flat=True)) == [
            "It is the database.", "It is the disk."
        ]  # fmt: skip
        assert incident.updates.filter(state=UpdateState.DRAFT).count() == 2

    def test_what_was_not_read_is_not_published(self, desk: Client, incident: Incident) -> None:
        desk.post(_url("update-save", incident.pk), _update())
        draft = _unsent(incident)
        desk.post(_url("draft-edit", draft.pk), _update(body="It is the disk.", version=1))

        page = desk.post(_url("draft-publish", draft.pk), {"version": 1}, follow=True)

        draft.refresh_from_db()
        assert draft.state == UpdateState.DRAFT
        assert "Somebody else has changed this meanwhile" in page.content.decode()

    def test_an_etas_reasons_are_shown_before_they_are_told(
        self, desk: Client, incident: Incident
    ) -> None:
        later = (timezone.now() + 26 * HOUR).strftime("%Y-%m-%dT%H:%M")
        desk.post(
            _url("update-save", incident.pk),
            _update(eta_from=later, eta_basis="Our vendor says so", eta_confidence="low"),
        )

        page = desk.get(incident.get_absolute_url()).content.decode()
        assert "(Our vendor says so), confidence low" in page

    def test_putting_away_can_be_undone(self, desk: Client, incident: Incident) -> None:
        desk.post(_url("update-save", incident.pk), _update())
        draft = _unsent(incident)

        page = desk.post(_url("draft-discard", draft.pk), follow=True).content.decode()
        assert "Put away: It is the database." in page
        desk.post(_url("draft-restore", draft.pk))

        draft.refresh_from_db()
        assert draft.state == UpdateState.DRAFT


class TestEditing:
    def test_shows_what_somebody_else_saved_meanwhile_and_keeps_what_was_typed(
        self, desk: Client, other: Client, incident: Incident
    ) -> None:
        desk.post(_url("update-save", incident.pk), _update())
        draft = _unsent(incident)
        other.post(_url("draft-edit", draft.pk), _update(body="Theirs.", version=1))

        answer = desk.post(_url("draft-edit", draft.pk), _update(body="Mine.", version=1))

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert "Somebody else has changed this meanwhile" in page
        assert "Theirs." in page
        assert "Mine." in page
        assert re.search(r'name="version" value="2"', page)
        desk.post(_url("draft-edit", draft.pk), _update(body="Mine, after all.", version=2))
        draft.refresh_from_db()
        assert draft.body == "Mine, after all."

    def test_so_does_a_correction(self, desk: Client, other: Client, incident: Incident) -> None:
        update = incident.updates.get()
        other.post(_url("update-correct", update.pk), {"body": "Theirs.", "version": 1})

        answer = desk.post(_url("update-correct", update.pk), {"body": "Mine.", "version": 1})

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert "Theirs." in page
        assert "Mine." in page
        assert re.search(r'name="version" value="2"', page)


@pytest.mark.usefixtures("rule")
class TestApproval:
    def test_posting_hands_in_and_says_so(self, desk: Client, incident: Incident) -> None:
        page = desk.post(_url("update-post", incident.pk), _update(), follow=True).content.decode()

        assert _unsent(incident).state == UpdateState.IN_REVIEW
        assert "waits for approval by somebody else" in page
        assert "Publish without approval" in page
        assert "Approve and publish" not in page

    def test_somebody_else_approves(self, desk: Client, other: Client, incident: Incident) -> None:
        desk.post(_url("update-post", incident.pk), _update())
        update = _unsent(incident)
        assert "Approve and publish" in other.get(incident.get_absolute_url()).content.decode()

        other.post(_url("update-approve", update.pk), {"version": update.version})

        update.refresh_from_db()
        assert update.approver is not None
        assert update.approver.username == "other"

    def test_ones_own_is_refused_in_words(self, desk: Client, incident: Incident) -> None:
        desk.post(_url("update-post", incident.pk), _update())

        page = desk.post(
            _url("update-approve", _unsent(incident).pk), {"version": 1}, follow=True
        ).content.decode()

        assert "Somebody else approves what you have written" in page
        assert _unsent(incident).state == UpdateState.IN_REVIEW

    @pytest.mark.usefixtures("rule")
    def test_a_version_that_is_no_number_is_answered(
        self, desk: Client, other: Client, incident: Incident
    ) -> None:
        desk.post(_url("update-post", incident.pk), _update())
        address = _url("update-approve", _unsent(incident).pk)

        assert other.post(address, {"version": "9" * 5000}).status_code == 302

    def test_a_time_that_passed_is_refused_in_words(
        self, desk: Client, other: Client, incident: Incident
    ) -> None:
        update = operations.post_status_update(
            incident_id=incident.pk, body="Soon.", phase=Phase.IDENTIFIED,
            at=timezone.now() - HOUR, author=None, next_update_at=timezone.now() - MINUTE,
        )  # fmt: skip

        page = other.post(
            _url("update-approve", update.pk), {"version": 1}, follow=True
        ).content.decode()

        assert "has passed meanwhile" in page

    def test_is_given_back_with_a_reason(
        self, desk: Client, other: Client, incident: Incident
    ) -> None:
        desk.post(_url("update-post", incident.pk), _update())
        update = _unsent(incident)

        empty = other.post(_url("update-return", update.pk), {"reason": ""})
        other.post(_url("update-return", update.pk), {"reason": "Name the tours."})

        assert empty.status_code == INVALID
        page = desk.get(incident.get_absolute_url()).content.decode()
        assert "Given back: Name the tours." in page

    def test_the_author_publishes_it_without(self, desk: Client, incident: Incident) -> None:
        desk.post(_url("update-post", incident.pk), _update())
        update = _unsent(incident)

        desk.post(_url("update-unapproved", update.pk), {"reason": "Nobody is awake."})

        update.refresh_from_db()
        assert update.unapproved_reason == "Nobody is awake."
        assert update.state == UpdateState.PUBLISHED

    def test_it_is_the_words_that_were_read(
        self, desk: Client, other: Client, incident: Incident
    ) -> None:
        desk.post(_url("update-post", incident.pk), _update())
        update = _unsent(incident)
        address, asked = _url("update-unapproved", update.pk), {"reason": "Night.", "version": 1}
        other.post(_url("draft-edit", update.pk), _update(body="It is the disk.", version=1))

        refused = desk.post(address, asked)

        assert refused.status_code == INVALID
        assert "It is the disk." in refused.content.decode()
        assert desk.post(address, asked | {"version": 2}).status_code == 302
        update.refresh_from_db()
        assert (update.state, update.body) == (UpdateState.PUBLISHED, "It is the disk.")

    def test_others_are_refused_in_words(
        self, desk: Client, other: Client, incident: Incident
    ) -> None:
        desk.post(_url("update-post", incident.pk), _update())

        answer = other.post(
            _url("update-unapproved", _unsent(incident).pk), {"reason": "I say so."}
        )

        assert answer.status_code == INVALID
        assert "only its author or the incident commander" in answer.content.decode()

    def test_resolving_waits_and_says_so(self, desk: Client, incident: Incident) -> None:
        page = desk.post(
            _url("incident-resolve", incident.pk), {"body": "All is back."}, follow=True
        ).content.decode()

        assert "is open until the last word is approved" in page
        assert _unsent(incident).phase == Phase.RESOLVED
        assert desk.get(_url("draft-edit", _unsent(incident).pk)).status_code == 200

    def test_the_whole_page_is_shown_as_if_it_were_approved(
        self, desk: Client, incident: Incident
    ) -> None:
        url = reverse("statuspage:preview-update", args=[incident.pk])

        page = desk.post(url, _update(body="Zzdatabase.")).content.decode()

        assert "Zzdatabase." in page
        assert incident.updates.count() == 1


class TestProposing:
    def test_fills_the_form_and_names_its_sources(self, desk: Client, incident: Incident) -> None:
        operations.add_entry(
            incident_id=incident.pk, text="A second team has joined", is_public=True,
            when=When(at=timezone.now()), at=timezone.now(), author=None,
        )  # fmt: skip

        page = desk.get(_url("update-propose", incident.pk)).content.decode()

        assert "A second team has joined." in page
        assert "What the proposal was made from" in page
        assert incident.updates.count() == 1

    def test_stands_behind_what_was_typed(self, desk: Client, incident: Incident) -> None:
        page = desk.post(
            _url("update-propose", incident.pk), _update(body="We are sorry.", eta_basis="luck")
        ).content.decode()

        typed = re.search(r'<textarea name="body"[^>]*>\s*(.*?)</textarea>', page, re.DOTALL)
        assert typed is not None
        assert typed[1].startswith("We are sorry.")
        assert "We are still looking into this." in typed[1]
        assert 'value="luck"' in page


class TestBlanks:
    def test_a_template_asks_for_each_of_its_blanks(self, desk: Client, incident: Incident) -> None:
        template = MessageTemplate.objects.create(
            kind="update", name="Down", body="Since [time] {part} is down; since [time]."
        )

        page = desk.post(
            _url("update-fill", incident.pk), {"template": template.pk}
        ).content.decode()
        names = dict(re.findall(r'<label for="update_(blank_\w+)">(\w+)', page))
        assert sorted(names.values()) == ["part", "time"]

        typed = {name: f"the {label}" for name, label in names.items()}
        desk.post(_url("update-post", incident.pk), _update(body=template.body) | typed)

        assert incident.updates.get(body__startswith="Since").body == (
            "Since the time the part is down; since the time."
        )

    def test_one_that_is_left_is_refused_and_asked_for(
        self, desk: Client, incident: Incident
    ) -> None:
        answer = desk.post(_url("update-post", incident.pk), _update(body="Since [time]."))

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert "This still holds [time]" in page
        assert re.search(r'name="blank_\w+"', page)
        assert incident.updates.count() == 1


class TestLong:
    def test_is_proposed_turned_on_and_kept_to(self, desk: Client, incident: Incident) -> None:
        assert (
            "Treat it as a long incident"
            not in desk.get(incident.get_absolute_url()).content.decode()
        )
        Incident.objects.update(declared_at=timezone.now() - 3 * HOUR)
        assert (
            "Treat it as a long incident" in desk.get(incident.get_absolute_url()).content.decode()
        )

        page = desk.post(
            _url("incident-long", incident.pk), {"is_long": "1"}, follow=True
        ).content.decode()

        incident.refresh_from_db()
        assert incident.is_long
        assert "long incident 240 min" in page

    def test_a_quiet_night_is_said_once(self, desk: Client, incident: Incident) -> None:
        Incident.objects.update(is_long=True)
        form = {"next_minutes": "", "next_at": "2099-01-13T08:00", "says_quiet": "on"}
        operations.set_rules(
            cadence={}, approval=[], postmortem_days={}, reminder_lead=MINUTE, duty_limit=HOUR,
            long_after=HOUR, empty_role_after=HOUR, night_begins=time(0), night_ends=time(23, 59),
            at=timezone.now(), author=None,
        )  # fmt: skip

        desk.post(_url("update-post", incident.pk), _update() | form)

        body = incident.updates.newest_first()[0].body
        assert body.count("You hear from us next by 13 January 08:00 CET.") == 1


class TestWhoMayKnow:
    def test_a_private_incidents_updates_are_not_there(
        self, desk: Client, other: Client, incident: Incident, responder: User
    ) -> None:
        desk.post(_url("update-save", incident.pk), _update())
        draft = _unsent(incident)
        Incident.objects.update(visibility=Visibility.PRIVATE)
        incident.members.add(responder)

        for name in ("draft-edit", "update-return", "update-unapproved"):
            assert other.get(_url(name, draft.pk)).status_code == 404
        for name in ("draft-publish", "update-approve", "draft-discard", "draft-restore"):
            assert other.post(_url(name, draft.pk)).status_code == 404
        for name in ("update-propose", "drafts-live"):
            assert other.get(_url(name, incident.pk)).status_code == 404
        for name in ("update-post", "update-save", "update-preview", "incident-long"):
            assert other.post(_url(name, incident.pk), _update()).status_code == 404
        assert desk.get(_url("draft-edit", draft.pk)).status_code == 200


class TestQueries:
    def test_are_as_many_for_one_draft_as_for_ten(self, desk: Client, incident: Incident) -> None:
        counts = set()
        for _each in range(3):
            desk.post(_url("update-save", incident.pk), _update(key=f"k{_each}"))
            with CaptureQueriesContext(connection) as seen:
                desk.get(_url("drafts-live", incident.pk))
            counts.add(len(seen))

        assert len(counts) == 1
