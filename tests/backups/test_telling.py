"""What one attempt at a restore tells, where an earlier one was before it."""

from typing import Any

import pytest

from backups.models import JobState, RestoreAttempt, RestoreJob, RestorePhase
from backups.runner.telling import Telling, tell_end
from backups.steps import Step
from incidents.models import ProgressReport, StatusUpdate, TimelineEntry
from incidents.values import ProgressState
from tests.backups.factories import RestoreJobFactory
from tests.factories import HOUR, NOON, IncidentFactory

pytestmark = pytest.mark.django_db

COUNTED = {"rows": {"public.notes": 3}, "uncounted": []}
UNCOUNTED = {"rows": {"public.notes": 3}, "uncounted": ["public.orders"]}


class _Lease:
    """A lease that is never lost."""

    worker = "here:1:a"

    def check(self) -> None:
        """Hold."""


@pytest.fixture
def job() -> RestoreJob:
    found: RestoreJob = RestoreJobFactory.create(
        incident=IncidentFactory.create(),
        data_until_at=NOON - HOUR,
        state=JobState.RUNNING,
        leased_by=_Lease.worker,
        leased_until=NOON + HOUR,
    )
    return found


def attempt(job: RestoreJob, number: int) -> Telling:
    """Return what another worker tells of the job, which it reads anew."""
    fresh = RestoreJob.objects.get(pk=job.pk)
    begun = RestoreAttempt.objects.create(job=fresh, number=number, worker="here", began_at=NOON)
    return Telling(fresh, begun, _Lease(), lambda: NOON)  # type: ignore[arg-type]


def shown() -> tuple[str, int, int | None]:
    report = ProgressReport.objects.get()
    return report.phase, report.done, report.total


def goings_on() -> int:
    return TimelineEntry.objects.filter(text__startswith="The restore goes on").count()


def pass_by(telling: Telling, phase: RestorePhase, *steps: Step) -> None:
    telling.begin(phase)
    for step in steps:
        telling.step(step)
    telling.finish(phase, steps[-1] if steps else Step(done=0))


class TestAfterALostWorker:
    def test_what_was_told_stands_until_it_is_known_what_has_arrived(self, job: RestoreJob) -> None:
        first = attempt(job, 1)
        pass_by(first, RestorePhase.PLAN)
        first.begin(RestorePhase.FETCH)
        first.finish(RestorePhase.FETCH, Step(done=278, total=400))
        job.steps.filter(phase=RestorePhase.FETCH).update(ended_at=None)

        second = attempt(job, 2)
        seen = []
        pass_by(second, RestorePhase.PLAN)
        seen.append(shown())
        second.begin(RestorePhase.FETCH)
        seen.append(shown())
        second.step(Step(done=294, total=400))
        seen.append(shown())

        assert seen == [("fetching", 278, 400), ("fetching", 278, 400), ("fetching", 294, 400)]
        job.refresh_from_db()
        assert (job.phase, job.done) == (RestorePhase.FETCH, 294)

    def test_a_phase_that_was_passed_is_told_again_only_if_it_takes_its_time(
        self, job: RestoreJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = attempt(job, 1)
        for phase in (RestorePhase.PLAN, RestorePhase.FETCH, RestorePhase.UNPACK):
            pass_by(first, phase, Step(done=400, total=400))
        first.begin(RestorePhase.REPLAY)
        first.finish(RestorePhase.REPLAY, Step(done=7, total=9))
        job.steps.filter(phase=RestorePhase.REPLAY).update(ended_at=None)

        second = attempt(job, 2)
        pass_by(second, RestorePhase.FETCH, Step(done=20, total=20))
        assert shown() == ("replaying", 7, 9)

        monkeypatch.setattr("backups.runner.telling.STORED_EVERY_SECONDS", 0)
        pass_by(second, RestorePhase.FETCH, Step(done=5, total=20), Step(done=20, total=20))
        assert shown() == ("fetching", 20, 20)
        second.begin(RestorePhase.REPLAY)
        second.step(Step(done=8, total=9))
        assert shown() == ("replaying", 8, 9)

    def test_a_phase_that_begins_anew_begins_at_nothing(self, job: RestoreJob) -> None:
        first = attempt(job, 1)
        pass_by(first, RestorePhase.FETCH, Step(done=400, total=400))

        first.begin(RestorePhase.UNPACK)

        assert shown() == ("unpacking", 0, None)


class TestEnd:
    @pytest.mark.parametrize(
        ("evidence", "said"),
        [
            ({"acme": COUNTED, "late": {"absent": True}}, "is back and has been checked"),
            ({"acme": COUNTED, "borealis": UNCOUNTED}, "could not be checked in full"),
            ({"late": {"absent": True}}, "could not be checked in full"),
            ({}, "could not be checked in full"),
        ],
    )
    def test_only_what_was_counted_in_full_is_said_to_be_checked(
        self, evidence: dict[str, Any], said: str, job: RestoreJob
    ) -> None:
        RestoreJob.objects.filter(pk=job.pk).update(
            state=JobState.SUCCEEDED, evidence=evidence, leased_by="", leased_until=None,
            ended_at=NOON,
        )  # fmt: skip
        job.refresh_from_db()

        tell_end(job, at=NOON)

        assert said in StatusUpdate.objects.get().body
        assert ProgressReport.objects.get().subject == job.database.key


class TestAHalt:
    @pytest.mark.parametrize(
        ("waiting", "state", "words"),
        [
            ("storage", ProgressState.WAITING, "does not answer"),
            ("disk", ProgressState.HELD, "come to a halt"),
            ("credentials", ProgressState.HELD, "come to a halt"),
        ],
    )
    def test_is_told_once_and_so_is_its_end(
        self,
        job: RestoreJob,
        waiting: str,
        state: ProgressState,
        words: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("backups.runner.telling.FLOWS_SECONDS", 0.0)
        telling = attempt(job, 1)
        telling.begin(RestorePhase.FETCH)
        telling.started()
        halted = Step(done=50, total=400, waiting=waiting)

        telling.step(halted)
        telling.step(halted)

        report = ProgressReport.objects.get()
        assert report.state == state
        assert (report.eta_low_at, report.rate) == (None, None)
        assert StatusUpdate.objects.filter(body__contains=words).count() == 1

        telling.step(Step(done=51, total=400))

        assert goings_on() == 1

    def test_that_flips_is_told_as_one(self, job: RestoreJob) -> None:
        telling = attempt(job, 1)
        telling.begin(RestorePhase.FETCH)
        telling.started()

        for done in range(5):
            telling.step(Step(done=done, total=400, waiting="storage"))
            telling.step(Step(done=done, total=400))

        assert ProgressReport.objects.get().state == ProgressState.WAITING
        assert goings_on() == 0

        telling.finish(RestorePhase.FETCH, Step(done=400, total=400))

        assert ProgressReport.objects.get().state == ProgressState.RUNNING
        assert StatusUpdate.objects.filter(body__contains="does not answer").count() == 1
        assert goings_on() == 1

    def test_that_was_not_told_again_has_no_end_to_tell(
        self, job: RestoreJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("backups.runner.telling.FLOWS_SECONDS", 0.0)
        telling = attempt(job, 1)
        telling.begin(RestorePhase.FETCH)
        telling.started()

        for done in range(3):
            telling.step(Step(done=done, total=400, waiting="storage"))
            telling.step(Step(done=done, total=400))

        assert goings_on() == 1
