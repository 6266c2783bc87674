"""What a job pushes: one report, sparse updates, promises kept in its name."""

from dataclasses import replace
from typing import Any

import pytest

from incidents import operations, queries
from incidents.models import Component, Incident, ProgressReport, UpdateTemplate
from incidents.operations import JobEvent, Progress
from incidents.values import (
    ComponentStatus,
    IncidentKind,
    Looked,
    Phase,
    ProgressPhase,
    ProgressPolicy,
    ProgressState,
    PromiseKind,
    PromiseOutcome,
    Severity,
    Visibility,
    When,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, IncidentFactory
from tests.incidents.promised import open_promise

pytestmark = pytest.mark.django_db

HALF = Progress(
    phase=ProgressPhase.FETCHING,
    done=50_000_000,
    total=100_000_000,
    unit="bytes",
    rate=1_000_000.0,
    eta_low_at=NOON + 10 * MINUTE,
    eta_high_at=NOON + 20 * MINUTE,
    eta_basis="the rate of the last minute",
    data_until_at=NOON - HOUR,
    is_checked=True,
)


def _report(incident: Incident, progress: Progress, *, minutes: int = 0) -> ProgressReport:
    return operations.report_progress(
        incident_id=incident.pk,
        key="restore-1",
        title="Restore 1",
        progress=progress,
        at=NOON + minutes * MINUTE,
    )


def _event(incident: Incident, event: JobEvent, progress: Progress, *, number: int = 1) -> None:
    operations.report_event(
        incident_id=incident.pk,
        key="restore-1",
        title="Restore 1",
        event=event,
        number=number,
        progress=progress,
        at=NOON,
    )


def _told(incident: Incident) -> list[str]:
    return [update.body for update in incident.updates.published().newest_first()]


class TestTheFirstWordToCustomers:
    """Nobody is there to say how components are: the job's own first update does."""

    def _begin(self, *, is_slow: bool = False, **fields: object) -> Component:
        slow, works = ComponentStatus.DEGRADED_PERFORMANCE, ComponentStatus.OPERATIONAL
        tours: Component = ComponentFactory.create(status=slow if is_slow else works)
        incident = IncidentFactory.create(untold=True, **{"severity": Severity.SEV1} | fields)
        incident.components.set([tours])
        _event(incident, JobEvent.STARTED, HALF)
        tours.refresh_from_db()
        return tours

    @pytest.mark.parametrize(
        ("severity", "status"),
        [
            (Severity.SEV1, ComponentStatus.MAJOR_OUTAGE),
            (Severity.SEV2, ComponentStatus.PARTIAL_OUTAGE),
            (Severity.SEV3, ComponentStatus.OPERATIONAL),
        ],
    )
    def test_says_what_the_severity_implies(
        self, severity: Severity, status: ComponentStatus
    ) -> None:
        tours = self._begin(severity=severity)

        assert tours.status == status
        update = Incident.objects.get().updates.published().get()
        said = list(update.component_changes.values_list("new_status", flat=True))
        assert said == ([] if severity == Severity.SEV3 else [status])

    def test_leaves_what_staff_have_said(self) -> None:
        assert self._begin(is_slow=True).status == ComponentStatus.DEGRADED_PERFORMANCE

    @pytest.mark.parametrize(
        "kept_apart",
        [
            {"visibility": Visibility.INTERNAL},
            {"visibility": Visibility.PRIVATE},
            {"kind": IncidentKind.DRILL},
        ],
    )
    def test_says_nothing_where_customers_read_nothing(self, kept_apart: dict[str, Any]) -> None:
        assert self._begin(**kept_apart).status == ComponentStatus.OPERATIONAL

    def test_says_it_once(self) -> None:
        tours = self._begin()
        operations.set_component_status(
            component_id=tours.pk, status=ComponentStatus.OPERATIONAL, at=NOON + MINUTE
        )

        _event(Incident.objects.get(), JobEvent.WAITING, HALF)

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.OPERATIONAL

    def test_of_a_restore_that_is_over_says_nothing_of_an_outage(self) -> None:
        incident = IncidentFactory.create(untold=True, severity=Severity.SEV1)
        tours = ComponentFactory.create()
        incident.components.set([tours])

        _event(incident, JobEvent.FINISHED, replace(HALF, state=ProgressState.SUCCEEDED))

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.OPERATIONAL

    def test_goes_with_the_draft_where_staff_look_at_it_first(self) -> None:
        tours = self._begin(progress_policy=ProgressPolicy.DRAFT)
        assert tours.status == ComponentStatus.OPERATIONAL
        draft = Incident.objects.get().updates.get()

        operations.publish_draft(update_id=draft.pk, at=NOON + MINUTE, approver=None)

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.MAJOR_OUTAGE


class TestSeveralRestores:
    def event(
        self, incident: Incident, key: str, event: JobEvent, state: ProgressState, subject: str = ""
    ) -> None:
        operations.report_event(
            incident_id=incident.pk, key=key, title="Database restore", event=event, number=1,
            progress=replace(HALF, state=state, subject=subject), at=NOON,
        )  # fmt: skip

    def test_one_that_failed_keeps_the_other_databases_from_saying_that_all_is_back(self) -> None:
        incident = IncidentFactory.create()
        for key, subject in (("restore-1", "A"), ("restore-2", "B")):
            self.event(incident, key, JobEvent.STARTED, ProgressState.RUNNING, subject)
        self.event(incident, "restore-1", JobEvent.FAILED, ProgressState.FAILED, "A")
        self.event(incident, "restore-2", JobEvent.FINISHED, ProgressState.SUCCEEDED, "B")

        incident.refresh_from_db()
        assert incident.phase == Phase.IDENTIFIED
        assert not any("is back" in told for told in _told(incident))

        self.event(incident, "restore-3", JobEvent.FINISHED, ProgressState.SUCCEEDED, "A")

        incident.refresh_from_db()
        assert incident.phase == Phase.MONITORING
        assert "is back and has been checked" in _told(incident)[0]

    def test_one_that_failed_after_it_had_been_back_once_holds_it_back(self) -> None:
        incident = IncidentFactory.create()
        self.event(incident, "restore-1", JobEvent.FINISHED, ProgressState.SUCCEEDED, "A")
        self.event(incident, "restore-2", JobEvent.FAILED, ProgressState.FAILED, "A")
        before = _told(incident)

        self.event(incident, "restore-3", JobEvent.FINISHED, ProgressState.SUCCEEDED, "B")

        assert _told(incident) == before

    def test_one_that_failed_does_not_silence_the_one_that_did_it(self) -> None:
        incident = IncidentFactory.create()
        for key in ("restore-1", "restore-2"):
            self.event(incident, key, JobEvent.STARTED, ProgressState.RUNNING)
        self.event(incident, "restore-1", JobEvent.FAILED, ProgressState.FAILED)
        self.event(incident, "restore-2", JobEvent.FINISHED, ProgressState.SUCCEEDED)

        incident.refresh_from_db()
        assert incident.phase == Phase.MONITORING
        assert "is back and has been checked" in _told(incident)[0]

    @pytest.mark.parametrize("state", [ProgressState.RUNNING, ProgressState.WAITING])
    def test_one_at_work_keeps_the_other_from_saying_that_all_is_back(
        self, state: ProgressState
    ) -> None:
        incident = IncidentFactory.create()
        for key in ("restore-1", "restore-2"):
            self.event(incident, key, JobEvent.STARTED, state)
        self.event(incident, "restore-2", JobEvent.FINISHED, ProgressState.SUCCEEDED)

        incident.refresh_from_db()
        assert incident.phase == Phase.IDENTIFIED


class TestReportProgress:
    def test_edits_one_row_in_place(self) -> None:
        incident = IncidentFactory.create()

        for done in (10, 20, 30):
            _report(incident, replace(HALF, done=done, total=100))

        report = incident.progress_reports.get()
        assert report.percent == 30
        assert report.started_at == NOON

    def test_is_no_update_each_time(self) -> None:
        incident = IncidentFactory.create()

        for minutes in range(5):
            _report(incident, HALF, minutes=minutes)

        assert _told(incident) == []
        assert not incident.entries.exists()

    def test_the_first_eta_is_a_promise(self) -> None:
        incident = IncidentFactory.create()

        _report(incident, HALF)

        promise = open_promise(incident.pk, PromiseKind.ETA)
        assert promise is not None
        assert (promise.due_at, promise.due_until) == (HALF.eta_low_at, HALF.eta_high_at)
        assert promise.made_by_job == "restore-1"

    def test_an_eta_that_moved_by_a_fifth_is_told(self) -> None:
        incident = IncidentFactory.create()
        _report(incident, HALF)

        _report(incident, replace(HALF, eta_high_at=NOON + 21 * MINUTE), minutes=1)
        assert _told(incident) == []

        _report(incident, replace(HALF, eta_high_at=NOON + 60 * MINUTE), minutes=2)
        assert _told(incident) == [
            (
                "Our estimate has changed. We expect to be done between 12 January 12:10 UTC "
                "and 12 January 13:00 UTC."
            )
        ]

    def test_a_missed_eta_is_owned_up_to(self) -> None:
        incident = IncidentFactory.create()
        _report(incident, HALF)
        operations.settle_due_promises(at=NOON + 30 * MINUTE)

        later = replace(HALF, eta_low_at=NOON + 40 * MINUTE, eta_high_at=NOON + 50 * MINUTE)
        _report(incident, later, minutes=31)

        assert len(_told(incident)) == 1
        assert _told(incident)[0].startswith("The time that we gave has passed")
        outcomes = incident.promises.filter(kind=PromiseKind.ETA).order_by("made_at")
        assert [promise.outcome for promise in outcomes] == ["missed", "open"]
        assert outcomes[0].replaced_by == outcomes[1]

    def test_leaves_a_persons_eta_alone(self) -> None:
        incident = IncidentFactory.create()
        own = operations.make_promise(
            incident_id=incident.pk,
            kind=PromiseKind.ETA,
            due=When(at=NOON + 5 * HOUR),
            at=NOON,
            author=None,
        )

        _report(incident, HALF)

        own.refresh_from_db()
        assert own.outcome == PromiseOutcome.OPEN

    def test_speaks_before_the_next_update_is_due(self) -> None:
        incident = IncidentFactory.create(severity="sev1")
        operations.post_status_update(
            incident_id=incident.pk, body="On it.", phase=Phase.IDENTIFIED, at=NOON, author=None
        )

        _report(incident, HALF, minutes=5)
        assert len(_told(incident)) == 1

        _report(incident, HALF, minutes=9)
        assert "copying the backup, 50 %" in _told(incident)[0]

    def test_never_shows_more_done_than_there_is(self) -> None:
        incident = IncidentFactory.create()

        report = _report(incident, replace(HALF, done=200, total=100))

        assert report.percent == 100


class TestReportEvent:
    def test_the_start_is_an_entry_and_an_update(self) -> None:
        incident = IncidentFactory.create()

        _event(incident, JobEvent.STARTED, HALF)

        incident.refresh_from_db()
        assert incident.phase == Phase.IDENTIFIED
        assert "started to bring the data back" in _told(incident)[0]
        first = queries.timeline(incident.pk)[0]
        assert first.text == (
            "Restore started: everything up to 12 January 11:00 UTC shall come back."
        )

    def test_delivered_twice_is_written_once(self) -> None:
        incident = IncidentFactory.create()

        for _ in range(2):
            _event(incident, JobEvent.STARTED, HALF)

        assert len(_told(incident)) == 1
        assert incident.entries.filter(kind="job").count() == 1

    def test_only_the_first_broken_attempt_is_an_update(self) -> None:
        incident = IncidentFactory.create()

        for number in (1, 2, 3):
            _event(incident, JobEvent.ATTEMPT_FAILED, HALF, number=number)

        assert len(_told(incident)) == 1
        assert incident.entries.filter(kind="job", outcome="failed").count() == 3

    def test_the_end_moves_the_incident_to_monitoring_and_meets_the_eta(self) -> None:
        incident = IncidentFactory.create()
        _report(incident, HALF)

        _event(incident, JobEvent.FINISHED, replace(HALF, state=ProgressState.SUCCEEDED))

        incident.refresh_from_db()
        assert incident.phase == Phase.MONITORING
        assert incident.promises.get(kind=PromiseKind.ETA).outcome == PromiseOutcome.MET
        assert incident.progress_reports.get().ended_at == NOON
        assert "All data up to 12 January 11:00 UTC is back" in _told(incident)[0]

    def test_what_was_not_looked_at_in_full_is_not_said_to_be_checked(self) -> None:
        incident = IncidentFactory.create()

        unsure = replace(HALF, state=ProgressState.SUCCEEDED, is_checked=False)
        _event(incident, JobEvent.FINISHED, unsure)

        incident.refresh_from_db()
        assert incident.phase == Phase.MONITORING
        update = incident.updates.published().get()
        assert update.body == (
            "All data up to 12 January 11:00 UTC is back, and could not be checked in full. "
            "We are watching the service."
        )
        assert set(update.translations) == {"nl", "de", "fr"}
        assert "not checked in full" in queries.timeline(incident.pk)[0].text

    def test_newer_work_that_was_kept_makes_nothing_checked(self) -> None:
        incident = IncidentFactory.create()

        unsure = replace(HALF, state=ProgressState.SUCCEEDED, is_checked=False, has_kept=True)
        _event(incident, JobEvent.FINISHED, unsure)

        incident.refresh_from_db()
        assert incident.phase == Phase.MONITORING
        update = incident.updates.published().get()
        assert update.body == (
            "All data up to 12 January 11:00 UTC is back, except where newer work was kept in its "
            "place, and could not be checked in full. We are watching the service."
        )
        assert set(update.translations) == {"nl", "de", "fr"}
        assert "not checked in full" in queries.timeline(incident.pk)[0].text

    @pytest.mark.parametrize(
        ("looked", "words"),
        [
            (None, "checked. We are"),
            (Looked(), "checked. We are"),
            (Looked(tables=True), "checked. Every table was counted. We are"),
            (Looked(own=2, own_of=3), "checked. 2 of 3 checks of our own passed. We are"),
            (
                Looked(tables=True, indexes=True, pages=True, own=1, own_of=1),
                (
                    "checked. Every table was counted. Every table and every index of the usual "
                    "kind was found sound. Every page was read. 1 of 1 check of our own passed. "
                    "We are"
                ),
            ),
        ],
    )
    def test_claims_what_was_looked_at_and_no_more(self, looked: Looked, words: str) -> None:
        incident = IncidentFactory.create()

        done = replace(HALF, state=ProgressState.SUCCEEDED, looked=looked)
        _event(incident, JobEvent.FINISHED, done)

        assert words in _told(incident)[0]

    def test_waits_for_approval_where_staff_want_that(self) -> None:
        incident = IncidentFactory.create(progress_policy=ProgressPolicy.DRAFT)

        _event(incident, JobEvent.STARTED, HALF)

        assert _told(incident) == []
        assert queries.drafts(incident.pk).get().author_label == "Restore 1"

    def test_speaks_in_staffs_words_where_they_wrote_any(self) -> None:
        incident = IncidentFactory.create(tz="Europe/Amsterdam")
        UpdateTemplate.objects.create(
            code="restore_finished", body="Back up to {data_until}. {nonsense} {data_until.year}"
        )

        done = replace(HALF, state=ProgressState.SUCCEEDED)
        _event(incident, JobEvent.FINISHED, done)

        assert _told(incident)[0] == UpdateTemplate.objects.get().body
        UpdateTemplate.objects.update(body="Back up to {data_until}. {nonsense}")
        _event(incident, JobEvent.FINISHED, done, number=2)
        assert _told(incident)[0] == "Back up to 12 January 12:00 CET. {nonsense}"


class TestWhatAJobOwesCustomers:
    """Each of these was seen to go wrong once."""

    def test_a_missed_next_update_does_not_silence_it(self) -> None:
        incident = IncidentFactory.create(severity="sev1")
        _event(incident, JobEvent.STARTED, HALF)
        operations.settle_due_promises(at=NOON + HOUR)

        _report(incident, replace(HALF, eta_low_at=None, eta_high_at=None), minutes=61)

        assert len(_told(incident)) == 2
        assert open_promise(incident.pk, PromiseKind.NEXT_UPDATE) is not None

    def test_it_speaks_also_while_it_waits(self) -> None:
        incident = IncidentFactory.create(severity="sev1")
        _event(incident, JobEvent.STARTED, HALF)

        waiting = replace(HALF, state=ProgressState.WAITING, eta_low_at=None, eta_high_at=None)
        for minutes in range(1, 31):
            _report(incident, waiting, minutes=minutes)

        assert len(_told(incident)) == 4
        assert not incident.promises.filter(outcome=PromiseOutcome.MISSED).exists()

    def test_a_trembling_eta_is_no_flood(self) -> None:
        incident = IncidentFactory.create(severity="sev1")
        _event(incident, JobEvent.STARTED, HALF)

        for minutes in range(30):
            end = NOON + (180 + 60 * (minutes % 2)) * MINUTE
            _report(incident, replace(HALF, eta_low_at=NOON, eta_high_at=end), minutes=minutes)

        assert len(_told(incident)) <= 4

    def test_an_end_that_is_always_near_is_not_promised_again_and_again(self) -> None:
        incident = IncidentFactory.create(severity="sev1")

        for minutes in range(20):
            at = NOON + minutes * MINUTE
            near = replace(HALF, eta_low_at=at, eta_high_at=at + MINUTE / 2)
            _report(incident, near, minutes=minutes)

        assert not incident.promises.filter(kind=PromiseKind.ETA).exists()

    def test_an_eta_that_a_person_withdrew_stays_withdrawn(self) -> None:
        incident = IncidentFactory.create()
        _report(incident, HALF)
        given = incident.promises.get(kind=PromiseKind.ETA)
        operations.withdraw_promise(promise_id=given.pk, reason="no", at=NOON, author=None)

        _report(incident, HALF, minutes=1)

        assert open_promise(incident.pk, PromiseKind.ETA) is None

    def test_a_job_that_stopped_takes_its_eta_back_and_gives_one_when_it_goes_on(self) -> None:
        incident = IncidentFactory.create()
        _report(incident, HALF)
        _event(incident, JobEvent.FAILED, replace(HALF, state=ProgressState.FAILED))
        assert open_promise(incident.pk, PromiseKind.ETA) is None

        _report(incident, HALF, minutes=1)

        assert open_promise(incident.pk, PromiseKind.ETA) is not None

    @pytest.mark.parametrize(
        ("event", "state"),
        [
            (JobEvent.FAILED, ProgressState.FAILED),
            (JobEvent.PAUSED, ProgressState.PAUSED),
            (JobEvent.DECIDING, ProgressState.PAUSED),
        ],
    )
    def test_says_once_for_each_stop_that_it_goes_on(
        self, event: JobEvent, state: ProgressState
    ) -> None:
        incident = IncidentFactory.create()
        blind = replace(HALF, eta_low_at=None, eta_high_at=None)
        _event(incident, JobEvent.STARTED, HALF)
        for stop in (1, 2):
            _event(incident, event, replace(blind, state=state), number=stop)
            before = len(_told(incident))
            _report(incident, blind)
            assert len(_told(incident)) == before, "it only waits for a worker"

            _event(incident, JobEvent.RESUMED, blind, number=2 * stop)
            _report(incident, blind)
            assert len(_told(incident)) == before, "its ETA is awaited"
            _report(incident, HALF)
            _event(incident, JobEvent.RESUMED, HALF, number=2 * stop + 1)
            _report(incident, HALF)

            assert len(_told(incident)) == before + 1
            assert _told(incident)[0] == (
                "Bringing the data back goes on again, with what had arrived. We expect to be done "
                "between 12 January 12:10 UTC and 12 January 12:20 UTC."
            )

    def test_says_that_it_goes_on_also_where_no_eta_is_found(self) -> None:
        incident = IncidentFactory.create()
        blind = replace(HALF, eta_low_at=None, eta_high_at=None)
        _event(incident, JobEvent.STARTED, blind)
        _event(incident, JobEvent.FAILED, replace(blind, state=ProgressState.FAILED))
        _event(incident, JobEvent.RESUMED, blind)

        _report(incident, blind, minutes=1)

        assert _told(incident)[0] == (
            "Bringing the data back goes on again, with what had arrived."
        )

    def test_a_retry_of_its_own_is_not_told_as_going_on_again(self) -> None:
        incident = IncidentFactory.create()
        _event(incident, JobEvent.STARTED, HALF)
        _event(incident, JobEvent.ATTEMPT_FAILED, HALF)
        _event(incident, JobEvent.RESUMED, HALF)

        _report(incident, HALF, minutes=1)

        assert len(_told(incident)) == 2
        assert "goes on again" not in _told(incident)[0]

    def test_what_follows_an_open_part_is_told_beside_it(self) -> None:
        incident = IncidentFactory.create()

        _event(incident, JobEvent.STARTED, replace(HALF, follows_at=NOON - 2 * HOUR))

        assert _told(incident)[0].startswith(
            "We have started to bring back what was written after 12 January 10:00 UTC, one "
            "customer after the other. Everything up to then can be used meanwhile."
        )
        assert "from a backup" not in _told(incident)[0]

    def test_only_the_last_restore_says_that_all_is_back(self) -> None:
        incident = IncidentFactory.create()
        operations.report_progress(
            incident_id=incident.pk, key="restore-2", title="Two", progress=HALF, at=NOON
        )

        _event(incident, JobEvent.FINISHED, replace(HALF, state=ProgressState.SUCCEEDED))

        incident.refresh_from_db()
        assert incident.phase != Phase.MONITORING
        assert _told(incident) == []

    def test_a_late_report_does_not_wake_a_finished_one(self) -> None:
        incident = IncidentFactory.create()
        _event(incident, JobEvent.FINISHED, replace(HALF, state=ProgressState.SUCCEEDED))

        assert _report(incident, HALF, minutes=1).ended_at == NOON

    def test_without_a_figure_the_sentence_has_no_hole(self) -> None:
        incident = IncidentFactory.create()

        _event(incident, JobEvent.STARTED, replace(HALF, data_until_at=None))

        assert "up to the last archived change" in queries.timeline(incident.pk)[0].text
