"""When a running restore ends: asked of the model now and then, and kept with what came true."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from backups import estimate
from backups.models import Estimate, RestoreJob, RestorePhase, TenantRestore
from backups.models.tenants import DONE
from backups.runner.history import history_of, tenant_bytes
from backups.runner.inherited import inherited
from backups.steps import Step
from incidents.calm import Given, calmed

logger = logging.getLogger(__name__)

# A forecast costs some hundredths of a second; it is made anew after this share of what is left.
LOOKED_SHARE = 0.02
LOOKED_EVERY_SECONDS = (5.0, 30.0)
# It is kept after this share, and at least once a minute.
KEPT_SHARE = 0.1
KEPT_EVERY_SECONDS = (5.0, 60.0)
# A stretch of it may be so much quicker than the quickest that was measured.
FASTER_AT_MOST = 1.25
ONE_BY_ONE = (RestorePhase.VERIFY, RestorePhase.TENANTS)
# What follows upon what; the tenants only where they are brought forward one by one.
_ORDER = (
    RestorePhase.FETCH,
    RestorePhase.UNPACK,
    RestorePhase.REPLAY,
    RestorePhase.VERIFY,
    RestorePhase.TENANTS,
    RestorePhase.READY,
)
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Ahead:
    """How much the phases will be that have not begun, once the plan knows."""

    unpack_bytes: int = 0
    replay_bytes: int = 0
    verify_bytes: int = 0


class Outlook:
    """What one attempt at a restore expects of its own end."""

    def __init__(self, job: RestoreJob, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        self._phase = RestorePhase(job.phase)
        self.ahead = Ahead()
        self._learned: estimate.Learned | None = None
        self._track = estimate.Track()
        self._look_again = float("-inf")
        self._keep_again_at = _EVER
        self._told: estimate.Forecast | None = None
        self._told_at: datetime | None = None
        self._before = inherited(job)
        self._given = self._before.given if self._before else None
        self._held_basis = self._before.basis if self._before else ""
        # Whether that still stands, because this attempt could not tell anything yet.
        self._holds = self._before is not None
        # How long the tenants that are dealt with one by one still take.
        self.tenants: estimate.Remaining | None = None

    def begin(self, phase: RestorePhase) -> None:
        """Enter a phase."""
        self._phase = phase
        self._track = estimate.Track()
        self._look_again = float("-inf")
        self._keep_again_at = _EVER
        self._told = self.tenants = None

    def _go_on(self, done: int) -> None:
        """Begin with what the lost attempt measured in this phase, as if no time lay between."""
        before, self._before = self._before, None
        if before is not None and len(before.points) > 1:
            now = self._clock()
            self._track.go_on([(now + seconds, done + more) for seconds, more in before.points])

    def note(self, step: Step) -> None:
        """Take down how far the phase is."""
        # A step without a total, or one that waits for room, does not say how much is done.
        if self._phase == RestorePhase.TENANTS or step.total is None or step.waiting == "disk":
            return
        if self._before is not None and self._before.given.phase == self._phase:
            self._go_on(step.done)
        self._track.note(self._clock(), step.done)

    def look(self, step: Step, *, at: datetime) -> Given | None:
        """Return the range that people are given; None while nothing can be told.

        The forecast behind it is kept: the first of each phase, at least one a minute after that,
        and each that moved what people are given.
        """
        if step.total is None or self._phase not in _ORDER[:-1]:
            self._told = self.tenants = None
            return self._held(step, at=at)
        is_new = self._clock() >= self._look_again
        if is_new:
            self._look(step.total - step.done, at=at)
        if self._told is None or self._told_at is None:
            return self._held(step, at=at)
        self._holds = False
        given = calmed(
            self._given,
            low_at=_later(self._told_at, self._told.low80),
            high_at=_later(self._told_at, self._told.high80),
            phase=self._phase,
            at=at,
        )
        has_moved, self._given = given != self._given, given
        if is_new and (has_moved or at >= self._keep_again_at):
            self._keep(step, self._told, at=at)
        return given

    @property
    def basis(self) -> str:
        """What the last forecast rests on."""
        if self._holds:
            return self._held_basis
        return self._told.basis if self._told else ""

    def _possible(self, told: estimate.Forecast, left: int) -> estimate.Forecast:
        """Leave out of a forecast what even the best speed of this phase so far cannot reach."""
        speeds = (
            each.amount / max(each.seconds - each.still, 1.0) for each in self._track.windows()
        )
        best = max(speeds, default=0.0) * FASTER_AT_MOST
        if not best or self._phase == RestorePhase.TENANTS:
            return told
        soonest = left / best
        return replace(
            told,
            low80=max(told.low80, soonest),
            low50=max(told.low50, soonest),
            middle=max(told.middle, soonest),
            high50=max(told.high50, soonest),
            high80=max(told.high80, soonest),
        )

    def _held(self, step: Step, *, at: datetime) -> Given | None:
        """Return what the lost attempt gave, until this one can tell or has cause for silence."""
        given = self._given
        if not self._holds or given is None or step.waiting or at > given.high_at:
            return None
        return calmed(given, low_at=given.low_at, high_at=given.high_at, phase=given.phase, at=at)

    def _look(self, left: int, *, at: datetime) -> None:
        works = self._works(left)
        rests = self._rests(at)
        now = self._clock()
        self._told, self._told_at = None, at
        still = self._track.still_seconds(now)
        self._holds = self._holds and rests is not None and not still
        if rests is not None:
            standing = estimate.Standing(
                at=at,
                left=works,
                windows=self._track.windows(),
                outages=self._track.outages(),
                still_seconds=still,
                rests=rests,
            )
            try:
                told = estimate.forecast(self._known(at), standing)
                self._told = self._possible(told, left) if told is not None else None
                self._look_at_tenants(standing)
            except (ArithmeticError, ValueError):
                # A restore is never given up because of what is only said of it.
                logger.exception("restore %s: its end could not be estimated", self._job.pk)
        self._look_again = now + _share_of(self._told, LOOKED_SHARE, LOOKED_EVERY_SECONDS)

    def _look_at_tenants(self, standing: estimate.Standing) -> None:
        self.tenants = None
        if self._phase not in ONE_BY_ONE:
            return
        alone = estimate.Standing(
            at=standing.at,
            left=standing.left[:1],
            windows=standing.windows,
            rests=standing.rests,
        )
        told = estimate.forecast(self._known(standing.at), alone)
        if told is not None:
            self.tenants = estimate.Remaining(
                low_seconds=told.low80, high_seconds=told.high80, basis=told.basis
            )

    def _known(self, at: datetime) -> estimate.Learned:
        if self._learned is None:
            job = self._job
            history = history_of(
                job.database_id,
                place_id=job.source_id or job.database.storage_id,
                target_id=job.target_id,
                at=at,
                without_job=job.pk,
            )
            self._learned = estimate.learn(history, at=at)
        return self._learned

    def _works(self, left: int) -> list[estimate.Work]:
        phase = self._phase
        now = estimate.Work(phase=phase, amount=left, unit=self._job.unit)
        if phase == RestorePhase.TENANTS:
            now = self._tenants_left()
        works = [now, *(self._work(each) for each in _ORDER[_ORDER.index(phase) + 1 :])]
        return [work for work in works if work.amount > 0 or work is now]

    def _work(self, phase: RestorePhase) -> estimate.Work:
        job = self._job
        if phase == RestorePhase.TENANTS:
            if job.brings_forward_id is None:
                return estimate.Work(phase=phase, amount=0)
            return self._tenants_left()
        amounts = {
            RestorePhase.UNPACK: self.ahead.unpack_bytes,
            RestorePhase.REPLAY: self.ahead.replay_bytes,
            RestorePhase.VERIFY: self.ahead.verify_bytes,
        }
        if phase in amounts:
            return estimate.Work(phase=phase, amount=amounts[phase])
        return estimate.Work(phase=phase, amount=1, unit="")

    def _tenants_left(self) -> estimate.Work:
        """Return what the lanes still have to do, as one lane would; and note what they have done.

        Before they have rows of their own, each tenant counts the least there is.
        """
        job = self._job
        rows = TenantRestore.objects.filter(job=job)
        sizes = list(rows.to_do().in_order().values_list("size_bytes", flat=True))
        if not sizes and not rows.exists():
            sizes = [None] * job.database.tenants.count()
        if self._phase == RestorePhase.TENANTS:
            done = rows.filter(state__in=DONE).values_list("size_bytes", flat=True)
            self._track.note(self._clock(), sum(tenant_bytes(done)))
        lanes = job.lanes or os.cpu_count() or 1
        amount = estimate.in_one_lane(tenant_bytes(sizes), lanes) * lanes
        return estimate.Work(phase=RestorePhase.TENANTS, amount=amount)

    def _rests(self, at: datetime) -> list[estimate.Rest] | None:
        """Return the planned rests; None if one has no end that anybody knows."""
        planned = RestoreJob.objects.filter(pk=self._job.pk).values_list("pause_at", "resume_at")
        begins_at, ends_at = planned[0] if planned else (None, None)
        if begins_at is None:
            return []
        if ends_at is None:
            return None
        return [estimate.Rest(begins_at=begins_at, ends_at=ends_at)] if ends_at > at else []

    def _keep(self, step: Step, told: estimate.Forecast, *, at: datetime) -> None:
        between = _share_of(told, KEPT_SHARE, KEPT_EVERY_SECONDS)
        self._keep_again_at = at + timedelta(seconds=between)
        Estimate.objects.create(
            job=self._job,
            made_at=at,
            phase=self._phase,
            done=step.done,
            total=step.total,
            low80_at=_later(at, told.low80),
            low50_at=_later(at, told.low50),
            middle_at=_later(at, told.middle),
            high50_at=_later(at, told.high50),
            high80_at=_later(at, told.high80),
            basis=told.basis,
        )


def came_true(job: RestoreJob, *, at: datetime) -> None:
    """Write down, beside every forecast of it, when a restore did end."""
    Estimate.objects.filter(job=job).update(came_true_at=at)


def _share_of(told: estimate.Forecast | None, share: float, bounds: tuple[float, float]) -> float:
    """Return a share of the time that is left, within these bounds."""
    shortest, longest = bounds
    return min(max((told.middle if told else 0.0) * share, shortest), longest)


def _later(at: datetime, seconds: float) -> datetime:
    # Beyond some years nothing is a date any more.
    return at + timedelta(seconds=min(seconds, 1e8))
