"""Updates that somebody else reads before customers do, and drafts that people put aside."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from incidents import operations, queries
from incidents.models import Component, Incident, SeverityRule, StatusUpdate
from incidents.plans import UpdatePlan
from incidents.values import (
    ComponentStatus,
    Phase,
    ProgressPhase,
    ProgressPolicy,
    ProgressState,
    PromiseKind,
    Role,
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


@pytest.fixture
def author() -> User:
    return ResponderFactory.create()


@pytest.fixture
def approver() -> User:
    return ResponderFactory.create(username="approver")


@pytest.fixture
def grave() -> Incident:
    SeverityRule.objects.create(severity=Severity.SEV1, needs_approval=True)
    found: Incident = IncidentFactory.create(severity=Severity.SEV1)
    return found


def _post(incident: Incident, author: User | None, **more: Any) -> StatusUpdate:
    asked: dict[str, Any] = {"body": "We found it.", "phase": Phase.IDENTIFIED, "at": NOON}
    return operations.post_status_update(incident_id=incident.pk, author=author, **asked | more)


class TestPosting:
    def test_waits_with_all_that_it_brings(self, grave: Incident, author: User) -> None:
        tours: Component = ComponentFactory.create()

        update = _post(
            grave,
            author,
            component_statuses={tours.pk: ComponentStatus.MAJOR_OUTAGE},
            next_update_at=NOON + HOUR,
            eta=When(at=NOON + 3 * HOUR),
            eta_basis="the copy",
        )

        grave.refresh_from_db()
        tours.refresh_from_db()
        assert update.state == UpdateState.IN_REVIEW
        assert grave.phase == Phase.INVESTIGATING
        assert tours.status == ComponentStatus.OPERATIONAL
        assert not grave.promises.exists()
        assert queries.public_incidents().get().told == []
        assert [entry.text for entry in queries.timeline(grave.pk)] == [
            "An update waits for approval."
        ]

    def test_another_severity_asks_for_nothing(self, grave: Incident, author: User) -> None:
        other = IncidentFactory.create(severity=Severity.SEV2)

        assert _post(other, author).state == UpdateState.PUBLISHED

    def test_the_same_key_again_is_the_same_update(self, grave: Incident, author: User) -> None:
        posted = {_post(grave, author, idempotency_key="k").pk for _again in range(2)}

        assert len(posted) == 1

    def test_the_end_waits_too(self, grave: Incident, author: User, approver: User) -> None:
        after = operations.resolve_incident(
            incident_id=grave.pk, body="All is back.", at=NOON, author=author
        )
        assert not after.is_resolved

        update = grave.updates.get(state=UpdateState.IN_REVIEW)
        operations.approve_update(update_id=update.pk, at=NOON + MINUTE, approver=approver)

        grave.refresh_from_db()
        assert grave.resolved_at == NOON + MINUTE

    def test_of_a_declaration_only_the_words_wait(self, grave: Incident, author: User) -> None:
        tours: Component = ComponentFactory.create()

        declared = operations.declare_incident(
            title="Down", severity=Severity.SEV1, at=NOON, author=author, body="It is down.",
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        )  # fmt: skip

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.MAJOR_OUTAGE
        assert declared.published_at is None
        assert declared.updates.get().state == UpdateState.IN_REVIEW

    def test_what_a_job_says_by_itself_is_not_held_up(self, grave: Incident) -> None:
        operations.report_event(
            incident_id=grave.pk,
            key="restore-1",
            title="Restore 1",
            event=operations.JobEvent.STARTED,
            number=1,
            progress=operations.Progress(
                state=ProgressState.RUNNING, phase=ProgressPhase.FETCHING, done=0
            ),
            at=NOON,
        )

        assert grave.updates.get().state == UpdateState.PUBLISHED

    def test_publishing_what_a_job_proposes_is_its_approval(
        self, grave: Incident, approver: User
    ) -> None:
        Incident.objects.update(progress_policy=ProgressPolicy.DRAFT)
        draft = operations.draft_status_update(
            incident_id=grave.pk, body="It goes on.", phase=Phase.IDENTIFIED, at=NOON,
            author=None, author_label="Restore 1",
        )  # fmt: skip

        operations.publish_draft(update_id=draft.pk, at=NOON, approver=approver)

        draft.refresh_from_db()
        assert (draft.state, draft.approver) == (UpdateState.PUBLISHED, approver)


class TestApproving:
    def test_publishes_with_the_plan_and_says_who(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        tours: Component = ComponentFactory.create()
        update = _post(
            grave,
            author,
            component_statuses={tours.pk: ComponentStatus.MAJOR_OUTAGE},
            next_update_in=timedelta(minutes=30),
            eta=When(at=NOON + 3 * HOUR),
            eta_basis="the copy",
            eta_confidence="low",
        )

        operations.approve_update(
            update_id=update.pk, at=NOON + 20 * MINUTE, approver=approver, version=1
        )

        update.refresh_from_db()
        grave.refresh_from_db()
        tours.refresh_from_db()
        assert (update.approver, update.approved_at) == (approver, NOON + 20 * MINUTE)
        assert update.published_at == NOON + 20 * MINUTE
        note = queries.timeline(grave.pk)[-1]
        assert (note.text, note.created_by) == ("The update was approved.", approver)
        assert grave.phase == Phase.IDENTIFIED
        assert tours.status == ComponentStatus.MAJOR_OUTAGE
        # Half an hour from when customers have read it, not from when it was written.
        due = open_promise(grave.pk, PromiseKind.NEXT_UPDATE)
        assert due is not None
        assert due.due_at == NOON + 50 * MINUTE
        eta = open_promise(grave.pk, PromiseKind.ETA)
        assert eta is not None
        assert (eta.basis, eta.confidence, eta.made_in) == ("the copy", "low", update)

    def test_is_for_somebody_else(self, grave: Incident, author: User) -> None:
        update = _post(grave, author)

        with pytest.raises(operations.ApprovesOwn):
            operations.approve_update(update_id=update.pk, at=NOON, approver=author)

    def test_is_for_the_version_that_was_read(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        update = _post(grave, author)
        _edit(update, author, body="We found something else.")

        with pytest.raises(operations.EditedMeanwhile):
            operations.approve_update(update_id=update.pk, at=NOON, approver=approver, version=1)

    def test_happens_once(self, grave: Incident, author: User, approver: User) -> None:
        update = _post(grave, author)
        operations.approve_update(update_id=update.pk, at=NOON, approver=approver)

        with pytest.raises(operations.NotInReview):
            operations.approve_update(update_id=update.pk, at=NOON, approver=approver)

    def test_a_time_that_passed_meanwhile_is_changed_first(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        update = _post(grave, author, next_update_at=NOON + HOUR)

        with pytest.raises(operations.PromisedTimePassed):
            operations.approve_update(update_id=update.pk, at=NOON + 2 * HOUR, approver=approver)
        # The approver gives a later time, which makes nobody the author of other words.
        _edit(update, approver, plan=UpdatePlan(next_update_at=NOON + 3 * HOUR))
        operations.approve_update(update_id=update.pk, at=NOON + 2 * HOUR, approver=approver)

        update.refresh_from_db()
        assert (update.author, update.approver) == (author, approver)

    def test_behind_another_update_it_is_looked_at_again(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        update = _post(grave, author, next_update_at=NOON + HOUR)
        # Published by somebody whose clock is ahead: what comes now is later than that.
        StatusUpdateFactory.create(incident=grave, published_at=NOON + 2 * HOUR)

        with pytest.raises(operations.PromisedTimePassed):
            operations.approve_update(update_id=update.pk, at=NOON, approver=approver)

        update.refresh_from_db()
        assert update.state == UpdateState.IN_REVIEW

    def test_never_moves_the_incident_back_unseen(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        update = _post(grave, author, phase=Phase.INVESTIGATING)
        Incident.objects.filter(pk=grave.pk).update(phase=Phase.MONITORING)

        operations.approve_update(update_id=update.pk, at=NOON, approver=approver)

        grave.refresh_from_db()
        assert grave.phase == Phase.MONITORING

    def test_moves_it_back_where_that_was_meant(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        Incident.objects.filter(pk=grave.pk).update(phase=Phase.MONITORING)
        update = _post(grave, author, phase=Phase.IDENTIFIED)

        operations.approve_update(update_id=update.pk, at=NOON, approver=approver)

        grave.refresh_from_db()
        assert grave.phase == Phase.IDENTIFIED

    def test_comes_too_late_after_the_end(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        update = _post(grave, author)
        Incident.objects.filter(pk=grave.pk).update(phase=Phase.RESOLVED, resolved_at=NOON)

        with pytest.raises(operations.IncidentResolved):
            operations.approve_update(update_id=update.pk, at=NOON, approver=approver)

    def test_whoever_changes_the_words_does_not_approve_them(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        update = _post(grave, author)
        _edit(update, approver, body="We found something else.")

        with pytest.raises(operations.ApprovesOwn):
            operations.approve_update(update_id=update.pk, at=NOON, approver=approver)
        operations.approve_update(update_id=update.pk, at=NOON, approver=author)

        update.refresh_from_db()
        assert (update.author, update.approver) == (approver, author)

    def test_an_etas_reasons_are_words(self, grave: Incident, author: User, approver: User) -> None:
        eta = When(at=NOON + HOUR)
        update = _post(grave, author, eta=eta)
        _edit(update, approver, plan=UpdatePlan(eta=eta, eta_basis="Our vendor says so."))

        with pytest.raises(operations.ApprovesOwn):
            operations.approve_update(update_id=update.pk, at=NOON, approver=approver)

    def test_nobody_corrects_what_waits_and_approves_it_then(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        update = _post(grave, author)

        with pytest.raises(operations.NotToldYet):
            operations.correct_status_update(
                update_id=update.pk, body="It was nothing.", at=NOON, author=approver
            )

    def test_what_a_job_said_before_something_newer_stays_unsaid(
        self, author: User, approver: User
    ) -> None:
        old, late = (
            StatusUpdateFactory.create(
                state=UpdateState.DRAFT, entry=None, published_at=None, author_label="Restore 4",
                created_at=NOON,
            )
            for _ in range(2)
        )  # fmt: skip
        operations.submit_update(update_id=late.pk, at=NOON, author=author)
        for update in (old, late):
            StatusUpdateFactory.create(
                incident=update.incident, author_label="Restore 4", created_at=NOON + HOUR
            )

        with pytest.raises(operations.DraftOutdated):
            operations.submit_update(update_id=old.pk, at=NOON + HOUR, author=author)
        with pytest.raises(operations.DraftOutdated):
            operations.approve_update(update_id=late.pk, at=NOON + HOUR, approver=approver)

    def test_a_rule_that_is_gone_asks_for_nobody_else(self, grave: Incident, author: User) -> None:
        update = _post(grave, author)
        SeverityRule.objects.all().delete()

        operations.approve_update(update_id=update.pk, at=NOON, approver=author)

        update.refresh_from_db()
        assert (update.state, update.approver) == (UpdateState.PUBLISHED, None)


class TestGivingBack:
    def test_makes_it_a_draft_again_with_the_reason(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        update = _post(grave, author)

        operations.return_update(
            update_id=update.pk, reason="Name the tours.", at=NOON, author=approver
        )

        update.refresh_from_db()
        assert (update.state, update.returned_reason) == (UpdateState.DRAFT, "Name the tours.")
        assert queries.timeline(grave.pk)[-1].text == (
            "An update was not approved: Name the tours."
        )
        again = operations.submit_update(update_id=update.pk, at=NOON, author=author)
        assert (again.state, again.returned_reason) == (UpdateState.IN_REVIEW, "")

    def test_needs_a_reason(self, grave: Incident, author: User) -> None:
        update = _post(grave, author)

        with pytest.raises(operations.ReasonMissing):
            operations.return_update(update_id=update.pk, reason=" ", at=NOON, author=author)


class TestWithoutApproval:
    def test_its_author_publishes_it_with_a_reason_that_stays(
        self, grave: Incident, author: User
    ) -> None:
        update = _post(grave, author)

        operations.publish_unapproved(
            update_id=update.pk, reason="Nobody is awake.", at=NOON + MINUTE, author=author
        )

        update.refresh_from_db()
        assert update.state == UpdateState.PUBLISHED
        assert (update.approver, update.unapproved_reason) == (None, "Nobody is awake.")
        notes = [entry for entry in queries.timeline(grave.pk) if "Nobody is awake" in entry.text]
        assert [(note.tags, note.is_public) for note in notes] == [(["approval"], False)]

    def test_so_does_the_commander(self, grave: Incident, author: User, approver: User) -> None:
        update = _post(grave, author)
        grave.roles.create(role=Role.COMMANDER, holder=approver, from_at=NOON)

        operations.publish_unapproved(
            update_id=update.pk, reason="It is urgent.", at=NOON, author=approver
        )

        update.refresh_from_db()
        assert update.state == UpdateState.PUBLISHED

    def test_others_may_not(self, grave: Incident, author: User, approver: User) -> None:
        update = _post(grave, author)

        with pytest.raises(operations.MayNotSkipApproval):
            operations.publish_unapproved(
                update_id=update.pk, reason="I say so.", at=NOON, author=approver
            )


class TestDrafts:
    def test_one_of_a_person_brings_what_was_planned(self, author: User) -> None:
        incident = IncidentFactory.create()
        draft = operations.draft_status_update(
            incident_id=incident.pk, body="Soon.", phase=Phase.MONITORING, at=NOON, author=author,
            plan=UpdatePlan(next_update_at=NOON + HOUR),
        )  # fmt: skip

        operations.publish_draft(update_id=draft.pk, at=NOON + MINUTE, approver=author)

        draft.refresh_from_db()
        assert (draft.state, draft.approver) == (UpdateState.PUBLISHED, None)
        due = open_promise(incident.pk, PromiseKind.NEXT_UPDATE)
        assert due is not None
        assert due.due_at == NOON + HOUR

    def test_ones_own_is_handed_in_where_that_is_asked_for(
        self, grave: Incident, author: User, approver: User
    ) -> None:
        own, other = (
            operations.draft_status_update(
                incident_id=grave.pk, body="Soon.", phase=Phase.IDENTIFIED, at=NOON, author=author
            )
            for _each in range(2)
        )

        mine = operations.publish_draft(update_id=own.pk, at=NOON, approver=author)
        theirs = operations.publish_draft(update_id=other.pk, at=NOON, approver=approver)

        assert mine.state == UpdateState.IN_REVIEW
        assert (theirs.state, theirs.approver) == (UpdateState.PUBLISHED, approver)

    def test_nobodys_words_are_overwritten_unread(self, author: User, approver: User) -> None:
        update = StatusUpdateFactory.create(
            state=UpdateState.DRAFT, entry=None, published_at=None, author=author
        )
        _edit(update, approver, body="Approver's words.")

        with pytest.raises(operations.EditedMeanwhile):
            _edit(update, author, body="Author's words.", version=1)

        update.refresh_from_db()
        assert (update.body, update.version) == ("Approver's words.", 2)
        assert queries.revisions(update).get().data["body"] == "We are looking into it."

    def test_one_of_a_job_that_a_person_rewrote_is_the_persons(self, author: User) -> None:
        update = StatusUpdateFactory.create(
            state=UpdateState.DRAFT, entry=None, published_at=None, author_label="Restore 4",
            translations={"nl": "Het gaat verder."},
        )  # fmt: skip

        _edit(update, author, body="It goes on, slowly.")

        update.refresh_from_db()
        assert (update.author, update.author_label, update.translations) == (author, "", {})

    def test_what_was_put_away_comes_back(self, author: User) -> None:
        update = StatusUpdateFactory.create(state=UpdateState.DRAFT, entry=None, published_at=None)
        operations.discard_draft(update_id=update.pk, at=NOON, author=author)

        operations.restore_draft(update_id=update.pk, at=NOON, author=author)

        update.refresh_from_db()
        assert update.state == UpdateState.DRAFT
        with pytest.raises(operations.NotDiscarded):
            operations.restore_draft(update_id=update.pk, at=NOON, author=author)


class TestCorrecting:
    def test_nobodys_correction_is_overwritten_unread(self) -> None:
        update = StatusUpdateFactory.create()
        operations.correct_status_update(
            update_id=update.pk, body="First.", at=NOON, author=None, version=1
        )

        with pytest.raises(operations.EditedMeanwhile):
            operations.correct_status_update(
                update_id=update.pk, body="Second.", at=NOON, author=None, version=1
            )


class TestConstraints:
    def test_nobody_approves_what_they_wrote(self, author: User) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            StatusUpdateFactory.create(author=author, approver=author)

    def test_what_is_approved_needs_no_excuse(self, author: User) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            StatusUpdateFactory.create(approver=author, unapproved_reason="Nobody is awake.")


def _edit(update: StatusUpdate, author: User, **more: Any) -> StatusUpdate:
    update.refresh_from_db()
    asked: dict[str, Any] = {
        "body": update.body,
        "phase": Phase(update.phase),
        "plan": UpdatePlan.from_json(update.plan),
    }
    return operations.edit_draft(update_id=update.pk, at=NOON, author=author, **asked | more)
