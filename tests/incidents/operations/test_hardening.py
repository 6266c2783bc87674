"""What a critic found: each of these was seen to go wrong once."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from incidents import operations
from incidents.models import Component, Incident, Promise
from incidents.values import (
    ComponentStatus,
    Milestone,
    Phase,
    Precision,
    PromiseKind,
    PromiseOutcome,
    Severity,
    Source,
    When,
)
from tests.factories import (
    HOUR,
    MINUTE,
    NOON,
    ComponentFactory,
    IncidentFactory,
    StatusUpdateFactory,
    TimelineEntryFactory,
)
from tests.incidents.promised import open_promise

pytestmark = pytest.mark.django_db


def _struck(component: Component, *, title: str) -> Incident:
    return operations.declare_incident(
        title=title,
        severity=Severity.SEV2,
        at=NOON,
        author=None,
        body="We know.",
        components={component.pk: ComponentStatus.MAJOR_OUTAGE},
    )


def test_resolving_one_incident_leaves_what_another_holds_down() -> None:
    component = ComponentFactory.create()
    first, _second = (_struck(component, title=title) for title in ("one", "two"))

    operations.resolve_incident(incident_id=first.pk, body="Over.", at=NOON, author=None)

    component.refresh_from_db()
    assert component.status == ComponentStatus.MAJOR_OUTAGE


def test_a_vague_eta_is_judged_by_a_person_also_after_the_end() -> None:
    incident = IncidentFactory.create()
    promise = operations.make_promise(
        incident_id=incident.pk,
        kind=PromiseKind.ETA,
        due=When.unknown("in the next hours"),
        at=NOON,
        author=None,
    )

    operations.resolve_incident(
        incident_id=incident.pk, body="Over.", at=NOON + 99 * HOUR, author=None
    )

    promise.refresh_from_db()
    assert promise.outcome == PromiseOutcome.OPEN
    operations.settle_promise(
        promise_id=promise.pk, outcome=PromiseOutcome.MISSED, at=NOON, author=None
    )


def test_an_old_draft_of_a_job_is_not_published_after_a_newer_one() -> None:
    incident = IncidentFactory.create()
    drafts = [
        operations.draft_status_update(
            incident_id=incident.pk,
            body=f"{minutes}",
            phase=phase,
            at=NOON + minutes * MINUTE,
            author=None,
            author_label="Restore",
        )
        for minutes, phase in ((0, Phase.IDENTIFIED), (9, Phase.MONITORING))
    ]
    operations.publish_draft(update_id=drafts[1].pk, at=NOON + HOUR, approver=None)

    with pytest.raises(operations.DraftOutdated):
        operations.publish_draft(update_id=drafts[0].pk, at=NOON + HOUR, approver=None)


def test_a_draft_never_moves_the_incident_back() -> None:
    incident = IncidentFactory.create(phase=Phase.MONITORING)
    draft = operations.draft_status_update(
        incident_id=incident.pk, body="?", phase=Phase.IDENTIFIED, at=NOON, author=None
    )

    operations.publish_draft(update_id=draft.pk, at=NOON, approver=None)

    incident.refresh_from_db()
    assert incident.phase == Phase.MONITORING


def test_an_update_that_got_the_lock_later_is_later() -> None:
    incident = IncidentFactory.create()
    for seconds, phase in ((2, Phase.MONITORING), (1, Phase.IDENTIFIED)):
        operations.post_status_update(
            incident_id=incident.pk,
            body=phase,
            phase=phase,
            at=NOON + seconds * MINUTE / 60,
            author=None,
        )

    incident.refresh_from_db()
    assert incident.updates.newest_first()[0].phase == incident.phase


def test_a_promise_on_a_resolved_incident_is_refused() -> None:
    incident = IncidentFactory.create(over=True)

    with pytest.raises(operations.IncidentResolved):
        operations.make_promise(
            incident_id=incident.pk,
            kind=PromiseKind.ETA,
            due=When(at=NOON + HOUR),
            at=NOON,
            author=None,
        )


def test_a_next_update_in_the_past_is_refused() -> None:
    incident = IncidentFactory.create()

    with pytest.raises(operations.DueInThePast):
        operations.post_status_update(
            incident_id=incident.pk,
            body="?",
            phase=Phase.IDENTIFIED,
            at=NOON,
            author=None,
            next_update_at=NOON - HOUR,
        )


def test_who_waited_for_the_lock_promises_nothing_that_has_passed() -> None:
    incident = IncidentFactory.create()
    StatusUpdateFactory.create(incident=incident, published_at=NOON + 10 * MINUTE)
    asked: dict[str, Any] = {"body": "?", "phase": Phase.IDENTIFIED, "at": NOON, "author": None}

    with pytest.raises(operations.PromisedTimePassed):
        operations.post_status_update(
            incident_id=incident.pk, next_update_at=NOON + 5 * MINUTE, **asked
        )
    operations.post_status_update(incident_id=incident.pk, next_update_in=5 * MINUTE, **asked)

    # A stretch counts from when customers read it.
    due = open_promise(incident.pk, PromiseKind.NEXT_UPDATE)
    assert due is not None
    assert due.due_at == NOON + 15 * MINUTE


class TestReopening:
    def _promise(self, incident: Incident) -> Promise:
        return operations.make_promise(
            incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=NOON + 2 * HOUR), at=NOON,
            author=None,
        )  # fmt: skip

    def _end_and_reopen(self, incident: Incident, *, after: timedelta = HOUR) -> None:
        operations.resolve_incident(incident_id=incident.pk, body="Over.", at=NOON, author=None)
        operations.reopen_incident(
            incident_id=incident.pk, reason="again", at=NOON + after, author=None
        )

    def test_opens_the_eta_that_the_end_had_kept(self) -> None:
        incident = IncidentFactory.create()
        eta = self._promise(incident)

        self._end_and_reopen(incident)

        eta.refresh_from_db()
        assert (eta.outcome, eta.settled_at, eta.settled_by) == (PromiseOutcome.OPEN, None, None)
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=NOON + 90 * MINUTE, author=None
        )
        eta.refresh_from_db()
        assert eta.outcome == PromiseOutcome.MET

    def test_leaves_one_that_has_passed_meanwhile_to_the_clock(self) -> None:
        incident = IncidentFactory.create()
        eta = self._promise(incident)

        self._end_and_reopen(incident, after=3 * HOUR)
        operations.settle_due_promises(at=NOON + 3 * HOUR)

        eta.refresh_from_db()
        assert (eta.outcome, eta.settled_at) == (PromiseOutcome.MISSED, NOON + 2 * HOUR)

    def test_leaves_what_the_end_did_not_settle(self) -> None:
        incident = IncidentFactory.create()
        judged = self._promise(incident)
        operations.settle_promise(
            promise_id=judged.pk, outcome=PromiseOutcome.MET, at=NOON, author=None
        )
        update = operations.post_status_update(
            incident_id=incident.pk, body="?", phase=Phase.IDENTIFIED, at=NOON, author=None
        )

        self._end_and_reopen(incident)

        outcomes = [judged, update.promises.get()]
        for promise in outcomes:
            promise.refresh_from_db()
        # The last word was the update that had been promised.
        assert [promise.outcome for promise in outcomes] == [PromiseOutcome.MET] * 2


def test_reopening_promises_the_next_update() -> None:
    incident = IncidentFactory.create(over=True)

    operations.reopen_incident(incident_id=incident.pk, reason="again", at=NOON, author=None)

    assert open_promise(incident.pk, PromiseKind.NEXT_UPDATE) is not None


def test_reopening_tells_customers_who_knew() -> None:
    incident = IncidentFactory.create(over=True)

    operations.reopen_incident(incident_id=incident.pk, reason="alarm", at=NOON, author=None)

    told = incident.updates.published().get()
    assert told.phase == Phase.INVESTIGATING
    assert "open again" in told.body
    assert "alarm" not in told.body
    assert set(told.translations) == {"nl", "de", "fr"}


def test_reopening_speaks_to_customers_whatever_the_desk_speaks() -> None:
    incident = IncidentFactory.create(over=True)

    with translation.override("nl"):
        operations.reopen_incident(incident_id=incident.pk, reason="alarm", at=NOON, author=None)

    told = incident.updates.published().get()
    assert told.body == "This incident is open again. We are looking into it."
    assert told.translations["nl"] == "Deze storing is weer open. We zoeken het uit."


def test_reopening_is_refused_while_another_has_the_key() -> None:
    over = IncidentFactory.create(over=True, dedup_key="pg")
    IncidentFactory.create(dedup_key="pg")

    with pytest.raises(operations.AlreadyDeclared):
        operations.reopen_incident(incident_id=over.pk, reason="?", at=NOON, author=None)


def test_an_external_id_belongs_to_one_incident() -> None:
    entry = TimelineEntryFactory.create(source=Source.API, external_id="alert-1")
    other = IncidentFactory.create()

    with pytest.raises(operations.ExternalIdTaken):
        operations.add_entry(
            incident_id=other.pk,
            text="?",
            when=When(at=NOON),
            at=NOON,
            author=None,
            source=Source.API,
            external_id=entry.external_id,
        )


def test_what_customers_were_told_is_corrected_as_an_update() -> None:
    update = StatusUpdateFactory.create()
    assert update.entry is not None

    with pytest.raises(operations.CorrectTheUpdate):
        operations.edit_entry(entry_id=update.entry.pk, at=NOON, author=None, text="?")


def test_the_end_is_marked_by_resolving() -> None:
    incident = IncidentFactory.create()

    with pytest.raises(operations.ResolveInstead):
        operations.add_entry(
            incident_id=incident.pk,
            text="?",
            when=When(at=NOON),
            at=NOON,
            author=None,
            milestone=Milestone.RESOLVED,
        )


def test_moving_the_entry_of_the_end_moves_the_end() -> None:
    incident = IncidentFactory.create()
    operations.resolve_incident(incident_id=incident.pk, body="Over.", at=NOON, author=None)
    end = incident.entries.get(milestone=Milestone.RESOLVED)

    operations.edit_entry(entry_id=end.pk, at=NOON, author=None, when=When(at=NOON - HOUR))

    incident.refresh_from_db()
    assert incident.resolved_at == NOON - HOUR


def test_a_title_is_one_line() -> None:
    incident = operations.declare_incident(
        title="Tours\ndo not open", severity=Severity.SEV2, at=NOON, author=None
    )

    assert incident.title == "Tours do not open"


@pytest.mark.parametrize(
    ("when", "latest"),
    [
        (When(at=NOON.replace(year=9999), precision=Precision.YEAR), None),
        (
            When(at=NOON.replace(day=1), until=NOON.replace(month=3, day=1),
                 precision=Precision.MONTH),
            NOON.replace(month=4, day=1, hour=0),
        ),
        (
            # The clocks go back in this night: the day has 25 hours.
            When(at=NOON.replace(month=10, day=24, hour=22), precision=Precision.DAY,
                 tz="Europe/Amsterdam"),
            NOON.replace(month=10, day=25, hour=23),
        ),
    ],
)  # fmt: skip
def test_a_coarse_time_ends_with_its_last_part(when: When, latest: object) -> None:
    assert when.latest == latest


@pytest.mark.django_db(transaction=True)
def test_of_two_declared_at_once_with_one_key_one_stands() -> None:
    answers: list[str] = []
    start = threading.Barrier(4)

    def declare() -> None:
        start.wait(timeout=10)
        try:
            operations.declare_incident(
                title="Down", severity=Severity.SEV1, at=NOON, author=None, dedup_key="pg"
            )
            answers.append("declared")
        except operations.AlreadyDeclared:
            answers.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=declare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert sorted(answers) == ["declared", "refused", "refused", "refused"]
