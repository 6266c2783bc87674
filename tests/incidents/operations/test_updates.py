"""Updates to customers, and the promises that they make."""

import pytest
from django.db import IntegrityError, transaction

from incidents import operations, queries
from incidents.values import (
    ComponentStatus,
    Phase,
    Precision,
    PromiseKind,
    PromiseOutcome,
    Severity,
    UpdateState,
    When,
)
from tests.factories import (
    HOUR,
    MINUTE,
    NOON,
    ComponentFactory,
    IncidentFactory,
    ResponderFactory,
    StatusUpdateFactory,
)
from tests.incidents.promised import open_promise

pytestmark = pytest.mark.django_db


class TestPostStatusUpdate:
    def test_moves_the_phase_and_leaves_entries(self) -> None:
        incident = IncidentFactory.create()

        operations.post_status_update(
            incident_id=incident.pk,
            body="We found it.",
            phase=Phase.IDENTIFIED,
            at=NOON + HOUR,
            author=None,
        )

        incident.refresh_from_db()
        assert incident.phase == Phase.IDENTIFIED
        assert incident.first_update_at == NOON + HOUR
        assert [entry.kind for entry in queries.timeline(incident.pk)] == ["update", "phase"]

    def test_keeps_the_promise_of_the_next_update(self) -> None:
        incident = IncidentFactory.create(severity=Severity.SEV1)
        for minutes in (0, 8, 30):
            operations.post_status_update(
                incident_id=incident.pk,
                body="Still on it.",
                phase=Phase.INVESTIGATING,
                at=NOON + minutes * MINUTE,
                author=None,
            )

        promises = incident.promises.order_by("made_at")
        assert [promise.outcome for promise in promises] == ["met", "missed", "open"]

    def test_records_what_it_said_of_components(self) -> None:
        incident = IncidentFactory.create()
        component = ComponentFactory.create()

        update = operations.post_status_update(
            incident_id=incident.pk,
            body="Partly down.",
            phase=Phase.IDENTIFIED,
            at=NOON,
            author=None,
            component_statuses={component.pk: ComponentStatus.PARTIAL_OUTAGE},
        )

        change = update.component_changes.get()
        assert (change.old_status, change.new_status) == ("operational", "partial_outage")
        assert list(incident.components.all()) == [component]

    def test_the_same_key_again_is_the_same_update(self) -> None:
        incident = IncidentFactory.create()
        posted = {
            operations.post_status_update(
                incident_id=incident.pk,
                body="Once.",
                phase=Phase.IDENTIFIED,
                at=NOON,
                author=None,
                idempotency_key="job-1",
            ).pk
            for _ in range(2)
        }

        assert len(posted) == 1

    def test_is_refused_when_the_incident_is_over(self) -> None:
        incident = IncidentFactory.create(over=True)

        with pytest.raises(operations.IncidentResolved):
            operations.post_status_update(
                incident_id=incident.pk, body="?", phase=Phase.MONITORING, at=NOON, author=None
            )

    def test_an_eta_becomes_a_promise(self) -> None:
        incident = IncidentFactory.create()

        operations.post_status_update(
            incident_id=incident.pk,
            body="Back by the end of the day.",
            phase=Phase.IDENTIFIED,
            at=NOON,
            author=None,
            eta=When(at=NOON.replace(hour=0), precision=Precision.DAY, said="end of the day"),
        )

        promise = open_promise(incident.pk, PromiseKind.ETA)
        assert promise is not None
        assert promise.expires_at == NOON + 12 * HOUR


class TestDrafts:
    def test_are_not_seen_until_approved(self) -> None:
        incident = IncidentFactory.create(untold=True)
        approver = ResponderFactory.create()

        draft = operations.draft_status_update(
            incident_id=incident.pk, body="Draft.", phase=Phase.IDENTIFIED, at=NOON, author=None
        )
        assert not queries.public_incidents().exists()

        operations.publish_draft(update_id=draft.pk, at=NOON + MINUTE, approver=approver)
        draft.refresh_from_db()
        assert queries.public_incidents().get().told[0] == draft
        assert draft.approver == approver

    def test_cannot_be_published_twice_or_after_being_discarded(self) -> None:
        incident = IncidentFactory.create()
        draft = operations.draft_status_update(
            incident_id=incident.pk, body="Draft.", phase=Phase.IDENTIFIED, at=NOON, author=None
        )
        operations.discard_draft(update_id=draft.pk, at=NOON, author=None)

        with pytest.raises(operations.NotADraft):
            operations.publish_draft(update_id=draft.pk, at=NOON, approver=None)


class TestCorrectStatusUpdate:
    def test_shows_that_it_was_edited_and_keeps_what_it_said(self) -> None:
        update = StatusUpdateFactory.create(body="Started at 00:30.")

        operations.correct_status_update(
            update_id=update.pk, body="Started at 00:14.", at=NOON + HOUR, author=None
        )

        update.refresh_from_db()
        assert update.edited_at == NOON + HOUR
        assert queries.revisions(update).get().data["body"] == "Started at 00:30."
        assert update.entry is not None
        assert update.entry.text == "Started at 00:14."


class TestSettleDuePromises:
    def test_the_clock_marks_them_missed_and_says_so(self) -> None:
        incident = IncidentFactory.create()
        promise = operations.make_promise(
            incident_id=incident.pk,
            kind=PromiseKind.ETA,
            due=When(at=NOON, until=NOON + HOUR),
            at=NOON,
            author=None,
            basis="a guess",
        )

        assert operations.settle_due_promises(at=NOON + HOUR) == 0
        assert operations.settle_due_promises(at=NOON + HOUR + MINUTE) == 1
        assert operations.settle_due_promises(at=NOON + 2 * HOUR) == 0

        promise.refresh_from_db()
        assert promise.outcome == PromiseOutcome.MISSED
        assert promise.settled_by is not None
        assert "missed" in promise.settled_by.text

    def test_leaves_a_vague_promise_to_people(self) -> None:
        incident = IncidentFactory.create()
        promise = operations.make_promise(
            incident_id=incident.pk,
            kind=PromiseKind.ETA,
            due=When.unknown("in the next hours"),
            at=NOON,
            author=None,
        )

        assert operations.settle_due_promises(at=NOON + 1000 * HOUR) == 0

        operations.settle_promise(
            promise_id=promise.pk, outcome=PromiseOutcome.MISSED, at=NOON, author=None
        )
        with pytest.raises(operations.PromiseSettled):
            operations.withdraw_promise(promise_id=promise.pk, reason="late", at=NOON, author=None)

    def test_a_new_eta_replaces_the_old_one_which_stays_on_record(self) -> None:
        incident = IncidentFactory.create()
        given = [
            operations.make_promise(
                incident_id=incident.pk,
                kind=PromiseKind.ETA,
                due=When(at=NOON + hours * HOUR),
                at=NOON,
                author=None,
            )
            for hours in (1, 2)
        ]

        given[0].refresh_from_db()
        assert given[0].outcome == PromiseOutcome.SUPERSEDED
        assert given[0].replaced_by == given[1]


class TestConstraints:
    @pytest.mark.parametrize(
        "broken",
        [{"published_at": None}, {"state": "draft"}, {"body": ""}, {"entry": None}],
    )
    def test_the_database_refuses(self, broken: dict[str, object]) -> None:
        incident = IncidentFactory.create()
        with pytest.raises(IntegrityError), transaction.atomic():
            StatusUpdateFactory.create(incident=incident, **broken)

    def test_a_draft_needs_no_entry(self) -> None:
        draft = StatusUpdateFactory.create(state=UpdateState.DRAFT, entry=None, published_at=None)

        assert draft.pk
