"""Jobs that nobody works at any more are found; claiming is exactly once."""

from datetime import timedelta

import pytest

from backups import operations, runner
from backups.models import (
    AttemptOutcome,
    JobState,
    RestoreAttempt,
    RestoreJob,
    RestorePhase,
    Tenant,
    TenantRestore,
    TenantRestoreState,
)
from backups.runner.lease import worker_name
from backups.runner.telling import is_told
from incidents.models import TimelineEntry
from incidents.operations import JobEvent, Progress, declare_incident, report_event
from incidents.values import Phase, ProgressPhase, ProgressState, Severity
from tests.backups.factories import RestoreJobFactory
from tests.factories import NOON

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=1)


def claimed(job: RestoreJob, *, by: str) -> bool:
    until = NOON + timedelta(seconds=20)
    return RestoreJob.objects.all().claim(job.pk, worker=by, until=until, at=NOON)


class TestClaiming:
    def test_is_for_one(self) -> None:
        job = RestoreJobFactory.create()

        assert claimed(job, by="one:1:a")
        assert not claimed(job, by="two:2:b")

    def test_a_lease_that_was_lost_changes_nothing(self) -> None:
        job = RestoreJobFactory.create()
        claimed(job, by="one:1:a")

        jobs = RestoreJob.objects.all()
        assert not jobs.renew(job.pk, worker="two:2:b", until=LATER, at=NOON)
        assert not jobs.release(job.pk, worker="two:2:b", state=JobState.SUCCEEDED, at=NOON)
        job.refresh_from_db()
        assert job.state == JobState.RUNNING


class TestWaitingRestores:
    def test_a_lost_worker_is_told_and_the_job_is_sent_on_its_way(self) -> None:
        incident = declare_incident(
            title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None
        )
        job = RestoreJobFactory.create(incident=incident)
        claimed(job, by="elsewhere:1:a")
        attempt = RestoreAttempt.objects.create(
            job=job, number=1, worker="elsewhere:1:a", began_at=NOON
        )
        heard_at, until = NOON + timedelta(seconds=10), NOON + timedelta(seconds=30)
        RestoreJob.objects.all().renew(job.pk, worker="elsewhere:1:a", until=until, at=heard_at)

        assert runner.waiting_restores(at=LATER) == [(job.pk, "restores")]

        job.refresh_from_db()
        attempt.refresh_from_db()
        assert job.state == JobState.QUEUED
        assert attempt.outcome == AttemptOutcome.LOST
        # The time after that was nobody's work, and no later estimate is to count it.
        assert attempt.ended_at == heard_at
        assert TimelineEntry.objects.filter(external_id__contains="attempt_failed").exists()

    def test_a_worker_that_keeps_its_lease_is_left_alone(self) -> None:
        job = RestoreJobFactory.create()
        claimed(job, by=worker_name())

        assert runner.waiting_restores(at=NOON + timedelta(seconds=10)) == []

    def test_a_dead_process_on_this_machine_is_noticed_before_its_lease_ends(self) -> None:
        job = RestoreJobFactory.create()
        host = worker_name().split(":", maxsplit=1)[0]
        # No process can have this number.
        claimed(job, by=f"{host}:99999999:a")

        assert runner.waiting_restores(at=NOON + timedelta(seconds=1)) == [(job.pk, "restores")]

    def test_a_message_that_got_lost_is_sent_again_but_not_at_every_look(self) -> None:
        job = RestoreJobFactory.create()

        assert runner.waiting_restores(at=NOON + timedelta(seconds=2)) == []
        assert runner.waiting_restores(at=LATER) == [(job.pk, "restores")]
        assert runner.waiting_restores(at=LATER) == []


class TestWhatNobodyWorksAt:
    def test_has_no_end_that_could_be_told(self) -> None:
        incident = declare_incident(
            title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None
        )
        soon = {"eta_low_at": LATER, "eta_high_at": LATER}
        lost = RestoreJobFactory.create(incident=incident, **soon)
        claimed(lost, by="elsewhere:1:a")
        waits = RestoreJobFactory.create(incident=incident, **soon)

        runner.waiting_restores(at=LATER)
        operations.pause_restore(restore_id=waits.pk, at=LATER)

        lost.refresh_from_db()
        assert (lost.state, lost.eta_low_at, lost.eta_high_at) == (JobState.QUEUED, None, None)
        report = incident.progress_reports.get(key=waits.key)
        assert (report.state, report.eta_low_at) == (ProgressState.PAUSED, None)

    def test_is_spoken_for_while_it_rests_also_before_it_began(self) -> None:
        incident = declare_incident(
            title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None
        )
        job = RestoreJobFactory.create(incident=incident)
        operations.pause_restore(restore_id=job.pk, at=NOON)

        for minute in range(1, 5):
            runner.waiting_restores(at=NOON + timedelta(minutes=minute))

        heard = incident.progress_reports.get(key=job.key).heartbeat_at
        assert heard >= NOON + timedelta(minutes=3)

    def test_says_nothing_of_a_rest_whose_first_part_is_not_open(self) -> None:
        incident = declare_incident(
            title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None
        )
        first = RestoreJobFactory.create(state=JobState.PAUSED, pause_at=NOON)
        rest = RestoreJobFactory.create(
            incident=incident, database=first.database, brings_forward=first,
            state=JobState.PAUSED, pause_at=NOON,
        )  # fmt: skip

        runner.waiting_restores(at=LATER)

        assert not incident.progress_reports.filter(key=rest.key).exists()


class TestUntoldEnds:
    def _ended(self, state: JobState, **fields: object) -> RestoreJob:
        incident = declare_incident(
            title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None
        )
        job: RestoreJob = RestoreJobFactory.create(
            incident=incident, state=state, ended_at=NOON, **fields
        )
        report_event(
            incident_id=incident.pk,
            key=job.key,
            title="Database restore",
            event=JobEvent.STARTED,
            number=1,
            progress=Progress(phase=ProgressPhase.VERIFYING),
            at=NOON,
        )
        return job

    def test_a_worker_that_died_before_it_told_the_end_is_made_up_for(self) -> None:
        job = self._ended(JobState.SUCCEEDED)

        for _look in range(2):
            runner.waiting_restores(at=LATER)

        assert job.incident is not None
        job.incident.refresh_from_db()
        report = job.incident.progress_reports.get()
        assert report.state == ProgressState.SUCCEEDED
        assert job.incident.phase == Phase.MONITORING
        assert job.incident.updates.count() == 2

    def test_a_cancelled_restore_is_no_silent_one(self) -> None:
        job = self._ended(JobState.CANCELLED)

        runner.waiting_restores(at=LATER)

        assert job.incident is not None
        report = job.incident.progress_reports.get()
        assert (report.state, report.ended_at) == (ProgressState.CANCELLED, LATER)
        assert "ended this way" in job.incident.updates.newest_first()[0].body

    def test_a_stopped_restore_is_told_as_stopped_and_stays_open(self) -> None:
        job = self._ended(JobState.FAILED, failure_code="disk-too-small")

        for _look in range(2):
            runner.waiting_restores(at=LATER)

        assert job.incident is not None
        report = job.incident.progress_reports.get()
        assert (report.state, report.ended_at) == (ProgressState.FAILED, None)
        assert job.incident.updates.count() == 2

    def test_what_only_waits_for_decisions_is_no_restore_that_has_stopped(self) -> None:
        job = self._ended(
            JobState.FAILED, failure_code="tenants-unfinished", phase=RestorePhase.TENANTS,
            unit="items", done=4, total=5,
        )  # fmt: skip
        tenant = Tenant.objects.create(
            database=job.database, name="delta", public_code="delta", registered_at=NOON
        )
        row = TenantRestore.objects.create(
            job=job, tenant=tenant, place=1, state=TenantRestoreState.CONFLICT
        )

        for _look in range(2):
            runner.waiting_restores(at=LATER)

        assert job.incident is not None
        report = job.incident.progress_reports.get()
        assert (report.state, report.ended_at) == (ProgressState.PAUSED, None)
        told = job.incident.updates.newest_first()[0]
        assert told.body.startswith("4 of 5 are back")
        assert "until our team has decided" in told.body
        assert told.translations["fr"].startswith("4 sur 5 sont de retour")
        assert job.incident.updates.count() == 2
        assert is_told(job, report.state)

        row.state, row.failure_code = TenantRestoreState.FAILED, "engine-failed"
        row.save()
        assert not is_told(job, report.state)

    def test_of_a_restore_that_never_began_customers_hear_nothing(self) -> None:
        job = self._ended(JobState.FAILED, failure_code="directory-not-empty")
        assert job.incident is not None
        job.incident.entries.filter(kind="job").delete()
        told = job.incident.updates.count()

        runner.waiting_restores(at=LATER)

        assert job.incident.updates.count() == told
        assert job.incident.entries.filter(external_id__contains="restore_failed").exists()


def test_a_restore_for_an_incident_that_is_not_there_is_refused() -> None:
    job = RestoreJobFactory.create()

    with pytest.raises(operations.NoSuchIncident):
        operations.request_restore(
            database_id=job.database_id,
            recovery_target_id=job.target_id,
            incident_id=999_999,
            at=NOON,
        )
