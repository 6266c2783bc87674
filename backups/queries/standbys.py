"""Standbys as people want to see them: how warm, and what is under way at which target."""

from dataclasses import dataclass
from datetime import datetime

from backups.models import JobState, RecoveryTarget, RestoreJob, Standby, StandbyState
from backups.options.words import duration, to_the_second
from backups.queries.records import NotRegistered, recovery_targets

_UNDER_WAY = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmth:
    """A standby, and in words how it stands; ``look`` is the name of its look on a page.

    ``base`` is the restore of its base while that is under way.
    """

    standby: Standby
    words: str
    look: str
    base: RestoreJob | None = None
    percent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """A recovery target, the restore that has it, and what is kept warm there."""

    target: RecoveryTarget
    job: RestoreJob | None
    warmth: Warmth | None


def target_rows(*, at: datetime) -> list[TargetRow]:
    """Return the recovery targets by name, with what is there; however many, in two questions."""
    rows = Standby.objects.select_related("database", "base", "target", "taken_by")
    kept = {row.target_id: warmth_of(row, at=at) for row in rows}
    return [
        TargetRow(target=target, job=job, warmth=kept.get(target.pk))
        for target, job in recovery_targets()
    ]


def standbys_of(database_id: int, *, at: datetime) -> list[Warmth]:
    """Return the standbys of a database, by the names of their targets."""
    rows = Standby.objects.select_related("database", "base", "target", "taken_by")
    return [
        warmth_of(row, at=at)
        for row in rows.filter(database_id=database_id).order_by("target__name")
    ]


def standby_at(target_id: int, *, at: datetime) -> Warmth | None:
    """Return what is kept warm at a recovery target; None if nothing is."""
    rows = Standby.objects.select_related("database", "base", "target", "taken_by")
    standby = rows.filter(target_id=target_id).first()
    return warmth_of(standby, at=at) if standby is not None else None


def standby_named(database_id: int, target: RecoveryTarget) -> Standby:
    """Return the standby of a database at a recovery target.

    :raises NotRegistered: if there is none
    """
    standby = Standby.objects.filter(database_id=database_id, target=target).first()
    if standby is None:
        raise NotRegistered(f"No standby of this database is kept warm at {target}.")
    return standby


def behind_seconds(standby: Standby, *, at: datetime) -> float | None:
    """Return for how long something archived has waited to be replayed; None if it is not warm."""
    if standby.warm_until_at is None:
        return None
    since = standby.behind_since_at
    return max((at - since).total_seconds(), 0.0) if since is not None else 0.0


def warmth_of(standby: Standby, *, at: datetime) -> Warmth:
    """Say how a standby stands."""
    base = standby.base
    match StandbyState(standby.state):
        case StandbyState.TAKEN:
            return Warmth(standby=standby, words=f"{standby.taken_by} brings it up", look="running")
        case StandbyState.STOPPING:
            return Warmth(standby=standby, words="It is being taken away", look="waiting")
        case StandbyState.RESTORING if base.state in _UNDER_WAY:
            return Warmth(
                standby=standby,
                words=f"Its base is being restored: {base.get_phase_display().lower()}",
                look="running",
                base=base,
                percent=base.done * 100 // base.total if base.total else None,
            )
    look = "failed" if standby.trouble else "done"
    if standby.warm_until_at is None:
        words = "It begins to follow" if not standby.trouble else "It is not warm"
        return Warmth(standby=standby, words=words, look="failed" if standby.trouble else "waiting")
    return Warmth(standby=standby, words=_warm_words(standby, at=at), look=look)


def _warm_words(standby: Standby, *, at: datetime) -> str:
    assert standby.warm_until_at is not None, "only then it is warm"
    words = f"Warm until {to_the_second(standby.warm_until_at)}"
    if standby.behind_since_at is None:
        return f"{words}, with everything that is archived"
    return f"{words}, {duration(at - standby.behind_since_at)} behind the archive"
