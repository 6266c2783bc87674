"""Estimates from rows, and into rows."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from backups import queries
from backups.models import (
    AttemptOutcome,
    Estimate,
    JobState,
    RestoreAttempt,
    RestoreJob,
    RestorePhase,
    RestoreStep,
    StorageMeasurement,
    Tenant,
    TenantRestore,
)
from backups.runner.history import TENANT_BYTES, history_of
from backups.runner.outlook import FASTER_AT_MOST, Outlook, came_true
from backups.steps import Step
from incidents.calm import Given
from tests.backups.factories import (
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
    StorageLocationFactory,
)
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
GB = 10**9
MONTH = timedelta(days=30)


class Going:
    """A restore that is followed second by second on a clock of its own."""

    def __init__(self, job: RestoreJob) -> None:
        self.job, self.seconds = job, 0.0
        self.outlook = Outlook(job, clock=lambda: self.seconds)
        self.done = 0

    def enter(self, phase: RestorePhase, unit: str = "bytes") -> None:
        self.job.phase, self.job.unit, self.done = phase, unit, 0
        self.outlook.begin(phase)

    def go(self, seconds: float, *, a_second: float, total: int) -> Given | None:
        given = None
        for _step in range(int(seconds)):
            self.seconds += 1
            self.done = min(self.done + int(a_second), total)
            step = Step(done=self.done, total=total)
            self.outlook.note(step)
            given = self.outlook.look(step, at=self.now)
        return given

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)


@pytest.fixture
def job() -> RestoreJob:
    found: RestoreJob = RestoreJobFactory.create(state=JobState.QUEUED, phase=RestorePhase.FETCH)
    Tenant.objects.create(
        database=found.database, name="acme", public_code="customer acme", priority=1,
        registered_at=NOON,
    )  # fmt: skip
    return found


def drill(job: RestoreJob, *, began_at: datetime = NOON - MONTH, **values: Any) -> RestoreJob:
    """Make a restore that took twenty minutes to fetch 60 GB, and one for each phase after it."""
    values = {"database": job.database, "target": job.target} | values
    old: RestoreJob = RestoreJobFactory.create(state=JobState.SUCCEEDED, **values)
    at = began_at
    for phase, minutes, done, unit in (
        ("PLAN", 1, 0, ""), ("FETCH", 20, 60 * GB, "bytes"), ("UNPACK", 1, 50 * GB, "bytes"),
        ("REPLAY", 1, 10 * GB, "bytes"), ("VERIFY", 1, 50 * GB, "bytes"), ("READY", 1, 1, ""),
    ):  # fmt: skip
        RestoreStep.objects.create(
            job=old, phase=phase, began_at=at, ended_at=at + minutes * MINUTE, done=done, unit=unit
        )
        at += minutes * MINUTE
    RestoreAttempt.objects.create(
        job=old, number=1, worker="here", began_at=began_at, ended_at=at,
        outcome=AttemptOutcome.SUCCEEDED,
    )  # fmt: skip
    return old


def measure(job: RestoreJob, *, at: datetime, rate: float = 50e6) -> None:
    StorageMeasurement.objects.create(
        location=job.database.storage, measured_at=at, seconds=60, bytes=int(rate * 60),
        requests=100, errors=0,
    )  # fmt: skip


def read(job: RestoreJob, *, at: datetime = NOON) -> dict[str, list[tuple[float, float, bool]]]:
    history = history_of(
        job.database_id, place_id=job.database.storage_id, target_id=job.target_id, at=at
    )
    found: dict[str, list[tuple[float, float, bool]]] = {}
    for each in history.past:
        found.setdefault(each.phase, []).append((each.amount, each.seconds, each.is_here))
    return found


class TestHistory:
    def test_is_what_the_phases_of_earlier_restores_took(self, job: RestoreJob) -> None:
        drill(job)

        assert read(job) == {
            "PLAN": [(1, 60, True)], "FETCH": [(60 * GB, 1200, True)],
            "UNPACK": [(50 * GB, 60, True)], "REPLAY": [(10 * GB, 60, True)],
            "VERIFY": [(50 * GB, 60, True)], "READY": [(1, 60, True)],
        }  # fmt: skip

    def test_a_night_in_which_nobody_worked_at_it_is_not_counted(self, job: RestoreJob) -> None:
        old = drill(job)
        old.steps.filter(phase="FETCH").update(ended_at=NOON - MONTH + 10 * HOUR)
        old.attempts.update(ended_at=NOON - MONTH + 10 * MINUTE)
        RestoreAttempt.objects.create(
            job=old, number=2, worker="here", outcome=AttemptOutcome.SUCCEEDED,
            began_at=NOON - MONTH + 10 * HOUR - MINUTE, ended_at=NOON - MONTH + 11 * HOUR,
        )  # fmt: skip

        assert read(job)["FETCH"] == [(60 * GB, 9 * 60 + 60, True)]

    def test_what_ran_elsewhere_is_marked(self, job: RestoreJob) -> None:
        drill(job, target=RecoveryTargetFactory.create())

        assert read(job)["REPLAY"] == [(10 * GB, 60, False)]

    def test_of_another_database_the_machine_counts_but_not_the_storage(
        self, job: RestoreJob
    ) -> None:
        drill(job, database=DatabaseFactory.create())

        found = read(job)

        assert found["REPLAY"] == [(10 * GB, 60, False)]
        assert "FETCH" not in found

    def test_a_fetch_from_another_source_is_no_measure(self, job: RestoreJob) -> None:
        drill(job, source=StorageLocationFactory.create())

        assert "FETCH" not in read(job)

    def test_what_came_later_or_was_too_long_ago_is_not_read(self, job: RestoreJob) -> None:
        drill(job, began_at=NOON + HOUR)
        drill(job, began_at=NOON - timedelta(days=500))

        assert read(job) == {}

    def test_tenants_count_by_their_size(self, job: RestoreJob) -> None:
        old = drill(job)
        RestoreStep.objects.create(
            job=old, phase="TENANTS", began_at=NOON - MONTH, ended_at=NOON - MONTH + MINUTE,
            done=1, unit="items",
        )  # fmt: skip
        TenantRestore.objects.create(
            job=old, tenant=Tenant.objects.get(), place=1, state="VERIFIED", size_bytes=GB
        )

        assert read(job)["TENANTS"] == [(GB + TENANT_BYTES, 60, True)]

    def test_holds_the_weather_of_the_storage(self, job: RestoreJob) -> None:
        measure(job, at=NOON - HOUR)
        measure(job, at=NOON + HOUR)

        samples = history_of(
            job.database_id, place_id=job.database.storage_id, target_id=None, at=NOON
        ).samples

        assert [(sample.at, sample.rate) for sample in samples] == [(NOON - HOUR, 50e6)]

    def test_costs_the_same_for_one_or_five_drills(
        self, job: RestoreJob, django_assert_max_num_queries: Any
    ) -> None:
        for days in range(5):
            drill(job, began_at=NOON - timedelta(days=days + 1))

        with django_assert_max_num_queries(5):
            read(job)


class TestOutlook:
    def test_without_anything_measured_says_nothing_at_the_start(self, job: RestoreJob) -> None:
        going = Going(job)
        going.enter(RestorePhase.FETCH)

        assert going.go(3, a_second=50e6, total=60 * GB) is None
        assert not Estimate.objects.exists()

    def test_speaks_once_it_has_run_for_a_while(self, job: RestoreJob) -> None:
        going = Going(job)
        going.enter(RestorePhase.FETCH)

        given = going.go(60, a_second=50e6, total=60 * GB)

        assert given is not None
        assert given.low_at < NOON + 20 * MINUTE < given.high_at
        assert going.outlook.basis == "last:30"

    def test_with_a_drill_speaks_at_once(self, job: RestoreJob) -> None:
        drill(job)
        measure(job, at=NOON - HOUR)
        going = Going(job)
        going.outlook.ahead.unpack_bytes = 50 * GB
        going.outlook.ahead.replay_bytes = 10 * GB
        going.enter(RestorePhase.FETCH)

        given = going.go(1, a_second=50e6, total=60 * GB)

        assert given is not None
        assert given.low_at < NOON + 24 * MINUTE < given.high_at
        assert Estimate.objects.get().basis == "past:1,hours:1"

    def test_keeps_the_first_of_a_phase_and_one_a_minute(self, job: RestoreJob) -> None:
        drill(job)
        going = Going(job)
        going.enter(RestorePhase.FETCH)
        going.go(179, a_second=50e6, total=60 * GB)
        going.enter(RestorePhase.UNPACK)
        going.go(1, a_second=50e6, total=50 * GB)

        kept = list(Estimate.objects.order_by("made_at"))

        assert [each.phase for each in kept] in (
            ["FETCH"] * 3 + ["UNPACK"],
            ["FETCH"] * 4 + ["UNPACK"],
        )
        assert kept[0].made_at == NOON + timedelta(seconds=1)
        assert (kept[0].done, kept[0].total) == (50_000_000, 60 * GB)

    def test_people_are_given_one_range_as_long_as_it_holds(self, job: RestoreJob) -> None:
        drill(job)
        going = Going(job)
        going.enter(RestorePhase.FETCH)
        given = {going.go(20, a_second=speed, total=60 * GB) for speed in [48e6, 52e6] * 9}

        assert len(given) <= 2

    def test_foresees_no_end_that_even_the_best_speed_so_far_cannot_reach(
        self, job: RestoreJob
    ) -> None:
        # Earlier restores were ten times as quick.
        drill(job)
        going = Going(job)
        going.enter(RestorePhase.FETCH)

        going.go(8, a_second=5e6, total=2 * GB)

        last = job.estimates.latest("made_at")
        assert last.total is not None
        soonest = (last.total - last.done) / (5e6 * FASTER_AT_MOST)
        assert (last.low80_at - last.made_at).total_seconds() >= 0.99 * soonest

    def test_a_planned_rest_puts_the_end_off(self, job: RestoreJob) -> None:
        drill(job)
        RestoreJob.objects.filter(pk=job.pk).update(
            pause_at=NOON + 5 * MINUTE, resume_at=NOON + 6 * HOUR
        )
        going = Going(job)
        going.enter(RestorePhase.FETCH)

        given = going.go(1, a_second=50e6, total=60 * GB)

        assert given is not None
        assert given.low_at >= NOON + 6 * HOUR

    def test_a_rest_without_an_end_leaves_nothing_to_say(self, job: RestoreJob) -> None:
        drill(job)
        RestoreJob.objects.filter(pk=job.pk).update(pause_at=NOON + 5 * MINUTE)
        going = Going(job)
        going.enter(RestorePhase.FETCH)

        assert going.go(1, a_second=50e6, total=60 * GB) is None

    def test_tenants_one_by_one_count_by_size_and_lanes(self, job: RestoreJob) -> None:
        drill(job)
        job.brings_forward, job.lanes = job, 2
        tenant = Tenant.objects.get()
        turn = TenantRestore.objects.create(job=job, tenant=tenant, place=1, size_bytes=100 * GB)
        going = Going(job)
        going.enter(RestorePhase.TENANTS, unit="items")
        large = going.go(1, a_second=0, total=1)
        turn.size_bytes = GB
        turn.save(update_fields=["size_bytes"])
        going = Going(job)
        going.enter(RestorePhase.TENANTS, unit="items")
        small = going.go(1, a_second=0, total=1)

        assert large is not None
        assert small is not None
        assert large.high_at - NOON > 10 * (small.high_at - NOON)
        assert going.outlook.tenants is not None

    def test_behind_the_last_phase_nothing_is_said(self, job: RestoreJob) -> None:
        going = Going(job)
        going.enter(RestorePhase.READY, unit="")

        assert going.go(1, a_second=1, total=1) is None


def lose(job: RestoreJob, *, began_at: datetime, ended_at: datetime, number: int = 1) -> None:
    """Let the worker die, and another begin."""
    RestoreAttempt.objects.filter(job=job, number=number).delete()
    RestoreAttempt.objects.create(
        job=job, number=number, worker="here", began_at=began_at, ended_at=ended_at,
        outcome=AttemptOutcome.LOST,
    )  # fmt: skip
    RestoreAttempt.objects.create(
        job=job, number=number + 1, worker="there", began_at=ended_at,
        outcome=AttemptOutcome.RUNNING,
    )  # fmt: skip


class TestAfterADeath:
    """Eight minutes at 50 MB/s with nothing known before; then the worker dies."""

    @pytest.fixture
    def first(self, job: RestoreJob) -> Going:
        going = Going(job)
        going.enter(RestorePhase.FETCH)
        going.go(480, a_second=50e6, total=60 * GB)
        return going

    def again(self, first: Going, *, after: float = 20) -> Going:
        lose(first.job, began_at=NOON, ended_at=first.now + timedelta(seconds=after))
        going = Going(first.job)
        going.seconds = first.seconds + after
        return going

    def test_what_was_given_stands_while_the_next_one_plans(self, first: Going) -> None:
        given = first.go(1, a_second=50e6, total=60 * GB)
        going = self.again(first)
        going.enter(RestorePhase.PLAN, unit="")

        held = going.outlook.look(Step(done=0), at=going.now)

        assert given is not None
        assert held is not None
        assert (held.low_at, held.high_at) == (given.low_at, given.high_at)
        assert going.outlook.basis

    def test_the_next_one_begins_with_the_speed_that_was_measured(self, first: Going) -> None:
        given = first.go(1, a_second=50e6, total=60 * GB)
        going = self.again(first)
        going.enter(RestorePhase.FETCH)
        going.done = first.done

        found = {going.go(1, a_second=1e6, total=60 * GB) for _second in range(10)}

        assert found == {given}
        assert going.outlook.basis.startswith("last:")

    def test_no_second_of_nobodys_work_is_measured(self, first: Going) -> None:
        going = self.again(first, after=600)
        going.enter(RestorePhase.FETCH)
        going.done = first.done

        given = going.go(1, a_second=50e6, total=60 * GB)

        # 720 seconds of work were left.
        assert given is not None
        assert given.low_at < going.now + 12 * MINUTE < given.high_at
        assert given.high_at < going.now + 25 * MINUTE

    def test_a_step_that_waits_does_not_forget_it(self, first: Going) -> None:
        going = self.again(first)
        going.enter(RestorePhase.FETCH)
        going.outlook.note(Step(done=0, waiting="storage"))
        going.done = first.done

        assert going.go(1, a_second=50e6, total=60 * GB) is not None

    def test_one_that_waits_for_the_storage_holds_nothing(self, first: Going) -> None:
        going = self.again(first)
        going.enter(RestorePhase.PLAN, unit="")

        assert going.outlook.look(Step(done=0, waiting="storage"), at=going.now) is None

    def test_what_has_passed_is_not_held(self, first: Going) -> None:
        going = self.again(first, after=7200)
        going.enter(RestorePhase.PLAN, unit="")

        assert going.outlook.look(Step(done=0), at=going.now) is None

    def test_after_a_pause_it_begins_anew(self, first: Going) -> None:
        going = self.again(first)
        RestoreAttempt.objects.filter(number=1).update(outcome=AttemptOutcome.PAUSED)
        going = Going(first.job)
        going.enter(RestorePhase.PLAN, unit="")

        assert going.outlook.look(Step(done=0), at=going.now) is None


class TestWhatCameTrue:
    def test_is_written_beside_every_forecast(self, job: RestoreJob) -> None:
        drill(job)
        going = Going(job)
        going.enter(RestorePhase.FETCH)
        going.go(70, a_second=50e6, total=60 * GB)

        came_true(job, at=NOON + 21 * MINUTE)

        assert set(Estimate.objects.values_list("came_true_at", flat=True)) == {NOON + 21 * MINUTE}

    def test_the_page_shows_what_was_predicted_and_what_came(
        self, job: RestoreJob, admin_client: Client
    ) -> None:
        for minute, came in ((0, None), (1, NOON + HOUR), (2, NOON + 3 * HOUR)):
            predict(job, at=NOON + minute * MINUTE, came=came)

        page = admin_client.get(reverse("backups:restore-live", args=[job.pk])).content.decode()

        assert "What was predicted" in page
        assert "not yet" in page
        assert "within, 9 min later" in page
        assert "outside" in page

    def test_a_restore_without_any_shows_no_table(
        self, job: RestoreJob, admin_client: Client
    ) -> None:
        page = admin_client.get(reverse("backups:restore-live", args=[job.pk])).content.decode()

        assert "What was predicted" not in page

    def test_a_long_night_is_shown_in_some_lines(self, job: RestoreJob) -> None:
        for minute in range(100):
            predict(job, at=NOON + minute * MINUTE)

        shown = queries.estimates_of(job.pk, limit=12)

        assert len(shown) == 12
        assert shown[0].made_at == NOON
        assert shown[-1].made_at == NOON + 99 * MINUTE


def predict(job: RestoreJob, *, at: datetime, came: datetime | None = None) -> None:
    Estimate.objects.create(
        job=job, made_at=at, phase="FETCH", done=1, total=4, basis="past:3,last:60",
        low80_at=at + 30 * MINUTE, low50_at=at + 40 * MINUTE, middle_at=at + 50 * MINUTE,
        high50_at=at + 55 * MINUTE, high80_at=at + 70 * MINUTE, came_true_at=came,
    )  # fmt: skip
