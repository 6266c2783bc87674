"""What the attempts before this one measured and gave, where only their worker was lost."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise, takewhile

from backups.models import AttemptOutcome, Estimate, RestoreAttempt, RestoreJob
from incidents.calm import Given, calmed

# What is older says little of the speed now.
FRESH_FOR = timedelta(hours=1)
_MOST_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Inherited:
    """What was given last, on what basis, and how its phase went.

    ``points`` are (seconds, done), both counted back from the last of them: it is (0, 0).
    """

    given: Given
    basis: str
    points: Sequence[tuple[float, float]]


def inherited(job: RestoreJob) -> Inherited | None:
    """Return what the attempt that runs goes on from; None if nothing led up to it unbroken."""
    attempts = list(job.attempts.order_by("-number")[:_MOST_ATTEMPTS])
    if not attempts or attempts[0].outcome != AttemptOutcome.RUNNING:
        return None
    running, *before = attempts
    cut = list(takewhile(lambda each: each.outcome == AttemptOutcome.LOST, before))
    if not cut:
        return None
    since = max(cut[-1].began_at, running.began_at - FRESH_FOR)
    kept = list(
        Estimate.objects.filter(
            job=job, made_at__gte=since, made_at__lte=running.began_at
        ).order_by("made_at", "pk")
    )
    if not kept:
        return None
    last, given = kept[-1], None
    # Every one that moved what people are given was kept: so this is what they read last.
    for each in kept:
        given = calmed(
            given,
            low_at=each.low80_at,
            high_at=each.high80_at,
            phase=each.phase,
            at=each.made_at,
        )
    assert given is not None
    return Inherited(
        given=given,
        basis=last.basis,
        points=_points([each for each in kept if each.phase == last.phase], cut),
    )


def _points(kept: Sequence[Estimate], cut: Sequence[RestoreAttempt]) -> list[tuple[float, float]]:
    """Join the stretches within each attempt; what lies between two is nobody's work."""
    began: list[datetime] = sorted(each.began_at for each in cut)
    points = [(0.0, 0.0)]
    for one, other in reversed(list(pairwise(kept))):
        is_work = bisect(began, one.made_at) == bisect(began, other.made_at)
        if is_work and other.done >= one.done:
            seconds, done = points[-1]
            points.append(
                (
                    seconds - (other.made_at - one.made_at).total_seconds(),
                    done - (other.done - one.done),
                )
            )
    return points[::-1]
