"""Checks of the way back: a place for it, in time, proven, and as decided."""

from datetime import date, timedelta
from textwrap import shorten
from typing import ClassVar

from backups.models import (
    Backup,
    BackupCheckName,
    BackupKind,
    Drill,
    DrillState,
    JobState,
    PolicyChange,
    RecoveryTarget,
    RestoreJob,
)
from backups.options import Range
from backups.options.words import duration, told_range
from backups.queries import day_at, restores_at_work
from backups.runner.standing import policy_standing
from backups.runner.watching.base import (
    Evidence,
    Found,
    Subject,
    critical,
    longest_between,
    ok,
    unknown,
    warning,
)

PROBE_HOLDS = timedelta(hours=1)
FORECAST_HOLDS = timedelta(hours=1)
# The worker beside a target takes a drill's cluster away within a minute.
CLEARED_AFTER = timedelta(hours=1)
# Without a schedule, a proof is as old as customers are promised by default: five weeks.
DRILL_HOLDS = timedelta(weeks=5)
_WHY = 160


class TargetsReady:
    """Whether there is a place to restore to, at this very moment."""

    name: ClassVar = BackupCheckName.TARGETS

    def look(self, subject: Subject) -> Found:
        targets = list(RecoveryTarget.objects.order_by("name"))
        if not targets:
            return critical(
                "No recovery target is registered.",
                "Register one: manage.py register_recovery_target.",
            )
        newest = next(iter(subject.backups), None)
        taken = _taken()
        reasons = {each.name: _unready(each, subject) or taken.get(each.pk, "") for each in targets}
        ready = [name for name, reason in reasons.items() if not reason]
        evidence = {name: reason or "ready" for name, reason in reasons.items()}
        if ready:
            return ok(f"Ready: {', '.join(ready)}.", **evidence)
        told = "; ".join(f"{name} {reason}" for name, reason in reasons.items())
        seen = [each for each in targets if _is_seen(each, subject)]
        if not seen:
            return unknown(
                f"No recovery target was looked at of late: {told}.",
                "Start a worker beside one of them, or see why it does not answer.",
                **evidence,
            )
        if any(each.pk in taken and not _unready(each, subject) for each in targets):
            return warning(
                f"No recovery target is free now: {told}.",
                "Wait for what is under way there, or call it off; another target would stay free.",
                **evidence,
            )
        return critical(
            f"No recovery target is ready{f' for {newest}' if newest else ''}: {told}.",
            "Make room, stop what runs there, or register another target.",
            **evidence,
        )


def _is_seen(target: RecoveryTarget, subject: Subject) -> bool:
    return target.probed_at is not None and subject.at - target.probed_at <= PROBE_HOLDS


def _taken() -> dict[int, str]:
    """Return what is under way at recovery targets, by their ids."""
    held = RestoreJob.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING, JobState.PAUSED])
    drills = Drill.objects.filter(state=DrillState.CLEARING, restore__isnull=False)
    standing = drills.select_related("database", "restore")
    return {
        **{
            each.restore.target_id: f"still has the cluster of {each}"
            for each in standing
            if each.restore is not None
        },
        **{
            each.target_id: f"is taken by {'a drill' if each.is_scratch else 'a restore'} of "
            f"{each.database}"
            for each in held.select_related("database")
        },
    }


def _unready(target: RecoveryTarget, subject: Subject) -> str:
    """Return what speaks against a restore there, but for what is under way; empty if nothing."""
    newest = next(iter(subject.backups), None)
    if not _is_seen(target, subject):
        return "was not looked at of late"
    if target.occupied_by:
        return f"is not free ({target.occupied_by})"
    if newest is None:
        return ""
    if target.major is not None and not _runs(target.major, newest):
        return f"has PostgreSQL {target.major}"
    if target.free_bytes is not None and target.free_bytes < newest.cluster_bytes:
        return "has too little room"
    return ""


def _runs(major: int, backup: Backup) -> bool:
    theirs = backup.server_version // 10_000
    # Statements can be played into newer programs as well.
    return major >= theirs if backup.kind == BackupKind.LOGICAL else major == theirs


class WithinObjectives:
    """Whether a loss at this moment would stay within what was decided."""

    name: ClassVar = BackupCheckName.FORECAST

    def look(self, subject: Subject) -> Found:
        row, database = subject.forecast, subject.database
        if row is None or subject.at - row.at > FORECAST_HOLDS:
            return unknown(
                "What a loss would cost was not forecast of late.",
                "See that the beat and a worker run.",
            )
        if row.loss_seconds is None or row.middle_seconds is None:
            if restore := restores_at_work().filter(database=database).last():
                return warning(
                    f"{restore} brings it back right now; beside it no other way could be started.",
                    f"Follow it at the desk, or free a target. {row.plan_words}",
                )
            return critical(row.plan_words, "Mend what stands against every way back.")
        assert row.low_seconds is not None
        assert row.high_seconds is not None
        back = told_range(Range(row.low_seconds, row.middle_seconds, row.high_seconds))
        loss = timedelta(seconds=row.loss_seconds)
        said = f"If it were lost now: {duration(loss)} of data lost, back in {back}"
        may_lose, within = database.recovery_point_objective, database.recovery_time_objective
        if may_lose is None and within is None:
            return warning(
                f"{said}. No objective says whether that is good enough.",
                "Set what may be lost and how long it may take.",
            )
        misses = []
        if may_lose is not None and loss > may_lose:
            misses.append(f"{duration(may_lose)} may be lost")
        if within is not None and row.high_seconds > within.total_seconds():
            misses.append(f"it has to be back within {duration(within)}")
        if not misses:
            return ok(f"{said}.")
        sure = within is not None and row.low_seconds > within.total_seconds()
        found = critical if sure or (may_lose is not None and loss > may_lose) else warning
        return found(
            f"{said}; {' and '.join(misses)}.",
            "Take full backups more often, give it a quicker storage or target, or keep a standby "
            "warm; the options board says what takes how long.",
            plan=row.plan_words,
        )


class DrillPassed:
    """Whether a real restore has proven the newest backups of late."""

    name: ClassVar = BackupCheckName.DRILL

    def look(self, subject: Subject) -> Found:
        drill, policy = subject.last_drill, subject.policy
        if left := _left_standing(subject):
            return warning(
                f"{left} is proven, but its cluster still stands on {left.target}: its worker "
                "takes it away, and was not there for it.",
                f"Start the worker of the queue {left.target.queue} on that machine. No other "
                "drill can be held before.",
                drill=left.pk,
            )
        if drill is None:
            return warning(
                "No drill was ever held: whether these backups can be restored is a hope.",
                "Hold one now, and set a schedule for drills in the policy.",
            )
        assert drill.ended_at is not None
        age = subject.at - drill.ended_at
        if drill.state == DrillState.FAILED:
            return critical(
                f"The last drill failed {duration(age)} ago: {drill.words}",
                "Look at the drill, mend the cause, and hold it again.",
            )
        limit = DRILL_HOLDS
        if policy is not None and policy.drill_schedule:
            between = longest_between(policy.drill_schedule, policy.tz, subject.at)
            limit = (between or DRILL_HOLDS) + timedelta(days=1)
        took = duration(timedelta(seconds=drill.measured_seconds or 0))
        said = f"The last drill passed {duration(age)} ago and took {took}"
        if age > limit:
            return warning(
                f"{said}; one was due after {duration(limit)}.", "Hold one now; see why none was."
            )
        if differs := _differs(drill.backup, next(iter(subject.backups), None)):
            return warning(
                f"{said}, but {differs}.", "Hold a drill of what would be restored today."
            )
        return ok(f"{said}.", measured_seconds=drill.measured_seconds or 0)


def _left_standing(subject: Subject) -> Drill | None:
    """Return the drill that was judged long ago, and whose cluster nobody has taken away."""
    rows = subject.database.drills.filter(
        state=DrillState.CLEARING, restore__ended_at__lt=subject.at - CLEARED_AFTER
    )
    return rows.select_related("database", "target").first()


def _differs(proven: Backup | None, newest: Backup | None) -> str:
    """Say why what was proven tells nothing of the newest backup; empty if it does."""
    if proven is None or newest is None:
        return ""
    if (proven.kind == BackupKind.LOGICAL) != (newest.kind == BackupKind.LOGICAL):
        return "backups are of another engine since"
    majors = proven.server_version // 10_000, newest.server_version // 10_000
    if majors[0] != majors[1]:
        return f"that was PostgreSQL {majors[0]}, and backups are of {majors[1]} since"
    return ""


class PolicyStands:
    """Whether the policy promises what was decided, and no workaround has outlived its day."""

    name: ClassVar = BackupCheckName.POLICY

    def look(self, subject: Subject) -> Found:
        policy = subject.policy
        if policy is None:
            return warning(
                "Nothing was decided about its backups.",
                "Set a policy: schedules, what is kept, where it is copied, drills.",
            )
        open_ones = policy.changes.filter(review_on__isnull=False, reviewed_at=None)
        workaround = open_ones.order_by("review_on").first()
        breaks = _breaks(subject)
        if workaround is not None:
            return _of_workaround(workaround, breaks, today=day_at(policy.tz, subject.at))
        if breaks:
            return warning(
                f"As the policy stands, it promises less than was decided. {breaks}",
                "Plan full backups more often, or decide other objectives: the policy's page says "
                "what a change does before it is saved.",
                version=policy.version,
            )
        return ok(f"The policy stands, version {policy.version}.", version=policy.version)


def _breaks(subject: Subject) -> str:
    """Say which objective the policy misses, and at its worst by how much; empty if none.

    For as long as it is so, not only when somebody decided it.
    """
    database = subject.database
    if database.recovery_point_objective is None and database.recovery_time_objective is None:
        return ""
    standing = policy_standing(database_id=database.pk, at=subject.at)
    if standing is None or not standing.breaks:
        return ""
    return f"{'; '.join(standing.breaks)}. {standing.words}"


def _of_workaround(change: PolicyChange, breaks: str, *, today: date) -> Found:
    assert change.review_on is not None
    evidence: Evidence = {"version": change.version, "review_on": f"{change.review_on}"}
    # However long the reason is, there is room for what it costs.
    why = shorten(change.why, _WHY, placeholder=" …")
    if change.review_on > today:
        said = f"A workaround stands until {change.review_on}: {why}"
        if not breaks:
            return ok(said, **evidence)
        return warning(
            f"{_ended(said)} {breaks}",
            "Undo it as soon as its cause is gone; until then know what it costs.",
            **evidence,
        )
    # With a promise broken meanwhile nobody may let it lie.
    found = critical if breaks else warning
    said = f"A workaround was to be looked at again on {change.review_on}: {why}"
    return found(
        f"{_ended(said)} {breaks}".strip(),
        f"Undo it, or say at the policy's page why it stays. {change.effect_words}".strip(),
        **evidence,
    )


def _ended(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."
