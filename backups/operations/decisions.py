"""Keeping what was decided, by whom and why, and what was expected of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import User
from backups.models import Estimate, RestoreJob, RestorePhase
from incidents.operations import add_entry
from incidents.values import EntryKind, When

# Half of all cases lie within so much of what four in five lie within.
_HALF_OF_FOUR_FIFTHS = 0.6745 / 1.2816


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A choice in words for staff, and in how many seconds its restore was expected to end.

    Four of five such restores end between ``low`` and ``high``.
    """

    by: User | None
    words: str
    low: float
    middle: float
    high: float
    basis: str


def keep_decision(job: RestoreJob, decision: Decision, *, at: datetime) -> None:
    """Put a decision on the incident's timeline, and keep what was expected of it."""
    _keep_estimate(job, decision, at=at)
    note_decision(job, decision.words, job.reasons, by=decision.by, at=at)


def note_decision(
    job: RestoreJob, words: str, reasons: str, *, by: User | None, at: datetime
) -> None:
    """Put a decision on the timeline of the incident that a restore belongs to, if any.

    Customers do not see it: it names machines.
    """
    if job.incident_id is None:
        return
    add_entry(
        incident_id=job.incident_id,
        text=f"{words} Reasons: {reasons}" if reasons else words,
        when=When(at=at),
        at=at,
        author=by,
        kind=EntryKind.EVENT,
        tags=["decision", "restore"],
    )


def _keep_estimate(job: RestoreJob, decision: Decision, *, at: datetime) -> None:
    middle = at + timedelta(seconds=decision.middle)
    below = timedelta(seconds=decision.middle - decision.low)
    above = timedelta(seconds=decision.high - decision.middle)
    Estimate.objects.create(
        job=job,
        made_at=at,
        phase=RestorePhase.PLAN,
        low80_at=middle - below,
        low50_at=middle - below * _HALF_OF_FOUR_FIFTHS,
        middle_at=middle,
        high50_at=middle + above * _HALF_OF_FOUR_FIFTHS,
        high80_at=middle + above,
        basis=decision.basis,
    )
