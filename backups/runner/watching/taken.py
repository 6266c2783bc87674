"""Checks of the backups that are there: fresh, as scheduled, as usual, kept."""

import statistics
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import ClassVar

from backups import schedules
from backups.models import Backup, BackupCheckName, BackupJob, BackupKind, BackupPolicy, JobState
from backups.options.words import amount, duration
from backups.queries import window_open
from backups.runner.due import SKIPPED
from backups.runner.watching.base import (
    MOST_BACKUPS,
    Found,
    Subject,
    critical,
    longest_between,
    ok,
    unasked,
    unknown,
    unread,
    warning,
)

DAY = timedelta(days=1)
# A backup that should have begun is missed only after so long: it is first taken, then catalogued.
PATIENCE = timedelta(hours=1)
# Fewer earlier ones say nothing of what is usual.
LEAST_EARLIER = 4
# How far from the middle of the earlier ones, and from how they spread, is out of the usual.
UNUSUAL_SHARE = 0.4
UNUSUAL_SPREADS = 5.0
# Begun a little early by another clock is begun at its moment.
EARLY = timedelta(minutes=5)
# The schedule is looked at over so many of its moments.
MOMENTS_SEEN = 8
# So many of what is gone are told by name.
NAMED = 3


class FullFresh:
    """Whether the last backup that can come back alone is as young as was decided."""

    name: ClassVar = BackupCheckName.FULL_FRESH

    def look(self, subject: Subject) -> Found:
        if not subject.fulls:
            return unread(subject) or critical(
                "There is no full backup that could be restored.",
                "Take one now: manage.py take_backup.",
            )
        newest = subject.fulls[0]
        age = subject.at - newest.ended_at
        limit = _full_limit(subject)
        said = f"The last full backup, {newest.label}, is {duration(age)} old"
        # It may be gone by now, and a newer one may be there.
        if unsure := unread(subject, said):
            return unsure
        if age <= limit:
            return ok(f"{said}.", age_seconds=age.total_seconds(), limit=duration(limit))
        found = critical if age > 2 * limit else warning
        return found(
            f"{said}; it may be {duration(limit)}.",
            "See why none was taken since (Backups of this database), and take one.",
            age_seconds=age.total_seconds(),
            limit=duration(limit),
        )


def _full_limit(subject: Subject) -> timedelta:
    """Return how old the last full backup may be: by schedule, by what was set, or a day."""
    policy, database = subject.policy, subject.database
    if policy is not None and policy.full_schedule:
        between = longest_between(policy.full_schedule, policy.tz, subject.at)
        usual = max((each.ended_at - each.began_at for each in subject.fulls), default=timedelta())
        return (between or timedelta(days=366)) + usual + PATIENCE
    return database.backup_stale_after or DAY + PATIENCE


class ScheduleKept:
    """Whether a backup was taken at each moment of the schedule."""

    name: ClassVar = BackupCheckName.SCHEDULE

    def look(self, subject: Subject) -> Found:
        policy = subject.policy
        if policy is None or not policy.full_schedule:
            return warning(
                "No schedule is set: backups are taken when somebody asks for one.",
                "Set a schedule in the database's policy.",
            )
        since = max(policy.created_at, subject.at - timedelta(days=35))
        since = max(since, _changed_at(subject, policy, _SCHEDULES))
        due, missed = _due_and_missed(subject, policy, since)
        if unsure := unread(subject):
            return unsure
        if not due:
            return ok("No backup was due yet since the schedule was set.")
        window = [moment for moment in missed if _in_window(policy, moment)]
        missed = [moment for moment in missed if moment not in window]
        if not missed:
            return ok(_taken(len(due), in_window=len(window)), due=len(due))
        skipped = _skipped(subject, missed)
        if len(skipped) == len(missed):
            return warning(
                f"{_of_all(len(missed), len(due))} left out: another was at work, last on "
                f"{missed[-1]:%Y-%m-%d %H:%M} UTC.",
                "See why backups take so long, or plan them further apart.",
                due=len(due),
                skipped=len(skipped),
            )
        newest = missed[-1] == due[-1]
        found = critical if newest and len(missed) > 1 else warning
        last = "the last one of" if len(missed) > 1 else "on"
        return found(
            f"{_of_all(len(missed), len(due))} not taken, {last} {missed[-1]:%Y-%m-%d %H:%M} UTC.",
            "Look at the backups that were asked for and why they failed; see that the beat and a "
            "worker run.",
            due=len(due),
            missed=len(missed),
        )


_SCHEDULES = ["full_schedule", "incremental_schedule", "tz"]


def _taken(due: int, *, in_window: int) -> str:
    """Say that nothing was missed of so many backups that were due."""
    left_out = f"{in_window} left out in a maintenance window"
    if due == 1:
        one = "The one backup that was last due was"
        return f"{one} left out in a maintenance window." if in_window else f"{one} taken."
    return f"All {due} backups that were last due were taken{f', {left_out}' * bool(in_window)}."


def _of_all(some: int, due: int) -> str:
    """Name so many of the backups that were due, up to the verb."""
    if due == 1:
        return "The one backup that was last due was"
    return f"{some} of the {due} backups that were last due {'was' if some == 1 else 'were'}"


def _changed_at(subject: Subject, policy: BackupPolicy, fields: Sequence[str]) -> datetime:
    """Return when one of these was last decided otherwise; the policy's beginning if never."""
    changed = (each.at for each in subject.policy_changes if any(f in each.changes for f in fields))
    return next(changed, policy.created_at)


def _due_and_missed(
    subject: Subject, policy: BackupPolicy, since: datetime
) -> tuple[list[datetime], list[datetime]]:
    """Return the last moments of both schedules, and those after which no backup began.

    A full backup serves where an incremental one was due, but not the other way round.
    """
    due: set[datetime] = set()
    missed: set[datetime] = set()
    patience = PATIENCE + max(
        (each.ended_at - each.began_at for each in subject.backups), default=timedelta()
    )
    for expression, backups in (
        (policy.full_schedule, subject.fulls),
        (policy.incremental_schedule, [*subject.backups, *subject.fulls]),
    ):
        certain = subject.at - patience
        moments = _due(expression, policy.tz, since, certain)
        moments += _due(expression, policy.tz, max(since, certain), subject.at)
        late = set(_missed(moments, backups)) if moments else set()
        # One that is on its way, or is not catalogued yet, is not missed; one that is there counts.
        young = {moment for moment in late if moment > certain}
        missed |= late - young
        due.update(moment for moment in moments if moment not in young)
    if missed and max(missed) == max(due) and _is_at_work(subject, max(missed)):
        missed.discard(max(missed))
    seen = sorted(due)[-MOMENTS_SEEN:]
    return seen, [moment for moment in seen if moment in missed]


def _is_at_work(subject: Subject, since: datetime) -> bool:
    """Whether a backup that was asked for since then is still being taken."""
    jobs = subject.database.backup_jobs.filter(state__in=[JobState.QUEUED, JobState.RUNNING])
    return jobs.filter(requested_at__gte=since - EARLY).exists()


def _due(expression: str, tz: str, since: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    # The last ones only: a schedule may fall every few minutes.
    at = until
    while expression and len(found) < MOMENTS_SEEN:
        try:
            at = schedules.last_before(expression, tz, at)
        except schedules.BadSchedule:
            break
        if at <= since:
            break
        found.append(at)
        at -= timedelta(seconds=1)
    return found[::-1]


def _missed(due: Sequence[datetime], backups: Sequence[Backup]) -> list[datetime]:
    """Return the moments after which no backup began before the next one, or within two hours."""
    ends = [*due[1:], due[-1] + 2 * PATIENCE]
    return [
        moment
        for moment, following in zip(due, ends, strict=True)
        if not any(
            moment - EARLY <= each.began_at < max(following, moment + PATIENCE) for each in backups
        )
    ]


def _in_window(policy: BackupPolicy, moment: datetime) -> bool:
    try:
        return window_open(policy, at=moment) is not None
    except schedules.BadSchedule:
        return False


def _skipped(subject: Subject, missed: Sequence[datetime]) -> list[datetime]:
    """Return which moments the beat came to, and found another backup at work."""
    jobs = BackupJob.objects.filter(
        database=subject.database, failure_code=SKIPPED, requested_at__gte=missed[0]
    )
    noted = list(jobs.values_list("requested_at", flat=True))
    return [
        moment for moment in missed if any(moment <= each < moment + PATIENCE for each in noted)
    ]


class _AsUsual(ABC):
    """Whether a figure of the newest full backup lies where those before it did."""

    what: ClassVar[str]
    advice: ClassVar[str]

    def look(self, subject: Subject) -> Found:
        newest = next(iter(subject.fulls), None)
        if unsure := unread(subject):
            return unsure
        if newest is None:
            return unknown("There is no full backup to look at.", "Take one.")
        alike = [each for each in subject.fulls[1:] if each.kind == newest.kind]
        figures = [figure for each in alike if (figure := self.figure(each)) is not None]
        figure = self.figure(newest)
        if figure is None:
            return unknown(f"The {self.what} of {newest.label} is not known.", "Read the archive.")
        if len(figures) < LEAST_EARLIER:
            return ok(
                f"{self.told(figure)}; too few were taken before to say what is usual.",
                earlier=len(figures),
            )
        middle = statistics.median(figures)
        spread = statistics.median(abs(each - middle) for each in figures)
        off = abs(figure - middle)
        evidence = {"usual": self.told(middle), "newest": self.told(figure)}
        if off <= max(UNUSUAL_SHARE * middle, UNUSUAL_SPREADS * spread, self.least):
            return ok(f"{self.told(figure)}, usually {self.told(middle)}.", **evidence)
        return warning(
            f"{newest.label}: {self.told(figure)}, where {self.told(middle)} is usual.",
            self.advice,
            **evidence,
        )

    least: ClassVar[float] = 0.0

    @abstractmethod
    def figure(self, backup: Backup) -> float | None:
        """Return what is compared; None if it is not known."""

    @abstractmethod
    def told(self, figure: float) -> str:
        """Say a figure in words."""


class SizeUsual(_AsUsual):
    """Whether the newest full backup is as large as those before it."""

    name: ClassVar = BackupCheckName.SIZE
    what = "size"
    advice = "See what was deleted or loaded since; if nothing was, restore it in a drill."
    least = 16 * 1024 * 1024

    def figure(self, backup: Backup) -> float | None:
        return backup.stored_bytes or backup.cluster_bytes or None

    def told(self, figure: float) -> str:
        return amount(figure)


class DurationUsual(_AsUsual):
    """Whether the newest full backup took as long as those before it."""

    name: ClassVar = BackupCheckName.DURATION
    what = "duration"
    advice = (
        "Look at the storage's weather and at the cluster's load at that hour: a restore reads "
        "what the backup wrote."
    )
    least = 120.0

    def figure(self, backup: Backup) -> float | None:
        return (backup.ended_at - backup.began_at).total_seconds()

    def told(self, figure: float) -> str:
        return duration(timedelta(seconds=figure))


class Retention:
    """Whether backups reach back, and are as many, as was decided."""

    name: ClassVar = BackupCheckName.RETENTION

    def look(self, subject: Subject) -> Found:
        policy = subject.policy
        if policy is None or (policy.keep_for is None and policy.keep_fulls is None):
            return unasked("Nothing was decided about how long backups are kept.")
        if unsure := unread(subject):
            return unsure
        if not subject.fulls:
            return unknown("There is no full backup to look at.", "Take one.")
        lacking = [*_gone_early(subject, policy), *_short_reach(subject, policy)]
        fulls = _fulls_kept(subject)
        if policy.keep_fulls and fulls < _should_have(subject, policy):
            lacking.append(
                f"{fulls} full {'one is' if fulls == 1 else 'ones are'} there, where "
                f"{policy.keep_fulls} {'was' if policy.keep_fulls == 1 else 'were'} decided"
            )
        if lacking:
            return warning(
                f"Backups went earlier than decided: {'; '.join(lacking)}.",
                "See who deletes them (lifecycle rules of the bucket, the backup tool's own "
                "retention), and stop it.",
                fulls=fulls,
            )
        return ok("Backups are kept as decided.", fulls=fulls)


def _gone_early(subject: Subject, policy: BackupPolicy) -> Iterator[str]:
    """Name backups that are gone though by their age they should still be there."""
    if policy.keep_for is None:
        return
    rows = subject.database.backups.filter(
        is_finished=True, vanished_at__isnull=False, ended_at__gt=subject.at - policy.keep_for
    )
    # Those that went while less was decided went rightly.
    since = _changed_at(subject, policy, ["keep_for"])
    gone = list(rows.filter(vanished_at__gte=since).order_by("-ended_at")[: NAMED + 1])
    if gone:
        names = ", ".join(each.label for each in gone[:NAMED])
        yield f"{names}{' and others' if len(gone) > NAMED else ''} gone"


def _short_reach(subject: Subject, policy: BackupPolicy) -> Iterator[str]:
    """Say how far back what can be restored reaches, if that is less than it should by now."""
    age = subject.at - _changed_at(subject, policy, ["keep_for"])
    wanted = min(policy.keep_for or timedelta(), age)
    earliest = subject.database.earliest_restorable_at
    if wanted and (earliest is None or subject.at - earliest < wanted - _slack(subject, policy)):
        reach = f"only {duration(subject.at - earliest)}" if earliest else "nowhere"
        yield f"they reach back {reach}, where {duration(wanted)} was decided"


def _slack(subject: Subject, policy: BackupPolicy) -> timedelta:
    """Return how much later than a decision its first backup may have come."""
    if not policy.full_schedule:
        return DAY
    between = longest_between(policy.full_schedule, policy.tz, subject.at)
    return max(between or DAY, DAY)


def _fulls_kept(subject: Subject) -> int:
    if len(subject.fulls) < MOST_BACKUPS:
        return len(subject.fulls)
    rows = subject.database.backups.all().usable()
    return rows.exclude(kind=BackupKind.INCREMENTAL).count()


def _should_have(subject: Subject, policy: BackupPolicy) -> int:
    """Return how many full backups there can be by now since that was decided."""
    if policy.keep_fulls is None or not policy.full_schedule:
        # Nobody knows how many were ever taken.
        return 0
    due = schedules.moments(
        policy.full_schedule,
        policy.tz,
        after=_changed_at(subject, policy, ["keep_fulls", "full_schedule"]),
        before=subject.at - 2 * PATIENCE,
    )
    return sum(1 for _moment in islice(due, policy.keep_fulls))
